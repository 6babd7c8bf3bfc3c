//! Top-4 singular values of the 20 convolutions of a ResNet-18 (see `common`), each right to 1e-3.
//!
//! `cargo bench -p plumb-spectrum --bench resnet18` prints, layer by layer and in all, the seconds of
//!
//! * block Krylov, which decides by itself when to stop: the best of three runs, error against values in 64-bit floats;
//! * PowerQR, the paper's iteration (four vectors, μ = 1), through the same operators. It is told when its values are
//!   right, and stops there;
//! * PowerQR through candle's automatic differentiation, the paper's own route: two timed iterations of each layer,
//!   times the number of iterations that PowerQR took.
//!
//! `-- --krylov` times block Krylov alone; `-- --once` runs it once; numbers pick layers; `-- --seed=N` draws other weights and starts.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at what it did not expect")]

mod common;

use std::time::Instant;

use candle_core::{Device, Tensor};
use common::{Convolution, resnet18};
use plumb_core::Ctl;
use plumb_spectrum::krylov::{KrylovOptions, block_krylov};
use plumb_spectrum::op::{AffineOp, LinearOp};
use plumb_spectrum::power_qr::{self, PowerQrOptions, power_qr, power_qr_until};

/// Accuracy asked of every value.
const ACCURACY: f64 = 1e-3;
/// What block Krylov is asked for, as its own estimate of its error is no bound.
const ASKED: f64 = 1e-5;
const WANTED: usize = 4;
/// Runs of block Krylov, of which the quickest counts.
const RUNS: usize = 3;
/// Timed iterations through candle.
const CANDLE_STEPS: usize = 2;

fn reference(layer: &Convolution) -> Vec<f64> {
    let options = KrylovOptions { k: WANTED, tolerance: 1e-4, max_applications: 20_000, ..KrylovOptions::default() };
    let found = block_krylov(&layer.operator::<f64>().unwrap(), &options, &Ctl::new(1)).unwrap();
    assert!(found.converged, "the reference must converge");
    found.sigma
}

fn worst(found: &[f64], exact: &[f64]) -> f64 {
    let mut found = found.to_vec();
    found.sort_by(|a, b| b.total_cmp(a));
    found.iter().zip(exact).map(|(f, e)| (f / e - 1.0).abs()).fold(0.0, f64::max)
}

/// Seconds, applications to one vector, and the largest relative error.
fn krylov(layer: &Convolution, exact: &[f64], seed: u64, runs: usize) -> (f64, usize, f64) {
    let options = KrylovOptions { k: WANTED, accuracy: ASKED, seed, ..KrylovOptions::default() };
    let mut best = (f64::INFINITY, 0, 0.0);
    for _ in 0..runs {
        let op = layer.operator::<f32>().unwrap();
        let clock = Instant::now();
        let found = block_krylov(&op, &options, &Ctl::new(0)).unwrap();
        let seconds = clock.elapsed().as_secs_f64();
        if seconds < best.0 {
            best = (seconds, found.iterations, worst(&found.sigma, exact));
        }
    }
    best
}

/// Seconds and iterations until every estimate is right.
fn plain(op: &dyn LinearOp<f32>, exact: &[f64], seed: u64) -> (f64, usize) {
    let start = power_qr::start(op.input_len(), WANTED, seed, None);
    let clock = Instant::now();
    let mut end = (0.0, 0);
    power_qr_until(op, start, &PowerQrOptions::new(WANTED, 5000), &Ctl::new(0), |estimates| {
        end = (clock.elapsed().as_secs_f64(), end.1 + 1);
        worst(estimates, exact) <= ACCURACY
    })
    .unwrap();
    end
}

/// Seconds of one iteration through candle.
fn candle_step(layer: &Convolution) -> f64 {
    let weight = Tensor::from_slice(&layer.weight, &layer.weight_shape(), &Device::Cpu).unwrap();
    let (padding, stride) = (layer.taps / 2, layer.stride);
    let function = move |x: &Tensor| x.conv2d(&weight, padding, stride, 1, 1);
    let op = AffineOp::new::<f32>(function, &[layer.inputs, layer.pixels, layer.pixels], &Device::Cpu).unwrap();
    let start = power_qr::start(layer.inputs * layer.pixels.pow(2), WANTED, 0, None);
    let run = |steps| {
        let clock = Instant::now();
        power_qr::<f32, _>(&op, start.clone(), &PowerQrOptions::new(WANTED, steps), &Ctl::new(0)).unwrap();
        clock.elapsed().as_secs_f64()
    };
    // The rest, an application for the vectors, falls out of the difference.
    let once = run(1);
    ((run(1 + CANDLE_STEPS) - once) / CANDLE_STEPS as f64).max(0.0)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let alone = arguments.iter().any(|a| a == "--krylov");
    let only: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    let seed = arguments.iter().find_map(|a| a.strip_prefix("--seed=")?.parse().ok()).unwrap_or(0);
    let runs = if arguments.iter().any(|a| a == "--once") { 1 } else { RUNS };
    println!("layer                        Krylov s  applied  error    PowerQR s  steps  through candle s");
    let mut totals = [0.0; 3];
    let (mut steps_in_all, mut worst_error, mut slowest) = (0, 0.0_f64, 0.0_f64);
    for (index, layer) in resnet18(seed).iter().enumerate() {
        if !only.is_empty() && !only.contains(&index) {
            continue;
        }
        let exact = reference(layer);
        let (seconds, applied, error) = krylov(layer, &exact, seed, runs);
        totals[0] += seconds;
        worst_error = worst_error.max(error);
        slowest = slowest.max(seconds);
        print!("{index:>2}  {:24} {seconds:>8.4} {applied:>8}  {error:.1e}", layer.name());
        if !alone {
            let (seconds, steps) = plain(&layer.operator::<f32>().unwrap(), &exact, seed);
            let candle = candle_step(layer) * steps as f64;
            totals[1] += seconds;
            totals[2] += candle;
            steps_in_all += steps;
            print!("  {seconds:>9.3} {steps:>6}  {candle:>16.2}");
        }
        println!();
    }
    println!("seed {seed}: worst error {worst_error:.1e}, slowest layer {slowest:.2} s");
    let [krylov, plain, candle] = totals;
    println!("Krylov {krylov:.3} s");
    if !alone {
        println!("PowerQR, the same operators {plain:.2} s ({steps_in_all} steps): {:.1} times Krylov", plain / krylov);
        println!("PowerQR through candle {candle:.1} s (steps × time of one): {:.1} times Krylov", candle / krylov);
    }
}
