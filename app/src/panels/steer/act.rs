//! Doing what the regions and the command table ask for.

use plumb_core::Lane;
use plumb_core::source::Cache;
use plumb_text::job::FetchJob;

use super::action::{Action, Work};
use super::features::FeatureRows;
use super::labels::{WriteLabels, place};
use super::state::State;
use crate::shell::dialogs::DialogPurpose;
use crate::shell::panel::PanelCx;
use crate::shell::slots::forget_error;
use crate::widgets::chart_ui::SaveRequest;

const fn purpose(what: &'static str, title: &'static str) -> DialogPurpose {
    DialogPurpose { owner: "steer", what, title, filters: &[], folder: false }
}

const MODELS: &[(&str, &[&str])] = &[("Models", &["gguf", "safetensors", "json"]), ("All files", &["*"])];
const TEXTS: &[(&str, &[&str])] = &[("Texts", &["txt", "jsonl", "csv"]), ("All files", &["*"])];
const QUESTION_FILES: &[(&str, &[&str])] = &[("Questions", &["jsonl"]), ("All files", &["*"])];
const LABELS: &[(&str, &[&str])] = &[("Labels", &["ron", "csv"])];

/// A model.
pub const MODEL: DialogPurpose = DialogPurpose { filters: MODELS, ..purpose("model", "Open a language model") };
/// An autoencoder.
pub const SAE: DialogPurpose = DialogPurpose { folder: true, ..purpose("sae", "Open an autoencoder's folder") };
/// A classifier that judges.
pub const JUDGE: DialogPurpose = DialogPurpose { folder: true, ..purpose("judge", "Open a classifier's folder") };
/// Questions for a sweep.
pub const QUESTIONS: DialogPurpose =
    DialogPurpose { filters: QUESTION_FILES, ..purpose("questions", "Multiple-choice questions") };
/// Texts to index.
pub const INDEX: DialogPurpose = DialogPurpose { filters: TEXTS, ..purpose("index", "Index features over a file") };
/// Texts to measure on.
pub const MEASURE: DialogPurpose = DialogPurpose { filters: TEXTS, ..purpose("measure", "Measure on a file") };
/// Texts of the first kind.
pub const FIRST: DialogPurpose = DialogPurpose { filters: TEXTS, ..purpose("first", "Texts of the first kind") };
/// Texts of the second kind.
pub const SECOND: DialogPurpose = DialogPurpose { filters: TEXTS, ..purpose("second", "Texts of the second kind") };
/// Labels to read.
pub const IMPORT: DialogPurpose = DialogPurpose { filters: LABELS, ..purpose("import", "Import labels") };
/// Where labels go.
pub const EXPORT: DialogPurpose = DialogPurpose { filters: LABELS, ..purpose("export", "Export labels") };
/// Where a table or a picture goes.
pub const SAVE: DialogPurpose = purpose("save", "Save");

/// Where files are kept.
pub fn cache(cx: &PanelCx<'_>) -> Cache {
    Cache::new(cx.cache_dir, &[])
}

impl State {
    /// Do one thing.
    pub fn act(&mut self, action: Action, cx: &mut PanelCx<'_>) {
        match action {
            Action::Open => self.open(cx),
            Action::OpenPair(model, sae) => {
                (self.model, self.sae) = (model, sae);
                self.open(cx);
            }
            Action::ModelDialog => cx.dialogs.open(MODEL),
            Action::SaeDialog => cx.dialogs.open(SAE),
            Action::Fetch(model) => {
                self.fetching.clear();
                let job = FetchJob { model, cache: cache(cx) };
                self.fetching.request(cx.engine, Lane::Store, cx.settings.seed, job);
            }
            Action::Judge(judge) => self.ask_judge(judge, cx),
            Action::JudgeDialog => cx.dialogs.open(JUDGE),
            Action::QuestionsDialog => cx.dialogs.open(QUESTIONS),
            Action::CorpusDialog => cx.dialogs.open(INDEX),
            Action::MeasureDialog => cx.dialogs.open(MEASURE),
            Action::Selected => self.look(cx),
            Action::Look(feature) => {
                self.table.select(feature);
                self.look(cx);
            }
            Action::Search => self.search_for(cx),
            Action::ClearSearch => {
                self.table.filter.clear();
                self.search.clear();
                self.reading.clear();
                self.token.clear();
                self.show_found(None);
            }
            Action::Rack(feature) => {
                let reference = self.reference(feature);
                self.edit.rack.insert(feature, reference);
                self.touch();
                self.changed(cx);
            }
            Action::Changed => self.changed(cx),
            Action::Steer => self.steer(cx),
            Action::Undo => self.undo(false, cx),
            Action::Redo => self.undo(true, cx),
            Action::Find => self.ask_find(cx),
            Action::ContrastDialog(kind) => cx.dialogs.open(if kind == 0 { FIRST } else { SECOND }),
            Action::Causal => self.ask_causal(cx),
            Action::Sweep => self.ask_sweep(cx),
            Action::LoadPoint(point) => self.load_point(point, cx),
            Action::Split => self.ask_split(cx),
            Action::LabelsChanged => self.keep_labels(cx),
            Action::ImportLabels => cx.dialogs.open(IMPORT),
            Action::ExportLabels => cx.dialogs.save(EXPORT, "labels.csv"),
            Action::ExportTable => {
                let bytes = self.table_csv().into_bytes();
                self.act(Action::Save(SaveRequest { name: "features.csv".to_owned(), bytes }), cx);
            }
            Action::SaveRun => self.save_run(cx),
            Action::Save(request) => {
                cx.dialogs.save(SAVE, request.name.clone());
                self.saving = Some(request);
            }
            Action::Stop(work) => self.stop(work),
            Action::Dismiss(work) => self.dismiss(work),
        }
    }

