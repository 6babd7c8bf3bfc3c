//! Other people's numbers for σ₁: bounds, and what is often mistaken for it.

use faer::{Accum, Mat, Par, c64};
use plumb_core::Ctl;
use plumb_core::random::Random;

use crate::blocks::{dot, normalise};
use crate::fourier::Fourier;
use crate::geometry::{Geometry, PaddingMode};
use crate::op::{DenseOp, GeometryError, LinearOp, Real};
use crate::singular::{SpectrumError, TopRequest, top_singular};
use crate::spec::Method;

/// A number and whether it is an upper bound of the layer it was computed for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The number.
    pub value: f64,
    /// Whether σ₁ of the layer can never exceed it.
    pub holds: bool,
}

/// Gram iteration (Delattre et al. 2023): `max_ω ‖G_N‖_F^(2^−N)`, a bound that falls to σ₁ of the circular
/// convolution, quadratically in the number of iterations.
///
/// A convolution with zero padding is part of a circular one on a larger grid, which is taken for it, so that
/// the bound holds there too. For reflect and replicate padding it does not hold.
pub fn gram_bound<T: Real>(
    weight: &[T],
    shape: &[usize],
    geometry: &Geometry,
    iterations: u32,
    ctl: &Ctl,
) -> Result<Bound, SpectrumError> {
    let fourier = Fourier::new(weight, shape, geometry)?;
    let (fourier, holds) = match geometry.padding_mode {
        PaddingMode::Circular => {
            let holds = fourier.exact();
            (fourier, holds)
        }
        PaddingMode::Zeros => (fourier.on_grid(zero_padded_grid(shape, geometry)), true),
        PaddingMode::Reflect | PaddingMode::Replicate => (fourier, false),
    };
    let bounds = fourier.each_block(ctl, |_, block| gram(block, iterations))?;
    Ok(Bound { value: bounds.into_iter().fold(0.0, f64::max), holds })
}

/// A grid on which the circular convolution contains the zero-padded one: input and kernel without overlap.
fn zero_padded_grid(shape: &[usize], geometry: &Geometry) -> [usize; 2] {
    let taps = if shape.len() == 3 { [1, shape[2]] } else { [shape[2], shape[3]] };
    let dilation = if shape.len() == 3 { [1, geometry.dilation[1]] } else { geometry.dilation };
    [0, 1].map(|axis| geometry.input[axis] + (taps[axis] - 1) * dilation[axis])
}

fn gram(block: Mat<c64>, iterations: u32) -> Result<f64, SpectrumError> {
    let mut g = block;
    let mut log_scale = 0.0;
    for _ in 0..iterations {
        let norm = g.norm_l2();
        if norm == 0.0 {
            return Ok(0.0);
        }
        log_scale = 2.0 * (log_scale + norm.ln());
        let scale = c64::new(1.0 / (norm * norm), 0.0);
        // Both products have the same Frobenius norm: take the smaller one.
        let n = g.nrows().min(g.ncols());
        let mut next = Mat::zeros(n, n);
        if g.nrows() < g.ncols() {
            faer::linalg::matmul::matmul(&mut next, Accum::Replace, &g, g.adjoint(), scale, Par::Seq);
        } else {
            faer::linalg::matmul::matmul(&mut next, Accum::Replace, g.adjoint(), &g, scale, Par::Seq);
        }
        g = next;
    }
    let root = 0.5_f64.powi(iterations as i32);
    let norm = g.norm_l2();
    if !norm.is_finite() {
        return Err(SpectrumError::NotFinite);
    }
    Ok(norm.powf(root) * (root * log_scale).exp())
}

/// σ₁ of the kernel reshaped to (first axis, rest): Miyato's number, not the norm of the layer.
pub fn reshaped_norm<T: Real>(weight: &[T], shape: &[usize], ctl: &Ctl) -> Result<f64, SpectrumError> {
    let first = shape.first().copied().unwrap_or(1);
    matrix_norm(weight.to_vec(), first, weight.len() / first.max(1), ctl)
}

