//! Clipping against the exact values of the method notes: T5, T6, T8, T9, T10, and what must hold for any kernel.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_spectrum::clip::compose::{self, BatchNorm};
use plumb_spectrum::clip::gauss_newton::{StepOptions, descend};
use plumb_spectrum::clip::{Layer, Target, clip};
use plumb_spectrum::dense;
use plumb_spectrum::geometry::{Geometry, OpKind, PaddingMode};
use plumb_spectrum::op::kernelled;
use plumb_spectrum::spec::{ClipMethod, ClipMode};

/// w_i = ((37 i + 11) mod 101) / 101 − 0.5.
fn lcg(count: usize) -> Vec<f64> {
    (0..count).map(|i| ((37 * i + 11) % 101) as f64 / 101.0 - 0.5).collect()
}

const SHAPE: [usize; 4] = [4, 3, 3, 3];

fn geometry(side: usize, mode: PaddingMode) -> Geometry {
    Geometry { input: [side; 2], padding: [1, 1], padding_mode: mode, ..Geometry::default() }
}

/// The five geometries of T8, and the steps to 1.05 with Gauss–Newton and with λ = 1/9.
fn five() -> [(&'static str, Geometry, usize, usize); 5] {
    let plain = geometry(6, PaddingMode::Zeros);
    [
        ("zeros", plain.clone(), 7, 27),
        ("stride 2", Geometry { stride: [2, 2], ..plain.clone() }, 4, 44),
        ("circular", geometry(6, PaddingMode::Circular), 10, 24),
        ("reflect", geometry(6, PaddingMode::Reflect), 6, 27),
        ("dilation 2", Geometry { padding: [2, 2], dilation: [2, 2], ..plain }, 5, 34),
    ]
}

fn target(to: f64) -> Target {
    Target { to, mode: ClipMode::Clip, tolerance: 0.01, step: 0.0, max_steps: 200, seed: 0 }
}

fn layer<'a>(weight: &'a [f64], shape: &'a [usize], geometry: &'a Geometry) -> Layer<'a, f64> {
    Layer { kind: OpKind::Conv2d, weight, weight_shape: shape, geometry }
}

fn all(kind: OpKind, weight: &[f64], shape: &[usize], geometry: &Geometry) -> Vec<f64> {
    dense::all_values(&kernelled(kind, weight.to_vec(), shape, geometry).unwrap(), &Ctl::new(0)).unwrap()
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} (± {tolerance})");
}

#[test]
fn t5_clipping_in_fourier_space_breaks_its_promise() {
    let line = Geometry { input: [1, 8], padding: [0, 1], padding_mode: PaddingMode::Circular, ..Geometry::default() };
    let kernel = [1.0, 2.0, 1.0];
    let one = Layer { kind: OpKind::Conv1d, weight: &kernel[..], weight_shape: &[1, 1, 3], geometry: &line };
    let clipped = clip(&one, ClipMethod::Fourier, &target(1.0), &Ctl::new(0)).unwrap();
    close(clipped.after, 1.1678932, 1e-7);
    for (found, expected) in clipped.weight.iter().zip([0.1982233, 0.7714466, 0.1982233]) {
        close(*found, expected, 1e-7);
    }
    assert!(!clipped.reached);
    close(clipped.truncation_error, 0.1678932, 1e-7);

    let weight = lcg(108);
    for (side, mode, expected) in [
        (6, PaddingMode::Circular, 1.5392),
        (6, PaddingMode::Zeros, 1.5421),
        (6, PaddingMode::Reflect, 1.8071),
        (8, PaddingMode::Circular, 1.6804),
        (8, PaddingMode::Zeros, 1.5789),
        (8, PaddingMode::Reflect, 1.7193),
    ] {
        let geometry = geometry(side, mode);
        let clipped =
            clip(&layer(&weight, &SHAPE, &geometry), ClipMethod::Fourier, &target(1.0), &Ctl::new(0)).unwrap();
        close(clipped.after, expected, 1e-4);
        let fast = clip(&layer(&weight, &SHAPE, &geometry), ClipMethod::FastClip, &target(1.0), &Ctl::new(0)).unwrap();
        close(fast.after, 1.0, 0.01);
    }
}

