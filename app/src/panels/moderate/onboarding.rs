//! On-boarding: past cases judged again without seeing what the team said, then compared. Nothing of it enters the log.

use egui::{Frame, Margin, RichText, ScrollArea, Ui};
use plumb_moderate::model::Verdict;
use plumb_moderate::onboarding::{Lesson, Standing, standing};

use super::action::{Action, Work};
use super::state::State;
use super::text::text_ui;
use super::{replay, waits};
use crate::theme::{UiExt as _, semibold};
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::tile::{self, Tile};
use crate::widgets::{format, scroll};

/// Draw the page.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let area = ScrollArea::vertical().auto_shrink(false).id_salt("moderate onboarding");
    scroll::show(ui, "On-boarding", area, |ui| {
        ui.set_max_width(760.0);
        if state.in_replay() {
            replay::page(ui, state, actions);
        } else if waits(ui, &state.lessons, "Choosing past cases", Work::Lessons, actions) {
            begin(ui, state, actions);
        } else {
            lessons(ui, state, actions);
        }
    });
}

/// Twelve cases, or a queue of them.
fn begin(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    if !state.lessons.is_pending() && state.lessons.error().is_none() {
        ui.add_space(8.0);
        ui.label(semibold("Learn how this team judges").color(tokens.text_strong));
        let text = "Judge twelve past cases as if they were new, half of them cases on which the team split. After each you see who voted how and why. Nothing of it enters the log.";
        ui.add(egui::Label::new(RichText::new(text).color(tokens.text)).wrap());
        ui.add_space(4.0);
        if ui.button("Begin").clicked() {
            actions.push(Action::Lessons);
        }
    }
    ui.add_space(20.0);
    replay::start(ui, state, actions);
}

fn lessons(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let Some(lessons) = state.lessons.value().cloned() else { return };
    let answered = state.review.answers.len();
    if state.review.shown && answered > 0 {
        progress(ui, answered, lessons.len());
        result(ui, state, &lessons[answered - 1], state.review.answers[answered - 1]);
        let name = if answered == lessons.len() { "See how you did  j" } else { "Next case  j" };
        if ui.button(name).clicked() {
            actions.push(Action::NextLesson);
        }
    } else if let Some(lesson) = lessons.get(answered) {
        progress(ui, answered, lessons.len());
        case(ui, state, lesson);
        ui.horizontal(|ui| {
            if ui.button("Approve  a").clicked() {
                actions.push(Action::Answer(false));
            }
            if ui.button("Remove  r").clicked() {
                actions.push(Action::Answer(true));
            }
        });
    } else {
        let answers = state.review.answers.iter().copied();
        standing_ui(ui, state, &standing(lessons.iter().zip(answers)));
        ui.add_space(8.0);
        ui.horizontal_wrapped(|ui| {
            if ui.button("Twelve others").clicked() {
                actions.push(Action::Lessons);
            }
            if ui.button("Back").clicked() {
                actions.push(Action::ForgetLessons);
            }
        });
    }
}

fn progress(ui: &mut Ui, at: usize, of: usize) {
    let text = format!("{at} of {of} past cases judged");
    ui.label(RichText::new(text).small().color(ui.tokens().text_weak));
}

fn case(ui: &mut Ui, state: &State, lesson: &Lesson) {
    let tokens = ui.tokens();
    let case = &lesson.case;
    ui.label(semibold(&case.id).color(tokens.text_strong));
    if let Some(thread) = case.thread_title.as_deref() {
        ui.label(RichText::new(format!("In the thread “{thread}”")).small().color(tokens.text_weak));
    }
    let judge = plumb_text::classify::NgramClassifier::embedded();
    let harm = judge.map_or(0.0, |judge| judge.probability(&case.text_alone()));
    let hidden = state.hides(&case.id, harm);
    if let Some(parent) = case.parent_body.as_deref().filter(|parent| !parent.is_empty()) {
        text_ui(ui, "Answers", parent, tokens.sizes.body, tokens.text_weak, hidden);
        ui.add_space(4.0);
    }
    let frame = Frame::new().fill(tokens.surface_raised).stroke((1.0, tokens.border_strong)).corner_radius(6);
    frame.inner_margin(Margin::symmetric(14, 10)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        text_ui(ui, "Past case to judge", &case.text_alone(), tokens.sizes.body + 1.5, tokens.text_strong, hidden);
    });
    for report in case.reports.iter().take(6) {
        let title = state.rule_title(&report.reason);
        let text = format!("{} × {title}", format::count(report.count as usize));
        ui.label(RichText::new(text).small().color(tokens.text_weak));
    }
    ui.add_space(6.0);
}

fn word(remove: bool) -> (&'static str, Mark, Tone) {
    if remove { ("remove", Mark::Cross, Tone::Bad) } else { ("approve", Mark::Check, Tone::Good) }
}

fn result(ui: &mut Ui, state: &State, lesson: &Lesson, answer: bool) {
    case(ui, state, lesson);
    said(ui, state, lesson, answer);
}

/// Who of the team said what, beside one's own answer.
pub fn said(ui: &mut Ui, state: &State, lesson: &Lesson, answer: bool) {
    let tokens = ui.tokens();
    let (yours, ..) = word(answer);
    let text = match lesson.majority() {
        None => format!("You: {yours}. The team was split down the middle."),
        Some(majority) if (majority == Verdict::Remove) == answer => format!("You: {yours}, as most of the team."),
        Some(_) => format!("You: {yours}. Most of the team said the opposite."),
    };
    ui.label(semibold(text).color(tokens.text_strong));
    if !lesson.rule.is_empty() {
        ui.label(RichText::new(format!("It was about “{}”.", state.rule_title(&lesson.rule))).color(tokens.text));
    }
    for said in &lesson.said {
        ui.horizontal_wrapped(|ui| {
            let (name, mark, tone) = word(said.remove);
            ui.label(RichText::new(&said.moderator).strong());
            badge(ui, mark, tone, name);
        });
        if !said.rationale.is_empty() {
            text_ui(ui, &said.moderator, &said.rationale, tokens.sizes.body, tokens.text, false);
        }
    }
    ui.add_space(6.0);
}

/// How one judges beside the team.
pub fn standing_ui(ui: &mut Ui, state: &State, standing: &Standing) {
    let tokens = ui.tokens();
    ui.label(semibold("How you did").color(tokens.text_strong));
    let tiles = [
        Tile {
            name: "With the majority",
            value: format!("{} of {}", standing.same, standing.cases),
            detail: "cases with a majority".to_owned(),
            meaning: "Where the team was split nobody agrees with everybody; ties count for nobody.",
            exact: standing.same.to_string(),
        },
        Tile {
            name: "Agreed with you",
            value: format::percent(standing.share),
            detail: format!("{} agree with one of the team", format::percent(standing.team)),
            meaning: "Mean share of the team that voted as you did; below, the mean share of the others that votes like one of the team.",
            exact: standing.share.to_string(),
        },
    ];
    tile::row(ui, &tiles, 180.0);
    ui.add_space(6.0);
    for (rule, (cases, same)) in &standing.rules {
        let title = if rule.is_empty() { "no rule" } else { state.rule_title(rule) };
        ui.label(RichText::new(format!("{title}: {same} of {cases} with the majority")).color(tokens.text));
    }
}
