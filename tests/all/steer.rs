//! The Steer tab inside the window: it comes first, opens the tiny world when it is looked at, and steers by keyboard.

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;
use plumb::widgets::format;

use super::open::{command, workbench};
use super::pictures::{LARGE, SMALL, picture};
use super::workbench::labels;

pub fn settle(harness: &mut Harness<'_, Workbench>) {
    for _ in 0..6 {
        harness.run();
    }
}

fn alt(harness: &mut Harness<'_, Workbench>, key: Key) {
    harness.key_press_modifiers(Modifiers::ALT, key);
    settle(harness);
}

pub fn tiny<'a>(home: &std::path::Path) -> Harness<'a, Workbench> {
    let mut harness = workbench(home, ThemeChoice::Dark, [1400.0, 900.0], Vec::new());
    command(&mut harness, "steer.sample");
    settle(&mut harness);
    harness
}

#[test]
fn keys_alone_find_choose_and_steer() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = tiny(home.path());
    assert!(!labels(&harness, "Feature ").is_empty(), "the features are on screen: {:?}", labels(&harness, ""));
    command(&mut harness, "steer.find");
    settle(&mut harness);
    command(&mut harness, "steer.rack_best");
    alt(&mut harness, Key::Num2);
    alt(&mut harness, Key::R);
    alt(&mut harness, Key::Enter);
    let steered = labels(&harness, "Steered: ");
    assert_eq!(steered.len(), 1, "{:?}", labels(&harness, ""));
    assert!(labels(&harness, "Strength of feature").len() >= 3);
    assert!(!labels(&harness, "KL per token").is_empty());
}

#[test]
fn a_run_is_written_and_reopens() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = tiny(home.path());
    alt(&mut harness, Key::A);
    alt(&mut harness, Key::R);
    alt(&mut harness, Key::Enter);
    let before = labels(&harness, "Steered: ");
    assert_eq!(before.len(), 1);
    command(&mut harness, "steer.save_run");
    settle(&mut harness);
    let runs = home.path().join("runs");
    let run = std::fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().path());
    let run = run.into_iter().find(|path| path.join("report.json").exists()).expect("a run folder");
    command(&mut harness, "steer.clear_rack");
    harness.state_mut().open_path(&run);
    settle(&mut harness);
    assert_eq!(labels(&harness, "Steered: "), before, "the texts of the run are back");
    assert!(!labels(&harness, "Strength of feature").is_empty(), "and its rack");
}

/// The tiny world steered away from what Find has found.
fn steered(name: &str, theme: ThemeChoice, size: [f32; 2]) {
    format::hide_what_varies();
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = workbench(home.path(), theme, size, Vec::new());
    command(&mut harness, "steer.sample");
    for id in ["steer.find", "steer.rack_best", "steer.tab_steer"] {
        command(&mut harness, id);
        harness.run();
    }
    // Steering turns this seed's rude text into a polite one; not every seed's.
    harness.get_by_role_and_label(Role::SpinButton, "seed").set_value_accesskit(2.0);
    harness.run();
    command(&mut harness, "steer.steer");
    harness.run();
    harness.snapshot(name);
}

#[test]
fn steer_dark() {
    steered("steer-dark", ThemeChoice::Dark, LARGE);
}

#[test]
fn steer_light() {
    steered("steer-light", ThemeChoice::Light, LARGE);
}

#[test]
fn steer_small() {
    steered("steer-small", ThemeChoice::Dark, SMALL);
}

#[test]
fn feature_dark() {
    picture("feature-dark", ThemeChoice::Dark, LARGE, &["steer.sample", "steer.tab_feature"]);
}
