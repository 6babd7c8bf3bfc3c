//! From what a preset says to what the jobs take: tokens, judges, questions, largest activations.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use candle_core::Device;
use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_core::source::Cache;
use plumb_text::classify::{Lexicon, NgramClassifier};
use plumb_text::job::ModelSpec;
use plumb_text::{LanguageModel, embedded};

use super::spec::{Judge, Pair, Questions, TextChoice, TextSource, WorldTexts};
use crate::choice::{self, Question};
use crate::index::FeatureIndex;
use crate::intervene::{Action, Target, Unit};
use crate::job::Subject;
use crate::judge::BertJudge;
use crate::metrics::{Scorer, TokenLexicon};
use crate::{Result, SteerError, own, source, world};

impl Pair {
    /// Opens both, fetched if need be.
    pub fn open(&self, cache: &Cache, ctl: &Ctl) -> Result<Subject> {
        Subject::open(&self.model, &self.sae, self.hook, cache, ctl)
    }

    /// The feature index, where there is one: the one named, else what the window built for this pair, else the one that
    /// lies beside the autoencoder. The made-up world builds its own.
    pub fn index(&self, subject: &Arc<Subject>, cache: &Cache, ctl: &Ctl) -> Result<Option<FeatureIndex>> {
        if let Some(folder) = &self.index {
            return Ok(Some(FeatureIndex::open(folder)?));
        }
        let (model, features) = (self.model.model.as_str(), subject.attached().sae.config.d_sae);
        let own = own::folder(cache, model, &self.sae, subject.attached().sae)?;
        if model == embedded::TINY && world::embedded(&self.sae, &Device::Cpu)?.is_some() {
            return Ok(Some(own::index_of_the_world(subject, [model, &self.sae], &own, ctl)?));
        }
        if let Ok(index) = FeatureIndex::open(&own)
            && index.table().features == features
        {
            return Ok(Some(index));
        }
        if self.sae.starts_with("embedded:") {
            return Ok(None);
        }
        let path = source::find(&self.sae, cache, ctl)?;
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")).to_path_buf() };
        let folder = folder.join("index");
        if folder.is_dir() { Ok(Some(FeatureIndex::open(&folder)?)) } else { Ok(None) }
    }

    /// Fills in the largest activation of targets that need it and do not say it.
    pub fn fill_references(
        &self,
        targets: &mut [Target],
        subject: &Arc<Subject>,
        cache: &Cache,
        ctl: &Ctl,
    ) -> Result<()> {
        let lacks = |target: &Target| {
            target.reference.is_none() && matches!(target.action, Action::Add { unit: Unit::MaxAct, .. })
        };
        if targets.iter().any(lacks)
            && let Some(index) = self.index(subject, cache, ctl)?
        {
            for target in targets.iter_mut().filter(|target| lacks(target)) {
                target.reference = Some(index.reference(target.feature)?);
            }
        }
        Ok(())
    }
}

/// Draws of a set from the made-up world where nothing else is said.
const WORLD_COUNT: usize = 200;

impl TextChoice {
    /// Whether it names no texts.
    pub fn is_empty(&self) -> bool {
        self.from == TextSource::default()
    }

    /// Their tokens, as the autoencoder of `subject` wants them.
    pub fn tokens(&self, subject: &Subject, ctl: &Ctl) -> Result<Vec<Vec<u32>>> {
        let attached = subject.attached();
        if self.chat && matches!(self.from, TextSource::Tokens(_) | TextSource::World(_)) {
            let what = "a chat template goes around texts: name a file with messages, or leave the template out";
            return Err(SteerError::Spec(what.to_owned()));
        }
        let tokens = |text: &String| if self.chat { attached.chat_tokens(text) } else { attached.tokens(text) };
        let texts = match &self.from {
            TextSource::Tokens(tokens) => tokens.clone(),
            TextSource::Texts(texts) => texts.iter().map(tokens).collect::<Result<_>>()?,
            TextSource::Corpus(corpus) => corpus.texts(ctl)?.iter().map(tokens).collect::<Result<_>>()?,
            TextSource::World(kind) => {
                let count = if self.count == 0 { WORLD_COUNT } else { self.count };
                match kind {
                    WorldTexts::Rude => world::sets::pairs(count, self.seed)[0].clone(),
                    WorldTexts::Twins => world::sets::pairs(count, self.seed)[1].clone(),
                    WorldTexts::Challenging => world::sets::challenging(count, self.seed),
                    WorldTexts::Neutral => world::sets::neutral_prompts(count, self.seed),
                }
            }
        };
        let bos = subject.model().config().bos;
        let long = |text: &Vec<u32>| text.len() >= self.least_tokens + usize::from(bos.is_some());
        let mut texts: Vec<Vec<u32>> = texts.into_iter().filter(|text| !text.is_empty() && long(text)).collect();
        if self.count > 0 && self.count < texts.len() {
            Random::new(self.seed, "choice of texts").shuffle(&mut texts);
            texts.truncate(self.count);
        }
        if self.first_tokens > 0 {
            for text in &mut texts {
                let own = usize::from(text.first().copied() == bos && bos.is_some());
                text.truncate(self.first_tokens + own);
            }
        }
        Ok(texts)
    }
}

impl Judge {
    /// Whoever judges, for a model of this name.
    pub fn open(&self, model: &ModelSpec, cache: &Cache, ctl: &Ctl) -> Result<Arc<dyn Scorer>> {
        Ok(match self {
            // In the made-up world it is known which words are rude, so the usual judge is not needed.
            Self::Classifier if model.model == embedded::TINY => {
                Arc::new(TokenLexicon::new(world::rude_tokens().collect()))
            }
            Self::Classifier => NgramClassifier::embedded()?,
            Self::Lexicon => Arc::new(Lexicon::embedded()),
            Self::Bert(source) => Arc::new(BertJudge::open(source, model.device, cache, ctl)?),
        })
    }
}

impl Questions {
    /// As tokens.
    pub fn open(&self, subject: &Subject) -> Result<Vec<Question>> {
        let items = match self {
            Self::None => return Ok(Vec::new()),
            Self::Own => choice::own()?,
            Self::File(path) => choice::load(path)?,
        };
        items.iter().map(|item| item.tokens(subject.attached())).collect()
    }
}

/// The tokens that a list of words is written with: their first ones, at the beginning of a word.
pub fn concept(words: &[String], model: &LanguageModel, name: &str) -> Result<BTreeSet<u32>> {
    if words.is_empty() && name == embedded::TINY {
        return Ok(world::rude_tokens().collect());
    }
    let tokenizer = model.tokenizer().ok_or(plumb_text::Error::NoTokenizer)?;
    let own: Vec<String> = Lexicon::embedded().words().map(str::to_owned).collect();
    let mut concept = BTreeSet::new();
    for word in if words.is_empty() { &own } else { words } {
        for form in [word.clone(), format!(" {word}")] {
            // A word of several tokens would count its first piece wherever it occurs.
            if let [token] = tokenizer.encode(&form, false)?.as_slice() {
                concept.insert(*token);
            }
        }
    }
    if concept.is_empty() {
        return Err(SteerError::Spec("none of the concept's words is a single token of this model".to_owned()));
    }
    Ok(concept)
}
