//! Baseline and steered continuations of prompts, as they are being written.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use plumb_core::{Ctl, Error, Job};
use plumb_text::{Prefix, Sampling, Step};
use serde::{Deserialize, Serialize};

use super::Opened;
use super::words::visible;
use crate::Result;
use crate::attached::Continuation;
use crate::intervene::Intervention;

/// One continuation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// The tokens as they are shown.
    pub pieces: Vec<String>,
    /// The text.
    pub text: String,
    /// Perplexity under the unsteered model, once it is complete.
    pub perplexity: Option<f64>,
    /// Toxicity by the judge, 0 to 1, once it is complete.
    pub toxicity: Option<f64>,
    /// Whether it is complete.
    pub done: bool,
}

/// One prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveRow {
    /// The prompt.
    pub prompt: String,
    /// Its tokens as they are shown.
    pub pieces: Vec<String>,
    /// Without steering.
    pub baseline: Side,
    /// With it.
    pub steered: Side,
    /// `KL(unsteered ‖ steered)` at every token of the steered continuation, in nats.
    pub kl: Vec<f64>,
    /// How far the stream was moved at every position of prompt and continuation, as a share of its length; 0 where it
    /// was left alone.
    pub moved: Vec<f32>,
    /// Activations of the targets at every position, in the order of the targets that are not muted.
    pub activations: Vec<Vec<f32>>,
}

/// All prompts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveReport {
    /// In the order asked for.
    pub rows: Vec<LiveRow>,
    /// Seconds from the start to the first steered token.
    pub first_token: Option<f64>,
}

/// Continues prompts without and with steering, from the same seed. Partial results are what has been written so far.
#[derive(Clone, Debug)]
pub struct LiveJob {
    /// Model and autoencoder.
    pub opened: Arc<Opened>,
    /// The prompts.
    pub prompts: Vec<String>,
    /// Whether the prompts are messages for the model's chat template.
    pub chat: bool,
    /// What is done to the stream.
    pub intervention: Intervention,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// An earlier report of the same prompts and sampling, whose baselines are still right.
    pub known: Option<LiveReport>,
}

impl Job for LiveJob {
    type Output = LiveReport;
    type Partial = LiveReport;

    fn name(&self) -> String {
        format!("Steer {}", self.opened.about.model)
    }

    fn run(self, ctl: &Ctl) -> Result<LiveReport, Error> {
        Ok(self.write(ctl)?)
    }
}

impl LiveJob {
    fn write(&self, ctl: &Ctl) -> Result<LiveReport> {
        let started = Instant::now();
        let attached = self.opened.subject.attached();
        let mut report = LiveReport::default();
        let mut prompts = Vec::new();
        for (i, prompt) in self.prompts.iter().enumerate() {
            let tokens = if self.chat { self.opened.chat_tokens(prompt)? } else { self.opened.tokens(prompt)? };
            if tokens.is_empty() {
                return Err(crate::SteerError::Spec(format!("prompt {} is empty: type one", i + 1)));
            }
            let pieces = tokens.iter().map(|token| self.opened.words.show(*token)).collect();
            let known = self.known.as_ref().and_then(|known| known.rows.get(i)).filter(|row| row.baseline.done);
            let baseline = known.map(|row| row.baseline.clone()).unwrap_or_default();
            report.rows.push(LiveRow { prompt: prompt.clone(), pieces, baseline, ..LiveRow::default() });
            prompts.push(tokens);
        }
        // Steered first: that is what the hand on the slider waits for. A baseline, once written, stays.
        for (i, prompt) in prompts.iter().enumerate() {
            let prefix = self.read(prompt, &prompts, ctl)?;
            let (made, kl, trace) =
                attached.steered_after(&prefix, &self.intervention, &self.sampling, ctl, &mut |step| {
                    report.first_token.get_or_insert_with(|| started.elapsed().as_secs_f64());
                    self.push(&mut report.rows[i].steered, step);
                    ctl.partial(report.clone());
                    ControlFlow::Continue(())
                })?;
            let row = &mut report.rows[i];
            self.finish(&mut row.steered, &made);
            row.kl = kl;
            row.moved = trace
                .rows
                .iter()
                .map(|at| if at.steered() && at.resid_norm > 0.0 { at.delta_norm / at.resid_norm } else { 0.0 })
                .collect();
            row.activations = trace.rows.into_iter().map(|at| at.activations).collect();
            ctl.partial(report.clone());
            if report.rows[i].baseline.done {
                continue;
            }
            ctl.check()?;
            let made = attached.unsteered(prompt, &self.sampling, ctl, &mut |step| {
                self.push(&mut report.rows[i].baseline, step);
                ctl.partial(report.clone());
                ControlFlow::Continue(())
            })?;
            self.finish(&mut report.rows[i].baseline, &made);
            ctl.partial(report.clone());
        }
        Ok(report)
    }

    /// A prompt up to the autoencoder's place, as it was read the last time or afresh. Prompts that are not asked for any
    /// more are forgotten.
    fn read(&self, prompt: &[u32], prompts: &[Vec<u32>], ctl: &Ctl) -> Result<Arc<Prefix>> {
        let kept = || self.opened.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prefix) = kept().iter().find(|prefix| prefix.tokens() == prompt) {
            return Ok(Arc::clone(prefix));
        }
        let prefix = Arc::new(self.opened.subject.attached().read_prompt(prompt, ctl)?);
        let mut kept = kept();
        kept.retain(|prefix| prompts.iter().any(|prompt| prompt == prefix.tokens()));
        kept.push(Arc::clone(&prefix));
        Ok(prefix)
    }

    fn push(&self, side: &mut Side, step: &Step<'_>) {
        side.tokens.push(step.token);
        if self.opened.about.has_text {
            side.text.push_str(step.text);
            side.pieces.push(visible(step.text));
        } else {
            let piece = self.opened.words.show(step.token);
            side.text.push_str(&piece);
            side.pieces.push(piece);
        }
    }

    fn finish(&self, side: &mut Side, made: &Continuation) {
        // What only became text at the end belongs to the last token.
        if let (Some(rest), Some(last)) = (made.text.strip_prefix(&side.text), side.pieces.last_mut()) {
            last.push_str(&visible(rest));
            side.text.clone_from(&made.text);
        }
        side.perplexity = made.perplexity;
        side.toxicity = (!made.tokens.is_empty()).then(|| self.opened.scorer.toxicity(&side.text, &made.tokens));
        side.done = true;
    }
}
