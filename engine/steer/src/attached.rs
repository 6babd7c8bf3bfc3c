//! An SAE at its place in a language model: harvesting, measuring, contrasting, indexing and steered generation.

mod generate;

use candle_core::Tensor;
use plumb_core::Ctl;
use plumb_text::config::Norm;
use plumb_text::{HookPoint, Hooks, LanguageModel, NoHooks};

use crate::Result;
use crate::find::{Pooled, Pooling};
use crate::harvest::ActivationStore;
use crate::index::IndexBuilder;
use crate::intervene::ReconstructionHook;
use crate::intervene::controls::MeanDifference;
use crate::metrics::kl;
use crate::quality::{Quality, QualityMeter, score_of};
use crate::sae::{Attachment, ModelFacts, Sae};

pub(crate) use generate::divergence;
pub use generate::{Continuation, SteeredGeneration};

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

/// Positions that are read in one pass: enough for products of matrices to be fast, and little memory.
const TOGETHER: usize = 1024;

/// Texts from `start` on whose tokens together fill one pass, at least one; the number after the last of them.
fn pass(texts: &[&[u32]], start: usize) -> usize {
    let (mut end, mut tokens) = (start, 0);
    while end < texts.len() && (end == start || tokens + texts[end].len() <= TOGETHER) {
        tokens += texts[end].len();
        end += 1;
    }
    end
}

/// What is done with a text: its number, its tokens, and its stream `[T, d]`.
type Each<'a> = dyn FnMut(usize, &[u32], Option<&Tensor>) -> Result<()> + 'a;

/// The residual stream `[T, d]` at `point` of every text, several texts in one pass, given to `each` in order with the
/// text's number. Texts longer than the context are cut with a warning; empty ones come without a stream.
fn read(
    model: &LanguageModel,
    point: HookPoint,
    texts: &[Vec<u32>],
    first: usize,
    what: &str,
    ctl: &Ctl,
    each: &mut Each<'_>,
) -> Result<()> {
    let texts: Vec<&[u32]> = texts.iter().enumerate().map(|(index, text)| cut(model, text, index, ctl)).collect();
    let total: usize = texts.iter().map(|text| text.len()).sum();
    let mut done: usize = texts.iter().take(first).map(|text| text.len()).sum();
    let mut start = first;
    while start < texts.len() {
        ctl.check()?;
        ctl.progress(what, done as u64, Some(total as u64));
        let end = pass(&texts, start);
        let full: Vec<&[u32]> = texts[start..end].iter().copied().filter(|text| !text.is_empty()).collect();
        let streams = if full.is_empty() { Vec::new() } else { model.resid_batch(&full, point)? };
        let mut streams = streams.iter();
        for (number, &text) in texts.iter().enumerate().take(end).skip(start) {
            each(number, text, if text.is_empty() { None } else { streams.next() })?;
            done += text.len();
        }
        start = end;
    }
    Ok(())
}

/// What a direction in the stream does to the logits, as a matrix `[V, d]`: the unembedding with the factors of the last
/// norm, and without the mean of each row where that norm takes out the mean (the logit lens). The norm's division by the
/// length is left out: it is the same for all tokens.
pub fn logit_lens(model: &LanguageModel) -> Result<Tensor> {
    let head = model.unembedding()?.broadcast_mul(model.final_norm_weight())?;
    Ok(match model.config().norm {
        Norm::Layer => head.broadcast_sub(&head.mean_keepdim(1)?)?,
        Norm::Rms | Norm::RmsPlusOne => head,
    })
}

