//! Probability that a moderator removes a text, learnt from votes, and what follows for the case as a whole.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::score::{self, Objective};

mod head;
mod kind;
mod logistic;
mod meaning;
mod reader;
mod weighting;

pub use kind::{Kind, Model, Ngrams, Sentences};
pub use logistic::{Logistic, Settings};
pub use meaning::Meaning;
pub use reader::{Reader, Row};
pub use weighting::Weighting;

/// A vote to learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Which of the texts.
    pub text: usize,
    /// Whose.
    pub moderator: String,
    /// Whether it was to remove.
    pub remove: bool,
    /// Its weight; 1 unless older votes count less.
    pub weight: f64,
}

/// A word or part of one, and what it adds to the logit of removal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The words or characters.
    pub part: String,
    /// Positive speaks for removal.
    pub weight: f64,
}

/// What a model expects of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Probability of removal by each moderator that was asked for.
    pub p: Vec<f64>,
    /// Probability that its votes differ, learnt from items with several votes; `None` without such items.
    pub split: Option<f64>,
}

impl Forecast {
    /// The number cases are ranked by.
    pub fn score(&self, objective: Objective, panel: usize) -> f64 {
        let d = score::disagreement(&self.p);
        match objective {
            Objective::Disagreement => d,
            Objective::Gain => score::gain(self.p.iter().sum::<f64>() / self.p.len().max(1) as f64, panel),
            Objective::Combined => d + 0.5 * self.split.unwrap_or(0.0),
        }
    }
}

/// A model of a team's votes. [`Ngrams`] reads words, [`Sentences`] reads what they mean.
pub trait VoteModel: Send {
    /// Learn from votes on texts. The same input gives the same model.
    fn fit(&mut self, texts: &[String], votes: &[Sample], ctl: &plumb_core::Ctl) -> Result<(), Error>;
    /// What to expect of a text. A moderator never seen gets the population's probability.
    fn forecast(&self, text: &str, moderators: &[String]) -> Forecast;
    /// Fit temperature and bias on votes that were not learnt from.
    fn calibrate(&mut self, texts: &[String], votes: &[Sample]);
    /// The parts of `text` that say most, strongest first, at most `top`. None where a model does not read parts: what
    /// speaks for such a model are past cases near the text (see [`crate::precedent`]).
    fn explain(&self, text: &str, top: usize) -> Vec<Contribution>;

    /// Probability of removal by each of `moderators`.
    fn predict(&self, text: &str, moderators: &[String]) -> Vec<f64> {
        self.forecast(text, moderators).p
    }
}
