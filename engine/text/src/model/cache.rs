//! Keys and values of the positions that a sequence has behind it.

use candle_core::{DType, Device, Tensor};

use crate::{Error, Result};

/// One sequence's keys and values, so that each new token costs one position and not all of them.
///
/// Made by [`LanguageModel::new_cache`](crate::LanguageModel::new_cache); it fits that model only.
#[derive(Debug)]
pub struct Cache {
    /// Keys and values per block; made when a block first runs.
    blocks: Vec<Kept>,
    width: usize,
    length: usize,
    context: usize,
    device: Device,
}

/// Keys and values of one block.
#[derive(Clone, Debug)]
enum Kept {
    Nothing,
    /// `[capacity, K·D]`.
    Tensors(Tensor, Tensor),
    /// `[S, K·D]`, where the processor's kernels read them.
    Numbers(Vec<f32>, Vec<f32>),
}

/// The fewest positions that are made room for.
const FIRST: usize = 64;

impl Cache {
    pub(super) fn new(blocks: usize, width: usize, context: usize, device: &Device) -> Self {
        Self { blocks: vec![Kept::Nothing; blocks], width, length: 0, context, device: device.clone() }
    }

    /// Positions it holds.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Positions it can hold: the model's context.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Forgets all positions from `length` on; does nothing when there are no more than that.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// A second cache with the same content, to go on from the same prompt in two ways.
    pub fn fork(&self) -> Result<Self> {
        let copy = |block: &Kept| match block {
            Kept::Tensors(keys, values) => Ok(Kept::Tensors(keys.copy()?, values.copy()?)),
            other => Ok(other.clone()),
        };
        let blocks = self.blocks.iter().map(copy).collect::<candle_core::Result<_>>()?;
        Ok(Self { blocks, device: self.device.clone(), ..*self })
    }

    pub(super) fn check(&self, blocks: usize, width: usize, more: usize) -> Result<()> {
        if self.blocks.len() != blocks || self.width != width {
            return Err(foreign());
        }
        let needed = self.length + more;
        if needed > self.context {
            return Err(Error::Context { needed, limit: self.context });
        }
        Ok(())
    }

    /// Puts keys and values `[T, K·D]` behind those of a block and gives all of them, `[S, K·D]`. The cache counts
    /// them once [`advance`](Self::advance) is called.
    pub(super) fn append(&mut self, block: usize, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        let needed = self.length + keys.dim(0)?;
        let slot = &mut self.blocks[block];
        let room = match slot {
            Kept::Tensors(keys, _) => keys.dim(0)?,
            _ => 0,
        };
        if room < needed {
            let capacity = needed.next_power_of_two().max(FIRST).min(self.context);
            let fresh = || Tensor::zeros((capacity, self.width), DType::F32, &self.device);
            let (new_keys, new_values) = (fresh()?, fresh()?);
            if self.length > 0 {
                let Kept::Tensors(keys, values) = slot else { return Err(foreign()) };
                new_keys.slice_set(&keys.narrow(0, 0, self.length)?, 0, 0)?;
                new_values.slice_set(&values.narrow(0, 0, self.length)?, 0, 0)?;
            }
            *slot = Kept::Tensors(new_keys, new_values);
        }
        let Kept::Tensors(all_keys, all_values) = slot else { return Err(foreign()) };
        all_keys.slice_set(&keys.contiguous()?, 0, self.length)?;
        all_values.slice_set(&values.contiguous()?, 0, self.length)?;
        Ok((all_keys.narrow(0, 0, needed)?, all_values.narrow(0, 0, needed)?))
    }

    /// The same with numbers: `rows` are (keys, values) of each new position.
    pub(super) fn append_numbers<'a>(
        &mut self,
        block: usize,
        rows: impl Iterator<Item = (&'a [f32], &'a [f32])>,
    ) -> Result<(&[f32], &[f32])> {
        let slot = &mut self.blocks[block];
        if self.length == 0 && !matches!(slot, Kept::Numbers(..)) {
            let fresh = || Vec::with_capacity(FIRST.min(self.context) * self.width);
            *slot = Kept::Numbers(fresh(), fresh());
        }
        let Kept::Numbers(keys, values) = slot else { return Err(foreign()) };
        keys.truncate(self.length * self.width);
        values.truncate(self.length * self.width);
        for (key, value) in rows {
            keys.extend_from_slice(key);
            values.extend_from_slice(value);
        }
        Ok((keys, values))
    }

    pub(super) fn advance(&mut self, positions: usize) {
        self.length += positions;
    }
}

fn foreign() -> Error {
    Error::Cache("this cache belongs to another model: make one with this model's new_cache".to_owned())
}
