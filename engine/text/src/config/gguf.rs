//! A GGUF file's settings as a configuration.

use std::collections::HashMap;

use candle_core::quantized::gguf_file::Value;

use super::{Activation, BlockKind, Config, Family, Norm, Rope, RopeScaling};

/// The settings of a GGUF file.
pub(crate) type Settings = HashMap<String, Value>;

/// A whole number of any width.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::U8(v) => Some(u64::from(*v)),
        Value::U16(v) => Some(u64::from(*v)),
        Value::U32(v) => Some(u64::from(*v)),
        Value::U64(v) => Some(*v),
        Value::I8(v) => u64::try_from(*v).ok(),
        Value::I16(v) => u64::try_from(*v).ok(),
        Value::I32(v) => u64::try_from(*v).ok(),
        Value::I64(v) => u64::try_from(*v).ok(),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::F32(v) => Some(f64::from(*v)),
        Value::F64(v) => Some(*v),
        other => whole(other).map(|v| v as f64),
    }
}

impl Config {
    /// Reads the settings of a GGUF file. `vocabulary` is the height of its embedding, `tied` whether it has no
    /// matrix of its own for the output, `qkv_bias` whether its first block has biases there.
    pub(crate) fn from_gguf(
        settings: &Settings,
        vocabulary: usize,
        tied: bool,
        qkv_bias: bool,
    ) -> Result<Self, String> {
        let architecture = match settings.get("general.architecture") {
            Some(Value::String(name)) => name.as_str(),
            _ => return Err("“general.architecture” is missing".to_owned()),
        };
        let family = match architecture {
            "gpt2" => Family::Gpt2,
            "llama" | "qwen2" => Family::Llama,
            "gemma2" => Family::Gemma2,
            "gemma3" => Family::Gemma3,
            other => {
                return Err(format!(
                    "models of type “{other}” are not known; there is gpt2, llama, qwen2, gemma2, gemma3"
                ));
            }
        };
        let size = |name: &str| {
            let key = format!("{architecture}.{name}");
            settings.get(&key).and_then(whole).map(|size| size as usize)
        };
        let needed = |name: &str| size(name).ok_or_else(|| format!("“{architecture}.{name}” is missing"));
        let real = |name: &str| settings.get(&format!("{architecture}.{name}")).and_then(number);
        let token = |name: &str| {
            let id = settings.get(&format!("tokenizer.ggml.{name}_token_id")).and_then(whole)?;
            u32::try_from(id).ok().filter(|&id| (id as usize) < vocabulary)
        };

        let (d_model, heads) = (needed("embedding_length")?, needed("attention.head_count")?.max(1));
        let head_dim = size("attention.key_length").unwrap_or(d_model / heads);
        let depth = needed("block_count")?.min(1 << 16);
        let gpt2 = family == Family::Gpt2;
        let gemma = matches!(family, Family::Gemma2 | Family::Gemma3);
        let base = real("rope.freq_base").unwrap_or(if family == Family::Gemma3 { 1e6 } else { 1e4 });
        let scaling = match real("rope.scaling.factor") {
            Some(factor) if factor != 1.0 => RopeScaling::Linear(factor),
            _ => RopeScaling::None,
        };
        let global = Rope { base, scaling };
        let local = if family == Family::Gemma3 { Rope::plain(1e4) } else { global };
        let window = size("attention.sliding_window");
        let block = |index: usize| {
            let windowed = match family {
                Family::Gemma2 => index.is_multiple_of(2),
                Family::Gemma3 => !(index + 1).is_multiple_of(6),
                Family::Gpt2 | Family::Llama => false,
            };
            let window = window.filter(|_| windowed);
            let rope = if window.is_some() { local } else { global };
            BlockKind { window, rope: (!gpt2).then_some(rope) }
        };
        let epsilon = if gpt2 { "attention.layer_norm_epsilon" } else { "attention.layer_norm_rms_epsilon" };
        // The 27B models divide by the width per head; the others by the head's own width.
        let scale = if gemma && depth == 46 { d_model as f64 / heads as f64 } else { head_dim as f64 };
        let config = Self {
            family,
            vocabulary,
            d_model,
            d_mlp: needed("feed_forward_length")?,
            heads,
            kv_heads: size("attention.head_count_kv").unwrap_or(heads).max(1),
            head_dim,
            context: needed("context_length")?,
            blocks: (0..depth).map(block).collect(),
            // The one of Gemma's norms is already in the file's weights.
            norm: if gpt2 { Norm::Layer } else { Norm::Rms },
            norm_epsilon: real(epsilon).unwrap_or(1e-5),
            activation: if gpt2 || gemma { Activation::GeluTanh } else { Activation::Silu },
            gated: !gpt2,
            qkv_bias,
            out_bias: gpt2,
            mlp_bias: gpt2,
            sandwich: gemma,
            qk_norm: family == Family::Gemma3,
            attention_scale: scale.powf(-0.5),
            attention_cap: real("attn_logit_softcapping"),
            final_cap: real("final_logit_softcapping"),
            embedding_scale: gemma.then(|| (d_model as f64).sqrt()),
            tied,
            bos: token("bos"),
            eos: token("eos").into_iter().chain(token("eot")).collect(),
        };
        config.check()?;
        Ok(config)
    }
}
