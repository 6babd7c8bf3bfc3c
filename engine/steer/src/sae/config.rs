//! What an SAE says about itself: SAELens' `cfg.json` in its nested (version 6) and its flat form.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Result, SteerError};

/// How pre-activations become activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// ReLU.
    Standard,
    /// ReLU, but zero up to and including a threshold per feature.
    JumpRelu,
    /// The `k` largest of each token, then ReLU.
    TopK,
    /// One linear map decides whether a feature fires, another how much.
    Gated,
}

impl Architecture {
    /// Its name in a `cfg.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::JumpRelu => "jumprelu",
            Self::TopK => "topk",
            Self::Gated => "gated",
        }
    }
}

/// What happens to the input before encoding, and is undone after decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// Nothing.
    #[default]
    None,
    /// `(x − mean) / (std + 1e-5)`, std with n − 1.
    LayerNorm,
    /// `x · √d / ‖x‖`.
    ConstantNormRescale,
    /// A fixed factor that belongs into the weights: see [`Sae::fold_input_scale`](super::Sae::fold_input_scale).
    ExpectedAverageOnlyIn,
}

impl Normalisation {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LayerNorm => "layer_norm",
            Self::ConstantNormRescale => "constant_norm_rescale",
            Self::ExpectedAverageOnlyIn => "expected_average_only_in",
        }
    }
}

/// An SAE without its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent property of a file")]
pub struct SaeConfig {
    /// How it activates.
    pub architecture: Architecture,
    /// Width of the residual stream, d.
    pub d_in: usize,
    /// Number of features, m.
    pub d_sae: usize,
    /// Whether `b_dec` is subtracted from the input.
    pub apply_b_dec_to_input: bool,
    /// Input normalisation.
    pub normalisation: Normalisation,
    /// Active features per token of TopK SAEs.
    pub k: Option<usize>,
    /// TopK: pre-activations are weighed by the decoder norms when the largest are chosen.
    pub rescale_acts_by_decoder_norm: bool,
    /// Whether the SAE reads the residual minus its own mean (models with centred writing weights).
    pub centre_input: bool,
    /// Model it was trained on, as the file names it.
    pub model_name: Option<String>,
    /// TransformerLens name of the place it reads.
    pub hook_name: Option<String>,
    /// Whether texts began with the BOS token.
    pub prepend_bos: bool,
    /// Tokens per text in training.
    pub context_size: Option<usize>,
    /// The longest vector ‖x‖ that it was trained on, where longer ones were left out (`max_activation_norm`). What is
    /// longer has no activations and is reconstructed as it is.
    pub longest: Option<f32>,
    /// Everything else in the file, kept when it is saved again.
    pub other: Map<String, Value>,
}

impl SaeConfig {
    /// A configuration with the defaults of the format.
    pub fn new(architecture: Architecture, d_in: usize, d_sae: usize) -> Self {
        Self {
            architecture,
            d_in,
            d_sae,
            apply_b_dec_to_input: true,
            normalisation: Normalisation::None,
            k: None,
            rescale_acts_by_decoder_norm: false,
            centre_input: false,
            model_name: None,
            hook_name: None,
            prepend_bos: true,
            context_size: None,
            longest: None,
            other: Map::new(),
        }
    }

    /// The first position of a text that it was trained on, as SAELens writes it (the start of `seqpos_slice`). The
    /// stream at the first positions can be many times longer than anywhere else, whatever stands there.
    pub fn first_position(&self) -> usize {
        slice_start(self.other.get("seqpos_slice")).unwrap_or(0)
    }

    /// Says that it was trained on the positions from `first` on.
    pub fn set_first_position(&mut self, first: usize) {
        if first > 0 {
            self.other.insert("seqpos_slice".to_owned(), serde_json::json!([first, null]));
        }
    }

    /// How many leading positions of a text it is not meant for: those it was not trained on, and BOS.
    pub fn unread(&self, text: &[u32], bos: Option<u32>) -> usize {
        let begins_with_bos = bos.is_some() && text.first().copied() == bos;
        self.first_position().max(usize::from(begins_with_bos)).min(text.len())
    }

