//! Before drawing: answers in, shortcuts matched, commands run, settings applied.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui::Context;
use plumb_core::run_folder::RunFolder;
use plumb_core::source::Source;

use super::Workbench;
use crate::shell::commands::{self, CommandSpec};
use crate::shell::dialogs::{Answer, Answered, DialogPurpose};
use crate::shell::layout::RUNS;

/// Settings are written when they have not changed for this long, so that a dragged slider writes once.
const SETTLED: Duration = Duration::from_millis(500);

impl Workbench {
    pub(super) fn think(&mut self, ctx: &Context) {
        let now = Instant::now();
        self.focus.before(ctx, self.palette.is_open() || self.popover.is_some());
        if let Some(next) = self.contents.shared.notify.expire(now) {
            ctx.request_repaint_after(next);
        }
        self.take_drops(ctx);
        self.take_dialog_answer();
        for panel in &mut self.contents.panels {
            panel.logic(&mut self.contents.shared.cx());
        }
        self.contents.runs.logic(&mut self.contents.shared);
        self.contents.settings_page.logic(&self.contents.shared, self.drawn_frames > 0);
        if let Some((method, folder)) = self.contents.runs.take_reopen() {
            self.open_run(&method, &folder);
        }
        for path in std::mem::take(&mut self.to_open) {
            self.open_now(&path);
        }
        self.match_shortcuts(ctx);
        // A command may queue another one; that one runs in the same frame, but not for ever.
        for _ in 0..8 {
            let queue = std::mem::take(&mut self.contents.shared.commands);
            if queue.is_empty() {
                break;
            }
            for id in queue {
                self.run_command(ctx, id);
            }
        }
        if self.contents.shared.dialogs.take_refused() {
            self.contents.shared.notify.warn("A file dialog is already open. Answer it first.");
        }
        self.layout.settle_active();
        self.apply_settings(ctx);
        self.save_settled_settings(ctx, now);
    }

