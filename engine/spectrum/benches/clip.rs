//! Clipping the 20 convolutions of a ResNet-18 (see `common`) to 1 ± 0.01.
//!
//! `cargo bench -p plumb-spectrum --bench clip` prints one line per layer; `-- --seed=N` draws other weights.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at what it did not expect")]

mod common;

use std::time::Instant;

use common::resnet18;
use plumb_core::Ctl;
use plumb_spectrum::clip::{Layer, Target, clip};
use plumb_spectrum::geometry::OpKind;
use plumb_spectrum::spec::{ClipMethod, ClipSpec};

fn main() {
    let seed = std::env::args().find_map(|a| a.strip_prefix("--seed=")?.parse().ok()).unwrap_or(0);
    let target = Target::of(&ClipSpec::default());
    let (mut total, mut slowest) = (0.0, 0.0_f64);
    println!("layer                      before   after  rounds  reached  seconds");
    for convolution in resnet18(seed) {
        let layer = Layer {
            kind: OpKind::Conv2d,
            weight: &convolution.weight,
            weight_shape: &convolution.weight_shape(),
            geometry: &convolution.geometry(),
        };
        let clock = Instant::now();
        let clipped = clip(&layer, ClipMethod::FastClip, &target, &Ctl::new(0)).unwrap();
        let seconds = clock.elapsed().as_secs_f64();
        total += seconds;
        slowest = slowest.max(seconds);
        println!(
            "{:26} {:6.4}  {:6.4}  {:6}  {:7}  {seconds:7.3}",
            convolution.name(),
            clipped.before,
            clipped.after,
            clipped.steps,
            clipped.reached
        );
    }
    println!("in all {total:.2} s, slowest layer {slowest:.2} s");
}
