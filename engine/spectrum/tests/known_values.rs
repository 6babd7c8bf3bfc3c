//! Values that are known by other means: closed forms, the paper's traces, published bounds.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod common;

use PaddingMode::{Circular, Reflect, Zeros};
use common::{cases, close, ctl, lcg, line, square};
use plumb_spectrum::bounds::{fantastic_four, gram_bound, power_estimate, reshaped_norm};
use plumb_spectrum::dense::all_values;
use plumb_spectrum::fourier::Fourier;
use plumb_spectrum::geometry::{Geometry, PaddingMode};
use plumb_spectrum::krylov::{KrylovOptions, block_krylov};
use plumb_spectrum::op::{ConvOp, DenseOp, LinearOp};
use plumb_spectrum::power_qr::{PowerQrOptions, power_qr};
use plumb_spectrum::singular::{SpectrumError, TopRequest, top_singular};
use plumb_spectrum::spec::Method;

const T2: [usize; 4] = [4, 3, 3, 3];

fn values(weight: &[f64], shape: &[usize], geometry: &Geometry) -> Vec<f64> {
    all_values(&ConvOp::new(weight.to_vec(), shape, geometry).unwrap(), &ctl()).unwrap()
}

#[track_caller]
fn starts_with(found: &[f64], expected: &[f64], tolerance: f64) {
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        close(found, expected, tolerance, &format!("value {i}"));
    }
    assert!(found.len() >= expected.len(), "{} values", found.len());
}

#[test]
fn t1_one_axis() {
    let root = 2.0_f64.sqrt();
    let of = |geometry| values(&[1.0, 2.0, 1.0], &[1, 1, 3], &geometry);
    starts_with(
        &of(line(8, 1, Circular, 1)),
        &[4.0, 2.0 + root, 2.0 + root, 2.0, 2.0, 2.0 - root, 2.0 - root, 0.0],
        1e-12,
    );
    let zeros: Vec<f64> = (1..9).map(|j| 2.0 + 2.0 * (f64::from(j) * std::f64::consts::PI / 9.0).cos()).collect();
    starts_with(&of(line(8, 1, Zeros, 1)), &zeros, 1e-12);
    starts_with(&of(line(8, 1, Circular, 2)), &[8.0_f64.sqrt(), 6.0_f64.sqrt(), 6.0_f64.sqrt(), 2.0], 1e-12);
    starts_with(&of(line(8, 1, Zeros, 2)), &[2.7444651366, 2.5193841222, 2.2360679775, 2.0299297422], 1e-10);
    close(of(line(8, 1, Reflect, 1))[0], 4.0642637076, 1e-10, "reflect");
    close(of(line(8, 0, Zeros, 1))[0], 3.8174209015, 1e-10, "valid");
}

#[test]
fn t3_ones() {
    let of = |geometry| values(&[1.0; 9], &[1, 1, 3, 3], &geometry);
    close(of(square(8, 1, Circular, 1))[0], 9.0, 1e-12, "circular");
    close(of(square(8, 1, Zeros, 1))[0], 8.29085936938, 1e-11, "zeros");
    close(of(square(8, 1, Reflect, 1))[0], 9.53455114, 1e-8, "reflect");
    close(of(square(8, 0, Zeros, 1))[0], 7.97541853, 1e-8, "valid");
    close(of(square(8, 1, Zeros, 2))[0], 4.53208889, 1e-8, "zeros, stride 2");
    close(of(square(8, 1, Circular, 2))[0], 5.0, 1e-12, "circular, stride 2");
    starts_with(&of(Geometry { dilation: [2; 2], ..square(8, 2, Zeros, 1) }), &[6.8541019662; 4], 1e-10);
}

