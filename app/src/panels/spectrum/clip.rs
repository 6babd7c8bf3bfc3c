//! Clipping: choose c, see at once what it does to the selected layer, compare methods, apply.

use egui::{DragValue, Grid, Id, RichText, ScrollArea, Slider, Ui};
use plumb_spectrum::report::{Accuracy, ClipPreview, ClipReport, LayerReport};
use plumb_spectrum::spec::{ClipMethod, ClipMode, ClipSpec};

use super::action::{Action, Work};
use crate::theme::UiExt as _;
use crate::widgets::badge::{Mark, Tone, badge, swatch};
use crate::widgets::chart::{Axis, Chart, Draw, Level, Series};
use crate::widgets::chart_ui::chart_ui;
use crate::widgets::choice::{choice, log_switch};
use crate::widgets::{format, keep, scroll, status};

/// What the region reads.
#[derive(Clone, Copy, Debug)]
pub struct ClipView<'a> {
    /// The selected layer.
    pub layer: Option<&'a LayerReport>,
    /// The newest preview.
    pub preview: Option<&'a ClipPreview>,
    /// What is running.
    pub busy: Option<(Work, &'a str, Option<&'a plumb_core::Progress>)>,
    /// Accuracy of the untouched model and of the present one.
    pub accuracy: Option<(&'a Accuracy, Option<&'a Accuracy>)>,
    /// What the last clip did.
    pub report: Option<&'a ClipReport>,
    /// What undo and redo would do, in words.
    pub undo: Option<&'a str>,
    /// The same for redo.
    pub redo: Option<&'a str>,
    /// Why clipping is not possible now.
    pub locked: bool,
}

/// Name of a clip method.
pub fn method_name(method: ClipMethod) -> &'static str {
    match method {
        ClipMethod::FastClip => "FastClip",
        ClipMethod::FixedStep => "FastClip, fixed step",
        ClipMethod::Scale => "Scaling (Gouk)",
        ClipMethod::Miyato => "Reshaped norm (Miyato)",
        ClipMethod::Fourier => "Fourier (Senderovich)",
    }
}

fn method_meaning(method: ClipMethod) -> &'static str {
    match method {
        ClipMethod::FastClip => {
            "Steps on the top singular triplets only: large singular values come down to c, the others stay."
        }
        ClipMethod::FixedStep => "The published step: the top triplet only, with a fixed step size λ.",
        ClipMethod::Scale => "Divides the whole kernel by σ₁ / c: every singular value shrinks by the same factor.",
        ClipMethod::Miyato => "Divides by the norm of the reshaped kernel, which is not σ₁: the result can miss c.",
        ClipMethod::Fourier => {
            "Clamps each frequency of the circular convolution, then cuts back to the kernel's support: the cut can raise σ₁ again."
        }
    }
}

const METHODS: [ClipMethod; 5] =
    [ClipMethod::FastClip, ClipMethod::FixedStep, ClipMethod::Scale, ClipMethod::Miyato, ClipMethod::Fourier];

/// Draw the region.
pub fn ui(ui: &mut Ui, view: &ClipView<'_>, spec: &mut ClipSpec, log: &mut bool, actions: &mut Vec<Action>) {
    let bottom = ui.max_rect().bottom();
    scroll::show(ui, "Clip", ScrollArea::vertical().id_salt("clip").auto_shrink(false), |ui| {
        settings(ui, view, spec, actions);
        ui.add_space(8.0);
        buttons(ui, view, spec, actions);
        if let Some((work, reason, progress)) = view.busy {
            ui.add_space(6.0);
            if status::busy(ui, reason, progress) {
                actions.push(Action::Stop(work));
            }
        }
        effect(ui, view);
        ui.add_space(10.0);
        let shown = view.preview.filter(|preview| view.layer.is_some_and(|layer| layer.name == preview.name));
        if let Some(preview) = shown {
            before_after(ui, preview, spec, log, bottom, actions);
            return;
        }
        let text = match view.layer {
            Some(layer) if layer.problem.is_some() => "This layer has no spectrum, so it cannot be clipped.",
            Some(_) => "Move the slider: the effect on this layer is computed on a copy.",
            None => "Select a layer to see what clipping would do to it.",
        };
        ui.label(RichText::new(text).color(ui.tokens().text_weak));
    });
}

