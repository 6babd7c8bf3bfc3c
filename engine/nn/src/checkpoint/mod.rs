//! Checkpoint files: what they hold, read tensor by tensor, and written back as safetensors.
//!
//! [`Checkpoint::open`] reads headers only and trusts none of them: every length, offset and count is checked
//! against the file before it is used. Tensor data is read when asked for, straight from the file, after
//! checking that the file is still the one that was opened and that the memory is there. Nothing in a file is
//! ever executed: pickles are read by a machine that knows how to build lists, dicts and tensors, no more.
//!
//! NaN and infinite values are data like any other here; whoever computes with them reports them.

mod archive;
mod data;
mod decode;
mod error;
mod export;
mod gguf;
mod memory;
mod numpy;
mod onnx;
mod pickle;
mod pytorch;
mod safetensors;
mod sniff;
mod source;
mod types;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

pub use error::CheckpointError;
pub use export::{Rewritten, rewrite_safetensors, write_safetensors};
pub use types::{ConvNode, Format, StoredType, TensorData, TensorEntry};

use data::Place;
use error::Fault;
use source::Source;

/// Appends little-endian numbers of a stored type, decoded.
type Decode<T> = fn(&StoredType, &[u8], &mut Vec<T>) -> Result<(), Fault>;

/// What a reader finds in a file: tensors and where they lie, and everything else worth telling.
#[derive(Debug, Default)]
struct Parsed {
    entries: Vec<TensorEntry>,
    places: Vec<Place>,
    nodes: Vec<ConvNode>,
    metadata: BTreeMap<String, String>,
    skipped: Vec<(String, String)>,
}

impl Parsed {
    fn push(&mut self, entry: TensorEntry, place: Place) {
        self.entries.push(entry);
        self.places.push(place);
    }

    fn skip(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.skipped.push((name.into(), reason.into()));
    }
}

/// An open checkpoint file whose header has been read and checked.
#[derive(Debug)]
pub struct Checkpoint {
    source: Source,
    format: Format,
    parsed: Parsed,
    by_name: HashMap<String, usize>,
    memory_limit: Option<u64>,
}

