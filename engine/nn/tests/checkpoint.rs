//! Reading every format, against values computed here, and writing safetensors.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod common {
    //! The fixtures and the formula of their values.
    use std::path::PathBuf;

    pub fn fixture(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoint/fixtures").join(name)
    }

    pub fn values(seed: u64, count: u64) -> Vec<f64> {
        let thousandths = (0..count).map(|i| ((i * 7919 + seed * 104729) % 2001) as f64 - 1000.0);
        thousandths.map(|n| n / 1000.0).collect()
    }
}

use std::{collections::BTreeMap, fs};

use common::{fixture, values};
use plumb_nn::checkpoint::{
    Checkpoint, CheckpointError, Format, StoredType, TensorData, rewrite_safetensors, write_safetensors,
};

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn check(file: &Checkpoint, name: &str, shape: &[usize], expected: &[f64], tolerance: f64) {
    let entry = file.entry(name).unwrap_or_else(|| panic!("{name} is missing; skipped: {:?}", file.skipped()));
    assert_eq!(entry.shape, shape, "{name}");
    let (double, single) = (file.read_f64(name).unwrap(), file.read_f32(name).unwrap());
    assert_eq!((double.len(), single.len()), (expected.len(), expected.len()), "{name}");
    for ((&double, &single), &expected) in double.iter().zip(&single).zip(expected) {
        assert!((double - expected).abs() <= tolerance, "{name}: {double} instead of {expected}");
        assert!((f64::from(single) - expected).abs() <= tolerance.max(1e-7), "{name}: {single} instead of {expected}");
    }
}

fn check_common(file: &Checkpoint, prefix: &str) {
    check(file, &format!("{prefix}conv"), &[4, 3, 3, 3], &values(1, 108), 1e-7);
    if file.entry("half").is_some() {
        check(file, "half", &[5, 6], &values(2, 30), 5e-4);
    }
    if file.entry("bias").is_some() {
        check(file, "bias", &[4], &values(3, 4), 0.0);
    }
    if file.entry("counts").is_some() {
        check(file, "counts", &[6], &[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0], 0.0);
    }
}

fn transposed(rows: usize, columns: usize, block: usize, source: &[f64]) -> Vec<f64> {
    let mut out = Vec::new();
    for column in 0..columns {
        for row in 0..rows {
            out.extend(&source[(row * columns + column) * block..][..block]);
        }
    }
    out
}

#[test]
fn safetensors_reads_every_tensor() {
    let file = open("plain.safetensors");
    assert_eq!(file.format(), Format::Safetensors);
    assert_eq!(file.tensors().len(), 5);
    assert_eq!(file.metadata()["made"], "for tests");
    check_common(&file, "");
    check(&file, "none", &[0, 3], &[], 0.0);
    assert_eq!(file.total_bytes(), 108 * 4 + 30 * 2 + 4 * 8 + 6 * 8);
}

#[test]
fn numpy_reads_archives_compressed_or_not_and_single_arrays() {
    let file = open("plain.npz");
    assert_eq!(file.format(), Format::Npz);
    check_common(&file, "");
    check(&file, "fortran", &[4, 3, 3, 3], &values(1, 108), 1e-7);
    check(&file, "swapped", &[4, 3, 3, 3], &values(1, 108), 1e-7);
    let skipped: Vec<_> = file.skipped().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(skipped, ["complex", "words"]);
    let file = open("deflated.npz");
    check_common(&file, "");
    check(&file, "fortran", &[5, 6], &values(2, 30), 5e-4);
    check(&open("single.npy"), "single", &[4, 3, 3, 3], &values(1, 108), 1e-7);
}

#[test]
fn gguf_reads_plain_and_quantised_tensors_as_its_own_package_does() {
    let file = open("plain.gguf");
    assert_eq!(file.format(), Format::Gguf);
    assert_eq!(file.metadata()["general.name"], "fixture");
    assert_eq!(file.metadata()["words"], "a list of 2");
    check_common(&file, "");
    for name in ["Q4_0", "Q5_1", "Q8_0", "Q4_K", "Q6_K"] {
        assert_eq!(file.entry(name).unwrap().dtype, StoredType::Quantised(name.to_owned()));
        let expected = file.read_f64(&format!("{name}.expected")).unwrap();
        check(&file, name, &[2, 256], &expected, 1e-5);
    }
}

