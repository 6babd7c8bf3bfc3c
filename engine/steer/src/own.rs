//! What is kept of a pair on this machine, in a folder of the cache: its feature index and its measured quality.
//!
//! The window and the command line look here first, so that one unit of strength is the same in both.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job};

use crate::index::{FeatureIndex, IndexTable};
use crate::job::Subject;
use crate::sae_job::IndexJob;
use crate::{Result, SteerError, world};

/// Tokens before and after the firing one in an example.
pub(crate) const CONTEXT: usize = 10;

/// Texts of the made-up world that its index is built over.
const WORLD_TEXTS: usize = 1500;

/// The folder of a pair.
pub(crate) fn folder(cache: &Cache, model: &str, sae: &str) -> PathBuf {
    let letter = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    cache.folder().join("steer").join(format!("{model} {sae}").chars().map(letter).collect::<String>())
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
