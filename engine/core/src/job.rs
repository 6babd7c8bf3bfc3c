//! Work as a value.

use crate::{Ctl, Error, Progress, Warning};

/// A piece of work. It owns what it needs, so it can move to a lane's thread.
pub trait Job: Send + 'static {
    /// What comes out.
    type Output: Send + 'static;
    /// What can be shown before the end; `()` where nothing can.
    type Partial: Send + 'static;

    /// What the job does, in a few words, for the tray: “Spectrum of resnet.safetensors”.
    fn name(&self) -> String;

    /// Do it. Every loop inside calls `ctl.check()?`.
    fn run(self, ctl: &Ctl) -> Result<Self::Output, Error>;
}

/// Number of a request; later requests have larger numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Where a job is in its life.
#[derive(Clone, Debug, PartialEq)]
pub enum JobState {
    /// In the lane's queue.
    Waiting,
    /// Being done.
    Running,
    /// Ended with a result.
    Done,
    /// Ended without a result; the reason as text.
    Failed(String),
    /// Stopped by request or by a newer request for the same slot.
    Cancelled,
}

/// What the job tray shows of one job.
#[derive(Clone, Debug)]
pub struct JobInfo {
    /// Its number.
    pub id: JobId,
    /// What it does.
    pub name: String,
    /// Where it is in its life.
    pub state: JobState,
    /// How far it is.
    pub progress: Progress,
    /// What it skipped.
    pub warnings: Vec<Warning>,
    /// Seconds from start to end, once it has ended.
    pub seconds: Option<f32>,
}
