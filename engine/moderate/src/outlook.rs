//! What a panel budget would bring this team: panels a day, extra votes, consistency, and the share of the possible gain.

use plumb_core::Ctl;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::import::Item;
use crate::model::Time;
use crate::past;
use crate::score::Objective;
use crate::simulate::{self, BUDGETS, Consistency};
use crate::train::{TrainSpec, train};
use crate::vote_model::VoteModel as _;

/// Parts of the log, each scored by a model that did not see it.
const FOLDS: usize = 5;

/// Cases with three votes or more from which they are believed rather than the model.
const ENOUGH: usize = 60;

/// What the figures rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Cases of the log that three moderators or more judged.
    Votes,
    /// The model's own predictions: too few cases were judged by several.
    Predictions,
}

/// Everything a settings slider needs: made once, asked often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// What it rests on.
    pub basis: Basis,
    /// Cases a day, over the log's time.
    pub cases_a_day: f64,
    /// Panel size.
    pub panel: usize,
    /// Of each case judged: score, solo consistency, panel consistency.
    cases: Vec<(f64, f64, f64)>,
    /// Whether each was split.
    split: f64,
    /// 95 % interval of the gain at each of [`BUDGETS`].
    interval: Vec<[f64; 2]>,
    /// Standard deviation of a random order's gain at each of [`BUDGETS`].
    noise: Vec<f64>,
}

/// What one budget brings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtBudget {
    /// Share of cases that go to panels.
    pub budget: f64,
    /// Panels a day.
    pub panels_a_day: f64,
    /// Votes a day beyond one a case.
    pub extra_votes_a_day: f64,
    /// Votes a case.
    pub votes_a_case: f64,
    /// Consistency without panels.
    pub solo: f64,
    /// Expected with this budget.
    pub expected: f64,
    /// With a panel for every case.
    pub everywhere: f64,
    /// Share of the possible gain.
    pub gain: f64,
    /// 95 % interval of that.
    pub gain_interval: [f64; 2],
    /// What cases drawn at random would gain.
    pub gain_random: f64,
    /// Whether choosing cases helps.
    pub helps: bool,
    /// The plain truth, in a sentence.
    pub message: String,
}

/// What the budgets from none to all, a tenth apart, bring.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// What it rests on.
    pub basis: Basis,
    /// Cases a day, over the log's time.
    pub cases_a_day: f64,
    /// Panel size.
    pub panel: usize,
    /// One for each budget.
    pub budgets: Vec<AtBudget>,
}

/// Score every case of `items` by a model that did not see it, and measure.
pub fn outlook(
    items: &[Item],
    spec: &TrainSpec,
    objective: Objective,
    panel: usize,
    seed: u64,
    ctl: &Ctl,
) -> Result<Outlook, Error> {
    let several = items.iter().filter(|item| item.votes.len() >= 3).count();
    let basis = if several >= ENOUGH { Basis::Votes } else { Basis::Predictions };
    let mut roster: Vec<String> =
        items.iter().flat_map(|item| &item.votes).map(|vote| vote.moderator.clone()).collect();
    roster.sort();
    roster.dedup();
    let mut found: Vec<(f64, Consistency, bool)> = Vec::new();
    for fold in 0..FOLDS {
        ctl.check()?;
        ctl.progress("learning without a part of the log", fold as u64, Some(FOLDS as u64));
        let out = |i: usize| i % FOLDS == fold;
        let learnt: Vec<Item> =
            items.iter().enumerate().filter(|(i, _)| !out(*i)).map(|(_, item)| item.clone()).collect();
        let model = train(&learnt, spec, None, ctl)?.0.model;
        for (_, item) in items.iter().enumerate().filter(|(i, _)| out(*i)) {
            if basis == Basis::Votes && item.votes.len() < 3 {
                continue;
            }
            ctl.check()?;
            let forecast = model.forecast(&item.case.text(), &roster);
            let (consistency, split) = match basis {
                Basis::Votes => (Consistency::of(item.counts(), panel), item.counts().split()),
                Basis::Predictions => {
                    let s = forecast.p.iter().sum::<f64>() / forecast.p.len().max(1) as f64;
                    (Consistency::of_share(s, panel), crate::score::non_unanimity(&forecast.p) > 0.5)
                }
            };
            found.push((forecast.score(objective, panel), consistency, split));
        }
    }
    if found.is_empty() {
        return Err(Error::TooLittle("there are no decisions to forecast from; import a log first".to_owned()));
    }
    let times: Vec<Time> = items.iter().map(past::age).collect();
    let span = times.iter().max().zip(times.iter().min()).map_or(0, |(last, first)| last - first);
    let cases: Vec<Consistency> = found.iter().map(|(_, consistency, _)| *consistency).collect();
    let scores: Vec<f64> = found.iter().map(|(score, ..)| *score).collect();
    Ok(Outlook {
        basis,
        cases_a_day: items.len() as f64 / (span as f64 / 86_400.0).max(1.0),
        panel,
        split: found.iter().filter(|(.., split)| *split).count() as f64 / found.len() as f64,
        interval: simulate::curve_interval(&cases, &scores, 300, seed),
        noise: simulate::random(&cases, 200, seed).iter().map(|point| point[2]).collect(),
        cases: found.iter().map(|(score, c, _)| (*score, c.solo, c.panel)).collect(),
    })
}

