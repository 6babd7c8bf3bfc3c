//! Continuing a text token by token.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use candle_core::Tensor;
use plumb_core::Ctl;

use crate::hooks::{Hooks, Stoppable};
use crate::kernels::log_sum_exp;
use crate::sampling::{Sampler, Sampling};
use crate::{Cache, Error, LanguageModel, Prefix, Result};

/// A token as soon as it is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The token.
    pub token: u32,
    /// Its position in the sequence.
    pub position: usize,
    /// The text that it completes; empty without a tokenizer and in the middle of a character.
    pub text: &'a str,
    /// Natural logarithm of the probability that the model, with its hooks, gave it before any sampling control.
    pub logprob: f32,
    /// The logits `[V]` it was chosen from.
    pub logits: &'a [f32],
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The model ended the text.
    EndOfText,
    /// As many tokens as were asked for.
    Length,
    /// The model's context is full.
    Context,
    /// The caller had enough.
    Caller,
}

/// A generated continuation.
#[derive(Clone, Debug)]
pub struct Generation {
    /// The new tokens, without the one that ended the text.
    pub tokens: Vec<u32>,
    /// Their text; empty without a tokenizer.
    pub text: String,
    /// Of each token, natural logarithms.
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub stop: Stop,
    /// Time until the prompt was read.
    pub prefill: Duration,
    /// Time from then to the end.
    pub decode: Duration,
}

/// Continues `prompt`, which follows the positions in `cache`. `on_step` gets each token as it comes.
///
/// A prompt longer than the context is an error; when the context fills up later, the generation ends with
/// [`Stop::Context`]. Cancelling `ctl` stops between two blocks, in the middle of a long prompt too.
pub fn generate(
    model: &LanguageModel,
    cache: &mut Cache,
    prompt: &[u32],
    sampling: &Sampling,
    hooks: &mut dyn Hooks,
    ctl: &Ctl,
    on_step: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
) -> Result<Generation> {
    sampling.check()?;
    ctl.check()?;
    let hooks = &mut Stoppable { inner: hooks, ctl };
    let started = Instant::now();
    ctl.progress("Reading the prompt", 0, None);
    let logits = model.forward_last(prompt, cache, hooks)?;
    let read = Read { prompt, logits, prefill: started.elapsed() };
    go_on(model, cache, read, sampling, hooks, on_step)
}

/// As [`generate`] with an empty cache, for a prompt that has been read up to a hook point: `hooks` are called from there
/// on.
pub fn generate_after(
    model: &LanguageModel,
    prefix: &Prefix,
    sampling: &Sampling,
    hooks: &mut dyn Hooks,
    ctl: &Ctl,
    on_step: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
) -> Result<Generation> {
    sampling.check()?;
    ctl.check()?;
    let hooks = &mut Stoppable { inner: hooks, ctl };
    let started = Instant::now();
    ctl.progress("Reading the prompt", 0, None);
    let (logits, mut cache) = model.forward_prefix(prefix, hooks)?;
    let read = Read { prompt: prefix.tokens(), logits, prefill: started.elapsed() };
    go_on(model, &mut cache, read, sampling, hooks, on_step)
}

/// A prompt that has been read.
struct Read<'a> {
    prompt: &'a [u32],
    logits: Tensor,
    prefill: Duration,
}

fn go_on(
    model: &LanguageModel,
    cache: &mut Cache,
    read: Read<'_>,
    sampling: &Sampling,
    hooks: &mut Stoppable<'_>,
    on_step: &mut dyn FnMut(&Step<'_>) -> ControlFlow<()>,
) -> Result<Generation> {
    let Read { prompt, logits, prefill } = read;
    let (mut sampler, mut logits, ctl) = (Sampler::new(sampling)?, logits.to_vec1::<f32>()?, hooks.ctl);
    let started = Instant::now();
    let mut stream = model.tokenizer().map(crate::Tokenizer::stream);
    let mut all = prompt.to_vec();
    let (mut text, mut logprobs) = (String::new(), Vec::new());
    let mut stop = Stop::Length;
    for index in 0..sampling.max_tokens {
        ctl.check()?;
        ctl.progress("Generating", index as u64, Some(sampling.max_tokens as u64));
        let token = sampler.pick(&logits, &all)?;
        if !sampling.ignore_end && model.config().eos.contains(&token) {
            stop = Stop::EndOfText;
            break;
        }
        let logprob = logits[token as usize] - log_sum_exp(&logits);
        let piece = match &mut stream {
            Some(stream) => stream.push(token)?,
            None => String::new(),
        };
        text += &piece;
        all.push(token);
        logprobs.push(logprob);
        let position = cache.len();
        let enough = on_step(&Step { token, position, text: &piece, logprob, logits: &logits }).is_break();
        if enough {
            stop = Stop::Caller;
            break;
        }
        if index + 1 == sampling.max_tokens {
            break;
        }
        logits = match model.forward_last(&[token], cache, hooks) {
            Ok(logits) => logits.to_vec1()?,
            Err(Error::Context { .. }) => {
                stop = Stop::Context;
                break;
            }
            Err(error) => return Err(error),
        };
    }
    if let Some(stream) = stream {
        text += &stream.finish()?;
    }
    let tokens = all.split_off(prompt.len());
    Ok(Generation { tokens, text, logprobs, stop, prefill, decode: started.elapsed() })
}
