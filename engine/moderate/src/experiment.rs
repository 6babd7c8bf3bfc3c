//! Experiments as they are written in preset files, and what running one leaves: a report and a run folder.

use std::path::{Path, PathBuf};

use plumb_core::preset::{self, Kind, Preset, PresetError};
use plumb_core::run_folder::{RunFolder, RunWriter};
use plumb_core::{Ctl, Error, Job};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::evaluate::{Details, EvaluateSpec, Evaluation};
use crate::import::file::Format;
use crate::import::table::Columns;
use crate::job::{EvaluateJob, FileImported, ImportJob, Place, SimulateJob, VotesFrom};
use crate::model::Time;
use crate::outlook::Forecast;
use crate::sandbox;
use crate::score::Objective;
use crate::train::TrainSpec;

/// Presets of [`EvaluateExperiment`].
pub const EVALUATE: Kind = Kind { method: "moderate-evaluate", version: 1 };
/// Presets of [`SimulateExperiment`].
pub const SIMULATE: Kind = Kind { method: "moderate-simulate", version: 1 };
/// Presets of [`ImportExperiment`].
pub const IMPORT: Kind = Kind { method: "moderate-import", version: 1 };

/// The folder of runs that all of them belong to.
const METHOD: &str = "moderate";

/// Learn from one part of a data set, rank the other, and say what panels would buy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateExperiment {
    /// Where the votes are.
    pub from: VotesFrom,
    /// How.
    pub evaluate: EvaluateSpec,
}

/// What panels would bring a team, from its log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulateExperiment {
    /// The team's log; without one, the sandbox.
    pub place: Option<Place>,
    /// How models are trained.
    pub train: TrainSpec,
    /// What cases are ranked by.
    pub objective: Objective,
    /// Seats of a panel.
    pub panel: usize,
    /// Seed of intervals and, for the sandbox, of its votes.
    pub seed: u64,
}

impl Default for SimulateExperiment {
    fn default() -> Self {
        Self { place: None, train: TrainSpec::default(), objective: Objective::Combined, panel: 3, seed: sandbox::SEED }
    }
}

/// Files of cases and judgements that become a part of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportExperiment {
    /// Into which log.
    pub place: Place,
    /// The files.
    pub files: Vec<PathBuf>,
    /// Their format.
    pub format: Format,
    /// What their columns hold, where they are tables; guessed where it is not said.
    pub columns: Option<Columns>,
    /// The time of votes whose file says none; now where it is not said.
    pub now: Option<Time>,
}

/// What a preset of this crate can ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Experiment {
    /// Learn, test, measure.
    Evaluate(Preset<EvaluateExperiment>),
    /// Forecast.
    Simulate(Preset<SimulateExperiment>),
    /// Import.
    Import(Preset<ImportExperiment>),
}

impl Experiment {
    /// Read a preset file; `None` where it belongs to another crate.
    pub fn load(path: &Path) -> Result<Option<Self>, PresetError> {
        let found = preset::header(path)?.method;
        Ok(Some(match found.as_str() {
            name if name == EVALUATE.method => Self::Evaluate(preset::load(path, EVALUATE)?),
            name if name == SIMULATE.method => Self::Simulate(preset::load(path, SIMULATE)?),
            name if name == IMPORT.method => Self::Import(preset::load(path, IMPORT)?),
            _ => return Ok(None),
        }))
    }

    /// The preset's title.
    pub fn title(&self) -> &str {
        match self {
            Self::Evaluate(preset) => &preset.title,
            Self::Simulate(preset) => &preset.title,
            Self::Import(preset) => &preset.title,
        }
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Evaluate(preset) => preset.spec.evaluate.seed,
            Self::Simulate(preset) => preset.spec.seed,
            Self::Import(_) => 0,
        }
    }
}

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Found {
    /// Figures of a data set, all in one object.
    Evaluate(Value),
    /// What each budget brings.
    Simulate(Forecast),
    /// What became of each file.
    Import {
        /// One for each.
        files: Vec<FileImported>,
    },
}