fn matrix_norm<T: Real>(weight: Vec<T>, rows: usize, columns: usize, ctl: &Ctl) -> Result<f64, SpectrumError> {
    let op = DenseOp::new(weight, &[rows, columns])?;
    let request =
        TopRequest { k: 1, method: Method::Auto, tolerance: 1e-4, max_iterations: 2000, ..TopRequest::default() };
    Ok(top_singular(&op, &request, ctl)?.sigma.first().copied().unwrap_or(0.0))
}

/// “Fantastic four” (Singla and Feizi 2021): √(kh·kw) times the smallest norm of four reshapes of the kernel. An
/// upper bound for circular and zero padding, any stride and dilation; the largest of the groups'.
pub fn fantastic_four<T: Real>(
    weight: &[T],
    shape: &[usize],
    geometry: &Geometry,
    ctl: &Ctl,
) -> Result<Bound, SpectrumError> {
    let (inputs, kh, kw) = match *shape {
        [_, inputs, k] => (inputs, 1, k),
        [_, inputs, kh, kw] => (inputs, kh, kw),
        _ => return Err(GeometryError::Rank { op: "convolution", expected: 4, shape: shape.to_vec() }.into()),
    };
    let groups = geometry.groups.max(1);
    let outputs = shape[0] / groups;
    if outputs * groups != shape[0] {
        return Err(GeometryError::Groups { channels: shape[0], groups }.into());
    }
    let mut value = 0.0_f64;
    for filter in weight.chunks(outputs * inputs * kh * kw) {
        let at = |o: usize, i: usize, a: usize, b: usize| filter[((o * inputs + i) * kh + a) * kw + b];
        let mut by_inputs = Vec::with_capacity(filter.len());
        for i in 0..inputs {
            for o in 0..outputs {
                by_inputs.extend((0..kh * kw).map(|t| at(o, i, t / kw, t % kw)));
            }
        }
        let mut by_rows = Vec::with_capacity(filter.len());
        for (o, a) in (0..outputs).flat_map(|o| (0..kh).map(move |a| (o, a))) {
            by_rows.extend((0..inputs * kw).map(|c| at(o, c / kw, a, c % kw)));
        }
        let mut by_columns = Vec::with_capacity(filter.len());
        for (o, b) in (0..outputs).flat_map(|o| (0..kw).map(move |b| (o, b))) {
            by_columns.extend((0..inputs * kh).map(|c| at(o, c / kh, c % kh, b)));
        }
        let norms = [
            matrix_norm(filter.to_vec(), outputs, inputs * kh * kw, ctl)?,
            matrix_norm(by_inputs, inputs, outputs * kh * kw, ctl)?,
            matrix_norm(by_rows, outputs * kh, inputs * kw, ctl)?,
            matrix_norm(by_columns, outputs * kw, inputs * kh, ctl)?,
        ];
        let smallest = norms.into_iter().fold(f64::INFINITY, f64::min);
        value = value.max(((kh * kw) as f64).sqrt() * smallest);
    }
    let holds = matches!(geometry.padding_mode, PaddingMode::Zeros | PaddingMode::Circular);
    Ok(Bound { value, holds })
}

/// Gouk's estimate: a few power iterations from a fresh random vector. Never above σ₁ of the operator.
///
/// Gouk et al. (2021) run five of them with zero padding whatever the layer's padding is.
pub fn power_estimate<T: Real, O: LinearOp<T> + ?Sized>(
    op: &O,
    iterations: usize,
    seed: u64,
    ctl: &Ctl,
) -> Result<f64, SpectrumError> {
    let mut random = Random::new(seed, "gouk start");
    let mut v: Vec<T> = (0..op.input_len()).map(|_| T::of(random.normal())).collect();
    let mut u = vec![T::default(); op.output_len()];
    normalise(&mut v);
    for _ in 0..iterations {
        ctl.check()?;
        op.apply(&v, 1, &mut u);
        normalise(&mut u);
        op.adjoint(&u, 1, &mut v);
        normalise(&mut v);
    }
    op.apply(&v, 1, &mut u);
    let norm = dot(&u, &u).sqrt();
    if norm.is_finite() { Ok(norm) } else { Err(SpectrumError::NotFinite) }
}
