//! The spectrum of the selected layer as three plots: the values, the energy they carry, how they are spread.

use egui::{Id, Ui};
use plumb_spectrum::report::{LayerDetail, LayerReport, Mark, MarkKind};

use crate::widgets::chart::{Axis, Chart, Draw, LegendPlace, Level, Series};
use crate::widgets::chart_ui::{SaveRequest, chart_ui};
use crate::widgets::choice::log_switch;
use crate::widgets::scroll;

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plot {
    /// Singular values, descending.
    Values,
    /// Cumulative share of the energy.
    Energy,
    /// Histogram.
    Histogram,
}

/// Singular values in descending order with the other methods' numbers as levels.
pub fn values(layer: &LayerReport, complete: bool, marks: &[Mark], log: bool) -> Chart {
    let draw = if layer.sigma.len() <= 64 { Draw::Dots } else { Draw::Line };
    let shown = if complete {
        format!("Singular values of {}, all {}", layer.name, layer.sigma.len())
    } else {
        format!("Singular values of {}, the top {} of {}", layer.name, layer.sigma.len(), layer.count)
    };
    Chart {
        title: shown,
        x: Axis::linear("index"),
        y: Axis::scaled("σ", log),
        series: vec![Series::ranked("σ", &layer.sigma, draw, 0)],
        levels: marks
            .iter()
            .filter(|mark| mark.kind != MarkKind::Exact && mark.value.is_finite())
            .enumerate()
            .map(|(i, mark)| Level {
                name: mark.label.clone(),
                value: mark.value,
                color: Some(i + 1),
                draggable: false,
            })
            .collect(),
        legend: LegendPlace::None,
        ..Chart::default()
    }
}

/// Σ_{j ≤ i} σ_j² / ‖M‖_F². The denominator is counted without forming M, so the curve is right for a part of the spectrum.
pub fn energy(layer: &LayerReport) -> Chart {
    let total = layer.frobenius * layer.frobenius;
    let mut sum = 0.0;
    let shares = layer.sigma.iter().enumerate().map(|(i, sigma)| {
        sum += sigma * sigma;
        [(i + 1) as f64, if total > 0.0 { sum / total } else { 0.0 }]
    });
    Chart {
        title: format!("Cumulative energy of {}", layer.name),
        x: Axis::linear("number of singular values"),
        y: Axis::linear("share of the energy"),
        series: vec![Series::pairs("share", shares, Draw::Line, 0)],
        include_y: vec![0.0, 1.0],
        ..Chart::default()
    }
}

/// Counts in equal bins from the smallest to the largest value.
pub fn histogram(layer: &LayerReport) -> Chart {
    let finite = || layer.sigma.iter().copied().filter(|s| s.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), s| (a.min(s), b.max(s)));
    let bins = ((layer.sigma.len() as f64).sqrt().ceil() as usize * 2).clamp(5, 60);
    let width = if high > low { (high - low) / bins as f64 } else { high.abs().max(1.0) * 0.1 };
    let mut counts = vec![0.0; bins];
    for sigma in finite() {
        counts[(((sigma - low) / width) as usize).min(bins - 1)] += 1.0;
    }
    let bars = counts.iter().enumerate().map(|(i, n)| [low + (i as f64 + 0.5) * width, *n]);
    let series = if low <= high { vec![Series::pairs("count", bars, Draw::Bars(width), 0)] } else { Vec::new() };
    Chart {
        title: format!("Histogram of {}", layer.name),
        x: Axis::linear("σ"),
        y: Axis::linear("singular values"),
        series,
        include_y: vec![0.0],
        ..Chart::default()
    }
}

/// The three plots: all at once where there is room, else one above the other to scroll through.
pub fn ui(ui: &mut Ui, detail: &LayerDetail, log: &mut bool) -> Option<SaveRequest> {
    let layer = &detail.layer;
    let size = ui.available_size();
    let mut save = None;
    let mut show = |ui: &mut Ui, plot: Plot, height: f32, log: &mut bool| {
        let id = Id::unique(("spectrum", "plot", plot as u8, &layer.name));
        let outcome = match plot {
            Plot::Values => {
                let chart = values(layer, detail.complete, &detail.marks, *log);
                chart_ui(ui, id, height, &chart, |ui| {
                    log_switch(ui, "Scale of the singular values", log);
                })
            }
            Plot::Energy => chart_ui(ui, id, height, &energy(layer), |_| {}),
            Plot::Histogram => chart_ui(ui, id, height, &histogram(layer), |_| {}),
        };
        if outcome.save.is_some() {
            save = outcome.save;
        }
    };
    let gap = 12.0;
    let whole = (size.y - 26.0).max(260.0);
    if size.x >= 460.0 && size.y >= 400.0 {
        let top = ((whole - gap) * 0.56).max(180.0);
        let below = (whole - gap - top).max(150.0);
        show(ui, Plot::Values, top, log);
        ui.add_space(gap);
        ui.spacing_mut().item_spacing.x = 20.0;
        ui.columns(2, |columns| {
            show(&mut columns[0], Plot::Energy, below, log);
            show(&mut columns[1], Plot::Histogram, below, log);
        });
    } else {
        scroll::show(ui, "Plots", egui::ScrollArea::vertical().id_salt("plots").auto_shrink(false), |ui| {
            for plot in [Plot::Values, Plot::Energy, Plot::Histogram] {
                show(ui, plot, 240.0, log);
                ui.add_space(gap);
            }
        });
    }
    save
}
