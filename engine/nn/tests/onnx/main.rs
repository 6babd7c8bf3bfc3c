//! Models that PyTorch exported: every weight with the numbers it had, every node with its geometry.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::{fmt::Write as _, path::Path};

use plumb_nn::{
    checkpoint::{Checkpoint, ConvNode, Format},
    geometry::PaddingMode,
};

/// A node as one line, where it differs from the plainest: stride, dilation and group 1, no padding.
fn line(node: &ConvNode) -> String {
    let mut line = format!("{} {} in {:?}", node.op, node.weight, node.input_shape.as_deref().unwrap_or_default());
    let mut add = |name: &str, numbers: &[usize], plain: usize| {
        if numbers.iter().any(|&number| number != plain) {
            write!(line, " {name} {numbers:?}").unwrap();
        }
    };
    add("strides", &node.strides, 1);
    add("pads", &node.pads, 0);
    add("dilations", &node.dilations, 1);
    add("group", &[node.group], 1);
    add("output_padding", &node.output_padding, 0);
    if node.padding_mode != PaddingMode::Zeros {
        write!(line, " {:?}", node.padding_mode).unwrap();
    }
    line + node.auto_pad.as_ref().map(|mode| format!(" {mode}")).as_deref().unwrap_or_default()
}

fn values(seed: u64, count: usize) -> Vec<f64> {
    let thousandths = (0..count as u64).map(|i| ((i * 7919 + seed * 104729) % 2001) as f64 - 1000.0);
    thousandths.map(|n| n / 1000.0).collect()
}

/// Opens an export and compares its nodes, and the first weight with the formula it was filled by.
fn check(name: &str, nodes: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx/fixtures").join(name);
    let file = Checkpoint::open(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(file.format(), Format::Onnx);
    assert_eq!(file.metadata()["producer"], "pytorch");
    assert!(file.skipped().is_empty(), "{name}: {:?}", file.skipped());
    let found: Vec<_> = file.conv_nodes().iter().map(line).collect();
    assert_eq!(found, nodes, "{name}");
    let first = &file.conv_nodes()[0];
    let (entry, read) = (file.entry(&first.weight).unwrap(), file.read_f64(&first.weight).unwrap());
    if first.op != "MatMul" {
        let expected = values(1, entry.elements());
        assert!(
            read.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-7) && read.len() == expected.len(),
            "{name}"
        );
    }
}

#[test]
fn convolutions_keep_their_geometry() {
    check(
        "conv2d.onnx",
        &[
            "Conv 0.weight in [1, 2, 8, 8] strides [2, 2] pads [1, 1, 1, 1]",
            "Conv 2.weight in [1, 4, 4, 4] pads [0, 1, 0, 1] group [2]",
            "Gemm 5.weight in [1, 16]",
        ],
    );
    check(
        "conv1d.onnx",
        &["Conv 0.weight in [1, 2, 32] strides [2] pads [2, 2]", "Conv 2.weight in [1, 3, 16] dilations [2]"],
    );
    // An even kernel with padding "same": one more row at the end than at the beginning.
    check("same.onnx", &["Conv 0.weight in [1, 2, 6, 6] SAME_UPPER"]);
    check("conv3d.onnx", &["Conv 0.weight in [1, 1, 4, 5, 6] pads [1, 1, 1, 1, 1, 1]"]);
}

#[test]
fn transposed_convolutions_keep_their_geometry() {
    check(
        "transposed.onnx",
        &[
            "ConvTranspose 0.weight in [1, 2, 5, 5] strides [2, 2] pads [1, 1, 1, 1]",
            "ConvTranspose 1.weight in [1, 3, 10, 10] strides [2, 2] output_padding [1, 1]",
        ],
    );
    check("transposed1d.onnx", &["ConvTranspose 0.weight in [1, 2, 9] strides [2] pads [1, 1]"]);
}

#[test]
fn dense_layers_are_found_by_their_products() {
    check("linear.onnx", &["Gemm 0.weight in [2, 4]", "MatMul onnx::MatMul_8 in [2, 5]"]);
    // Behind a GELU, which is exported in parts, the shape is not followed.
    check("tokens.onnx", &["MatMul onnx::MatMul_12 in [2, 7, 4]", "MatMul onnx::MatMul_13 in []"]);
}

/// Padding that is a step of its own before the convolution, its amounts computed by the graph or, where it is
/// circular, put together from slices of the image.
#[test]
fn padding_before_a_convolution_is_counted_in() {
    check("asym.onnx", &["Conv 1.weight in [1, 2, 6, 6] pads [0, 1, 1, 2]"]);
    check("reflect.onnx", &["Conv 0.weight in [1, 2, 6, 6] pads [1, 1, 1, 1] Reflect"]);
    check("circular.onnx", &["Conv 0.weight in [1, 2, 6, 6] pads [1, 1, 1, 1] Circular"]);
}