impl Checkpoint {
    /// Opens a checkpoint and reads its header, not its tensors. The format is told from the content.
    ///
    /// Fails when the file is missing, empty, cut short, contradicts itself, or is no checkpoint. A single
    /// tensor of a kind Plumb does not read is no failure: see [`Self::skipped`].
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let source = Source::open(path)?;
        let (format, parsed) = sniff::parse(&source)?;
        let mut checkpoint = Self { source, format, parsed, by_name: HashMap::new(), memory_limit: None };
        checkpoint.index();
        Ok(checkpoint)
    }

    /// Keeps the first tensor of every name and reports the others as skipped.
    fn index(&mut self) {
        let parsed = std::mem::take(&mut self.parsed.entries);
        let places = std::mem::take(&mut self.parsed.places);
        for (entry, place) in parsed.into_iter().zip(places) {
            if self.by_name.contains_key(&entry.name) {
                self.parsed.skip(entry.name, "a second tensor of this name; the first one is used");
            } else {
                self.by_name.insert(entry.name.clone(), self.parsed.entries.len());
                self.parsed.push(entry, place);
            }
        }
    }

    /// Lets reads take at most `bytes` of memory instead of what the system says is free.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// The format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The path it was opened from.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// All readable tensors, in file order.
    pub fn tensors(&self) -> &[TensorEntry] {
        &self.parsed.entries
    }

    /// The tensor of that name.
    pub fn entry(&self, name: &str) -> Option<&TensorEntry> {
        self.by_name.get(name).map(|&index| &self.parsed.entries[index])
    }

    /// The nodes of an ONNX graph that use a weight of this file, in graph order; empty for other formats.
    pub fn conv_nodes(&self) -> &[ConvNode] {
        &self.parsed.nodes
    }

    /// What the file says about itself.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.parsed.metadata
    }

    /// Names of what could not be read as a tensor, each with the reason.
    pub fn skipped(&self) -> &[(String, String)] {
        &self.parsed.skipped
    }

    /// Bytes of all tensors as stored, uncompressed.
    pub fn total_bytes(&self) -> u64 {
        self.parsed.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.bytes))
    }

    /// Fails when the file on disk is no longer the one that was opened.
    pub fn check_unchanged(&self) -> Result<(), CheckpointError> {
        self.source.check().map_err(|fault| fault.at_path(self.format, self.path()))
    }

    /// The numbers of one tensor, row-major, as single precision whatever their stored type.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        self.read_with(name, decode::to_f32)
    }

    /// The numbers of one tensor, row-major, as double precision whatever their stored type.
    pub fn read_f64(&self, name: &str) -> Result<Vec<f64>, CheckpointError> {
        self.read_with(name, decode::to_f64)
    }

    /// The bytes of one tensor as they are stored: little-endian, row-major, quantised blocks left packed.
    pub fn read_stored(&self, name: &str) -> Result<Vec<u8>, CheckpointError> {
        let (entry, place) = self.find(name)?;
        let read = || {
            memory::reserve(&format!("the tensor \"{name}\""), entry.bytes, self.memory_limit)?;
            let mut stored = Vec::with_capacity(entry.bytes as usize);
            self.stream(entry, place, &mut |bytes| {
                stored.extend_from_slice(bytes);
                Ok(())
            })?;
            Ok(stored)
        };
        read().map_err(|fault: Fault| fault.of(name).at_path(self.format, self.path()))
    }

    fn read_with<T>(&self, name: &str, decode: Decode<T>) -> Result<Vec<T>, CheckpointError> {
        let (entry, place) = self.find(name)?;
        let read = || {
            let count = entry.elements();
            // Numbers in another order are held as stored while they are put in order.
            let stored = if place.strides.is_some() { entry.bytes } else { 0 };
            let needed = (size_of::<T>() as u64).saturating_mul(count as u64).saturating_add(stored);
            memory::reserve(&format!("the tensor \"{name}\""), needed, self.memory_limit)?;
            let mut numbers = Vec::with_capacity(count);
            self.stream(entry, place, &mut |bytes| decode(&entry.dtype, bytes, &mut numbers))?;
            Ok(numbers)
        };
        read().map_err(|fault: Fault| fault.of(name).at_path(self.format, self.path()))
    }

    fn find(&self, name: &str) -> Result<(&TensorEntry, &Place), CheckpointError> {
        match self.by_name.get(name) {
            Some(&index) => Ok((&self.parsed.entries[index], &self.parsed.places[index])),
            None => Err(CheckpointError::NoTensor { name: name.to_owned(), path: self.path().to_owned() }),
        }
    }

    /// Hands the tensor's bytes to `sink` piece by piece: little-endian, row-major, whole numbers or blocks.
    fn stream(
        &self,
        entry: &TensorEntry,
        place: &Place,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.source.check()?;
        data::stream(&self.source, entry, place, self.memory_limit, sink)?;
        // Once more, so that a file replaced meanwhile does not yield a mixture.
        self.source.check()
    }
}

/// The number of elements of a shape and its bytes, or a fault when they overflow.
fn extent(shape: &[u64], dtype: &StoredType) -> Result<(Vec<usize>, u64), Fault> {
    let size = dtype.size().unwrap_or(1) as u64;
    // Zero axes do not excuse absurd ones: the product of the others must fit too.
    let fits = shape
        .iter()
        .filter(|&&axis| axis > 0)
        .try_fold(size, |product, &axis| product.checked_mul(axis))
        .is_some_and(|bytes| isize::try_from(bytes).is_ok());
    if !fits || shape.len() > MAX_AXES {
        let shown: Vec<_> = shape.iter().take(MAX_AXES).collect();
        return Err(Fault::broken(format!("the shape {shown:?} is larger than any memory")));
    }
    let shape: Vec<usize> = shape.iter().map(|&axis| axis as usize).collect();
    let bytes = shape.iter().product::<usize>() as u64 * size;
    Ok((shape, bytes))
}

/// More axes than any framework allows (PyTorch 64, NumPy 64).
const MAX_AXES: usize = 64;