#[test]
fn t4_trivial() {
    let mut identity = vec![0.0; 81];
    for channel in 0..3 {
        identity[(channel * 3 + channel) * 9 + 4] = 1.5;
    }
    for mode in [Zeros, Circular, Reflect] {
        let geometry = square(5, 1, mode, 1);
        starts_with(&values(&identity, &[3, 3, 3, 3], &geometry), &[1.5; 75], 1e-12);
        let op = ConvOp::new(identity.clone(), &[3, 3, 3, 3], &geometry).unwrap();
        let found = block_krylov(&op, &KrylovOptions::default(), &ctl()).unwrap();
        assert!(found.converged, "one step closes the space of the identity");
        starts_with(&found.sigma, &[1.5; 4], 1e-12);
    }
    let shift = [1.0, 0.0, 0.0];
    starts_with(&values(&shift, &[1, 1, 3], &line(8, 1, Circular, 1)), &[1.0; 8], 1e-12);
    starts_with(&values(&shift, &[1, 1, 3], &line(8, 1, Zeros, 1)), &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0], 1e-12);
    let pointwise = values(&[3.0, 0.0, 4.0, 5.0], &[2, 2, 1, 1], &square(3, 0, Zeros, 1));
    starts_with(&pointwise, &[45.0_f64.sqrt(); 9], 1e-12);
    starts_with(&pointwise[9..], &[5.0_f64.sqrt(); 9], 1e-12);
}

#[test]
fn zero_kernels_and_bad_numbers() {
    let op = ConvOp::new(vec![0.0_f64; 108], &T2, &square(6, 1, Zeros, 1)).unwrap();
    for method in [Method::Krylov, Method::PowerQr, Method::Dense] {
        let found = top_singular(&op, &TopRequest { method, ..TopRequest::default() }, &ctl()).unwrap();
        assert_eq!(found.sigma, vec![0.0; 4], "{method:?}: the zero map has no stretch");
    }
    for bad in [f64::NAN, f64::INFINITY] {
        let mut weight = lcg(&T2);
        weight[17] = bad;
        let op = ConvOp::new(weight.clone(), &T2, &square(6, 1, Zeros, 1)).unwrap();
        for method in [Method::Krylov, Method::PowerQr, Method::Dense] {
            let found = top_singular(&op, &TopRequest { method, ..TopRequest::default() }, &ctl());
            assert!(matches!(found, Err(SpectrumError::NotFinite)), "{method:?} of {bad}: {found:?}");
        }
        let fourier = Fourier::new(&weight, &T2, &square(6, 1, Circular, 1)).unwrap();
        assert!(matches!(fourier.all_values(&ctl()), Err(SpectrumError::NotFinite)), "Fourier of {bad}");
    }
    let stopped = ctl();
    stopped.cancel();
    let found = top_singular(&op, &TopRequest { method: Method::Krylov, ..TopRequest::default() }, &stopped);
    assert!(matches!(found, Err(SpectrumError::Cancelled(_))), "a stopped job stops");
}

#[test]
fn t5_fourier_values_and_clipping() {
    let mut circular = 0;
    for case in cases().iter().filter(|case| case.mode == Circular) {
        circular += 1;
        let fourier = Fourier::new(&lcg(&case.shape), &case.shape, &case.geometry()).unwrap();
        assert!(fourier.exact(), "{}", case.label());
        let sigma = fourier.all_values(&ctl()).unwrap();
        assert_eq!(sigma.len(), case.count, "{}: count", case.label());
        starts_with(&sigma, &case.top8, 1e-11);
        close(sigma.iter().sum(), case.sum, 1e-11, &case.label());
        close(sigma[sigma.len() - 1], case.min, 1e-10, &case.label());
        let map = fourier.map(&ctl()).unwrap();
        let top = map.sigma.iter().copied().fold(0.0, f32::max);
        close(f64::from(top), case.top8[0], 1e-6, "the map's largest value");
    }
    assert!(circular >= 6, "circular cases in the fixture: {circular}");

    let clipped =
        Fourier::new(&[1.0, 2.0, 1.0], &[1, 1, 3], &line(8, 1, Circular, 1)).unwrap().clip(1.0, &ctl()).unwrap();
    starts_with(&clipped.weight, &[0.1982233, 0.7714466, 0.1982233], 1e-7);
    assert!(clipped.discarded > 0.0 && clipped.discarded < 0.2, "discarded {}", clipped.discarded);
    close(values(&clipped.weight, &[1, 1, 3], &line(8, 1, Circular, 1))[0], 1.1678932, 1e-7, "truncated norm");
    for (n, expected) in [(6, [1.5392, 1.5421, 1.8071]), (8, [1.6804, 1.5789, 1.7193])] {
        for (mode, expected) in [Circular, Zeros, Reflect].into_iter().zip(expected) {
            let clipped = Fourier::new(&lcg(&T2), &T2, &square(n, 1, mode, 1)).unwrap().clip(1.0, &ctl()).unwrap();
            close(values(&clipped.weight, &T2, &square(n, 1, mode, 1))[0], expected, 1e-4, "truncated norm");
        }
    }
    let untouched = Fourier::new(&lcg(&T2), &T2, &square(6, 1, Circular, 2)).unwrap().clip(9.0, &ctl()).unwrap();
    starts_with(&untouched.weight, &lcg(&T2), 1e-12);
    assert_eq!(untouched.clamped, 0, "nothing is above 9");
}

