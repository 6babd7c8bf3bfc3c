//! The body of a BERT (Devlin et al. 2019): embeddings, then blocks of attention to both sides and an MLP, with the norm
//! behind each sum.

use candle_core::{D, Device, Tensor};
use candle_nn::ops::{layer_norm, softmax_last_dim};

use super::config::{Activation, Settings};
use crate::weights::Weights;
use crate::{Error, Result};

/// A weight `[out, in]` and a bias `[out]`.
pub(super) struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    /// Some layers with the same input, one below the other.
    fn joined(weights: &dyn Weights, names: &[String], out: usize, width: usize, device: &Device) -> Result<Self> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weight.extend(weights.numbers(&format!("{name}.weight"), &[out, width])?);
            bias.extend(weights.numbers(&format!("{name}.bias"), &[out])?);
        }
        let height = bias.len();
        let weight = Tensor::from_vec(weight, (height, width), device)?;
        Ok(Self { weight, bias: Tensor::from_vec(bias, height, device)? })
    }

    /// One layer.
    pub fn read(weights: &dyn Weights, name: &str, out: usize, width: usize, device: &Device) -> Result<Self> {
        Self::joined(weights, &[name.to_owned()], out, width, device)
    }

    /// `x` `[N, in]` to `[N, out]`.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }
}

struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f32,
}

impl Norm {
    fn read(weights: &dyn Weights, name: &str, settings: &Settings, device: &Device) -> Result<Self> {
        let width = settings.hidden_size;
        // Checkpoints from TensorFlow call the numbers gamma and beta.
        let old =
            weights.shape(&format!("{name}.weight")).is_none() && weights.shape(&format!("{name}.gamma")).is_some();
        let (weight, bias) = if old { ("gamma", "beta") } else { ("weight", "bias") };
        let read = |part: &str| -> Result<Tensor> {
            Ok(Tensor::from_vec(weights.numbers(&format!("{name}.{part}"), &[width])?, width, device)?)
        };
        Ok(Self { weight: read(weight)?, bias: read(bias)?, epsilon: settings.layer_norm_eps as f32 })
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(layer_norm(x, &self.weight, &self.bias, self.epsilon)?)
    }
}

struct Block {
    /// Queries, keys and values in one product.
    qkv: Dense,
    out: Dense,
    attention_norm: Norm,
    up: Dense,
    down: Dense,
    norm: Norm,
}

/// All layers.
pub(super) struct Body {
    words: Tensor,
    /// Positions, the first type of token added.
    positions: Tensor,
    norm: Norm,
    blocks: Vec<Block>,
    heads: usize,
    activation: Activation,
}

impl Body {
    /// Reads a body's tensors.
    pub fn load(settings: &Settings, weights: &dyn Weights, device: &Device) -> Result<Self> {
        let (d, m) = (settings.hidden_size, settings.intermediate_size);
        let table = |name: &str, height: usize| -> Result<Tensor> {
            let numbers = weights.numbers(&format!("embeddings.{name}_embeddings.weight"), &[height, d])?;
            Ok(Tensor::from_vec(numbers, (height, d), device)?)
        };
        let types = table("token_type", settings.type_vocab_size)?;
        let positions = table("position", settings.max_position_embeddings)?.broadcast_add(&types.narrow(0, 0, 1)?)?;
        let block = |index: usize| -> Result<Block> {
            let at = format!("encoder.layer.{index}");
            let qkv = ["query", "key", "value"].map(|part| format!("{at}.attention.self.{part}"));
            let dense = |name: &str, out, width| Dense::read(weights, &format!("{at}.{name}"), out, width, device);
            let norm = |name: &str| Norm::read(weights, &format!("{at}.{name}"), settings, device);
            Ok(Block {
                qkv: Dense::joined(weights, &qkv, d, d, device)?,
                out: dense("attention.output.dense", d, d)?,
                attention_norm: norm("attention.output.LayerNorm")?,
                up: dense("intermediate.dense", m, d)?,
                down: dense("output.dense", d, m)?,
                norm: norm("output.LayerNorm")?,
            })
        };
        let wrong = |what| Error::Config { place: weights.place(), what };
        Ok(Self {
            words: table("word", settings.vocab_size)?,
            positions,
            norm: Norm::read(weights, "embeddings.LayerNorm", settings, device)?,
            blocks: (0..settings.num_hidden_layers).map(block).collect::<Result<_>>()?,
            heads: settings.num_attention_heads,
            activation: settings.activation().map_err(wrong)?,
        })
    }

    /// The hidden states `[B, T, d]` of token ids `[B, T]`; `mask` `[B, T]` is 1 where there is a token and 0 where there is
    /// padding.
    pub fn forward(&self, ids: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let (texts, length) = ids.dims2()?;
        let d = self.words.dim(1)?;
        let words = self.words.index_select(&ids.flatten_all()?, 0)?.reshape((texts, length, d))?;
        let x = words.broadcast_add(&self.positions.narrow(0, 0, length)?)?;
        let mut x = self.norm.apply(&x.reshape((texts * length, d))?)?;
        // No text is without a token, so that no row of scores is all minus infinity.
        let hidden = mask.affine(1e9, -1e9)?.reshape((texts, 1, 1, length))?;
        for block in &self.blocks {
            let mixed = self.attend(&block.qkv.apply(&x)?, &hidden, texts, length, d)?;
            x = block.attention_norm.apply(&(x + block.out.apply(&mixed)?)?)?;
            let up = block.up.apply(&x)?;
            let bent = match self.activation {
                Activation::Gelu => up.gelu_erf()?,
                Activation::GeluTanh => up.gelu()?,
                Activation::Relu => up.relu()?,
            };
            x = block.norm.apply(&(x + block.down.apply(&bent)?)?)?;
        }
        Ok(x.reshape((texts, length, d))?)
    }

    fn attend(&self, qkv: &Tensor, hidden: &Tensor, texts: usize, length: usize, d: usize) -> Result<Tensor> {
        let width = d / self.heads;
        // [B, T, 3, H, w] to three times [B, H, T, w].
        let parts = qkv.reshape((texts, length, 3, self.heads, width))?;
        let part = |index: usize| parts.narrow(2, index, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let queries = (part(0)? * (width as f64).powf(-0.5))?;
        let scores = queries.matmul(&part(1)?.transpose(D::Minus1, D::Minus2)?)?.broadcast_add(hidden)?;
        let mixed = softmax_last_dim(&scores)?.matmul(&part(2)?)?;
        Ok(mixed.transpose(1, 2)?.reshape((texts * length, d))?)
    }
}
