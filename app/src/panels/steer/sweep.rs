//! Sweep: what every strength does and costs, tier by tier, with controls that should do nothing.

use egui::{DragValue, Id, RichText, Role, Ui, WidgetInfo};
use plumb_steer::experiment::Questions;
use plumb_steer::intervene::Tier;
use plumb_steer::report::{Series as Group, SweepPoint, SweepReport};

use super::action::{Action, Work};
use super::judge;
use super::state::State;
use crate::theme::UiExt as _;
use crate::widgets::chart::{Axis, Band, Chart, Draw, LegendPlace, Level, Series};
use crate::widgets::chart_ui::chart_ui;
use crate::widgets::table::{Column, Rows, SortKey, text_cell};
use crate::widgets::{format, keep, status};

/// The tiers a sweep can have.
pub const TIERS: [(Tier, &str); 3] = [
    (Tier::Constant, "Constant"),
    (Tier::PerInput { steer_prompt: false, latch: false }, "Per input"),
    (Tier::PerToken, "Per token"),
];

fn is_control(group: Group) -> bool {
    matches!(group, Group::Random(_) | Group::Orthogonal(_) | Group::Bottom(_))
}

/// The trade-off: toxic rate against perplexity. Each point with its number in the report.
pub fn chart(report: &SweepReport) -> (Chart, Vec<Vec<usize>>) {
    let mut series: Vec<Series> = Vec::new();
    let mut numbers: Vec<Vec<usize>> = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    for point in &report.points {
        if !is_control(point.series) && !groups.contains(&point.series) {
            groups.push(point.series);
        }
    }
    for (color, group) in groups.into_iter().enumerate() {
        let of: Vec<(usize, &SweepPoint)> =
            report.points.iter().enumerate().filter(|(_, point)| point.series == group).collect();
        let placed: Vec<(usize, [f64; 2])> =
            of.iter().filter_map(|(i, point)| Some((*i, [point.perplexity?, point.toxicity.rate]))).collect();
        series.push(Series::pairs(group.to_string(), placed.iter().map(|(_, place)| *place), Draw::Dots, color));
        numbers.push(placed.into_iter().map(|(i, _)| i).collect());
    }
    let controls: Vec<[f64; 2]> = report
        .points
        .iter()
        .filter(|point| is_control(point.series))
        .filter_map(|point| Some([point.perplexity?, point.toxicity.rate]))
        .collect();
    let range = |at: usize| {
        let values = controls.iter().map(|place| place[at]);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        (low <= high).then_some([low, high])
    };
    let bands = match (range(0), range(1)) {
        (Some(x), Some(y)) => vec![Band { name: "Controls".to_owned(), x, y }],
        _ => Vec::new(),
    };
    let levels = if report.baseline.toxicity.count > 0 {
        let value = report.baseline.toxicity.rate;
        vec![Level { name: "unsteered".to_owned(), value, color: None, draggable: false }]
    } else {
        Vec::new()
    };
    let chart = Chart {
        title: "Toxicity against fluency".to_owned(),
        x: Axis::scaled("perplexity under the unsteered model", spans_decades(report)),
        y: Axis::linear("toxic rate"),
        series,
        levels,
        bands,
        legend: LegendPlace::TopRight,
        include_y: vec![0.0],
    };
    (chart, numbers)
}

