//! The tokenizers inside GGUF files: byte-level pairs (`gpt2`), and SentencePiece's pieces with scores (`llama`, as Gemma's).

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::quantized::gguf_file::Value;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::replace::Replace;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, SplitDelimiterBehavior};

use super::{Tokenizer, failed};
use crate::Result;
use crate::config::gguf::{Settings, whole};

/// What stands for a space in SentencePiece's pieces.
const SPACE: &str = "▁";

/// `tokenizer.ggml.token_type` of tokens that steer the model.
const CONTROL: u64 = 3;
/// Of tokens that are never cut.
const USER_DEFINED: u64 = 4;

/// What a GGUF file says about its tokens.
struct Tables<'a> {
    settings: &'a Settings,
    tokens: Vec<String>,
    kinds: Vec<u64>,
}

impl Tokenizer {
    /// The tokenizer in a GGUF file's settings; `None` when it has none, or one of another kind.
    pub(crate) fn from_gguf(settings: &Settings) -> Result<Option<Self>> {
        let Some(Value::String(kind)) = settings.get("tokenizer.ggml.model") else { return Ok(None) };
        if !matches!(kind.as_str(), "gpt2" | "llama") {
            return Ok(None);
        }
        let tokens =
            texts(settings, "tokenizer.ggml.tokens").ok_or_else(|| failed("the GGUF file lacks its tokens"))?;
        let kinds = match settings.get("tokenizer.ggml.token_type") {
            Some(Value::Array(kinds)) => kinds.iter().map(|kind| whole(kind).unwrap_or(0)).collect(),
            _ => Vec::new(),
        };
        let tables = Tables { settings, tokens, kinds };
        let mut inner = if kind == "gpt2" { tables.byte_level()? } else { tables.pieces()? };
        tables.add_tokens(&mut inner)?;
        tables.add_beginning(&mut inner)?;
        Ok(Some(Self { inner: Arc::new(inner), space_before: kind == "llama" && tables.space_before() }))
    }
}

fn texts(settings: &Settings, key: &str) -> Option<Vec<String>> {
    let Value::Array(list) = settings.get(key)? else { return None };
    let text = |value: &Value| if let Value::String(text) = value { Some(text.clone()) } else { None };
    list.iter().map(text).collect()
}

