//! σ₁ per layer over the epochs of a run folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use egui::{Id, RichText, ScrollArea, Ui};
use plumb_core::run_folder::{Metric, RunFolder};
use plumb_core::{Ctl, Error, Job};
use plumb_spectrum::train::{SIGMA_PREFIX, TrainReport};
use plumb_vision::samples::{Embedded, RUNS};
use plumb_vision::train::History;

use super::action::{Action, Work};
use crate::theme::UiExt as _;
use crate::widgets::badge::swatch;
use crate::widgets::chart::{Axis, Chart, Draw, LegendPlace, Series};
use crate::widgets::chart_ui::chart_ui;
use crate::widgets::choice::log_switch;
use crate::widgets::{format, scroll, status};

/// Curves of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Where they come from: the run folder, or the sample model.
    pub title: String,
    /// Whether they ship with Plumb.
    pub embedded: bool,
    /// Epoch and σ₁ by layer name.
    pub sigma1: BTreeMap<String, Vec<[f64; 2]>>,
    /// Other numbers per epoch: accuracy, loss.
    pub others: BTreeMap<String, Vec<[f64; 2]>>,
}

/// The curves in the measurements of a run.
pub fn curves(title: String, metrics: &[Metric]) -> Curves {
    let mut curves = Curves { title, ..Curves::default() };
    for metric in metrics {
        for (key, value) in &metric.values {
            let (map, name) = match key.strip_prefix(SIGMA_PREFIX) {
                Some(layer) => (&mut curves.sigma1, layer),
                None => (&mut curves.others, key.as_str()),
            };
            map.entry(name.to_owned()).or_default().push([metric.step as f64, *value]);
        }
    }
    curves
}

/// The curves of a training run that goes on.
pub fn so_far(title: String, history: &History) -> Curves {
    let metrics: Vec<Metric> = history
        .epochs
        .iter()
        .map(|epoch| {
            let mut values = epoch.metrics.clone();
            values.insert("loss".to_owned(), epoch.loss);
            values.insert("train_accuracy".to_owned(), epoch.train_accuracy);
            values.insert("test_accuracy".to_owned(), epoch.test_accuracy);
            Metric { step: epoch.epoch as u64, values }
        })
        .collect();
    curves(title, &metrics)
}

/// The curves in the report of a training run that ships with Plumb.
fn embedded(run: &Embedded) -> Result<Curves, Error> {
    let report: TrainReport = serde_json::from_slice(run.bytes).map_err(|error| Error::failed(&error))?;
    let mut curves = Curves { title: format!("{}: its training run", run.title), embedded: true, ..Curves::default() };
    let points = |values: &[f64]| values.iter().enumerate().map(|(i, v)| [(i + 1) as f64, *v]).collect::<Vec<_>>();
    for curve in &report.curves {
        curves.sigma1.insert(curve.layer.clone(), points(&curve.sigma));
    }
    let epochs = &report.history.epochs;
    let held_out: Vec<f64> = epochs.iter().map(|epoch| epoch.test_accuracy).collect();
    let train: Vec<f64> = epochs.iter().map(|epoch| epoch.train_accuracy).collect();
    curves.others.insert("test accuracy".to_owned(), points(&held_out));
    curves.others.insert("training accuracy".to_owned(), points(&train));
    Ok(curves)
}

/// Reads training curves.
#[derive(Debug)]
pub enum ReadCurves {
    /// Of a run folder.
    Folder(PathBuf),
    /// Of the sample model of this name.
    Sample(String),
}

impl Job for ReadCurves {
    type Output = Curves;
    type Partial = ();

