//! Products of [`Panels`] with one vector, with a few, and with many.
//!
//! A few vectors are bound by memory: weights are read once, in order, and packed weights are multiplied as the whole
//! numbers they are, by vectors made of whole numbers of 16 bits and their fractions, in which nothing is lost. For many
//! vectors the weights of two panels are made single precision and stay in the cache while the vectors pass by.
//! Every sum is taken in the order of the columns, in single precision both one and many vectors get the same numbers.

use rayon::prelude::*;

use super::lanes::Lanes;
use super::packed::{BLOCK, Block};
use super::panels::{Panels, Weights};
use super::tile::{ROWS, Tiles};
use super::{LANES, kernel, lane_kernel, share};

/// As many vectors are multiplied at a time without unpacking.
pub(crate) const FEW: usize = 4;

/// Vectors of which each thread takes some; fewer share their panels among the threads.
const MANY: usize = 8 * ROWS;

/// A vector as packed weights meet it: 32 columns after 32 others, as whole numbers of 16 bits and their fractions.
#[derive(Clone, Default)]
struct Whole {
    /// Pairs of columns, the first in the low half.
    pairs: [u32; LANES],
    /// What rounding to them left over, in the same order.
    fractions: [u32; LANES],
    /// What `pairs` are multiples of, and `fractions`.
    scale: f32,
    fine: f32,
    /// Sum of the numbers.
    sum: f32,
}

kernel! {
    fn make_whole(x: &'a [[f32; BLOCK]], out: &'a mut [Whole]) {
        const MOST: f32 = 32767.0;
        /// Parts of a step, so that half a step fits.
        const PARTS: f32 = 65534.0;
        /// Adding 1.5·2²³ rounds to a whole number, which then stands in the lowest bits.
        const ROUND: f32 = 12_582_912.0;
        for (x, out) in x.iter().zip(out) {
            let highest = x.iter().fold(0.0f32, |high, x| if x.abs() > high { x.abs() } else { high });
            let inverse = if highest > 0.0 { MOST / highest } else { 0.0 };
            let steps = x.map(|x| x * inverse);
            let whole = steps.map(|step| step + ROUND);
            let fractions: [f32; BLOCK] = std::array::from_fn(|i| (steps[i] - (whole[i] - ROUND)) * PARTS + ROUND);
            let join = |codes: &[f32; BLOCK], i: usize| codes[2 * i].to_bits() & 0xffff | codes[2 * i + 1].to_bits() << 16;
            out.pairs = std::array::from_fn(|i| join(&whole, i));
            out.fractions = std::array::from_fn(|i| join(&fractions, i));
            out.sum = x.iter().sum();
            // What is not a number must not look like one.
            out.scale = if out.sum.is_finite() { highest / MOST } else { f32::NAN };
            out.fine = out.scale / PARTS;
        }
    }
}

fn whole(x: &[f32]) -> Vec<Whole> {
    let (x, _) = x.as_chunks::<BLOCK>();
    let mut out = vec![Whole::default(); x.len()];
    make_whole(x, &mut out);
    out
}

