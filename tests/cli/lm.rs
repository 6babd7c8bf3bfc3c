//! `plumb lm`: a tiny checkpoint of each family, whose numbers Hugging Face transformers computed.

use std::path::Path;

use plumb_nn::checkpoint::Checkpoint;
use serde_json::Value;

use super::{json, plumb, text};

const FAMILIES: [&str; 3] = ["gpt2", "llama", "gemma2"];

fn folder(family: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/text/tests/fixtures").join(family)
}

/// The tokens of the first fixture text, and how many they are.
fn tokens(family: &str) -> (String, usize) {
    let expected = Checkpoint::open(&folder(family).join("expected.safetensors")).unwrap();
    let ids: Vec<_> = expected.read_f32("tokens_0").unwrap().iter().map(|&id| (id as u32).to_string()).collect();
    (ids.join(","), ids.len())
}

fn close(file: &Path, name: &str, family: &str, expected: &str) {
    let found = Checkpoint::open(file).unwrap();
    let reference = Checkpoint::open(&folder(family).join("expected.safetensors")).unwrap();
    assert_eq!(found.entry(name).unwrap().shape, reference.entry(expected).unwrap().shape, "{family}");
    let (found, expected) = (found.read_f32(name).unwrap(), reference.read_f32(expected).unwrap());
    let scale = expected.iter().fold(0.0_f32, |scale, x| scale.max(x.abs()));
    let worst = found.iter().zip(&expected).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(worst <= 1e-4 * scale, "{family}: {worst} of {scale}");
}

#[test]
fn logits_and_residual_stream_are_those_of_transformers() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out.safetensors");
    for family in FAMILIES {
        let (model, (tokens, _)) = (folder(family), tokens(family));
        let common = ["--model", text(&model), "--tokens", &tokens, "--out", text(&out)];
        let run = plumb(home.path(), &[&["lm", "logits"][..], &common].concat());
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        close(&out, "logits", family, "logits_0");
        let hook = ["--hook", "blocks.1.hook_resid_pre"];
        let run = plumb(home.path(), &[&["lm", "resid"][..], &common, &hook].concat());
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        close(&out, "resid", family, "hidden_0_1");
    }
}

#[test]
fn a_text_is_scored_and_continued_the_same_every_time() {
    let home = tempfile::tempdir().unwrap();
    let (model, (tokens, count)) = (folder("llama"), tokens("llama"));
    let common = ["--model", text(&model), "--tokens", &tokens, "--json"];
    let score = json(&plumb(home.path(), &[&["lm", "score"][..], &common].concat()));
    let logprobs: Vec<f64> = score["logprobs"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    assert_eq!(logprobs.len(), count - 1);
    let mean = logprobs.iter().sum::<f64>() / logprobs.len() as f64;
    assert!((score["perplexity"].as_f64().unwrap() - (-mean).exp()).abs() < 1e-6 * (-mean).exp());

    let sampling = ["--temperature", "1.5", "--top-k", "20", "--max-tokens", "8", "--ignore-end", "--seed", "7"];
    let generate = || json(&plumb(home.path(), &[&["lm", "generate"][..], &common, &sampling].concat()));
    let (first, second) = (generate(), generate());
    assert_eq!(first["tokens"].as_array().map(Vec::len), Some(8));
    assert_eq!(first["tokens"], second["tokens"]);
    assert_eq!(first["stop"], Value::from("length"));
}

#[test]
fn what_a_model_lacks_is_said() {
    let home = tempfile::tempdir().unwrap();
    let (model, out) = (folder("gpt2"), home.path().join("out.safetensors"));
    let cases: [(&[&str], &str); 5] = [
        (&["lm", "score", "--model", text(&model), "--text", "Hello"], "tokenizer"),
        (&["lm", "score", "--model", text(&model), "--tokens", "1,999"], "token 999 at position 1"),
        (&["lm", "score", "--model", "no-such-file.gguf", "--tokens", "1,2"], "no-such-file.gguf"),
        (
            &[
                "lm",
                "resid",
                "--model",
                text(&model),
                "--tokens",
                "1",
                "--hook",
                "blocks.9.hook_resid_post",
                "--out",
                text(&out),
            ],
            "blocks.9.hook_resid_post does not exist",
        ),
        (&["lm", "generate", "--model", text(&model), "--tokens", "1,2", "--top-p", "0"], "top-p is 0"),
    ];
    for (arguments, expected) in cases {
        let run = plumb(home.path(), arguments);
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!out.exists(), "nothing half written");
    }
    let run = plumb(home.path(), &["lm", "resid", "--model", "x", "--tokens", "1", "--hook", "layer 3", "--out", "y"]);
    assert_eq!(run.status.code(), Some(2), "the command line itself is at fault");
}
