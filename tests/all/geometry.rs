//! The geometry editor: what does not fit is told, what fits is computed, saved beside the file and taken back.

use std::collections::BTreeMap;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;
use plumb_nn::checkpoint::{TensorData, write_safetensors};

use super::workbench::{command, rows, workbench};

/// The generic kernel of the exact vectors: w_i = ((37 i + 11) mod 101) / 101 − 0.5.
fn kernel() -> Vec<f64> {
    (0..108).map(|i| f64::from((37 * i + 11) % 101) / 101.0 - 0.5).collect()
}

fn set(harness: &mut Harness<'_, Workbench>, field: &str, value: f64) {
    harness.get_by_label(field).set_value_accesskit(value);
    harness.run();
}

#[test]
fn a_geometry_is_checked_applied_saved_and_taken_back() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a convolution.safetensors");
    let tensors = [("conv.weight".to_owned(), vec![4, 3, 3, 3], TensorData::F64(kernel()))];
    write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
    let mut harness = workbench(home.path(), ThemeChoice::Dark, [1400.0, 900.0], Vec::new());
    harness.state_mut().open_path(&path);
    harness.step();
    harness.run();
    command(&mut harness, "spectrum.tab_geometry");
    let guessed = rows(&harness);
    assert_eq!(guessed.len(), 1, "{guessed:?}");

    set(&mut harness, "Input, height", 1.0);
    set(&mut harness, "Padding, height", 0.0);
    harness.get_by_label_contains("kernel reaches over 3 pixels");
    assert!(harness.get_by_label("Apply and compute again").accesskit_node().is_disabled(), "what cannot be applied");
    assert_eq!(rows(&harness), guessed, "nothing was computed");

    for field in ["Input, height", "Input, width"] {
        set(&mut harness, field, 6.0);
    }
    for (field, value) in [("Padding, height", 1.0), ("Padding, width", 1.0), ("Stride, height", 2.0)] {
        set(&mut harness, field, value);
    }
    set(&mut harness, "Stride, width", 2.0);
    harness.get_by_label("Apply and compute again").click();
    harness.run();
    // T2 of the exact vectors, stride 2.
    assert!((rows(&harness)[0].1 - 2.610).abs() < 1e-3, "{:?}", rows(&harness));
    let table = home.path().join("a convolution.safetensors.geometry.ron");
    let saved = std::fs::read_dir(home.path()).unwrap().flatten().map(|e| e.path()).collect::<Vec<_>>();
    let table = if table.exists() {
        table
    } else {
        saved.iter().find(|p| p.display().to_string().contains(".geometry.")).unwrap().clone()
    };
    assert!(std::fs::read_to_string(&table).unwrap().contains("conv.weight"), "saved beside the file");

    command(&mut harness, "shell.undo");
    assert_eq!(rows(&harness), guessed, "undo brings the geometry back");
    command(&mut harness, "shell.redo");
    assert!((rows(&harness)[0].1 - 2.610).abs() < 1e-3, "redo applies it again");

    // The saved table is used when the file is opened again.
    let mut again = workbench(home.path(), ThemeChoice::Dark, [1400.0, 900.0], Vec::new());
    again.state_mut().open_path(&path);
    again.step();
    again.run();
    assert_eq!(rows(&again), rows(&harness));
}
