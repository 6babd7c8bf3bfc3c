//! Circular convolutions in Fourier space: exact singular values block by block, and clipping there.
//!
//! After Sedghi, Gupta and Long, “The singular values of convolutional layers” (2019), with the polyphase form
//! for strides and the practical clipping of Senderovich et al. (2022). A circular convolution of stride 1 is a
//! direct sum of one block `K(ω) = Σ_t W_t e^{iωt}` per frequency; with stride s the s² frequencies that fall
//! onto each other stand side by side in one block, divided by s. A real kernel has `K(−ω) = conj K(ω)`, so half
//! of the frequencies are enough. A kernel has few taps, so each block is summed from them directly: that costs
//! less than the decomposition that follows, and needs no grid of kernels.

use std::f64::consts::TAU;
use std::sync::atomic::{AtomicU64, Ordering};

use faer::{Mat, c64};
use plumb_core::Ctl;
use rayon::prelude::*;

use crate::geometry::{Geometry, PaddingMode};
use crate::op::{GeometryError, Real};
use crate::report::FrequencyMap;
use crate::singular::SpectrumError;

/// Multiply-adds of all blocks' decompositions worth waiting for, about half a minute.
const AFFORDABLE: f64 = 1e10;

/// A convolution seen as circular on a grid.
#[derive(Clone, Debug)]
pub struct Fourier<T> {
    weight: Vec<T>,
    shape: Vec<usize>,
    groups: usize,
    group_in: usize,
    group_out: usize,
    taps: [usize; 2],
    dilation: [usize; 2],
    stride: [usize; 2],
    /// Pixels of the grid; a multiple of the stride.
    grid: [usize; 2],
    exact: bool,
    note: String,
}

/// One block's frequency on the coarse grid, and how many blocks it stands for (2 with its mirror image).
#[derive(Clone, Copy, Debug)]
struct Frequency {
    at: [usize; 2],
    mirror: [usize; 2],
    stands_for: usize,
}

/// A kernel clipped in Fourier space.
#[derive(Clone, Debug)]
pub struct FourierClip<T> {
    /// The clipped kernel, cut to the taps the kernel has.
    pub weight: Vec<T>,
    /// Share of the clipped full-size kernel's squared norm that the cut threw away.
    pub discarded: f64,
    /// Singular values that were above the target.
    pub clamped: usize,
}

impl<T: Real> Fourier<T> {
    /// The circular convolution of a conv1d (out, in / groups, k) or conv2d (out, in / groups, kh, kw) kernel on
    /// the geometry's input. [`exact`](Self::exact) tells whether that is the layer itself.
    pub fn new(weight: &[T], shape: &[usize], geometry: &Geometry) -> Result<Self, GeometryError> {
        let op = crate::op::ConvOp::new(weight.to_vec(), shape, geometry)?;
        let output = op.output_size();
        let taps = if shape.len() == 3 { [1, shape[2]] } else { [shape[2], shape[3]] };
        // A conv1d has no second axis to step along.
        let along = |pair: [usize; 2]| if shape.len() == 3 { [1, pair[1]] } else { pair };
        let (stride, dilation) = (along(geometry.stride), along(geometry.dilation));
        let grid = [0, 1].map(|axis| geometry.input[axis].next_multiple_of(stride[axis]));
        let fits = grid == geometry.input && [0, 1].map(|axis| grid[axis] / stride[axis]) == output;
        let circular = geometry.padding_mode == PaddingMode::Circular;
        let note = if circular && fits {
            "Exact: the padding is circular, so these are the layer's own singular values."
        } else if circular {
            "Approximate: the padding is circular, but the output is not the input divided by the stride."
        } else {
            "Approximate: the layer's padding is not circular; its own singular values can lie above and below."
        };
        Ok(Self {
            weight: weight.to_vec(),
            shape: shape.to_vec(),
            groups: geometry.groups,
            group_in: shape[1],
            group_out: shape[0] / geometry.groups,
            taps,
            dilation,
            stride,
            grid,
            exact: circular && fits,
            note: note.to_owned(),
        })
    }

    /// The same kernel on a larger grid.
    #[must_use]
    pub fn on_grid(mut self, grid: [usize; 2]) -> Self {
        self.grid = [0, 1].map(|axis| grid[axis].max(1).next_multiple_of(self.stride[axis]));
        self.exact = false;
        self
    }

    /// Whether the blocks' singular values are the layer's own.
    pub fn exact(&self) -> bool {
        self.exact
    }

    /// When the values are right, in one sentence.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Whether all singular values can be had within about half a minute.
    pub fn affordable(&self) -> bool {
        let (rows, columns) = (self.group_out as f64, (self.group_in * self.aliases()) as f64);
        let blocks = self.groups as f64 * self.coarse().iter().product::<usize>() as f64 / 2.0;
        blocks * rows * columns * rows.min(columns) <= AFFORDABLE
    }

