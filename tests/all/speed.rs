//! What makes the window quick, without a clock: only visible rows are laid out, and an idle window asks for nothing.
//! The times are measured by `cargo bench -p plumb-tests`.

use std::time::Duration;

use egui_kittest::Harness;
use plumb::shell::workbench::Workbench;

use super::open::{many, plain};
use super::workbench::{labels, rows};

fn shapes(harness: &mut Harness<'_, Workbench>) -> usize {
    harness.step();
    harness.output().shapes.len()
}

#[test]
fn ten_thousand_layers_cost_a_frame_no_more_than_a_hundred() {
    let home = tempfile::tempdir().unwrap();
    let mut few = many(home.path(), 100);
    let mut lots = many(home.path(), 10_000);
    assert_eq!(labels(&lots, "Layers, 10000 rows").len(), 1, "all of them are in the table");
    let (laid_out, as_few) = (rows(&lots).len(), rows(&few).len());
    assert!(laid_out == as_few && (10..60).contains(&laid_out), "{laid_out} rows are laid out, {as_few} of a hundred");
    let (drawn, by_few) = (shapes(&mut lots), shapes(&mut few));
    assert!(drawn.abs_diff(by_few) * 20 < by_few, "{drawn} shapes, {by_few} for a hundred rows");
}

#[test]
fn ten_thousand_features_cost_a_frame_no_more_than_a_thousand() {
    let home = tempfile::tempdir().unwrap();
    let mut drawn = Vec::new();
    for count in [1_000, 10_000] {
        let mut harness = super::steer::tiny(home.path());
        super::open::open(&mut harness, &super::wide::autoencoder(home.path(), count));
        super::steer::settle(&mut harness);
        // Every seventh feature is dead and hidden.
        let shown = labels(&harness, "Features, ");
        assert_eq!(shown, [format!("Features, {} rows", count - count.div_ceil(7))]);
        drawn.push(shapes(&mut harness));
    }
    assert!(drawn[0].abs_diff(drawn[1]) * 10 < drawn[0], "{drawn:?} shapes");
}

#[test]
fn an_idle_window_asks_for_no_repaint() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = plain(home.path());
    for command in ["spectrum.tab_clip", "spectrum.tab_vectors", "shell.settings", "shell.runs", "shell.help"] {
        super::open::command(&mut harness, command);
        harness.step();
        let asked = harness.output().viewport_output.values().map(|window| window.repaint_delay).min();
        assert_eq!(asked, Some(Duration::MAX), "after {command}");
    }
}
