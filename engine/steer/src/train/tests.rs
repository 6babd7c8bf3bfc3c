//! Gradients, recovery of a planted dictionary, resuming, resampling.

use candle_core::{DType, Device, Tensor};
use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_nn::random;

use super::*;
use crate::harvest::ActivationStore;

const CPU: Device = Device::Cpu;

/// Central differences of the loss against the written-out gradients, in double precision.
fn check_gradients(sparsity: Sparsity, dead: Option<&Tensor>) {
    let mut random = Random::new(5, "gradients");
    let (d, m) = (5, 9);
    let mut weights = Weights::new(d, m, 0.7, &mut random, DType::F64, &CPU).unwrap();
    weights.0[1] = random::normal(&mut random, 0.1, 0.1, m, DType::F64, &CPU).unwrap();
    weights.0[3] = random::normal(&mut random, 0.0, 0.1, d, DType::F64, &CPU).unwrap();
    let x = random::normal(&mut random, 0.0, 1.0, (16, d), DType::F64, &CPU).unwrap();
    let at = |weights: &Weights| gradients(weights, &x, sparsity, 0.3, dead).unwrap();
    let (_, Gradients(exact)) = at(&weights);
    for (i, exact) in exact.iter().enumerate() {
        let values = weights.0[i].flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let exact = exact.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        for _ in 0..50 {
            let place = random.below(values.len());
            let loss = |shift: f64| {
                let mut moved = values.clone();
                moved[place] += shift;
                let mut weights = weights.clone();
                weights.0[i] = Tensor::from_vec(moved, weights.0[i].dims(), &CPU).unwrap();
                let losses = at(&weights).0;
                losses.mse + losses.other
            };
            let h = 1e-6;
            let found = (loss(h) - loss(-h)) / (2.0 * h);
            let scale = exact[place].abs().max(0.1);
            assert!(
                (found - exact[place]).abs() / scale < 1e-6,
                "tensor {i}: {found} where {} is computed",
                exact[place]
            );
        }
    }
}

#[test]
fn gradients_equal_finite_differences() {
    check_gradients(Sparsity::L1 { l1: 1.0 }, None);
    check_gradients(Sparsity::TopK { k: 3, aux: 0.0 }, None);
    check_gradients(Sparsity::BatchTopK { k: 3, aux: 0.0 }, None);
}

/// The auxiliary loss treats what is missing as a constant, so its part is checked against that reading: with a living
/// decoder of zeros the main reconstruction does not depend on the dead features at all.
#[test]
fn the_auxiliary_loss_moves_dead_features_only() {
    let mut random = Random::new(6, "aux");
    let weights = Weights::new(4, 8, 1.0, &mut random, DType::F64, &CPU).unwrap();
    let x = random::normal(&mut random, 0.0, 1.0, (32, 4), DType::F64, &CPU).unwrap();
    let mut dead = vec![0f64; 8];
    dead[7] = 1.0;
    // Feature 7 is never among the largest two, so without the auxiliary loss it has no gradient.
    let mut weights = weights;
    let mut bias = vec![0f64; 8];
    bias[7] = -2.0;
    weights.0[1] = Tensor::new(bias, &CPU).unwrap();
    let dead = Tensor::new(dead, &CPU).unwrap();
    let row = |aux| {
        let (_, Gradients(g)) = gradients(&weights, &x, Sparsity::TopK { k: 2, aux }, 0.0, Some(&dead)).unwrap();
        g.map(|g| g.to_dtype(DType::F64).unwrap())
    };
    let (without, with) = (row(0.0), row(0.5));
    let difference = (&with[2] - &without[2]).unwrap().sqr().unwrap().sum(1).unwrap().to_vec1::<f64>().unwrap();
    assert!(difference[..7].iter().all(|x| *x < 1e-20), "living features are left alone: {difference:?}");
}

