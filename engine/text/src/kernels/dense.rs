//! Matrix times vector: single precision and bfloat16.

use half::bf16;

use super::{LANES, dot, kernel, split_rows, total};

kernel! {
    fn rows_f32(matrix: &'a [f32], x: &'a [f32], out: &'a mut [f32]) {
        for (row, out) in matrix.chunks_exact(x.len()).zip(out) {
            *out = dot(row, x);
        }
    }
}

kernel! {
    fn rows_bf16(matrix: &'a [bf16], x: &'a [f32], out: &'a mut [f32]) {
        let wide = |bits: bf16| f32::from_bits(u32::from(bits.to_bits()) << 16);
        for (row, out) in matrix.chunks_exact(x.len()).zip(out) {
            let (w2, w_rest) = row.as_chunks::<{ 2 * LANES }>();
            let (x2, x_rest) = x.as_chunks::<{ 2 * LANES }>();
            let (mut even, mut odd) = ([0.0f32; LANES], [0.0f32; LANES]);
            for (w, x) in w2.iter().zip(x2) {
                for i in 0..LANES {
                    even[i] = wide(w[i]).mul_add(x[i], even[i]);
                }
                for i in 0..LANES {
                    odd[i] = wide(w[LANES + i]).mul_add(x[LANES + i], odd[i]);
                }
            }
            for i in 0..LANES {
                even[i] += odd[i];
            }
            let rest: f32 = w_rest.iter().zip(x_rest).map(|(&w, x)| wide(w) * x).sum();
            *out = total(&even) + rest;
        }
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
