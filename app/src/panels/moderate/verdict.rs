//! The right column: what can be done with the case, each action with its key and what it will leave behind.

use egui::{Button, RichText, Role, ScrollArea, Ui, WidgetInfo};
use plumb_moderate::model::Verdict;
use plumb_moderate::state::Phase;

use super::action::Action;
use super::keys::written;
use super::state::{Asking, Bulk, Focus, State};
use super::{replay, reveal, vote};
use crate::theme::{UiExt as _, semibold};
use crate::widgets::{format, scroll, status};

/// Draw the column.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let area = ScrollArea::vertical().auto_shrink(false).id_salt("moderate verdict");
    scroll::show(ui, "Verdict", area, |ui| {
        said(ui, state, actions);
        match state.asking.clone() {
            Asking::Nothing => {}
            Asking::Rule(cases) => return rules(ui, state, &cases, actions),
            Asking::Note(_) | Asking::Appeal(_) => return words(ui, state, actions),
            Asking::Bulk(bulk) => return bulk_ui(ui, state, bulk, actions),
        }
        let Some(look) = state.case().cloned() else { return };
        let panel = look.panel.as_ref();
        match look.view.phase {
            Phase::New | Phase::Scored => unsorted(ui, state, actions),
            Phase::Solo => solo(ui, state, actions),
            Phase::PanelBlind | Phase::PanelOpen | Phase::Escalated => {
                if let Some(panel) = panel {
                    if panel.view.hidden || panel.view.own.is_none() || state.votes_on().is_some() {
                        vote::ui(ui, state, panel, actions);
                    }
                    if !panel.view.hidden {
                        reveal::ui(ui, state, &look, panel, actions);
                    }
                }
            }
            Phase::Decided | Phase::Applied | Phase::Appealed => {
                decided(ui, state, &look, actions);
                if let Some(panel) = panel.filter(|panel| !panel.view.hidden) {
                    reveal::ui(ui, state, &look, panel, actions);
                }
            }
        }
        ui.add_space(8.0);
        small(ui, actions);
    });
}

/// What the last action left behind, and what went wrong.
fn said(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if let Some(first) = state.lost.first() {
        let why = match &first.outcome {
            plumb_moderate::workplace::Outcome::Lost(why) => why.clone(),
            _ => String::new(),
        };
        let count = format::counted(state.lost.len(), "action is", "actions are");
        status::note(ui, &format!("{count} not known to be written: {why}"));
        ui.horizontal_wrapped(|ui| {
            if ui.button("Send again").on_hover_text("Nothing counts twice").clicked() {
                actions.push(Action::Retry);
            }
            if ui.button("Do without").clicked() {
                actions.push(Action::GiveUp);
            }
        });
        ui.add_space(6.0);
    }
    if let Some(first) = state.refused.first() {
        let why = match &first.outcome {
            plumb_moderate::workplace::Outcome::Refused(why) => why.clone(),
            _ => String::new(),
        };
        let place = first.asked.case.clone().map(|case| format!(" ({case})")).unwrap_or_default();
        let more = match state.refused.len() {
            0 | 1 => String::new(),
            more => format!(" And {} more.", more - 1),
        };
        if status::error_box(ui, &format!("That was not done{place}"), &format!("{why}.{more}")) {
            actions.push(Action::Understood);
        }
        ui.add_space(6.0);
    }
    if !state.said.is_empty() {
        let tokens = ui.tokens();
        ui.horizontal_wrapped(|ui| {
            let label = ui.label(RichText::new(&state.said).small().color(tokens.text));
            label.widget_info(|| WidgetInfo::labeled(Role::Status, true, &state.said));
            if !state.undo.is_empty() && ui.button(RichText::new("Undo  u").small()).clicked() {
                actions.push(Action::Undo);
            }
        });
        ui.add_space(6.0);
    }
}

/// A wide button with its key, and what it leaves behind below it.
fn big(ui: &mut Ui, name: &str, action: &Action, leaves: &str, enabled: bool, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let key = RichText::new(written(action)).monospace().color(tokens.text_weak);
    let button = Button::new(RichText::new(name).color(tokens.text_strong)).shortcut_text(key);
    let response = ui.add_enabled(enabled, button.min_size(egui::vec2(ui.available_width(), 30.0)));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
    if response.clicked() {
        actions.push(action.clone());
    }
    ui.label(RichText::new(leaves).small().color(tokens.text_weak));
    ui.add_space(2.0);
}

