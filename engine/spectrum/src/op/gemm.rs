//! Matrix products of row-major slices.

use faer::linalg::matmul::matmul;
use faer::mat::{MatMut, MatRef};
use faer::{Accum, Par};

use super::Real;

/// A row-major matrix of `rows` rows that starts at the slice's beginning; rows are `stride` numbers apart.
pub(crate) fn rows<T>(data: &[T], rows: usize, columns: usize, stride: usize) -> MatRef<'_, T> {
    MatRef::from_row_major_slice_with_stride(data, rows, columns, stride)
}

/// The same, to write to. (faer 0.24.4's own `from_row_major_slice_with_stride_mut` forgets to transpose.)
pub(crate) fn rows_mut<T>(data: &mut [T], rows: usize, columns: usize, stride: usize) -> MatMut<'_, T> {
    MatMut::from_column_major_slice_with_stride_mut(data, columns, rows, stride).transpose_mut()
}

/// `dst = a b`, or `dst += a b`.
pub(crate) fn product<T: Real>(dst: MatMut<'_, T>, add: bool, a: MatRef<'_, T>, b: MatRef<'_, T>, par: Par) {
    let accum = if add { Accum::Add } else { Accum::Replace };
    matmul(dst, accum, a, b, T::of(1.0), par);
}

/// As many threads as the pool has.
pub(crate) fn all_threads() -> Par {
    Par::rayon(0)
}
