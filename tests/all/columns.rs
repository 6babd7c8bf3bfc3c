//! Columns of the layer table: dragged, remembered, and not misled by a bad file.

use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use plumb::shell::workbench::Workbench;

use super::tabs::open;

fn header(harness: &Harness<'_, Workbench>, name: &str) -> egui::Rect {
    harness.get_by_role_and_label(Role::ColumnHeader, name).rect()
}

fn drag_edge(harness: &mut Harness<'_, Workbench>, name: &str, by: f32) {
    let edge = header(harness, name).right_center();
    harness.hover_at(edge);
    harness.run_steps(2);
    harness.drag_at(edge);
    harness.run_steps(2);
    for part in [0.25, 0.5, 1.0] {
        harness.hover_at(edge + egui::vec2(by * part, 0.0));
        harness.run_steps(2);
    }
    harness.drop_at(edge + egui::vec2(by, 0.0));
    harness.run();
}

#[test]
fn a_dragged_edge_is_remembered_and_nonsense_is_not() {
    let home = tempfile::tempdir().unwrap();
    let mut harness = open(home.path());
    let usual = header(&harness, "σ₁").width();
    drag_edge(&mut harness, "σ₁", 40.0);
    let wide = header(&harness, "σ₁").width();
    assert!((wide - usual - 40.0).abs() < 3.0, "{usual} → {wide}");
    harness.state_mut().close();
    drop(harness);

    let mut harness = open(home.path());
    assert!((header(&harness, "σ₁").width() - wide).abs() < 1.0, "the width is back after a restart");
    drag_edge(&mut harness, "σ₁", -500.0);
    let narrow = header(&harness, "σ₁").width();
    assert!((30.0..usual).contains(&narrow), "a column cannot vanish: {narrow}");
    harness.state_mut().close();
    drop(harness);

    let file = home.path().join("config/layout.ron");
    let text = std::fs::read_to_string(&file).unwrap();
    let at = text.find("layer_columns").expect("the widths are in the layout's file");
    let (head, tail) = text.split_at(at);
    let from = tail.find(':').unwrap() + 1;
    let to = tail[from..].find('}').unwrap() + from + 1;
    for nonsense in [
        "{\\\"σ₁\\\":-7.0,\\\"Operator\\\":inf,\\\"no such column\\\":90.0}",
        "{\\\"σ₁\\\":NaN}",
        "{\\\"σ₁\\\":1e30}",
        "\\\"not a table\\\"",
    ] {
        std::fs::write(&file, format!("{head}{}{nonsense}{}", &tail[..from], &tail[to..])).unwrap();
        let harness = open(home.path());
        let width = header(&harness, "σ₁").width();
        assert!((width - usual).abs() < 1.0, "after {nonsense} the usual width: {width}");
        assert!(!super::workbench::rows(&harness).is_empty());
    }
}
