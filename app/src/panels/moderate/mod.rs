//! The Moderate panel: a team's queue of reported texts, panels for those on which moderators would differ.
//!
//! ```text
//! ┌ Queue · Disagreement · Settings · On-boarding · Report · Data ── who ┐
//! ├ list ───────────┬ case ─────────────────────────┬ verdict ───────────┤
//! │ search, filters │ text, what it answers, past   │ actions with keys, │
//! │ one row a case  │ cases like it, its author     │ or the vote card   │
//! └─────────────────┴───────────────────────────────┴────────────────────┘
//! ```
//!
//! Regions draw and push `action::Action`s; `act` and `judge` do them. What is shown of a case comes from the engine's
//! session, which leaves out what the one who signed in may not see.

mod act;
mod action;
mod arrive;
mod ask;
mod bidi;
mod case;
mod commands;
mod data;
mod exposure;
mod forecast;
mod head;
mod judge;
mod keys;
mod list;
mod model_card;
mod news;
mod onboarding;
mod pairs;
mod policy;
mod replay;
mod report;
mod reveal;
mod splits;
mod state;
mod team;
#[cfg(test)]
mod tests;
mod text;
mod verdict;
mod vote;
mod words;

use std::path::{Path, PathBuf};

use egui::Ui;
use plumb_moderate::export::{Export, Format};

use self::act::{DATABASE, EXPORT, IMPORT};
use self::action::Action;
use self::state::{Bucket, Bulk, State, Tab, ViewSettings};
use crate::shell::commands::{CommandId, CommandSpec, REDO, UNDO};
use crate::shell::dialogs::DialogPurpose;
use crate::shell::panel::{Panel, PanelCx};
use crate::theme::Icon;
use crate::widgets::status;

/// The panel.
#[derive(Debug, Default)]
pub struct ModeratePanel {
    state: State,
    /// Drawn since the last look for news.
    drawn: bool,
}

/// Where the sandbox is kept.
fn sandbox_file(cx: &PanelCx<'_>) -> PathBuf {
    cx.cache_dir.join("moderate").join("windowsill.db")
}

