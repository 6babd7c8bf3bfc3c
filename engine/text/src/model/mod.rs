//! The decoder: one forward pass for all families, over one or several sequences, with an open residual stream.

mod attention;
mod cache;
mod cpu;
mod fast;
mod forward;
mod load;
mod matrix;
mod norm;
mod prefix;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::quantized::gguf_file::Value;
use candle_core::{Device, Tensor};

pub use cache::Cache;
pub use load::Precision;
pub use prefix::Prefix;

use crate::chat::Template;
use crate::config::{Config, Rope};
use crate::hooks::{HookPoint, Hooks, NoHooks};
use crate::kernels::{Scoring, Shape};
use crate::tokenizer::Tokenizer;
use crate::weights::{Folder, Gguf, NamedTensors, Weights};
use crate::{Error, Result};
use matrix::{Linear, Matrix};
use norm::Normal;

/// A block's layers.
#[derive(Clone, Debug)]
struct Block {
    attention_norm: Normal,
    /// Queries, keys and values in one product.
    qkv: Linear,
    qk_norms: Option<(Normal, Normal)>,
    out: Linear,
    attention_after: Option<Normal>,
    mlp_norm: Normal,
    /// Gate and up in one product where the MLP has a gate.
    up: Linear,
    down: Linear,
    mlp_after: Option<Normal>,
    heads: Shape,
    scoring: Scoring,
    rope: Option<Rope>,
}

/// All layers of a model.
#[derive(Clone, Debug)]
struct Parts {
    embedding: Matrix,
    positions: Option<Tensor>,
    head: Option<Matrix>,
    final_norm: Normal,
    blocks: Vec<Block>,
}

/// One sequence of a forward pass: its new tokens, what is behind them, and who watches.
pub struct Sequence<'a> {
    /// Tokens at the positions after those in the cache; at least one.
    pub tokens: &'a [u32],
    /// Positions before them; takes up the new ones.
    pub cache: &'a mut Cache,
    /// Called at this sequence's hook points.
    pub hooks: &'a mut dyn Hooks,
}

/// A language model on a device.
///
/// Cheap to share by reference; running it needs a [`Cache`] per sequence.
#[derive(Clone, Debug)]
pub struct LanguageModel {
    config: Config,
    parts: Parts,
    tokenizer: Option<Tokenizer>,
    chat: Option<Template>,
    device: Device,
    /// Whether the processor's kernels are used instead of candle's steps.
    fast: bool,
}

impl LanguageModel {
    /// Opens a Hugging Face folder (`config.json`, safetensors, and one of the tokenizers of
    /// [`Tokenizer::in_folder`]) or a GGUF file.
    pub fn open(path: &Path, precision: Precision, device: &Device) -> Result<Self> {
        if path.is_dir() {
            let place = path.join("config.json");
            let json = std::fs::read_to_string(&place).map_err(|error| Error::File {
                path: place.clone(),
                reason: format!("{error}; a model's folder has config.json and model.safetensors"),
            })?;
            let config = Config::from_hf(&json, &place.display().to_string())?;
            let tokenizer = Tokenizer::in_folder(path)?;
            let model = Self::new(config, &Folder::open(path)?, tokenizer, precision, device)?;
            return Ok(model.with_chat(chat_source(path).as_deref()));
        }
        let file = Gguf::open(path)?;
        let tokenizer = Tokenizer::from_gguf(file.settings())?;
        let model = Self::new(file.config()?, &file, tokenizer, precision, device)?;
        let source = match file.settings().get("tokenizer.chat_template") {
            Some(Value::String(source)) => Some(source.as_str()),
            _ => None,
        };
        Ok(model.with_chat(source))
    }

    /// A model of given weights.
    pub fn new(
        config: Config,
        weights: &dyn Weights,
        tokenizer: Option<Tokenizer>,
        precision: Precision,
        device: &Device,
    ) -> Result<Self> {
        config.check().map_err(|what| Error::Config { place: weights.place(), what })?;
        if let Some(tokenizer) = &tokenizer
            && tokenizer.size() > config.vocabulary
        {
            return Err(Error::Tokenizer(format!(
                "it has {} tokens where the model has {}: it belongs to another model",
                tokenizer.size(),
                config.vocabulary
            )));
        }
        let parts = load::load(&config, weights, precision, device)?;
        Ok(Self { config, parts, tokenizer, chat: None, device: device.clone(), fast: device.is_cpu() }.with_chat(None))
    }

    /// A model of tensors made by hand, named as in a Hugging Face checkpoint without the leading `model.` or
    /// `transformer.`.
    pub fn from_tensors(
        config: Config,
        tensors: BTreeMap<String, Tensor>,
        tokenizer: Option<Tokenizer>,
        device: &Device,
    ) -> Result<Self> {
        Self::new(config, &NamedTensors(tensors), tokenizer, Precision::F32, device)
    }

    fn with_chat(mut self, source: Option<&str>) -> Self {
        self.chat = self.tokenizer.as_ref().and_then(|tokenizer| Template::of(tokenizer, source));
        self
    }

    /// How it is asked, where it answers messages.
    pub fn chat(&self) -> Option<&Template> {
        self.chat.as_ref()
    }