impl Tables<'_> {
    fn vocabulary(&self) -> Vocab {
        self.tokens.iter().enumerate().map(|(id, token)| (token.clone(), id as u32)).collect()
    }

    fn flag(&self, key: &str) -> Option<bool> {
        if let Some(Value::Bool(flag)) = self.settings.get(key) { Some(*flag) } else { None }
    }

    /// Whether pieces are looked for as if a space stood before the text.
    fn space_before(&self) -> bool {
        self.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true)
    }

    fn byte_level(&self) -> Result<tokenizers::Tokenizer> {
        let merges = texts(self.settings, "tokenizer.ggml.merges");
        let merges = merges.ok_or_else(|| failed("the GGUF file lacks its merges"))?;
        let merges = merges
            .iter()
            .map(|merge| merge.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| failed("a merge in the GGUF file is not a pair"))?;
        let pairs = BPE::builder().vocab_and_merges(self.vocabulary(), merges).build().map_err(failed)?;
        let mut inner = tokenizers::Tokenizer::new(pairs);
        let split = match self.settings.get("tokenizer.ggml.pre") {
            Some(Value::String(name)) => name.as_str(),
            _ => "gpt-2",
        };
        inner.with_pre_tokenizer(Some(splitter(split)?));
        inner.with_decoder(Some(ByteLevelDecoder::default()));
        Ok(inner)
    }

    /// SentencePiece joins, again and again, the two neighbours that make the piece of the highest score: byte pairs whose
    /// merges are all ways to make a piece of two, ordered by its score.
    fn pieces(&self) -> Result<tokenizers::Tokenizer> {
        let scores: Option<Vec<f32>> = match self.settings.get("tokenizer.ggml.scores") {
            Some(Value::Array(scores)) => {
                scores.iter().map(|score| if let Value::F32(score) = score { Some(*score) } else { None }).collect()
            }
            _ => None,
        };
        let scores = scores.filter(|scores| scores.len() == self.tokens.len());
        let scores = scores.ok_or_else(|| failed("the GGUF file has no score for each token"))?;
        let joined = |id: usize| !matches!(self.kinds.get(id), Some(&(2 | CONTROL | 5 | 6)));
        let ids: HashMap<&str, usize> = self
            .tokens
            .iter()
            .enumerate()
            .filter(|(id, _)| joined(*id))
            .map(|(id, text)| (text.as_str(), id))
            .collect();
        let mut merges: Vec<(usize, usize, usize)> = Vec::new();
        for (id, token) in self.tokens.iter().enumerate().filter(|(id, _)| joined(*id)) {
            for (at, _) in token.char_indices().skip(1) {
                let (left, right) = token.split_at(at);
                if let (Some(&left), Some(&right)) = (ids.get(left), ids.get(right)) {
                    merges.push((id, left, right));
                }
            }
        }
        // Higher scores first; of equal ones, and of the ways to make one piece, those of earlier parts.
        merges.sort_by(|a, b| scores[b.0].total_cmp(&scores[a.0]).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
        let text = |id: usize| self.tokens[id].clone();
        let merges: Vec<_> = merges.into_iter().map(|(_, left, right)| (text(left), text(right))).collect();
        let mut builder = BPE::builder().vocab_and_merges(self.vocabulary(), merges).byte_fallback(true).fuse_unk(true);
        let unknown = self.settings.get("tokenizer.ggml.unknown_token_id").and_then(whole);
        if let Some(unknown) = unknown.and_then(|id| self.tokens.get(id as usize)) {
            builder = builder.unk_token(unknown.clone());
        }
        let mut inner = tokenizers::Tokenizer::new(builder.build().map_err(failed)?);
        inner.with_normalizer(Some(Replace::new(" ", SPACE).map_err(failed)?)).map_err(failed)?;
        let spaces = Replace::new(SPACE, " ").map_err(failed)?;
        let mut decoders: Vec<DecoderWrapper> = vec![spaces.into(), ByteFallback::new().into(), Fuse::new().into()];
        if self.space_before() {
            decoders.push(tokenizers::decoders::strip::Strip::new(' ', 1, 0).into());
        }
        inner.with_decoder(Some(Decoders::new(decoders)));
        Ok(inner)
    }

    fn add_tokens(&self, inner: &mut tokenizers::Tokenizer) -> Result<()> {
        let of = |wanted: u64| self.tokens.iter().zip(&self.kinds).filter(move |(_, kind)| **kind == wanted);
        let defined = of(USER_DEFINED).map(|(token, _)| AddedToken::from(token.clone(), false).normalized(false));
        inner.add_tokens(defined).map_err(failed)?;
        let control = of(CONTROL).map(|(token, _)| AddedToken::from(token.clone(), true));
        inner.add_special_tokens(control).map_err(failed)?;
        Ok(())
    }

    /// The token that the file wants before every text.
    fn add_beginning(&self, inner: &mut tokenizers::Tokenizer) -> Result<()> {
        let id = self.settings.get("tokenizer.ggml.bos_token_id").and_then(whole);
        let token = id.and_then(|id| Some((id as u32, self.tokens.get(id as usize)?)));
        let (Some((id, token)), Some(true)) = (token, self.flag("tokenizer.ggml.add_bos_token")) else { return Ok(()) };
        let template = TemplateProcessing::builder()
            .try_single(vec![token.clone(), "$A".to_owned()])
            .map_err(failed)?
            .special_tokens(vec![(token.clone(), id)])
            .build()
            .map_err(failed)?;
        inner.with_post_processor(Some(template));
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// SentencePiece tables: unknown, beginning, the 256 bytes, a double line end that is never cut, and pieces.
    fn settings(prefix: bool) -> Settings {
        let mut tokens: Vec<(String, f32, i32)> = vec![("<unk>".to_owned(), 0.0, 2), ("<bos>".to_owned(), 0.0, 3)];
        tokens.extend((0..256).map(|byte| (format!("<0x{byte:02X}>"), 0.0, 6)));
        tokens.push(("\n\n".to_owned(), 0.0, 4));
        // The later, the less is it wanted, as SentencePiece's byte pairs are numbered.
        let pieces = ["ll", "lo", "he", "hello", "hell", "▁hello", "▁", "h", "e", "l", "o"];
        tokens.extend(pieces.iter().zip(1..).map(|(piece, rank)| ((*piece).to_owned(), -(rank as f32), 1)));
        let list = |values: Vec<Value>| Value::Array(values);
        let mut settings = Settings::new();
        let mut set = |key: &str, value: Value| settings.insert(format!("tokenizer.ggml.{key}"), value);
        set("model", Value::String("llama".to_owned()));
        set("tokens", list(tokens.iter().map(|token| Value::String(token.0.clone())).collect()));
        set("scores", list(tokens.iter().map(|token| Value::F32(token.1)).collect()));
        set("token_type", list(tokens.iter().map(|token| Value::I32(token.2)).collect()));
        set("unknown_token_id", Value::U32(0));
        set("bos_token_id", Value::U32(1));
        set("add_bos_token", Value::Bool(true));
        set("add_space_prefix", Value::Bool(prefix));
        settings
    }

    #[test]
    fn pieces_join_by_score() {
        let tokenizer = Tokenizer::from_gguf(&settings(true)).unwrap().unwrap();
        let names = |text: &str| -> Vec<String> {
            let tokens = tokenizer.encode(text, true).unwrap();
            tokens.iter().map(|&token| tokenizer.inner.id_to_token(token).unwrap()).collect()
        };
        // "ll", "he", then "hell", which makes "hello" and with the space its whole.
        assert_eq!(names("hello"), ["<bos>", "▁hello"]);
        assert_eq!(names("hell"), ["<bos>", "▁", "hell"]);
        assert_eq!(names("lo"), ["<bos>", "▁", "lo"]);
        assert_eq!(names("hé"), ["<bos>", "▁", "h", "<0xC3>", "<0xA9>"]);
        for text in ["hello hello", "hé 日本!", "he\n\nlo"] {
            let tokens = tokenizer.encode(text, true).unwrap();
            assert_eq!(tokenizer.decode(&tokens, true).unwrap(), text);
        }
    }

    #[test]
    fn no_space_before_the_text_where_the_file_says_so() {
        let tokenizer = Tokenizer::from_gguf(&settings(false)).unwrap().unwrap();
        assert_eq!(tokenizer.encode("lo", false).unwrap(), [tokenizer.id("lo").unwrap()]);
        let tokens = tokenizer.encode("he\n\nlo hello", true).unwrap();
        assert_eq!(tokens[2], tokenizer.id("\n\n").unwrap());
        assert_eq!(tokenizer.decode(&tokens, true).unwrap(), "he\n\nlo hello");
        let mut broken = settings(false);
        broken.remove("tokenizer.ggml.scores");
        assert!(Tokenizer::from_gguf(&broken).unwrap_err().to_string().contains("score"));
        broken.insert("tokenizer.ggml.model".to_owned(), Value::String("t5".to_owned()));
        assert!(Tokenizer::from_gguf(&broken).unwrap().is_none());
    }

    /// Two small models that SentencePiece itself trained, and what it makes of some texts (`tests/fixtures/README.md`).
    #[test]
    fn agrees_with_sentencepiece() {
        let all: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/sentencepiece.json")).unwrap();
        for (name, prefix) in [("prefix", true), ("plain", false)] {
            let model = &all[name];
            let list = |key: &str| model[key].as_array().unwrap().clone();
            let array =
                |key: &str, of: &dyn Fn(&serde_json::Value) -> Value| Value::Array(list(key).iter().map(of).collect());
            let mut settings = Settings::new();
            let mut set = |key: &str, value: Value| settings.insert(format!("tokenizer.ggml.{key}"), value);
            set("model", Value::String("llama".to_owned()));
            set("tokens", array("tokens", &|token| Value::String(token.as_str().unwrap().to_owned())));
            set("scores", array("scores", &|score| Value::F32(score.as_f64().unwrap() as f32)));
            set("token_type", array("kinds", &|kind| Value::I32(kind.as_i64().unwrap() as i32)));
            set("unknown_token_id", Value::U32(0));
            set("add_space_prefix", Value::Bool(prefix));
            let tokenizer = Tokenizer::from_gguf(&settings).unwrap().unwrap();
            for (text, wanted) in list("texts").iter().zip(list("ids")) {
                let text = text.as_str().unwrap();
                let wanted: Vec<u32> =
                    wanted.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
                assert_eq!(tokenizer.encode(text, false).unwrap(), wanted, "{name}: {text:?}");
                assert_eq!(tokenizer.decode(&wanted, false).unwrap(), text, "{name}");
            }
        }
    }
}