#[test]
fn t6_one_step_is_exact() {
    let line = Geometry { input: [1, 8], padding: [0, 1], padding_mode: PaddingMode::Circular, ..Geometry::default() };
    let mut op = kernelled(OpKind::Conv1d, vec![1.0, 2.0, 1.0], &[1, 1, 3], &line).unwrap();
    let exact = StepOptions { aim: 1.0, ..StepOptions::gauss_newton(&target(1.0), 1) };
    let done = descend(op.as_mut(), &exact, None, &Ctl::new(0)).unwrap();
    assert_eq!(done.steps, 1);
    close(done.trace[0], 4.0, 1e-12);
    close(done.trace[1], 1.0, 1e-12);
    for (found, expected) in op.weight().iter().zip([0.0, 1.0, 0.0]) {
        close(*found, expected, 1e-12);
    }

    let matrix = lcg(35);
    let before = all(OpKind::Dense, &matrix, &[5, 7], &Geometry::default());
    let mut op = kernelled(OpKind::Dense, matrix, &[5, 7], &Geometry::default()).unwrap();
    let one = StepOptions { aim: 0.1, upper: 0.2, max_steps: 1, ..exact };
    descend(op.as_mut(), &one, None, &Ctl::new(0)).unwrap();
    let after = dense::all_values(&op, &Ctl::new(0)).unwrap();
    let mut expected = before;
    expected[0] = 0.1;
    expected.sort_by(|a, b| b.total_cmp(a));
    for (found, expected) in after.iter().zip(expected) {
        close(*found, expected, 1e-12);
    }
}

#[test]
fn t8_steps_to_the_target_in_five_geometries() {
    for (name, geometry, newton, fixed) in five() {
        for (lambda, expected) in [(None, newton), (Some(1.0 / 9.0), fixed)] {
            let mut op = kernelled(OpKind::Conv2d, lcg(108), &SHAPE, &geometry).unwrap();
            let options = StepOptions { aim: 1.0, upper: 1.05, lambda, ..StepOptions::gauss_newton(&target(1.0), 1) };
            let done = descend(op.as_mut(), &options, None, &Ctl::new(0)).unwrap();
            assert_eq!(done.steps, expected, "{name}, λ {lambda:?}: {:?}", done.trace);
            if name == "zeros" && lambda.is_none() {
                for (found, expected) in done.trace.iter().zip([4.47455, 2.11149, 1.59803, 1.30887]) {
                    close(*found, expected, 1e-5);
                }
            }
        }
        let mut op = kernelled(OpKind::Conv2d, lcg(108), &SHAPE, &geometry).unwrap();
        let options = StepOptions { aim: 1.0, upper: 1.0 + 1e-12, ..StepOptions::gauss_newton(&target(1.0), 1) };
        let done = descend(op.as_mut(), &options, None, &Ctl::new(0)).unwrap();
        assert!(done.steps <= 13, "{name}: {:?}", done.trace);
        close(done.trace[done.steps], 1.0, 1e-12);
    }
}

#[test]
fn t9_a_convolution_with_its_batch_norm() {
    let geometry = geometry(6, PaddingMode::Zeros);
    let weight = lcg(108);
    let layer = layer(&weight, &SHAPE, &geometry);
    let norm = |gamma: [f64; 4]| BatchNorm { gamma: gamma.to_vec(), variance: vec![4.0, 0.25, 1.0, 9.0], eps: 1e-5 };
    for (gamma, expected) in [([0.1, 3.0, 0.1, 0.1], 14.732743), ([2.0, 0.5, -1.0, 3.0], 4.474518)] {
        let norm = norm(gamma);
        let top = all(OpKind::Conv2d, &compose::folded(&layer, &norm).unwrap(), &SHAPE, &geometry)[0];
        close(top, expected, 1e-6);
        let pair = compose::clip_pair(&layer, &norm, ClipMethod::FastClip, &target(1.0), &Ctl::new(0)).unwrap();
        close(pair.clipped.before, expected, 1e-5);
        close(pair.clipped.after, 1.0, 0.01);
        assert_ne!(pair.gamma, norm.gamma, "γ takes its share");
        // The pair, put together again from the stored numbers.
        let after = Layer { weight: &pair.clipped.weight, ..layer };
        let again = compose::folded(&after, &BatchNorm { gamma: pair.gamma, ..norm }).unwrap();
        close(all(OpKind::Conv2d, &again, &SHAPE, &geometry)[0], 1.0, 0.01);
    }
}

#[test]
fn t10_the_spectrum_is_kept() {
    let geometry = geometry(6, PaddingMode::Zeros);
    let weight = lcg(108);
    let layer = layer(&weight, &SHAPE, &geometry);
    let spectrum = |weight: &[f64]| all(OpKind::Conv2d, weight, &SHAPE, &geometry);
    let mut op = layer.operator().unwrap();
    let options = StepOptions { aim: 1.0, upper: 1.0 + 1e-9, ..StepOptions::gauss_newton(&target(1.0), 1) };
    descend(op.as_mut(), &options, None, &Ctl::new(0)).unwrap();
    let newton = spectrum(op.weight());
    close(newton.iter().sum(), 63.46, 0.005);
    assert_eq!(newton.iter().filter(|&&sigma| sigma >= 0.9).count(), 17);

    let gouk = clip(&layer, ClipMethod::Scale, &target(1.0), &Ctl::new(0)).unwrap();
    let scaled = spectrum(&gouk.weight);
    close(scaled.iter().sum(), 29.52, 0.005);
    assert_eq!(scaled.iter().filter(|&&sigma| sigma >= 0.9).count(), 2);

    let fast = clip(&layer, ClipMethod::FastClip, &target(1.0), &Ctl::new(0)).unwrap();
    let kept: f64 = spectrum(&fast.weight).iter().sum();
    assert!(kept >= 1.5 * 29.52, "FastClip keeps {kept}");
    assert!(kept <= 84.91, "no more than the unreachable ideal");
}

