//! Where the team disagrees: figures, contested cases, rules, pairs of moderators, drift and the model's card.

use egui::{Id, RichText, ScrollArea, Ui};
use plumb_moderate::explore::{Contested, Explored};

use super::action::{Action, Work};
use super::state::State;
use super::{model_card, pairs, waits};
use crate::theme::{UiExt as _, semibold};
use crate::widgets::chart::{Axis, Chart, Draw, Series};
use crate::widgets::chart_ui::chart_ui;
use crate::widgets::table::{Column, Rows, SortKey};
use crate::widgets::tile::{self, Tile};
use crate::widgets::{format, scroll, status};

/// Draw the page.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let stale = state.board.as_ref().map(|board| board.seq) != state.learnt_for;
    if stale && state.learnt.value().is_some() && !state.learnt.is_pending() {
        ui.horizontal_wrapped(|ui| {
            ui.label(
                RichText::new("Something was decided since these figures were made.").color(ui.tokens().text_weak),
            );
            if ui.button("Count again").clicked() {
                actions.push(Action::Explore);
            }
        });
    }
    if waits(ui, &state.learnt, "Looking at disagreement", Work::Explore, actions) {
        return;
    }
    let Some(learnt) = state.learnt.value().cloned() else { return };
    let explored = &learnt.explored;
    let area = ScrollArea::vertical().auto_shrink(false).id_salt("moderate disagreement");
    scroll::show(ui, "Disagreement", area, |ui| {
        if explored.several == 0 {
            status::empty(
                ui,
                "Nobody judged the same case twice",
                "Disagreement shows once two moderators or more have voted on a case: send some to panels.",
                None,
            );
            return;
        }
        tile::row(ui, &tiles(explored), 150.0);
        ui.add_space(8.0);
        let wide = ui.available_width() > 760.0;
        if wide {
            ui.columns(2, |columns| {
                rules(&mut columns[0], state, explored, actions);
                pairs::ui(&mut columns[1], explored);
            });
        } else {
            rules(ui, state, explored, actions);
            pairs::ui(ui, explored);
        }
        ui.add_space(8.0);
        cases(ui, state, explored, actions);
        ui.add_space(8.0);
        model_card::ui(ui, state, &learnt, actions);
    });
}

/// An interval in words.
fn interval(interval: Option<[f64; 2]>) -> String {
    interval.map_or_else(String::new, |[low, high]| format!("95 %: {} to {}", format::short(low), format::short(high)))
}

fn tiles(explored: &Explored) -> Vec<Tile<'static>> {
    let share = |part: usize, whole: usize| format::percent(part as f64 / whole.max(1) as f64);
    let panels = |name, count: plumb_moderate::explore::PanelCount, meaning| Tile {
        name,
        value: if count.ended == 0 { "none yet".to_owned() } else { share(count.split, count.ended) },
        detail: format!("{} ended, {} overturned", format::count(count.ended), format::count(count.overturned)),
        meaning,
        exact: String::new(),
    };
    vec![
        Tile {
            name: "Agreement",
            value: explored.alpha.map_or_else(|| "not known".to_owned(), format::short),
            detail: interval(explored.interval),
            meaning: "Krippendorff's alpha for nominal data: 1 is full agreement, 0 is chance. The interval draws cases again.",
            exact: explored.alpha.map(|alpha| alpha.to_string()).unwrap_or_default(),
        },
        Tile {
            name: "Pairs that differ",
            value: format::percent(explored.disagreement),
            detail: format!("over {}", format::counted(explored.several, "case", "cases")),
            meaning: "Of all pairs of votes on the same case, the share that differs.",
            exact: explored.disagreement.to_string(),
        },
        Tile {
            name: "Split cases",
            value: share(explored.split, explored.several),
            detail: format!("{} of {}", format::count(explored.split), format::count(explored.several)),
            meaning: "Cases judged by two or more on which the votes differ.",
            exact: explored.split.to_string(),
        },
        panels(
            "Split, by model",
            explored.by_model,
            "Panels the model asked for that had votes on both sides; overturned: the majority is not what the first vote said.",
        ),
        panels(
            "Split, by audit",
            explored.by_audit,
            "Panels drawn at random that had votes on both sides: what the model misses, without bias.",
        ),
        Tile {
            name: "Time to decision",
            value: format::span(explored.solo.median),
            detail: format!(
                "panels {}",
                if explored.panel.cases == 0 { "none yet".to_owned() } else { format::span(explored.panel.median) }
            ),
            meaning: "Median from when a case was written to its decision by one moderator; for panels from their opening.",
            exact: explored.solo.median.to_string(),
        },
    ]
}

