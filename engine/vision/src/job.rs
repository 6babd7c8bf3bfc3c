//! Training as a job.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plumb_core::{Ctl, Error, Job};
use plumb_nn::device::{self, DeviceChoice};
use serde::{Deserialize, Serialize};

use crate::VisionError;
use crate::evaluate::{self, AccuracyResult};
use crate::images::ImageSet;
use crate::nets::{Net, NetSpec};
use crate::train::{History, LoopSpec, NoHook, TrainHook, train};
use crate::{digits, fashion, saved};

/// Which images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSpec {
    /// The embedded digits, 1000 for training and 797 held out.
    #[default]
    Digits,
    /// Fashion-MNIST from a folder.
    Fashion {
        /// The folder; where the system keeps it when empty.
        folder: Option<PathBuf>,
        /// Most training images.
        train: usize,
        /// Most held-out images.
        test: usize,
    },
}

impl DataSpec {
    /// Read them.
    pub fn load(&self) -> Result<ImageSet, VisionError> {
        match self {
            Self::Digits => digits::load(),
            Self::Fashion { folder, train, test } => {
                let folder =
                    folder.clone().or_else(fashion::installed).unwrap_or_else(|| PathBuf::from("fashion-mnist"));
                fashion::load(&folder, *train, *test)
            }
        }
    }
}

/// What is trained on what, and how. Image shape, classes and pixel statistics are taken from the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetTraining {
    /// The images.
    pub data: DataSpec,
    /// The network.
    pub net: NetSpec,
    /// The loop.
    pub training: LoopSpec,
    /// Where.
    pub device: DeviceChoice,
}

/// A trained network.
#[derive(Clone, Debug)]
pub struct Trained {
    /// How it went.
    pub history: History,
    /// Held-out accuracy at the end.
    pub accuracy: AccuracyResult,
    /// The network as a safetensors file that describes itself.
    pub checkpoint: Vec<u8>,
}

impl NetTraining {
    /// Train, with a hook between the steps. Seed and spec decide the result.
    pub fn run_with(&self, hook: &mut dyn TrainHook, ctl: &Ctl) -> Result<Trained, VisionError> {
        let set = self.data.load()?;
        let (mean, deviation) = set.pixel_statistics();
        let spec = NetSpec { input: set.shape, classes: set.classes.len(), mean, deviation, ..self.net.clone() };
        let opened = device::open(self.device);
        if let Some(note) = opened.note {
            ctl.warn("device", note);
        }
        let mut net = Net::new(&spec, self.training.seed, &opened.device)?;
        let history = train(&mut net, &set, &self.training, hook, ctl)?;
        let accuracy = evaluate::accuracy(&net, &set, &set.test, ctl)?;
        let checkpoint = saved::to_bytes(&net, &set.name, &BTreeMap::new())?;
        Ok(Trained { history, accuracy, checkpoint })
    }
}

/// Trains without a hook. Partial results are the [`History`] so far.
#[derive(Clone, Debug)]
pub struct TrainJob(pub NetTraining);

impl Job for TrainJob {
    type Output = Trained;
    type Partial = History;

    fn name(&self) -> String {
        format!("Train {}", self.0.net.kind.label())
    }

    fn run(self, ctl: &Ctl) -> Result<Trained, Error> {
        Ok(self.0.run_with(&mut NoHook, ctl)?)
    }
}
