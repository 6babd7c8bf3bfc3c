//! The line above everything: which database, who signed in, what is shown, breaks.

use egui::{RichText, Role, Ui, WidgetInfo};
use plumb_moderate::sandbox;
use plumb_moderate::state::Phase;
use plumb_moderate::workplace::Hearing;

use super::action::{Action, Work};
use super::state::{State, Tab};
use crate::theme::{Icon, UiExt as _};
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::choice::choice;
use crate::widgets::{format, status};

const TABS: [(Tab, &str, &str); 6] = [
    (Tab::Queue, "Queue", "Cases, one after the other"),
    (Tab::Disagreement, "Disagreement", "Where moderators differ: cases, rules, pairs"),
    (Tab::Settings, "Settings", "Panels, budget with a forecast from this log, the model"),
    (Tab::Onboarding, "On-boarding", "Judge past cases and see what the team said"),
    (Tab::Report, "Report", "Figures for others, without names and texts"),
    (Tab::Data, "Data", "Open, import, export"),
];

const REPLAY_TABS: [(Tab, &str, &str); 2] = [
    (Tab::Queue, "Queue", "Past cases as if they were new"),
    (Tab::Onboarding, "How you do", "Beside the team, by rule"),
];

/// Draw it.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.horizontal_wrapped(|ui| {
        if state.opened.is_some() {
            let mut tab = state.settings.tab;
            // A replay has nothing else: its log holds one's own decisions only.
            let tabs = if state.in_replay() { &REPLAY_TABS[..] } else { &TABS[..] };
            if choice(ui, "Show", &mut tab, tabs) {
                actions.push(Action::Show(tab));
            }
        }
        place(ui, state, actions);
    });
    waiting(ui, state, actions);
    rest(ui, state, actions);
}

fn place(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let (Some(opened), Some(board)) = (&state.opened, &state.board) else { return };
    let tokens = ui.tokens();
    if state.in_replay() {
        return super::replay::line(ui, state, actions);
    }
    if board.practice {
        badge(ui, Mark::Diamond, Tone::Caution, "made up").on_hover_text(sandbox::NOTICE);
    } else {
        let name = opened.at.name();
        let short = name.rsplit(['/', '\\']).next().unwrap_or(&name).to_owned();
        ui.label(RichText::new(short).small().color(tokens.text_weak)).on_hover_text(name);
    }
    if opened.accounts {
        let who = format!("{}{}", board.who.name, if board.who.lead { ", leads" } else { "" });
        ui.label(RichText::new(who).color(tokens.text));
    } else {
        switch(ui, board, actions);
    }
    let votes = board.seats.iter().filter(|seat| !seat.voted).count();
    if votes > 0 {
        let text = format!("{} for you", format::counted(votes, "vote", "votes"));
        if ui.button(RichText::new(text).small()).on_hover_text("Go to the panel that ends first").clicked()
            && let Some(seat) = board.seats.first()
        {
            actions.push(Action::Look(seat.case.clone()));
        }
    }
    let writing = state.outbox.len() + state.in_flight.len();
    if writing > 0 {
        ui.label(RichText::new(format!("writing {writing}")).small().color(tokens.text_weak));
    }
    if Icon::Refresh.button(ui, "Look for news").clicked() {
        actions.push(Action::Refresh);
    }
    let now = ui.input(|input| input.time);
    let seen = state.exposure.revealed(now);
    let mut text = format!("{} handled", state.exposure.handled);
    if seen > 0 {
        text = format!("{text} · {seen} revealed");
    }
    ui.label(RichText::new(text).small().color(tokens.text_weak))
        .on_hover_text("Cases you handled in this session, and hidden texts you revealed within the last hour");
}

/// Whoever sits at the sandbox may be any of its moderators.
fn switch(ui: &mut Ui, board: &plumb_moderate::workplace::Board, actions: &mut Vec<Action>) {
    let mut chosen = board.who.name.clone();
    let response = egui::ComboBox::from_id_salt("moderator")
        .selected_text(&chosen)
        .width(96.0)
        .height(420.0)
        .show_ui(ui, |ui| {
            for moderator in board.team.iter().filter(|moderator| moderator.active) {
                let name = if moderator.trainee { format!("{}, trainee", moderator.id) } else { moderator.id.clone() };
                ui.selectable_value(&mut chosen, moderator.id.clone(), name);
            }
        })
        .response;
    let name = format!("Signed in as {}", board.who.name);
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &name));
    response.on_hover_text("There are no passwords here: be any of the moderators");
    if chosen != board.who.name {
        actions.push(Action::Switch(chosen));
    }
}

fn waiting(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if let Some(Hearing::Lost(why)) = state.hearing() {
        let text = format!("Not connected. {why}. Until then this shows what was there before.");
        status::note(ui, &text);
    }
    let works: [(bool, Option<plumb_core::Progress>, &str, Work); 4] = [
        (state.opening.is_pending(), state.opening.progress(), "Opening", Work::Open),
        (state.sorting.is_pending(), state.sorting.progress(), "Sorting in new cases", Work::SortIn),
        (state.applying.is_pending(), state.applying.progress(), "Marking as carried out", Work::SortIn),
        (state.importing.is_pending(), state.importing.progress(), "Importing", Work::Files),
    ];
    for (pending, progress, reason, work) in works {
        if pending && status::busy(ui, reason, progress.as_ref()) {
            actions.push(Action::Stop(work));
        }
    }
    let errors = [
        (state.opening.error(), "The database could not be opened", Work::Open),
        (state.refreshing.error(), "News could not be read", Work::Refresh),
        (state.sorting.error(), "New cases could not be sorted in", Work::SortIn),
        (state.applying.error(), "Not all could be marked", Work::SortIn),
    ];
    for (error, title, work) in errors {
        if let Some(error) = error
            && status::error_box(ui, title, &error.to_string())
        {
            actions.push(Action::Dismiss(work));
        }
    }
    let Some(board) = &state.board else { return };
    let new = board.count(&[Phase::New, Phase::Scored]);
    if new > 0 && board.who.lead && !state.sorting.is_pending() {
        ui.horizontal_wrapped(|ui| {
            let text = format!("{} came in and are with nobody yet.", format::counted(new, "case", "cases"));
            ui.label(RichText::new(text).color(ui.tokens().text));
            let hover = "To panels where the model expects disagreement, to one moderator otherwise";
            if ui.button("Sort in new cases").on_hover_text(hover).clicked() {
                actions.push(Action::SortIn);
            }
        });
    }
}

fn rest(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let now = ui.input(|input| input.time);
    let settings = &state.settings;
    let Some(why) = state.exposure.break_due(now, settings.break_minutes, settings.break_reveals) else { return };
    ui.horizontal_wrapped(|ui| {
        badge(ui, Mark::Diamond, Tone::Caution, "break");
        ui.label(&why);
        if ui.button("I took a break").clicked() {
            actions.push(Action::Rested);
        }
        if ui.button("Later").clicked() {
            actions.push(Action::Later);
        }
    });
}
