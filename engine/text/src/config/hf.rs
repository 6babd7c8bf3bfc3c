//! `config.json` of Hugging Face folders, as older and newer versions of transformers write it.

use serde_json::{Map, Value};

use super::{Activation, BlockKind, Config, Family, Norm, Rope, RopeScaling};
use crate::{Error, Result};

/// Reads values of one JSON object; a value of the wrong kind is an error, a missing or null one is not.
struct Fields<'a>(&'a Map<String, Value>);

type Text<T> = Result<T, String>;

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn typed<T>(&self, name: &str, kind: &str, read: impl Fn(&'a Value) -> Option<T>) -> Text<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| format!("“{name}” is {value}, not {kind}"))
    }

    fn size(&self, name: &str) -> Text<Option<usize>> {
        self.typed(name, "a whole number", |value| value.as_u64().map(|n| n as usize))
    }

    fn number(&self, name: &str) -> Text<Option<f64>> {
        self.typed(name, "a number", Value::as_f64)
    }

    fn flag(&self, name: &str, otherwise: bool) -> Text<bool> {
        Ok(self.typed(name, "true or false", Value::as_bool)?.unwrap_or(otherwise))
    }

    fn text(&self, name: &str) -> Text<Option<&'a str>> {
        self.typed(name, "a text", Value::as_str)
    }

    fn object(&self, name: &str) -> Text<Option<Fields<'a>>> {
        Ok(self.typed(name, "an object", Value::as_object)?.map(Fields))
    }

    fn needed(&self, name: &str) -> Text<usize> {
        self.size(name)?.ok_or_else(|| format!("“{name}” is missing"))
    }

    /// One token or a list of them; ids past the vocabulary (as tiny test models have) are no tokens.
    fn tokens(&self, name: &str, vocabulary: usize) -> Vec<u32> {
        let ids = match self.get(name) {
            Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_u64).collect(),
            Some(value) => value.as_u64().into_iter().collect::<Vec<_>>(),
            None => Vec::new(),
        };
        ids.into_iter().filter(|&id| (id as usize) < vocabulary).map(|id| id as u32).collect()
    }

    fn activation(&self, names: &[&str], usual: Activation) -> Text<Activation> {
        for name in names {
            if let Some(text) = self.text(name)? {
                return match text {
                    "gelu_new" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
                    "silu" | "swish" => Ok(Activation::Silu),
                    "relu" => Ok(Activation::Relu),
                    other => Err(format!(
                        "the activation “{other}” is not known; there is gelu_new, gelu_pytorch_tanh, silu, relu"
                    )),
                };
            }
        }
        Ok(usual)
    }

    /// Rotary settings of this object: `rope_theta` beside `rope_type` in the newer form.
    fn rope(&self, base: f64) -> Text<Rope> {
        let base = self.number("rope_theta")?.unwrap_or(base);
        let kind = self.text("rope_type")?.or(self.text("type")?).unwrap_or("default");
        let factor = || -> Text<f64> {
            self.number("factor")?.ok_or_else(|| format!("“factor” of the {kind} rope is missing"))
        };
        let scaling = match kind {
            "default" => RopeScaling::None,
            "linear" => RopeScaling::Linear(factor()?),
            "llama3" => RopeScaling::Llama3 {
                factor: factor()?,
                low: self.number("low_freq_factor")?.unwrap_or(1.0),
                high: self.number("high_freq_factor")?.unwrap_or(4.0),
                original: self.number("original_max_position_embeddings")?.unwrap_or(8192.0),
            },
            other => {
                return Err(format!(
                    "rotary positions of kind “{other}” are not known; there is default, linear, llama3"
                ));
            }
        };
        Ok(Rope { base, scaling })
    }
}

