//! How large σ₁ is, and how many singular values crowd at the top.

use plumb_core::Ctl;

use crate::dense;
use crate::krylov::{KrylovOptions, block_krylov};
use crate::op::{LinearOp, Real};
use crate::singular::{SingularTriplets, SpectrumError, TopRequest, top_singular};
use crate::spec::Method;

/// Most applications of `MᵀM` in one measurement.
const MOST: usize = 2000;

/// The top `k` triplets, from `warm` where given, with a residual of a fifth of `tolerance`: the values
/// themselves are then far closer, as their error goes with the residual's square.
pub(super) fn top<T: Real, O: LinearOp<T> + ?Sized>(
    op: &O,
    k: usize,
    tolerance: f64,
    seed: u64,
    warm: Option<&[T]>,
    ctl: &Ctl,
) -> Result<SingularTriplets<T>, SpectrumError> {
    if dense::quick(op) {
        return top_singular(op, &TopRequest { k, method: Method::Dense, ..TopRequest::default() }, ctl);
    }
    let options = KrylovOptions {
        k,
        block: if k == 1 { 2 } else { k + 1 },
        tolerance: (0.2 * tolerance).max(10.0 * T::EPSILON),
        max_applications: MOST,
        seed,
        warm,
        ..KrylovOptions::default()
    };
    block_krylov(op, &options, ctl)
}

/// σ₁ from a fresh start.
pub(super) fn norm<T: Real, O: LinearOp<T> + ?Sized>(
    op: &O,
    tolerance: f64,
    seed: u64,
    ctl: &Ctl,
) -> Result<f64, SpectrumError> {
    let found = top(op, 1, tolerance, seed, None, ctl)?;
    let sigma = found.sigma.first().copied().unwrap_or(0.0);
    if sigma.is_finite() { Ok(sigma) } else { Err(SpectrumError::NotFinite) }
}
