//! A weight matrix `[out, in]`: dense in any precision, or packed as GGUF stores it.

use candle_core::{DType, Device, Tensor};
use half::bf16;

use super::cpu;
use crate::kernels::{Packed, dense_bf16, dense_f32};
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
    Dense(Tensor),
    Packed(Packed),
}

/// Up to this many rows a packed or half-precision matrix is multiplied as it is; for more rows it is unpacked once.
const FEW: usize = 4;

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

impl Matrix {
    /// `x` `[N, in]` to `x`·Wᵀ `[N, out]`.
    pub fn apply(&self, x: &Tensor, fast: bool) -> Result<Tensor> {
        let rows = x.dim(0)?;
        match self {
            Self::Packed(packed) if fast && rows <= FEW => {
                each_row(x, packed.height(), |x, out| packed.multiply(x, out))
            }
            Self::Packed(_) => dense(x, &self.to_tensor()?),
            Self::Dense(weight) if fast && rows == 1 && weight.dtype() == DType::F32 => {
                cpu::with::<f32, _>(weight, |weight| {
                    each_row(x, weight.len() / x.elem_count(), |x, out| dense_f32(weight, x, out))
                })?
            }
            Self::Dense(weight) if fast && rows <= FEW && weight.dtype() == DType::BF16 => {
                let width = x.dim(1)?;
                cpu::with::<bf16, _>(weight, |weight| {
                    each_row(x, weight.len() / width, |x, out| dense_bf16(weight, x, out))
                })?
            }
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
            Self::Packed(packed) => {
                let width = packed.width();
                let mut out = vec![0.0; ids.len() * width];
                for (&id, out) in ids.iter().zip(out.chunks_exact_mut(width)) {
                    packed.unpack(id as usize, out);
                }
                cpu::tensor(out, (ids.len(), width))
            }
        }
    }

    /// All of it in single precision, on its device.
    pub fn to_tensor(&self) -> Result<Tensor> {
        match self {
            Self::Dense(tensor) => Ok(tensor.to_dtype(DType::F32)?),
            Self::Packed(packed) => cpu::tensor(packed.numbers(), (packed.height(), packed.width())),
        }
    }
}

/// Matrix times vector for every row of `x`.
fn each_row(x: &Tensor, height: usize, multiply: impl Fn(&[f32], &mut [f32])) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let x = x.contiguous()?;
    let mut out = vec![0.0; rows * height];
    cpu::with::<f32, _>(&x, |x| {
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(height)) {
            multiply(x, out);
        }
    })?;
    cpu::tensor(out, (rows, height))
}

fn dense(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let multiply = || match (weight.dtype(), x.device()) {
        (DType::F32, _) => x.matmul(&weight.t()?),
        // Half-precision products on the processor are slower than unpacking.
        (_, Device::Cpu) => x.matmul(&weight.to_dtype(DType::F32)?.t()?),
        (kind, _) => x.to_dtype(kind)?.matmul(&weight.t()?)?.to_dtype(DType::F32),
    };
    multiply().map_err(Error::from)
}
