//! Frames of the whole window, 1280×800: input, layout and shapes; tessellation; painting with readback.
//!
//! Painting uses the wgpu adapter that is there, which on a machine without a graphics card is the software renderer.

#![allow(clippy::expect_used, reason = "a benchmark may stop at what it did not expect")]

#[path = "../all/open.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod open;

use std::cell::{Cell, RefCell};
use std::time::Instant;

use egui_kittest::Harness;
use egui_kittest::wgpu::{create_render_state, default_wgpu_setup};
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

/// One frame, a few rows down or, every other time, up.
fn scroll(harness: &mut Harness<'_, Workbench>) {
    thread_local! { static DOWN: Cell<bool> = const { Cell::new(false) } }
    let down = !DOWN.get();
    DOWN.set(down);
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, if down { -400.0 } else { 200.0 }),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: egui::Modifiers::NONE,
    });
    harness.step();
}

const SIZE: [f32; 2] = [1280.0, 800.0];
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

/// Painting one frame after another while the table scrolls, each as a whole picture: tessellation, drawing, waiting for
/// the device, reading back. The frame before it (input, layout) is not counted.
#[divan::bench(args = ROWS, sample_count = 24, sample_size = 1)]
fn paint(bencher: divan::Bencher, rows: usize) {
    let home = tempfile::tempdir().expect("a folder");
    let harness = RefCell::new(window(home.path(), rows));
    // The harness keeps the picture of a frame and gives it again, so every picture needs a frame of its own.
    bencher.with_inputs(|| scroll(&mut harness.borrow_mut())).bench_local_values(|()| paint_once(&harness));
}

/// The whole of it: input, layout, shapes, tessellation, drawing, waiting, reading back.
#[divan::bench(args = ROWS, sample_count = 24, sample_size = 1)]
fn whole_frame(bencher: divan::Bencher, rows: usize) {
    let home = tempfile::tempdir().expect("a folder");
    let harness = RefCell::new(window(home.path(), rows));
    bencher.bench_local(|| {
        scroll(&mut harness.borrow_mut());
        paint_once(&harness)
    });
}

/// An empty window: what the renderer and the readback cost by themselves.
#[divan::bench(sample_count = 24, sample_size = 1)]
fn paint_nothing(bencher: divan::Bencher) {
    let harness = RefCell::new(Harness::builder().with_size(SIZE).wgpu().build_ui(|_| {}));
    bencher.with_inputs(|| harness.borrow_mut().step()).bench_local_values(|()| paint_once(&harness));
}

fn paint_once<S>(harness: &RefCell<Harness<'_, S>>) -> usize {
    harness.borrow_mut().render().expect("a renderer").as_raw().len()
}

/// From nothing to the shapes of the first frame: settings, fonts, panels, layout; without a native window.
#[divan::bench(sample_count = 12, sample_size = 1)]
fn first_frame(bencher: divan::Bencher) {
    let home = tempfile::tempdir().expect("a folder");
    bencher.bench_local(|| {
        let home = home.path().to_owned();
        let mut harness = Harness::builder().with_size(SIZE).build_eframe(move |cc| {
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
#[allow(clippy::default_trait_access, reason = "the type belongs to a crate that is not used by name here")]
fn describe() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let state = create_render_state(default_wgpu_setup(), Default::default());
    let adapter = state.adapter.get_info();
    println!("painted by {} ({:?}, {:?})", adapter.name, adapter.backend, adapter.device_type);
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
