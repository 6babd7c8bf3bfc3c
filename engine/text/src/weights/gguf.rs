//! GGUF files: other names, quantised blocks, and Llama's queries and keys in another order.

use std::io::BufReader;
use std::path::Path;

use candle_core::quantized::gguf_file;
use plumb_nn::checkpoint::{Checkpoint, StoredType};

use super::{Stored, Weights};
use crate::config::gguf::{Settings, whole};
use crate::kernels::PackedKind;
use crate::{Config, Error, Result};

/// An open GGUF file.
pub(crate) struct Gguf {
    file: Checkpoint,
    settings: Settings,
    llama: bool,
}

impl Gguf {
    /// Opens the file and reads its settings.
    pub fn open(path: &Path) -> Result<Self> {
        // Checks every count and offset, so that the second reader meets a sound file.
        let file = Checkpoint::open(path)?;
        let bad = |reason: String| Error::File { path: path.to_owned(), reason };
        let reader = std::fs::File::open(path).map_err(|error| bad(error.to_string()))?;
        let content = gguf_file::Content::read(&mut BufReader::new(reader)).map_err(|error| bad(error.to_string()))?;
        let settings = content.metadata;
        let llama =
            matches!(settings.get("general.architecture"), Some(gguf_file::Value::String(name)) if name == "llama");
        Ok(Self { file, settings, llama })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The configuration.
    pub fn config(&self) -> Result<Config> {
        let vocabulary = self.file.entry("token_embd.weight").and_then(|entry| entry.shape.first()).copied();
        let tied = self.file.entry("output.weight").is_none();
        let qkv_bias = ["blk.0.attn_q.bias", "blk.0.attn_qkv.bias"].iter().any(|name| self.file.entry(name).is_some());
        Config::from_gguf(&self.settings, vocabulary.unwrap_or(0), tied, qkv_bias)
            .map_err(|what| Error::Config { place: self.place(), what })
    }

    /// Heads whose rows lie interleaved in this tensor.
    fn interleaved(&self, name: &str) -> Option<usize> {
        if !self.llama {
            return None;
        }
        let heads = |key: &str| self.settings.get(key).and_then(whole).map(|heads| heads as usize);
        if name.contains(".q_proj.") {
            heads("llama.attention.head_count")
        } else if name.contains(".k_proj.") {
            heads("llama.attention.head_count_kv").or_else(|| heads("llama.attention.head_count"))
        } else {
            None
        }
    }
}

/// The name in GGUF of a tensor named as in a Hugging Face folder.
fn gguf_name(name: &str) -> Option<String> {
    let whole = match name {
        "embed_tokens.weight" | "wte.weight" => "token_embd.weight",
        "wpe.weight" => "position_embd.weight",
        "norm.weight" | "ln_f.weight" => "output_norm.weight",
        "ln_f.bias" => "output_norm.bias",
        "lm_head.weight" => "output.weight",
        _ => "",
    };
    if !whole.is_empty() {
        return Some(whole.to_owned());
    }
    let rest = name.strip_prefix("layers.").or_else(|| name.strip_prefix("h."))?;
    let (block, part) = rest.split_once('.')?;
    let (part, kind) = part.rsplit_once('.')?;
    let part = match part {
        "input_layernorm" | "ln_1" => "attn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" | "attn.c_proj" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "attn.c_attn" => "attn_qkv",
        "sandwich.post_attention_layernorm" => "post_attention_norm",
        "pre_feedforward_layernorm" | "post_attention_layernorm" | "ln_2" => "ffn_norm",
        "post_feedforward_layernorm" => "post_ffw_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" | "mlp.c_fc" => "ffn_up",
        "mlp.down_proj" | "mlp.c_proj" => "ffn_down",
        _ => return None,
    };
    Some(format!("blk.{block}.{part}.{kind}"))
}

/// Puts the rows of each head from (pair 0, pair 1, …) into (first of every pair, second of every pair).
fn rows_by_half<T: Copy>(rows: &[T], heads: usize, height: usize) -> Vec<T> {
    let width = rows.len() / height;
    let head = height / heads;
    let mut ordered = Vec::with_capacity(rows.len());
    for row in 0..height {
        let (h, within) = (row / head, row % head);
        let (side, pair) = (within / (head / 2), within % (head / 2));
        let from = h * head + 2 * pair + side;
        ordered.extend_from_slice(&rows[from * width..(from + 1) * width]);
    }
    ordered
}

impl Weights for Gguf {
    fn place(&self) -> String {
        self.file.path().display().to_string()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let name = self.full(name)?;
        Some(self.file.entry(&name)?.shape.clone())
    }

    fn read(&self, name: &str) -> Result<Stored> {
        let missing = || Error::MissingTensor { name: name.to_owned(), expected: Vec::new(), place: self.place() };
        let full = self.full(name).ok_or_else(missing)?;
        let entry = self.file.entry(&full).ok_or_else(missing)?;
        let height = entry.shape.first().copied().unwrap_or(1).max(1);
        let heads = self.interleaved(name).filter(|&heads| heads > 0 && height.is_multiple_of(2 * heads));
        let kept = match &entry.dtype {
            StoredType::Quantised(kind) => kept_packed(kind),
            _ => None,
        };
        Ok(if let Some(kind) = kept {
            let bytes = self.file.read_stored(&full)?;
            Stored::Blocks(kind, heads.map_or_else(|| bytes.clone(), |heads| rows_by_half(&bytes, heads, height)))
        } else {
            let numbers = self.file.read_f32(&full)?;
            Stored::Numbers(heads.map_or_else(|| numbers.clone(), |heads| rows_by_half(&numbers, heads, height)))
        })
    }

    fn input_first(&self) -> bool {
        false
    }
}

impl Gguf {
    fn full(&self, name: &str) -> Option<String> {
        // Gemma's norm after attention has the name that Llama gives to the norm before the MLP.
        let sandwich = !self.llama && self.file.entry("blk.0.post_attention_norm.weight").is_some();
        match name.split_once(".post_attention_layernorm.") {
            Some((block, kind)) if sandwich => gguf_name(&format!("{block}.sandwich.post_attention_layernorm.{kind}")),
            _ => gguf_name(name),
        }
    }
}

/// The kinds that are computed with as they are.
fn kept_packed(kind: &str) -> Option<PackedKind> {
    match kind {
        "Q4_0" => Some(PackedKind::Q4_0),
        "Q4_1" => Some(PackedKind::Q4_1),
        "Q8_0" => Some(PackedKind::Q8_0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_rows_go_back() {
        // Two heads of width 4, one number a row: pairs (0,2), (1,3) were stored as 0,2,1,3.
        let stored = [0, 2, 1, 3, 4, 6, 5, 7];
        assert_eq!(rows_by_half(&stored, 2, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn names_are_translated() {
        assert_eq!(gguf_name("layers.3.self_attn.q_proj.weight").unwrap(), "blk.3.attn_q.weight");
        assert_eq!(gguf_name("h.11.mlp.c_fc.bias").unwrap(), "blk.11.ffn_up.bias");
        assert_eq!(gguf_name("layers.3.nonsense.weight"), None);
    }
}