fn solo(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    ui.label(semibold("Your verdict").color(ui.tokens().text_strong));
    let able = state.may_decide();
    if state.board.as_ref().is_some_and(|board| board.trainee) {
        status::note(ui, "Trainees do not decide alone; ask for a panel.");
    }
    big(ui, "Approve", &Action::Approve, "Stays up; leaves the queue under your name.", able, actions);
    big(
        ui,
        "Remove…",
        &Action::Remove,
        "Asks for the rule; then it is marked for removal under your name.",
        able,
        actions,
    );
    if state.in_replay() {
        ui.label(RichText::new("Nothing of it enters the team's log.").small().color(ui.tokens().text_weak));
        return;
    }
    let size = state.board.as_ref().map_or(3, |board| board.policy.panel_size);
    let panel = format!("{size} moderators drawn at random vote without seeing each other's votes.");
    let asks = state.case().is_some_and(|look| !state.is_pending(&look.view.case.id));
    big(ui, "Ask for a panel", &Action::Panel, &panel, asks, actions);
    big(ui, "Escalate", &Action::Escalate, "The whole team votes and talks in the open.", asks, actions);
    ui.label(RichText::new("All of it can be undone until it is carried out.").small().color(ui.tokens().text_weak));
}

fn unsorted(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    status::note(ui, "This case is new: it goes to a panel or to one moderator once new cases are sorted in.");
    if state.leads() && ui.button("Sort in new cases").clicked() {
        actions.push(Action::SortIn);
    }
}

fn decided(ui: &mut Ui, state: &State, look: &plumb_moderate::workplace::Look, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    ui.label(semibold("Decided").color(tokens.text_strong));
    let text = match look.view.phase {
        Phase::Decided if look.lesson.is_some() => "In this replay only.",
        Phase::Decided => "Not carried out on the platform yet.",
        Phase::Appealed => "Its author has appealed; no panel votes on it yet.",
        _ => "Carried out; only an appeal opens it again.",
    };
    ui.label(RichText::new(text).color(tokens.text));
    if let Some(lesson) = &look.lesson {
        let remove = look.decisions.last().is_some_and(|own| own.verdict == Verdict::Remove);
        replay::answer(ui, state, lesson, remove);
        big(ui, "Next case", &Action::Step(1), "The next of the past cases.", true, actions);
    }
    let free = !state.is_pending(&look.view.case.id);
    if look.undo && free {
        big(ui, "Undo", &Action::Undo, "Back into the queue, as if it had not been decided.", true, actions);
    }
    if look.view.phase == Phase::Applied && !state.in_replay() {
        let leaves = "Moderators who have not judged it vote again, without seeing each other's votes.";
        big(ui, "Enter appeal…", &Action::Appeal, leaves, free, actions);
    }
    if look.view.phase == Phase::Appealed {
        big(ui, "Draw a panel", &Action::Panel, "Moderators who have not judged it vote.", free, actions);
        big(ui, "Escalate", &Action::Escalate, "The whole team votes and talks in the open.", free, actions);
    }
    if let Some(expected) = look.view.disagreement {
        let text = format!("The model expected {} of pairs of moderators to disagree.", format::percent(expected));
        ui.label(RichText::new(text).small().color(tokens.text_weak));
    }
}

fn small(ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.horizontal_wrapped(|ui| {
        let all = [
            ("Note…", Action::Note, "Stays with the case for the team"),
            ("Skip", Action::Skip, "Put it off; t brings it back"),
            ("Return", Action::Return, "Back to the first case that was skipped"),
            ("Mark", Action::Mark, "Mark it, to do the same to many at once"),
            ("Undo", Action::Undo, "Take back your last action"),
        ];
        for (name, action, hover) in all {
            let text = RichText::new(format!("{name}  {}", written(&action))).small();
            if ui.button(text).on_hover_text(hover).clicked() {
                actions.push(action);
            }
        }
    });
    ui.label(RichText::new("? lists all keys").small().color(ui.tokens().text_weak));
}

