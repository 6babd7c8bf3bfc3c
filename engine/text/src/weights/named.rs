//! Tensors made by hand: small models that ship inside Plumb, models being trained, tests.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::{Stored, Weights};
use crate::{Error, Result};

/// Tensors by name, without a leading `model.` or `transformer.`.
#[derive(Clone, Debug, Default)]
pub struct NamedTensors(pub BTreeMap<String, Tensor>);

impl Weights for NamedTensors {
    fn place(&self) -> String {
        "the tensors given".to_owned()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.0.get(name).map(|tensor| tensor.dims().to_vec())
    }

    fn read(&self, name: &str) -> Result<Stored> {
        let missing = || Error::MissingTensor { name: name.to_owned(), expected: Vec::new(), place: self.place() };
        let tensor = self.0.get(name).ok_or_else(missing)?;
        Ok(Stored::Numbers(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?))
    }
}
