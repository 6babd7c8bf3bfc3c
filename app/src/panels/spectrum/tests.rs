//! The panel drawn without a window from made-up reports.

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::state::{Tab, View};
use super::{SpectrumPanel, layers, sample};
use crate::widgets::table::TableView;

fn panel() -> SpectrumPanel {
    let mut panel = SpectrumPanel::default();
    panel.state.started = true;
    panel.state.take_report(sample::report());
    panel.state.detail.set(sample::detail());
    panel.state.preview.set(sample::preview());
    panel
}

fn harness<'a>(size: [f32; 2], panel: SpectrumPanel) -> Harness<'a, SpectrumPanel> {
    let mut themed = false;
    Harness::builder().with_size(size).build_ui_state(
        move |ui, panel: &mut SpectrumPanel| {
            if !std::mem::replace(&mut themed, true) {
                crate::theme::apply(ui.ctx());
                crate::theme::animations(ui.ctx(), false);
                return;
            }
            let mut actions = Vec::new();
            panel.draw(ui, &mut actions);
        },
        panel,
    )
}

#[test]
fn every_view_and_tab_settles_in_small_and_large_windows() {
    for size in [[900.0, 600.0], [1600.0, 1000.0]] {
        for view in [View::Layers, View::Compare, View::Training] {
            for tab in [Tab::Spectrum, Tab::Methods, Tab::Vectors, Tab::Frequency, Tab::Clip, Tab::Geometry] {
                let mut panel = panel();
                panel.state.settings.view = view;
                panel.state.settings.tab = tab;
                if view == View::Compare {
                    panel.state.second_survey.set(sample::report());
                }
                let mut harness = harness(size, panel);
                harness.run();
                harness.run();
                assert!(harness.query_all_by_label_contains("clash").next().is_none(), "id clash in {view:?} {tab:?}");
            }
        }
    }
}

#[test]
fn a_click_on_a_header_sorts_and_a_click_on_a_row_selects() {
    let mut harness = harness([1600.0, 1000.0], panel());
    harness.run();
    harness.get_by_role_and_label(egui::accesskit::Role::ColumnHeader, "σ₁").click();
    harness.run();
    assert_eq!(harness.state().state.table.sort, Some((1, true)));
    assert_eq!(harness.state().state.table.order().first(), Some(&2), "the largest comes first");
    harness.get_by_label_contains("head.weight, σ₁").click();
    harness.run();
    assert_eq!(harness.state().state.table.selected, Some(4));
    harness.key_press(egui::Key::Home);
    harness.run();
    assert_eq!(harness.state().state.table.selected, Some(2), "the keyboard moves the selection");
}

#[test]
fn ten_thousand_rows_are_drawn_in_time() {
    let rows: Vec<_> =
        (0..10_000).map(|i| sample::layer(&format!("block{i}.conv.weight"), 1.0 + f64::from(i) * 1e-4, 4)).collect();
    let mut view = TableView::default();
    let mut harness = Harness::builder().with_size([1200.0, 900.0]).build_ui(move |ui| {
        crate::theme::animations(ui.ctx(), false);
        view.step(37);
        let rows = layers::LayerRows { layers: &rows, clipped: &|_| false, only_problems: false, weakest: Some(9999) };
        view.show(ui, "Layers", 1, &rows);
    });
    crate::theme::apply(&harness.ctx);
    harness.run_steps(3);
    // The fastest of several rounds: other programs on the machine only ever make it slower.
    let mut best = f64::INFINITY;
    for _ in 0..12 {
        let started = std::time::Instant::now();
        harness.run_steps(20);
        best = best.min(started.elapsed().as_secs_f64() * 1000.0 / 20.0);
        if best < 4.0 {
            break;
        }
    }
    println!("10,000 rows, scrolled: {best:.2} ms a frame for input, layout and shapes");
    assert!(best < 8.0, "{best} ms a frame");
}
