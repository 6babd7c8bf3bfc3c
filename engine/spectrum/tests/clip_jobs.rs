//! Opening, surveying, clipping and exporting files, as the window and the command line do it.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plumb_core::source::Cache;
use plumb_core::{Ctl, Error, Job};
use plumb_nn::checkpoint::{TensorData, write_safetensors};
use plumb_spectrum::detail::{DetailJob, PreviewJob};
use plumb_spectrum::experiment::{Experiment, ExperimentJob, Found};
use plumb_spectrum::export::ExportJob;
use plumb_spectrum::geometry::{Geometry, OpKind};
use plumb_spectrum::job::{AccuracyJob, ClipJob, OpenJob, SurveyJob};
use plumb_spectrum::report::{GeometrySource, MarkKind};
use plumb_spectrum::sidecar::{GeometryTable, LayerGeometry};
use plumb_spectrum::spec::{ClipMethod, ClipSpec, Method, SpectrumSpec};
use plumb_spectrum::subject::{Edits, Subject, embedded_files};

fn lcg(count: usize) -> Vec<f64> {
    (0..count).map(|i| ((37 * i + 11) % 101) as f64 / 101.0 - 0.5).collect()
}

fn write(folder: &Path, tensors: &[(&str, &[usize], Vec<f64>)]) -> PathBuf {
    let path = folder.join("model.safetensors");
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, shape, data)| ((*name).to_owned(), shape.to_vec(), TensorData::F64(data.clone())))
        .collect();
    write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
    path
}

fn open(folder: &Path, source: &str) -> Arc<Subject> {
    let cache = Cache::new(folder.join("cache"), embedded_files());
    OpenJob { source: source.to_owned(), overrides: GeometryTable::new(), cache }.run(&Ctl::new(0)).unwrap()
}

fn open_t2(folder: &Path) -> Arc<Subject> {
    let path = write(folder, &[("conv.weight", &[4, 3, 3, 3], lcg(108)), ("conv.bias", &[4], lcg(4))]);
    let subject = open(folder, path.to_str().unwrap());
    let geometry = Geometry { input: [6, 6], padding: [1, 1], ..Geometry::default() };
    let row = LayerGeometry { op: OpKind::Conv2d, geometry };
    Arc::new(subject.with_geometry(&GeometryTable::from([("conv.weight".to_owned(), row)])))
}

#[test]
fn a_saved_geometry_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let subject = open_t2(folder.path());
    assert_eq!(subject.layers[0].geometry_source, GeometrySource::Given);
    subject.save_geometry().unwrap();
    let again = open(folder.path(), subject.path().to_str().unwrap());
    assert_eq!(again.layers[0].geometry_source, GeometrySource::Saved);
    assert_eq!(again.layers[0].geometry.input, [6, 6]);
    assert!(again.skipped.iter().any(|entry| entry.name == "conv.bias"));
}

#[test]
fn the_survey_tells_bad_layers_in_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut bad = lcg(12);
    bad[5] = f64::NAN;
    let path = write(
        folder.path(),
        &[("a.weight", &[3, 4], bad), ("b.weight", &[3, 4], lcg(12)), ("c.weight", &[4, 3, 3, 3], lcg(108))],
    );
    let subject = open(folder.path(), path.to_str().unwrap());
    let mut spec = SpectrumSpec::default();
    spec.geometry.input = Some([1, 1]);
    spec.geometry.padding = Some(0);
    let report = SurveyJob { subject: Arc::clone(&subject), edits: Edits::new(), spec }.run(&Ctl::new(0)).unwrap();
    assert!(report.layers[0].problem.as_ref().unwrap().contains("position 5"), "{:?}", report.layers[0].problem);
    assert!(report.layers[1].problem.is_none() && report.layers[1].sigma.len() == 3);
    assert!(report.layers[1].condition.unwrap() > 1.0);
    assert!(report.layers[2].problem.is_some(), "a 3×3 kernel does not fit into one pixel");

    let spec = SpectrumSpec { layers: vec!["absent".to_owned()], ..SpectrumSpec::default() };
    let error = SurveyJob { subject: Arc::clone(&subject), edits: Edits::new(), spec }.run(&Ctl::new(0)).unwrap_err();
    assert!(error.to_string().contains("a.weight"), "{error}");

    let stopped = Ctl::new(0);
    stopped.cancel();
    let job = SurveyJob { subject, edits: Edits::new(), spec: SpectrumSpec::default() };
    assert!(matches!(job.run(&stopped), Err(Error::Cancelled)));
}