fn rules(ui: &mut Ui, state: &State, explored: &Explored, actions: &mut Vec<Action>) {
    let shown: Vec<_> = explored.rules.iter().filter(|rule| rule.several >= 3).take(12).collect();
    if shown.is_empty() {
        return;
    }
    ui.label(semibold("Rules with most disagreement").color(ui.tokens().text_strong));
    let tokens = ui.tokens();
    let most = shown.iter().map(|rule| rule.disagreement).fold(0.0, f64::max).max(1e-9);
    for rule in shown {
        ui.horizontal(|ui| {
            let title = if rule.rule.is_empty() { "no rule" } else { state.rule_title(&rule.rule) };
            let width = (ui.available_width() - 170.0).max(60.0);
            let layout = egui::Layout::left_to_right(egui::Align::Center);
            let text = RichText::new(title).color(tokens.text);
            let add = |ui: &mut Ui| {
                ui.set_width(width);
                ui.add(egui::Label::new(text).truncate())
            };
            let label = ui.allocate_ui_with_layout(egui::vec2(width, 18.0), layout, add).inner;
            label.on_hover_text(format!("{} of {} cases split", rule.split, rule.several));
            let (rect, response) = ui.allocate_exact_size(egui::vec2(80.0, 12.0), egui::Sense::hover());
            let filled = egui::Rect::from_min_size(
                rect.min,
                egui::vec2(rect.width() * (rule.disagreement / most) as f32, rect.height()),
            );
            ui.painter().rect_filled(rect, 2, tokens.surface_sunken);
            ui.painter().rect_filled(filled, 2, tokens.series[1]);
            let said = format!(
                "{title}: {} of pairs differ, {} of {} cases split",
                format::percent(rule.disagreement),
                rule.split,
                rule.several
            );
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Meter, true, &said));
            ui.label(RichText::new(format::percent(rule.disagreement)).small().color(tokens.text_weak));
        });
    }
    let chart = chart(explored);
    if let Some(save) = chart_ui(ui, Id::unique("moderate rules chart"), 180.0, &chart, |_| {}).save {
        actions.push(Action::Save(save));
    }
}

/// Split cases over time: drift of agreement.
fn chart(explored: &Explored) -> Chart {
    let mut cases: Vec<&Contested> = explored.cases.iter().collect();
    cases.sort_by_key(|case| case.at);
    let first = cases.first().map_or(0, |case| case.at);
    let part = cases.len().div_ceil(10).max(5);
    let points = cases.chunks(part).map(|chunk| {
        let days = chunk.iter().map(|case| (case.at - first) as f64 / 86_400.0).sum::<f64>() / chunk.len() as f64;
        [days, 100.0 * chunk.iter().map(|case| case.disagreement()).sum::<f64>() / chunk.len() as f64]
    });
    Chart {
        title: "Disagreement over time".to_owned(),
        x: Axis::linear("days since the first case"),
        y: Axis::linear("% of pairs that differ"),
        series: vec![Series::pairs("disagreement", points, Draw::Dots, 0)],
        include_y: vec![0.0],
        ..Chart::default()
    }
}

