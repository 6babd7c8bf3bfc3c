//! Reading SAEs: folders of SAELens (which hold those of res-jb and OpenAI too) and `.npz` files of Gemma Scope.

use std::path::Path;

use candle_core::{Device, Tensor};
use plumb_nn::checkpoint::Checkpoint;

use super::save::FACTOR;
use super::{Architecture, Sae, SaeConfig};
use crate::{Result, SteerError};

impl Sae {
    /// Opens what lies at `path`: a folder with `cfg.json` and `sae_weights.safetensors`, one of these files, or a
    /// Gemma Scope `params.npz` (or its folder). The second value lists what was done differently, one sentence each.
    pub fn load(path: &Path, device: &Device) -> Result<(Self, Vec<String>)> {
        let folder = if path.is_dir() { path.to_path_buf() } else { path.parent().unwrap_or(path).to_path_buf() };
        let npz = if path.is_dir() { folder.join("params.npz") } else { path.to_path_buf() };
        if npz.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz")) && npz.is_file() {
            return load_npz(&npz, device);
        }
        let (config, weights) = (folder.join("cfg.json"), folder.join("sae_weights.safetensors"));
        let absent: Vec<&str> = [(&config, "cfg.json"), (&weights, "sae_weights.safetensors")]
            .into_iter()
            .filter(|(file, _)| !file.is_file())
            .map(|(_, name)| name)
            .collect();
        if !absent.is_empty() {
            let pickled = std::fs::read_dir(&folder).is_ok_and(|entries| {
                entries.flatten().any(|entry| entry.path().extension().is_some_and(|extension| extension == "pt"))
            });
            let advice = if pickled {
                "; it holds .pt files: convert them with SAELens' save_model, because such files can run programs"
            } else {
                "; a folder of SAELens has both, a Gemma Scope one has params.npz"
            };
            return Err(SteerError::read(&folder, format!("{} is not there{advice}", absent.join(" and "))));
        }
        let text = std::fs::read_to_string(&config).map_err(|error| SteerError::read(&config, error))?;
        let config = SaeConfig::from_json(&text, &config.display().to_string())?;
        load_tensors(config, &weights, device)
    }
}

fn load_npz(path: &Path, device: &Device) -> Result<(Sae, Vec<String>)> {
    let file = Checkpoint::open(path)?;
    let shape = find(&file, "W_enc").and_then(|name| file.entry(&name)).map(|entry| entry.shape.clone());
    let Some(&[d_in, d_sae]) = shape.as_deref() else {
        return Err(missing("W_enc", Architecture::JumpRelu, path));
    };
    let config = gemma_scope_config(path, d_in, d_sae);
    let embedding = config.hook_name.as_deref() == Some("blocks.0.hook_resid_pre");
    let (mut sae, mut notes) = load_tensors(config, path, device)?;
    if sae.config.hook_name.is_none() {
        notes
            .push("The path does not say which block the autoencoder reads (layer_N/width_W/average_l0_K).".to_owned());
    }
    if embedding {
        // Trained on embeddings before Gemma scales them by √d.
        let root = (d_in as f64).sqrt();
        sae.w_enc = (&sae.w_enc / root)?;
        sae.w_dec = (&sae.w_dec * root)?;
        sae.b_dec = (&sae.b_dec * root)?;
    }
    Ok((sae, notes))
}

/// The configuration of a Gemma Scope SAE, which its path tells: `layer_12/width_16k/average_l0_82/params.npz`.
pub fn gemma_scope_config(path: &Path, d_in: usize, d_sae: usize) -> SaeConfig {
    let mut config = SaeConfig::new(Architecture::JumpRelu, d_in, d_sae);
    config.apply_b_dec_to_input = false;
    config.context_size = Some(1024);
    config.model_name = match d_in {
        2304 => Some("google/gemma-2-2b".to_owned()),
        3584 => Some("google/gemma-2-9b".to_owned()),
        _ => None,
    };
    for part in path.components().filter_map(|part| part.as_os_str().to_str()) {
        if let Some(layer) = part.strip_prefix("layer_").and_then(|layer| layer.parse::<usize>().ok()) {
            config.hook_name = Some(format!("blocks.{layer}.hook_resid_post"));
        } else if part == "embedding" {
            config.hook_name = Some("blocks.0.hook_resid_pre".to_owned());
        } else if let Some(l0) = part.strip_prefix("average_l0_").and_then(|l0| l0.parse::<u64>().ok()) {
            config.other.insert("average_l0".to_owned(), l0.into());
        }
    }
    config
}

