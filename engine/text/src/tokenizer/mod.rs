//! Text to tokens and back: from the files of a model's folder, and from the tables inside GGUF files.

mod files;
mod gguf;
mod stream;

use std::sync::Arc;

pub use stream::TextStream;

use crate::{Error, Result};

/// A tokenizer; clones share its tables.
#[derive(Clone, Debug)]
pub struct Tokenizer(Arc<tokenizers::Tokenizer>);

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Tokenizer(error.to_string())
}

impl Tokenizer {
    /// Tokens it knows, special ones included.
    pub fn size(&self) -> usize {
        self.0.get_vocab_size(true)
    }

    /// The tokens of a text; `special` lets the tokenizer add what it begins and ends texts with.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        Ok(self.0.encode_fast(text, special).map_err(failed)?.get_ids().to_vec())
    }

    /// As [`encode`](Self::encode), with the place in the text, in bytes, that each token covers.
    pub fn encode_with_offsets(&self, text: &str, special: bool) -> Result<Vec<(u32, std::ops::Range<usize>)>> {
        let encoding = self.0.encode(text, special).map_err(failed)?;
        let offsets = encoding.get_offsets().iter().map(|&(from, to)| from..to);
        Ok(encoding.get_ids().iter().copied().zip(offsets).collect())
    }

    /// The text of tokens; special ones are left out if `skip_special`. Bytes that are no text become U+FFFD.
    pub fn decode(&self, tokens: &[u32], skip_special: bool) -> Result<String> {
        self.0.decode(tokens, skip_special).map_err(failed)
    }

    /// One token as it is shown: its text, with what is no text by itself as U+FFFD.
    pub fn show(&self, token: u32) -> String {
        self.decode(&[token], false).unwrap_or_default()
    }

    /// The id of a token by its exact name in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.0.token_to_id(token)
    }

    /// A decoder for tokens that arrive one by one.
    pub fn stream(&self) -> TextStream {
        TextStream::new(self.clone())
    }
}
