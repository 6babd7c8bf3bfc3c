//! The jobs of a language model: logits, residual stream, score and continuation of a text.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use plumb_core::source::Cache;
use plumb_core::{Ctl, Job};
use plumb_nn::checkpoint::{TensorData, write_safetensors};
use plumb_nn::device::{self, DeviceChoice};
use serde::{Deserialize, Serialize};

use crate::{Error, Generation, HookPoint, LanguageModel, NoHooks, Precision, Result, Sampling, Stop};

/// Which model, how it is kept, and where it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSpec {
    /// As [`source::find`](crate::source::find) takes it.
    pub model: String,
    /// The precision of its weights.
    pub precision: Precision,
    /// Processor or graphics card.
    pub device: DeviceChoice,
}

impl ModelSpec {
    /// Fetches the model if need be and loads it.
    pub fn open(&self, cache: &Cache, ctl: &Ctl) -> Result<LanguageModel> {
        let opened = device::open(self.device);
        if let Some(note) = &opened.note {
            ctl.warn("device", note);
        }
        if let Some(model) = crate::embedded::open(&self.model, self.precision, &opened.device)? {
            return Ok(model);
        }
        let path = crate::source::find(&self.model, cache, ctl)?;
        ctl.check()?;
        ctl.progress(format!("Loading {}", self.model), 0, None);
        LanguageModel::open(&path, self.precision, &opened.device)
    }
}

/// A text, or the tokens it stands for.
#[derive(Clone, Debug)]
pub enum Prompt {
    /// Text, for a model with a tokenizer; its own special tokens (a beginning, where the model has one) are added.
    Text(String),
    /// A message, put into the model's chat template.
    Chat(String),
    /// Token ids as they are.
    Tokens(Vec<u32>),
}

impl Prompt {
    /// The token ids.
    pub fn tokens(&self, model: &LanguageModel) -> Result<Vec<u32>> {
        match self {
            Self::Tokens(tokens) => Ok(tokens.clone()),
            Self::Text(text) => model.tokenizer().ok_or(Error::NoTokenizer)?.encode(text, true),
            Self::Chat(text) => {
                let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
                tokenizer.encode(&model.chat().ok_or(Error::NoChat)?.prompt(text), true)
            }
        }
    }
}

/// Fetches a model; its place on this machine comes out.
#[derive(Clone, Debug)]
pub struct FetchJob {
    /// The model.
    pub model: String,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for FetchJob {
    type Output = PathBuf;
    type Partial = ();

    fn name(&self) -> String {
        format!("Fetching {}", self.model)
    }

    fn run(self, ctl: &Ctl) -> Result<PathBuf, plumb_core::Error> {
        Ok(crate::source::find(&self.model, &self.cache, ctl)?)
    }
}

/// What [`TensorJob`] writes.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// `logits` `[T, V]`.
    Logits,
    /// `resid` `[T, d]` at a hook point.
    Resid(HookPoint),
}

/// Writes a tensor of a text's forward pass to a safetensors file; its shape comes out.
#[derive(Clone, Debug)]
pub struct TensorJob {
    /// The model.
    pub model: ModelSpec,
    /// The text.
    pub prompt: Prompt,
    /// Which tensor.
    pub wanted: Wanted,
    /// The file, written whole or not at all.
    pub out: PathBuf,
    /// Where fetched files are kept.
    pub cache: Cache,
}

impl Job for TensorJob {
    type Output = Vec<usize>;
    type Partial = ();

    fn name(&self) -> String {
        format!("Forward pass of {}", self.model.model)
    }

    fn run(self, ctl: &Ctl) -> Result<Vec<usize>, plumb_core::Error> {
        let model = self.model.open(&self.cache, ctl)?;
        let tokens = self.prompt.tokens(&model)?;
        ctl.check()?;
        let (name, tensor) = match self.wanted {
            Wanted::Logits => ("logits", model.forward(&tokens, &mut model.new_cache(), &mut NoHooks)?),
            Wanted::Resid(point) => ("resid", model.resid(&tokens, point)?),
        };
        Ok(write(&self.out, name, &tensor)?)
    }
}

