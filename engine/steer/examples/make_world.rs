//! Makes the world's language model and its SAEs under `assets/tiny/`: `cargo run --release -p plumb-steer --example
//! make_world`. The same machine gives the same bytes each time; another processor may round differently. With a folder
//! as argument the files go there instead. A language model that is already there is kept: delete it to train it anew.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device};
use plumb_core::Ctl;
use plumb_core::Job as _;
use plumb_nn::checkpoint::{TensorData, write_safetensors};
use plumb_steer::harvest;
use plumb_steer::harvest::ActivationStore;
use plumb_steer::job::Subject;
use plumb_steer::sae::{Sae, Stored};
use plumb_steer::sae_job::QualityJob;
use plumb_steer::train::train;
use plumb_steer::world;
use plumb_steer::world::learn::{LearnSpec, knowledge, learn};
use plumb_text::{LanguageModel, Precision};

/// Texts that SAEs are trained on.
const TEXTS: usize = 18_000;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/tiny");
    let folder = std::env::args_os().nth(1).map_or(root, PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let partial = |partial: Box<dyn std::any::Any + Send>| {
        if let Ok(point) = partial.downcast::<[f64; 2]>() {
            println!("step {} loss {:.4}", point[0], point[1]);
        }
    };
    let ctl = Ctl::with(1, Arc::new(|| ()), Some(Box::new(partial)));
    let weights = folder.join("model.safetensors");
    if !weights.is_file() {
        let started = Instant::now();
        let net = learn(&LearnSpec::default(), &Device::Cpu, &ctl)?;
        let mut tensors = Vec::new();
        for param in net.params().entries() {
            let tensor = param.var.as_detached_tensor();
            let numbers = tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
            tensors.push((param.name.clone(), tensor.dims().to_vec(), TensorData::F16(numbers)));
        }
        write_safetensors(&weights, &tensors, &BTreeMap::new())?;
        std::fs::write(folder.join("config.json"), net.config_json())?;
        std::fs::write(folder.join("tokenizer.json"), world::tokenizer_json())?;
        println!("trained in {:.0} s", started.elapsed().as_secs_f64());
    }
    let model = Arc::new(LanguageModel::open(&folder, Precision::F32, &Device::Cpu)?);
    println!("{:?}", knowledge(&model, 2000, 7, &ctl)?);

    let scratch = tempfile::tempdir()?;
    let point = world::HOOK.parse()?;
    let mut store = ActivationStore::create(scratch.path(), model.config().d_model, 1 << 16, false, "world")?;
    harvest(&model, point, 0, &world::sets::texts(TEXTS, 11), &mut store, &ctl)?;
    println!("| width | explained variance | L0 | CE score | dead | seconds |\n|---|---|---|---|---|---|");
    for width in world::WIDTHS {
        let started = Instant::now();
        let (mut sae, _) = train(&store, &world::spec(width), &Device::Cpu, None, &ctl)?;
        sae.config.model_name = Some("embedded:tiny".to_owned());
        sae.config.hook_name = Some(world::HOOK.to_owned());
        sae.config.prepend_bos = true;
        sae.config.context_size = Some(model.config().context);
        let place = folder.join(format!("sae-{width}"));
        sae.save(&place, Stored::F16)?;
        let (sae, _) = Sae::load(&place, &Device::Cpu)?;
        let subject = Arc::new(Subject::new(Arc::clone(&model), Arc::new(sae), "embedded:tiny", None)?);
        let quality = QualityJob { subject, texts: world::sets::texts(500, 12) }.run(&ctl)?;
        println!(
            "| {width} | {:.3} | {:.1} | {:.3} | {:.1} % | {:.0} |",
            quality.explained_variance,
            quality.l0,
            quality.ce_score.unwrap_or(f64::NAN),
            100.0 * quality.dead,
            started.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
