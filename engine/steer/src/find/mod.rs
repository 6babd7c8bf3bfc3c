//! Finding features by contrast: texts of two kinds, one number per feature and text, and how far the kinds differ.

mod permute;
mod pooled;
mod score;

pub use permute::{Permutation, permute};
pub use pooled::{Pooled, Pooling};
pub use score::{FeatureScore, Filters, ScoreKind, bottom, rank, score};

#[cfg(test)]
mod tests;
