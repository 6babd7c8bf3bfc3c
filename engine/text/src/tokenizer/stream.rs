//! Text from tokens that arrive one by one.

use super::Tokenizer;
use crate::Result;

/// Bytes of the longest character.
const LONGEST: usize = 4;

/// Decodes tokens one by one without ever cutting a character.
#[derive(Clone, Debug)]
pub struct TextStream {
    tokenizer: Tokenizer,
    tokens: Vec<u32>,
    /// The text of tokens before this one is done with.
    from: usize,
    /// The text of tokens before this one has been given out.
    read: usize,
}

impl TextStream {
    pub(super) fn new(tokenizer: Tokenizer) -> Self {
        Self { tokenizer, tokens: Vec::new(), from: 0, read: 0 }
    }

    /// Takes a token and gives the text that is now complete; often a word, sometimes nothing.
    pub fn push(&mut self, token: u32) -> Result<String> {
        self.tokens.push(token);
        // The last tokens given out are decoded again with the new ones, since some decoders treat a first token differently.
        let before = self.tokenizer.decode(&self.tokens[self.from..self.read], true)?;
        let now = self.tokenizer.decode(&self.tokens[self.from..], true)?;
        // A character has at most four bytes, so after more tokens than that the bytes are no text at all.
        if now.ends_with('\u{FFFD}') && self.tokens.len() - self.read <= LONGEST {
            return Ok(String::new());
        }
        let new = now.strip_prefix(&before).map(str::to_owned).unwrap_or_default();
        self.from = self.read;
        self.read = self.tokens.len();
        Ok(new)
    }

    /// What is left when no more tokens come, with U+FFFD for an unfinished character.
    pub fn finish(self) -> Result<String> {
        let before = self.tokenizer.decode(&self.tokens[self.from..self.read], true)?;
        let now = self.tokenizer.decode(&self.tokens[self.from..], true)?;
        Ok(now.strip_prefix(&before).map(str::to_owned).unwrap_or_default())
    }
}
