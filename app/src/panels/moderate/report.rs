//! For people outside the team: figures without names and without texts.

use egui::{RichText, ScrollArea, Ui};
use plumb_moderate::explore::Explored;

use super::action::{Action, Work};
use super::state::State;
use super::waits;
use crate::theme::{UiExt as _, semibold};
use crate::widgets::chart_ui::SaveRequest;
use crate::widgets::{format, scroll};

/// Draw the page.
pub fn ui(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if waits(ui, &state.learnt, "Counting", Work::Explore, actions) {
        return;
    }
    let Some(learnt) = state.learnt.value().cloned() else { return };
    let tokens = ui.tokens();
    let area = ScrollArea::vertical().auto_shrink(false).id_salt("moderate report");
    scroll::show(ui, "Report", area, |ui| {
        ui.set_max_width(720.0);
        ui.label(semibold("Moderation in figures").color(tokens.text_strong));
        let hint = "Nothing here names a moderator or a member, and no text is quoted.";
        ui.label(RichText::new(hint).small().color(tokens.text_weak));
        ui.add_space(6.0);
        let rows = rows(&learnt.explored, state);
        egui::Grid::new("moderate report rows").num_columns(2).spacing([24.0, 6.0]).show(ui, |ui| {
            for (name, value) in &rows {
                ui.label(RichText::new(name).color(tokens.text_weak));
                ui.label(RichText::new(value).color(tokens.text_strong));
                ui.end_row();
            }
        });
        ui.add_space(10.0);
        ui.horizontal(|ui| {
            let csv = || rows.iter().map(|(name, value)| format::csv_line([name, value])).collect::<String>();
            if ui.button("Copy").clicked() {
                ui.ctx().copy_text(csv());
            }
            if ui.button("Save CSV…").clicked() {
                actions.push(Action::Save(SaveRequest {
                    name: "moderation report.csv".to_owned(),
                    bytes: csv().into_bytes(),
                }));
            }
            if ui.button("Count again").clicked() {
                actions.push(Action::Explore);
            }
        });
    });
}

/// The figures, in words. Small counts by rule are left out, because they could point at one person.
fn rows(explored: &Explored, state: &State) -> Vec<(String, String)> {
    let share = |part: usize, whole: usize| {
        if whole == 0 {
            "none yet".to_owned()
        } else {
            format!(
                "{} of {} ({})",
                format::count(part),
                format::count(whole),
                format::percent(part as f64 / whole as f64)
            )
        }
    };
    let waits = |waits: plumb_moderate::explore::Waits| {
        if waits.cases == 0 {
            "none yet".to_owned()
        } else {
            format!("{} in the middle, 95 % within {}", format::span(waits.median), format::span(waits.p95))
        }
    };
    let row = |name: &str, value: String| (name.to_owned(), value);
    let board = state.board.as_ref();
    let open = board.map_or(0, |board| {
        use plumb_moderate::state::Phase::{Appealed, Escalated, New, PanelBlind, PanelOpen, Scored, Solo};
        board.count(&[New, Scored, Solo, PanelBlind, PanelOpen, Escalated, Appealed])
    });
    let panels = [explored.by_model, explored.by_audit, explored.by_hand];
    let ended = panels.iter().map(|count| count.ended).sum();
    let split = panels.iter().map(|count| count.split).sum();
    let mut rows = vec![
        row("Cases decided", format::count(explored.decided)),
        row("Removed", share(explored.removed, explored.decided)),
        row("Waiting", format::count(open)),
        row("Moderators", format::count(board.map_or(0, |board| board.team.iter().filter(|m| m.active).count()))),
        row("Time to a decision by one moderator", waits(explored.solo)),
        row("Time to a decision by a panel", waits(explored.panel)),
        row("Panels that ended", format::count(ended)),
        row("Panels with votes on both sides", share(split, ended)),
        row("Appeals judged", format::count(explored.appeals)),
        row("Cases judged by several", format::count(explored.several)),
        row("of these, split", share(explored.split, explored.several)),
    ];
    if let Some(alpha) = explored.alpha {
        let interval =
            explored.interval.map(|[low, high]| format!(" (95 %: {} to {})", format::short(low), format::short(high)));
        rows.push(row(
            "Agreement, Krippendorff's alpha",
            format!("{}{}", format::short(alpha), interval.unwrap_or_default()),
        ));
    }
    for rule in explored.rules.iter().filter(|rule| rule.several >= 5 && !rule.rule.is_empty()) {
        let name = format!("Split under “{}”", state.rule_title(&rule.rule));
        rows.push((name, share(rule.split, rule.several)));
    }
    rows
}
