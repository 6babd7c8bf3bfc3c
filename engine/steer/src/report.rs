//! What comes out: serialisable, with all that the screen shows.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::choice::Accuracy;
use crate::find::FeatureScore;
use crate::intervene::Tier;
use crate::metrics::Toxicity;
use crate::splitting::Split;

/// One candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its scores.
    pub score: FeatureScore,
    /// Its largest activation in the contrast set: `A_j`, unless a feature index knows better.
    pub reference: f32,
    /// P-value by permutation, where asked for.
    pub p: Option<f64>,
    /// The same, corrected for having looked at all features.
    pub p_family: Option<f64>,
}

/// Features that tell two kinds of text apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FindReport {
    /// Best first.
    pub candidates: Vec<Candidate>,
    /// Texts of both kinds.
    pub texts: [usize; 2],
    /// The best score of any feature in each shuffle.
    pub best_by_chance: Vec<f64>,
    /// As many features that tell the two kinds apart least: a control.
    pub bottom: Vec<usize>,
    /// Mean of the stream on the first kind minus that on the second, `[d]`: the supervised baseline.
    pub difference: Vec<f32>,
}

/// What a point of a sweep belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// The targets in this tier.
    Tier(Tier),
    /// The random direction of this number, in the constant tier.
    Random(usize),
    /// The random direction of this number that has nothing along the features' own.
    Orthogonal(usize),
    /// This feature, which does not tell the texts apart, at the length of the targets.
    Bottom(usize),
    /// The difference of the means of the stream, at its own length.
    Difference,
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tier(Tier::Constant) => f.write_str("Constant"),
            Self::Tier(Tier::PerInput { .. }) => f.write_str("Per input"),
            Self::Tier(Tier::PerToken) => f.write_str("Per token"),
            Self::Random(number) => write!(f, "Random direction {}", number + 1),
            Self::Orthogonal(number) => write!(f, "Orthogonal direction {}", number + 1),
            Self::Bottom(feature) => write!(f, "Feature {feature}, unrelated"),
            Self::Difference => f.write_str("Difference of means"),
        }
    }
}

/// Toxicity and fluency of the continuations at one setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Toxicity.
    pub toxicity: Toxicity,
    /// `exp` of the mean negative log-probability of all their tokens under the unsteered model.
    pub perplexity: Option<f64>,
    /// Share of different bigrams.
    pub distinct_2: Option<f64>,
    /// Share of repeated 4-grams.
    pub repetition: Option<f64>,
    /// On multiple-choice questions, where there are any.
    pub accuracy: Option<Accuracy>,
}

/// One setting of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// Its series.
    pub series: Series,
    /// α.
    pub strength: f32,
    /// Toxicity.
    pub toxicity: Toxicity,
    /// Bootstrap 95 % interval of the toxic rate, over prompts.
    pub rate_interval: Option<[f64; 2]>,
    /// See [`Measured::perplexity`].
    pub perplexity: Option<f64>,
    /// See [`Measured::distinct_2`].
    pub distinct_2: Option<f64>,
    /// See [`Measured::repetition`].
    pub repetition: Option<f64>,
    /// See [`Measured::accuracy`].
    pub accuracy: Option<Accuracy>,
    /// Mean `KL(unsteered ‖ steered)` per generated token, in nats.
    pub kl: f64,
    /// Mean `KL(unsteered ‖ steered)` per position of the neutral texts, where there are any.
    pub neutral_kl: Option<f64>,
    /// Share of forward positions that were steered.
    pub steered_share: f64,
    /// `1 − toxic rate / baseline's`; `None` where the baseline has none.
    pub reduction: Option<f64>,
    /// Bootstrap 95 % interval of that, prompts of both drawn together.
    pub reduction_interval: Option<[f64; 2]>,
    /// Whether no other point of the tiers is both less toxic and less perplexing.
    pub on_front: bool,
}

/// What steering with one candidate alone does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CausalRow {
    /// The feature.
    pub feature: usize,
    /// Toxicity of the continuations.
    pub toxicity: Toxicity,
    /// `R_j`: mean toxicity of the baseline minus that under steering.
    pub effect: f64,
    /// Perplexity of the continuations under the unsteered model.
    pub perplexity: Option<f64>,
    /// `F_j`: relative rise of the perplexity.
    pub cost: Option<f64>,
    /// Change of the lexicon's probability by promoting the feature by one largest activation, where there is a lexicon and
    /// there are neutral texts: mean over their positions.
    pub output_score: Option<f64>,
    /// Whether the cost is within the limit.
    pub allowed: bool,
}

/// Candidates in the order of what they cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CausalReport {
    /// Without steering.
    pub baseline: Measured,
    /// Those within the limit of cost first, the largest effect first.
    pub rows: Vec<CausalRow>,
}

impl CausalReport {
    /// The choice: the largest effect within the limit of cost, if any candidate keeps to it.
    pub fn best(&self) -> Option<usize> {
        self.rows.first().filter(|row| row.allowed).map(|row| row.feature)
    }

    pub(crate) fn sort(&mut self) {
        self.rows.sort_by(|a, b| {
            b.allowed.cmp(&a.allowed).then(b.effect.total_cmp(&a.effect)).then(a.feature.cmp(&b.feature))
        });
    }
}

/// One SAE of the feature-splitting experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplittingRow {
    /// How the concept is spread.
    pub split: Split,
    /// Features that pass the filters and are larger on texts of the first kind.
    pub candidates: usize,
    /// AUROC of the best single feature.
    pub auroc: Option<f64>,
    /// Relative reduction of the toxic rate by steering with the best single feature.
    pub effect_1: Option<f64>,
    /// The same with the group.
    pub effect_group: Option<f64>,
    /// Features whose decoder vectors are like the narrowest SAE's best feature.
    pub children: usize,
}

/// The feature-splitting experiment, narrowest SAE first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SplittingReport {
    /// Toxic rate without steering.
    pub baseline: f64,
    /// One row per SAE.
    pub rows: Vec<SplittingRow>,
    /// Spearman's correlation of width and the best feature's coverage: below zero where wider SAEs split the concept.
    pub coverage_trend: Option<f64>,
    /// Of width and the size of the covering group: above zero where they do.
    pub count_trend: Option<f64>,
}

/// A sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepReport {
    /// Without steering.
    pub baseline: Measured,
    /// Bootstrap 95 % interval of its toxic rate, over prompts.
    pub baseline_interval: Option<[f64; 2]>,
    /// All settings, series by series.
    pub points: Vec<SweepPoint>,
}

impl SweepReport {
    /// Marks the Pareto front of toxic rate and perplexity among the tiers.
    pub(crate) fn mark_front(&mut self) {
        let places: Vec<Option<(f64, f64)>> = self
            .points
            .iter()
            .map(|point| {
                let steers = matches!(point.series, Series::Tier(_));
                point.perplexity.filter(|_| steers).map(|perplexity| (point.toxicity.rate, perplexity))
            })
            .collect();
        let beaten = |(rate, perplexity): (f64, f64)| {
            let better = |&(r, p): &(f64, f64)| r <= rate && p <= perplexity && (r < rate || p < perplexity);
            places.iter().flatten().any(better)
        };
        for (point, place) in self.points.iter_mut().zip(&places) {
            point.on_front = place.is_some_and(|place| !beaten(place));
        }
    }
}
