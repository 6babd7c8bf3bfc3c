//! From named tensors to blocks: joins queries, keys and values, and gate and up, so that each is one product.

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::matrix::{Linear, Matrix};
use super::norm::Normal;
use super::{Block, Parts};
use crate::config::{Config, Family, Norm};
use crate::kernels::{Panels, Scoring, Shape};
use crate::weights::{Stored, Weights};
use crate::{Error, Result};

/// The precision in which weights are kept and multiplied. Activations are always in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Quantised weights stay as they are where the processor multiplies them; everything else as [`F32`](Self::F32).
    #[default]
    AsStored,
    /// Single precision. The processor keeps weights that bfloat16 holds without loss in half the room, which changes no
    /// bit of a result and is about twice as fast to decode with.
    F32,
    /// bfloat16: half the memory, about three digits.
    Bf16,
}

/// Reads tensors of one model.
struct Loader<'a> {
    config: &'a Config,
    weights: &'a dyn Weights,
    precision: Precision,
    device: &'a Device,
}

/// Reads all of a model.
pub(super) fn load(config: &Config, weights: &dyn Weights, precision: Precision, device: &Device) -> Result<Parts> {
    let loader = Loader { config, weights, precision, device };
    let (d, vocabulary) = (config.d_model, config.vocabulary);
    let gpt2 = config.family == Family::Gpt2;
    let embedding = loader.matrix(&[(if gpt2 { "wte.weight" } else { "embed_tokens.weight" }, vocabulary)], d)?;
    let positions = if gpt2 { Some(loader.tensor("wpe.weight", &[config.context, d])?) } else { None };
    let head = if config.tied { None } else { Some(loader.matrix(&[("lm_head.weight", vocabulary)], d)?) };
    let final_norm = loader.norm(if gpt2 { "ln_f" } else { "norm" }, d)?;
    let blocks = (0..config.depth()).map(|block| loader.block(block)).collect::<Result<_>>()?;
    Ok(Parts { embedding, positions, head, final_norm, blocks })
}

