//! Specs as engine jobs.

use std::ops::ControlFlow;
use std::sync::Arc;

use plumb_core::{Ctl, Error, Job};
use plumb_text::{HookPoint, LanguageModel, Sampling};

use crate::attached::{Attached, Continuation, SteeredGeneration, facts};
use crate::find::{ScoreKind, permute, rank, score};
use crate::intervene::{Action, Intervention, Target, Tier, controls};
use crate::metrics::{Scorer, distinct, relative_reduction, repetition, toxicity};
use crate::report::{Candidate, FindReport, Measured, Series, SweepPoint, SweepReport};
use crate::sae::{Attachment, Sae};
use crate::spec::{FindSpec, SweepSpec};
use crate::{Result, SteerError};

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

    /// How they fit.
    pub fn attachment(&self) -> &Attachment {
        &self.at
    }

    /// For work without a job.
    pub fn attached(&self) -> Attached<'_> {
        Attached { model: &self.model, sae: &self.sae, at: &self.at }
    }
}

/// Find features by contrast.
#[derive(Clone, Debug)]
pub struct FindJob {
    /// Model and SAE.
    pub subject: Arc<Subject>,
    /// Tokens of the texts of the first kind (toxic).
    pub first: Vec<Vec<u32>>,
    /// Of the second (neutral).
    pub second: Vec<Vec<u32>>,
    /// What is asked.
    pub spec: FindSpec,
}

impl Job for FindJob {
    type Output = FindReport;
    type Partial = FindReport;

    fn name(&self) -> String {
        format!("Find features of {}", self.subject.name)
    }

    fn run(self, ctl: &Ctl) -> Result<FindReport, Error> {
        let Self { subject, first, second, spec } = self;
        let paired = spec.paired && first.len() == second.len();
        if spec.paired && !paired {
            ctl.warn("contrast set", "the two kinds have different numbers of texts, so they are not taken as pairs");
        }
        let pooled = subject.attached().contrast(&first, &second, spec.pooling, ctl)?;
        let best = rank(&score(&pooled, paired), spec.rank_by, spec.filters, spec.top);
        let mut report = FindReport {
            candidates: best.into_iter().map(|score| Candidate { score, p: None, p_family: None }).collect(),
            texts: [first.len(), second.len()],
            best_by_chance: Vec::new(),
        };
        if spec.rounds > 0 && !first.is_empty() && !second.is_empty() {
            ctl.partial(report.clone());
            let kind = if spec.rank_by == ScoreKind::Auroc { ScoreKind::Auroc } else { ScoreKind::MeanDiff };
            let chance = permute(&pooled, kind, paired, spec.rounds, ctl)?;
            for candidate in &mut report.candidates {
                candidate.p = Some(chance.p[candidate.score.feature]);
                candidate.p_family = Some(chance.p_family[candidate.score.feature]);
            }
            report.best_by_chance = chance.best_by_chance;
        }
        Ok(report)
    }
}

/// Continue a prompt without and with steering. Partial results are the text so far: of the baseline, and of the
/// steered continuation once it has begun.
#[derive(Clone, Debug)]
pub struct GenerateJob {
    /// Model and SAE.
    pub subject: Arc<Subject>,
    /// Tokens of the prompt, BOS included.
    pub prompt: Vec<u32>,
    /// What is done to the stream.
    pub intervention: Intervention,
    /// How tokens are chosen.
    pub sampling: Sampling,
}

impl Job for GenerateJob {
    type Output = SteeredGeneration;
    type Partial = [String; 2];

    fn name(&self) -> String {
        format!("Steer {}", self.subject.name)
    }

    fn run(self, ctl: &Ctl) -> Result<SteeredGeneration, Error> {
        let mut texts = [String::new(), String::new()];
        let made = self.subject.attached().generate(
            &self.prompt,
            &self.intervention,
            &self.sampling,
            ctl,
            &mut |steered, step| {
                texts[usize::from(steered)].push_str(step.text);
                ctl.partial(texts.clone());
                ControlFlow::Continue(())
            },
        );
        Ok(made?)
    }
}

/// Steer at every strength of a grid in every tier. Partial results are the points so far.
#[derive(Clone)]
pub struct SweepJob {
    /// Model and SAE.
    pub subject: Arc<Subject>,
    /// Tokens of the prompts, BOS included.
    pub prompts: Vec<Vec<u32>>,
    /// Judges the continuations.
    pub scorer: Arc<dyn Scorer>,
    /// What is asked.
    pub spec: SweepSpec,
}

impl Job for SweepJob {
    type Output = SweepReport;
    type Partial = SweepReport;

    fn name(&self) -> String {
        format!("Sweep strengths on {}", self.subject.name)
    }

