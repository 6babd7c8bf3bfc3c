//! What can be asked for: the serialisable description of an experiment. A preset is exactly this.

use plumb_text::Sampling;
use serde::{Deserialize, Serialize};

use crate::find::{Filters, Pooling, ScoreKind};
use crate::intervene::{Target, Tier, Unit};

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
    /// Random directions of the same length that have nothing along the targets' own.
    pub orthogonal_controls: usize,
    /// Features that do not tell toxic from neutral texts, one series each, at the targets' lengths.
    pub bottom_controls: Vec<usize>,
    /// The difference of the means of the stream on the two kinds of text, one series: the supervised baseline. A strength
    /// of 1 moves by the whole difference.
    pub difference: Option<Vec<f32>>,
    /// How tokens are chosen; every continuation has a seed of its own, counted up from this one.
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
            orthogonal_controls: 0,
            bottom_controls: Vec::new(),
            difference: None,
            sampling: sampling(),
            continuations: 4,
        }
    }
}

/// How continuations are made unless something else is asked for.
fn sampling() -> Sampling {
    Sampling { temperature: 0.7, max_tokens: 32, ..Sampling::default() }
}

/// Steer with each candidate alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CausalSpec {
    /// How strongly, in units (α of the probe); negative suppresses.
    pub strength: f32,
    /// The unit.
    pub unit: Unit,
    /// Where.
    pub tier: Tier,
    /// Highest relative rise of the perplexity (F_max).
    pub max_cost: f64,
    /// How tokens are chosen; every continuation has a seed of its own, counted up from this one.
    pub sampling: Sampling,
    /// Continuations of each prompt.
    pub continuations: usize,
}

impl Default for CausalSpec {
    fn default() -> Self {
        Self {
            strength: -1.0,
            unit: Unit::MaxAct,
            tier: Tier::Constant,
            max_cost: 0.15,
            sampling: sampling(),
            continuations: 2,
        }
    }
}

/// The same concept in SAEs of growing width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplittingSpec {
    /// Pooling, filters and pairing of the contrast; the rest is not used.
    pub find: FindSpec,
    /// Share of the concept's positions that the group has to cover.
    pub wanted: f64,
    /// From this cosine on a feature counts as a child of the narrowest SAE's best one.
    pub cosine: f32,
    /// How strongly the best feature and the group are steered, in largest activations.
    pub strength: f32,
    /// Whether the features of the group share that strength, or each has all of it.
    pub share: bool,
    /// Where.
    pub tier: Tier,
    /// How tokens are chosen; every continuation has a seed of its own, counted up from this one.
    pub sampling: Sampling,
    /// Continuations of each prompt.
    pub continuations: usize,
}

impl Default for SplittingSpec {
    fn default() -> Self {
        Self {
            find: FindSpec::default(),
            wanted: 0.9,
            cosine: 0.7,
            strength: -1.0,
            share: false,
            tier: Tier::Constant,
            sampling: sampling(),
            continuations: 2,
        }
    }
}
