//! Clipping inside training holds every layer at the target, and the σ₁ it reports are the true ones.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use candle_core::Device;
use plumb_core::{Ctl, Job as _};
use plumb_spectrum::op::kernelled;
use plumb_spectrum::singular::{TopRequest, top_singular};
use plumb_spectrum::spec::Method;
use plumb_spectrum::train::{ClipInTraining, KIND, TrainJob, TrainReport, TrainSpec, embedded_run};
use plumb_vision::job::NetTraining;
use plumb_vision::nets::{NetKind, NetSpec};
use plumb_vision::train::LoopSpec;
use plumb_vision::{samples, saved};

fn spec(clip: Option<ClipInTraining>) -> TrainSpec {
    let net = NetSpec { kind: NetKind::ResNet8, widths: vec![4, 6, 8], ..NetSpec::default() };
    let training = LoopSpec { epochs: 2, ..LoopSpec::default() };
    TrainSpec { model: NetTraining { net, training, ..NetTraining::default() }, clip }
}

/// σ₁ of every layer of a checkpoint from whole matrices in f64.
fn exact(checkpoint: &[u8]) -> Vec<(String, f64)> {
    let (net, _) = saved::from_bytes(checkpoint, &Device::Cpu).expect("our own file");
    let norm = |layer: plumb_vision::nets::LinearLayer| {
        let weight = net.params().values(&layer.weight).expect("named").into_iter().map(f64::from).collect();
        let shape = net.params().get(&layer.weight).expect("named").dims().to_vec();
        let op = kernelled::<f64>(layer.op, weight, &shape, &layer.geometry).expect("fits");
        let request = TopRequest { k: 1, method: Method::Dense, ..TopRequest::default() };
        (layer.weight, top_singular(&op, &request, &Ctl::new(0)).expect("finite").sigma[0])
    };
    net.linear_layers().into_iter().map(norm).collect()
}

fn check_curves(report: &TrainReport) {
    for (curve, (name, sigma)) in report.curves.iter().zip(exact(&report.checkpoint)) {
        assert_eq!((curve.layer.as_str(), curve.sigma.len()), (name.as_str(), report.history.epochs.len()));
        let said = curve.sigma.last().copied().unwrap_or(0.0);
        assert!((said - sigma).abs() < 2e-3 * sigma, "{name}: reported {said}, whole matrix {sigma}");
    }
}

#[test]
fn clipping_holds_every_layer_at_the_target() {
    let free = TrainJob(spec(None)).run(&Ctl::new(0)).expect("trains");
    let clipped = TrainJob(spec(Some(ClipInTraining::default()))).run(&Ctl::new(0)).expect("trains");
    check_curves(&free);
    check_curves(&clipped);
    let largest = |report: &TrainReport| exact(&report.checkpoint).into_iter().map(|(_, s)| s).fold(0.0, f64::max);
    assert!(largest(&free) > 1.5, "free layers grow: {}", largest(&free));
    assert!(largest(&clipped) <= 1.0101, "clipped layers stay: {}", largest(&clipped));
    assert!(clipped.history.epochs[1].loss < clipped.history.epochs[0].loss, "and the network learns");
}

#[test]
fn the_samples_that_ship_are_what_their_runs_say() {
    for sample in samples::EMBEDDED {
        let mut report = embedded_run(sample.name).unwrap_or_else(|| panic!("{} has no run", sample.name));
        report.checkpoint = sample.bytes.to_vec();
        check_curves(&report);
        let accuracy = samples::accuracy(sample.bytes, &std::collections::BTreeMap::new(), &Ctl::new(0)).expect("runs");
        let difference = (accuracy.accuracy - report.accuracy.accuracy).abs();
        assert!(difference < 1e-9, "{}: {} is not what its run says", sample.name, accuracy.accuracy);
        if report.spec.clip.is_some() {
            assert!(exact(sample.bytes).iter().all(|(_, sigma)| *sigma <= 1.0101), "{} is clipped", sample.name);
        }
    }
}

#[test]
fn the_preset_is_the_run_that_ships() {
    let text = include_str!("../../../presets/spectrum/train-digits.ron");
    let preset = plumb_core::preset::parse::<TrainSpec>(text, "train-digits.ron", KIND).expect("the preset opens");
    assert_eq!(Some(preset.spec), embedded_run("digits-resnet8-clipped").map(|report| report.spec));
}