fn settings(ui: &mut Ui, view: &ClipView<'_>, spec: &mut ClipSpec, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let mut changed = false;
    let largest = view.layer.and_then(|layer| layer.sigma.first().copied()).unwrap_or(1.0).max(1e-3);
    let top = (largest.max(spec.to) * 1.1).max(0.1);
    Grid::new("clip settings").num_columns(2).spacing([12.0, 8.0]).show(ui, |ui| {
        ui.label(RichText::new("Target c").color(tokens.text_weak)).on_hover_text(
            "Singular values above c are brought down to c. Same unit as σ₁: output length per input length",
        );
        ui.horizontal(|ui| {
            ui.spacing_mut().slider_width = (ui.available_width() - 150.0).clamp(100.0, 340.0);
            let slider = Slider::new(&mut spec.to, 0.01..=top).logarithmic(true).show_value(false);
            let slider = ui.add(slider);
            slider.widget_info(|| egui::WidgetInfo::slider(true, spec.to, "Clip target c"));
            changed |= slider.changed();
            slider.on_hover_text("Drag: the preview follows");
            let number = DragValue::new(&mut spec.to).speed(0.005).range(1e-3..=1e6).max_decimals(4);
            let number = ui.add(number);
            number.widget_info(|| egui::WidgetInfo::drag_value(true, spec.to));
            changed |= number.changed();
            number.on_hover_text("Clip target c as a number");
        });
        ui.end_row();
        ui.label(RichText::new("Method").color(tokens.text_weak));
        let before = spec.method;
        ui.horizontal(|ui| {
            let combo = egui::ComboBox::from_id_salt("clip method")
                .width(190.0)
                .selected_text(method_name(spec.method))
                .show_ui(ui, |ui| {
                    for method in METHODS {
                        ui.selectable_value(&mut spec.method, method, method_name(method))
                            .on_hover_text(method_meaning(method));
                    }
                });
            combo.response.widget_info(|| {
                egui::WidgetInfo::labeled(egui::Role::ComboBox, true, format!("Clip method: {}", method_name(before)))
            });
            combo.response.on_hover_text(method_meaning(spec.method));
            changed |= choice(
                ui,
                "Mode",
                &mut spec.mode,
                &[
                    (ClipMode::Clip, "Clip", "Only bring σ₁ down to c"),
                    (ClipMode::Equalise, "Equalise", "Bring σ₁ to c from above and from below"),
                ],
            );
        });
        changed |= before != spec.method;
        ui.end_row();
        ui.label(RichText::new("Tolerance").color(tokens.text_weak))
            .on_hover_text("Accepted relative distance of σ₁ from c");
        let mut percent = spec.tolerance * 100.0;
        ui.horizontal(|ui| {
            let number = DragValue::new(&mut percent).speed(0.02).range(0.001..=20.0).suffix(" %").max_decimals(3);
            let number = ui.add(number);
            number.widget_info(|| egui::WidgetInfo::drag_value(true, percent));
            if number.on_hover_text("Tolerance in percent of c").changed() {
                spec.tolerance = percent / 100.0;
                changed = true;
            }
            let fold = ui.checkbox(&mut spec.compose, "with batch norm");
            let fold = fold.on_hover_text(
                "Clip each convolution together with the batch norm that follows it, as one map in evaluation mode",
            );
            changed |= fold.changed();
        });
        ui.end_row();
    });
    if changed {
        actions.push(Action::Preview);
    }
}

