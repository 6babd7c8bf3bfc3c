//! The left side: search, filters, the feature table; below it the text that was searched by.

use egui::{Key, RichText, Role, Ui, WidgetInfo};

use super::action::{Action, Work};
use super::features::FeatureRows;
use super::state::{SearchBy, State};
use super::strip::{Token, strip};
use crate::theme::{Icon, UiExt as _};
use crate::widgets::choice::choice;
use crate::widgets::{format, keep, status};

/// Draw the side.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    search(ui, state, actions);
    filters(ui, state);
    if state.reading.is_pending() && status::busy(ui, "Reading the text", state.reading.progress().as_ref()) {
        actions.push(Action::Stop(Work::Search));
    }
    if state.token.is_pending() && status::busy(ui, "Searching", state.token.progress().as_ref()) {
        actions.push(Action::Stop(Work::Search));
    }
    text(ui, state, actions);
    let rows = std::mem::take(&mut state.rows);
    let view = FeatureRows {
        rows: &rows,
        labels: &state.edit.labels,
        auto: &state.auto,
        rack: &state.edit.rack,
        contrast: &state.contrast,
        found: state.found.as_ref(),
        list: state.list.as_deref(),
        hide_dead: state.settings.hide_dead,
    };
    let version = state.version.wrapping_mul(2) + u64::from(state.settings.hide_dead);
    let changed = state.table.show(ui, "Features", version, &view);
    state.rows = rows;
    if changed {
        actions.push(Action::Selected);
    }
    // Enter in the table puts the selected feature into the rack.
    if state.table.has_focus() && ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, Key::Enter)) {
        actions.extend(state.selected().map(Action::Rack));
    }
}

fn search(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let by = [
            (SearchBy::Label, "Label", "Search labels and numbers"),
            (SearchBy::Token, "Token", "Features that fire on a token, or raise its logit"),
            (SearchBy::Text, "Text", "Features that fire on a text of your own"),
        ];
        if choice(ui, "Search by", &mut state.settings.search_by, &by) {
            actions.push(Action::ClearSearch);
        }
        let width = (ui.available_width() - 52.0).max(80.0);
        match state.settings.search_by {
            SearchBy::Label => {
                state.table.filter_ui(ui, "Label or number", width);
            }
            SearchBy::Token | SearchBy::Text => {
                let (hint, name) = if state.settings.search_by == SearchBy::Token {
                    ("A token, then Enter", "Token to search for")
                } else {
                    ("Some text, then Enter", "Text to search by")
                };
                let edit = egui::TextEdit::singleline(&mut state.search).hint_text(hint).desired_width(width);
                let field = ui.add(edit);
                field.widget_info(|| WidgetInfo::labeled(Role::SearchInput, true, name));
                if state.table.take_filter_focus() {
                    field.request_focus();
                }
                if field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter)) {
                    actions.push(Action::Search);
                    state.table.focus();
                }
                if field.has_focus() && ui.input(|i| i.key_pressed(Key::Escape)) {
                    actions.push(Action::ClearSearch);
                }
            }
        }
        let used = state.found.is_some() || !state.table.filter.is_empty();
        if keep::keep(ui, used, "Clear the search", |ui| Icon::Close.button(ui, "Clear the search")).clicked() {
            actions.push(Action::ClearSearch);
        }
    });
}

fn filters(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        let all = state.rows.len();
        let shown = state.table.order().len();
        let hidden = if state.settings.hide_dead { state.dead } else { 0 };
        let count = if shown + hidden == all {
            format::counted(shown, "feature", "features")
        } else {
            format!("{} of {}", format::count(shown), format::count(all - hidden))
        };
        ui.label(RichText::new(count).small().color(ui.tokens().text_weak));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if state.dead > 0 {
                let mut show = !state.settings.hide_dead;
                let text = format!("Show {} dead", format::count(state.dead));
                let hover = "Dead features fired at no token of the corpus that the index was built on";
                if ui.checkbox(&mut show, RichText::new(text).small()).on_hover_text(hover).changed() {
                    state.settings.hide_dead = !show;
                    state.touch();
                }
            }
            lists(ui, state);
        });
    });
}

fn lists(ui: &mut Ui, state: &mut State) {
    let name = match state.list.as_deref() {
        None => "All",
        Some("") => "In the rack",
        Some(name) => name,
    };
    let before = state.list.clone();
    let mut chosen = state.list.clone();
    let names: Vec<String> = state.edit.labels.lists.keys().cloned().collect();
    let response = egui::ComboBox::from_id_salt("list")
        .selected_text(RichText::new(name).small())
        .width(90.0)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut chosen, None, "All");
            ui.selectable_value(&mut chosen, Some(String::new()), "In the rack");
            for name in names {
                let text = name.clone();
                ui.selectable_value(&mut chosen, Some(name), text);
            }
        })
        .response;
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, format!("List: {name}")));
    response.on_hover_text("Which features the table shows");
    if chosen != before {
        state.list = chosen;
        state.touch();
    }
}

/// The text that was searched by, coloured by the selected feature.
fn text(ui: &mut Ui, state: &State, _actions: &mut Vec<Action>) {
    let Some(reading) = state.reading.value().filter(|_| state.settings.search_by == SearchBy::Text) else { return };
    if state.found.is_none() {
        return;
    }
    let firing = state.selected().and_then(|feature| reading.firings.iter().find(|firing| firing.feature == feature));
    let tokens: Vec<Token<'_>> = reading
        .tokens
        .iter()
        .enumerate()
        .map(|(i, text)| {
            let value = firing.map_or(0.0, |firing| firing.activations[i]);
            let share = firing.map_or(0.0, |firing| value / firing.max.max(f32::MIN_POSITIVE));
            let tip = if value > 0.0 { format!("{text}\n{}", format::number(f64::from(value))) } else { String::new() };
            Token { text, share, tip, ..Token::default() }
        })
        .collect();
    let size = ui.tokens().sizes.body;
    egui::Frame::new().fill(ui.tokens().surface_sunken).corner_radius(4).inner_margin(8).show(ui, |ui| {
        strip(ui, "Searched text", &tokens, false, size);
        let count =
            format!("{} fire on it; select one to see where", format::counted(reading.fired, "feature", "features"));
        ui.label(RichText::new(count).small().color(ui.tokens().text_weak));
    });
}
