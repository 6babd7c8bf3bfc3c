//! The window by keyboard alone: every stop of the Tab key is named and on screen, nothing traps the keyboard, and a
//! whole session needs no pointer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use plumb::shell::dialogs::FileDialogs;
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;
use plumb_nn::checkpoint::Checkpoint;

use super::workbench::{command, largest, plain, rows, workbench, workbench_with};

/// Name and place of what has the keyboard.
#[allow(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough in its lifetimes"
)]
fn focus(harness: &Harness<'_, Workbench>) -> Option<(String, egui::Rect)> {
    let all = harness.query_all(egui_kittest::kittest::By::new().predicate(|node| node.is_focused()));
    let named = all.map(|node| {
        let inner = node.accesskit_node();
        (inner.label().or_else(|| inner.value()).unwrap_or_default(), node.rect())
    });
    // The window itself has it while no control does.
    named.filter(|(_, rect)| rect.size() != harness.ctx.content_rect().size()).last()
}

fn name(harness: &Harness<'_, Workbench>) -> String {
    focus(harness).map(|(name, _)| name).unwrap_or_default()
}

fn press(harness: &mut Harness<'_, Workbench>, key: Key) {
    harness.key_press(key);
    harness.run();
}

fn ctrl(harness: &mut Harness<'_, Workbench>, key: Key) {
    harness.key_press_modifiers(Modifiers::COMMAND, key);
    harness.run();
}

/// Press Tab until something of this name has the keyboard.
fn tab_to(harness: &mut Harness<'_, Workbench>, wanted: &str) {
    let mut passed = Vec::new();
    for _ in 0..120 {
        press(harness, Key::Tab);
        let here = name(harness);
        if here.contains(wanted) {
            return;
        }
        passed.push(here);
    }
    panic!("Tab never comes to “{wanted}”, only to {passed:?}");
}

/// All stops of the Tab key, once round.
fn round(harness: &mut Harness<'_, Workbench>) -> Vec<(String, egui::Rect)> {
    let mut stops: Vec<(String, egui::Rect)> = Vec::new();
    for _ in 0..200 {
        press(harness, Key::Tab);
        let Some(stop) = focus(harness) else { panic!("Tab led nowhere after {:?}", stops.last()) };
        if stops.first() == Some(&stop) {
            return stops;
        }
        stops.push(stop);
    }
    let last = &stops[stops.len() - 6..];
    panic!("the keyboard does not come round: {last:?}");
}

#[test]
fn every_stop_is_named_and_on_screen_and_the_round_closes() {
    let home = tempfile::tempdir().unwrap();
    let places: &[(&str, &[&str])] = &[
        ("spectrum.tab_spectrum", &["Model file", "Layers, 19 rows", "Show: Clip", "Export Histogram"]),
        ("spectrum.tab_methods", &["Show: Methods"]),
        ("spectrum.tab_vectors", &["Singular triplet: 2"]),
        ("spectrum.tab_frequency", &["Show: Frequency"]),
        ("spectrum.tab_clip", &["Clip target c", "Clip method", "Mode: Equalise", "Clip all layers", "Export weights"]),
        ("spectrum.tab_geometry", &["Show: Geometry"]),
        ("spectrum.view_compare", &["Path of the second file"]),
        ("spectrum.view_training", &["View: Training"]),
        ("shell.settings", &["Theme: Light", "Scale", "Seed", "Folder for runs"]),
        ("shell.runs", &[]),
        ("shell.help", &["Close help"]),
    ];
    for size in [[900.0, 600.0], [1400.0, 900.0]] {
        let mut harness = workbench(home.path(), ThemeChoice::Dark, size, Vec::new());
        let window = egui::Rect::from_min_size(egui::Pos2::ZERO, size.into()).expand(1.0);
        for (place, wanted) in places {
            command(&mut harness, place);
            let stops = round(&mut harness);
            for (name, rect) in &stops {
                assert!(!name.trim().is_empty(), "{place} at {size:?}: a stop without a name at {rect:?}");
                let seen = rect.intersect(window);
                let mark = seen.width() >= 4.0 && seen.height() >= 4.0;
                assert!(mark, "{place} at {size:?}: {name} has the keyboard out of sight, at {rect:?}");
            }
            for name in *wanted {
                assert!(stops.iter().any(|(stop, _)| stop.contains(name)), "{place}: no stop at {name}: {stops:?}");
            }
            press(&mut harness, Key::Escape);
        }
    }
}

