//! Frames of the whole window, 1280×800: input, layout and shapes; tessellation; painting with readback.
//!
//! Painting uses the wgpu adapter that is there, which on a machine without a graphics card is the software renderer.

#![allow(clippy::expect_used, reason = "a benchmark may stop at what it did not expect")]

#[path = "../all/open.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod open;

use std::time::Instant;

use egui_kittest::Harness;
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;
use plumb_core::Engine;

fn main() {
    describe();
    divan::main();
}

/// A window with so many layers, the pointer over its table.
fn window<'a>(home: &std::path::Path, layers: usize) -> Harness<'a, Workbench> {
    let mut harness = open::many(home, layers);
    harness.hover_at(egui::pos2(200.0, 400.0));
    harness.run();
    harness
}

fn scroll(harness: &mut Harness<'_, Workbench>) {
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, -400.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: egui::Modifiers::NONE,
    });
    harness.step();
}

const ROWS: [usize; 2] = [19, 10_000];

/// One frame while the table scrolls: input, layout, shapes.
#[divan::bench(args = ROWS, sample_count = 60, sample_size = 1)]
fn layout(bencher: divan::Bencher, rows: usize) {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = window(home.path(), rows);
    bencher.bench_local(|| scroll(&mut harness));
}

/// The shapes of one frame into triangles.
#[divan::bench(args = ROWS, sample_count = 60, sample_size = 1)]
fn tessellate(bencher: divan::Bencher, rows: usize) {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = window(home.path(), rows);
    scroll(&mut harness);
    let shapes = harness.output().shapes.clone();
    bencher.with_inputs(|| shapes.clone()).bench_local_values(|shapes| harness.ctx.tessellate(shapes, 1.0));
}

/// Tessellation, painting and reading the picture back.
#[divan::bench(args = ROWS, sample_count = 12, sample_size = 1)]
fn paint(bencher: divan::Bencher, rows: usize) {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = window(home.path(), rows);
    bencher.bench_local(|| harness.render().expect("a renderer"));
}

/// The same with nothing to paint: what the renderer and the readback cost by themselves.
#[divan::bench(sample_count = 12, sample_size = 1)]
fn paint_nothing(bencher: divan::Bencher) {
    let mut harness = Harness::builder().with_size([1280.0, 800.0]).wgpu().build_ui(|_| {});
    bencher.bench_local(|| harness.render().expect("a renderer"));
}

/// From nothing to the shapes of the first frame: settings, fonts, panels, layout; without a native window.
#[divan::bench(sample_count = 12, sample_size = 1)]
fn first_frame(bencher: divan::Bencher) {
    let home = tempfile::tempdir().expect("a folder");
    bencher.bench_local(|| {
        let home = home.path().to_owned();
        let mut harness = Harness::builder().with_size([1280.0, 800.0]).build_eframe(move |cc| {
            let engine = Engine::start(std::sync::Arc::new(|| {})).expect("threads");
            let mut workbench = Workbench::for_tests(engine, &home, ThemeChoice::Dark);
            workbench.prepare(&cc.egui_ctx);
            workbench
        });
        harness.step();
        harness
    });
}

/// What a frame of ten thousand rows consists of, and what each part takes at best.
fn describe() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = window(home.path(), 10_000);
    scroll(&mut harness);
    let shapes = harness.output().shapes.clone();
    let meshes = harness.ctx.tessellate(shapes.clone(), 1.0);
    let (mut vertices, mut indices) = (0, 0);
    for mesh in &meshes {
        if let egui::epaint::Primitive::Mesh(mesh) = &mesh.primitive {
            vertices += mesh.vertices.len();
            indices += mesh.indices.len();
        }
    }
    let best = |round: &mut dyn FnMut()| {
        (0..8)
            .map(|_| {
                let from = Instant::now();
                round();
                from.elapsed().as_secs_f64() * 1e3
            })
            .fold(f64::INFINITY, f64::min)
    };
    let tessellation = best(&mut || drop(harness.ctx.tessellate(shapes.clone(), 1.0)));
    println!(
        "10,000 rows: {} shapes, {} draw calls, {vertices} vertices, {} triangles; tessellation {tessellation:.2} ms",
        shapes.len(),
        meshes.len(),
        indices / 3
    );
}
