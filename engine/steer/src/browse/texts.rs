//! The jobs of this crate on texts as people type them.

use std::path::PathBuf;
use std::sync::Arc;

use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job};
use serde::{Deserialize, Serialize};

use super::Opened;
use super::open::load_sae;
use crate::corpus::{CorpusSpec, Format};
use crate::experiment::{Questions, TextChoice, concept};
use crate::index::{FeatureIndex, IndexTable};
use crate::job::{CausalJob, FindJob, SplittingJob, SweepJob};
use crate::quality::Quality;
use crate::report::{CausalReport, FindReport, SplittingReport, SweepReport};
use crate::sae_job::{IndexJob, QualityJob};
use crate::spec::{CausalSpec, FindSpec, SplittingSpec, SweepSpec};
use crate::{Result, SteerError, own};

/// Texts of two kinds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContrastTexts {
    /// The first kind, which the features are to fire on.
    pub first: Vec<String>,
    /// The second.
    pub second: Vec<String>,
}

impl ContrastTexts {
    fn tokens(&self, opened: &Opened, ctl: &Ctl) -> Result<[Vec<Vec<u32>>; 2]> {
        if self.first.is_empty() || self.second.is_empty() {
            let what =
                "a contrast needs texts of both kinds, one on each line: type some, or take the lines of two files";
            return Err(SteerError::Spec(what.to_owned()));
        }
        Ok([all(opened, &self.first, ctl)?, all(opened, &self.second, ctl)?])
    }
}

fn all(opened: &Opened, texts: &[String], ctl: &Ctl) -> Result<Vec<Vec<u32>>> {
    let mut tokens = Vec::with_capacity(texts.len());
    for text in texts {
        ctl.check()?;
        tokens.push(opened.tokens(text)?);
    }
    Ok(tokens)
}

/// Prompts as tokens, as they are or as messages.
fn begun(opened: &Opened, prompts: &[String], chat: bool, ctl: &Ctl) -> Result<Vec<Vec<u32>>> {
    if chat { prompts.iter().map(|prompt| opened.chat_tokens(prompt)).collect() } else { all(opened, prompts, ctl) }
}

/// [`FindJob`] on texts.
#[derive(Clone, Debug)]
pub struct FindTextsJob {
    /// Model and autoencoder.
    pub opened: Arc<Opened>,
    /// The texts.
    pub texts: ContrastTexts,
    /// What is asked.
    pub spec: FindSpec,
}

impl Job for FindTextsJob {
    type Output = FindReport;
    type Partial = FindReport;

    fn name(&self) -> String {
        format!("Find features of {}", self.opened.about.model)
    }

    fn run(self, ctl: &Ctl) -> Result<FindReport, Error> {
        let [first, second] = self.texts.tokens(&self.opened, ctl)?;
        FindJob { subject: Arc::clone(&self.opened.subject), first, second, spec: self.spec }.run(ctl)
    }
}

/// [`CausalJob`] on texts.
#[derive(Clone, Debug)]
pub struct CausalTextsJob {
    /// Model and autoencoder.
    pub opened: Arc<Opened>,
    /// Features and their largest activations.
    pub candidates: Vec<(usize, f32)>,
    /// The prompts.
    pub prompts: Vec<String>,
    /// Whether the prompts are messages for the model's chat template.
    pub chat: bool,
    /// Neutral texts for the output score; may be empty.
    pub neutral: Vec<String>,
    /// What is asked.
    pub spec: CausalSpec,
}

impl Job for CausalTextsJob {
    type Output = CausalReport;
    type Partial = CausalReport;

    fn name(&self) -> String {
        format!("Try features of {}", self.opened.about.model)
    }

    fn run(self, ctl: &Ctl) -> Result<CausalReport, Error> {
        let opened = &self.opened;
        let prompts = begun(opened, &self.prompts, self.chat, ctl)?;
        let neutral = all(opened, &self.neutral, ctl)?;
        // Without a tokenizer there is no list of rude tokens, and no output score.
        let lexicon = concept(&[], opened.subject.model(), &opened.about.model).unwrap_or_default();
        CausalJob {
            subject: Arc::clone(&opened.subject),
            candidates: self.candidates,
            prompts,
            neutral,
            lexicon: lexicon.into_iter().collect(),
            scorer: Arc::clone(&opened.scorer),
            spec: self.spec,
        }
        .run(ctl)
    }
}