/// Writes one tensor in single precision; its shape.
fn write(path: &Path, name: &str, tensor: &Tensor) -> Result<Vec<usize>> {
    let shape = tensor.dims().to_vec();
    let numbers = tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()?;
    write_safetensors(path, &[(name.to_owned(), shape.clone(), TensorData::F32(numbers))], &BTreeMap::new())?;
    Ok(shape)
}

/// Scores a text.
#[derive(Clone, Debug)]
pub struct ScoreJob {
    /// The model.
    pub model: ModelSpec,
    /// The text.
    pub prompt: Prompt,
    /// Where fetched files are kept.
    pub cache: Cache,
}

/// A text's probability as it is reported.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreReport {
    /// The tokens scored, all but the first, as text where the model has a tokenizer.
    pub tokens: Vec<String>,
    /// Their ids.
    pub ids: Vec<u32>,
    /// Natural logarithms of their probabilities.
    pub logprobs: Vec<f32>,
    /// e to the mean of −logprob.
    pub perplexity: f64,
}

impl Job for ScoreJob {
    type Output = ScoreReport;
    type Partial = ();

    fn name(&self) -> String {
        format!("Score by {}", self.model.model)
    }

    fn run(self, ctl: &Ctl) -> Result<ScoreReport, plumb_core::Error> {
        let model = self.model.open(&self.cache, ctl)?;
        let tokens = self.prompt.tokens(&model)?;
        let score = crate::score(&model, &tokens, &mut NoHooks, ctl)?;
        let show = |&token: &u32| model.tokenizer().map_or_else(|| token.to_string(), |words| words.show(token));
        let (ids, logprobs, perplexity) = (score.tokens, score.logprobs, score.perplexity);
        Ok(ScoreReport { tokens: ids.iter().map(show).collect(), ids, logprobs, perplexity })
    }
}

/// Continues a text.
#[derive(Clone, Debug)]
pub struct GenerateJob {
    /// The model.
    pub model: ModelSpec,
    /// The text.
    pub prompt: Prompt,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Where fetched files are kept.
    pub cache: Cache,
}

/// A continuation as it is reported.
#[derive(Clone, Debug, Serialize)]
pub struct GenerationReport {
    /// The prompt's token ids.
    pub prompt: Vec<u32>,
    /// The new tokens' ids.
    pub tokens: Vec<u32>,
    /// Their text; empty without a tokenizer.
    pub text: String,
    /// Natural logarithms of their probabilities before any sampling control.
    pub logprobs: Vec<f32>,
    /// Why it ended: `end of text`, `length` or `context`.
    pub stop: &'static str,
    /// Seconds until the prompt was read.
    pub prefill_seconds: f64,
    /// Tokens a second after that.
    pub tokens_per_second: f64,
}

impl GenerationReport {
    fn new(prompt: Vec<u32>, found: Generation) -> Self {
        let stop = match found.stop {
            Stop::EndOfText => "end of text",
            Stop::Length => "length",
            Stop::Context => "context",
            Stop::Caller => "caller",
        };
        let seconds = found.decode.as_secs_f64();
        let tokens_per_second = if seconds > 0.0 { found.tokens.len() as f64 / seconds } else { 0.0 };
        let prefill_seconds = found.prefill.as_secs_f64();
        Self {
            prompt,
            tokens: found.tokens,
            text: found.text,
            logprobs: found.logprobs,
            stop,
            prefill_seconds,
            tokens_per_second,
        }
    }
}

impl Job for GenerateJob {
    type Output = GenerationReport;
    /// Each piece of text as soon as it is complete.
    type Partial = String;

    fn name(&self) -> String {
        format!("Continuation by {}", self.model.model)
    }

    fn run(self, ctl: &Ctl) -> Result<GenerationReport, plumb_core::Error> {
        self.sampling.check()?;
        let model = self.model.open(&self.cache, ctl)?;
        let prompt = self.prompt.tokens(&model)?;
        let mut cache = model.new_cache();
        let mut show = |step: &crate::Step<'_>| {
            if !step.text.is_empty() {
                ctl.partial(step.text.to_owned());
            }
            ControlFlow::Continue(())
        };
        let found = crate::generate(&model, &mut cache, &prompt, &self.sampling, &mut NoHooks, ctl, &mut show)?;
        Ok(GenerationReport::new(prompt, found))
    }
}