lane_kernel! {
    fn few_single(lanes; panels: &'a [[f32; LANES]], x: &'a [&'a [f32]], out: &'a mut [[f32; LANES]]) {
        match x.len() {
            1 => stream_single::<_, 1>(lanes, panels, x, out),
            2 => stream_single::<_, 2>(lanes, panels, x, out),
            3 => stream_single::<_, 3>(lanes, panels, x, out),
            _ => stream_single::<_, FEW>(lanes, panels, x, out),
        }
    }
}

#[inline(always)]
fn stream_single<L: Lanes, const N: usize>(lanes: L, panels: &[[f32; LANES]], x: &[&[f32]], out: &mut [[f32; LANES]]) {
    let width = x[0].len();
    let x: [&[f32]; N] = std::array::from_fn(|n| &x[n][..width]);
    for (panel, out) in panels.chunks_exact(width).zip(out.chunks_exact_mut(N)) {
        let mut sums = [lanes.splat(0.0); N];
        for (column, weights) in panel.iter().enumerate() {
            let weights = lanes.load(weights);
            for n in 0..N {
                sums[n] = lanes.mul_add(weights, lanes.splat(x[n][column]), sums[n]);
            }
        }
        for n in 0..N {
            lanes.store(sums[n], &mut out[n]);
        }
    }
}

lane_kernel! {
    fn few_half(lanes; panels: &'a [[u32; LANES]], x: &'a [&'a [f32]], out: &'a mut [[f32; LANES]]) {
        match x.len() {
            1 => stream_half::<_, 1>(lanes, panels, x, out),
            2 => stream_half::<_, 2>(lanes, panels, x, out),
            3 => stream_half::<_, 3>(lanes, panels, x, out),
            _ => stream_half::<_, FEW>(lanes, panels, x, out),
        }
    }
}

#[inline(always)]
fn stream_half<L: Lanes, const N: usize>(lanes: L, panels: &[[u32; LANES]], x: &[&[f32]], out: &mut [[f32; LANES]]) {
    let width = x[0].len();
    let x: [(&[[f32; 2]], &[f32]); N] = std::array::from_fn(|n| x[n][..width].as_chunks::<2>());
    for (panel, out) in panels.chunks_exact(width.div_ceil(2)).zip(out.chunks_exact_mut(N)) {
        let mut sums = [lanes.splat(0.0); N];
        for (pair, weights) in panel.iter().enumerate() {
            let [first, second] = lanes.widen(weights);
            for n in 0..N {
                let [a, b] = x[n].0.get(pair).copied().unwrap_or_else(|| [x[n].1[0], 0.0]);
                sums[n] = lanes.mul_add(first, lanes.splat(a), sums[n]);
                sums[n] = lanes.mul_add(second, lanes.splat(b), sums[n]);
            }
        }
        for n in 0..N {
            lanes.store(sums[n], &mut out[n]);
        }
    }
}

/// Packed panels times vectors: the sums of whole numbers are exact, and scaled once a block.
#[inline(always)]
fn stream_packed<L: Lanes, B: Block, const N: usize>(lanes: L, panels: &[B], x: &[&[Whole]], out: &mut [[f32; LANES]]) {
    let blocks = x[0].len();
    let x: [&[Whole]; N] = std::array::from_fn(|n| &x[n][..blocks]);
    for (panel, out) in panels.chunks_exact(blocks).zip(out.chunks_exact_mut(N)) {
        let mut sums = [lanes.splat(0.0); N];
        for (at, block) in panel.iter().enumerate() {
            let mut whole = [lanes.nothing(); N];
            let mut fractions = [lanes.nothing(); N];
            block.each_pair(lanes, |pair, codes| {
                for n in 0..N {
                    whole[n] = lanes.pairs(codes, x[n][at].pairs[pair], whole[n]);
                    fractions[n] = lanes.pairs(codes, x[n][at].fractions[pair], fractions[n]);
                }
            });
            let (scales, lows) = block.scales(lanes);
            for n in 0..N {
                let part = lanes.mul(lanes.numbers(fractions[n]), lanes.splat(x[n][at].fine));
                let part = lanes.mul_add(lanes.numbers(whole[n]), lanes.splat(x[n][at].scale), part);
                sums[n] = lanes.mul_add(part, scales, sums[n]);
                if let Some(lows) = lows {
                    sums[n] = lanes.mul_add(lows, lanes.splat(x[n][at].sum), sums[n]);
                }
            }
        }
        for n in 0..N {
            lanes.store(sums[n], &mut out[n]);
        }
    }
}

/// Defines a product of packed panels and a few vectors, and their unpacking.
macro_rules! packed {
    ($few:ident, $block:ty) => {
        lane_kernel! {
            fn $few(lanes; panels: &'a [$block], x: &'a [&'a [Whole]], out: &'a mut [[f32; LANES]]) {
                match x.len() {
                    1 => stream_packed::<_, $block, 1>(lanes, panels, x, out),
                    2 => stream_packed::<_, $block, 2>(lanes, panels, x, out),
                    3 => stream_packed::<_, $block, 3>(lanes, panels, x, out),
                    _ => stream_packed::<_, $block, FEW>(lanes, panels, x, out),
                }
            }
        }
    };
}

packed!(few_four, super::packed::Four);
packed!(few_eight, super::packed::Eight);

impl Panels {
    /// `out` `[N, height]` = `x` `[N, width]` times the transposed matrix.
    pub fn multiply(&self, x: &[f32], out: &mut [f32]) {
        let (height, width) = (self.height(), self.width());
        if height == 0 || out.is_empty() {
            return;
        }
        if width == 0 {
            out.fill(0.0);
            return;
        }
        if out.len() / height <= FEW { self.few(x, out) } else { self.many(x, out) }
    }

    fn few(&self, x: &[f32], out: &mut [f32]) {
        let (height, width) = (self.height(), self.width());
        let rows: Vec<&[f32]> = x.chunks_exact(width).collect();
        let count = rows.len();
        let wholes: Vec<Vec<Whole>> = match &*self.weights {
            Weights::Four(_) | Weights::Eight(_) => rows.iter().map(|row| whole(row)).collect(),
            _ => Vec::new(),
        };
        let wholes: Vec<&[Whole]> = wholes.iter().map(Vec::as_slice).collect();
        let panels = height.div_ceil(LANES);
        let mut made = vec![[0.0; LANES]; panels * count];
        // Panel after panel, the vectors of each one side by side.
        let share = share(panels, LANES * width * count);
        let work = |(part, made): (usize, &mut [[f32; LANES]])| {
            let here = part * share..part * share + made.len() / count;
            match &*self.weights {
                Weights::Single(columns) => {
                    few_single(&columns[here.start * width..here.end * width], &rows, made);
                }
                Weights::Half(columns) => {
                    let pairs = width.div_ceil(2);
                    few_half(&columns[here.start * pairs..here.end * pairs], &rows, made);
                }
                Weights::Four(blocks) => {
                    let many = width / BLOCK;
                    few_four(&blocks[here.start * many..here.end * many], &wholes, made);
                }
                Weights::Eight(blocks) => {
                    let many = width / BLOCK;
                    few_eight(&blocks[here.start * many..here.end * many], &wholes, made);
                }
            }
        };
        if share >= panels {
            work((0, &mut made));
        } else {
            made.par_chunks_mut(share * count).enumerate().for_each(work);
        }
        for (n, out) in out.chunks_exact_mut(height).enumerate() {
            for (out, made) in out.chunks_mut(LANES).zip(made[n..].iter().step_by(count)) {
                out.copy_from_slice(&made[..out.len()]);
            }
        }
    }

    fn many(&self, x: &[f32], out: &mut [f32]) {
        let (height, width) = (self.height(), self.width());
        let count = out.len() / height;
        let tiles = Tiles::new(x, width);
        let panels = height.div_ceil(LANES);
        let threads = rayon::current_num_threads();
        if count >= MANY || threads < 2 {
            // Twice as many parts as threads, so that a busy processor can take fewer.
            let part = tiles.len().div_ceil(2 * threads).max(1);
            out.par_chunks_mut(part * ROWS * height).enumerate().for_each(|(index, out)| {
                let end = tiles.len().min((index + 1) * part);
                self.block(0..panels, &tiles, index * part..end, out, height);
            });
            return;
        }
        let share = share(panels, LANES * width * count).next_multiple_of(2);
        let mut made = vec![0.0; panels * LANES * count];
        made.par_chunks_mut(share * LANES * count).enumerate().for_each(|(index, made)| {
            let end = panels.min((index + 1) * share);
            let stride = made.len() / count;
            self.block(index * share..end, &tiles, 0..tiles.len(), made, stride);
        });
        for (index, made) in made.chunks(share * LANES * count).enumerate() {
            let stride = made.len() / count;
            let from = index * share * LANES;
            let most = stride.min(height - from);
            for (out, made) in out.chunks_exact_mut(height).zip(made.chunks_exact(stride)) {
                out[from..from + most].copy_from_slice(&made[..most]);
            }
        }
    }

    /// Products of some panels with some tiles of vectors, into rows `stride` long.
    fn block(
        &self,
        panels: std::ops::Range<usize>,
        tiles: &Tiles,
        which: std::ops::Range<usize>,
        out: &mut [f32],
        stride: usize,
    ) {
        let width = self.width();
        let mut space = Vec::new();
        for first in panels.clone().step_by(2) {
            let last = panels.end.min(first + 2);
            let pair = if let Weights::Single(columns) = &*self.weights {
                &columns[first * width..last * width]
            } else {
                self.unpack(first..last, &mut space);
                &space
            };
            let at = (first - panels.start) * LANES;
            tiles.multiply(which.clone(), pair, out, at, stride);
        }
    }

    /// Panels in single precision.
    fn unpack(&self, panels: std::ops::Range<usize>, out: &mut Vec<[f32; LANES]>) {
        let width = self.width();
        out.resize(panels.len() * width, [0.0; LANES]);
        for (panel, out) in panels.zip(out.chunks_exact_mut(width)) {
            match &*self.weights {
                Weights::Single(columns) => out.copy_from_slice(&columns[panel * width..(panel + 1) * width]),
                Weights::Half(columns) => {
                    let pairs = width.div_ceil(2);
                    unpack_half(&columns[panel * pairs..(panel + 1) * pairs], out);
                }
                Weights::Four(blocks) => {
                    let many = width / BLOCK;
                    unpack_four(&blocks[panel * many..(panel + 1) * many], out);
                }
                Weights::Eight(blocks) => {
                    let many = width / BLOCK;
                    unpack_eight(&blocks[panel * many..(panel + 1) * many], out);
                }
            }
        }
    }
}

lane_kernel! {
    fn unpack_half(lanes; pairs: &'a [[u32; LANES]], out: &'a mut [[f32; LANES]]) {
        for (pair, out) in pairs.iter().zip(out.chunks_mut(2)) {
            for (numbers, out) in lanes.widen(pair).into_iter().zip(out) {
                lanes.store(numbers, out);
            }
        }
    }
}

lane_kernel! {
    fn unpack_four(lanes; blocks: &'a [super::packed::Four], out: &'a mut [[f32; LANES]]) {
        unpack_blocks(lanes, blocks, out);
    }
}

lane_kernel! {
    fn unpack_eight(lanes; blocks: &'a [super::packed::Eight], out: &'a mut [[f32; LANES]]) {
        unpack_blocks(lanes, blocks, out);
    }
}

#[inline(always)]
fn unpack_blocks<L: Lanes, B: Block>(lanes: L, blocks: &[B], out: &mut [[f32; LANES]]) {
    for (block, out) in blocks.iter().zip(out.chunks_exact_mut(BLOCK)) {
        let (scales, lows) = block.scales(lanes);
        let lows = lows.unwrap_or_else(|| lanes.splat(0.0));
        block.each_pair(lanes, |pair, codes| {
            // Times (1, 0) and (0, 1): the first and the second of each pair.
            for side in 0..2 {
                let whole = lanes.pairs(codes, 1 << (16 * side), lanes.nothing());
                let number = lanes.mul_add(lanes.numbers(whole), scales, lows);
                lanes.store(number, &mut out[2 * pair + side]);
            }
        });
    }
}

#[cfg(test)]
mod tests;
