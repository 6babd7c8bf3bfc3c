//! Continuing prompts with and without steering, and what the unsteered model makes of it.

use std::ops::ControlFlow;

use candle_core::Tensor;
use plumb_core::Ctl;
use plumb_text::{NoHooks, Prefix, Sampling, Step, Stoppable, generate, generate_after};
use serde::{Deserialize, Serialize};

use super::Attached;
use crate::intervene::{Intervention, SteeringHook, Trace};
use crate::metrics::{kl, log_softmax, perplexity};
use crate::{Result, SteerError};

/// A continuation of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Continuation {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Its text; empty without a tokenizer.
    pub text: String,
    /// Its perplexity under the unsteered model; `None` where it is empty.
    pub perplexity: Option<f64>,
}

/// A continuation, without and with steering, from the same seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteeredGeneration {
    /// The prompt, BOS included.
    pub prompt: Vec<u32>,
    /// Without steering.
    pub baseline: Continuation,
    /// With it.
    pub steered: Continuation,
    /// `KL(unsteered ‖ steered)` of the next token at every position of the steered continuation, in nats.
    pub kl: Vec<f64>,
    /// What was done where.
    pub trace: Trace,
}

impl Attached<'_> {
    /// Continues `prompt` without and with steering from the same seed. `on_step` gets the tokens as they come, with
    /// `true` for steered ones.
    pub fn generate(
        &self,
        prompt: &[u32],
        intervention: &Intervention,
        sampling: &Sampling,
        ctl: &Ctl,
        on_step: &mut dyn FnMut(bool, &Step<'_>) -> ControlFlow<()>,
    ) -> Result<SteeredGeneration> {
        let baseline = self.unsteered(prompt, sampling, ctl, &mut |step| on_step(false, step))?;
        let (steered, kl, trace) =
            self.steered(prompt, intervention, sampling, ctl, &mut |step| on_step(true, step))?;
        Ok(SteeredGeneration { prompt: prompt.to_vec(), baseline, steered, kl, trace })
    }

    /// The continuation without steering.
    pub fn unsteered(
        &self,
        prompt: &[u32],
        sampling: &Sampling,
        ctl: &Ctl,
        on_step: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
    ) -> Result<Continuation> {
        let mut cache = self.model.new_cache();
        let made = generate(self.model, &mut cache, prompt, sampling, &mut NoHooks, ctl, on_step)?;
        let perplexity = perplexity_of(&self.free_logits(prompt, &made.tokens, ctl)?, &made.tokens);
        Ok(Continuation { tokens: made.tokens, text: made.text, perplexity })
    }

    /// The continuation with steering, the divergence at each of its tokens (see [`SteeredGeneration::kl`]) and the record.
    pub fn steered(
        &self,
        prompt: &[u32],
        intervention: &Intervention,
        sampling: &Sampling,
        ctl: &Ctl,
        on_step: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
    ) -> Result<(Continuation, Vec<f64>, Trace)> {
        self.steered_after(&self.read_prompt(prompt, ctl)?, intervention, sampling, ctl, on_step)
    }

    /// Reads a prompt up to the place where it is steered.
    pub fn read_prompt(&self, prompt: &[u32], ctl: &Ctl) -> Result<Prefix> {
        Ok(self.model.prefix(prompt, self.at.point, &mut Stoppable { inner: &mut NoHooks, ctl })?)
    }

    /// As [`steered`](Self::steered), for a prompt that has been read up to that place: what comes before does not depend
    /// on the intervention.
    pub fn steered_after(
        &self,
        prefix: &Prefix,
        intervention: &Intervention,
        sampling: &Sampling,
        ctl: &Ctl,
        on_step: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
    ) -> Result<(Continuation, Vec<f64>, Trace)> {
        let prompt = prefix.tokens();
        let mut hook = SteeringHook::new(intervention, self.sae, self.at.point, self.bos(), prompt.len())?;
        let mut logits = Vec::new();
        let made = generate_after(self.model, prefix, sampling, &mut hook, ctl, &mut |step| {
            logits.push(step.logits.to_vec());
            on_step(step)
        })?;
        let free = self.free_logits(prompt, &made.tokens, ctl)?;
        let perplexity = perplexity_of(&free, &made.tokens);
        let trace = hook.into_trace();
        let divergence = divergence(&free, &logits, &trace, prompt.len());
        Ok((Continuation { tokens: made.tokens, text: made.text, perplexity }, divergence, trace))
    }

    /// The unsteered model's logits before each token of a continuation. Cancelling stops it between two blocks.
    fn free_logits(&self, prompt: &[u32], continuation: &[u32], ctl: &Ctl) -> Result<Vec<Vec<f32>>> {
        if continuation.is_empty() || prompt.is_empty() {
            return Ok(Vec::new());
        }
        let all = [prompt, &continuation[..continuation.len() - 1]].concat();
        let hooks = &mut Stoppable { inner: &mut NoHooks, ctl };
        let resid = self.model.forward_resid(&all, &mut self.model.new_cache(), hooks)?;
        ctl.check()?;
        let rows = resid.narrow(0, prompt.len() - 1, continuation.len())?;
        Ok(self.model.logits(&rows)?.to_vec2()?)
    }

    /// Forward pass of a whole text with steering, as if it were all prompt up to `prompt` and the rest generated: the
    /// logits `[T, V]` and the trace.
    pub fn steered_logits(&self, text: &[u32], prompt: usize, intervention: &Intervention) -> Result<(Tensor, Trace)> {
        if prompt == 0 || prompt > text.len() {
            return Err(SteerError::Spec(format!("a prompt of {prompt} tokens is no part of {} tokens", text.len())));
        }
        let mut hook = SteeringHook::new(intervention, self.sae, self.at.point, self.bos(), prompt)?;
        let mut cache = self.model.new_cache();
        let first = self.model.forward(&text[..prompt], &mut cache, &mut hook)?;
        let logits = if prompt == text.len() {
            first
        } else {
            Tensor::cat(&[first, self.model.forward(&text[prompt..], &mut cache, &mut hook)?], 0)?
        };
        Ok((logits, hook.into_trace()))
    }
}

/// `KL(unsteered ‖ steered)` of the next token before each token of a continuation; exactly 0 where nothing was changed up
/// to there, because both models are the same and rounding must not look like a difference.
pub(crate) fn divergence(free: &[Vec<f32>], steered: &[Vec<f32>], trace: &Trace, prompt: usize) -> Vec<f64> {
    let changed = trace.rows.iter().find(|row| row.delta_norm > 0.0).map_or(usize::MAX, |row| row.position);
    let rows = (prompt - 1..).zip(free.iter().zip(steered));
    rows.map(|(position, (free, steered))| if position < changed { 0.0 } else { kl(free, steered) }).collect()
}

/// Perplexity of tokens under the logits before each.
fn perplexity_of(logits: &[Vec<f32>], tokens: &[u32]) -> Option<f64> {
    let of = |(row, &token): (&Vec<f32>, &u32)| log_softmax(row)[token as usize];
    perplexity(&logits.iter().zip(tokens).map(of).collect::<Vec<f64>>())
}
