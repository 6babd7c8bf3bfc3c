//! What can be asked for on autoencoders: training, measuring, indexing. A preset is exactly this.

use std::path::PathBuf;

use plumb_text::HookPoint;
use plumb_text::job::ModelSpec;
use serde::{Deserialize, Serialize};

use crate::corpus::CorpusSpec;
use crate::experiment::Pair;
use crate::sae::Stored;
use crate::train::TrainSpec;

/// The texts that are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Texts {
    /// Where they come from.
    pub corpora: Vec<CorpusSpec>,
    /// Tokens of a window, the BOS token included.
    pub context: usize,
    /// At most so many tokens of all corpora together; 0 for all.
    pub tokens: usize,
    /// So many windows are kept apart, to measure on. The same seed keeps the same ones apart.
    pub held_out: usize,
    /// Seed of the order of windows.
    pub seed: u64,
}

impl Default for Texts {
    fn default() -> Self {
        Self { corpora: Vec::new(), context: 128, tokens: 0, held_out: 200, seed: 0 }
    }
}

/// Train autoencoders of one or several widths on the same activations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaeTrainSpec {
    /// The model.
    pub model: ModelSpec,
    /// Where its residual stream is read.
    pub hook: HookPoint,
    /// Positions of each text that are left out at its beginning, BOS included. Models let attention rest on the first
    /// tokens, whose stream is then many times longer than anywhere else, whatever they say.
    pub first_position: usize,
    /// The texts.
    pub texts: Texts,
    /// One for each autoencoder.
    pub train: Vec<TrainSpec>,
    /// Whether activations are kept in 16 bits.
    pub half: bool,
    /// How trained weights are stored.
    pub stored: Stored,
    /// Folder of activations and of the state of training, from which an interrupted run goes on. As large as
    /// tokens · width · 2 bytes (4 without `half`).
    pub work: PathBuf,
    /// Folder that gets one folder per autoencoder, named by its number of features.
    pub out: PathBuf,
}

impl Default for SaeTrainSpec {
    fn default() -> Self {
        Self {
            model: ModelSpec::default(),
            hook: HookPoint { block: 0, site: plumb_text::Site::ResidPost },
            first_position: 0,
            texts: Texts::default(),
            train: vec![TrainSpec::default()],
            half: true,
            stored: Stored::F32,
            work: PathBuf::from("sae-work"),
            out: PathBuf::from("sae"),
        }
    }
}

/// Measure an autoencoder on held-out texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaeEvalSpec {
    /// The model and the autoencoder.
    pub pair: Pair,
    /// The texts; only the held-out windows are looked at.
    pub texts: Texts,
}

/// Index an autoencoder's features over texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaeIndexSpec {
    /// The model and the autoencoder.
    pub pair: Pair,
    /// The texts.
    pub texts: Texts,
    /// Tokens before and after the firing one in an example.
    pub around: usize,
    /// The folder that gets the index.
    pub out: PathBuf,
}

impl Default for SaeIndexSpec {
    fn default() -> Self {
        Self {
            pair: Pair::default(),
            texts: Texts { held_out: 0, ..Texts::default() },
            around: 12,
            out: PathBuf::from("index"),
        }
    }
}