/// [`SweepJob`] on prompts as texts, judged by the pair's own judge.
#[derive(Clone, Debug)]
pub struct SweepTextsJob {
    /// Model and autoencoder.
    pub opened: Arc<Opened>,
    /// The prompts.
    pub prompts: Vec<String>,
    /// Whether the prompts are messages for the model's chat template.
    pub chat: bool,
    /// Neutral texts, to measure side effects on; may be empty.
    pub neutral: Vec<String>,
    /// Questions, to measure what the model still knows.
    pub questions: Questions,
    /// What is asked.
    pub spec: SweepSpec,
}

impl Job for SweepTextsJob {
    type Output = SweepReport;
    type Partial = SweepReport;

    fn name(&self) -> String {
        format!("Sweep strengths on {}", self.opened.about.model)
    }

    fn run(self, ctl: &Ctl) -> Result<SweepReport, Error> {
        let opened = &self.opened;
        let prompts = begun(opened, &self.prompts, self.chat, ctl)?;
        SweepJob {
            subject: Arc::clone(&opened.subject),
            prompts,
            neutral: all(opened, &self.neutral, ctl)?,
            questions: self.questions.open(&opened.subject)?,
            scorer: Arc::clone(&opened.scorer),
            spec: self.spec,
        }
        .run(ctl)
    }
}

/// [`SplittingJob`] over the ladder of a pair, on texts.
#[derive(Clone, Debug)]
pub struct SplitTextsJob {
    /// Model and one of the autoencoders.
    pub opened: Arc<Opened>,
    /// Texts in which the concept occurs, and such in which it does not.
    pub texts: ContrastTexts,
    /// Words of the concept; none for the rude words Plumb knows.
    pub concept: Vec<String>,
    /// The prompts.
    pub prompts: Vec<String>,
    /// Whether the prompts are messages for the model's chat template.
    pub chat: bool,
    /// What is asked.
    pub spec: SplittingSpec,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for SplitTextsJob {
    type Output = SplittingReport;
    type Partial = SplittingReport;

    fn name(&self) -> String {
        format!("Compare widths for {}", self.opened.about.model)
    }

    fn run(self, ctl: &Ctl) -> Result<SplittingReport, Error> {
        let opened = &self.opened;
        let [first, second] = self.texts.tokens(opened, ctl)?;
        let prompts = begun(opened, &self.prompts, self.chat, ctl)?;
        let model = opened.subject.model();
        let concept = concept(&self.concept, model, &opened.about.model)?;
        let mut saes = Vec::new();
        for name in &opened.ladder {
            ctl.check()?;
            ctl.progress(format!("Loading {name}"), saes.len() as u64, Some(opened.ladder.len() as u64));
            saes.push(Arc::new(load_sae(name, model.device(), &self.cache, ctl)?.0));
        }
        SplittingJob {
            model: opened.subject.shared_model(),
            name: opened.about.model.clone(),
            saes,
            point: Some(opened.subject.attachment().point),
            first,
            second,
            concept,
            prompts,
            scorer: Arc::clone(&opened.scorer),
            spec: self.spec,
        }
        .run(ctl)
    }
}

/// Builds the feature index of a pair over texts, in the pair's own folder. What was opened comes out with it.
#[derive(Clone, Debug)]
pub struct IndexTextsJob {
    /// Model and autoencoder.
    pub opened: Arc<Opened>,
    /// The texts.
    pub texts: Vec<String>,
    /// What they are called.
    pub corpus: String,
}

impl Job for IndexTextsJob {
    type Output = Arc<Opened>;
    type Partial = ();

    fn name(&self) -> String {
        format!("Index features over {}", self.corpus)
    }

