//! Find: two kinds of text, features ranked by how well they tell them apart, and what steering along each does.

use std::collections::BTreeMap;

use egui::{DragValue, RichText, Role, Ui, WidgetInfo};
use plumb_steer::find::{Pooling, ScoreKind};
use plumb_steer::report::{Candidate, CausalRow};

use super::action::{Action, Work};
use super::card::add_button;
use super::judge;
use super::state::{State, lines};
use crate::theme::UiExt as _;
use crate::widgets::badge::{Mark, Tone, paint_mark};
use crate::widgets::table::{Column, Rows, SortKey, text_cell};
use crate::widgets::{format, keep, status};

const COLUMNS: [Column; 9] = [
    Column { name: "Feature", meaning: "Its number and label", width: 120.0, number: false },
    Column {
        name: "Mean diff",
        meaning: "Mean over texts of the first kind minus that of the second",
        width: 76.0,
        number: true,
    },
    Column {
        name: "Cohen's d",
        meaning: "That difference divided by the pooled standard deviation",
        width: 74.0,
        number: true,
    },
    Column {
        name: "AUROC",
        meaning: "Probability that a text of the first kind has the larger value",
        width: 68.0,
        number: true,
    },
    Column {
        name: "p, all",
        meaning: "P-value by shuffling the kinds, corrected for having looked at all features",
        width: 76.0,
        number: true,
    },
    Column {
        name: "Effect",
        meaning: "Toxicity that goes when the stream is steered along this feature alone",
        width: 64.0,
        number: true,
    },
    Column {
        name: "Cost",
        meaning: "Rise of the perplexity under the unsteered model while it is steered",
        width: 94.0,
        number: true,
    },
    Column {
        name: "Output",
        meaning: "Change of the rude words' probability by promoting it, on neutral texts",
        width: 80.0,
        number: true,
    },
    Column { name: "p", meaning: "P-value by shuffling the kinds", width: 76.0, number: true },
];

struct Candidates<'a> {
    list: &'a [Candidate],
    causal: &'a BTreeMap<usize, CausalRow>,
    state: &'a State,
}

impl Candidates<'_> {
    fn value(&self, row: usize, column: usize) -> Option<f64> {
        let candidate = &self.list[row];
        let score = &candidate.score;
        let causal = self.causal.get(&score.feature);
        match column {
            1 => Some(score.mean_diff),
            2 => Some(score.cohen_d),
            3 => Some(score.auroc),
            4 => candidate.p_family,
            5 => causal.map(|row| row.effect),
            6 => causal.and_then(|row| row.cost),
            7 => causal.and_then(|row| row.output_score),
            8 => candidate.p,
            _ => None,
        }
    }
}

impl Rows for Candidates<'_> {
    fn count(&self) -> usize {
        self.list.len()
    }
    fn columns(&self) -> &[Column] {
        &COLUMNS
    }
    fn name(&self, row: usize) -> String {
        format!("Candidate {}, mean difference {}", self.text(row, 0), self.text(row, 1))
    }
    fn matches(&self, row: usize, needle: &str) -> bool {
        self.text(row, 0).to_lowercase().contains(needle)
    }
    fn sort_key(&self, row: usize, column: usize) -> SortKey<'_> {
        match column {
            0 => SortKey::Number(self.list[row].score.feature as f64),
            _ => self.value(row, column).map_or(SortKey::Missing, SortKey::Number),
        }
    }
    fn text(&self, row: usize, column: usize) -> String {
        match (column, self.value(row, column)) {
            (0, _) => self.state.title(self.list[row].score.feature),
            (6, Some(cost)) => format::rise(cost),
            (_, value) => value.map_or_else(String::new, format::short),
        }
    }
    fn exact(&self, row: usize, column: usize) -> String {
        self.value(row, column).map_or_else(|| self.text(row, column), |value| value.to_string())
    }
    fn cell(&self, ui: &mut Ui, row: usize, column: usize) {
        let tokens = ui.tokens();
        if column == 0 && self.state.edit.rack.holds(self.list[row].score.feature) {
            let (rect, mark) = ui.allocate_exact_size(egui::vec2(10.0, 14.0), egui::Sense::hover());
            paint_mark(ui, rect, Mark::Disc, Tone::Changed.color(tokens));
            mark.on_hover_text("In the steering rack");
        }
        if column == 6
            && let Some(causal) = self.causal.get(&self.list[row].score.feature)
            && !causal.allowed
        {
            let (rect, mark) = ui.allocate_exact_size(egui::vec2(10.0, 12.0), egui::Sense::hover());
            paint_mark(ui, rect, Mark::Triangle, tokens.warning);
            mark.on_hover_text("It costs more fluency than the limit allows");
        }
        let text = self.text(row, column);
        text_cell(ui, if text.is_empty() { "–" } else { &text });
    }
}

