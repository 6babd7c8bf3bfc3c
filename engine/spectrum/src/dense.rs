//! The whole matrix and its singular value decomposition: the exact reference.

use faer::Mat;
use plumb_core::Ctl;

use crate::op::{LinearOp, Real};
use crate::singular::{SingularTriplets, SpectrumError, TraceStep};
use crate::spec::Method;

/// Most numbers a formed matrix may have: 256 MB in 64-bit floats.
const MOST_NUMBERS: usize = 1 << 25;
/// Multiply-adds of a decomposition that is over in well under a second.
const QUICK: f64 = 2e8;
/// Multiply-adds of a decomposition worth waiting for, about half a minute.
const AFFORDABLE: f64 = 2e10;
/// Unit vectors applied at a time.
const BATCH: usize = 32;

/// Multiply-adds of the decomposition, to a constant: long side times short side squared.
fn cost<T, O: LinearOp<T> + ?Sized>(op: &O) -> f64 {
    let (inputs, outputs) = (op.input_len() as f64, op.output_len() as f64);
    inputs * outputs * inputs.min(outputs)
}

fn fits<T, O: LinearOp<T> + ?Sized>(op: &O) -> bool {
    op.input_len().checked_mul(op.output_len()).is_some_and(|numbers| numbers <= MOST_NUMBERS)
}

/// Whether the whole matrix is the quickest way.
pub fn quick<T, O: LinearOp<T> + ?Sized>(op: &O) -> bool {
    fits(op) && cost(op) <= QUICK
}

/// Whether the decomposition of the whole matrix ends within about half a minute.
pub fn affordable<T, O: LinearOp<T> + ?Sized>(op: &O) -> bool {
    fits(op) && cost(op) <= AFFORDABLE
}

/// The matrix of `op`, outputs × inputs, by applying it to the unit vectors.
///
/// Fails when asked to stop and when the matrix would not fit.
pub fn matrix<T: Real, O: LinearOp<T> + ?Sized>(op: &O, ctl: &Ctl) -> Result<Mat<T>, SpectrumError> {
    let (inputs, outputs) = (op.input_len(), op.output_len());
    if !fits(op) {
        return Err(SpectrumError::TooLarge { rows: outputs, columns: inputs });
    }
    // The fewer unit vectors the better.
    let by_rows = outputs < inputs;
    let (count, other) = if by_rows { (outputs, inputs) } else { (inputs, outputs) };
    let mut matrix = Mat::zeros(outputs, inputs);
    let mut images = vec![T::default(); BATCH.min(count) * other];
    for first in (0..count).step_by(BATCH) {
        ctl.check()?;
        let batch = BATCH.min(count - first);
        let mut units = vec![T::default(); batch * count];
        for b in 0..batch {
            units[b * count + first + b] = T::of(1.0);
        }
        let images = &mut images[..batch * other];
        if by_rows {
            op.adjoint(&units, batch, images);
        } else {
            op.apply(&units, batch, images);
        }
        for (b, image) in images.chunks_exact(other).enumerate() {
            for (at, &value) in image.iter().enumerate() {
                let place = if by_rows { (first + b, at) } else { (at, first + b) };
                matrix[place] = value;
            }
        }
    }
    if (0..inputs).any(|j| (0..outputs).any(|i| !matrix[(i, j)].double().is_finite())) {
        return Err(SpectrumError::NotFinite);
    }
    Ok(matrix)
}

/// All singular values, descending, in 64-bit floats.
pub fn all_values<T: Real, O: LinearOp<T> + ?Sized>(op: &O, ctl: &Ctl) -> Result<Vec<f64>, SpectrumError> {
    let matrix = matrix(op, ctl)?;
    let matrix = Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)].double());
    ctl.check()?;
    let mut values = matrix.singular_values().map_err(svd_failed)?;
    values.sort_by(|a, b| b.total_cmp(a));
    Ok(values)
}

/// The top `k` triplets from the decomposition of the whole matrix.
pub fn triplets<T: Real, O: LinearOp<T> + ?Sized>(
    op: &O,
    k: usize,
    ctl: &Ctl,
) -> Result<SingularTriplets<T>, SpectrumError> {
    let matrix = matrix(op, ctl)?;
    ctl.check()?;
    let svd = matrix.thin_svd().map_err(svd_failed)?;
    let k = k.min(matrix.nrows().min(matrix.ncols()));
    let sigma: Vec<f64> = (0..k).map(|i| svd.S()[i].double()).collect();
    let column = |m: faer::MatRef<'_, T>, j: usize| (0..m.nrows()).map(|i| m[(i, j)]).collect::<Vec<T>>();
    let u = (0..k).flat_map(|j| column(svd.U(), j)).collect();
    let v = (0..k).flat_map(|j| column(svd.V(), j)).collect();
    let trace = sigma.first().map(|&sigma| TraceStep { applications: 0, sigma }).into_iter().collect();
    Ok(SingularTriplets {
        sigma,
        u,
        v,
        residual: T::EPSILON,
        converged: true,
        iterations: 0,
        trace,
        method: Method::Dense,
    })
}

fn svd_failed(error: impl std::fmt::Debug) -> SpectrumError {
    SpectrumError::NoConvergence { what: "the decomposition of the whole matrix", reason: format!("{error:?}") }
}
