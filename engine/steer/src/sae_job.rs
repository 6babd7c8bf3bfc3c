//! Work on SAEs as engine jobs: training them for a place in a model, measuring them, and indexing their features.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;
use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job, atomic};
use plumb_nn::checkpoint::{Checkpoint, TensorData, write_safetensors};
use plumb_nn::device::{self, DeviceChoice};
use plumb_text::LanguageModel;
use serde::{Deserialize, Serialize};

use crate::attached::{harvest, logit_lens};
use crate::corpus::{fingerprint, windows};
use crate::harvest::ActivationStore;
use crate::index::{FeatureIndex, IndexBuilder, IndexTable};
use crate::job::Subject;
use crate::quality::Quality;
use crate::sae::Sae;
use crate::sae_spec::{SaeEvalSpec, SaeIndexSpec, SaeTrainSpec, Texts};
use crate::train::{Sparsity, TrainReport, train};
use crate::{Result, SteerError, source};

/// Rows of a chunk of stored activations.
const CHUNK_ROWS: usize = 32_768;

/// One trained autoencoder, as it is reported and kept beside its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// Features.
    pub features: usize,
    /// How it was made sparse.
    pub sparsity: Sparsity,
    /// Tokens of text that were harvested.
    pub harvested: usize,
    /// Steps of training, each with [`TrainSpec::batch`](crate::train::TrainSpec::batch) tokens.
    pub steps: usize,
    /// Quality on held-out text, of the weights as they are stored.
    #[serde(flatten)]
    pub quality: Quality,
    /// Shares of held-out tokens where a feature fires: the 5th, 25th, 50th, 75th and 95th percentile of all features.
    pub density: [f64; 5],
    /// Where it was written.
    pub folder: PathBuf,
}

/// Harvest activations and train SAEs on them. All of it goes on from where it was stopped. Partial results are reports
/// of the training under way.
#[derive(Clone, Debug)]
pub struct SaeTrainJob {
    /// What is asked.
    pub spec: SaeTrainSpec,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for SaeTrainJob {
    type Output = Vec<Trained>;
    type Partial = TrainReport;

    fn name(&self) -> String {
        format!("Train autoencoders for {}", self.spec.model.model)
    }

    fn run(self, ctl: &Ctl) -> Result<Vec<Trained>, Error> {
        Ok(self.train(ctl)?)
    }
}

/// Tokens of texts.
type Windows = Vec<Vec<u32>>;

/// Windows to read and windows to measure on.
fn split(texts: &Texts, model: &LanguageModel, ctl: &Ctl) -> Result<(Windows, Windows)> {
    let mut read = windows(&texts.corpora, model, texts.context, texts.seed, ctl)?;
    if read.len() <= texts.held_out {
        return Err(SteerError::Spec(format!(
            "{} windows of text are too few to keep {} apart: name more text",
            read.len(),
            texts.held_out
        )));
    }
    let rest = read.split_off(texts.held_out);
    let held_out = std::mem::replace(&mut read, rest);
    if texts.tokens > 0 {
        let mut count = 0;
        read.retain(|window| {
            count += window.len();
            count <= texts.tokens
        });
    }
    Ok((read, held_out))
}

impl SaeTrainJob {
    fn train(self, ctl: &Ctl) -> Result<Vec<Trained>> {
        let Self { spec, cache } = self;
        let model = Arc::new(spec.model.open(&cache, ctl)?);
        model.check_point(spec.hook)?;
        let (texts, held_out) = split(&spec.texts, &model, ctl)?;
        TrainSaeJob { model, texts, held_out, spec }.train(ctl)
    }
}

/// As [`SaeTrainJob`], on a model that is open already and texts that are tokens already.
#[derive(Clone, Debug)]
pub struct TrainSaeJob {
    /// The model.
    pub model: Arc<LanguageModel>,
    /// Tokens of the texts.
    pub texts: Vec<Vec<u32>>,
    /// Tokens of the texts that quality is measured on.
    pub held_out: Vec<Vec<u32>>,
    /// What is asked; its own texts are not looked at, and its model only for its name.
    pub spec: SaeTrainSpec,
}

impl Job for TrainSaeJob {
    type Output = Vec<Trained>;
    type Partial = TrainReport;

    fn name(&self) -> String {
        format!("Train autoencoders for {}", self.spec.model.model)
    }

