//! The selected layer: its name and numbers, and a tab for each way to look at it.

use egui::{Label, RichText, Ui};

use super::action::{Action, Work};
use super::layers::{Status, status_ui};
use super::state::{State, Tab};
use super::{clip, frequency, geometry_editor, methods, plots};
use crate::theme::{UiExt as _, semibold};
use crate::widgets::choice::focused_choice;
use crate::widgets::{format, status};

const TABS: [(Tab, &str, &str); 6] = [
    (Tab::Spectrum, "Spectrum", "Singular values, the energy they carry, and how they are spread"),
    (Tab::Methods, "Methods", "What other methods say about σ₁, and how the estimate converged"),
    (Tab::Vectors, "Vectors", "The input that is stretched most, and where it goes"),
    (Tab::Frequency, "Frequency", "Largest singular value at each spatial frequency"),
    (Tab::Clip, "Clip", "Bring σ₁ down to a target and see what it costs"),
    (Tab::Geometry, "Geometry", "Stride, padding, input size: how the kernel is applied"),
];

/// Draw the region.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let Some(layer) = state.selected().cloned() else {
        status::empty(ui, "No layer selected", "Select a row of the table to look at its spectrum.", None);
        return;
    };
    let tokens = ui.tokens();
    ui.horizontal(|ui| {
        let statuses = Status::of(&layer, state.is_clipped(&layer.name));
        let room = (ui.available_width() - 300.0).max(120.0);
        ui.scope(|ui| {
            ui.set_max_width(room);
            let name = semibold(&layer.name).heading().color(tokens.text_strong);
            ui.add(Label::new(name).truncate()).on_hover_text(&layer.name);
        });
        status_ui(ui, &statuses);
    });
    ui.horizontal_wrapped(|ui| {
        let small = |text: String| RichText::new(text).small().color(tokens.text_weak);
        if let Some(first) = layer.sigma.first() {
            ui.label(small(format!("σ₁ {}", format::number(*first))))
                .on_hover_text(format!("Largest singular value: {first}"));
        }
        ui.label(small(format!("Frobenius norm {}", format::number(layer.frobenius))))
            .on_hover_text("Frobenius norm of the operator, counted without forming it");
        ui.label(small(format!("{} → {}", format::shape(&layer.input_shape), format::shape(&layer.output_shape))))
            .on_hover_text("Shape of one input and of one output");
        ui.label(small(format!("residual {}", format::number(layer.residual))))
            .on_hover_text("Largest ‖Mᵗu − σv‖ / σ₁ over the reported values");
        ui.label(small(format!("{} applications, {}", layer.iterations, format::seconds(layer.seconds))))
            .on_hover_text("Applications of the operator and its adjoint, and wall time");
    });
    let before = state.settings.tab;
    let focus = std::mem::take(&mut state.focus_detail);
    focused_choice(ui, "Show", &mut state.settings.tab, &TABS, focus);
    if state.settings.tab == Tab::Clip && before != Tab::Clip {
        actions.push(Action::Preview);
    }
    ui.add_space(6.0);
    if let Some(problem) = &layer.problem
        && state.settings.tab != Tab::Geometry
    {
        let text = "There is no spectrum for this layer";
        ui.label(RichText::new(text).strong().color(tokens.text_strong));
        status::note(ui, problem);
        return;
    }
    match state.settings.tab {
        Tab::Geometry => geometry_editor::ui(ui, &mut state.draft, &layer, actions),
        Tab::Clip => clip_tab(ui, state, &layer, actions),
        _ => looked_at(ui, state, &layer.name, actions),
    }
}

fn clip_tab(ui: &mut Ui, state: &mut State, layer: &plumb_spectrum::report::LayerReport, actions: &mut Vec<Action>) {
    let progress = state.clip.progress().or_else(|| state.preview.progress());
    let busy = if state.clip.is_pending() {
        Some((Work::Clip, "Clipping", progress.as_ref()))
    } else if state.preview.is_pending() {
        Some((Work::Preview, "Computing the preview", progress.as_ref()))
    } else {
        None
    };
    if let Some(error) = state.preview.error()
        && status::error_box(ui, "The preview could not be computed", &error.to_string())
    {
        actions.push(Action::Dismiss(Work::Preview));
    }
    let undo = state.history.last().map(|step| format!("Undo: {}", step.label()));
    let redo = state.history.next().map(|step| format!("Redo: {}", step.label()));
    // A preview in the making has only the asked method; the whole old one is steadier to look at.
    let previews = [state.preview.value(), state.preview.partial()];
    let preview = previews.into_iter().flatten().find(|preview| preview.name == layer.name);
    let view = clip::ClipView {
        layer: Some(layer),
        preview,
        busy,
        accuracy: state
            .accuracy_before
            .value()
            .map(|before| (before, state.accuracy_after.value().filter(|_| !state.edits.is_empty()))),
        report: state.history.last_clip().map(|change| &change.report),
        undo: undo.as_deref(),
        redo: redo.as_deref(),
        locked: state.clip.is_pending(),
    };
    clip::ui(ui, &view, &mut state.clip_spec, &mut state.settings.log, actions);
}

/// The tabs that show the detail; the old one stays while a newer one of the same layer is on its way.
fn looked_at(ui: &mut Ui, state: &mut State, name: &str, actions: &mut Vec<Action>) {
    if state.detail.is_pending() {
        let progress = state.detail.progress();
        if status::busy(ui, "Looking at the layer", progress.as_ref()) {
            actions.push(Action::Stop(Work::Detail));
        }
    }
    if let Some(error) = state.detail.error()
        && status::error_box(ui, "The layer could not be computed", &error.to_string())
    {
        actions.push(Action::Dismiss(Work::Detail));
    }
    let version = state.detail_version;
    let Some(detail) =
        [state.detail.partial(), state.detail.value()].into_iter().flatten().find(|d| d.layer.name == name)
    else {
        if !state.detail.is_pending() && state.detail.error().is_none() {
            let text = "The details of this layer were not computed.";
            ui.label(RichText::new(text).color(ui.tokens().text_weak));
            if ui.button("Compute them").clicked() {
                actions.push(Action::Selected);
            }
        }
        return;
    };
    let save = match state.settings.tab {
        Tab::Methods => methods::ui(ui, detail),
        Tab::Vectors => {
            state.vectors.ui(ui, detail, version);
            None
        }
        Tab::Frequency => frequency::ui(ui, &mut state.heat, detail, version),
        _ => plots::ui(ui, detail, &mut state.settings.log),
    };
    actions.extend(save.map(Action::Save));
}