/// Draw the region.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    texts(ui, state, actions);
    ui.add_space(4.0);
    controls(ui, state, actions);
    judge::news(ui, state, actions);
    for (pending, reason, progress, work) in [
        (state.find.is_pending(), "Scoring features", state.find.progress(), Work::Find),
        (state.causal.is_pending(), "Steering along each candidate", state.causal.progress(), Work::Causal),
    ] {
        if pending && status::busy(ui, reason, progress.as_ref()) {
            actions.push(Action::Stop(work));
        }
    }
    for (error, title, work) in [
        (state.find.error(), "No features were found", Work::Find),
        (state.causal.error(), "The candidates could not be tried", Work::Causal),
    ] {
        if let Some(error) = error
            && status::error_box(ui, title, &error.to_string())
        {
            actions.push(Action::Dismiss(work));
        }
    }
    table(ui, state, actions);
}

fn texts(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let height = if ui.available_height() > 480.0 { 5 } else { 3 };
    ui.columns(2, |columns| {
        let names = [
            ("With it", "Texts of the first kind, one on each line: the features are to fire on these"),
            (
                "Without it",
                "Texts of the second kind, one on each line; with pairs, line by line the same texts said otherwise",
            ),
        ];
        for (kind, (ui, (name, meaning))) in columns.iter_mut().zip(names).enumerate() {
            let count = lines(&state.typed.contrast[kind]).len();
            ui.horizontal(|ui| {
                let title = RichText::new(name).strong().color(ui.tokens().text_strong);
                ui.label(title).on_hover_text(meaning);
                ui.label(RichText::new(format::counted(count, "text", "texts")).small().color(ui.tokens().text_weak));
                if ui.small_button("File…").on_hover_text("Take the lines of a file").clicked() {
                    actions.push(Action::ContrastDialog(kind));
                }
            });
            egui::ScrollArea::vertical().id_salt(("contrast", kind)).max_height(height as f32 * 19.0).show(ui, |ui| {
                let hidden = state.settings.blur && kind == 0 && !state.revealed.contains("contrast");
                if hidden && count > 0 {
                    ui.label(
                        RichText::new("These texts may be rude, so they are hidden.").color(ui.tokens().text_weak),
                    );
                    if ui.button("Reveal the texts").clicked() {
                        state.revealed.insert("contrast".to_owned());
                    }
                    return;
                }
                let edit = egui::TextEdit::multiline(&mut state.typed.contrast[kind])
                    .hint_text(meaning)
                    .desired_rows(height)
                    .desired_width(f32::INFINITY);
                let field = ui.add(edit);
                field.widget_info(|| {
                    WidgetInfo::labeled(Role::MultilineTextInput, true, format!("Texts {}", name.to_lowercase()))
                });
            });
        }
    });
}

