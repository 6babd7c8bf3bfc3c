//! The view of one checkpoint: figures, table, and the selected layer beside or below it.

use egui::{Panel, Ui};

use super::action::Action;
use super::layers::LayerRows;
use super::state::State;
use super::{detail, head, summary};
use crate::widgets::{status, tile};

/// From this width on the selected layer stands beside the table.
const WIDE: f32 = 820.0;

/// Draw the view.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    if state.report.layers.is_empty() {
        nothing_yet(ui, state, actions);
        return;
    }
    let expected = state.subject.as_ref().map(|subject| subject.layers.len()).filter(|_| state.survey.is_pending());
    let accuracy = state.accuracy_before.value().map(|before| {
        let after = state.accuracy_after.value().filter(|_| !state.edits.is_empty());
        (before, after)
    });
    let tiles = summary::tiles(&state.report.layers, expected, state.report.skipped.len(), accuracy);
    if ui.available_height() > 520.0 {
        tile::row(ui, &tiles, 150.0);
    } else {
        tile::line(ui, &tiles);
    }
    ui.add_space(2.0);
    let none = egui::Frame::new();
    if ui.available_width() >= WIDE {
        // The tabs and the comparison beside the table need this much.
        let width = ui.available_width();
        let most = width - 500.0;
        Panel::left("spectrum layers")
            .resizable(true)
            .frame(none.inner_margin(egui::Margin { right: 10, ..egui::Margin::ZERO }))
            .default_size((width * 0.48).min(most))
            .size_range(260.0_f32.min(most)..=most)
            .show(ui, |ui| table(ui, state, actions));
        egui::CentralPanel::default()
            .frame(none.inner_margin(egui::Margin { left: 10, ..egui::Margin::ZERO }))
            .show(ui, |ui| detail::ui(ui, state, actions));
    } else {
        let height = ui.available_height();
        Panel::top("spectrum layers above")
            .resizable(true)
            .frame(none.inner_margin(egui::Margin { bottom: 6, ..egui::Margin::ZERO }))
            .default_size(height * 0.38)
            .size_range(120.0..=(height - 180.0).max(140.0))
            .show(ui, |ui| table(ui, state, actions));
        egui::CentralPanel::default()
            .frame(none.inner_margin(egui::Margin { top: 6, ..egui::Margin::ZERO }))
            .show(ui, |ui| detail::ui(ui, state, actions));
    }
}

fn nothing_yet(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if state.opening.is_pending() || state.survey.is_pending() {
        return;
    }
    let (title, text) = match &state.subject {
        Some(_) if state.report.skipped.is_empty() => ("No weights", "This file holds no tensors."),
        Some(_) => (
            "No linear layers",
            "This file holds no weight that stands for a linear map. The reasons are listed under Skipped.",
        ),
        None => ("No model is open", "Drop a checkpoint here, type its path above, or begin with the sample model."),
    };
    if status::empty(ui, title, text, Some("Open the sample model")) {
        actions.push(Action::Open(super::act::SAMPLE.to_owned()));
    }
    head::skipped(ui, state, true);
}

fn table(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        state.table.filter_ui(ui, "Filter layers", (ui.available_width() - 250.0).clamp(100.0, 260.0));
        let only = ui.checkbox(&mut state.settings.only_problems, "Only what needs a look");
        if only.on_hover_text("Problems, guessed geometry, and layers that did not converge").changed() {
            state.touch();
        }
    });
    let below = if state.report.skipped.is_empty() { 0.0 } else { 30.0 };
    let mut layers = std::mem::take(&mut state.report.layers);
    let edits = &state.edits;
    let rows = LayerRows {
        layers: &layers,
        clipped: &|name| edits.contains_key(name),
        only_problems: state.settings.only_problems,
        weakest: summary::product(&layers).weakest,
    };
    let version = state.version.wrapping_mul(2) + u64::from(state.settings.only_problems);
    let size = egui::vec2(ui.available_width(), (ui.available_height() - below).max(80.0));
    let changed = ui
        .allocate_ui(size, |ui| {
            ui.set_min_size(size);
            state.table.show(ui, "Layers", version, &rows)
        })
        .inner;
    std::mem::swap(&mut state.report.layers, &mut layers);
    if changed {
        actions.push(Action::Selected);
    }
    head::skipped(ui, state, false);
}
