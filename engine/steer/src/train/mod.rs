//! Training SAEs on stored activations: ReLU with an L1 penalty, and TopK with an auxiliary loss for dead features.
//!
//! Gradients are written out, which costs a third of what a recorded graph costs in memory; a test holds them against
//! finite differences. The decoder's bias begins at the mean activation; activations are scaled so that their mean distance
//! from it is √d, and the factor is folded into the weights at the end.

mod adam;
mod resample;
mod run;
mod sparse;
mod step;

use serde::{Deserialize, Serialize};

pub(crate) use adam::moments;
pub use run::{TrainReport, train};
pub use step::{Gradients, Losses, Weights, gradients};

/// What keeps decoder vectors from growing so that activations can shrink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoderNorm {
    /// Length 1 after every step; the gradient along the vector is removed before.
    #[default]
    Unit,
    /// Free; the L1 penalty weighs activations with the length.
    Free,
}

/// How activations are made sparse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sparsity {
    /// ReLU and `l1 · mean Σ z ‖d‖`.
    L1 {
        /// The factor, reached after the warm-up.
        l1: f64,
    },
    /// The `k` largest of each token.
    TopK {
        /// Features per token.
        k: usize,
        /// Weight of the auxiliary loss: dead features reconstruct what is missing.
        aux: f64,
    },
    /// The `k · tokens` largest of a batch, so that tokens that need more get more. What comes out has one threshold for
    /// all features (JumpReLU), so that a few features can be encoded without the others.
    BatchTopK {
        /// Features per token, in the mean.
        k: usize,
        /// As for TopK.
        aux: f64,
    },
}

impl Sparsity {
    /// `k`, the weight of the auxiliary loss, and whether the `k` are a mean over the batch.
    fn largest(self) -> Option<(usize, f64, bool)> {
        match self {
            Self::L1 { .. } => None,
            Self::TopK { k, aux } => Some((k, aux, false)),
            Self::BatchTopK { k, aux } => Some((k, aux, true)),
        }
    }
}

/// How an SAE is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSpec {
    /// Features.
    pub features: usize,
    /// Sparsity.
    pub sparsity: Sparsity,
    /// Decoder norms.
    pub decoder_norm: DecoderNorm,
    /// Steps.
    pub steps: usize,
    /// Vectors longer than so many times the median are left out, and the autoencoder says so; 0 for none.
    pub longest: f64,
    /// Tokens per step.
    pub batch: usize,
    /// Learning rate of Adam.
    pub rate: f64,
    /// Steps in which the learning rate and the L1 factor rise.
    pub warm_up: usize,
    /// Share of the steps, at the end, in which the learning rate falls to zero.
    pub cool_down: f64,
    /// Features that have not fired for so many tokens are dead.
    pub dead_after: usize,
    /// Steps between resamplings of dead features (L1 only); 0 for never.
    pub resample_every: usize,
    /// Chunks of the store held in memory at once.
    pub chunks: usize,
    /// Steps between saved states from which training goes on.
    pub save_every: usize,
    /// Seed.
    pub seed: u64,
}

impl Default for TrainSpec {
    fn default() -> Self {
        Self {
            features: 4096,
            sparsity: Sparsity::L1 { l1: 5.0 },
            decoder_norm: DecoderNorm::Unit,
            steps: 10_000,
            longest: 0.0,
            batch: 4096,
            rate: 3e-4,
            warm_up: 500,
            cool_down: 0.2,
            dead_after: 1_000_000,
            resample_every: 2500,
            chunks: 4,
            save_every: 500,
            seed: 0,
        }
    }
}

#[cfg(test)]
mod tests;
