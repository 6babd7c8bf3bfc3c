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
use super::{DecoderNorm, Sparsity, TrainSpec, Weights, gradients};
use crate::harvest::ActivationStore;
use crate::sae::{Architecture, Sae, SaeConfig};
use crate::{Result, SteerError};

/// How training went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// Steps done.
    pub steps: usize,
    /// √d / mean ‖x‖, folded into the weights.
    pub input_scale: f64,
    /// Every so many steps: step, mean squared distance, penalty, L0, dead features.
    pub curve: Vec<[f64; 5]>,
    /// Features given a new start, in all.
    pub resampled: usize,
}

struct State {
    weights: Weights,
    adam: Adam,
    /// Tokens since each feature last fired.
    idle: Vec<f32>,
    report: TrainReport,
}

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
    let mut batches = store.batches(spec.batch, spec.chunks, spec.seed)?;
    let length = if spec.decoder_norm == DecoderNorm::Unit { 1.0 } else { 0.1 };
    let saved = match state_file {
        Some(path) if path.is_file() => Some(load(path, d, spec, device)?),
        _ => None,
    };
    let mut state = if let Some(state) = saved {
        state
    } else {
        let mut random = Random::new(spec.seed, "autoencoder weights");
        let weights = Weights::new(d, spec.features, length, &mut random, DType::F32, device)?;
        let report = TrainReport { input_scale: input_scale(store)?, ..TrainReport::default() };
        State { adam: Adam::new(&weights)?, weights, idle: vec![0.0; spec.features], report }
    };
    for _ in 0..state.report.steps {
        // The batches of a resumed run are those of an unbroken one.
        batches.next_batch()?;
    }
    let every = (spec.steps / POINTS).max(1);
    while state.report.steps < spec.steps {
        ctl.check()?;
        let step = state.report.steps;
        let x = Tensor::from_vec(batches.next_batch()?, (spec.batch, d), device)?;
        let x = (x * state.report.input_scale)?;
        one_step(&mut state, &x, spec, step, every)?;
        if step.is_multiple_of(every) || step + 1 == spec.steps {
            ctl.progress("Training the autoencoder", step as u64 + 1, Some(spec.steps as u64));
            ctl.partial(state.report.clone());
        }
        if let Some(path) = state_file
            && spec.save_every > 0
            && (step + 1).is_multiple_of(spec.save_every)
        {
            save(path, &state, spec)?;
        }
    }
    Ok((finish(&state, spec, d)?, state.report))
}

fn one_step(state: &mut State, x: &Tensor, spec: &TrainSpec, step: usize, every: usize) -> Result<()> {
    let warm = if spec.warm_up == 0 { 1.0 } else { ((step + 1) as f64 / spec.warm_up as f64).min(1.0) };
    let left = (spec.steps - step) as f64 / (spec.cool_down * spec.steps as f64).max(1.0);
    let factor = match spec.sparsity {
        Sparsity::L1 { l1 } => l1 * warm,
        Sparsity::TopK { .. } => 0.0,
    };
    let dead: Vec<bool> = state.idle.iter().map(|idle| *idle >= spec.dead_after as f32).collect();
    let any = dead.contains(&true) && matches!(spec.sparsity, Sparsity::TopK { .. });
    let mask = any.then(|| dead.iter().map(|&dead| f32::from(u8::from(dead))).collect::<Vec<_>>());
    let mask = mask.map(|mask| Tensor::new(mask, x.device())).transpose()?;
    let (losses, gradients) = gradients(&state.weights, x, spec.sparsity, factor, mask.as_ref())?;
    let loss = losses.mse + losses.other;
    if !loss.is_finite() {
        return Err(SteerError::Diverged { step: step + 1, loss });
    }
    state.adam.step(&mut state.weights, &gradients, spec.rate * warm * left.min(1.0), spec.decoder_norm)?;
    for (idle, fired) in state.idle.iter_mut().zip(&losses.firings) {
        *idle = if *fired > 0.0 { 0.0 } else { *idle + spec.batch as f32 };
    }
    let due = spec.resample_every > 0 && (step + 1).is_multiple_of(spec.resample_every);
    if due && matches!(spec.sparsity, Sparsity::L1 { .. }) && left > 1.0 {
        let mut random = Random::new(spec.seed, &format!("resampling {step}"));
        let State { weights, adam, .. } = state;
        let count = resample(weights, adam, &dead, x, &losses.errors, spec.decoder_norm, &mut random)?;
        state.report.resampled += count;
        state.idle.iter_mut().zip(&dead).filter(|(_, dead)| **dead).for_each(|(idle, _)| *idle = 0.0);
    }
    if step.is_multiple_of(every) || step + 1 == spec.steps {
        let dead = dead.iter().filter(|dead| **dead).count();
        state.report.curve.push([step as f64, losses.mse, losses.other, losses.l0, dead as f64]);
    }
    state.report.steps = step + 1;
    Ok(())
}

fn check(spec: &TrainSpec) -> Result<()> {
    let wrong = |what: &str| Err(SteerError::Spec(what.to_owned()));
    match spec.sparsity {
        Sparsity::TopK { k, .. } if k == 0 || k > spec.features => {
            return wrong("k must be between 1 and the number of features");
        }
        Sparsity::L1 { l1 } if !(l1.is_finite() && l1 >= 0.0) => return wrong("the L1 factor must not be negative"),
        _ => {}
    }
    if spec.features == 0 || !(spec.rate.is_finite() && spec.rate > 0.0) {
        return wrong("an autoencoder needs features and a learning rate above zero");
    }
    Ok(())
}

/// √d / mean ‖x‖ over the first chunk.
fn input_scale(store: &ActivationStore) -> Result<f64> {
    let d = store.table().d;
    let rows = store.chunk(0)?;
    let norm = |row: &[f32]| row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let mean = rows.chunks_exact(d).map(norm).sum::<f64>() / (rows.len() / d) as f64;
    if mean.is_finite() && mean > 0.0 {
        Ok((d as f64).sqrt() / mean)
    } else {
        Err(SteerError::Spec("the stored activations are all zero or not numbers: harvest them again".to_owned()))
    }
}

fn finish(state: &State, spec: &TrainSpec, d: usize) -> Result<Sae> {
    let (architecture, k) = match spec.sparsity {
        Sparsity::L1 { .. } => (Architecture::Standard, None),
        Sparsity::TopK { k, .. } => (Architecture::TopK, Some(k)),
    };
    let mut config = SaeConfig::new(architecture, d, spec.features);
    config.k = k;
    let sae = Sae::new(config, state.weights.0.clone(), None, None)?;
    // x̂(s x) / s, so that the SAE takes activations as they are.
    sae.fold_input_scale(state.report.input_scale)
}

const NAMES: [&str; 4] = ["W_enc", "b_enc", "W_dec", "b_dec"];

fn save(path: &Path, state: &State, spec: &TrainSpec) -> Result<()> {
    let mut tensors = Vec::new();
    for (prefix, group) in [("", &state.weights.0), ("first.", &state.adam.first), ("second.", &state.adam.second)] {
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
    Ok(State { weights: Weights(group("")?), adam, idle: file.read_f32("idle")?, report })
}
