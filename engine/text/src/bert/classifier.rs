//! Texts in classes, as `unitary/toxic-bert` puts them: BERT's first hidden state through a dense layer and tanh (the
//! pooler), then one row of numbers a class.

use std::path::Path;

use candle_core::{Device, Tensor};
use plumb_core::Ctl;

use super::Encoder;
use super::body::Dense;
use crate::weights::Weights;
use crate::{Error, Result, Tokenizer};

/// Names under which classifiers know what is asked here for toxicity, the first that is there counts.
const TOXIC: [&str; 4] = ["toxic", "toxicity", "hate", "offensive"];

/// A BERT that gives each class a probability.
pub struct SequenceClassifier {
    encoder: Encoder,
    pooler: Dense,
    head: Dense,
    labels: Vec<String>,
    /// Whether the classes shut each other out.
    exclusive: bool,
}

impl SequenceClassifier {
    /// Opens a Hugging Face folder of `BertForSequenceClassification`.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let (encoder, weights) = Encoder::open(folder, device)?;
        let settings = &encoder.settings;
        let (d, mut labels) = (settings.hidden_size, settings.labels());
        // The configuration may leave out the names of two classes.
        let classes = weights.shape("classifier.bias").and_then(|shape| shape.first().copied());
        if labels.is_empty() {
            labels = (0..classes.unwrap_or(2)).map(|class| format!("LABEL_{class}")).collect();
        }
        let exclusive = settings.problem_type.as_deref() == Some("single_label_classification");
        let pooler = Dense::read(&weights, "pooler.dense", d, d, device)?;
        let head = Dense::read(&weights, "classifier", labels.len(), d, device)?;
        Ok(Self { encoder, pooler, head, labels, exclusive })
    }

    /// The classes in order.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The class that stands for toxicity.
    pub fn toxic_label(&self) -> Result<usize> {
        let named = |name: &&str| self.labels.iter().position(|label| label.eq_ignore_ascii_case(name));
        TOXIC.iter().find_map(named).ok_or_else(|| Error::Config {
            place: "the classifier".to_owned(),
            what: format!("none of its classes is called {}; it has {}", TOXIC.join(", "), self.labels.join(", ")),
        })
    }

    /// Its tokenizer, where it has one.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.encoder.tokenizer.as_ref()
    }

    /// Logits of a text given as tokens, with the tokens that begin and end it.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<f32>> {
        Ok(self.on_top(&self.encoder.hidden(tokens)?.unsqueeze(0)?)?.squeeze(0)?.to_vec1()?)
    }

    fn on_top(&self, hidden: &Tensor) -> Result<Tensor> {
        let first = hidden.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?;
        self.head.apply(&self.pooler.apply(&first)?.tanh()?)
    }

    /// The probabilities of all classes, in the order of [`labels`](Self::labels), for each text. Longer texts than the
    /// model reads are cut.
    pub fn classify(&self, texts: &[&str], ctl: &Ctl) -> Result<Vec<Vec<f32>>> {
        self.encoder.each(texts, ctl, |hidden, _| {
            let logits: Vec<Vec<f32>> = self.on_top(hidden)?.to_vec2()?;
            Ok(logits.iter().map(|logits| self.probabilities(logits)).collect())
        })
    }

    /// Each class by itself (sigmoid), or one of all (softmax).
    fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        if self.exclusive {
            let sum = crate::kernels::log_sum_exp(logits);
            logits.iter().map(|z| (z - sum).exp()).collect()
        } else {
            logits.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect()
        }
    }
}
