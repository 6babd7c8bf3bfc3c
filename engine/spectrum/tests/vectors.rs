//! The 26 geometries of the fixture file, by every method that applies.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod common;

use common::{cases, close, ctl};
use plumb_spectrum::dense;
use plumb_spectrum::geometry::OpKind;
use plumb_spectrum::krylov::{KrylovOptions, block_krylov};
use plumb_spectrum::op::{Kernelled, LinearOp, kernelled};
use plumb_spectrum::singular::{TopRequest, top_singular};
use plumb_spectrum::spec::Method;

#[test]
fn dense_values_are_exact() {
    for case in cases() {
        let (op, label) = (case.op(), case.label());
        assert_eq!([op.output_len(), op.input_len()], case.out_in, "{label}: size");
        let sigma = dense::all_values(&op, &ctl()).unwrap();
        assert_eq!(sigma.len(), case.count, "{label}: count");
        for (i, (&found, &expected)) in sigma.iter().zip(&case.top8).enumerate() {
            close(found, expected, 1e-11, &format!("{label}: value {i}"));
        }
        close(sigma[sigma.len() - 1], case.min, 1e-11, &format!("{label}: smallest"));
        close(sigma.iter().sum(), case.sum, 1e-11, &format!("{label}: sum"));
        close(sigma.iter().map(|s| s * s).sum(), case.sumsq, 1e-11, &format!("{label}: sum of squares"));
    }
}

#[test]
fn frobenius_is_counted_without_the_matrix() {
    for case in cases() {
        close(case.op().frobenius(), case.sumsq.sqrt(), 1e-12, &case.label());
    }
}

#[test]
fn krylov_finds_the_top_eight() {
    for case in cases() {
        let (op, label) = (case.op(), case.label());
        let options = KrylovOptions { k: 8, tolerance: 1e-7, max_applications: 5000, ..KrylovOptions::default() };
        let found = block_krylov(&op, &options, &ctl()).unwrap();
        assert!(found.converged, "{label}: residual {} after {}", found.residual, found.iterations);
        for (i, (&found, &expected)) in found.sigma.iter().zip(&case.top8).enumerate() {
            close(found, expected, 1e-9, &format!("{label}: value {i}"));
        }
    }
}

#[test]
fn krylov_restarts_and_still_finds_them() {
    for case in cases() {
        let (op, label) = (case.op(), case.label());
        let options =
            KrylovOptions { k: 4, tolerance: 1e-7, max_basis: 24, max_applications: 9000, ..KrylovOptions::default() };
        let found = block_krylov(&op, &options, &ctl()).unwrap();
        assert!(found.converged, "{label}: residual {} after {}", found.residual, found.iterations);
        for (i, (&found, &expected)) in found.sigma.iter().zip(&case.top8).enumerate() {
            close(found, expected, 1e-9, &format!("{label}: value {i}"));
        }
    }
}

#[test]
fn single_precision_is_enough_for_the_table() {
    for case in cases() {
        let weight: Vec<f32> = case.op().weight().iter().map(|&w| w as f32).collect();
        let op = kernelled(OpKind::Conv2d, weight, &case.shape, &case.geometry()).unwrap();
        for method in [Method::Krylov, Method::PowerQr, Method::Dense] {
            let (tolerance, accuracy) = if method == Method::PowerQr { (1e-3, 1e-4) } else { (1e-5, 1e-5) };
            let request = TopRequest { method, tolerance, max_iterations: 20_000, ..TopRequest::default() };
            let found = top_singular(&*op, &request, &ctl()).unwrap();
            assert!(found.converged, "{} {method:?}: residual {}", case.label(), found.residual);
            for (i, (&found, &expected)) in found.sigma.iter().zip(&case.top8).enumerate() {
                close(found, expected, accuracy, &format!("{} {method:?}: value {i}", case.label()));
            }
        }
    }
}
