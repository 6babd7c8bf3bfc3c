//! The selected feature: its name, what makes it fire, what it does to the next token, and what is like it.

use std::collections::BTreeMap;

use egui::{Grid, Id, Key, RichText, Role, ScrollArea, Ui, WidgetInfo};
use plumb_steer::browse::{CardView, Strip};

use super::action::Action;
use super::features::density;
use super::quality;
use super::state::State;
use super::strip::{Token, strip};
use crate::theme::{Icon, UiExt as _, semibold};
use crate::widgets::chart::{Axis, Chart, Draw, Series};
use crate::widgets::chart_ui::chart_ui;
use crate::widgets::{format, keep, scroll, status};

/// Draw the region.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let Some(feature) = state.selected() else {
        let text = "Select a row of the table to see what makes a feature fire. Enter puts it into the rack.";
        status::empty(ui, "No feature selected", text, None);
        return;
    };
    head(ui, state, feature, actions);
    quality::caution(ui, state);
    let view = state.card.value().filter(|view| view.card.feature == feature).cloned();
    let Some(view) = view else {
        if state.opened.as_ref().is_some_and(|opened| opened.index.is_none()) {
            let text = "An index keeps, for every feature, the texts that make it fire. Build one over a file of texts: one on each line.";
            if status::empty(ui, "No feature index yet", text, Some("Index features over a file…")) {
                actions.push(Action::CorpusDialog);
            }
        }
        return;
    };
    if view.card.max <= 0.0 {
        let text = "It fired at no token of the corpus the index was built on: there is nothing to see, and no unit to steer it by.";
        status::empty(ui, "This feature is dead", text, None);
        return;
    }
    scroll::show(ui, "Feature", ScrollArea::vertical().id_salt("card").auto_shrink(false), |ui| {
        let wide = ui.available_width() >= 560.0;
        if wide {
            ui.columns(2, |columns| {
                histogram(&mut columns[0], &view, actions);
                logits(&mut columns[1], &view);
            });
        } else {
            histogram(ui, &view, actions);
            logits(ui, &view);
        }
        ui.add_space(6.0);
        neighbours(ui, state, &view, actions);
        ui.add_space(6.0);
        groups(ui, state, &view);
    });
}

fn head(ui: &mut Ui, state: &mut State, feature: usize, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    ui.horizontal(|ui| {
        let name = semibold(format!("Feature {feature}")).heading().color(tokens.text_strong);
        ui.add(egui::Label::new(name).extend());
        label_field(ui, state, feature, actions);
        let inside = state.edit.rack.holds(feature);
        let text = if inside { "In the rack" } else { "Add to rack" };
        let hover = "Put this feature into the steering rack (Alt+A, or Enter in the table)";
        if keep::button(ui, !inside, text).hover(hover).clicked() {
            actions.push(Action::Rack(feature));
        }
        lists(ui, state, feature, actions);
    });
    if let Some(row) = state.row(feature).copied() {
        ui.horizontal_wrapped(|ui| {
            let small = |text: String| RichText::new(text).small().color(tokens.text_weak);
            let fires =
                if row.density > 0.0 { format!("fires at {}", density(row.density)) } else { "never fires".to_owned() };
            ui.label(small(fires))
                .on_hover_text(format!("Share of the corpus's tokens where it fires: {}", row.density));
            ui.label(small(format!("largest activation {}", format::number(f64::from(row.max)))))
                .on_hover_text("One unit of strength");
            ui.label(small(format!("mean where it fires {}", format::number(f64::from(row.mean)))));
            quality::line(ui, state);
        });
    }
}

fn label_field(ui: &mut Ui, state: &mut State, feature: usize, actions: &mut Vec<Action>) {
    let own = state.edit.labels.labels.get(&feature).cloned().unwrap_or_default();
    if state.draft.as_ref().is_none_or(|(of, _)| *of != feature) {
        state.draft = Some((feature, own.clone()));
    }
    let hint = state.auto.get(feature).filter(|auto| !auto.is_empty()).cloned().unwrap_or_else(|| "Name it".to_owned());
    let width = (ui.available_width() - 190.0).clamp(80.0, 320.0);
    let Some((_, draft)) = &mut state.draft else { return };
    let edit = egui::TextEdit::singleline(draft).hint_text(hint).desired_width(width).id_salt(("label", feature));
    let field = ui.add(edit);
    field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Label"));
    if std::mem::take(&mut state.focus_label) {
        field.request_focus();
    }
    if field.has_focus() && ui.input(|i| i.key_pressed(Key::Escape)) {
        own.clone_into(draft);
    }
    if !field.has_focus() && draft.trim() != own {
        let label = draft.clone();
        state.edit.labels.name(feature, &label);
        actions.push(Action::LabelsChanged);
    }
    field.on_hover_text("Your name for this feature; empty brings back its tokens");
}

