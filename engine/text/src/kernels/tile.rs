//! The inner loop of products of matrices: twelve rows by two panels of sixteen columns, their sums in registers.

use super::{LANES, lane_kernel, lanes::Lanes};

/// Rows of a tile.
pub(super) const ROWS: usize = 12;

/// Rows of numbers, twelve side by side: what is multiplied next lies next.
pub(super) struct Tiles {
    /// Column by column; a last tile is filled up with zeros.
    columns: Vec<[f32; ROWS]>,
    width: usize,
    rows: usize,
}

impl Tiles {
    /// Of rows as long as `width`.
    pub fn new(x: &[f32], width: usize) -> Self {
        Self::parts(x, width, width)
    }

    /// Of the first `width` columns of rows `stride` long.
    pub fn parts(x: &[f32], stride: usize, width: usize) -> Self {
        let rows = x.len() / stride;
        let mut columns = vec![[0.0; ROWS]; rows.div_ceil(ROWS) * width];
        for (x, columns) in x.chunks(ROWS * stride).zip(columns.chunks_exact_mut(width)) {
            for (lane, row) in x.chunks_exact(stride).enumerate() {
                for (column, &x) in columns.iter_mut().zip(row) {
                    column[lane] = x;
                }
            }
        }
        Self { columns, width, rows }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.div_ceil(ROWS)
    }

    /// Products of tiles with one or two panels, written from column `at` on into rows `stride` long, of which `out`
    /// begins with that of the first tile. What would stand beyond a row's end is left out.
    pub fn multiply(
        &self,
        tiles: std::ops::Range<usize>,
        panels: &[[f32; LANES]],
        out: &mut [f32],
        at: usize,
        stride: usize,
    ) {
        let rows = self.rows.min(tiles.end * ROWS) - tiles.start * ROWS;
        let columns = &self.columns[tiles.start * self.width..tiles.end * self.width];
        multiply(columns, self.width, panels, rows, out, at, stride);
    }
}

lane_kernel! {
    fn multiply(lanes; tiles: &'a [[f32; ROWS]], width: usize, panels: &'a [[f32; LANES]], rows: usize, out: &'a mut [f32], at: usize, stride: usize) {
        for (tile, x) in tiles.chunks_exact(width).enumerate() {
            let first = tile * ROWS;
            let rows = ROWS.min(rows - first);
            let out = &mut out[first * stride..(first + rows) * stride];
            match panels.split_at_checked(width) {
                Some((a, b)) if b.len() == width && L::WIDE => {
                    sums::<_, ROWS, 2>(lanes, x, 0, [a, b], out, at, stride);
                }
                Some((a, _)) if L::WIDE => sums::<_, ROWS, 1>(lanes, x, 0, [a], out, at, stride),
                _ => {
                    for (panel, weights) in panels.chunks_exact(width).enumerate() {
                        let at = at + panel * LANES;
                        sums::<_, { ROWS / 2 }, 1>(lanes, x, 0, [weights], out, at, stride);
                        sums::<_, { ROWS / 2 }, 1>(lanes, x, ROWS / 2, [weights], out, at, stride);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn sums<L: Lanes, const R: usize, const P: usize>(
    lanes: L,
    x: &[[f32; ROWS]],
    from: usize,
    panels: [&[[f32; LANES]]; P],
    out: &mut [f32],
    at: usize,
    stride: usize,
) {
    let mut sums = [[lanes.splat(0.0); P]; R];
    let panels = panels.map(|panel| &panel[..x.len()]);
    for (column, x) in x.iter().enumerate() {
        let mut weights = [lanes.splat(0.0); P];
        for p in 0..P {
            weights[p] = lanes.load(&panels[p][column]);
        }
        for r in 0..R {
            let x = lanes.splat(x[from + r]);
            for p in 0..P {
                sums[r][p] = lanes.mul_add(weights[p], x, sums[r][p]);
            }
        }
    }
    for (sums, out) in sums.into_iter().zip(out.chunks_exact_mut(stride).skip(from)) {
        for (p, sum) in sums.into_iter().enumerate() {
            let Some(out) = out.get_mut(at + p * LANES..) else { break };
            if let Some(out) = out.first_chunk_mut::<LANES>() {
                lanes.store(sum, out);
            } else {
                let mut all = [0.0; LANES];
                lanes.store(sum, &mut all);
                out.copy_from_slice(&all[..out.len()]);
            }
        }
    }
}
