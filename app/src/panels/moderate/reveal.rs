//! A panel whose votes are shown: side by side, with rule and reason, what was revised, and what was said.

use egui::{Frame, Margin, RichText, Role, Ui, WidgetInfo};
use plumb_moderate::model::Choice;
use plumb_moderate::state::Vote;
use plumb_moderate::workplace::{Look, PanelLook};

use super::action::Action;
use super::state::State;
use super::text::text_ui;
use super::vote::word;
use crate::theme::{UiExt as _, semibold};
use crate::widgets::badge::{Mark, Tone, badge};

/// Draw it.
pub fn ui(ui: &mut Ui, state: &mut State, look: &Look, panel: &PanelLook, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let Some(votes) = panel.view.votes.as_ref().filter(|votes| !votes.is_empty()) else { return };
    ui.add_space(6.0);
    ui.label(semibold("Votes").color(tokens.text_strong));
    summary(ui, panel, votes);
    let width = ui.available_width();
    let columns = ((width / 150.0) as usize).clamp(1, 3);
    for row in votes.chunks(columns) {
        if columns == 1 {
            for (who, vote) in row {
                card(ui, state, who, vote, panel);
            }
        } else {
            ui.columns(columns, |columns| {
                for (ui, (who, vote)) in columns.iter_mut().zip(row) {
                    card(ui, state, who, vote, panel);
                }
            });
        }
    }
    talk(ui, state, panel, actions);
    if panel.view.seated && !panel.closed && panel.view.own.is_some() {
        buttons(ui, state, votes, panel, actions);
    }
    clarify(ui, state, look, panel, actions);
}

fn summary(ui: &mut Ui, panel: &PanelLook, votes: &[(String, Vote)]) {
    let counted = votes.iter().filter(|(who, _)| panel.members.contains(who));
    let count = |choice| counted.clone().filter(|(_, vote)| vote.ballot.choice == choice).count();
    let (remove, approve) = (count(Choice::Remove), count(Choice::Approve));
    let state = if panel.closed { "It has ended" } else { "The panel talks" };
    let text = format!("{remove} to remove, {approve} to approve. {state}.");
    ui.label(RichText::new(text).color(ui.tokens().text));
}

fn mark(choice: Choice) -> (Mark, Tone) {
    match choice {
        Choice::Approve => (Mark::Check, Tone::Good),
        Choice::Remove => (Mark::Cross, Tone::Bad),
        Choice::Abstain => (Mark::Disc, Tone::Plain),
        Choice::Escalate => (Mark::Triangle, Tone::Caution),
    }
}

fn card(ui: &mut Ui, state: &State, who: &str, vote: &Vote, panel: &PanelLook) {
    let tokens = ui.tokens();
    let me = state.board.as_ref().is_some_and(|board| board.who.name == who);
    let frame = Frame::new()
        .fill(tokens.surface_raised)
        .stroke((1.0, if me { tokens.accent } else { tokens.border }))
        .corner_radius(4)
        .inner_margin(Margin::symmetric(10, 6));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        let name = if me { format!("{who} (you)") } else { who.to_owned() };
        let heard = ui.label(semibold(&name).color(tokens.text_strong));
        let ballot = &vote.ballot;
        let said = format!("Vote of {who}: {}: {}", word(ballot.choice), ballot.rationale);
        heard.widget_info(|| WidgetInfo::labeled(Role::Label, true, &said));
        ui.horizontal_wrapped(|ui| {
            let (shape, tone) = mark(ballot.choice);
            badge(ui, shape, tone, word(ballot.choice));
            ui.label(RichText::new(format!("sure {} of 5", ballot.confidence)).small().color(tokens.text_weak));
            if !panel.members.iter().any(|member| member == who) {
                badge(ui, Mark::Disc, Tone::Plain, "trainee, not counted");
            }
        });
        if let Some(rule) = &ballot.rule {
            ui.label(RichText::new(state.rule_title(rule)).small().color(tokens.text));
        }
        text_ui(ui, "Reason", &ballot.rationale, tokens.sizes.body, tokens.text, false);
        if let Some(before) = &vote.revised_from {
            let text = format!("Revised from {}: “{}”", word(before.choice), before.rationale);
            ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
        }
    });
}

fn talk(ui: &mut Ui, state: &mut State, panel: &PanelLook, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let open = panel.view.seated && !panel.closed;
    if panel.view.messages.is_empty() && !open {
        return;
    }
    ui.add_space(6.0);
    ui.label(semibold("Discussion").color(tokens.text_strong));
    for (who, text) in &panel.view.messages {
        ui.label(RichText::new(who).strong().color(tokens.text_strong));
        text_ui(ui, who, text, tokens.sizes.body, tokens.text, false);
        ui.add_space(2.0);
    }
    if !open {
        return;
    }
    let draft = state.draft_for(&panel.view.panel);
    let edit = egui::TextEdit::singleline(&mut draft.message).desired_width(f32::INFINITY);
    let field = ui.add(edit.hint_text("Say something to the panel, then Enter"));
    field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Message to the panel"));
    if field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter)) {
        actions.push(Action::Say);
    }
}

fn buttons(ui: &mut Ui, state: &State, votes: &[(String, Vote)], panel: &PanelLook, actions: &mut Vec<Action>) {
    let me = state.board.as_ref().map_or("", |board| board.who.name.as_str());
    let revised = votes.iter().any(|(who, vote)| who == me && vote.revised_from.is_some());
    let all = panel.members.iter().all(|member| votes.iter().any(|(who, _)| who == member));
    ui.horizontal_wrapped(|ui| {
        let revise = ui.add_enabled(!revised, egui::Button::new("Revise my vote once"));
        if revise.on_hover_text("The earlier vote stays in the log beside the new one").clicked() {
            actions.push(Action::Revise);
        }
        let close = ui.add_enabled(all && !panel.shadow, egui::Button::new("Close and count"));
        if close.on_hover_text("Ends the discussion; the majority of the votes decides").clicked() {
            actions.push(Action::Close);
        }
    });
}

fn clarify(ui: &mut Ui, state: &mut State, look: &Look, panel: &PanelLook, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    if !panel.view.votes.as_ref().is_some_and(|votes| differs(votes)) {
        return;
    }
    let rule = look.decisions.last().and_then(|decision| decision.rule.as_ref()).or(look.view.case.rule_hints.first());
    let Some(rule) = rule else { return };
    let title = state.rule_title(rule).to_owned();
    ui.add_space(6.0);
    ui.label(semibold("Propose a rule clarification").color(tokens.text_strong));
    let text =
        format!("What should “{title}” say, so that the next such case is clear? It stays with the case as a note.");
    ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
    let draft = state.draft_for(&panel.view.panel);
    let edit = egui::TextEdit::singleline(&mut draft.clarification).desired_width(f32::INFINITY);
    let field = ui.add(edit.hint_text("Then Enter"));
    field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Rule clarification"));
    if field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter)) {
        actions.push(Action::Clarify);
    }
}

fn differs(votes: &[(String, Vote)]) -> bool {
    let said = |choice| votes.iter().any(|(_, vote)| vote.ballot.choice == choice);
    said(Choice::Approve) && said(Choice::Remove)
}
