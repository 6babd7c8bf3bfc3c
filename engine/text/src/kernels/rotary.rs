//! Rotary positions.

use super::kernel;

kernel! {
    fn turn(rows: &'a mut [f32], head_dim: usize, cos: &'a [f32], sin: &'a [f32]) {
        // All heads of one position; pair i is (i, i + D/2).
        for head in rows.chunks_exact_mut(head_dim) {
            let (first, second) = head.split_at_mut(head_dim / 2);
            for (((a, b), c), s) in first.iter_mut().zip(second).zip(cos).zip(sin) {
                let (x, y) = (*a, *b);
                *a = x * c - y * s;
                *b = y * c + x * s;
            }
        }
    }
}

/// Turns the heads of one position in place; `cos` and `sin` hold `head_dim`/2 numbers.
pub(crate) fn rotate(heads: &mut [f32], head_dim: usize, cos: &[f32], sin: &[f32]) {
    turn(heads, head_dim, cos, sin);
}
