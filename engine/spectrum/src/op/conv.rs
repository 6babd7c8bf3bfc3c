//! Convolutions over one or two axes, of any stride, dilation, padding, padding mode and groups.
//!
//! `M` is applied as matrix products. Vectors are turned to (channel, row, column, batch), so that one tap of
//! the kernel reads long stretches of memory; a block of output rows is gathered as (channel · tap) rows that
//! stay in the cache, and one product with the kernel (out, in · taps) gives the outputs. The adjoint runs the
//! same way backwards: a product with the transposed kernel, then each tap's rows are added where they came
//! from. Padding of any mode is only a choice of source pixel, so no padded image is ever made.

mod lanes;

use faer::Par;
use rayon::prelude::*;

use super::axis::{Axis, AxisSpec};
use super::error::{GeometryError, checked_len, no_zero};
use super::gemm::{all_threads, product, rows, rows_mut};
use super::scratch::Scratch;
use super::{Kernelled, LinearOp, Real};
use crate::geometry::{Geometry, PaddingMode};
use lanes::{from_lanes, gather, scatter, to_lanes};

/// Bytes of a gathered block: it should stay in the second-level cache.
const BLOCK_BYTES: usize = 1 << 20;

/// Outputs pixels and vectors, and channels, for which reading the kernel takes longer than the products.
const FEW_COLUMNS: usize = 128;
const MANY_CHANNELS: usize = 128;

/// A convolution (cross-correlation, as PyTorch and candle have it) without bias.
#[derive(Clone, Debug)]
pub struct ConvOp<T> {
    weight: Vec<T>,
    weight_shape: Vec<usize>,
    input_shape: Vec<usize>,
    output_shape: Vec<usize>,
    groups: usize,
    /// Input and output channels of one group.
    group_in: usize,
    group_out: usize,
    taps: [usize; 2],
    down: Axis,
    across: Axis,
    input: [usize; 2],
    simple: bool,
    scratch: Scratch<T>,
}

impl<T: Real> ConvOp<T> {
    /// A conv1d for a weight of three axes (out, in / groups, k), a conv2d for one of four
    /// (out, in / groups, kh, kw). A conv1d reads `[1, length]` as its input size and the second entry of each
    /// pair of the geometry that is not 1 / 0 in its first.
    pub fn new(weight: Vec<T>, weight_shape: &[usize], geometry: &Geometry) -> Result<Self, GeometryError> {
        let one_axis = weight_shape.len() == 3;
        if !one_axis && weight_shape.len() != 4 {
            return Err(GeometryError::Rank { op: "convolution", expected: 4, shape: weight_shape.to_vec() });
        }
        no_zero("a size of the weight", weight_shape)?;
        let count = checked_len("a weight", weight_shape)?;
        if count != weight.len() {
            return Err(GeometryError::Count { shape: weight_shape.to_vec(), expected: count, found: weight.len() });
        }
        no_zero("a size of the input", &geometry.input)?;
        no_zero("a stride", &geometry.stride)?;
        no_zero("a dilation", &geometry.dilation)?;
        no_zero("the number of groups", &[geometry.groups])?;
        let (outputs, groups) = (weight_shape[0], geometry.groups);
        if outputs % groups != 0 {
            return Err(GeometryError::Groups { channels: outputs, groups });
        }
        let inputs = checked_len("an input", &[weight_shape[1], groups])?;
        if one_axis && geometry.input[0] != 1 {
            return Err(GeometryError::Unsupported(format!(
                "a conv1d has an input of 1 × length, but {} × {} was given",
                geometry.input[0], geometry.input[1]
            )));
        }
        let taps = if one_axis { [1, weight_shape[2]] } else { [weight_shape[2], weight_shape[3]] };
        let axis = |at: usize| {
            // A conv1d has no second axis to pad or to step along.
            let flat = one_axis && at == 0;
            Axis::new(AxisSpec {
                name: if one_axis { "length" } else { ["height", "width"][at] },
                input: geometry.input[at],
                kernel: taps[at],
                stride: if flat { 1 } else { geometry.stride[at] },
                padding: if flat { [0, 0] } else { geometry.sides(at) },
                dilation: if flat { 1 } else { geometry.dilation[at] },
                mode: geometry.padding_mode,
            })
        };
        let (down, across) = (axis(0)?, axis(1)?);
        let shape = |channels: usize, size: [usize; 2]| {
            if one_axis { vec![channels, size[1]] } else { vec![channels, size[0], size[1]] }
        };
        let input_shape = shape(inputs, geometry.input);
        let output_shape = shape(outputs, [down.output, across.output]);
        checked_len("an input", &input_shape)?;
        checked_len("an output", &output_shape)?;
        checked_len("a gathered block", &[weight_shape[1], taps[0], taps[1], across.output])?;
        let couples = |axis: usize| geometry.input[axis] == 1 || (taps[axis] > 1 && geometry.dilation[axis] == 1);
        let simple = geometry.padding_mode != PaddingMode::Circular && groups == 1 && couples(0) && couples(1);
        Ok(Self {
            weight,
            weight_shape: weight_shape.to_vec(),
            input_shape,
            output_shape,
            groups,
            group_in: weight_shape[1],
            group_out: outputs / groups,
            taps,
            down,
            across,
            input: geometry.input,
            simple,
            scratch: Scratch::default(),
        })
    }

