//! Why work on images and networks gave no result.

use plumb_core::Cancelled;
use plumb_nn::params::ParamError;

/// What went wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// Somebody asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A file of images is not what it should be.
    #[error("{place}: {what}")]
    Data {
        /// The file.
        place: String,
        /// What is wrong with it and what to do.
        what: String,
    },
    /// A specification that cannot be built or trained.
    #[error("{0}")]
    Spec(String),
    /// The network's tensors do not fit.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The loss became infinite or not a number.
    #[error("the loss became {loss} in step {step}; lower the learning rate")]
    Diverged {
        /// The step, counted from one.
        step: usize,
        /// The value.
        loss: f64,
    },
    /// What happens between training steps failed.
    #[error("{0}")]
    Hook(String),
}

impl From<candle_core::Error> for VisionError {
    fn from(error: candle_core::Error) -> Self {
        Self::Param(ParamError::Tensor(error))
    }
}

impl From<VisionError> for plumb_core::Error {
    fn from(error: VisionError) -> Self {
        match error {
            VisionError::Cancelled(cancelled) => cancelled.into(),
            other => Self::failed(&other),
        }
    }
}
