//! Continuing many prompts at once: their positions share each product with the weights, which costs little more than one
//! prompt alone.

use plumb_core::Ctl;
use plumb_text::{HookPoint, Hooks, NoHooks, Sampler, Sampling, Sequence, Site};

use crate::attached::{Attached, Continuation};
use crate::intervene::{Intervention, SteeringHook, Trace};
use crate::metrics::{log_softmax, perplexity};
use crate::{Result, SteerError};

/// Prompts that are continued side by side.
pub(crate) const SIDE_BY_SIDE: usize = 16;

/// A continuation and what was done on the way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// The continuation.
    pub continuation: Continuation,
    /// `KL(unsteered ‖ steered)` of the next token at each of its tokens, in nats; empty without steering.
    pub kl: Vec<f64>,
    /// The record; empty without steering.
    pub trace: Trace,
}

/// One prompt under way.
struct Writing<'a> {
    prompt: &'a [u32],
    sampler: Sampler,
    most: usize,
    ignore_end: bool,
    cache: plumb_text::Cache,
    hook: Option<SteeringHook>,
    quiet: NoHooks,
    /// Prompt and continuation.
    tokens: Vec<u32>,
    /// Tokens that the cache holds.
    read: usize,
    logits: Vec<Vec<f32>>,
    done: bool,
}

impl Attached<'_> {
    /// Continues every prompt, each with its own sampling, with or without steering. Texts and perplexities are those of
    /// one prompt alone up to rounding.
    pub fn continue_all(
        &self,
        prompts: &[&[u32]],
        samplings: &[Sampling],
        intervention: Option<&Intervention>,
        ctl: &Ctl,
    ) -> Result<Vec<Made>> {
        if prompts.len() != samplings.len() {
            return Err(SteerError::Spec(format!("{} prompts have {} samplings", prompts.len(), samplings.len())));
        }
        let mut all = Vec::with_capacity(prompts.len());
        for (prompts, samplings) in prompts.chunks(SIDE_BY_SIDE).zip(samplings.chunks(SIDE_BY_SIDE)) {
            ctl.check()?;
            all.extend(self.side_by_side(prompts, samplings, intervention, ctl)?);
        }
        Ok(all)
    }

    fn side_by_side(
        &self,
        prompts: &[&[u32]],
        samplings: &[Sampling],
        intervention: Option<&Intervention>,
        ctl: &Ctl,
    ) -> Result<Vec<Made>> {
        let (model, bos) = (self.model, self.model.config().bos);
        let mut writing = Vec::with_capacity(prompts.len());
        for (prompt, sampling) in prompts.iter().zip(samplings) {
            let hook = intervention.map(|i| SteeringHook::new(i, self.sae, self.at.point, bos, prompt.len()));
            writing.push(Writing {
                prompt,
                sampler: Sampler::new(sampling)?,
                most: sampling.max_tokens.min(model.config().context.saturating_sub(prompt.len())),
                ignore_end: sampling.ignore_end,
                cache: model.new_cache(),
                hook: hook.transpose()?,
                quiet: NoHooks,
                tokens: prompt.to_vec(),
                read: 0,
                logits: Vec::new(),
                done: sampling.max_tokens == 0,
            });
        }
        while writing.iter().any(|one| !one.done) {
            ctl.check()?;
            let mut open: Vec<&mut Writing<'_>> = writing.iter_mut().filter(|one| !one.done).collect();
            let mut sequences: Vec<Sequence<'_>> = open
                .iter_mut()
                .map(|one| {
                    let Writing { hook, quiet, cache, tokens, read, .. } = &mut **one;
                    let hooks: &mut dyn Hooks = match hook {
                        Some(hook) => hook,
                        None => quiet,
                    };
                    Sequence { tokens: &tokens[*read..], cache, hooks }
                })
                .collect();
            let logits = model.forward_batch(&mut sequences)?.to_vec2::<f32>()?;
            drop(sequences);
            for (one, logits) in open.into_iter().zip(logits) {
                one.read = one.tokens.len();
                let token = one.sampler.pick(&logits, &one.tokens)?;
                if !one.ignore_end && model.config().eos.contains(&token) {
                    one.done = true;
                    continue;
                }
                one.tokens.push(token);
                if one.hook.is_some() {
                    one.logits.push(logits);
                }
                one.done = one.tokens.len() - one.prompt.len() >= one.most;
            }
        }
        self.judge(writing)
    }

    /// Text, perplexity and divergence, from one pass of the unsteered model over all of them.
    fn judge(&self, writing: Vec<Writing<'_>>) -> Result<Vec<Made>> {
        let model = self.model;
        let last = HookPoint { block: model.config().depth() - 1, site: Site::ResidPost };
        let texts: Vec<&[u32]> = writing.iter().map(|one| &one.tokens[..one.tokens.len() - 1]).collect();
        let long: Vec<&[u32]> = texts.iter().copied().filter(|text| !text.is_empty()).collect();
        let streams = if long.is_empty() { Vec::new() } else { model.resid_batch(&long, last)? };
        let mut streams = streams.into_iter();
        let mut all = Vec::with_capacity(writing.len());
        for one in writing {
            let stream = if one.tokens.len() > 1 { streams.next() } else { None };
            let (start, tokens) = (one.prompt.len(), one.tokens[one.prompt.len()..].to_vec());
            let (mut divergence, mut logprobs) = (Vec::new(), Vec::new());
            if let (Some(stream), false) = (stream, tokens.is_empty()) {
                let free = model.logits(&stream.narrow(0, start - 1, tokens.len())?)?.to_vec2::<f32>()?;
                logprobs = free.iter().zip(&tokens).map(|(row, &token)| log_softmax(row)[token as usize]).collect();
                if let Some(hook) = &one.hook {
                    divergence = crate::attached::divergence(&free, &one.logits, hook.trace(), start);
                }
            }
            let text = model.tokenizer().map(|words| words.decode(&tokens, true)).transpose()?.unwrap_or_default();
            all.push(Made {
                continuation: Continuation { perplexity: perplexity(&logprobs), tokens, text },
                kl: divergence,
                trace: one.hook.map(SteeringHook::into_trace).unwrap_or_default(),
            });
        }
        Ok(all)
    }
}