#[test]
fn pytorch_reads_state_dicts() {
    for name in ["plain.pt", "protocol4.pt", "training.pth"] {
        let file = open(name);
        assert_eq!(file.format(), Format::PyTorch);
        let conv = values(1, 108);
        check(&file, "conv.weight", &[4, 3, 3, 3], &conv, 1e-7);
        check(&file, "conv.transposed", &[3, 4, 3, 3], &transposed(4, 3, 9, &conv), 1e-7);
        check(&file, "conv.last", &[27], &conv[81..], 1e-7);
        check(&file, "tied", &[4, 3, 3, 3], &conv, 1e-7);
        check(&file, "half", &[5, 6], &values(2, 30), 5e-4);
        check(&file, "bias", &[4], &values(3, 4), 0.0);
        check(&file, "none", &[0, 3], &[], 0.0);
        assert_eq!(file.tensors().len(), 8);
    }
    let training = open("training.pth");
    assert_eq!(training.skipped().len(), 1);
    assert_eq!(training.skipped()[0].0, "optimizer");
}

#[test]
fn pytorch_reads_a_pickled_module_without_running_its_class() {
    check(&open("module.pt"), "conv.weight", &[4, 3, 3, 3], &values(1, 108), 1e-7);
    let error = Checkpoint::open(&fixture("stranger.pt")).unwrap_err().to_string();
    assert!(error.contains("without running its class mine.Net") && error.contains("state_dict()"), "{error}");
}

#[test]
fn onnx_reads_weights_and_geometry() {
    let file = open("plain.onnx");
    assert_eq!(file.format(), Format::Onnx);
    assert_eq!(file.metadata()["producer"], "plumb fixtures");
    check_common(&file, "");
    check(&file, "depth", &[4, 1, 3, 3], &values(5, 36), 1e-7);
    check(&file, "halves", &[5, 6], &values(2, 30), 5e-4);
    check(&file, "doubles", &[4], &values(3, 4), 0.0);
    check(&file, "small", &[3], &[-1.0, 0.0, 7.0], 0.0);
    check(&file, "head", &[10, 2], &values(7, 20), 1e-7);
    let nodes = file.conv_nodes();
    let names: Vec<_> = nodes.iter().map(|node| (node.name.as_str(), node.op.as_str(), node.weight.as_str())).collect();
    let expected = [
        ("first", "Conv", "conv"),
        ("second", "Conv", "depth"),
        ("third", "ConvTranspose", "up"),
        ("last", "Gemm", "head"),
    ];
    assert_eq!(names, expected);
    assert_eq!(
        (&nodes[0].strides[..], &nodes[0].pads[..], &nodes[0].dilations[..]),
        (&[2, 1][..], &[1, 0, 1, 0][..], &[1, 2][..])
    );
    assert_eq!(nodes[0].input_shape.as_deref(), Some(&[1, 3, 16, 16][..]));
    assert_eq!(nodes[1].input_shape.as_deref(), Some(&[1, 4, 8, 12][..]));
    assert_eq!((nodes[1].group, nodes[1].auto_pad.as_deref()), (4, Some("SAME_UPPER")));
    assert_eq!((nodes[2].output_padding.as_slice(), nodes[2].group), (&[1, 1][..], 1));
    assert_eq!(nodes[2].input_shape.as_deref(), Some(&[1, 4, 8, 12][..]));
    assert_eq!((nodes[3].transposed, nodes[3].input_shape.as_deref()), (true, Some(&[1, 2][..])));
}

