//! The command palette: every command by a part of its name.

use egui::{
    Align, Align2, Area, Context, Frame, Key, Label, Layout, Margin, Modifiers, Order, RichText, ScrollArea, Sense, Ui,
    WidgetInfo, vec2,
};

use crate::shell::commands::{self, CommandId, CommandSpec};
use crate::theme::{Icon, UiExt as _};

/// Open or not, and what was typed.
#[derive(Default)]
pub struct Palette {
    open: bool,
    fresh: bool,
    text: String,
    at: usize,
}

impl Palette {
    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Open it empty, or close it.
    pub fn toggle(&mut self) {
        self.open = !self.open;
        self.fresh = self.open;
        self.text.clear();
        self.at = 0;
    }

    /// Draw it if it is open. The command that was chosen, if one was.
    pub fn show(&mut self, ctx: &Context, commands: &[&CommandSpec], enabled: &[bool]) -> Option<CommandId> {
        if !self.open {
            return None;
        }
        let hits = ranked(&self.text, commands, enabled);
        self.at = self.at.min(hits.len().saturating_sub(1));
        let (mut up, mut down, mut enter, mut escape, mut toggle) = (false, false, false, false, false);
        ctx.input_mut(|input| {
            up = input.consume_key(Modifiers::NONE, Key::ArrowUp);
            down = input.consume_key(Modifiers::NONE, Key::ArrowDown);
            enter = input.consume_key(Modifiers::NONE, Key::Enter);
            escape = input.consume_key(Modifiers::NONE, Key::Escape);
            toggle = input.consume_key(Modifiers::COMMAND, Key::P) || input.consume_key(Modifiers::COMMAND, Key::K);
        });
        if !hits.is_empty() {
            if down {
                self.at = (self.at + 1) % hits.len();
            }
            if up {
                self.at = (self.at + hits.len() - 1) % hits.len();
            }
        }
        let mut chosen = if enter { hits.get(self.at).copied() } else { None };
        let tokens = ctx.tokens();
        let window = ctx.input(egui::InputState::viewport_rect);
        let width = 560.0_f32.min(window.width() - 32.0);
        let area = Area::new(egui::Id::unique("palette"))
            .order(Order::Foreground)
            .anchor(Align2::CENTER_TOP, vec2(0.0, 56.0))
            .show(ctx, |ui| {
                Frame::popup(ui.style())
                    .fill(tokens.surface_raised)
                    .corner_radius(8)
                    .inner_margin(Margin::same(8))
                    .show(ui, |ui| {
                        ui.set_width(width - 18.0);
                        if let Some(at) = self.contents(ui, commands, &hits, up || down) {
                            chosen = Some(at);
                        }
                    });
            });
        let outside = ctx.input(|input| {
            input.pointer.any_pressed()
                && input.pointer.interact_pos().is_some_and(|at| !area.response.rect.contains(at))
        });
        let fresh = std::mem::take(&mut self.fresh);
        if chosen.is_some() || escape || toggle || (outside && !fresh) {
            self.open = false;
            ctx.request_repaint();
        }
        chosen.map(|at| commands[at].id)
    }