    fn coarse(&self) -> [usize; 2] {
        [self.grid[0] / self.stride[0], self.grid[1] / self.stride[1]]
    }

    fn aliases(&self) -> usize {
        self.stride[0] * self.stride[1]
    }

    /// One of each pair of mirrored frequencies.
    fn frequencies(&self) -> Vec<Frequency> {
        let coarse = self.coarse();
        let all = (0..coarse[0]).flat_map(|a| (0..coarse[1]).map(move |b| [a, b]));
        all.filter_map(|at| {
            let mirror = [(coarse[0] - at[0]) % coarse[0], (coarse[1] - at[1]) % coarse[1]];
            (at <= mirror).then_some(Frequency { at, mirror, stands_for: 1 + usize::from(at != mirror) })
        })
        .collect()
    }

    /// `e^{iωt}` for every tap of the frequency that is alias `alias` of `at`.
    fn phases(&self, at: [usize; 2], alias: usize) -> Vec<c64> {
        let alias = [alias / self.stride[1], alias % self.stride[1]];
        let coarse = self.coarse();
        let turn = |axis: usize, tap: usize| {
            let index = at[axis] + alias[axis] * coarse[axis];
            // Whole turns drop out exactly.
            (index * tap * self.dilation[axis] % self.grid[axis]) as f64 / self.grid[axis] as f64
        };
        let taps = (0..self.taps[0]).flat_map(|a| (0..self.taps[1]).map(move |b| [a, b]));
        taps.map(|tap| {
            let angle = TAU * (turn(0, tap[0]) + turn(1, tap[1]));
            c64::new(angle.cos(), angle.sin())
        })
        .collect()
    }

    /// The block of one group and frequency: (out, aliases · in).
    pub(crate) fn block(&self, group: usize, at: [usize; 2]) -> Mat<c64> {
        let aliases = self.aliases();
        let scale = 1.0 / (aliases as f64).sqrt();
        let phases: Vec<Vec<c64>> = (0..aliases).map(|alias| self.phases(at, alias)).collect();
        Mat::from_fn(self.group_out, aliases * self.group_in, |out, column| {
            let (alias, channel) = (column / self.group_in, column % self.group_in);
            let taps = self.filter(group, out, channel).iter().zip(&phases[alias]);
            taps.fold(c64::new(0.0, 0.0), |sum, (w, phase)| sum + phase * w.double()) * scale
        })
    }

    fn filter(&self, group: usize, out: usize, channel: usize) -> &[T] {
        let taps = self.taps[0] * self.taps[1];
        let first = ((group * self.group_out + out) * self.group_in + channel) * taps;
        &self.weight[first..first + taps]
    }

    /// Do something with one block of each pair, in parallel, in a fixed order of results.
    pub(crate) fn each_block<R: Send>(
        &self,
        ctl: &Ctl,
        work: impl Fn(usize, Mat<c64>) -> Result<R, SpectrumError> + Sync,
    ) -> Result<Vec<R>, SpectrumError> {
        Ok(self.each(ctl, |_, group, block| work(group, block))?.into_iter().map(|(_, result)| result).collect())
    }

