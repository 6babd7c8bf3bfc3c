//! A weight matrix `[out, in]`: in panels for the processor, a tensor on other devices.

use candle_core::{DType, Device, Tensor};

use super::cpu;
use crate::kernels::Panels;
use crate::{Error, Result};

/// A matrix and, where the layer has one, its bias.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    pub matrix: Matrix,
    pub bias: Option<Tensor>,
}

/// The matrix alone.
#[derive(Clone, Debug)]
pub(super) enum Matrix {
    /// On another device than the processor.
    Dense(Tensor),
    /// In the processor's memory.
    Panels(Panels),
}

impl Linear {
    /// `x` `[N, in]` to `[N, out]`, both single precision.
    pub fn apply(&self, x: &Tensor, fast: bool) -> Result<Tensor> {
        let y = self.matrix.apply(x, fast)?;
        match &self.bias {
            None => Ok(y),
            Some(bias) => Ok(y.broadcast_add(bias)?),
        }
    }
}

impl Linear {
    /// The same in the processor's memory, into the first numbers of `out`.
    pub fn numbers(&self, x: &[f32], out: &mut Vec<f32>) -> Result<()> {
        let Matrix::Panels(panels) = &self.matrix else {
            return Err(candle_core::Error::Msg("a matrix in the processor's memory is expected".to_owned()).into());
        };
        let (height, rows) = (panels.height(), x.len() / panels.width());
        out.resize(rows * height, 0.0);
        panels.multiply(x, out);
        if let Some(bias) = &self.bias {
            cpu::with::<f32, _>(bias, |bias| {
                for row in out.chunks_exact_mut(height) {
                    row.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
                }
            })?;
        }
        Ok(())
    }
}

impl Matrix {
    /// `x` `[N, in]` to `x`·Wᵀ `[N, out]`.
    pub fn apply(&self, x: &Tensor, fast: bool) -> Result<Tensor> {
        match self {
            Self::Panels(panels) if fast => {
                let rows = x.dim(0)?;
                let mut out = vec![0.0; rows * panels.height()];
                cpu::with::<f32, _>(&x.contiguous()?, |x| panels.multiply(x, &mut out))?;
                cpu::tensor(out, (rows, panels.height()))
            }
            Self::Panels(_) => dense(x, &self.to_tensor()?),
            Self::Dense(weight) => dense(x, weight),
        }
    }

    /// Some rows in single precision, `[ids, in]`.
    pub fn rows(&self, ids: &[u32], device: &Device) -> Result<Tensor> {
        match self {
            Self::Dense(tensor) => {
                let ids = Tensor::new(ids, device)?;
                Ok(tensor.index_select(&ids, 0)?.to_dtype(DType::F32)?)
            }
            Self::Panels(panels) => {
                let width = panels.width();
                let mut out = vec![0.0; ids.len() * width];
                for (&id, out) in ids.iter().zip(out.chunks_exact_mut(width)) {
                    panels.row(id as usize, out);
                }
                cpu::tensor(out, (ids.len(), width))
            }
        }
    }

    /// All of it in single precision, on its device.
    pub fn to_tensor(&self) -> Result<Tensor> {
        match self {
            Self::Dense(tensor) => Ok(tensor.to_dtype(DType::F32)?),
            Self::Panels(panels) => cpu::tensor(panels.numbers(), (panels.height(), panels.width())),
        }
    }
}

fn dense(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let multiply = || match weight.dtype() {
        DType::F32 => x.matmul(&weight.t()?),
        kind => x.to_dtype(kind)?.matmul(&weight.t()?)?.to_dtype(DType::F32),
    };
    multiply().map_err(Error::from)
}
