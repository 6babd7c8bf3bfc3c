//! How a job ends when it does not end well.

use crate::Cancelled;

/// Why a job gave no result.
///
/// The text of [`Error::Failed`] is written for the person who asked: what went wrong, where, what to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Somebody asked the job to stop, or a newer request took its place.
    #[error("stopped")]
    Cancelled,
    /// The job could not do what was asked.
    #[error("{0}")]
    Failed(String),
    /// The job broke: a bug in Plumb, contained so that the rest goes on.
    #[error("internal error in this job: {0}. The workbench goes on; please report what you did")]
    Panicked(String),
}

impl Error {
    /// A failure from any error, with its chain of causes in one sentence.
    pub fn failed(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let inner_text = inner.to_string();
            if !text.contains(&inner_text) {
                text.push_str(": ");
                text.push_str(&inner_text);
            }
            cause = inner.source();
        }
        Self::Failed(text)
    }
}

impl From<Cancelled> for Error {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}
