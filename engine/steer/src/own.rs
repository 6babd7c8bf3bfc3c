//! What is kept of a pair on this machine, in a folder of the cache: its feature index and its measured quality.
//!
//! The window and the command line look here first, so that one unit of strength is the same in both.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job};

use crate::index::{FeatureIndex, IndexTable};
use crate::job::Subject;
use crate::sae::Sae;
use crate::sae_job::IndexJob;
use crate::{Result, SteerError, world};

/// Tokens before and after the firing one in an example.
pub(crate) const CONTEXT: usize = 10;

/// Texts of the made-up world that its index is built over.
const WORLD_TEXTS: usize = 1500;

/// The folder of a pair. Its name depends on the autoencoder's weights too: what was measured on one that has been
/// trained anew since says nothing about it.
pub(crate) fn folder(cache: &Cache, model: &str, name: &str, sae: &Sae) -> Result<PathBuf> {
    let letter = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    let pair = format!("{model} {name} {:016x}", fingerprint(sae)?);
    Ok(cache.folder().join("steer").join(pair.chars().map(letter).collect::<String>()))
}

/// Decoder vectors looked at, spread over all features.
const LOOKED_AT: usize = 64;

/// FNV-1a over the autoencoder's sizes and some of its decoder vectors: training moves all of them.
fn fingerprint(sae: &Sae) -> Result<u64> {
    let features = sae.config.d_sae;
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |word: u64| hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3);
    add(features as u64);
    for feature in (0..features).step_by(features.div_ceil(LOOKED_AT).max(1)) {
        sae.decoder_vector(feature)?.iter().for_each(|x| add(u64::from(x.to_bits())));
    }
    Ok(hash)
}

/// The index in a pair's folder, built first where it is missing: the made-up world writes its own corpus.
pub(crate) fn index_of_the_world(
    subject: &Arc<Subject>,
    [model, sae]: [&str; 2],
    folder: &Path,
    ctl: &Ctl,
) -> Result<FeatureIndex> {
    if let Ok(index) = FeatureIndex::open(folder)
        && index.table().features == subject.attached().sae.config.d_sae
    {
        return Ok(index);
    }
    let table = IndexTable {
        model: model.to_owned(),
        sae: sae.to_owned(),
        corpus: "texts of the world".to_owned(),
        context: CONTEXT,
        ..IndexTable::default()
    };
    let texts = world::sets::texts(WORLD_TEXTS, 7);
    let job = IndexJob { subject: Arc::clone(subject), texts, table, folder: folder.to_path_buf() };
    job.run(ctl).map_err(inner)?;
    FeatureIndex::open(folder)
}

/// The error of a job that ran inside another.
pub(crate) fn inner(error: Error) -> SteerError {
    match error {
        Error::Cancelled => SteerError::Cancelled(plumb_core::Cancelled),
        other => SteerError::Spec(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn an_autoencoder_trained_anew_has_a_folder_of_its_own() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache::new(place.path(), &[]);
        let open = |name: &str| world::embedded(name, &Device::Cpu).unwrap().unwrap();
        let (sae, other) = (open("embedded:tiny/128"), open("embedded:tiny/256"));
        let of = |sae: &Sae| folder(&cache, "a model", "../an autoencoder", sae).unwrap();
        assert_eq!(of(&sae), of(&open("embedded:tiny/128")));
        assert_ne!(of(&sae), of(&other), "the same name, other weights");
        assert_eq!(of(&sae).parent(), Some(place.path().join("steer").as_path()), "no name leads out of the folder");
    }
}
