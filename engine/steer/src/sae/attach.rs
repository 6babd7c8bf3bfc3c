//! Whether an SAE fits a model.

use plumb_text::{HookPoint, Site};
use serde::{Deserialize, Serialize};

use super::Sae;
use crate::{Result, SteerError};

/// What must be known of a model to attach an SAE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// Width of the residual stream.
    pub width: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Longest text in tokens.
    pub context: usize,
    /// Whether there is a beginning-of-text token.
    pub has_bos: bool,
    /// Whether the weights that write to the stream were centred when the model was loaded.
    pub centred: bool,
}

/// How an SAE is used on a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// Where the residual stream is read and changed.
    pub point: HookPoint,
    /// Whether texts begin with the BOS token.
    pub prepend_bos: bool,
    /// What to know, one sentence each.
    pub notes: Vec<String>,
}

impl Sae {
    /// Checks this SAE against a model. `point` replaces the place the file names.
    pub fn attach(&self, model: &ModelFacts, point: Option<HookPoint>) -> Result<Attachment> {
        let fail = |what: String| Err(SteerError::Attach(what));
        let config = &self.config;
        if config.d_in != model.width {
            return fail(format!(
                "it reads activations {} wide and the residual stream of {} is {} wide{}. Choose an autoencoder made for this model",
                config.d_in,
                model.name,
                model.width,
                config
                    .model_name
                    .as_ref()
                    .map_or_else(String::new, |name| format!(" (its file says it belongs to “{name}”)"))
            ));
        }
        let point = match (point, &config.hook_name) {
            (Some(point), _) => point,
            (None, Some(name)) => match name.parse::<HookPoint>() {
                Ok(point) => point,
                Err(_) => {
                    return fail(format!(
                        "it reads “{name}”, and only the residual stream before and after a block can be steered"
                    ));
                }
            },
            (None, None) => {
                return fail(
                    "its file does not say which place of the model it reads: name one such as blocks.7.hook_resid_post".to_owned(),
                );
            }
        };
        if point.block >= model.blocks {
            return fail(format!(
                "it reads {point} and {} has {} blocks, numbered from 0. Choose an autoencoder made for this model",
                model.name, model.blocks
            ));
        }
        if config.prepend_bos && !model.has_bos {
            return fail(format!(
                "it was trained on texts that begin with a BOS token and the tokenizer of {} names none: set “prepend_bos” to false in its cfg.json if that is meant",
                model.name
            ));
        }
        if model.centred && !config.centre_input {
            return fail(format!(
                "{} was loaded with centred writing weights and the autoencoder was trained on the stream as it is: load the model without centring",
                model.name
            ));
        }
        let mut notes = Vec::new();
        if config.centre_input && !model.centred {
            notes.push("The mean of each residual vector is subtracted before encoding, because the autoencoder was trained on a model with centred writing weights.".to_owned());
        }
        if let Some(name) = &config.model_name
            && !same_model(name, &model.name)
        {
            notes.push(format!(
                "The autoencoder's file says it belongs to “{name}”, this model is “{}”: check its explained variance.",
                model.name
            ));
        }
        if config.context_size.is_some_and(|context| context < model.context) {
            notes.push(format!(
                "The autoencoder has seen texts of up to {} tokens.",
                config.context_size.unwrap_or_default()
            ));
        }
        if config.first_position() > 0 {
            notes.push(format!("It was not trained on the first {} tokens of a text.", config.first_position()));
        }
        if let Some(longest) = config.longest {
            notes.push(format!("Where the stream is longer than {longest:.0}, none of its features fires."));
        }
        if point.site == Site::ResidPre && point.block > 0 {
            notes.push(format!("{point} holds the same numbers as blocks.{}.hook_resid_post.", point.block - 1));
        }
        Ok(Attachment { point, prepend_bos: config.prepend_bos, notes })
    }
}

/// Whether two names mean the same model: the part after the owner, letters and digits only, one containing the other.
fn same_model(a: &str, b: &str) -> bool {
    let plain = |name: &str| -> String {
        let last = name.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(name);
        last.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let (a, b) = (plain(a), plain(b));
    a.contains(&b) || b.contains(&a)
}
