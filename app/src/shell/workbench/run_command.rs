//! What each command of the shell does.

use egui::{Context, ViewportCommand};

use super::{Popover, Workbench};
use crate::shell::commands::{self as c, CommandId};
use crate::shell::dialogs::DialogPurpose;
use crate::shell::layout::{Layout, SETTINGS};
use crate::shell::settings::{Settings, ThemeChoice};

/// Ask for any file.
pub(super) const OPEN_FILE: DialogPurpose =
    DialogPurpose { owner: "shell", what: "open", title: "Open a checkpoint or a preset", filters: &[], folder: false };

const SAVE_PRESET: DialogPurpose = DialogPurpose {
    owner: "shell",
    what: "save_preset",
    title: "Save preset",
    filters: &[("Presets", &["ron"])],
    folder: false,
};

/// A step of the scale.
const STEP: f32 = 0.1;

impl Workbench {
    /// Whether the command could do something now.
    pub(super) fn command_enabled(&self, id: CommandId) -> bool {
        let front = self.contents.panels.iter().find(|panel| panel.id() == self.layout.active);
        match id {
            c::UNDO | c::REDO => front.is_some_and(|panel| panel.command_enabled(id)),
            c::SAVE_PRESET => front.is_some_and(|panel| panel.preset_text().is_some()),
            c::PRESETS => self.contents.panels.iter().any(|panel| !panel.presets().is_empty()),
            c::STOP_ALL => self.contents.shared.engine.busy() > 0,
            c::SPLIT_RIGHT | c::SPLIT_DOWN => self.layout.can_split(),
            c::JOIN | c::NEXT_ROW => self.layout.is_split(),
            c::CLOSE_TAB => !self.layout.active.is_empty(),
            c::HELP | c::HELP_MARK => true,
            _ if c::SHELL.iter().any(|command| command.id == id) => true,
            _ => self.owner(id).is_some_and(|at| self.contents.panels[at].command_enabled(id)),
        }
    }

    fn owner(&self, id: CommandId) -> Option<usize> {
        self.contents.panels.iter().position(|panel| panel.commands().iter().any(|command| command.id == id))
    }

    pub(super) fn toggle(&mut self, popover: Popover) {
        self.forget_question();
        self.popover = if self.popover == Some(popover) { None } else { Some(popover) };
        self.popover_opened = self.popover.is_some();
    }

    pub(super) fn run_command(&mut self, ctx: &Context, id: CommandId) {
        // A menu that is still open would stay in front of what the command shows.
        egui::Popup::close_all(ctx);
        match id {
            c::OPEN => self.toggle(Popover::Open),
            c::PRESETS => self.toggle(Popover::Presets),
            c::SAVE_PRESET => self.contents.shared.dialogs.save(SAVE_PRESET, "experiment.ron"),
            c::MENUS => self.focus_menus = true,
            c::RUNS => self.show_runs(),
            c::SETTINGS => self.change_tabs(|layout| layout.show(SETTINGS)),
            c::QUIT => ctx.send_viewport_cmd(ViewportCommand::Close),
            c::PALETTE | c::PALETTE_K => self.palette.toggle(),
            c::JOBS => self.toggle(Popover::Jobs),
            c::NOTICES => self.toggle(Popover::Notices),
            c::NEXT_TAB => self.change_tabs(Layout::next_tab),
            c::NEXT_ROW => self.change_tabs(Layout::next_row),
            c::CLOSE_TAB => {
                let active = self.layout.active.clone();
                self.change_tabs(|layout| layout.close(&active));
            }
            c::SPLIT_RIGHT => self.layout.split(false),
            c::SPLIT_DOWN => self.layout.split(true),
            c::JOIN => self.layout.join(),
            c::THEME => {
                let dark = ctx.theme() == egui::Theme::Dark;
                self.contents.shared.settings.theme = if dark { ThemeChoice::Light } else { ThemeChoice::Dark };
            }
            c::ZOOM_IN => self.zoom(self.contents.shared.settings.scale + STEP),
            c::ZOOM_OUT => self.zoom(self.contents.shared.settings.scale - STEP),
            c::ZOOM_RESET => self.zoom(1.0),
            c::RESET_LAYOUT => {
                let ids: Vec<&'static str> = self.contents.panels.iter().map(|panel| panel.id()).collect();
                self.layout.reset(Self::first_tabs(&ids));
            }
            c::STOP_ALL => {
                let engine = &self.contents.shared.engine;
                for job in engine.jobs().iter().filter(|job| job.seconds.is_none()) {
                    engine.cancel(job.id);
                }
            }
            c::HELP | c::HELP_MARK => self.layout.help = !self.layout.help,
            c::KEYS => self.toggle(Popover::Keys),
            c::ABOUT => self.toggle(Popover::About),
            c::UNDO | c::REDO => {
                let active = &self.layout.active;
                if let Some(panel) = self.contents.panels.iter_mut().find(|panel| panel.id() == active) {
                    panel.run_command(id, &mut self.contents.shared.cx());
                }
            }
            _ => {
                if let Some(at) = self.owner(id) {
                    let panel = &mut self.contents.panels[at];
                    if panel.command_enabled(id) {
                        self.layout.show(panel.id());
                        panel.run_command(id, &mut self.contents.shared.cx());
                    }
                }
            }
        }
    }

    /// Change the tabs; the one in front afterwards gets the keyboard.
    pub(super) fn change_tabs(&mut self, change: impl FnOnce(&mut Layout)) {
        change(&mut self.layout);
        self.focus_tab = true;
    }

    fn zoom(&mut self, scale: f32) {
        let rounded = (scale / STEP).round() * STEP;
        self.contents.shared.settings.scale = rounded.clamp(*Settings::SCALES.start(), *Settings::SCALES.end());
    }
}
