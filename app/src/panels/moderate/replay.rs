//! Replaying past cases: choosing them, the queue of their own, and how the team judged beside one's own decision.

use egui::{DragValue, RichText, Ui};
use plumb_core::Lane;
use plumb_moderate::onboarding::{Lesson, Pick, Standing};
use plumb_moderate::workplace::{ReplayJob, ReviewJob};

use super::action::{Action, Work};
use super::onboarding;
use super::state::{Bucket, Review, State, Tab};
use crate::shell::panel::PanelCx;
use crate::theme::{UiExt as _, semibold};
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::choice::choice;
use crate::widgets::{format, status};

/// Past cases a newcomer judges one after the other.
const LESSONS: usize = 12;

impl State {
    /// Whether past cases are being replayed.
    pub fn in_replay(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.work.is_replay())
    }

    /// Something pressed may not be written yet: what is open must stay open.
    pub fn unwritten(&self) -> bool {
        !(self.outbox.is_empty() && self.in_flight.is_empty() && self.lost.is_empty())
    }

    /// Other cases every time, but the same ones for the same state of the log.
    fn draw_seed(&mut self, cx: &PanelCx<'_>) -> u64 {
        let seed = cx.settings.seed.wrapping_add(self.board.as_ref().map_or(0, |board| board.seq)) + self.counter;
        self.counter += 1;
        seed
    }

    /// Choose past cases to judge one after the other.
    pub fn ask_lessons(&mut self, cx: &PanelCx<'_>) {
        let Some(work) = self.opened.as_ref().map(|opened| opened.work.clone()) else { return };
        self.review = Review::default();
        let seed = self.draw_seed(cx);
        let job = ReviewJob { work, pick: Pick::Mixed, count: LESSONS };
        self.lessons.request(cx.engine, Lane::Device, seed, job);
    }

    /// Set out past cases as a queue.
    pub fn begin_replay(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = self.opened.clone() else { return };
        let seed = self.draw_seed(cx);
        let job = ReplayJob { opened, pick: self.settings.pick, count: self.settings.replay, now: format::clock() };
        self.replaying.request(cx.engine, Lane::Device, seed, job);
    }

    /// The past cases are set out: they take the place of the team's queue.
    pub fn enter_replay(&mut self, cx: &PanelCx<'_>) {
        let Some(replay) = self.replaying.value().cloned() else { return };
        self.replaying.clear();
        if self.unwritten() {
            "Wait until what you did is written, then begin the replay.".clone_into(&mut self.said);
            return;
        }
        let home = self.opened.take();
        let kept = (self.settings.bucket, self.settings.last.clone());
        self.begin(replay, cx);
        self.home = home.map(|home| (home, kept));
        self.settings.bucket = Bucket::Review;
        self.settings.tab = Tab::Queue;
        self.asking = super::state::Asking::Nothing;
        self.shown_for = None;
        self.arrange();
        self.go(0, cx);
        "Decide as if they were new; after each you see how the team judged it.".clone_into(&mut self.said);
    }

    /// Back to the team's queue.
    pub fn end_replay(&mut self, cx: &PanelCx<'_>) {
        let Some((home, (bucket, last))) = self.home.take() else { return };
        (self.settings.bucket, self.settings.last) = (bucket, last);
        self.settings.tab = Tab::Onboarding;
        self.begin(home, cx);
        self.refresh(None, cx);
    }
}

/// Where a replay begins.
pub fn start(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    ui.label(semibold("Replay the log as a queue").color(tokens.text_strong));
    let text = "Past cases as if they were new, with all keys of the queue: decide, skip, come back. After each decision you see who voted how and why, and how often you agree. It is kept apart from the team's log and ends with the window.";
    ui.add(egui::Label::new(RichText::new(text).color(tokens.text)).wrap());
    ui.add_space(4.0);
    let picks = [
        (Pick::Mixed, "Half split", "Cases with two votes or more, half of them with votes that differ"),
        (Pick::Split, "Split", "Only cases on which votes differ"),
        (Pick::Panels, "Panels", "Only cases that a panel decided"),
        (Pick::All, "All", "All past cases, also those that one moderator decided alone"),
    ];
    choice(ui, "Past cases", &mut state.settings.pick, &picks);
    ui.horizontal_wrapped(|ui| {
        let label = ui.label("Cases");
        ui.add(DragValue::new(&mut state.settings.replay).range(1..=100_000)).labelled_by(label.id);
        if ui.add_enabled(!state.replaying.is_pending(), egui::Button::new("Begin replay")).clicked() {
            actions.push(Action::Replay);
        }
    });
    if state.replaying.is_pending() && status::busy(ui, "Setting out past cases", state.replaying.progress().as_ref()) {
        actions.push(Action::Stop(Work::Lessons));
    }
    if let Some(error) = state.replaying.error()
        && status::error_box(ui, "There is nothing to replay", &error.to_string())
    {
        actions.push(Action::Dismiss(Work::Lessons));
    }
}

/// The line above a replay's queue.
pub fn line(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let Some(standing) = state.board.as_ref().and_then(|board| board.standing.as_ref()) else { return };
    let total = state.board.as_ref().map_or(0, |board| board.counts.iter().sum());
    badge(ui, Mark::Diamond, Tone::Caution, "replay").on_hover_text("Nothing of it enters the team's log");
    ui.label(RichText::new(summary(standing, total)).color(ui.tokens().text));
    if ui.button("End replay").clicked() {
        actions.push(Action::EndReplay);
    }
}

fn summary(standing: &Standing, total: usize) -> String {
    let judged = format!("{} of {} judged", format::count(standing.answered), format::count(total));
    match standing.cases {
        0 => judged,
        cases => format!("{judged}, {} of {} with the majority", format::count(standing.same), format::count(cases)),
    }
}

/// How the team had judged the case that was decided in the replay.
pub fn answer(ui: &mut Ui, state: &State, lesson: &Lesson, remove: bool) {
    onboarding::said(ui, state, lesson, remove);
}

/// The on-boarding page of a replay.
pub fn page(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let Some(standing) = state.board.as_ref().and_then(|board| board.standing.as_ref()) else { return };
    if standing.answered == 0 {
        let text = "How you judge beside the team is shown here as soon as you have decided a case.";
        if status::empty(ui, "Nothing is decided yet", text, Some("Show the queue")) {
            actions.push(Action::Show(Tab::Queue));
        }
        return;
    }
    onboarding::standing_ui(ui, state, standing);
}
