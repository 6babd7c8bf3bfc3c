//! The sweep over strengths, tiers and controls as a job.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use plumb_core::{Ctl, Error, Job};

use super::trial::{Trial, neutral_kl, rate_interval, reduction_interval};
use super::{Subject, scaled};
use crate::choice::Question;
use crate::intervene::{Action, Intervention, Target, Tier, Unit, controls};
use crate::metrics::{Scorer, relative_reduction};
use crate::report::{Measured, Series, SweepPoint, SweepReport};
use crate::spec::SweepSpec;
use crate::{Result, SteerError};

/// Steer at every strength of a grid in every tier, and along the controls. Partial results are the points so far.
#[derive(Clone)]
pub struct SweepJob {
    /// Model and SAE.
    pub subject: Arc<Subject>,
    /// Tokens of the prompts, BOS included.
    pub prompts: Vec<Vec<u32>>,
    /// Neutral texts, to measure side effects on; may be empty.
    pub neutral: Vec<Vec<u32>>,
    /// Multiple-choice questions, to measure capability with; may be empty.
    pub questions: Vec<Question>,
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
        let series = self.series(ctl)?;
        let settings = series.len() * spec.strengths.len() + 1;
        let trial = Trial {
            subject: &self.subject,
            prompts: &self.prompts,
            sampling: &spec.sampling,
            continuations: spec.continuations,
            scorer: &*self.scorer,
            what: "Sweeping strengths",
            done: AtomicU64::new(0),
            total: (settings * self.prompts.len() * spec.continuations) as u64,
        };
        let base = trial.run(None, ctl)?;
        let baseline = Measured { accuracy: self.accuracy(None, ctl)?, ..base.measured };
        let mut random = ctl.random("bootstrap of prompts");
        let mut report =
            SweepReport { baseline, baseline_interval: rate_interval(&base.scores, &mut random), points: Vec::new() };
        ctl.partial(report.clone());
        for (series, targets, tier) in series {
            for &strength in &spec.strengths {
                let intervention = Intervention { targets: scaled(&targets, strength), tier, ..Default::default() };
                let outcome = trial.run(Some(&intervention), ctl)?;
                let Measured { toxicity, perplexity, distinct_2, repetition, .. } = outcome.measured;
                report.points.push(SweepPoint {
                    series,
                    strength,
                    toxicity,
                    rate_interval: rate_interval(&outcome.scores, &mut random),
                    perplexity,
                    distinct_2,
                    repetition,
                    accuracy: self.accuracy(Some(&intervention), ctl)?,
                    kl: outcome.kl,
                    neutral_kl: neutral_kl(&self.subject, &self.neutral, &intervention, ctl)?,
                    steered_share: outcome.steered_share,
                    reduction: relative_reduction(baseline.toxicity.rate, toxicity.rate),
                    reduction_interval: reduction_interval(&base.scores, &outcome.scores, &mut random),
                    on_front: false,
                });
                report.mark_front();
                ctl.partial(report.clone());
            }
        }
        Ok(report)
    }

    fn accuracy(&self, intervention: Option<&Intervention>, ctl: &Ctl) -> Result<Option<crate::choice::Accuracy>> {
        if self.questions.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.subject.attached().accuracy(&self.questions, intervention, ctl)?))
    }

    /// The tiers and the controls, which are all in the constant tier.
    fn series(&self, ctl: &Ctl) -> Result<Vec<(Series, Vec<Target>, Tier)>> {
        let spec = &self.spec;
        let mut series: Vec<(Series, Vec<Target>, Tier)> =
            spec.tiers.iter().map(|&tier| (Series::Tier(tier), spec.targets.clone(), tier)).collect();
        let mut add = |which, targets| series.push((which, targets, Tier::Constant));
        for number in 0..spec.random_controls {
            let mut random = ctl.random(&format!("random direction {number}"));
            let draw = |own: &[f32]| Ok(controls::random_direction(own.len(), length(own), &mut random));
            add(Series::Random(number), self.replaced(draw)?);
        }
        for number in 0..spec.orthogonal_controls {
            let mut random = ctl.random(&format!("orthogonal direction {number}"));
            let draw = |own: &[f32]| controls::orthogonal_direction(own, length(own), &mut random);
            add(Series::Orthogonal(number), self.replaced(draw)?);
        }
        for &feature in &spec.bottom_controls {
            let vector = self.subject.sae.decoder_vector(feature)?;
            let factor = 1.0 / length(&vector).max(f32::MIN_POSITIVE);
            let draw = |own: &[f32]| Ok(vector.iter().map(|x| x * factor * length(own)).collect());
            let mut targets = self.replaced(draw)?;
            for target in &mut targets {
                target.feature = feature;
            }
            add(Series::Bottom(feature), targets);
        }
        if let (Some(difference), Some(first)) = (&spec.difference, spec.targets.first()) {
            let sign = match first.action {
                Action::Add { strength, .. } => strength.signum(),
                _ => -1.0,
            };
            let mut target = Target::add(first.feature, sign, Unit::RawUnnormalised, None);
            target.direction = Some(difference.clone());
            add(Series::Difference, vec![target]);
        }
        Ok(series)
    }

    /// A control for the targets; `draw` gets a direction and makes another of its length. Additions whose size does
    /// not depend on the stream are replaced by one of the length that all have together: features that point the
    /// same way move further than as many random directions would. Any other target is replaced by itself.
    fn replaced(&self, mut draw: impl FnMut(&[f32]) -> Result<Vec<f32>>) -> Result<Vec<Target>> {
        let targets: Vec<&Target> = self.spec.targets.iter().filter(|target| !target.muted).collect();
        let parts: Option<Vec<Vec<f32>>> = targets.iter().map(|target| self.addition(target)).collect::<Result<_>>()?;
        if let (Some(first), Some(parts)) = (targets.first(), parts) {
            let mut together = vec![0.0; self.subject.sae.config.d_in];
            for part in &parts {
                together.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
            }
            let mut target = Target::add(first.feature, length(&together), Unit::Raw, None);
            target.direction = Some(draw(&together)?);
            return Ok(vec![target]);
        }
        let mut replaced = Vec::with_capacity(targets.len());
        for target in targets {
            let direction = Some(draw(&self.direction(target)?)?);
            replaced.push(Target { direction, ..target.clone() });
        }
        Ok(replaced)
    }

    fn direction(&self, target: &Target) -> Result<Vec<f32>> {
        target.direction.as_ref().map_or_else(|| self.subject.sae.decoder_vector(target.feature), |own| Ok(own.clone()))
    }

    /// What a target adds wherever it acts; `None` where that depends on the stream.
    fn addition(&self, target: &Target) -> Result<Option<Vec<f32>>> {
        let Action::Add { strength, unit } = target.action else { return Ok(None) };
        let own = self.direction(target)?;
        let amount = match unit {
            Unit::ResidNorm => return Ok(None),
            Unit::MaxAct => target.reference.unwrap_or(1.0) / length(&own).max(f32::MIN_POSITIVE),
            Unit::Raw => 1.0 / length(&own).max(f32::MIN_POSITIVE),
            Unit::RawUnnormalised => 1.0,
        };
        Ok(Some(own.iter().map(|x| x * amount * strength * target.weight).collect()))
    }
}

fn length(x: &[f32]) -> f32 {
    crate::sae::dot(x, x).sqrt()
}
