//! The steering desk: the rack at the top, prompts and sampling below it, then what the model writes.

use egui::{DragValue, Key, Response, RichText, Role, ScrollArea, Ui, WidgetInfo};
use plumb_steer::intervene::GateRule;

use super::action::{Action, Work};
use super::judge;
use super::rack::{MOST, Rack, START, Slot, Way, Where};
use super::state::{State, lines};
use super::texts;
use crate::theme::{Icon, UiExt as _};
use crate::widgets::bipolar::bipolar;
use crate::widgets::choice::choice;
use crate::widgets::{format, keep, scroll, status};

/// Draw the region.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let wish =
        |state: &State| (state.edit.rack.clone(), state.typed.prompts.clone(), state.chat, state.sampling.clone());
    let before = wish(state);
    scroll::show(ui, "Steering desk", ScrollArea::vertical().id_salt("desk").auto_shrink(false), |ui| {
        rack(ui, state, actions);
        ui.add_space(6.0);
        prompts(ui, state, actions);
        ui.add_space(6.0);
        if state.live.is_pending() && status::busy(ui, "Writing", state.live.progress().as_ref()) {
            actions.push(Action::Stop(Work::Live));
        }
        if let Some(error) = state.live.error()
            && status::error_box(ui, "The model could not continue the prompts", &error.to_string())
        {
            actions.push(Action::Dismiss(Work::Live));
        }
        judge::news(ui, state, actions);
        texts::ui(ui, state);
    });
    if before != wish(state) {
        actions.push(Action::Changed);
    }
}

fn rack(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Rack").strong().color(tokens.text_strong));
        choice(ui, "Tier", &mut state.edit.rack.place, &Where::ALL);
        let rack = &mut state.edit.rack;
        if rack.place == Where::PerInput {
            ui.checkbox(&mut rack.steer_prompt, RichText::new("prompt too").small())
                .on_hover_text("Change the prompt's positions too, not only what is written");
            ui.checkbox(&mut rack.latch, RichText::new("latch").small())
                .on_hover_text("A feature that fires in the continuation opens its gate from there on");
        }
        if rack.place != Where::Constant && rack.slots.len() > 1 {
            let gates = [
                (GateRule::Independent, "Own gates", "Every feature acts where it fires itself"),
                (GateRule::Any, "Any", "One open gate opens all"),
                (GateRule::All, "All", "All gates must be open"),
            ];
            choice(ui, "Gates", &mut rack.gates, &gates);
        }
        if rack.slots.len() > 1 {
            ui.checkbox(&mut rack.shared, RichText::new("share strength").small())
                .on_hover_text("Each feature gets its strength divided by the number of features");
        }
    });
    ui.add_space(2.0);
    if state.edit.rack.slots.is_empty() {
        empty_rack(ui, state, actions);
        return;
    }
    let mut slots = std::mem::take(&mut state.edit.rack.slots);
    let place = state.edit.rack.place;
    let alone = slots.iter().any(|slot| slot.solo);
    let mut removed = None;
    for (i, slot) in slots.iter_mut().enumerate() {
        let title = state.title(slot.feature);
        ui.push_id(("slot", slot.feature), |ui| {
            let used = !slot.muted && (!alone || slot.solo);
            if row(ui, slot, &title, used, place, actions) {
                removed = Some(i);
            }
        });
    }
    if let Some(removed) = removed {
        slots.remove(removed);
        state.touch();
    }
    state.edit.rack.slots = slots;
}

fn empty_rack(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    egui::Frame::new().stroke((1.0, tokens.border)).corner_radius(4).inner_margin(10).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_wrapped(|ui| {
            let text = "The rack is empty. Put features in from the table (Enter), from their card, or from Find.";
            ui.label(RichText::new(text).color(tokens.text_weak));
            if let Some(feature) = state.selected()
                && ui.button(format!("Add feature {feature}")).clicked()
            {
                actions.push(Action::Rack(feature));
            }
        });
    });
}

/// Room for action, mute, solo, reset and close.
const BUTTONS: f32 = 232.0;