/// The way without zeros takes the same steps as whole tensors do.
#[test]
fn sparse_steps_equal_dense_ones() {
    let mut random = Random::new(8, "sparse");
    let (d, m, k, aux) = (12, 40, 4, 0.25);
    for (norm, together) in [(DecoderNorm::Unit, false), (DecoderNorm::Free, false), (DecoderNorm::Unit, true)] {
        let sparsity = if together { Sparsity::BatchTopK { k, aux } } else { Sparsity::TopK { k, aux } };
        let mut weights = Weights::new(d, m, 1.0, &mut random, DType::F32, &CPU).unwrap();
        weights.0[3] = random::normal(&mut random, 0.0, 0.1, d, DType::F32, &CPU).unwrap();
        let mut adam = adam::Adam::new(&weights).unwrap();
        let mut sparse = sparse::Sparse::new(&weights, &adam).unwrap();
        let dead: Vec<bool> = (0..m).map(|j| j >= 25).collect();
        let mask: Vec<f32> = dead.iter().map(|&dead| f32::from(u8::from(dead))).collect();
        let mask = Tensor::new(mask, &CPU).unwrap();
        for step in 0..5 {
            let x = random::normal(&mut random, 0.0, 1.0, (32, d), DType::F32, &CPU).unwrap();
            let mask = (step > 1).then_some(&mask);
            let (losses, g) = gradients(&weights, &x, sparsity, 0.0, mask).unwrap();
            adam.step(&mut weights, &g, 1e-2, norm).unwrap();
            let none = vec![false; m];
            let pace = sparse::Pace { k, together, aux, rate: 1e-2, norm };
            let x = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let made = sparse.step(&x, pace, if mask.is_some() { &dead } else { &none }).unwrap();
            assert!((made.mse - losses.mse).abs() < 1e-4 * losses.mse, "{} {}", made.mse, losses.mse);
            assert!((made.other - losses.other).abs() < 1e-4 * losses.other.max(1.0));
            assert!((made.smallest - losses.smallest).abs() < 1e-5);
            assert_eq!((made.l0, &made.firings), (losses.l0, &losses.firings));
        }
        let (found, moments) = sparse.tensors(&CPU).unwrap();
        for (a, b) in found.0.iter().chain(&moments.second).zip(weights.0.iter().chain(&adam.second)) {
            let worst = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            assert!(worst.to_scalar::<f32>().unwrap() < 1e-4, "{norm:?}");
        }
    }
}

/// Rows that are sums of few out of `features` unit directions; the directions come back too.
fn planted(folder: &std::path::Path, d: usize, features: usize, rows: usize) -> (ActivationStore, Vec<Vec<f64>>) {
    let mut random = Random::new(11, "dictionary");
    let directions: Vec<Vec<f64>> = (0..features)
        .map(|_| {
            let v: Vec<f64> = (0..d).map(|_| random.normal()).collect();
            let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
            v.into_iter().map(|x| x / norm).collect()
        })
        .collect();
    let mut store = ActivationStore::create(folder, d, rows / 4, false, "planted").unwrap();
    for _ in 0..rows {
        let mut row = vec![0f32; d];
        for _ in 0..3 {
            let direction = &directions[random.below(features)];
            let size = 2.0 + 2.0 * random.uniform();
            row.iter_mut().zip(direction).for_each(|(x, u)| *x += (size * u) as f32);
        }
        store.push_text(&row).unwrap();
    }
    store.finish().unwrap();
    (store, directions)
}

/// Share of planted directions that some decoder vector matches with cosine above 0.9.
fn recovered(sae: &crate::sae::Sae, directions: &[Vec<f64>]) -> f64 {
    let rows = sae.fold_decoder_norms().unwrap_or_else(|_| sae.clone()).w_dec().to_vec2::<f32>().unwrap();
    let matches = |u: &Vec<f64>| {
        rows.iter().any(|row| {
            let dot: f64 = row.iter().zip(u).map(|(a, b)| f64::from(*a) * b).sum();
            let norm = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            dot / norm > 0.9
        })
    };
    directions.iter().filter(|u| matches(u)).count() as f64 / directions.len() as f64
}