    pub(super) fn keep_labels(&mut self, cx: &PanelCx<'_>) {
        self.touch();
        let Some(opened) = &self.opened else { return };
        let job = WriteLabels { path: place(cx.runs_dir, &opened.about.sae), labels: self.edit.labels.clone() };
        self.labels_kept.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }

    fn undo(&mut self, forward: bool, cx: &PanelCx<'_>) {
        let found = if forward { self.undo.redo(&self.edit) } else { self.undo.undo(&self.edit) };
        let Some(edit) = found.cloned() else { return };
        let labels = edit.labels != self.edit.labels;
        let rack = edit.rack != self.edit.rack;
        self.edit = edit;
        self.draft = None;
        self.touch();
        if labels {
            self.keep_labels(cx);
        }
        if rack {
            self.changed(cx);
        }
    }

    /// The feature table as CSV, rows in the order on screen.
    pub fn table_csv(&self) -> String {
        let rows = FeatureRows {
            rows: &self.rows,
            labels: &self.edit.labels,
            auto: &self.auto,
            rack: &self.edit.rack,
            contrast: &self.contrast,
            found: self.found.as_ref(),
            list: self.list.as_deref(),
            hide_dead: self.settings.hide_dead,
        };
        self.table.csv(&rows)
    }

    fn stop(&mut self, work: Work) {
        match work {
            Work::Open => self.opening.cancel(),
            Work::Fetch => self.fetching.cancel(),
            Work::Judge => self.judging.cancel(),
            Work::Index => self.indexing.cancel(),
            Work::Quality => self.quality.cancel(),
            Work::Card => self.card.cancel(),
            Work::Search => {
                self.reading.cancel();
                self.token.cancel();
            }
            Work::Live => self.live.cancel(),
            Work::Find => self.find.cancel(),
            Work::Causal => self.causal.cancel(),
            Work::Sweep => self.sweep.cancel(),
            Work::Split => self.split.cancel(),
            Work::Files => {
                self.corpus.cancel();
                self.run.cancel();
            }
        }
    }

    fn dismiss(&mut self, work: Work) {
        match work {
            Work::Open => forget_error(&mut self.opening),
            Work::Fetch => forget_error(&mut self.fetching),
            Work::Judge => forget_error(&mut self.judging),
            Work::Index => forget_error(&mut self.indexing),
            Work::Quality => forget_error(&mut self.quality),
            Work::Card => forget_error(&mut self.card),
            Work::Search => {
                forget_error(&mut self.reading);
                forget_error(&mut self.token);
            }
            Work::Live => forget_error(&mut self.live),
            Work::Find => forget_error(&mut self.find),
            Work::Causal => forget_error(&mut self.causal),
            Work::Sweep => forget_error(&mut self.sweep),
            Work::Split => forget_error(&mut self.split),
            Work::Files => {
                forget_error(&mut self.corpus);
                forget_error(&mut self.labels_in);
                forget_error(&mut self.labels_kept);
                forget_error(&mut self.labels_out);
                forget_error(&mut self.run);
                forget_error(&mut self.preset_texts);
            }
        }
    }
}