fn lists(ui: &mut Ui, state: &mut State, feature: usize, actions: &mut Vec<Action>) {
    let inside: Vec<String> = state.edit.labels.lists_of(feature).map(str::to_owned).collect();
    let text = if inside.is_empty() { "Lists".to_owned() } else { inside.join(", ") };
    let response = ui
        .menu_button(text, |ui| {
            let names: Vec<String> = state.edit.labels.lists.keys().cloned().collect();
            for name in names {
                let mut on = inside.contains(&name);
                if ui.checkbox(&mut on, &name).changed() {
                    state.edit.labels.put(&name, feature, on);
                    actions.push(Action::LabelsChanged);
                }
            }
            let edit = egui::TextEdit::singleline(&mut state.new_list).hint_text("New list").desired_width(140.0);
            let field = ui.add(edit);
            field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "New list"));
            let entered = field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
            let name = state.new_list.trim().to_owned();
            if (ui.button("Add to new list").clicked() || entered) && !name.is_empty() {
                state.edit.labels.put(&name, feature, true);
                state.new_list.clear();
                actions.push(Action::LabelsChanged);
                ui.close();
            }
        })
        .response;
    response.on_hover_text("Lists this feature is in");
}

fn histogram(ui: &mut Ui, view: &CardView, actions: &mut Vec<Action>) {
    let card = &view.card;
    let bins = card.histogram.len().max(1);
    let width = f64::from(card.range) / bins as f64;
    let bars = card.histogram.iter().enumerate().map(|(i, n)| [(i as f64 + 0.5) * width, f64::from(*n)]);
    let chart = Chart {
        title: "Activations".to_owned(),
        x: Axis::linear("activation"),
        y: Axis::linear("tokens"),
        series: vec![Series::pairs("tokens", bars, Draw::Bars(width), 1)],
        include_y: vec![0.0],
        ..Chart::default()
    };
    let outcome = chart_ui(ui, Id::unique(("steer", "histogram")), 180.0, &chart, |_| {});
    actions.extend(outcome.save.map(Action::Save));
}

fn logits(ui: &mut Ui, view: &CardView) {
    let tokens = ui.tokens();
    let title = RichText::new("Next token").strong().color(tokens.text_strong);
    ui.label(title)
        .on_hover_text("Tokens whose logits its decoder vector raises and lowers most, per unit of activation");
    ui.add_space(2.0);
    let most = view.raises.iter().chain(&view.lowers).map(|(_, value)| value.abs()).fold(0.0f32, f32::max);
    Grid::new("logits").num_columns(2).spacing([16.0, 2.0]).show(ui, |ui| {
        ui.label(RichText::new("raises").small().color(tokens.text_weak));
        ui.label(RichText::new("lowers").small().color(tokens.text_weak));
        ui.end_row();
        for row in 0..view.raises.len().max(view.lowers.len()).min(8) {
            for (list, color) in [(&view.raises, tokens.series[0]), (&view.lowers, tokens.series[1])] {
                match list.get(row) {
                    Some((token, value)) => logit(ui, token, *value, most, color),
                    None => {
                        ui.label("");
                    }
                }
            }
            ui.end_row();
        }
    });
}

fn logit(ui: &mut Ui, token: &str, value: f32, most: f32, color: egui::Color32) {
    let tokens = ui.tokens();
    let (rect, response) = ui.allocate_exact_size(egui::vec2(128.0, 18.0), egui::Sense::hover());
    let number = format::number(f64::from(value));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{token} {number}")));
    let share = if most > 0.0 { value.abs() / most } else { 0.0 };
    let bar = egui::Rect::from_min_size(rect.min, egui::vec2(rect.width() * share, rect.height()));
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect_filled(bar, 2, color.gamma_multiply(0.22));
    let font = egui::TextStyle::Body.resolve(ui.style());
    painter.text(rect.left_center() + egui::vec2(4.0, 0.0), egui::Align2::LEFT_CENTER, token, font, tokens.text_strong);
    let small = egui::TextStyle::Small.resolve(ui.style());
    painter.text(
        rect.right_center() - egui::vec2(4.0, 0.0),
        egui::Align2::RIGHT_CENTER,
        &number,
        small,
        tokens.text_weak,
    );
    response.on_hover_text(format!("“{token}” {number} per unit of activation"));
}

