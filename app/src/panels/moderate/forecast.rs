//! The budget: which share of cases goes to panels, and what that would bring this team, measured on its own log.

use egui::{Id, RichText, Slider, Ui};
use plumb_moderate::outlook::{Basis, Outlook};

use super::action::{Action, Work};
use super::state::State;
use super::waits;
use crate::theme::{UiExt as _, semibold};
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::chart::{Axis, Chart, Draw, LegendPlace, Series};
use crate::widgets::chart_ui::chart_ui;
use crate::widgets::format;
use crate::widgets::tile::{self, Tile};

/// Draw slider, figures and curve.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    ui.label(semibold("Budget").color(tokens.text_strong));
    ui.horizontal_wrapped(|ui| {
        let label = ui.label("Share of cases for panels");
        let mut percent = state.settings.budget * 100.0;
        let slider = Slider::new(&mut percent, 0.0..=100.0).fixed_decimals(0).suffix(" %").step_by(1.0);
        if ui.add(slider).labelled_by(label.id).changed() {
            state.settings.budget = percent / 100.0;
        }
    });
    let hint = "Used when new cases are sorted in. The figures below come from this team's own log.";
    ui.label(RichText::new(hint).small().color(tokens.text_weak));
    if waits(ui, &state.outlook, "Simulating panels on this log", Work::Forecast, actions) {
        return;
    }
    let Some(outlook) = state.outlook.value().cloned() else { return };
    let at = outlook.at(state.settings.budget);
    ui.horizontal_wrapped(|ui| {
        let (mark, tone, word) = if at.helps {
            (Mark::Check, Tone::Good, "helps")
        } else {
            (Mark::Triangle, Tone::Caution, "does not help")
        };
        badge(ui, mark, tone, word);
        ui.add(egui::Label::new(RichText::new(&at.message).color(tokens.text_strong)).wrap());
    });
    let tiles = [
        Tile {
            name: "Panels a day",
            value: format::short(at.panels_a_day),
            detail: format!("of {} cases", format::short(outlook.cases_a_day)),
            meaning: "Budget times the cases a day over the time of the log.",
            exact: at.panels_a_day.to_string(),
        },
        Tile {
            name: "Extra votes a day",
            value: format::short(at.extra_votes_a_day),
            detail: format!("{} votes a case", format::short(at.votes_a_case)),
            meaning: "Votes beyond one a case: a panel of n costs n − 1 more than one moderator.",
            exact: at.extra_votes_a_day.to_string(),
        },
        Tile {
            name: "Consistency",
            value: format::percent(at.expected),
            detail: format!(
                "{} alone, {} with panels for all",
                format::percent(at.solo),
                format::percent(at.everywhere)
            ),
            meaning: "Probability that the same case, handled twice, ends the same way.",
            exact: at.expected.to_string(),
        },
        Tile {
            name: "Share of the gain",
            value: format::percent(at.gain),
            detail: format!(
                "95 %: {} to {}; at random {}",
                format::percent(at.gain_interval[0]),
                format::percent(at.gain_interval[1]),
                format::percent(at.gain_random)
            ),
            meaning: "Of what a panel for every case would add to consistency, the share this budget brings.",
            exact: at.gain.to_string(),
        },
    ];
    tile::row(ui, &tiles, 150.0);
    let rests = match outlook.basis {
        Basis::Votes => {
            "Measured on cases that three moderators or more judged, each scored by a model that did not see it."
        }
        Basis::Predictions => {
            "Few cases were judged by several, so this rests on the model's own predictions: take it with care, and send some cases to panels."
        }
    };
    ui.label(RichText::new(rests).small().color(tokens.text_weak));
    let chart = curve(&outlook, state.settings.budget);
    if let Some(save) = chart_ui(ui, Id::unique("moderate gain"), 220.0, &chart, |_| {}).save {
        actions.push(Action::Save(save));
    }
}

fn curve(outlook: &Outlook, budget: f64) -> Chart {
    let steps = (0..=20).map(|step| f64::from(step) / 20.0);
    let points: Vec<[f64; 2]> = steps.map(|share| [100.0 * share, 100.0 * outlook.at(share).gain]).collect();
    let at = outlook.at(budget);
    Chart {
        title: "Gain by budget".to_owned(),
        x: Axis::linear("% of cases to panels"),
        y: Axis::linear("% of the possible gain"),
        series: vec![
            Series::pairs("at random", [[0.0, 0.0], [100.0, 100.0]], Draw::Dashed, 4),
            Series::pairs("by the model", points, Draw::Line, 0),
            Series::pairs("this budget", [[100.0 * budget, 100.0 * at.gain]], Draw::Dots, 1),
        ],
        legend: LegendPlace::BottomRight,
        include_y: vec![0.0, 100.0],
        ..Chart::default()
    }
}
