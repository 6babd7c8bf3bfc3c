//! Attention of one sequence's new positions over everything before them, in candle's own steps.

use candle_core::{D, Tensor};

use super::norm::Normal;
use crate::Result;
use crate::kernels::{Scoring, Shape};

/// Cosine and sine of the new positions' angles, each `[T, D/2]`.
#[derive(Clone, Debug)]
pub(super) struct Angles {
    pub cos: Tensor,
    pub sin: Tensor,
}

/// Queries `[H, T, D]`, keys and values `[T, K·D]`.
pub(super) struct Split {
    pub queries: Tensor,
    pub keys: Tensor,
    pub values: Tensor,
}

/// Queries are attended this many at a time, which bounds the memory of the scores.
const CHUNK: usize = 256;

impl Shape {
    /// Parts rows of (queries, keys, values) `[T, (H + 2K)·D]`, normalises and turns queries and keys.
    pub(super) fn split(
        &self,
        rows: &Tensor,
        norms: Option<&(Normal, Normal)>,
        angles: Option<&Angles>,
    ) -> Result<Split> {
        let Self { queries: heads, keys: kv_heads, width: head_dim } = *self;
        let count = rows.dim(0)?;
        let (d_q, d_kv) = (heads * head_dim, kv_heads * head_dim);
        let mut queries = rows.narrow(1, 0, d_q)?.reshape((count, heads, head_dim))?;
        let mut keys = rows.narrow(1, d_q, d_kv)?.reshape((count, kv_heads, head_dim))?;
        let values = rows.narrow(1, d_q + d_kv, d_kv)?.contiguous()?;
        if let Some((q, k)) = norms {
            queries = q.apply(&queries, false)?;
            keys = k.apply(&keys, false)?;
        }
        if let Some(angles) = angles {
            queries = turn(&queries, angles)?;
            keys = turn(&keys, angles)?;
        }
        let queries = queries.transpose(0, 1)?.contiguous()?;
        Ok(Split { queries, keys: keys.reshape((count, d_kv))?, values })
    }

    /// Attention of queries `[H, T, D]`, the first at position `first`, over `[S, K·D]`: `[T, H·D]`.
    pub(super) fn attend(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        first: usize,
        scoring: Scoring,
    ) -> Result<Tensor> {
        let Self { queries: heads, keys: kv_heads, width: head_dim } = *self;
        let count = queries.dim(1)?;
        let mut chunks = Vec::new();
        for at in (0..count).step_by(CHUNK) {
            let size = CHUNK.min(count - at);
            let position = first + at;
            let low = scoring.first_seen(position);
            let seen = position + size - low;
            let by_head = |all: &Tensor| -> Result<Tensor> {
                Ok(all.narrow(0, low, seen)?.reshape((seen, kv_heads, head_dim))?.transpose(0, 1)?)
            };
            let (keys, values) = (by_head(keys)?.contiguous()?, by_head(values)?.contiguous()?);
            let group = heads / kv_heads;
            let queries = queries.narrow(1, at, size)?.contiguous()?.reshape((kv_heads, group * size, head_dim))?;
            let scores = queries.matmul(&keys.t()?)?;
            let weights = softmax(&scores.reshape((heads, size, seen))?, position, low, scoring)?;
            let weights = weights.reshape(scores.shape())?;
            let mixed = weights.matmul(&values)?.reshape((heads, size, head_dim))?;
            chunks.push(mixed.transpose(0, 1)?.reshape((size, heads * head_dim))?);
        }
        if chunks.len() == 1 { Ok(chunks.swap_remove(0)) } else { Ok(Tensor::cat(&chunks, 0)?) }
    }
}

/// Turns pairs (i, i + D/2) of `[T, H, D]`.
fn turn(x: &Tensor, angles: &Angles) -> Result<Tensor> {
    let half = x.dim(2)? / 2;
    let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
    let (cos, sin) = (angles.cos.unsqueeze(1)?, angles.sin.unsqueeze(1)?);
    let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    Ok(Tensor::cat(&[first, second], 2)?)
}

/// Softmax of `[H, T, S]` scores in candle's own steps.
fn softmax(scores: &Tensor, first_query: usize, first_key: usize, scoring: Scoring) -> Result<Tensor> {
    let (_, queries, keys) = scores.dims3()?;
    let mut scores = (scores * f64::from(scoring.scale))?;
    if let Some(cap) = scoring.cap {
        scores = ((scores / f64::from(cap))?.tanh()? * f64::from(cap))?;
    }
    let seen = |query: usize, key: usize| {
        let position = first_query + query;
        (scoring.first_seen(position)..=position).contains(&(first_key + key))
    };
    let mask: Vec<f32> =
        (0..queries * keys).map(|at| if seen(at / keys, at % keys) { 0.0 } else { f32::NEG_INFINITY }).collect();
    let mask = Tensor::from_vec(mask, (queries, keys), scores.device())?;
    let scores = scores.broadcast_add(&mask)?;
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    Ok(shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)?)
}
