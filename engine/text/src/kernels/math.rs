//! Exponentials that the compiler can vectorise.

use super::{LANES, kernel};

/// eˣ to about one unit in the last place; 0 far below zero, and finite far above.
#[inline(always)]
#[expect(clippy::excessive_precision, reason = "the two parts of ln 2 are exact as written")]
pub(super) fn exp(x: f32) -> f32 {
    // x = n·ln 2 + r with |r| ≤ ln 2 / 2; adding and subtracting 1.5·2²³ rounds to a whole n.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let n = x.mul_add(std::f32::consts::LOG2_E, ROUND) - ROUND;
    let r = n.mul_add(-0.693_359_375, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    // Taylor's polynomial: the next term is below 2⁻²⁶ on this interval.
    let mut p = 1.0 / 5040.0_f32;
    p = p.mul_add(r, 1.0 / 720.0);
    p = p.mul_add(r, 1.0 / 120.0);
    p = p.mul_add(r, 1.0 / 24.0);
    p = p.mul_add(r, 1.0 / 6.0);
    p = p.mul_add(r, 0.5);
    p = p.mul_add(r, 1.0);
    p = p.mul_add(r, 1.0);
    p * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

/// tanh x.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// x·σ(x).
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// GELU by its tanh formula.
#[inline(always)]
pub(super) fn gelu_tanh(x: f32) -> f32 {
    let inner = 0.797_884_6 * 0.044_715_f32.mul_add(x * x * x, x);
    0.5 * x * (1.0 + tanh(inner))
}

kernel! {
    fn sum_exp(values: &'a [f32], highest: f32, out: &'a mut f64) {
        // A sum per lane, moved to double precision before it grows long.
        let mut total = 0.0;
        for part in values.chunks(64 * LANES) {
            let (rows, rest) = part.as_chunks::<LANES>();
            let mut sums = [0.0f32; LANES];
            for row in rows {
                for (sum, x) in sums.iter_mut().zip(row) {
                    *sum += exp(x - highest);
                }
            }
            total += sums.iter().map(|&sum| f64::from(sum)).sum::<f64>();
            total += rest.iter().map(|x| f64::from(exp(x - highest))).sum::<f64>();
        }
        *out = total;
    }
}

kernel! {
    fn scan(values: &'a [f32], highest: &'a mut f32, sound: &'a mut bool) {
        // A maximum per lane: one of all would be computed number by number.
        let (rows, rest) = values.as_chunks::<LANES>();
        let (mut highs, mut bad) = ([f32::NEG_INFINITY; LANES], [0u32; LANES]);
        for row in rows {
            for i in 0..LANES {
                highs[i] = if row[i] > highs[i] { row[i] } else { highs[i] };
                bad[i] |= u32::from(row[i].is_nan());
            }
        }
        *highest = highs.iter().chain(rest).fold(f32::NEG_INFINITY, |high, &x| high.max(x));
        *sound = bad == [0; LANES] && !rest.iter().any(|x| x.is_nan());
    }
}

/// The highest of some numbers; `None` when one of them is not a number, or there are none.
pub(crate) fn highest(values: &[f32]) -> Option<f32> {
    let (mut highest, mut sound) = (0.0, false);
    scan(values, &mut highest, &mut sound);
    (sound && !values.is_empty()).then_some(highest)
}

/// ln Σ eˣ; not a number when one of them is none.
pub(crate) fn log_sum_exp(values: &[f32]) -> f32 {
    let Some(highest) = highest(values) else { return f32::NAN };
    let mut sum = 0.0;
    sum_exp(values, highest, &mut sum);
    (f64::from(highest) + sum.ln()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_right_to_a_few_units() {
        for i in -8000..8000 {
            let x = i as f32 * 0.01;
            let (exact, found) = (f64::from(x).exp(), f64::from(exp(x)));
            assert!((found - exact).abs() <= 3e-7 * exact, "e^{x}: {found} for {exact}");
            assert!((tanh(x) - x.tanh()).abs() < 3e-7, "tanh {x}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
        assert!(exp(1e9).is_finite());
    }

    #[test]
    fn what_is_not_a_number_is_found_anywhere() {
        for at in [0, 15, 16, 39] {
            let mut values: Vec<f32> = (0..40).map(|i| -(i as f32)).collect();
            values[at] = 7.0;
            assert_eq!(highest(&values), Some(7.0));
            values[at] = f32::NAN;
            assert_eq!(highest(&values), None);
        }
        assert_eq!(highest(&[]), None);
    }
}
