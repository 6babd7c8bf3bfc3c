//! The command line, run as a user runs it: the real program, real files, the exit code, stdout and stderr.
//! Belongs to package `plumb` so that cargo hands over the path of the program.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod lm;
mod moderate;
mod steer;
mod stop;
mod window;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use plumb_nn::checkpoint::{Checkpoint, TensorData, write_safetensors};
use serde_json::Value;

fn plumb(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .env("PLUMB_HOME", home)
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "exit {:?}: {}", output.status.code(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("stdout is one JSON document and nothing else")
}

/// The generic kernel of the exact vectors: w_i = ((37 i + 11) mod 101) / 101 − 0.5.
fn lcg(count: usize) -> Vec<f64> {
    (0..count).map(|i| ((37 * i + 11) % 101) as f64 / 101.0 - 0.5).collect()
}

fn file_with(folder: &Path, name: &str, tensors: &[(&str, &[usize], Vec<f64>)]) -> PathBuf {
    let path = folder.join(name);
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, shape, data)| ((*name).to_owned(), shape.to_vec(), TensorData::F64(data.clone())))
        .collect();
    write_safetensors(&path, &tensors, &BTreeMap::new()).expect("the fixture is written");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

fn sigma(layer: &Value) -> Vec<f64> {
    layer["sigma"].as_array().expect("sigma is a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

#[test]
fn spectrum_prints_the_exact_vectors() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file_with(folder.path(), "t2.safetensors", &[("conv.weight", &[4, 3, 3, 3], lcg(108))]);
    // σ₁, σ₂ of method notes T2: geometry flags and values.
    let cases: [(&[&str], [f64; 2]); 6] = [
        (&["--padding", "1"], [4.474546175, 4.466559249]),
        (&["--padding", "1", "--padding-mode", "circular"], [4.663169145, 4.663169145]),
        (&["--padding", "1", "--padding-mode", "reflect"], [4.967283847, 4.925536962]),
        (&["--padding", "1", "--padding-mode", "replicate"], [4.676051043, 4.664691881]),
        (&["--padding", "1", "--stride", "2"], [2.609822716, 2.564883563]),
        (&["--padding", "2", "--dilation", "2"], [3.453041676, 3.453041676]),
    ];
    for (flags, expected) in cases {
        for exact in [false, true] {
            let mut arguments = vec!["spectrum", text(&path), "--op", "conv2d", "--input", "6x6", "--f64", "--json"];
            arguments.extend_from_slice(flags);
            if exact {
                arguments.push("--exact");
            }
            let document = json(&plumb(folder.path(), &arguments));
            assert_eq!(document["file"].as_str(), Some(text(&path)));
            let layer = &document["layers"][0];
            for field in [
                "name",
                "op",
                "weight_shape",
                "input_shape",
                "sigma",
                "method",
                "iterations",
                "residual",
                "frobenius",
                "reshaped_norm",
                "seconds",
            ] {
                assert!(!layer[field].is_null(), "{field} is missing in {layer}");
            }
            let found = sigma(layer);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{flags:?} exact={exact}: {found} is not {expected}");
            }
            assert!(found.windows(2).all(|pair| pair[0] >= pair[1]), "descending");
            if !exact {
                assert_eq!(found.len(), 4, "four values unless asked otherwise");
            }
        }
    }
}

#[test]
fn top_and_layer_choose() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file_with(
        folder.path(),
        "two.safetensors",
        &[("a.weight", &[8, 4], lcg(32)), ("b.weight", &[4, 8], lcg(32)), ("b.bias", &[4], lcg(4))],
    );
    let document =
        json(&plumb(folder.path(), &["spectrum", text(&path), "--layer", "b.weight", "--top", "2", "--json"]));
    let layers = document["layers"].as_array().expect("a list");
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0]["name"], "b.weight");
    assert_eq!(layers[0]["op"], "dense");
    assert_eq!(sigma(&layers[0]).len(), 2);
    let all = json(&plumb(folder.path(), &["spectrum", text(&path), "--json"]));
    let skipped = all["skipped"].as_array().expect("a list");
    assert!(skipped.iter().any(|entry| entry["name"] == "b.bias" && entry["reason"].is_string()), "{skipped:?}");
}

/// A layer too large for the whole matrix.
#[test]
fn an_accuracy_ends_the_iteration_sooner() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file_with(folder.path(), "large.safetensors", &[("conv.weight", &[24, 24, 3, 3], lcg(24 * 24 * 9))]);
    let find = |more: &[&str]| {
        let mut arguments = vec!["spectrum", text(&path), "--input", "24x24", "--json"];
        arguments.extend_from_slice(more);
        let layer = json(&plumb(folder.path(), &arguments))["layers"][0].clone();
        (sigma(&layer), layer["iterations"].as_u64().expect("a count"))
    };
    let ((usual, long), (quick, short)) = (find(&[]), find(&["--accuracy", "1e-3"]));
    assert!(0 < short && short < long, "{short} of {long} applications");
    for (quick, usual) in quick.iter().zip(&usual) {
        assert!((quick / usual - 1.0).abs() < 1e-3, "{quick} is not {usual}");
    }
    for wrong in ["0", "1", "three"] {
        let output = plumb(folder.path(), &["spectrum", text(&path), "--accuracy", wrong]);
        assert_eq!(output.status.code(), Some(2), "--accuracy {wrong}");
    }
}

