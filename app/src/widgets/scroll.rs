//! Scroll areas for the keyboard: a control that gets the focus is brought into view, and an area that holds more than
//! its frame shows is a stop of the Tab key, where the arrow keys, Page up, Page down, Home and End scroll it.

use egui::scroll_area::ScrollAreaOutput;
use egui::style::ScrollAnimation;
use egui::{EventFilter, Id, Key, Modifiers, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};

/// One press of an arrow key, in points.
const STEP: f32 = 40.0;

/// Further than any content is high.
const FAR: f32 = 1e6;

/// Show `area` with `contents`; `name` is read by screen readers.
pub fn show<R>(ui: &mut Ui, name: &str, area: ScrollArea, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let keys = Keys::read(ui, name);
    let output = area.show(ui, |ui| {
        let inner = contents(ui);
        follow(ui);
        keys.scroll(ui);
        inner
    });
    keys.stop(ui, name, &output);
    output.inner
}

/// The same for `rows` of one `height`, of which only the visible ones are laid out.
pub fn rows(
    ui: &mut Ui,
    name: &str,
    area: ScrollArea,
    height: f32,
    rows: usize,
    contents: impl FnOnce(&mut Ui, std::ops::Range<usize>),
) {
    let keys = Keys::read(ui, name);
    let output = area.show_rows(ui, height, rows, |ui, range| {
        contents(ui, range);
        keys.scroll(ui);
    });
    keys.stop(ui, name, &output);
}

/// Bring the control that has just got the focus into view.
fn follow(ui: &Ui) {
    let focused = ui.memory(egui::Memory::focused);
    if let Some(response) = focused.and_then(|id| ui.ctx().read_response(id))
        && response.gained_focus()
        && response.layer_id == ui.layer_id()
        && ui.min_rect().contains_rect(response.rect)
        && !ui.clip_rect().contains_rect(response.rect)
    {
        ui.scroll_to_rect(response.rect.expand(8.0), None);
    }
}

/// What the keyboard asks of one scroll area.
struct Keys {
    id: Id,
    by: f32,
}

impl Keys {
    fn read(ui: &Ui, name: &str) -> Self {
        let id = ui.make_persistent_id(("scrolled by keys", name));
        let mut by = 0.0;
        if ui.memory(|memory| memory.has_focus(id)) {
            let page = ui.data(|data| data.get_temp(id)).unwrap_or(STEP);
            let steps = [
                (Key::ArrowUp, -STEP),
                (Key::ArrowDown, STEP),
                (Key::PageUp, -page),
                (Key::PageDown, page),
                (Key::Home, -FAR),
                (Key::End, FAR),
            ];
            for (key, step) in steps {
                if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
                    by += step;
                }
            }
        }
        Self { id, by }
    }

    /// Inside the area.
    fn scroll(&self, ui: &Ui) {
        if self.by != 0.0 {
            ui.scroll_with_delta_animation(vec2(0.0, -self.by), ScrollAnimation::none());
        }
    }

    /// After the area: a stop for the Tab key where there is something to scroll.
    fn stop<R>(&self, ui: &Ui, name: &str, output: &ScrollAreaOutput<R>) {
        let frame = output.inner_rect;
        if output.content_size.y <= frame.height() + 1.0 {
            return;
        }
        ui.data_mut(|data| data.insert_temp(self.id, (frame.height() - STEP).max(STEP)));
        let stop = ui.interact(frame, self.id, Sense::focusable_noninteractive());
        stop.widget_info(|| WidgetInfo::labeled(Role::ScrollView, true, name));
        if stop.has_focus() {
            let filter = EventFilter { vertical_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(self.id, filter));
        }
    }
}
