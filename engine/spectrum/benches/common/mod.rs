//! The 20 convolutions of a ResNet-18 in its CIFAR form, for 32 × 32 inputs, with PyTorch's default random weights.

#![allow(dead_code, reason = "each benchmark takes what it needs")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use plumb_core::random::Random;
use plumb_spectrum::geometry::Geometry;
use plumb_spectrum::op::{ConvOp, GeometryError, Real};

/// One convolution, padded so that stride 1 keeps the size.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// Its place in the network, from 0.
    pub index: usize,
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

impl fmt::Display for Convolution {
    /// Its place, channels, taps, stride and pixels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, inputs, outputs, pixels, stride, taps, .. } = self;
        write!(f, "{index:>2} {inputs:>3} → {outputs:<3} {taps}×{taps} /{stride} @{pixels:<2}")
    }
}

impl Convolution {
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

/// The seed of weights and starts: `PLUMB_SEED`, 0 unless set.
pub fn seed() -> u64 {
    std::env::var("PLUMB_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The quickest run of each layer, timed beside divan so that layers can be added up and methods compared.
#[derive(Debug)]
pub struct Quickest<R>(Mutex<BTreeMap<usize, (f64, R)>>);

impl<R> Quickest<R> {
    /// No run yet.
    pub const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Run a layer; what comes out of its quickest run is kept.
    pub fn run(&self, layer: &Convolution, work: impl FnOnce() -> R) {
        let clock = Instant::now();
        let result = work();
        let seconds = clock.elapsed().as_secs_f64();
        let mut best = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if best.get(&layer.index).is_none_or(|(known, _)| seconds < *known) {
            best.insert(layer.index, (seconds, result));
        }
    }

    /// Seconds and results by layer.
    pub fn runs(&self) -> BTreeMap<usize, (f64, R)>
    where
        R: Clone,
    {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Seconds in all, and of the slowest layer.
pub fn total<R>(runs: &BTreeMap<usize, (f64, R)>) -> (f64, f64) {
    let seconds = runs.values().map(|(seconds, _)| *seconds);
    (seconds.clone().sum(), seconds.fold(0.0, f64::max))
}

/// All 20, in the order of the network, with the weights of [`seed`].
pub fn resnet18() -> Vec<Convolution> {
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
        let mut random = Random::new(seed(), &format!("resnet18 layer {index}"));
        let bound = 1.0 / ((inputs * taps * taps) as f64).sqrt();
        let count = outputs * inputs * taps * taps;
        let weight = (0..count).map(|_| (bound * (2.0 * random.uniform() - 1.0)) as f32).collect();
        Convolution { index, inputs, outputs, pixels, stride, taps, weight }
    };
    shapes.into_iter().enumerate().map(with_weights).collect()
}
