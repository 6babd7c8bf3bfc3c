//! Specs as engine jobs.

mod causal;
mod find;
mod generate;
mod splitting;
mod sweep;
mod trial;

use std::sync::Arc;

use candle_core::Device;
use plumb_core::Ctl;
use plumb_core::source::Cache;
use plumb_text::job::ModelSpec;
use plumb_text::{HookPoint, LanguageModel};

use crate::attached::{Attached, facts};
use crate::intervene::{Action, Target};
use crate::sae::{Attachment, Sae};
use crate::{Result, source};

pub use causal::CausalJob;
pub use find::FindJob;
pub use generate::GenerateJob;
pub use splitting::SplittingJob;
pub use sweep::SweepJob;

/// A model and an SAE that belong together, shared by jobs.
#[derive(Clone, Debug)]
pub struct Subject {
    model: Arc<LanguageModel>,
    sae: Arc<Sae>,
    at: Attachment,
    name: String,
}

impl Subject {
    /// Checks that they fit. `point` replaces the place the SAE's file names.
    pub fn new(model: Arc<LanguageModel>, sae: Arc<Sae>, name: &str, point: Option<HookPoint>) -> Result<Self> {
        let at = sae.attach(&facts(&model, name), point)?;
        Ok(Self { model, sae, at, name: name.to_owned() })
    }

    /// Opens both, fetched if need be. What to know of the SAE's file becomes warnings.
    pub fn open(model: &ModelSpec, sae: &str, point: Option<HookPoint>, cache: &Cache, ctl: &Ctl) -> Result<Self> {
        // The SAE first: a wrong name should not cost a model's loading.
        ctl.progress(format!("Loading {sae}"), 0, None);
        let (loaded, notes) = source::open(sae, &Device::Cpu, cache, ctl)?;
        let name = model.model.as_str();
        let model = model.open(cache, ctl)?;
        let loaded = loaded.to_device(model.device())?;
        let subject = Self::new(Arc::new(model), Arc::new(loaded), name, point)?;
        for note in notes.iter().chain(&subject.at.notes) {
            ctl.warn(sae, note.clone());
        }
        Ok(subject)
    }

    /// How they fit.
    pub fn attachment(&self) -> &Attachment {
        &self.at
    }

    /// The model.
    pub fn model(&self) -> &LanguageModel {
        &self.model
    }

    /// The model, for jobs that put it together with other SAEs.
    pub fn shared_model(&self) -> Arc<LanguageModel> {
        Arc::clone(&self.model)
    }

    /// For work without a job.
    pub fn attached(&self) -> Attached<'_> {
        Attached { model: &self.model, sae: &self.sae, at: &self.at }
    }
}

/// The targets with the strengths of their additions multiplied by `factor`.
fn scaled(targets: &[Target], factor: f32) -> Vec<Target> {
    let mut targets = targets.to_vec();
    for target in &mut targets {
        if let Action::Add { strength, .. } = &mut target.action {
            *strength *= factor;
        }
    }
    targets
}
