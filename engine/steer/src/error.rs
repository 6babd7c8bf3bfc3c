//! Why work on features gave no result.

use std::path::PathBuf;

use plumb_core::Cancelled;
use plumb_core::atomic::WriteError;
use plumb_nn::checkpoint::CheckpointError;

/// What the functions of this crate return.
pub type Result<T, E = SteerError> = std::result::Result<T, E>;

/// What went wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SteerError {
    /// Somebody asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A configuration of an SAE that cannot be used.
    #[error("{place}: {what}")]
    Config {
        /// The file, or what else it is.
        place: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// A tensor of an SAE is not there.
    #[error(
        "the tensor “{name}” is missing, which {architecture} autoencoders need: the file is another kind of autoencoder or the download is incomplete: {place}"
    )]
    MissingTensor {
        /// Its name.
        name: &'static str,
        /// The kind of SAE.
        architecture: &'static str,
        /// Where it was looked for.
        place: String,
    },
    /// A tensor of an SAE has another shape than the configuration says.
    #[error(
        "the tensor “{name}” has shape {found:?} where {expected:?} is needed: the weights do not belong to this configuration: {place}"
    )]
    TensorShape {
        /// Its name.
        name: String,
        /// By the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
        /// Where it comes from.
        place: String,
    },
    /// Weights that are not numbers.
    #[error("the tensor “{name}” contains NaN or infinite values: the file is damaged or its training failed: {place}")]
    NotFinite {
        /// Its name.
        name: String,
        /// Where it comes from.
        place: String,
    },
    /// Activations of another width than the SAE reads.
    #[error(
        "the activations are {found} wide and the autoencoder reads {expected}: it was trained on another model or another place in it"
    )]
    Width {
        /// `d_in` of the SAE.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// A feature that the SAE does not have.
    #[error("feature {feature} does not exist: the autoencoder has {features}, numbered from 0")]
    NoFeature {
        /// The number asked for.
        feature: usize,
        /// How many there are.
        features: usize,
    },
    /// An SAE that does not fit the model.
    #[error("this autoencoder does not fit the model: {0}")]
    Attach(String),
    /// A specification that makes no sense.
    #[error("{0}")]
    Spec(String),
    /// A file cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The training loss became infinite or not a number.
    #[error("the loss became {loss} in step {step}; lower the learning rate")]
    Diverged {
        /// The step, from one.
        step: usize,
        /// The value.
        loss: f64,
    },
    /// A checkpoint file is damaged.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The computation itself failed.
    #[error("the computation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The parameters of a network that is trained.
    #[error(transparent)]
    Params(#[from] plumb_nn::params::ParamError),
    /// The language model failed.
    #[error(transparent)]
    Text(#[from] plumb_text::Error),
}

impl SteerError {
    /// A file that could not be read.
    pub(crate) fn read(path: &std::path::Path, reason: impl std::fmt::Display) -> Self {
        Self::Read { path: path.to_path_buf(), reason: format!("{reason}") }
    }
}

impl From<SteerError> for plumb_core::Error {
    fn from(error: SteerError) -> Self {
        match error {
            SteerError::Cancelled(_) | SteerError::Text(plumb_text::Error::Cancelled(_)) => Self::Cancelled,
            other => Self::failed(&other),
        }
    }
}

impl From<SteerError> for plumb_text::Error {
    /// For hooks: the model's forward pass stops with this error.
    fn from(error: SteerError) -> Self {
        match error {
            SteerError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            SteerError::Text(error) => error,
            other => Self::Hook(other.to_string()),
        }
    }
}
