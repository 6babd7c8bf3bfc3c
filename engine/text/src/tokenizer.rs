//! Text to tokens and back: `tokenizer.json` files, and the byte-pair tables inside GGUF files.

use std::path::Path;
use std::sync::Arc;

use candle_core::quantized::gguf_file::Value;
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

use crate::config::gguf::{Settings, whole};
use crate::{Error, Result};

/// A tokenizer; clones share its tables.
#[derive(Clone, Debug)]
pub struct Tokenizer(Arc<tokenizers::Tokenizer>);

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Tokenizer(error.to_string())
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    pub fn from_file(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| failed(format!("{}: {error}", path.display())))?;
        Self::from_json(&bytes).map_err(|error| failed(format!("{}: {error}", path.display())))
    }

    /// Reads the content of a `tokenizer.json`.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        tokenizers::Tokenizer::from_bytes(bytes).map(|inner| Self(Arc::new(inner))).map_err(failed)
    }

    /// The tokenizer in a GGUF file's settings; `None` when it has none, or one of another kind than byte-level pairs.
    pub(crate) fn from_gguf(settings: &Settings) -> Result<Option<Self>> {
        let texts = |key: &str| -> Option<Vec<String>> {
            let Value::Array(list) = settings.get(key)? else { return None };
            let text = |value: &Value| if let Value::String(text) = value { Some(text.clone()) } else { None };
            list.iter().map(text).collect()
        };
        match settings.get("tokenizer.ggml.model") {
            Some(Value::String(kind)) if kind == "gpt2" => {}
            _ => return Ok(None),
        }
        let (Some(tokens), Some(merges)) = (texts("tokenizer.ggml.tokens"), texts("tokenizer.ggml.merges")) else {
            return Err(failed("the GGUF file lacks its tokens or merges"));
        };
        let vocabulary: Vocab = tokens.iter().enumerate().map(|(id, token)| (token.clone(), id as u32)).collect();
        let merges = merges
            .iter()
            .map(|merge| merge.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| failed("a merge in the GGUF file is not a pair"))?;
        let pairs = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(failed)?;
        let mut inner = tokenizers::Tokenizer::new(pairs);
        let split = match settings.get("tokenizer.ggml.pre") {
            Some(Value::String(name)) => name.as_str(),
            _ => "gpt-2",
        };
        inner.with_pre_tokenizer(Some(splitter(split)?));
        inner.with_decoder(Some(ByteLevelDecoder::default()));
        if let Some(Value::Array(kinds)) = settings.get("tokenizer.ggml.token_type") {
            // 3: control tokens, 4: defined by the user.
            let special: Vec<_> = tokens
                .iter()
                .zip(kinds)
                .filter(|(_, kind)| matches!(whole(kind), Some(3 | 4)))
                .map(|(token, _)| AddedToken::from(token.clone(), true))
                .collect();
            inner.add_special_tokens(special).map_err(failed)?;
        }
        Ok(Some(Self(Arc::new(inner))))
    }

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
        TextStream { tokenizer: self.clone(), tokens: Vec::new(), from: 0, read: 0 }
    }
}

/// How text is cut before pairs are merged, by the name GGUF files give it.
fn splitter(name: &str) -> Result<PreTokenizerWrapper> {
    // What a pattern cuts is only written in byte characters; the others are cut by GPT-2's own pattern.
    let by_pattern = |pattern: &str| -> Result<PreTokenizerWrapper> {
        let pattern = SplitPattern::Regex(pattern.to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(failed)?;
        Ok(Sequence::new(vec![split.into(), ByteLevel::new(false, true, false).into()]).into())
    };
    let contractions = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    let rest = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    match name {
        "gpt-2" | "gpt2" | "default" => Ok(ByteLevel::new(false, true, true).into()),
        "smollm" => Ok(Sequence::new(vec![Digits::new(true).into(), ByteLevel::new(false, true, true).into()]).into()),
        "llama-bpe" | "llama3" | "smaug-bpe" => {
            by_pattern(&format!(r"{contractions}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{rest}"))
        }
        "qwen2" => by_pattern(&format!(r"{contractions}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{rest}")),
        other => Err(failed(format!(
            "it cuts text by the rule “{other}”, which is not known; there is gpt-2, smollm, llama-bpe, qwen2"
        ))),
    }
}

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
