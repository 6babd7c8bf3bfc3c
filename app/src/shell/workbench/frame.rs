//! One frame: bars at the edges, help at the right, tabs in the middle, the rest above.

use egui::{CentralPanel, Frame, Margin, Panel, ScrollArea, Ui};

use super::Workbench;
use crate::shell::layout::{RUNS, SETTINGS};
use crate::shell::{markdown, toasts};
use crate::theme::{Icon, UiExt as _};
use crate::widgets::scroll;

const RUNS_HELP: &str = include_str!("../runs_help.md");
const SETTINGS_HELP: &str = include_str!("../settings_help.md");
const GENERAL_HELP: &str = include_str!("../general_help.md");

impl eframe::App for Workbench {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        if self.prepared {
            self.think(ctx);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        if !self.prepared {
            // New fonts can be used only from the next frame on.
            self.prepare(ui.ctx());
            ui.ctx().request_repaint();
            return;
        }
        self.draw(ui);
        self.drawn_frames += 1;
        if self.drawn_frames == 1 {
            // What is not needed for the first frame starts with the second.
            ui.ctx().request_repaint();
        }
        if let Some(started) = self.started.take() {
            let seconds = started.elapsed().as_secs_f64();
            log::info!("first frame after {seconds:.3} s");
            if std::env::var_os("PLUMB_TIMING").is_some() {
                eprintln!("first frame after {seconds:.3} s");
            }
        }
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.close();
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

impl Workbench {
    fn draw(&mut self, ui: &mut Ui) {
        let tokens = ui.tokens();
        let size = ui.ctx().input(egui::InputState::viewport_rect).size();
        self.layout.window = Some([size.x, size.y]);
        let bar = Frame::new().fill(tokens.surface_sunken).inner_margin(Margin::symmetric(8, 4));
        Panel::top("top bar").frame(bar).show(ui, |ui| self.top_bar(ui));
        let bar = Frame::new().fill(tokens.surface_sunken).inner_margin(Margin::symmetric(8, 2));
        Panel::bottom("status bar").frame(bar).show(ui, |ui| self.status_bar(ui));
        if self.layout.help {
            self.help(ui);
        }
        CentralPanel::default().frame(Frame::new().fill(tokens.surface)).show(ui, |ui| self.tabs(ui));
        self.popovers(ui.ctx());
        let commands: Vec<_> = self.all_commands().collect();
        let enabled: Vec<bool> = commands.iter().map(|command| self.command_enabled(command.id)).collect();
        if let Some(id) = self.palette.show(ui.ctx(), &commands, &enabled) {
            self.contents.shared.commands.push(id);
            ui.ctx().request_repaint();
        }
        toasts::show(ui.ctx(), &mut self.contents.shared.notify);
        self.focus.after(ui.ctx());
        Self::drop_hint(ui);
        if !self.contents.shared.commands.is_empty() {
            ui.ctx().request_repaint();
        }
    }

    fn help(&mut self, ui: &mut Ui) {
        let active = self.layout.active.as_str();
        let text = match active {
            RUNS => RUNS_HELP,
            SETTINGS => SETTINGS_HELP,
            _ => self.contents.panels.iter().find(|panel| panel.id() == active).map_or(GENERAL_HELP, |p| p.help()),
        };
        let tokens = ui.tokens();
        let width = ui.available_width();
        let frame = Frame::new().fill(tokens.surface_raised).inner_margin(Margin::same(16));
        let mut close = false;
        Panel::right("help")
            .default_size(340.0_f32.min(width * 0.5))
            .size_range(220.0..=(width * 0.6).max(220.0))
            .frame(frame)
            .show(ui, |ui| {
                ui.horizontal(|ui| {
                    ui.label(egui::RichText::new("Help").small().color(tokens.text_weak));
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        close = Icon::Close.button(ui, "Close help").clicked();
                    });
                });
                let area = ScrollArea::vertical().id_salt(("help", active)).auto_shrink(false);
                scroll::show(ui, "Help text", area, |ui| {
                    markdown::show(ui, text);
                    ui.add_space(tokens.space_6);
                });
            });
        if close {
            self.layout.help = false;
        }
    }

    /// Say that a file held over the window may be dropped.
    fn drop_hint(ui: &Ui) {
        let hovering = ui.input(|input| !input.raw.hovered_files.is_empty());
        if !hovering {
            return;
        }
        let tokens = ui.tokens();
        let area = ui.ctx().input(egui::InputState::viewport_rect);
        let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop hint"));
        let painter = ui.ctx().layer_painter(layer);
        painter.rect_filled(area, 0.0, tokens.backdrop);
        painter.rect_stroke(area.shrink(8.0), 8.0, (2.0, tokens.accent), egui::StrokeKind::Inside);
        let font = egui::TextStyle::Heading.resolve(ui.style());
        painter.text(area.center(), egui::Align2::CENTER_CENTER, "Drop to open", font, tokens.text_strong);
    }
}
