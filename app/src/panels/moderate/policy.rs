//! Settings: the team's rules for panels, and what a budget would bring.

use egui::{DragValue, RichText, ScrollArea, Slider, Ui};
use plumb_moderate::model::Policy;

use super::action::Action;
use super::list::BLURS;
use super::state::State;
use super::{forecast, model_card};
use crate::theme::{UiExt as _, semibold};
use crate::widgets::choice::choice;
use crate::widgets::{scroll, status};

/// Draw the page.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let area = ScrollArea::vertical().auto_shrink(false).id_salt("moderate settings");
    scroll::show(ui, "Settings of moderation", area, |ui| {
        if ui.available_width() > 760.0 {
            ui.columns(2, |columns| {
                forecast::ui(&mut columns[0], state, actions);
                right(&mut columns[1], state, actions);
            });
        } else {
            forecast::ui(ui, state, actions);
            right(ui, state, actions);
        }
    });
}

fn right(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    panels(ui, state, actions);
    ui.add_space(10.0);
    yours(ui, state);
    ui.add_space(10.0);
    ui.label(semibold("Vote model").color(ui.tokens().text_strong));
    let practice = state.board.as_ref().is_some_and(|board| board.practice);
    match &state.card {
        Some(card) => model_card::card_ui(ui, card, practice),
        None => {
            ui.label("There is no model yet; new cases go to one moderator each.");
        }
    }
    let idle = state.leads() && !state.training.is_pending();
    ui.horizontal(|ui| {
        if ui.add_enabled(idle, egui::Button::new("Train anew")).clicked() {
            actions.push(Action::Train(false));
        }
    });
    super::waits(ui, &state.training, "Training the vote model", super::action::Work::Train, actions);
    if let Some((done, _)) = state.training.value() {
        ui.label(RichText::new(&done.why).color(ui.tokens().text));
    }
}

fn panels(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    ui.label(semibold("Panels").color(tokens.text_strong));
    let leads = state.leads();
    let Some(now) = state.board.as_ref().map(|board| board.policy.clone()) else { return };
    let Some(policy) = &mut state.policy else { return };
    if !leads {
        status::note(ui, "Only those who lead the team change these.");
    }
    let before = policy.panel_size;
    ui.add_enabled_ui(leads, |ui| form(ui, policy));
    let changed = *policy != now;
    let size = policy.panel_size != before;
    let wanted = policy.clone();
    ui.horizontal_wrapped(|ui| {
        let blocked = wanted.blind && wanted.stop_when_decided;
        if blocked {
            status::note(ui, "A blind panel cannot stop early: its end would tell how the others voted.");
        }
        if ui.add_enabled(leads && changed && !blocked, egui::Button::new("Use these")).clicked() {
            actions.push(Action::SetPolicy(Box::new(wanted)));
        }
        if ui.add_enabled(changed, egui::Button::new("Back to what is in use")).clicked() {
            state.policy = Some(now);
        }
    });
    if size {
        actions.push(Action::Forecast);
    }
}

fn form(ui: &mut Ui, policy: &mut Policy) {
    let sizes = [(3, "3", ""), (5, "5", ""), (7, "7", "")];
    ui.horizontal_wrapped(|ui| {
        ui.label("Seats");
        choice(ui, "Seats of a panel", &mut policy.panel_size, &sizes);
    });
    ui.horizontal_wrapped(|ui| {
        let label = ui.label("Hours until a panel ends");
        let mut hours = policy.deadline as f64 / 3600.0;
        let field = DragValue::new(&mut hours).range(0.5..=336.0).speed(0.5).fixed_decimals(1);
        if ui.add(field).labelled_by(label.id).changed() {
            policy.deadline = (hours * 3600.0).round() as i64;
        }
    });
    ui.checkbox(&mut policy.blind, "Hide votes until all are in").on_hover_text("Nobody is swayed by who voted first");
    ui.add_enabled(policy.blind, egui::Checkbox::new(&mut policy.show_progress, "Show how many have voted"));
    ui.checkbox(&mut policy.discuss_splits, "Split panels talk before they end");
    ui.add_enabled(
        !policy.blind || policy.stop_when_decided,
        egui::Checkbox::new(&mut policy.stop_when_decided, "End as soon as the majority is certain"),
    );
    ui.horizontal_wrapped(|ui| {
        ui.label("To remove");
        let mut qualified = policy.removal_share > 0.6;
        let options = [(false, "more than half", ""), (true, "two thirds", "More than 66 % of the votes cast")];
        if choice(ui, "Votes needed to remove", &mut qualified, &options) {
            policy.removal_share = if qualified { 0.66 } else { 0.5 };
        }
    });
    ui.horizontal_wrapped(|ui| {
        let label = ui.label("Trainees who vote beside each panel");
        ui.add(DragValue::new(&mut policy.shadow_seats).range(0..=3))
            .labelled_by(label.id)
            .on_hover_text("Their votes are kept to learn from and do not count");
    });
}

fn yours(ui: &mut Ui, state: &mut State) {
    let tokens = ui.tokens();
    ui.label(semibold("For you").color(tokens.text_strong));
    ui.checkbox(&mut state.settings.advance, "Go on to the next case after a verdict");
    ui.horizontal_wrapped(|ui| {
        ui.label("Hide texts");
        choice(ui, "Hide texts", &mut state.settings.blur, &BLURS);
    });
    ui.horizontal_wrapped(|ui| {
        let label = ui.label("Suggest a break after minutes");
        let field = Slider::new(&mut state.settings.break_minutes, 0..=180);
        ui.add(field).labelled_by(label.id).on_hover_text("0 for never");
    });
    ui.horizontal_wrapped(|ui| {
        let label = ui.label("or after so many revealed texts an hour");
        let field = Slider::new(&mut state.settings.break_reveals, 0..=200);
        ui.add(field).labelled_by(label.id).on_hover_text("0 for never");
    });
}
