//! A slider around zero: even ratios to both sides, so that weak and strong settings are both within reach.
//!
//! Dragging moves it, a double click brings it back to zero. With the focus, left and right take a small step, with
//! Shift a large one, and Home goes to zero.

use egui::{EventFilter, Key, Modifiers, Rect, Response, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use crate::theme::UiExt as _;

/// Below this share of the range the scale is even.
const EVEN: f32 = 0.01;

/// Where `value` stands, −1 at the left end, 1 at the right one.
pub fn place(value: f32, most: f32) -> f32 {
    let size = (value.abs() / most).min(1.0);
    value.signum() * (1.0 + size / EVEN).ln() / (1.0 + 1.0 / EVEN).ln()
}

/// The value at a place.
pub fn value_at(place: f32, most: f32) -> f32 {
    let size = place.abs().min(1.0);
    place.signum() * most * EVEN * ((1.0 + 1.0 / EVEN).powf(size) - 1.0)
}

/// Rounds to steps that a person would type.
fn tidy(value: f32) -> f32 {
    let size = value.abs();
    let step = if size < 0.1 {
        0.01
    } else if size < 1.0 {
        0.05
    } else if size < 5.0 {
        0.1
    } else {
        0.5
    };
    let rounded = (value / step).round() * step;
    // Without a minus sign in front of zero, and without rounding's tail.
    if rounded == 0.0 { 0.0 } else { (rounded * 100.0).round() / 100.0 }
}

/// Draw it `width` points wide for values from −`most` to `most`. `name` is read by screen readers.
pub fn bipolar(ui: &mut Ui, name: &str, value: &mut f32, most: f32, width: f32) -> Response {
    let tokens = ui.tokens();
    let (rect, mut response) = ui.allocate_exact_size(vec2(width, 22.0), Sense::click_and_drag());
    let old = *value;
    let rail = rect.shrink2(vec2(8.0, 0.0));
    let x_of = |value: f32| rail.center().x + place(value, most) * rail.width() / 2.0;
    if response.clicked() || response.drag_started() {
        response.request_focus();
    }
    if let Some(pointer) = response.interact_pointer_pos().filter(|_| response.dragged() || response.clicked()) {
        let place = (pointer.x - rail.center().x) / (rail.width() / 2.0);
        // The middle is sticky: off is what one comes back to most.
        *value = if place.abs() < 0.03 { 0.0 } else { tidy(value_at(place.clamp(-1.0, 1.0), most)) };
    }
    if response.double_clicked() {
        *value = 0.0;
    }
    if response.has_focus() {
        keys(ui, &response, value, most);
    }
    for request in ui.input(|input| {
        input
            .accesskit_action_requests(response.id, egui::accesskit::Action::SetValue)
            .filter_map(|request| match request.data {
                Some(egui::accesskit::ActionData::NumericValue(number)) => Some(number as f32),
                _ => None,
            })
            .collect::<Vec<_>>()
    }) {
        *value = request.clamp(-most, most);
    }
    if *value != old {
        response.mark_changed();
    }
    response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), f64::from(*value), name));
    if ui.is_rect_visible(rect) {
        let painter = ui.painter();
        let middle = rail.center();
        let line = Rect::from_center_size(middle, vec2(rail.width(), 4.0));
        painter.rect(line, 2, tokens.surface_sunken, Stroke::new(1.0, tokens.border), egui::StrokeKind::Outside);
        for mark in [-most, -most / 10.0, most / 10.0, most] {
            let x = x_of(mark);
            painter.line_segment([pos2(x, middle.y + 5.0), pos2(x, middle.y + 8.0)], (1.0, tokens.border_strong));
        }
        painter.line_segment([pos2(middle.x, middle.y - 7.0), pos2(middle.x, middle.y + 8.0)], (1.0, tokens.text_weak));
        let x = x_of(*value);
        let color = if ui.is_enabled() && *value != 0.0 {
            if *value < 0.0 { tokens.series[1] } else { tokens.series[0] }
        } else {
            tokens.text_weak
        };
        let filled = Rect::from_two_pos(pos2(middle.x, middle.y - 2.0), pos2(x, middle.y + 2.0));
        painter.rect_filled(filled, 2, color);
        let edge = if response.has_focus() || response.hovered() { tokens.text_strong } else { tokens.surface };
        painter.circle(pos2(x, middle.y), 6.5, color, Stroke::new(1.5, edge));
    }
    response
}

fn keys(ui: &Ui, response: &Response, value: &mut f32, most: f32) {
    let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    for (key, way) in [(Key::ArrowLeft, -1.0), (Key::ArrowRight, 1.0)] {
        for (modifiers, step) in [(Modifiers::SHIFT, 0.12), (Modifiers::NONE, 0.03)] {
            if ui.input_mut(|input| input.consume_key(modifiers, key)) {
                let moved = tidy(value_at((place(*value, most) + way * step).clamp(-1.0, 1.0), most));
                // Never stuck where the steps are finer than the rounding.
                *value = if moved == *value { tidy(*value + way * 0.01) } else { moved };
            }
        }
    }
    if ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Home)) {
        *value = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    use super::*;

    #[test]
    fn places_and_values_are_inverse() {
        for value in [-20.0, -1.0, -0.02, 0.0, 0.3, 7.0, 20.0] {
            assert!((value_at(place(value, 20.0), 20.0) - value).abs() < 1e-3, "{value}");
        }
        assert_eq!((place(20.0, 20.0), place(-20.0, 20.0)), (1.0, -1.0));
        assert!(place(1.0, 20.0) > 0.3, "one largest activation is well away from the middle");
    }

    #[test]
    fn keys_move_it_and_home_brings_it_back() {
        let mut harness = Harness::new_ui_state(
            |ui, value: &mut f32| {
                bipolar(ui, "Strength", value, 20.0, 200.0);
            },
            0.0,
        );
        harness.run();
        harness.get_by_label("Strength").focus();
        harness.run();
        for _ in 0..12 {
            harness.key_press(Key::ArrowLeft);
            harness.run();
        }
        assert!(*harness.state() < -0.1, "{}", harness.state());
        harness.key_press(Key::Home);
        harness.run();
        assert_eq!(*harness.state(), 0.0);
    }
}