impl Config {
    /// Reads a `config.json`; `place` names it in errors.
    pub fn from_hf(json: &str, place: &str) -> Result<Self> {
        let wrong = |what: String| Error::Config { place: place.to_owned(), what };
        let value: Value = serde_json::from_str(json).map_err(|error| wrong(format!("this is not JSON: {error}")))?;
        let top = value.as_object().ok_or_else(|| wrong("a JSON object is expected".to_owned()))?;
        // Models that also see pictures keep the text model's settings one level down.
        let fields = match top.get("text_config").and_then(Value::as_object) {
            Some(inner) => Fields(inner),
            None => Fields(top),
        };
        let read = || {
            let kind = fields.text("model_type")?.or(Fields(top).text("model_type")?).unwrap_or("none");
            let config = match kind {
                "gpt2" => gpt2(&fields),
                "llama" | "mistral" | "qwen2" => llama(&fields, kind),
                "gemma2" => gemma(&fields, Family::Gemma2),
                "gemma3" | "gemma3_text" => gemma(&fields, Family::Gemma3),
                other => Err(format!(
                    "models of type “{other}” are not known; there is gpt2, llama, mistral, qwen2, gemma2, gemma3"
                )),
            }?;
            config.check()?;
            Ok(config)
        };
        read().map_err(wrong)
    }
}

fn gpt2(fields: &Fields<'_>) -> Text<Config> {
    if fields.flag("scale_attn_by_inverse_layer_idx", false)? {
        return Err("attention scaled by the block's number is not supported".to_owned());
    }
    let (d_model, heads) = (fields.needed("n_embd")?, fields.needed("n_head")?);
    if heads == 0 || !d_model.is_multiple_of(heads) {
        return Err(format!("“n_head” {heads} does not divide “n_embd” {d_model}"));
    }
    let vocabulary = fields.needed("vocab_size")?;
    let head_dim = d_model / heads;
    let scaled = fields.flag("scale_attn_weights", true)?;
    Ok(Config {
        family: Family::Gpt2,
        vocabulary,
        d_model,
        d_mlp: fields.size("n_inner")?.unwrap_or(4 * d_model),
        heads,
        kv_heads: heads,
        head_dim,
        context: fields.size("n_positions")?.or(fields.size("n_ctx")?).unwrap_or(1024),
        blocks: vec![BlockKind { window: None, rope: None }; fields.needed("n_layer")?.min(1 << 16)],
        norm: Norm::Layer,
        norm_epsilon: fields.number("layer_norm_epsilon")?.unwrap_or(1e-5),
        activation: fields.activation(&["activation_function"], Activation::GeluTanh)?,
        gated: false,
        qkv_bias: true,
        out_bias: true,
        mlp_bias: true,
        sandwich: false,
        qk_norm: false,
        attention_scale: if scaled { 1.0 / (head_dim as f64).sqrt() } else { 1.0 },
        attention_cap: None,
        final_cap: None,
        embedding_scale: None,
        tied: fields.flag("tie_word_embeddings", true)?,
        bos: fields.tokens("bos_token_id", vocabulary).first().copied(),
        eos: fields.tokens("eos_token_id", vocabulary),
    })
}