#[test]
fn fourier_knows_groups_strides_dilation_and_odd_sizes() {
    for (groups, stride, dilation, input) in
        [(2, 1, 1, [6, 8]), (1, 2, 1, [6, 4]), (1, 1, 2, [7, 5]), (2, 2, 1, [8, 6])]
    {
        let shape = [4, 2, 3, 3];
        let geometry = Geometry {
            input,
            stride: [stride; 2],
            padding: [dilation; 2],
            padding_mode: Circular,
            dilation: [dilation; 2],
            groups,
            ..Geometry::default()
        };
        let fourier = Fourier::new(&lcg(&shape), &shape, &geometry).unwrap();
        assert!(fourier.exact(), "stride {stride} on {input:?}");
        starts_with(&fourier.all_values(&ctl()).unwrap(), &values(&lcg(&shape), &shape, &geometry), 1e-11);
    }
    assert!(!Fourier::new(&lcg(&T2), &T2, &square(7, 1, Circular, 2)).unwrap().exact(), "7 is no multiple of 2");
}

#[test]
fn t7_power_qr_trace() {
    let op = ConvOp::new(lcg(&T2), &T2, &square(6, 1, Zeros, 1)).unwrap();
    let start = |k: usize| (0..k * 108).map(|i| ((29 * i + 7) % 97) as f64 / 97.0 - 0.5).collect::<Vec<f64>>();
    let mut options = PowerQrOptions::new(1, 1000);
    let found = power_qr(&op, start(1), &options, &ctl()).unwrap();
    let exact = 4.474546175021574;
    for (step, expected) in [
        (2, 3.16775145),
        (5, 4.30025472),
        (10, 4.46372886),
        (20, 4.46868437),
        (50, 4.46902144),
        (200, 4.47097577),
        (1000, 4.47451838),
    ] {
        close(found.trace[step - 1].sigma, expected, 1e-8, &format!("step {step}"));
    }
    assert!(found.trace[1..].iter().all(|step| step.sigma <= exact * (1.0 + 1e-5)), "a single vector's lower bound");
    options = PowerQrOptions::new(4, 5);
    starts_with(&power_qr(&op, start(4), &options, &ctl()).unwrap().sigma, &[4.39338, 4.30025, 3.69177, 3.49361], 2e-6);
    options = PowerQrOptions { ritz: true, ..PowerQrOptions::new(4, 20) };
    starts_with(&power_qr(&op, start(4), &options, &ctl()).unwrap().sigma, &[4.47454609, 4.46655749], 1e-8);
    options = PowerQrOptions { ritz: true, ..PowerQrOptions::new(8, 20) };
    let top = [4.474546175021574, 4.466559247568313, 3.736730871585451, 3.7045143287198474];
    starts_with(&power_qr(&op, start(8), &options, &ctl()).unwrap().sigma, &top, 1e-7);
}

