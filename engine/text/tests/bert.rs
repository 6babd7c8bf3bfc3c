//! BERT as `transformers` computes it, on a tiny random checkpoint; see `fixtures/README.md`.

#![allow(clippy::unwrap_used, reason = "a test may end here")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Device;
use plumb_core::Ctl;
use plumb_nn::checkpoint::{Checkpoint, TensorData, write_safetensors};
use plumb_text::bert::{SentenceEncoder, SequenceClassifier};

const TEXTS: [&str; 3] =
    ["You are a very kind friend.", "So it goes, fool!", "I talked, we walked; it isn't playing 日本 x"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bert")
}

fn expected() -> Checkpoint {
    Checkpoint::open(&folder().join("expected.safetensors")).unwrap()
}

fn close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0f32, |scale, x| scale.max(x.abs()));
    let worst = found.iter().zip(expected).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs())) / scale;
    assert!(worst < 1e-4, "{what}: {worst}");
}

#[test]
fn states_and_classes_are_those_of_transformers() {
    let (classifier, sentences) = (
        SequenceClassifier::open(&folder(), &Device::Cpu).unwrap(),
        SentenceEncoder::open(&folder(), &Device::Cpu).unwrap(),
    );
    let expected = expected();
    assert_eq!(classifier.labels()[classifier.toxic_label().unwrap()], "toxic");
    assert_eq!((classifier.labels().len(), sentences.width()), (6, 24));
    let ctl = Ctl::new(0);
    let (classes, vectors) = (classifier.classify(&TEXTS, &ctl).unwrap(), sentences.embed(&TEXTS, &ctl).unwrap());
    for (i, text) in TEXTS.iter().enumerate() {
        let numbers = |name: &str| expected.read_f32(&format!("{name}_{i}")).unwrap();
        let tokens: Vec<u32> = numbers("tokens").into_iter().map(|token| token as u32).collect();
        assert_eq!(classifier.tokenizer().unwrap().encode(text, true).unwrap(), tokens, "{text}");
        let hidden = sentences.hidden(&tokens).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        close(&hidden, &numbers("hidden"), text);
        close(&classifier.logits(&tokens).unwrap(), &numbers("logits"), text);
        // Padded beside longer texts.
        let sigmoid: Vec<f32> = numbers("logits").iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect();
        close(&classes[i], &sigmoid, text);
        close(&vectors[i], &numbers("embedding"), text);
    }
}

#[test]
fn long_texts_are_cut_and_long_token_lists_refused() {
    let classifier = SequenceClassifier::open(&folder(), &Device::Cpu).unwrap();
    let ctl = Ctl::new(0);
    let long = "you are kind ".repeat(30);
    let cut = "you are kind ".repeat(6);
    let classes = classifier.classify(&[&long, &cut], &ctl).unwrap();
    close(&classes[0], &classes[1], "20 positions: 18 tokens between the ends");
    let error = classifier.logits(&[2; 21]).unwrap_err().to_string();
    assert!(error.contains("21 tokens") && error.contains("20"), "{error}");
    let error = classifier.logits(&[2, 99]).unwrap_err().to_string();
    assert!(error.contains("token 99 at position 1"), "{error}");
    ctl.cancel();
    assert!(classifier.classify(&[&long], &ctl).is_err());
}

/// Changes a tensor by name, or says that it is to be left out.
type Change = dyn Fn(&str, &mut Vec<usize>, &mut Vec<f32>) -> bool;

#[test]
fn damaged_checkpoints_are_named() {
    let place = tempfile::tempdir().unwrap();
    for name in ["config.json", "vocab.txt"] {
        std::fs::copy(folder().join(name), place.path().join(name)).unwrap();
    }
    let file = Checkpoint::open(&folder().join("model.safetensors")).unwrap();
    let spoil = |change: &Change| {
        let mut tensors = Vec::new();
        for entry in file.tensors() {
            let (mut shape, mut numbers) = (entry.shape.clone(), file.read_f32(&entry.name).unwrap());
            if change(&entry.name, &mut shape, &mut numbers) {
                tensors.push((entry.name.clone(), shape, TensorData::F32(numbers)));
            }
        }
        write_safetensors(&place.path().join("model.safetensors"), &tensors, &BTreeMap::new()).unwrap();
        SequenceClassifier::open(place.path(), &Device::Cpu).err().map(|error| error.to_string())
    };
    assert_eq!(spoil(&|_, _, _| true), None);
    let error = spoil(&|name, _, _| name != "classifier.weight").unwrap();
    assert!(error.contains("classifier.weight") && error.contains("missing"), "{error}");
    let error = spoil(&|name, shape, _| {
        if name.ends_with("intermediate.dense.weight") {
            shape.reverse();
        }
        true
    });
    assert!(error.as_ref().is_some_and(|error| error.contains("[24, 40]") && error.contains("[40, 24]")), "{error:?}");
    let error = spoil(&|name, _, numbers| {
        if name.ends_with("pooler.dense.bias") {
            numbers[3] = f32::NAN;
        }
        true
    });
    assert!(error.as_ref().is_some_and(|error| error.contains("NaN")), "{error:?}");
    std::fs::write(place.path().join("config.json"), "{\"model_type\": \"roberta\"}").unwrap();
    let error = spoil(&|_, _, _| true).unwrap();
    assert!(error.contains("config.json"), "{error}");
}
