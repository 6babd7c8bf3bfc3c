//! The vote models there are, behind one name: which one a team uses is kept with what it learnt.

use std::path::Path;

use plumb_core::Ctl;
use serde::{Deserialize, Serialize};

use super::meaning::Meaning;
use super::weighting::Weighting;
use super::{Contribution, Forecast, Logistic, Sample, Settings, VoteModel};
use crate::Error;

/// Which model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Words, pairs of words and parts of words: knows a word when it has seen it, in any language, and can name it.
    #[default]
    Ngrams,
    /// Sentence vectors: texts of like meaning are alike, also in other words. English with what ships.
    Sentences,
}

impl Kind {
    /// Penalties that suit it.
    pub fn settings(self) -> Settings {
        match self {
            Self::Ngrams => Settings::default(),
            // Chosen like those of the n-grams, on training parts alone (`examples/penalties.rs`).
            Self::Sentences => Settings { text: 0.3, items: 0.1, ..Settings::default() },
        }
    }
}

/// The model on n-grams.
pub type Ngrams = Logistic<Weighting>;

/// The model on sentence vectors.
pub type Sentences = Logistic<Meaning>;

/// One of them. Saved with its kind; see [`crate::train::Trained::load`] for the way back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Model {
    /// On n-grams.
    Ngrams(Ngrams),
    /// On sentence vectors.
    Sentences(Sentences),
}

/// The same call on whichever model it is.
macro_rules! either {
    ($self:expr, $model:ident => $call:expr) => {
        match $self {
            Model::Ngrams($model) => $call,
            Model::Sentences($model) => $call,
        }
    };
}

impl Model {
    /// An untrained model of `kind`; `encoder` is the folder of a sentence encoder instead of the one that ships.
    pub fn new(kind: Kind, settings: Option<Settings>, encoder: Option<&Path>) -> Result<Self, Error> {
        let settings = settings.unwrap_or_else(|| kind.settings());
        match (kind, encoder) {
            (Kind::Ngrams, None) => Ok(Self::Ngrams(Logistic::new(settings, Weighting::default()))),
            (Kind::Ngrams, Some(_)) => {
                Err(Error::refused("a sentence encoder belongs to the model on sentence vectors"))
            }
            (Kind::Sentences, encoder) => Ok(Self::Sentences(Logistic::new(settings, Meaning::open(encoder)?))),
        }
    }

    /// An untrained model that reads the same way.
    #[must_use]
    pub fn fresh(&self) -> Self {
        match self {
            Self::Ngrams(model) => Self::Ngrams(model.fresh()),
            Self::Sentences(model) => Self::Sentences(model.fresh()),
        }
    }

    /// Which it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Ngrams(_) => Kind::Ngrams,
            Self::Sentences(_) => Kind::Sentences,
        }
    }

    /// How it reads texts as vectors, where it does.
    pub fn meaning(&self) -> Option<&Meaning> {
        match self {
            Self::Ngrams(_) => None,
            Self::Sentences(model) => Some(model.reader()),
        }
    }

    /// Make what is not saved, after reading the model as a part of something else.
    pub fn prepare(&mut self) -> Result<(), Error> {
        either!(self, model => model.prepare())
    }

    /// Take temperature and bias from `other`, a model of the same kind that was calibrated on held-out votes.
    pub fn calibrate_like(&mut self, other: &Self) {
        let calibration = either!(other, model => model.calibration());
        either!(self, model => model.set_calibration(calibration));
    }

    /// Moderators the model has terms for.
    pub fn moderators(&self) -> Vec<&String> {
        either!(self, model => model.moderators().collect())
    }

    /// Forget a moderator: their terms go, the text's weights stay.
    pub fn forget(&mut self, moderator: &str) {
        either!(self, model => model.forget(moderator));
    }
}

impl VoteModel for Model {
    fn fit(&mut self, texts: &[String], votes: &[Sample], ctl: &Ctl) -> Result<(), Error> {
        either!(self, model => model.fit(texts, votes, ctl))
    }

    fn forecast(&self, text: &str, moderators: &[String]) -> Forecast {
        either!(self, model => model.forecast(text, moderators))
    }

    fn calibrate(&mut self, texts: &[String], votes: &[Sample]) {
        either!(self, model => model.calibrate(texts, votes));
    }

    fn explain(&self, text: &str, top: usize) -> Vec<Contribution> {
        either!(self, model => model.explain(text, top))
    }
}
