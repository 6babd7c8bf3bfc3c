//! An SAE at its place in a language model: harvesting, measuring, contrasting, indexing and steered generation.

use std::ops::ControlFlow;

use candle_core::Tensor;
use plumb_core::Ctl;
use plumb_text::{HookPoint, Hooks, LanguageModel, NoHooks, Sampling, Step, generate, score};
use serde::{Deserialize, Serialize};

use crate::find::{Pooled, Pooling};
use crate::harvest::ActivationStore;
use crate::index::IndexBuilder;
use crate::intervene::{Intervention, ReconstructionHook, SteeringHook, Trace};
use crate::metrics::{kl, perplexity};
use crate::quality::{Quality, QualityMeter, score_of};
use crate::sae::{Attachment, ModelFacts, Sae};
use crate::{Result, SteerError};

/// What must be known of `model`, called `name`, to attach an SAE.
pub fn facts(model: &LanguageModel, name: &str) -> ModelFacts {
    let config = model.config();
    ModelFacts {
        name: name.to_owned(),
        width: config.d_model,
        blocks: config.depth(),
        context: config.context,
        has_bos: config.bos.is_some(),
        centred: false,
    }
}

/// Writes the residual stream at `point` of every text into `store`, from the first text that is not in it. Texts longer
/// than the context are cut with a warning. Position 0 is left out where it is the BOS token.
pub fn harvest(
    model: &LanguageModel,
    point: HookPoint,
    texts: &[Vec<u32>],
    store: &mut ActivationStore,
    ctl: &Ctl,
) -> Result<()> {
    for (index, text) in texts.iter().enumerate().skip(store.table().texts) {
        ctl.check()?;
        ctl.progress("Harvesting activations", index as u64, Some(texts.len() as u64));
        let rows = match cut(model, text, index, ctl) {
            [] => Vec::new(),
            text => {
                let skip = usize::from(model.config().bos == text.first().copied());
                let resid = model.resid(text, point)?;
                let resid = resid.narrow(0, skip, text.len() - skip)?.to_dtype(candle_core::DType::F32)?;
                resid.flatten_all()?.to_vec1::<f32>()?
            }
        };
        store.push_text(&rows)?;
    }
    store.finish()
}

fn cut<'a>(model: &LanguageModel, text: &'a [u32], index: usize, ctl: &Ctl) -> &'a [u32] {
    let most = model.config().context;
    if text.len() > most {
        ctl.warn(
            format!("text {index}"),
            format!("it has {} tokens and was cut at {most}, the model's context", text.len()),
        );
        return &text[..most];
    }
    text
}

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

/// A model and an SAE that fit each other.
#[derive(Clone, Copy, Debug)]
pub struct Attached<'a> {
    /// The model.
    pub model: &'a LanguageModel,
    /// The SAE.
    pub sae: &'a Sae,
    /// How they fit.
    pub at: &'a Attachment,
}