fn spec(sparsity: Sparsity) -> TrainSpec {
    TrainSpec {
        features: 48,
        sparsity,
        steps: 1200,
        batch: 256,
        rate: 3e-3,
        warm_up: 50,
        dead_after: 10_000,
        resample_every: 200,
        save_every: 20,
        ..TrainSpec::default()
    }
}

#[test]
fn a_planted_dictionary_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (store, directions) = planted(folder.path(), 24, 32, 8000);
    for (sparsity, decoder_norm) in [
        (Sparsity::L1 { l1: 1.0 }, DecoderNorm::Unit),
        (Sparsity::L1 { l1: 1.0 }, DecoderNorm::Free),
        (Sparsity::TopK { k: 3, aux: 1.0 / 32.0 }, DecoderNorm::Unit),
        (Sparsity::BatchTopK { k: 3, aux: 1.0 / 32.0 }, DecoderNorm::Unit),
    ] {
        let spec = TrainSpec { decoder_norm, ..spec(sparsity) };
        let (sae, report) = train(&store, &spec, &CPU, None, &Ctl::new(0)).unwrap();
        let share = recovered(&sae, &directions);
        let x = Tensor::from_vec(store.chunk(0).unwrap(), (2000, 24), &CPU).unwrap();
        let encoded = sae.encode(&x).unwrap();
        let mut meter = crate::quality::QualityMeter::new(24, 48);
        meter.add(&x, &sae.decode(&encoded).unwrap(), &encoded.z).unwrap();
        let q = meter.quality();
        println!("{sparsity:?} {decoder_norm:?}: recovered {share}, {q:?}, resampled {}", report.resampled);
        assert!(share >= 0.9, "{sparsity:?} {decoder_norm:?}: {share}");
        assert!(q.explained_variance > 0.85 && q.l0 < 8.0, "{q:?}");
    }
}

#[test]
fn a_resumed_training_gives_the_same_bits() {
    let (folder, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, _) = planted(folder.path(), 12, 16, 800);
    for sparsity in [Sparsity::L1 { l1: 0.5 }, Sparsity::TopK { k: 3, aux: 0.1 }] {
        let spec = TrainSpec { steps: 50, dead_after: 2000, resample_every: 15, batch: 64, ..spec(sparsity) };
        let whole = train(&store, &spec, &CPU, None, &Ctl::new(0)).unwrap();
        let state = files.path().join("state.safetensors");
        let ctl = Ctl::new(0);
        // The first run leaves the state of step 40 behind; the second one goes on from it.
        train(&store, &spec, &CPU, Some(&state), &ctl).unwrap();
        assert!(state.is_file());
        let resumed = train(&store, &spec, &CPU, Some(&state), &Ctl::new(0)).unwrap();
        let bits = |sae: &crate::sae::Sae| sae.w_dec().to_vec2::<f32>().unwrap();
        assert_eq!(bits(&whole.0), bits(&resumed.0));
        assert_eq!(whole.1, resumed.1);
        let other = TrainSpec { rate: 1e-3, ..spec };
        let error = train(&store, &other, &CPU, Some(&state), &Ctl::new(0)).unwrap_err().to_string();
        assert!(error.contains("other settings"), "{error}");
        std::fs::remove_file(state).unwrap();
    }
}

#[test]
fn a_training_that_cannot_work_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = planted(folder.path(), 4, 6, 400);
    let refused = |spec: TrainSpec, part: &str| {
        let error = train(&store, &spec, &CPU, None, &Ctl::new(0)).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let small = TrainSpec { batch: 64, ..spec(Sparsity::L1 { l1: 1.0 }) };
    refused(TrainSpec { batch: 10_000, ..small.clone() }, "harvest more");
    refused(TrainSpec { sparsity: Sparsity::TopK { k: 49, aux: 0.0 }, ..small.clone() }, "between 1");
    refused(TrainSpec { rate: 1e30, ..small.clone() }, "lower the learning rate");
    let ctl = Ctl::new(0);
    ctl.cancel();
    assert!(matches!(train(&store, &small, &CPU, None, &ctl), Err(crate::SteerError::Cancelled(_))));
}
