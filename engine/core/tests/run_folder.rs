//! A run folder can be reopened, and the run in it repeated to the same numbers.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too; clippy only exempts the test functions")]

use std::collections::BTreeMap;
use std::path::Path;

use plumb_core::preset::{Kind, Preset};
use plumb_core::run_folder::{RunFolder, RunState, list_runs, without_times};
use plumb_core::{Ctl, Engine, Error, Job, Lane, Slot};
use serde::{Deserialize, Serialize};

const KIND: Kind = Kind { method: "toy", version: 1 };

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Walk {
    steps: usize,
    seed: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    path: Vec<f64>,
    seconds: f64,
}

impl Job for Walk {
    type Output = Report;
    type Partial = ();
    fn name(&self) -> String {
        "Random walk".to_owned()
    }
    fn run(self, ctl: &Ctl) -> Result<Report, Error> {
        let (begun, mut random, mut place) = (std::time::Instant::now(), ctl.random("walk"), 0.0);
        let mut path = Vec::new();
        for _ in 0..self.steps {
            ctl.check()?;
            place += random.normal();
            path.push(place);
        }
        Ok(Report { path, seconds: begun.elapsed().as_secs_f64() })
    }
}

fn run(base: &Path, preset: &Preset<Walk>) -> RunFolder {
    let mut slot = Slot::new();
    slot.request(&Engine::inline(), Lane::Device, preset.spec.seed, preset.spec.clone());
    slot.poll();
    let report = slot.value().unwrap();
    let mut writer = RunFolder::create(base, "toy", "Ein Spaziergang / #1").unwrap();
    writer.write_spec(preset).unwrap();
    for (step, &place) in report.path.iter().enumerate() {
        writer.append_metric(step as u64, &BTreeMap::from([("place".to_owned(), place)])).unwrap();
    }
    writer
        .append_metric(99, &BTreeMap::from([("odd".to_owned(), f64::INFINITY), ("none".to_owned(), f64::NAN)]))
        .unwrap();
    writer.write_table("path", "step,place\n").unwrap();
    writer.write_picture("path.png", b"png").unwrap();
    std::fs::write(writer.weights_path("w.safetensors").unwrap(), b"w").unwrap();
    assert!(writer.write_table("../out", "").is_err(), "names stay in the folder");
    let mut info = writer.info();
    info.seed = preset.spec.seed;
    info.device.push_str("cpu");
    writer.finish(report, info).unwrap()
}

#[test]
fn reopened_and_run_again_gives_the_same_numbers() {
    let base = tempfile::tempdir().unwrap();
    let first = run(base.path(), &Preset::new(KIND, "Walk", Walk { steps: 50, seed: 5 }));
    let opened = RunFolder::open(&first.path).unwrap();
    assert!(opened.problems.is_empty(), "{:?}", opened.problems);
    let second = run(base.path(), &opened.spec::<Walk>(KIND).unwrap());
    assert_ne!(first.path, second.path, "names are unique");
    let numbers = |run: &RunFolder| without_times(run.report.as_ref().unwrap()).to_string();
    assert_eq!(numbers(&first), numbers(&second), "the same bytes");
    assert_eq!(first.report::<Report>().unwrap().path, second.report::<Report>().unwrap().path);
    assert_eq!(first.metrics[..50], second.metrics[..50]);
    assert_eq!(opened.metrics[50].values["odd"], f64::INFINITY);
    assert!(opened.metrics[50].values["none"].is_nan());
    assert_eq!((opened.tables.len(), opened.pictures.len(), opened.weights.len()), (1, 1, 1));
    assert_eq!((opened.info.seed, opened.info.device.as_str()), (5, "cpu"));
    assert!(opened.info.seconds > 0.0 && opened.info.environment.threads > 0);
}

#[test]
fn runs_are_listed_newest_first_and_interrupted_ones_say_so() {
    let base = tempfile::tempdir().unwrap();
    assert!(list_runs(&base.path().join("none")).is_empty());
    let finished = run(base.path(), &Preset::new(KIND, "", Walk { steps: 1, seed: 1 }));
    let writer = RunFolder::create(base.path(), "toy", "interrupted").unwrap();
    let path = writer.path().to_path_buf();
    drop(writer);
    std::fs::create_dir(base.path().join("no run")).unwrap();
    let old = base.path().join("20000101-000000-old");
    std::fs::create_dir(&old).unwrap();
    std::fs::write(old.join("run.json"), r#"{"started":"2000-01-01T00:00:00Z","method":"toy"}"#).unwrap();
    let runs = list_runs(base.path());
    assert_eq!(runs.len(), 3);
    assert_eq!(runs[2].path, old);
    let state = |path: &Path| runs.iter().find(|run| run.path == path).unwrap().state;
    assert_eq!(state(&path), RunState::Incomplete);
    assert_eq!(state(&finished.path), RunState::Finished);
    let opened = RunFolder::open(&path).unwrap();
    assert!(opened.problems[0].contains("interrupted"), "{:?}", opened.problems);
}

#[test]
fn garbled_parts_are_told_and_the_rest_is_used() {
    let base = tempfile::tempdir().unwrap();
    let run = run(base.path(), &Preset::new(KIND, "", Walk { steps: 3, seed: 1 }));
    std::fs::write(run.path.join("run.json"), "{ garbled").unwrap();
    let metrics = std::fs::read_to_string(run.path.join("metrics.jsonl")).unwrap();
    std::fs::write(run.path.join("metrics.jsonl"), format!("{metrics}{{\"step\": 4, \"val")).unwrap();
    std::fs::remove_file(run.path.join("spec.ron")).unwrap();
    let opened = RunFolder::open(&run.path).unwrap();
    assert_eq!(opened.problems.len(), 3, "{:?}", opened.problems);
    assert_eq!((opened.metrics.len(), opened.report.is_some()), (4, true));
    assert!(opened.spec::<Walk>(KIND).is_err());
    RunFolder::create(base.path(), "toy", "").unwrap();
    std::fs::rename(&run.path, base.path().join("20990101-000000-toy")).unwrap();
    assert!(list_runs(base.path())[0].problem.is_some(), "the folder's name still tells the time");
    let empty = tempfile::tempdir().unwrap();
    assert!(RunFolder::open(empty.path()).unwrap_err().to_string().contains("not a run folder"));
    assert!(RunFolder::open(&empty.path().join("none")).unwrap_err().to_string().contains("no such folder"));
}
