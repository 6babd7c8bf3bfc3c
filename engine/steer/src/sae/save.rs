//! Writing SAEs as SAELens does.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;
use plumb_core::atomic;
use plumb_nn::checkpoint::{TensorData, write_safetensors};

use super::{Parts, Sae};
use crate::{Result, SteerError};

impl Sae {
    /// Its tensors by the names of the format, without the fields that its architecture lacks.
    fn tensors(&self) -> Vec<(&'static str, &Tensor)> {
        let mut all = vec![("W_enc", &self.w_enc), ("W_dec", &self.w_dec), ("b_dec", &self.b_dec)];
        match &self.parts {
            Parts::Standard | Parts::TopK { .. } => all.push(("b_enc", &self.b_enc)),
            Parts::JumpRelu { threshold } => all.extend([("b_enc", &self.b_enc), ("threshold", threshold)]),
            Parts::Gated { b_gate, r_mag, b_mag } => {
                all.extend([("b_gate", b_gate), ("r_mag", r_mag), ("b_mag", b_mag)]);
            }
        }
        all
    }

    /// Writes `cfg.json` and `sae_weights.safetensors` into `folder`, which is made if need be. In half precision the
    /// weights take half the room and lose digits.
    pub fn save(&self, folder: &Path, half: bool) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|error| atomic::WriteError::new(folder, error))?;
        let mut tensors = Vec::new();
        for (name, tensor) in self.tensors() {
            let numbers = tensor.flatten_all()?.to_vec1::<f32>()?;
            let data = if half { TensorData::F16(numbers) } else { TensorData::F32(numbers) };
            tensors.push((name.to_owned(), tensor.dims().to_vec(), data));
        }
        write_safetensors(&folder.join("sae_weights.safetensors"), &tensors, &BTreeMap::new())?;
        let text = serde_json::to_string_pretty(&self.config.to_json())
            .map_err(|error| SteerError::Spec(format!("the configuration cannot be written: {error}")))?;
        atomic::write(&folder.join("cfg.json"), text.as_bytes())?;
        Ok(())
    }
}