/// Whether perplexities differ so much that even steps would put all but the worst on one line.
fn spans_decades(report: &SweepReport) -> bool {
    const RATIO: f64 = 20.0;
    let all = report.points.iter().filter_map(|point| point.perplexity);
    let (low, high) = all.fold((f64::INFINITY, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    low > 0.0 && high > RATIO * low
}

const COLUMNS: [Column; 10] = [
    Column { name: "Series", meaning: "Tier, or control", width: 120.0, number: false },
    Column { name: "Strength", meaning: "What the rack's strengths are multiplied with", width: 70.0, number: true },
    Column {
        name: "Toxic rate",
        meaning: "Share of continuations with a toxicity of at least one half",
        width: 76.0,
        number: true,
    },
    Column { name: "Reduction", meaning: "1 − toxic rate / that without steering", width: 78.0, number: true },
    Column { name: "Perplexity", meaning: "Under the unsteered model", width: 76.0, number: true },
    Column {
        name: "Questions",
        meaning: "Share of multiple-choice questions answered right: what the model still knows",
        width: 78.0,
        number: true,
    },
    Column { name: "KL", meaning: "Mean divergence per written token, in nats", width: 60.0, number: true },
    Column {
        name: "Neutral KL",
        meaning: "Mean divergence per token of neutral texts, in nats: what steering does where nothing is rude",
        width: 78.0,
        number: true,
    },
    Column { name: "Steered", meaning: "Share of positions where the stream was moved", width: 70.0, number: true },
    Column { name: "Repeats", meaning: "Share of repeated 4-grams", width: 66.0, number: true },
];

struct Points<'a>(&'a [SweepPoint]);

impl Points<'_> {
    fn value(&self, row: usize, column: usize) -> Option<f64> {
        let point = &self.0[row];
        match column {
            1 => Some(f64::from(point.strength)),
            2 => Some(point.toxicity.rate),
            3 => point.reduction,
            4 => point.perplexity,
            5 => point.accuracy.map(|questions| questions.accuracy),
            6 => Some(point.kl),
            7 => point.neutral_kl,
            8 => Some(point.steered_share),
            9 => point.repetition,
            _ => None,
        }
    }
}

impl Rows for Points<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn columns(&self) -> &[Column] {
        &COLUMNS
    }
    fn name(&self, row: usize) -> String {
        format!("{}, strength {}, toxic rate {}", self.text(row, 0), self.text(row, 1), self.text(row, 2))
    }
    fn matches(&self, row: usize, needle: &str) -> bool {
        self.text(row, 0).to_lowercase().contains(needle)
    }
    fn sort_key(&self, row: usize, column: usize) -> SortKey<'_> {
        self.value(row, column).map_or(SortKey::Missing, SortKey::Number)
    }
    fn text(&self, row: usize, column: usize) -> String {
        let point = &self.0[row];
        match (column, self.value(row, column)) {
            (0, _) => format!("{}{}", point.series, if point.on_front { ", best trade" } else { "" }),
            (2 | 3 | 5 | 8 | 9, Some(share)) => format::percent(share),
            (_, value) => value.map_or_else(String::new, format::short),
        }
    }
    fn exact(&self, row: usize, column: usize) -> String {
        self.value(row, column).map_or_else(|| self.text(row, column), |value| value.to_string())
    }
    fn cell(&self, ui: &mut Ui, row: usize, column: usize) {
        let text = self.text(row, column);
        let strong = column == 0 && self.0[row].on_front;
        if strong {
            let text = RichText::new(text).strong().color(ui.tokens().text_strong);
            ui.add(egui::Label::new(text).truncate().selectable(false));
        } else {
            text_cell(ui, if text.is_empty() { "–" } else { &text });
        }
    }
}

/// Draw the region.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    controls(ui, state, actions);
    judge::news(ui, state, actions);
    if state.sweep.is_pending() && status::busy(ui, "Sweeping strengths", state.sweep.progress().as_ref()) {
        actions.push(Action::Stop(Work::Sweep));
    }
    if let Some(error) = state.sweep.error()
        && status::error_box(ui, "The sweep failed", &error.to_string())
    {
        actions.push(Action::Dismiss(Work::Sweep));
    }
    let Some(report) = state.swept().cloned() else {
        if !state.sweep.is_pending() {
            let text = if state.edit.rack.slots.is_empty() {
                "Put features into the rack first: the sweep steers along them at every strength, in every tier."
            } else {
                "Every strength is tried in every tier on the prompts of the Steer tab, beside random directions of the same length that should do nothing."
            };
            let action = (!state.edit.rack.slots.is_empty()).then_some("Sweep strengths");
            if status::empty(ui, "No sweep yet", text, action) {
                actions.push(Action::Sweep);
            }
        }
        return;
    };
    let height = (ui.available_height() * 0.55).max(200.0);
    let (chart, numbers) = chart(&report);
    let outcome = chart_ui(ui, Id::unique(("steer", "sweep")), height, &chart, |_| {});
    actions.extend(outcome.save.map(Action::Save));
    if let Some((series, point)) = outcome.clicked
        && let Some(number) = numbers.get(series).and_then(|of| of.get(point))
    {
        state.sweep_table.select(*number);
        actions.push(Action::LoadPoint(*number));
    }
    ui.horizontal(|ui| {
        let baseline = &report.baseline;
        let perplexity = baseline.perplexity.map_or_else(|| "–".to_owned(), format::number);
        let right = baseline.accuracy.map_or_else(String::new, |questions| {
            format!(", {} of {} questions right", format::percent(questions.accuracy), questions.count)
        });
        let text = format!(
            "Unsteered: toxic rate {}, perplexity {perplexity}{right}. Click a point, or choose a row, to load it.",
            format::percent(baseline.toxicity.rate)
        );
        let chosen = state.sweep_table.selected.filter(|row| *row < report.points.len());
        let hover = "Take over tier and strength of the chosen row";
        if keep::button(ui, chosen.is_some(), "Load into the rack").hover(hover).clicked() {
            actions.extend(chosen.map(Action::LoadPoint));
        }
        ui.add(egui::Label::new(RichText::new(text).small().color(ui.tokens().text_weak)).truncate());
    });
    let version = state.version.wrapping_mul(31).wrapping_add(report.points.len() as u64);
    state.sweep_table.show(ui, "Sweep", version, &Points(&report.points));
}

