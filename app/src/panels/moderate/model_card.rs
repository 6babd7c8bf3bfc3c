//! The vote model: what it learnt from, how well it predicts held-out votes, whether it still fits, training anew.

use egui::{Id, RichText, Ui};
use plumb_moderate::train::{Card, Quality};
use plumb_moderate::workplace::Learnt;

use super::action::{Action, Work};
use super::state::State;
use crate::theme::{UiExt as _, semibold};
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::chart::{Axis, Chart, Draw, LegendPlace, Series};
use crate::widgets::chart_ui::chart_ui;
use crate::widgets::{format, status};

/// Draw card, calibration and drift.
pub fn ui(ui: &mut Ui, state: &State, learnt: &Learnt, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    ui.label(semibold("The vote model").color(tokens.text_strong));
    let Some(card) = &learnt.card else {
        ui.label("There is no model yet. It learns from decisions and votes; train one once there are some hundred.");
        train(ui, state, actions);
        return;
    };
    card_ui(ui, card, state.board.as_ref().is_some_and(|board| board.practice));
    if let Some(drift) = &learnt.drift {
        ui.horizontal_wrapped(|ui| {
            let (mark, tone, word) = if drift.alarm {
                (Mark::Triangle, Tone::Caution, "drift")
            } else {
                (Mark::Check, Tone::Good, "no drift")
            };
            badge(ui, mark, tone, word);
            ui.label(RichText::new(&drift.advice).color(tokens.text));
        });
    }
    if let Some(quality) = &card.held_out
        && let Some(save) = chart_ui(ui, Id::unique("moderate calibration"), 200.0, &calibration(quality), |_| {}).save
    {
        actions.push(Action::Save(save));
    }
    train(ui, state, actions);
}

/// What is known of a model, in a few lines.
pub fn card_ui(ui: &mut Ui, card: &Card, practice: bool) {
    let tokens = ui.tokens();
    let learnt = format!(
        "{}: learnt from {} on {} by {}",
        card.version,
        format::counted(card.votes, "vote", "votes"),
        format::counted(card.items, "case", "cases"),
        format::counted(card.moderators, "moderator", "moderators")
    );
    ui.label(RichText::new(learnt).color(tokens.text));
    match &card.held_out {
        Some(quality) => {
            let text = format!(
                "On {} held out: AUC {}, log loss {}, calibration error {}.",
                format::counted(quality.votes, "vote", "votes"),
                quality.auc.map_or_else(|| "not known".to_owned(), format::short),
                format::short(quality.nll),
                format::short(quality.ece)
            );
            ui.label(RichText::new(text).color(tokens.text)).on_hover_text(
                "AUC: how often a removed case was thought likelier to be removed than a kept one. Calibration error: mean distance of predicted and real shares, ten groups.",
            );
        }
        None => {
            ui.label(RichText::new("Too few votes to measure it.").color(tokens.text));
        }
    }
    if !card.may_route && practice {
        status::note(
            ui,
            "Its probabilities are too far off to send cases to panels by itself. In the sandbox it does so all the same, to show how panels work.",
        );
    } else if !card.may_route {
        status::note(
            ui,
            "Its probabilities are too far off, so it sends no cases to panels by itself; audits and second opinions go on.",
        );
    }
}

fn train(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    super::waits(ui, &state.training, "Training the vote model", Work::Train, actions);
    if let Some((done, _)) = state.training.value() {
        ui.label(RichText::new(&done.why).color(ui.tokens().text));
    }
    if !state.leads() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        let idle = !state.training.is_pending();
        let button = ui.add_enabled(idle, egui::Button::new("Train anew"));
        if button.on_hover_text("In the background; a worse model does not replace a better one").clicked() {
            actions.push(Action::Train(false));
        }
        let kept = state.training.value().is_some_and(|(done, _)| !done.replaced);
        if kept && ui.button("Take the new one all the same").clicked() {
            actions.push(Action::Train(true));
        }
    });
}

fn calibration(quality: &Quality) -> Chart {
    let points = quality.bins.iter().map(|bin| [bin.predicted, bin.removed]);
    Chart {
        title: "Calibration on held-out votes".to_owned(),
        x: Axis::linear("predicted probability of removal"),
        y: Axis::linear("share removed"),
        series: vec![
            Series::pairs("perfect", [[0.0, 0.0], [1.0, 1.0]], Draw::Dashed, 4),
            Series::pairs("this model", points, Draw::Dots, 0),
        ],
        legend: LegendPlace::BottomRight,
        include_y: vec![0.0, 1.0],
        ..Chart::default()
    }
}