    fn name(&self) -> String {
        "Training curves".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Curves, Error> {
        let folder = match self {
            Self::Folder(folder) => folder,
            Self::Sample(name) => {
                let run = RUNS.iter().find(|run| run.name == name);
                return run.map_or_else(|| Ok(Curves::default()), embedded);
            }
        };
        let run = RunFolder::open(&folder).map_err(|error| Error::failed(&error))?;
        ctl.check()?;
        for problem in &run.problems {
            ctl.warn(folder.display().to_string(), problem.clone());
        }
        let curves = curves(folder.display().to_string(), &run.metrics);
        if curves.sigma1.is_empty() {
            return Err(Error::Failed(format!(
                "this run has no σ₁ curves: no measurement in {} begins with {SIGMA_PREFIX}. Open a folder written by a training run",
                curves.title
            )));
        }
        Ok(curves)
    }
}

/// The chart of the curves that are switched on.
pub fn chart(curves: &Curves, hidden: &[String], log: bool) -> Chart {
    let series = curves
        .sigma1
        .iter()
        .enumerate()
        .filter(|(_, (name, _))| !hidden.contains(name))
        .map(|(i, (name, points))| Series::pairs(name.clone(), points.iter().copied(), Draw::Dots, i));
    Chart {
        title: "σ₁ during training".to_owned(),
        x: Axis::linear("epoch"),
        y: Axis::scaled("σ₁", log),
        series: series.collect(),
        legend: LegendPlace::None,
        ..Chart::default()
    }
}

/// Draw the region.
pub fn ui(
    ui: &mut Ui,
    curves: Option<&Curves>,
    [reading, waiting]: [bool; 2],
    hidden: &mut Vec<String>,
    log: &mut bool,
    actions: &mut Vec<Action>,
) {
    if reading && status::busy(ui, "Reading training curves", None) {
        actions.push(Action::Stop(Work::Curves));
    }
    let Some(curves) = curves.filter(|curves| !curves.sigma1.is_empty()) else {
        if !waiting {
            let text = "Open a run folder, from Runs or by dropping it here, to see how σ₁ of every layer moved from epoch to epoch.";
            status::empty(ui, "No training run is open", text, None);
        }
        return;
    };
    let tokens = ui.tokens();
    ui.add(egui::Label::new(RichText::new(&curves.title).small().color(tokens.text_weak)).truncate());
    ui.add_space(4.0);
    let size = ui.available_size();
    ui.horizontal_top(|ui| {
        let list = 230.0_f32.min(size.x * 0.35);
        let down = egui::Layout::top_down(egui::Align::Min);
        ui.allocate_ui_with_layout(egui::vec2(list, size.y), down, |ui| {
            let area = ScrollArea::vertical().id_salt("curves").auto_shrink(false).max_width(list);
            scroll::show(ui, "Curves", area, |ui| {
                for (i, (name, points)) in curves.sigma1.iter().enumerate() {
                    ui.horizontal(|ui| {
                        swatch(ui, tokens.series[i % tokens.series.len()], name);
                        let mut on = !hidden.contains(name);
                        let last = points.last().map_or(f64::NAN, |p| p[1]);
                        let text = format!("{name}  {}", format::number(last));
                        let check = ui.add(egui::Checkbox::new(&mut on, RichText::new(text).small()));
                        if check.on_hover_text(format!("{name}: σ₁ after the last epoch {last}")).changed() {
                            if on {
                                hidden.retain(|h| h != name);
                            } else {
                                hidden.push(name.clone());
                            }
                        }
                    });
                }
            });
        });
        ui.vertical(|ui| {
            let wants_accuracy = !curves.others.is_empty();
            let top = if wants_accuracy { size.y * 0.62 } else { size.y };
            let outcome = chart_ui(ui, Id::unique(("spectrum", "training")), top, &chart(curves, hidden, *log), |ui| {
                log_switch(ui, "Scale of the training curves", log);
            });
            actions.extend(outcome.save.map(Action::Save));
            if wants_accuracy {
                ui.add_space(8.0);
                let series = curves
                    .others
                    .iter()
                    .enumerate()
                    .map(|(i, (name, points))| Series::pairs(name.clone(), points.iter().copied(), Draw::Dots, i));
                let chart = Chart {
                    title: "Other numbers".to_owned(),
                    x: Axis::linear("epoch"),
                    y: Axis::linear("value"),
                    series: series.collect(),
                    legend: LegendPlace::TopRight,
                    ..Chart::default()
                };
                let height = (size.y - top - 8.0).max(120.0);
                let outcome = chart_ui(ui, Id::unique(("spectrum", "others")), height, &chart, |_| {});
                actions.extend(outcome.save.map(Action::Save));
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_become_curves() {
        let metric = |step: u64, sigma: f64| Metric {
            step,
            values: BTreeMap::from([("sigma1/conv.weight".to_owned(), sigma), ("accuracy".to_owned(), 0.5)]),
        };
        let curves = curves("run".to_owned(), &[metric(1, 2.5), metric(2, 2.0)]);
        assert_eq!(curves.sigma1["conv.weight"], vec![[1.0, 2.5], [2.0, 2.0]]);
        assert_eq!(curves.others["accuracy"], vec![[1.0, 0.5], [2.0, 0.5]]);
    }
}