    /// Output height and width, in pixels (1 × length for a conv1d).
    pub fn output_size(&self) -> [usize; 2] {
        [self.down.output, self.across.output]
    }

    /// Rows of a gathered block: input channels of a group times taps.
    fn depth(&self) -> usize {
        self.group_in * self.taps[0] * self.taps[1]
    }

    fn pixels_in(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn pixels_out(&self) -> usize {
        self.down.output * self.across.output
    }

    /// The kernel of one group, (out, in · taps).
    fn group_weight(&self, group: usize) -> &[T] {
        let len = self.group_out * self.depth();
        &self.weight[group * len..(group + 1) * len]
    }

    /// Output rows per block, so that `depth` rows of that many pixels and vectors stay in the cache.
    fn rows_per_block(&self, depth: usize, batch: usize) -> usize {
        let row = depth * self.across.output * batch * size_of::<T>();
        let by_cache = (BLOCK_BYTES / row.max(1)).max(1);
        let by_threads = self.down.output.div_ceil(rayon::current_num_threads()).max(1);
        by_cache.min(by_threads)
    }

    /// Gather the inputs that `rows` of the output read: `depth` rows, each (row, column, batch).
    fn gather_block(&self, x: &[T], batch: usize, rows: std::ops::Range<usize>, block: &mut [T]) {
        let width = self.across.output * batch;
        let lane = self.pixels_in() * batch;
        let [kh, kw] = self.taps;
        for (row, out) in block.chunks_exact_mut(rows.len() * width).enumerate() {
            let (channel, tap) = (row / (kh * kw), row % (kh * kw));
            let source = &x[channel * lane..(channel + 1) * lane];
            let (down, across) = (&self.down.source[tap / kw][rows.clone()], &self.across.runs[tap % kw]);
            gather(source, self.input[1], batch, down, across, out);
        }
    }

    /// The same for an image so small that reading the kernel is what takes time: threads share the output
    /// channels among them, so that each reads its part of the kernel once.
    fn apply_small(&self, group: usize, x: &[T], batch: usize, y: &mut [T]) {
        let (depth, columns) = (self.depth(), self.pixels_out() * batch);
        let mut block = self.scratch.take(depth * columns);
        self.gather_block(x, batch, 0..self.down.output, &mut block);
        let block = rows(&block, depth, columns, columns);
        let weight = self.group_weight(group);
        let share = self.group_out.div_ceil(rayon::current_num_threads()).max(1);
        y.par_chunks_mut(share * columns).zip(weight.par_chunks(share * depth)).for_each(|(y, weight)| {
            let count = y.len() / columns;
            product(rows_mut(y, count, columns, columns), false, rows(weight, count, depth, depth), block, Par::Seq);
        });
    }

    /// One group: `y = W · gather(x)`, all in lanes.
    fn apply_group(&self, group: usize, x: &[T], batch: usize, y: &mut [T]) {
        if self.pixels_out() * batch <= FEW_COLUMNS && self.group_out >= MANY_CHANNELS {
            return self.apply_small(group, x, batch, y);
        }
        let (depth, width) = (self.depth(), self.across.output * batch);
        let weight = rows(self.group_weight(group), self.group_out, depth, depth);
        let per_block = self.rows_per_block(depth, batch);
        let columns = self.down.output * width;
        let y = rows_mut(y, self.group_out, columns, columns);
        y.par_col_chunks_mut(per_block * width).enumerate().for_each_init(
            || self.scratch.take(0),
            |block, (index, y)| {
                let first = index * per_block;
                let count = y.ncols() / width;
                block.resize(depth * count * width);
                self.gather_block(x, batch, first..first + count, block);
                product(y, false, weight, rows(block, depth, count * width, count * width), Par::Seq);
            },
        );
    }

    /// One group: `x = scatter(Wᵀ · y)`, all in lanes. Threads share the input channels among them.
    fn adjoint_group(&self, group: usize, y: &[T], batch: usize, x: &mut [T]) {
        let (depth, width, lane) = (self.depth(), self.across.output * batch, self.pixels_in() * batch);
        let [kh, kw] = self.taps;
        let columns = self.down.output * width;
        let weight = self.group_weight(group);
        let share = self.group_in.div_ceil(rayon::current_num_threads()).clamp(1, 64.max(256 / (kh * kw)));
        x.par_chunks_mut(share * lane).enumerate().for_each_init(
            || self.scratch.take(0),
            |block, (index, x)| {
                x.fill(T::default());
                let (first, channels) = (index * share, x.len() / lane);
                let part = channels * kh * kw;
                // Columns of the kernel that belong to these channels.
                let weight = rows(&weight[first * kh * kw..], self.group_out, part, depth);
                let row = part * width * size_of::<T>();
                let per_block = (BLOCK_BYTES / row.max(1)).clamp(1, self.down.output);
                for start in (0..self.down.output).step_by(per_block) {
                    let count = per_block.min(self.down.output - start);
                    block.resize(part * count * width);
                    let outputs = rows(&y[start * width..], self.group_out, count * width, columns);
                    let target = rows_mut(block, part, count * width, count * width);
                    product(target, false, weight.transpose(), outputs, Par::Seq);
                    for (row, values) in block.chunks_exact(count * width).enumerate() {
                        let (channel, tap) = (row / (kh * kw), row % (kh * kw));
                        let target = &mut x[channel * lane..(channel + 1) * lane];
                        let down = &self.down.source[tap / kw][start..start + count];
                        scatter(values, self.input[1], batch, down, &self.across.runs[tap % kw], target);
                    }
                }
            },
        );
    }

    /// `U · gather(V)ᵀ` of one group: `left` × `depth` numbers per pair of blocks.
    fn gathered(&self, group: usize, v: &[T], batch: usize) -> Vec<T> {
        let lane = self.pixels_in() * batch;
        let x = &v[group * self.group_in * lane..(group + 1) * self.group_in * lane];
        let mut block = vec![T::default(); self.depth() * self.pixels_out() * batch];
        self.gather_block(x, batch, 0..self.down.output, &mut block);
        block
    }
}

impl<T: Real> LinearOp<T> for ConvOp<T> {
    fn input_shape(&self) -> &[usize] {
        &self.input_shape
    }

