//! Where a sparse autoencoder comes from, as one word of text.
//!
//! | text | meaning |
//! |---|---|
//! | `smollm2/1024`, `smollm2/4096` | ships with Plumb, see [`shipped`] |
//! | `hf:owner/repo/folder[@revision]` | a folder of a repository on the Hugging Face hub: SAELens' two files, or Gemma Scope's `params.npz` |
//! | anything else that is a source | a folder, its `cfg.json` or weights, or a `params.npz` on this machine |

use std::path::{Path, PathBuf};

use plumb_core::Ctl;
use plumb_core::source::{Cache, Source, SourceError};

use candle_core::Device;

use crate::sae::Sae;
use crate::{Result, shipped, world};

/// HTTP status of a file that a repository does not have.
const NOT_FOUND: u16 = 404;

/// The folder or file of an SAE on this machine, fetched if need be.
pub fn find(sae: &str, cache: &Cache, ctl: &Ctl) -> Result<PathBuf> {
    let path = PathBuf::from(sae);
    if path.is_dir() {
        return Ok(path);
    }
    if let Some(folder) = shipped::find(sae, cache)? {
        return Ok(folder);
    }
    let text = |error: SourceError| plumb_text::Error::from(error);
    match Source::parse(sae).map_err(text)? {
        Source::Hub { repo, file, revision } => {
            let inside =
                |name: &str| file.as_ref().map_or_else(|| name.to_owned(), |folder| format!("{folder}/{name}"));
            let get = |name: String| {
                Source::Hub { repo: repo.clone(), file: Some(name), revision: revision.clone() }.resolve(cache, ctl)
            };
            if let Some(file) = file
                .as_ref()
                .filter(|file| Path::new(file).extension().is_some_and(|kind| kind.eq_ignore_ascii_case("npz")))
            {
                return Ok(get(file.clone()).map_err(text)?);
            }
            let found = match get(inside("cfg.json")) {
                Ok(_) => get(inside("sae_weights.safetensors")),
                Err(SourceError::Refused { status: NOT_FOUND, .. }) => get(inside("params.npz")),
                Err(error) => Err(error),
            };
            Ok(found.map_err(text)?)
        }
        source => Ok(source.resolve(cache, ctl).map_err(text)?),
    }
}

/// Opens an SAE, fetched if need be. The second value lists what was done differently than its file says, one sentence
/// each.
pub fn open(sae: &str, device: &Device, cache: &Cache, ctl: &Ctl) -> Result<(Sae, Vec<String>)> {
    if let Some(sae) = world::embedded(sae, device)? {
        return Ok((sae, Vec::new()));
    }
    let path = find(sae, cache, ctl)?;
    ctl.check()?;
    Sae::load(&path, device)
}
