//! The experiments on a steered model as they are written in presets: a model, an autoencoder, texts, and what is asked.

use std::path::PathBuf;

use plumb_text::job::ModelSpec;
use plumb_text::{HookPoint, Sampling};
use serde::{Deserialize, Serialize};

use crate::corpus::CorpusSpec;
use crate::intervene::Intervention;
use crate::spec::{CausalSpec, FindSpec, SplittingSpec, SweepSpec};

/// A model and an autoencoder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pair {
    /// The model.
    pub model: ModelSpec,
    /// The autoencoder, as [`source::find`](crate::source::find) takes it.
    pub sae: String,
    /// Replaces the place that the autoencoder's file names.
    pub hook: Option<HookPoint>,
    /// A feature index of the pair, for largest activations; without it, the one that lies beside the autoencoder.
    pub index: Option<PathBuf>,
}

/// Where texts come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextSource {
    /// As they are.
    Texts(Vec<String>),
    /// As token ids, for models without a tokenizer.
    Tokens(Vec<Vec<u32>>),
    /// From files.
    Corpus(Box<CorpusSpec>),
    /// From the made-up world that `embedded:tiny` speaks of.
    World(WorldTexts),
}

impl Default for TextSource {
    fn default() -> Self {
        Self::Texts(Vec::new())
    }
}

/// Texts of the made-up world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorldTexts {
    /// Texts with rude words.
    Rude,
    /// The same texts with neutral words in their places.
    Twins,
    /// Beginnings that end with a rude word.
    Challenging,
    /// Beginnings of neutral texts.
    Neutral,
}

/// Texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextChoice {
    /// Where they come from.
    pub from: TextSource,
    /// So many of them, drawn evenly; 0 for all.
    pub count: usize,
    /// Only so many tokens of the beginning of each; 0 for all.
    pub first_tokens: usize,
    /// Texts with fewer tokens are left out.
    pub least_tokens: usize,
    /// Seed of the draw.
    pub seed: u64,
    /// Each text is a message, put into the model's chat template.
    pub chat: bool,
}

/// Who says what is toxic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The linear classifier of n-grams that ships with Plumb; for `embedded:tiny` the rude words of its world.
    #[default]
    Classifier,
    /// A list of rude words: 1 for a text with any of them.
    Lexicon,
    /// A BERT classifier such as `hf:unitary/toxic-bert`, or a folder.
    Bert(String),
}

/// Which multiple-choice questions measure what the model still knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Questions {
    /// None.
    #[default]
    None,
    /// Those that ship with Plumb.
    Own,
    /// A JSONL file in one of the usual forms.
    File(PathBuf),
}

/// Find features by contrast and, where prompts are given, try them by steering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FindExperiment {
    /// Model and autoencoder.
    pub pair: Pair,
    /// Texts on which the features are to fire.
    pub first: TextChoice,
    /// Texts on which they are not.
    pub second: TextChoice,
    /// What is asked.
    pub find: FindSpec,
    /// Prompts to try the candidates on; none for no trial.
    pub prompts: TextChoice,
    /// Neutral texts for the trial's output score; none for no such score.
    pub neutral: TextChoice,
    /// The trial.
    pub causal: CausalSpec,
    /// Who says what is toxic.
    pub judge: Judge,
}

/// Continue a prompt without and with steering.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateExperiment {
    /// Model and autoencoder.
    pub pair: Pair,
    /// The prompt as text.
    pub prompt: String,
    /// The prompt as token ids, instead.
    pub tokens: Vec<u32>,
    /// The prompt is a message, put into the model's chat template.
    pub chat: bool,
    /// What is done to the stream.
    pub intervention: Intervention,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Who says what is toxic.
    pub judge: Judge,
}

/// Steer at several strengths and tiers, with controls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SweepExperiment {
    /// Model and autoencoder.
    pub pair: Pair,
    /// Prompts.
    pub prompts: TextChoice,
    /// Neutral texts, to measure side effects on.
    pub neutral: TextChoice,
    /// Questions, to measure capability with.
    pub questions: Questions,
    /// Who says what is toxic.
    pub judge: Judge,
    /// What is asked.
    pub sweep: SweepSpec,
    /// Seed of the random controls and the intervals.
    pub seed: u64,
}

/// The same concept in autoencoders of growing width.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplittingExperiment {
    /// The model.
    pub model: ModelSpec,
    /// Autoencoders of the same place, narrowest first.
    pub saes: Vec<String>,
    /// Replaces the place that their files name.
    pub hook: Option<HookPoint>,
    /// Texts in which the concept occurs.
    pub first: TextChoice,
    /// Texts in which it does not.
    pub second: TextChoice,
    /// The words that are the concept; none for the rude words of Plumb's list, or of the world of `embedded:tiny`.
    pub concept: Vec<String>,
    /// Prompts to steer on.
    pub prompts: TextChoice,
    /// Who says what is toxic.
    pub judge: Judge,
    /// What is asked.
    pub splitting: SplittingSpec,
}
