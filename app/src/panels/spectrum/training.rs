//! σ₁ per layer over the epochs of a run folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use egui::{Id, RichText, ScrollArea, Ui};
use plumb_core::{Ctl, Error, Job};

use super::action::{Action, Work};
use crate::theme::UiExt as _;
use crate::widgets::badge::swatch;
use crate::widgets::chart::{Axis, Chart, Draw, LegendPlace, Series};
use crate::widgets::chart_ui::chart_ui;
use crate::widgets::choice::log_switch;
use crate::widgets::{format, status};

/// Curves of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// The run folder.
    pub folder: PathBuf,
    /// Epoch and σ₁ by layer name.
    pub sigma1: BTreeMap<String, Vec<[f64; 2]>>,
    /// Other numbers per epoch: accuracy, loss.
    pub others: BTreeMap<String, Vec<[f64; 2]>>,
}

const PREFIX: &str = "sigma1/";

/// Read the lines of a `metrics.jsonl`. A line that is not an object of numbers is left out.
pub fn parse(text: &str) -> (Curves, usize) {
    let mut curves = Curves::default();
    let mut unreadable = 0;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(line) else {
            unreadable += 1;
            continue;
        };
        let number = |key: &str| fields.get(key).and_then(serde_json::Value::as_f64);
        let epoch = number("epoch").or_else(|| number("step")).unwrap_or(index as f64);
        for (key, value) in &fields {
            let Some(value) = value.as_f64().filter(|_| key != "epoch" && key != "step") else { continue };
            let (map, name) = match key.strip_prefix(PREFIX) {
                Some(layer) => (&mut curves.sigma1, layer),
                None => (&mut curves.others, key.as_str()),
            };
            map.entry(name.to_owned()).or_default().push([epoch, value]);
        }
    }
    (curves, unreadable)
}

/// Reads the curves of a run folder.
#[derive(Debug)]
pub struct ReadCurves(pub PathBuf);

impl Job for ReadCurves {
    type Output = Curves;
    type Partial = ();

    fn name(&self) -> String {
        "Training curves".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Curves, Error> {
        let path = self.0.join("metrics.jsonl");
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Error::Failed(format!(
                "this run has no training curves: {} could not be read ({error}). Open a folder written by a training run",
                path.display()
            ))
        })?;
        ctl.check()?;
        let (mut curves, unreadable) = parse(&text);
        if unreadable > 0 {
            ctl.warn(path.display().to_string(), format!("{unreadable} lines could not be read and were left out"));
        }
        if curves.sigma1.is_empty() {
            let reason = "holds no σ₁ curves (keys that begin with sigma1/). Train with spectra switched on";
            return Err(Error::Failed(format!("{} {reason}", path.display())));
        }
        curves.folder = self.0;
        Ok(curves)
    }
}

/// Whether a folder looks like a run.
pub fn is_run(path: &Path) -> bool {
    path.is_dir() && (path.join("metrics.jsonl").is_file() || path.join("report.json").is_file())
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
    busy: bool,
    hidden: &mut Vec<String>,
    log: &mut bool,
    actions: &mut Vec<Action>,
) {
    if busy && status::busy(ui, "Reading training curves", None) {
        actions.push(Action::Stop(Work::Curves));
    }
    let Some(curves) = curves else {
        if !busy {
            let text = "Open a run folder, from Runs or by dropping it here, to see how σ₁ of every layer moved from epoch to epoch.";
            status::empty(ui, "No training run is open", text, None);
        }
        return;
    };
    let tokens = ui.tokens();
    ui.add(
        egui::Label::new(RichText::new(curves.folder.display().to_string()).small().color(tokens.text_weak)).truncate(),
    );
    ui.add_space(4.0);
    let size = ui.available_size();
    ui.horizontal_top(|ui| {
        let list = 230.0_f32.min(size.x * 0.35);
        ui.allocate_ui(egui::vec2(list, size.y), |ui| {
            ScrollArea::vertical().id_salt("curves").auto_shrink(false).max_width(list).show(ui, |ui| {
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
            let outcome =
                chart_ui(ui, Id::unique(("spectrum", "training")), top, &chart(curves, hidden, *log), |ui| {
                    log_switch(ui, "Scale of the training curves", log);
                });
            actions.extend(outcome.save.map(Action::Save));
            if wants_accuracy {
                ui.add_space(8.0);
                let series = curves.others.iter().enumerate().map(|(i, (name, points))| {
                    Series::pairs(name.clone(), points.iter().copied(), Draw::Dots, i)
                });
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
    fn lines_become_curves_and_bad_lines_are_counted() {
        let text = "{\"epoch\":1,\"sigma1/conv.weight\":2.5,\"accuracy\":0.5}\nnot json\n\n{\"epoch\":2,\"sigma1/conv.weight\":2.0}\n";
        let (curves, unreadable) = parse(text);
        assert_eq!(unreadable, 1);
        assert_eq!(curves.sigma1["conv.weight"], vec![[1.0, 2.5], [2.0, 2.0]]);
        assert_eq!(curves.others["accuracy"], vec![[1.0, 0.5]]);
    }
}