fn rules(ui: &mut Ui, state: &State, cases: &[String], actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let title = match cases.len() {
        0 => "Which rule does your vote rest on?".to_owned(),
        1 => "Which rule does it break?".to_owned(),
        many => format!("Which rule do these {} cases break?", format::count(many)),
    };
    ui.label(semibold(title).color(tokens.text_strong));
    let rules = state.board.as_ref().map(|board| board.rules.clone()).unwrap_or_default();
    for (place, rule) in rules.iter().enumerate() {
        let number = match place {
            0..9 => (place + 1).to_string(),
            9 => "0".to_owned(),
            _ => String::new(),
        };
        let name = if rule.title.is_empty() { &rule.key } else { &rule.title };
        let key = RichText::new(&number).monospace().color(tokens.text_weak);
        let button = Button::new(RichText::new(name)).shortcut_text(key).truncate();
        let response = ui.add(button.min_size(egui::vec2(ui.available_width(), 26.0)));
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Rule {number}: {name}")));
        let response = if rule.text.is_empty() { response } else { response.on_hover_text(&rule.text) };
        if response.clicked() {
            actions.push(Action::Rule(Some(place)));
        }
    }
    ui.horizontal_wrapped(|ui| {
        if ui.button("No rule  x").clicked() {
            actions.push(Action::Rule(None));
        }
        if ui.button("Back  Escape").clicked() {
            actions.push(Action::Leave);
        }
    });
}

/// A field for a note or for what an author says against a decision.
fn words(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let focus = state.focus == Some(Focus::Note);
    let (title, name, hint, leaves, button) = if matches!(state.asking, Asking::Appeal(_)) {
        (
            "The author appeals",
            "Words of the appeal",
            "What the author says against the decision; may be empty",
            "A panel of moderators who have not judged the case votes on it. Can be undone until its votes are shown.",
            "Enter appeal  Shift+Enter",
        )
    } else {
        (
            "Note",
            "Note for the team",
            "What the team should know",
            "Stays with the case under your name. You can take it back; the log keeps it.",
            "Keep note  Shift+Enter",
        )
    };
    ui.label(semibold(title).color(ui.tokens().text_strong));
    let (Asking::Note(text) | Asking::Appeal(text)) = &mut state.asking else { return };
    let edit = egui::TextEdit::multiline(text).desired_rows(4).desired_width(f32::INFINITY);
    let field = ui.add(edit.hint_text(hint));
    field.widget_info(|| WidgetInfo::labeled(Role::MultilineTextInput, true, name));
    if focus {
        state.focus = None;
        field.request_focus();
    }
    ui.label(RichText::new(leaves).small().color(ui.tokens().text_weak));
    ui.horizontal_wrapped(|ui| {
        if ui.button(button).clicked() {
            actions.push(Action::SaveWords);
        }
        if ui.button("Back  Escape").clicked() {
            actions.push(Action::Leave);
        }
    });
}

fn bulk_ui(ui: &mut Ui, state: &State, bulk: Bulk, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let count = format::counted(state.marked.len(), "case", "cases");
    let (title, text, button) = match bulk {
        Bulk::Approve => (
            format!("Approve {count}?"),
            "They stay up and leave the queue under your name. Each can be undone until it is carried out.",
            "Approve all",
        ),
        Bulk::Remove => (
            format!("Remove {count}?"),
            "The next step asks for one rule for all of them. Each can be undone until it is carried out.",
            "Choose the rule",
        ),
        Bulk::Panel => (
            format!("Panels for {count}?"),
            "Each gets a panel of its own. Each can be withdrawn until its votes are shown.",
            "Ask for panels",
        ),
        Bulk::Apply => (
            format!("Mark {count} as carried out?"),
            "The log says that the platform did it. This cannot be undone; only an appeal opens a case again.",
            "Mark as carried out",
        ),
    };
    ui.label(semibold(title).color(tokens.text_strong));
    ui.label(RichText::new(text).color(tokens.text));
    for id in state.marked.iter().take(8) {
        ui.label(RichText::new(id).small().color(tokens.text_weak));
    }
    if state.marked.len() > 8 {
        let more = format!("and {} more", format::count(state.marked.len() - 8));
        ui.label(RichText::new(more).small().color(tokens.text_weak));
    }
    ui.horizontal_wrapped(|ui| {
        if ui.button(format!("{button}  Enter")).clicked() {
            actions.push(Action::BulkNow(bulk));
        }
        if ui.button("Back  Escape").clicked() {
            actions.push(Action::Leave);
        }
    });
}
