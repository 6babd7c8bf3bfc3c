//! The way of the residual stream through the blocks on the processor: its own kernels, over buffers that all blocks
//! share.

use candle_core::Tensor;

use super::forward::hooked;
use super::{Block, Cache, LanguageModel, Sequence, cpu};
use crate::config::Rope;
use crate::hooks::{HookPoint, Site};
use crate::kernels::{attend_many, attend_one, bend, gated, rms_norm, rotate};
use crate::{Config, Result};

/// Cosines and sines of all new positions for one rotary base, `[N, D/2]`.
struct Angles {
    rope: Rope,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// What a block works with; nothing in it outlives the block.
#[derive(Default)]
struct Space {
    normal: Vec<f32>,
    rows: Vec<f32>,
    mixed: Vec<f32>,
    out: Vec<f32>,
    bent: Vec<f32>,
}

/// Up to this many new positions, blocks without a hook between them run in one go: the way to the threads is long
/// beside what a block does.
const SHORT: usize = 8;

/// Up to this many new positions attend one by one.
const SINGLY: usize = 3;

impl LanguageModel {
    /// From the block `first` on, as [`run`](Self::run).
    pub(super) fn run_fast(
        &self,
        mut resid: Tensor,
        first: usize,
        positions: &[u32],
        sequences: &mut [Sequence<'_>],
        stop: Option<HookPoint>,
    ) -> Result<Tensor> {
        let angles = self.angles(positions);
        let shape = resid.shape().clone();
        let mut space = Space::default();
        let met = |point: HookPoint, sequences: &[Sequence<'_>]| {
            stop == Some(point) || sequences.iter().any(|sequence| sequence.hooks.wants(point))
        };
        let mut block = first;
        while block < self.parts.blocks.len() {
            let pre = HookPoint { block, site: Site::ResidPre };
            if stop == Some(pre) {
                return Ok(resid);
            }
            resid = hooked(resid, pre, sequences)?;
            let mut end = block + 1;
            let after = |end: usize| HookPoint { block: end - 1, site: Site::ResidPost };
            while positions.len() <= SHORT
                && end < self.parts.blocks.len()
                && !met(after(end), sequences)
                && !met(HookPoint { block: end, site: Site::ResidPre }, sequences)
            {
                end += 1;
            }
            let mut caches: Vec<_> =
                sequences.iter_mut().map(|sequence| (&mut *sequence.cache, sequence.tokens.len())).collect();
            let mut numbers = cpu::with::<f32, _>(&resid.contiguous()?, <[f32]>::to_vec)?;
            on_threads(|| {
                (block..end).try_for_each(|block| self.block(block, &mut numbers, &angles, &mut caches, &mut space))
            })?;
            resid = cpu::tensor(numbers, shape.clone())?;
            if stop == Some(after(end)) {
                return Ok(resid);
            }
            resid = hooked(resid, after(end), sequences)?;
            block = end;
        }
        Ok(resid)
    }

    fn angles(&self, positions: &[u32]) -> Vec<Angles> {
        let mut all: Vec<Angles> = Vec::new();
        for rope in self.parts.blocks.iter().filter_map(|block| block.rope) {
            if all.iter().any(|angles| angles.rope == rope) {
                continue;
            }
            let frequencies = rope.frequencies(self.config.head_dim);
            let angles = || positions.iter().flat_map(|&at| frequencies.iter().map(move |f| at as f32 * f));
            all.push(Angles { rope, cos: angles().map(f32::cos).collect(), sin: angles().map(f32::sin).collect() });
        }
        all
    }

    /// One block, in place.
    fn block(
        &self,
        index: usize,
        resid: &mut [f32],
        angles: &[Angles],
        caches: &mut [(&mut Cache, usize)],
        space: &mut Space,
    ) -> Result<()> {
        let block = &self.parts.blocks[index];
        let Config { activation, gated: has_gate, d_mlp, .. } = self.config;
        let Space { normal, rows, mixed, out, bent } = space;
        let angles = angles.iter().find(|angles| Some(angles.rope) == block.rope);
        normal.resize(resid.len(), 0.0);

        block.attention_norm.numbers(resid, normal)?;
        block.qkv.numbers(normal, rows)?;
        block.turn(rows, angles)?;
        block.attend(index, rows, caches, mixed)?;
        block.out.numbers(mixed, out)?;
        if let Some(after) = &block.attention_after {
            after.numbers(out, normal)?;
            std::mem::swap(out, normal);
        }
        add(resid, out);

        block.mlp_norm.numbers(resid, normal)?;
        block.up.numbers(normal, rows)?;
        let bent = if has_gate {
            bent.resize(rows.len() / 2, 0.0);
            gated(activation, rows, d_mlp, bent);
            bent
        } else {
            bend(activation, rows);
            rows
        };
        block.down.numbers(bent, out)?;
        if let Some(after) = &block.mlp_after {
            after.numbers(out, normal)?;
            std::mem::swap(out, normal);
        }
        add(resid, out);
        Ok(())
    }
}

impl Block {
    /// Normalises and turns the queries and keys in rows of (queries, keys, values).
    fn turn(&self, rows: &mut [f32], angles: Option<&Angles>) -> Result<()> {
        let width = self.heads.width;
        let (d_q, d_kv) = (self.heads.queries * width, self.heads.keys * width);
        let norms = match &self.qk_norms {
            None => None,
            Some((q, k)) => {
                let list = |normal: &super::Normal| normal.weight.to_vec1::<f32>();
                Some((list(q)?, list(k)?, q.epsilon as f32))
            }
        };
        let mut plain = Vec::new();
        for (position, row) in rows.chunks_exact_mut(d_q + 2 * d_kv).enumerate() {
            if let Some((q, k, epsilon)) = &norms {
                plain.clear();
                plain.extend_from_slice(&row[..d_q + d_kv]);
                rms_norm(&plain[..d_q], q, *epsilon, &mut row[..d_q]);
                rms_norm(&plain[d_q..], k, *epsilon, &mut row[d_q..d_q + d_kv]);
            }
            if let Some(angles) = angles {
                let here = position * width / 2..(position + 1) * width / 2;
                rotate(&mut row[..d_q + d_kv], width, &angles.cos[here.clone()], &angles.sin[here]);
            }
        }
        Ok(())
    }

