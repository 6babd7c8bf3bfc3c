//! Attention over a cache, of one position and of many.

use rayon::prelude::*;

use super::math::{exp, tanh};
use super::tile::{ROWS, Tiles};
use super::{LANES, dot, kernel};

kernel! {
    /// Scores of one query over keys that lie `stride` apart, then their softmax, then the mean of the values.
    fn attend_head(
        query: &'a [f32],
        keys: &'a [f32],
        values: &'a [f32],
        stride: usize,
        scale: f32,
        cap: Option<f32>,
        scores: &'a mut [f32],
        out: &'a mut [f32],
    ) {
        let width = query.len();
        for (position, score) in scores.iter_mut().enumerate() {
            *score = dot(query, &keys[position * stride..position * stride + width]) * scale;
        }
        if let Some(cap) = cap {
            for score in scores.iter_mut() {
                *score = cap * tanh(*score / cap);
            }
        }
        soften(scores);
        out.fill(0.0);
        for (position, &weight) in scores.iter().enumerate() {
            let value = &values[position * stride..position * stride + width];
            for (out, value) in out.iter_mut().zip(value) {
                *out = weight.mul_add(*value, *out);
            }
        }
    }
}

/// Softmax in place.
#[inline(always)]
fn soften(scores: &mut [f32]) {
    // A maximum and a sum per lane: one of all would be computed number by number.
    let (rows, rest) = scores.as_chunks::<LANES>();
    let mut highs = [f32::NEG_INFINITY; LANES];
    for row in rows {
        for (high, &score) in highs.iter_mut().zip(row) {
            *high = if score > *high { score } else { *high };
        }
    }
    let highest = highs.iter().chain(rest).fold(f32::NEG_INFINITY, |high, &score| high.max(score));
    for score in scores.iter_mut() {
        *score = exp(*score - highest);
    }
    let (rows, rest) = scores.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for row in rows {
        for (sum, &weight) in sums.iter_mut().zip(row) {
            *sum += weight;
        }
    }
    let inverse = 1.0 / sums.iter().chain(rest).map(|&sum| f64::from(sum)).sum::<f64>() as f32;
    for score in scores.iter_mut() {
        *score *= inverse;
    }
}

kernel! {
    fn soften_row(scores: &'a mut [f32], scale: f32, cap: Option<f32>) {
        for score in scores.iter_mut() {
            *score *= scale;
        }
        if let Some(cap) = cap {
            for score in scores.iter_mut() {
                *score = cap * tanh(*score / cap);
            }
        }
        soften(scores);
    }
}

/// How scores become weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scoring {
    /// Factor of the scores.
    pub scale: f32,
    /// Their soft cap.
    pub cap: Option<f32>,
    /// Positions that are seen, counted backwards from the query's own.
    pub window: Option<usize>,
}

impl Scoring {
    /// The first position that a query at `position` sees.
    pub fn first_seen(&self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }
}

/// Sizes of attention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Query heads.
    pub queries: usize,
    /// Key and value heads.
    pub keys: usize,
    /// Width of each head.
    pub width: usize,
}

/// One position's queries `[H, D]` over caches `[S, K, D]` of which the last position is its own, into `[H, D]`.
pub(crate) fn attend_one(query: &[f32], keys: &[f32], values: &[f32], shape: Shape, scoring: Scoring, out: &mut [f32]) {
    let stride = shape.keys * shape.width;
    let positions = keys.len() / stride;
    let first = scoring.first_seen(positions - 1);
    let seen = positions - first;
    let (keys, values) = (&keys[first * stride..], &values[first * stride..]);
    let group = shape.queries / shape.keys;
    let head = |(head, out): (usize, &mut [f32])| {
        let at = head / group * shape.width;
        let query = &query[head * shape.width..(head + 1) * shape.width];
        let mut scores = vec![0.0; seen];
        attend_head(query, &keys[at..], &values[at..], stride, scoring.scale, scoring.cap, &mut scores, out);
    };
    let out = &mut out[..shape.queries * shape.width];
    if out.len() * seen < 100_000 {
        out.chunks_exact_mut(shape.width).enumerate().for_each(head);
    } else {
        out.par_chunks_exact_mut(shape.width).enumerate().for_each(head);
    }
}

/// Keys and values of one head, as products read them.
struct HeadPanels {
    /// Panels of sixteen positions.
    keys: Vec<[f32; LANES]>,
    /// Panels of sixteen columns, over all positions.
    values: Vec<[f32; LANES]>,
}

impl HeadPanels {
    fn new(keys: &[f32], values: &[f32], at: usize, shape: Shape) -> Self {
        let (stride, width) = (shape.keys * shape.width, shape.width);
        let positions = keys.len() / stride;
        let mut key_panels = vec![[0.0; LANES]; positions.div_ceil(LANES) * width];
        for (position, key) in keys.chunks_exact(stride).enumerate() {
            let panel = &mut key_panels[position / LANES * width..];
            for (column, &x) in panel.iter_mut().zip(&key[at..at + width]) {
                column[position % LANES] = x;
            }
        }
        let mut value_panels = vec![[0.0; LANES]; width.div_ceil(LANES) * positions];
        for (panel, out) in value_panels.chunks_exact_mut(positions).enumerate() {
            let columns = panel * LANES..width.min((panel + 1) * LANES);
            for (value, out) in values.chunks_exact(stride).zip(out) {
                out[..columns.len()].copy_from_slice(&value[at + columns.start..at + columns.end]);
            }
        }
        Self { keys: key_panels, values: value_panels }
    }
}

