//! Finding features of a language model with a sparse autoencoder, and steering the model along them.
//!
//! After Goyal et al., “Breaking Bad Tokens: Detoxification of LLMs Using Sparse Autoencoders” (EMNLP 2025). A
//! sparse autoencoder (SAE) writes the residual stream after a block as a sum of few directions; those that fire on
//! toxic text are found by contrast, and the stream is moved along their decoder vectors while the model writes.
//!
//! Symbols: `x_t ∈ R^d` residual stream at token `t`, `z_t = E(x_t) ≥ 0` the `m` feature activations,
//! `D(z) = z W_dec + b_dec` the reconstruction, `d_j` the decoder vector of feature `j`, `u_j = d_j / ‖d_j‖`,
//! `A_j` the largest activation of feature `j` on a reference corpus, `α` the strength.

mod attached;
mod batch;
pub mod browse;
pub mod choice;
pub mod corpus;
mod error;
pub mod experiment;
pub mod find;
pub mod harvest;
pub mod index;
pub mod intervene;
pub mod job;
pub mod judge;
pub mod metrics;
mod own;
pub mod quality;
pub mod report;
pub mod sae;
pub mod sae_job;
pub mod sae_spec;
pub mod shipped;
pub mod source;
pub mod spec;
pub mod splitting;
pub mod train;
pub mod world;

pub use attached::{Attached, Continuation, SteeredGeneration, facts, harvest, logit_lens};
pub use batch::Made;
pub use error::{Result, SteerError};