impl Loader<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.weights.numbers(name, shape)?, shape, self.device)?)
    }

    fn norm(&self, name: &str, width: usize) -> Result<Normal> {
        let mut weight = self.weights.numbers(&format!("{name}.weight"), &[width])?;
        if self.config.norm == Norm::RmsPlusOne {
            for weight in &mut weight {
                *weight += 1.0;
            }
        }
        let weight = Tensor::from_vec(weight, width, self.device)?;
        let bias = match self.config.norm {
            Norm::Layer => Some(self.tensor(&format!("{name}.bias"), &[width])?),
            Norm::Rms | Norm::RmsPlusOne => None,
        };
        Ok(Normal { weight, bias, epsilon: self.config.norm_epsilon })
    }

    /// Some matrices `[height, width]`, one below the other.
    fn matrix(&self, parts: &[(&str, usize)], width: usize) -> Result<Matrix> {
        let height: usize = parts.iter().map(|(_, height)| height).sum();
        if let Some(packed) = self.packed(parts, width)? {
            return Ok(Matrix::Panels(packed));
        }
        let mut numbers = Vec::with_capacity(height * width);
        for &(name, height) in parts {
            numbers.extend(self.weights.numbers(name, &[height, width])?);
        }
        self.dense(numbers, height, width)
    }

    fn dense(&self, numbers: Vec<f32>, height: usize, width: usize) -> Result<Matrix> {
        let half = self.precision == Precision::Bf16;
        if self.device.is_cpu() {
            let make = if half { Panels::half } else { Panels::exact };
            return Ok(Matrix::Panels(make(&numbers, height, width)));
        }
        let tensor = Tensor::from_vec(numbers, (height, width), &Device::Cpu)?;
        let kind = if half { DType::BF16 } else { DType::F32 };
        Ok(Matrix::Dense(tensor.to_dtype(kind)?.to_device(self.device)?))
    }

    /// The same, packed: if the processor is to multiply them and their codes are alike.
    fn packed(&self, parts: &[(&str, usize)], width: usize) -> Result<Option<Panels>> {
        if self.precision != Precision::AsStored || !self.device.is_cpu() {
            return Ok(None);
        }
        let mut all = Vec::with_capacity(parts.len());
        for &(name, height) in parts {
            self.weights.expect(name, &[height, width])?;
            let Stored::Blocks(kind, bytes) = self.weights.read(name)? else { return Ok(None) };
            if !kind.finite(&bytes) {
                return Err(Error::NotFinite { name: name.to_owned(), place: self.weights.place() });
            }
            all.push((kind, bytes, height));
        }
        Ok(Panels::packed(&all, width))
    }

    fn bias(&self, names: &[(String, usize)], present: bool) -> Result<Option<Tensor>> {
        if !present {
            return Ok(None);
        }
        let mut numbers = Vec::new();
        for (name, width) in names {
            numbers.extend(self.weights.numbers(&format!("{name}.bias"), &[*width])?);
        }
        let width = numbers.len();
        Ok(Some(Tensor::from_vec(numbers, width, self.device)?))
    }

    /// A layer made of some layers with the same input.
    fn linear(&self, prefix: &str, parts: &[(&str, usize)], width: usize, bias: bool) -> Result<Linear> {
        let names: Vec<_> = parts.iter().map(|(name, height)| (format!("{prefix}{name}"), *height)).collect();
        let weights: Vec<_> = names.iter().map(|(name, height)| (format!("{name}.weight"), *height)).collect();
        let weights: Vec<_> = weights.iter().map(|(name, height)| (name.as_str(), *height)).collect();
        Ok(Linear { matrix: self.matrix(&weights, width)?, bias: self.bias(&names, bias)? })
    }

    /// A GPT-2 layer, stored input first in its own checkpoints.
    fn conv1d(&self, name: &str, height: usize, width: usize) -> Result<Linear> {
        if !self.weights.input_first() {
            return self.linear("", &[(name, height)], width, true);
        }
        let stored = self.weights.numbers(&format!("{name}.weight"), &[width, height])?;
        let turned = Tensor::from_vec(stored, (width, height), &Device::Cpu)?.t()?.flatten_all()?.to_vec1()?;
        let bias = self.bias(&[(name.to_owned(), height)], true)?;
        Ok(Linear { matrix: self.dense(turned, height, width)?, bias })
    }

    fn block(&self, index: usize) -> Result<Block> {
        let config = self.config;
        let (d, m, d_q, d_kv) = (config.d_model, config.d_mlp, config.d_q(), config.d_kv());
        let kind = config.blocks[index];
        let heads = Shape { queries: config.heads, keys: config.kv_heads, width: config.head_dim };
        let scoring = Scoring {
            scale: config.attention_scale as f32,
            cap: config.attention_cap.map(|cap| cap as f32),
            window: kind.window,
        };
        if config.family == Family::Gpt2 {
            let at = format!("h.{index}");
            return Ok(Block {
                attention_norm: self.norm(&format!("{at}.ln_1"), d)?,
                qkv: self.conv1d(&format!("{at}.attn.c_attn"), d_q + 2 * d_kv, d)?,
                qk_norms: None,
                out: self.conv1d(&format!("{at}.attn.c_proj"), d, d_q)?,
                attention_after: None,
                mlp_norm: self.norm(&format!("{at}.ln_2"), d)?,
                up: self.conv1d(&format!("{at}.mlp.c_fc"), m, d)?,
                down: self.conv1d(&format!("{at}.mlp.c_proj"), d, m)?,
                mlp_after: None,
                heads,
                scoring,
                rope: None,
            });
        }
        let at = format!("layers.{index}.");
        let norm = |name: &str, width: usize| self.norm(&format!("{at}{name}"), width);
        let after = |name: &str| if config.sandwich { norm(name, d).map(Some) } else { Ok(None) };
        let qk_norms = if config.qk_norm {
            let norm = |name: &str| norm(name, config.head_dim);
            Some((norm("self_attn.q_norm")?, norm("self_attn.k_norm")?))
        } else {
            None
        };
        let qkv = [("self_attn.q_proj", d_q), ("self_attn.k_proj", d_kv), ("self_attn.v_proj", d_kv)];
        let up = [("mlp.gate_proj", m), ("mlp.up_proj", m)];
        Ok(Block {
            attention_norm: norm("input_layernorm", d)?,
            qkv: self.linear(&at, &qkv, d, config.qkv_bias)?,
            qk_norms,
            out: self.linear(&at, &[("self_attn.o_proj", d)], d_q, config.out_bias)?,
            attention_after: after("post_attention_layernorm")?,
            mlp_norm: norm(if config.sandwich { "pre_feedforward_layernorm" } else { "post_attention_layernorm" }, d)?,
            up: self.linear(&at, &up, d, config.mlp_bias)?,
            down: self.linear(&at, &[("mlp.down_proj", d)], m, config.mlp_bias)?,
            mlp_after: after("post_feedforward_layernorm")?,
            heads,
            scoring,
            rope: kind.rope,
        })
    }
}
