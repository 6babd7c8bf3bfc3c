//! A Hugging Face folder: `model.safetensors`, or shards with an index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use plumb_nn::checkpoint::Checkpoint;
use serde::Deserialize;

use super::{Stored, Weights};
use crate::{Error, Result};

/// What may stand before a tensor's name, by the class that saved it.
const PREFIXES: [&str; 6] = ["", "model.", "transformer.", "model.language_model.", "language_model.model.", "bert."];

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The open files of a folder and where each tensor lies.
pub(crate) struct Folder {
    path: PathBuf,
    files: Vec<Checkpoint>,
    /// Full name to file.
    tensors: BTreeMap<String, usize>,
    prefix: &'static str,
}

impl Folder {
    /// Opens the weights in `folder`, or the one safetensors file that is named.
    pub fn open(path: &Path) -> Result<Self> {
        let file_error = |path: &Path, reason: String| Error::File { path: path.to_owned(), reason };
        let single = if path.is_dir() { path.join("model.safetensors") } else { path.to_owned() };
        let index = path.join("model.safetensors.index.json");
        let mut names = BTreeSet::new();
        if path.is_dir() && !single.is_file() && index.is_file() {
            let text = std::fs::read_to_string(&index).map_err(|error| file_error(&index, error.to_string()))?;
            let read: Index =
                serde_json::from_str(&text).map_err(|error| file_error(&index, format!("it is no index: {error}")))?;
            for name in read.weight_map.into_values() {
                // A file of the same folder, nothing else.
                if Path::new(&name).components().count() != 1 || name.contains("..") {
                    return Err(file_error(&index, format!("it names “{name}”, which is not in this folder")));
                }
                names.insert(path.join(name));
            }
        } else {
            names.insert(single);
        }
        let files = names.iter().map(|name| Checkpoint::open(name)).collect::<Result<Vec<_>, _>>()?;
        let mut tensors = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            for entry in file.tensors() {
                tensors.entry(entry.name.clone()).or_insert(number);
            }
        }
        let embedding = |prefix: &str| {
            let known = ["embed_tokens.weight", "wte.weight", "embeddings.word_embeddings.weight"];
            known.iter().any(|name| tensors.contains_key(&format!("{prefix}{name}")))
        };
        let prefix = PREFIXES.into_iter().find(|prefix| embedding(prefix)).unwrap_or("");
        Ok(Self { path: path.to_owned(), files, tensors, prefix })
    }

    fn find(&self, name: &str) -> Option<(String, &Checkpoint)> {
        // The output matrix stands outside the body.
        [format!("{}{name}", self.prefix), name.to_owned(), format!("language_model.{name}")]
            .into_iter()
            .find_map(|full| self.tensors.get(&full).map(|&file| (full, &self.files[file])))
    }
}

impl Weights for Folder {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let (full, file) = self.find(name)?;
        Some(file.entry(&full)?.shape.clone())
    }

    fn read(&self, name: &str) -> Result<Stored> {
        let missing = || Error::MissingTensor { name: name.to_owned(), expected: Vec::new(), place: self.place() };
        let (full, file) = self.find(name).ok_or_else(missing)?;
        Ok(Stored::Numbers(file.read_f32(&full)?))
    }
}
