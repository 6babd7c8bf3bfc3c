//! What a card shows of one feature.

use serde::{Deserialize, Serialize};

/// Some tokens around one where the feature fires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Which group: 0 the largest activations, then equal intervals of activation from the top down.
    pub group: u8,
    /// The tokens.
    pub tokens: Vec<u32>,
    /// The feature's activation at each.
    pub activations: Vec<f32>,
    /// Which of them the window was chosen for.
    pub centre: usize,
}

/// Everything about one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureCard {
    /// Its number.
    pub feature: usize,
    /// Share of tokens where it fires.
    pub density: f64,
    /// Mean of its activations where it fires.
    pub mean: f32,
    /// Largest activation.
    pub max: f32,
    /// Upper end of the histogram, whose bins are equal parts of 0 to here.
    pub range: f32,
    /// Counts of activations above zero.
    pub histogram: Vec<u32>,
    /// Windows, by group.
    pub windows: Vec<Window>,
    /// Tokens whose logits its decoder vector raises most, with the change per unit of activation.
    pub top_logits: Vec<(u32, f32)>,
    /// Tokens whose logits it lowers most.
    pub bottom_logits: Vec<(u32, f32)>,
    /// Features with the most similar decoder vectors, with the cosine.
    pub nearest: Vec<(u32, f32)>,
    /// Features that fire most often at the tokens of its windows where it fires itself, with that share: an estimate
    /// from the windows, not a count over the corpus.
    pub together: Vec<(u32, f32)>,
}
