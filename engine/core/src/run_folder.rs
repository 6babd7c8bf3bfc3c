//! Run folders: everything a run was asked, found and showed, as files that other programs can read.
//!
//! ```text
//! 20261124-155000-spectrum-sample/
//!     spec.ron        the preset that was run: open it to run the same again
//!     report.json     what came out
//!     metrics.jsonl   one line per step: {"step": 1, "values": {"loss": 0.5}}
//!     run.json        method, name, seed, device, versions, wall time, warnings
//!     tables/*.csv    pictures/*    weights/*
//! ```
//!
//! While a run writes, its folder's name ends in `.incomplete`; it is renamed when the run finishes.

mod clock;
mod read;
mod write;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Warning;
use crate::atomic::WriteError;
use crate::environment::Environment;
use crate::preset::PresetError;

pub use read::{Metric, RunFolder, RunState, RunSummary, list_runs, without_times};
pub use write::RunWriter;

const SPEC: &str = "spec.ron";
const REPORT: &str = "report.json";
const METRICS: &str = "metrics.jsonl";
const INFO: &str = "run.json";
const TABLES: &str = "tables";
const PICTURES: &str = "pictures";
const WEIGHTS: &str = "weights";
const INCOMPLETE: &str = ".incomplete";

/// What a run was made with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunInfo {
    /// The method: `spectrum`.
    pub method: String,
    /// The name the user or the preset gave it.
    pub name: String,
    /// Start in universal time: `2026-11-24T15:50:00Z`.
    pub started: String,
    /// Seconds from start to end.
    pub seconds: f64,
    /// Seed of every random number.
    pub seed: u64,
    /// Where the numbers were computed: `cpu`, `cuda:0`.
    pub device: String,
    /// What was skipped or done differently.
    pub warnings: Vec<Warning>,
    /// Machine and program.
    pub environment: Environment,
}

/// Why a run folder could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such folder.
    #[error("{} is not a run folder: {reason}", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A file of the folder is missing or garbled.
    #[error("{} cannot be read: {reason}", path.display())]
    Garbled {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that would leave the folder.
    #[error("“{0}” cannot be a file name in a run folder: use a plain name without folders")]
    BadName(String),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The spec cannot be read or written.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// The report has no form as JSON.
    #[error("the report cannot be written as JSON: {0}")]
    Encode(serde_json::Error),
}

impl From<RunError> for crate::Error {
    fn from(error: RunError) -> Self {
        Self::failed(&error)
    }
}

impl RunError {
    fn write(path: &Path, source: std::io::Error) -> Self {
        WriteError::new(path, source).into()
    }
}
