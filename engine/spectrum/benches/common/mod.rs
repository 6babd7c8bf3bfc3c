//! The 20 convolutions of a ResNet-18 in its CIFAR form, for 32 × 32 inputs, with PyTorch's default random weights.

#![allow(dead_code, reason = "each benchmark takes what it needs")]

use plumb_core::random::Random;
use plumb_spectrum::geometry::Geometry;
use plumb_spectrum::op::{ConvOp, GeometryError, Real};

/// One convolution, padded so that stride 1 keeps the size.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Input height and width, in pixels.
    pub pixels: usize,
    /// Step between output pixels.
    pub stride: usize,
    /// Taps per axis.
    pub taps: usize,
    /// Uniform in ±1/√(fan in), (out, in, taps, taps).
    pub weight: Vec<f32>,
}

impl Convolution {
    /// For a table: channels, taps, stride and pixels.
    pub fn name(&self) -> String {
        let Self { inputs, outputs, pixels, stride, taps, .. } = self;
        format!("{inputs:>3} → {outputs:<3} {taps}×{taps} /{stride} @{pixels:<2}")
    }

    /// The weight's shape.
    pub fn weight_shape(&self) -> [usize; 4] {
        [self.outputs, self.inputs, self.taps, self.taps]
    }

    /// How it meets its input.
    pub fn geometry(&self) -> Geometry {
        Geometry {
            input: [self.pixels; 2],
            padding: [self.taps / 2; 2],
            stride: [self.stride; 2],
            ..Geometry::default()
        }
    }

    /// The operator, in 32- or 64-bit floats.
    pub fn operator<T: Real>(&self) -> Result<ConvOp<T>, GeometryError> {
        let weight = self.weight.iter().map(|&w| T::of(f64::from(w))).collect();
        ConvOp::new(weight, &self.weight_shape(), &self.geometry())
    }

    /// Floating-point operations of one application to one vector.
    pub fn flops(&self) -> usize {
        2 * self.weight.len() * (self.pixels / self.stride).pow(2)
    }
}

/// All 20, in the order of the network, with the weights of a seed.
pub fn resnet18(seed: u64) -> Vec<Convolution> {
    let mut shapes = vec![[3, 64, 32, 1, 3]];
    let (mut inputs, mut pixels) = (64, 32);
    for (outputs, stride) in [(64, 1), (128, 2), (256, 2), (512, 2)] {
        shapes.push([inputs, outputs, pixels, stride, 3]);
        if stride == 2 {
            shapes.push([inputs, outputs, pixels, stride, 1]);
            pixels /= 2;
        }
        shapes.extend([[outputs, outputs, pixels, 1, 3]; 3]);
        inputs = outputs;
    }
    let with_weights = |(index, [inputs, outputs, pixels, stride, taps]): (usize, [usize; 5])| {
        let mut random = Random::new(seed, &format!("resnet18 layer {index}"));
        let bound = 1.0 / ((inputs * taps * taps) as f64).sqrt();
        let count = outputs * inputs * taps * taps;
        let weight = (0..count).map(|_| (bound * (2.0 * random.uniform() - 1.0)) as f32).collect();
        Convolution { inputs, outputs, pixels, stride, taps, weight }
    };
    shapes.into_iter().enumerate().map(with_weights).collect()
}
