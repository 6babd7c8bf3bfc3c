//! Norms of rows.

use super::{dot, kernel};

kernel! {
    fn rms_rows(rows: &'a [f32], weight: &'a [f32], epsilon: f32, out: &'a mut [f32]) {
        let width = weight.len();
        for (row, out) in rows.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            let scale = 1.0 / (dot(row, row) / width as f32 + epsilon).sqrt();
            for ((x, w), out) in row.iter().zip(weight).zip(out) {
                *out = x * scale * w;
            }
        }
    }
}

kernel! {
    fn layer_rows(rows: &'a [f32], weight: &'a [f32], bias: &'a [f32], epsilon: f32, out: &'a mut [f32]) {
        let width = weight.len();
        for (row, out) in rows.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / width as f64;
            let mean = mean as f32;
            for (x, out) in row.iter().zip(out.iter_mut()) {
                *out = x - mean;
            }
            let scale = 1.0 / (dot(out, out) / width as f32 + epsilon).sqrt();
            for ((out, w), b) in out.iter_mut().zip(weight).zip(bias) {
                *out = (*out * scale).mul_add(*w, *b);
            }
        }
    }
}

/// Rows of numbers that are worth waking a thread for.
const WORTH: usize = 1 << 15;

fn pieces(rows: &[f32], width: usize, out: &mut [f32], work: impl Fn(&[f32], &mut [f32]) + Sync) {
    use rayon::prelude::*;
    if rows.len() < 2 * WORTH {
        work(rows, out);
    } else {
        let share = (WORTH / width).max(1) * width;
        rows.par_chunks(share).zip(out.par_chunks_mut(share)).for_each(|(rows, out)| work(rows, out));
    }
}

/// x/√(mean x² + ε)·w for rows as wide as `weight`.
pub(crate) fn rms_norm(rows: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    pieces(rows, weight.len(), out, |rows, out| rms_rows(rows, weight, epsilon, out));
}

/// (x − mean)/√(variance + ε)·w + b for rows as wide as `weight`.
pub(crate) fn layer_norm(rows: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, out: &mut [f32]) {
    pieces(rows, weight.len(), out, |rows, out| layer_rows(rows, weight, bias, epsilon, out));
}
