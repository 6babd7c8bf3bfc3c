//! How fast convolutions are applied: ours, plain im2col with one product, and candle's own.
//!
//! `cargo bench -p plumb-spectrum --bench conv` prints GFLOP/s (2 · multiply-adds / second).

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use candle_core::{Device, Tensor, Var};
use divan::counter::ItemsCount;
use plumb_core::random::Random;
use plumb_spectrum::geometry::Geometry;
use plumb_spectrum::op::{ConvOp, LinearOp};

/// (channels in, channels out, pixels, stride), 3 × 3 kernels; 1 × 1 where the last entry is 1.
const LAYERS: [(usize, usize, usize, usize, usize); 9] = [
    (3, 64, 32, 1, 3),
    (64, 64, 32, 1, 3),
    (64, 128, 32, 2, 3),
    (128, 128, 16, 1, 3),
    (128, 256, 16, 2, 3),
    (256, 256, 8, 1, 3),
    (256, 512, 8, 2, 3),
    (512, 512, 4, 1, 3),
    (64, 128, 32, 2, 1),
];
const BATCH: usize = 8;

fn main() {
    divan::main();
}

fn op((inputs, outputs, n, stride, k): (usize, usize, usize, usize, usize)) -> ConvOp<f32> {
    let mut random = Random::new(0, "bench");
    let weight = (0..outputs * inputs * k * k).map(|_| random.normal() as f32).collect();
    let geometry = Geometry { input: [n, n], padding: [k / 2; 2], stride: [stride; 2], ..Geometry::default() };
    ConvOp::new(weight, &[outputs, inputs, k, k], &geometry).unwrap()
}

fn flops(op: &ConvOp<f32>, (inputs, _, _, _, k): (usize, usize, usize, usize, usize)) -> ItemsCount {
    ItemsCount::new(2 * op.output_len() * inputs * k * k * BATCH)
}

fn vector(len: usize) -> Vec<f32> {
    let mut random = Random::new(1, "bench");
    (0..len).map(|_| random.normal() as f32).collect()
}

#[divan::bench(args = LAYERS)]
fn apply(bencher: divan::Bencher, layer: (usize, usize, usize, usize, usize)) {
    let op = op(layer);
    let x = vector(op.input_len() * BATCH);
    let mut y = vec![0.0; op.output_len() * BATCH];
    bencher.counter(flops(&op, layer)).bench_local(|| op.apply(divan::black_box(&x), BATCH, &mut y));
}

#[divan::bench(args = LAYERS)]
fn adjoint(bencher: divan::Bencher, layer: (usize, usize, usize, usize, usize)) {
    let op = op(layer);
    let y = vector(op.output_len() * BATCH);
    let mut x = vec![0.0; op.input_len() * BATCH];
    bencher.counter(flops(&op, layer)).bench_local(|| op.adjoint(divan::black_box(&y), BATCH, &mut x));
}

/// candle's forward and backward to the input together: compare with `apply` plus `adjoint`.
#[divan::bench(args = LAYERS, max_time = 2)]
fn candle_forward_and_backward(bencher: divan::Bencher, layer: (usize, usize, usize, usize, usize)) {
    use plumb_spectrum::op::Kernelled;
    let op = op(layer);
    let device = Device::Cpu;
    let weight = Tensor::from_slice(op.weight(), op.weight_shape(), &device).unwrap();
    let shape: Vec<usize> = std::iter::once(BATCH).chain(op.input_shape().iter().copied()).collect();
    let x = Var::from_tensor(&Tensor::from_vec(vector(op.input_len() * BATCH), shape, &device).unwrap()).unwrap();
    let (_, _, _, stride, k) = layer;
    let work = ItemsCount::new(4 * op.output_len() * op.weight_shape()[1] * k * k * BATCH);
    bencher.counter(work).bench_local(|| {
        let y = x.conv2d(&weight, k / 2, stride, 1, 1).unwrap();
        let gradients = (y.sqr().unwrap().sum_all().unwrap() * 0.5).unwrap().backward().unwrap();
        gradients.get(&x).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()
    });
}
