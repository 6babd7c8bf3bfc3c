//! Files that lie, are cut short, change or do not fit: each a clear message, nothing lost, no panic.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use plumb_nn::checkpoint::{
    Checkpoint, CheckpointError, StoredType, TensorData, rewrite_safetensors, write_safetensors,
};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoint/fixtures").join(name)
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn message(bytes: &[u8], name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, name, bytes);
    let text = Checkpoint::open(&path).unwrap_err().to_string();
    assert!(text.ends_with(name), "the path stands last: {text}");
    text
}

fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is missing in: {text}");
    }
}

#[test]
fn what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Checkpoint::open(&folder.path().join("none.pt")).unwrap_err();
    assert!(matches!(missing, CheckpointError::Missing { .. }));
    says(&Checkpoint::open(folder.path()).unwrap_err().to_string(), &["a folder", "choose a file inside"]);
    says(&message(b"", "empty.pt"), &["empty (0 bytes)"]);
    #[cfg(target_os = "linux")]
    says(&Checkpoint::open(Path::new("/dev/zero")).unwrap_err().to_string(), &["a device or pipe"]);
}

#[test]
fn what_is_no_checkpoint() {
    says(&message(b"\x89PNG\r\n\x1a\n............", "a.pt"), &["a PNG picture", "Plumb reads safetensors"]);
    says(&message(b"<!DOCTYPE html><html>", "a.pt"), &["web page"]);
    says(&message(b"version https://git-lfs.github.com/spec/v1\n", "a.pt"), &["git lfs pull"]);
    says(&message(b"hello, here is some text\n", "a.pt"), &["a text file"]);
    says(&message(b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}.", "a.pkl"), &["plain Python pickle", "torch.save"]);
    let legacy = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";
    says(&message(legacy, "old.pth"), &["PyTorch file is damaged", "pickle is malformed"]);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("letters/a.txt", zip::write::SimpleFileOptions::default()).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    says(&message(&zip, "a.pt"), &["a zip archive that holds no tensors but letters/a.txt"]);
    says(&message(&zip[..zip.len() - 10], "a.pt"), &["PyTorch file is damaged", "table of contents"]);
}

#[test]
fn safetensors_that_lie() {
    let one = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    says(&message(b"\x01\x02", "a.safetensors"), &["damaged", "2 bytes"]);
    says(&message(&safetensors(one, 8)[..30], "a.safetensors"), &["announces a header of", "byte 0"]);
    let mut huge = safetensors(one, 8);
    huge[..8].fill(0xff);
    says(&message(&huge, "a.bin"), &["header of 18446744073709551615 bytes"]);
    says(&message(&safetensors(one, 7), "a.bin"), &["0 to 8 of 7", "tensor \"w\"", "fetch or export it again"]);
    says(&message(&safetensors("{not json", 8), "a.bin"), &["not valid JSON"]);
    says(&message(&safetensors(&one.replace("[2]", "[3]"), 8), "a.bin"), &["needs 12 bytes and it has 8"]);
    says(&message(&safetensors(&one.replace("[0,8]", "[8,0]"), 8), "a.bin"), &["8 to 0"]);
    let product = one.replace("[2]", "[4294967296,4294967296,4294967296]");
    says(&message(&safetensors(&product, 8), "a.bin"), &["larger than any memory", "tensor \"w\""]);
    let hidden = one.replace("[2]", "[0,9223372036854775807,9223372036854775807]").replace("[0,8]", "[0,0]");
    says(&message(&safetensors(&hidden, 8), "a.bin"), &["larger than any memory"]);
    let two = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"v":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
    says(&message(&safetensors(two, 12), "a.bin"), &["overlaps that of \"w\"", "tensor \"v\""]);
    says(&message(&safetensors(&two.replace("\"v\"", "\"w\""), 12), "a.bin"), &["\"w\" comes twice"]);
    let deep = "[".repeat(100_000);
    says(&message(&safetensors(&format!("{{\"w\":{deep}"), 0), "a.bin"), &["not valid JSON"]);
}

#[test]
fn an_unknown_type_is_listed_as_skipped_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"v":{"dtype":"F4","shape":[2],"data_offsets":[8,9]},"e":{"dtype":"F32","shape":[0],"data_offsets":[9,9]}}"#;
    let file = Checkpoint::open(&write(&folder, "a.safetensors", &safetensors(header, 9))).unwrap();
    assert_eq!(file.skipped(), [("v".to_owned(), "numbers of type \"F4\" are not readable".to_owned())]);
    assert_eq!(file.read_f32("w").unwrap(), [0.0; 2]);
    assert!(file.read_f32("e").unwrap().is_empty());
    assert!(matches!(file.read_f32("v"), Err(CheckpointError::NoTensor { .. })));
    let out = folder.path().join("b.safetensors");
    assert_eq!(rewrite_safetensors(&file, &BTreeMap::new(), &out).unwrap().left_out.len(), 1);
}