/// One feature. True if it is to go.
fn row(ui: &mut Ui, slot: &mut Slot, title: &str, used: bool, place: Where, actions: &mut Vec<Action>) -> bool {
    let tokens = ui.tokens();
    let mut remove = false;
    let frame = egui::Frame::new()
        .fill(tokens.surface_raised)
        .stroke((1.0, tokens.border))
        .corner_radius(4)
        .inner_margin(egui::Margin::symmetric(8, 4));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        // Where there is little room the slider gets a line of its own.
        if ui.available_width() >= 620.0 {
            ui.horizontal(|ui| {
                let name_width = (ui.available_width() * 0.24).min(220.0);
                name_ui(ui, slot, title, used, name_width, actions);
                let rest = 312.0 + if place == Where::Constant { 0.0 } else { 78.0 };
                let width = (ui.available_width() - rest).clamp(60.0, 420.0);
                strength(ui, slot, used, width);
                remove = buttons(ui, slot, place);
            });
        } else {
            ui.horizontal(|ui| {
                let width = (ui.available_width() - BUTTONS).max(60.0);
                name_ui(ui, slot, title, used, width, actions);
                remove = buttons(ui, slot, Where::Constant);
            });
            ui.horizontal(|ui| {
                let rest = 132.0 + if place == Where::Constant { 0.0 } else { 78.0 };
                let width = (ui.available_width() - rest).max(60.0);
                strength(ui, slot, used, width);
                if place != Where::Constant {
                    gate(ui, slot);
                }
            });
        }
    });
    remove
}

fn name_ui(ui: &mut Ui, slot: &Slot, title: &str, used: bool, width: f32, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let color = if used { tokens.text_strong } else { tokens.text_weak };
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    ui.allocate_ui_with_layout(egui::vec2(width, 22.0), layout, |ui| {
        ui.set_min_width(width);
        let name = egui::Label::new(RichText::new(title).color(color)).truncate().sense(egui::Sense::click());
        if ui.add(name).on_hover_text(format!("{title}\nClick to look at it")).clicked() {
            actions.push(Action::Look(slot.feature));
        }
    });
}

fn strength(ui: &mut Ui, slot: &mut Slot, used: bool, width: f32) {
    let name = format!("Strength of feature {}", slot.feature);
    ui.add_enabled_ui(used && slot.way.has_strength(), |ui| {
        bipolar(ui, &name, &mut slot.strength, MOST, width)
            .on_hover_text("Drag; arrow keys step, with Shift farther, Home goes to zero");
        number(ui, slot);
    });
}

/// Action, gate, mute, solo, reset. True if the feature is to go.
fn buttons(ui: &mut Ui, slot: &mut Slot, place: Where) -> bool {
    let feature = slot.feature;
    way(ui, slot);
    if place != Where::Constant {
        gate(ui, slot);
    }
    ui.spacing_mut().item_spacing.x = 2.0;
    toggle(ui, "M", &format!("Mute feature {feature}"), &mut slot.muted);
    toggle(ui, "S", &format!("Solo feature {feature}: use only those"), &mut slot.solo);
    if Icon::Reset.button(ui, &format!("Reset feature {feature}")).clicked() {
        slot.strength = START;
    }
    Icon::Close.button(ui, &format!("Remove feature {feature}")).clicked()
}

fn number(ui: &mut Ui, slot: &mut Slot) {
    let suffix = if slot.way == Way::Scale || slot.reference.is_none() { "" } else { " max" };
    let field = ui.add(
        DragValue::new(&mut slot.strength)
            .speed(0.02)
            .range(-MOST * 10.0..=MOST * 10.0)
            .suffix(suffix)
            .fixed_decimals(2),
    );
    let name = format!("Strength of feature {}, number", slot.feature);
    let info = WidgetInfo { label: Some(name.clone()), ..WidgetInfo::drag_value(true, f64::from(slot.strength)) };
    field.widget_info(|| info.clone());
    let raw = slot.reference.map(|reference| {
        format!("\n{} along the unit decoder vector", format::number(f64::from(reference * slot.strength)))
    });
    field.on_hover_text(format!(
        "{name}\n{} largest activations{}",
        format::number(f64::from(slot.strength)),
        raw.unwrap_or_else(|| ": its largest activation is not known, so this is a length".to_owned())
    ));
}

fn way(ui: &mut Ui, slot: &mut Slot) {
    let name = Way::ALL.iter().find(|(way, _, _)| *way == slot.way).map_or("", |(_, name, _)| name);
    let response = egui::ComboBox::from_id_salt("way")
        .selected_text(RichText::new(name).small())
        .width(66.0)
        .show_ui(ui, |ui| {
            for (way, name, hover) in Way::ALL {
                ui.selectable_value(&mut slot.way, way, name).on_hover_text(hover);
            }
        })
        .response;
    response.widget_info(|| {
        WidgetInfo::labeled(Role::ComboBox, true, format!("Action of feature {}: {name}", slot.feature))
    });
}