    fn run(self, ctl: &Ctl) -> Result<Arc<Opened>, Error> {
        if self.texts.is_empty() {
            return Err(SteerError::Spec("an index needs texts: choose a file with some".to_owned()).into());
        }
        ctl.progress("Cutting texts into tokens", 0, None);
        let texts = all(&self.opened, &self.texts, ctl)?;
        let about = &self.opened.about;
        let table = IndexTable {
            model: about.model.clone(),
            sae: about.sae.clone(),
            corpus: self.corpus,
            context: own::CONTEXT,
            ..IndexTable::default()
        };
        let folder = self.opened.own_folder.clone();
        IndexJob { subject: Arc::clone(&self.opened.subject), texts, table, folder: folder.clone() }.run(ctl)?;
        Ok(Arc::new(self.opened.with(Some(Arc::new(FeatureIndex::open(&folder)?)), None)))
    }
}

/// Measures the autoencoder of a pair on texts and keeps the figures.
#[derive(Clone, Debug)]
pub struct QualityTextsJob {
    /// Model and autoencoder.
    pub opened: Arc<Opened>,
    /// The texts.
    pub texts: Vec<String>,
}

impl Job for QualityTextsJob {
    type Output = Quality;
    type Partial = ();

    fn name(&self) -> String {
        "Measure the autoencoder".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Quality, Error> {
        if self.texts.is_empty() {
            return Err(SteerError::Spec("measuring needs texts: choose a file with some".to_owned()).into());
        }
        let texts = all(&self.opened, &self.texts, ctl)?;
        let quality = QualityJob { subject: Arc::clone(&self.opened.subject), texts }.run(ctl)?;
        if let Err(error) = self.opened.keep_quality(&quality) {
            ctl.warn("quality", format!("the figures could not be kept: {error}"));
        }
        Ok(quality)
    }
}

/// The texts that a preset names, as text.
#[derive(Clone, Debug)]
pub struct ChosenTextsJob {
    /// Model and autoencoder.
    pub opened: Arc<Opened>,
    /// What is named.
    pub choices: Vec<TextChoice>,
}

impl Job for ChosenTextsJob {
    type Output = Vec<Vec<String>>;
    type Partial = ();

    fn name(&self) -> String {
        "Read the texts of a preset".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Vec<Vec<String>>, Error> {
        let model = self.opened.subject.model();
        let mut all = Vec::new();
        for choice in &self.choices {
            let mut texts = Vec::new();
            for tokens in choice.tokens(&self.opened.subject, ctl)? {
                texts.push(match model.tokenizer() {
                    Some(tokenizer) => tokenizer.decode(&tokens, true)?.trim_start().to_owned(),
                    None => tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                });
            }
            all.push(texts);
        }
        Ok(all)
    }
}

/// The texts of a file, whatever its form.
#[derive(Clone, Debug)]
pub struct FileTextsJob {
    /// The file: lines, JSON objects with a text, or a table with a column of texts.
    pub path: PathBuf,
}

/// What fields and columns with texts are called.
const FIELDS: [&str; 6] = ["text", "comment", "sentence", "prompt", "tweet", "content"];

impl Job for FileTextsJob {
    type Output = Vec<String>;
    type Partial = ();

    fn name(&self) -> String {
        format!("Read {}", self.path.display())
    }

    fn run(self, ctl: &Ctl) -> Result<Vec<String>, Error> {
        let ending = self.path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        let forms: Vec<Format> = match ending.as_str() {
            "jsonl" | "ndjson" => FIELDS.map(|field| Format::JsonLines { field: field.to_owned() }).into(),
            "csv" => FIELDS.map(|column| Format::Csv { column: column.to_owned(), only: None }).into(),
            _ => vec![Format::Lines],
        };
        let mut last = None;
        for format in forms {
            let corpus = CorpusSpec { source: self.path.clone(), format, ..CorpusSpec::default() };
            match corpus.texts(ctl) {
                Ok(texts) => return Ok(texts),
                Err(error) => last = last.or(Some(error)),
            }
        }
        Err(last.map_or_else(|| Error::Failed("there is no text in the file".to_owned()), Error::from))
    }
}
