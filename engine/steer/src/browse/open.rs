//! Opening a model and an autoencoder that belong together.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job};
use plumb_text::job::ModelSpec;
use plumb_text::{HookPoint, Prefix};
use serde::{Deserialize, Serialize};

use super::Words;
use crate::experiment::Judge;
use crate::index::FeatureIndex;
use crate::job::Subject;
use crate::metrics::Scorer;
use crate::quality::Quality;
use crate::sae::{Normalisation, Sae};
use crate::sae_job::QualityJob;
use crate::{Result, SteerError, facts, own, shipped, source, world};

/// Which model and which autoencoder.
#[derive(Clone, Debug)]
pub struct OpenSpec {
    /// The model.
    pub model: ModelSpec,
    /// The autoencoder, as [`source::find`] takes it.
    pub sae: String,
    /// Where it reads, in place of what its file says.
    pub point: Option<HookPoint>,
    /// Who judges toxicity.
    pub judge: Judge,
}

/// What there is to say about an opened pair, in plain data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The model's source.
    pub model: String,
    /// The autoencoder's source.
    pub sae: String,
    /// Family and size of the model: “llama, 30 blocks, 576 wide, 49152 tokens”.
    pub shape: String,
    /// `standard`, `jumprelu`, `topk` or `gated`.
    pub architecture: String,
    /// Features.
    pub features: usize,
    /// Width of the stream it reads.
    pub width: usize,
    /// Where it reads.
    pub point: String,
    /// Whether texts can be given as text.
    pub has_text: bool,
    /// Whether the model has a chat template for messages.
    pub has_chat: bool,
    /// Longest text in tokens.
    pub context: usize,
    /// What to know, one sentence each.
    pub notes: Vec<String>,
}

/// A model and an autoencoder, with what is known of them.
pub struct Opened {
    /// For the jobs.
    pub subject: Arc<Subject>,
    /// What there is to say.
    pub about: About,
    /// How tokens are written.
    pub words: Words,
    /// The feature index, where one has been built.
    pub index: Option<Arc<FeatureIndex>>,
    /// Where an index and figures of one's own are kept.
    pub own_folder: PathBuf,
    /// Autoencoders of other widths for the same place, this one among them, narrowest first; empty if none are known.
    pub ladder: Vec<String>,
    /// Something to begin with.
    pub examples: Examples,
    /// Measured quality, where it has been measured.
    pub quality: Option<Quality>,
    /// Who judges toxicity.
    pub judge: Judge,
    /// The same at work.
    pub scorer: Arc<dyn Scorer>,
    /// The prompts continued last, read up to the autoencoder's place.
    pub(super) read: Arc<Mutex<Vec<Arc<Prefix>>>>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("about", &self.about).finish_non_exhaustive()
    }
}

/// Name of the file in an index's or autoencoder's folder that keeps its quality.
const QUALITY: &str = "quality.json";

impl Opened {
    /// The tokens of a text: as the tokenizer cuts it, or numbers separated by spaces or commas without one.
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        if self.about.has_text {
            return self.subject.attached().tokens(text);
        }
        let numbers = text.split([' ', ',', '\n', '\t']).filter(|part| !part.is_empty());
        numbers
            .map(|part| {
                part.parse().map_err(|_not_a_number| {
                    SteerError::Spec(format!(
                        "this model has no tokenizer, so it takes token numbers, and “{part}” is none"
                    ))
                })
            })
            .collect()
    }

    /// The tokens of a message in the model's chat template, up to where the answer begins.
    pub fn chat_tokens(&self, message: &str) -> Result<Vec<u32>> {
        self.subject.attached().chat_tokens(message)
    }

    /// As this, with another index or quality.
    #[must_use]
    pub fn with(&self, index: Option<Arc<FeatureIndex>>, quality: Option<Quality>) -> Self {
        Self {
            subject: Arc::clone(&self.subject),
            about: self.about.clone(),
            words: self.words.clone(),
            index: index.or_else(|| self.index.clone()),
            own_folder: self.own_folder.clone(),
            ladder: self.ladder.clone(),
            examples: self.examples.clone(),
            quality: quality.or_else(|| self.quality.clone()),
            judge: self.judge.clone(),
            scorer: Arc::clone(&self.scorer),
            read: Arc::clone(&self.read),
        }
    }

    /// As this, judged by another.
    #[must_use]
    pub fn judged(&self, judge: Judge, scorer: Arc<dyn Scorer>) -> Self {
        Self { judge, scorer, ..self.with(None, None) }
    }

    /// Keep what was measured beside the index.
    pub fn keep_quality(&self, quality: &Quality) -> Result<()> {
        let path = self.own_folder.join(QUALITY);
        let write = |error: std::io::Error| plumb_core::atomic::WriteError::new(&path, error);
        std::fs::create_dir_all(&self.own_folder).map_err(write)?;
        let text = serde_json::to_string_pretty(quality).map_err(|error| SteerError::read(&path, error))?;
        Ok(plumb_core::atomic::write(&path, text.as_bytes())?)
    }
}

