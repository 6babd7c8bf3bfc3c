//! The way from tensors to slices and back, for tensors in the processor's memory.

use candle_core::{Device, Storage, Tensor};

use crate::Result;

/// Calls `work` with the numbers of a contiguous tensor.
pub(super) fn with<T: candle_core::WithDType, R>(tensor: &Tensor, work: impl FnOnce(&[T]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(storage), Some((from, to))) => Ok(work(&storage.as_slice::<T>()?[from..to])),
        _ => {
            Err(candle_core::Error::Msg("a contiguous tensor in the processor's memory is expected".to_owned()).into())
        }
    }
}

/// A tensor of these numbers.
pub(super) fn tensor(numbers: Vec<f32>, shape: impl Into<candle_core::Shape>) -> Result<Tensor> {
    Ok(Tensor::from_vec(numbers, shape.into(), &Device::Cpu)?)
}
