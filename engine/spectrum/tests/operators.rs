//! Operators of random geometries: the adjoint is the adjoint, the matrix is the map, gradients are gradients.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod common;

use candle_core::{Device, Tensor};
use common::{close, ctl, lcg, square};
use plumb_core::random::Random;
use plumb_spectrum::dense;
use plumb_spectrum::geometry::{Geometry, OpKind, PaddingMode};
use plumb_spectrum::op::{
    AffineOp, Chain, ConvOp, DenseOp, DiagonalOp, GeometryError, Kernelled, LinearOp, average_pool, kernelled,
};
use plumb_spectrum::singular::{TopRequest, top_singular};
use plumb_spectrum::spec::Method;
use proptest::prelude::*;

fn random_vector(len: usize, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed, "test vector");
    (0..len).map(|_| random.normal()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn adjoint_gap(op: &dyn LinearOp<f64>, batch: usize, seed: u64) -> f64 {
    let (x, y) = (random_vector(op.input_len() * batch, seed), random_vector(op.output_len() * batch, seed + 1));
    let mut ax = vec![f64::NAN; y.len()];
    let mut aty = vec![f64::NAN; x.len()];
    op.apply(&x, batch, &mut ax);
    op.adjoint(&y, batch, &mut aty);
    let scale = dot(&ax, &ax).sqrt() * dot(&y, &y).sqrt() + 1e-300;
    (dot(&ax, &y) - dot(&x, &aty)).abs() / scale
}

fn kinds() -> impl Strategy<Value = (OpKind, Vec<usize>, Geometry)> {
    let modes = prop_oneof![
        Just(PaddingMode::Zeros),
        Just(PaddingMode::Circular),
        Just(PaddingMode::Reflect),
        Just(PaddingMode::Replicate)
    ];
    let kind = prop_oneof![
        Just(OpKind::Conv1d),
        Just(OpKind::Conv2d),
        Just(OpKind::ConvTranspose1d),
        Just(OpKind::ConvTranspose2d)
    ];
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let padding = (pair(0..3), proptest::option::of(pair(0..3)));
    (kind, modes, pair(3..9), pair(1..4), padding, pair(1..3), (1..3_usize, 1..4_usize, 1..4_usize), pair(1..4))
        .prop_map(|(kind, mode, input, stride, (padding, padding_end), dilation, (groups, inputs, outputs), taps)| {
            let transposed = kind.is_transposed();
            let geometry = Geometry {
                input: if kind.has_one_axis() { [1, input[1]] } else { input },
                stride,
                padding,
                padding_end,
                padding_mode: if transposed { PaddingMode::Zeros } else { mode },
                dilation,
                groups,
                output_padding: if transposed { stride.map(|s| s - 1) } else { [0, 0] },
            };
            let shape = match kind {
                kind if kind.has_one_axis() => vec![outputs * groups, inputs, taps[1]],
                _ => vec![outputs * groups, inputs, taps[0], taps[1]],
            };
            (kind, shape, geometry)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn adjoint_matrix_norm_and_gradient((kind, shape, geometry) in kinds(), seed in 0..1000_u64) {
        let weight = random_vector(shape.iter().product(), seed);
        // Geometries that do not fit are refused with words, which is all that is asked of them.
        let Ok(mut op) = kernelled(kind, weight.clone(), &shape, &geometry) else { return Ok(()) };
        for batch in [1, 3] {
            let gap = adjoint_gap(&*op, batch, seed);
            prop_assert!(gap < 1e-12, "adjoint identity broken by {gap} at batch {batch}");
        }
        let matrix = dense::matrix(&*op, &ctl()).unwrap();
        let x = random_vector(op.input_len(), seed + 5);
        let mut y = vec![0.0; op.output_len()];
        op.apply(&x, 1, &mut y);
        for (i, &found) in y.iter().enumerate() {
            let expected: f64 = (0..x.len()).map(|j| matrix[(i, j)] * x[j]).sum();
            prop_assert!((found - expected).abs() < 1e-10 * (1.0 + expected.abs()), "row {i}: {found}, {expected}");
        }
        let frobenius = matrix.norm_l2();
        prop_assert!((op.frobenius() - frobenius).abs() <= 1e-11 * (1.0 + frobenius), "frobenius");

        let top = top_singular(&*op, &TopRequest { k: 1, method: Method::Dense, ..TopRequest::default() }, &ctl()).unwrap();
        let gradient = op.weight_gradient(&top.u, &top.v, 1);
        let inner = dot(&gradient, &weight);
        prop_assert!((inner - top.sigma[0]).abs() < 1e-9 * (1.0 + inner.abs()), "<G, W> = {inner}, σ = {}", top.sigma[0]);

        // The map is linear in its kernel: a difference of any size is exact.
        let (u, v) = (random_vector(2 * op.output_len(), seed + 7), random_vector(2 * op.input_len(), seed + 8));
        let gradient = op.weight_gradient(&u, &v, 2);
        let pairs = op.weight_gradients(&u, &v, 2);
        let direction = random_vector(weight.len(), seed + 9);
        let bilinear = |op: &dyn Kernelled<f64>, i: usize, j: usize| {
            let mut image = vec![0.0; op.output_len()];
            op.apply(&v[j * op.input_len()..][..op.input_len()], 1, &mut image);
            dot(&u[i * op.output_len()..][..op.output_len()], &image)
        };
        let before: Vec<f64> = (0..4).map(|p| bilinear(&*op, p / 2, p % 2)).collect();
        let moved: Vec<f64> = weight.iter().zip(&direction).map(|(w, d)| w + d).collect();
        op.set_weight(&moved).unwrap();
        let mut both = 0.0;
        for pair in 0..4 {
            let change = bilinear(&*op, pair / 2, pair % 2) - before[pair];
            let predicted = dot(&pairs[pair], &direction);
            prop_assert!((change - predicted).abs() < 1e-9 * (1.0 + change.abs()), "pair {pair}: {change}, {predicted}");
            if pair % 3 == 0 {
                both += change;
            }
        }
        prop_assert!((dot(&gradient, &direction) - both).abs() < 1e-9 * (1.0 + both.abs()), "sum over the batch");
    }

    #[test]
    fn order_of_norms(n in 4..8_usize, inputs in 1..4_usize, outputs in 1..4_usize, seed in 0..1000_u64) {
        let shape = [outputs, inputs, 3, 3];
        let weight = random_vector(outputs * inputs * 9, seed);
        let top = |n: usize, p: usize, mode: PaddingMode, stride: usize| {
            let op = ConvOp::new(weight.clone(), &shape, &square(n, p, mode, stride)).unwrap();
            dense::all_values(&op, &ctl()).unwrap()[0]
        };
        let zeros = top(n, 1, PaddingMode::Zeros, 1);
        let slack = 1.0 + 1e-10;
        prop_assert!(top(n, 0, PaddingMode::Zeros, 1) <= zeros * slack, "valid ≤ zeros");
        prop_assert!(zeros <= top(n + 2, 1, PaddingMode::Circular, 1) * slack, "zeros ≤ circular on n + k − 1");
        prop_assert!(top(n, 1, PaddingMode::Zeros, 2) <= zeros * slack, "stride 2 ≤ stride 1");
    }
}

#[test]
fn agrees_with_candle() {
    for (stride, dilation, padding, groups, input) in
        [(1, 1, 1, 1, [5, 7]), (2, 1, 1, 2, [6, 8]), (1, 2, 2, 1, [7, 5]), (3, 1, 0, 2, [9, 10])]
    {
        let shape = [4, 4 / groups, 3, 3];
        let weight = lcg(&shape);
        let geometry = Geometry {
            input,
            stride: [stride; 2],
            padding: [padding; 2],
            dilation: [dilation; 2],
            groups,
            ..Geometry::default()
        };
        let op = ConvOp::new(weight.clone(), &shape, &geometry).unwrap();
        let x = random_vector(2 * op.input_len(), 3);
        let mut found = vec![0.0; 2 * op.output_len()];
        op.apply(&x, 2, &mut found);
        let tensor = Tensor::from_vec(x, (2, 4, input[0], input[1]), &Device::Cpu).unwrap();
        let kernel = Tensor::from_vec(weight, &shape, &Device::Cpu).unwrap();
        let expected = tensor.conv2d(&kernel, padding, stride, dilation, groups).unwrap();
        assert_eq!(&expected.dims()[1..], op.output_shape(), "shape");
        for (f, e) in found.iter().zip(expected.flatten_all().unwrap().to_vec1::<f64>().unwrap()) {
            close(*f, e, 1e-12, "convolution");
        }
    }
    let shape = [2, 3, 3, 3];
    let geometry =
        Geometry { input: [4, 5], stride: [2; 2], padding: [1; 2], output_padding: [1; 2], ..Geometry::default() };
    let op = kernelled(OpKind::ConvTranspose2d, lcg(&shape), &shape, &geometry).unwrap();
    let x = random_vector(op.input_len(), 4);
    let mut found = vec![0.0; op.output_len()];
    op.apply(&x, 1, &mut found);
    let tensor = Tensor::from_vec(x, (1, 2, 4, 5), &Device::Cpu).unwrap();
    let kernel = Tensor::from_vec(lcg(&shape), &shape, &Device::Cpu).unwrap();
    let expected = tensor.conv_transpose2d(&kernel, 1, 1, 2, 1).unwrap();
    assert_eq!(&expected.dims()[1..], op.output_shape(), "shape");
    for (f, e) in found.iter().zip(expected.flatten_all().unwrap().to_vec1::<f64>().unwrap()) {
        close(*f, e, 1e-12, "transposed convolution");
    }
}

#[test]
fn affine_candle_functions_are_operators() {
    let (shape, geometry) = ([4, 3, 3, 3], square(6, 1, PaddingMode::Zeros, 1));
    let conv = ConvOp::new(lcg(&shape), &shape, &geometry).unwrap();
    let kernel = Tensor::from_vec(lcg(&shape), &shape, &Device::Cpu).unwrap();
    let bias = Tensor::new(&[1.0_f64, -2.0, 3.0, 0.5], &Device::Cpu).unwrap().reshape((1, 4, 1, 1)).unwrap();
    let function = move |x: &Tensor| x.conv2d(&kernel, 1, 1, 1, 1)?.broadcast_add(&bias);
    let affine = AffineOp::new::<f64>(function, &[3, 6, 6], &Device::Cpu).unwrap();
    assert!(adjoint_gap(&affine, 2, 1) < 1e-12, "adjoint");
    let x = random_vector(2 * conv.input_len(), 1);
    let (mut ours, mut theirs) = (vec![0.0; 2 * conv.output_len()], vec![0.0; 2 * conv.output_len()]);
    conv.apply(&x, 2, &mut ours);
    LinearOp::<f64>::apply(&affine, &x, 2, &mut theirs);
    for (a, b) in ours.iter().zip(&theirs) {
        close(*a, *b, 1e-12, "the bias drops out");
    }
    assert_eq!(affine.take_error(), None, "no error");
    let refused = AffineOp::new::<f64>(|x: &Tensor| x.conv2d(x, 0, 1, 1, 1), &[3], &Device::Cpu);
    assert!(matches!(refused, Err(GeometryError::Function { .. })), "a function that fails is refused");
}

#[test]
fn chains_pool_and_batch_norm() {
    let (shape, geometry) = ([4, 3, 3, 3], square(6, 1, PaddingMode::Zeros, 1));
    let norm = |gamma: [f64; 4]| {
        let conv = ConvOp::new(lcg(&shape), &shape, &geometry).unwrap();
        let bn = DiagonalOp::batch_norm(&gamma, &[4.0, 0.25, 1.0, 9.0], 1e-5, &[4, 6, 6]).unwrap();
        let chain = Chain::new(vec![Box::new(conv), Box::new(bn)]).unwrap();
        assert!(adjoint_gap(&chain, 2, 5) < 1e-12, "adjoint");
        dense::all_values(&chain, &ctl()).unwrap()[0]
    };
    close(norm([0.1, 3.0, 0.1, 0.1]), 14.732743, 1e-7, "T9: composition");
    close(norm([2.0, 0.5, -1.0, 3.0]), 4.474518, 1e-6, "T9: composition near the identity");

    let geometry = Geometry { input: [6, 6], stride: [2, 2], ..Geometry::default() };
    let pool = average_pool::<f64>(3, [2, 2], &geometry).unwrap();
    assert!(adjoint_gap(&pool, 2, 6) < 1e-12, "adjoint");
    for sigma in dense::all_values(&pool, &ctl()).unwrap() {
        close(sigma, 0.5, 1e-12, "disjoint windows of four: every value is one half");
    }
    let dense_op = DenseOp::new(lcg(&[3, 5]), &[3, 5]).unwrap();
    assert!(adjoint_gap(&dense_op, 3, 7) < 1e-12, "adjoint");
}

#[test]
fn what_does_not_fit_is_said_in_words() {
    let conv = |shape: &[usize], geometry: Geometry| {
        ConvOp::new(vec![0.0_f64; shape.iter().product()], shape, &geometry).map(|_| ()).unwrap_err().to_string()
    };
    let text = conv(&[2, 2, 7, 7], square(4, 1, PaddingMode::Zeros, 1));
    assert!(text.contains("spans 7") && text.contains("only 6"), "{text}");
    let text = conv(&[2, 2, 3, 3], square(3, 3, PaddingMode::Reflect, 1));
    assert!(text.contains("reflect") && text.contains("at least 4"), "{text}");
    let text = conv(&[3, 2, 3, 3], Geometry { groups: 2, ..square(6, 1, PaddingMode::Zeros, 1) });
    assert!(text.contains("3 output channels") && text.contains("2 groups"), "{text}");
    let text = conv(&[3, 2], square(6, 1, PaddingMode::Zeros, 1));
    assert!(text.contains("2 (shape [3, 2])"), "{text}");
    for geometry in [
        square(0, 1, PaddingMode::Zeros, 1),
        square(6, 1, PaddingMode::Zeros, 0),
        Geometry { groups: 0, ..square(6, 1, PaddingMode::Zeros, 1) },
        Geometry { dilation: [0, 1], ..square(6, 1, PaddingMode::Zeros, 1) },
    ] {
        let text = conv(&[2, 2, 3, 3], geometry);
        assert!(text.contains("zero"), "{text}");
    }
    let text = conv(&[2, 2, 3, 3], square(1 << 45, 1, PaddingMode::Zeros, 1));
    assert!(text.contains("larger than"), "{text}");
    let text = conv(&[2, 2, 3, 3], square(usize::MAX, usize::MAX, PaddingMode::Circular, 1));
    assert!(text.contains("larger than"), "{text}");
    let text = ConvOp::new(vec![0.0_f64; 3], &[2, 2, 3, 3], &Geometry::default()).map(|_| ()).unwrap_err().to_string();
    assert!(text.contains("36") && text.contains('3'), "{text}");
}
