//! Encoding 4096 features of a width-576 stream (SmolLM2-135M) beside the matrix product it consists of, and the cost of
//! steering 32 features for one token.
//!
//! `cargo bench -p plumb-steer --bench encode`

#![allow(clippy::expect_used, reason = "a benchmark may stop at what it did not expect")]

use candle_core::{DType, Device, Tensor};
use plumb_core::random::Random;
use plumb_nn::random;
use plumb_steer::intervene::{Intervention, Steering, Target, Unit};
use plumb_steer::sae::{Architecture, Sae, SaeConfig};

const D: usize = 576;
const M: usize = 4096;
const TOKENS: usize = 512;

fn main() {
    divan::main();
}

fn draw(shape: (usize, usize)) -> Tensor {
    random::normal(&mut Random::new(1, "bench"), 0.0, 0.05, shape, DType::F32, &Device::Cpu).expect("numbers")
}

fn sae(architecture: Architecture) -> Sae {
    let mut config = SaeConfig::new(architecture, D, M);
    config.k = Some(32);
    let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu).expect("zeros");
    Sae::new(config, [draw((D, M)), zeros(M), draw((M, D)), zeros(D)], Some(zeros(M)), None).expect("shapes fit")
}

#[divan::bench]
fn matrix_product_alone(bencher: divan::Bencher<'_, '_>) {
    let (x, w) = (draw((TOKENS, D)), draw((D, M)));
    bencher.bench(|| x.matmul(&w).expect("shapes fit"));
}

#[divan::bench(args = [Architecture::Standard, Architecture::JumpRelu, Architecture::TopK])]
fn encode(bencher: divan::Bencher<'_, '_>, architecture: Architecture) {
    let (x, sae) = (draw((TOKENS, D)), sae(architecture));
    bencher.bench(|| sae.encode(&x).expect("widths fit"));
}

#[divan::bench]
fn steer_32_features_of_one_token(bencher: divan::Bencher<'_, '_>) {
    let sae = sae(Architecture::Standard);
    let targets = (0..32).map(|feature| Target::add(feature, -1.0, Unit::Raw, None)).collect();
    let intervention = Intervention { targets, ..Intervention::default() };
    let x = draw((1, D)).flatten_all().and_then(|x| x.to_vec1::<f32>()).expect("one row");
    let fresh = Steering::new(&intervention, &sae, None, 1).expect("a sound intervention");
    bencher
        .with_inputs(|| fresh.clone())
        .bench_values(|mut steering| steering.apply(0, &[7], &x).expect("the first position"));
}