    /// Reads a `cfg.json` of either form. `place` is named in errors.
    pub fn from_json(text: &str, place: &str) -> Result<Self> {
        let wrong = |what: String| SteerError::Config { place: place.to_owned(), what };
        let root: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| wrong(format!("this is no JSON object ({error})")))?;
        let mut all = root;
        let flat = !all.contains_key("metadata");
        // The nested form keeps what belongs to the model under "metadata"; one flat table serves both.
        if let Some(Value::Object(metadata)) = all.remove("metadata") {
            for (key, value) in metadata {
                all.entry(key).or_insert(value);
            }
        }
        for (old, new) in [
            ("hook_point", "hook_name"),
            ("hook_point_head_index", "hook_head_index"),
            ("activation_fn_str", "activation_fn"),
        ] {
            if let Some(value) = all.remove(old) {
                all.entry(new).or_insert(value);
            }
        }
        let arguments = all.remove("activation_fn_kwargs").unwrap_or_default();
        let mut take = Take { all, place };
        let k = take.count("k")?.or(arguments.get("k").and_then(Value::as_u64).map(|k| k as usize));
        let activation = take.text("activation_fn")?;
        let architecture = match (take.text("architecture")?.as_deref().unwrap_or("standard"), activation.as_deref()) {
            ("standard", Some("topk")) | ("topk" | "batchtopk", _) => Architecture::TopK,
            ("standard", Some("relu") | None) => Architecture::Standard,
            ("jumprelu", _) => Architecture::JumpRelu,
            ("gated", _) => Architecture::Gated,
            ("standard", Some(other)) => {
                return Err(wrong(format!("the activation function “{other}” is not known; relu and topk are")));
            }
            (other, _) => {
                return Err(wrong(format!(
                    "the architecture “{other}” is not known; standard, jumprelu, topk and gated are"
                )));
            }
        };
        if architecture == Architecture::TopK && k.is_none_or(|k| k == 0) {
            return Err(wrong(
                "“k”, the number of active features of a TopK autoencoder, is missing or zero: add it".to_owned(),
            ));
        }
        let normalisation = match take.all.remove("normalize_activations") {
            None | Some(Value::Null | Value::Bool(false)) => Normalisation::None,
            Some(Value::Bool(true)) => Normalisation::ExpectedAverageOnlyIn,
            Some(Value::String(name)) => match name.as_str() {
                "none" => Normalisation::None,
                "layer_norm" => Normalisation::LayerNorm,
                "constant_norm_rescale" => Normalisation::ConstantNormRescale,
                "expected_average_only_in" => Normalisation::ExpectedAverageOnlyIn,
                other => {
                    return Err(wrong(format!(
                        "the normalisation “{other}” is not known; none, layer_norm, constant_norm_rescale and expected_average_only_in are"
                    )));
                }
            },
            Some(other) => return Err(wrong(format!("“normalize_activations” is {other}, not a name"))),
        };
        let hook_name = take.text("hook_name")?;
        let reshape = take.text("reshape_activations")?;
        if reshape.as_deref() == Some("hook_z") || hook_name.as_ref().is_some_and(|name| name.contains("hook_z")) {
            return Err(wrong(
                "it reads attention heads (hook_z); only autoencoders of the residual stream can be used".to_owned(),
            ));
        }
        let model_name = take.text("model_name")?;
        let centred = match take.all.get("model_from_pretrained_kwargs") {
            Some(told) => told.get("center_writing_weights").and_then(Value::as_bool) == Some(true),
            // The flat files of GPT-2 (gpt2-small-res-jb) are from a time when centring was what TransformerLens did
            // without being asked, and say nothing of it; SAELens knows it from a list of its own.
            None => flat && model_name.as_ref().is_some_and(|name| name.to_ascii_lowercase().starts_with("gpt2")),
        };
        let centre_input = take.flag("centre_input")?.unwrap_or(centred);
        let needed = |what: &str, value: Option<usize>| {
            value.filter(|&v| v > 0).ok_or_else(|| wrong(format!("“{what}” is missing or zero: add it")))
        };
        let first = slice_start(take.all.get("seqpos_slice")).ok_or_else(|| {
            let slice = take.all.get("seqpos_slice").unwrap_or(&Value::Null);
            wrong(format!(
                "“seqpos_slice” is {slice}, not a list like [2, null] of the first position and the one after the last"
            ))
        })?;
        let context_size = take.count("context_size")?;
        let longest = take.take("max_activation_norm", "a length above zero", |value| {
            value.as_f64().map(|length| length as f32).filter(|length| length.is_finite() && *length > 0.0)
        })?;
        if let Some(context) = context_size.filter(|&context| first >= context) {
            return Err(wrong(format!(
                "“seqpos_slice” begins at position {first} of texts of {context} tokens: no position is left"
            )));
        }
        Ok(Self {
            architecture,
            d_in: needed("d_in", take.count("d_in")?)?,
            d_sae: needed("d_sae", take.count("d_sae")?)?,
            apply_b_dec_to_input: take.flag("apply_b_dec_to_input")?.unwrap_or(true),
            normalisation,
            k: if architecture == Architecture::TopK { k } else { None },
            rescale_acts_by_decoder_norm: take.flag("rescale_acts_by_decoder_norm")?.unwrap_or(false),
            centre_input,
            model_name,
            hook_name,
            prepend_bos: take.flag("prepend_bos")?.unwrap_or(true),
            context_size,
            longest,
            other: take.all,
        })
    }

    /// The nested form that SAELens reads.
    pub fn to_json(&self) -> Value {
        let mut metadata = self.other.clone();
        for own in ["dtype", "device", "finetuning_scaling_factor"] {
            metadata.remove(own);
        }
        let mut set = |key: &str, value: Value| metadata.insert(key.to_owned(), value);
        set("model_name", self.model_name.clone().into());
        set("hook_name", self.hook_name.clone().into());
        set("prepend_bos", self.prepend_bos.into());
        set("context_size", self.context_size.into());
        if self.centre_input {
            set("centre_input", true.into());
        }
        if let Some(longest) = self.longest {
            set("max_activation_norm", longest.into());
        }
        let mut root = serde_json::json!({
            "architecture": self.architecture.name(),
            "d_in": self.d_in,
            "d_sae": self.d_sae,
            "dtype": "float32",
            "device": "cpu",
            "apply_b_dec_to_input": self.apply_b_dec_to_input,
            "normalize_activations": self.normalisation.name(),
            "reshape_activations": "none",
            "metadata": metadata,
        });
        if self.architecture == Architecture::TopK {
            root["k"] = self.k.into();
            root["rescale_acts_by_decoder_norm"] = self.rescale_acts_by_decoder_norm.into();
        }
        root
    }
}