    fn take_drops(&mut self, ctx: &Context) {
        let dropped: Vec<PathBuf> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect());
        self.to_open.extend(dropped);
    }

    fn take_dialog_answer(&mut self) {
        let Some(Answered { purpose, ask, answer }) = self.contents.shared.dialogs.poll() else { return };
        match answer {
            Answer::Chosen(path) => self.deliver(purpose, Some(path)),
            Answer::Dismissed => self.deliver(purpose, None),
            Answer::Failed(reason) => self.ask_for_path(purpose, ask, reason),
        }
    }

    /// A path was given, or none.
    pub(super) fn deliver(&mut self, purpose: DialogPurpose, path: Option<PathBuf>) {
        if purpose.owner == "shell" {
            match (purpose.what, path) {
                ("open", Some(path)) => {
                    self.popover = None;
                    self.to_open.push(path);
                }
                ("save_preset", Some(path)) => self.write_preset(&path),
                ("cache", Some(path)) => self.contents.shared.settings.cache_dir = Some(path),
                ("runs", Some(path)) => self.contents.shared.settings.runs_dir = Some(path),
                _ => {}
            }
        } else if let Some(panel) = self.contents.panels.iter_mut().find(|panel| panel.id() == purpose.owner) {
            panel.dialog_result(purpose, path, &mut self.contents.shared.cx());
        }
    }

    /// All commands that exist now: the shell's and those of the panels.
    pub(super) fn all_commands(&self) -> impl Iterator<Item = &'static CommandSpec> {
        let panels: Vec<&'static [CommandSpec]> = self.contents.panels.iter().map(|panel| panel.commands()).collect();
        commands::SHELL.iter().chain(panels.into_iter().flatten())
    }

    fn match_shortcuts(&mut self, ctx: &Context) {
        if self.palette.is_open() {
            return;
        }
        while let Some(id) = commands::pressed(ctx, self.all_commands()) {
            if self.command_enabled(id) {
                self.contents.shared.commands.push(id);
            }
        }
    }

    pub(super) fn apply_settings(&mut self, ctx: &Context) {
        let settings = &self.contents.shared.settings;
        let wanted = (settings.theme, settings.scale);
        if self.applied != Some(wanted) {
            self.applied = Some(wanted);
            ctx.set_theme(egui::ThemePreference::from(settings.theme));
            ctx.set_zoom_factor(settings.scale);
        }
        let runs_dir = settings.runs_dir.as_ref().unwrap_or(&self.home.runs);
        if self.contents.shared.runs_dir != *runs_dir {
            self.contents.shared.runs_dir.clone_from(runs_dir);
            self.contents.runs.refresh();
        }
    }

    fn save_settled_settings(&mut self, ctx: &Context, now: Instant) {
        if !self.persist || self.saved_settings == self.contents.shared.settings {
            self.settings_changed = None;
            return;
        }
        let since = *self.settings_changed.get_or_insert(now);
        let age = now.duration_since(since);
        if age >= SETTLED {
            self.save_settings();
        } else {
            ctx.request_repaint_after(SETTLED.saturating_sub(age));
        }
    }

    /// A run folder reopens in the panel of its method, a preset and any other file in the panel that knows it.
    pub(super) fn open_now(&mut self, path: &Path) {
        if !path.exists() {
            let name = path.display();
            let what = match Source::parse(&name.to_string()) {
                Ok(Source::Path(_)) | Err(_) => "does not exist. Check the path for a misspelt name.",
                Ok(_) => "is an address, not a file. Type it into the field at the top of the tab it is for.",
            };
            self.contents.shared.notify.error(format!("{name} {what}"));
            return;
        }
        if path.is_dir()
            && let Ok(run) = RunFolder::open(path)
        {
            self.open_run(&run.info.method, path);
            return;
        }
        if path.extension().is_some_and(|ending| ending == "ron") {
            match std::fs::read_to_string(path) {
                Ok(text) => self.open_preset(&text, &path.display().to_string()),
                Err(error) => {
                    self.contents.shared.notify.error(format!("{} cannot be read: {error}", path.display()));
                }
            }
            return;
        }
        let active = self.layout.active.clone();
        let panels = &mut self.contents.panels;
        let at = panels
            .iter()
            .position(|panel| panel.id() == active && panel.accepts(path))
            .or_else(|| panels.iter().position(|panel| panel.accepts(path)));
        if let Some(at) = at {
            self.layout.show(panels[at].id());
            panels[at].open_path(path, &mut self.contents.shared.cx());
        } else {
            self.contents.shared.notify.error(format!(
                "No tab opens files such as {}. Open checkpoints, presets (.ron) or run folders.",
                path.display()
            ));
        }
    }

    pub(super) fn open_run(&mut self, method: &str, folder: &Path) {
        let Some(panel) = self.contents.panels.iter_mut().find(|panel| panel.opens_runs_of(method)) else {
            self.contents
                .shared
                .notify
                .error(format!("{} is a run of the method “{method}”, for which there is no tab.", folder.display()));
            return;
        };
        self.layout.show(panel.id());
        if let Err(error) = panel.open_run(folder, &mut self.contents.shared.cx()) {
            self.contents.shared.notify.error(error);
        }
    }

    pub(super) fn open_preset(&mut self, text: &str, place: &str) {
        let header: Result<plumb_core::preset::Header, _> = plumb_core::preset::from_ron(text, place);
        let method = match header {
            Ok(header) => header.method,
            Err(error) => {
                self.contents.shared.notify.error(error.to_string());
                return;
            }
        };
        let Some(panel) = self.contents.panels.iter_mut().find(|panel| panel.opens_runs_of(&method)) else {
            self.contents
                .shared
                .notify
                .error(format!("{place} is a preset of the method “{method}”, for which there is no tab."));
            return;
        };
        self.layout.show(panel.id());
        if let Err(error) = panel.open_preset(text, &mut self.contents.shared.cx()) {
            self.contents.shared.notify.error(format!("{place}: {error}"));
        }
    }

    fn write_preset(&mut self, path: &Path) {
        let active = &self.layout.active;
        let text = self.contents.panels.iter().find(|panel| panel.id() == active).and_then(|panel| panel.preset_text());
        let notify = &mut self.contents.shared.notify;
        match text.map(|text| plumb_core::atomic::write(path, text.as_bytes())) {
            Some(Ok(())) => notify.success(format!("Preset saved as {}.", path.display())),
            Some(Err(error)) => notify.error(error.to_string()),
            None => notify.warn("There is no experiment on screen to save."),
        }
    }

    /// Show the list of runs, read anew.
    pub(super) fn show_runs(&mut self) {
        self.contents.runs.refresh();
        self.change_tabs(|layout| layout.show(RUNS));
    }
}
