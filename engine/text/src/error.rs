//! What can go wrong with a language model, said so that the person who asked knows what to do.

use std::path::PathBuf;

use plumb_core::Cancelled;
use plumb_nn::checkpoint::CheckpointError;

/// What the functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a language model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A hook's name that is none.
    #[error(
        "“{0}” is no hook point: write blocks.7.hook_resid_post or blocks.7.hook_resid_pre, with the number of a block"
    )]
    HookPoint(String),
    /// A hook point past the model's last block.
    #[error("{point} does not exist: the model has {blocks} blocks, numbered from 0 to {}", blocks - 1)]
    NoSuchBlock {
        /// The hook point's name.
        point: String,
        /// Blocks of the model, at least one.
        blocks: usize,
    },
    /// A hook gave back a tensor of another shape.
    #[error("the hook at {point} gave a tensor of shape {found:?} where {expected:?} is needed")]
    HookShape {
        /// The hook point's name.
        point: String,
        /// The shape the residual stream has.
        expected: Vec<usize>,
        /// The shape the hook gave.
        found: Vec<usize>,
    },
    /// A configuration that cannot be used.
    #[error("{place}: {what}")]
    Config {
        /// The file, or what else it is.
        place: String,
        /// What is wrong with it and what to do.
        what: String,
    },
    /// A tensor the model needs is not there.
    #[error(
        "the tensor “{name}” is missing (expected shape {expected:?}): the weights do not belong to this configuration, or the download is incomplete: {place}"
    )]
    MissingTensor {
        /// The tensor.
        name: String,
        /// The shape the configuration asks for.
        expected: Vec<usize>,
        /// Where it was looked for.
        place: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error(
        "the tensor “{name}” has shape {found:?} where the configuration asks for {expected:?}: the weights do not belong to this configuration: {place}"
    )]
    TensorShape {
        /// The tensor.
        name: String,
        /// The shape the configuration asks for.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
        /// Where it comes from.
        place: String,
    },
    /// Weights that are not numbers.
    #[error("the tensor “{name}” contains NaN or infinite values: the file is damaged or its training failed: {place}")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Where it comes from.
        place: String,
    },
    /// A file of the model is missing or cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A model that cannot be found or fetched.
    #[error(transparent)]
    Source(#[from] plumb_core::source::SourceError),
    /// A checkpoint file is damaged.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A tokenizer that cannot be used.
    #[error("the tokenizer cannot be used: {0}")]
    Tokenizer(String),
    /// Text was given to a model that has only token ids.
    #[error("this model has no tokenizer, so it takes token ids, not text: put its tokenizer.json beside the weights")]
    NoTokenizer,
    /// A message was given to a model that does not answer messages.
    #[error(
        "this model has no chat template that is known here (ChatML, Gemma, Llama 3): give it plain text to continue"
    )]
    NoChat,
    /// A token id past the vocabulary.
    #[error(
        "token {token} at position {position} does not exist: the vocabulary has {vocabulary} tokens, numbered from 0"
    )]
    Token {
        /// The id.
        token: u32,
        /// Where it stands.
        position: usize,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// Nothing to run the model on.
    #[error("there are no tokens: at least one is needed")]
    NoTokens,
    /// More tokens than the model has positions.
    #[error("{needed} tokens are needed and the model's context holds {limit}: shorten the prompt or generate less")]
    Context {
        /// Tokens asked for.
        needed: usize,
        /// Positions the model has.
        limit: usize,
    },
    /// A cache of another model, or of another number of sequences.
    #[error("{0}")]
    Cache(String),
    /// A sampling control out of its range.
    #[error("{0}")]
    Sampling(String),
    /// The computation itself failed.
    #[error("the computation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The job was stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A hook of another crate failed.
    #[error("{0}")]
    Hook(String),
}

impl From<Error> for plumb_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Cancelled(_) | Error::Source(plumb_core::source::SourceError::Cancelled(_)) => Self::Cancelled,
            other => Self::failed(&other),
        }
    }
}