#[test]
fn any_kernel_in_any_geometry_reaches_the_target() {
    let mut random = Random::new(5, "clip property");
    for (seed, (name, geometry, ..)) in five().into_iter().enumerate() {
        for to in [0.3, 1.0, 2.0] {
            for mode in [ClipMode::Clip, ClipMode::Equalise] {
                let weight: Vec<f64> = (0..108).map(|_| random.normal() * 0.4).collect();
                let target = Target { mode, seed: seed as u64, ..target(to) };
                let clipped =
                    clip(&layer(&weight, &SHAPE, &geometry), ClipMethod::FastClip, &target, &Ctl::new(0)).unwrap();
                let after = all(OpKind::Conv2d, &clipped.weight, &SHAPE, &geometry)[0];
                assert_eq!(clipped.weight.len(), 108, "the kernel's shape never changes");
                assert!(clipped.reached, "{name} {mode:?} to {to}: {} → {after}", clipped.before);
                if mode == ClipMode::Equalise || clipped.before > to * 1.01 {
                    close(after, to, 0.01 * to);
                } else {
                    assert_eq!(clipped.weight, weight, "below the target nothing changes");
                }
            }
        }
    }
}

#[test]
fn other_maps_reach_the_target_too() {
    let transposed =
        Geometry { input: [4, 5], stride: [2, 2], padding: [1, 1], output_padding: [1, 1], ..Geometry::default() };
    let grouped = Geometry { groups: 2, ..geometry(7, PaddingMode::Zeros) };
    let line = Geometry { input: [1, 40], padding: [0, 1], ..Geometry::default() };
    let wide = Geometry { input: [6, 9], stride: [2, 1], padding: [1, 0], ..Geometry::default() };
    let pointwise = Geometry { input: [5, 5], stride: [2, 2], ..Geometry::default() };
    let cases: [(OpKind, &[usize], Geometry); 6] = [
        (OpKind::ConvTranspose2d, &[4, 3, 3, 3], transposed),
        (OpKind::Conv2d, &[6, 4, 3, 3], grouped),
        (OpKind::Conv1d, &[8, 8, 3], line),
        (OpKind::Conv2d, &[5, 3, 3, 2], wide),
        (OpKind::Conv2d, &[12, 9, 1, 1], pointwise),
        (OpKind::Dense, &[20, 30], Geometry::default()),
    ];
    for (kind, shape, geometry) in cases {
        let weight = lcg(shape.iter().product());
        let layer = Layer { kind, weight: &weight, weight_shape: shape, geometry: &geometry };
        let clipped = clip(&layer, ClipMethod::FastClip, &target(0.7), &Ctl::new(0)).unwrap();
        close(all(kind, &clipped.weight, shape, &geometry)[0], 0.7, 0.007);
        assert!(clipped.reached, "{kind:?} {shape:?}");
        let single: Vec<f32> = weight.iter().map(|&w| w as f32).collect();
        let layer = Layer { kind, weight: &single, weight_shape: shape, geometry: &geometry };
        let clipped = clip(&layer, ClipMethod::FastClip, &target(0.7), &Ctl::new(0)).unwrap();
        assert!(clipped.reached, "{kind:?} {shape:?} in 32-bit floats");
    }
}

#[test]
fn bad_targets_and_weights_are_refused() {
    let geometry = geometry(6, PaddingMode::Zeros);
    let mut weight = lcg(108);
    for to in [0.0, -1.0, f64::NAN] {
        assert!(clip(&layer(&weight, &SHAPE, &geometry), ClipMethod::FastClip, &target(to), &Ctl::new(0)).is_err());
    }
    weight[3] = f64::NAN;
    assert!(clip(&layer(&weight, &SHAPE, &geometry), ClipMethod::FastClip, &target(1.0), &Ctl::new(0)).is_err());
    let ctl = Ctl::new(0);
    ctl.cancel();
    assert!(clip(&layer(&lcg(108), &SHAPE, &geometry), ClipMethod::FastClip, &target(1.0), &ctl).is_err());
}