    fn contents(&mut self, ui: &mut Ui, commands: &[&CommandSpec], hits: &[usize], moved: bool) -> Option<usize> {
        let tokens = ui.tokens();
        let mut chosen = None;
        let field = egui::TextEdit::singleline(&mut self.text)
            .hint_text("Type a part of a command's name")
            .frame(Frame::NONE)
            .margin(Margin::symmetric(4, 6))
            .font(egui::TextStyle::Heading)
            .desired_width(f32::INFINITY);
        let field = ui.add(field);
        field.widget_info(|| WidgetInfo::labeled(egui::Role::SearchInput, true, "Search commands"));
        if self.fresh || !field.has_focus() {
            field.request_focus();
        }
        if field.changed() {
            self.at = 0;
        }
        ui.separator();
        if hits.is_empty() {
            ui.add_space(tokens.space_3);
            ui.label(RichText::new("No command has a name like this.").color(tokens.text_weak));
            ui.add_space(tokens.space_3);
        }
        let most = (ui.ctx().input(egui::InputState::viewport_rect).height() - 200.0).clamp(120.0, 420.0);
        ScrollArea::vertical().max_height(most).auto_shrink([false, true]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for (row, &index) in hits.iter().enumerate() {
                let command = commands[index];
                let size = vec2(ui.available_width(), 30.0);
                let (rect, response) = ui.allocate_exact_size(size, Sense::click());
                let on = row == self.at;
                response.widget_info(|| WidgetInfo::selected(egui::Role::ListBoxOption, true, on, command.text));
                if on || response.hovered() {
                    let fill = if on { tokens.accent_quiet } else { tokens.surface_hover };
                    ui.painter().rect_filled(rect, f32::from(tokens.radius), fill);
                }
                let mut inside = ui.new_child(
                    egui::UiBuilder::new()
                        .max_rect(rect.shrink2(vec2(8.0, 0.0)))
                        .layout(Layout::left_to_right(Align::Center)),
                );
                Icon::ChevronRight.show(&mut inside, 12.0, tokens.text_weak, "");
                inside.add(Label::new(RichText::new(command.text).color(tokens.text_strong)));
                inside.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    if let Some(keys) = &command.shortcut {
                        let keys = commands::shortcut_text(ui.ctx(), keys);
                        ui.label(RichText::new(keys).small().monospace().color(tokens.text_weak));
                    }
                    ui.add(Label::new(RichText::new(command.tooltip).small().color(tokens.text_weak)).truncate());
                });
                if on && moved {
                    ui.scroll_to_rect(rect, None);
                }
                if response.clicked() {
                    chosen = Some(index);
                }
            }
        });
        chosen
    }
}

/// The commands that can run and match, best first.
fn ranked(text: &str, commands: &[&CommandSpec], enabled: &[bool]) -> Vec<usize> {
    let mut hits: Vec<(i32, usize)> = commands
        .iter()
        .enumerate()
        .filter(|(index, command)| {
            let own = matches!(command.id, commands::PALETTE | commands::PALETTE_K | commands::HELP_MARK);
            enabled.get(*index).copied().unwrap_or(false) && !own
        })
        .filter_map(|(index, command)| Some((score(text, command.text)?, index)))
        .collect();
    hits.sort_by_key(|(score, index)| (-score, *index));
    hits.into_iter().map(|(_, index)| index).collect()
}

/// How well `text` fits: its letters must come in this order; runs and starts of words count more.
fn score(text: &str, name: &str) -> Option<i32> {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let mut at = 0;
    let mut last = None;
    let mut points = 0;
    for letter in text.to_lowercase().chars().filter(|letter| !letter.is_whitespace()) {
        let found = (at..name.len()).find(|&index| name[index] == letter)?;
        points += match last {
            Some(last) if found == last + 1 => 6,
            _ if found == 0 || !name[found - 1].is_alphanumeric() => 8,
            _ => 1,
        };
        last = Some(found);
        at = found + 1;
    }
    // An empty field lists the table in its own order.
    last.map_or(Some(0), |_| Some(points * 4 - name.len() as i32 / 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_match_and_starts_of_words_win() {
        assert!(score("xyz", "Clip all layers").is_none());
        assert!(score("cal", "Clip all layers").is_some());
        assert!(score("set", "Settings") > score("set", "Reset layout"));
        assert_eq!(score("", "Settings").map(|_| ()), Some(()));
        let commands: Vec<&CommandSpec> = commands::SHELL.iter().collect();
        let all = vec![true; commands.len()];
        assert_eq!(commands[ranked("sett", &commands, &all)[0]].id, commands::SETTINGS);
        assert!(ranked("sett", &commands, &vec![false; commands.len()]).is_empty());
    }
}
