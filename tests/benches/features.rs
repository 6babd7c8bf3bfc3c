//! The feature table with 100,000 features in the whole window: a frame while it scrolls, sorting, filtering.
//!
//! `cargo bench -p plumb-tests --bench features`

#![allow(clippy::expect_used, reason = "a benchmark may stop at what it did not expect")]

#[path = "../all/open.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod open;
#[path = "../all/wide.rs"]
mod wide;

use std::cell::RefCell;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;

const FEATURES: usize = 100_000;
const SIZE: [f32; 2] = [1280.0, 800.0];

fn main() {
    divan::main();
}

/// A window with the table, the pointer over it.
fn window<'a>(home: &std::path::Path) -> Harness<'a, Workbench> {
    let folder = wide::autoencoder(home, FEATURES);
    let mut harness = open::workbench(home, ThemeChoice::Dark, SIZE, Vec::new());
    open::command(&mut harness, "steer.sample");
    open::open(&mut harness, &folder);
    for _ in 0..4 {
        harness.run();
    }
    let shown = harness.query_all_by_label_contains("Features, ").count();
    assert!(shown > 0, "the table is on screen");
    harness.hover_at(egui::pos2(200.0, 400.0));
    harness.run();
    harness
}

fn bench(bencher: divan::Bencher, mut each: impl FnMut(&mut Harness<'_, Workbench>)) {
    let home = tempfile::tempdir().expect("a folder");
    let harness = RefCell::new(window(home.path()));
    bencher.bench_local(|| each(&mut harness.borrow_mut()));
}

/// Input, layout and shapes of one frame while the table scrolls.
#[divan::bench(sample_count = 60, sample_size = 1)]
fn scroll(bencher: divan::Bencher) {
    bench(bencher, |harness| {
        harness.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, -400.0),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: egui::Modifiers::NONE,
        });
        harness.step();
    });
}

/// The frames of a click on a header that brings all rows into another order.
#[divan::bench(sample_count = 20, sample_size = 1, args = ["Density", "Feature"])]
fn sort(bencher: divan::Bencher, column: &str) {
    bench(bencher, |harness| {
        harness.get_all_by_label_contains(column).next().expect("the header").click();
        harness.run();
    });
}

/// The frames of a letter typed into the search field.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn filter(bencher: divan::Bencher) {
    bench(bencher, |harness| {
        open::command(harness, "steer.search");
        harness.event(egui::Event::Text("a".to_owned()));
        harness.run();
        harness.key_press(egui::Key::Escape);
        harness.run();
    });
}
