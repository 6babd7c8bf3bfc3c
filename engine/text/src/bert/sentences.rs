//! Sentences as vectors: the mean of an encoder's hidden states, brought to length one (all-MiniLM-L6-v2).

use std::path::Path;

use candle_core::{Device, Tensor};
use plumb_core::Ctl;

use super::Encoder;
use crate::{Result, Tokenizer};

/// Tokens that all-MiniLM-L6-v2 was trained to read; `sentence_bert_config.json` may say otherwise.
const USUAL: usize = 256;

/// A BERT whose texts of like meaning lie close to each other.
pub struct SentenceEncoder {
    encoder: Encoder,
}

impl SentenceEncoder {
    /// Opens a Hugging Face folder of a `BertModel`, such as [`source::find`](crate::source::find) gives for `minilm`.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let (mut encoder, _) = Encoder::open(folder, device)?;
        let settings = std::fs::read_to_string(folder.join("sentence_bert_config.json")).ok();
        let settings = settings.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let limit = settings.and_then(|settings| settings["max_seq_length"].as_u64());
        encoder.limit = encoder.limit.min(limit.map_or(USUAL, |limit| (limit as usize).max(2)));
        Ok(Self { encoder })
    }

    /// Length of a vector.
    pub fn width(&self) -> usize {
        self.encoder.settings.hidden_size
    }

    /// Its tokenizer, where it has one.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.encoder.tokenizer.as_ref()
    }

    /// The hidden states `[T, d]` of a text given as tokens, with the tokens that begin and end it.
    pub fn hidden(&self, tokens: &[u32]) -> Result<Tensor> {
        self.encoder.hidden(tokens)
    }

    /// The vector of each text, of length one. What a text has beyond the tokens the model reads does not count.
    pub fn embed(&self, texts: &[&str], ctl: &Ctl) -> Result<Vec<Vec<f32>>> {
        self.encoder.each(texts, ctl, |hidden, mask| {
            let sum = hidden.broadcast_mul(&mask.unsqueeze(2)?)?.sum(1)?;
            let mean = sum.broadcast_div(&mask.sum_keepdim(1)?)?;
            let length = mean.sqr()?.sum_keepdim(1)?.sqrt()?.maximum(1e-12)?;
            Ok(mean.broadcast_div(&length)?.to_vec2()?)
        })
    }
}
