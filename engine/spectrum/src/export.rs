//! Writing changed weights as a file of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use plumb_core::{Ctl, Error, Job};
use plumb_nn::checkpoint::rewrite_safetensors;

use crate::subject::{Edits, Subject};

/// Write the subject with its changed tensors as safetensors, whole or not at all.
#[derive(Clone, Debug)]
pub struct ExportJob {
    /// The file that is rewritten; it is only read.
    pub subject: Arc<Subject>,
    /// Changed copies of tensors.
    pub edits: Edits,
    /// The new file.
    pub out: PathBuf,
}

impl Job for ExportJob {
    type Output = PathBuf;
    type Partial = ();

    fn name(&self) -> String {
        format!("Export {}", self.out.display())
    }

    fn run(self, ctl: &Ctl) -> Result<PathBuf, Error> {
        ctl.progress(format!("Writing {}", self.out.display()), 0, None);
        let replaced: BTreeMap<String, Vec<f32>> =
            self.edits.iter().map(|(name, values)| (name.clone(), values.as_ref().clone())).collect();
        let written = rewrite_safetensors(self.subject.checkpoint(), &replaced, &self.out)
            .map_err(|error| Error::failed(&error))?;
        for (name, reason) in written.left_out {
            ctl.warn(name, format!("left out of the new file: {reason}"));
        }
        Ok(self.out)
    }
}
