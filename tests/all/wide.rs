//! A made-up autoencoder of very many features for the tiny world, with an index, as files: what the feature table is
//! tried and timed on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_nn::checkpoint::{TensorData, write_safetensors};
use plumb_steer::index::{IndexBuilder, IndexTable};
use plumb_steer::world;

/// Texts of the index; in each token a few features fire, and some never do.
const TOKENS: usize = 64;

/// A folder with an autoencoder of so many features, read behind block 0, and its index.
pub fn autoencoder(home: &Path, features: usize) -> PathBuf {
    let width = width();
    let folder = home.join(format!("wide-{features}"));
    std::fs::create_dir_all(folder.join("index")).expect("a folder");
    let config = serde_json::json!({
        "architecture": "topk", "k": 8, "d_in": width, "d_sae": features, "model_name": "embedded:tiny",
        "hook_name": "blocks.0.hook_resid_post", "prepend_bos": true,
    });
    std::fs::write(folder.join("cfg.json"), config.to_string()).expect("it is written");
    let mut random = Random::new(1, "wide");
    let mut draw = |count: usize| TensorData::F32((0..count).map(|_| random.uniform() as f32 - 0.5).collect());
    let tensors = [
        ("W_enc".to_owned(), vec![width, features], draw(width * features)),
        ("b_enc".to_owned(), vec![features], TensorData::F32(vec![0.0; features])),
        ("W_dec".to_owned(), vec![features, width], draw(features * width)),
        ("b_dec".to_owned(), vec![width], TensorData::F32(vec![0.0; width])),
    ];
    write_safetensors(&folder.join("sae_weights.safetensors"), &tensors, &BTreeMap::new()).expect("it is written");
    index(&folder.join("index"), features);
    folder
}

fn index(folder: &Path, features: usize) {
    let table = IndexTable { corpus: "made up".to_owned(), context: 6, ..IndexTable::default() };
    let mut builder = IndexBuilder::new(folder, features, table, 0).expect("a builder");
    let texts = world::sets::texts(200, 3);
    let mut random = Random::new(2, "wide index");
    // A real one fires a few dozen features at a token, however many it has.
    let share = (200.0 / features as f64).min(0.05);
    for (number, text) in texts.iter().filter(|text| text.len() >= 4).take(TOKENS / 4).enumerate() {
        let mut z = vec![0.0f32; 4 * features];
        for (place, value) in z.iter_mut().enumerate() {
            // Every seventh feature is dead, the others fire at a token of their own and here and there.
            let (row, feature) = (place / features, place % features);
            if feature % 7 != 0 && (feature % TOKENS == 4 * number + row || random.uniform() < share) {
                *value = (0.2 + 9.0 * random.uniform()) as f32;
            }
        }
        let z = Tensor::from_vec(z, (4, features), &Device::Cpu).expect("numbers");
        builder.push(&text[..4], &z, 0).expect("it takes them up");
    }
    builder.finish(None, None, &Ctl::new(0)).expect("it is written");
}

/// Width of the tiny model's stream.
fn width() -> usize {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/tiny/config.json");
    let config = std::fs::read_to_string(config).expect("the tiny model's configuration");
    let config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    config["hidden_size"].as_u64().expect("a width") as usize
}
