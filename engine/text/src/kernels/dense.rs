//! Matrix times vector: single precision and bfloat16.

use half::bf16;

use super::lanes::Lanes;
use super::{LANES, lane_kernel, split_rows};

/// Lanes that are summed side by side, so that additions need not wait for each other.
const SIDES: usize = 4;

/// A number that a matrix is made of.
trait Weight: Copy {
    /// Sixteen of them in single precision.
    fn load<L: Lanes>(lanes: L, weights: &[Self; LANES]) -> L::Numbers;
    /// One of them.
    fn single(self) -> f32;
}

impl Weight for f32 {
    #[inline(always)]
    fn load<L: Lanes>(lanes: L, weights: &[Self; LANES]) -> L::Numbers {
        lanes.load(weights)
    }
    #[inline(always)]
    fn single(self) -> f32 {
        self
    }
}

impl Weight for bf16 {
    #[inline(always)]
    fn load<L: Lanes>(lanes: L, weights: &[Self; LANES]) -> L::Numbers {
        lanes.widen(weights)
    }
    #[inline(always)]
    fn single(self) -> f32 {
        self.to_f32()
    }
}

#[inline(always)]
fn rows<L: Lanes, W: Weight>(lanes: L, matrix: &[W], x: &[f32], out: &mut [f32]) {
    let (x_lanes, x_rest) = x.as_chunks::<LANES>();
    for (row, out) in matrix.chunks_exact(x.len()).zip(out) {
        let (row, rest) = row.as_chunks::<LANES>();
        let mut sums = [lanes.splat(0.0); SIDES];
        let (rows4, row) = row.as_chunks::<SIDES>();
        let (x4, x_lanes) = x_lanes.as_chunks::<SIDES>();
        for (w, x) in rows4.iter().zip(x4) {
            for side in 0..SIDES {
                sums[side] = lanes.mul_add(W::load(lanes, &w[side]), lanes.load(&x[side]), sums[side]);
            }
        }
        for (w, x) in row.iter().zip(x_lanes) {
            sums[0] = lanes.mul_add(W::load(lanes, w), lanes.load(x), sums[0]);
        }
        let rest: f32 = rest.iter().zip(x_rest).map(|(w, x)| w.single() * x).sum();
        *out = sums.into_iter().map(|sum| lanes.sum(sum)).sum::<f32>() + rest;
    }
}

lane_kernel! {
    fn rows_f32(lanes; matrix: &'a [f32], x: &'a [f32], out: &'a mut [f32]) {
        rows(lanes, matrix, x, out);
    }
}

lane_kernel! {
    fn rows_bf16(lanes; matrix: &'a [bf16], x: &'a [f32], out: &'a mut [f32]) {
        rows(lanes, matrix, x, out);
    }
}

/// `out` = `matrix`·`x`; the matrix is row-major with rows as long as `x`.
pub(crate) fn dense_f32(matrix: &[f32], x: &[f32], out: &mut [f32]) {
    let width = x.len();
    split_rows(out, width, |first, out| rows_f32(&matrix[first * width..(first + out.len()) * width], x, out));
}

/// As [`dense_f32`] with a matrix in bfloat16.
pub(crate) fn dense_bf16(matrix: &[bf16], x: &[f32], out: &mut [f32]) {
    let width = x.len();
    split_rows(out, width, |first, out| rows_bf16(&matrix[first * width..(first + out.len()) * width], x, out));
}

#[cfg(test)]
mod tests {
    use plumb_core::random::Random;

    use super::*;

    #[test]
    fn products_agree_with_the_definition() {
        let mut random = Random::new(5, "dense");
        for (height, width) in [(3, 5), (7, 16), (9, 100), (300, 777)] {
            let matrix: Vec<f32> = (0..height * width).map(|_| random.normal() as f32).collect();
            let half: Vec<bf16> = matrix.iter().map(|&w| bf16::from_f32(w)).collect();
            let x: Vec<f32> = (0..width).map(|_| random.normal() as f32).collect();
            let exact = |weight: &dyn Fn(usize) -> f64, row: usize| -> f64 {
                (0..width).map(|i| weight(row * width + i) * f64::from(x[i])).sum()
            };
            let (mut full, mut halved) = (vec![0.0; height], vec![0.0; height]);
            dense_f32(&matrix, &x, &mut full);
            dense_bf16(&half, &x, &mut halved);
            for row in 0..height {
                assert!((f64::from(full[row]) - exact(&|i| f64::from(matrix[i]), row)).abs() < 1e-4);
                assert!((f64::from(halved[row]) - exact(&|i| half[i].to_f64(), row)).abs() < 1e-4);
            }
        }
    }
}
