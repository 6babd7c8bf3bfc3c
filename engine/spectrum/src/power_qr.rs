//! PowerQR, the paper's shifted subspace iteration, as published; with a Rayleigh–Ritz finish on request.
//!
//! One step: `X ← Q` of the thin QR of `μ X + MᵀM X`. The diagonal of R estimates `μ + σ_i²`. The estimates
//! are lower bounds only for a single vector; with several they come out unsorted when gaps are small.

use plumb_core::Ctl;
use plumb_core::random::Random;

use crate::blocks::{add_scaled, dot, normalise};
use crate::op::{LinearOp, Real};
use crate::singular::{SingularTriplets, SpectrumError, TraceStep, ritz};
use crate::spec::Method;

/// What is asked of the iteration.
#[derive(Clone, Debug)]
pub struct PowerQrOptions {
    /// Vectors.
    pub k: usize,
    /// Most steps.
    pub steps: usize,
    /// The shift μ, which keeps the block at full rank where `M` has a null space.
    pub shift: f64,
    /// Stop early when the residual of every vector is below this (costs nothing more than dot products).
    /// `None` runs all steps, as the paper does.
    pub tolerance: Option<f64>,
    /// Finish with Rayleigh–Ritz instead of reading R's diagonal.
    pub ritz: bool,
}

impl PowerQrOptions {
    /// The paper's settings: μ = 1, no early stop, no Ritz finish.
    pub fn new(k: usize, steps: usize) -> Self {
        Self { k, steps, shift: 1.0, tolerance: None, ritz: false }
    }
}

/// A random start of `k` vectors, the warm ones first.
pub fn start<T: Real>(inputs: usize, k: usize, seed: u64, warm: Option<&[T]>) -> Vec<T> {
    let mut block: Vec<T> = warm.map_or_else(Vec::new, |warm| warm[..warm.len().min(k * inputs)].to_vec());
    let mut random = Random::new(seed, "power start");
    while block.len() < k * inputs {
        block.push(T::of(random.normal()));
    }
    block
}

/// PowerQR from a block of `options.k` inputs, which need not be orthonormal.
///
/// Without the Ritz finish `sigma` are R's estimates, sorted with their vectors. The trace has the largest
/// estimate of every step. Fails when asked to stop and when values are not finite.
pub fn power_qr<T: Real, O: LinearOp<T> + ?Sized>(
    op: &O,
    start: Vec<T>,
    options: &PowerQrOptions,
    ctl: &Ctl,
) -> Result<SingularTriplets<T>, SpectrumError> {
    power_qr_until(op, start, options, ctl, |_| false)
}

/// The same, ending as soon as `enough` says so of a step's estimates (of all `k` vectors, unsorted).
pub fn power_qr_until<T: Real, O: LinearOp<T> + ?Sized>(
    op: &O,
    start: Vec<T>,
    options: &PowerQrOptions,
    ctl: &Ctl,
    mut enough: impl FnMut(&[f64]) -> bool,
) -> Result<SingularTriplets<T>, SpectrumError> {
    let (inputs, outputs) = (op.input_len(), op.output_len());
    let k = options.k.min(inputs);
    let mut x = start;
    x.truncate(k * inputs);
    let mut estimates = vec![0.0; k];
    let mut trace = Vec::with_capacity(options.steps);
    let mut images = vec![T::default(); k * outputs];
    let mut next = vec![T::default(); k * inputs];
    let mut steps = 0;
    while steps < options.steps {
        ctl.check()?;
        op.apply(&x, k, &mut images);
        op.adjoint(&images, k, &mut next);
        steps += 1;
        // Of orthonormal vectors the images tell how far they are from singular vectors.
        let settled =
            steps > 1 && options.tolerance.is_some_and(|tolerance| spread(&x, &next, inputs) <= 0.8 * tolerance);
        add_scaled(&mut next, options.shift, &x);
        std::mem::swap(&mut x, &mut next);
        for (estimate, diagonal) in estimates.iter_mut().zip(thin_qr(&mut x, inputs)) {
            *estimate = (diagonal - options.shift).max(0.0).sqrt();
        }
        let top = estimates.iter().copied().fold(0.0, f64::max);
        if !top.is_finite() || estimates.iter().any(|estimate| estimate.is_nan()) {
            return Err(SpectrumError::NotFinite);
        }
        trace.push(TraceStep { applications: steps * k, sigma: top });
        if settled || enough(&estimates) {
            break;
        }
    }
    let (sigma, v, u) = if options.ritz {
        let found = ritz(&x, inputs, |x, y| op.apply(x, k, y), outputs)?;
        (found.sigma, found.near, found.far)
    } else {
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&a, &b| estimates[b].total_cmp(&estimates[a]));
        let v: Vec<T> = order.iter().flat_map(|&i| x[i * inputs..(i + 1) * inputs].iter().copied()).collect();
        let mut u = vec![T::default(); k * outputs];
        op.apply(&v, k, &mut u);
        for u in u.chunks_exact_mut(outputs) {
            normalise(u);
        }
        (order.iter().map(|&i| estimates[i]).collect(), v, u)
    };
    op.adjoint(&u, k, &mut next);
    let top = sigma.first().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
    let mut residual = 0.0_f64;
    for ((back, v), &sigma) in next.chunks_exact(inputs).zip(v.chunks_exact(inputs)).zip(&sigma) {
        let square: f64 = back.iter().zip(v).map(|(b, v)| (b.double() - sigma * v.double()).powi(2)).sum();
        residual = residual.max(square.sqrt() / top);
    }
    let tolerance = options.tolerance.unwrap_or(1e-4).max(30.0 * T::EPSILON);
    Ok(SingularTriplets {
        sigma,
        u,
        v,
        residual,
        converged: residual <= tolerance,
        iterations: steps * k,
        trace,
        method: Method::PowerQr,
    })
}

/// Largest `‖MᵀM x − σ² x‖ / (σ σ₁)`, `σ² = ⟨x, MᵀM x⟩`, over unit vectors `x` with images `MᵀM x`: the
/// residual of the singular triplets these vectors stand for.
fn spread<T: Real>(x: &[T], images: &[T], len: usize) -> f64 {
    let values: Vec<(f64, f64)> = x
        .chunks_exact(len)
        .zip(images.chunks_exact(len))
        .map(|(x, image)| {
            let value = dot(x, image);
            (value, (dot(image, image) - value * value).max(0.0).sqrt())
        })
        .collect();
    let top = values.iter().map(|&(value, _)| value).fold(f64::MIN_POSITIVE, f64::max);
    values.iter().map(|&(value, rest)| rest / (value.max(T::EPSILON * top) * top).sqrt()).fold(0.0, f64::max)
}

/// Gram–Schmidt, each vector twice, in place. Gives the diagonal of R.
fn thin_qr<T: Real>(x: &mut [T], len: usize) -> Vec<f64> {
    let mut diagonal = Vec::with_capacity(x.len() / len);
    for i in 0..x.len() / len {
        let (before, rest) = x.split_at_mut(i * len);
        let vector = &mut rest[..len];
        for _ in 0..2 {
            for q in before.chunks_exact(len) {
                let share = dot(q, vector);
                add_scaled(vector, -share, q);
            }
        }
        diagonal.push(normalise(vector));
    }
    diagonal
}