fn controls(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.horizontal_wrapped(|ui| {
        let small = |ui: &mut Ui, text: &str| {
            ui.label(RichText::new(text).small().color(ui.tokens().text_weak));
        };
        let spec = &mut state.find_spec;
        small(ui, "rank by");
        let kinds = [ScoreKind::MeanDiff, ScoreKind::CohenD, ScoreKind::Auroc, ScoreKind::PairedT, ScoreKind::RelDiff];
        let name = State::score_name(spec.rank_by);
        let combo = egui::ComboBox::from_id_salt("rank by").selected_text(RichText::new(name).small()).width(110.0);
        let combo = combo.show_ui(ui, |ui| {
            for kind in kinds {
                ui.selectable_value(&mut spec.rank_by, kind, State::score_name(kind));
            }
        });
        combo.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, format!("Rank by: {name}")));
        small(ui, "pool");
        let pools = [
            (Pooling::Mean, "mean", "Mean activation over a text's tokens"),
            (Pooling::Max, "max", "Largest activation in a text"),
            (Pooling::Freq, "share", "Share of a text's tokens where it fires"),
        ];
        crate::widgets::choice::choice(ui, "Pool", &mut spec.pooling, &pools);
        ui.checkbox(&mut spec.paired, RichText::new("pairs").small())
            .on_hover_text("Line i of one side belongs to line i of the other");
        small(ui, "fires at least");
        ui.add(DragValue::new(&mut spec.filters.min_firings).range(0..=1000))
            .on_hover_text("Fewest tokens of the first kind where a feature fires");
        small(ui, "shuffles");
        ui.add(DragValue::new(&mut spec.rounds).range(0..=2000)).on_hover_text("For the p-values; 0 for none");
        if ui.button("Find").on_hover_text("Score every feature on the two kinds of text").clicked() {
            actions.push(Action::Find);
        }
        let found = state.find.value().is_some_and(|report| !report.candidates.is_empty());
        judge::ui(ui, state, actions);
        let hover = "Steer the prompts of the Steer tab along each candidate alone: what changes the text is a cause";
        if keep::button(ui, found, "Check by steering").hover(hover).clicked() {
            actions.push(Action::Causal);
        }
    });
}

fn table(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let Some(report) = state.candidates().cloned() else {
        if !state.find.is_pending() {
            let text =
                "Give texts of two kinds and press Find: every feature is scored by how well it tells them apart.";
            status::empty(ui, "No candidates yet", text, None);
        }
        return;
    };
    if report.candidates.is_empty() {
        let text = "No feature fires often enough on the first kind and rarely enough on the second. Give more texts, or ask for fewer firings.";
        status::empty(ui, "No feature passes", text, None);
        return;
    }
    let causal = state.causal.partial().or_else(|| state.causal.value());
    let causal: BTreeMap<usize, CausalRow> =
        causal.map(|report| report.rows.iter().map(|row| (row.feature, *row)).collect()).unwrap_or_default();
    let best = state.best_candidates();
    let mut view = std::mem::take(&mut state.find_table);
    let selected = view.selected.and_then(|row| report.candidates.get(row)).map(|c| c.score.feature);
    ui.horizontal(|ui| {
        let [first, second] = report.texts;
        let text = format!(
            "{} of {first} against {second} texts",
            format::counted(report.candidates.len(), "candidate", "candidates")
        );
        ui.label(RichText::new(text).small().color(ui.tokens().text_weak));
        if let Some(feature) = selected {
            add_button(ui, state, feature, actions);
        }
        if ui.small_button("Add the best three").on_hover_text("Put the first three rows into the rack").clicked() {
            actions.extend(best.into_iter().map(Action::Rack));
        }
    });
    let version = state.version.wrapping_mul(31).wrapping_add(causal.len() as u64);
    let rows = Candidates { list: &report.candidates, causal: &causal, state };
    let changed = view.show(ui, "Candidates", version, &rows);
    if changed && let Some(candidate) = view.selected.and_then(|row| report.candidates.get(row)) {
        actions.push(Action::Look(candidate.score.feature));
    }
    state.find_table = view;
}