#[test]
fn a_replaced_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let subject = open_t2(folder.path());
    write(folder.path(), &[("other.weight", &[2, 2], lcg(4))]);
    let job = SurveyJob { subject, edits: Edits::new(), spec: SpectrumSpec::default() };
    let report = job.run(&Ctl::new(0)).unwrap();
    assert!(report.layers[0].problem.as_ref().unwrap().contains("changed on disk"), "{:?}", report.layers[0].problem);
}

#[test]
fn clipping_leaves_the_file_and_writes_another() {
    let folder = tempfile::tempdir().unwrap();
    let subject = open_t2(folder.path());
    let spec = ClipSpec::default();
    let job = ClipJob { subject: Arc::clone(&subject), edits: Edits::new(), spec: spec.clone() };
    let (report, edits) = job.run(&Ctl::new(0)).unwrap();
    assert!(report.layers[0].reached, "{report:?}");
    assert_eq!(edits.keys().collect::<Vec<_>>(), ["conv.weight"], "the bias never changes");

    let spec = SpectrumSpec { double: true, method: Method::Dense, top: 0, ..SpectrumSpec::default() };
    let before = SurveyJob { subject: Arc::clone(&subject), edits: Edits::new(), spec: spec.clone() };
    assert!((before.run(&Ctl::new(0)).unwrap().layers[0].sigma[0] - 4.474546175).abs() < 1e-8);
    let after = SurveyJob { subject: Arc::clone(&subject), edits: edits.clone(), spec }.run(&Ctl::new(0)).unwrap();
    assert!((after.layers[0].sigma[0] - 1.0).abs() <= 0.01);
    assert_eq!(after.layers[0].sigma.len(), 108);

    let out = folder.path().join("out.safetensors");
    let export = ExportJob { subject: Arc::clone(&subject), edits: edits.clone(), out: out.clone() };
    assert_eq!(export.run(&Ctl::new(0)).unwrap(), out);
    let written = open(folder.path(), out.to_str().unwrap());
    assert_eq!(written.checkpoint().read_f64("conv.bias").unwrap(), lcg(4));
    let nowhere = ExportJob { subject, edits, out: folder.path().join("none").join("x.safetensors") };
    assert!(nowhere.run(&Ctl::new(0)).is_err());
}