    fn run(self, ctl: &Ctl) -> Result<Vec<Trained>, Error> {
        Ok(self.train(ctl)?)
    }
}

impl TrainSaeJob {
    fn train(&self, ctl: &Ctl) -> Result<Vec<Trained>> {
        let Self { model, texts, held_out, spec } = self;
        if spec.train.is_empty() {
            return Err(SteerError::Spec("there is no autoencoder to train: describe one under “train”".to_owned()));
        }
        let tokens: usize = texts.iter().map(Vec::len).sum();
        let origin = format!(
            "{} {} from position {}, {:016x}",
            spec.model.model,
            spec.hook,
            spec.first_position,
            fingerprint(texts)
        );
        let place = spec.work.join("activations");
        let mut store = ActivationStore::create(&place, model.config().d_model, CHUNK_ROWS, spec.half, &origin)?;
        if !store.table().complete {
            harvest(model, spec.hook, spec.first_position, texts, &mut store, ctl)?;
        }
        let bos = model.config().bos;
        let mut all = Vec::new();
        for one in &spec.train {
            let folder = spec.out.join(one.features.to_string());
            let state = spec.work.join(format!("training-{}.safetensors", one.features));
            let (mut sae, report) = train(&store, one, model.device(), Some(&state), ctl)?;
            sae.config.model_name = Some(spec.model.model.clone());
            sae.config.hook_name = Some(spec.hook.to_string());
            sae.config.prepend_bos = bos.is_some() && texts.iter().all(|text| text.first().copied() == bos);
            sae.config.set_first_position(spec.first_position);
            sae.config.context_size = texts.iter().map(Vec::len).max();
            sae.save(&folder, spec.stored)?;
            let quality = measure(model, &spec.model.model, &folder, held_out, ctl)?;
            let trained = Trained {
                features: one.features,
                sparsity: one.sparsity,
                harvested: tokens,
                steps: report.steps,
                quality: quality.0,
                density: quality.1,
                folder: folder.clone(),
            };
            write_json(&folder.join("quality.json"), &trained)?;
            write_json(&folder.join("training.json"), &report)?;
            all.push(trained);
        }
        Ok(all)
    }
}

/// Quality of the weights as they lie on disk, and percentiles of the features' densities.
fn measure(
    model: &Arc<LanguageModel>,
    name: &str,
    folder: &Path,
    held_out: &[Vec<u32>],
    ctl: &Ctl,
) -> Result<(Quality, [f64; 5])> {
    let (sae, _) = Sae::load(folder, model.device())?;
    let subject = Subject::new(Arc::clone(model), Arc::new(sae), name, None)?;
    let (quality, mut shares) = subject.attached().quality(held_out, ctl)?;
    shares.sort_by(f64::total_cmp);
    let at = |share: f64| shares.get((share * (shares.len().saturating_sub(1)) as f64) as usize).copied();
    Ok((quality, [0.05, 0.25, 0.5, 0.75, 0.95].map(|share| at(share).unwrap_or_default())))
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|error| SteerError::Spec(error.to_string()))?;
    Ok(atomic::write(path, format!("{text}\n").as_bytes())?)
}

/// Measure an SAE on texts it was not trained on.
#[derive(Clone, Debug)]
pub struct SaeEvalJob {
    /// What is asked.
    pub spec: SaeEvalSpec,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for SaeEvalJob {
    type Output = Quality;
    type Partial = ();

    fn name(&self) -> String {
        format!("Measure {}", self.spec.pair.sae)
    }

    fn run(self, ctl: &Ctl) -> Result<Quality, Error> {
        let Self { spec, cache } = self;
        let subject = spec.pair.open(&cache, ctl)?;
        let (_, texts) = split(&spec.texts, subject.model(), ctl)?;
        QualityJob { subject: Arc::new(subject), texts }.run(ctl)
    }
}

/// Measure an SAE that is open already, on texts it was not trained on.
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
        Ok(self.subject.attached().quality(&self.texts, ctl)?.0)
    }
}

/// What building an index says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Indexed {
    /// The index.
    pub table: IndexTable,
    /// Features that fired nowhere.
    pub dead: usize,
    /// Tokens read per second, of the pass over the texts.
    pub tokens_per_second: f64,
    /// Where it is.
    pub folder: PathBuf,
}

