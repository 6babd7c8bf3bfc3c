//! Norms of the residual stream and of heads.

use candle_core::{D, Tensor};

use super::cpu;
use crate::Result;
use crate::kernels::{layer_norm, rms_norm};

/// A norm with its weights (one already added where the family adds it).
#[derive(Clone, Debug)]
pub(super) struct Normal {
    pub weight: Tensor,
    /// Present for LayerNorm, which also subtracts the mean.
    pub bias: Option<Tensor>,
    pub epsilon: f64,
}

impl Normal {
    /// Normalises the last axis.
    pub fn apply(&self, x: &Tensor, fast: bool) -> Result<Tensor> {
        if fast {
            let x = x.contiguous()?;
            let mut out = vec![0.0; x.elem_count()];
            cpu::with::<f32, _>(&x, |x| self.numbers(x, &mut out))??;
            return cpu::tensor(out, x.shape());
        }
        let centred = match &self.bias {
            None => x.clone(),
            Some(_) => x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
        };
        let scale = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.epsilon)?.sqrt()?.recip()?;
        let y = centred.broadcast_mul(&scale)?.broadcast_mul(&self.weight)?;
        match &self.bias {
            None => Ok(y),
            Some(bias) => Ok(y.broadcast_add(bias)?),
        }
    }

    /// Normalises rows as wide as the weights, in the processor's memory.
    pub fn numbers(&self, x: &[f32], out: &mut [f32]) -> Result<()> {
        let epsilon = self.epsilon as f32;
        cpu::with::<f32, _>(&self.weight, |weight| match &self.bias {
            None => {
                rms_norm(x, weight, epsilon, out);
                Ok(())
            }
            Some(bias) => cpu::with::<f32, _>(bias, |bias| layer_norm(x, weight, bias, epsilon, out)),
        })?
    }
}
