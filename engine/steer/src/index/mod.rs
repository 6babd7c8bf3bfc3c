//! The feature index: what makes every feature fire, gathered in one pass over a corpus, kept in a folder that opens at
//! once.
//!
//! | file | content |
//! |---|---|
//! | `index.json` | what was read with which SAE, sizes |
//! | `features.bin` | one record of fixed size per feature: count, sum, max, histogram, place of its windows, logits, neighbours |
//! | `windows.bin` | windows of every feature: start in the corpus, length, place of the firing token, activations |
//! | `tokens.bin` | the corpus as 32-bit token ids |
//!
//! The binary files are memory-mapped; numbers are little-endian. While building, memory holds a few hundred
//! bytes per feature, the corpus' token ids and one offset per token; the corpus' activations are never held.

mod build;
mod feature;
mod layout;
mod read;
mod sketch;

use serde::{Deserialize, Serialize};

pub use build::IndexBuilder;
pub(crate) use build::largest;
pub use feature::{FeatureCard, Window};
pub use layout::{LOGITS, NEIGHBOURS};
pub use read::{FeatureIndex, FeatureRow};
pub use sketch::BINS;

/// What `index.json` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IndexTable {
    /// Version of the layout.
    pub version: u32,
    /// The language model.
    pub model: String,
    /// The SAE.
    pub sae: String,
    /// The corpus.
    pub corpus: String,
    /// Features.
    pub features: usize,
    /// Tokens that were counted: all but BOS.
    pub tokens: u64,
    /// Texts.
    pub texts: usize,
    /// Tokens before and after the firing one in a window.
    pub context: usize,
    /// Whether logits and neighbours are filled in.
    pub directions: bool,
}

#[cfg(test)]
mod tests;