#[test]
fn a_file_replaced_or_shrunk_while_open_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = fs::read(fixture("plain.pt")).unwrap();
    let path = write(&folder, "a.pt", &bytes);
    for change in 0..3 {
        fs::write(&path, &bytes).unwrap();
        let file = Checkpoint::open(&path).unwrap();
        file.read_f32("bias").unwrap();
        match change {
            0 => fs::rename(write(&folder, "b.pt", &bytes), &path).unwrap(),
            1 => fs::write(&path, &bytes[..100]).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        let error = file.read_f32("bias").unwrap_err();
        assert!(matches!(error, CheckpointError::Changed { .. }));
        says(&error.to_string(), &["changed on disk since it was opened; open it again"]);
    }
}

#[test]
fn a_tensor_beyond_the_memory_is_refused_with_both_sizes() {
    let file = Checkpoint::open(&fixture("plain.pt")).unwrap().with_memory_limit(100);
    assert_eq!(file.read_f32("bias").unwrap().len(), 4);
    says(
        &file.read_f32("conv.weight").unwrap_err().to_string(),
        &["\"conv.weight\"", "432 bytes", "100 bytes is free"],
    );
    // A sparse file of 1 TiB costs nothing on disk and cannot be held in memory.
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"w":{"dtype":"F32","shape":[274877906944],"data_offsets":[0,1099511627776]}}"#;
    let path = write(&folder, "large.safetensors", &safetensors(header, 0));
    let long = fs::OpenOptions::new().write(true).open(&path).unwrap();
    if long.set_len(8 + header.len() as u64 + (1 << 40)).is_ok() {
        let file = Checkpoint::open(&path).unwrap();
        assert!(matches!(file.read_f32("w"), Err(CheckpointError::TooLarge { .. })));
    }
}

#[test]
fn a_file_stretched_to_100_gib_is_refused_or_read_without_taking_its_size() {
    // Sparse, so it costs nothing on disk; what is said of the tensors stays as it was, or lies with the length.
    let folder = tempfile::tempdir().unwrap();
    for name in ["plain.safetensors", "plain.npz", "single.npy", "plain.gguf", "plain.pt", "plain.onnx"] {
        let path = write(&folder, name, &fs::read(fixture(name)).unwrap());
        if fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100 << 30).is_err() {
            return;
        }
        let begun = std::time::Instant::now();
        match Checkpoint::open(&path) {
            Ok(file) => {
                for entry in file.tensors() {
                    file.read_f32(&entry.name).unwrap();
                }
            }
            Err(error) => assert!(matches!(error, CheckpointError::Broken { .. }), "{name}: {error}"),
        }
        assert!(begun.elapsed().as_secs() < 5, "{name}: {:?}", begun.elapsed());
    }
    // A tensor that claims the whole length.
    let claims = 100u64 << 30;
    let array = "{'descr': '<f4', 'fortran_order': False, 'shape': (26843545500,), }";
    let npy = [b"\x93NUMPY\x01\x00", &(array.len() as u16).to_le_bytes()[..], array.as_bytes()].concat();
    let mut gguf = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0w\x01\0\0\0".to_vec();
    gguf.extend((claims / 4 - 64).to_le_bytes());
    gguf.extend([0; 12]);
    for (name, start) in [("large.npy", npy), ("large.gguf", gguf)] {
        let path = write(&folder, name, &start);
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(claims).unwrap();
        let file = Checkpoint::open(&path).unwrap();
        let tensor = &file.tensors()[0].name;
        let file_says = file.read_f32(tensor).unwrap_err();
        says(&file_says.to_string(), &["GiB of memory and only", "on a larger machine"]);
        let out = folder.path().join("out.safetensors");
        let limited = Checkpoint::open(&path).unwrap().with_memory_limit(1 << 20);
        assert!(matches!(limited.read_f64(tensor), Err(CheckpointError::TooLarge { .. })));
        assert!(!out.exists());
    }
}