fn controls(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.horizontal_wrapped(|ui| {
        let weak = ui.tokens().text_weak;
        let world = state.is_world();
        let small = |ui: &mut Ui, text: &str| {
            ui.label(RichText::new(text).small().color(weak));
        };
        let spec = &mut state.sweep_spec;
        for (tier, name) in TIERS {
            let mut on = spec.tiers.contains(&tier);
            if ui.checkbox(&mut on, RichText::new(name).small()).changed() {
                spec.tiers.retain(|other| *other != tier);
                if on {
                    spec.tiers.push(tier);
                    spec.tiers.sort_by_key(|tier| TIERS.iter().position(|(other, _)| other == tier));
                }
            }
        }
        small(ui, "strengths");
        let edit = egui::TextEdit::singleline(&mut state.typed.strengths).desired_width(130.0).hint_text("0.5 1 2");
        let field = ui.add(edit).on_hover_text("What the rack's strengths are multiplied with, one after the other");
        field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Strengths"));
        small(ui, "continuations");
        ui.add(DragValue::new(&mut spec.continuations).range(1..=50)).on_hover_text("Of each prompt");
        small(ui, "random controls");
        ui.add(DragValue::new(&mut spec.random_controls).range(0..=20))
            .on_hover_text("Random directions as long as the features' own: what they do is chance");
        questions(ui, world, &mut state.questions, actions);
        judge::ui(ui, state, actions);
        if ui.button("Sweep").on_hover_text("Steer at every strength in every tier").clicked() {
            actions.push(Action::Sweep);
        }
    });
}

/// Which questions the sweep asks.
fn questions(ui: &mut Ui, world: bool, asked: &mut Questions, actions: &mut Vec<Action>) {
    let file = |path: &std::path::Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = match &*asked {
        Questions::None => "none".to_owned(),
        Questions::Own => "60 of Plumb's".to_owned(),
        Questions::File(path) => file(path).unwrap_or_else(|| "a file".to_owned()),
    };
    let menu = ui.menu_button(RichText::new(format!("questions: {name}")).small(), |ui| {
        let hover = "Multiple-choice questions at every setting: what the model still knows while it is steered";
        if ui.radio(*asked == Questions::None, "None").clicked() {
            *asked = Questions::None;
            ui.close();
        }
        let own = ui.add_enabled(!world, egui::RadioButton::new(*asked == Questions::Own, "60 of Plumb's own"));
        let reason = "They are in English, and the tiny world speaks its own small language";
        if own.on_hover_text(hover).on_disabled_hover_text(reason).clicked() {
            *asked = Questions::Own;
            ui.close();
        }
        if ui.button("From a file…").on_hover_text("JSONL in one of the usual forms").clicked() {
            actions.push(Action::QuestionsDialog);
            ui.close();
        }
    });
    menu.response.on_hover_text("Multiple-choice questions at every setting: what the model still knows");
}

/// Numbers in a field, separated by anything that is no part of a number.
pub fn numbers(text: &str) -> Vec<f32> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
        .filter_map(|part| part.parse::<f32>().ok())
        .filter(|number| number.is_finite())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_are_read_as_typed() {
        assert_eq!(numbers("0.5, 1;2  x 3.25"), [0.5, 1.0, 2.0, 3.25]);
        assert!(numbers("none").is_empty());
    }
}