fn gate(ui: &mut Ui, slot: &mut Slot) {
    let mut percent = slot.threshold * 100.0;
    let field =
        ui.add(DragValue::new(&mut percent).range(0.0..=100.0).speed(0.5).prefix("> ").suffix(" %").fixed_decimals(0));
    if field.changed() {
        slot.threshold = percent / 100.0;
    }
    let name = format!("Gate of feature {}", slot.feature);
    let info = WidgetInfo { label: Some(name), ..WidgetInfo::drag_value(true, f64::from(percent)) };
    field.widget_info(|| info.clone());
    field.on_hover_text("The gate opens above this share of the feature's largest activation");
}

fn toggle(ui: &mut Ui, letter: &str, name: &str, on: &mut bool) {
    let response = ui.selectable_label(*on, RichText::new(letter).small());
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, *on, name));
    if response.on_hover_text(name).clicked() {
        *on = !*on;
    }
}

fn prompts(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let count = lines(&state.typed.prompts).len();
    ui.horizontal_wrapped(|ui| {
        let title = if count > 1 { format!("{count} prompts") } else { "Prompt".to_owned() };
        ui.label(RichText::new(title).strong().color(tokens.text_strong)).on_hover_text("One prompt on each line");
        sampling(ui, state);
        let chat = state.opened.as_ref().is_some_and(|opened| opened.about.has_chat);
        if chat {
            ui.checkbox(&mut state.chat, RichText::new("chat").small())
                .on_hover_text("Each prompt is a message, put into the model's chat template: the model answers it");
        }
        judge::ui(ui, state, actions);
        let hover = "Write the continuations again whenever something changes; the newest change wins (Alt+L)";
        ui.checkbox(&mut state.settings.live, RichText::new("live").small()).on_hover_text(hover);
        let hover = if count > 0 { "Write the continuations (Alt+Enter)" } else { "Type a prompt first" };
        if keep::button(ui, count > 0, "Steer").hover(hover).clicked() {
            actions.push(Action::Steer);
        }
    });
    let rows = state.typed.prompts.lines().count().clamp(1, 4);
    let edit = egui::TextEdit::multiline(&mut state.typed.prompts)
        .hint_text("What the model continues; one prompt on each line")
        .desired_rows(rows)
        .desired_width(f32::INFINITY);
    let field = ui.add(edit);
    field.widget_info(|| WidgetInfo::labeled(Role::MultilineTextInput, true, "Prompts"));
    if field.has_focus() && ui.input(|i| i.modifiers.alt && i.key_pressed(Key::Enter)) {
        actions.push(Action::Steer);
    }
}

fn sampling(ui: &mut Ui, state: &mut State) {
    let sampling = &mut state.sampling;
    let named = |ui: &mut Ui, name: &str, field: DragValue<'_>, hover: &str| -> Response {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            let label = ui.label(RichText::new(name).small().color(ui.tokens().text_weak));
            ui.add(field).labelled_by(label.id).on_hover_text(hover)
        })
        .inner
    };
    named(
        ui,
        "temperature",
        DragValue::new(&mut sampling.temperature).range(0.0..=2.0).speed(0.01).fixed_decimals(2),
        "0 takes the most probable token every time",
    );
    named(ui, "tokens", DragValue::new(&mut sampling.max_tokens).range(1..=512), "Most tokens to write");
    named(ui, "seed", DragValue::new(&mut sampling.seed), "Both sides draw with the same seed");
    ui.menu_button(RichText::new("More").small(), |ui| {
        named(
            ui,
            "top-k",
            DragValue::new(&mut sampling.top_k).range(0..=1000),
            "Only so many of the most probable tokens; 0 for all",
        );
        named(
            ui,
            "top-p",
            DragValue::new(&mut sampling.top_p).range(0.01..=1.0).speed(0.01).fixed_decimals(2),
            "Only the most probable tokens that together reach this probability",
        );
        named(
            ui,
            "repetition penalty",
            DragValue::new(&mut sampling.repetition_penalty).range(0.5..=2.0).speed(0.01).fixed_decimals(2),
            "Makes tokens that have occurred less probable; 1 for no penalty",
        );
        ui.checkbox(&mut sampling.ignore_end, "Go on after the end of the text");
    })
    .response
    .on_hover_text("More ways to choose tokens");
}

impl Rack {
    /// A feature goes in, one largest activation taken away; nothing if it is there.
    pub fn insert(&mut self, feature: usize, reference: Option<f32>) {
        if !self.holds(feature) {
            self.slots.push(Slot { feature, reference, ..Slot::default() });
        }
    }
}
