//! The bar at the top: name, menus, search. The bar at the bottom: device, jobs, messages.

use egui::{Align, Button, Layout, MenuBar, RichText, Ui, WidgetInfo};
use plumb_core::JobState;

use super::{Popover, Workbench};
use crate::shell::commands::{self, CommandSpec, Menu};
use crate::shell::layout::{RUNS, SETTINGS};
use crate::theme::{Icon, UiExt as _, semibold};

impl Workbench {
    pub(super) fn top_bar(&mut self, ui: &mut Ui) {
        let tokens = ui.tokens();
        MenuBar::new().ui(ui, |ui| {
            ui.spacing_mut().item_spacing.x = tokens.space_2;
            ui.add_space(tokens.space_2);
            Icon::PlumbMark.show(ui, 16.0, tokens.accent, "Plumb");
            ui.label(semibold("Plumb").size(14.0).color(tokens.text_strong));
            ui.add_space(tokens.space_4);
            for (menu, name) in Menu::BAR {
                let button = ui.menu_button(name, |ui| self.menu(ui, menu)).response;
                if std::mem::take(&mut self.focus_menus) {
                    button.request_focus();
                }
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                self.bar_button(ui, Icon::Settings, commands::SETTINGS);
                let dark = ui.visuals().dark_mode;
                self.bar_button(ui, if dark { Icon::Sun } else { Icon::Moon }, commands::THEME);
                self.bar_button(ui, Icon::Help, commands::HELP);
                if ui.available_width() > 220.0 {
                    ui.add_space(tokens.space_3);
                    self.search_button(ui);
                } else {
                    self.bar_button(ui, Icon::Search, commands::PALETTE);
                }
            });
        });
    }

    fn bar_button(&mut self, ui: &mut Ui, icon: Icon, id: commands::CommandId) {
        let Some(command) = commands::SHELL.iter().find(|command| command.id == id) else { return };
        let button = Button::image(icon.image(16.0, ui.tokens().text)).frame_when_inactive(false);
        let response = ui.add(button);
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, command.text));
        let keys = command.shortcut.map(|keys| commands::shortcut_text(ui.ctx(), &keys)).unwrap_or_default();
        if response.on_hover_text(format!("{}\n{keys}", command.tooltip).trim_end()).clicked() {
            self.contents.shared.commands.push(id);
        }
    }

    fn search_button(&mut self, ui: &mut Ui) {
        let tokens = ui.tokens();
        let keys =
            commands::ctrl(egui::Key::P).map(|keys| commands::shortcut_text(ui.ctx(), &keys)).unwrap_or_default();
        let button = Button::image_and_text(
            Icon::Search.image(13.0, tokens.text_weak),
            RichText::new("Search commands").color(tokens.text_weak),
        )
        .shortcut_text(RichText::new(keys).small().color(tokens.text_weak))
        .fill(tokens.surface)
        .stroke((1.0, tokens.border))
        .min_size(egui::vec2(200.0, 22.0));
        let response = ui.add(button);
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, "Command palette"));
        if response.on_hover_text("Find and run any command by typing a part of its name.").clicked() {
            self.contents.shared.commands.push(commands::PALETTE);
        }
    }

    fn menu(&mut self, ui: &mut Ui, menu: Menu) {
        ui.set_min_width(220.0);
        let mut groups: Vec<Vec<&'static CommandSpec>> = std::iter::once(commands::SHELL)
            .chain(self.contents.panels.iter().map(|panel| panel.commands()))
            .map(|group| group.iter().filter(|command| command.menu == menu).collect())
            .collect();
        if menu == Menu::File {
            let (leave, file): (Vec<_>, Vec<_>) =
                groups[0].iter().partition(|command| matches!(command.id, commands::SETTINGS | commands::QUIT));
            groups[0] = file;
            groups.push(leave);
        }
        let mut first = true;
        // What belongs to the panel comes before the shell's own rows, except under File and View.
        let shell_first = matches!(menu, Menu::File | Menu::View | Menu::Edit | Menu::Help);
        let order: Vec<usize> =
            if shell_first { (0..groups.len()).collect() } else { (1..groups.len()).chain([0]).collect() };
        for group in order.into_iter().map(|at| &groups[at]).filter(|group| !group.is_empty()) {
            if !std::mem::take(&mut first) {
                ui.separator();
            }
            for command in group {
                self.menu_row(ui, command);
            }
        }
        if menu == Menu::View {
            ui.separator();
            self.tab_rows(ui);
        }
    }

    fn menu_row(&mut self, ui: &mut Ui, command: &CommandSpec) {
        let mut button = Button::new(command.text);
        if let Some(keys) = &command.shortcut {
            button = button.shortcut_text(RichText::new(commands::shortcut_text(ui.ctx(), keys)).small());
        }
        let enabled = self.command_enabled(command.id);
        if ui.add_enabled(enabled, button).on_hover_text(command.tooltip).clicked() {
            self.contents.shared.commands.push(command.id);
            ui.close();
        }
    }

    fn tab_rows(&mut self, ui: &mut Ui) {
        let mut panes: Vec<&'static str> = self.contents.panels.iter().map(|panel| panel.id()).collect();
        panes.extend([RUNS, SETTINGS]);
        for pane in panes {
            let mut open = self.layout.is_open(pane);
            let title = self.title(pane);
            if ui.checkbox(&mut open, title).on_hover_text(format!("Show or close the tab “{title}”.")).changed() {
                if open {
                    self.layout.show(pane);
                } else {
                    self.layout.close(pane);
                }
                ui.close();
            }
        }
    }

    pub(super) fn status_bar(&mut self, ui: &mut Ui) {
        let tokens = ui.tokens();
        ui.spacing_mut().button_padding = egui::vec2(6.0, 2.0);
        ui.horizontal(|ui| {
            let device = self.contents.settings_page.device_line(&self.contents.shared.settings);
            let device = Button::image_and_text(
                Icon::Cpu.image(13.0, tokens.text_weak),
                RichText::new(device).small().color(tokens.text_weak),
            )
            .frame_when_inactive(false);
            if ui.add(device).on_hover_text("Where tensors are computed. Click for the settings.").clicked() {
                self.contents.shared.commands.push(commands::SETTINGS);
            }
            self.jobs_button(ui);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                self.notices_button(ui);
                let percent = (ui.ctx().zoom_factor() * 100.0).round();
                if (percent - 100.0).abs() > 0.5 {
                    let label = RichText::new(format!("{percent} %")).small().color(tokens.text_weak);
                    let button = Button::new(label).frame_when_inactive(false);
                    if ui.add(button).on_hover_text("Scale of the window. Click for normal size.").clicked() {
                        self.contents.shared.commands.push(commands::ZOOM_RESET);
                    }
                }
            });
        });
    }

    fn jobs_button(&mut self, ui: &mut Ui) {
        let tokens = ui.tokens();
        let jobs = self.contents.shared.engine.jobs();
        let running = jobs.iter().find(|job| job.state == JobState::Running);
        let busy = jobs.iter().filter(|job| job.seconds.is_none()).count();
        let text = match running {
            Some(job) => {
                let percent = job.progress.fraction().map(|part| format!(" {:.0} %", part * 100.0)).unwrap_or_default();
                let more = if busy > 1 { format!(", {} more", busy - 1) } else { String::new() };
                format!("{}{percent}{more}", job.name)
            }
            None if busy > 0 => format!("{busy} waiting"),
            None => "No jobs".to_owned(),
        };
        let color = if busy > 0 { tokens.accent } else { tokens.text_weak };
        let button = Button::image_and_text(
            Icon::Jobs.image(13.0, color),
            RichText::new(&text).small().color(if busy > 0 { tokens.text } else { tokens.text_weak }),
        )
        .frame_when_inactive(false)
        .truncate();
        let response = ui.scope(|ui| {
            ui.set_max_width((ui.available_width() - 120.0).clamp(60.0, 420.0));
            ui.add(button)
        });
        let response = response.inner;
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, format!("Jobs: {text}")));
        if response.on_hover_text("What runs, waits and has ended.").clicked() {
            self.toggle(Popover::Jobs);
        }
    }

    fn notices_button(&mut self, ui: &mut Ui) {
        let tokens = ui.tokens();
        let unseen = self.contents.shared.notify.unseen();
        let text = if unseen == 0 { "Messages".to_owned() } else { format!("{unseen} new") };
        let color = if unseen == 0 { tokens.text_weak } else { tokens.accent };
        let button =
            Button::image_and_text(Icon::Bell.image(13.0, color), RichText::new(&text).small().color(tokens.text_weak))
                .frame_when_inactive(false);
        let response = ui.add(button);
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, format!("Notifications: {text}")));
        if response.on_hover_text("Messages since the start.").clicked() {
            self.toggle(Popover::Notices);
        }
    }
}