fn llama(fields: &Fields<'_>, kind: &str) -> Text<Config> {
    let (d_model, heads) = (fields.needed("hidden_size")?, fields.needed("num_attention_heads")?.max(1));
    let head_dim = fields.size("head_dim")?.unwrap_or(d_model / heads);
    let vocabulary = fields.needed("vocab_size")?;
    // Newer files have everything in rope_parameters, older ones the base outside and the rest in rope_scaling.
    let base = fields.number("rope_theta")?.unwrap_or(10_000.0);
    let rope = match fields.object("rope_parameters")?.or(fields.object("rope_scaling")?) {
        Some(inner) => inner.rope(base)?,
        None => Rope::plain(base),
    };
    let depth = fields.needed("num_hidden_layers")?.min(1 << 16);
    let windowed = kind == "mistral" || fields.flag("use_sliding_window", false)?;
    let window = fields.size("sliding_window")?.filter(|_| windowed);
    let blocks = windows(fields, depth, window, |_| kind == "mistral")?;
    let attention_bias = fields.flag("attention_bias", kind == "qwen2")?;
    Ok(Config {
        family: Family::Llama,
        vocabulary,
        d_model,
        d_mlp: fields.needed("intermediate_size")?,
        heads,
        kv_heads: fields.size("num_key_value_heads")?.unwrap_or(heads).max(1),
        head_dim,
        context: fields.size("max_position_embeddings")?.unwrap_or(2048),
        blocks: blocks.into_iter().map(|window| BlockKind { window, rope: Some(rope) }).collect(),
        norm: Norm::Rms,
        norm_epsilon: fields.number("rms_norm_eps")?.unwrap_or(1e-6),
        activation: fields.activation(&["hidden_act"], Activation::Silu)?,
        gated: true,
        qkv_bias: attention_bias,
        out_bias: attention_bias && kind != "qwen2",
        mlp_bias: fields.flag("mlp_bias", false)?,
        sandwich: false,
        qk_norm: false,
        attention_scale: 1.0 / (head_dim as f64).sqrt(),
        attention_cap: None,
        final_cap: None,
        embedding_scale: None,
        tied: fields.flag("tie_word_embeddings", false)?,
        bos: fields.tokens("bos_token_id", vocabulary).first().copied(),
        eos: fields.tokens("eos_token_id", vocabulary),
    })
}

fn gemma(fields: &Fields<'_>, family: Family) -> Text<Config> {
    let third = family == Family::Gemma3;
    let d_model = fields.size("hidden_size")?.unwrap_or(2304);
    let head_dim = fields.size("head_dim")?.unwrap_or(256);
    let vocabulary = fields.size("vocab_size")?.unwrap_or(if third { 262_208 } else { 256_000 });
    let depth = fields.size("num_hidden_layers")?.unwrap_or(26).min(1 << 16);
    let window = Some(fields.size("sliding_window")?.unwrap_or(4096));
    let pattern =
        fields.size("sliding_window_pattern")?.or(fields.size("_sliding_window_pattern")?).unwrap_or(6).max(1);
    let local = |block: usize| if third { !(block + 1).is_multiple_of(pattern) } else { block.is_multiple_of(2) };
    let windows = windows(fields, depth, window, local)?;

    let base = fields.number("rope_theta")?.unwrap_or(if third { 1e6 } else { 1e4 });
    let local_base = if third { fields.number("rope_local_base_freq")?.unwrap_or(1e4) } else { base };
    let (global, local) = match fields.object("rope_parameters")? {
        Some(inner) => match (inner.object("full_attention")?, inner.object("sliding_attention")?) {
            (Some(full), Some(sliding)) => (full.rope(base)?, sliding.rope(local_base)?),
            _ => (inner.rope(base)?, if third { Rope::plain(local_base) } else { inner.rope(base)? }),
        },
        None => match fields.object("rope_scaling")? {
            Some(scaling) => (scaling.rope(base)?, Rope::plain(local_base)),
            None => (Rope::plain(base), Rope::plain(local_base)),
        },
    };
    let rope = |window: Option<usize>| if window.is_some() { local } else { global };
    let blocks = windows.into_iter().map(|window| BlockKind { window, rope: Some(rope(window)) }).collect();
    let scalar = fields.number("query_pre_attn_scalar")?.unwrap_or(256.0);
    if scalar <= 0.0 || scalar.is_nan() {
        return Err(format!("“query_pre_attn_scalar” is {scalar}, which is not positive"));
    }
    let (attention_cap, final_cap) = if third { (None, None) } else { (Some(50.0), Some(30.0)) };
    let cap = |name: &str, usual: Option<f64>| -> Text<Option<f64>> {
        // Null switches a cap off; a missing field means the usual one.
        if fields.0.contains_key(name) { fields.number(name) } else { Ok(usual) }
    };
    let attention_bias = fields.flag("attention_bias", false)?;
    Ok(Config {
        family,
        vocabulary,
        d_model,
        d_mlp: fields.size("intermediate_size")?.unwrap_or(9216),
        heads: fields.size("num_attention_heads")?.unwrap_or(8),
        kv_heads: fields.size("num_key_value_heads")?.unwrap_or(4).max(1),
        head_dim,
        context: fields.size("max_position_embeddings")?.unwrap_or(if third { 131_072 } else { 8192 }),
        blocks,
        norm: Norm::RmsPlusOne,
        norm_epsilon: fields.number("rms_norm_eps")?.unwrap_or(1e-6),
        activation: fields.activation(&["hidden_activation", "hidden_act"], Activation::GeluTanh)?,
        gated: true,
        qkv_bias: attention_bias,
        out_bias: attention_bias,
        mlp_bias: false,
        sandwich: true,
        qk_norm: third,
        attention_scale: scalar.powf(-0.5),
        attention_cap: cap("attn_logit_softcapping", attention_cap)?,
        final_cap: cap("final_logit_softcapping", final_cap)?,
        embedding_scale: Some((d_model as f64).sqrt()),
        tied: fields.flag("tie_word_embeddings", true)?,
        bos: fields.tokens("bos_token_id", vocabulary).first().copied().or(Some(2)),
        eos: fields.tokens("eos_token_id", vocabulary),
    })
}

