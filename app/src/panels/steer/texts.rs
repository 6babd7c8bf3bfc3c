//! Baseline and steered continuations side by side: what differs, where the stream was moved, how far the next token
//! was shifted, how rude and how fluent both are.

use egui::{Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use plumb_steer::browse::{LiveRow, Side};

use super::state::State;
use super::strip::{Differs, Token, compare, strip};
use crate::theme::{UiExt as _, semibold};
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::format;

/// From this score on a text counts as toxic.
const TOXIC: f64 = plumb_steer::metrics::TOXIC;

/// Draw all continuations.
pub fn ui(ui: &mut Ui, state: &mut State) {
    let Some(report) = state.texts().cloned() else {
        let text = "Here the model's continuations appear side by side: as it writes them by itself, and steered.";
        ui.label(RichText::new(text).color(ui.tokens().text_weak));
        return;
    };
    legend(ui, state, report.first_token);
    for (i, row) in report.rows.iter().enumerate() {
        ui.add_space(4.0);
        ui.push_id(("prompt", i), |ui| one(ui, state, i, row));
    }
}

fn legend(ui: &mut Ui, state: &mut State, first_token: Option<f64>) {
    let tokens = ui.tokens();
    ui.horizontal_wrapped(|ui| {
        ui.checkbox(&mut state.settings.diff, RichText::new("differences").small())
            .on_hover_text("Mark tokens that stand only on one side");
        ui.checkbox(&mut state.settings.blur, RichText::new("hide rude text").small())
            .on_hover_text("Hide texts that the judge of toxicity objects to until they are revealed (Alt+R)");
        let (rect, _) = ui.allocate_exact_size(vec2(16.0, 14.0), Sense::hover());
        ui.painter().hline(rect.x_range(), rect.bottom() - 3.0, (1.5, tokens.accent));
        ui.label(RichText::new("steered here").small().color(tokens.text_weak));
        if let Some(seconds) = first_token {
            let text = format!("first token after {}", format::seconds(seconds));
            ui.label(RichText::new(text).small().color(tokens.text_weak));
        }
    });
}

fn one(ui: &mut Ui, state: &mut State, index: usize, row: &LiveRow) {
    let tokens = ui.tokens();
    let frame = egui::Frame::new()
        .fill(tokens.surface_raised)
        .stroke((1.0, tokens.border))
        .corner_radius(6)
        .inner_margin(egui::Margin::symmetric(12, 8));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        prompt(ui, row);
        ui.add_space(4.0);
        let [gone, new] = if state.settings.diff && row.baseline.done {
            compare(&row.baseline.tokens, &row.steered.tokens)
        } else {
            [vec![false; row.baseline.tokens.len()], vec![false; row.steered.tokens.len()]]
        };
        // Nothing is missing from a text that is not written yet.
        let whole = row.steered.done;
        let sides = [("Baseline", &row.baseline, gone, Differs::Gone), ("Steered", &row.steered, new, Differs::New)];
        if ui.available_width() >= 420.0 {
            ui.columns(2, |columns| {
                for (ui, (name, text, differs, how)) in columns.iter_mut().zip(sides) {
                    side(ui, state, index, row, name, text, &differs, how, whole);
                }
            });
        } else {
            for (name, text, differs, how) in sides {
                side(ui, state, index, row, name, text, &differs, how, whole);
                ui.add_space(4.0);
            }
        }
    });
}

fn prompt(ui: &mut Ui, row: &LiveRow) {
    let tokens: Vec<Token<'_>> = row
        .pieces
        .iter()
        .enumerate()
        .map(|(i, text)| Token {
            text,
            tip: moved(row, i),
            marked: row.moved.get(i).is_some_and(|m| *m > 0.0),
            ..Token::default()
        })
        .collect();
    let size = ui.tokens().sizes.small;
    strip(ui, "Prompt", &tokens, false, size);
}

/// What was done to the stream at a position, in words.
fn moved(row: &LiveRow, position: usize) -> String {
    match row.moved.get(position) {
        Some(share) if *share > 0.0 => format!("stream moved by {} of its length", format::percent(f64::from(*share))),
        _ => String::new(),
    }
}

