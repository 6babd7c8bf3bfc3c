//! The Spectrum panel: how much each linear layer of a checkpoint can stretch its input, and clipping that.
//!
//! ```text
//! ┌ view · file · samples · export ───────────────────────────┐
//! ├ figures: layers, largest σ₁, product of σ₁, accuracy ─────┤
//! ├ layer table ────────────────┬ selected layer ─────────────┤
//! │ filter, only problems       │ spectrum, methods, vectors, │
//! │ one row per layer           │ frequency, clip, geometry   │
//! │ skipped tensors             │                             │
//! └─────────────────────────────┴─────────────────────────────┘
//! ```
//!
//! Regions draw and push `action::Action`s; `act` does them: `ask` puts questions to the engine, `arrive` takes in the
//! answers, `undo` goes back and forth, `export` writes. All numbers come from the engine's reports.

mod act;
mod action;
mod arrive;
mod ask;
mod clip;
mod commands;
mod compare;
mod detail;
mod export;
mod frequency;
mod geometry_editor;
mod head;
mod history;
mod layers;
mod list;
mod methods;
mod options;
mod plots;
mod preset;
mod reopen;
mod run;
#[cfg(test)]
mod sample;
mod state;
mod summary;
#[cfg(test)]
mod tests;
mod training;
mod undo;
mod vectors;

use std::path::{Path, PathBuf};

use egui::Ui;
use plumb_core::run_folder::RunFolder;
use plumb_spectrum::experiment::SPECTRUM;
use plumb_spectrum::report::{ClipReport, SpectrumReport};
use plumb_spectrum::spec::SpectrumSpec;

use self::action::Action;
use self::state::{State, Tab, View, ViewSettings};
use crate::shell::commands::{CommandId, CommandSpec, REDO, UNDO};
use crate::shell::dialogs::DialogPurpose;
use crate::shell::panel::{Panel, PanelCx};
use crate::theme::Icon;

/// The panel.
#[derive(Debug, Default)]
pub struct SpectrumPanel {
    state: State,
}

const ENDINGS: [&str; 9] = ["safetensors", "pt", "pth", "bin", "ckpt", "onnx", "npz", "npy", "gguf"];

