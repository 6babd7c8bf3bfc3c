//! The named numbers of a network, in the order in which they were made.
//!
//! Candle's own `VarMap` iterates a hash map, so an optimiser that walks it sums in another order each run.
//! Here the order is the order of creation, and with it files and training runs are the same bytes each time.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Shape, Tensor, Var};

/// Why parameters could not be read or replaced.
#[derive(Debug, thiserror::Error)]
pub enum ParamError {
    /// No parameter has this name.
    #[error("the network has no tensor named '{0}'; rebuild it with the settings it was saved with")]
    Missing(String),
    /// The number of values differs.
    #[error("'{name}' has {expected} numbers in this network, but {found} were given")]
    Size {
        /// Name of the tensor.
        name: String,
        /// Numbers in the network.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// The file is not safetensors.
    #[error("the bytes are not a safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// One named tensor.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name: `layer1.conv1.weight`.
    pub name: String,
    /// The numbers.
    pub var: Var,
    /// Whether the optimiser moves it; running statistics are buffers and are not moved by it.
    pub trainable: bool,
}

/// All tensors of a network, in order of creation. Clones share the tensors.
#[derive(Clone, Debug)]
pub struct Params {
    entries: Vec<Param>,
    device: Device,
    dtype: DType,
}

impl Params {
    /// An empty store.
    pub fn new(dtype: DType, device: &Device) -> Self {
        Self { entries: Vec::new(), device: device.clone(), dtype }
    }

    /// Where the tensors live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The type of the numbers.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    fn push(&mut self, name: &str, tensor: &Tensor, trainable: bool) -> Result<Var, ParamError> {
        let tensor = tensor.to_dtype(self.dtype)?.to_device(&self.device)?;
        let var = Var::from_tensor(&tensor)?;
        self.entries.push(Param { name: name.to_owned(), var: var.clone(), trainable });
        Ok(var)
    }

    /// Add a tensor that the optimiser moves.
    pub fn add(&mut self, name: &str, tensor: &Tensor) -> Result<Var, ParamError> {
        self.push(name, tensor, true)
    }

    /// Add a tensor that the optimiser leaves alone.
    pub fn add_buffer(&mut self, name: &str, tensor: &Tensor) -> Result<Var, ParamError> {
        self.push(name, tensor, false)
    }

    /// Add a buffer filled with one number.
    pub fn add_constant(&mut self, name: &str, value: f64, shape: impl Into<Shape>) -> Result<Var, ParamError> {
        let tensor = Tensor::ones(shape, self.dtype, &self.device)?.affine(value, 0.0)?;
        self.push(name, &tensor, false)
    }

    /// Everything, in order.
    pub fn entries(&self) -> &[Param] {
        &self.entries
    }

    /// What the optimiser moves, in order.
    pub fn trainable(&self) -> impl Iterator<Item = &Param> {
        self.entries.iter().filter(|param| param.trainable)
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Result<&Var, ParamError> {
        let found = self.entries.iter().find(|param| param.name == name);
        found.map(|param| &param.var).ok_or_else(|| ParamError::Missing(name.to_owned()))
    }

    /// The numbers of one tensor, row-major.
    pub fn values(&self, name: &str) -> Result<Vec<f32>, ParamError> {
        Ok(self.get(name)?.as_detached_tensor().flatten_all()?.to_dtype(DType::F32)?.to_vec1()?)
    }

    /// Replace the numbers of one tensor; its shape stays.
    pub fn replace(&self, name: &str, values: &[f32]) -> Result<(), ParamError> {
        let var = self.get(name)?;
        let expected = var.elem_count();
        if values.len() != expected {
            return Err(ParamError::Size { name: name.to_owned(), expected, found: values.len() });
        }
        let tensor = Tensor::from_slice(values, var.shape(), &Device::Cpu)?;
        var.set(&tensor.to_dtype(self.dtype)?.to_device(&self.device)?)?;
        Ok(())
    }

    /// All numbers as safetensors (f32), with text metadata. Same numbers, same bytes.
    pub fn to_safetensors(&self, metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, ParamError> {
        let mut stored = Vec::with_capacity(self.entries.len());
        for param in &self.entries {
            let values = self.values(&param.name)?;
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            stored.push((param.name.as_str(), param.var.dims().to_vec(), bytes));
        }
        crate::params_file::write(&stored, metadata)
    }

    /// Take the numbers of every tensor of this store from a safetensors file. Tensors of the file that the
    /// network lacks are an error too: they mean that the network was rebuilt with other settings.
    pub fn load_safetensors(&self, bytes: &[u8]) -> Result<(), ParamError> {
        let file = safetensors::SafeTensors::deserialize(bytes)?;
        for name in file.names() {
            self.get(name)?;
        }
        for param in &self.entries {
            let Ok(view) = file.tensor(&param.name) else { return Err(ParamError::Missing(param.name.clone())) };
            let expected = param.var.elem_count();
            if view.dtype() != safetensors::Dtype::F32 || view.data().len() != 4 * expected {
                let found = view.data().len() / 4;
                return Err(ParamError::Size { name: param.name.clone(), expected, found });
            }
            let values: Vec<f32> = view
                .data()
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                .collect();
            self.replace(&param.name, &values)?;
        }
        Ok(())
    }
}

/// The text metadata of a safetensors file.
pub fn metadata(bytes: &[u8]) -> Result<HashMap<String, String>, ParamError> {
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes)?;
    Ok(header.metadata().clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Result<Params, ParamError> {
        let mut params = Params::new(DType::F32, &Device::Cpu);
        params.add("b.weight", &Tensor::new(&[[1_f32, 2.0], [3.0, 4.0]], &Device::Cpu)?)?;
        params.add("a.bias", &Tensor::new(&[5_f32, 6.0], &Device::Cpu)?)?;
        params.add_constant("a.running_var", 1.0, 2)?;
        Ok(params)
    }

    #[test]
    fn a_file_gives_back_the_numbers_and_the_same_bytes() -> Result<(), ParamError> {
        let params = store()?;
        let notes = BTreeMap::from([("plumb.net".to_owned(), "x".to_owned()), ("a".to_owned(), "ü\"".to_owned())]);
        let bytes = params.to_safetensors(&notes)?;
        assert_eq!(bytes, params.to_safetensors(&notes)?);
        assert_eq!(metadata(&bytes)?.get("a").map(String::as_str), Some("ü\""));
        let other = store()?;
        other.replace("b.weight", &[0.0; 4])?;
        other.load_safetensors(&bytes)?;
        assert_eq!(other.values("b.weight")?, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(params.trainable().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["b.weight", "a.bias"]);
        Ok(())
    }

    #[test]
    fn wrong_sizes_and_names_are_told() -> Result<(), ParamError> {
        let params = store()?;
        assert!(matches!(params.replace("a.bias", &[1.0]), Err(ParamError::Size { expected: 2, found: 1, .. })));
        assert!(matches!(params.values("c"), Err(ParamError::Missing(_))));
        assert!(matches!(params.load_safetensors(b"nonsense"), Err(ParamError::Format(_))));
        Ok(())
    }
}
