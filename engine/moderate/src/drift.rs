//! Whether a model still fits its team: what came since it was trained, and a new calibration where that is enough.

use plumb_core::Ctl;
use plumb_core::random::Random;
use serde::Serialize;

use crate::Error;
use crate::agreement::interval;
use crate::import::Item;
use crate::model::Time;
use crate::past;
use crate::train::{Quality, Trained, WORST_CALIBRATION};
use crate::vote_model::{Sample, VoteModel as _};

/// Votes in a window of the report.
const WINDOW: usize = 200;

/// Votes below which nothing is said.
const LEAST: usize = 50;

/// A stretch of votes in the order of their times.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// First and last vote.
    pub span: [Time; 2],
    /// How well they were predicted.
    pub quality: Quality,
    /// Share removed minus mean prediction: above zero the team has become stricter than the model thinks.
    pub stricter: f64,
    /// 95 % interval of that, by drawing the items again.
    pub interval: [f64; 2],
}

/// How a model does on votes since it was trained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// The model.
    pub version: String,
    /// Votes since then.
    pub votes: usize,
    /// Windows, oldest first.
    pub windows: Vec<Window>,
    /// All of them together; `None` when there are too few.
    pub since: Option<Quality>,
    /// Whether something should be done.
    pub alarm: bool,
    /// What, in a sentence.
    pub advice: String,
}

/// Items all of whose votes are younger than what the model learnt from, oldest first.
fn since<'a>(trained: &Trained, items: &'a [Item]) -> Vec<&'a Item> {
    let young = |item: &&Item| item.votes.iter().all(|vote| vote.at > Some(trained.card.span[1]));
    let mut young: Vec<&Item> = items.iter().filter(|item| !item.votes.is_empty()).filter(young).collect();
    young.sort_by_key(|item| past::age(item));
    young
}

/// Look at the votes of `items` that are younger than the model.
pub fn drift(trained: &Trained, items: &[Item], seed: u64, ctl: &Ctl) -> Result<Drift, Error> {
    let young = since(trained, items);
    let votes = young.iter().map(|item| item.votes.len()).sum();
    let mut windows = Vec::new();
    let mut start = 0;
    while start < young.len() {
        ctl.check()?;
        let mut end = start;
        let mut held = 0;
        while end < young.len() && held < WINDOW {
            held += young[end].votes.len();
            end += 1;
        }
        // A short rest belongs to the window before it.
        if young[end..].iter().map(|item| item.votes.len()).sum::<usize>() < LEAST {
            end = young.len();
        }
        if let Some(window) = window(trained, &young[start..end], seed) {
            windows.push(window);
        }
        ctl.progress("looking at votes since the training", end as u64, Some(young.len() as u64));
        start = end;
    }
    let since = Quality::on(&trained.model, &young).filter(|quality| quality.votes >= LEAST);
    let last = windows.last();
    let moved = last.filter(|window| window.interval[0] > 0.0 || window.interval[1] < 0.0);
    let (alarm, advice) = match (&since, moved) {
        (None, _) => {
            (false, format!("There are {votes} votes since the training; from {LEAST} on something can be said."))
        }
        (Some(_), Some(window)) if window.stricter.abs() > 0.05 => {
            let way = if window.stricter > 0.0 { "stricter" } else { "more lenient" };
            (true, format!("The team has become {way} than the model expects. Recalibrate, or train anew."))
        }
        (Some(quality), _) if quality.ece > WORST_CALIBRATION => {
            (true, "The model's probabilities are off. Recalibrate; until then it sends no cases to panels.".to_owned())
        }
        (Some(quality), _) if trained.card.held_out.as_ref().is_some_and(|then| quality.nll > then.nll + 0.1) => {
            (true, "The model predicts votes worse than when it was trained. Train anew.".to_owned())
        }
        _ => (false, "The model fits as well as when it was trained.".to_owned()),
    };
    Ok(Drift { version: trained.card.version.clone(), votes, windows, since, alarm, advice })
}

fn window(trained: &Trained, items: &[&Item], seed: u64) -> Option<Window> {
    let quality = Quality::on(&trained.model, items)?;
    let gaps: Vec<(f64, f64)> = items
        .iter()
        .map(|item| {
            let voters: Vec<String> = item.votes.iter().map(|vote| vote.moderator.clone()).collect();
            let p: f64 = trained.model.predict(&item.case.text(), &voters).iter().sum();
            (item.counts().remove as f64 - p, voters.len() as f64)
        })
        .collect();
    let mean = |gaps: &mut dyn Iterator<Item = (f64, f64)>| {
        let (gap, votes) = gaps.fold((0.0, 0.0), |(a, b), (gap, votes)| (a + gap, b + votes));
        gap / f64::max(votes, 1.0)
    };
    let mut random = Random::new(seed, "drift interval");
    let mut draws: Vec<f64> =
        (0..200).map(|_| mean(&mut (0..gaps.len()).map(|_| gaps[random.below(gaps.len())]))).collect();
    let times: Vec<Time> = items.iter().map(|item| past::age(item)).collect();
    Some(Window {
        span: [*times.first()?, *times.last()?],
        quality,
        stricter: mean(&mut gaps.iter().copied()),
        interval: interval(&mut draws)?,
    })
}

/// What a new calibration did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recalibrated {
    /// Votes it was fitted on.
    pub votes: usize,
    /// Before, on these votes.
    pub before: Quality,
    /// After: each half measured with the calibration of the other.
    pub after: Quality,
    /// Whether it was taken: only when it does better.
    pub taken: bool,
}

/// Fit temperature and bias anew on the votes since the training. The text's weights stay.
pub fn recalibrate(trained: &mut Trained, items: &[Item]) -> Result<Recalibrated, Error> {
    let young = since(trained, items);
    let texts: Vec<String> = young.iter().map(|item| item.case.text()).collect();
    let samples: Vec<Sample> = young
        .iter()
        .enumerate()
        .flat_map(|(text, item)| {
            let sample = move |vote: &crate::import::LoggedVote| Sample {
                text,
                moderator: vote.moderator.clone(),
                remove: vote.remove,
                weight: 1.0,
            };
            item.votes.iter().map(sample)
        })
        .collect();
    let before = Quality::on(&trained.model, &young).filter(|quality| quality.votes >= LEAST).ok_or_else(|| {
        Error::TooLittle(format!(
            "there are {} votes since the training and {LEAST} are needed to calibrate; wait for more",
            samples.len()
        ))
    })?;
    let (mut p, mut y) = (Vec::new(), Vec::new());
    for half in 0..2 {
        let mut model = trained.model.clone();
        let (fit, test): (Vec<Sample>, Vec<Sample>) = samples.iter().cloned().partition(|vote| vote.text % 2 == half);
        model.calibrate(&texts, &fit);
        for vote in &test {
            p.extend(model.predict(&texts[vote.text], std::slice::from_ref(&vote.moderator)));
            y.push(vote.remove);
        }
    }
    let after = Quality::of(&p, &y).ok_or_else(|| Error::TooLittle("there are no votes to calibrate on".to_owned()))?;
    let taken = after.nll < before.nll;
    if taken {
        trained.model.calibrate(&texts, &samples);
        trained.card.may_route = after.ece <= WORST_CALIBRATION;
        trained.card.held_out = Some(after.clone());
    }
    Ok(Recalibrated { votes: samples.len(), before, after, taken })
}
