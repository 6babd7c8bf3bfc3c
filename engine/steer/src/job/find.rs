//! Finding features as a job.

use std::sync::Arc;

use plumb_core::{Ctl, Error, Job};

use super::Subject;
use crate::find::{ScoreKind, bottom, permute, rank, score};
use crate::report::{Candidate, FindReport};
use crate::spec::FindSpec;

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
        let attached = subject.attached();
        let (pooled, difference) = attached.contrast_and_difference(&first, &second, spec.pooling, ctl)?;
        let scores = score(&pooled, paired);
        let best = rank(&scores, spec.rank_by, spec.filters, spec.top);
        let candidate = |score: crate::find::FeatureScore| Candidate {
            reference: pooled.largest[score.feature],
            score,
            p: None,
            p_family: None,
        };
        let mut report = FindReport {
            candidates: best.into_iter().map(candidate).collect(),
            texts: [first.len(), second.len()],
            best_by_chance: Vec::new(),
            bottom: bottom(&scores, spec.filters, spec.top),
            difference,
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
