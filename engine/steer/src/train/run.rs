//! The training loop, its saved state and its report.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_nn::checkpoint::{Checkpoint, TensorData, write_safetensors};
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::resample::resample;
use super::sparse::{Pace, Sparse};
use super::{DecoderNorm, Sparsity, TrainSpec, Weights, gradients};
use crate::harvest::{ActivationStore, keep_short};
use crate::sae::{Architecture, Sae, SaeConfig};
use crate::{Result, SteerError};

/// How training went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// Steps done.
    pub steps: usize,
    /// √d / mean ‖x − x̄‖, folded into the weights.
    pub input_scale: f64,
    /// Every so many steps: step, mean squared distance, penalty, L0, dead features.
    pub curve: Vec<[f64; 5]>,
    /// Features given a new start, in all.
    pub resampled: usize,
    /// The smallest activation of a batch, as a running mean: the threshold of what comes out of
    /// [`Sparsity::BatchTopK`].
    #[serde(default)]
    pub threshold: f64,
}

/// Weights and moments, as the way of training wants them.
enum Core {
    Dense {
        weights: Weights,
        adam: Adam,
    },
    /// TopK on the processor.
    Sparse(Sparse),
}

impl Core {
    fn new(weights: Weights, adam: Adam, spec: &TrainSpec) -> Result<Self> {
        let sparse = spec.sparsity.largest().is_some() && weights.0[2].device().is_cpu();
        Ok(if sparse { Self::Sparse(Sparse::new(&weights, &adam)?) } else { Self::Dense { weights, adam } })
    }

    fn tensors(&self) -> Result<(Weights, Adam)> {
        match self {
            Self::Dense { weights, adam } => Ok((weights.clone(), adam.clone())),
            Self::Sparse(sparse) => sparse.tensors(&Device::Cpu),
        }
    }
}

struct State {
    core: Core,
    /// Tokens since each feature last fired.
    idle: Vec<f32>,
    report: TrainReport,
}

/// How much the newest batch counts in the running threshold.
const THRESHOLD: f64 = 0.02;

/// Points of the curve.
const POINTS: usize = 200;

/// Trains an SAE on a store. With `state`, a file, training is saved there every so often, and goes on from it when it
/// is there; the result is the same as without the stop. Partial results are [`TrainReport`]s.
pub fn train(
    store: &ActivationStore,
    spec: &TrainSpec,
    device: &Device,
    state_file: Option<&Path>,
    ctl: &Ctl,
) -> Result<(Sae, TrainReport)> {
    check(spec)?;
    let d = store.table().d;
    let longest = if spec.longest > 0.0 { Some(spec.longest as f32 * store.median_length()?) } else { None };
    let mut batches = store.batches(spec.batch, spec.chunks, spec.seed)?.up_to(longest);
    let length = if spec.decoder_norm == DecoderNorm::Unit { 1.0 } else { 0.1 };
    let saved = match state_file {
        Some(path) if path.is_file() => Some(load(path, d, spec, device)?),
        _ => None,
    };
    let mut state = if let Some(state) = saved {
        state
    } else {
        let mut random = Random::new(spec.seed, "autoencoder weights");
        let mut weights = Weights::new(d, spec.features, length, &mut random, DType::F32, device)?;
        let (input_scale, mean) = input_statistics(store, longest)?;
        let mean: Vec<f32> = mean.iter().map(|x| (x * input_scale) as f32).collect();
        weights.0[3] = Tensor::new(mean, device)?;
        let report = TrainReport { input_scale, ..TrainReport::default() };
        State { core: Core::new(weights.clone(), Adam::new(&weights)?, spec)?, idle: vec![0.0; spec.features], report }
    };
    for _ in 0..state.report.steps {
        // The batches of a resumed run are those of an unbroken one.
        batches.next_batch()?;
    }
    let every = (spec.steps / POINTS).max(1);
    while state.report.steps < spec.steps {
        ctl.check()?;
        let step = state.report.steps;
        let mut x = batches.next_batch()?;
        let scale = state.report.input_scale as f32;
        for x in &mut x {
            *x *= scale;
        }
        one_step(&mut state, x, spec, step, every, device)?;
        if step.is_multiple_of(every) || step + 1 == spec.steps {
            ctl.progress("Training the autoencoder", step as u64 + 1, Some(spec.steps as u64));
            ctl.partial(state.report.clone());
        }
        if let Some(path) = state_file
            && spec.save_every > 0
            && ((step + 1).is_multiple_of(spec.save_every) || step + 1 == spec.steps)
        {
            save(path, &state, spec)?;
        }
    }
    let mut sae = finish(&state, spec, d)?;
    sae.config.longest = longest;
    Ok((sae, state.report))
}

