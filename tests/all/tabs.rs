//! Tabs split, join and come back; no two widgets share an id.

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use plumb::shell::commands::CommandId;
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;
use plumb_core::Engine;

use super::open::FRONT;
use super::workbench::{command, plain, workbench};

/// The tabs on screen: name and place, below the bar that has buttons of the same names.
fn tabs(harness: &Harness<'_, Workbench>) -> Vec<(String, egui::Rect)> {
    ["Spectrum", "Runs", "Settings"]
        .into_iter()
        .flat_map(|name| harness.query_all_by_label(name).map(move |node| (name, node)))
        // Plain text of the same words has a value, not a label.
        .filter(|(name, node)| node.accesskit_node().label().as_deref() == Some(name) && node.rect().top() > 28.0)
        .map(|(name, node)| (name.to_owned(), node.rect()))
        .collect()
}

fn tab(harness: &Harness<'_, Workbench>, name: &str) -> egui::Rect {
    tabs(harness).into_iter().find(|(tab, _)| tab == name).unwrap_or_else(|| panic!("no tab {name}")).1
}

/// A window that keeps its layout under `home`.
pub fn open(home: &std::path::Path) -> Harness<'static, Workbench> {
    let home = home.to_owned();
    let mut harness = Harness::builder()
        .with_size([1400.0, 900.0])
        .with_max_steps(40)
        .with_os(egui::os::OperatingSystem::Nix)
        .build_eframe(move |cc| {
            let mut workbench = Workbench::persisting(Engine::inline(), &home);
            workbench.prepare(&cc.egui_ctx);
            workbench.command(CommandId(FRONT));
            workbench
        });
    harness.run();
    harness
}

#[test]
fn tabs_split_by_commands_and_come_back() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = open(home.path());
    assert!((tab(&harness, "Runs").top() - tab(&harness, "Spectrum").top()).abs() < 1.0, "one row at first");
    command(&mut harness, "shell.runs");
    command(&mut harness, "shell.split_right");
    assert!(tab(&harness, "Runs").left() > 600.0, "Runs stands at the right: {:?}", tab(&harness, "Runs"));
    command(&mut harness, FRONT);
    assert!(!super::workbench::rows(&harness).is_empty(), "both are on screen");
    command(&mut harness, "shell.runs");
    command(&mut harness, "shell.settings");
    command(&mut harness, "shell.split_down");
    let (runs, settings) = (tab(&harness, "Runs"), tab(&harness, "Settings"));
    assert!(settings.top() > runs.top() + 200.0 && settings.left() > 600.0, "{runs:?} {settings:?}");
    harness.state_mut().close();
    drop(harness);

    let mut harness = open(home.path());
    assert_eq!((tab(&harness, "Runs"), tab(&harness, "Settings")), (runs, settings), "where they were left");
    command(&mut harness, "shell.next_row");
    command(&mut harness, "shell.join");
    assert!((tab(&harness, "Runs").top() - tab(&harness, "Settings").top()).abs() < 1.0, "one row again");
    command(&mut harness, "shell.settings");
    command(&mut harness, "shell.close_tab");
    let left: Vec<_> = tabs(&harness).into_iter().map(|(name, _)| name).collect();
    assert!(!left.contains(&"Settings".to_owned()), "{left:?}");
}

/// Every text that is painted.
fn painted(shape: &egui::Shape, texts: &mut Vec<String>) {
    match shape {
        egui::Shape::Text(text) => texts.push(text.galley.text().to_owned()),
        egui::Shape::Vec(shapes) => shapes.iter().for_each(|shape| painted(shape, texts)),
        _ => {}
    }
}

/// What egui paints over widgets that share an id, with its check switched on.
fn clashes(harness: &mut Harness<'_, Workbench>) -> Vec<String> {
    harness.ctx.options_mut(|options| options.warn_on_id_clash = true);
    harness.step();
    harness.step();
    let mut texts = Vec::new();
    for clipped in &harness.output().shapes {
        painted(&clipped.shape, &mut texts);
    }
    texts.retain(|text| text.contains("use of ") && text.contains(" ID "));
    harness.ctx.options_mut(|options| options.warn_on_id_clash = false);
    texts
}

