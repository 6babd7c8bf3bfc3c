//! Experiments as they are written in preset files, and what running one leaves: a report and a run folder.

mod prepare;
mod run;
mod spec;

use std::path::{Path, PathBuf};

use plumb_core::preset::{self, Kind, Preset, PresetError};
use plumb_core::run_folder::{RunFolder, RunWriter};
use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job};
use plumb_nn::device::{self, DeviceChoice};
use serde::Serialize;

use crate::quality::Quality;
use crate::report::{SplittingReport, SweepReport};
use crate::sae_job::{Indexed, SaeEvalJob, SaeIndexJob, SaeTrainJob, Trained};
use crate::sae_spec::{SaeEvalSpec, SaeIndexSpec, SaeTrainSpec};

pub use prepare::concept;
pub use run::{Both, FindFound, FindJob, GenerateFound, GenerateJob, SplittingJob, SweepJob};
pub use spec::{
    FindExperiment, GenerateExperiment, Judge, Pair, Questions, SplittingExperiment, SweepExperiment, TextChoice,
    TextSource, WorldTexts,
};

/// Presets of [`SaeTrainSpec`].
pub const SAE_TRAIN: Kind = Kind { method: "sae-train", version: 1 };
/// Presets of [`SaeEvalSpec`].
pub const SAE_EVAL: Kind = Kind { method: "sae-eval", version: 1 };
/// Presets of [`SaeIndexSpec`].
pub const SAE_INDEX: Kind = Kind { method: "sae-index", version: 1 };
/// Presets of [`FindExperiment`].
pub const FIND: Kind = Kind { method: "steer-find", version: 1 };
/// Presets of [`GenerateExperiment`].
pub const GENERATE: Kind = Kind { method: "steer-generate", version: 1 };
/// Presets of [`SweepExperiment`].
pub const SWEEP: Kind = Kind { method: "steer-sweep", version: 1 };
/// Presets of [`SplittingExperiment`].
pub const SPLITTING: Kind = Kind { method: "steer-splitting", version: 1 };

/// The folder of runs that all of them belong to.
const METHOD: &str = "steer";

/// What a preset of this crate can ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Experiment {
    /// Train autoencoders.
    SaeTrain(Preset<SaeTrainSpec>),
    /// Measure one.
    SaeEval(Preset<SaeEvalSpec>),
    /// Index its features.
    SaeIndex(Preset<SaeIndexSpec>),
    /// Find features.
    Find(Box<Preset<FindExperiment>>),
    /// Continue a prompt.
    Generate(Box<Preset<GenerateExperiment>>),
    /// Steer at several strengths.
    Sweep(Box<Preset<SweepExperiment>>),
    /// The same concept at several widths.
    Splitting(Box<Preset<SplittingExperiment>>),
}

impl Experiment {
    /// Read a preset file; `None` where it belongs to another crate.
    pub fn load(path: &Path) -> Result<Option<Self>, PresetError> {
        let found = preset::header(path)?.method;
        let is = |kind: Kind| found == kind.method;
        Ok(Some(if is(SAE_TRAIN) {
            Self::SaeTrain(preset::load(path, SAE_TRAIN)?)
        } else if is(SAE_EVAL) {
            Self::SaeEval(preset::load(path, SAE_EVAL)?)
        } else if is(SAE_INDEX) {
            Self::SaeIndex(preset::load(path, SAE_INDEX)?)
        } else if is(FIND) {
            Self::Find(Box::new(preset::load(path, FIND)?))
        } else if is(GENERATE) {
            Self::Generate(Box::new(preset::load(path, GENERATE)?))
        } else if is(SWEEP) {
            Self::Sweep(Box::new(preset::load(path, SWEEP)?))
        } else if is(SPLITTING) {
            Self::Splitting(Box::new(preset::load(path, SPLITTING)?))
        } else {
            return Ok(None);
        }))
    }

    /// The preset's title.
    pub fn title(&self) -> &str {
        match self {
            Self::SaeTrain(preset) => &preset.title,
            Self::SaeEval(preset) => &preset.title,
            Self::SaeIndex(preset) => &preset.title,
            Self::Find(preset) => &preset.title,
            Self::Generate(preset) => &preset.title,
            Self::Sweep(preset) => &preset.title,
            Self::Splitting(preset) => &preset.title,
        }
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        match self {
            Self::SaeTrain(preset) => preset.spec.texts.seed,
            Self::SaeEval(preset) => preset.spec.texts.seed,
            Self::SaeIndex(preset) => preset.spec.texts.seed,
            Self::Find(preset) => preset.spec.first.seed,
            Self::Generate(preset) => preset.spec.sampling.seed,
            Self::Sweep(preset) => preset.spec.seed,
            Self::Splitting(preset) => preset.spec.first.seed,
        }
    }

