//! What can be asked for: the serialisable description of an experiment. A preset is exactly this.

use plumb_text::Sampling;
use serde::{Deserialize, Serialize};

use crate::find::{Filters, Pooling, ScoreKind};
use crate::intervene::{Target, Tier};

/// Find features by contrast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FindSpec {
    /// How a text's tokens become one number.
    pub pooling: Pooling,
    /// Which score ranks.
    pub rank_by: ScoreKind,
    /// What keeps a feature out.
    pub filters: Filters,
    /// How many candidates (K).
    pub top: usize,
    /// Whether text `i` of one kind belongs to text `i` of the other.
    pub paired: bool,
    /// Shuffles for the p-values; 0 for none. They are of the mean difference, or of AUROC where that ranks.
    pub rounds: usize,
}

impl Default for FindSpec {
    fn default() -> Self {
        Self {
            pooling: Pooling::Mean,
            rank_by: ScoreKind::MeanDiff,
            filters: Filters::default(),
            top: 20,
            paired: true,
            rounds: 200,
        }
    }
}

/// Steer at several strengths and tiers and measure what it does and costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SweepSpec {
    /// The directions. Strengths of their additions are multiplied by those of the grid; other actions are not steered by
    /// it.
    pub targets: Vec<Target>,
    /// One series each.
    pub tiers: Vec<Tier>,
    /// The grid of α.
    pub strengths: Vec<f32>,
    /// Random directions of the same length, in the constant tier: the negative control.
    pub random_controls: usize,
    /// How tokens are chosen; continuation `i` uses seed + i.
    pub sampling: Sampling,
    /// Continuations of each prompt (k).
    pub continuations: usize,
}

impl Default for SweepSpec {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            tiers: vec![Tier::Constant, Tier::PerInput { steer_prompt: false, latch: false }, Tier::PerToken],
            strengths: vec![0.25, 0.5, 1.0, 1.5, 2.0, 2.5],
            random_controls: 5,
            sampling: Sampling { temperature: 0.7, max_tokens: 32, ..Sampling::default() },
            continuations: 4,
        }
    }
}
