//! How far the autoencoder can be trusted: its figures, large and small, and a caution where they are poor.

use egui::{RichText, ScrollArea, Ui};
use plumb_steer::quality::Quality;

use super::action::Action;
use super::state::State;
use crate::theme::UiExt as _;
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::tile::{self, Tile};
use crate::widgets::{format, scroll, status};

/// Below these an autoencoder's features say little about the model.
const LEAST_VARIANCE: f64 = 0.5;
const LEAST_CE: f64 = 0.8;
const MOST_DEAD: f64 = 0.5;

/// What is wrong with an autoencoder of this quality, one sentence each.
pub fn doubts(quality: &Quality) -> Vec<String> {
    let mut doubts = Vec::new();
    if quality.explained_variance < LEAST_VARIANCE {
        doubts.push(format!(
            "It explains only {} of the stream's variance: it may belong to another model or place.",
            format::percent(quality.explained_variance)
        ));
    }
    if let Some(score) = quality.ce_score.filter(|score| *score < LEAST_CE) {
        doubts.push(format!(
            "With its reconstruction in place of the stream, the model keeps only {} of what the stream tells it.",
            format::percent(score)
        ));
    }
    if quality.dead > MOST_DEAD {
        doubts.push(format!(
            "{} of its features never fired on the texts it was measured on.",
            format::percent(quality.dead)
        ));
    }
    doubts
}

fn known(state: &State) -> Option<&Quality> {
    state.opened.as_ref().and_then(|opened| opened.quality.as_ref())
}

/// One short line for a feature's card.
pub fn line(ui: &mut Ui, state: &State) {
    let Some(quality) = known(state) else {
        let text = "autoencoder not measured";
        badge(ui, Mark::Diamond, Tone::Caution, text)
            .on_hover_text("Nobody has measured how much of the stream this autoencoder keeps: see Autoencoder");
        return;
    };
    let good = doubts(quality).is_empty();
    let text = format!("autoencoder explains {}", format::percent(quality.explained_variance));
    let (mark, tone) = if good { (Mark::Check, Tone::Good) } else { (Mark::Triangle, Tone::Caution) };
    badge(ui, mark, tone, &text).on_hover_text(format!(
        "Explained variance {}, {} features at a time, cross-entropy score {}",
        format::number(quality.explained_variance),
        format::number(quality.l0),
        quality.ce_score.map_or_else(|| "not measured".to_owned(), format::number)
    ));
}

/// What to be careful about, where there is anything.
pub fn caution(ui: &mut Ui, state: &State) {
    for doubt in known(state).map(doubts).unwrap_or_default() {
        status::note(ui, &doubt);
    }
}

/// The figures.
pub fn tiles(quality: &Quality) -> Vec<Tile<'static>> {
    let tile = |name, value: f64, shown: String, detail: &str, meaning| Tile {
        name,
        value: shown,
        detail: detail.to_owned(),
        meaning,
        exact: value.to_string(),
    };
    let mut tiles = vec![
        tile(
            "Explained variance",
            quality.explained_variance,
            format::percent(quality.explained_variance),
            &format!("on {} tokens", format::count(quality.tokens as usize)),
            "1 − Σ‖x − x̂‖² / Σ‖x − x̄‖²: how much of the stream's variation the reconstruction keeps",
        ),
        tile(
            "Features at a time",
            quality.l0,
            format::number(quality.l0),
            "L0, mean per token",
            "How many features fire at a token on average",
        ),
        tile(
            "Dead",
            quality.dead,
            format::percent(quality.dead),
            "never fired",
            "Share of features that fired at none of the tokens it was measured on",
        ),
        tile(
            "Cosine",
            quality.cosine,
            format::number(quality.cosine),
            "of x and x̂",
            "Mean cosine of the stream and its reconstruction",
        ),
    ];
    if let Some(score) = quality.ce_score {
        tiles.insert(
            1,
            tile(
                "Cross-entropy score",
                score,
                format::percent(score),
                "loss recovered",
                "(zeros − reconstruction) / (zeros − untouched): 100 % where the reconstruction costs the model nothing",
            ),
        );
    }
    tiles
}

/// The tab.
pub fn ui(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let Some(opened) = state.opened.clone() else {
        status::empty(ui, "Nothing is open", "Open a language model and an autoencoder above.", None);
        return;
    };
    let tokens = ui.tokens();
    scroll::show(ui, "Autoencoder", ScrollArea::vertical().id_salt("quality").auto_shrink(false), |ui| {
        let about = &opened.about;
        ui.label(RichText::new(&about.sae).heading().color(tokens.text_strong));
        let text = format!(
            "{} autoencoder of {} features, reads {} ({} wide) of {}: {}",
            about.architecture,
            format::count(about.features),
            about.point,
            about.width,
            about.model,
            about.shape
        );
        ui.add(egui::Label::new(RichText::new(text).color(tokens.text_weak)).wrap());
        if let Some(index) = &opened.index {
            let table = index.table();
            let text = format!(
                "Index over {}: {} texts, {} tokens",
                table.corpus,
                format::count(table.texts),
                format::count(table.tokens as usize)
            );
            ui.add(egui::Label::new(RichText::new(text).color(tokens.text_weak)).wrap());
        }
        ui.add_space(8.0);
        match &opened.quality {
            Some(quality) => {
                tile::row(ui, &tiles(quality), 130.0);
                ui.add_space(6.0);
                let doubts = doubts(quality);
                if doubts.is_empty() {
                    badge(ui, Mark::Check, Tone::Good, "Nothing speaks against trusting it");
                }
                for doubt in doubts {
                    status::note(ui, &doubt);
                }
            }
            None => status::note(ui, "It has not been measured: nobody knows how much of the stream it keeps."),
        }
        for note in &about.notes {
            status::note(ui, note);
        }
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            let hover = "Choose a file with one text on each line: the figures are computed on it";
            if ui.button("Measure on a file…").on_hover_text(hover).clicked() {
                actions.push(Action::MeasureDialog);
            }
            let hover = "Choose a file with one text on each line: what makes every feature fire is read from it";
            if ui.button("Index features over a file…").on_hover_text(hover).clicked() {
                actions.push(Action::CorpusDialog);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_autoencoder_is_told() {
        let good = Quality { explained_variance: 0.93, ce_score: Some(0.98), dead: 0.02, ..Quality::default() };
        assert!(doubts(&good).is_empty());
        let broken = Quality { explained_variance: -0.4, ce_score: Some(0.1), dead: 0.9, ..Quality::default() };
        assert_eq!(doubts(&broken).len(), 3);
    }
}
