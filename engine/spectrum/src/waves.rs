//! Where the top singular vectors of a convolution are likely to be, before any iteration.
//!
//! On an image much larger than the kernel a convolution acts almost as multiplication by its symbol
//! `K(ω) = Σ_t W_t e^{iωt}`. Its top singular vectors are then near standing waves: `e^{iωx}` at a peak ω of
//! `‖K(ω)‖`, in the channels of that block's top right singular vector, under `sin(πpx/(n+1))` along each axis, which
//! is zero just outside the image as the padding is. [`standing_waves`] gives the first of these for every high
//! peak; [`block_krylov`](crate::krylov::block_krylov) looks for singular vectors among them first. They are where a
//! search starts and no more: nothing is taken from them unseen.

use std::f64::consts::{PI, TAU};

use plumb_core::random::Random;
use rayon::prelude::*;

use crate::op::Real;

/// Points per axis at which the symbol is looked at. It is a trigonometric polynomial of the kernel's degree, so a
/// kernel of `taps` needs a few times as many.
const GRID: usize = 16;
/// Pixels per axis from which on waves are better guesses than chance.
const LARGE: usize = 24;
/// Peaks below this share of the highest have no wave among the top few.
const HIGH: f64 = 0.97;
/// … and no more than this many are followed.
const PEAKS: usize = 3;
/// Steps of the power iteration that ranks frequencies, and of the one whose vector is used.
const RANKING: usize = 8;
const FINDING: usize = 40;
/// Half a grid step is halved until it is smaller than this share of a wave of the image's length.
const FINEST: f64 = 0.1;
/// Waves per axis: (1, 1), (1, 2), (2, 1).
const WAVES: [[usize; 2]; 3] = [[1, 1], [1, 2], [2, 1]];

/// The kernel (out, in, kh, kw) of a convolution with stride 1, as its symbol sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol<'a, T> {
    pub weight: &'a [T],
    pub outputs: usize,
    pub inputs: usize,
    pub taps: [usize; 2],
}

/// A complex vector, its real parts first.
type Complex = Vec<f64>;

