//! The Steer panel: browse the features of a sparse autoencoder and turn them while the model writes.
//!
//! ```text
//! ┌ model · autoencoder · models · file ──────────────────────┐
//! ├ feature table ──────────┬ Feature · Steer · Find · Sweep · Splitting · Autoencoder ┤
//! │ search by label, token, │ the selected feature, or the rack and what the model    │
//! │ text; filters           │ writes without and with it, side by side                │
//! └─────────────────────────┴──────────────────────────────────────────────────────────┘
//! ```
//!
//! Regions draw and push `action::Action`s; `act` does them. All numbers come from the engine's jobs.

mod act;
mod action;
mod arrive;
mod ask;
mod asked;
mod card;
mod commands;
mod desk;
mod features;
mod find;
mod head;
mod judge;
mod labels;
mod list;
mod open;
mod pairs;
#[cfg(test)]
mod parity_tests;
mod preset;
mod quality;
mod rack;
mod run;
mod splitting;
mod state;
mod strip;
mod sweep;
#[cfg(test)]
mod tests;
mod texts;

use std::path::{Path, PathBuf};

use egui::Ui;
use plumb_core::Lane;
use plumb_steer::browse::FileTextsJob;

use self::act::{EXPORT, FIRST, IMPORT, INDEX, JUDGE, MEASURE, MODEL, QUESTIONS, SAE, SECOND};
use self::action::Action;
use self::labels::{ReadLabels, WriteLabels};
use self::state::{Corpus, State, Tab, ViewSettings};
use crate::shell::commands::{CommandId, CommandSpec, REDO, UNDO};
use crate::shell::dialogs::DialogPurpose;
use crate::shell::panel::{Panel, PanelCx};
use crate::theme::Icon;
use crate::widgets::choice::choice;
use crate::widgets::status;

/// The panel.
#[derive(Debug)]
pub struct SteerPanel {
    state: State,
}

impl Default for SteerPanel {
    fn default() -> Self {
        let sampling =
            plumb_text::Sampling { temperature: 0.7, max_tokens: 40, seed: 1, ..plumb_text::Sampling::default() };
        let mut state = State { sampling, ..State::default() };
        state.find_spec.filters.min_firings = 10;
        state.sweep_spec.random_controls = 3;
        "0.25 0.5 1 2".clone_into(&mut state.typed.strengths);
        state.table.sort = features::USUAL;
        Self { state }
    }
}

