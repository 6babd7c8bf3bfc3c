//! BERT encoders: sentences as vectors ([`SentenceEncoder`]) and texts in classes ([`SequenceClassifier`]), from Hugging
//! Face folders.

mod body;
mod classifier;
mod config;
mod sentences;

use std::path::Path;

use candle_core::{Device, Tensor};
use plumb_core::Ctl;

pub use classifier::SequenceClassifier;
pub use sentences::SentenceEncoder;

use crate::weights::Folder;
use crate::{Error, Result, Tokenizer};
use body::Body;
use config::Settings;

/// Tokens of a batch, padding included.
const BATCH: usize = 4096;

/// The body of a BERT with its tokenizer.
struct Encoder {
    settings: Settings,
    body: Body,
    tokenizer: Option<Tokenizer>,
    device: Device,
    /// Tokens of a text that are read.
    limit: usize,
}

impl Encoder {
    /// Opens a folder with `config.json`, safetensors and, where there is one, a tokenizer. The weights come out beside it,
    /// for what stands on top of the body.
    fn open(folder: &Path, device: &Device) -> Result<(Self, Folder)> {
        let place = folder.join("config.json");
        let json = std::fs::read_to_string(&place).map_err(|error| Error::File {
            path: place.clone(),
            reason: format!("{error}; an encoder's folder has config.json and model.safetensors"),
        })?;
        let settings =
            Settings::parse(&json).map_err(|what| Error::Config { place: place.display().to_string(), what })?;
        let tokenizer = Tokenizer::in_folder(folder)?;
        if let Some(tokenizer) = &tokenizer
            && tokenizer.size() > settings.vocab_size
        {
            let (found, expected) = (tokenizer.size(), settings.vocab_size);
            let what = format!("it has {found} tokens where the model has {expected}: it belongs to another model");
            return Err(Error::Tokenizer(what));
        }
        let weights = Folder::open(folder)?;
        let body = Body::load(&settings, &weights, device)?;
        let limit = settings.max_position_embeddings;
        Ok((Self { settings, body, tokenizer, device: device.clone(), limit }, weights))
    }

    /// The tokens of a text, at most as many as the encoder reads; the last one stays.
    fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        let mut tokens = self.tokenizer.as_ref().ok_or(Error::NoTokenizer)?.encode(text, true)?;
        if tokens.len() > self.limit {
            let last = tokens.pop();
            tokens.truncate(self.limit - 1);
            tokens.extend(last);
        }
        Ok(tokens)
    }

    /// The hidden states `[T, d]` of one text.
    fn hidden(&self, tokens: &[u32]) -> Result<Tensor> {
        Ok(self.batch(&[tokens])?.0.squeeze(0)?)
    }

    /// The hidden states `[B, T, d]` of texts padded to the longest, and 1 where there is a token `[B, T]`.
    fn batch(&self, texts: &[&[u32]]) -> Result<(Tensor, Tensor)> {
        let longest = texts.iter().map(|tokens| tokens.len()).max().unwrap_or(0);
        if texts.iter().any(|tokens| tokens.is_empty()) || longest == 0 {
            return Err(Error::NoTokens);
        }
        if longest > self.limit {
            return Err(Error::Context { needed: longest, limit: self.limit });
        }
        let (mut ids, mut mask) = (Vec::new(), Vec::<f32>::new());
        for tokens in texts {
            let vocabulary = self.settings.vocab_size;
            if let Some(position) = tokens.iter().position(|&token| token as usize >= vocabulary) {
                return Err(Error::Token { token: tokens[position], position, vocabulary });
            }
            ids.extend_from_slice(tokens);
            ids.resize(ids.len() + longest - tokens.len(), self.settings.pad_token_id);
            mask.extend(std::iter::repeat_n(1.0, tokens.len()));
            mask.extend(std::iter::repeat_n(0.0, longest - tokens.len()));
        }
        let shape = (texts.len(), longest);
        let ids = Tensor::from_vec(ids, shape, &self.device)?;
        let mask = Tensor::from_vec(mask, shape, &self.device)?;
        let hidden = self.body.forward(&ids, &mask)?;
        Ok((hidden, mask))
    }

    /// What `work(hidden states, mask)` makes of each text of a batch, in the order of `texts`; texts of like length share a
    /// batch.
    fn each<T: Clone + Default>(
        &self,
        texts: &[&str],
        ctl: &Ctl,
        mut work: impl FnMut(&Tensor, &Tensor) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        let tokens: Vec<Vec<u32>> = texts.iter().map(|text| self.tokens(text)).collect::<Result<_>>()?;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&index| tokens[index].len());
        let mut found = vec![T::default(); texts.len()];
        let mut rest = &order[..];
        while !rest.is_empty() {
            ctl.check()?;
            ctl.progress("Reading texts", (order.len() - rest.len()) as u64, Some(order.len() as u64));
            // Lengths rise, so that the last of a batch is its longest.
            let fits = |count: &usize| count * tokens[rest[count - 1]].len() <= BATCH;
            let count = (1..=rest.len()).take_while(fits).last().unwrap_or(1);
            let (batch, more) = rest.split_at(count);
            let own: Vec<&[u32]> = batch.iter().map(|&index| &tokens[index][..]).collect();
            let (hidden, mask) = self.batch(&own)?;
            for (&index, value) in batch.iter().zip(work(&hidden, &mask)?) {
                found[index] = value;
            }
            rest = more;
        }
        Ok(found)
    }
}
