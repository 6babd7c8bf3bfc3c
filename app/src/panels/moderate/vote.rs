//! The vote card of a panel: choice, rule, reason, confidence. While votes are hidden it says how many are in only where
//! the team's policy shows that, and never whose.

use egui::{RichText, Role, Ui, WidgetInfo};
use plumb_moderate::model::{Choice, Reason};
use plumb_moderate::workplace::PanelLook;

use super::action::Action;
use super::state::{Asking, Focus, State};
use crate::theme::{UiExt as _, semibold};
use crate::widgets::choice::choice;
use crate::widgets::{format, status};

/// Draw the card.
pub fn ui(ui: &mut Ui, state: &mut State, panel: &PanelLook, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let title = if panel.round > 1 { "The whole team votes" } else { "A panel votes" };
    ui.label(semibold(title).color(tokens.text_strong));
    ui.label(RichText::new(why(panel.reason)).color(tokens.text));
    progress(ui, panel);
    let view = &panel.view;
    let left = view.deadline - format::clock();
    let deadline = if left > 0 { format!("{} left", format::span(left)) } else { "its time is over".to_owned() };
    ui.label(RichText::new(deadline).small().color(tokens.text_weak));
    if panel.withdraw && ui.button("Withdraw this panel  u").clicked() {
        actions.push(Action::Undo);
    }
    if !view.seated {
        status::note(ui, "You have no seat on this panel. Its votes are shown when all are in.");
        return;
    }
    if panel.shadow {
        status::note(ui, "You vote in the shadow: your vote is kept to learn from and does not count.");
    }
    let revising = state.draft.as_ref().is_some_and(|draft| draft.revising && draft.panel == view.panel);
    if let Some(own) = view.own.as_ref().filter(|_| !revising) {
        ui.add_space(4.0);
        let words = format!("You voted: {}, sure {} of 5.", word(own.choice), own.confidence);
        ui.label(RichText::new(words).color(tokens.text_strong));
        super::text::text_ui(ui, "Your reason", &own.rationale, tokens.sizes.body, tokens.text, false);
        let next = "When all votes are in, a split panel talks before it ends; you can revise your vote once then.";
        ui.label(RichText::new(next).small().color(tokens.text_weak));
        return;
    }
    form(ui, state, panel, revising, actions);
}

/// Why a panel was drawn, without what the model thinks of anybody.
pub fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Model => "Moderators tend to split on cases like this.",
        Reason::Manual => "A moderator asked for a second opinion.",
        Reason::Audit => "Drawn at random, to see what the model misses.",
        Reason::Appeal => "The author appealed.",
        Reason::Escalation => "An earlier panel or moderator passed it on to the whole team.",
    }
}

/// What a choice is called.
pub fn word(choice: Choice) -> &'static str {
    match choice {
        Choice::Approve => "approve",
        Choice::Remove => "remove",
        Choice::Abstain => "abstain",
        Choice::Escalate => "escalate",
    }
}

/// Dots without names.
fn progress(ui: &mut Ui, panel: &PanelLook) {
    let tokens = ui.tokens();
    let seats = panel.view.seats;
    let Some(voted) = panel.view.voted else {
        ui.label(
            RichText::new(format!("{seats} seats; how many have voted is not shown")).small().color(tokens.text_weak),
        );
        return;
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        for seat in 0..seats.min(12) {
            let (rect, _) = ui.allocate_exact_size(egui::vec2(9.0, 12.0), egui::Sense::hover());
            if seat < voted {
                ui.painter().circle_filled(rect.center(), 4.0, tokens.accent);
            } else {
                ui.painter().circle_stroke(rect.center(), 3.5, (1.0, tokens.border_strong));
            }
        }
        ui.label(RichText::new(format!("{voted} of {seats} voted")).small().color(tokens.text_weak));
    });
}

fn form(ui: &mut Ui, state: &mut State, panel: &PanelLook, revising: bool, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let draft = state.draft_for(&panel.view.panel).clone();
    ui.add_space(6.0);
    ui.label(semibold(if revising { "Revise your vote" } else { "Your vote" }).color(tokens.text_strong));
    let options = [
        (Some(Choice::Approve), "Approve  a", "It stays"),
        (Some(Choice::Remove), "Remove  r", "It goes; then the rule"),
        (Some(Choice::Escalate), "Escalate  e", "The whole team should look at it"),
        (Some(Choice::Abstain), "Abstain  o", "No opinion; counts towards nothing but the seat"),
    ];
    let mut chosen = draft.choice;
    if choice(ui, "Vote", &mut chosen, &options)
        && let Some(chosen) = chosen
    {
        actions.push(match chosen {
            Choice::Approve => Action::Approve,
            Choice::Remove => Action::Remove,
            Choice::Escalate => Action::Escalate,
            Choice::Abstain => Action::Abstain,
        });
    }
    if draft.choice == Some(Choice::Remove) {
        let rule = draft.rule.as_deref().map_or("no rule yet", |rule| state.rule_title(rule)).to_owned();
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(format!("Rule: {rule}")).color(tokens.text));
            if ui.button(RichText::new("Change").small()).clicked() {
                state.asking = Asking::Rule(Vec::new());
            }
        });
    }
    let focus = state.focus == Some(Focus::Rationale);
    let draft = state.draft_for(&panel.view.panel);
    ui.label(RichText::new("Why  w").small().color(tokens.text_weak));
    let edit = egui::TextEdit::multiline(&mut draft.rationale).desired_rows(3).desired_width(f32::INFINITY);
    let field = ui.add(edit.hint_text("A sentence at least; the others read it after the reveal"));
    field.widget_info(|| WidgetInfo::labeled(Role::MultilineTextInput, true, "Reason for the vote"));
    let mut sure = draft.confidence;
    let levels =
        [(1, "1", "Not sure at all"), (2, "2", ""), (3, "3", "Fairly sure"), (4, "4", ""), (5, "5", "Certain")];
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("How sure").small().color(tokens.text_weak));
        if choice(ui, "Confidence", &mut sure, &levels) {
            actions.push(Action::Confidence(sure));
        }
    });
    let ready = draft.ready();
    if focus {
        state.focus = None;
        field.request_focus();
    }
    ui.horizontal_wrapped(|ui| {
        let name = if revising { "Cast revised vote" } else { "Cast vote" };
        let button = egui::Button::new(name).shortcut_text(RichText::new("Shift+Enter").small());
        if ui.add_enabled(ready, button).clicked() {
            actions.push(Action::Cast);
        }
        if !revising && !panel.shadow {
            let recuse = ui.button("Recuse").on_hover_text("Give up your seat; somebody else is drawn for it");
            if recuse.clicked() {
                actions.push(Action::Recuse);
            }
        }
    });
    let leaves = if revising {
        "A vote can be revised once."
    } else if panel.view.hidden {
        "A cast vote stays hidden until all are in and cannot be taken back; after the reveal it can be revised once."
    } else {
        "Everybody sees your vote; it can be revised once."
    };
    ui.label(RichText::new(leaves).small().color(tokens.text_weak));
}
