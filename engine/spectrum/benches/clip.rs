//! Clipping all 20 convolutions of a ResNet-18 (CIFAR form, 32 × 32 inputs, PyTorch's default random weights) to
//! 1 ± 0.01: `cargo bench -p plumb-spectrum --bench clip` prints one line per layer.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at what it did not expect")]

use std::time::Instant;

use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_spectrum::clip::{Layer, Target, clip};
use plumb_spectrum::geometry::{Geometry, OpKind};
use plumb_spectrum::spec::{ClipMethod, ClipSpec};

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

fn main() {
    let target = Target::of(&ClipSpec::default());
    let (mut total, mut slowest) = (0.0, 0.0_f64);
    println!("layer                      before   after  rounds  reached  seconds");
    for (index, [inputs, outputs, n, stride, k]) in layers().into_iter().enumerate() {
        let mut random = Random::new(0, &format!("resnet18 layer {index}"));
        let bound = 1.0 / ((inputs * k * k) as f64).sqrt();
        let weight: Vec<f32> =
            (0..outputs * inputs * k * k).map(|_| (bound * (2.0 * random.uniform() - 1.0)) as f32).collect();
        let geometry = Geometry { input: [n, n], padding: [k / 2; 2], stride: [stride; 2], ..Geometry::default() };
        let layer = Layer {
            kind: OpKind::Conv2d,
            weight: &weight,
            weight_shape: &[outputs, inputs, k, k],
            geometry: &geometry,
        };
        let clock = Instant::now();
        let clipped = clip(&layer, ClipMethod::FastClip, &target, &Ctl::new(0)).unwrap();
        let seconds = clock.elapsed().as_secs_f64();
        total += seconds;
        slowest = slowest.max(seconds);
        let name = format!("{inputs}→{outputs} {k}×{k} /{stride} @{n}");
        println!(
            "{name:26} {:6.4}  {:6.4}  {:6}  {:7}  {seconds:7.3}",
            clipped.before, clipped.after, clipped.steps, clipped.reached
        );
    }
    println!("in all {total:.2} s, slowest layer {slowest:.2} s");
}