fn buttons(ui: &mut Ui, view: &ClipView<'_>, spec: &ClipSpec, actions: &mut Vec<Action>) {
    keep::row(ui, "clip", |ui| {
        let target = format::number(spec.to);
        let name = view.layer.filter(|layer| layer.problem.is_none()).map(|layer| layer.name.clone());
        let one = keep::button(ui, name.is_some() && !view.locked, "Clip this layer");
        if one.hover(format!("Change this layer's weights so that σ₁ is at most {target}")).clicked()
            && let Some(name) = name
        {
            actions.push(Action::Clip(vec![name]));
        }
        let all = keep::button(ui, !view.locked, "Clip all layers");
        if all.hover(format!("Bring σ₁ of every layer to at most {target}")).clicked() {
            actions.push(Action::Clip(Vec::new()));
        }
        ui.separator();
        let undo = keep::button(ui, view.undo.is_some() && !view.locked, "Undo");
        if undo.hover(view.undo.unwrap_or("Nothing to undo")).clicked() {
            actions.push(Action::Undo);
        }
        let redo = keep::button(ui, view.redo.is_some() && !view.locked, "Redo");
        if redo.hover(view.redo.unwrap_or("Nothing to redo")).clicked() {
            actions.push(Action::Redo);
        }
        ui.separator();
        let export = ui.button("Export weights…");
        if export.on_hover_text("Write all tensors, clipped ones included, as safetensors").clicked() {
            actions.push(Action::ExportModel);
        }
    });
}

/// What the last clip did to the network.
fn effect(ui: &mut Ui, view: &ClipView<'_>) {
    let tokens = ui.tokens();
    if let Some((before, Some(after))) = view.accuracy {
        ui.add_space(6.0);
        let overlap = after.interval[0] <= before.interval[1] && before.interval[0] <= after.interval[1];
        let verdict = if overlap { "within the noise of the test set" } else { "more than the noise of the test set" };
        let text = format!(
            "Test accuracy {} → {} on {} images, 95 %: {} to {}; {verdict}",
            format::percent(before.accuracy),
            format::percent(after.accuracy),
            after.images,
            format::percent(after.interval[0]),
            format::percent(after.interval[1])
        );
        ui.add(egui::Label::new(RichText::new(text).color(tokens.text)).wrap())
            .on_hover_text("Share of the embedded test images classified correctly, with Wilson's 95 % interval");
    }
    let Some(report) = view.report else { return };
    let missed = report.layers.iter().filter(|layer| !layer.reached || layer.problem.is_some()).count();
    let changed = report.layers.iter().filter(|layer| layer.steps > 0 && layer.problem.is_none()).count();
    let seconds: f64 = report.layers.iter().map(|layer| layer.seconds).sum();
    let text = format!(
        "Last clip to {}: {} changed, {} were below already, {} not reached, {}",
        format::number(report.to),
        format::counted(changed, "layer", "layers"),
        report.layers.len() - changed.min(report.layers.len()) - missed.min(report.layers.len() - changed),
        missed,
        format::seconds(seconds)
    );
    ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
    for layer in report.layers.iter().filter(|layer| layer.problem.is_some()).take(4) {
        let reason = layer.problem.as_deref().unwrap_or_default();
        status::note(ui, &format!("{}: {reason}", layer.name));
    }
}

/// Before and after on shared axes, with the target as a line that can be dragged.
pub fn chart(preview: &ClipPreview, to: f64, log: bool) -> Chart {
    let draw = if preview.before.len() <= 64 { Draw::Dots } else { Draw::Line };
    let mut series = vec![Series::ranked("before", &preview.before, draw, 0)];
    // The method asked for is drawn last, on top of those it is compared with.
    for (i, outcome) in preview.outcomes.iter().enumerate().rev() {
        let draw = if i == 0 { draw } else { Draw::Dashed };
        series.push(Series::ranked(method_name(outcome.method), &outcome.sigma, draw, i + 1));
    }
    Chart {
        title: "Before and after".to_owned(),
        x: Axis::linear("index"),
        y: Axis::scaled("σ", log),
        series,
        levels: vec![Level { name: "target c".to_owned(), value: to, color: None, draggable: true }],
        ..Chart::default()
    }
}