    fn each<R: Send>(
        &self,
        ctl: &Ctl,
        work: impl Fn(Frequency, usize, Mat<c64>) -> Result<R, SpectrumError> + Sync,
    ) -> Result<Vec<(Frequency, R)>, SpectrumError> {
        let frequencies = self.frequencies();
        let total = frequencies.len() as u64 * self.groups as u64;
        let done = AtomicU64::new(0);
        (0..self.groups)
            .flat_map(|group| frequencies.iter().map(move |&frequency| (group, frequency)))
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|(group, frequency)| {
                ctl.check()?;
                let result = work(frequency, group, self.block(group, frequency.at))?;
                let now = done.fetch_add(1, Ordering::Relaxed) + 1;
                if now.is_multiple_of(64) {
                    ctl.progress("Fourier blocks", now, Some(total));
                }
                Ok((frequency, result))
            })
            .collect()
    }

    /// All singular values of the circular convolution, descending.
    pub fn all_values(&self, ctl: &Ctl) -> Result<Vec<f64>, SpectrumError> {
        let mut sigma = Vec::new();
        for (frequency, values) in self.each(ctl, |_, _, block| block_values(&block))? {
            for _ in 0..frequency.stands_for {
                sigma.extend_from_slice(&values);
            }
        }
        sigma.sort_by(|a, b| b.total_cmp(a));
        Ok(sigma)
    }

    /// The top singular value at each frequency, frequency zero in the middle.
    pub fn map(&self, ctl: &Ctl) -> Result<FrequencyMap, SpectrumError> {
        let [height, width] = self.coarse();
        let mut sigma = vec![0.0_f32; height * width];
        for (frequency, top) in self.each(ctl, |_, _, block| block_top(&block))? {
            for at in [frequency.at, frequency.mirror] {
                let (row, column) = ((at[0] + height / 2) % height, (at[1] + width / 2) % width);
                let cell = &mut sigma[row * width + column];
                *cell = cell.max(top as f32);
            }
        }
        Ok(FrequencyMap { height, width, sigma, exact: self.exact, note: self.note.clone() })
    }

    /// Senderovich's practical clipping: clamp every block's singular values to `to`, go back, cut to the taps.
    ///
    /// The cut is why the result can exceed `to` again. Fails for a kernel that is wider than the grid, whose
    /// taps fall onto each other.
    pub fn clip(&self, to: f64, ctl: &Ctl) -> Result<FourierClip<T>, SpectrumError> {
        for axis in 0..2 {
            let span = (self.taps[axis] - 1) * self.dilation[axis] + 1;
            if span > self.grid[axis] {
                return Err(SpectrumError::WrongMethod(format!(
                    "Fourier clipping needs an input at least as large as the kernel: the kernel spans {span} \
                     pixels, the input has {}",
                    self.grid[axis]
                )));
            }
        }
        let taps = self.taps[0] * self.taps[1];
        let pixels = (self.grid[0] * self.grid[1]) as f64;
        let scale = (self.aliases() as f64).sqrt() / pixels;
        let results = self.each(ctl, |frequency, group, block| {
            let (block, clamped) = clamp(&block, to)?;
            let energy = block.squared_norm_l2() * self.aliases() as f64 / pixels;
            let weight = frequency.stands_for as f64 * scale;
            let mut kernel = vec![0.0; self.group_out * self.group_in * taps];
            for alias in 0..self.aliases() {
                let phases = self.phases(frequency.at, alias);
                for out in 0..self.group_out {
                    for channel in 0..self.group_in {
                        let value = block[(out, alias * self.group_in + channel)];
                        let filter = &mut kernel[(out * self.group_in + channel) * taps..][..taps];
                        for (tap, phase) in filter.iter_mut().zip(&phases) {
                            *tap += weight * (value * phase.conj()).re;
                        }
                    }
                }
            }
            let stands_for = frequency.stands_for;
            Ok((group, kernel, energy * stands_for as f64, clamped * stands_for))
        })?;
        let group_len = self.group_out * self.group_in * taps;
        let mut sums = vec![0.0; self.weight.len()];
        let (mut energy, mut clamped) = (0.0, 0);
        for (_, (group, kernel, block_energy, block_clamped)) in results {
            for (sum, value) in sums[group * group_len..].iter_mut().zip(kernel) {
                *sum += value;
            }
            energy += block_energy;
            clamped += block_clamped;
        }
        let kept: f64 = sums.iter().map(|value| value * value).sum();
        let discarded = if energy > 0.0 { (1.0 - kept / energy).max(0.0) } else { 0.0 };
        Ok(FourierClip { weight: sums.into_iter().map(T::of).collect(), discarded, clamped })
    }

    /// Shape of the kernel.
    pub fn weight_shape(&self) -> &[usize] {
        &self.shape
    }
}

fn finite(block: &Mat<c64>) -> Result<(), SpectrumError> {
    if block.norm_l2().is_finite() { Ok(()) } else { Err(SpectrumError::NotFinite) }
}

fn svd_failed(error: impl std::fmt::Debug) -> SpectrumError {
    SpectrumError::NoConvergence { what: "the decomposition of a Fourier block", reason: format!("{error:?}") }
}

fn block_values(block: &Mat<c64>) -> Result<Vec<f64>, SpectrumError> {
    finite(block)?;
    block.singular_values().map_err(svd_failed)
}

fn block_top(block: &Mat<c64>) -> Result<f64, SpectrumError> {
    Ok(block_values(block)?.into_iter().fold(0.0, f64::max))
}

/// The block with its singular values clamped to at most `to`, and how many were above.
fn clamp(block: &Mat<c64>, to: f64) -> Result<(Mat<c64>, usize), SpectrumError> {
    finite(block)?;
    let svd = block.thin_svd().map_err(svd_failed)?;
    let (u, v, s) = (svd.U(), svd.V(), svd.S());
    // K' = K − U max(S − c, 0) Vᴴ: exact where nothing is above.
    let mut result = block.clone();
    let mut above = 0;
    for i in 0..s.dim() {
        let excess = s[i].re - to;
        if excess > 0.0 {
            above += 1;
            for column in 0..result.ncols() {
                let factor = v[(column, i)].conj() * excess;
                for row in 0..result.nrows() {
                    result[(row, column)] -= u[(row, i)] * factor;
                }
            }
        }
    }
    Ok((result, above))
}
