//! What comes out: serialisable, with all that the screen shows.

use serde::{Deserialize, Serialize};

use crate::find::FeatureScore;
use crate::intervene::Tier;
use crate::metrics::Toxicity;

/// One candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its scores.
    pub score: FeatureScore,
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
}

/// What a point of a sweep belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// The targets in this tier.
    Tier(Tier),
    /// The random direction of this number, in the constant tier.
    Random(usize),
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
    /// See [`Measured::perplexity`].
    pub perplexity: Option<f64>,
    /// See [`Measured::distinct_2`].
    pub distinct_2: Option<f64>,
    /// See [`Measured::repetition`].
    pub repetition: Option<f64>,
    /// Mean `KL(unsteered ‖ steered)` per generated token, in nats.
    pub kl: f64,
    /// Share of forward positions that were steered.
    pub steered_share: f64,
    /// `1 − toxic rate / baseline's`; `None` where the baseline has none.
    pub reduction: Option<f64>,
    /// Whether no other point of the tiers is both less toxic and less perplexing.
    pub on_front: bool,
}

/// A sweep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepReport {
    /// Without steering.
    pub baseline: Measured,
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