impl<T: Real> Symbol<'_, T> {
    /// Real and imaginary parts of `K(ω)`, (out, in) each.
    fn at(&self, frequency: [f64; 2]) -> [Vec<f64>; 2] {
        let [kh, kw] = self.taps;
        let turns: Vec<(f64, f64)> = (0..kh * kw)
            .map(|tap| {
                let (sin, cos) = (frequency[0] * (tap / kw) as f64 + frequency[1] * (tap % kw) as f64).sin_cos();
                (cos, sin)
            })
            .collect();
        let sum = |part: fn(&(f64, f64)) -> f64| {
            let factors: Vec<f64> = turns.iter().map(part).collect();
            let of = |kernel: &[T]| kernel.iter().zip(&factors).map(|(w, f)| w.double() * f).sum();
            self.weight.chunks_exact(kh * kw).map(of).collect()
        };
        [sum(|turn| turn.0), sum(|turn| turn.1)]
    }

    /// `‖K(ω)‖` and its right singular vector by `steps` power iterations from `start`.
    fn top(&self, frequency: [f64; 2], start: &[f64], steps: usize) -> (f64, Complex) {
        let [real, imaginary] = self.at(frequency);
        let (n, mut v) = (self.inputs, start.to_vec());
        let mut image = vec![0.0; 2 * self.outputs];
        let mut sigma = 0.0;
        for _ in 0..steps {
            let length = v.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
            for x in &mut v {
                *x /= length;
            }
            let (vr, vi) = v.split_at(n);
            let (ur, ui) = image.split_at_mut(self.outputs);
            for (o, (r, i)) in real.chunks_exact(n).zip(imaginary.chunks_exact(n)).enumerate() {
                let (mut sr, mut si) = (0.0, 0.0);
                for (((r, i), vr), vi) in r.iter().zip(i).zip(vr).zip(vi) {
                    sr += r * vr - i * vi;
                    si += r * vi + i * vr;
                }
                (ur[o], ui[o]) = (sr, si);
            }
            sigma = image.iter().map(|x| x * x).sum::<f64>().sqrt();
            v.fill(0.0);
            let (vr, vi) = v.split_at_mut(n);
            for (o, (r, i)) in real.chunks_exact(n).zip(imaginary.chunks_exact(n)).enumerate() {
                let (ur, ui) = (image[o], image[self.outputs + o]);
                for (((r, i), vr), vi) in r.iter().zip(i).zip(vr.iter_mut()).zip(vi.iter_mut()) {
                    *vr += r * ur + i * ui;
                    *vi += r * ui - i * ur;
                }
            }
        }
        (sigma, v)
    }

    /// The high peaks of `‖K(ω)‖`, highest first, with their right singular vectors.
    fn peaks(&self, image: [usize; 2], seed: u64) -> Vec<([f64; 2], Complex)> {
        let mut random = Random::new(seed, "standing waves");
        let start: Vec<f64> = (0..2 * self.inputs).map(|_| random.normal()).collect();
        let step = TAU / GRID as f64;
        // K(−ω) is the conjugate of K(ω), so half of the grid is enough.
        let half = GRID / 2 + 1;
        let frequency = |at: usize| [(at / half) as f64 * step, (at % half) as f64 * step];
        let norms: Vec<f64> =
            (0..GRID * half).into_par_iter().map(|at| self.top(frequency(at), &start, RANKING).0).collect();
        let norm = |i: usize, j: usize| {
            let (i, j) = (i % GRID, j % GRID);
            if j < half { norms[i * half + j] } else { norms[(GRID - i) % GRID * half + GRID - j] }
        };
        let highest = norms.iter().copied().fold(0.0, f64::max);
        let is_peak = |at: &usize| {
            let (i, j) = (at / half + GRID, at % half + GRID);
            let around = (0..9).filter(|side| *side != 4).map(|side| norm(i + side / 3 - 1, j + side % 3 - 1));
            norms[*at] >= HIGH * HIGH * highest && around.fold(0.0, f64::max) <= norms[*at]
        };
        let mut peaks: Vec<(f64, [f64; 2], Complex)> = (0..GRID * half)
            .filter(is_peak)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|at| self.climb(frequency(at), &start, 0.5 * step, FINEST * PI / image[0].max(image[1]) as f64))
            .collect();
        peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
        let highest = peaks.first().map_or(0.0, |peak| peak.0);
        // Mirror images of one peak on the edge of the half grid are one.
        let mirrored = |a: [f64; 2], b: [f64; 2]| {
            (0..2).all(|axis| ((a[axis] + b[axis] + PI).rem_euclid(TAU) - PI).abs() < 0.5 * step)
        };
        let mut kept: Vec<([f64; 2], Complex)> = Vec::new();
        for (value, at, vector) in peaks {
            if value >= HIGH * highest && kept.len() < PEAKS && !kept.iter().any(|(other, _)| mirrored(at, *other)) {
                kept.push((at, vector));
            }
        }
        kept
    }

    /// From a point of the grid uphill.
    fn climb(&self, mut at: [f64; 2], start: &[f64], mut step: f64, finest: f64) -> (f64, [f64; 2], Complex) {
        let (mut height, mut vector) = self.top(at, start, FINDING);
        while step > finest {
            let sides = [[step, 0.0], [-step, 0.0], [0.0, step], [0.0, -step]];
            let tried = sides.map(|side| {
                let beside = [at[0] + side[0], at[1] + side[1]];
                (self.top(beside, &vector, RANKING), beside)
            });
            let best = tried.into_iter().max_by(|a, b| a.0.0.total_cmp(&b.0.0));
            match best {
                Some(((found, new), beside)) if found > height => (height, vector, at) = (found, new, beside),
                _ => step *= 0.5,
            }
        }
        let (height, vector) = self.top(at, &vector, FINDING);
        (height, at, vector)
    }
}

