//! Probability that a moderator removes a text, learnt from votes.

use serde::{Deserialize, Serialize};

use crate::Error;

pub mod features;
mod logistic;
mod minimise;

pub use logistic::{Logistic, Settings};

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

/// A model of a team's votes. A second one, on sentence embeddings, fits behind the same calls.
pub trait VoteModel: Send {
    /// Learn from votes on texts. The same input gives the same model.
    fn fit(&mut self, texts: &[String], votes: &[Sample], ctl: &plumb_core::Ctl) -> Result<(), Error>;
    /// Probability of removal by each of `moderators`. One never seen gets the population's.
    fn predict(&self, text: &str, moderators: &[String]) -> Vec<f64>;
    /// Fit temperature and bias on votes that were not learnt from.
    fn calibrate(&mut self, texts: &[String], votes: &[Sample]);
    /// The parts of `text` that say most, strongest first, at most `top`.
    fn explain(&self, text: &str, top: usize) -> Vec<Contribution>;
}
