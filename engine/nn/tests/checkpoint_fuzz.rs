//! Damaged files of every format: opening, reading and exporting them may fail but never panic, hang or take
//! more memory than their size explains. `PROPTEST_CASES=100000` runs longer.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use plumb_nn::checkpoint::{Checkpoint, rewrite_safetensors};
use proptest::prelude::*;

const FILES: [&str; 20] = [
    "torch/fixtures/state_dict.pt",
    "torch/fixtures/legacy.pth",
    "torch/fixtures/odd_tensors.pt",
    "torch/fixtures/own_module.pt",
    "torch/fixtures/whole_module.pt",
    "torch/fixtures/big_endian.pt",
    "onnx/fixtures/conv2d.onnx",
    "onnx/fixtures/transposed.onnx",
    "onnx/fixtures/conv1d.onnx",
    "plain.safetensors",
    "plain.npz",
    "deflated.npz",
    "single.npy",
    "plain.gguf",
    "plain.pt",
    "protocol4.pt",
    "training.pth",
    "module.pt",
    "plain.onnx",
    "beside.onnx",
];

fn original(name: &str) -> Vec<u8> {
    let folder = if name.contains('/') { tests() } else { tests().join("checkpoint/fixtures") };
    fs::read(folder.join(name)).unwrap()
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Opens and reads everything; a tensor may be at most what a few kilobytes can honestly unpack to.
fn exercise(path: &Path) {
    let started = Instant::now();
    if let Ok(file) = Checkpoint::open(path) {
        let file = file.with_memory_limit(1 << 24);
        for entry in file.tensors() {
            let _ = file.read_f32(&entry.name);
            let _ = file.read_f64(&entry.name);
        }
        if file.total_bytes() < 1 << 24 {
            let _ = rewrite_safetensors(&file, &BTreeMap::new(), &path.with_extension("out"));
        }
    }
    assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
}

#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    Word(usize, u64),
    Cut(usize),
    Remove(usize, usize),
    Repeat(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<usize>();
    prop_oneof![
        4 => (at, any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => (at, prop_oneof![
            Just(u64::MAX), Just(1 << 63), Just(u64::from(u32::MAX)), Just(1 << 31), Just(0), Just(1 << 40), 0..4096u64,
        ]).prop_map(|(at, word)| Damage::Word(at, word)),
        1 => at.prop_map(Damage::Cut),
        1 => (at, 1..64usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => (at, 1..64usize).prop_map(|(at, count)| Damage::Repeat(at, count)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    match *damage {
        Damage::Set(at, byte) => bytes[at % len] = byte,
        Damage::Word(at, word) => {
            for (slot, byte) in bytes[at % len..].iter_mut().zip(word.to_le_bytes()) {
                *slot = byte;
            }
        }
        Damage::Cut(at) => bytes.truncate(at % len),
        Damage::Remove(at, count) => drop(bytes.drain(at % len..(at % len + count).min(len))),
        Damage::Repeat(at, count) => {
            let part = bytes[at % len..(at % len + count).min(len)].to_vec();
            bytes.splice(at % len..at % len, part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_never_panic(file in 0..FILES.len(), damages in prop::collection::vec(damage(), 1..6)) {
        let name = FILES[file];
        let mut bytes = original(name);
        for damage in &damages {
            apply(&mut bytes, damage);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(Path::new(name).file_name().unwrap());
        fs::write(&path, bytes).unwrap();
        exercise(&path);
    }

    /// Checksums catch most damage to an archive before its content is looked at: here they are right again.
    #[test]
    fn damaged_content_under_right_checksums_never_panics(
        file in 0..FILES.len(), member in any::<prop::sample::Index>(), damages in prop::collection::vec(damage(), 1..6),
    ) {
        let name = FILES[file];
        let mut bytes = original(name);
        if bytes.starts_with(b"PK") {
            let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
            // Half of the time the description of the tensors, which is where most can go wrong.
            let pickle = (0..archive.len()).find(|&at| archive.by_index(at).unwrap().name().unwrap().ends_with("data.pkl"));
            let chosen = member.index(archive.len() * 2);
            let chosen = if chosen < archive.len() { chosen } else { pickle.unwrap_or(chosen - archive.len()) };
            let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
            for at in 0..archive.len() {
                let mut member = archive.by_index(at).unwrap();
                let mut content = Vec::new();
                member.read_to_end(&mut content).unwrap();
                if at == chosen {
                    for damage in &damages {
                        apply(&mut content, damage);
                    }
                }
                let options = zip::write::SimpleFileOptions::default().compression_method(member.compression());
                out.start_file(member.name().unwrap(), options).unwrap();
                out.write_all(&content).unwrap();
            }
            bytes = out.finish().unwrap().into_inner();
        } else {
            // Other formats begin with what describes the rest.
            let mut start = bytes.drain(..bytes.len().min(700)).collect();
            for damage in &damages {
                apply(&mut start, damage);
            }
            bytes.splice(..0, start);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(Path::new(name).file_name().unwrap());
        fs::write(&path, bytes).unwrap();
        exercise(&path);
    }

    #[test]
    fn noise_after_a_magic_never_panics(
        magic in prop::sample::select(vec!["GGUF\u{3}\0\0\0", "PK\u{3}\u{4}", "\u{8}\u{7}", "\0\0\0\0\0\0\0\0{"]),
        noise in prop::collection::vec(any::<u8>(), 0..512),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("noise");
        fs::write(&path, [magic.as_bytes(), &noise].concat()).unwrap();
        exercise(&path);
    }
}

#[test]
fn what_broke_before_stays_fixed() {
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(tests().join("corpus")).unwrap() {
        let file = file.unwrap().path();
        let copy = folder.path().join(file.file_name().unwrap());
        fs::copy(&file, &copy).unwrap();
        exercise(&copy);
    }
}
