//! What a method's panel is to the shell.

use std::path::{Path, PathBuf};

use plumb_core::Engine;

use crate::shell::commands::{CommandId, CommandSpec};
use crate::shell::dialogs::{DialogPurpose, FileDialogs};
use crate::shell::notify::Notifications;
use crate::shell::settings::Settings;
use crate::theme::Icon;

/// Everything a panel may use while it runs or draws.
pub struct PanelCx<'a> {
    /// For `Slot::request(engine, Lane::Device, seed, job)`.
    pub engine: &'a Engine,
    /// What the user chose on the settings page.
    pub settings: &'a Settings,
    /// For what the user should know although it happened elsewhere.
    pub notify: &'a mut Notifications,
    /// Asks for a file without stopping the frame; the answer arrives through [`Panel::dialog_result`].
    pub dialogs: &'a mut FileDialogs,
    /// Commands to run once this frame is over.
    pub commands: &'a mut Vec<CommandId>,
    /// Where run folders are written.
    pub runs_dir: &'a Path,
    /// Where downloads and embedded files are kept.
    pub cache_dir: &'a Path,
    /// For the clipboard and for pictures of the window.
    pub egui: &'a egui::Context,
}

/// A method's tab: made once, kept while the window lives.
pub trait Panel {
    /// Stable name: “spectrum”.
    fn id(&self) -> &'static str;
    /// Name of the tab: “Spectrum”.
    fn title(&self) -> &'static str;
    /// In front of the title.
    fn icon(&self) -> Icon;
    /// The help page as small Markdown: headings, lists, bold, code, tables.
    fn help(&self) -> &'static str;
    /// The panel's rows of the one command table.
    fn commands(&self) -> &'static [CommandSpec];
    /// Whether the command could do something now.
    fn command_enabled(&self, id: CommandId) -> bool;
    /// Do it. Undo and redo arrive here as [`crate::shell::commands::UNDO`] and `REDO`.
    fn run_command(&mut self, id: CommandId, cx: &mut PanelCx<'_>);
    /// Once per frame before drawing, also while another tab is in front: take in answers.
    fn logic(&mut self, cx: &mut PanelCx<'_>);
    /// Draw.
    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut PanelCx<'_>);
    /// Whether a file of this kind belongs here, judged by its name.
    fn accepts(&self, path: &Path) -> bool;
    /// Open a file that was dropped, named on the command line or typed into the path field.
    fn open_path(&mut self, path: &Path, cx: &mut PanelCx<'_>);
    /// Ready experiments that ship with the method: the files of `presets/ID`.
    fn presets(&self) -> Vec<EmbeddedPreset> {
        crate::shell::presets::of(self.id())
    }
    /// Take over an experiment: the text of a preset file. The error says what and where.
    fn open_preset(&mut self, text: &str, cx: &mut PanelCx<'_>) -> Result<(), String>;
    /// The experiment on screen as the text of a preset file, if there is one to save.
    fn preset_text(&self) -> Option<String> {
        None
    }
    /// Whether runs of this method (`run.json`'s “method”) reopen here.
    fn opens_runs_of(&self, method: &str) -> bool {
        method == self.id()
    }
    /// Reopen a run folder.
    fn open_run(&mut self, folder: &Path, cx: &mut PanelCx<'_>) -> Result<(), String>;
    /// The answer of a file dialog this panel asked for; `None` if it was dismissed.
    fn dialog_result(&mut self, purpose: DialogPurpose, path: Option<PathBuf>, cx: &mut PanelCx<'_>);
    /// View settings as RON, for the layout file. Never data.
    fn save(&self) -> String;
    /// What [`Panel::save`] wrote, perhaps by an older version: what cannot be read is left as it is.
    fn load(&mut self, text: &str);
}

/// A preset file that is part of the program.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedPreset {
    /// File name without folder.
    pub file: &'static str,
    /// Its text.
    pub text: &'static str,
}
