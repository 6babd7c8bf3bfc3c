//! Learning from a team's votes, and saying how well it went on votes that were held out.

use std::path::PathBuf;

use plumb_core::Ctl;
use plumb_core::statistics::{auc, calibration_error};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::import::Item;
use crate::model::Time;
use crate::past;
use crate::vote_model::{Kind, Model, Ngrams, Sample, Sentences, Settings, VoteModel as _};

/// Of so many items one is held out, to calibrate and to measure.
const HELD: usize = 7;

/// Calibration error above which a model routes nothing by itself.
pub const WORST_CALIBRATION: f64 = 0.08;

/// Votes needed to compare two models.
const COMPARABLE: usize = 30;

/// What to learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSpec {
    /// Which model; `None` for the kind of the one in use, and n-grams where there is none.
    pub kind: Option<Kind>,
    /// The folder of a sentence encoder for the model on sentence vectors; `None` for the one that ships.
    pub encoder: Option<PathBuf>,
    /// The model's settings; `None` for those that suit its kind.
    pub model: Option<Settings>,
    /// A vote this many days older than the newest counts half; 0 for no difference.
    pub half_life_days: f64,
    /// Hold out the newest items instead of every seventh.
    pub by_time: bool,
    /// Replace the model in use even where the new one did worse.
    pub force: bool,
}

impl TrainSpec {
    /// The same with what it leaves open taken from the model in use.
    pub(crate) fn like(&self, now: Option<&Trained>) -> Self {
        let Some(before) = now.filter(|_| self.kind.is_none()).map(|now| &now.card.spec) else { return self.clone() };
        Self { kind: before.kind, encoder: self.encoder.clone().or_else(|| before.encoder.clone()), ..self.clone() }
    }
}

impl Default for TrainSpec {
    fn default() -> Self {
        Self { kind: None, encoder: None, model: None, half_life_days: 180.0, by_time: true, force: false }
    }
}

/// A tenth of the predictions: what was predicted and what came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Mean predicted probability of removal.
    pub predicted: f64,
    /// Share that was removed.
    pub removed: f64,
    /// Votes.
    pub votes: usize,
}

/// How well votes are predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Votes it was measured on.
    pub votes: usize,
    /// Area under the ROC curve; `None` when all votes are alike.
    pub auc: Option<f64>,
    /// Mean negative logarithm of the probability given to what came.
    pub nll: f64,
    /// Mean squared error of the probability.
    pub brier: f64,
    /// Expected calibration error, ten bins of equally many votes.
    pub ece: f64,
    /// These bins.
    pub bins: Vec<Bin>,
}

impl Quality {
    /// Of predictions and what came; `None` without any.
    pub fn of(p: &[f64], removed: &[bool]) -> Option<Self> {
        let ece = calibration_error(p, removed, 10)?;
        let n = p.len() as f64;
        let mean = |f: &dyn Fn(f64, bool) -> f64| p.iter().zip(removed).map(|(p, y)| f(*p, *y)).sum::<f64>() / n;
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
        let bins = order.chunks(p.len().div_ceil(10)).map(|bin| {
            let votes = bin.len();
            let share = |f: &dyn Fn(usize) -> f64| bin.iter().map(|i| f(*i)).sum::<f64>() / votes as f64;
            Bin { predicted: share(&|i| p[i]), removed: share(&|i| f64::from(u8::from(removed[i]))), votes }
        });
        Some(Self {
            votes: p.len(),
            auc: auc(p, removed).map(|auc| auc.value),
            nll: mean(&|p, y| -(if y { p } else { 1.0 - p }).max(1e-12).ln()),
            brier: mean(&|p, y| (p - f64::from(u8::from(y))).powi(2)),
            ece,
            bins: bins.collect(),
        })
    }

    /// Of a model on items; `None` without votes.
    pub fn on(model: &Model, items: &[&Item]) -> Option<Self> {
        let (p, y) = predictions(model, items);
        Self::of(&p, &y)
    }
}

/// Predictions for every vote on `items`, and the votes.
fn predictions(model: &Model, items: &[&Item]) -> (Vec<f64>, Vec<bool>) {
    let (mut p, mut y) = (Vec::new(), Vec::new());
    for item in items {
        let voters: Vec<String> = item.votes.iter().map(|vote| vote.moderator.clone()).collect();
        p.extend(model.predict(&item.case.text(), &voters));
        y.extend(item.votes.iter().map(|vote| vote.remove));
    }
    (p, y)
}

/// What is known of a model: shown beside it, kept with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Its name: from what it learnt.
    pub version: String,
    /// Items learnt from.
    pub items: usize,
    /// Votes learnt from.
    pub votes: usize,
    /// Moderators with terms of their own.
    pub moderators: usize,
    /// First and last vote.
    pub span: [Time; 2],
    /// How it was trained.
    pub spec: TrainSpec,
    /// On votes held out of a model of the same kind; `None` when there were too few.
    pub held_out: Option<Quality>,
    /// Before calibration, on the same votes.
    pub uncalibrated: Option<Quality>,
    /// Whether it may send cases to panels by itself.
    pub may_route: bool,
}

