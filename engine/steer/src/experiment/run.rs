//! The experiments of [`spec`](super::spec) as jobs: open what is named, ask the jobs that work on open things.

use std::sync::Arc;

use candle_core::Device;
use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job};
use serde::{Deserialize, Serialize};

use super::prepare::concept;
use super::spec::{FindExperiment, GenerateExperiment, SplittingExperiment, SweepExperiment};
use crate::intervene::Trace;
use crate::job::{self, Subject};
use crate::report::{Candidate, CausalReport, FindReport, SplittingReport, SweepReport};
use crate::sae::Sae;
use crate::{Result, SteerError, source};

/// Candidates and what they do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindFound {
    /// By contrast.
    #[serde(flatten)]
    pub report: FindReport,
    /// For each candidate, in the same order, the tokens whose logits its decoder vector raises most.
    pub raises: Vec<Vec<String>>,
    /// By steering, where prompts were given.
    pub causal: Option<CausalReport>,
}

/// Finds features by contrast.
#[derive(Clone, Debug)]
pub struct FindJob {
    /// What is asked.
    pub spec: FindExperiment,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for FindJob {
    type Output = FindFound;
    type Partial = FindReport;

    fn name(&self) -> String {
        format!("Find features of {}", self.spec.pair.model.model)
    }

    fn run(self, ctl: &Ctl) -> Result<FindFound, Error> {
        let Self { spec, cache } = self;
        let subject = Arc::new(spec.pair.open(&cache, ctl)?);
        let (first, second) = (spec.first.tokens(&subject, ctl)?, spec.second.tokens(&subject, ctl)?);
        if first.is_empty() || second.is_empty() {
            let what = "a contrast needs texts of both kinds: name files that have some";
            return Err(SteerError::Spec(what.to_owned()).into());
        }
        let report = job::FindJob { subject: Arc::clone(&subject), first, second, spec: spec.find }.run(ctl)?;
        let raises = raised(&subject, &report)?;
        let causal = if spec.prompts.is_empty() {
            None
        } else {
            // An index has seen more texts than the contrast.
            let index = spec.pair.index(&subject, &cache, ctl)?;
            let known =
                |feature| index.as_ref().and_then(|index| index.reference(feature).ok()).filter(|max| *max > 0.0);
            let of = |one: &Candidate| (one.score.feature, known(one.score.feature).unwrap_or(one.reference));
            let candidates = report.candidates.iter().map(of).collect();
            let prompts = spec.prompts.tokens(&subject, ctl)?;
            let scorer = spec.judge.open(&spec.pair.model, &cache, ctl)?;
            let neutral = spec.neutral.tokens(&subject, ctl)?;
            let lexicon = if neutral.is_empty() {
                Vec::new()
            } else {
                concept(&[], subject.model(), &spec.pair.model.model)?.into_iter().collect()
            };
            Some(
                job::CausalJob { subject, candidates, prompts, neutral, lexicon, scorer, spec: spec.causal }
                    .run(ctl)?,
            )
        };
        Ok(FindFound { report, raises, causal })
    }
}

/// Tokens of each candidate that are listed.
const RAISED: usize = 8;

fn raised(subject: &Subject, report: &FindReport) -> Result<Vec<Vec<String>>> {
    let attached = subject.attached();
    let head = crate::logit_lens(attached.model)?;
    let mut all = Vec::new();
    for candidate in &report.candidates {
        let direction = attached.sae.w_dec().narrow(0, candidate.score.feature, 1)?;
        let logits = direction.matmul(&head.t()?)?.flatten_all()?.to_vec1::<f32>()?;
        let best = crate::index::largest(&logits, RAISED);
        let show = |token: u32| attached.model.tokenizer().map_or_else(|| token.to_string(), |words| words.show(token));
        all.push(best.into_iter().map(|(token, _)| show(token)).collect());
    }
    Ok(all)
}

/// A number without and with steering.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Both<T> {
    /// Without.
    pub baseline: T,
    /// With.
    pub steered: T,
}

/// Two continuations of a prompt from the same seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateFound {
    /// The prompt's tokens.
    pub prompt: Vec<u32>,
    /// The continuation without steering; empty without a tokenizer.
    pub baseline: String,
    /// With it.
    pub steered: String,
    /// Their tokens.
    pub tokens: Both<Vec<u32>>,
    /// What was done where.
    pub trace: Trace,
    /// Forward positions where the stream was changed.
    pub steered_positions: usize,
    /// Toxicity of each continuation, 0 to 1.
    pub toxicity: Both<f64>,
    /// Perplexity of each continuation under the unsteered model.
    pub perplexity: Both<Option<f64>>,
    /// `KL(unsteered ‖ steered)` at every token of the steered continuation, in nats.
    pub kl: Vec<f64>,
}