fn neighbours(ui: &mut Ui, state: &State, view: &CardView, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let lists = [
        ("Like it", "Features with the most similar decoder vectors, with the cosine", &view.card.nearest, false),
        ("With it", "Features that fire most often where it fires, with that share", &view.card.together, true),
    ];
    for (title, meaning, list, share) in lists {
        if list.is_empty() {
            continue;
        }
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(title).small().strong().color(tokens.text_weak)).on_hover_text(meaning);
            for (other, value) in list {
                let other = *other as usize;
                let own = state.label(other);
                let name =
                    if own.is_empty() { view.names.get(&(other as u32)).map_or("", String::as_str) } else { own };
                let figure = if share { format::percent(f64::from(*value)) } else { format::number(f64::from(*value)) };
                let short: String = name.chars().take(18).collect();
                let text = RichText::new(format!("{other} {short}")).small();
                let button = ui.add(egui::Button::new(text)).on_hover_text(format!("{name}\n{title}: {figure}"));
                if button.clicked() {
                    actions.push(Action::Look(other));
                }
            }
        });
    }
}

fn groups(ui: &mut Ui, state: &mut State, view: &CardView) {
    let tokens = ui.tokens();
    ui.horizontal(|ui| {
        ui.label(RichText::new("What makes it fire").strong().color(tokens.text_strong));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.checkbox(&mut state.settings.blur, RichText::new("Hide rude text").small())
                .on_hover_text("Hide texts that the judge of toxicity objects to until they are revealed");
            ui.checkbox(&mut state.settings.own_scale, RichText::new("Scale each text").small())
                .on_hover_text("Colour every text by its own largest activation instead of the feature's");
        });
    });
    let mut by_group: BTreeMap<u8, Vec<(usize, &Strip)>> = BTreeMap::new();
    for (i, strip) in view.strips.iter().enumerate() {
        by_group.entry(strip.group).or_default().push((i, strip));
    }
    let intervals = by_group.keys().filter(|group| **group > 0).count().max(1) as f32;
    for (group, strips) in by_group {
        let title = if group == 0 {
            "Largest activations".to_owned()
        } else {
            // Group 1 is the highest of equal intervals from zero to the maximum.
            let step = view.card.max / intervals;
            let high = view.card.max - step * f32::from(group - 1);
            let ends = [high - step, high].map(|end| format::number(f64::from(end.max(0.0))));
            format!("Activations {} to {}", ends[0], ends[1])
        };
        ui.add_space(4.0);
        ui.label(RichText::new(title).small().strong().color(tokens.text_weak));
        for (i, text) in strips {
            one(ui, state, view, i, text);
        }
    }
}

fn one(ui: &mut Ui, state: &mut State, view: &CardView, index: usize, text: &Strip) {
    let key = format!("card {} {index}", view.card.feature);
    let hidden = state.settings.blur && text.flagged && !state.revealed.contains(&key);
    let own = text.tokens.iter().map(|(_, value)| *value).fold(0.0f32, f32::max);
    let scale = if state.settings.own_scale { own } else { view.card.max }.max(f32::MIN_POSITIVE);
    let size = ui.tokens().sizes.body;
    let tokens: Vec<Token<'_>> = text
        .tokens
        .iter()
        .enumerate()
        .map(|(i, (piece, value))| {
            let tip = if *value > 0.0 {
                format!(
                    "{piece}\n{} of at most {}",
                    format::number(f64::from(*value)),
                    format::number(f64::from(view.card.max))
                )
            } else {
                String::new()
            };
            Token { text: piece, share: value / scale, tip, strong: i == text.centre, ..Token::default() }
        })
        .collect();
    ui.push_id(("strip", index), |ui| {
        ui.horizontal_top(|ui| {
            let figure = text.tokens.get(text.centre).map_or(0.0, |(_, value)| *value);
            let label = RichText::new(format::number(f64::from(figure))).small().color(ui.tokens().text_weak);
            ui.add_sized([44.0, 20.0], egui::Label::new(label));
            let room = if hidden { 84.0 } else { 0.0 };
            ui.vertical(|ui| {
                ui.set_max_width(ui.available_width() - room);
                strip(ui, "Text", &tokens, hidden, size);
            });
            if hidden && ui.add(egui::Button::new(RichText::new("Reveal").small())).clicked() {
                state.revealed.insert(key);
            }
        });
    });
}

/// A button that adds the feature of a row to the rack.
pub fn add_button(ui: &mut Ui, state: &State, feature: usize, actions: &mut Vec<Action>) {
    let inside = state.edit.rack.holds(feature);
    let name = format!("Add feature {feature} to the rack");
    if keep::keep(ui, !inside, &name, |ui| Icon::Plus.button(ui, &name)).clicked() {
        actions.push(Action::Rack(feature));
    }
}