#[test]
fn a_whole_session_needs_no_pointer() {
    let home = tempfile::tempdir().unwrap();
    // A desktop without a file dialog: the window asks for the path itself.
    let dialogs = FileDialogs::with_native(Arc::new(|| {}), Arc::new(|_, _| None));
    let mut harness =
        workbench_with(home.path(), ThemeChoice::Dark, [1400.0, 900.0], |workbench| workbench.with_dialogs(dialogs));

    // A menu: to it, into it, along it, and the sample is open.
    press(&mut harness, Key::F10);
    assert_eq!(name(&harness), "File");
    press(&mut harness, Key::Enter);
    for _ in 0..20 {
        press(&mut harness, Key::ArrowDown);
        if name(&harness).contains("Open sample model") {
            break;
        }
    }
    assert!(name(&harness).contains("Open sample model"), "{}", name(&harness));
    press(&mut harness, Key::Enter);
    let before = largest(&harness);
    assert!(before > 1.02, "the sample is open: {before}");

    // The table: select, and sort by a header.
    ctrl(&mut harness, Key::T);
    assert!(name(&harness).contains("Layers, 19 rows"));
    press(&mut harness, Key::ArrowDown);
    press(&mut harness, Key::ArrowDown);
    assert!(name(&harness).contains("Layers, 19 rows"), "arrows stay in the table");
    tab_to(&mut harness, "σ₁");
    press(&mut harness, Key::Space);
    let sorted: Vec<f64> = rows(&harness).iter().map(|(_, sigma)| *sigma).collect();
    assert!(sorted.is_sorted_by(|a, b| a >= b), "largest first: {sorted:?}");
    assert!(name(&harness).contains("largest first"), "the header keeps the keyboard");

    // The selected layer: its tabs, the slider, applying, undoing.
    ctrl(&mut harness, Key::G);
    assert_eq!(name(&harness), "Show: Spectrum");
    tab_to(&mut harness, "Show: Clip");
    press(&mut harness, Key::Enter);
    tab_to(&mut harness, "Clip target c");
    let target = |harness: &Harness<'_, Workbench>| {
        harness.get_by_label("Clip target c").accesskit_node().numeric_value().unwrap()
    };
    let first = target(&harness);
    for _ in 0..4 {
        press(&mut harness, Key::ArrowLeft);
    }
    let lower = target(&harness);
    assert!(lower < first && name(&harness) == "Clip target c", "{first} → {lower}");
    tab_to(&mut harness, "Clip all layers");
    press(&mut harness, Key::Space);
    assert!(largest(&harness) <= lower * 1.011, "clipped to {lower}: {}", largest(&harness));
    assert_eq!(name(&harness), "Clip all layers", "the button was off while it worked and kept the keyboard");
    press(&mut harness, Key::Tab);
    assert_eq!(name(&harness), "Undo", "Tab goes on from it");
    for _ in 0..8 {
        press(&mut harness, Key::Space);
    }
    assert!((largest(&harness) - before).abs() < 1e-3 && (target(&harness) - first).abs() < 1e-9);
    assert_eq!(name(&harness), "Undo", "there is nothing to undo any more, and the button keeps the keyboard");
    press(&mut harness, Key::Tab);
    assert_eq!(name(&harness), "Redo");
    press(&mut harness, Key::Space);

    // Export by a path.
    tab_to(&mut harness, "Export weights");
    press(&mut harness, Key::Enter);
    let end = Instant::now() + Duration::from_secs(10);
    while harness.state().dialog_is_open() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
        harness.step();
    }
    harness.run();
    assert_eq!(name(&harness), "Path", "the window asks for the path itself");
    let out = home.path().join("by-keys.safetensors");
    ctrl(&mut harness, Key::A);
    harness.event(egui::Event::Text(out.display().to_string()));
    press(&mut harness, Key::Enter);
    assert!(!Checkpoint::open(&out).expect("it was written").tensors().is_empty());
    harness.run_steps(4);
    assert!(name(&harness).contains("Export weights"), "and the keyboard is where it was: {}", name(&harness));

    // Palette, cards: in, out, and back.
    for open in [Key::K, Key::O] {
        ctrl(&mut harness, open);
        assert!(["Search commands", "Path"].contains(&name(&harness).as_str()), "{}", name(&harness));
        press(&mut harness, Key::Escape);
        harness.run_steps(4);
        assert!(name(&harness).contains("Export weights"), "after Escape: {}", name(&harness));
    }
    for card in ["shell.jobs", "shell.notifications", "shell.presets", "shell.keys", "shell.about"] {
        command(&mut harness, card);
        assert!(
            name(&harness).starts_with("Close ") || name(&harness).contains("digits"),
            "{card}: {}",
            name(&harness)
        );
        press(&mut harness, Key::Escape);
        harness.run_steps(4);
        assert!(name(&harness).contains("Export weights"), "after {card}: {}", name(&harness));
    }

    // Settings, help, closing a tab.
    ctrl(&mut harness, Key::Comma);
    tab_to(&mut harness, "Theme: Light");
    press(&mut harness, Key::Space);
    assert!(!harness.ctx.global_style().visuals.dark_mode, "a setting was changed");
    press(&mut harness, Key::F1);
    tab_to(&mut harness, "Close help");
    press(&mut harness, Key::Enter);
    ctrl(&mut harness, Key::W);
    assert!(harness.query_by_label("Theme: Light").is_none(), "the tab is closed");
    for _ in 0..3 {
        press(&mut harness, Key::Escape);
    }
    // The first tab is in front now, Steer; the next one is Spectrum.
    assert!(rows(&harness).is_empty(), "Spectrum is behind");
    ctrl(&mut harness, Key::PageDown);
    tab_to(&mut harness, "Layers, 19 rows");
}

#[test]
fn help_scrolls_by_keys() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    press(&mut harness, Key::F1);
    tab_to(&mut harness, "Help text");
    let top = |harness: &Harness<'_, Workbench>| harness.get_by_label_contains("How much can a layer").rect().top();
    let before = top(&harness);
    press(&mut harness, Key::PageDown);
    assert!(name(&harness) == "Help text", "{}", name(&harness));
    assert!(top(&harness) < before - 100.0, "{before} → {}", top(&harness));
    press(&mut harness, Key::Home);
    assert!((top(&harness) - before).abs() < 1.0);
}