/// The window of every block: by `layer_types` where the file has it, else by `local`.
fn windows(
    fields: &Fields<'_>,
    depth: usize,
    window: Option<usize>,
    local: impl Fn(usize) -> bool,
) -> Text<Vec<Option<usize>>> {
    let Some(kinds) = fields.typed("layer_types", "a list", Value::as_array)? else {
        return Ok((0..depth).map(|block| window.filter(|_| local(block))).collect());
    };
    if kinds.len() != depth {
        return Err(format!("“layer_types” has {} entries for {depth} blocks", kinds.len()));
    }
    let kind = |value: &Value| match value.as_str() {
        Some("full_attention") => Ok(None),
        Some("sliding_attention") => Ok(window),
        _ => Err(format!("“layer_types” contains {value}; there is full_attention and sliding_attention")),
    };
    kinds.iter().map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Config> {
        Config::from_hf(json, "config.json")
    }

    #[test]
    fn older_and_newer_forms_say_the_same() {
        let sizes = r#""hidden_size": 24, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 8, "intermediate_size": 40, "vocab_size": 61, "sliding_window": 4"#;
        let old = format!(r#"{{"model_type": "gemma2", {sizes}, "rope_theta": 500.0, "torch_dtype": "float32"}}"#);
        let new = format!(
            r#"{{"model_type": "gemma2", {sizes}, "rope_parameters": {{"rope_theta": 500.0, "rope_type": "default"}},
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"], "dtype": "float32"}}"#
        );
        let (old, new) = (read(&old).unwrap(), read(&new).unwrap());
        assert_eq!(old, new);
        assert_eq!(old.blocks[0].window, Some(4));
        assert_eq!(old.blocks[1].window, None);
        assert_eq!(old.blocks[1].rope, Some(Rope::plain(500.0)));
        assert_eq!((old.attention_cap, old.final_cap), (Some(50.0), Some(30.0)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, named) in [
            ("[]", "object"),
            ("{", "not JSON"),
            (r#"{"model_type": "bert"}"#, "bert"),
            (r#"{"model_type": "gpt2", "n_embd": 10, "n_head": 3, "n_layer": 1, "vocab_size": 5}"#, "n_head"),
            (r#"{"model_type": "gpt2", "n_embd": "x"}"#, "n_embd"),
            (r#"{"model_type": "llama", "hidden_size": 8, "num_attention_heads": 2}"#, "vocab_size"),
            (r#"{"model_type": "gemma2", "num_attention_heads": 5, "num_key_value_heads": 2}"#, "share"),
        ] {
            let error = read(json).unwrap_err().to_string();
            assert!(error.contains(named), "{json}: {error}");
        }
    }
}