#[test]
fn t11_bounds() {
    let circular = square(6, 1, Circular, 1);
    let mut previous = f64::INFINITY;
    for (iterations, expected) in [(0, 5.337037770), (1, 4.667117536), (2, 4.663173496), (3, 4.663169145)] {
        let bound = gram_bound(&lcg(&T2), &T2, &circular, iterations, &ctl()).unwrap();
        close(bound.value, expected, 1e-9, &format!("Gram iteration {iterations}"));
        assert!(bound.holds && bound.value <= previous, "an upper bound that falls");
        previous = bound.value;
    }
    let zeros = gram_bound(&lcg(&T2), &T2, &square(6, 1, Zeros, 1), 6, &ctl()).unwrap();
    close(zeros.value, 4.94810026, 1e-8, "the circular convolution that contains the zero-padded one");
    let reflect = gram_bound(&[1.0; 9], &[1, 1, 3, 3], &square(8, 1, Reflect, 1), 6, &ctl()).unwrap();
    assert!(!reflect.holds && reflect.value < 9.5, "9 is below the reflect-padded norm 9.53");

    close(reshaped_norm(&lcg(&T2), &T2, &ctl()).unwrap(), 1.98084185, 1e-8, "Miyato");
    let four = fantastic_four(&lcg(&T2), &T2, &square(6, 1, Zeros, 1), &ctl()).unwrap();
    close(four.value, 5.616, 1e-4, "fantastic four");
    for case in cases() {
        let exact = case.top8[0];
        let four = fantastic_four(&lcg(&case.shape), &case.shape, &case.geometry(), &ctl()).unwrap();
        assert!(!four.holds || four.value >= exact * (1.0 - 1e-9), "{}: {} < {exact}", case.label(), four.value);
        let gram = gram_bound(&lcg(&case.shape), &case.shape, &case.geometry(), 5, &ctl()).unwrap();
        assert!(!gram.holds || gram.value >= exact * (1.0 - 1e-9), "{}: {} < {exact}", case.label(), gram.value);
        let gouk = power_estimate(&case.op(), 5, 1, &ctl()).unwrap();
        assert!(gouk <= exact * (1.0 + 1e-12) && gouk > 0.5 * exact, "{}: {gouk}", case.label());
    }
}

#[test]
fn warm_starts_are_cheap() {
    let shape = [16, 16, 3, 3];
    let geometry = square(16, 1, Zeros, 1);
    let op = ConvOp::new(lcg(&shape), &shape, &geometry).unwrap();
    let cold = TopRequest { method: Method::Krylov, tolerance: 1e-6, ..TopRequest::default() };
    let first = top_singular(&op, &cold, &ctl()).unwrap();
    assert!(first.converged, "residual {}", first.residual);
    let again = top_singular(&op, &TopRequest { warm: Some(&first.v), ..cold.clone() }, &ctl()).unwrap();
    assert!(
        again.converged && again.iterations < first.iterations / 2,
        "{} after {}",
        again.iterations,
        first.iterations
    );
    starts_with(&again.sigma, &first.sigma, 1e-9);
    let repeat = top_singular(&op, &cold, &ctl()).unwrap();
    assert_eq!(repeat.sigma, first.sigma, "same seed, same numbers");
    assert_eq!(repeat.v, first.v, "same seed, same vectors");
}

#[test]
fn triplets_are_triplets() {
    let op = DenseOp::new(lcg(&[40, 60]), &[40, 60]).unwrap();
    for method in [Method::Krylov, Method::Dense, Method::PowerQr] {
        let request = TopRequest { k: 3, method, tolerance: 1e-9, max_iterations: 100_000, ..TopRequest::default() };
        let found = top_singular(&op, &request, &ctl()).unwrap();
        for i in 0..3 {
            let (u, v) = (&found.u[i * 40..][..40], &found.v[i * 60..][..60]);
            let mut image = vec![0.0; 40];
            op.apply(v, 1, &mut image);
            for (image, u) in image.iter().zip(u) {
                close(*image, found.sigma[i] * u, 1e-7, &format!("{method:?} triplet {i}"));
            }
            close(u.iter().map(|u| u * u).sum(), 1.0, 1e-9, "unit length");
        }
    }
}