/// Queries of some positions, the last ones of caches `[S, K, D]`: each begins a row of `rows`, `row` numbers apart.
/// `[T, H, D]` comes out.
pub(crate) fn attend_many(
    rows: &[f32],
    row: usize,
    keys: &[f32],
    values: &[f32],
    shape: Shape,
    scoring: Scoring,
    out: &mut [f32],
) {
    let (width, stride) = (shape.width, shape.keys * shape.width);
    let (positions, count) = (keys.len() / stride, rows.len() / row);
    let first = positions - count;
    let group = shape.queries / shape.keys;
    // Nothing before this is seen by any of them.
    let low = scoring.first_seen(first);
    let (keys, values, positions) = (&keys[low * stride..], &values[low * stride..], positions - low);
    let panels: Vec<HeadPanels> =
        (0..shape.keys).into_par_iter().map(|head| HeadPanels::new(keys, values, head * width, shape)).collect();
    let tile = |(tile, out): (usize, &mut [f32])| {
        let from = tile * ROWS;
        let size = ROWS.min(count - from);
        let here = first + from - low;
        // Whole pairs of panels of keys.
        let least = scoring.first_seen(here + low).saturating_sub(low) / (2 * LANES) * (2 * LANES);
        let most = here + size;
        let span = (most - least).next_multiple_of(2 * LANES);
        let mut scores = vec![0.0; size * span];
        for head in 0..shape.queries {
            let panels = &panels[head / group];
            let queries: Vec<f32> = (0..size)
                .flat_map(|i| &rows[(from + i) * row + head * width..(from + i) * row + (head + 1) * width])
                .copied()
                .collect();
            let queries = Tiles::new(&queries, width);
            for at in (least..most).step_by(2 * LANES) {
                let end = positions.min(at + 2 * LANES).div_ceil(LANES) * width;
                queries.multiply(0..1, &panels.keys[at / LANES * width..end], &mut scores, at - least, span);
            }
            for (i, scores) in scores.chunks_exact_mut(span).enumerate() {
                let seen = scoring.first_seen(here + low + i).saturating_sub(low) - least..here + i + 1 - least;
                soften_row(&mut scores[seen.clone()], scoring.scale, scoring.cap);
                scores[..seen.start].fill(0.0);
                scores[seen.end..].fill(0.0);
            }
            let weights = Tiles::parts(&scores, span, most - least);
            for (pair, columns) in (0..width).step_by(2 * LANES).enumerate() {
                // Two panels, one after the other: they lie `positions` apart.
                for side in 0..2 {
                    let panel = (2 * pair + side) * positions;
                    let at = columns + side * LANES;
                    if at < width {
                        let values = &panels.values[panel + least..panel + most];
                        weights.multiply(0..1, values, out, head * width + at, shape.queries * width);
                    }
                }
            }
        }
    };
    let size = shape.queries * width;
    out[..count * size].par_chunks_mut(ROWS * size).enumerate().for_each(tile);
}

#[cfg(test)]
mod tests {
    use plumb_core::random::Random;

    use super::*;

    #[test]
    fn many_positions_attend_as_each_alone() {
        let mut random = Random::new(4, "attention");
        for (queries, keys, width) in [(4, 2, 8), (3, 3, 20), (9, 3, 64)] {
            let shape = Shape { queries, keys, width };
            for (behind, count, window, cap) in [
                (0, 1, None, None),
                (0, 50, None, None),
                (37, 13, None, Some(2.0)),
                (60, 30, Some(7), None),
                (3, 80, Some(33), None),
            ] {
                let scoring = Scoring { scale: 0.3, cap, window };
                let mut draw = |count: usize| -> Vec<f32> { (0..count).map(|_| random.normal() as f32).collect() };
                let (d_q, d_kv) = (queries * width, keys * width);
                // Rows are longer than their queries, as they are behind the joined product.
                let row = d_q + 5;
                let rows = draw(count * row);
                let (k, v) = (draw((behind + count) * d_kv), draw((behind + count) * d_kv));
                let mut many = vec![0.0; count * d_q];
                attend_many(&rows, row, &k, &v, shape, scoring, &mut many);
                for (at, many) in many.chunks_exact(d_q).enumerate() {
                    let seen = (behind + at + 1) * d_kv;
                    let mut one = vec![0.0; d_q];
                    attend_one(&rows[at * row..at * row + d_q], &k[..seen], &v[..seen], shape, scoring, &mut one);
                    for (a, b) in many.iter().zip(&one) {
                        assert!((a - b).abs() < 2e-5, "{shape:?} {scoring:?} {behind}+{at}: {a} and {b}");
                    }
                }
            }
        }
    }
}
