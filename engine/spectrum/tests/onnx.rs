//! Small ONNX graphs, written byte by byte: the operator that a graph is read as does what the graph does.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod common;

use common::{close, ctl, lcg};
use plumb_core::source::Cache;
use plumb_spectrum::geometry::{Geometry, OpKind, PaddingMode};
use plumb_spectrum::layers::LayerInfo;
use plumb_spectrum::op::kernelled;
use plumb_spectrum::report::GeometrySource;
use plumb_spectrum::subject::Subject;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn int(field: u64, number: i64) -> Vec<u8> {
    [varint(field << 3), varint(number as u64)].concat()
}

fn ints(field: u64, list: &[i64]) -> Vec<u8> {
    list.iter().flat_map(|&number| int(field, number)).collect()
}

/// A `TensorProto` with raw data.
fn tensor(name: &str, kind: i64, dims: &[usize], raw: &[u8]) -> Vec<u8> {
    let dims: Vec<i64> = dims.iter().map(|&n| n as i64).collect();
    [ints(1, &dims), int(2, kind), bytes(8, name.as_bytes()), bytes(9, raw)].concat()
}

fn numbers(name: &str, list: &[i64]) -> Vec<u8> {
    tensor(name, 7, &[list.len()], &list.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>())
}

#[derive(Clone, Copy)]
enum Setting<'a> {
    Ints(&'a str, &'a [i64]),
    Text(&'a str, &'a str),
}

fn node(op: &str, inputs: &[&str], output: &str, settings: &[Setting]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|name| bytes(1, name.as_bytes())).collect();
    node.extend([bytes(2, output.as_bytes()), bytes(4, op.as_bytes())].concat());
    for setting in settings {
        node.extend(match setting {
            Setting::Ints(name, list) => bytes(5, &[bytes(1, name.as_bytes()), ints(8, list)].concat()),
            Setting::Text(name, text) => bytes(5, &[bytes(1, name.as_bytes()), bytes(4, text.as_bytes())].concat()),
        });
    }
    node
}

/// A graph with one weight "w" and an input "x" of one example, read as its one linear layer.
fn layer(nodes: &[Vec<u8>], lists: &[Vec<u8>], weight: &[usize], input: &[usize]) -> Result<LayerInfo, String> {
    let raw: Vec<u8> = lcg(weight).iter().flat_map(|&w| (w as f32).to_le_bytes()).collect();
    let axes = [&[1], input].concat().iter().flat_map(|&n| bytes(1, &int(1, n as i64))).collect::<Vec<_>>();
    let value = [bytes(1, b"x"), bytes(2, &bytes(1, &[int(1, 1), bytes(2, &axes)].concat()))].concat();
    let mut graph: Vec<u8> = nodes.iter().flat_map(|node| bytes(1, node)).collect();
    graph.extend(lists.iter().flat_map(|list| bytes(5, list)));
    graph.extend([bytes(5, &tensor("w", 1, weight, &raw)), bytes(11, &value)].concat());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, [int(1, 9), bytes(7, &graph)].concat()).unwrap();
    let cache = Cache::new(folder.path(), &[]);
    let subject = Subject::open(path.to_str().unwrap(), &cache, &ctl()).unwrap();
    match subject.layers.as_slice() {
        [layer] => Ok(layer.clone()),
        _ => Err(subject.skipped.iter().find(|skipped| skipped.name == "w").unwrap().reason.clone()),
    }
}

/// What lies at `at`, some pixels from the start of a line of `n`; `None` for a zero.
fn source(at: isize, n: usize, mode: PaddingMode) -> Option<usize> {
    let n = n as isize;
    let inside = match mode {
        PaddingMode::Circular => (at + n) % n,
        PaddingMode::Replicate => at.clamp(0, n - 1),
        PaddingMode::Reflect if at < 0 => -at,
        PaddingMode::Reflect if at >= n => 2 * (n - 1) - at,
        PaddingMode::Zeros | PaddingMode::Reflect => at,
    };
    (0..n).contains(&inside).then_some(inside as usize)
}