    fn output_shape(&self) -> &[usize] {
        &self.output_shape
    }

    fn apply(&self, x: &[T], batch: usize, y: &mut [T]) {
        let lanes = to_lanes(x, batch, self.pixels_in(), &self.scratch);
        let mut out = self.scratch.take(y.len());
        let lane_in = self.group_in * self.pixels_in() * batch;
        let lane_out = self.group_out * self.pixels_out() * batch;
        for (group, (x, y)) in lanes.chunks_exact(lane_in).zip(out.chunks_exact_mut(lane_out)).enumerate() {
            self.apply_group(group, x, batch, y);
        }
        from_lanes(&out, batch, self.pixels_out(), y);
    }

    fn adjoint(&self, y: &[T], batch: usize, x: &mut [T]) {
        let lanes = to_lanes(y, batch, self.pixels_out(), &self.scratch);
        let mut out = self.scratch.take(x.len());
        let lane_in = self.group_in * self.pixels_in() * batch;
        let lane_out = self.group_out * self.pixels_out() * batch;
        for (group, (y, x)) in lanes.chunks_exact(lane_out).zip(out.chunks_exact_mut(lane_in)).enumerate() {
            self.adjoint_group(group, y, batch, x);
        }
        from_lanes(&out, batch, self.pixels_in(), x);
    }