fn before_after(
    ui: &mut Ui,
    preview: &ClipPreview,
    spec: &mut ClipSpec,
    log: &mut bool,
    bottom: f32,
    actions: &mut Vec<Action>,
) {
    comparison(ui, preview);
    ui.add_space(10.0);
    // To the bottom of the region, or scrolled to where there is no room left.
    let height = (bottom - ui.cursor().top() - 8.0).clamp(200.0, 520.0);
    let id = Id::unique(("spectrum", "clip", &preview.name));
    let outcome = chart_ui(ui, id, height, &chart(preview, spec.to, *log), |ui| {
        log_switch(ui, "Scale of before and after", log);
    });
    if let Some(to) = outcome.dragged {
        spec.to = to.clamp(1e-3, 1e6);
        actions.push(Action::Preview);
    }
    if let Some(save) = outcome.save {
        actions.push(Action::Save(save));
    }
}

fn comparison(ui: &mut Ui, preview: &ClipPreview) {
    let tokens = ui.tokens();
    let weak = |text: &str| RichText::new(text).small().strong().color(tokens.text_weak);
    ScrollArea::horizontal().id_salt("comparison").show(ui, |ui| {
        Grid::new("clip comparison").num_columns(7).spacing([14.0, 6.0]).show(ui, |ui| {
            let heads = [
                ("Method", ""),
                ("σ₁ after", "Largest singular value of the clipped layer, measured anew"),
                ("Spectrum kept", "Sum of the singular values after, divided by the sum of as many before"),
                ("Cut-off error", "Fourier only: (σ₁ after cutting to the kernel's support − c) / c"),
                ("Weight change", "‖W′ − W‖ / ‖W‖"),
                ("Time", "Wall time"),
                ("Result", "Whether σ₁ ended within the tolerance"),
            ];
            for (head, meaning) in heads {
                let label = ui.label(weak(head));
                if !meaning.is_empty() {
                    label.on_hover_text(meaning);
                }
            }
            ui.end_row();
            ui.horizontal(|ui| {
                swatch(ui, tokens.series[0], "before");
                ui.label("Before");
            });
            let first = preview.before.first().copied().unwrap_or(f64::NAN);
            ui.label(RichText::new(format::number(first)).color(tokens.text)).on_hover_text(first.to_string());
            for _ in 0..5 {
                ui.label("");
            }
            ui.end_row();
            for (i, outcome) in preview.outcomes.iter().enumerate() {
                ui.horizontal(|ui| {
                    swatch(ui, tokens.series[(i + 1) % tokens.series.len()], method_name(outcome.method));
                    ui.label(method_name(outcome.method)).on_hover_text(method_meaning(outcome.method));
                });
                let first = outcome.sigma.first().copied().unwrap_or(f64::NAN);
                ui.label(RichText::new(format::number(first)).strong().color(tokens.text_strong))
                    .on_hover_text(format!("{first}, target {}", preview.to));
                ui.label(format::percent(outcome.kept));
                ui.label(match outcome.method {
                    ClipMethod::Fourier => format::signed_percent(outcome.truncation_error),
                    _ => "–".to_owned(),
                });
                ui.label(format::percent(outcome.weight_change));
                ui.label(RichText::new(format::seconds(outcome.seconds)).color(tokens.text_weak))
                    .on_hover_text(format::counted(outcome.steps, "step", "steps"));
                if outcome.reached {
                    badge(ui, Mark::Check, Tone::Good, "reached");
                } else {
                    badge(ui, Mark::Triangle, Tone::Caution, "missed");
                }
                ui.end_row();
            }
        });
    });
}