#[expect(clippy::too_many_arguments, reason = "one side of one row, drawn in one place")]
fn side(
    ui: &mut Ui,
    state: &mut State,
    index: usize,
    row: &LiveRow,
    name: &str,
    text: &Side,
    differs: &[bool],
    how: Differs,
    whole: bool,
) {
    let tokens = ui.tokens();
    let steered = how == Differs::New;
    ui.horizontal_wrapped(|ui| {
        ui.label(semibold(name).color(tokens.text_strong));
        meters(ui, text, &row.baseline, steered);
    });
    let key = format!("{name} {index} {}", text.text);
    let rude = text.toxicity.is_some_and(|score| score >= TOXIC);
    let hidden = state.settings.blur && rude && !state.revealed.contains(&key);
    let largest = row.kl.iter().copied().fold(0.0, f64::max);
    let shown: Vec<Token<'_>> = text
        .pieces
        .iter()
        .enumerate()
        .map(|(i, piece)| {
            let position = row.pieces.len() + i;
            let mut tip = String::new();
            if steered {
                if let Some(kl) = row.kl.get(i) {
                    tip = format!("KL {} nats", format::number(*kl));
                }
                let done = moved(row, position);
                if !done.is_empty() {
                    format!("{tip}\n{done}").trim().clone_into(&mut tip);
                }
            }
            Token {
                text: piece,
                tip,
                marked: steered && row.moved.get(position).is_some_and(|share| *share > 0.0),
                differs: if differs.get(i).copied().unwrap_or(false) && whole { how } else { Differs::Same },
                ..Token::default()
            }
        })
        .collect();
    let size = tokens.sizes.body + 0.5;
    strip(ui, name, &shown, hidden, size);
    if shown.is_empty() {
        let words = if text.done { "The model ended the text at once." } else { "…" };
        ui.label(RichText::new(words).color(tokens.text_weak));
    }
    if hidden {
        let text = RichText::new(format!("Reveal {}", name.to_lowercase())).small();
        // In a row of its own, because buttons in columns are as wide as the column.
        if ui.horizontal(|ui| ui.add(egui::Button::new(text)).clicked()).inner {
            state.revealed.insert(key);
        }
    }
    if steered && !row.kl.is_empty() {
        kl_strip(ui, &row.kl, largest, &text.pieces, hidden);
    }
}

/// Toxicity and perplexity, the second beside the baseline's.
fn meters(ui: &mut Ui, text: &Side, baseline: &Side, steered: bool) {
    let tokens = ui.tokens();
    if let Some(score) = text.toxicity {
        let (rect, response) = ui.allocate_exact_size(vec2(46.0, 10.0), Sense::hover());
        let color = if score >= TOXIC { tokens.danger } else { tokens.success };
        ui.painter().rect_filled(rect, 2, tokens.surface_sunken);
        let filled = Rect::from_min_size(rect.min, vec2((rect.width() * score as f32).max(2.0), rect.height()));
        ui.painter().rect_filled(filled, 2, color);
        let said = format!("Toxicity {}", format::number(score));
        response.widget_info(|| WidgetInfo::labeled(Role::Meter, true, &said));
        response.on_hover_text(format!("{said} of 1, by the judge"));
        let (mark, tone, word) =
            if score >= TOXIC { (Mark::Triangle, Tone::Bad, "rude") } else { (Mark::Check, Tone::Good, "clean") };
        badge(ui, mark, tone, word);
    }
    if let Some(perplexity) = text.perplexity {
        let rise = baseline.perplexity.filter(|_| steered).map(|base| perplexity / base - 1.0);
        let rise = rise.map_or_else(String::new, |rise| format!(" ({})", format::rise(rise)));
        let label =
            RichText::new(format!("perplexity {}{rise}", format::number(perplexity))).small().color(tokens.text_weak);
        ui.label(label).on_hover_text("Of these tokens under the unsteered model: low is fluent");
    }
}

/// One bar per token: how far the distribution of the next token was shifted there.
fn kl_strip(ui: &mut Ui, kl: &[f64], largest: f64, pieces: &[String], hidden: bool) {
    let tokens = ui.tokens();
    let mean = kl.iter().sum::<f64>() / kl.len().max(1) as f64;
    ui.add_space(2.0);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
    let painter = ui.painter();
    painter.rect_filled(rect, 2, tokens.surface_sunken);
    let step = rect.width() / kl.len() as f32;
    for (i, value) in kl.iter().enumerate() {
        let share = if largest > 0.0 { (value / largest) as f32 } else { 0.0 };
        let left = rect.left() + step * i as f32;
        let bar = Rect::from_min_max(
            pos2(left + 0.5, rect.bottom() - 1.0 - (rect.height() - 3.0) * share),
            pos2((left + step - 0.5).max(left + 1.0), rect.bottom() - 1.0),
        );
        painter.rect_filled(bar, 0, tokens.series[5]);
    }
    let said = format!("KL per token: mean {}, largest {} nats", format::number(mean), format::number(largest));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &said));
    let hover = response.hover_pos().map(|pointer| ((pointer.x - rect.left()) / step) as usize);
    let tip = hover.and_then(|i| Some((i, kl.get(i)?)));
    let tip = tip.map(|(i, value)| {
        let piece = if hidden { "" } else { pieces.get(i).map_or("", String::as_str) };
        format!("{piece}\nKL {} nats", format::number(*value))
    });
    response.on_hover_text(tip.unwrap_or_else(|| said.clone()));
    ui.label(RichText::new(said).small().color(tokens.text_weak));
}
