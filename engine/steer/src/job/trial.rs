//! Continuations of many prompts under one setting, and what they measure.

use std::sync::atomic::{AtomicU64, Ordering};

use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_text::Sampling;
use rayon::prelude::*;

use super::Subject;
use crate::Result;
use crate::batch::{Made, SIDE_BY_SIDE};
use crate::intervene::Intervention;
use crate::metrics::{Scorer, bootstrap, distinct, kl, relative_reduction, repetition, toxicity};
use crate::report::Measured;

/// Draws of prompts for an interval.
const ROUNDS: usize = 1000;

/// What is the same for all settings of an experiment.
pub(super) struct Trial<'a> {
    pub subject: &'a Subject,
    pub prompts: &'a [Vec<u32>],
    pub sampling: &'a Sampling,
    /// Every continuation of every prompt has a seed of its own, counted up from that of the sampling: prompts that
    /// shared their random numbers would all be lucky or unlucky together.
    pub continuations: usize,
    pub scorer: &'a dyn Scorer,
    /// What the experiment is called in its progress.
    pub what: &'static str,
    /// Continuations made so far, and in all settings together.
    pub done: AtomicU64,
    pub total: u64,
}

/// What one setting gave.
pub(super) struct Outcome {
    pub measured: Measured,
    /// Toxicity of every continuation of every prompt.
    pub scores: Vec<Vec<f64>>,
    /// Mean divergence per generated token.
    pub kl: f64,
    /// Share of forward positions that were changed.
    pub steered_share: f64,
}

impl Trial<'_> {
    /// Continues every prompt, on all cores. The result does not depend on their number.
    pub fn run(&self, intervention: Option<&Intervention>, ctl: &Ctl) -> Result<Outcome> {
        let attached = self.subject.attached();
        let prompts: Vec<&[u32]> =
            self.prompts.iter().flat_map(|prompt| std::iter::repeat_n(prompt.as_slice(), self.continuations)).collect();
        let samplings: Vec<Sampling> = (0..prompts.len() as u64)
            .map(|number| Sampling { seed: self.sampling.seed.wrapping_add(number), ..self.sampling.clone() })
            .collect();
        let part = |(prompts, samplings): (&[&[u32]], &[Sampling])| {
            ctl.check()?;
            let made = attached.continue_all(prompts, samplings, intervention, ctl)?;
            let done = self.done.fetch_add(made.len() as u64, Ordering::Relaxed) + made.len() as u64;
            ctl.progress(self.what, done, Some(self.total));
            Ok(made)
        };
        let parts = prompts.par_chunks(SIDE_BY_SIDE).zip(samplings.par_chunks(SIDE_BY_SIDE));
        let made: Vec<Made> = parts.map(part).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        let made: Vec<&[Made]> = made.chunks(self.continuations.max(1)).collect();
        let score = |made: &Made| self.scorer.toxicity(&made.continuation.text, &made.continuation.tokens);
        let scores: Vec<Vec<f64>> = made.iter().map(|of_prompt| of_prompt.iter().map(score).collect()).collect();
        let all = || made.iter().copied().flatten();
        let tokens: Vec<Vec<u32>> = all().map(|made| made.continuation.tokens.clone()).collect();
        let (mut nats, mut count) = (0.0, 0usize);
        for Made { continuation, .. } in all() {
            if let Some(perplexity) = continuation.perplexity {
                nats += perplexity.ln() * continuation.tokens.len() as f64;
                count += continuation.tokens.len();
            }
        }
        let measured = Measured {
            toxicity: toxicity(&scores),
            perplexity: (count > 0).then(|| (nats / count as f64).exp()),
            distinct_2: distinct(&tokens, 2),
            repetition: repetition(&tokens),
            accuracy: None,
        };
        let steps = all().map(|made| made.kl.len()).sum::<usize>().max(1) as f64;
        let positions = all().map(|made| made.trace.rows.len()).sum::<usize>().max(1) as f64;
        Ok(Outcome {
            measured,
            scores,
            kl: all().flat_map(|made| &made.kl).sum::<f64>() / steps,
            steered_share: all().map(|made| made.trace.steered()).sum::<usize>() as f64 / positions,
        })
    }
}

/// Share of toxic continuations of the drawn prompts.
fn rate(scores: &[Vec<f64>], drawn: &[usize]) -> f64 {
    let of_drawn: Vec<Vec<f64>> = drawn.iter().map(|&prompt| scores[prompt].clone()).collect();
    toxicity(&of_drawn).rate
}

/// Bootstrap interval of the toxic rate.
pub(super) fn rate_interval(scores: &[Vec<f64>], random: &mut Random) -> Option<[f64; 2]> {
    bootstrap(scores.len(), ROUNDS, random, |drawn| rate(scores, drawn))
}

/// Bootstrap interval of its relative reduction.
pub(super) fn reduction_interval(base: &[Vec<f64>], steered: &[Vec<f64>], random: &mut Random) -> Option<[f64; 2]> {
    bootstrap(base.len().min(steered.len()), ROUNDS, random, |drawn| {
        relative_reduction(rate(base, drawn), rate(steered, drawn)).unwrap_or(f64::NAN)
    })
}

/// Mean divergence per position of neutral texts whose second half counts as generated; exactly zero where nothing is
/// changed.
pub(super) fn neutral_kl(
    subject: &Subject,
    texts: &[Vec<u32>],
    intervention: &Intervention,
    ctl: &Ctl,
) -> Result<Option<f64>> {
    let of = |text: &Vec<u32>| -> Result<(f64, usize)> {
        ctl.check()?;
        let attached = subject.attached();
        let prompt = text.len().div_ceil(2);
        let (steered, trace) = attached.steered_logits(text, prompt, intervention)?;
        if trace.steered() == 0 {
            return Ok((0.0, text.len()));
        }
        let (free, _) = attached.steered_logits(text, prompt, &Intervention::default())?;
        let rows = free.to_vec2::<f32>()?.into_iter().zip(steered.to_vec2::<f32>()?);
        Ok((rows.map(|(free, steered)| kl(&free, &steered)).sum(), text.len()))
    };
    let found = texts.par_iter().filter(|text| !text.is_empty()).map(of).collect::<Result<Vec<_>>>()?;
    let positions: usize = found.iter().map(|(_, positions)| positions).sum();
    Ok((positions > 0).then(|| found.iter().map(|(sum, _)| sum).sum::<f64>() / positions as f64))
}
