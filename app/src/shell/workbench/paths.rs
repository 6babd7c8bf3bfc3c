//! Cards with a path field: what is opened, and the answer to a question that the desktop could not ask.

use std::path::PathBuf;

use egui::text::{CCursor, CCursorRange};
use egui::{Key, Response, RichText, TextEdit, Ui};

use super::popovers::header;
use super::run_command::OPEN_FILE;
use super::{Popover, Workbench};
use crate::shell::dialogs::{Ask, DialogPurpose};
use crate::theme::UiExt as _;
use crate::widgets::{keep, status};

/// A question that the desktop's dialog could not ask.
pub(super) struct Question {
    purpose: DialogPurpose,
    ask: Ask,
    reason: String,
    path: String,
}

impl Question {
    /// The path as typed so far, whether it is there, and whether it can be the answer.
    fn answer(&self) -> (PathBuf, bool, bool) {
        let path = expand_home(self.path.trim());
        let there = if self.purpose.folder { path.is_dir() } else { path.is_file() };
        let ready = !self.path.trim().is_empty() && (there || matches!(self.ask, Ask::Save(_)));
        (path, there, ready)
    }
}

impl Workbench {
    pub(super) fn open_card(&mut self, ui: &mut Ui) -> bool {
        let tokens = ui.tokens();
        let mut close = header(ui, "Open", false, |_| {});
        let mut go = false;
        ui.horizontal(|ui| {
            let label = ui.label("Path");
            let width = (ui.available_width() - 150.0).max(120.0);
            let field = TextEdit::singleline(&mut self.path_field)
                .hint_text("A checkpoint, a preset (.ron) or a run folder")
                .desired_width(width);
            let field = ui.add(field).labelled_by(label.id);
            if self.popover_opened {
                begin(&field, &self.path_field);
            }
            go = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            let ready = !self.path_field.trim().is_empty();
            go |= keep::button(ui, ready, "Open").clicked();
            let waiting = self.contents.shared.dialogs.is_open();
            let browse = keep::button(ui, !waiting, "Browse…");
            if browse.hover("Choose with the desktop's file dialog.").clicked() {
                self.contents.shared.dialogs.open(OPEN_FILE);
            }
        });
        if self.contents.shared.dialogs.is_open() {
            ui.horizontal(|ui| {
                ui.label(RichText::new("The desktop's file dialog is open.").small().color(tokens.text_weak));
                if ui.small_button("Stop waiting").clicked() {
                    self.contents.shared.dialogs.give_up();
                }
            });
        }
        ui.label(
            RichText::new("Or drop a file on the window. Formats: safetensors, PyTorch, GGUF, NumPy, ONNX.")
                .small()
                .color(tokens.text_weak),
        );
        if go && !self.path_field.trim().is_empty() {
            let path = self.path_field.trim().trim_matches('"').to_owned();
            self.to_open.push(expand_home(&path));
            ui.ctx().request_repaint();
            close = true;
        }
        close
    }

    /// Ask for the path in the window, because the desktop could not.
    pub(super) fn ask_for_path(&mut self, purpose: DialogPurpose, ask: Ask, reason: String) {
        log::warn!("{}: {reason}", purpose.title);
        let path = match (&ask, directories::UserDirs::new()) {
            (Ask::Save(name), Some(dirs)) => dirs.home_dir().join(name).display().to_string(),
            (Ask::Save(name), None) => name.clone(),
            (Ask::Open, _) => String::new(),
        };
        self.question = Some(Question { purpose, ask, reason, path });
        self.popover = Some(Popover::Path);
        self.popover_opened = true;
    }

    /// The card of that question was closed without an answer.
    pub(super) fn forget_question(&mut self) {
        if let Some(question) = self.question.take() {
            self.deliver(question.purpose, None);
        }
    }

    pub(super) fn path_card(&mut self, ui: &mut Ui) -> bool {
        let fresh = self.popover_opened;
        let Some(question) = &mut self.question else { return true };
        let close = header(ui, question.purpose.title, false, |_| {});
        status::note(ui, &question.reason);
        let saving = matches!(question.ask, Ask::Save(_));
        let mut go = false;
        ui.horizontal(|ui| {
            let label = ui.label("Path");
            let width = (ui.available_width() - 90.0).max(120.0);
            let field = ui.add(TextEdit::singleline(&mut question.path).desired_width(width));
            let field = field.labelled_by(label.id);
            if fresh {
                begin(&field, &question.path);
            }
            go = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            // After the field: its last letters and Enter can come in one frame.
            let (_, there, ready) = question.answer();
            let word = match (saving, there) {
                (true, true) => "Replace",
                (true, false) => "Save",
                (false, _) => "Open",
            };
            go |= keep::button(ui, ready, word).clicked();
        });
        let (path, there, ready) = question.answer();
        let what = if question.purpose.folder { "folder" } else { "file" };
        let hint = match (saving, there) {
            _ if question.path.trim().is_empty() => String::new(),
            (true, true) => "A file of this name is there and will be replaced.".to_owned(),
            (false, false) => format!("There is no {what} of this name."),
            _ => String::new(),
        };
        ui.label(RichText::new(hint).small().color(ui.tokens().text_weak));
        if go && ready {
            let purpose = question.purpose;
            self.question = None;
            self.deliver(purpose, Some(path));
            ui.ctx().request_repaint();
            return true;
        }
        close
    }
}

/// Give the keyboard to a path field, with what it holds selected: typing replaces it, an arrow key keeps it.
fn begin(field: &Response, text: &str) {
    field.request_focus();
    let mut state = TextEdit::load_state(&field.ctx, field.id).unwrap_or_default();
    let end = CCursor::new(text.chars().count());
    state.cursor.set_char_range(Some(CCursorRange::two(CCursor::new(0), end)));
    state.store(&field.ctx, field.id);
}

fn expand_home(path: &str) -> PathBuf {
    if let Some(rest) = path.strip_prefix("~/")
        && let Some(dirs) = directories::BaseDirs::new()
    {
        return dirs.home_dir().join(rest);
    }
    path.into()
}
