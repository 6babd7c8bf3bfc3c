//! The autoencoders that ship with Plumb: two widths for SmolLM2-135M-Instruct, with their quality and a feature index each.
//! `assets/sae/README.md` says how they were made.
//!
//! They are asked for as `smollm2/1024` and `smollm2/4096`; `smollm2` alone is the wider one, and `embedded:` may stand
//! before each. They are unpacked into the cache folder on first use, so that they are folders like any other.

use std::io::Read as _;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use plumb_core::atomic;
use plumb_core::source::Cache;

use crate::{Result, SteerError};

/// Path inside the folder and content; names that end with `.gz` lose it when they are unpacked.
type File = (&'static str, &'static [u8]);

macro_rules! files {
    ($width:literal) => {
        files!($width, "cfg.json", "sae_weights.safetensors", "quality.json", "index/index.json", "index/features.bin.gz",
            "index/windows.bin.gz", "index/tokens.bin.gz")
    };
    ($width:literal, $($name:literal),*) => {
        ($width, &[$(($name, include_bytes!(concat!("../../../assets/sae/smollm2/", $width, "/", $name)) as &[u8])),*])
    };
}

/// Width and files, the default last.
static SHIPPED: [(&str, &[File]); 2] = [files!("1024"), files!("4096")];

/// The model they belong to.
const MODEL: &str = "smollm2";

/// What they are asked for as, narrowest first.
pub fn names() -> Vec<String> {
    SHIPPED.iter().map(|(width, _)| format!("{MODEL}/{width}")).collect()
}

/// All of them, narrowest first, where this name is one of theirs.
pub fn ladder(name: &str) -> Option<Vec<String>> {
    let plain = name.strip_prefix("embedded:").unwrap_or(name);
    let all = names();
    (plain == MODEL || all.iter().any(|known| known == plain)).then_some(all)
}

/// The folder of the autoencoder of this name; `None` where the name is of another form.
pub fn find(name: &str, cache: &Cache) -> Result<Option<PathBuf>> {
    let plain = name.strip_prefix("embedded:").unwrap_or(name);
    let Some(rest) = plain.strip_prefix(MODEL) else { return Ok(None) };
    let found = match rest.strip_prefix('/') {
        None if rest.is_empty() => SHIPPED.last(),
        Some(width) => SHIPPED.iter().find(|(known, _)| *known == width),
        None => return Ok(None),
    };
    let Some((width, files)) = found else {
        return Err(SteerError::Spec(format!(
            "“{name}” does not ship with Plumb: there are {}",
            names().join(" and ")
        )));
    };
    let folder = cache.folder().join("embedded").join(format!("sae-{MODEL}-{width}"));
    let stamp = folder.join("stamp");
    let wanted = format!("{:016x}", fingerprint(files));
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(Some(folder));
    }
    for (place, bytes) in *files {
        let path = folder.join(place.strip_suffix(".gz").unwrap_or(place));
        let parent = path.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent).map_err(|error| atomic::WriteError::new(parent, error))?;
        if path == folder.join(place) {
            atomic::write(&path, bytes)?;
        } else {
            let mut plain = Vec::new();
            GzDecoder::new(*bytes).read_to_end(&mut plain).map_err(|error| SteerError::read(&path, error))?;
            atomic::write(&path, &plain)?;
        }
    }
    // Last, so that what was interrupted is unpacked again.
    atomic::write(&stamp, wanted.as_bytes())?;
    Ok(Some(folder))
}

/// FNV-1a over all files.
fn fingerprint(files: &[File]) -> u64 {
    let bytes = files.iter().flat_map(|(name, bytes)| name.bytes().chain(bytes.iter().copied()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::index::FeatureIndex;
    use crate::sae::{Architecture, Sae};

    #[test]
    fn both_widths_open_with_index_and_quality() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), &[]);
        for (width, name) in [1024, 4096].into_iter().zip(names()) {
            let place = find(&name, &cache).unwrap().unwrap();
            let (sae, notes) = Sae::load(&place, &Device::Cpu).unwrap();
            assert!(notes.is_empty(), "{notes:?}");
            assert_eq!((sae.config.d_in, sae.config.d_sae), (576, width));
            assert_eq!(sae.config.architecture, Architecture::JumpRelu);
            let index = FeatureIndex::open(&place.join("index")).unwrap();
            assert_eq!(index.table().features, width);
            assert!(index.rows().iter().any(|row| row.density > 0.0));
            let text = std::fs::read_to_string(place.join("quality.json")).unwrap();
            let quality: crate::quality::Quality = serde_json::from_str(&text).unwrap();
            assert!(quality.explained_variance > 0.5, "{quality:?}");
        }
        assert_eq!(find("smollm2", &cache).unwrap(), find("embedded:smollm2/4096", &cache).unwrap());
        assert!(find("smollm2/5", &cache).unwrap_err().to_string().contains("smollm2/1024 and smollm2/4096"));
        assert_eq!(ladder("embedded:smollm2/1024"), Some(names()));
        assert_eq!(ladder("smollm2-folder"), None);
        assert!(find("smollm3", &cache).unwrap().is_none() && find("smollm2-folder", &cache).unwrap().is_none());
        // What was damaged or half written is unpacked again.
        let place = find("smollm2/1024", &cache).unwrap().unwrap();
        std::fs::write(place.join("stamp"), "old").unwrap();
        std::fs::remove_file(place.join("cfg.json")).unwrap();
        assert!(find("smollm2/1024", &cache).unwrap().unwrap().join("cfg.json").is_file());
    }
}
