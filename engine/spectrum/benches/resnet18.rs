//! Top-4 singular values of the 20 convolutions of a ResNet-18 (see `common`), each right to 1e-3.
//!
//! `cargo bench -p plumb-spectrum --bench resnet18` times each layer by
//!
//! * `krylov`: block Krylov, which decides by itself when to stop;
//! * `power_qr`: the paper's iteration (four vectors, μ = 1), through the same operators. It is told when its values
//!   are right, and stops there;
//! * `power_qr_step_through_candle`: one iteration through candle's automatic differentiation, the paper's own route.
//!
//! Below the table it says how far the values are from those in 64-bit floats, and adds the layers up, so that the
//! methods are compared within one run. `-- krylov` times that alone; `PLUMB_SEED=N` before the command draws other
//! weights and starts, `PLUMB_WEIGHTS=FILE` writes the weights for `powerqr_torch.py`.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at what it did not expect")]

mod common;

use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use common::{Convolution, Quickest, resnet18, seed, total};
use plumb_core::Ctl;
use plumb_spectrum::krylov::{KrylovOptions, block_krylov};
use plumb_spectrum::op::{AffineOp, LinearOp};
use plumb_spectrum::power_qr::{self, PowerQrOptions, power_qr_until};

/// Accuracy asked of every value.
const ACCURACY: f64 = 1e-3;
/// What block Krylov is asked for, as its own estimate of its error is no bound.
const ASKED: f64 = 1e-5;
const WANTED: usize = 4;

/// Values and applications to one vector.
static KRYLOV: Quickest<(Vec<f64>, usize)> = Quickest::new();
/// Iterations until every estimate was right.
static POWER_QR: Quickest<usize> = Quickest::new();
static CANDLE: Quickest<()> = Quickest::new();

/// The right values of a layer, found once.
fn right(layer: &Convolution) -> Vec<f64> {
    static KNOWN: [OnceLock<Vec<f64>>; 20] = [const { OnceLock::new() }; 20];
    let find = || {
        let options =
            KrylovOptions { k: WANTED, tolerance: 1e-4, max_applications: 20_000, ..KrylovOptions::default() };
        let found = block_krylov(&layer.operator::<f64>().unwrap(), &options, &Ctl::new(1)).unwrap();
        assert!(found.converged, "the reference must converge");
        found.sigma
    };
    KNOWN[layer.index].get_or_init(find).clone()
}

fn worst(found: &[f64], exact: &[f64]) -> f64 {
    let mut found = found.to_vec();
    found.sort_by(|a, b| b.total_cmp(a));
    found.iter().zip(exact).map(|(f, e)| (f / e - 1.0).abs()).fold(0.0, f64::max)
}

#[divan::bench(args = resnet18(), sample_count = 3, sample_size = 1)]
fn krylov(bencher: divan::Bencher, layer: &Convolution) {
    let options = KrylovOptions { k: WANTED, accuracy: ASKED, seed: seed(), ..KrylovOptions::default() };
    bencher.with_inputs(|| layer.operator::<f32>().unwrap()).bench_refs(|op| {
        KRYLOV.run(layer, || {
            let found = block_krylov(op, &options, &Ctl::new(0)).unwrap();
            (found.sigma, found.iterations)
        });
    });
}

#[divan::bench(args = resnet18(), sample_count = 1, sample_size = 1)]
fn power_qr(bencher: divan::Bencher, layer: &Convolution) {
    let exact = right(layer);
    let op = layer.operator::<f32>().unwrap();
    let start = power_qr::start(op.input_len(), WANTED, seed(), None);
    bencher.with_inputs(|| start.clone()).bench_values(|start| {
        POWER_QR.run(layer, || {
            let mut steps = 0;
            power_qr_until(&op, start, &PowerQrOptions::new(WANTED, 5000), &Ctl::new(0), |estimates| {
                steps += 1;
                worst(estimates, &exact) <= ACCURACY
            })
            .unwrap();
            steps
        });
    });
}

/// One iteration without its orthonormalisation: `MᵀM` of four vectors.
#[divan::bench(args = resnet18(), sample_count = 3, sample_size = 1)]
fn power_qr_step_through_candle(bencher: divan::Bencher, layer: &Convolution) {
    let weight = Tensor::from_slice(&layer.weight, &layer.weight_shape(), &Device::Cpu).unwrap();
    let (padding, stride) = (layer.taps / 2, layer.stride);
    let function = move |x: &Tensor| x.conv2d(&weight, padding, stride, 1, 1);
    let op = AffineOp::new::<f32>(function, &[layer.inputs, layer.pixels, layer.pixels], &Device::Cpu).unwrap();
    let (inputs, outputs) = (LinearOp::<f32>::input_len(&op), LinearOp::<f32>::output_len(&op));
    let mut x = power_qr::start(inputs, WANTED, seed(), None);
    let mut images = vec![0.0_f32; WANTED * outputs];
    bencher.bench_local(|| {
        CANDLE.run(layer, || {
            op.apply(&x, WANTED, &mut images);
            op.adjoint(&images, WANTED, &mut x);
        });
    });
}

fn main() {
    if let Some(file) = std::env::var_os("PLUMB_WEIGHTS") {
        let weights = resnet18().into_iter().flat_map(|layer| layer.weight).flat_map(f32::to_le_bytes);
        std::fs::write(file, weights.collect::<Vec<_>>()).unwrap();
    }
    divan::main();
    let (krylov, power_qr, candle) = (KRYLOV.runs(), POWER_QR.runs(), CANDLE.runs());
    if krylov.is_empty() {
        return;
    }
    let (mut error, mut applications) = (0.0_f64, 0);
    println!("\nseed {}: layer              applications  error", seed());
    for (layer, (_, (values, count))) in resnet18().iter().filter_map(|layer| Some((layer, krylov.get(&layer.index)?)))
    {
        let own = worst(values, &right(layer));
        (error, applications) = (error.max(own), applications + count);
        println!("{:27} {count:>12}  {own:.1e}", layer.to_string());
    }
    let (seconds, slowest) = total(&krylov);
    println!(
        "block Krylov {seconds:.3} s, slowest layer {slowest:.3} s, {applications} applications, worst error {error:.1e}"
    );
    if power_qr.len() == krylov.len() {
        let (plain, _) = total(&power_qr);
        let steps: usize = power_qr.values().map(|(_, steps)| steps).sum();
        println!("PowerQR, the same operators: {plain:.2} s ({steps} steps), {:.1} times as long", plain / seconds);
        if candle.len() == krylov.len() {
            let all: f64 = candle.iter().map(|(layer, (step, ()))| step * power_qr[layer].1 as f64).sum();
            println!("PowerQR through candle: {all:.1} s (steps × time of one), {:.1} times as long", all / seconds);
        }
    }
}