#[test]
fn details_hold_every_method_against_the_exact_value() {
    let folder = tempfile::tempdir().unwrap();
    let subject = open_t2(folder.path());
    let job = DetailJob {
        subject: Arc::clone(&subject),
        edits: Edits::new(),
        layer: "conv.weight".to_owned(),
        top: 3,
        spec: SpectrumSpec { method: Method::Krylov, ..SpectrumSpec::default() },
    };
    let detail = job.run(&Ctl::new(0)).unwrap();
    assert!(detail.layer.problem.is_none(), "{:?}", detail.layer.problem);
    assert!(detail.complete && detail.layer.sigma.len() == 108);
    assert_eq!((detail.triplets.len(), detail.triplets[0].right.channels, detail.triplets[0].left.channels), (3, 3, 4));
    assert_eq!(detail.traces.len(), 2);
    assert!(!detail.frequency.unwrap().exact);
    for mark in &detail.marks {
        match mark.kind {
            MarkKind::LowerBound => assert!(mark.relative_error <= 1e-9, "{mark:?}"),
            MarkKind::UpperBound => assert!(mark.relative_error >= -1e-9, "{mark:?}"),
            MarkKind::Exact => assert!(mark.relative_error.abs() < 1e-9, "{mark:?}"),
            MarkKind::Estimate => assert!(mark.relative_error.abs() < 1e-3, "{mark:?}"),
            MarkKind::Other => {}
        }
    }
    assert!(detail.marks.len() >= 6, "{:?}", detail.marks);

    let spec = ClipSpec { method: ClipMethod::Scale, ..ClipSpec::default() };
    let job = PreviewJob { subject, edits: Edits::new(), layer: "conv.weight".to_owned(), spec };
    let preview = job.run(&Ctl::new(0)).unwrap();
    let methods: Vec<_> = preview.outcomes.iter().map(|outcome| outcome.method).collect();
    assert_eq!(methods, [ClipMethod::Scale, ClipMethod::FastClip, ClipMethod::Fourier]);
    assert!(preview.complete && preview.before.len() == 108);
    assert!(preview.outcomes[1].kept > 1.4 * preview.outcomes[0].kept, "FastClip keeps more than scaling");
    assert!(preview.outcomes[2].truncation_error > 0.1 && !preview.outcomes[2].reached);
}

#[test]
fn the_sample_is_clipped_and_still_recognises_digits() {
    let folder = tempfile::tempdir().unwrap();
    let subject = open(folder.path(), "embedded:digits-resnet8");
    assert!(subject.has_network());
    let plain = AccuracyJob { subject: Arc::clone(&subject), edits: Edits::new() }.run(&Ctl::new(0)).unwrap();
    assert!(plain.accuracy > 0.9 && plain.images > 500, "{plain:?}");
    let norm = subject.layers.iter().find(|layer| layer.op == OpKind::BatchNorm).unwrap().name.clone();
    let spec = ClipSpec { to: 0.5, ..ClipSpec::default() };
    let job = PreviewJob { subject: Arc::clone(&subject), edits: Edits::new(), layer: norm, spec };
    let preview = job.run(&Ctl::new(0)).unwrap();
    assert_eq!(preview.outcomes.len(), 1, "a batch norm is clamped, whatever the method");
    assert!(preview.complete && preview.before[0] > 0.5, "{:?}", preview.before.first());
    assert!((preview.outcomes[0].sigma[0] - 0.5).abs() < 1e-6, "{:?}", preview.outcomes[0].sigma.first());
    for (compose, batch_norm) in [(false, true), (true, false)] {
        let spec = ClipSpec { to: 1.0, compose, batch_norm, ..ClipSpec::default() };
        let job = ClipJob { subject: Arc::clone(&subject), edits: Edits::new(), spec };
        let (report, edits) = job.run(&Ctl::new(0)).unwrap();
        assert!(report.layers.iter().all(|row| row.reached && row.problem.is_none()), "{report:?}");
        let accuracy = AccuracyJob { subject: Arc::clone(&subject), edits }.run(&Ctl::new(0)).unwrap();
        assert_eq!(accuracy.images, plain.images);
    }
}

#[test]
fn presets_leave_run_folders() {
    let folder = tempfile::tempdir().unwrap();
    let presets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets/spectrum");
    for entry in std::fs::read_dir(presets).unwrap() {
        let experiment = Experiment::load(&entry.unwrap().path()).unwrap();
        if matches!(experiment, Experiment::Train(_)) {
            continue;
        }
        let cache = Cache::new(folder.path().join("cache"), embedded_files());
        let job = ExperimentJob { experiment, cache, runs: folder.path().join("runs") };
        let (run, found) = job.run(&Ctl::new(0)).unwrap();
        assert!(run.join("report.json").is_file() && run.join("spec.ron").is_file());
        assert!(run.join("tables").join("layers.csv").is_file());
        if let Found::Clip { report, accuracy } = found {
            assert!(run.join(report.out.unwrap()).is_file() && accuracy.is_some());
        }
    }
}
