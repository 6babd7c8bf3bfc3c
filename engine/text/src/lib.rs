//! Language models with an open residual stream: GPT-2, Llama and Gemma decoders whose hidden states can be read and
//! changed between any two blocks while they run.
//!
//! [`LanguageModel`] is the model, [`Hooks`] watch or change its residual stream, [`Cache`] keeps what a sequence has
//! behind it.

pub mod bert;
pub mod chat;
pub mod classify;
pub mod config;
pub mod embedded;
pub mod embedding;
mod error;
mod generate;
pub mod hooks;
pub mod job;
mod kernels;
mod model;
pub mod ngrams;
mod sampling;
mod score;
pub mod source;
mod tokenizer;
pub mod weights;

pub use config::Config;
pub use error::{Error, Result};
pub use generate::{Generation, Step, Stop, generate, generate_after};
pub use hooks::{HookPoint, Hooks, NoHooks, Site, Stoppable};
pub use kernels::PackedKind;
pub use model::{Cache, LanguageModel, Precision, Prefix, Sequence};
pub use sampling::{Sampler, Sampling};
pub use score::{Score, logprobs, score};
pub use tokenizer::{TextStream, Tokenizer};
