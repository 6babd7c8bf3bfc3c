//! The tokenizers in a model's folder: `tokenizer.json`, else GPT-2's `vocab.json` and `merges.txt`, else BERT's `vocab.txt`.

use std::collections::BTreeMap;
use std::path::Path;

use tokenizers::AddedToken;
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::bert::BertProcessing;

use super::{Tokenizer, failed};
use crate::Result;

/// GPT-2's only special token.
const END: &str = "<|endoftext|>";

impl Tokenizer {
    /// The tokenizer of a model's folder, from the first of these that is there: `tokenizer.json`; `vocab.json` with
    /// `merges.txt`; `vocab.txt`. `None` without any.
    pub fn in_folder(folder: &Path) -> Result<Option<Self>> {
        let [json, vocabulary, merges, pieces] =
            ["tokenizer.json", "vocab.json", "merges.txt", "vocab.txt"].map(|name| folder.join(name));
        if json.is_file() {
            return Self::from_file(&json).map(Some);
        }
        if vocabulary.is_file() && merges.is_file() {
            return Self::from_pairs(&read(&vocabulary)?, &read(&merges)?)
                .map_err(|error| failed(format!("{}: {error}", folder.display())))
                .map(Some);
        }
        if pieces.is_file() {
            let cased = std::fs::read_to_string(folder.join("tokenizer_config.json"))
                .ok()
                .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
                .is_some_and(|settings| settings["do_lower_case"] == false);
            let list = read(&pieces)?;
            return Self::from_pieces(list.lines().map(str::to_owned), !cased)
                .map_err(|error| failed(format!("{}: {error}", pieces.display())))
                .map(Some);
        }
        Ok(None)
    }

    /// Reads a `tokenizer.json`.
    pub fn from_file(path: &Path) -> Result<Self> {
        Self::from_json(read(path)?.as_bytes()).map_err(|error| failed(format!("{}: {error}", path.display())))
    }

    /// Reads the content of a `tokenizer.json`. Padding and cutting that it asks for are left to the model.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(failed)?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(failed)?;
        Ok(inner.into())
    }

    /// GPT-2's byte-level pairs: the content of `vocab.json` and `merges.txt`.
    pub fn from_pairs(vocabulary: &str, merges: &str) -> Result<Self> {
        let vocabulary: BTreeMap<String, u32> =
            serde_json::from_str(vocabulary).map_err(|error| failed(format!("vocab.json: {error}")))?;
        let has_end = vocabulary.contains_key(END);
        let vocabulary: Vocab = vocabulary.into_iter().collect();
        let pairs = merges
            .lines()
            .filter(|line| !line.starts_with("#version") && !line.trim().is_empty())
            .map(|line| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| failed("merges.txt: a line is not a pair"))?;
        let model = BPE::builder().vocab_and_merges(vocabulary, pairs).build().map_err(failed)?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        inner.with_decoder(Some(ByteLevelDecoder::default()));
        if has_end {
            inner.add_special_tokens([AddedToken::from(END, true)]).map_err(failed)?;
        }
        Ok(inner.into())
    }

    /// BERT's word pieces, in the order of their ids.
    pub fn from_pieces(pieces: impl IntoIterator<Item = String>, lower_case: bool) -> Result<Self> {
        let vocabulary: Vocab = pieces.into_iter().enumerate().map(|(id, piece)| (piece, id as u32)).collect();
        let id = |name: &str| {
            let id = vocabulary.get(name).copied();
            id.map(|id| (name.to_owned(), id)).ok_or_else(|| failed(format!("the pieces lack “{name}”")))
        };
        let (begin, end) = (id("[CLS]")?, id("[SEP]")?);
        let model = WordPiece::builder().vocab(vocabulary).unk_token("[UNK]".to_owned()).build().map_err(failed)?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_normalizer(Some(BertNormalizer::new(true, true, None, lower_case))).map_err(failed)?;
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        inner.with_decoder(Some(WordPieceDecoder::default()));
        inner.with_post_processor(Some(BertProcessing::new(end, begin)));
        let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
        inner.add_special_tokens(special.map(|name| AddedToken::from(name, true))).map_err(failed)?;
        Ok(inner.into())
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| failed(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 256 byte characters as ids, `he`, `hel`, and the end.
    fn files() -> (String, String) {
        let bytes = ByteLevel::alphabet();
        let mut tokens: Vec<String> = bytes.into_iter().map(String::from).collect();
        tokens.sort();
        tokens.extend(["he", "hel", END].map(str::to_owned));
        let vocabulary: BTreeMap<String, u32> = tokens.into_iter().zip(0..).collect();
        (serde_json::to_string(&vocabulary).unwrap(), "#version: 0.2\nh e\nhe l\n".to_owned())
    }

    #[test]
    fn pairs_without_a_tokenizer_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Tokenizer::in_folder(folder.path()).unwrap().is_none());
        let (vocabulary, merges) = files();
        std::fs::write(folder.path().join("vocab.json"), vocabulary).unwrap();
        std::fs::write(folder.path().join("merges.txt"), merges).unwrap();
        let tokenizer = Tokenizer::in_folder(folder.path()).unwrap().unwrap();
        let text = "hello ü<|endoftext|>";
        let tokens = tokenizer.encode(text, true).unwrap();
        assert_eq!(tokens.len(), 1 + 2 + 1 + 2 + 1, "hel, l, o, space, two bytes, end");
        assert_eq!(tokens[0], 257);
        assert_eq!(tokenizer.decode(&tokens, false).unwrap(), text);
        std::fs::write(folder.path().join("merges.txt"), "h e\nhe\n").unwrap();
        let error = Tokenizer::in_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("merges.txt"), "{error}");
    }

    #[test]
    fn word_pieces_without_a_tokenizer_file() {
        let folder = tempfile::tempdir().unwrap();
        let list = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nplay\n##ing\n##s\n!\n";
        std::fs::write(folder.path().join("vocab.txt"), list).unwrap();
        let tokenizer = Tokenizer::in_folder(folder.path()).unwrap().unwrap();
        assert_eq!(tokenizer.encode("Playing plays! x", true).unwrap(), [2, 5, 6, 5, 7, 8, 1, 3]);
        std::fs::write(folder.path().join("tokenizer_config.json"), "{\"do_lower_case\": false}").unwrap();
        let cased = Tokenizer::in_folder(folder.path()).unwrap().unwrap();
        assert_eq!(cased.encode("Playing", false).unwrap(), [1]);
        assert!(Tokenizer::from_pieces(["play".to_owned()], true).is_err());
    }
}
