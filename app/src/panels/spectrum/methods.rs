//! What other methods say about σ₁, how far off they are, and how the estimates came about.

use egui::{Grid, Id, RichText, Ui};
use plumb_spectrum::report::{LayerDetail, Mark, MarkKind, Trace};

use crate::theme::UiExt as _;
use crate::widgets::badge::{Mark as Shape, Tone, badge, swatch};
use crate::widgets::chart::{Axis, Chart, Draw, LegendPlace, Level, Series};
use crate::widgets::chart_ui::{SaveRequest, chart_ui};
use crate::widgets::{format, scroll};

fn kind_look(kind: MarkKind) -> (Shape, Tone, &'static str, &'static str) {
    match kind {
        MarkKind::Exact => (Shape::Disc, Tone::Good, "exact", "The true value of this operator, to rounding"),
        MarkKind::Estimate => (Shape::Check, Tone::Good, "estimate", "Converged from below to the tolerance"),
        MarkKind::LowerBound => (Shape::Diamond, Tone::Plain, "lower bound", "Never above the true value"),
        MarkKind::UpperBound => (Shape::Triangle, Tone::Plain, "upper bound", "Never below the true value"),
        MarkKind::Other => {
            (Shape::Cross, Tone::Caution, "another quantity", "Often mistaken for the norm of the operator")
        }
    }
}

/// Estimates of σ₁ against the work done.
pub fn convergence(name: &str, traces: &[Trace], best: Option<f64>) -> Chart {
    let series = traces.iter().enumerate().map(|(i, trace)| {
        let pairs = trace.applications.iter().zip(&trace.sigma).map(|(x, y)| [*x, *y]);
        Series::pairs(trace.label.clone(), pairs, Draw::Dots, i)
    });
    Chart {
        title: format!("Convergence for {name}"),
        x: Axis::linear("applications of M and its adjoint to a vector"),
        y: Axis::linear("estimate of σ₁"),
        series: series.collect(),
        levels: best
            .map(|value| Level { name: "best value".to_owned(), value, color: None, draggable: false })
            .into_iter()
            .collect(),
        legend: if traces.len() > 1 { LegendPlace::TopRight } else { LegendPlace::None },
        ..Chart::default()
    }
}

/// Table of the marks above, the convergence plot below.
pub fn ui(ui: &mut Ui, detail: &LayerDetail) -> Option<SaveRequest> {
    let bottom = ui.max_rect().bottom();
    let area = egui::ScrollArea::vertical().id_salt("methods region").auto_shrink(false);
    scroll::show(ui, "Methods", area, |ui| contents(ui, detail, bottom))
}

fn contents(ui: &mut Ui, detail: &LayerDetail, bottom: f32) -> Option<SaveRequest> {
    let tokens = ui.tokens();
    if detail.marks.is_empty() {
        ui.label(RichText::new("No other method applies to this layer.").color(tokens.text_weak));
    } else {
        let scroll = egui::ScrollArea::horizontal().id_salt("methods table");
        scroll.show(ui, |ui| {
            Grid::new("methods").num_columns(5).spacing([16.0, 6.0]).show(ui, |ui| {
                for head in ["Method", "Says", "σ₁", "Relative error", "Time"] {
                    ui.label(RichText::new(head).small().strong().color(tokens.text_weak));
                }
                ui.end_row();
                let mut color = 0;
                for mark in &detail.marks {
                    row(ui, mark, &mut color);
                    ui.end_row();
                }
            });
        });
    }
    ui.add_space(12.0);
    if detail.traces.iter().all(|trace| trace.sigma.is_empty()) {
        let text = "The matrix was decomposed as a whole: there was no iteration to plot.";
        ui.label(RichText::new(text).color(tokens.text_weak));
        return None;
    }
    let chart = convergence(&detail.layer.name, &detail.traces, detail.layer.sigma.first().copied());
    let height = (bottom - ui.cursor().top() - 8.0).clamp(200.0, 700.0);
    chart_ui(ui, Id::unique(("spectrum", "convergence", &detail.layer.name)), height, &chart, |_| {}).save
}

fn row(ui: &mut Ui, mark: &Mark, color: &mut usize) {
    let tokens = ui.tokens();
    ui.horizontal(|ui| {
        // The same colours as the levels in the plot of the singular values.
        if mark.kind != MarkKind::Exact && mark.value.is_finite() {
            *color += 1;
            swatch(ui, tokens.series[*color % tokens.series.len()], &mark.label);
        }
        ui.label(&mark.label).on_hover_text(&mark.note);
    });
    let (shape, tone, word, meaning) = kind_look(mark.kind);
    badge(ui, shape, tone, word).on_hover_text(meaning);
    let value = ui.label(RichText::new(format::number(mark.value)).color(tokens.text_strong).strong());
    value.on_hover_text(format!("{}\n{}", mark.value, mark.note)).context_menu(|ui| {
        if ui.button("Copy value").clicked() {
            ui.ctx().copy_text(mark.value.to_string());
            ui.close();
        }
    });
    let error = if mark.kind == MarkKind::Exact && mark.relative_error == 0.0 {
        "–".to_owned()
    } else {
        format::signed_percent(mark.relative_error)
    };
    ui.label(error).on_hover_text("(value − σ₁) / σ₁ against the best value known");
    ui.label(RichText::new(format::seconds(mark.seconds)).color(tokens.text_weak));
}
