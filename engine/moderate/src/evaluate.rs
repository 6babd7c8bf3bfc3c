//! Learn from one part of a data set, rank the other, and say what panels would buy.

use std::path::PathBuf;
use std::time::Instant;

use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_core::statistics::{auc, calibration_error};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::agreement::{self, Counts};
use crate::import::Item;
use crate::score::Objective;
use crate::simulate::{self, Consistency};
use crate::train::{TrainSpec, train};
use crate::vote_model::{Kind, Settings, VoteModel as _};

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateSpec {
    /// Seats of a panel.
    pub panel: usize,
    /// Learn from one vote an item, drawn at random, as a log of solo decisions would hold.
    pub log_regime: bool,
    /// Seed of that draw, of the intervals and of the random orders.
    pub seed: u64,
    /// What cases are ranked by.
    pub objective: Objective,
    /// Which model.
    pub kind: Kind,
    /// The folder of a sentence encoder for the model on sentence vectors; `None` for the one that ships.
    pub encoder: Option<PathBuf>,
    /// The model's settings; `None` for those that suit its kind.
    pub model: Option<Settings>,
}

impl Default for EvaluateSpec {
    fn default() -> Self {
        Self {
            panel: 3,
            log_regime: false,
            seed: 7,
            objective: Objective::Combined,
            kind: Kind::default(),
            encoder: None,
            model: None,
        }
    }
}

/// What comes out. The first six figures describe all files together, the others the test files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Items in all files.
    pub items: usize,
    /// Votes in all files.
    pub votes: usize,
    /// Different moderators.
    pub moderators: usize,
    /// Mean disagreement of two votes on an item, pooled over pairs.
    pub pairwise_disagreement: f64,
    /// Krippendorff's alpha, nominal.
    pub krippendorff_alpha: Option<f64>,
    /// Share of items whose votes differ.
    pub non_unanimous: f64,
    /// How well single votes of the test are predicted.
    pub vote_auc: Option<f64>,
    /// Calibration error of these predictions, ten bins of equal size.
    pub vote_ece: f64,
    /// How well the score finds non-unanimous test items.
    pub auc: Option<f64>,
    /// The same as average precision.
    pub average_precision: Option<f64>,
    /// Consistency of solo decisions.
    pub c0: f64,
    /// Consistency when everything goes to a panel.
    pub c1: f64,
    /// Budget and share of the gain.
    pub gain: Vec<[f64; 2]>,
    /// The same for random orders, mean of 200.
    pub gain_random: Vec<[f64; 2]>,
    /// The same for the best possible order.
    pub gain_oracle: Vec<[f64; 2]>,
    /// Seconds to learn and calibrate.
    pub train_seconds: f64,
    /// 95th percentile of the time to score one case for the whole roster, in milliseconds.
    pub score_p95_ms: f64,
}

/// Figures beside the contract.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Details {
    /// 95 % interval of `gain` at each budget.
    pub gain_interval: Vec<[f64; 2]>,
    /// Standard deviation of `gain_random` at each budget.
    pub random_sd: Vec<f64>,
    /// Least budget that buys nine tenths of the gain.
    pub b90: f64,
    /// 95 % interval of alpha.
    pub alpha_interval: Option<[f64; 2]>,
    /// Share of the latent disagreement that panels on three cases in ten would surface.
    pub latent_at_30: f64,
    /// Probability that a panel overturns its first vote, on those cases.
    pub overturn_at_30: f64,
    /// Votes a case costs on average with that budget.
    pub votes_per_case_at_30: f64,
    /// The score of each test item.
    pub scores: Vec<f64>,
}