    fn run(self, ctl: &Ctl) -> Result<SweepReport, Error> {
        Ok(self.sweep(ctl)?)
    }
}

impl SweepJob {
    fn sweep(&self, ctl: &Ctl) -> Result<SweepReport> {
        let spec = &self.spec;
        if spec.targets.is_empty() || self.prompts.is_empty() || spec.continuations == 0 {
            return Err(SteerError::Spec("a sweep needs features, prompts and continuations of each".to_owned()));
        }
        let base = self.each(ctl, |attached, prompt, sampling| {
            attached.unsteered(prompt, sampling, ctl, &mut |_| ControlFlow::Continue(()))
        })?;
        let mut report = SweepReport { baseline: self.measure(&base), points: Vec::new() };
        let mut series: Vec<(Series, Vec<Target>, Tier)> =
            spec.tiers.iter().map(|&tier| (Series::Tier(tier), spec.targets.clone(), tier)).collect();
        for control in 0..spec.random_controls {
            series.push((Series::Random(control), self.control(control, ctl)?, Tier::Constant));
        }
        let total = (series.len() * spec.strengths.len()) as u64;
        for (series, targets, tier) in series {
            for &strength in &spec.strengths {
                ctl.progress("Sweeping strengths", report.points.len() as u64, Some(total));
                let intervention = Intervention { targets: scaled(&targets, strength), tier, ..Default::default() };
                let (mut divergence, mut positions) = ((0.0, 0usize), [0usize; 2]);
                let made = self.each(ctl, |attached, prompt, sampling| {
                    let go_on = &mut |_: &plumb_text::Step<'_>| ControlFlow::Continue(());
                    let (made, kl, trace) = attached.steered(prompt, &intervention, sampling, ctl, go_on)?;
                    divergence = (divergence.0 + kl.iter().sum::<f64>(), divergence.1 + kl.len());
                    positions = [positions[0] + trace.steered(), positions[1] + trace.rows.len()];
                    Ok(made)
                })?;
                let Measured { toxicity, perplexity, distinct_2, repetition } = self.measure(&made);
                report.points.push(SweepPoint {
                    series,
                    strength,
                    toxicity,
                    perplexity,
                    distinct_2,
                    repetition,
                    kl: divergence.0 / divergence.1.max(1) as f64,
                    steered_share: positions[0] as f64 / positions[1].max(1) as f64,
                    reduction: relative_reduction(report.baseline.toxicity.rate, toxicity.rate),
                    on_front: false,
                });
                report.mark_front();
                ctl.partial(report.clone());
            }
        }
        Ok(report)
    }

    /// The targets with random directions as long as theirs.
    fn control(&self, number: usize, ctl: &Ctl) -> Result<Vec<Target>> {
        let mut random = ctl.random(&format!("random direction {number}"));
        let mut targets = self.spec.targets.clone();
        for target in &mut targets {
            let own = match &target.direction {
                Some(direction) => direction.clone(),
                None => self.subject.sae.decoder_vector(target.feature)?,
            };
            let norm = own.iter().map(|x| x * x).sum::<f32>().sqrt();
            target.direction = Some(controls::random_direction(own.len(), norm, &mut random));
        }
        Ok(targets)
    }

    fn each(
        &self,
        ctl: &Ctl,
        mut make: impl FnMut(Attached<'_>, &[u32], &Sampling) -> Result<Continuation>,
    ) -> Result<Vec<Vec<Continuation>>> {
        let mut all = Vec::new();
        for prompt in &self.prompts {
            let mut of_prompt = Vec::new();
            for continuation in 0..self.spec.continuations {
                ctl.check()?;
                let mut sampling = self.spec.sampling.clone();
                sampling.seed = sampling.seed.wrapping_add(continuation as u64);
                of_prompt.push(make(self.subject.attached(), prompt, &sampling)?);
            }
            all.push(of_prompt);
        }
        Ok(all)
    }

    fn measure(&self, made: &[Vec<Continuation>]) -> Measured {
        let score = |c: &Continuation| self.scorer.toxicity(&c.text, &c.tokens);
        let scores: Vec<Vec<f64>> = made.iter().map(|of_prompt| of_prompt.iter().map(score).collect()).collect();
        let tokens: Vec<Vec<u32>> = made.iter().flatten().map(|c| c.tokens.clone()).collect();
        let (mut nats, mut count) = (0.0, 0usize);
        for c in made.iter().flatten() {
            if let Some(perplexity) = c.perplexity {
                nats += perplexity.ln() * c.tokens.len() as f64;
                count += c.tokens.len();
            }
        }
        Measured {
            toxicity: toxicity(&scores),
            perplexity: (count > 0).then(|| (nats / count as f64).exp()),
            distinct_2: distinct(&tokens, 2),
            repetition: repetition(&tokens),
        }
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