/// A real full disk: a small one in memory, which only root may mount. Without root there is nothing to test here;
/// the unit tests of the export fail the same writes.
#[cfg(target_os = "linux")]
#[test]
fn a_really_full_disk_changes_nothing() {
    use std::process::Command;
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        return;
    }
    let path = disk.join("out.safetensors");
    fs::write(&path, b"precious").unwrap();
    let large = [("w".to_owned(), vec![1 << 18], TensorData::F32(vec![1.0; 1 << 18]))];
    let error = write_safetensors(&path, &large, &BTreeMap::new());
    let (kept, left) = (fs::read(&path), fs::read_dir(&disk).map(Iterator::count));
    let freed = Command::new("umount").arg(&disk).status();
    says(&error.unwrap_err().to_string(), &["not enough space on the disk for 1.0 MiB", "Nothing was changed"]);
    assert_eq!(kept.unwrap(), b"precious");
    assert_eq!(left.unwrap(), 1, "a temporary file was left behind");
    assert!(freed.is_ok_and(|status| status.success()));
}

#[test]
fn a_failed_export_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, "out.safetensors", b"precious");
    let wrong = [("w".to_owned(), vec![3], TensorData::F32(vec![1.0; 2]))];
    says(&write_safetensors(&path, &wrong, &BTreeMap::new()).unwrap_err().to_string(), &["2 numbers", "room for 3"]);
    let right = ("w".to_owned(), vec![2], TensorData::F32(vec![1.0; 2]));
    let twice = [right.clone(), right.clone()];
    says(&write_safetensors(&path, &twice, &BTreeMap::new()).unwrap_err().to_string(), &["\"w\" is taken"]);
    let quantised = TensorData::Raw { dtype: StoredType::Quantised("Q4_0".to_owned()), bytes: vec![0; 18] };
    assert!(write_safetensors(&path, &[("q".to_owned(), vec![18], quantised)], &BTreeMap::new()).is_err());
    let source = Checkpoint::open(&fixture("plain.npz")).unwrap();
    let unknown = BTreeMap::from([("nobody".to_owned(), vec![])]);
    assert!(matches!(rewrite_safetensors(&source, &unknown, &path), Err(CheckpointError::NoTensor { .. })));
    let short = BTreeMap::from([("bias".to_owned(), vec![0.0; 3])]);
    assert!(matches!(rewrite_safetensors(&source, &short, &path), Err(CheckpointError::WrongCount { .. })));
    // Damage that only shows while reading: the compressed data of one member.
    let mut bytes = fs::read(fixture("deflated.npz")).unwrap();
    let at = bytes.windows(8).position(|w| w == b"conv.npy").unwrap() + 90;
    bytes[at..at + 150].fill(0x55);
    if let Ok(source) = Checkpoint::open(&write(&folder, "bad.npz", &bytes)) {
        let done = rewrite_safetensors(&source, &BTreeMap::new(), &path);
        assert!(done.is_err() || !done.unwrap().left_out.is_empty());
        fs::write(&path, b"precious").unwrap();
    }
    let nowhere = folder.path().join("no/such/folder/a.safetensors");
    says(
        &write_safetensors(&nowhere, std::slice::from_ref(&right), &BTreeMap::new()).unwrap_err().to_string(),
        &["could not write"],
    );
    assert!(write_safetensors(folder.path(), &[right], &BTreeMap::new()).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let left = fs::read_dir(folder.path())
        .unwrap()
        .filter(|f| f.as_ref().unwrap().path().extension() == Some("part".as_ref()));
    assert_eq!(left.count(), 0);
}

#[test]
fn names_of_a_pickle_that_refers_to_itself_end() {
    // A list in itself, and lists that hold the next one twice, forty deep.
    let own = b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.".to_vec();
    let mut doubled = b"\x80\x02]q\x00".to_vec();
    for level in 1..40u8 {
        doubled.extend([b']', b'q', level, b'(', b'h', level - 1, b'h', level - 1, b'e']);
    }
    doubled.push(b'.');
    for pickle in [own, doubled] {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("archive/data.pkl", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, &pickle).unwrap();
        let text = message(&zip.finish().unwrap().into_inner(), "loop.pt");
        says(&text, &["its pickle"]);
    }
}

