//! Clipping the 20 convolutions of a ResNet-18 (see `common`) to 1 ± 0.01.
//!
//! `cargo bench -p plumb-spectrum --bench clip` times each layer and says below the table what σ₁ was and became.
//! `PLUMB_SEED=N` before it draws other weights.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at what it did not expect")]

mod common;

use common::{Convolution, Quickest, resnet18, total};
use plumb_core::Ctl;
use plumb_spectrum::clip::{Clipped, Layer, Target, clip};
use plumb_spectrum::geometry::OpKind;
use plumb_spectrum::spec::{ClipMethod, ClipSpec};

static CLIPPED: Quickest<Clipped<f32>> = Quickest::new();

#[divan::bench(args = resnet18(), sample_count = 1, sample_size = 1)]
fn fast_clip(bencher: divan::Bencher, convolution: &Convolution) {
    let (target, geometry) = (Target::of(&ClipSpec::default()), convolution.geometry());
    let layer = Layer {
        kind: OpKind::Conv2d,
        weight: &convolution.weight,
        weight_shape: &convolution.weight_shape(),
        geometry: &geometry,
    };
    bencher.bench(|| {
        CLIPPED.run(convolution, || clip(&layer, ClipMethod::FastClip, &target, &Ctl::new(0)).unwrap());
    });
}

fn main() {
    divan::main();
    let runs = CLIPPED.runs();
    if runs.is_empty() {
        return;
    }
    println!("\nlayer                         before   after  rounds  reached");
    for (layer, (_, clipped)) in resnet18().iter().filter_map(|layer| Some((layer, runs.get(&layer.index)?))) {
        let Clipped { before, after, steps, reached, .. } = clipped;
        println!("{:27} {before:8.4} {after:7.4} {steps:7}  {reached}", layer.to_string());
    }
    let (seconds, slowest) = total(&runs);
    println!("in all {seconds:.2} s, slowest layer {slowest:.2} s");
}
