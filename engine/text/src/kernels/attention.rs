//! Attention of one position over a cache, and the softmax of many.

use rayon::prelude::*;

use super::math::{exp, tanh};
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
    fn soften_row(scores: &'a [f32], scale: f32, cap: Option<f32>, out: &'a mut [f32]) {
        for (score, out) in scores.iter().zip(out.iter_mut()) {
            *out = score * scale;
        }
        if let Some(cap) = cap {
            for score in out.iter_mut() {
                *score = cap * tanh(*score / cap);
            }
        }
        soften(out);
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

/// One position's queries `[H, D]` over caches `[S, K, D]` of which the last position is its own: `[H, D]`.
pub(crate) fn attend_one(
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    head_dim: usize,
    kv_heads: usize,
    scoring: Scoring,
) -> Vec<f32> {
    let stride = kv_heads * head_dim;
    let positions = keys.len() / stride;
    let first = scoring.first_seen(positions - 1);
    let seen = positions - first;
    let (keys, values) = (&keys[first * stride..], &values[first * stride..]);
    let group = query.len() / stride;
    let mut out = vec![0.0; query.len()];
    let head = |(head, out): (usize, &mut [f32])| {
        let at = head / group * head_dim;
        let query = &query[head * head_dim..(head + 1) * head_dim];
        let mut scores = vec![0.0; seen];
        attend_head(query, &keys[at..], &values[at..], stride, scoring.scale, scoring.cap, &mut scores, out);
    };
    if query.len() * seen < 100_000 {
        out.chunks_exact_mut(head_dim).enumerate().for_each(head);
    } else {
        out.par_chunks_exact_mut(head_dim).enumerate().for_each(head);
    }
    out
}

/// Softmax of scores `[H, T, S]` of which column 0 belongs to position `first_key` and row 0 to position
/// `first_query`; what a query does not see becomes 0.
pub(crate) fn masked_softmax(
    scores: &[f32],
    queries: usize,
    keys: usize,
    first_query: usize,
    first_key: usize,
    scoring: Scoring,
) -> Vec<f32> {
    let mut out = vec![0.0; scores.len()];
    out.par_chunks_exact_mut(keys).zip(scores.par_chunks_exact(keys)).enumerate().with_min_len(16).for_each(
        |(row, (out, scores))| {
            let position = first_query + row % queries;
            let seen = scoring.first_seen(position).saturating_sub(first_key)..position + 1 - first_key;
            soften_row(&scores[seen.clone()], scoring.scale, scoring.cap, &mut out[seen]);
        },
    );
    out
}
