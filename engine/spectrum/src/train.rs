//! FastClip inside training: every few steps each linear layer is clipped, and σ₁ of each is followed.
//!
//! The layers' own singular vectors of the last look are kept as the start of the next one, so that a look in
//! the middle of a run costs a few applications of the operator. Only kernels are changed: biases, batch norms
//! and the optimiser's velocity stay as they are.

use std::collections::BTreeMap;
use std::time::Instant;

use plumb_core::preset::Kind;
use plumb_core::{Ctl, Error, Job};
use plumb_vision::VisionError;
use plumb_vision::job::NetTraining;
use plumb_vision::nets::{LinearLayer, Net};
use plumb_vision::train::{History, TrainHook};
use serde::{Deserialize, Serialize};

use crate::clip::{Layer, Target, clip};
use crate::krylov::{KrylovOptions, block_krylov};
use crate::op::{Kernelled, kernelled};
use crate::report::Accuracy;
use crate::singular::{SingularTriplets, SpectrumError};
use crate::spec::{ClipMethod, ClipMode};

/// Presets of [`TrainSpec`].
pub const KIND: Kind = Kind { method: "spectrum-train", version: 1 };

/// What comes before a layer's name in the metrics of an epoch.
pub const SIGMA_PREFIX: &str = "sigma1/";

/// Vectors that a look in the middle of a run iterates with.
const BLOCK: usize = 3;

/// Most steps on one layer in the middle of a run; what is left is done at the next clip.
const MOST_STEPS: usize = 20;

/// Clipping while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClipInTraining {
    /// The target c of σ₁ of every convolution and matrix.
    pub to: f64,
    /// Steps of the optimiser between two clips. The paper's code takes 50 with batch norm and 100 without.
    pub every: usize,
    /// Clip or equalise.
    pub mode: ClipMode,
    /// Accepted relative distance of σ₁ from c.
    pub tolerance: f64,
}

impl Default for ClipInTraining {
    fn default() -> Self {
        Self { to: 1.0, every: 10, mode: ClipMode::Clip, tolerance: 0.01 }
    }
}

/// Train a small network, with or without clipping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSpec {
    /// The network, the images and the loop.
    pub model: NetTraining,
    /// Clipping; `None` leaves the layers free.
    pub clip: Option<ClipInTraining>,
}

/// σ₁ of one layer over the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SigmaCurve {
    /// Name of the weight tensor.
    pub layer: String,
    /// σ₁ at the end of each epoch.
    pub sigma: Vec<f64>,
}

/// A training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// What was asked.
    pub spec: TrainSpec,
    /// Loss and accuracies of each epoch.
    pub history: History,
    /// σ₁ of each linear layer at the end of each epoch, in forward order.
    pub curves: Vec<SigmaCurve>,
    /// Held-out accuracy of the network as it ended.
    pub accuracy: Accuracy,
    /// Wall time.
    pub seconds: f64,
    /// The trained network as a safetensors file that describes itself. Not part of the JSON.
    #[serde(skip)]
    pub checkpoint: Vec<u8>,
}

/// One layer that the hook follows.
struct Followed {
    layer: LinearLayer,
    shape: Vec<usize>,
    op: Box<dyn Kernelled<f32>>,
    warm: Option<Vec<f32>>,
}

/// Clips and measures between the steps of a training run.
struct SpectrumHook {
    clip: Option<ClipInTraining>,
    epochs: usize,
    seed: u64,
    followed: Vec<Followed>,
}

impl From<SpectrumError> for VisionError {
    fn from(error: SpectrumError) -> Self {
        match error {
            SpectrumError::Cancelled(cancelled) => cancelled.into(),
            other => Self::Hook(other.to_string()),
        }
    }
}

