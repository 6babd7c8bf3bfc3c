//! Files that PyTorch itself wrote, against the numbers it read back from them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use plumb_nn::checkpoint::{Checkpoint, Format};

/// Shape and row-major numbers of every tensor, by file and name.
type Expected = BTreeMap<String, BTreeMap<String, (Vec<usize>, Vec<f64>)>>;

fn folder() -> PathBuf {
    std::env::var_os("PLUMB_TORCH_FIXTURES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torch/fixtures"), PathBuf::from)
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_number_is_what_pytorch_says() {
    let expected: Expected = serde_json::from_slice(&std::fs::read(folder().join("expected.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (name, tensors) in &expected {
        let file = match Checkpoint::open(&folder().join(name)) {
            Ok(file) => file,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        assert_eq!(file.format(), Format::PyTorch);
        let unknown: Vec<_> =
            file.tensors().iter().map(|entry| &entry.name).filter(|name| !tensors.contains_key(*name)).collect();
        if !unknown.is_empty() {
            wrong.push(format!("{name}: nobody knows {unknown:?}"));
        }
        for (tensor, (shape, numbers)) in tensors {
            match (file.entry(tensor), file.read_f64(tensor)) {
                (Some(entry), Ok(read)) if entry.shape == *shape && read == *numbers => {}
                found => wrong.push(format!("{name}: {tensor} is {found:?}; skipped: {:?}", file.skipped())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_dense_tensor_is_listed_with_a_reason() {
    let file = open("odd_tensors.pt");
    let reasons: BTreeMap<_, _> = file.skipped().iter().cloned().collect();
    for (name, part) in [("complex", "ComplexFloatStorage"), ("sparse", "sparse"), ("quantised", "qtensor")] {
        assert!(reasons.get(name).is_some_and(|reason| reason.contains(part)), "{name}: {reasons:?}");
    }
}
