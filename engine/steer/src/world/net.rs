//! The world's language model while it is trained: a small Llama in steps that have a gradient.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor, Var};
use plumb_core::random::Random;
use plumb_nn::params::Params;
use plumb_nn::random;

use super::words::{BOS, EOS, vocabulary_size};
use crate::{Result, SteerError};

/// Sizes of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetSizes {
    /// Width of the residual stream.
    pub d: usize,
    /// Blocks.
    pub blocks: usize,
    /// Attention heads; they divide `d` into even parts.
    pub heads: usize,
    /// Width of the MLP.
    pub mlp: usize,
    /// Longest text.
    pub context: usize,
}

impl Default for NetSizes {
    fn default() -> Self {
        Self { d: 64, blocks: 3, heads: 4, mlp: 128, context: 48 }
    }
}

const ROPE_BASE: f64 = 10_000.0;
const EPSILON: f64 = 1e-5;
/// Added to scores of positions that must not be seen.
const HIDDEN: f64 = -1e9;

/// The trained tensors, named as in a Hugging Face checkpoint without the leading `model.`.
#[derive(Clone, Debug)]
pub struct Net {
    sizes: NetSizes,
    params: Params,
}

impl Net {
    /// New weights: normal with deviation 0.02, those that write into the stream smaller by √(2 · blocks), norms one.
    pub fn new(sizes: NetSizes, seed: u64, dtype: DType, device: &Device) -> Result<Self> {
        let NetSizes { d, blocks, heads, mlp, .. } = sizes;
        if heads == 0 || blocks == 0 || !d.is_multiple_of(2 * heads) {
            return Err(SteerError::Spec(format!("{heads} heads do not divide a width of {d} into even parts")));
        }
        let mut draw = Random::new(seed, "world weights");
        let mut params = Params::new(dtype, device);
        let write = 0.02 / (2.0 * blocks as f64).sqrt();
        let mut add = |name: String, shape: (usize, usize), deviation: f64| -> Result<()> {
            params.add(&name, &random::normal(&mut draw, 0.0, deviation, shape, dtype, device)?)?;
            Ok(())
        };
        add("embed_tokens.weight".to_owned(), (vocabulary_size(), d), 0.02)?;
        for block in 0..blocks {
            let at = format!("layers.{block}.");
            for name in ["q", "k", "v"] {
                add(format!("{at}self_attn.{name}_proj.weight"), (d, d), 0.05)?;
            }
            add(format!("{at}self_attn.o_proj.weight"), (d, d), write)?;
            add(format!("{at}mlp.gate_proj.weight"), (mlp, d), 0.05)?;
            add(format!("{at}mlp.up_proj.weight"), (mlp, d), 0.05)?;
            add(format!("{at}mlp.down_proj.weight"), (d, mlp), write)?;
        }
        let ones = Tensor::ones(d, dtype, device)?;
        for block in 0..blocks {
            params.add(&format!("layers.{block}.input_layernorm.weight"), &ones)?;
            params.add(&format!("layers.{block}.post_attention_layernorm.weight"), &ones)?;
        }
        params.add("norm.weight", &ones)?;
        Ok(Self { sizes, params })
    }

