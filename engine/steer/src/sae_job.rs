//! Work on SAEs as engine jobs: training one for a place in a model, and indexing its features.

use std::path::PathBuf;
use std::sync::Arc;

use plumb_core::{Ctl, Error, Job};
use plumb_text::{HookPoint, LanguageModel};

use crate::attached::harvest;
use crate::harvest::ActivationStore;
use crate::index::{IndexBuilder, IndexTable};
use crate::job::Subject;
use crate::quality::Quality;
use crate::sae::Sae;
use crate::train::{TrainReport, TrainSpec, train};

/// Harvest activations into a folder and train an SAE on them. Both go on from where they were stopped. Partial results
/// are training reports.
#[derive(Clone, Debug)]
pub struct TrainSaeJob {
    /// The model.
    pub model: Arc<LanguageModel>,
    /// Its name, written into the SAE.
    pub name: String,
    /// Where the stream is read.
    pub point: HookPoint,
    /// Tokens of the corpus's texts.
    pub texts: Vec<Vec<u32>>,
    /// Name of the corpus, written into the store.
    pub corpus: String,
    /// Rows of a chunk of the store.
    pub chunk_rows: usize,
    /// Where activations and the training's state are kept.
    pub folder: PathBuf,
    /// How it is trained.
    pub spec: TrainSpec,
}

impl Job for TrainSaeJob {
    type Output = (Sae, TrainReport);
    type Partial = TrainReport;

    fn name(&self) -> String {
        format!("Train an autoencoder for {}", self.name)
    }

    fn run(self, ctl: &Ctl) -> Result<(Sae, TrainReport), Error> {
        let width = self.model.config().d_model;
        let origin = format!("{} {} {}", self.name, self.point, self.corpus);
        let place = self.folder.join("activations");
        let mut store = ActivationStore::create(&place, width, self.chunk_rows, &origin)?;
        if !store.table().complete {
            harvest(&self.model, self.point, &self.texts, &mut store, ctl)?;
        }
        let state = self.folder.join("training.safetensors");
        let (mut sae, report) = train(&store, &self.spec, self.model.device(), Some(&state), ctl)?;
        let bos = self.model.config().bos;
        sae.config.model_name = Some(self.name);
        sae.config.hook_name = Some(self.point.to_string());
        sae.config.prepend_bos = bos.is_some() && self.texts.iter().all(|text| text.first().copied() == bos);
        sae.config.context_size = self.texts.iter().map(Vec::len).max();
        Ok((sae, report))
    }
}

/// Build the feature index of an SAE over a corpus.
#[derive(Clone, Debug)]
pub struct IndexJob {
    /// Model and SAE.
    pub subject: Arc<Subject>,
    /// Tokens of the corpus's texts.
    pub texts: Vec<Vec<u32>>,
    /// What the index says it is of; its sizes are filled in.
    pub table: IndexTable,
    /// Where it is written.
    pub folder: PathBuf,
}

impl Job for IndexJob {
    type Output = ();
    type Partial = ();

    fn name(&self) -> String {
        "Index features".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<(), Error> {
        let attached = self.subject.attached();
        let features = attached.sae.config.d_sae;
        let mut builder = IndexBuilder::new(&self.folder, features, self.table, ctl.seed())?;
        attached.index(&self.texts, &mut builder, ctl)?;
        let head = attached.model.unembedding().map_err(Error::from)?;
        Ok(builder.finish(Some(attached.sae), Some(&head), ctl)?)
    }
}

/// Measure an SAE on texts it was not trained on.
#[derive(Clone, Debug)]
pub struct QualityJob {
    /// Model and SAE.
    pub subject: Arc<Subject>,
    /// Tokens of the texts.
    pub texts: Vec<Vec<u32>>,
}

impl Job for QualityJob {
    type Output = Quality;
    type Partial = ();

    fn name(&self) -> String {
        "Measure the autoencoder".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Quality, Error> {
        Ok(self.subject.attached().quality(&self.texts, ctl)?)
    }
}