/// Pads before and after by axis, then convolves without padding, entry by entry.
fn by_hand(
    x: &[f64],
    [h, w]: [usize; 2],
    weight: [usize; 4],
    pads: [[usize; 2]; 2],
    mode: PaddingMode,
    stride: usize,
) -> Vec<f64> {
    let [outputs, inputs, kh, kw] = weight;
    let kernel = lcg(&weight);
    let size = |axis: usize, n: usize, k: usize| (n + pads[axis][0] + pads[axis][1] - k) / stride + 1;
    let mut y = Vec::new();
    for o in 0..outputs {
        for (i, j) in (0..size(0, h, kh)).flat_map(|i| (0..size(1, w, kw)).map(move |j| (i, j))) {
            let mut sum = 0.0;
            for (c, a, b) in (0..inputs * kh * kw).map(|n| (n / (kh * kw), n / kw % kh, n % kw)) {
                let row = source((i * stride + a) as isize - pads[0][0] as isize, h, mode);
                let column = source((j * stride + b) as isize - pads[1][0] as isize, w, mode);
                if let (Some(row), Some(column)) = (row, column) {
                    sum +=
                        f64::from(kernel[((o * inputs + c) * kh + a) * kw + b] as f32) * x[(c * h + row) * w + column];
                }
            }
            y.push(sum);
        }
    }
    y
}

fn applied(layer: &LayerInfo, x: &[f64]) -> Vec<f64> {
    let weight = lcg(&layer.weight_shape).iter().map(|&w| f64::from(w as f32)).collect();
    let op = kernelled(layer.op, weight, &layer.weight_shape, &layer.geometry).unwrap();
    let mut y = vec![0.0; op.output_len()];
    assert_eq!(x.len(), op.input_len(), "{:?}", layer.geometry);
    op.apply(x, 1, &mut y);
    y
}

#[track_caller]
fn same(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "numbers");
    for (&found, &expected) in found.iter().zip(expected) {
        close(found, expected, 1e-12, "output");
    }
}

fn image(count: usize) -> Vec<f64> {
    lcg(&[count])
}

const WEIGHT: [usize; 4] = [3, 2, 3, 3];
const INPUT: [usize; 3] = [2, 5, 6];

/// A `Pad` by a list in the file, then a convolution.
fn padded(mode: &str, pads: &[i64], conv: &[Setting]) -> LayerInfo {
    let nodes = [node("Pad", &["x", "p"], "y", &[Setting::Text("mode", mode)]), node("Conv", &["y", "w"], "z", conv)];
    layer(&nodes, &[numbers("p", pads)], &WEIGHT, &INPUT).unwrap()
}

#[test]
fn padding_steps_are_part_of_the_convolution() {
    let x = image(60);
    let modes = [
        ("constant", PaddingMode::Zeros),
        ("reflect", PaddingMode::Reflect),
        ("edge", PaddingMode::Replicate),
        ("wrap", PaddingMode::Circular),
    ];
    for (name, mode) in modes {
        let found = padded(name, &[0, 0, 0, 1, 0, 0, 2, 1], &[Setting::Ints("strides", &[2, 2])]);
        let expected = Geometry {
            input: [5, 6],
            stride: [2, 2],
            padding: [0, 1],
            padding_end: Some([2, 1]),
            padding_mode: mode,
            ..Geometry::default()
        };
        assert_eq!((&found.geometry, found.geometry_source), (&expected, GeometrySource::File), "{name}");
        same(&applied(&found, &x), &by_hand(&x, [5, 6], WEIGHT, [[0, 2], [1, 1]], mode, 2));
    }
    // As a setting of the node, as it was before version 11.
    let pad = node("Pad", &["x"], "y", &[Setting::Ints("pads", &[0, 0, 1, 1, 0, 0, 1, 1])]);
    let found = layer(&[pad, node("Conv", &["y", "w"], "z", &[])], &[], &WEIGHT, &INPUT).unwrap();
    assert_eq!((found.geometry.padding, found.geometry.padding_end), ([1, 1], None));
    // With the axes it is meant for, as it can be since version 18; zeros on top of the convolution's own.
    let nodes = [
        node("Pad", &["x", "p", "", "a"], "y", &[]),
        node("Identity", &["y"], "same", &[]),
        node("Pad", &["same", "q", "", "b"], "more", &[]),
        node("Conv", &["more", "w"], "z", &[Setting::Ints("pads", &[1, 0, 0, 0])]),
    ];
    let lists = [numbers("p", &[2, 1]), numbers("a", &[-1]), numbers("q", &[1, 1]), numbers("b", &[3])];
    let found = layer(&nodes, &lists, &WEIGHT, &INPUT).unwrap();
    assert_eq!((found.geometry.padding, found.geometry.padding_end), ([1, 3], Some([0, 2])));
    same(&applied(&found, &x), &by_hand(&x, [5, 6], WEIGHT, [[1, 0], [3, 2]], PaddingMode::Zeros, 1));
}