impl Panel for SpectrumPanel {
    fn id(&self) -> &'static str {
        "spectrum"
    }

    fn title(&self) -> &'static str {
        "Spectrum"
    }

    fn icon(&self) -> Icon {
        Icon::Activity
    }

    fn help(&self) -> &'static str {
        include_str!("help.md")
    }

    fn commands(&self) -> &'static [CommandSpec] {
        commands::ALL
    }

    fn command_enabled(&self, id: CommandId) -> bool {
        let state = &self.state;
        let open = state.subject.is_some();
        let idle = !state.clip.is_pending();
        match id {
            UNDO => state.history.last().is_some() && idle,
            REDO => state.history.next().is_some() && idle,
            commands::SURVEY | commands::EXPORT_MODEL => open,
            commands::CLIP_LAYER => open && idle && state.selected().is_some_and(|layer| layer.problem.is_none()),
            commands::CLIP_ALL => open && idle,
            commands::EXPORT_TABLE
            | commands::SAVE_RUN
            | commands::NEXT
            | commands::PREVIOUS
            | commands::TABLE
            | commands::DETAIL => !state.report.layers.is_empty(),
            _ => true,
        }
    }

    fn run_command(&mut self, id: CommandId, cx: &mut PanelCx<'_>) {
        let state = &mut self.state;
        let selected = state.selected().map(|layer| layer.name.clone());
        match id {
            UNDO => state.act(Action::Undo, cx),
            REDO => state.act(Action::Redo, cx),
            commands::SAMPLE => state.act(Action::Open(act::SAMPLE.to_owned()), cx),
            commands::OPEN => state.act(Action::OpenDialog, cx),
            commands::COMPARE => {
                state.settings.view = View::Compare;
                state.act(Action::OpenSecondDialog, cx);
            }
            commands::EXPORT_MODEL => state.act(Action::ExportModel, cx),
            commands::EXPORT_TABLE => state.act(Action::ExportTable, cx),
            commands::SAVE_RUN => state.act(Action::SaveRun, cx),
            commands::SURVEY => state.act(Action::SurveyAgain, cx),
            commands::CLIP_LAYER => state.act(Action::Clip(selected.into_iter().collect()), cx),
            commands::CLIP_ALL => state.act(Action::Clip(Vec::new()), cx),
            commands::LOG => state.settings.log = !state.settings.log,
            commands::FILTER => {
                state.settings.view = View::Layers;
                state.table.focus_filter();
            }
            commands::PROBLEMS => {
                state.settings.only_problems = !state.settings.only_problems;
                state.touch();
            }
            commands::TABLE => {
                state.settings.view = View::Layers;
                state.table.focus();
            }
            commands::DETAIL => {
                state.settings.view = View::Layers;
                state.focus_detail = true;
            }
            commands::NEXT if state.table.step(1) => state.act(Action::Selected, cx),
            commands::PREVIOUS if state.table.step(-1) => state.act(Action::Selected, cx),
            commands::TAB_SPECTRUM => self.tab(Tab::Spectrum, cx),
            commands::TAB_METHODS => self.tab(Tab::Methods, cx),
            commands::TAB_VECTORS => self.tab(Tab::Vectors, cx),
            commands::TAB_FREQUENCY => self.tab(Tab::Frequency, cx),
            commands::TAB_CLIP => self.tab(Tab::Clip, cx),
            commands::TAB_GEOMETRY => self.tab(Tab::Geometry, cx),
            commands::VIEW_LAYERS => state.settings.view = View::Layers,
            commands::VIEW_COMPARE => state.settings.view = View::Compare,
            commands::VIEW_TRAINING => state.settings.view = View::Training,
            _ => {}
        }
    }

    fn logic(&mut self, cx: &mut PanelCx<'_>) {
        if !std::mem::replace(&mut self.state.started, true) && self.state.subject.is_none() {
            self.state.act(Action::Open(act::SAMPLE.to_owned()), cx);
        }
        self.state.poll(cx);
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCx<'_>) {
        let mut actions = Vec::new();
        self.draw(ui, &mut actions);
        for action in actions {
            self.state.act(action, cx);
        }
    }

    fn accepts(&self, path: &Path) -> bool {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
        ENDINGS.contains(&ending.as_str())
    }

    fn open_path(&mut self, path: &Path, cx: &mut PanelCx<'_>) {
        self.state.started = true;
        self.state.act(Action::Open(path.display().to_string()), cx);
    }

    fn open_preset(&mut self, text: &str, cx: &mut PanelCx<'_>) -> Result<(), String> {
        self.state.started = true;
        preset::open(&mut self.state, text, cx)
    }

    fn preset_text(&self) -> Option<String> {
        preset::text(&self.state)
    }

    fn opens_runs_of(&self, method: &str) -> bool {
        method.starts_with("spectrum")
    }

    fn open_run(&mut self, folder: &Path, cx: &mut PanelCx<'_>) -> Result<(), String> {
        let run = RunFolder::open(folder).map_err(|error| error.to_string())?;
        self.state.started = true;
        if !run.metrics.is_empty() {
            self.state.read_curves(folder, cx);
        }
        if let Ok(report) = run.report::<SpectrumReport>() {
            if let Ok(preset) = run.spec::<SpectrumSpec>(SPECTRUM) {
                let source = preset.spec.source.clone();
                self.state.spec = preset.spec;
                self.state.act(Action::Open(source), cx);
            }
            self.state.take_report(report);
        } else if let Ok(report) = run.report::<ClipReport>() {
            reopen::clip(&mut self.state, &run, report, cx)?;
        } else if run.metrics.is_empty() {
            return Err("This run holds neither a report of this method nor training curves.".to_owned());
        }
        Ok(())
    }

    fn dialog_result(&mut self, purpose: DialogPurpose, path: Option<PathBuf>, cx: &mut PanelCx<'_>) {
        let Some(path) = path else {
            self.state.saving = None;
            return;
        };
        match purpose.what {
            "open" => self.state.act(Action::Open(path.display().to_string()), cx),
            "second" => self.state.act(Action::OpenSecond(path.display().to_string()), cx),
            "export" => self.state.export_to(&path, cx),
            _ => self.state.save_to(&path, cx),
        }
    }

    fn save(&self) -> String {
        let settings = ViewSettings {
            layer_columns: self.state.table.widths(&layers::COLUMNS),
            compare_columns: self.state.compare_table.widths(&compare::COLUMNS),
            ..self.state.settings.clone()
        };
        ron::to_string(&settings).unwrap_or_default()
    }

    fn load(&mut self, text: &str) {
        if let Ok(settings) = ron::from_str::<ViewSettings>(text) {
            self.state.table.set_widths(&layers::COLUMNS, &settings.layer_columns);
            self.state.compare_table.set_widths(&compare::COLUMNS, &settings.compare_columns);
            self.state.settings = settings;
        }
    }
}

impl SpectrumPanel {
    fn tab(&mut self, tab: Tab, cx: &mut PanelCx<'_>) {
        self.state.settings.view = View::Layers;
        self.state.settings.tab = tab;
        if tab == Tab::Clip {
            self.state.ask_preview(cx);
        }
    }

    /// Everything, from the state as it is.
    fn draw(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let state = &mut self.state;
        egui::Frame::new().inner_margin(egui::Margin::symmetric(12, 8)).show(ui, |ui| {
            head::ui(ui, state, actions);
            ui.add_space(4.0);
            match state.settings.view {
                View::Layers => list::ui(ui, state, actions),
                View::Compare => {
                    let busy = state.second.is_pending() || state.second_survey.is_pending();
                    let progress = state.second_survey.progress().or_else(|| state.second.progress());
                    let view = compare::CompareView {
                        a: (!state.report.layers.is_empty()).then_some(&state.report),
                        b: state.second_survey.value().or_else(|| state.second_survey.partial()),
                        busy,
                        progress: progress.as_ref(),
                        version: state.version,
                    };
                    let (table, path, log) =
                        (&mut state.compare_table, &mut state.second_path, &mut state.settings.log);
                    compare::ui(ui, &view, table, path, log, actions);
                }
                View::Training => {
                    let busy = state.curves.is_pending();
                    if state.training.is_pending() {
                        let progress = state.training.progress();
                        if crate::widgets::status::busy(ui, "Training", progress.as_ref()) {
                            state.training.cancel();
                        }
                    }
                    let live = state.training.is_pending().then_some(state.live_curves.as_ref()).flatten();
                    let waiting = busy || (state.training.is_pending() && live.is_none());
                    let shown = if state.training.is_pending() { live } else { state.curves.value() };
                    let (hidden, log) = (&mut state.hidden_curves, &mut state.settings.log);
                    training::ui(ui, shown, [busy, waiting], hidden, log, actions);
                }
            }
        });
    }
}
