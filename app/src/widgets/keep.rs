//! A control that is off while it works and keeps the keyboard all the same.
//!
//! egui takes the keyboard from a control that is switched off, so that whoever pressed “Clip all layers” by key would
//! have to look for the place again once it is done. Here a control that has the keyboard when it goes off keeps it: it
//! is drawn as off, says so in the accessibility tree, and does nothing when pressed. One that does not have the keyboard
//! is off as usual, and Tab passes it over.

use egui::{Button, Response, Role, Ui, UiBuilder, WidgetInfo};

/// A control and whether it did anything.
#[derive(Debug)]
pub struct Kept {
    /// For what hovering tells.
    pub response: Response,
    ready: bool,
}

impl Kept {
    /// Whether it was pressed while it was on.
    pub fn clicked(&self) -> bool {
        self.ready && self.response.clicked()
    }

    /// Explain it to the pointer.
    #[must_use]
    pub fn hover(self, text: impl Into<String>) -> Self {
        let text = text.into();
        let response = self.response.on_hover_text(&text).on_disabled_hover_text(text);
        Self { response, ready: self.ready }
    }
}

/// A row of such controls. What appears above it while they work (a line with the progress) does not make them others:
/// egui numbers controls by what stands before them.
pub fn row<R>(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    let scope = ui.scope_id().with(("kept", name));
    ui.scope_builder(UiBuilder::new().scope_id(scope), |ui| ui.horizontal_wrapped(add).inner).inner
}

/// A button that is on while `ready`.
pub fn button(ui: &mut Ui, ready: bool, text: &str) -> Kept {
    keep(ui, ready, text, |ui| ui.add(Button::new(text)))
}

/// Any control that is pressed; `name` is what it is called in the accessibility tree.
pub fn keep(ui: &mut Ui, ready: bool, name: &str, add: impl FnOnce(&mut Ui) -> Response) -> Kept {
    let holds = ui.ctx().memory(|memory| memory.has_focus(ui.next_auto_id()));
    if ready || !holds || !ui.is_enabled() {
        let response = ui.add_enabled(ready, add);
        return Kept { response, ready };
    }
    let opacity = ui.opacity();
    ui.multiply_opacity(ui.visuals().disabled_alpha());
    let response = add(ui);
    ui.set_opacity(opacity);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, false, name));
    Kept { response, ready }
}

#[cfg(test)]
mod tests {
    use egui::Key;
    use egui_kittest::Harness;
    use egui_kittest::kittest::{NodeT as _, Queryable as _};

    use super::*;

    struct Desk {
        ready: bool,
        pressed: usize,
    }

    fn desk<'a>() -> Harness<'a, Desk> {
        Harness::new_ui_state(
            |ui, desk: &mut Desk| {
                if !desk.ready {
                    ui.label("Working");
                }
                row(ui, "work", |ui| {
                    let _before = ui.button("Before");
                    if button(ui, desk.ready, "Work").clicked() {
                        desk.pressed += 1;
                        desk.ready = false;
                    }
                    let _after = ui.button("After");
                });
            },
            Desk { ready: true, pressed: 0 },
        )
    }

    #[test]
    fn a_button_that_goes_off_keeps_the_keyboard() {
        let mut harness = desk();
        harness.get_by_label("Work").focus();
        harness.run();
        harness.key_press(Key::Space);
        harness.run();
        harness.run();
        assert_eq!(harness.state().pressed, 1);
        let node = harness.get_by_label("Work");
        assert!(node.is_focused(), "it has the keyboard still");
        assert!(node.accesskit_node().is_disabled(), "and says that it is off");
        harness.key_press(Key::Space);
        harness.run();
        assert_eq!(harness.state().pressed, 1, "pressing it does nothing while it is off");
        harness.state_mut().ready = true;
        harness.run();
        harness.key_press(Key::Space);
        harness.run();
        assert_eq!(harness.state().pressed, 2, "and works again once it is on");
    }

    #[test]
    fn a_button_that_is_off_is_passed_over() {
        let mut harness = desk();
        harness.state_mut().ready = false;
        harness.get_by_label("Before").focus();
        harness.run();
        harness.key_press(Key::Tab);
        harness.run();
        assert!(harness.get_by_label("After").is_focused());
    }
}
