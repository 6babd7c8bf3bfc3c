//! What hangs open over the tabs: job tray, messages, presets, shortcuts, about; `paths` has the path fields.

use egui::{Align, Align2, Area, Context, Frame, Key, Layout, Margin, Order, RichText, ScrollArea, Ui, Vec2, vec2};

use super::{Popover, Workbench};
use crate::shell::{commands, job_tray, toasts};
use crate::theme::{Icon, UiExt as _};
use crate::widgets::scroll;

/// Where a card hangs.
fn place(popover: Popover) -> (Align2, Vec2, f32) {
    match popover {
        Popover::Jobs => (Align2::LEFT_BOTTOM, vec2(8.0, -36.0), 460.0),
        Popover::Notices => (Align2::RIGHT_BOTTOM, vec2(-8.0, -36.0), 440.0),
        Popover::Open | Popover::Path | Popover::Presets => (Align2::CENTER_TOP, vec2(0.0, 72.0), 560.0),
        Popover::Keys => (Align2::CENTER_TOP, vec2(0.0, 72.0), 520.0),
        Popover::About => (Align2::CENTER_TOP, vec2(0.0, 96.0), 400.0),
    }
}

impl Workbench {
    pub(super) fn popovers(&mut self, ctx: &Context) {
        let Some(popover) = self.popover else { return };
        let tokens = ctx.tokens();
        let (anchor, offset, width) = place(popover);
        let window = ctx.input(egui::InputState::viewport_rect);
        let width = width.min(window.width() - 32.0);
        let mut close = false;
        let area = Area::new(egui::Id::unique(("popover", popover as u8)))
            .order(Order::Foreground)
            .anchor(anchor, offset)
            .show(ctx, |ui| {
                Frame::popup(ui.style())
                    .fill(tokens.surface_raised)
                    .corner_radius(8)
                    .inner_margin(Margin::same(12))
                    .show(ui, |ui| {
                        ui.set_width(width - 26.0);
                        ui.set_max_height((window.height() - 160.0).max(160.0));
                        close = self.popover_contents(ui, popover);
                    });
            });
        let opened = std::mem::take(&mut self.popover_opened);
        let outside = ctx.input(|input| {
            input.pointer.any_pressed()
                && input.pointer.interact_pos().is_some_and(|at| !area.response.rect.contains(at))
        });
        let escape = ctx.input_mut(|input| input.consume_key(egui::Modifiers::NONE, Key::Escape));
        // Status-bar buttons toggle by themselves: a press on one must not close and open again.
        let on_bar = ctx.input(|input| input.pointer.interact_pos()).is_some_and(|at| at.y > window.bottom() - 32.0);
        if !opened && (close || escape || (outside && !on_bar)) && self.popover == Some(popover) {
            self.popover = None;
            self.forget_question();
            ctx.request_repaint();
        }
    }

    /// True if the card should close.
    fn popover_contents(&mut self, ui: &mut Ui, popover: Popover) -> bool {
        let fresh = self.popover_opened;
        match popover {
            Popover::Jobs => {
                let close = header(ui, "Jobs", fresh, |_| {});
                job_tray::show(ui, &self.contents.shared.engine, &mut self.job_log);
                close
            }
            Popover::Notices => {
                let mut clear = false;
                let close = header(ui, "Messages", fresh, |ui| {
                    clear = Icon::Trash.button(ui, "Forget all messages").clicked();
                });
                if clear {
                    self.contents.shared.notify.clear();
                }
                toasts::history(ui, &mut self.contents.shared.notify);
                close
            }
            Popover::Open => self.open_card(ui),
            Popover::Path => self.path_card(ui),
            Popover::Presets => self.presets_card(ui),
            Popover::Keys => self.keys_card(ui),
            Popover::About => about_card(ui, fresh),
        }
    }

