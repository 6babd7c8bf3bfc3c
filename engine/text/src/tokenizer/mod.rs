//! Text to tokens and back: from the files of a model's folder, and from the tables inside GGUF files.

mod files;
mod gguf;
mod stream;

use std::borrow::Cow;
use std::sync::Arc;

pub use stream::TextStream;

use crate::{Error, Result};

/// A tokenizer; clones share its tables.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Arc<tokenizers::Tokenizer>,
    /// Whether every text is read as if a space stood before it, as SentencePiece does. The library's own ways to add one
    /// do so before every part between tokens that are never cut, or not where the text begins with a space.
    space_before: bool,
}

impl From<tokenizers::Tokenizer> for Tokenizer {
    fn from(inner: tokenizers::Tokenizer) -> Self {
        Self { inner: Arc::new(inner), space_before: false }
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Tokenizer(error.to_string())
}

impl Tokenizer {
    /// Tokens it knows, special ones included.
    pub fn size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The tokens of a text; `special` lets the tokenizer add what it begins and ends texts with.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        Ok(self.inner.encode_fast(self.read(text).as_ref(), special).map_err(failed)?.get_ids().to_vec())
    }

    /// As [`encode`](Self::encode), with the place in the text, in bytes, that each token covers.
    pub fn encode_with_offsets(&self, text: &str, special: bool) -> Result<Vec<(u32, std::ops::Range<usize>)>> {
        let read = self.read(text);
        let added = read.len() - text.len();
        let encoding = self.inner.encode(read.as_ref(), special).map_err(failed)?;
        let offsets =
            encoding.get_offsets().iter().map(|&(from, to)| from.saturating_sub(added)..to.saturating_sub(added));
        Ok(encoding.get_ids().iter().copied().zip(offsets).collect())
    }

    /// The text of tokens; special ones are left out if `skip_special`. Bytes that are no text become U+FFFD.
    pub fn decode(&self, tokens: &[u32], skip_special: bool) -> Result<String> {
        self.inner.decode(tokens, skip_special).map_err(failed)
    }

    /// One token as it is shown: its text, with what is no text by itself as U+FFFD.
    pub fn show(&self, token: u32) -> String {
        self.decode(&[token], false).unwrap_or_default()
    }

    /// The text as its pieces are looked for.
    fn read<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.space_before && !text.is_empty() { Cow::Owned(format!(" {text}")) } else { Cow::Borrowed(text) }
    }

    /// The id of a token by its exact name in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// A decoder for tokens that arrive one by one.
    pub fn stream(&self) -> TextStream {
        TextStream::new(self.clone())
    }
}
