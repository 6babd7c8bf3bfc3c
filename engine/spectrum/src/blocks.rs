//! Small blocks of long vectors: products, projections, orthonormal bases.
//!
//! A block is a slice of vectors one after the other. Sums over the long axis are taken in stretches of a fixed
//! length whose results are added in 64-bit floats, so they depend neither on the number of threads nor, much,
//! on the length.

use faer::{Mat, MatRef, Par, Side};
use rayon::prelude::*;

use crate::op::Real;
use crate::op::gemm::{product, rows, rows_mut};
use crate::singular::SpectrumError;

const STRETCH: usize = 4096;

/// `⟨a_i, b_j⟩` of two blocks of vectors of `len` numbers.
pub(crate) fn dots<T: Real>(a: &[T], b: &[T], len: usize) -> Mat<f64> {
    let (m, n) = (a.len() / len, b.len() / len);
    let stretch = |start: usize| {
        let width = STRETCH.min(len - start);
        let mut part = vec![T::default(); m * n];
        let (a, b) = (rows(&a[start..], m, width, len), rows(&b[start..], n, width, len));
        product(rows_mut(&mut part, m, n, n), false, a, b.transpose(), Par::Seq);
        part
    };
    let mut total = Mat::zeros(m, n);
    if m == 0 || n == 0 {
        return total;
    }
    let starts: Vec<usize> = (0..len).step_by(STRETCH).collect();
    for part in starts.par_iter().map(|&start| stretch(start)).collect::<Vec<_>>() {
        for (at, value) in part.into_iter().enumerate() {
            total[(at / n, at % n)] += value.double();
        }
    }
    total
}

/// `to_j += scale · Σ_i weights[(i, j)] · basis_i`.
pub(crate) fn add_combination<T: Real>(to: &mut [T], scale: f64, weights: MatRef<'_, f64>, basis: &[T], len: usize) {
    combine(to, true, scale, weights, basis, len);
}

fn combine<T: Real>(to: &mut [T], add: bool, scale: f64, weights: MatRef<'_, f64>, basis: &[T], len: usize) {
    let (m, n) = (weights.nrows(), weights.ncols());
    if m == 0 || n == 0 {
        return;
    }
    let mut factors = Vec::with_capacity(m * n);
    for j in 0..n {
        factors.extend((0..m).map(|i| T::of(scale * weights[(i, j)])));
    }
    rows_mut(to, n, len, len).par_col_chunks_mut(STRETCH).enumerate().for_each(|(index, to)| {
        let start = index * STRETCH;
        let width = to.ncols();
        product(to, add, rows(&factors, n, m, m), rows(&basis[start..], m, width, len), Par::Seq);
    });
}

/// `Σ_i weights[(i, j)] · basis_i` for every column `j`.
pub(crate) fn combination<T: Real>(weights: MatRef<'_, f64>, basis: &[T], len: usize) -> Vec<T> {
    let mut result = vec![T::default(); weights.ncols() * len];
    combine(&mut result, false, 1.0, weights, basis, len);
    result
}

/// Eigenvalues, descending, and eigenvectors (columns) of a symmetric matrix.
pub(crate) fn symmetric_eigen(matrix: MatRef<'_, f64>) -> Result<(Vec<f64>, Mat<f64>), SpectrumError> {
    let n = matrix.nrows();
    for j in 0..n {
        for i in 0..n {
            if !matrix[(i, j)].is_finite() {
                return Err(SpectrumError::NotFinite);
            }
        }
    }
    let eigen = matrix.self_adjoint_eigen(Side::Lower).map_err(|error| SpectrumError::NoConvergence {
        what: "the small eigenvalue problem",
        reason: format!("{error:?}"),
    })?;
    let values = (0..n).rev().map(|i| eigen.S()[i]).collect();
    let vectors = Mat::from_fn(n, n, |i, j| eigen.U()[(i, n - 1 - j)]);
    Ok((values, vectors))
}

/// An orthonormal basis of a block's span, by eigenvectors of its Gram matrix, twice (Stathopoulos and Wu).
/// Directions shorter than `floor` are dropped.
pub(crate) fn orthonormal<T: Real>(block: &[T], len: usize, floor: f64) -> Result<Vec<T>, SpectrumError> {
    let mut current = scaled_axes(block, &dots(block, block, len), len, floor)?;
    for _ in 0..2 {
        let gram = dots(&current, &current, len);
        let n = gram.nrows();
        let off = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
        let error = off.map(|(i, j)| (gram[(i, j)] - f64::from(u8::from(i == j))).abs()).fold(0.0, f64::max);
        if error < 10.0 * T::EPSILON {
            break;
        }
        current = scaled_axes(&current, &gram, len, 1e-3)?;
    }
    Ok(current)
}

fn scaled_axes<T: Real>(block: &[T], gram: &Mat<f64>, len: usize, floor: f64) -> Result<Vec<T>, SpectrumError> {
    let n = gram.nrows();
    // Unit diagonal first: short vectors then keep their digits.
    let norms: Vec<f64> = (0..n).map(|i| gram[(i, i)].max(0.0).sqrt()).collect();
    let kept: Vec<usize> = (0..n).filter(|&i| norms[i] > floor).collect();
    let unit = Mat::from_fn(kept.len(), kept.len(), |a, b| {
        let (i, j) = (kept[a], kept[b]);
        gram[(i, j)] / (norms[i] * norms[j])
    });
    let (values, vectors) = symmetric_eigen(unit.as_ref())?;
    let largest = values.first().copied().unwrap_or(0.0);
    let rank = values.iter().filter(|&&value| value > 100.0 * T::EPSILON * largest && value > 0.0).count();
    let mut weights = Mat::zeros(n, rank);
    for j in 0..rank {
        for (a, &i) in kept.iter().enumerate() {
            weights[(i, j)] = vectors[(a, j)] / (norms[i] * values[j].sqrt());
        }
    }
    Ok(combination(weights.as_ref(), block, len))
}

/// `⟨a, b⟩`.
pub(crate) fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    const LANES: usize = 16;
    let mut total = 0.0;
    for (a, b) in a.chunks(STRETCH).zip(b.chunks(STRETCH)) {
        let mut lanes = [T::default(); LANES];
        let (a_body, a_tail) = a.as_chunks::<LANES>();
        let (b_body, b_tail) = b.as_chunks::<LANES>();
        for (a, b) in a_body.iter().zip(b_body) {
            for lane in 0..LANES {
                lanes[lane] += a[lane] * b[lane];
            }
        }
        total += lanes.iter().map(|lane| lane.double()).sum::<f64>();
        total += a_tail.iter().zip(b_tail).map(|(&a, &b)| (a * b).double()).sum::<f64>();
    }
    total
}

/// `to += factor · from`.
pub(crate) fn add_scaled<T: Real>(to: &mut [T], factor: f64, from: &[T]) {
    let factor = T::of(factor);
    for (to, &from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}

/// `vector /= length`; zeros where the length is not above `floor`.
pub(crate) fn divide<T: Real>(vector: &mut [T], length: f64, floor: f64) {
    let factor = if length > floor { T::of(1.0 / length) } else { T::default() };
    for value in vector {
        *value *= factor;
    }
}

/// Bring a vector to length 1, and give the length it had.
pub(crate) fn normalise<T: Real>(vector: &mut [T]) -> f64 {
    let length = dot(vector, vector).sqrt();
    divide(vector, length, 0.0);
    length
}