impl Panel for ModeratePanel {
    fn id(&self) -> &'static str {
        "moderate"
    }

    fn title(&self) -> &'static str {
        "Moderate"
    }

    fn icon(&self) -> Icon {
        Icon::Jobs
    }

    fn help(&self) -> &'static str {
        include_str!("help.md")
    }

    fn commands(&self) -> &'static [CommandSpec] {
        commands::ALL
    }

    fn command_enabled(&self, id: CommandId) -> bool {
        let state = &self.state;
        let open = state.opened.is_some();
        match id {
            UNDO | commands::UNDO_LAST => !state.undo.is_empty(),
            REDO => false,
            commands::SANDBOX | commands::OPEN => true,
            commands::APPROVE | commands::REMOVE => state.may_decide() || state.votes_on().is_some(),
            commands::PANEL => state.may_decide(),
            commands::CARRIED_OUT => !state.marked.is_empty() && state.settings.bucket == Bucket::Decided,
            commands::SORT_IN | commands::TRAIN | commands::IMPORT => open && state.leads(),
            _ => open,
        }
    }

    fn run_command(&mut self, id: CommandId, cx: &mut PanelCx<'_>) {
        let action = match id {
            UNDO | commands::UNDO_LAST => Action::Undo,
            commands::SANDBOX => Action::Sandbox,
            commands::OPEN => Action::OpenDialog,
            commands::IMPORT => Action::ImportDialog,
            commands::EXPORT_DECISIONS => Action::Export(Export::Decisions, Format::Csv),
            commands::EXPORT_VOTES => Action::Export(Export::Votes, Format::Csv),
            commands::EXPORT_SPLITS => Action::Export(Export::Splits, Format::Csv),
            commands::REFRESH => Action::Refresh,
            commands::QUEUE => Action::Show(Tab::Queue),
            commands::DISAGREEMENT => Action::Show(Tab::Disagreement),
            commands::SETTINGS => Action::Show(Tab::Settings),
            commands::ONBOARDING => Action::Show(Tab::Onboarding),
            commands::REPORT => Action::Show(Tab::Report),
            commands::DATA => Action::Show(Tab::Data),
            commands::REVIEW => Action::Bucket(Bucket::Review),
            commands::PANELS => Action::Bucket(Bucket::Panels),
            commands::DECIDED => Action::Bucket(Bucket::Decided),
            commands::NEXT => Action::Step(1),
            commands::APPROVE => Action::Approve,
            commands::REMOVE => Action::Remove,
            commands::PANEL => Action::Panel,
            commands::MARK_ALL => Action::MarkAll,
            commands::CARRIED_OUT => Action::Bulk(Bulk::Apply),
            commands::SORT_IN => Action::SortIn,
            commands::TRAIN => Action::Train(false),
            _ => return,
        };
        self.state.act(action, cx);
    }

    fn logic(&mut self, cx: &mut PanelCx<'_>) {
        self.state.poll(cx);
        let drawn = std::mem::take(&mut self.drawn);
        self.state.look_for_news(drawn, cx);
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCx<'_>) {
        self.drawn = true;
        // Not before the tab is looked at.
        if !std::mem::replace(&mut self.state.started, true) && self.state.opened.is_none() {
            let last = self.state.settings.database.clone();
            if last.is_empty() {
                self.state.act(Action::Sandbox, cx);
            } else {
                // A team's database may need a password: ask.
                self.state.database = last;
            }
        }
        let mut actions = Vec::new();
        keys::read(ui, &self.state, &mut actions);
        self.draw(ui, &mut actions);
        for action in actions {
            self.state.act(action, cx);
            ui.ctx().request_repaint();
        }
    }

    fn accepts(&self, path: &Path) -> bool {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let database = |ending: &str| matches!(ending, "db" | "sqlite" | "sqlite3");
        let table = |ending: &str| matches!(ending, "csv" | "jsonl" | "ndjson") && self.state.opened.is_some();
        path.is_file() && ending.is_some_and(|ending| database(&ending) || table(&ending))
    }

    fn open_path(&mut self, path: &Path, cx: &mut PanelCx<'_>) {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if ending.is_some_and(|ending| matches!(ending.as_str(), "csv" | "jsonl" | "ndjson")) {
            self.import(path.to_owned(), cx);
        } else {
            self.state.database = path.display().to_string();
            self.state.act(Action::Open, cx);
        }
    }

    fn open_preset(&mut self, _text: &str, _cx: &mut PanelCx<'_>) -> Result<(), String> {
        Err("presets of moderation run from the command line: plumb run FILE".to_owned())
    }

    fn open_run(&mut self, _folder: &Path, _cx: &mut PanelCx<'_>) -> Result<(), String> {
        Err("moderation keeps no run folders: everything is in the team's log".to_owned())
    }

    fn dialog_result(&mut self, purpose: DialogPurpose, path: Option<PathBuf>, cx: &mut PanelCx<'_>) {
        let state = &mut self.state;
        let Some(path) = path else {
            state.saving = None;
            state.export = None;
            return;
        };
        if purpose == DATABASE {
            state.database = path.display().to_string();
            state.act(Action::Open, cx);
        } else if purpose == IMPORT {
            self.import(path, cx);
        } else if purpose == EXPORT {
            state.export_to(path, cx);
        } else if let Some(request) = state.saving.take() {
            match plumb_core::atomic::write(&path, &request.bytes) {
                Ok(()) => cx.notify.success(format!("Written: {}", path.display())),
                Err(error) => cx.notify.error(error.to_string()),
            }
        }
    }

    fn save(&self) -> String {
        ron::to_string(&self.state.settings).unwrap_or_default()
    }

    fn load(&mut self, text: &str) {
        if let Ok(settings) = ron::from_str::<ViewSettings>(text) {
            self.state.settings = settings;
        }
    }
}

/// From this width on three columns stand side by side.
const THREE: f32 = 1040.0;

/// From this width on the list stands beside the case.
const TWO: f32 = 640.0;

