//! Windows for the tests and the benchmarks: the workbench without a native window, the engine run inline.

use std::path::{Path, PathBuf};

use egui_kittest::{Harness, HarnessBuilder};
use plumb::shell::commands::CommandId;
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::{Waker, Workbench};
use plumb_core::Engine;
use plumb_core::run_folder::RunFolder;
use plumb_spectrum::geometry::{Geometry, OpKind};
use plumb_spectrum::report::{GeometrySource, LayerReport, SpectrumReport};
use plumb_spectrum::spec::Method;

/// A workbench without a window, its folders under `home`.
pub fn workbench<'a>(
    home: &Path,
    theme: ThemeChoice,
    size: [f32; 2],
    answers: Vec<Option<PathBuf>>,
) -> Harness<'a, Workbench> {
    workbench_with(home, theme, size, |workbench| workbench.answering(answers))
}

/// The same, changed by `with` before the first frame.
pub fn workbench_with<'a>(
    home: &Path,
    theme: ThemeChoice,
    size: [f32; 2],
    with: impl FnOnce(Workbench) -> Workbench + 'a,
) -> Harness<'a, Workbench> {
    let builder = builder(theme, size);
    finish(builder, home, theme, with)
}

/// The same for tabs that show other people's texts, which may hold characters that no bundled font has.
pub fn workbench_for_texts<'a>(home: &Path, theme: ThemeChoice, size: [f32; 2]) -> Harness<'a, Workbench> {
    finish(builder(theme, size).allow_missing_glyphs(), home, theme, |workbench| workbench.answering(Vec::new()))
}

fn builder(theme: ThemeChoice, size: [f32; 2]) -> HarnessBuilder<Workbench> {
    let egui_theme = if theme == ThemeChoice::Light { egui::Theme::Light } else { egui::Theme::Dark };
    Harness::builder()
        .with_size(size)
        .with_theme(egui_theme)
        .with_max_steps(40)
        .with_os(egui::os::OperatingSystem::Nix)
        .wgpu()
}

fn finish<'a>(
    builder: HarnessBuilder<Workbench>,
    home: &Path,
    theme: ThemeChoice,
    with: impl FnOnce(Workbench) -> Workbench + 'a,
) -> Harness<'a, Workbench> {
    let home = home.to_path_buf();
    let mut harness = builder.build_eframe(move |cc| {
        let waker = Waker::default();
        waker.connect(&cc.egui_ctx);
        let engine = Engine::inline_waking(waker.closure());
        let mut workbench = with(Workbench::for_tests(engine, &home, theme));
        workbench.prepare(&cc.egui_ctx);
        workbench.command(CommandId(FRONT));
        workbench
    });
    harness.run();
    harness
}

/// Brings the Spectrum tab to the front: what most tests are about, and the others are not opened for nothing.
pub const FRONT: &str = "spectrum.view_layers";

/// A large dark one.
pub fn plain<'a>(home: &Path) -> Harness<'a, Workbench> {
    workbench(home, ThemeChoice::Dark, [1400.0, 900.0], Vec::new())
}

/// Run a command and let the window come to rest.
pub fn command(harness: &mut Harness<'_, Workbench>, id: &'static str) {
    harness.state_mut().command(CommandId(id));
    harness.step();
    harness.run();
}

/// Open a file, a preset or a run folder.
pub fn open(harness: &mut Harness<'_, Workbench>, path: &Path) {
    harness.state_mut().open_path(path);
    harness.step();
    harness.run();
}

/// A made-up row of the layer table.
pub fn layer(name: String, sigma: f64) -> LayerReport {
    LayerReport {
        name,
        op: OpKind::Conv2d,
        weight_shape: vec![64, 32, 3, 3],
        input_shape: vec![32, 16, 16],
        output_shape: vec![64, 16, 16],
        geometry: Geometry { input: [16, 16], padding: [1, 1], ..Geometry::default() },
        geometry_source: GeometrySource::File,
        sigma: vec![sigma, sigma * 0.8, sigma * 0.7, sigma * 0.5],
        count: 8192,
        method: Method::Krylov,
        iterations: 24,
        residual: 3e-6,
        converged: true,
        frobenius: sigma * 30.0,
        reshaped_norm: sigma * 0.62,
        stable_rank: 900.0,
        condition: None,
        seconds: 0.021,
        problem: None,
    }
}

/// A run folder with these rows, as if they had been computed.
pub fn run_of(base: &Path, layers: Vec<LayerReport>) -> PathBuf {
    let writer = RunFolder::create(base, "spectrum", "many").expect("a run folder");
    let info = writer.info();
    let report = SpectrumReport { file: "many.safetensors".to_owned(), layers, skipped: Vec::new() };
    writer.finish(&report, info).expect("it is written").path
}

/// A window that shows `count` layers.
pub fn many<'a>(home: &Path, count: usize) -> Harness<'a, Workbench> {
    let layers = (0..count).map(|i| layer(format!("block{i}.mlp.weight"), 1.0 + i as f64 * 1e-4)).collect();
    let run = run_of(home, layers);
    let mut harness = workbench(home, ThemeChoice::Dark, [1280.0, 800.0], Vec::new());
    open(&mut harness, &run);
    harness
}
