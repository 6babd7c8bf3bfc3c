//! A BERT's `config.json`, and the tensors that go with it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The bend between the two halves of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    /// x·Φ(x).
    Gelu,
    /// Its tanh formula.
    GeluTanh,
    /// max(x, 0).
    Relu,
}

/// What is needed of it; everything else is let be.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Settings {
    model_type: Option<String>,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    pub max_position_embeddings: usize,
    #[serde(default = "two")]
    pub type_vocab_size: usize,
    #[serde(default = "epsilon")]
    pub layer_norm_eps: f64,
    #[serde(default)]
    pub pad_token_id: u32,
    position_embedding_type: Option<String>,
    /// `multi_label_classification` or `single_label_classification`.
    pub problem_type: Option<String>,
    /// Names of the classes by their number as text.
    #[serde(default)]
    pub id2label: BTreeMap<String, String>,
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn two() -> usize {
    2
}

fn epsilon() -> f64 {
    1e-12
}

impl Settings {
    /// Reads the file's text.
    pub fn parse(json: &str) -> Result<Self, String> {
        let settings: Self =
            serde_json::from_str(json).map_err(|error| format!("it is no BERT's configuration: {error}"))?;
        if let Some(kind) = settings.model_type.as_deref().filter(|kind| *kind != "bert") {
            return Err(format!("models of type “{kind}” are not read here; there is bert"));
        }
        if settings.position_embedding_type.as_deref().is_some_and(|kind| kind != "absolute") {
            return Err("only absolute positions are known".to_owned());
        }
        settings.activation()?;
        let Self { hidden_size, num_attention_heads: heads, .. } = settings;
        let sizes =
            [settings.vocab_size, hidden_size, heads, settings.intermediate_size, settings.max_position_embeddings];
        if sizes.iter().any(|size| *size == 0 || *size > 1 << 24) || settings.num_hidden_layers > 1 << 10 {
            return Err("its sizes are those of no model".to_owned());
        }
        if !hidden_size.is_multiple_of(heads) {
            return Err(format!("a width of {hidden_size} cannot be shared by {heads} heads"));
        }
        Ok(settings)
    }

    /// The activation by its name.
    pub fn activation(&self) -> Result<Activation, String> {
        match self.hidden_act.as_str() {
            "gelu" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
            "relu" => Ok(Activation::Relu),
            other => Err(format!("the activation “{other}” is not known; there is gelu, gelu_new, relu")),
        }
    }

    /// The classes' names in order.
    pub fn labels(&self) -> Vec<String> {
        let named = (0..).map_while(|class: usize| self.id2label.get(&class.to_string()).cloned());
        named.collect()
    }
}
