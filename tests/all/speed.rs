//! A checkpoint of ten thousand layers in the whole window: how long a frame takes while its table scrolls.

use std::collections::BTreeMap;
use std::time::Instant;

use egui_kittest::kittest::Queryable as _;
use plumb::shell::settings::ThemeChoice;
use plumb_nn::checkpoint::{TensorData, write_safetensors};

use super::workbench::workbench;

#[test]
#[ignore = "a minute on two cores: run it by name"]
fn ten_thousand_layers_scroll_in_time() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("many.safetensors");
    let tensors: Vec<_> = (0..10_000)
        .map(|i| {
            let values = vec![1.0 + f64::from(i) * 1e-4, 0.25, -0.5, 0.75];
            (format!("block{i}.mlp.weight"), vec![2, 2], TensorData::F64(values))
        })
        .collect();
    write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
    let mut harness = workbench(home.path(), ThemeChoice::Dark, [1280.0, 800.0], Vec::new());
    harness.state_mut().open_path(&path);
    harness.step();
    harness.run();
    let table = harness.get_by_label("Layers, 10000 rows").rect();
    harness.hover_at(table.center());
    harness.run();
    let mut scroll = |rounds: usize, painted: bool| {
        let mut best = f64::INFINITY;
        for _ in 0..rounds {
            harness.event(egui::Event::MouseWheel {
                unit: egui::MouseWheelUnit::Point,
                delta: egui::vec2(0.0, -400.0),
                phase: egui::TouchPhase::Move,
                source: egui::MouseWheelSource::Wheel,
                modifiers: egui::Modifiers::NONE,
            });
            let started = Instant::now();
            harness.step();
            if painted {
                harness.render().expect("a renderer");
            }
            best = best.min(started.elapsed().as_secs_f64() * 1000.0);
        }
        best
    };
    let layout = scroll(60, false);
    let painted = scroll(8, true);
    println!("10,000 layers: {layout:.2} ms a frame of the whole window, {painted:.1} ms with painting in software");
    // The fastest frame: other programs on the machine only ever make it slower.
    assert!(layout < 8.0, "{layout} ms a frame");
}