impl SpectrumHook {
    fn new(spec: &TrainSpec) -> Result<Self, VisionError> {
        if let Some(clip) = &spec.clip
            && !(clip.to > 0.0 && clip.to.is_finite() && clip.every > 0 && clip.tolerance > 0.0)
        {
            return Err(VisionError::Spec(
                "clipping needs a positive target, a positive tolerance and at least one step between clips".to_owned(),
            ));
        }
        let training = &spec.model.training;
        Ok(Self { clip: spec.clip.clone(), epochs: training.epochs, seed: training.seed, followed: Vec::new() })
    }

    /// Take the network's present weights into the operators.
    fn read(&mut self, net: &Net) -> Result<(), VisionError> {
        if self.followed.is_empty() {
            for layer in net.linear_layers() {
                let shape = net.params().get(&layer.weight)?.dims().to_vec();
                let op = kernelled(layer.op, net.params().values(&layer.weight)?, &shape, &layer.geometry)
                    .map_err(SpectrumError::from)?;
                self.followed.push(Followed { layer, shape, op, warm: None });
            }
            return Ok(());
        }
        for followed in &mut self.followed {
            followed.op.set_weight(&net.params().values(&followed.layer.weight)?).map_err(SpectrumError::from)?;
        }
        Ok(())
    }

    fn target(&self, clip: &ClipInTraining) -> Target {
        Target { to: clip.to, mode: clip.mode, tolerance: clip.tolerance, step: 0.0, max_steps: 100, seed: self.seed }
    }

    /// Warm Gauss–Newton steps on the top triplet of every layer, until σ₁ is at the target or a few are taken.
    fn clip_quickly(&mut self, clip: &ClipInTraining, net: &Net, ctl: &Ctl) -> Result<(), VisionError> {
        let target = self.target(clip);
        self.read(net)?;
        for followed in &mut self.followed {
            let mut changed = false;
            for _ in 0..MOST_STEPS {
                let top = followed.look(clip.tolerance, self.seed, ctl)?;
                let sigma = top.sigma.first().copied().unwrap_or(0.0);
                if sigma == 0.0 || target.is_met(sigma) {
                    break;
                }
                followed.step(&top, sigma - target.to)?;
                changed = true;
            }
            if changed {
                net.params().replace(&followed.layer.weight, followed.op.weight())?;
            }
        }
        Ok(())
    }

    /// The whole method on every layer, with a fresh look at the end.
    fn clip_thoroughly(&mut self, clip: &ClipInTraining, net: &Net, ctl: &Ctl) -> Result<(), VisionError> {
        let target = self.target(clip);
        self.read(net)?;
        for Followed { layer, shape, op, .. } in &mut self.followed {
            let whole = Layer { kind: layer.op, weight: op.weight(), weight_shape: shape, geometry: &layer.geometry };
            let clipped = self::clip(&whole, ClipMethod::FastClip, &target, ctl)?;
            if !clipped.reached {
                ctl.warn(layer.weight.as_str(), format!("σ₁ ended at {:.4} instead of {}", clipped.after, target.to));
            }
            if clipped.steps > 0 {
                net.params().replace(&layer.weight, &clipped.weight)?;
            }
        }
        Ok(())
    }
}

impl Followed {
    /// The top triplets now, from where the last look ended.
    fn look(&mut self, tolerance: f64, seed: u64, ctl: &Ctl) -> Result<SingularTriplets<f32>, SpectrumError> {
        let options = KrylovOptions {
            k: 1,
            block: BLOCK,
            tolerance: 0.1 * tolerance,
            seed,
            warm: self.warm.as_deref(),
            ..KrylovOptions::default()
        };
        let found = block_krylov(self.op.as_ref(), &options, ctl)?;
        self.warm = Some(found.v.clone());
        Ok(found)
    }