impl Outlook {
    /// The budgets side by side.
    pub fn forecast(&self) -> Forecast {
        let budgets = (0..=10).map(|i| self.at(f64::from(i) / 10.0)).collect();
        Forecast { basis: self.basis, cases_a_day: self.cases_a_day, panel: self.panel, budgets }
    }

    /// Of a budget from 0 to 1. Quick enough for a slider.
    pub fn at(&self, budget: f64) -> AtBudget {
        let budget = if budget.is_finite() { budget.clamp(0.0, 1.0) } else { 0.0 };
        let n = self.cases.len() as f64;
        let order = simulate::ranking(&self.cases.iter().map(|case| case.0).collect::<Vec<_>>());
        let solo = self.cases.iter().map(|case| case.1).sum::<f64>() / n;
        let everywhere = self.cases.iter().map(|case| case.2).sum::<f64>() / n;
        let taken = (budget * n).round() as usize;
        let got = order.iter().take(taken).filter_map(|i| self.cases.get(*i)).map(|c| c.2 - c.1).sum::<f64>() / n;
        let gain = if everywhere > solo { got / (everywhere - solo) } else { budget };
        let panels = budget * self.cases_a_day;
        let near = (budget * (BUDGETS.len() - 1) as f64).round() as usize;
        let noise = self.noise.get(near).copied().unwrap_or(0.0);
        let inner = budget > 0.0 && budget < 1.0;
        let helps = !inner || gain > budget + (2.0 * noise).max(0.05);
        let message = if everywhere - solo < 0.005 {
            "Your moderators agree so well that panels can hardly make them more consistent.".to_owned()
        } else if !helps && self.split > 0.5 {
            format!(
                "Choosing cases does not help here: {:.0} % of them are split, so {:.0} % of panels bring {:.0} % of the gain. \
                 Clearer rules would do more than panels.",
                100.0 * self.split,
                100.0 * budget,
                100.0 * gain
            )
        } else if !helps {
            format!(
                "At this budget the model does no better than drawing cases at random ({:.0} % against {:.0} %).",
                100.0 * gain,
                100.0 * budget
            )
        } else {
            format!(
                "{:.0} % of the cases bring {:.0} % of what a panel for every case would.",
                100.0 * budget,
                100.0 * gain
            )
        };
        AtBudget {
            budget,
            panels_a_day: panels,
            extra_votes_a_day: panels * (self.panel as f64 - 1.0),
            votes_a_case: simulate::votes_per_case(budget, self.panel),
            solo,
            expected: solo + got,
            everywhere,
            gain,
            gain_interval: self.interval.get(near).copied().unwrap_or([0.0, 1.0]),
            gain_random: budget,
            helps,
            message,
        }
    }
}
