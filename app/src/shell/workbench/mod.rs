//! The window's contents: panels, tabs and everything around them.
//!
//! `logic` takes in answers, matches shortcuts and runs commands; `ui` draws and only queues commands.

mod bars;
mod frame;
mod logic;
mod paths;
mod popovers;
mod run_command;
mod tabs;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::Context;
use parking_lot::Mutex;
use plumb_core::Engine;

use crate::shell::commands::CommandId;
use crate::shell::dialogs::FileDialogs;
use crate::shell::focus::Focus;
use crate::shell::home::Home;
use crate::shell::layout::{Layout, RUNS, SETTINGS};
use crate::shell::notify::Notifications;
use crate::shell::palette::Palette;
use crate::shell::panel::{Panel, PanelCx};
use crate::shell::registry;
use crate::shell::runs::RunsPage;
use crate::shell::settings::{Settings, ThemeChoice};
use crate::shell::settings_page::SettingsPage;
use crate::theme;

/// What hangs open over the tabs; at most one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popover {
    /// The job tray.
    Jobs,
    /// The history of messages.
    Notices,
    /// The path field.
    Open,
    /// A path that the desktop could not ask for.
    Path,
    /// The ready experiments.
    Presets,
    /// All commands with their keys.
    Keys,
    /// Version and machine.
    About,
}

/// What panels and pages share.
pub struct Shared {
    /// Runs jobs.
    pub engine: Engine,
    /// The user's choices.
    pub settings: Settings,
    /// Messages.
    pub notify: Notifications,
    /// File dialogs.
    pub dialogs: FileDialogs,
    /// Commands to run after this frame.
    pub commands: Vec<CommandId>,
    /// Where run folders are written.
    pub runs_dir: PathBuf,
    /// Where downloads go unless the settings name another folder.
    pub usual_cache: PathBuf,
    /// The window's egui.
    pub egui: Context,
}

impl Shared {
    /// What a panel is given.
    pub fn cx(&mut self) -> PanelCx<'_> {
        PanelCx {
            engine: &self.engine,
            settings: &self.settings,
            notify: &mut self.notify,
            dialogs: &mut self.dialogs,
            commands: &mut self.commands,
            runs_dir: &self.runs_dir,
            cache_dir: self.settings.cache_dir.as_deref().unwrap_or(&self.usual_cache),
            egui: &self.egui,
        }
    }
}

/// Everything but the layout, so that the tabs can be walked while their contents draw.
pub(super) struct Contents {
    pub(super) shared: Shared,
    pub(super) panels: Vec<Box<dyn Panel>>,
    pub(super) runs: RunsPage,
    pub(super) settings_page: SettingsPage,
}

/// How a workbench is made.
pub struct Setup {
    /// Runs jobs.
    pub engine: Engine,
    /// Folders.
    pub home: Home,
    /// Whether layout and settings are written.
    pub persist: bool,
    /// Whether things move and blink.
    pub animate: bool,
    /// Use this theme whatever the settings say.
    pub theme: Option<ThemeChoice>,
    /// File dialogs.
    pub dialogs: FileDialogs,
}

/// The whole workbench; an `eframe::App`.
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the window, not a state machine")]
pub struct Workbench {
    layout: Layout,
    contents: Contents,
    home: Home,
    persist: bool,
    animate: bool,
    prepared: bool,
    palette: Palette,
    focus: Focus,
    popover: Option<Popover>,
    popover_opened: bool,
    focus_menus: bool,
    focus_tab: bool,
    path_field: String,
    question: Option<paths::Question>,
    job_log: Option<plumb_core::JobId>,
    saved_settings: Settings,
    settings_changed: Option<Instant>,
    applied: Option<(ThemeChoice, f32)>,
    to_open: Vec<PathBuf>,
    drawn_frames: u64,
    started: Option<Instant>,
}

impl Workbench {
    /// Read settings and layout and make the panels. Nothing heavy: the first frame waits for this.
    pub fn new(setup: Setup) -> Self {
        let Setup { engine, home, persist, animate, theme, dialogs } = setup;
        let mut notify = Notifications::default();
        let mut settings = Settings::default();
        let mut layout = Layout::default();
        if persist {
            let stored = Settings::load(&home.settings_file());
            settings = stored.value;
            let stored_layout = Layout::load(&home.layout_file());
            layout = stored_layout.value;
            for note in [stored.note, stored_layout.note].into_iter().flatten() {
                notify.warn(note);
            }
        }
        if let Some(theme) = theme {
            settings.theme = theme;
        }
        let runs_dir = settings.runs_dir.clone().unwrap_or_else(|| home.runs.clone());
        let mut panels = registry::panels();
        for panel in &mut panels {
            if let Some(text) = layout.panels.get(panel.id()) {
                panel.load(text);
            }
        }
        let shared = Shared {
            engine,
            settings: settings.clone(),
            notify,
            dialogs,
            commands: Vec::new(),
            runs_dir,
            usual_cache: home.cache.clone(),
            egui: Context::default(),
        };
        let contents = Contents { shared, panels, runs: RunsPage::default(), settings_page: SettingsPage::default() };
        let mut workbench = Self {
            layout,
            contents,
            home,
            persist,
            animate,
            prepared: false,
            palette: Palette::default(),
            focus: Focus::default(),
            popover: None,
            popover_opened: false,
            focus_menus: false,
            focus_tab: false,
            path_field: String::new(),
            question: None,
            job_log: None,
            saved_settings: settings,
            settings_changed: None,
            applied: None,
            to_open: Vec::new(),
            drawn_frames: 0,
            started: None,
        };
        let ids: Vec<&'static str> = workbench.contents.panels.iter().map(|panel| panel.id()).collect();
        workbench.layout.keep_only(|id| ids.contains(&id) || id == RUNS || id == SETTINGS);
        if !workbench.layout.has_tabs() {
            workbench.layout.reset(Self::first_tabs(&ids));
        }
        workbench
    }