/// Build the feature index of an SAE over texts.
#[derive(Clone, Debug)]
pub struct SaeIndexJob {
    /// What is asked.
    pub spec: SaeIndexSpec,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for SaeIndexJob {
    type Output = Indexed;
    type Partial = ();

    fn name(&self) -> String {
        format!("Index the features of {}", self.spec.pair.sae)
    }

    fn run(self, ctl: &Ctl) -> Result<Indexed, Error> {
        let Self { spec, cache } = self;
        let subject = spec.pair.open(&cache, ctl)?;
        let (texts, _) = split(&spec.texts, subject.model(), ctl)?;
        let names: Vec<&str> = spec.texts.corpora.iter().map(|corpus| corpus.name.as_str()).collect();
        let table = IndexTable {
            model: spec.pair.model.model.clone(),
            sae: spec.pair.sae.clone(),
            corpus: names.join(", "),
            context: spec.around,
            ..IndexTable::default()
        };
        let (folder, subject) = (spec.out, Arc::new(subject));
        let seconds = IndexJob { subject, texts, table, folder: folder.clone() }.run(ctl)?;
        let index = FeatureIndex::open(&folder)?;
        let dead = index.rows().iter().filter(|row| row.density == 0.0).count();
        let table = index.table().clone();
        Ok(Indexed { dead, tokens_per_second: table.tokens as f64 / seconds, table, folder })
    }
}

/// Build the feature index of an SAE that is open already. The seconds that the pass over the texts took come out.
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
    type Output = f64;
    type Partial = ();

    fn name(&self) -> String {
        "Index features".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<f64, Error> {
        let attached = self.subject.attached();
        let features = attached.sae.config.d_sae;
        let mut builder = IndexBuilder::new(&self.folder, features, self.table, ctl.seed())?;
        let started = Instant::now();
        attached.index(&self.texts, &mut builder, ctl)?;
        let seconds = started.elapsed().as_secs_f64();
        let head = logit_lens(attached.model)?;
        builder.finish(Some(attached.sae), Some(&head), ctl)?;
        Ok(seconds)
    }
}

/// Activations of a residual stream that lies in a file; their shape `[T, m]` comes out.
#[derive(Clone, Debug)]
pub struct EncodeJob {
    /// The autoencoder.
    pub sae: String,
    /// A file with the tensor `resid` `[T, d]`.
    pub input: PathBuf,
    /// The safetensors file that gets the tensor `features` `[T, m]`, written whole or not at all.
    pub out: PathBuf,
    /// Where it is computed.
    pub device: DeviceChoice,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for EncodeJob {
    type Output = [usize; 2];
    type Partial = ();

    fn name(&self) -> String {
        format!("Encode {}", self.input.display())
    }

    fn run(self, ctl: &Ctl) -> Result<[usize; 2], Error> {
        Ok(self.encode(ctl)?)
    }
}

/// Rows that are encoded at once.
const ROWS: usize = 1024;

impl EncodeJob {
    fn encode(&self, ctl: &Ctl) -> Result<[usize; 2]> {
        let opened = device::open(self.device);
        if let Some(note) = &opened.note {
            ctl.warn("device", note);
        }
        let (sae, notes) = source::open(&self.sae, &opened.device, &self.cache, ctl)?;
        for note in notes {
            ctl.warn(&self.sae, note);
        }
        let file = Checkpoint::open(&self.input)?;
        let shape = match file.entry("resid").map(|entry| entry.shape.as_slice()) {
            Some(&[rows, width]) => [rows, width],
            found => {
                let found = found.map_or_else(|| "none".to_owned(), |shape| format!("one of shape {shape:?}"));
                let reason = format!("it must have a tensor “resid” of shape [tokens, width] and has {found}");
                return Err(SteerError::read(&self.input, reason));
            }
        };
        let x = Tensor::from_vec(file.read_f32("resid")?, (shape[0], shape[1]), &opened.device)?;
        let features = sae.config.d_sae;
        let mut numbers = Vec::with_capacity(shape[0] * features);
        for start in (0..shape[0]).step_by(ROWS) {
            ctl.check()?;
            ctl.progress("Encoding", start as u64, Some(shape[0] as u64));
            let z = sae.encode(&x.narrow(0, start, ROWS.min(shape[0] - start))?)?.z;
            numbers.extend(z.flatten_all()?.to_vec1::<f32>()?);
        }
        let shape = [shape[0], features];
        let tensors = [("features".to_owned(), shape.to_vec(), TensorData::F32(numbers))];
        write_safetensors(&self.out, &tensors, &BTreeMap::new())?;
        Ok(shape)
    }
}