#[test]
fn clip_reaches_the_target_and_keeps_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let bias = lcg(4);
    let path = file_with(
        folder.path(),
        "t2.safetensors",
        &[("conv.weight", &[4, 3, 3, 3], lcg(108)), ("conv.bias", &[4], bias.clone())],
    );
    let out = folder.path().join("clipped.safetensors");
    let geometry = ["--op", "conv2d", "--input", "6x6", "--padding", "1"];
    let mut arguments = vec!["clip", text(&path), "--to", "1", "--out", text(&out), "--json"];
    arguments.extend_from_slice(&geometry);
    let document = json(&plumb(folder.path(), &arguments));
    let layer = &document["layers"][0];
    let (before, after) = (layer["before"].as_f64().expect("before"), layer["after"].as_f64().expect("after"));
    assert!((before - 4.474546175).abs() < 1e-3, "{before}");
    assert!((after - 1.0).abs() <= 0.01, "{after}");

    let written = Checkpoint::open(&out).expect("the result opens");
    assert_eq!(written.entry("conv.weight").expect("still there").shape, [4, 3, 3, 3]);
    assert_eq!(written.read_f64("conv.bias").expect("readable"), bias, "the bias never changes");

    let mut arguments = vec!["spectrum", text(&out), "--f64", "--exact", "--json"];
    arguments.extend_from_slice(&geometry);
    let again = json(&plumb(folder.path(), &arguments));
    let found = sigma(&again["layers"][0])[0];
    assert!((found - 1.0).abs() <= 0.01, "a fresh look at the written file finds {found}");
}

#[test]
fn equalise_raises_what_is_too_small() {
    let folder = tempfile::tempdir().expect("a folder");
    let small: Vec<f64> = lcg(32).iter().map(|w| w * 0.1).collect();
    let path = file_with(folder.path(), "small.safetensors", &[("a.weight", &[8, 4], small)]);
    let out = folder.path().join("out.safetensors");
    for (mode, reached) in [("clip", false), ("equalise", true)] {
        let arguments = ["clip", text(&path), "--to", "1", "--mode", mode, "--out", text(&out), "--json"];
        let document = json(&plumb(folder.path(), &arguments));
        let after = document["layers"][0]["after"].as_f64().expect("after");
        assert_eq!((after - 1.0).abs() <= 0.01, reached, "mode {mode} ends at {after}");
    }
}

#[test]
fn the_sample_is_at_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let document = json(&plumb(folder.path(), &["spectrum", "embedded:digits-resnet8", "--json"]));
    assert!(document["layers"].as_array().expect("a list").len() >= 8, "{document}");
}

#[test]
fn bad_input_is_a_sentence_and_an_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let garbage = folder.path().join("garbage.safetensors");
    std::fs::write(&garbage, b"\xff\xff\xff\xff\xff\xff\xff\x7fnot a header").expect("written");
    let nan = file_with(folder.path(), "nan.safetensors", &[("a.weight", &[2, 2], vec![1.0, f64::NAN, 0.0, 1.0])]);
    let conv = file_with(folder.path(), "conv.safetensors", &[("c.weight", &[4, 3, 3, 3], lcg(108))]);
    let missing = folder.path().join("nowhere.safetensors");
    let unwritable = folder.path().join("no-such-folder").join("out.safetensors");

    for arguments in [
        vec!["spectrum", text(&garbage)],
        vec!["spectrum", text(&missing)],
        vec!["spectrum", text(&conv), "--layer", "absent.weight"],
        vec!["clip", text(&conv), "--to", "1", "--input", "8x8", "--out", text(&unwritable)],
        vec!["clip", text(&conv), "--to", "-1", "--out", text(&garbage)],
    ] {
        let output = plumb(folder.path(), &arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?} must fail");
        assert!(message.len() > 20 && !message.contains("panicked"), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "nothing on stdout: {}", String::from_utf8_lossy(&output.stdout));
    }

    // One bad layer does not hide the others: it is told in its row.
    let document = json(&plumb(folder.path(), &["spectrum", text(&nan), "--json"]));
    assert!(document["layers"][0]["problem"].is_string(), "{document}");
    let misfit = json(&plumb(
        folder.path(),
        &["spectrum", text(&conv), "--op", "conv2d", "--input", "1x1", "--padding", "0", "--json"],
    ));
    assert!(misfit["layers"][0]["problem"].is_string(), "{misfit}");
}

#[test]
fn help_documents_the_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    let help = plumb(folder.path(), &["--help"]);
    let text = String::from_utf8_lossy(&help.stdout);
    for word in ["spectrum", "clip", "run", "--renderer"] {
        assert!(text.contains(word), "{word} is missing in:\n{text}");
    }
}
