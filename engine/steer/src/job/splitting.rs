//! The feature-splitting experiment as a job: the same concept in SAEs of growing width.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use candle_core::Tensor;
use plumb_core::{Ctl, Error, Job};
use plumb_text::{HookPoint, LanguageModel};

use super::Subject;
use super::trial::Trial;
use crate::find::{FeatureScore, score};
use crate::intervene::{Intervention, Target, Unit};
use crate::metrics::{Scorer, relative_reduction, spearman};
use crate::report::{SplittingReport, SplittingRow};
use crate::sae::Sae;
use crate::spec::SplittingSpec;
use crate::splitting::{Split, children, split};
use crate::{Result, SteerError};

/// Find a concept's features in each SAE, see how it is spread, and steer with the best one and with the group that covers
/// it. Partial results are the rows so far.
#[derive(Clone)]
pub struct SplittingJob {
    /// The model.
    pub model: Arc<LanguageModel>,
    /// Its name.
    pub name: String,
    /// SAEs of the same place, narrowest first.
    pub saes: Vec<Arc<Sae>>,
    /// Replaces the place that their files name.
    pub point: Option<HookPoint>,
    /// Tokens of the texts of the first kind, in which the concept occurs.
    pub first: Vec<Vec<u32>>,
    /// Of the second.
    pub second: Vec<Vec<u32>>,
    /// The tokens that are the concept.
    pub concept: BTreeSet<u32>,
    /// Tokens of the prompts, BOS included.
    pub prompts: Vec<Vec<u32>>,
    /// Judges the continuations.
    pub scorer: Arc<dyn Scorer>,
    /// What is asked.
    pub spec: SplittingSpec,
}

impl Job for SplittingJob {
    type Output = SplittingReport;
    type Partial = SplittingReport;

    fn name(&self) -> String {
        format!("Split features of {}", self.name)
    }

    fn run(self, ctl: &Ctl) -> Result<SplittingReport, Error> {
        Ok(self.all(ctl)?)
    }
}

impl SplittingJob {
    fn all(&self, ctl: &Ctl) -> Result<SplittingReport> {
        let subject = |sae: &Arc<Sae>| Subject::new(Arc::clone(&self.model), Arc::clone(sae), &self.name, self.point);
        let subjects = self.saes.iter().map(subject).collect::<Result<Vec<_>>>()?;
        let Some(narrowest) = subjects.first() else {
            return Err(SteerError::Spec(
                "the splitting experiment needs autoencoders of at least two widths".to_owned(),
            ));
        };
        let trial = |subject, done: u64| Trial {
            subject,
            prompts: &self.prompts,
            sampling: &self.spec.sampling,
            continuations: self.spec.continuations,
            scorer: &*self.scorer,
            what: "Steering with split features",
            done: AtomicU64::new(done),
            total: ((2 * subjects.len() + 1) * self.prompts.len() * self.spec.continuations) as u64,
        };
        let each = (self.prompts.len() * self.spec.continuations) as u64;
        let mut report = SplittingReport {
            baseline: trial(narrowest, 0).run(None, ctl)?.measured.toxicity.rate,
            ..SplittingReport::default()
        };
        // The decoder vector of the narrowest SAE's best feature.
        let mut parent = None;
        for (number, subject) in subjects.iter().enumerate() {
            let (split, scores, references) = self.spread(subject, ctl)?;
            if number == 0
                && let Some(best) = split.best
            {
                parent = Some(subject.sae.decoder_vector(best)?);
            }
            let trial = trial(subject, (2 * number as u64 + 1) * each);
            let effect = |features: &[usize]| -> Result<Option<f64>> {
                if features.is_empty() {
                    return Ok(None);
                }
                let intervention = self.intervention(features, &references);
                let rate = trial.run(Some(&intervention), ctl)?.measured.toxicity.rate;
                Ok(relative_reduction(report.baseline, rate))
            };
            let best = split.best.as_slice();
            let row = SplittingRow {
                candidates: scores.len(),
                auroc: scores.iter().find(|score| Some(score.feature) == split.best).map(|score| score.auroc),
                effect_1: effect(best)?,
                effect_group: effect(&split.group)?,
                children: match &parent {
                    Some(parent) => children(&subject.sae, parent, self.spec.cosine)?.len(),
                    None => 0,
                },
                split,
            };
            report.rows.push(row);
            let widths: Vec<f64> = report.rows.iter().map(|row| row.split.width as f64).collect();
            let column = |of: fn(&Split) -> f64| report.rows.iter().map(|row| of(&row.split)).collect::<Vec<f64>>();
            report.coverage_trend = spearman(&widths, &column(|split| split.coverage_1));
            report.count_trend = spearman(&widths, &column(|split| split.group.len() as f64));
            ctl.partial(report.clone());
        }
        Ok(report)
    }

    /// How the concept is spread, the scores of the candidates, and every feature's largest activation.
    fn spread(&self, subject: &Subject, ctl: &Ctl) -> Result<(Split, Vec<FeatureScore>, Vec<f32>)> {
        let (attached, find) = (subject.attached(), &self.spec.find);
        let pooled = attached.contrast(&self.first, &self.second, find.pooling, ctl)?;
        let mut scores = score(&pooled, find.paired && self.first.len() == self.second.len());
        scores.retain(|score| find.filters.pass(score) && score.mean_diff > 0.0);
        let chosen: Vec<u32> = scores.iter().map(|score| score.feature as u32).collect();
        let mut rows = Vec::new();
        for text in &self.first {
            ctl.check()?;
            let text = &text[..text.len().min(self.model.config().context)];
            let places: Vec<u32> =
                (0..text.len()).filter(|&t| self.concept.contains(&text[t])).map(|t| t as u32).collect();
            if places.is_empty() || chosen.is_empty() {
                continue;
            }
            let z = attached.features(text)?;
            let z = z.index_select(&Tensor::new(places, z.device())?, 0)?;
            rows.push(z.index_select(&Tensor::new(chosen.as_slice(), z.device())?, 1)?);
        }
        let mut found = Split::default();
        if !rows.is_empty() {
            let places: Vec<usize> = (0..chosen.len()).collect();
            found = split(&Tensor::cat(&rows, 0)?, &places, self.spec.wanted)?;
        }
        found.width = subject.sae.config.d_sae;
        let feature = |place: usize| chosen[place] as usize;
        found.best = found.best.map(feature);
        found.group.iter_mut().for_each(|place| *place = feature(*place));
        Ok((found, scores, pooled.largest))
    }

    fn intervention(&self, features: &[usize], references: &[f32]) -> Intervention {
        let weight = if self.spec.share { 1.0 / features.len() as f32 } else { 1.0 };
        let target = |&feature: &usize| Target {
            weight,
            ..Target::add(feature, self.spec.strength, Unit::MaxAct, Some(references[feature]))
        };
        Intervention { targets: features.iter().map(target).collect(), tier: self.spec.tier, ..Intervention::default() }
    }
}
