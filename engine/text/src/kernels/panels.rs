//! Matrices kept the way their products read them: in panels of sixteen rows, column by column.
//!
//! A panel's sums stay in one register while its numbers stream by, for one vector as for many. Single precision and
//! bfloat16 are kept so, the first as the second where it loses nothing; of packed weights their codes, so that nothing but the weights is rounded to them.

use std::sync::Arc;

use half::bf16;
use rayon::prelude::*;

use super::LANES;
use super::packed::{BLOCK, Block, Eight, Four, PackedKind};

/// The numbers of a matrix; each kind is a list of panels.
#[derive(Debug)]
pub(super) enum Weights {
    /// A column of a panel after the other.
    Single(Vec<[f32; LANES]>),
    /// Two columns of a panel after two others, the first in the low half; a last one alone is followed by zeros.
    Half(Vec<[u32; LANES]>),
    /// 32 columns of a panel after 32 others.
    Four(Vec<Four>),
    Eight(Vec<Eight>),
}

/// A matrix `[height, width]` in panels of rows. The last panel is filled up with zeros.
#[derive(Clone, Debug)]
pub(crate) struct Panels {
    pub(super) weights: Arc<Weights>,
    height: usize,
    width: usize,
}

/// Rows of `panel` that there are.
fn rows_of(panel: usize, height: usize) -> std::ops::Range<usize> {
    panel * LANES..height.min((panel + 1) * LANES)
}

/// Makes all panels, `length` pieces each, by `fill(panel, pieces)`.
fn filled<T: Clone + Default + Send>(height: usize, length: usize, fill: impl Fn(usize, &mut [T]) + Sync) -> Vec<T> {
    let mut all = vec![T::default(); height.div_ceil(LANES) * length];
    if length > 0 {
        all.par_chunks_exact_mut(length).enumerate().for_each(|(panel, pieces)| fill(panel, pieces));
    }
    all
}

impl Panels {
    /// Of a row-major matrix in single precision. Numbers that bfloat16 holds without loss are kept so, which halves what a
    /// vector has to read: checkpoints are mostly published in bfloat16. Products are the same, bit for bit.
    pub fn exact(numbers: &[f32], height: usize, width: usize) -> Self {
        let short =
            numbers.par_chunks(1 << 16).all(|numbers| numbers.iter().all(|x| x.to_bits().trailing_zeros() >= 16));
        if short { Self::half(numbers, height, width) } else { Self::single(numbers, height, width) }
    }

    /// All of it kept in single precision.
    pub(super) fn single(numbers: &[f32], height: usize, width: usize) -> Self {
        let weights = filled(height, width, |panel, columns: &mut [[f32; LANES]]| {
            for (lane, row) in rows_of(panel, height).enumerate() {
                for (column, &x) in columns.iter_mut().zip(&numbers[row * width..(row + 1) * width]) {
                    column[lane] = x;
                }
            }
        });
        Self { weights: Arc::new(Weights::Single(weights)), height, width }
    }

    /// The same, rounded to bfloat16.
    pub fn half(numbers: &[f32], height: usize, width: usize) -> Self {
        let weights = filled(height, width.div_ceil(2), |panel, columns: &mut [[u32; LANES]]| {
            for (lane, row) in rows_of(panel, height).enumerate() {
                for (i, &x) in numbers[row * width..(row + 1) * width].iter().enumerate() {
                    columns[i / 2][lane] |= u32::from(bf16::from_f32(x).to_bits()) << (i % 2 * 16);
                }
            }
        });
        Self { weights: Arc::new(Weights::Half(weights)), height, width }
    }

    /// Of matrices as GGUF files pack them, one below the other. `None` when their codes differ in size, or their bytes
    /// are not rows of whole blocks.
    pub fn packed(parts: &[(PackedKind, Vec<u8>, usize)], width: usize) -> Option<Self> {
        let blocks = width / BLOCK;
        let four = parts.iter().all(|(kind, ..)| *kind != PackedKind::Q8_0);
        let mut rows = Vec::new();
        for (kind, bytes, height) in parts {
            let row_bytes = blocks.checked_mul(kind.block_bytes())?;
            let fits = width.is_multiple_of(BLOCK) && bytes.len() == height.checked_mul(row_bytes)?;
            if !fits || row_bytes == 0 || four == (*kind == PackedKind::Q8_0) {
                return None;
            }
            rows.extend(bytes.chunks_exact(row_bytes).map(|row| (*kind, row)));
        }
        let height = rows.len();
        let weights =
            if four { Weights::Four(blocks_of(&rows, blocks)) } else { Weights::Eight(blocks_of(&rows, blocks)) };
        Some(Self { weights: Arc::new(weights), height, width })
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Writes one row.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let (panel, lane) = (row / LANES, row % LANES);
        match &*self.weights {
            Weights::Single(columns) => {
                for (out, column) in out.iter_mut().zip(&columns[panel * self.width..]) {
                    *out = column[lane];
                }
            }
            Weights::Half(columns) => {
                let columns = &columns[panel * self.width.div_ceil(2)..];
                for (i, out) in out.iter_mut().enumerate() {
                    *out = bf16::from_bits((columns[i / 2][lane] >> (i % 2 * 16)) as u16).to_f32();
                }
            }
            Weights::Four(blocks) => row_of(blocks, panel, lane, out),
            Weights::Eight(blocks) => row_of(blocks, panel, lane, out),
        }
    }

    /// All of it, row-major.
    pub fn numbers(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.height * self.width];
        if self.width > 0 {
            out.par_chunks_exact_mut(self.width).enumerate().for_each(|(row, out)| self.row(row, out));
        }
        out
    }
}

fn blocks_of<B: Block>(rows: &[(PackedKind, &[u8])], blocks: usize) -> Vec<B> {
    filled(rows.len(), blocks, |panel, made: &mut [B]| {
        for (lane, row) in rows_of(panel, rows.len()).enumerate() {
            let (kind, bytes) = rows[row];
            for (block, bytes) in made.iter_mut().zip(bytes.chunks_exact(kind.block_bytes())) {
                block.put(lane, kind, bytes);
            }
        }
    })
}

fn row_of<B: Block>(all: &[B], panel: usize, lane: usize, out: &mut [f32]) {
    let (out, _) = out.as_chunks_mut::<BLOCK>();
    let blocks = out.len();
    for (out, block) in out.iter_mut().zip(&all[panel * blocks..]) {
        *out = std::array::from_fn(|column| block.number(lane, column));
    }
}