    /// Its tensors in the order in which they were made.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Its tensors by name, as a language model takes them.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.params.entries().iter().map(|p| (p.name.clone(), p.var.as_detached_tensor())).collect()
    }

    /// Its `config.json`.
    pub fn config_json(&self) -> String {
        let NetSizes { d, blocks, heads, mlp, context } = self.sizes;
        let json = serde_json::json!({
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": vocabulary_size(),
            "hidden_size": d, "intermediate_size": mlp, "num_hidden_layers": blocks, "num_attention_heads": heads,
            "num_key_value_heads": heads, "head_dim": d / heads, "max_position_embeddings": context,
            "hidden_act": "silu", "rms_norm_eps": EPSILON, "rope_theta": ROPE_BASE, "attention_bias": false,
            "mlp_bias": false, "tie_word_embeddings": true, "bos_token_id": BOS, "eos_token_id": EOS,
            "torch_dtype": "float16"
        });
        format!("{json:#}\n")
    }

    fn get(&self, name: &str) -> Result<&Var> {
        Ok(self.params.get(name)?)
    }

    /// Logits `[B, T, V]` of texts of equal length, `B · T` tokens one text after the other.
    pub fn logits(&self, tokens: &[u32], texts: usize) -> Result<Tensor> {
        Ok(self.run(tokens, texts)?.0)
    }

    /// Logits, and the mean square of the stream's entries after each block but the last, added up.
    fn run(&self, tokens: &[u32], texts: usize) -> Result<(Tensor, Tensor)> {
        let NetSizes { d, blocks, heads, .. } = self.sizes;
        let (device, dtype) = (self.params.device(), self.params.dtype());
        let length = tokens.len() / texts;
        let embedding = self.get("embed_tokens.weight")?;
        let mut x = embedding.index_select(&Tensor::new(tokens, device)?, 0)?;
        let (cos, sin) = angles(length, d / heads, dtype, device)?;
        let mask: Vec<f64> =
            (0..length).flat_map(|t| (0..length).map(move |s| if s > t { HIDDEN } else { 0.0 })).collect();
        let mask = Tensor::from_vec(mask, (length, length), device)?.to_dtype(dtype)?;
        let mut size = Tensor::zeros((), dtype, device)?;
        for block in 0..blocks {
            let at = format!("layers.{block}.");
            let weight = |name: &str| self.get(&format!("{at}{name}.weight"));
            let y = rms_norm(&x, weight("input_layernorm")?)?;
            let split = |name: &str| -> Result<Tensor> {
                let rows = y.matmul(&weight(name)?.t()?)?;
                Ok(rows.reshape((texts, length, heads, d / heads))?.transpose(1, 2)?.contiguous()?)
            };
            let q = rotate(&split("self_attn.q_proj")?, &cos, &sin)?;
            let k = rotate(&split("self_attn.k_proj")?, &cos, &sin)?;
            let v = split("self_attn.v_proj")?;
            let scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? / ((d / heads) as f64).sqrt())?;
            let scores = scores.broadcast_add(&mask)?;
            let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
            let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
            let mixed = weights.matmul(&v)?.transpose(1, 2)?.contiguous()?.reshape((texts * length, d))?;
            x = (x + mixed.matmul(&weight("self_attn.o_proj")?.t()?)?)?;
            let y = rms_norm(&x, weight("post_attention_layernorm")?)?;
            let gate = y.matmul(&weight("mlp.gate_proj")?.t()?)?.silu()?;
            let up = y.matmul(&weight("mlp.up_proj")?.t()?)?;
            x = (x + (gate * up)?.matmul(&weight("mlp.down_proj")?.t()?)?)?;
            if block + 1 < blocks {
                size = (size + x.sqr()?.mean_all()?)?;
            }
        }
        let normal = rms_norm(&x, self.get("norm.weight")?)?;
        Ok((normal.matmul(&embedding.t()?)?.reshape((texts, length, ()))?, size))
    }

    /// Mean negative log-probability of every token that follows another one, in nats, and `stream` times the size of
    /// the residual stream.
    ///
    /// Every block normalises what it reads, so nothing else keeps the stream short; without the second term one
    /// direction of it (whether a sentence has ended) comes to hold most of its variance.
    pub fn loss(&self, tokens: &[u32], texts: usize, stream: f64) -> Result<[Tensor; 2]> {
        let length = tokens.len() / texts;
        let (logits, size) = self.run(tokens, texts)?;
        let logits = logits.narrow(1, 0, length - 1)?.contiguous()?;
        let logits = logits.reshape((texts * (length - 1), ()))?;
        let next: Vec<u32> = tokens.chunks_exact(length).flat_map(|text| &text[1..]).copied().collect();
        let next = Tensor::new(next, self.params.device())?.unsqueeze(1)?;
        let largest = logits.max_keepdim(1)?.detach();
        let sums = logits.broadcast_sub(&largest)?.exp()?.sum_keepdim(1)?.log()?;
        let surprise = ((sums + largest)? - logits.gather(&next, 1)?)?.mean_all()?;
        let whole = (&surprise + (size * stream)?)?;
        Ok([surprise, whole])
    }
}

fn rms_norm(x: &Tensor, weight: &Var) -> Result<Tensor> {
    let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + EPSILON)?.sqrt()?.recip()?;
    Ok(x.broadcast_mul(&scale)?.broadcast_mul(weight)?)
}

/// Cosines and sines `[T, width / 2]` of rotary positions.
fn angles(length: usize, width: usize, dtype: DType, device: &Device) -> Result<(Tensor, Tensor)> {
    let half = width / 2;
    let angle = |t: usize, i: usize| t as f64 * ROPE_BASE.powf(-(i as f64) / half as f64);
    let table = |of: fn(f64) -> f64| -> Result<Tensor> {
        let values: Vec<f64> = (0..length).flat_map(|t| (0..half).map(move |i| of(angle(t, i)))).collect();
        Ok(Tensor::from_vec(values, (length, half), device)?.to_dtype(dtype)?)
    };
    Ok((table(f64::cos)?, table(f64::sin)?))
}

/// Rotates `(x_i, x_{i + half})` of every head `[B, H, T, width]`.
fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let (a, b) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
    let first = (a.broadcast_mul(cos)? - b.broadcast_mul(sin)?)?;
    let second = (b.broadcast_mul(cos)? + a.broadcast_mul(sin)?)?;
    Ok(Tensor::cat(&[first, second], D::Minus1)?)
}
