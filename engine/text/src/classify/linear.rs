//! The linear model: one small weight for each place of the hashed n-grams.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use plumb_nn::logistic::Calibration;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::clean::plain;
use super::quality::Quality;
use crate::ngrams::{self, PLACES};
use crate::{Error, Result};

/// The model that ships; `assets/README.md` says how it was made.
const EMBEDDED: &[u8] = include_bytes!("../../../../assets/text/toxicity.safetensors");
/// How good it is.
const QUALITY: &str = include_str!("../../../../assets/text/toxicity.json");

/// The tensor in the file.
const TENSOR: &str = "weights";
/// What stands beside it.
const NUMBERS: &str = "numbers";

/// `p(toxic) = σ(slope·(b + w·φ(text)) + shift)`, φ the hashed n-grams of [`plain`] text.
///
/// A weight is kept in eight bits, `scale·q·|q|/127²`, which keeps the many small ones apart.
#[derive(Clone, Debug, PartialEq)]
pub struct NgramClassifier {
    codes: Vec<i8>,
    scale: f32,
    bias: f64,
    calibration: Calibration,
}

impl NgramClassifier {
    /// The toxicity model that ships inside Plumb.
    pub fn embedded() -> Result<Arc<Self>> {
        static MODEL: OnceLock<Arc<NgramClassifier>> = OnceLock::new();
        if let Some(model) = MODEL.get() {
            return Ok(model.clone());
        }
        let model = Arc::new(Self::from_bytes(EMBEDDED)?);
        Ok(MODEL.get_or_init(|| model).clone())
    }

    /// What the shipped model was made from and how good it is on texts it has not seen.
    pub fn quality() -> Result<Quality> {
        serde_json::from_str(QUALITY).map_err(|error| broken(&error.to_string()))
    }

    /// Rounds weights `[PLACES]` to eight bits.
    pub fn new(weights: &[f64], bias: f64, calibration: Calibration) -> Self {
        let scale = weights.iter().fold(0.0f64, |largest, w| largest.max(w.abs()));
        let code =
            |w: &f64| if scale > 0.0 { ((w.abs() / scale).sqrt() * 127.0).round().copysign(*w) as i8 } else { 0 };
        let mut codes: Vec<i8> = weights.iter().map(code).collect();
        codes.resize(PLACES, 0);
        Self { codes, scale: scale as f32, bias, calibration }
    }

    /// The same with another calibration.
    #[must_use]
    pub fn calibrated(mut self, calibration: Calibration) -> Self {
        self.calibration = calibration;
        self
    }