#[test]
fn onnx_reads_weights_beside_the_model_but_not_outside_its_folder() {
    check(&open("beside.onnx"), "conv", &[4, 3, 3, 3], &values(1, 108), 1e-7);
    let folder = tempfile::tempdir().unwrap();
    let model = fs::read(fixture("beside.onnx")).unwrap();
    let at = model.windows(10).position(|window| window == b"beside.bin").unwrap();
    for outside in [b"../dde.bin", b"/tmp/d.bin", b"..\\dde.bin"] {
        let mut model = model.clone();
        model[at..at + 10].copy_from_slice(outside);
        let path = folder.path().join("model.onnx");
        fs::write(&path, model).unwrap();
        let file = Checkpoint::open(&path).unwrap();
        assert!(file.tensors().is_empty());
        assert!(file.skipped()[0].1.contains("outside the model's folder"), "{:?}", file.skipped());
    }
}

#[test]
fn rewriting_any_format_keeps_every_other_tensor() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["plain.safetensors", "plain.npz", "deflated.npz", "plain.gguf", "plain.pt", "module.pt", "plain.onnx"]
    {
        let file = open(name);
        let out = folder.path().join("out.safetensors");
        let conv = file.tensors().iter().find(|entry| entry.name.contains("conv") && entry.shape.len() == 4).unwrap();
        let new = BTreeMap::from([(conv.name.clone(), vec![0.5f32; 108])]);
        let done = rewrite_safetensors(&file, &new, &out).unwrap();
        assert_eq!((done.replaced, done.copied), (1, file.tensors().len() - 1));
        let copy = Checkpoint::open(&out).unwrap();
        assert_eq!(copy.format(), Format::Safetensors);
        for entry in file.tensors() {
            let written = copy.entry(&entry.name).unwrap();
            assert_eq!(written.shape, entry.shape);
            if entry.dtype.size().is_some() {
                assert_eq!(written.dtype, entry.dtype);
            }
            let (was, is) = (file.read_f64(&entry.name).unwrap(), copy.read_f64(&entry.name).unwrap());
            if entry.name == conv.name {
                assert_eq!(is, vec![0.5; 108]);
            } else {
                assert_eq!(is, was, "{name} {}", entry.name);
            }
        }
        // The reference implementation accepts what was written.
        safetensors::SafeTensors::deserialize(&fs::read(&out).unwrap()).unwrap();
    }
}

#[test]
fn a_file_may_be_rewritten_onto_itself_and_then_counts_as_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fs::copy(fixture("plain.safetensors"), &path).unwrap();
    let file = Checkpoint::open(&path).unwrap();
    rewrite_safetensors(&file, &BTreeMap::from([("bias".to_owned(), vec![9.0; 4])]), &path).unwrap();
    assert!(matches!(file.read_f32("bias"), Err(CheckpointError::Changed { .. })));
    let again = Checkpoint::open(&path).unwrap();
    assert_eq!(again.entry("bias").unwrap().dtype, StoredType::F64);
    assert_eq!(again.read_f32("bias").unwrap(), [9.0; 4]);
    assert_eq!(again.metadata()["made"], "for tests");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn written_numbers_come_back_in_every_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.safetensors");
    let numbers = vec![1.5f32, -2.0, f32::INFINITY, f32::NAN];
    let tensors = [
        ("half".to_owned(), vec![2, 2], TensorData::F16(numbers.clone())),
        ("brain".to_owned(), vec![4], TensorData::BF16(numbers.clone())),
        ("single".to_owned(), vec![4, 1], TensorData::F32(numbers.clone())),
        ("double".to_owned(), vec![1], TensorData::F64(vec![0.1])),
        (
            "eight".to_owned(),
            vec![4],
            TensorData::Raw { dtype: StoredType::F8E4M3, bytes: vec![0x38, 0xc0, 0x01, 0x7f] },
        ),
    ];
    write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
    let file = Checkpoint::open(&path).unwrap();
    for name in ["half", "brain", "single"] {
        let read = file.read_f32(name).unwrap();
        assert_eq!(read[..3], numbers[..3]);
        assert!(read[3].is_nan());
    }
    assert_eq!(file.read_f64("double").unwrap(), [0.1]);
    let eight = file.read_f32("eight").unwrap();
    assert_eq!(eight[..3], [1.0, -2.0, 2f32.powi(-9)]);
    assert!(eight[3].is_nan());
}
