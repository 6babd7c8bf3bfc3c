//! Language models with an open residual stream: GPT-2, Llama and Gemma decoders whose hidden states can be read and
//! changed between any two blocks while they run.

mod error;
pub mod hooks;

pub use error::{Error, Result};
pub use hooks::{HookPoint, Hooks, NoHooks, Site};
