//! One of a few: a row of joined buttons. And the linear / logarithmic switch.

use egui::{Response, RichText, Role, Ui, WidgetInfo};

use crate::theme::UiExt as _;

/// A row of buttons of which one is on. `group` names the row in the accessibility tree. True if it changed.
pub fn choice<T: PartialEq + Copy>(ui: &mut Ui, group: &str, current: &mut T, options: &[(T, &str, &str)]) -> bool {
    focused_choice(ui, group, current, options, false)
}

/// The same; `focus` gives the keyboard to the button that is on.
pub fn focused_choice<T: PartialEq + Copy>(
    ui: &mut Ui,
    group: &str,
    current: &mut T,
    options: &[(T, &str, &str)],
    focus: bool,
) -> bool {
    let mut changed = false;
    let row = |ui: &mut Ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        let mut options: Vec<_> = options.iter().collect();
        if ui.layout().prefer_right_to_left() {
            options.reverse();
        }
        for (value, text, hover) in options {
            let on = *current == *value;
            let response = option(ui, text, on, hover);
            response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, on, format!("{group}: {text}")));
            if on && focus {
                response.request_focus();
            }
            if response.clicked() && !on {
                *current = *value;
                changed = true;
            }
        }
    };
    // Where options run to the left there is a line to share; a row of its own may wrap.
    if ui.layout().prefer_right_to_left() {
        ui.horizontal(row)
    } else {
        ui.horizontal_wrapped(row)
    };
    changed
}

fn option(ui: &mut Ui, text: &str, on: bool, hover: &str) -> Response {
    let tokens = ui.tokens();
    let color = if on { tokens.text_strong } else { tokens.text_weak };
    let response = ui.selectable_label(on, RichText::new(text).color(color));
    if hover.is_empty() { response } else { response.on_hover_text(hover) }
}

/// Linear or logarithmic. True if it changed.
pub fn log_switch(ui: &mut Ui, group: &str, log: &mut bool) -> bool {
    choice(
        ui,
        group,
        log,
        &[(false, "Linear", "Even steps"), (true, "Log", "Even ratios: small values become visible")],
    )
}
