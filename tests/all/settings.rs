//! Settings of an experiment are taken back, done again, and saved as a preset.

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;

use super::workbench::{command, largest, workbench};

fn target(harness: &Harness<'_, Workbench>) -> f64 {
    harness.get_by_label("Clip target c").accesskit_node().numeric_value().unwrap()
}

fn set(harness: &mut Harness<'_, Workbench>, field: &str, value: f64) {
    harness.get_by_label(field).set_value_accesskit(value);
    harness.run();
    // Apart in time, so that these are two steps.
    harness.run_steps(6);
}

#[test]
fn settings_and_clips_share_one_history() {
    let home = tempfile::tempdir().unwrap();
    let saved = home.path().join("mine.ron");
    let mut harness = workbench(home.path(), ThemeChoice::Dark, [1400.0, 900.0], vec![Some(saved.clone())]);
    command(&mut harness, "spectrum.tab_clip");
    let before = (target(&harness), largest(&harness));
    set(&mut harness, "Clip target c", 0.8);
    set(&mut harness, "Clip target c", 0.7);
    assert!((target(&harness) - 0.7).abs() < 0.01);
    harness.get_by_label("Clip all layers").click();
    harness.run();
    assert!(largest(&harness) <= 0.71);

    let undo = |harness: &mut Harness<'_, Workbench>| {
        harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        harness.run();
    };
    let redo = |harness: &mut Harness<'_, Workbench>| {
        harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
        harness.run();
    };
    undo(&mut harness);
    assert!((largest(&harness) - before.1).abs() < 1e-3 && (target(&harness) - 0.7).abs() < 0.01, "first the clip");
    undo(&mut harness);
    assert!((target(&harness) - 0.8).abs() < 0.01, "then the second change");
    undo(&mut harness);
    assert!((target(&harness) - before.0).abs() < 1e-6, "then the first");
    for _ in 0..3 {
        redo(&mut harness);
    }
    assert!(largest(&harness) <= 0.71 && (target(&harness) - 0.7).abs() < 0.01, "all of it again");

    command(&mut harness, "shell.save_preset");
    let text = std::fs::read_to_string(&saved).unwrap();
    assert!(text.contains("spectrum-clip"), "{text}");
    let mut again = workbench(home.path(), ThemeChoice::Dark, [1400.0, 900.0], Vec::new());
    again.state_mut().open_path(&saved);
    again.step();
    again.run();
    assert!((target(&again) - 0.7).abs() < 0.01, "the preset brings the settings back");
}

#[test]
fn the_accuracy_stop_is_an_option_of_the_spectrum() {
    let home = tempfile::tempdir().unwrap();
    let saved = home.path().join("spectrum.ron");
    let mut harness = workbench(home.path(), ThemeChoice::Dark, [1400.0, 900.0], vec![Some(saved.clone())]);
    harness.get_by_label("How spectra are computed").click();
    harness.run();
    harness.get_by_label("Largest residual");
    harness.get_by_label("Stop when: Estimated accuracy").click();
    harness.run();
    set(&mut harness, "Wanted relative accuracy", 0.01);
    harness.query_all_by_label("Compute spectra again").last().unwrap().click();
    harness.run();
    assert!(largest(&harness) > 1.02, "the spectra are there");
    command(&mut harness, "shell.save_preset");
    let text = std::fs::read_to_string(&saved).unwrap();
    assert!(text.contains("accuracy: 0.01"), "{text}");

    let mut again = workbench(home.path(), ThemeChoice::Dark, [1400.0, 900.0], Vec::new());
    again.state_mut().open_path(&saved);
    again.step();
    again.run();
    again.get_by_label("How spectra are computed").click();
    again.run();
    let accuracy = again.get_by_label("Wanted relative accuracy").accesskit_node().numeric_value();
    assert!(accuracy.is_some_and(|value| (value - 0.01).abs() < 1e-9), "the preset brings it back: {accuracy:?}");
    again.get_by_label("Stop when: Residual").click();
    again.run();
    again.get_by_label("Largest residual");
}