    fn device(&self) -> DeviceChoice {
        match self {
            Self::SaeTrain(preset) => preset.spec.model.device,
            Self::SaeEval(preset) => preset.spec.pair.model.device,
            Self::SaeIndex(preset) => preset.spec.pair.model.device,
            Self::Find(preset) => preset.spec.pair.model.device,
            Self::Generate(preset) => preset.spec.pair.model.device,
            Self::Sweep(preset) => preset.spec.pair.model.device,
            Self::Splitting(preset) => preset.spec.model.device,
        }
    }
}

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Found {
    /// Trained autoencoders.
    SaeTrain {
        /// One row for each.
        saes: Vec<Trained>,
    },
    /// A measured one.
    SaeEval(Quality),
    /// An index.
    SaeIndex(Indexed),
    /// Features.
    Find(Box<FindFound>),
    /// Continuations.
    Generate(Box<GenerateFound>),
    /// A sweep.
    Sweep(SweepReport),
    /// Widths side by side.
    Splitting(SplittingReport),
}

/// Run a preset and write its run folder.
#[derive(Clone, Debug)]
pub struct ExperimentJob {
    /// What is run.
    pub experiment: Experiment,
    /// Where fetched files are kept.
    pub cache: Cache,
    /// The folder that gets the run folder.
    pub runs: PathBuf,
}

impl Job for ExperimentJob {
    type Output = (PathBuf, Found);
    type Partial = ();

    fn name(&self) -> String {
        format!("Run {}", self.experiment.title())
    }

    fn run(self, ctl: &Ctl) -> Result<(PathBuf, Found), Error> {
        let (runs, title) = (self.runs.clone(), self.experiment.title().to_owned());
        RunFolder::fill(&runs, METHOD, &title, |run| self.fill(run, ctl))
    }
}

impl ExperimentJob {
    fn fill(self, run: RunWriter, ctl: &Ctl) -> Result<(PathBuf, Found), Error> {
        let Self { experiment, cache, .. } = self;
        let (seed, device) = (experiment.seed(), device::open(experiment.device()).name());
        let found = match experiment {
            Experiment::SaeTrain(preset) => {
                run.write_spec(&preset)?;
                Found::SaeTrain { saes: SaeTrainJob { spec: preset.spec, cache }.run(ctl)? }
            }
            Experiment::SaeEval(preset) => {
                run.write_spec(&preset)?;
                Found::SaeEval(SaeEvalJob { spec: preset.spec, cache }.run(ctl)?)
            }
            Experiment::SaeIndex(preset) => {
                run.write_spec(&preset)?;
                Found::SaeIndex(SaeIndexJob { spec: preset.spec, cache }.run(ctl)?)
            }
            Experiment::Find(preset) => {
                run.write_spec(&preset)?;
                Found::Find(Box::new(FindJob { spec: preset.spec, cache }.run(ctl)?))
            }
            Experiment::Generate(preset) => {
                run.write_spec(&preset)?;
                Found::Generate(Box::new(GenerateJob { spec: preset.spec, cache }.run(ctl)?))
            }
            Experiment::Sweep(preset) => {
                run.write_spec(&preset)?;
                Found::Sweep(SweepJob { spec: preset.spec, cache }.run(ctl)?)
            }
            Experiment::Splitting(preset) => {
                run.write_spec(&preset)?;
                Found::Splitting(SplittingJob { spec: preset.spec, cache }.run(ctl)?)
            }
        };
        let mut info = run.info();
        info.seed = seed;
        device.clone_into(&mut info.device);
        info.warnings = ctl.warnings();
        let folder = run.finish(&found, info)?;
        Ok((folder.path, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_understood() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets/steer");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let found = Experiment::load(&path).unwrap_or_else(|error| panic!("{error}"));
            let experiment = found.unwrap_or_else(|| panic!("{} belongs to another method", path.display()));
            assert!(!experiment.title().is_empty(), "{}", path.display());
            count += 1;
        }
        assert!(count >= 8, "{count}");
    }
}
