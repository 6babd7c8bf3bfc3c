//! Candidates in the order of what steering with them does: an intervention, not a correlation.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use plumb_core::{Ctl, Error, Job};
use rayon::prelude::*;

use super::Subject;
use super::trial::Trial;
use crate::intervene::{Intervention, Target, Tier, Unit};
use crate::metrics::{Scorer, log_softmax};
use crate::report::{CausalReport, CausalRow};
use crate::spec::CausalSpec;
use crate::{Result, SteerError};

/// Steer with each candidate alone and rank them by the toxicity that goes. Partial results are the rows so far.
#[derive(Clone)]
pub struct CausalJob {
    /// Model and SAE.
    pub subject: Arc<Subject>,
    /// Features and their largest activations `A_j`.
    pub candidates: Vec<(usize, f32)>,
    /// Tokens of the prompts, BOS included: others than those the result is reported on.
    pub prompts: Vec<Vec<u32>>,
    /// Neutral texts for the output score; may be empty.
    pub neutral: Vec<Vec<u32>>,
    /// Toxic tokens for the output score; may be empty.
    pub lexicon: Vec<u32>,
    /// Judges the continuations.
    pub scorer: Arc<dyn Scorer>,
    /// What is asked.
    pub spec: CausalSpec,
}

impl Job for CausalJob {
    type Output = CausalReport;
    type Partial = CausalReport;

    fn name(&self) -> String {
        format!("Try features of {}", self.subject.name)
    }

    fn run(self, ctl: &Ctl) -> Result<CausalReport, Error> {
        Ok(self.try_all(ctl)?)
    }
}

impl CausalJob {
    fn try_all(&self, ctl: &Ctl) -> Result<CausalReport> {
        let spec = &self.spec;
        if self.candidates.is_empty() || self.prompts.is_empty() || spec.continuations == 0 {
            return Err(SteerError::Spec(
                "trying features needs features, prompts and continuations of each".to_owned(),
            ));
        }
        let trial = Trial {
            subject: &self.subject,
            prompts: &self.prompts,
            sampling: &spec.sampling,
            continuations: spec.continuations,
            scorer: &*self.scorer,
            what: "Trying features",
            done: AtomicU64::new(0),
            total: ((self.candidates.len() + 1) * self.prompts.len() * spec.continuations) as u64,
        };
        let baseline = trial.run(None, ctl)?.measured;
        let mut report = CausalReport { baseline, rows: Vec::new() };
        for &(feature, reference) in &self.candidates {
            let target = Target::add(feature, spec.strength, spec.unit, Some(reference));
            let intervention = Intervention { targets: vec![target], tier: spec.tier, ..Intervention::default() };
            let measured = trial.run(Some(&intervention), ctl)?.measured;
            let cost = baseline.perplexity.zip(measured.perplexity).map(|(free, steered)| steered / free - 1.0);
            report.rows.push(CausalRow {
                feature,
                toxicity: measured.toxicity,
                effect: baseline.toxicity.mean - measured.toxicity.mean,
                perplexity: measured.perplexity,
                cost,
                output_score: self.output_score(feature, reference, ctl)?,
                allowed: cost.is_some_and(|cost| cost <= spec.max_cost),
            });
            report.sort();
            ctl.partial(report.clone());
        }
        Ok(report)
    }

    /// Change of the lexicon's probability at every position after the first, when the feature is promoted by one largest
    /// activation.
    fn output_score(&self, feature: usize, reference: f32, ctl: &Ctl) -> Result<Option<f64>> {
        if self.lexicon.is_empty() {
            return Ok(None);
        }
        let target = Target::add(feature, 1.0, Unit::MaxAct, Some(reference));
        let promote = Intervention { targets: vec![target], tier: Tier::Constant, ..Intervention::default() };
        let mass = |row: &[f32]| -> f64 {
            let logs = log_softmax(row);
            self.lexicon.iter().filter_map(|&token| logs.get(token as usize)).map(|log| log.exp()).sum()
        };
        let of = |text: &Vec<u32>| -> Result<(f64, usize)> {
            ctl.check()?;
            let sum = |intervention: &Intervention| -> Result<f64> {
                let (logits, _) = self.subject.attached().steered_logits(text, text.len(), intervention)?;
                Ok(logits.to_vec2::<f32>()?[1..].iter().map(|row| mass(row)).sum())
            };
            Ok((sum(&promote)? - sum(&Intervention::default())?, text.len() - 1))
        };
        let found = self.neutral.par_iter().filter(|text| text.len() > 1).map(of).collect::<Result<Vec<_>>>()?;
        let positions: usize = found.iter().map(|(_, positions)| positions).sum();
        Ok((positions > 0).then(|| found.iter().map(|(sum, _)| sum).sum::<f64>() / positions as f64))
    }
}