impl Panel for SteerPanel {
    fn id(&self) -> &'static str {
        "steer"
    }

    fn title(&self) -> &'static str {
        "Steer"
    }

    fn icon(&self) -> Icon {
        Icon::Sliders
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
            UNDO => state.undo.has_undo(&state.edit),
            REDO => state.undo.has_redo(&state.edit),
            commands::RACK | commands::LABEL => state.selected().is_some(),
            commands::RACK_BEST => state.find.value().is_some(),
            commands::CLEAR_RACK | commands::RESET => !state.edit.rack.slots.is_empty(),
            commands::STEER => open && !state::lines(&state.typed.prompts).is_empty(),
            commands::SWEEP => open && !state.edit.rack.slots.is_empty(),
            commands::INDEX
            | commands::MEASURE
            | commands::FIND
            | commands::IMPORT
            | commands::EXPORT
            | commands::EXPORT_TABLE
            | commands::NEXT
            | commands::PREVIOUS
            | commands::TABLE
            | commands::SEARCH => open,
            commands::SAVE_RUN => state.live.value().is_some(),
            _ => true,
        }
    }

    fn run_command(&mut self, id: CommandId, cx: &mut PanelCx<'_>) {
        let state = &mut self.state;
        let action = match id {
            UNDO => Action::Undo,
            REDO => Action::Redo,
            commands::SAMPLE => Action::OpenPair(pairs::TINY.model.to_owned(), pairs::TINY.sae.to_owned()),
            commands::FETCH => Action::Fetch(pairs::SMOLLM2.model.to_owned()),
            commands::OPEN_MODEL => Action::ModelDialog,
            commands::OPEN_SAE => Action::SaeDialog,
            commands::INDEX => Action::CorpusDialog,
            commands::MEASURE => Action::MeasureDialog,
            commands::STEER => {
                state.settings.tab = Tab::Steer;
                Action::Steer
            }
            commands::RACK => match state.selected() {
                Some(feature) => Action::Rack(feature),
                None => return,
            },
            commands::RACK_BEST => {
                // Together they get one strength: each at its own would be too much of the same.
                state.edit.rack.shared |= state.edit.rack.slots.is_empty();
                for feature in state.best_candidates() {
                    self.state.act(Action::Rack(feature), cx);
                }
                return;
            }
            commands::FIND => {
                state.settings.tab = Tab::Find;
                Action::Find
            }
            commands::SWEEP => {
                state.settings.tab = Tab::Sweep;
                Action::Sweep
            }
            commands::IMPORT => Action::ImportLabels,
            commands::EXPORT => Action::ExportLabels,
            commands::EXPORT_TABLE => Action::ExportTable,
            commands::SAVE_RUN => Action::SaveRun,
            commands::NEXT if state.table.step(1) => Action::Selected,
            commands::PREVIOUS if state.table.step(-1) => Action::Selected,
            commands::CLEAR_RACK => {
                state.edit.rack.slots.clear();
                state.touch();
                Action::Changed
            }
            commands::RESET => {
                for slot in &mut state.edit.rack.slots {
                    slot.strength = rack::START;
                }
                Action::Changed
            }
            other => {
                self.view_command(other);
                return;
            }
        };
        self.state.act(action, cx);
    }

    fn logic(&mut self, cx: &mut PanelCx<'_>) {
        self.state.poll(cx);
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCx<'_>) {
        // Not before the tab is looked at: a model is not opened for nothing.
        if !std::mem::replace(&mut self.state.started, true) && self.state.opened.is_none() {
            let pair = pairs::TINY;
            self.state.act(Action::OpenPair(pair.model.to_owned(), pair.sae.to_owned()), cx);
        }
        let mut actions = Vec::new();
        self.draw(ui, &mut actions);
        for action in actions {
            self.state.act(action, cx);
        }
    }

    fn accepts(&self, path: &Path) -> bool {
        path.is_dir() && ["cfg.json", "config.json", "params.npz"].iter().any(|file| path.join(file).exists())
    }

    fn open_path(&mut self, path: &Path, cx: &mut PanelCx<'_>) {
        self.state.started = true;
        let text = path.display().to_string();
        // A folder with a model's configuration is a model, any other an autoencoder.
        if path.join("config.json").exists() || path.extension().is_some_and(|ending| ending == "gguf") {
            self.state.model = text;
            if self.state.sae.is_empty() {
                return;
            }
        } else {
            self.state.sae = text;
        }
        self.state.act(Action::Open, cx);
    }

    fn open_preset(&mut self, text: &str, cx: &mut PanelCx<'_>) -> Result<(), String> {
        self.state.started = true;
        preset::open(&mut self.state, text, cx)
    }

    fn preset_text(&self) -> Option<String> {
        preset::text(&self.state)
    }

    fn open_run(&mut self, folder: &Path, cx: &mut PanelCx<'_>) -> Result<(), String> {
        self.state.started = true;
        run::reopen(&mut self.state, folder, cx)
    }

    fn dialog_result(&mut self, purpose: DialogPurpose, path: Option<PathBuf>, cx: &mut PanelCx<'_>) {
        let state = &mut self.state;
        let Some(path) = path else {
            state.saving = None;
            return;
        };
        if purpose == MODEL {
            // A file of a folder stands for the folder; a GGUF file is a model by itself.
            let whole = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"));
            let place = if whole { Some(path.as_path()) } else { path.parent() };
            state.model = place.unwrap_or(&path).display().to_string();
            state.act(Action::Open, cx);
        } else if purpose == SAE {
            state.sae = path.display().to_string();
            state.act(Action::Open, cx);
        } else if purpose == JUDGE {
            state.act(Action::Judge(plumb_steer::experiment::Judge::Bert(path.display().to_string())), cx);
        } else if purpose == QUESTIONS {
            state.questions = plumb_steer::experiment::Questions::File(path);
        } else if [INDEX, MEASURE, FIRST, SECOND].contains(&purpose) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            state.corpus_for = match purpose {
                INDEX => Corpus::Index(name),
                MEASURE => Corpus::Quality,
                FIRST => Corpus::Contrast(0),
                _ => Corpus::Contrast(1),
            };
            state.corpus.request(cx.engine, Lane::Store, cx.settings.seed, FileTextsJob { path });
        } else if purpose == IMPORT {
            state.labels_fresh = false;
            state.labels_in.request(cx.engine, Lane::Store, cx.settings.seed, ReadLabels { path, may_miss: false });
        } else if purpose == EXPORT {
            let job = WriteLabels { path, labels: state.edit.labels.clone() };
            state.labels_out.request(cx.engine, Lane::Store, cx.settings.seed, job);
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

/// From this width on the table stands beside what it selects.
const WIDE: f32 = 820.0;

impl SteerPanel {
    /// Commands that only change the view.
    fn view_command(&mut self, id: CommandId) {
        let state = &mut self.state;
        let settings = &mut state.settings;
        match id {
            commands::LIVE => settings.live = !settings.live,
            commands::BLUR => settings.blur = !settings.blur,
            commands::SHOW_TABLE => settings.table = !settings.table,
            commands::LABEL => {
                settings.tab = Tab::Feature;
                state.focus_label = true;
            }
            commands::SEARCH => {
                settings.table = true;
                state.table.focus_filter();
            }
            commands::TABLE => {
                settings.table = true;
                state.table.focus();
            }
            commands::DEAD => {
                settings.hide_dead = !settings.hide_dead;
                state.touch();
            }
            commands::TAB_FEATURE => settings.tab = Tab::Feature,
            commands::TAB_STEER => settings.tab = Tab::Steer,
            commands::TAB_FIND => settings.tab = Tab::Find,
            commands::TAB_SWEEP => settings.tab = Tab::Sweep,
            commands::TAB_SPLITTING => settings.tab = Tab::Splitting,
            commands::TAB_QUALITY => settings.tab = Tab::Quality,
            _ => {}
        }
    }

    /// Everything, from the state as it is.
    fn draw(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let state = &mut self.state;
        egui::Frame::new().inner_margin(egui::Margin::symmetric(12, 8)).show(ui, |ui| {
            head::ui(ui, state, actions);
            ui.add_space(4.0);
            if state.opened.is_none() {
                nothing_yet(ui, state, actions);
                return;
            }
            let none = egui::Frame::new();
            if !state.settings.table {
                side(ui, state, actions);
            } else if ui.available_width() >= WIDE {
                let width = ui.available_width();
                let most = width - 460.0;
                egui::Panel::left("steer features")
                    .resizable(true)
                    .frame(none.inner_margin(egui::Margin { right: 10, ..egui::Margin::ZERO }))
                    .default_size((width * 0.37).min(most))
                    .size_range(260.0_f32.min(most)..=most)
                    .show(ui, |ui| list::ui(ui, state, actions));
                egui::CentralPanel::default()
                    .frame(none.inner_margin(egui::Margin { left: 10, ..egui::Margin::ZERO }))
                    .show(ui, |ui| side(ui, state, actions));
            } else {
                let height = ui.available_height();
                egui::Panel::top("steer features above")
                    .resizable(true)
                    .frame(none)
                    .default_size(height * 0.4)
                    .size_range(120.0..=(height - 160.0).max(121.0))
                    .show(ui, |ui| list::ui(ui, state, actions));
                egui::CentralPanel::default().frame(none).show(ui, |ui| side(ui, state, actions));
            }
        });
    }
}

const TABS: [(Tab, &str, &str); 6] = [
    (Tab::Feature, "Feature", "What makes the selected feature fire and what it does (Alt+1)"),
    (Tab::Steer, "Steer", "Turn features and read what the model writes (Alt+2)"),
    (Tab::Find, "Find", "Features that tell two kinds of text apart (Alt+3)"),
    (Tab::Sweep, "Sweep", "Toxicity against fluency over strengths and tiers (Alt+4)"),
    (Tab::Splitting, "Splitting", "One concept over autoencoders of several widths (Alt+5)"),
    (Tab::Quality, "Autoencoder", "How far the autoencoder can be trusted (Alt+6)"),
];

fn side(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    choice(ui, "Show", &mut state.settings.tab, &TABS);
    ui.add_space(6.0);
    match state.settings.tab {
        Tab::Feature => card::ui(ui, state, actions),
        Tab::Steer => desk::ui(ui, state, actions),
        Tab::Find => find::ui(ui, state, actions),
        Tab::Sweep => sweep::ui(ui, state, actions),
        Tab::Splitting => splitting::ui(ui, state, actions),
        Tab::Quality => quality::ui(ui, state, actions),
    }
}

fn nothing_yet(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if state.opening.is_pending() || state.fetching.is_pending() {
        return;
    }
    let text = "Name a language model and a sparse autoencoder of its residual stream, or begin with the small world that ships with Plumb.";
    if status::empty(ui, "No model is open", text, Some("Open tiny model")) {
        actions.push(Action::OpenPair(pairs::TINY.model.to_owned(), pairs::TINY.sae.to_owned()));
    }
}