    /// Attention of every sequence's rows over what is behind them, `[N, H·D]`.
    fn attend(&self, index: usize, rows: &[f32], caches: &mut [(&mut Cache, usize)], out: &mut Vec<f32>) -> Result<()> {
        let width = self.heads.width;
        let (d_q, d_kv) = (self.heads.queries * width, self.heads.keys * width);
        let row = d_q + 2 * d_kv;
        out.resize(rows.len() / row * d_q, 0.0);
        let (mut rows, mut out) = (rows, &mut out[..]);
        for (cache, count) in caches {
            let (own, behind) = rows.split_at(*count * row);
            let (here, rest) = std::mem::take(&mut out).split_at_mut(*count * d_q);
            (rows, out) = (behind, rest);
            let new = own.chunks_exact(row).map(|row| row[d_q..].split_at(d_kv));
            let (keys, values) = cache.append_numbers(index, new)?;
            if *count > SINGLY {
                attend_many(own, row, keys, values, self.heads, self.scoring, here);
                continue;
            }
            for (position, (own, here)) in own.chunks_exact(row).zip(here.chunks_exact_mut(d_q)).enumerate() {
                let end = keys.len() - (*count - 1 - position) * d_kv;
                attend_one(&own[..d_q], &keys[..end], &values[..end], self.heads, self.scoring, here);
            }
        }
        Ok(())
    }
}

fn add(resid: &mut [f32], more: &[f32]) {
    for (resid, more) in resid.iter_mut().zip(more) {
        *resid += more;
    }
}

/// Runs `work` on one of rayon's threads, from which others are reached without waking the caller in between.
pub(super) fn on_threads<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}