    fn presets_card(&mut self, ui: &mut Ui) -> bool {
        let tokens = ui.tokens();
        let mut close = header(ui, "Presets", self.popover_opened, |_| {});
        let mut chosen = None;
        scroll::show(ui, "Presets", ScrollArea::vertical().max_height(ui.available_height()), |ui| {
            for panel in &self.contents.panels {
                if self.contents.panels.len() > 1 {
                    ui.label(RichText::new(panel.title()).heading());
                }
                for preset in panel.presets() {
                    let header: Result<plumb_core::preset::Header, _> =
                        plumb_core::preset::from_ron(preset.text, preset.file);
                    let (title, about) = match header {
                        Ok(header) if !header.title.is_empty() => (header.title, header.about),
                        _ => (preset.file.to_owned(), String::new()),
                    };
                    let response = row(ui, &title, &about);
                    if response.on_hover_text(preset.file).clicked() {
                        chosen = Some(preset);
                    }
                }
            }
        });
        ui.separator();
        ui.label(
            RichText::new("A preset also runs from the command line: plumb run FILE").small().color(tokens.text_weak),
        );
        if let Some(preset) = chosen {
            self.open_preset(preset.text, preset.file);
            close = true;
        }
        close
    }

    fn keys_card(&mut self, ui: &mut Ui) -> bool {
        let tokens = ui.tokens();
        let close = header(ui, "Keyboard shortcuts", self.popover_opened, |_| {});
        let commands: Vec<_> = self.all_commands().filter(|command| command.shortcut.is_some()).collect();
        scroll::show(ui, "Keyboard shortcuts", ScrollArea::vertical().auto_shrink([false, true]), |ui| {
            for command in commands {
                ui.horizontal(|ui| {
                    ui.label(command.text).on_hover_text(command.tooltip);
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        if let Some(keys) = &command.shortcut {
                            let keys = commands::shortcut_text(ui.ctx(), keys);
                            ui.label(RichText::new(keys).monospace().color(tokens.text_weak));
                        }
                    });
                });
            }
        });
        close
    }
}

/// Title, extra buttons, a cross, which gets the keyboard in a `fresh` card. True if the cross was pressed.
pub(super) fn header(ui: &mut Ui, title: &str, fresh: bool, extra: impl FnOnce(&mut Ui)) -> bool {
    let mut close = false;
    ui.horizontal(|ui| {
        ui.label(RichText::new(title).heading().color(ui.tokens().text_strong));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let cross = Icon::Close.button(ui, &format!("Close {}", title.to_lowercase()));
            if fresh {
                cross.request_focus();
            }
            close = cross.clicked();
            extra(ui);
        });
    });
    ui.add_space(ui.tokens().space_2);
    close
}

/// A row to choose: a name and what it is.
fn row(ui: &mut Ui, title: &str, about: &str) -> egui::Response {
    let tokens = ui.tokens();
    let mut text = egui::text::LayoutJob::default();
    let body = egui::TextStyle::Body.resolve(ui.style());
    let small = egui::TextStyle::Small.resolve(ui.style());
    text.append(title, 0.0, egui::TextFormat::simple(body, tokens.text_strong));
    if !about.is_empty() {
        text.append(&format!("\n{about}"), 0.0, egui::TextFormat::simple(small, tokens.text_weak));
    }
    let width = ui.available_width();
    let button = egui::Button::new(text).frame_when_inactive(false).wrap().min_size(vec2(width, 30.0));
    let response = ui.with_layout(Layout::top_down_justified(Align::LEFT), |ui| ui.add(button)).inner;
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, title));
    response
}

fn about_card(ui: &mut Ui, fresh: bool) -> bool {
    let tokens = ui.tokens();
    let close = header(ui, "About Plumb", fresh, |_| {});
    ui.label(format!("Version {}", env!("CARGO_PKG_VERSION")));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    ui.label(format!("{} {}, {threads} threads", std::env::consts::OS, std::env::consts::ARCH));
    ui.add_space(tokens.space_3);
    ui.label("Look inside machine-learning models, change what they do, and measure what the change costs.");
    ui.add_space(tokens.space_3);
    let licences = "Plumb: MIT or Apache-2.0. Inter and JetBrains Mono: SIL Open Font License 1.1. Icons: Lucide, ISC.";
    ui.label(RichText::new(licences).small().color(tokens.text_weak));
    close
}