fn cases(ui: &mut Ui, state: &mut State, explored: &Explored, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        ui.label(semibold("Contested cases").color(ui.tokens().text_strong));
        state.contested.filter_ui(ui, "Text or rule", 200.0);
        if ui.button("Look at it").on_hover_text("Show the selected case in the queue").clicked()
            && let Some(case) = state.contested.selected.and_then(|row| explored.cases.get(row))
        {
            actions.push(Action::Look(case.case.clone()));
        }
    });
    let mut table = std::mem::take(&mut state.contested);
    let rows = CaseRows { cases: &explored.cases, state };
    ui.allocate_ui(egui::vec2(ui.available_width(), 300.0), |ui| {
        ui.set_min_size(egui::vec2(ui.available_width(), 300.0));
        table.show(ui, "Contested cases", state.learnt_for.unwrap_or(0), &rows);
    });
    state.contested = table;
}

struct CaseRows<'a> {
    cases: &'a [Contested],
    state: &'a State,
}

const COLUMNS: [Column; 6] = [
    Column { name: "Case", meaning: "Its text; hidden where it would be in the queue", width: 240.0, number: false },
    Column { name: "Rule", meaning: "It was decided by, or hinted at by reports", width: 150.0, number: false },
    Column { name: "Remove", meaning: "Votes to remove it", width: 66.0, number: true },
    Column { name: "Approve", meaning: "Votes to keep it", width: 68.0, number: true },
    Column { name: "Differ", meaning: "Share of the pairs of its votes that differ", width: 66.0, number: true },
    Column {
        name: "Expected",
        meaning: "Expected disagreement D: the share of pairs the model thought would differ",
        width: 72.0,
        number: true,
    },
];

impl CaseRows<'_> {
    fn harm(&self, row: usize) -> f64 {
        let judge = plumb_text::classify::NgramClassifier::embedded();
        let head: String = self.cases[row].text.chars().take(160).collect();
        judge.map_or(0.0, |judge| judge.probability(&head))
    }
}

impl Rows for CaseRows<'_> {
    fn count(&self) -> usize {
        self.cases.len()
    }

    fn columns(&self) -> &[Column] {
        &COLUMNS
    }

    fn name(&self, row: usize) -> String {
        let case = &self.cases[row];
        format!("Contested {}, {} to remove, {} to approve", case.case, case.remove, case.approve)
    }

    fn matches(&self, row: usize, needle: &str) -> bool {
        let case = &self.cases[row];
        case.text.to_lowercase().contains(needle) || self.state.rule_title(&case.rule).to_lowercase().contains(needle)
    }

    fn text(&self, row: usize, column: usize) -> String {
        let case = &self.cases[row];
        match column {
            0 if self.state.hides(&case.case, self.harm(row)) => format!("{}: hidden text", case.case),
            0 => super::text::shown(&case.text, 160).0.replace(['\n', '\t'], " "),
            1 => self.state.rule_title(&case.rule).to_owned(),
            2 => case.remove.to_string(),
            3 => case.approve.to_string(),
            4 => format::percent(case.disagreement()),
            _ => case.expected.map(format::percent).unwrap_or_default(),
        }
    }

    fn sort_key(&self, row: usize, column: usize) -> SortKey<'_> {
        let case = &self.cases[row];
        match column {
            0 => SortKey::Text(&case.text),
            1 => SortKey::Text(self.state.rule_title(&case.rule)),
            2 => SortKey::Number(case.remove as f64),
            3 => SortKey::Number(case.approve as f64),
            4 => SortKey::Number(case.disagreement()),
            _ => case.expected.map_or(SortKey::Missing, SortKey::Number),
        }
    }

    fn exact(&self, row: usize, column: usize) -> String {
        let case = &self.cases[row];
        match column {
            0 => case.text.clone(),
            4 => case.disagreement().to_string(),
            5 => case.expected.map(|expected| expected.to_string()).unwrap_or_default(),
            _ => self.text(row, column),
        }
    }
}
