//! The SAEs of the world: the same stream of the same model at five widths.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use crate::sae::{Sae, SaeConfig};
use crate::train::{DecoderNorm, Sparsity, TrainSpec};
use crate::{Result, SteerError};

/// Where they read the stream.
pub const HOOK: &str = "blocks.1.hook_resid_post";

/// Features of each.
pub const WIDTHS: [usize; 5] = [64, 128, 256, 512, 1024];

/// How the SAE of a width is trained.
pub fn spec(width: usize) -> TrainSpec {
    TrainSpec {
        features: width,
        sparsity: Sparsity::TopK { k: 8, aux: 1.0 / 32.0 },
        decoder_norm: DecoderNorm::Unit,
        steps: 4000,
        longest: 0.0,
        batch: 1024,
        rate: 2e-3,
        warm_up: 100,
        cool_down: 0.3,
        dead_after: 100_000,
        resample_every: 0,
        chunks: 4,
        save_every: 0,
        seed: 1,
    }
}

macro_rules! steps {
    ($($width:literal),*) => {
        [$((
            $width,
            include_str!(concat!("../../../../assets/tiny/sae-", $width, "/cfg.json")),
            include_bytes!(concat!("../../../../assets/tiny/sae-", $width, "/sae_weights.safetensors")),
        )),*]
    };
}

/// Width, `cfg.json` and weights.
type Step = (usize, &'static str, &'static [u8]);

static STEPS: [Step; 5] = steps!(64, 128, 256, 512, 1024);

/// The SAE `name`, which is `embedded:tiny/WIDTH`; `embedded:tiny` is the one of 512. `None` for any other name.
pub fn embedded(name: &str, device: &Device) -> Result<Option<Sae>> {
    let Some(rest) = name.strip_prefix("embedded:tiny") else { return Ok(None) };
    let width = match rest.strip_prefix('/') {
        None if rest.is_empty() => Some(512),
        None => None,
        Some(width) => width.parse().ok(),
    };
    let found = STEPS.iter().find(|step| Some(step.0) == width);
    let Some((_, config, weights)) = found else {
        return Err(SteerError::Spec(format!(
            "“{name}” does not exist: the widths are {}, as in embedded:tiny/512",
            WIDTHS.map(|width| width.to_string()).join(", ")
        )));
    };
    let config = SaeConfig::from_json(config, name)?;
    let mut tensors: HashMap<String, Tensor> = candle_core::safetensors::load_buffer(weights, device)?;
    let mut take = |tensor: &'static str| {
        let architecture = config.architecture.name();
        tensors.remove(tensor).ok_or_else(|| SteerError::MissingTensor {
            name: tensor,
            architecture,
            place: name.to_owned(),
        })
    };
    let weights = [take("W_enc")?, take("b_enc")?, take("W_dec")?, take("b_dec")?];
    Ok(Some(Sae::new(config, weights, None, None)?))
}

/// All of them, narrowest first.
pub fn ladder(device: &Device) -> Result<Vec<Sae>> {
    WIDTHS.iter().filter_map(|width| embedded(&format!("embedded:tiny/{width}"), device).transpose()).collect()
}