fn one_step(
    state: &mut State,
    x: Vec<f32>,
    spec: &TrainSpec,
    step: usize,
    every: usize,
    device: &Device,
) -> Result<()> {
    let warm = if spec.warm_up == 0 { 1.0 } else { ((step + 1) as f64 / spec.warm_up as f64).min(1.0) };
    let left = (spec.steps - step) as f64 / (spec.cool_down * spec.steps as f64).max(1.0);
    let rate = spec.rate * warm * left.min(1.0);
    let dead: Vec<bool> = state.idle.iter().map(|idle| *idle >= spec.dead_after as f32).collect();
    let (mse, other, l0, firings, smallest, dense) = match &mut state.core {
        Core::Sparse(sparse) => {
            let Some((k, aux, together)) = spec.sparsity.largest() else { return check(spec) };
            let made = sparse.step(&x, Pace { k, together, aux, rate, norm: spec.decoder_norm }, &dead)?;
            (made.mse, made.other, made.l0, made.firings, made.smallest, None)
        }
        Core::Dense { weights, adam } => {
            let factor = if let Sparsity::L1 { l1 } = spec.sparsity { l1 * warm } else { 0.0 };
            let any = dead.contains(&true) && spec.sparsity.largest().is_some();
            let mask = any.then(|| dead.iter().map(|&dead| f32::from(u8::from(dead))).collect::<Vec<_>>());
            let mask = mask.map(|mask| Tensor::new(mask, device)).transpose()?;
            let d = x.len() / spec.batch;
            let x = Tensor::from_vec(x, (spec.batch, d), device)?;
            let (losses, gradients) = gradients(weights, &x, spec.sparsity, factor, mask.as_ref())?;
            if (losses.mse + losses.other).is_finite() {
                adam.step(weights, &gradients, rate, spec.decoder_norm)?;
            }
            (losses.mse, losses.other, losses.l0, losses.firings, losses.smallest, Some((x, losses.errors)))
        }
    };
    let loss = mse + other;
    if !loss.is_finite() {
        return Err(SteerError::Diverged { step: step + 1, loss });
    }
    for (idle, fired) in state.idle.iter_mut().zip(&firings) {
        *idle = if *fired > 0.0 { 0.0 } else { *idle + spec.batch as f32 };
    }
    if smallest.is_finite() {
        let share = if step == 0 { 1.0 } else { THRESHOLD };
        state.report.threshold += share * (smallest - state.report.threshold);
    }
    let due = spec.resample_every > 0 && (step + 1).is_multiple_of(spec.resample_every);
    if due
        && left > 1.0
        && matches!(spec.sparsity, Sparsity::L1 { .. })
        && let (Core::Dense { weights, adam }, Some((x, errors))) = (&mut state.core, &dense)
    {
        let mut random = Random::new(spec.seed, &format!("resampling {step}"));
        let count = resample(weights, adam, &dead, x, errors, spec.decoder_norm, &mut random)?;
        state.report.resampled += count;
        state.idle.iter_mut().zip(&dead).filter(|(_, dead)| **dead).for_each(|(idle, _)| *idle = 0.0);
    }
    if step.is_multiple_of(every) || step + 1 == spec.steps {
        let dead = dead.iter().filter(|dead| **dead).count();
        state.report.curve.push([step as f64, mse, other, l0, dead as f64]);
    }
    state.report.steps = step + 1;
    Ok(())
}

fn check(spec: &TrainSpec) -> Result<()> {
    let wrong = |what: &str| Err(SteerError::Spec(what.to_owned()));
    match spec.sparsity {
        Sparsity::TopK { k, .. } | Sparsity::BatchTopK { k, .. } if k == 0 || k > spec.features => {
            return wrong("k must be between 1 and the number of features");
        }
        Sparsity::L1 { l1 } if !(l1.is_finite() && l1 >= 0.0) => return wrong("the L1 factor must not be negative"),
        _ => {}
    }
    if !(spec.longest == 0.0 || spec.longest.is_finite() && spec.longest >= 1.0) {
        return wrong("“longest” is a number of medians, 1 or more, or 0 for no limit");
    }
    if spec.features == 0 || !(spec.rate.is_finite() && spec.rate > 0.0) {
        return wrong("an autoencoder needs features and a learning rate above zero");
    }
    Ok(())
}

