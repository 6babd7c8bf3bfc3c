//! Runs and jobs: written, listed, compared, reopened; a long one is watched and stopped.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use plumb::shell::commands::CommandId;
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::{Waker, Workbench};
use plumb_core::Engine;

use super::architecture::root;
use super::workbench::{command, labels, largest, plain, rows};

fn run_folders(home: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(home.join("runs")).unwrap().flatten().map(|entry| entry.path()).collect();
    all.sort();
    all
}

#[test]
fn runs_are_written_compared_and_reopened() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    let sample = rows(&harness);
    command(&mut harness, "spectrum.save_run");
    command(&mut harness, "spectrum.clip_all");
    command(&mut harness, "spectrum.save_run");
    let folders = run_folders(home.path());
    assert_eq!(folders.len(), 2, "{folders:?}");

    command(&mut harness, "shell.runs");
    for folder in &folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        harness.get_by_role_and_label(Role::CheckBox, &format!("Compare {name}")).click();
        harness.run();
    }
    harness.get_by_label_contains(" differences in ");
    assert!(!labels(&harness, "report.layers[0].sigma[0]").is_empty(), "σ₁ differs between the two");

    // The second run holds the clipped spectra; the first one is the sample as it was.
    let buttons: Vec<_> = harness.get_all_by_label("Reopen").map(|node| node.rect()).collect();
    assert_eq!(buttons.len(), 2);
    let first = harness.get_all_by_label("Reopen").last().unwrap();
    first.click();
    harness.run();
    assert_eq!(rows(&harness), sample, "the oldest run is shown as it was");
}

#[test]
fn a_clip_run_reopens_with_its_weights() {
    let home = tempfile::tempdir().unwrap();
    let preset = root().join("presets/spectrum/clip-sample.ron");
    let experiment = plumb_spectrum::experiment::Experiment::load(&preset).unwrap();
    let cache = plumb_core::source::Cache::new(home.path().join("cache"), plumb_spectrum::subject::embedded_files());
    let job = plumb_spectrum::experiment::ExperimentJob { experiment, cache, runs: home.path().join("runs") };
    let (folder, _) = plumb_core::Job::run(job, &plumb_core::Ctl::new(0)).unwrap();

    let mut harness = plain(home.path());
    let before = largest(&harness);
    harness.state_mut().open_path(&folder);
    harness.step();
    harness.run();
    assert!(largest(&harness) <= 1.011, "the clipped weights are in force: {:?}", rows(&harness));
    harness.get_by_label_contains("Last clip to");
    command(&mut harness, "shell.undo");
    assert!((largest(&harness) - before).abs() < 1e-3, "undo shows the model as it was");
}

#[test]
fn a_training_run_shows_its_curves() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("runs/a-training-run");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("run.json"), r#"{"method":"spectrum","name":"Short training"}"#).unwrap();
    let lines: Vec<String> = (1..=3)
        .map(|epoch| {
            let sigma = 2.0 / f64::from(epoch);
            format!("{{\"step\":{epoch},\"values\":{{\"loss\":0.5,\"sigma1/stem.weight\":{sigma},\"sigma1/fc.weight\":1.5}}}}")
        })
        .collect();
    std::fs::write(folder.join("metrics.jsonl"), lines.join("\n")).unwrap();
    std::fs::write(folder.join("report.json"), "{}").unwrap();
    let mut harness = plain(home.path());
    command(&mut harness, "shell.runs");
    harness.get_by_label("Reopen").click();
    harness.run();
    harness.get_by_label("σ₁ during training");
    for layer in ["stem.weight", "fc.weight"] {
        assert!(!labels(&harness, layer).is_empty(), "{layer} has a curve");
    }
    // A curve can be switched off by its name.
    harness
        .get_all_by_role(Role::CheckBox)
        .find(|node| node.accesskit_node().label().unwrap_or_default().contains("fc.weight"))
        .unwrap()
        .click();
    harness.run();
}

/// A workbench whose engine has threads.
fn threaded(home: &Path) -> Harness<'static, Workbench> {
    let home = home.to_path_buf();
    Harness::builder()
        .with_size([1400.0, 900.0])
        .with_max_steps(40)
        .with_os(egui::os::OperatingSystem::Nix)
        .build_eframe(move |cc| {
            let waker = Waker::default();
            waker.connect(&cc.egui_ctx);
            let engine = Engine::start(waker.closure()).unwrap();
            let mut workbench = Workbench::for_tests(engine, &home, ThemeChoice::Dark);
            workbench.prepare(&cc.egui_ctx);
            workbench.command(CommandId(super::open::FRONT));
            workbench
        })
}

fn wait_for(harness: &mut Harness<'_, Workbench>, what: &str) {
    let end = Instant::now() + Duration::from_secs(90);
    while labels(harness, what).is_empty() {
        assert!(Instant::now() < end, "“{what}” did not appear; on screen: {:?}", labels(harness, ""));
        std::thread::sleep(Duration::from_millis(20));
        harness.step();
    }
}

#[test]
fn training_is_watched_and_stopped_from_the_tray() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = threaded(home.path());
    harness.state_mut().open_path(root().join("presets/spectrum/train-digits.ron"));
    // The title of the curves, not the line that says what runs.
    wait_for(&mut harness, "clipped to 1, epoch ");
    wait_for(&mut harness, "σ₁ during training. ");
    command_now(&mut harness, "shell.jobs");
    let stop = "Stop Run Train ResNet-8 on digits, clipped to 1";
    wait_for(&mut harness, stop);
    harness.get_by_label(stop).click();
    let asked = Instant::now();
    harness.step();
    wait_for(&mut harness, "stopped, ");
    assert!(asked.elapsed() < Duration::from_secs(20), "stopped after {:?}", asked.elapsed());
    assert!(run_folders(home.path()).is_empty(), "a stopped run leaves nothing behind");
}

fn command_now(harness: &mut Harness<'_, Workbench>, id: &'static str) {
    harness.state_mut().command(CommandId(id));
    harness.step();
}
