//! The way of the residual stream through the blocks in candle's own steps, on any device.

use candle_core::Tensor;

use super::attention::Angles;
use super::{Block, LanguageModel, Sequence, cpu};
use crate::config::Rope;
use crate::hooks::{HookPoint, Site};
use crate::kernels::soft_cap;
use crate::{Config, Error, Result};

/// Cosines and sines of all new positions for one rotary base.
struct Table {
    rope: Rope,
    angles: Angles,
}

impl LanguageModel {
    /// The residual stream `[N, d]` of all new positions of all sequences, one after the other: after the last block, or
    /// at `stop`, in which case caches do not advance. With `start` it is what is given there, and the caches hold what
    /// earlier blocks left behind.
    pub(super) fn run(
        &self,
        sequences: &mut [Sequence<'_>],
        start: Option<(HookPoint, &Tensor)>,
        stop: Option<HookPoint>,
    ) -> Result<Tensor> {
        self.check(sequences)?;
        let positions = positions(sequences);
        let (resid, first) = match start {
            None => (self.embed(sequences, &positions)?, 0),
            Some((point, resid)) if point.site == Site::ResidPre => (resid.clone(), point.block),
            Some((point, resid)) => (hooked(resid.clone(), point, sequences)?, point.block + 1),
        };
        let resid = if self.fast {
            self.run_fast(resid, first, &positions, sequences, stop)?
        } else {
            self.run_composed(resid, first, &positions, sequences, stop)?
        };
        if stop.is_none() {
            for sequence in sequences {
                sequence.cache.advance(sequence.tokens.len());
            }
        }
        Ok(resid)
    }

    fn run_composed(
        &self,
        mut resid: Tensor,
        first: usize,
        positions: &[u32],
        sequences: &mut [Sequence<'_>],
        stop: Option<HookPoint>,
    ) -> Result<Tensor> {
        let tables = self.tables(positions)?;
        for (index, block) in self.parts.blocks.iter().enumerate().skip(first) {
            let pre = HookPoint { block: index, site: Site::ResidPre };
            if stop == Some(pre) {
                return Ok(resid);
            }
            resid = hooked(resid, pre, sequences)?;
            let table = tables.iter().find(|table| Some(table.rope) == block.rope);
            resid = Self::attention(block, index, &resid, table, sequences)?;
            resid = self.mlp(block, &resid)?;
            let post = HookPoint { block: index, site: Site::ResidPost };
            if stop == Some(post) {
                return Ok(resid);
            }
            resid = hooked(resid, post, sequences)?;
        }
        Ok(resid)
    }

    fn check(&self, sequences: &[Sequence<'_>]) -> Result<()> {
        let Config { vocabulary, .. } = self.config;
        if sequences.is_empty() {
            return Err(Error::NoTokens);
        }
        for sequence in sequences {
            if sequence.tokens.is_empty() {
                return Err(Error::NoTokens);
            }
            if let Some(position) = sequence.tokens.iter().position(|&token| token as usize >= vocabulary) {
                return Err(Error::Token { token: sequence.tokens[position], position, vocabulary });
            }
            sequence.cache.check(self.config.depth(), self.config.d_kv(), sequence.tokens.len())?;
        }
        Ok(())
    }

    fn embed(&self, sequences: &[Sequence<'_>], positions: &[u32]) -> Result<Tensor> {
        let tokens: Vec<u32> = sequences.iter().flat_map(|sequence| sequence.tokens).copied().collect();
        let mut resid = self.parts.embedding.rows(&tokens, &self.device)?;
        if let Some(scale) = self.config.embedding_scale {
            resid = (resid * scale)?;
        }
        if let Some(learned) = &self.parts.positions {
            resid = (resid + learned.index_select(&Tensor::new(positions, &self.device)?, 0)?)?;
        }
        Ok(resid)
    }

    fn tables(&self, positions: &[u32]) -> Result<Vec<Table>> {
        let mut tables: Vec<Table> = Vec::new();
        for rope in self.parts.blocks.iter().filter_map(|block| block.rope) {
            if tables.iter().any(|table| table.rope == rope) {
                continue;
            }
            let frequencies = rope.frequencies(self.config.head_dim);
            let angles: Vec<f32> =
                positions.iter().flat_map(|&position| frequencies.iter().map(move |f| position as f32 * f)).collect();
            let shape = (positions.len(), frequencies.len());
            let table =
                |of: fn(f32) -> f32| Tensor::from_vec(angles.iter().copied().map(of).collect(), shape, &self.device);
            tables.push(Table { rope, angles: Angles { cos: table(f32::cos)?, sin: table(f32::sin)? } });
        }
        Ok(tables)
    }

    fn attention(
        block: &Block,
        index: usize,
        resid: &Tensor,
        table: Option<&Table>,
        sequences: &mut [Sequence<'_>],
    ) -> Result<Tensor> {
        let rows = block.qkv.apply(&block.attention_norm.apply(resid, false)?, false)?;
        let mut mixed = Vec::with_capacity(sequences.len());
        let mut at = 0;
        for sequence in sequences.iter_mut() {
            let (first, count) = (sequence.cache.len(), sequence.tokens.len());
            let angles = match table {
                None => None,
                Some(Table { angles: Angles { cos, sin }, .. }) => {
                    Some(Angles { cos: cos.narrow(0, at, count)?, sin: sin.narrow(0, at, count)? })
                }
            };
            let rows = rows.narrow(0, at, count)?;
            let split = block.heads.split(&rows, block.qk_norms.as_ref(), angles.as_ref())?;
            let (keys, values) = sequence.cache.append(index, &split.keys, &split.values)?;
            mixed.push(block.heads.attend(&split.queries, &keys, &values, first, block.scoring)?);
            at += count;
        }
        let mixed = if mixed.len() == 1 { mixed.swap_remove(0) } else { Tensor::cat(&mixed, 0)? };
        let mut out = block.out.apply(&mixed, false)?;
        if let Some(after) = &block.attention_after {
            out = after.apply(&out, false)?;
        }
        Ok((resid + out)?)
    }

    fn mlp(&self, block: &Block, resid: &Tensor) -> Result<Tensor> {
        let up = block.up.apply(&block.mlp_norm.apply(resid, false)?, false)?;
        let bent = self.bend(&up)?;
        let mut out = block.down.apply(&bent, false)?;
        if let Some(after) = &block.mlp_after {
            out = after.apply(&out, false)?;
        }
        Ok((resid + out)?)
    }

    fn bend(&self, up: &Tensor) -> Result<Tensor> {
        use crate::config::Activation;
        let Config { activation, gated: has_gate, d_mlp, .. } = self.config;
        let curve = |x: &Tensor| match activation {
            Activation::Silu => x.silu(),
            Activation::GeluTanh => x.gelu(),
            Activation::Relu => x.relu(),
        };
        if has_gate {
            Ok((curve(&up.narrow(1, 0, d_mlp)?.contiguous()?)? * up.narrow(1, d_mlp, d_mlp)?)?)
        } else {
            Ok(curve(up)?)
        }
    }

    pub(super) fn final_cap(&self, logits: Tensor) -> Result<Tensor> {
        let Some(cap) = self.config.final_cap else { return Ok(logits) };
        if self.fast {
            let mut numbers = cpu::with::<f32, _>(&logits, <[f32]>::to_vec)?;
            soft_cap(&mut numbers, cap as f32);
            return cpu::tensor(numbers, logits.shape());
        }
        Ok(((logits / cap)?.tanh()? * cap)?)
    }
}

/// Positions of all new tokens, one sequence after the other.
fn positions(sequences: &[Sequence<'_>]) -> Vec<u32> {
    let own = |sequence: &Sequence<'_>| (sequence.cache.len()..).take(sequence.tokens.len());
    sequences.iter().flat_map(own).map(|position| position as u32).collect()
}

/// What the sequences' hooks make of the residual stream at `point`.
pub(super) fn hooked(resid: Tensor, point: HookPoint, sequences: &mut [Sequence<'_>]) -> Result<Tensor> {
    if !sequences.iter().any(|sequence| sequence.hooks.wants(point)) {
        return Ok(resid);
    }
    let mut at = 0;
    let mut changed = false;
    let mut rows = Vec::with_capacity(sequences.len());
    for sequence in sequences.iter_mut() {
        let count = sequence.tokens.len();
        let own = resid.narrow(0, at, count)?;
        at += count;
        let new = if sequence.hooks.wants(point) {
            sequence.hooks.resid(point, sequence.cache.len(), sequence.tokens, &own)?
        } else {
            None
        };
        rows.push(match new {
            None => own,
            Some(new) if new.dims() == own.dims() => {
                changed = true;
                new.to_dtype(own.dtype())?.contiguous()?
            }
            Some(new) => {
                let (expected, found) = (own.dims().to_vec(), new.dims().to_vec());
                return Err(Error::HookShape { point: point.to_string(), expected, found });
            }
        });
    }
    match (changed, rows.len()) {
        (false, _) => Ok(resid),
        (true, 1) => Ok(rows.swap_remove(0)),
        (true, _) => Ok(Tensor::cat(&rows, 0)?),
    }
}
