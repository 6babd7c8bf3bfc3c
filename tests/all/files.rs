//! Files come in by drag and drop, by the desktop's dialog and by the path field; a second one stands beside the first.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui::{DroppedFile, Key};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use plumb::shell::dialogs::{FileDialogs, Native};
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;

use super::architecture::root;
use super::workbench::{command, labels, plain, rows, workbench, workbench_with};

#[derive(Debug)]
struct Dropped(PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }
    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

fn onnx() -> PathBuf {
    root().join("engine/nn/tests/checkpoint/fixtures/plain.onnx")
}

fn drop_file(harness: &mut Harness<'_, Workbench>, path: PathBuf) {
    harness.input_mut().hovered_files = vec![egui::HoveredFile { path: Some(path.clone()), ..Default::default() }];
    harness.step();
    harness.input_mut().hovered_files.clear();
    harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
    harness.step();
    harness.run();
}

#[test]
fn dropped_files_open_and_bad_ones_are_told() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    let sample = rows(&harness);
    drop_file(&mut harness, onnx());
    let dropped = rows(&harness);
    assert!(dropped.iter().any(|(name, _)| name == "conv") && dropped != sample, "{dropped:?}");

    let bad = home.path().join("bad.safetensors");
    std::fs::write(&bad, b"\xff\xff\xff\xff\xff\xff\xff\x7f nothing of the kind").unwrap();
    drop_file(&mut harness, bad);
    assert!(!labels(&harness, "The file could not be opened").is_empty(), "the reason is on screen");
    assert_eq!(rows(&harness), dropped, "what was open stays");

    let strange = home.path().join("holiday.jpeg");
    std::fs::write(&strange, b"not a model").unwrap();
    drop_file(&mut harness, strange);
    let last = harness.state().notifications().all().last().map(|note| note.text.clone()).unwrap_or_default();
    let first = harness.state().notifications().all().first().map(|note| note.text.clone()).unwrap_or_default();
    assert!(last.contains("No tab opens files such as") || first.contains("No tab opens files such as"), "{last}");
    assert_eq!(rows(&harness), dropped);
}

#[test]
fn an_onnx_file_opens_through_the_path_field() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    let path = onnx().display().to_string();
    harness.get_by_role_and_label(Role::TextInput, "Model file").focus();
    harness.run();
    harness.key_press_modifiers(egui::Modifiers::COMMAND, Key::A);
    harness.event(egui::Event::Text(path));
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    let rows = rows(&harness);
    for name in ["conv", "depth", "head"] {
        assert!(rows.iter().any(|(row, _)| row == name), "{name} in {rows:?}");
    }
    assert!(!rows.iter().any(|(row, _)| row.contains("guessed")), "the file says its own geometry");
}

#[test]
fn two_checkpoints_stand_side_by_side() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = workbench(home.path(), ThemeChoice::Dark, [1400.0, 900.0], vec![Some(onnx())]);
    harness.state_mut().command(plumb::shell::commands::CommandId("spectrum.view_compare"));
    harness.step();
    harness.run();
    harness.get_by_label("Path of the second file").focus();
    harness.run();
    harness.event(egui::Event::Text("embedded:digits-resnet8-clipped".to_owned()));
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    let shared = labels(&harness, ", A ");
    assert!(shared.len() >= 8 && shared.iter().all(|row| !row.contains("not there")), "{shared:?}");
    assert!(!labels(&harness, "Singular values of").is_empty());

    command(&mut harness, "spectrum.compare");
    let strangers = labels(&harness, ", A ");
    assert!(strangers.iter().any(|row| row.contains("not there")), "layers of one file only: {strangers:?}");
    harness.get_by_label("Close B").click();
    harness.run();
    harness.get_by_label("Compare two checkpoints");
}

fn with_desktop(home: &Path, native: Native) -> Harness<'static, Workbench> {
    let dialogs = FileDialogs::with_native(Arc::new(|| {}), native);
    workbench_with(home, ThemeChoice::Dark, [1400.0, 900.0], move |workbench| workbench.with_dialogs(dialogs))
}

fn ask_and_wait(harness: &mut Harness<'_, Workbench>) {
    command(harness, "spectrum.open");
    let end = Instant::now() + Duration::from_secs(10);
    while harness.state().dialog_is_open() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
        harness.step();
    }
    harness.run();
}

#[test]
fn dialogs_choose_are_dismissed_and_fail() {
    let home = tempfile::tempdir().unwrap();
    let mut chosen = with_desktop(home.path(), Arc::new(|_, _| Some(onnx())));
    ask_and_wait(&mut chosen);
    assert!(rows(&chosen).iter().any(|(name, _)| name == "depth"), "the chosen file is open");

    let mut dismissed = with_desktop(
        home.path(),
        Arc::new(|_, _| {
            std::thread::sleep(Duration::from_millis(600));
            None
        }),
    );
    let before = rows(&dismissed);
    ask_and_wait(&mut dismissed);
    assert!(dismissed.state().notifications().all().is_empty(), "a dismissed dialog is nobody's fault");
    assert_eq!(rows(&dismissed), before);

    let mut failed = with_desktop(home.path(), Arc::new(|_, _| None));
    ask_and_wait(&mut failed);
    assert_eq!(labels(&failed, "could not be shown").len(), 1, "the window says so, and asks for the path itself");
    assert_eq!(rows(&failed), before, "what was open stays");
    let missing = home.path().join("missing.onnx").display().to_string();
    for (path, opens) in [(missing, false), (onnx().display().to_string(), true)] {
        failed.get_by_role_and_label(Role::TextInput, "Path").focus();
        failed.run();
        failed.key_press_modifiers(egui::Modifiers::COMMAND, Key::A);
        failed.run();
        // In one frame, as on a machine that is busy.
        let (key, modifiers) = (Key::Enter, egui::Modifiers::NONE);
        let enter = egui::Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
        failed.input_mut().events.extend([egui::Event::Text(path), enter]);
        failed.run();
        assert_eq!(rows(&failed).iter().any(|(name, _)| name == "depth"), opens);
        assert_eq!(labels(&failed, "There is no file of this name").is_empty(), opens);
    }
}

#[test]
fn fashion_mnist_is_listed_and_its_absence_is_told() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    command(&mut harness, "shell.presets");
    harness.get_by_label_contains("Fashion-MNIST, clipped to 1");
    harness.key_press(Key::Escape);
    harness.run();

    let text = std::fs::read_to_string(root().join("presets/spectrum/train-fashion.ron")).unwrap();
    let elsewhere = home.path().join("elsewhere.ron");
    let nowhere = text.replace("folder: None", "folder: Some(\"/no/such/folder\")");
    assert_ne!(nowhere, text);
    std::fs::write(&elsewhere, nowhere).unwrap();
    harness.state_mut().open_path(&elsewhere);
    harness.step();
    harness.run();
    let told: Vec<_> = harness
        .query_all_by_role(Role::Alert)
        .filter_map(|node| node.accesskit_node().label())
        .filter(|label| label.contains("Training failed"))
        .collect();
    assert!(told.iter().any(|label| label.contains("dataset-fashion-mnist")), "{told:?}");
}
