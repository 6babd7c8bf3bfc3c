//! A preset file as something to run: which experiment it is, and the run folder it leaves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plumb_core::preset::{self, Kind, Preset, PresetError};
use plumb_core::run_folder::{RunError, RunFolder, RunWriter};
use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job};
use plumb_nn::device;
use plumb_vision::train::History;
use serde::Serialize;

use crate::export::ExportJob;
use crate::job::{AccuracyJob, ClipJob, OpenJob, SurveyJob};
use crate::report::{Accuracy, ClipReport, SpectrumReport};
use crate::sidecar::GeometryTable;
use crate::spec::{ClipSpec, SpectrumSpec};
use crate::subject::Edits;
use crate::train::{self, TrainReport, TrainSpec};

/// Presets of [`SpectrumSpec`].
pub const SPECTRUM: Kind = Kind { method: "spectrum", version: 1 };
/// Presets of [`ClipSpec`].
pub const CLIP: Kind = Kind { method: "spectrum-clip", version: 1 };
/// Presets of [`TrainSpec`].
pub const TRAIN: Kind = train::KIND;

/// What a preset of this crate can ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Experiment {
    /// The spectrum of a file's layers.
    Spectrum(Preset<SpectrumSpec>),
    /// Clipping a file.
    Clip(Preset<ClipSpec>),
    /// Training with or without clipping.
    Train(Preset<TrainSpec>),
}

impl Experiment {
    /// Read a preset file of any of the three kinds.
    pub fn load(path: &Path) -> Result<Self, PresetError> {
        let found = preset::header(path)?.method;
        match found.as_str() {
            method if method == SPECTRUM.method => Ok(Self::Spectrum(preset::load(path, SPECTRUM)?)),
            method if method == CLIP.method => Ok(Self::Clip(preset::load(path, CLIP)?)),
            method if method == TRAIN.method => Ok(Self::Train(preset::load(path, TRAIN)?)),
            _ => Err(PresetError::Method { place: path.display().to_string(), found, expected: SPECTRUM.method }),
        }
    }

    /// The preset's title.
    pub fn title(&self) -> &str {
        match self {
            Self::Spectrum(preset) => &preset.title,
            Self::Clip(preset) => &preset.title,
            Self::Train(preset) => &preset.title,
        }
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Spectrum(preset) => preset.spec.seed,
            Self::Clip(preset) => preset.spec.seed,
            Self::Train(preset) => preset.spec.model.training.seed,
        }
    }
}

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Found {
    /// The spectrum of a file's layers.
    Spectrum(SpectrumReport),
    /// Clipping a file.
    Clip {
        /// The layers.
        #[serde(flatten)]
        report: ClipReport,
        /// Accuracy before and after, for models that Plumb trained.
        accuracy: Option<[Accuracy; 2]>,
    },
    /// Training.
    Train(Box<TrainReport>),
}

/// Run a preset and write its run folder.
#[derive(Clone, Debug)]
pub struct ExperimentJob {
    /// What is run.
    pub experiment: Experiment,
    /// Where fetched and embedded files are kept.
    pub cache: Cache,
    /// The folder that gets the run folder.
    pub runs: PathBuf,
}

impl Job for ExperimentJob {
    type Output = (PathBuf, Found);
    /// While a network trains: its epochs so far.
    type Partial = History;

    fn name(&self) -> String {
        format!("Run {}", self.experiment.title())
    }

    fn run(self, ctl: &Ctl) -> Result<(PathBuf, Found), Error> {
        let (runs, title) = (self.runs.clone(), self.experiment.title().to_owned());
        RunFolder::fill(&runs, SPECTRUM.method, &title, |run| self.fill(run, ctl))
    }
}

impl ExperimentJob {
    fn fill(self, mut run: RunWriter, ctl: &Ctl) -> Result<(PathBuf, Found), Error> {
        let found = match &self.experiment {
            Experiment::Spectrum(preset) => {
                run.write_spec(preset)?;
                survey(&self, &preset.spec, &run, ctl)?
            }
            Experiment::Clip(preset) => {
                run.write_spec(preset)?;
                clip(&self, &preset.spec, &run, ctl)?
            }
            Experiment::Train(preset) => {
                run.write_spec(preset)?;
                train(&preset.spec, &mut run, ctl)?
            }
        };
        let mut info = run.info();
        info.seed = self.experiment.seed();
        // Spectra are computed on the processor in any build; training goes where the preset says.
        let device = match &self.experiment {
            Experiment::Train(preset) => device::open(preset.spec.model.device).name(),
            _ => "cpu",
        };
        device.clone_into(&mut info.device);
        info.warnings = ctl.warnings();
        let folder = run.finish(&found, info)?;
        Ok((folder.path, found))
    }
}

fn open(job: &ExperimentJob, source: &str, ctl: &Ctl) -> Result<Arc<crate::subject::Subject>, Error> {
    OpenJob { source: source.to_owned(), overrides: GeometryTable::new(), cache: job.cache.clone() }.run(ctl)
}

fn survey(job: &ExperimentJob, spec: &SpectrumSpec, run: &RunWriter, ctl: &Ctl) -> Result<Found, Error> {
    let subject = open(job, &spec.source, ctl)?;
    let report = SurveyJob { subject, edits: Edits::new(), spec: spec.clone() }.run(ctl)?;
    run.write_table("layers", &report.to_csv())?;
    Ok(Found::Spectrum(report))
}

fn clip(job: &ExperimentJob, spec: &ClipSpec, run: &RunWriter, ctl: &Ctl) -> Result<Found, Error> {
    let subject = open(job, &spec.source, ctl)?;
    let accuracy = |edits: &Edits| AccuracyJob { subject: Arc::clone(&subject), edits: edits.clone() }.run(ctl);
    let before = if subject.has_network() { Some(accuracy(&Edits::new())?) } else { None };
    let clipping = ClipJob { subject: Arc::clone(&subject), edits: Edits::new(), spec: spec.clone() };
    let (mut report, edits) = clipping.run(ctl)?;
    let accuracy = match before {
        Some(before) => Some([before, accuracy(&edits)?]),
        None => None,
    };
    let file = "clipped.safetensors";
    ExportJob { subject: Arc::clone(&subject), edits, out: run.weights_path(file)? }.run(ctl)?;
    report.out = Some(format!("weights/{file}"));
    run.write_table("layers", &report.to_csv())?;
    Ok(Found::Clip { report, accuracy })
}

fn train(spec: &TrainSpec, run: &mut RunWriter, ctl: &Ctl) -> Result<Found, Error> {
    let report = train::train(spec, ctl)?;
    for epoch in &report.history.epochs {
        let mut values = epoch.metrics.clone();
        values.insert("loss".to_owned(), epoch.loss);
        values.insert("train_accuracy".to_owned(), epoch.train_accuracy);
        values.insert("test_accuracy".to_owned(), epoch.test_accuracy);
        run.append_metric(epoch.epoch as u64, &values)?;
    }
    let path = run.weights_path("trained.safetensors")?;
    plumb_core::atomic::write(&path, &report.checkpoint).map_err(RunError::from)?;
    Ok(Found::Train(Box::new(report)))
}
