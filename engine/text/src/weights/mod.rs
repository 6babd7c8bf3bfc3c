//! Where a model's numbers come from: a Hugging Face folder, a GGUF file, or tensors made by hand.

mod folder;
mod gguf;
mod named;

pub(crate) use folder::Folder;
pub(crate) use gguf::Gguf;
pub use named::NamedTensors;

use crate::kernels::PackedKind;
use crate::{Error, Result};

/// Numbers of one tensor.
#[derive(Debug)]
pub enum Stored {
    /// Row-major single precision.
    Numbers(Vec<f32>),
    /// Blocks as GGUF packs them, row after row.
    Blocks(PackedKind, Vec<u8>),
}

/// A place to take tensors from, by the names Hugging Face gives them without the leading `model.` or `transformer.`.
pub trait Weights {
    /// The place, for errors.
    fn place(&self) -> String;

    /// The shape of a tensor, if it is there.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// The tensor's numbers.
    fn read(&self, name: &str) -> Result<Stored>;

    /// Whether GPT-2's matrices are stored input first.
    fn input_first(&self) -> bool {
        true
    }

    /// The shape of a tensor that must be there.
    fn expect(&self, name: &str, expected: &[usize]) -> Result<()> {
        match self.shape(name) {
            None => {
                Err(Error::MissingTensor { name: name.to_owned(), expected: expected.to_vec(), place: self.place() })
            }
            Some(found) if found != expected => Err(Error::TensorShape {
                name: name.to_owned(),
                expected: expected.to_vec(),
                found,
                place: self.place(),
            }),
            Some(_) => Ok(()),
        }
    }

    /// A tensor of the expected shape in single precision.
    fn numbers(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>> {
        self.expect(name, expected)?;
        let numbers = match self.read(name)? {
            Stored::Numbers(numbers) => numbers,
            Stored::Blocks(kind, bytes) => kind.unpack(&bytes),
        };
        self.finite(name, &numbers)?;
        Ok(numbers)
    }

    /// Fails when a number is NaN or infinite.
    fn finite(&self, name: &str, numbers: &[f32]) -> Result<()> {
        if numbers.iter().all(|x| x.is_finite()) {
            Ok(())
        } else {
            Err(Error::NotFinite { name: name.to_owned(), place: self.place() })
        }
    }
}