    /// The same model computed in candle's own steps, as on other devices than the processor.
    #[must_use]
    pub fn composed(mut self) -> Self {
        self.fast = false;
        self
    }

    /// Its description.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its tokenizer, where it has one.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.tokenizer.as_ref()
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// An empty cache for one sequence.
    pub fn new_cache(&self) -> Cache {
        Cache::new(self.config.depth(), self.config.d_kv(), self.config.context, &self.device)
    }

    /// Logits `[T, V]` of the positions of `tokens`, which follow those in `cache`.
    pub fn forward(&self, tokens: &[u32], cache: &mut Cache, hooks: &mut dyn Hooks) -> Result<Tensor> {
        let resid = self.run(&mut [Sequence { tokens, cache, hooks }], None, None)?;
        self.logits(&resid)
    }

    /// Logits `[V]` of the last position only.
    pub fn forward_last(&self, tokens: &[u32], cache: &mut Cache, hooks: &mut dyn Hooks) -> Result<Tensor> {
        Ok(self.forward_batch(&mut [Sequence { tokens, cache, hooks }])?.squeeze(0)?)
    }

    /// Logits `[B, V]` of the last position of each of B sequences, which may differ in length. Their positions share
    /// each product with the weights, so that several cost less than one after the other.
    pub fn forward_batch(&self, sequences: &mut [Sequence<'_>]) -> Result<Tensor> {
        let resid = self.run(sequences, None, None)?;
        let mut last = Vec::with_capacity(sequences.len());
        let mut end = 0;
        for sequence in sequences.iter() {
            end += sequence.tokens.len();
            last.push(end as u32 - 1);
        }
        let resid = if resid.dim(0)? == last.len() {
            resid
        } else {
            resid.index_select(&Tensor::new(last, &self.device)?, 0)?
        };
        self.logits(&resid)
    }

    /// The residual stream `[T, d]` behind the last block; [`logits`](Self::logits) of any of its rows come from there.
    pub fn forward_resid(&self, tokens: &[u32], cache: &mut Cache, hooks: &mut dyn Hooks) -> Result<Tensor> {
        self.run(&mut [Sequence { tokens, cache, hooks }], None, None)
    }

    /// The residual streams `[T, d]` at `point` of several texts, read in one pass.
    pub fn resid_batch(&self, texts: &[&[u32]], point: HookPoint) -> Result<Vec<Tensor>> {
        self.check_point(point)?;
        let mut caches: Vec<_> = texts.iter().map(|_| self.new_cache()).collect();
        let mut quiet = vec![NoHooks; texts.len()];
        let sequences = texts.iter().zip(&mut caches).zip(&mut quiet);
        let mut sequences: Vec<_> =
            sequences.map(|((tokens, cache), hooks)| Sequence { tokens, cache, hooks }).collect();
        let all = self.run(&mut sequences, None, Some(point))?;
        let mut at = 0;
        let part = |text: &&[u32]| {
            let part = all.narrow(0, at, text.len());
            at += text.len();
            part
        };
        Ok(texts.iter().map(part).collect::<candle_core::Result<_>>()?)
    }

    /// The residual stream `[T, d]` at `point` for a text that begins with `tokens`. Blocks after it are not computed.
    pub fn resid(&self, tokens: &[u32], point: HookPoint) -> Result<Tensor> {
        self.check_point(point)?;
        let mut cache = self.new_cache();
        self.run(&mut [Sequence { tokens, cache: &mut cache, hooks: &mut NoHooks }], None, Some(point))
    }

    /// Fails when the model has no such hook point.
    pub fn check_point(&self, point: HookPoint) -> Result<()> {
        let blocks = self.config.depth();
        if point.block < blocks { Ok(()) } else { Err(Error::NoSuchBlock { point: point.to_string(), blocks }) }
    }

    /// Logits `[T, V]` of a residual stream `[T, d]` taken after the last block.
    pub fn logits(&self, resid: &Tensor) -> Result<Tensor> {
        let normal = self.parts.final_norm.apply(resid, self.fast)?;
        let logits = self.parts.head.as_ref().unwrap_or(&self.parts.embedding).apply(&normal, self.fast)?;
        self.final_cap(logits)
    }

    /// The matrix `[V, d]` from the normalised residual stream to logits, in single precision.
    pub fn unembedding(&self) -> Result<Tensor> {
        self.parts.head.as_ref().unwrap_or(&self.parts.embedding).to_tensor()
    }

    /// The last norm's factors `[d]` as they are multiplied (one already added for Gemma).
    pub fn final_norm_weight(&self) -> &Tensor {
        &self.parts.final_norm.weight
    }
}

/// The chat template among a folder's files, as they have it.
fn chat_source(folder: &Path) -> Option<String> {
    if let Ok(source) = std::fs::read_to_string(folder.join("chat_template.jinja")) {
        return Some(source);
    }
    let settings = std::fs::read_to_string(folder.join("tokenizer_config.json")).ok()?;
    let settings: serde_json::Value = serde_json::from_str(&settings).ok()?;
    settings["chat_template"].as_str().map(str::to_owned)
}