    fn simple_spectrum(&self) -> bool {
        self.simple
    }
}

impl<T: Real> Kernelled<T> for ConvOp<T> {
    fn weight(&self) -> &[T] {
        &self.weight
    }

    fn weight_shape(&self) -> &[usize] {
        &self.weight_shape
    }

    fn set_weight(&mut self, weight: &[T]) -> Result<(), GeometryError> {
        if weight.len() != self.weight.len() {
            let (expected, found) = (self.weight.len(), weight.len());
            return Err(GeometryError::Count { shape: self.weight_shape.clone(), expected, found });
        }
        self.weight.copy_from_slice(weight);
        Ok(())
    }

    fn weight_gradient(&self, u: &[T], v: &[T], batch: usize) -> Vec<T> {
        let u = to_lanes(u, batch, self.pixels_out(), &self.scratch);
        let v = to_lanes(v, batch, self.pixels_in(), &self.scratch);
        let (depth, columns) = (self.depth(), self.pixels_out() * batch);
        let mut gradient = vec![T::default(); self.weight.len()];
        let groups = u.chunks_exact(self.group_out * columns).zip(gradient.chunks_exact_mut(self.group_out * depth));
        for (group, (u, gradient)) in groups.enumerate() {
            let block = self.gathered(group, &v, batch);
            let target = rows_mut(gradient, self.group_out, depth, depth);
            let left = rows(u, self.group_out, columns, columns);
            product(target, false, left, rows(&block, depth, columns, columns).transpose(), all_threads());
        }
        gradient
    }

    fn weight_gradients(&self, u: &[T], v: &[T], count: usize) -> Vec<Vec<T>> {
        let (depth, pixels) = (self.depth(), self.pixels_out());
        let (len_u, len_v) = (self.output_len(), self.input_len());
        let mut gradients = vec![vec![T::default(); self.weight.len()]; count * count];
        for group in 0..self.groups {
            let first = group * self.group_out;
            for (j, v) in v.chunks_exact(len_v).enumerate() {
                let block = self.gathered(group, v, 1);
                let right = rows(&block, depth, pixels, pixels).transpose();
                for (i, u) in u.chunks_exact(len_u).enumerate() {
                    let left = rows(&u[first * pixels..], self.group_out, pixels, pixels);
                    let target = &mut gradients[i * count + j][first * depth..];
                    product(rows_mut(target, self.group_out, depth, depth), false, left, right, all_threads());
                }
            }
        }
        gradients
    }

    fn frobenius(&self) -> f64 {
        let (down, across) = (self.down.coincidences(), self.across.coincidences());
        let [kh, kw] = self.taps;
        let mut total = 0.0;
        for filter in self.weight.chunks_exact(kh * kw) {
            for (tap, &a) in filter.iter().enumerate() {
                for (other, &b) in filter.iter().enumerate() {
                    let count = down[tap / kw][other / kw] * across[tap % kw][other % kw];
                    if count > 0 {
                        total += a.double() * b.double() * count as f64;
                    }
                }
            }
        }
        total.max(0.0).sqrt()
    }
}