/// The name under which the file holds `name`: as it is, or in Gemma Scope's lower case.
fn find(file: &Checkpoint, name: &str) -> Option<String> {
    let lower = name.replacen('W', "w", 1);
    [name.to_owned(), lower].into_iter().find(|name| file.entry(name).is_some())
}

fn missing(name: &'static str, architecture: Architecture, path: &Path) -> SteerError {
    SteerError::MissingTensor { name, architecture: architecture.name(), place: path.display().to_string() }
}

struct Reader<'a> {
    file: Checkpoint,
    path: &'a Path,
    architecture: Architecture,
    device: &'a Device,
}

impl Reader<'_> {
    fn optional(&self, name: &str) -> Result<Option<Tensor>> {
        let Some(stored) = find(&self.file, name) else { return Ok(None) };
        let shape = self.file.entry(&stored).map(|entry| entry.shape.clone()).unwrap_or_default();
        let tensor = Tensor::from_vec(self.file.read_f32(&stored)?, shape, self.device)?;
        let factors = format!("{name}{FACTOR}");
        if self.file.entry(&factors).is_none() {
            return Ok(Some(tensor));
        }
        // 8-bit whole numbers, see [`Stored::Int8`](super::Stored::Int8): one factor per feature.
        let factors = Tensor::new(self.file.read_f32(&factors)?, self.device)?;
        let features = factors.dim(0)?;
        let factors = if name == "W_dec" { factors.unsqueeze(1)? } else { factors.unsqueeze(0)? };
        if tensor.rank() != 2 || tensor.dim(usize::from(name != "W_dec"))? != features {
            return Err(SteerError::TensorShape {
                name: format!("{name}{FACTOR}"),
                expected: tensor.dims().to_vec(),
                found: vec![features],
                place: self.path.display().to_string(),
            });
        }
        Ok(Some(tensor.broadcast_mul(&factors)?))
    }

    fn needed(&self, name: &'static str) -> Result<Tensor> {
        self.optional(name)?.ok_or_else(|| missing(name, self.architecture, self.path))
    }
}

fn load_tensors(config: SaeConfig, path: &Path, device: &Device) -> Result<(Sae, Vec<String>)> {
    let architecture = config.architecture;
    let reader = Reader { file: Checkpoint::open(path)?, path, architecture, device };
    let mut notes = Vec::new();
    let w_enc = reader.needed("W_enc")?;
    let mut w_dec = reader.needed("W_dec")?;
    let b_enc = match architecture {
        Architecture::Gated => Tensor::zeros(config.d_sae, candle_core::DType::F32, device)?,
        _ => reader.needed("b_enc")?,
    };
    let threshold = match (architecture, reader.optional("log_threshold")?) {
        (Architecture::JumpRelu, Some(log)) if reader.file.entry("threshold").is_none() => Some(log.exp()?),
        (Architecture::JumpRelu, _) => Some(reader.needed("threshold")?),
        _ => None,
    };
    let gate = match architecture {
        Architecture::Gated => Some([reader.needed("b_gate")?, reader.needed("r_mag")?, reader.needed("b_mag")?]),
        _ => None,
    };
    if let Some(factor) = reader.optional("scaling_factor")?
        && factor.dims() == [config.d_sae]
        && factor.to_vec1::<f32>()?.iter().any(|&factor| factor != 1.0)
    {
        w_dec = w_dec.broadcast_mul(&factor.unsqueeze(1)?)?;
        notes.push("The fine-tuning factors of the file (scaling_factor) were multiplied into the decoder.".to_owned());
    }
    let weights = [w_enc, b_enc, w_dec, reader.needed("b_dec")?];
    let sae = Sae::new(config, weights, threshold, gate).map_err(|error| placed(error, path))?;
    Ok((sae, notes))
}

/// Names the file in an error about its tensors.
fn placed(error: SteerError, path: &Path) -> SteerError {
    let file = || path.display().to_string();
    match error {
        SteerError::TensorShape { name, expected, found, .. } => {
            SteerError::TensorShape { name, expected, found, place: file() }
        }
        SteerError::NotFinite { name, .. } => SteerError::NotFinite { name, place: file() },
        SteerError::MissingTensor { name, architecture, .. } => {
            SteerError::MissingTensor { name, architecture, place: file() }
        }
        SteerError::Config { what, .. } => SteerError::Config { place: file(), what },
        other => other,
    }
}
