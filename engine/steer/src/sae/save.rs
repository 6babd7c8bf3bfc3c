//! Writing SAEs as SAELens does, and smaller.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;
use plumb_core::atomic;
use plumb_nn::checkpoint::{StoredType, TensorData, write_safetensors};
use serde::{Deserialize, Serialize};

use super::{Parts, Sae};
use crate::{Result, SteerError};

/// How weights are stored. `dtype` in `cfg.json` names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stored {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats: half the room.
    F16,
    /// The encoder's columns and the decoder's rows, one of each per feature, as 8-bit whole numbers times one factor: a
    /// quarter of the room. `W_enc` and `W_dec` are of type I8, their factors `[m]` are the 32-bit tensors `W_enc_scale`
    /// and `W_dec_scale`; all else is 32-bit. SAELens itself cannot read this form: save it as floats for SAELens.
    Int8,
}

impl Stored {
    /// Its name in a `cfg.json`.
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Int8 => "int8",
        }
    }
}

/// Numbers of `rows` groups as whole numbers from −127 to 127 and the factor of each group. `group` tells the group of a
/// place.
fn whole_numbers(numbers: &[f32], groups: usize, group: impl Fn(usize) -> usize) -> (Vec<u8>, Vec<f32>) {
    let mut factors = vec![0f32; groups];
    for (place, number) in numbers.iter().enumerate() {
        let factor = &mut factors[group(place)];
        *factor = factor.max(number.abs() / 127.0);
    }
    let whole = |(place, number): (usize, &f32)| {
        let factor = factors[group(place)];
        let whole = if factor > 0.0 { (number / factor).round() as i8 } else { 0 };
        whole.to_le_bytes()[0]
    };
    (numbers.iter().enumerate().map(whole).collect(), factors)
}

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

    /// Writes `cfg.json` and `sae_weights.safetensors` into `folder`, which is made if need be.
    pub fn save(&self, folder: &Path, stored: Stored) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|error| atomic::WriteError::new(folder, error))?;
        let m = self.config.d_sae;
        let d = self.config.d_in;
        let mut tensors = Vec::new();
        for (name, tensor) in self.tensors() {
            let numbers = tensor.flatten_all()?.to_vec1::<f32>()?;
            let shape = tensor.dims().to_vec();
            let data = match (stored, name) {
                (Stored::F16, _) => TensorData::F16(numbers),
                (Stored::Int8, "W_enc" | "W_dec") => {
                    let columns = name == "W_enc";
                    let group = |place: usize| if columns { place % m } else { place / d };
                    let (bytes, factors) = whole_numbers(&numbers, m, group);
                    tensors.push((format!("{name}{FACTOR}"), vec![m], TensorData::F32(factors)));
                    TensorData::Raw { dtype: StoredType::I8, bytes }
                }
                (Stored::F32 | Stored::Int8, _) => TensorData::F32(numbers),
            };
            tensors.push((name.to_owned(), shape, data));
        }
        write_safetensors(&folder.join("sae_weights.safetensors"), &tensors, &BTreeMap::new())?;
        let mut config = self.config.to_json();
        config["dtype"] = stored.name().into();
        let text = serde_json::to_string_pretty(&config)
            .map_err(|error| SteerError::Spec(format!("the configuration cannot be written: {error}")))?;
        atomic::write(&folder.join("cfg.json"), text.as_bytes())?;
        Ok(())
    }
}

/// What the name of a tensor of factors ends with.
pub(super) const FACTOR: &str = "_scale";