/// A model and its card, as they are kept together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trained {
    /// What is known of it.
    pub card: Card,
    /// The model.
    pub model: Model,
}

impl Trained {
    /// Bytes for a repository.
    pub fn save(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| Error::refused(error.to_string()))
    }

    /// From [`Self::save`]'s bytes. A kind of model that this program does not know is said to be one.
    pub fn load(bytes: &[u8]) -> Result<Self, Error> {
        let mut trained = match parse::<Probe>(bytes)?.model.kind.as_deref() {
            // Without a kind: saved when there was only one.
            None | Some("ngrams") => parse::<Saved<Ngrams>>(bytes)?.wrap(Model::Ngrams),
            Some("sentences") => parse::<Saved<Sentences>>(bytes)?.wrap(Model::Sentences),
            Some(other) => {
                return Err(unreadable(format!(
                    "this Plumb does not know its kind (“{other}”); use a newer Plumb, or train anew"
                )));
            }
        };
        trained.model.prepare()?;
        Ok(trained)
    }
}

/// The model's kind and nothing more.
#[derive(Deserialize)]
struct Probe {
    model: Named,
}

#[derive(Deserialize)]
struct Named {
    kind: Option<String>,
}

/// What [`Trained`] is saved as, with a model of one kind.
#[derive(Deserialize)]
struct Saved<M> {
    card: Card,
    model: M,
}

impl<M> Saved<M> {
    fn wrap(self, model: impl FnOnce(M) -> Model) -> Trained {
        Trained { card: self.card, model: model(self.model) }
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))
}

fn unreadable(why: String) -> Error {
    Error::Import { place: "the saved model".to_owned(), why }
}

/// Which items are held out: the newest seventh by time, or every seventh.
fn held(items: &[Item], by_time: bool) -> Vec<bool> {
    if !by_time {
        return (0..items.len()).map(|i| i % HELD == HELD - 1).collect();
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|i| (past::age(&items[*i]), *i));
    let mut held = vec![false; items.len()];
    order.iter().rev().take(items.len() / HELD).for_each(|i| held[*i] = true);
    held
}

/// The votes of `items` with their weights. `one_each` draws one vote an item.
fn samples(items: &[Item], half_life_days: f64, mut draw: Option<&mut dyn FnMut(usize) -> usize>) -> Vec<Sample> {
    let newest = items.iter().map(past::age).max().unwrap_or_default();
    let mut samples = Vec::new();
    for (text, item) in items.iter().enumerate() {
        let only = draw.as_mut().filter(|_| !item.votes.is_empty()).map(|draw| draw(item.votes.len()));
        for (_, vote) in item.votes.iter().enumerate().filter(|(i, _)| only.is_none_or(|only| only == *i)) {
            let days = (newest - vote.at.unwrap_or(newest)) as f64 / 86_400.0;
            let weight = if half_life_days > 0.0 { 0.5_f64.powf(days / half_life_days) } else { 1.0 };
            samples.push(Sample { text, moderator: vote.moderator.clone(), remove: vote.remove, weight });
        }
    }
    samples
}

/// Learn from `items`; `draw` chooses one vote of each where the log would hold only one.
///
/// A first model learns without the held-out items. One half of these calibrates it and the other half measures it,
/// and the other way round; the final model learns from everything and takes the calibration of all held-out votes.
pub fn train(
    items: &[Item],
    spec: &TrainSpec,
    draw: Option<&mut dyn FnMut(usize) -> usize>,
    ctl: &Ctl,
) -> Result<(Trained, Model, Vec<usize>), Error> {
    let texts: Vec<String> = items.iter().map(|item| item.case.text()).collect();
    let samples = samples(items, spec.half_life_days, draw);
    let out = held(items, spec.by_time);
    let (held, learnt): (Vec<Sample>, Vec<Sample>) = samples.iter().cloned().partition(|vote| out[vote.text]);
    let kind = spec.kind.unwrap_or_default();
    let mut first = Model::new(kind, spec.model, spec.encoder.as_deref())?;
    let mut model = first.fresh();
    let mut measured = None;
    let enough = learnt.iter().any(|vote| vote.remove) && learnt.iter().any(|vote| !vote.remove) && !held.is_empty();
    if enough {
        first.fit(&texts, &learnt, ctl)?;
        let uncalibrated = measure(&first, &texts, &held);
        let (a, b): (Vec<Sample>, Vec<Sample>) = held.iter().cloned().partition(|vote| vote.text % 2 == 0);
        let (mut p, mut y) = (Vec::new(), Vec::new());
        for (calibrating, other) in [(&a, &b), (&b, &a)] {
            first.calibrate(&texts, calibrating);
            let (other_p, other_y) = sample_predictions(&first, &texts, other);
            p.extend(other_p);
            y.extend(other_y);
        }
        first.calibrate(&texts, &held);
        measured = Some((uncalibrated, Quality::of(&p, &y)));
    }
    ctl.check()?;
    model.fit(&texts, &samples, ctl)?;
    if enough {
        model.calibrate_like(&first);
    }
    let times = items.iter().flat_map(|item| item.votes.iter().filter_map(|vote| vote.at));
    let span = times.fold([Time::MAX, Time::MIN], |[low, high], at| [low.min(at), high.max(at)]);
    let (uncalibrated, held_out) = measured.unwrap_or_default();
    let may_route = held_out.as_ref().is_some_and(|quality| quality.ece <= WORST_CALIBRATION);
    let card = Card {
        version: version(&model)?,
        items: items.iter().filter(|item| !item.votes.is_empty()).count(),
        votes: samples.len(),
        moderators: model.moderators().len(),
        span: if span[0] > span[1] { [0, 0] } else { span },
        spec: TrainSpec { kind: Some(kind), ..spec.clone() },
        held_out,
        uncalibrated,
        may_route,
    };
    let out = (0..items.len()).filter(|i| out[*i]).collect();
    Ok((Trained { card, model }, first, out))
}

