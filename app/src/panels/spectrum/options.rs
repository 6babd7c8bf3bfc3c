//! How spectra are computed: the menu beside the path field.

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Button, DragValue, Grid, PopupCloseBehavior, RichText, Role, Ui, WidgetInfo};
use plumb_spectrum::spec::SpectrumSpec;

use super::action::Action;
use crate::theme::{Icon, UiExt as _};
use crate::widgets::choice::choice;

/// The accuracy that “Stop when: estimated accuracy” begins with.
const ACCURACY: f64 = 1e-3;

/// Which of the two rules ends the iteration.
#[derive(Clone, Copy, PartialEq)]
enum Stop {
    Residual,
    Accuracy,
}

/// The button and its menu. Changes count from the next time spectra are computed.
pub fn ui(ui: &mut Ui, spec: &mut SpectrumSpec, actions: &mut Vec<Action>) {
    let icon = Icon::Sliders.image(15.0, ui.tokens().text_weak);
    let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let button = MenuButton::from_button(Button::image(icon).frame_when_inactive(false)).config(config);
    let (response, _) = button.ui(ui, |ui| {
        ui.set_min_width(310.0);
        Grid::new("spectrum options").num_columns(2).spacing([12.0, 8.0]).show(ui, |ui| settings(ui, spec));
        ui.separator();
        if ui.button("Compute spectra again").clicked() {
            actions.push(Action::SurveyAgain);
            ui.close();
        }
    });
    let name = "How spectra are computed";
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    response.on_hover_text(name);
}

fn settings(ui: &mut Ui, spec: &mut SpectrumSpec) {
    let weak = |text: &str| RichText::new(text).color(ui.tokens().text_weak);
    let [values, stop, at_most, floats] = ["Values per layer", "Stop when", "Applications", "Floats"].map(weak);
    ui.label(values).on_hover_text("How many of the largest singular values are computed");
    let number = ui.add(DragValue::new(&mut spec.top).speed(0.1).range(1..=64));
    number.widget_info(|| WidgetInfo::labeled(Role::SpinButton, true, "Values per layer"));
    ui.end_row();

    ui.label(stop).on_hover_text("When the iteration of a layer ends");
    let mut rule = if spec.accuracy > 0.0 { Stop::Accuracy } else { Stop::Residual };
    let rules = [
        (Stop::Residual, "Residual", "‖Mᵗu − σv‖ / σ₁ is small: values and vectors are right"),
        (
            Stop::Accuracy,
            "Estimated accuracy",
            "The values are expected to be right: sooner, but an estimate, no bound",
        ),
    ];
    if choice(ui, "Stop when", &mut rule, &rules) {
        spec.accuracy = if rule == Stop::Accuracy { ACCURACY } else { 0.0 };
    }
    ui.end_row();

    ui.label("");
    ui.horizontal(|ui| {
        let (value, name) = match rule {
            Stop::Residual => (&mut spec.tolerance, "Largest residual"),
            Stop::Accuracy => (&mut spec.accuracy, "Wanted relative accuracy"),
        };
        ui.label(RichText::new("below").color(ui.tokens().text_weak));
        let number = ui.add(small_number(value));
        number.widget_info(|| WidgetInfo { label: Some(name.to_owned()), ..WidgetInfo::drag_value(true, *value) });
        number.on_hover_text(format!("{name}, relative to σ₁"));
    });
    ui.end_row();

    ui.label(at_most).on_hover_text("Most applications of MᵗM per layer; a layer that needs more did not converge");
    let number = ui.add(DragValue::new(&mut spec.max_iterations).speed(10.0).range(1..=1_000_000));
    number.widget_info(|| WidgetInfo::labeled(Role::SpinButton, true, "Most applications"));
    ui.end_row();

    ui.label(floats);
    let precisions = [(false, "32 bit", "Faster; about six digits"), (true, "64 bit", "Slower; for exact comparisons")];
    choice(ui, "Floats", &mut spec.double, &precisions);
    ui.end_row();
}

/// A number between 1e-12 and 0.1, written as a power of ten; a drag changes it by ratios.
fn small_number(value: &mut f64) -> DragValue<'_> {
    let speed = *value * 0.02;
    DragValue::new(value)
        .speed(speed)
        .range(1e-12..=0.1)
        .custom_formatter(|value, _| format!("{value:.1e}"))
        .custom_parser(|text| text.trim().parse().ok().filter(|value: &f64| *value > 0.0))
}