    /// For tests: no window, no threads of its own, no movement, nothing written unless [`Workbench::persisting`].
    pub fn for_tests(engine: Engine, home: &Path, theme: ThemeChoice) -> Self {
        Self::new(Setup {
            engine,
            home: Home::under(home),
            persist: false,
            animate: false,
            theme: Some(theme),
            dialogs: FileDialogs::scripted(Vec::new()),
        })
    }

    /// For tests: like [`Workbench::for_tests`], but settings and layout are read and written.
    pub fn persisting(engine: Engine, home: &Path) -> Self {
        Self::new(Setup {
            engine,
            home: Home::under(home),
            persist: true,
            animate: false,
            theme: None,
            dialogs: FileDialogs::scripted(Vec::new()),
        })
    }

    fn first_tabs<'a>(panels: &'a [&'static str]) -> impl Iterator<Item = &'static str> + use<'a> {
        panels.iter().copied().chain([RUNS])
    }

    /// For tests: answer the next file dialogs with these paths.
    #[must_use]
    pub fn answering(mut self, answers: Vec<Option<PathBuf>>) -> Self {
        self.contents.shared.dialogs = FileDialogs::scripted(answers);
        self
    }

    /// For tests: file dialogs of another desktop.
    #[must_use]
    pub fn with_dialogs(mut self, dialogs: FileDialogs) -> Self {
        self.contents.shared.dialogs = dialogs;
        self
    }

    /// Measure and print the time from `started` to the first frame.
    pub fn time_from(&mut self, started: Instant) {
        self.started = Some(started);
    }

    /// Fonts, styles and icons into the window's egui. Done by itself in the first frame if not before.
    pub fn prepare(&mut self, ctx: &Context) {
        self.prepared = true;
        self.contents.shared.egui = ctx.clone();
        theme::apply(ctx);
        theme::animations(ctx, self.animate);
        self.apply_settings(ctx);
    }

    /// Open a file, preset or run folder as if it had been dropped on the window, with the next frame.
    pub fn open_path(&mut self, path: impl Into<PathBuf>) {
        self.to_open.push(path.into());
    }

    /// Run a command with the next frame, as if it had been chosen from a menu.
    pub fn command(&mut self, id: CommandId) {
        self.contents.shared.commands.push(id);
    }

    /// Whether a file dialog is on its way.
    pub fn dialog_is_open(&self) -> bool {
        self.contents.shared.dialogs.is_open()
    }

    /// The messages so far.
    pub fn notifications(&self) -> &Notifications {
        &self.contents.shared.notify
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.contents.shared.settings
    }

    /// How many frames were drawn; an idle window draws none.
    pub fn drawn_frames(&self) -> u64 {
        self.drawn_frames
    }

    /// The size the window had when it was last closed, in points.
    pub fn window_size(&self) -> Option<[f32; 2]> {
        self.layout.window
    }

    /// Write layout and settings, whole or not at all.
    pub fn save(&mut self) {
        if !self.persist {
            return;
        }
        for panel in &self.contents.panels {
            self.layout.panels.insert(panel.id().to_owned(), panel.save());
        }
        if let Err(error) = self.layout.save(&self.home.layout_file()) {
            log::error!("the layout was not saved: {error}");
        }
        self.save_settings();
    }

    fn save_settings(&mut self) {
        self.settings_changed = None;
        if !self.persist || self.saved_settings == self.contents.shared.settings {
            return;
        }
        self.saved_settings = self.contents.shared.settings.clone();
        if let Err(error) = self.saved_settings.save(&self.home.settings_file()) {
            self.contents.shared.notify.error(format!("The settings were not saved: {error}"));
        }
    }

    /// Stop all jobs and wait for them, at most two seconds; then write everything.
    pub fn close(&mut self) {
        self.save();
        if !self.contents.shared.engine.close(Duration::from_secs(2)) {
            log::warn!("a job did not stop within two seconds");
        }
    }
}

/// A waker that can be given away before there is a window.
#[derive(Clone, Default)]
pub struct Waker(Arc<Mutex<Option<Context>>>);

impl Waker {
    /// Wake this window from now on.
    pub fn connect(&self, ctx: &Context) {
        *self.0.lock() = Some(ctx.clone());
    }

    /// The closure for the engine.
    pub fn closure(&self) -> Arc<dyn Fn() + Send + Sync> {
        let place = Arc::clone(&self.0);
        Arc::new(move || {
            let ctx = place.lock().clone();
            if let Some(ctx) = ctx {
                ctx.request_repaint();
            }
        })
    }
}

#[cfg(test)]
mod tests;