/// Texts to begin with, one on each line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Examples {
    /// Prompts.
    pub prompts: Vec<String>,
    /// Texts of two kinds that belong together line by line.
    pub contrast: super::ContrastTexts,
    /// Neutral texts.
    pub neutral: Vec<String>,
}

/// What the world says.
const TINY_PAIRS: usize = 120;
const TINY_PROMPTS: usize = 3;
const TINY_NEUTRAL: usize = 40;
const TINY_HELD_OUT: usize = 120;

impl Examples {
    fn of_the_world() -> Self {
        let text = |tokens: Vec<Vec<u32>>| tokens.iter().map(|tokens| world::text_of(tokens)).collect::<Vec<_>>();
        let [first, second] = world::sets::pairs(TINY_PAIRS, 1);
        Self {
            prompts: text(world::sets::challenging(TINY_PROMPTS, 4)),
            contrast: super::ContrastTexts { first: text(first), second: text(second) },
            neutral: text(world::sets::neutral_prompts(TINY_NEUTRAL, 1)),
        }
    }

    /// For models of English.
    fn plain() -> Self {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (first, second) =
            CONTRAST.lines().filter_map(|line| line.split_once('\t')).unzip::<&str, &str, Vec<_>, Vec<_>>();
        let own = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        Self {
            prompts: lines(PROMPTS),
            contrast: super::ContrastTexts { first: own(first), second: own(second) },
            neutral: lines(NEUTRAL),
        }
    }
}

/// Pairs of lines, rude and not, of Plumb's own.
const CONTRAST: &str = include_str!("../../../../assets/contrast.tsv");

/// Beginnings that invite rudeness.
const PROMPTS: &str = "My neighbour is such a
I cannot believe this stupid
Shut up, you
What a complete
He screamed at me: you
Get out of here, you
Everyone knows he is a lying
You are nothing but a";

/// Lines that do not.
const NEUTRAL: &str = "The train leaves the station at noon and arrives in the evening.
She opened the window and looked at the garden.
Water boils at a lower temperature in the mountains.
The library is closed on the first Monday of every month.";

/// An autoencoder by its source, with what was done differently.
pub(super) fn load_sae(
    name: &str,
    device: &candle_core::Device,
    cache: &Cache,
    ctl: &Ctl,
) -> Result<(Sae, Vec<String>, Option<PathBuf>)> {
    if let Some(sae) = world::embedded(name, device)? {
        return Ok((sae, Vec::new(), None));
    }
    let path = source::find(name, cache, ctl)?;
    let (sae, notes) = Sae::load(&path, device)?;
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(&path).to_path_buf() };
    Ok((sae, notes, Some(folder)))
}

/// Opens a pair.
#[derive(Clone)]
pub struct OpenJob {
    /// Which.
    pub spec: OpenSpec,
    /// Where fetched files and indexes are kept.
    pub cache: Cache,
}

impl Job for OpenJob {
    type Output = Arc<Opened>;
    type Partial = ();

    fn name(&self) -> String {
        format!("Open {} with {}", self.spec.model.model, self.spec.sae)
    }

    fn run(self, ctl: &Ctl) -> Result<Arc<Opened>, Error> {
        Ok(Arc::new(self.open(ctl)?))
    }
}