    /// A model from [`Self::to_bytes`]'s bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| broken(&error.to_string()))?;
        let tensor = file.tensor(TENSOR).map_err(|error| broken(&error.to_string()))?;
        if tensor.dtype() != Dtype::I8 || tensor.shape() != [PLACES] {
            return Err(broken(&format!(
                "“{TENSOR}” must be I8 [{PLACES}], not {:?} {:?}",
                tensor.dtype(),
                tensor.shape()
            )));
        }
        let beside = file.tensor(NUMBERS).map_err(|error| broken(&error.to_string()))?;
        let (numbers, rest) = beside.data().as_chunks::<8>();
        let numbers: Vec<f64> = numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
        match numbers[..] {
            [scale, bias, slope, shift] if rest.is_empty() && numbers.iter().all(|x| x.is_finite()) => Ok(Self {
                codes: tensor.data().iter().map(|byte| *byte as i8).collect(),
                scale: scale as f32,
                bias,
                calibration: Calibration { slope, shift },
            }),
            _ => Err(broken(&format!("“{NUMBERS}” must be four numbers: scale, bias, slope, shift"))),
        }
    }

    /// A safetensors file with the weights, and scale, bias, slope and shift beside them.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let codes: Vec<u8> = self.codes.iter().map(|code| *code as u8).collect();
        let Calibration { slope, shift } = self.calibration;
        let numbers: Vec<u8> =
            [f64::from(self.scale), self.bias, slope, shift].into_iter().flat_map(f64::to_le_bytes).collect();
        let view = |dtype, length, data| {
            TensorView::new(dtype, vec![length], data).map_err(|error| broken(&error.to_string()))
        };
        let tensors = [(TENSOR, view(Dtype::I8, PLACES, &codes)?), (NUMBERS, view(Dtype::F64, 4, &numbers)?)];
        safetensors::serialize(tensors, None).map_err(|error| broken(&error.to_string()))
    }

    fn weight(&self, place: u32) -> f64 {
        let code = self.codes.get(place as usize).copied().map_or(0.0, f64::from);
        f64::from(self.scale) * code * code.abs() / (127.0 * 127.0)
    }

    /// The logit before calibration.
    pub fn logit(&self, text: &str) -> f64 {
        let features = ngrams::of(&plain(text));
        self.bias + features.iter().map(|(place, x)| self.weight(*place) * f64::from(*x)).sum::<f64>()
    }

    /// The probability that people call the text toxic. 0 for a text without a word.
    pub fn probability(&self, text: &str) -> f64 {
        if text.chars().any(char::is_alphanumeric) { self.calibration.probability(self.logit(text)) } else { 0.0 }
    }

    /// The words and parts of words that say most, with what they add to the calibrated logit, strongest first, at most
    /// `top`.
    pub fn explain(&self, text: &str, top: usize) -> Vec<(String, f64)> {
        let text = plain(text);
        let values: BTreeMap<u32, f32> = ngrams::of(&text).into_iter().collect();
        let mut parts = BTreeMap::new();
        ngrams::each(&text, |part, place| {
            let value = values.get(&place).copied().map_or(0.0, f64::from);
            parts.insert(part.to_owned(), self.calibration.slope * self.weight(place) * value);
        });
        let mut parts: Vec<_> = parts.into_iter().collect();
        parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        parts.truncate(top);
        parts
    }
}

fn broken(reason: &str) -> Error {
    Error::Config { place: "the toxicity model".to_owned(), what: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_knows_rude_from_plain() {
        let model = NgramClassifier::embedded().unwrap();
        for text in ["you are a fucking idiot", "shut up you stupid bitch", "go to hell, asshole!"] {
            assert!(model.probability(text) > 0.7, "{text}: {}", model.probability(text));
        }
        for text in [
            "The committee will meet again on Thursday to discuss the budget.",
            "Thank you so much, that was very kind of you.",
            "My neighbour is a Muslim and plays the violin.",
            "",
            " … ",
        ] {
            assert!(model.probability(text) < 0.3, "{text}: {}", model.probability(text));
        }
    }

    #[test]
    fn the_quality_table_belongs_to_the_model() {
        let quality = NgramClassifier::quality().unwrap();
        assert!(quality.held_out[0].auc > 0.9 && quality.held_out[0].calibration_error < 0.05, "{quality:?}");
        assert_eq!(quality.hatecheck.len(), 29);
        assert_eq!(quality.bytes, EMBEDDED.len());
    }

    #[test]
    fn bytes_and_back() {
        let mut weights = vec![0.0; PLACES];
        (weights[3], weights[PLACES - 1]) = (2.0, -0.001);
        let model = NgramClassifier::new(&weights, 0.5, Calibration { slope: 2.0, shift: -1.0 });
        assert_eq!(NgramClassifier::from_bytes(&model.to_bytes().unwrap()).unwrap(), model);
        assert!((model.weight(3) - 2.0).abs() < 1e-6);
        assert!((model.weight(PLACES as u32 - 1) + 0.001).abs() < 2e-4);
        let error = NgramClassifier::from_bytes(b"nonsense").unwrap_err().to_string();
        assert!(error.contains("toxicity model"), "{error}");
    }
}