/// √d / mean ‖x − x̄‖ and x̄, over the first chunk.
fn input_statistics(store: &ActivationStore, longest: Option<f32>) -> Result<(f64, Vec<f64>)> {
    let d = store.table().d;
    let mut rows = store.chunk(0)?;
    keep_short(&mut rows, d, longest);
    let count = (rows.len() / d) as f64;
    let mut mean = vec![0f64; d];
    for row in rows.chunks_exact(d) {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += f64::from(*x) / count);
    }
    let distance = |row: &[f32]| row.iter().zip(&mean).map(|(x, m)| (f64::from(*x) - m).powi(2)).sum::<f64>().sqrt();
    let distance = rows.chunks_exact(d).map(distance).sum::<f64>() / count;
    if distance.is_finite() && distance > 0.0 {
        Ok(((d as f64).sqrt() / distance, mean))
    } else {
        Err(SteerError::Spec("the stored activations are all the same or not numbers: harvest them again".to_owned()))
    }
}

fn finish(state: &State, spec: &TrainSpec, d: usize) -> Result<Sae> {
    let (architecture, k) = match spec.sparsity {
        Sparsity::L1 { .. } => (Architecture::Standard, None),
        Sparsity::TopK { k, .. } => (Architecture::TopK, Some(k)),
        Sparsity::BatchTopK { .. } => (Architecture::JumpRelu, None),
    };
    let mut config = SaeConfig::new(architecture, d, spec.features);
    config.k = k;
    let weights = state.core.tensors()?.0.0;
    let threshold = match architecture {
        Architecture::JumpRelu => Some(weights[1].zeros_like()?.affine(1.0, state.report.threshold)?),
        _ => None,
    };
    let sae = Sae::new(config, weights, threshold, None)?;
    // x̂(s x) / s, so that the SAE takes activations as they are.
    sae.fold_input_scale(state.report.input_scale)
}

const NAMES: [&str; 4] = ["W_enc", "b_enc", "W_dec", "b_dec"];

fn save(path: &Path, state: &State, spec: &TrainSpec) -> Result<()> {
    let mut tensors = Vec::new();
    let (weights, adam) = state.core.tensors()?;
    for (prefix, group) in [("", &weights.0), ("first.", &adam.first), ("second.", &adam.second)] {
        for (name, tensor) in NAMES.iter().zip(group) {
            let numbers = tensor.flatten_all()?.to_vec1::<f32>()?;
            tensors.push((format!("{prefix}{name}"), tensor.dims().to_vec(), TensorData::F32(numbers)));
        }
    }
    tensors.push(("idle".to_owned(), vec![state.idle.len()], TensorData::F32(state.idle.clone())));
    let json = |value: serde_json::Result<String>| value.map_err(|error| SteerError::Spec(error.to_string()));
    let metadata = BTreeMap::from([
        ("spec".to_owned(), json(serde_json::to_string(spec))?),
        ("report".to_owned(), json(serde_json::to_string(&state.report))?),
    ]);
    Ok(write_safetensors(path, &tensors, &metadata)?)
}

fn load(path: &Path, d: usize, spec: &TrainSpec, device: &Device) -> Result<State> {
    let file = Checkpoint::open(path)?;
    let metadata = |key: &str| file.metadata().get(key).map_or("", String::as_str);
    let of: TrainSpec = serde_json::from_str(metadata("spec")).map_err(|error| SteerError::read(path, error))?;
    if of != *spec {
        let reason = "it is the state of a training with other settings: delete it, or train with its settings";
        return Err(SteerError::read(path, reason));
    }
    let report: TrainReport =
        serde_json::from_str(metadata("report")).map_err(|error| SteerError::read(path, error))?;
    let m = spec.features;
    let group = |prefix: &str| -> Result<[Tensor; 4]> {
        let read = |name: &str, shape: &[usize]| -> Result<Tensor> {
            let numbers = file.read_f32(&format!("{prefix}{name}"))?;
            Ok(Tensor::from_vec(numbers, shape, device)?)
        };
        Ok([read("W_enc", &[d, m])?, read("b_enc", &[m])?, read("W_dec", &[m, d])?, read("b_dec", &[d])?])
    };
    let adam = Adam { first: group("first.")?, second: group("second.")?, steps: report.steps };
    let core = Core::new(Weights(group("")?), adam, spec)?;
    Ok(State { core, idle: file.read_f32("idle")?, report })
}
