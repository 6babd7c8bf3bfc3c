//! What the numeric tests share: the kernels and geometries of the fixture file.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
#![allow(dead_code)] // each test file uses its part of this

use plumb_core::Ctl;
use plumb_spectrum::geometry::{Geometry, PaddingMode};
use plumb_spectrum::op::ConvOp;
use serde::Deserialize;

/// A case of `fixtures/conv-spectra.json`: exact singular values of one geometry.
#[derive(Debug, Deserialize)]
pub struct Case {
    pub name: String,
    pub shape: Vec<usize>,
    pub n: usize,
    pub p: usize,
    pub mode: PaddingMode,
    #[serde(default = "one")]
    pub stride: usize,
    #[serde(default = "one")]
    pub dil: usize,
    pub out_in: [usize; 2],
    pub top8: Vec<f64>,
    pub min: f64,
    pub sum: f64,
    pub sumsq: f64,
    pub count: usize,
}

fn one() -> usize {
    1
}

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

/// The 26 cases.
pub fn cases() -> Vec<Case> {
    let file: File = serde_json::from_str(include_str!("../fixtures/conv-spectra.json")).unwrap();
    assert_eq!(file.cases.len(), 26, "cases in the fixture");
    file.cases
}

impl Case {
    pub fn geometry(&self) -> Geometry {
        Geometry {
            input: [self.n, self.n],
            stride: [self.stride; 2],
            padding: [self.p; 2],
            padding_mode: self.mode,
            dilation: [self.dil; 2],
            ..Geometry::default()
        }
    }

    pub fn op(&self) -> ConvOp<f64> {
        ConvOp::new(lcg(&self.shape), &self.shape, &self.geometry()).unwrap()
    }

    pub fn label(&self) -> String {
        format!("{} {:?} stride {} padding {} dilation {}", self.name, self.mode, self.stride, self.p, self.dil)
    }
}

/// The fixture's kernel: `w_i = ((37 i + 11) mod 101) / 101 − 0.5`.
pub fn lcg(shape: &[usize]) -> Vec<f64> {
    let count: usize = shape.iter().product();
    (0..count).map(|i| ((37 * i + 11) % 101) as f64 / 101.0 - 0.5).collect()
}

/// A conv2d geometry with equal numbers on both axes.
pub fn square(n: usize, padding: usize, mode: PaddingMode, stride: usize) -> Geometry {
    Geometry { input: [n, n], padding: [padding; 2], padding_mode: mode, stride: [stride; 2], ..Geometry::default() }
}

/// A conv1d geometry.
pub fn line(n: usize, padding: usize, mode: PaddingMode, stride: usize) -> Geometry {
    Geometry { input: [1, n], padding: [0, padding], padding_mode: mode, stride: [1, stride], ..Geometry::default() }
}

pub fn ctl() -> Ctl {
    Ctl::new(0)
}

#[track_caller]
pub fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let scale = expected.abs().max(1.0);
    assert!((found - expected).abs() <= tolerance * scale, "{what}: found {found}, expected {expected}");
}