/// Continues a prompt without and with steering.
#[derive(Clone, Debug)]
pub struct GenerateJob {
    /// What is asked.
    pub spec: GenerateExperiment,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for GenerateJob {
    type Output = GenerateFound;
    type Partial = [String; 2];

    fn name(&self) -> String {
        format!("Steer {}", self.spec.pair.model.model)
    }

    fn run(self, ctl: &Ctl) -> Result<GenerateFound, Error> {
        let Self { mut spec, cache } = self;
        let scorer = spec.judge.open(&spec.pair.model, &cache, ctl)?;
        let subject = Arc::new(spec.pair.open(&cache, ctl)?);
        spec.pair.fill_references(&mut spec.intervention.targets, &subject, &cache, ctl)?;
        let prompt = match (spec.tokens.is_empty(), spec.chat) {
            (true, true) => subject.attached().chat_tokens(&spec.prompt)?,
            (true, false) => subject.attached().tokens(&spec.prompt)?,
            (false, _) => spec.tokens.clone(),
        };
        let (intervention, sampling) = (spec.intervention, spec.sampling);
        let made = job::GenerateJob { subject, prompt, intervention, sampling }.run(ctl)?;
        let toxicity = |side: &crate::Continuation| scorer.toxicity(&side.text, &side.tokens);
        Ok(GenerateFound {
            toxicity: Both { baseline: toxicity(&made.baseline), steered: toxicity(&made.steered) },
            perplexity: Both { baseline: made.baseline.perplexity, steered: made.steered.perplexity },
            prompt: made.prompt,
            baseline: made.baseline.text,
            steered: made.steered.text,
            tokens: Both { baseline: made.baseline.tokens, steered: made.steered.tokens },
            steered_positions: made.trace.steered(),
            trace: made.trace,
            kl: made.kl,
        })
    }
}

/// Steers at several strengths and tiers.
#[derive(Clone, Debug)]
pub struct SweepJob {
    /// What is asked.
    pub spec: SweepExperiment,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for SweepJob {
    type Output = SweepReport;
    type Partial = SweepReport;

    fn name(&self) -> String {
        format!("Sweep strengths on {}", self.spec.pair.model.model)
    }

    fn run(self, ctl: &Ctl) -> Result<SweepReport, Error> {
        let Self { mut spec, cache } = self;
        let scorer = spec.judge.open(&spec.pair.model, &cache, ctl)?;
        let subject = Arc::new(spec.pair.open(&cache, ctl)?);
        spec.pair.fill_references(&mut spec.sweep.targets, &subject, &cache, ctl)?;
        let prompts = spec.prompts.tokens(&subject, ctl)?;
        let neutral = spec.neutral.tokens(&subject, ctl)?;
        let questions = spec.questions.open(&subject)?;
        job::SweepJob { subject, prompts, neutral, questions, scorer, spec: spec.sweep }.run(ctl)
    }
}

/// Looks for the same concept in autoencoders of growing width.
#[derive(Clone, Debug)]
pub struct SplittingJob {
    /// What is asked.
    pub spec: SplittingExperiment,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for SplittingJob {
    type Output = SplittingReport;
    type Partial = SplittingReport;

    fn name(&self) -> String {
        format!("Split features of {}", self.spec.model.model)
    }

    fn run(self, ctl: &Ctl) -> Result<SplittingReport, Error> {
        let Self { spec, cache } = self;
        let name = spec.model.model.clone();
        let scorer = spec.judge.open(&spec.model, &cache, ctl)?;
        let mut saes = Vec::new();
        for sae in &spec.saes {
            let (loaded, notes) = source::open(sae, &Device::Cpu, &cache, ctl)?;
            for note in notes {
                ctl.warn(sae, note);
            }
            saes.push(loaded);
        }
        let model = Arc::new(spec.model.open(&cache, ctl)?);
        let saes: Vec<Arc<Sae>> =
            saes.iter().map(|sae| Ok(Arc::new(sae.to_device(model.device())?))).collect::<Result<_>>()?;
        let Some(narrowest) = saes.first() else {
            let what = "a comparison of widths needs autoencoders: name some, narrowest first";
            return Err(SteerError::Spec(what.to_owned()).into());
        };
        let subject = Subject::new(Arc::clone(&model), Arc::clone(narrowest), &name, spec.hook)?;
        let job = job::SplittingJob {
            name: name.clone(),
            saes: saes.clone(),
            point: spec.hook,
            first: spec.first.tokens(&subject, ctl)?,
            second: spec.second.tokens(&subject, ctl)?,
            concept: concept(&spec.concept, &model, &name)?,
            prompts: spec.prompts.tokens(&subject, ctl)?,
            scorer,
            spec: spec.splitting,
            model,
        };
        job.run(ctl)
    }
}