/// Where a Python slice `[end]`, `[start, end]` or `[start, end, step]` begins; `None` for what is no such list, or counts
/// from the end.
fn slice_start(slice: Option<&Value>) -> Option<usize> {
    let number = |value: &Value| if value.is_null() { Some(0) } else { value.as_u64().map(|n| n as usize) };
    match slice {
        None | Some(Value::Null) => Some(0),
        Some(Value::Array(parts)) => match parts.as_slice() {
            [] => Some(0),
            [end] => number(end).map(|_| 0),
            [start, ..] => number(start),
        },
        Some(_) => None,
    }
}

/// Takes typed values out of a table.
struct Take<'a> {
    all: Map<String, Value>,
    place: &'a str,
}

impl Take<'_> {
    fn take<T>(&mut self, key: &str, what: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>> {
        match self.all.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(&value).map(Some).ok_or_else(|| SteerError::Config {
                place: self.place.to_owned(),
                what: format!("“{key}” is {value}, not {what}"),
            }),
        }
    }

    fn text(&mut self, key: &str) -> Result<Option<String>> {
        self.take(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    fn flag(&mut self, key: &str) -> Result<Option<bool>> {
        self.take(key, "true or false", Value::as_bool)
    }

    fn count(&mut self, key: &str) -> Result<Option<usize>> {
        self.take(key, "a count", |value| value.as_u64().map(|n| n as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let flat = r#"{"architecture":"standard","d_in":768,"d_sae":24576,"dtype":"torch.float32","activation_fn_str":"relu",
            "apply_b_dec_to_input":true,"normalize_activations":"none","model_name":"gpt2-small","hook_point":"blocks.8.hook_resid_pre",
            "hook_point_head_index":null,"prepend_bos":true,"context_size":128,"finetuning_scaling_factor":false,
            "model_from_pretrained_kwargs":{"center_writing_weights":true}}"#;
        let flat = SaeConfig::from_json(flat, "flat").unwrap();
        assert!(flat.centre_input && flat.apply_b_dec_to_input);
        assert_eq!(flat.hook_name.as_deref(), Some("blocks.8.hook_resid_pre"));
        let nested = SaeConfig::from_json(&flat.to_json().to_string(), "nested").unwrap();
        assert_eq!((nested.hook_name, nested.context_size), (flat.hook_name, Some(128)));
        assert!(nested.centre_input);
    }

    #[test]
    fn positions_that_were_left_out_survive_a_round_trip() {
        let mut config = SaeConfig::new(Architecture::Standard, 4, 8);
        assert_eq!((config.unread(&[1, 2, 3], Some(1)), config.unread(&[1, 2, 3], Some(2))), (1, 0));
        config.set_first_position(2);
        config.longest = Some(1.5);
        let read = SaeConfig::from_json(&config.to_json().to_string(), "x").unwrap();
        assert_eq!((read.first_position(), read.longest), (2, Some(1.5)));
        assert_eq!((read.unread(&[1, 2, 3], None), read.unread(&[1], None)), (2, 1));
        for (slice, first) in [("null", 0), ("[]", 0), ("[null]", 0), ("[5]", 0), ("[null,9]", 0), ("[3,9]", 3)] {
            let text = format!(r#"{{"d_in":4,"d_sae":8,"metadata":{{"seqpos_slice":{slice}}}}}"#);
            assert_eq!(SaeConfig::from_json(&text, "x").unwrap().first_position(), first, "{slice}");
        }
    }

    #[test]
    fn an_activation_function_with_k_makes_topk() {
        let text = r#"{"d_in":4,"d_sae":8,"activation_fn_str":"topk","activation_fn_kwargs":{"k":3},"normalize_activations":"layer_norm"}"#;
        let config = SaeConfig::from_json(text, "x").unwrap();
        assert_eq!((config.architecture, config.k), (Architecture::TopK, Some(3)));
        assert_eq!(config.normalisation, Normalisation::LayerNorm);
        assert!(config.prepend_bos, "the default");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("[]", "no JSON object"),
            (r#"{"d_in":4}"#, "d_sae"),
            (r#"{"d_in":4,"d_sae":"many"}"#, "not a count"),
            (r#"{"d_in":4,"d_sae":8,"architecture":"topk"}"#, "“k”"),
            (r#"{"d_in":4,"d_sae":8,"architecture":"novel"}"#, "novel"),
            (r#"{"d_in":4,"d_sae":8,"hook_name":"blocks.0.attn.hook_z"}"#, "hook_z"),
            (r#"{"d_in":4,"d_sae":8,"normalize_activations":"odd"}"#, "odd"),
            (r#"{"d_in":4,"d_sae":8,"max_activation_norm":-1}"#, "not a length above zero"),
            (r#"{"d_in":4,"d_sae":8,"seqpos_slice":"2:"}"#, "not a list"),
            (r#"{"d_in":4,"d_sae":8,"seqpos_slice":[-4,null]}"#, "not a list"),
            (r#"{"d_in":4,"d_sae":8,"seqpos_slice":[1e30,null]}"#, "not a list"),
            (r#"{"d_in":4,"d_sae":8,"seqpos_slice":[128,null],"context_size":128}"#, "no position is left"),
        ] {
            let error = SaeConfig::from_json(text, "cfg.json").unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("cfg.json"), "{error}");
        }
    }
}