#[test]
fn padding_steps_that_are_more_than_padding_stay_apart() {
    let sizes = |found: &LayerInfo| (found.geometry.input, found.geometry.padding, found.geometry.padding_mode);
    // Zeros around a mirrored image are none of the four modes.
    let found = padded("reflect", &[0, 0, 1, 1, 0, 0, 1, 1], &[Setting::Ints("pads", &[1, 1, 1, 1])]);
    assert_eq!(sizes(&found), ([7, 8], [1, 1], PaddingMode::Zeros));
    // Cut, and padded with channels.
    let found = padded("constant", &[0, 0, -1, 0, 0, 0, 0, 2], &[]);
    assert_eq!(sizes(&found), ([4, 8], [0, 0], PaddingMode::Zeros));
    let nodes = [node("Pad", &["x", "p"], "y", &[]), node("Conv", &["y", "w"], "z", &[])];
    let found = layer(&nodes, &[numbers("p", &[0, 1, 1, 1, 0, 0, 1, 1])], &WEIGHT, &[1, 5, 6]).unwrap();
    assert_eq!(sizes(&found), ([7, 8], [0, 0], PaddingMode::Zeros));
    // By amounts that are known only when the network runs.
    let found = layer(&nodes, &[], &WEIGHT, &INPUT).unwrap();
    assert_eq!(found.geometry_source, GeometrySource::Guessed);
}

#[test]
fn same_padding_may_be_one_more_on_one_side() {
    let (weight, x) = ([3, 2, 2, 4], image(60));
    for (mode, pads) in [("SAME_UPPER", [[0, 1], [1, 2]]), ("SAME_LOWER", [[1, 0], [2, 1]])] {
        let conv = node("Conv", &["x", "w"], "z", &[Setting::Text("auto_pad", mode)]);
        let found = layer(&[conv], &[], &weight, &INPUT).unwrap();
        assert_eq!([found.geometry.sides(0), found.geometry.sides(1)], pads, "{mode}");
        same(&applied(&found, &x), &by_hand(&x, [5, 6], weight, pads, PaddingMode::Zeros, 1));
    }
}

/// A transposed convolution over one axis, entry by entry: spread out, then cut.
fn transposed_by_hand(
    x: &[f64],
    n: usize,
    weight: [usize; 3],
    stride: usize,
    cut: [usize; 2],
    extra: usize,
) -> Vec<f64> {
    let [inputs, outputs, k] = weight;
    let (kernel, grown) = (lcg(&weight), (n - 1) * stride + k + extra);
    let mut y = Vec::new();
    for o in 0..outputs {
        let mut line = vec![0.0; grown];
        for (c, i, t) in (0..inputs * n * k).map(|at| (at / (n * k), at / k % n, at % k)) {
            line[i * stride + t] += f64::from(kernel[(c * outputs + o) * k + t] as f32) * x[c * n + i];
        }
        y.extend_from_slice(&line[cut[0]..grown - cut[1]]);
    }
    y
}

#[test]
fn transposed_convolutions_over_one_axis() {
    let (weight, x) = ([2, 3, 4], image(14));
    let find = |settings: &[Setting]| {
        let settings = [&[Setting::Ints("strides", &[2])], settings].concat();
        layer(&[node("ConvTranspose", &["x", "w"], "z", &settings)], &[], &weight, &[2, 7])
    };
    let cases: [(&[Setting], [usize; 2], usize); 5] = [
        (&[], [0, 0], 0),
        (&[Setting::Ints("pads", &[1, 1]), Setting::Ints("output_padding", &[1])], [1, 1], 1),
        (&[Setting::Ints("pads", &[0, 2])], [0, 2], 0),
        (&[Setting::Text("auto_pad", "SAME_UPPER")], [1, 1], 0),
        (&[Setting::Ints("output_shape", &[13])], [2, 1], 0),
    ];
    for (settings, cut, extra) in cases {
        let found = find(settings).unwrap();
        assert_eq!((found.op, found.geometry.input), (OpKind::ConvTranspose1d, [1, 7]));
        same(&applied(&found, &x), &transposed_by_hand(&x, 7, weight, 2, cut, extra));
    }
    let reason = find(&[Setting::Ints("output_shape", &[20])]).unwrap_err();
    assert!(reason.contains("20") && reason.contains("16"), "{reason}");
}