fn version(model: &Model) -> Result<String, Error> {
    let text = serde_json::to_string(model).map_err(|error| Error::refused(error.to_string()))?;
    let hash = crate::audit::fingerprint(&[&text]);
    Ok(format!("votes-{}", &hash[..10]))
}

fn sample_predictions(model: &Model, texts: &[String], votes: &[Sample]) -> (Vec<f64>, Vec<bool>) {
    let one = |vote: &Sample| model.predict(&texts[vote.text], std::slice::from_ref(&vote.moderator))[0];
    (votes.iter().map(one).collect(), votes.iter().map(|vote| vote.remove).collect())
}

fn measure(model: &Model, texts: &[String], votes: &[Sample]) -> Option<Quality> {
    let (p, y) = sample_predictions(model, texts, votes);
    Quality::of(&p, &y)
}

/// Two models on votes that neither learnt from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The model in use.
    pub before: Quality,
    /// The new one, as it was without these votes.
    pub after: Quality,
    /// By how much the new one's log loss is higher.
    pub loss: f64,
    /// The standard error of that difference, vote by vote.
    pub error: f64,
}

impl Comparison {
    /// On the votes of `items`; `None` when there are fewer than [`COMPARABLE`].
    fn of(before: &Model, after: &Model, items: &[&Item]) -> Option<Self> {
        let (p, y) = predictions(before, items);
        let (q, _) = predictions(after, items);
        let loss = |p: f64, y: bool| -(if y { p } else { 1.0 - p }).max(1e-12).ln();
        let differences: Vec<f64> = p.iter().zip(&q).zip(&y).map(|((p, q), y)| loss(*q, *y) - loss(*p, *y)).collect();
        let n = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / n;
        let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let (before, after) = (Quality::of(&p, &y)?, Quality::of(&q, &y)?);
        (y.len() >= COMPARABLE).then(|| Self { before, after, loss: mean, error: (variance / n).sqrt() })
    }
}

/// What became of a retraining.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Retrained {
    /// The new model's card.
    pub card: Card,
    /// Before and after, where there was a model and there are enough votes since.
    pub comparison: Option<Comparison>,
    /// Whether the new model takes the old one's place.
    pub replaced: bool,
    /// Why, in a sentence.
    pub why: String,
}

/// Train anew and compare with the model in use, on held-out votes younger than anything that one learnt from.
/// The new model takes its place if it does at least as well, or when forced.
pub fn retrain(
    items: &[Item],
    spec: &TrainSpec,
    now: Option<&Trained>,
    ctl: &Ctl,
) -> Result<(Trained, Retrained), Error> {
    let spec = &spec.like(now);
    let (trained, first, out) = train(items, spec, None, ctl)?;
    let card = trained.card.clone();
    let Some(now) = now else {
        let why = "There was no model before.".to_owned();
        return Ok((trained, Retrained { card, comparison: None, replaced: true, why }));
    };
    let since = now.card.span[1];
    let fresh: Vec<&Item> =
        out.iter().map(|i| &items[*i]).filter(|item| item.votes.iter().all(|v| v.at > Some(since))).collect();
    let comparison = Comparison::of(&now.model, &first, &fresh);
    let (better, why) = match &comparison {
        None if now.card.votes == card.votes && now.card.span == card.span => {
            (false, "Nothing was decided since the model in use was trained, so it stays.".to_owned())
        }
        None => (
            false,
            format!(
                "There are fewer than {COMPARABLE} held-out votes since the model in use was trained, too few to compare. \
                 It stays; force the new one if you want it."
            ),
        ),
        Some(Comparison { before, after, loss, error }) => {
            let better = *loss <= 0.0 && after.ece <= before.ece.max(WORST_CALIBRATION);
            let verdict = if better { "The new model takes its place" } else { "The model in use stays" };
            let text = format!(
                "{verdict}: on {} votes neither learnt from, log loss {:.3} before and {:.3} after, calibration error \
                 {:.3} before and {:.3} after.",
                before.votes, before.nll, after.nll, before.ece, after.ece
            );
            let unsure = if !better && loss <= error { " The difference is within its error." } else { "" };
            (better, format!("{text}{unsure}"))
        }
    };
    let replaced = better || spec.force;
    let why = if replaced && !better { format!("Forced. {why}") } else { why };
    Ok((trained, Retrained { card, comparison, replaced, why }))
}