impl ModeratePanel {
    fn import(&mut self, path: PathBuf, cx: &mut PanelCx<'_>) {
        self.state.file = Some(path);
        self.state.columns = None;
        self.state.settings.tab = Tab::Data;
        self.state.importing.clear();
        self.state.act(Action::Preview, cx);
    }

    fn draw(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let state = &mut self.state;
        egui::Frame::new().inner_margin(egui::Margin::symmetric(12, 8)).show(ui, |ui| {
            head::ui(ui, state, actions);
            ui.add_space(4.0);
            if state.opened.is_none() {
                if !state.opening.is_pending() {
                    data::sign_in(ui, state, actions);
                }
                return;
            }
            match state.settings.tab {
                Tab::Queue => queue(ui, state, actions),
                Tab::Disagreement => splits::ui(ui, state, actions),
                Tab::Settings => policy::ui(ui, state, actions),
                Tab::Onboarding => onboarding::ui(ui, state, actions),
                Tab::Report => report::ui(ui, state, actions),
                Tab::Data => data::ui(ui, state, actions),
            }
        });
    }
}

fn queue(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let none = egui::Frame::new();
    let (right, left, both) = (
        none.inner_margin(egui::Margin { right: 10, ..egui::Margin::ZERO }),
        none.inner_margin(egui::Margin { left: 10, ..egui::Margin::ZERO }),
        none.inner_margin(egui::Margin { left: 10, right: 10, ..egui::Margin::ZERO }),
    );
    let width = ui.available_width();
    if width >= THREE {
        egui::Panel::left("moderate list")
            .resizable(true)
            .frame(right)
            .default_size(width * 0.29)
            .size_range(220.0..=width * 0.4)
            .show(ui, |ui| list::ui(ui, state, actions));
        egui::Panel::right("moderate verdict column")
            .resizable(true)
            .frame(left)
            .default_size(width * 0.28)
            .size_range(240.0..=width * 0.4)
            .show(ui, |ui| verdict::ui(ui, state, actions));
        egui::CentralPanel::default().frame(both).show(ui, |ui| case::ui(ui, state, actions));
    } else if width >= TWO {
        egui::Panel::left("moderate narrow list")
            .resizable(true)
            .frame(right)
            .default_size(width * 0.32)
            .size_range(200.0..=width * 0.45)
            .show(ui, |ui| list::ui(ui, state, actions));
        let height = ui.available_height();
        egui::Panel::bottom("moderate verdict below")
            .resizable(true)
            .frame(left)
            .default_size(height * 0.48)
            .size_range(140.0..=(height - 120.0).max(141.0))
            .show(ui, |ui| verdict::ui(ui, state, actions));
        egui::CentralPanel::default().frame(left).show(ui, |ui| case::ui(ui, state, actions));
    } else {
        let height = ui.available_height();
        egui::Panel::top("moderate list above")
            .resizable(true)
            .frame(none)
            .default_size(height * 0.3)
            .size_range(100.0..=(height - 160.0).max(101.0))
            .show(ui, |ui| list::ui(ui, state, actions));
        egui::Panel::bottom("moderate verdict at the end")
            .resizable(true)
            .frame(none)
            .default_size(height * 0.35)
            .size_range(100.0..=(height - 160.0).max(101.0))
            .show(ui, |ui| verdict::ui(ui, state, actions));
        egui::CentralPanel::default().frame(none).show(ui, |ui| case::ui(ui, state, actions));
    }
}

/// A region that waits, failed, or has nothing to show: true where there is nothing to draw below.
fn waits<T: Send + 'static>(
    ui: &mut Ui,
    slot: &plumb_core::Slot<T>,
    reason: &str,
    work: action::Work,
    actions: &mut Vec<Action>,
) -> bool {
    if slot.is_pending() && status::busy(ui, reason, slot.progress().as_ref()) {
        actions.push(Action::Stop(work));
    }
    if let Some(error) = slot.error()
        && status::error_box(ui, &format!("{reason} did not succeed"), &error.to_string())
    {
        actions.push(Action::Dismiss(work));
    }
    slot.value().is_none()
}