#[test]
fn no_two_widgets_share_an_id() {
    let home = tempfile::tempdir().unwrap();
    let places: &[&[&'static str]] = &[
        &["spectrum.tab_spectrum"],
        &["spectrum.tab_methods"],
        &["spectrum.tab_vectors"],
        &["spectrum.tab_frequency"],
        &["spectrum.tab_clip", "spectrum.clip_all"],
        &["spectrum.tab_geometry"],
        &["spectrum.view_compare"],
        &["spectrum.view_training"],
        &["spectrum.view_layers", "spectrum.save_run", "shell.runs"],
        &["shell.split_right", "shell.settings", "shell.split_down"],
        &["shell.jobs"],
        &["shell.notifications"],
        &["shell.presets"],
        &["shell.keys"],
        &["shell.about"],
        &["shell.open"],
        &["shell.help"],
        &["shell.palette"],
    ];
    for size in [[900.0, 600.0], [1600.0, 1000.0]] {
        let mut harness = workbench(home.path(), ThemeChoice::Dark, size, Vec::new());
        for place in places {
            for id in *place {
                command(&mut harness, id);
            }
            let found = clashes(&mut harness);
            assert!(found.is_empty(), "after {place:?} at {size:?}: {found:?}");
        }
    }
}

#[test]
fn a_clash_would_be_found() {
    // The check above must not be blind: the same id at two places is reported.
    let mut harness = Harness::builder().allow_missing_glyphs().build_ui(|ui| {
        ui.options_mut(|options| options.warn_on_id_clash = true);
        for x in [10.0, 100.0] {
            let rect = egui::Rect::from_min_size(egui::pos2(x, 10.0), egui::vec2(40.0, 20.0));
            ui.interact(rect, egui::Id::unique("twice"), egui::Sense::click());
        }
    });
    harness.step();
    let mut texts = Vec::new();
    for clipped in &harness.output().shapes {
        painted(&clipped.shape, &mut texts);
    }
    assert!(texts.iter().any(|text| text.contains("use of ") && text.contains(" ID ")), "{texts:?}");
}

#[test]
fn a_tab_is_dragged_to_the_side_and_back() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = open(home.path());
    let drag = |harness: &mut Harness<'_, Workbench>, from: egui::Pos2, to: egui::Pos2| {
        harness.drag_at(from);
        harness.run_steps(2);
        for part in [0.1, 0.4, 0.7, 1.0] {
            harness.hover_at(from + (to - from) * part);
            harness.run_steps(2);
        }
        harness.drop_at(to);
        harness.run_steps(4);
        harness.run();
    };
    let name = tab(&harness, "Runs").left_center() + egui::vec2(20.0, 0.0);
    drag(&mut harness, name, egui::pos2(1340.0, 480.0));
    let runs = tab(&harness, "Runs");
    assert!(runs.left() > 600.0, "dropped at the right edge it has a side of its own: {runs:?}");
    assert!(!super::workbench::rows(&harness).is_empty(), "the other side is on screen too");
    let beside = tab(&harness, "Spectrum").right_center() + egui::vec2(60.0, 0.0);
    drag(&mut harness, runs.left_center() + egui::vec2(20.0, 0.0), beside);
    let (runs, spectrum) = (tab(&harness, "Runs"), tab(&harness, "Spectrum"));
    assert!((runs.top() - spectrum.top()).abs() < 1.0 && runs.left() < 600.0, "one row again: {runs:?}");
}

#[test]
fn an_unsplit_window_cannot_join() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    command(&mut harness, "shell.join");
    command(&mut harness, "shell.next_row");
    assert!(tabs(&harness).len() >= 2, "the tabs are still there");
}