impl Attached<'_> {
    fn bos(&self) -> Option<u32> {
        self.model.config().bos
    }

    fn begins_with_bos(&self, text: &[u32]) -> bool {
        self.bos().is_some() && text.first().copied() == self.bos()
    }

    /// The tokens of a text, with one BOS token at the beginning where the SAE was trained so.
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        let tokenizer = self.model.tokenizer().ok_or(plumb_text::Error::NoTokenizer)?;
        let mut tokens = tokenizer.encode(text, true)?;
        if let (true, Some(bos)) = (self.at.prepend_bos, self.bos())
            && tokens.first() != Some(&bos)
        {
            tokens.insert(0, bos);
        }
        Ok(tokens)
    }

    /// Activations `[T, m]` of a text.
    pub fn features(&self, text: &[u32]) -> Result<Tensor> {
        Ok(self.sae.encode(&self.model.resid(text, self.at.point)?)?.z)
    }

    /// Pools the texts of both kinds for [`score`](crate::find::score).
    pub fn contrast(&self, first: &[Vec<u32>], second: &[Vec<u32>], pooling: Pooling, ctl: &Ctl) -> Result<Pooled> {
        let mut pooled = Pooled::new(self.sae.config.d_sae, first.len(), second.len());
        let total = (first.len() + second.len()) as u64;
        for (index, text) in first.iter().chain(second).enumerate() {
            ctl.check()?;
            ctl.progress("Reading the contrast set", index as u64, Some(total));
            let text = cut(self.model, text, index, ctl);
            let skip = usize::from(self.begins_with_bos(text));
            if text.len() > skip {
                pooled.push(index, &self.features(text)?.narrow(0, skip, text.len() - skip)?, pooling)?;
            }
        }
        Ok(pooled)
    }

    /// Adds texts to an index.
    pub fn index(&self, texts: &[Vec<u32>], builder: &mut IndexBuilder, ctl: &Ctl) -> Result<()> {
        for (index, text) in texts.iter().enumerate() {
            ctl.check()?;
            ctl.progress("Indexing", index as u64, Some(texts.len() as u64));
            let text = cut(self.model, text, index, ctl);
            if !text.is_empty() {
                builder.push(text, &self.features(text)?, self.begins_with_bos(text))?;
            }
        }
        Ok(())
    }

    /// Quality on texts, with the CE and KL scores from running the model with the stream as it is, replaced by the
    /// reconstruction, and replaced by zeros.
    pub fn quality(&self, texts: &[Vec<u32>], ctl: &Ctl) -> Result<Quality> {
        let mut meter = QualityMeter::new(self.sae.config.d_in, self.sae.config.d_sae);
        let (mut ce, mut divergence, mut predicted) = ([0f64; 3], [0f64; 2], 0usize);
        for (index, text) in texts.iter().enumerate() {
            ctl.check()?;
            ctl.progress("Measuring the autoencoder", index as u64, Some(texts.len() as u64));
            let text = cut(self.model, text, index, ctl);
            let skip = usize::from(self.begins_with_bos(text));
            if text.len() < skip + 2 {
                continue;
            }
            let x = self.model.resid(text, self.at.point)?.narrow(0, skip, text.len() - skip)?;
            let encoded = self.sae.encode(&x)?;
            meter.add(&x.to_dtype(candle_core::DType::F32)?, &self.sae.decode(&encoded)?, &encoded.z)?;
            let mut patched = ReconstructionHook { sae: self.sae, point: self.at.point, bos: self.bos() };
            let mut zeros = ZeroHook { point: self.at.point, bos: self.bos() };
            let mut hooks: [&mut dyn Hooks; 3] = [&mut NoHooks, &mut patched, &mut zeros];
            let mut logits = Vec::new();
            for (sum, hooks) in ce.iter_mut().zip(&mut hooks) {
                let rows = self.model.forward(text, &mut self.model.new_cache(), *hooks)?;
                let rows = rows.to_dtype(candle_core::DType::F32)?.to_vec2::<f32>()?;
                for (row, &next) in rows.iter().zip(&text[1..]) {
                    *sum -= crate::metrics::log_softmax(row)[next as usize];
                }
                logits.push(rows);
            }
            // The last row predicts what is not there.
            for (sum, changed) in divergence.iter_mut().zip(&logits[1..]) {
                let rows = logits[0].iter().zip(changed).take(text.len() - 1);
                *sum += rows.map(|(clean, changed)| kl(clean, changed)).sum::<f64>();
            }
            predicted += text.len() - 1;
        }
        let mut quality = meter.quality();
        if predicted > 0 {
            let [clean, sae, zero] = ce.map(|sum| sum / predicted as f64);
            quality.ce_score = score_of(clean, sae, zero);
            quality.kl_score = score_of(0.0, divergence[0], divergence[1]);
        }
        Ok(quality)
    }

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
        let perplexity = self.perplexity(prompt, &made.tokens, ctl)?;
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
        let model = self.model;
        let mut hook = SteeringHook::new(intervention, self.sae, self.at.point, self.bos(), prompt.len())?;
        let (mut cache, mut logits) = (model.new_cache(), Vec::new());
        let made = generate(model, &mut cache, prompt, sampling, &mut hook, ctl, &mut |step| {
            logits.push(step.logits.to_vec());
            on_step(step)
        })?;
        let mut divergence = Vec::new();
        if !made.tokens.is_empty() {
            // One pass of the unsteered model over the same tokens.
            let all = [prompt, &made.tokens[..made.tokens.len() - 1]].concat();
            let resid = model.forward_resid(&all, &mut model.new_cache(), &mut NoHooks)?;
            let free = model.logits(&resid.narrow(0, prompt.len() - 1, made.tokens.len())?)?.to_vec2::<f32>()?;
            divergence = free.iter().zip(&logits).map(|(free, steered)| kl(free, steered)).collect();
        }
        let perplexity = self.perplexity(prompt, &made.tokens, ctl)?;
        let continuation = Continuation { tokens: made.tokens, text: made.text, perplexity };
        Ok((continuation, divergence, hook.into_trace()))
    }

    /// Perplexity of a continuation under the unsteered model.
    fn perplexity(&self, prompt: &[u32], continuation: &[u32], ctl: &Ctl) -> Result<Option<f64>> {
        if continuation.is_empty() || prompt.is_empty() {
            return Ok(None);
        }
        let scored = score(self.model, &[prompt, continuation].concat(), &mut NoHooks, ctl)?;
        let logprobs: Vec<f64> = scored.logprobs[prompt.len() - 1..].iter().map(|&x| f64::from(x)).collect();
        Ok(perplexity(&logprobs))
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

/// Zeros in the place of the stream, BOS left as it is.
struct ZeroHook {
    point: HookPoint,
    bos: Option<u32>,
}

impl Hooks for ZeroHook {
    fn wants(&self, point: HookPoint) -> bool {
        point == self.point
    }

    fn resid(
        &mut self,
        _point: HookPoint,
        first: usize,
        tokens: &[u32],
        resid: &Tensor,
    ) -> plumb_text::Result<Option<Tensor>> {
        let keep = usize::from(first == 0 && self.bos.is_some() && tokens.first().copied() == self.bos);
        let rest = resid.narrow(0, keep, tokens.len() - keep)?.zeros_like()?;
        Ok(Some(if keep == 0 { rest } else { Tensor::cat(&[&resid.narrow(0, 0, keep)?, &rest], 0)? }))
    }
}

#[cfg(test)]
mod tests;