/// Inputs (channels, height, width) near the top right singular vectors of a convolution with stride 1 on an image of
/// zeros outside, one after the other, at most `most`; not orthogonal. None where the image is too small for waves to
/// be good guesses.
pub(crate) fn standing_waves<T: Real>(symbol: &Symbol<'_, T>, image: [usize; 2], most: usize, seed: u64) -> Vec<T> {
    let small = (0..2).any(|axis| image[axis] < LARGE.max(4 * symbol.taps[axis]));
    let peaks = PEAKS.min(most / (2 * WAVES.len()));
    if small || peaks == 0 || symbol.weight.iter().any(|w| !w.double().is_finite()) {
        return Vec::new();
    }
    let [height, width] = image;
    let pixels = height * width;
    let bow = |waves: usize, x: usize, n: usize| (PI * waves as f64 * (x + 1) as f64 / (n + 1) as f64).sin();
    let mut all = Vec::new();
    for (frequency, vector) in symbol.peaks(image, seed).into_iter().take(peaks) {
        for waves in WAVES {
            // Real and imaginary part of e^{iωx} v, a quarter of a wave apart.
            for quarter in [0.0, 0.5 * PI] {
                let first = all.len();
                all.resize(first + symbol.inputs * pixels, T::default());
                let of_wave = &mut all[first..];
                for at in 0..pixels {
                    let (y, x) = (at / width, at % width);
                    let under = bow(waves[0], y, height) * bow(waves[1], x, width);
                    let (sin, cos) = (frequency[0] * y as f64 + frequency[1] * x as f64 - quarter).sin_cos();
                    for (channel, plane) in of_wave.chunks_exact_mut(pixels).enumerate() {
                        let (re, im) = (vector[channel], vector[symbol.inputs + channel]);
                        plane[at] = T::of(under * (cos * re - sin * im));
                    }
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use plumb_core::random::Random;

    use super::*;
    use crate::geometry::Geometry;
    use crate::op::{ConvOp, LinearOp};

    fn kernel(outputs: usize, inputs: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed, "kernel");
        (0..outputs * inputs * 9).map(|_| random.normal()).collect()
    }

    #[test]
    fn the_symbol_of_one_tap_is_its_matrix() {
        let weight = [3.0, 0.0, 0.0, 4.0];
        let symbol = Symbol { weight: &weight, outputs: 2, inputs: 2, taps: [1, 1] };
        let (sigma, vector) = symbol.top([0.3, 0.7], &[1.0, 1.0, 0.0, 0.0], 60);
        assert!((sigma - 4.0).abs() < 1e-12 && vector[0].abs() < 1e-6);
    }

    #[test]
    fn waves_are_stretched_nearly_as_much_as_anything() {
        for seed in 0..4 {
            let weight = kernel(8, 6, seed);
            let geometry = Geometry { input: [32, 24], padding: [1, 1], ..Geometry::default() };
            let op = ConvOp::new(weight.clone(), &[8, 6, 3, 3], &geometry).unwrap();
            let symbol = Symbol { weight: &weight, outputs: 8, inputs: 6, taps: [3, 3] };
            let waves = standing_waves(&symbol, [32, 24], 18, 1);
            let stretched = |wave: &[f64]| {
                let mut image = vec![0.0; LinearOp::<f64>::output_len(&op)];
                op.apply(wave, 1, &mut image);
                let square = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
                (square(&image) / square(wave)).sqrt()
            };
            let found = crate::krylov::block_krylov(
                &op,
                &crate::krylov::KrylovOptions { k: 1, ..Default::default() },
                &plumb_core::Ctl::new(0),
            )
            .unwrap();
            let best = waves.chunks_exact(6 * 32 * 24).map(stretched).fold(0.0, f64::max);
            assert!(best > 0.98 * found.sigma[0] && best <= found.sigma[0] * (1.0 + 1e-6), "{best} {:?}", found.sigma);
        }
    }

    #[test]
    fn small_images_and_bad_numbers_have_none() {
        let mut weight = kernel(4, 4, 0);
        let symbol = Symbol { weight: &weight, outputs: 4, inputs: 4, taps: [3, 3] };
        assert!(standing_waves(&symbol, [8, 32], 18, 0).is_empty());
        weight[3] = f64::NAN;
        let symbol = Symbol { weight: &weight, outputs: 4, inputs: 4, taps: [3, 3] };
        assert!(standing_waves(&symbol, [32, 32], 18, 0).is_empty());
    }
}