/// Writes the residual stream at `point` of every text into `store`, from the first text that is not in it. Texts longer
/// than the context are cut with a warning. Positions before `first_position` are left out, and BOS.
pub fn harvest(
    model: &LanguageModel,
    point: HookPoint,
    first_position: usize,
    texts: &[Vec<u32>],
    store: &mut ActivationStore,
    ctl: &Ctl,
) -> Result<()> {
    let first = store.table().texts;
    read(model, point, texts, first, "Harvesting activations", ctl, &mut |_, text, resid| {
        let Some(resid) = resid else { return store.push_text(&[]) };
        let skip = first_position.max(usize::from(model.config().bos == text.first().copied())).min(text.len());
        let resid = resid.narrow(0, skip, text.len() - skip)?.to_dtype(candle_core::DType::F32)?;
        store.push_text(&resid.flatten_all()?.to_vec1::<f32>()?)
    })?;
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

    /// Leading positions of a text that the SAE is not meant for.
    fn unread(&self, text: &[u32]) -> usize {
        self.sae.config.unread(text, self.bos())
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

    /// The tokens of a message in the model's chat template, up to where the answer begins.
    pub fn chat_tokens(&self, message: &str) -> Result<Vec<u32>> {
        let template = self.model.chat().ok_or(plumb_text::Error::NoChat)?;
        self.tokens(&template.prompt(message))
    }

    /// Activations `[T, m]` of a text.
    pub fn features(&self, text: &[u32]) -> Result<Tensor> {
        Ok(self.sae.encode(&self.model.resid(text, self.at.point)?)?.z)
    }

    /// Pools the texts of both kinds for [`score`](crate::find::score).
    pub fn contrast(&self, first: &[Vec<u32>], second: &[Vec<u32>], pooling: Pooling, ctl: &Ctl) -> Result<Pooled> {
        Ok(self.contrast_and_difference(first, second, pooling, ctl)?.0)
    }

    /// The same, and the mean of the stream over all tokens of the first kind minus that of the second.
    pub fn contrast_and_difference(
        &self,
        first: &[Vec<u32>],
        second: &[Vec<u32>],
        pooling: Pooling,
        ctl: &Ctl,
    ) -> Result<(Pooled, Vec<f32>)> {
        let mut pooled = Pooled::new(self.sae.config.d_sae, first.len(), second.len());
        let mut means = MeanDifference::new(self.sae.config.d_in);
        let texts = [first, second].concat();
        read(self.model, self.at.point, &texts, 0, "Reading the contrast set", ctl, &mut |index, text, resid| {
            let skip = self.unread(text);
            let Some(resid) = resid.filter(|_| text.len() > skip) else { return Ok(()) };
            let resid = resid.narrow(0, skip, text.len() - skip)?.to_dtype(candle_core::DType::F32)?;
            let known = self.sae.only_known(&resid)?;
            means.push(index >= first.len(), &known.flatten_all()?.to_vec1::<f32>()?);
            pooled.push(index, &self.sae.encode(&resid)?.z, pooling)
        })?;
        Ok((pooled, means.difference()))
    }

    /// Adds texts to an index.
    pub fn index(&self, texts: &[Vec<u32>], builder: &mut IndexBuilder, ctl: &Ctl) -> Result<()> {
        read(self.model, self.at.point, texts, 0, "Indexing", ctl, &mut |_, text, resid| {
            let Some(resid) = resid else { return Ok(()) };
            builder.push(text, &self.sae.encode(resid)?.z, self.unread(text))
        })
    }

    /// Quality on texts, with the CE and KL scores from running the model with the stream as it is, replaced by the
    /// reconstruction, and replaced by zeros. The share of tokens where each feature fires comes with it.
    pub fn quality(&self, texts: &[Vec<u32>], ctl: &Ctl) -> Result<(Quality, Vec<f64>)> {
        let mut meter = QualityMeter::new(self.sae.config.d_in, self.sae.config.d_sae);
        let (mut ce, mut divergence, mut predicted) = ([0f64; 3], [0f64; 2], 0usize);
        for (index, text) in texts.iter().enumerate() {
            ctl.check()?;
            ctl.progress("Measuring the autoencoder", index as u64, Some(texts.len() as u64));
            let text = cut(self.model, text, index, ctl);
            let skip = self.unread(text);
            if text.len() < skip + 2 {
                continue;
            }
            let x = self.model.resid(text, self.at.point)?.narrow(0, skip, text.len() - skip)?;
            let x = self.sae.only_known(&x)?;
            let encoded = self.sae.encode(&x)?;
            meter.add(&x.to_dtype(candle_core::DType::F32)?, &self.sae.decode(&encoded)?, &encoded.z)?;
            let mut patched = ReconstructionHook { sae: self.sae, point: self.at.point, bos: self.bos() };
            let mut zeros = ZeroHook { point: self.at.point, kept: self.unread(text) };
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
        Ok((quality, meter.density()))
    }
}

/// Zeros in the place of the stream but for the first `kept` positions.
struct ZeroHook {
    point: HookPoint,
    kept: usize,
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
        let keep = self.kept.saturating_sub(first).min(tokens.len());
        let rest = resid.narrow(0, keep, tokens.len() - keep)?.zeros_like()?;
        Ok(Some(if keep == 0 { rest } else { Tensor::cat(&[&resid.narrow(0, 0, keep)?, &rest], 0)? }))
    }
}

#[cfg(test)]
mod tests;
