//! The workbench as a person uses it, through its accessibility tree: real panels, the real engine run inline,
//! the sample model that ships.

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;
use plumb_nn::checkpoint::Checkpoint;

pub use super::open::{command, plain, workbench, workbench_with};

/// σ₁ of every row of the layer table that is on screen, by layer name.
pub fn rows(harness: &Harness<'_, Workbench>) -> Vec<(String, f64)> {
    let mut rows = Vec::new();
    for node in harness.query_all_by_label_contains(", σ₁ ") {
        let label = node.accesskit_node().label().unwrap_or_default();
        let Some((name, rest)) = label.split_once(", σ₁ ") else { continue };
        let number = rest.split([',', ' ']).next().unwrap_or_default();
        if let Ok(sigma) = number.parse() {
            rows.push((name.to_owned(), sigma));
        }
    }
    rows
}

/// Largest σ₁ of the convolutions and dense layers on screen; batch norms are clipped only when asked.
pub fn largest(harness: &Harness<'_, Workbench>) -> f64 {
    let is_kernel = |name: &str| name.contains("conv") || name.contains("shortcut.0") || name.starts_with("fc");
    rows(harness).iter().filter(|(name, _)| is_kernel(name)).map(|(_, sigma)| *sigma).fold(0.0, f64::max)
}

/// The labels on screen that contain `part`.
pub fn labels(harness: &Harness<'_, Workbench>, part: &str) -> Vec<String> {
    // Plain text keeps what it says as its value.
    let text = |node: egui_kittest::Node<'_>| node.accesskit_node().label().or(node.accesskit_node().value());
    harness.query_all_by_label_contains(part).filter_map(text).collect()
}

#[test]
fn opens_with_the_sample_and_settles() {
    let home = tempfile::tempdir().expect("a folder");
    let harness = plain(home.path());
    let rows = rows(&harness);
    assert!(rows.len() >= 8, "the sample's layers are on screen: {rows:?}");
    assert!(rows.iter().all(|(_, sigma)| sigma.is_finite() && *sigma > 0.0), "{rows:?}");
    assert!(harness.query_all_by_role(Role::TextInput).next().is_some(), "fields are in the accessibility tree");
}

#[test]
fn clips_undoes_redoes_and_exports() {
    let home = tempfile::tempdir().expect("a folder");
    let out = home.path().join("clipped.safetensors");
    let mut harness = workbench(home.path(), ThemeChoice::Dark, [1400.0, 900.0], vec![Some(out.clone())]);
    let before = largest(&harness);
    assert!(before > 1.02, "the sample has layers above 1: {before}");

    command(&mut harness, "spectrum.tab_clip");
    harness.get_by_label("Clip all layers").click();
    harness.run();
    let after = largest(&harness);
    assert!(after <= 1.011, "clipped to 1 within a percent: {after}");

    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run();
    assert!((largest(&harness) - before).abs() < 1e-3, "undo brings the weights back");
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    harness.run();
    assert!(largest(&harness) <= 1.011, "redo clips again");

    command(&mut harness, "spectrum.export_model");
    let written = Checkpoint::open(&out).expect("the exported file opens");
    assert!(!written.tensors().is_empty(), "it holds tensors");
}

#[test]
fn the_clip_slider_shows_a_preview_on_a_copy() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = plain(home.path());
    let before = rows(&harness);
    command(&mut harness, "spectrum.tab_clip");
    let slider = harness.get_by_label("Clip target c").rect();
    harness.drag_at(slider.left_center() + egui::vec2(slider.width() * 0.3, 0.0));
    harness.run();
    for step in [0.35, 0.4, 0.45] {
        harness.hover_at(slider.left_center() + egui::vec2(slider.width() * step, 0.0));
        harness.run();
    }
    harness.drop_at(slider.left_center() + egui::vec2(slider.width() * 0.45, 0.0));
    harness.run();
    assert!(harness.query_all_by_label_contains("reached").next().is_some(), "methods are compared");
    assert_eq!(rows(&harness), before, "a preview changes nothing");
}

#[test]
fn the_keyboard_alone_selects_sorts_and_clips() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = plain(home.path());
    let before = largest(&harness);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::T);
    harness.run();
    for key in [Key::End, Key::Home, Key::ArrowDown, Key::ArrowDown] {
        harness.key_press(key);
        harness.run();
    }
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    harness.run();
    assert!(largest(&harness) < before, "clipped by keys");
}

#[test]
fn the_palette_finds_and_runs_a_command() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = plain(home.path());
    assert!(largest(&harness) > 1.02, "there is something to clip");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    harness.run();
    harness.event(egui::Event::Text("clip all".to_owned()));
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    assert!(largest(&harness) <= 1.011, "the command ran");
}

#[test]
fn a_bad_file_is_told_and_loses_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = plain(home.path());
    let before = rows(&harness);
    let bad = home.path().join("bad.safetensors");
    std::fs::write(&bad, b"\xff\xff\xff\xff\xff\xff\xff\x7f nothing of the kind").expect("written");
    harness.state_mut().open_path(&bad);
    harness.step();
    harness.run();
    assert!(
        harness.query_all_by_label_contains("The file could not be opened").next().is_some(),
        "the reason is on screen"
    );
    assert_eq!(rows(&harness), before, "what was open stays");
}

#[test]
fn the_theme_switches_by_key() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = plain(home.path());
    assert!(harness.ctx.global_style().visuals.dark_mode);
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    harness.run();
    assert!(!harness.ctx.global_style().visuals.dark_mode, "light after the switch");
}

#[test]
fn every_shipped_preset_opens() {
    let folder = super::architecture::root().join("presets/spectrum");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("presets ship") {
        let path = entry.expect("readable").path();
        let home = tempfile::tempdir().expect("a folder");
        let mut harness = plain(home.path());
        harness.state_mut().open_path(&path);
        harness.step();
        harness.run();
        let errors: Vec<_> =
            harness.query_all_by_label_contains("could not").filter_map(|node| node.accesskit_node().label()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        count += 1;
    }
    assert!(count > 0, "at least one preset");
}

#[test]
fn help_opens_for_the_tab_in_front() {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = plain(home.path());
    harness.key_press(Key::F1);
    harness.run();
    assert!(harness.query_all_by_label_contains("FastClip").next().is_some(), "the method's help is shown");
}
