//! One number per text and feature. Most are zero and are not stored.

use candle_core::{D, DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::Result;

/// How the activations of a text's tokens become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// The largest.
    Max,
    /// The share of tokens where the feature fires.
    Freq,
}

/// Texts of the first kind (toxic) are numbered `0..first`, those of the second (neutral) follow. In a paired set, text
/// `i` of the first kind belongs to text `i` of the second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pooled {
    /// Texts of the first kind.
    pub first: usize,
    /// Texts of the second kind.
    pub second: usize,
    /// For each feature the texts where it is not zero, by number, and the value.
    pub values: Vec<Vec<(u32, f32)>>,
    /// For each feature the tokens of first and second kind where it fires.
    pub firings: Vec<[u32; 2]>,
    /// Tokens of each kind that were counted.
    pub tokens: [u64; 2],
    /// For each feature its largest activation in any text: `A_j`, where no larger corpus was looked at.
    pub largest: Vec<f32>,
}

impl Pooled {
    /// Nothing yet, for `features` features and so many texts of both kinds.
    pub fn new(features: usize, first: usize, second: usize) -> Self {
        Self {
            first,
            second,
            values: vec![Vec::new(); features],
            firings: vec![[0; 2]; features],
            tokens: [0; 2],
            largest: vec![0.0; features],
        }
    }

    /// Adds text `text` with activations `z` `[T, m]`, of which the BOS row was left out. Texts come in order.
    pub fn push(&mut self, text: usize, z: &Tensor, pooling: Pooling) -> Result<()> {
        let rows = z.dim(0)?;
        if rows == 0 {
            return Ok(());
        }
        let fires = z.gt(0f32)?.to_dtype(DType::F32)?.sum(0)?.to_vec1::<f32>()?;
        let kind = usize::from(text >= self.first);
        self.tokens[kind] += rows as u64;
        let largest = z.transpose(0, 1)?.contiguous()?.max(D::Minus1)?.to_vec1::<f32>()?;
        self.largest.iter_mut().zip(&largest).for_each(|(all, new)| *all = all.max(*new));
        let pooled = match pooling {
            Pooling::Mean => z.mean(0)?.to_vec1::<f32>()?,
            Pooling::Max => largest,
            Pooling::Freq => fires.iter().map(|fires| fires / rows as f32).collect(),
        };
        for (feature, (value, fires)) in pooled.into_iter().zip(fires).enumerate() {
            if value > 0.0 {
                self.values[feature].push((text as u32, value));
                self.firings[feature][kind] += fires as u32;
            }
        }
        Ok(())
    }
}