#[test]
fn gguf_that_lies() {
    let header = |tensors: u64, pairs: u64| {
        let mut bytes = b"GGUF\x03\x00\x00\x00".to_vec();
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(pairs.to_le_bytes());
        bytes
    };
    says(&message(&header(u64::MAX, 0), "a.gguf"), &["announces 18446744073709551615 tensors", "byte 8"]);
    says(&message(&header(1, 0)[..20], "a.gguf"), &["its header ends early"]);
    says(&message(b"GGUF\x01\x00\x00\x00\x00\x00\x00\x00\x00", "a.gguf"), &["version 1 of GGUF"]);
    let tensor = |axis: u64, kind: u32, offset: u64| {
        let mut bytes = header(1, 0);
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(b"w\x01\x00\x00\x00");
        bytes.extend(axis.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.resize(bytes.len() + 64, 0);
        bytes
    };
    says(&message(&tensor(1 << 20, 0, 0), "a.gguf"), &["tensor \"w\"", "reach past the end"]);
    says(&message(&tensor(4, 0, u64::MAX), "a.gguf"), &["reach past the end"]);
    says(&message(&tensor(u64::MAX, 0, 0), "a.gguf"), &["larger than any memory"]);
    says(&message(&tensor(33, 2, 0), "a.gguf"), &["do not divide into Q4_0 blocks of 32"]);
}

#[test]
fn numpy_that_lies() {
    let array =
        |header: &str| [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }";
    says(&message(&array(header), "a.npy"), &["needs 36 bytes and it has 0"]);
    says(&message(&array(header)[..20], "a.npy"), &["header ends early"]);
    says(&message(&array(&header.replace('9', "-9")), "a.npy"), &["malformed shape"]);
    says(&message(&array(&header.replace("9,", "9999999999,9999999999")), "a.npy"), &["larger than any memory"]);
    says(&message(&array(&header.replace("<f4", "|O")), "a.npy"), &["type '|O'"]);
}

#[test]
fn onnx_that_ends_early_or_holds_nothing() {
    let model = fs::read(fixture("plain.onnx")).unwrap();
    says(&message(&model[..model.len() / 2], "a.onnx"), &["ONNX file is damaged", "at byte"]);
    says(&message(b"\x08\x07\x12\x00", "a.onnx"), &["no network graph"]);
    says(&message(b"\x08\x07\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "a.onnx"), &["reaches past its end"]);
}

#[test]
fn pytorch_archives_that_are_no_state_dict() {
    let archive = |files: &[(&str, &[u8])]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let script = archive(&[("net/data.pkl", b"\x80\x02}."), ("net/constants.pkl", b"\x80\x02).")]);
    says(&message(&script, "a.pt"), &["TorchScript", "torch.jit.load"]);
    says(&message(&archive(&[("a/data.pkl", b"\x80\x02}."), ("a/byteorder", b"middle")]), "a.pt"), &["byte order"]);
    says(&message(&archive(&[("a/data.pkl", b"\x80\x02}.")]), "a.pt"), &["holds no tensors"]);
    says(&message(&archive(&[("a/data.pkl", b"\x80\x02}")]), "a.pt"), &["malformed at byte 3"]);
    // A pickle that would run a command does nothing here.
    let command = b"\x80\x02cos\nsystem\nX\x0c\x00\x00\x00touch broken\x85R.";
    says(&message(&archive(&[("a/data.pkl", command)]), "a.pt"), &["without running its class os.system"]);
}

#[test]
fn a_flipped_byte_in_an_archive_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["plain.npz", "deflated.npz", "plain.pt", "protocol4.pt"] {
        let whole = fs::read(fixture(name)).unwrap();
        let good = Checkpoint::open(&fixture(name)).unwrap();
        let path = folder.path().join(name);
        let out = path.with_extension("safetensors");
        let (mut wrong, mut refused) = (0, 0);
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            let Ok(file) = Checkpoint::open(&path) else { continue };
            for entry in file.tensors() {
                match (file.read_f64(&entry.name), good.read_f64(&entry.name)) {
                    (Err(error), _) => {
                        assert!(matches!(error, CheckpointError::Broken { .. }), "{error}");
                        refused += u32::from(error.to_string().contains("does not match its checksum"));
                        assert!(rewrite_safetensors(&file, &BTreeMap::new(), &out).is_err() && !out.exists());
                    }
                    // Under another name the numbers are still right; empty tensors have none.
                    (Ok(read), Ok(expected)) => wrong += u32::from(read != expected),
                    (Ok(_), Err(_)) => {}
                }
            }
        }
        assert_eq!(wrong, 0, "{name}: wrong numbers without a word");
        assert!(refused > 20, "{name}: {refused}");
    }
}

#[test]
fn an_open_checkpoint_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Checkpoint>();
}