/// All figures of an evaluation in one object; its times lie under `seconds`, because they differ from run to run.
fn report(evaluation: &Evaluation, details: &Details) -> Result<Value, Error> {
    let object = |value: serde_json::Result<Value>| match value {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Ok(Map::new()),
        Err(error) => Err(Error::Failed(format!("the figures cannot be written down ({error})"))),
    };
    let mut fields = object(serde_json::to_value(evaluation))?;
    fields.remove("train_seconds");
    fields.remove("score_p95_ms");
    fields.extend(object(serde_json::to_value(details))?);
    let seconds = json!({ "train": evaluation.train_seconds, "score_p95": evaluation.score_p95_ms / 1e3 });
    fields.insert("seconds".to_owned(), seconds);
    Ok(Value::Object(fields))
}

/// Run a preset and write its run folder.
#[derive(Clone, Debug)]
pub struct ExperimentJob {
    /// What is run.
    pub experiment: Experiment,
    /// The password of a database that asks for one.
    pub password: Option<String>,
    /// The folder that gets the run folder.
    pub runs: PathBuf,
    /// The clock.
    pub now: Time,
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
        let Self { experiment, password, now, .. } = self;
        let mut info = run.info();
        info.seed = experiment.seed();
        "cpu".clone_into(&mut info.device);
        let found = match experiment {
            Experiment::Evaluate(preset) => {
                run.write_spec(&preset)?;
                let EvaluateExperiment { from, evaluate } = preset.spec;
                let (evaluation, details) = EvaluateJob { from, spec: evaluate }.run(ctl)?;
                Found::Evaluate(report(&evaluation, &details)?)
            }
            Experiment::Simulate(preset) => {
                run.write_spec(&preset)?;
                let SimulateExperiment { place, train, objective, panel, seed } = preset.spec;
                let place = place.map(|place| Place { password, ..place });
                let job = SimulateJob { place, spec: train, objective, panel, seed, now: sandbox::CLOCK };
                Found::Simulate(job.run(ctl)?.forecast())
            }
            Experiment::Import(preset) => {
                run.write_spec(&preset)?;
                let ImportExperiment { place, files, format, columns, now: at } = preset.spec;
                let place = Place { password, ..place };
                Found::Import { files: ImportJob { place, files, format, columns, now: at.unwrap_or(now) }.run(ctl)? }
            }
        };
        info.warnings = ctl.warnings();
        let folder = run.finish(&found, info)?;
        Ok((folder.path, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets/moderate")
    }

    #[test]
    fn every_preset_is_understood() {
        let mut methods = std::collections::HashSet::new();
        for entry in std::fs::read_dir(folder()).unwrap() {
            let path = entry.unwrap().path();
            let found = Experiment::load(&path).unwrap_or_else(|error| panic!("{error}"));
            let experiment = found.unwrap_or_else(|| panic!("{} belongs to another method", path.display()));
            assert!(!experiment.title().is_empty(), "{}", path.display());
            methods.insert(std::mem::discriminant(&experiment));
        }
        assert_eq!(methods.len(), 3, "one preset of each kind at least");
        let other = folder().join("../steer/find-tiny.ron");
        assert_eq!(Experiment::load(&other).unwrap(), None);
    }

    #[test]
    fn a_stopped_run_leaves_nothing() {
        let runs = tempfile::tempdir().unwrap();
        let experiment = Experiment::load(&folder().join("simulate-sandbox.ron")).unwrap().unwrap();
        let ctl = Ctl::new(1);
        ctl.cancel();
        let job = ExperimentJob { experiment, password: None, runs: runs.path().to_owned(), now: 0 };
        assert!(matches!(job.run(&ctl), Err(Error::Cancelled)));
        let left: Vec<_> = std::fs::read_dir(runs.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