/// Learn from `learnt`, test on `test`.
pub fn evaluate(
    learnt: &[Item],
    test: &[Item],
    spec: &EvaluateSpec,
    ctl: &Ctl,
) -> Result<(Evaluation, Details), Error> {
    if learnt.is_empty() || test.is_empty() {
        return Err(Error::TooLittle("there must be items to learn from and items to test on".to_owned()));
    }
    let all: Vec<Counts> = learnt.iter().chain(test).map(Item::counts).collect();
    let mut names: Vec<&String> =
        learnt.iter().chain(test).flat_map(|item| &item.votes).map(|vote| &vote.moderator).collect();
    names.sort();
    names.dedup();

    ctl.progress("learning from votes", 0, None);
    let start = Instant::now();
    let mut random = Random::new(spec.seed, "log regime");
    let mut one = |votes| random.below(votes);
    let draw = spec.log_regime.then_some(&mut one as &mut dyn FnMut(usize) -> usize);
    let how = TrainSpec {
        kind: Some(spec.kind),
        encoder: spec.encoder.clone(),
        model: spec.model,
        half_life_days: 0.0,
        by_time: false,
        force: false,
    };
    let model = train(learnt, &how, draw, ctl)?.0.model;
    let train_seconds = start.elapsed().as_secs_f64();

    let mut roster: Vec<String> =
        learnt.iter().flat_map(|item| &item.votes).map(|vote| vote.moderator.clone()).collect();
    roster.sort();
    roster.dedup();
    let (mut scores, mut times) = (Vec::new(), Vec::new());
    let (mut p_votes, mut y_votes) = (Vec::new(), Vec::new());
    for (i, item) in test.iter().enumerate() {
        ctl.check()?;
        ctl.progress("scoring", i as u64, Some(test.len() as u64));
        let start = Instant::now();
        let text = item.case.text();
        let forecast = model.forecast(&text, &roster);
        scores.push(forecast.score(spec.objective, spec.panel));
        times.push(start.elapsed().as_secs_f64() * 1e3);
        let voters: Vec<String> = item.votes.iter().map(|vote| vote.moderator.clone()).collect();
        p_votes.extend(model.predict(&text, &voters));
        y_votes.extend(item.votes.iter().map(|vote| vote.remove));
    }
    times.sort_by(f64::total_cmp);

    let counts: Vec<Counts> = test.iter().map(Item::counts).collect();
    let cases: Vec<Consistency> = counts.iter().map(|counts| Consistency::of(*counts, spec.panel)).collect();
    let split: Vec<bool> = counts.iter().map(|counts| counts.split()).collect();
    let order = simulate::ranking(&scores);
    let random = simulate::random(&cases, 200, spec.seed);
    let mean = |f: fn(&Consistency) -> f64| cases.iter().map(f).sum::<f64>() / cases.len() as f64;
    let sent = &order[..(0.3 * order.len() as f64).round() as usize];
    let over = |f: fn(&Consistency) -> f64| sent.iter().map(|i| f(&cases[*i])).sum::<f64>();
    let details = Details {
        gain_interval: simulate::curve_interval(&cases, &scores, 500, spec.seed),
        random_sd: random.iter().map(|point| point[2]).collect(),
        b90: simulate::b90(&cases, &order),
        alpha_interval: agreement::alpha_interval(&all, 500, spec.seed),
        latent_at_30: over(|case| case.latent) / (mean(|case| case.latent) * cases.len() as f64).max(f64::MIN_POSITIVE),
        overturn_at_30: over(|case| case.overturn) / sent.len().max(1) as f64,
        votes_per_case_at_30: simulate::votes_per_case(0.3, spec.panel),
        scores: scores.clone(),
    };
    let evaluation = Evaluation {
        items: all.len(),
        votes: all.iter().map(|counts| counts.votes()).sum(),
        moderators: names.len(),
        pairwise_disagreement: agreement::pairwise_disagreement(&all),
        krippendorff_alpha: agreement::alpha(&all),
        non_unanimous: all.iter().filter(|counts| counts.split()).count() as f64 / all.len() as f64,
        vote_auc: auc(&p_votes, &y_votes).map(|auc| auc.value),
        vote_ece: calibration_error(&p_votes, &y_votes, 10).unwrap_or(0.0),
        auc: auc(&scores, &split).map(|auc| auc.value),
        average_precision: simulate::average_precision(&scores, &split),
        c0: mean(|case| case.solo),
        c1: mean(|case| case.panel),
        gain: simulate::curve(&cases, &order),
        gain_random: random.iter().map(|point| [point[0], point[1]]).collect(),
        gain_oracle: simulate::curve(&cases, &simulate::oracle(&cases)),
        train_seconds,
        score_p95_ms: times.get(times.len() * 95 / 100).copied().unwrap_or_default(),
    };
    Ok((evaluation, details))
}