    /// `W ← W − (σ₁ − c) G / ‖G‖²` with `G = ∂σ₁/∂W`; `excess` is `σ₁ − c`.
    fn step(&mut self, top: &SingularTriplets<f32>, excess: f64) -> Result<(), SpectrumError> {
        let (u, v) = (&top.u[..self.op.output_len()], &top.v[..self.op.input_len()]);
        let gradient = self.op.weight_gradient(u, v, 1);
        let square: f64 = gradient.iter().map(|&g| f64::from(g).powi(2)).sum();
        let scale = (excess / square.max(f64::MIN_POSITIVE)) as f32;
        let weight: Vec<f32> = self.op.weight().iter().zip(&gradient).map(|(w, g)| w - scale * g).collect();
        Ok(self.op.set_weight(&weight)?)
    }
}

impl TrainHook for SpectrumHook {
    fn after_step(&mut self, step: usize, net: &mut Net, ctl: &Ctl) -> Result<(), VisionError> {
        match self.clip.clone() {
            Some(clip) if step.is_multiple_of(clip.every) => self.clip_quickly(&clip, net, ctl),
            _ => Ok(()),
        }
    }

    fn after_epoch(
        &mut self,
        epoch: usize,
        net: &mut Net,
        metrics: &mut BTreeMap<String, f64>,
        ctl: &Ctl,
    ) -> Result<(), VisionError> {
        if let Some(clip) = self.clip.clone()
            && epoch == self.epochs
        {
            self.clip_thoroughly(&clip, net, ctl)?;
        }
        self.read(net)?;
        for followed in &mut self.followed {
            let sigma = followed.look(1e-3, self.seed, ctl)?.sigma.first().copied().unwrap_or(0.0);
            metrics.insert(format!("{SIGMA_PREFIX}{}", followed.layer.weight), sigma);
        }
        Ok(())
    }
}

/// The curves of σ₁ in a history, layers in the order of `layers`.
fn curves(history: &History, layers: &[Followed]) -> Vec<SigmaCurve> {
    let one = |name: &str| {
        let key = format!("{SIGMA_PREFIX}{name}");
        history.epochs.iter().filter_map(|epoch| epoch.metrics.get(&key).copied()).collect()
    };
    layers.iter().map(|f| SigmaCurve { layer: f.layer.weight.clone(), sigma: one(&f.layer.weight) }).collect()
}

/// Train. The history so far is handed out after each epoch.
pub fn train(spec: &TrainSpec, ctl: &Ctl) -> Result<TrainReport, VisionError> {
    let started = Instant::now();
    let mut hook = SpectrumHook::new(spec)?;
    let trained = spec.model.run_with(&mut hook, ctl)?;
    let plumb_vision::evaluate::AccuracyResult { accuracy, images, interval, .. } = trained.accuracy;
    Ok(TrainReport {
        spec: spec.clone(),
        curves: curves(&trained.history, &hook.followed),
        history: trained.history,
        accuracy: Accuracy { accuracy, images, interval },
        seconds: started.elapsed().as_secs_f64(),
        checkpoint: trained.checkpoint,
    })
}

/// Training as a job. Partial results are the [`History`] so far; its metrics hold σ₁ of each layer under
/// [`SIGMA_PREFIX`] and the layer's name.
#[derive(Clone, Debug)]
pub struct TrainJob(pub TrainSpec);

impl Job for TrainJob {
    type Output = TrainReport;
    type Partial = History;

    fn name(&self) -> String {
        let clip = self.0.clip.as_ref().map_or_else(String::new, |clip| format!(", clipped to {}", clip.to));
        format!("Train {}{clip}", self.0.model.net.kind.label())
    }

    fn run(self, ctl: &Ctl) -> Result<TrainReport, Error> {
        Ok(train(&self.0, ctl)?)
    }
}

/// A training run that ships with Plumb, without its checkpoint: `digits-resnet8` and so on, as
/// [`plumb_vision::samples::RUNS`] names them.
pub fn embedded_run(name: &str) -> Option<TrainReport> {
    let run = plumb_vision::samples::RUNS.iter().find(|run| run.name == name)?;
    serde_json::from_slice(run.bytes).ok()
}