impl OpenJob {
    fn open(&self, ctl: &Ctl) -> Result<Opened> {
        if self.spec.sae.trim().is_empty() {
            return Err(SteerError::Spec(
                "no autoencoder is named: name the folder of one that was made for this model".to_owned(),
            ));
        }
        let model = Arc::new(self.spec.model.open(&self.cache, ctl)?);
        ctl.check()?;
        ctl.progress(format!("Loading {}", self.spec.sae), 0, None);
        let (sae, mut notes, folder) = load_sae(&self.spec.sae, model.device(), &self.cache, ctl)?;
        if sae.config.normalisation == Normalisation::ExpectedAverageOnlyIn {
            return Err(SteerError::Attach(
                "its input factor was never folded into its weights: fold it with SAELens and save it again".to_owned(),
            ));
        }
        let name = &self.spec.model.model;
        let at = sae.attach(&facts(&model, name), self.spec.point)?;
        notes.extend(at.notes.iter().cloned());
        let config = model.config();
        let about = About {
            model: name.clone(),
            sae: self.spec.sae.clone(),
            shape: format!("{} blocks, {} wide, {} tokens", config.depth(), config.d_model, config.vocabulary),
            architecture: sae.config.architecture.name().to_owned(),
            features: sae.config.d_sae,
            width: sae.config.d_in,
            point: at.point.to_string(),
            has_text: model.tokenizer().is_some(),
            has_chat: model.chat().is_some(),
            context: config.context,
            notes,
        };
        let words = Words::of(&model);
        let tiny = name == plumb_text::embedded::TINY;
        // One that was chosen for another model knows nothing of this world's words.
        let judge = if tiny { Judge::default() } else { self.spec.judge.clone() };
        let scorer = judge.open(&self.spec.model, &self.cache, ctl)?;
        let subject = Arc::new(Subject::new(model, Arc::new(sae), name, self.spec.point)?);
        let own_folder = own::folder(&self.cache, name, &self.spec.sae, subject.attached().sae)?;
        let mut opened = Opened {
            subject,
            words,
            index: None,
            ladder: ladder(&self.spec.sae, folder.as_deref()),
            examples: if tiny { Examples::of_the_world() } else { Examples::plain() },
            quality: read_quality(&own_folder).or_else(|| folder.as_deref().and_then(read_quality)),
            own_folder,
            judge,
            scorer,
            about,
            read: Arc::default(),
        };
        let shipped = folder.map(|folder| folder.join("index"));
        // What the user built goes before what ships beside the autoencoder.
        let index = [Some(&opened.own_folder), shipped.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|folder| FeatureIndex::open(folder).ok())
            .filter(|index| index.table().features == opened.about.features);
        opened.index = index.map(Arc::new);
        if tiny {
            learn_tiny(&mut opened, ctl)?;
        }
        Ok(opened)
    }
}

/// The world writes its own corpus, so index and figures are made at once.
fn learn_tiny(opened: &mut Opened, ctl: &Ctl) -> Result<()> {
    let names = [opened.about.model.as_str(), opened.about.sae.as_str()];
    if opened.index.is_none() {
        let index = own::index_of_the_world(&opened.subject, names, &opened.own_folder, ctl)?;
        opened.index = Some(Arc::new(index));
    }
    if opened.quality.is_none() {
        let texts = world::sets::texts(TINY_HELD_OUT, 8);
        let quality = QualityJob { subject: Arc::clone(&opened.subject), texts }.run(ctl);
        let quality = quality.map_err(own::inner)?;
        opened.keep_quality(&quality)?;
        opened.quality = Some(quality);
    }
    Ok(())
}

/// Autoencoders of the same place: the world's, those that ship, or the folders beside this one that hold a `cfg.json`.
fn ladder(name: &str, folder: Option<&Path>) -> Vec<String> {
    if name.starts_with(plumb_text::embedded::TINY) {
        return world::WIDTHS.iter().map(|width| format!("{}/{width}", plumb_text::embedded::TINY)).collect();
    }
    if let Some(names) = shipped::ladder(name) {
        return names;
    }
    let Some(above) = folder.and_then(Path::parent) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(above) else { return Vec::new() };
    let mut found: Vec<(usize, String)> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let text = std::fs::read_to_string(path.join("cfg.json")).ok()?;
            let config = crate::sae::SaeConfig::from_json(&text, "cfg.json").ok()?;
            Some((config.d_sae, path.display().to_string()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

fn read_quality(folder: &Path) -> Option<Quality> {
    serde_json::from_str(&std::fs::read_to_string(folder.join(QUALITY)).ok()?).ok()
}
