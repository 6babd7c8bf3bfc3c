//! Top-4 singular values of all 20 convolutions of a ResNet-18 (CIFAR form, 32 × 32 inputs, random weights).
//!
//! `cargo bench -p plumb-spectrum --bench resnet18` times, layer by layer, block Krylov until its values are
//! right to 1e-3, and the paper's plain iteration (PowerQR, four vectors, μ = 1) until its estimates are, through
//! the same operator. `-- --candle` adds the plain iteration through candle's automatic differentiation, the
//! paper's own route (minutes); `-- --krylov` leaves the plain iteration out; a layer's number picks that layer;
//! `-- --seed=N` draws other weights and another start.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::time::Instant;

use candle_core::{Device, Tensor};
use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_spectrum::geometry::Geometry;
use plumb_spectrum::krylov::{KrylovOptions, block_krylov};
use plumb_spectrum::op::{AffineOp, ConvOp, Kernelled, LinearOp};
use plumb_spectrum::power_qr::{self, PowerQrOptions, power_qr_until};

/// Accuracy asked of every value.
const ACCURACY: f64 = 1e-3;
const WANTED: usize = 4;

/// (channels in, channels out, pixels, stride, taps per axis), in the order of the network.
fn layers() -> Vec<[usize; 5]> {
    let mut layers = vec![[3, 64, 32, 1, 3]];
    let (mut inputs, mut pixels) = (64, 32);
    for (outputs, stride) in [(64, 1), (128, 2), (256, 2), (512, 2)] {
        layers.push([inputs, outputs, pixels, stride, 3]);
        if stride == 2 {
            layers.push([inputs, outputs, pixels, stride, 1]);
            pixels /= 2;
        }
        layers.extend([[outputs, outputs, pixels, 1, 3]; 3]);
        inputs = outputs;
    }
    layers
}

struct Layer {
    single: ConvOp<f32>,
    double: ConvOp<f64>,
    shape: [usize; 5],
}

/// PyTorch's default weights: uniform in ±1/√(fan in).
fn layer(index: usize, shape: [usize; 5], seed: u64) -> Layer {
    let [inputs, outputs, n, stride, k] = shape;
    let mut random = Random::new(seed, &format!("resnet18 layer {index}"));
    let bound = 1.0 / ((inputs * k * k) as f64).sqrt();
    let weight: Vec<f32> =
        (0..outputs * inputs * k * k).map(|_| (bound * (2.0 * random.uniform() - 1.0)) as f32).collect();
    let geometry = Geometry { input: [n, n], padding: [k / 2; 2], stride: [stride; 2], ..Geometry::default() };
    let size = [outputs, inputs, k, k];
    let double = weight.iter().map(|&w| f64::from(w)).collect();
    Layer {
        single: ConvOp::new(weight, &size, &geometry).unwrap(),
        double: ConvOp::new(double, &size, &geometry).unwrap(),
        shape,
    }
}

fn reference(layer: &Layer) -> Vec<f64> {
    let options = KrylovOptions { k: WANTED, tolerance: 1e-4, max_applications: 20_000, ..KrylovOptions::default() };
    let found = block_krylov(&layer.double, &options, &Ctl::new(1)).unwrap();
    assert!(found.converged, "the reference must converge");
    found.sigma
}

fn worst(found: &[f64], exact: &[f64]) -> f64 {
    let mut found = found.to_vec();
    found.sort_by(|a, b| b.total_cmp(a));
    found.iter().zip(exact).map(|(f, e)| (f / e - 1.0).abs()).fold(0.0, f64::max)
}

fn plain(op: &dyn LinearOp<f32>, exact: &[f64]) -> (usize, f64) {
    let start = power_qr::start(op.input_len(), WANTED, 0, None);
    let clock = Instant::now();
    let mut end = (0, 0.0);
    let mut steps = 0;
    power_qr_until(op, start, &PowerQrOptions::new(WANTED, 5000), &Ctl::new(0), |estimates| {
        steps += 1;
        end = (steps, clock.elapsed().as_secs_f64());
        worst(estimates, exact) <= ACCURACY
    })
    .unwrap();
    end
}

fn through_candle(layer: &Layer) -> AffineOp {
    let [_, _, _, stride, k] = layer.shape;
    let weight = Tensor::from_slice(layer.single.weight(), layer.single.weight_shape(), &Device::Cpu).unwrap();
    let function = move |x: &Tensor| x.conv2d(&weight, k / 2, stride, 1, 1);
    AffineOp::new::<f32>(function, layer.single.input_shape(), &Device::Cpu).unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|a| a == flag);
    let only: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    let seed = arguments.iter().find_map(|a| a.strip_prefix("--seed=")?.parse().ok()).unwrap_or(0);
    println!("layer  in×out pixels/stride k   Krylov s  applied  error    plain s  steps   candle s");
    let mut totals = [0.0; 3];
    let (mut worst_error, mut slowest) = (0.0_f64, 0.0_f64);
    for (index, shape) in layers().into_iter().enumerate() {
        if !only.is_empty() && !only.contains(&index) {
            continue;
        }
        let layer = layer(index, shape, seed);
        let exact = reference(&layer);
        let options = KrylovOptions { k: WANTED, accuracy: 1e-5, seed, ..KrylovOptions::default() };
        let clock = Instant::now();
        let found = block_krylov(&layer.single, &options, &Ctl::new(0)).unwrap();
        let seconds = clock.elapsed().as_secs_f64();
        totals[0] += seconds;
        let [inputs, outputs, n, stride, k] = shape;
        let error = worst(&found.sigma, &exact);
        worst_error = worst_error.max(error);
        slowest = slowest.max(seconds);
        print!(
            "{index:>5}  {inputs:>3}×{outputs:<3} {n:>3}/{stride} {k}×{k}  {seconds:>9.4} {:>8}  {error:.1e}",
            found.iterations
        );
        if !has("--krylov") {
            let (steps, seconds) = plain(&layer.single, &exact);
            totals[1] += seconds;
            print!("  {seconds:>8.3} {steps:>6}");
        }
        if has("--candle") {
            let (_, seconds) = plain(&through_candle(&layer), &exact);
            totals[2] += seconds;
            print!("   {seconds:>8.2}");
        }
        println!();
    }
    println!("seed {seed}: worst error {worst_error:.1e}, slowest layer {slowest:.2} s");
    println!("total: Krylov {:.3} s, plain {:.2} s, plain through candle {:.2} s", totals[0], totals[1], totals[2]);
    println!("ratio: plain / Krylov {:.1}, through candle {:.1}", totals[1] / totals[0], totals[2] / totals[0]);
}
