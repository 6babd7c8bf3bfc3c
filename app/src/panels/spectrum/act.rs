//! Doing what the regions and the command table ask for.

use std::path::Path;
use std::sync::Arc;

use plumb_core::source::Cache;
use plumb_core::{Lane, Slot};
use plumb_spectrum::detail::{DetailJob, PreviewJob};
use plumb_spectrum::export::ExportJob;
use plumb_spectrum::geometry::{Geometry, OpKind};
use plumb_spectrum::job::{AccuracyJob, ClipJob, OpenJob, SurveyJob};
use plumb_spectrum::report::{ClipReport, SpectrumReport};
use plumb_spectrum::sidecar::{GeometryTable, LayerGeometry};
use plumb_spectrum::spec::{ClipSpec, SpectrumSpec};
use plumb_spectrum::subject::{Edits, Subject, embedded_files};

use super::action::{Action, Work};
use super::history::Step;
use super::state::{Change, State, Tab, View};
use super::training::{self, ReadCurves};
use crate::shell::dialogs::DialogPurpose;
use crate::shell::panel::PanelCx;
use crate::widgets::chart_ui::SaveRequest;
use crate::widgets::format;

/// The model the panel opens with.
pub const SAMPLE: &str = "embedded:digits-resnet8";

const MODELS: &[(&str, &[&str])] =
    &[("Checkpoints", &["safetensors", "pt", "pth", "bin", "onnx", "npz", "gguf"]), ("All files", &["*"])];

const fn purpose(what: &'static str, title: &'static str) -> DialogPurpose {
    DialogPurpose { owner: "spectrum", what, title, filters: &[], folder: false }
}

/// Open the first file.
pub const OPEN: DialogPurpose = DialogPurpose { filters: MODELS, ..purpose("open", "Open a model file") };
/// Open the second file.
pub const SECOND: DialogPurpose = DialogPurpose { filters: MODELS, ..purpose("second", "Open a second model file") };
/// Where the weights go.
pub const EXPORT: DialogPurpose = DialogPurpose {
    filters: &[("safetensors", &["safetensors"])],
    ..purpose("export", "Export weights as safetensors")
};
/// Where a table or a picture goes.
pub const SAVE: DialogPurpose = purpose("save", "Save");

/// Where files are kept.
pub fn cache(cx: &PanelCx<'_>) -> Cache {
    Cache::new(cx.cache_dir, embedded_files())
}

impl State {
    /// Do one thing.
    pub fn act(&mut self, action: Action, cx: &mut PanelCx<'_>) {
        match action {
            Action::Open(source) => self.open(&source, cx),
            Action::OpenDialog => cx.dialogs.open(OPEN),
            Action::OpenSecond(source) => self.open_second(&source, cx),
            Action::OpenSecondDialog => cx.dialogs.open(SECOND),
            Action::CloseSecond => {
                self.second.clear();
                self.second_survey.clear();
                self.touch();
            }
            Action::SurveyAgain => self.survey_again(cx),
            Action::Selected => self.look(cx),
            Action::Preview => self.ask_preview(cx),
            Action::Clip(names) => self.ask_clip(names, cx),
            Action::Undo => self.undo(cx),
            Action::Redo => self.redo(cx),
            Action::ExportModel => self.export_dialog(cx),
            Action::ExportTable => self.export_table(cx),
            Action::SaveRun => self.save_run(cx),
            Action::SetGeometry { layer, op, geometry } => self.set_geometry(&layer, op, geometry, cx),
            Action::Save(request) => {
                cx.dialogs.save(SAVE, request.name.clone());
                self.saving = Some(request);
            }
            Action::Stop(work) => self.stop(work),
            Action::Dismiss(work) => self.dismiss(work),
        }
    }

    /// Open a source; what is on screen stays until it is open.
    pub fn open(&mut self, source: &str, cx: &PanelCx<'_>) {
        source.clone_into(&mut self.path);
        let job = OpenJob { source: source.to_owned(), overrides: GeometryTable::new(), cache: cache(cx) };
        self.reopening = None;
        self.opening.clear();
        self.opening.request(cx.engine, Lane::Device, cx.settings.seed, job);
        self.settings.view = View::Layers;
    }

    fn open_second(&mut self, source: &str, cx: &PanelCx<'_>) {
        source.clone_into(&mut self.second_path);
        let job = OpenJob { source: source.to_owned(), overrides: GeometryTable::new(), cache: cache(cx) };
        self.second.clear();
        self.second.request(cx.engine, Lane::Device, cx.settings.seed, job);
        self.settings.view = View::Compare;
    }

    /// A file was opened: forget what belonged to the one before it and compute.
    fn begin(&mut self, subject: &Arc<Subject>, cx: &mut PanelCx<'_>) {
        self.edits = Edits::new();
        self.history.clear();
        self.detail.clear();
        self.preview.clear();
        self.accuracy_before.clear();
        self.accuracy_after.clear();
        self.rows.clear();
        if self.curves.value().is_some_and(|curves| curves.embedded) {
            self.curves.clear();
        }
        self.report =
            SpectrumReport { file: subject.source.clone(), layers: Vec::new(), skipped: subject.skipped.clone() };
        self.table.selected = None;
        self.touch();
        self.spec.source.clone_from(&subject.source);
        self.clip_spec.source.clone_from(&subject.source);
        self.survey_again(cx);
        if subject.has_network() {
            let job = AccuracyJob { subject: subject.clone(), edits: Edits::new() };
            self.accuracy_before.request(cx.engine, Lane::Device, cx.settings.seed, job);
        }
    }

    fn survey_again(&mut self, cx: &PanelCx<'_>) {
        let Some(subject) = self.subject.clone() else { return };
        let spec = SpectrumSpec { layers: Vec::new(), seed: cx.settings.seed, ..self.spec.clone() };
        let job = SurveyJob { subject, edits: self.edits.clone(), spec };
        self.survey.clear();
        self.survey.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// Compute the rows of these layers again.
    fn survey_rows(&mut self, names: Vec<String>, cx: &PanelCx<'_>) {
        let Some(subject) = self.subject.clone() else { return };
        let spec = SpectrumSpec { layers: names, seed: cx.settings.seed, ..self.spec.clone() };
        let job = SurveyJob { subject, edits: self.edits.clone(), spec };
        self.rows.clear();
        self.rows.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// Look at the selected layer.
    pub fn look(&mut self, cx: &PanelCx<'_>) {
        let (Some(subject), Some(row)) = (self.subject.clone(), self.selected()) else { return };
        let name = row.name.clone();
        if row.problem.is_some() {
            self.detail.clear();
            return;
        }
        let spec = SpectrumSpec { seed: cx.settings.seed, ..self.spec.clone() };
        let job = DetailJob { subject, edits: self.edits.clone(), layer: name, top: 4, spec };
        self.detail.request(cx.engine, Lane::Device, cx.settings.seed, job);
        if self.settings.tab == Tab::Clip {
            self.ask_preview(cx);
        }
    }

    /// Compute what the present settings would do to the selected layer.
    pub fn ask_preview(&mut self, cx: &PanelCx<'_>) {
        let (Some(subject), Some(row)) = (self.subject.clone(), self.selected()) else { return };
        if row.problem.is_some() {
            return;
        }
        let layer = row.name.clone();
        let spec = ClipSpec { seed: cx.settings.seed, ..self.clip_spec.clone() };
        let job = PreviewJob { subject, edits: self.edits.clone(), layer, spec };
        self.preview.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    fn ask_clip(&mut self, names: Vec<String>, cx: &PanelCx<'_>) {
        let Some(subject) = self.subject.clone() else { return };
        let spec = ClipSpec { layers: names, seed: cx.settings.seed, ..self.clip_spec.clone() };
        let job = ClipJob { subject, edits: self.edits.clone(), spec };
        self.clip.clear();
        self.clip.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// Take in what has arrived.
    pub fn poll(&mut self, cx: &mut PanelCx<'_>) {
        self.settle_settings(cx, false);
        if self.opening.poll()
            && settled(&self.opening)
            && let Some(subject) = self.opening.value().cloned()
        {
            self.subject = Some(subject.clone());
            self.begin(&subject, cx);
        }
        self.poll_survey(cx);
        if self.rows.poll() {
            if let Some(rows) = self.rows.partial().or_else(|| self.rows.value()).cloned() {
                self.merge_rows(&rows.layers);
            }
            if settled(&self.rows) {
                self.complete(cx);
            }
        }
        if self.detail.poll() {
            self.detail_version = self.detail_version.wrapping_add(1);
        }
        self.preview.poll();
        self.accuracy_before.poll();
        self.accuracy_after.poll();
        if self.clip.poll() && settled(&self.clip) {
            self.clipped(cx);
        }
        if self.export.poll()
            && settled(&self.export)
            && let Some(path) = self.export.value()
        {
            cx.notify.success(format!("The weights were written to {}", path.display()));
        }
        if self.run.poll()
            && settled(&self.run)
            && let Some(path) = self.run.value()
        {
            cx.notify.success(format!("The run folder was written: {}", path.display()));
        }
        if self.second.poll()
            && settled(&self.second)
            && let Some(subject) = self.second.value().cloned()
        {
            let spec = SpectrumSpec { source: subject.source.clone(), ..self.spec.clone() };
            let job = SurveyJob { subject, edits: Edits::new(), spec };
            self.second_survey.request(cx.engine, Lane::Device, cx.settings.seed, job);
        }
        if self.second_survey.poll() {
            self.touch();
        }
        if self.training.poll() {
            self.live_curves = self.training.partial().map(|history| {
                let title = self.train_preset.as_ref().map_or_else(String::new, |preset| preset.title.clone());
                training::so_far(format!("{title}, epoch {}", history.epochs.len()), history)
            });
            if settled(&self.training)
                && let Some(folder) = self.training.value().map(|(folder, _)| folder.clone())
            {
                self.read_curves(&folder, cx);
            }
        }
        if self.reopened.poll() && settled(&self.reopened) {
            self.take_reopened(cx);
        }
        self.curves.poll();
        let idle = !self.curves.is_pending() && !self.training.is_pending() && self.curves.error().is_none();
        if self.settings.view == View::Training && self.curves.value().is_none() && idle {
            // Something real to look at until a run is opened: how the sample model was trained.
            let source = self.subject.as_ref().map_or(SAMPLE, |subject| subject.source.as_str());
            let name = source.strip_prefix("embedded:").unwrap_or("digits-resnet8").to_owned();
            self.curves.request(cx.engine, Lane::Store, cx.settings.seed, ReadCurves::Sample(name));
        }
    }

    fn poll_survey(&mut self, cx: &PanelCx<'_>) {
        if !self.survey.poll() {
            return;
        }
        let first = self.report.layers.is_empty();
        let done = settled(&self.survey);
        let newest = if done { self.survey.value() } else { self.survey.partial() };
        if let Some(report) = newest.cloned()
            && (done || first || report.layers.len() > self.report.layers.len())
        {
            self.take_report(report);
        }
        if (first || done) && !self.report.layers.is_empty() {
            self.look(cx);
        }
        if done {
            self.take_reopened(cx);
        }
    }

    /// A clip has ended: remember how to undo it and compute the changed rows.
    fn clipped(&mut self, cx: &PanelCx<'_>) {
        let Some((report, edits)) = self.clip.value().cloned() else { return };
        self.take_clip(report, edits, cx);
    }

    /// These weights are in force from now on, because of this clip.
    pub fn take_clip(&mut self, report: ClipReport, edits: Edits, cx: &PanelCx<'_>) {
        let names = changed(&report);
        if names.is_empty() {
            self.touch();
            return;
        }
        let label =
            format!("Clip {} to {}", format::counted(names.len(), "layer", "layers"), format::number(report.to));
        let rows = [self.rows_of(&names), Vec::new()];
        let change = Change { label, edits: [self.edits.clone(), edits.clone()], rows, report };
        self.history.push(Step::Clip(Box::new(change)));
        self.edits = edits;
        self.completing = true;
        self.survey_rows(names, cx);
        self.measure(cx);
    }

    /// The rows after a change have arrived.
    fn complete(&mut self, cx: &PanelCx<'_>) {
        if std::mem::take(&mut self.completing)
            && let Some(names) = self.history.last_clip().map(|change| names_of(&change.rows[0]))
        {
            let rows = self.rows_of(&names);
            if let Some(change) = self.history.last_clip_mut() {
                change.rows[1] = rows;
            }
        }
        self.look(cx);
    }

    /// Accuracy with the weights as they are now.
    fn measure(&mut self, cx: &PanelCx<'_>) {
        let Some(subject) = self.subject.clone().filter(|subject| subject.has_network()) else { return };
        if self.edits.is_empty() {
            self.accuracy_after.clear();
            return;
        }
        let job = AccuracyJob { subject, edits: self.edits.clone() };
        self.accuracy_after.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// Take back the last step.
    pub fn undo(&mut self, cx: &mut PanelCx<'_>) {
        self.settle_settings(cx, true);
        if let Some(step) = self.history.undo().cloned() {
            self.go_to(&step, 0, cx);
        }
    }

    /// Do again what was taken back.
    pub fn redo(&mut self, cx: &mut PanelCx<'_>) {
        if let Some(step) = self.history.redo().cloned() {
            self.go_to(&step, 1, cx);
        }
    }

    /// To one side of a step: 0 is before it, 1 after it.
    fn go_to(&mut self, step: &Step, side: usize, cx: &mut PanelCx<'_>) {
        match step {
            Step::Clip(change) => self.put_back(change, side, cx),
            Step::Settings { specs, .. } => {
                self.clip_spec = specs[side].clone();
                self.forget_settings_change();
                if self.settings.tab == Tab::Clip {
                    self.ask_preview(cx);
                }
            }
            Step::Geometry { layer, sides } => self.use_geometry(layer, &sides[side], cx),
        }
    }

    /// The settings are where the history thinks they are.
    fn forget_settings_change(&mut self) {
        self.known_clip_spec = self.clip_spec.clone();
        self.seen_clip_spec = self.clip_spec.clone();
    }

    /// Note a change of the settings in the history once it is complete: not while a slider is held or text is typed.
    fn settle_settings(&mut self, cx: &PanelCx<'_>, now: bool) {
        if self.clip_spec.source != self.known_clip_spec.source {
            // Another file: nothing of it can be taken back.
            self.forget_settings_change();
            return;
        }
        if self.clip_spec == self.known_clip_spec {
            return;
        }
        let moved = self.clip_spec != self.seen_clip_spec;
        self.seen_clip_spec = self.clip_spec.clone();
        let (held, time) = cx.egui.input(|input| (input.pointer.any_down(), input.time));
        if !now && (moved || held || cx.egui.text_edit_focused()) {
            if !held && moved {
                cx.egui.request_repaint();
            }
            return;
        }
        let before = std::mem::replace(&mut self.known_clip_spec, self.clip_spec.clone());
        self.history.settings(&before, &self.clip_spec, time);
    }

    fn put_back(&mut self, change: &Change, side: usize, cx: &PanelCx<'_>) {
        self.edits = change.edits[side].clone();
        self.rows.clear();
        self.completing = false;
        if change.rows[side].is_empty() {
            self.survey_rows(names_of(&change.rows[0]), cx);
        } else {
            self.merge_rows(&change.rows[side]);
            self.look(cx);
        }
        self.measure(cx);
    }

    fn set_geometry(&mut self, layer: &str, op: OpKind, geometry: Geometry, cx: &mut PanelCx<'_>) {
        let Some(subject) = self.subject.clone() else { return };
        let Ok(old) = subject.layer(layer) else { return };
        let before = LayerGeometry { op: old.op, geometry: old.geometry.clone() };
        let after = LayerGeometry { op, geometry };
        self.use_geometry(layer, &after, cx);
        self.history.push(Step::Geometry { layer: layer.to_owned(), sides: Box::new([before, after]) });
    }

    fn use_geometry(&mut self, layer: &str, geometry: &LayerGeometry, cx: &mut PanelCx<'_>) {
        let Some(subject) = self.subject.clone() else { return };
        let row = GeometryTable::from([(layer.to_owned(), geometry.clone())]);
        let changed = Arc::new(subject.with_geometry(&row));
        if !changed.source.starts_with("embedded:") {
            match changed.save_geometry() {
                Ok(path) => cx.notify.info(format!("The geometry table was saved: {}", path.display())),
                Err(error) => cx.notify.error(error.to_string()),
            }
        }
        self.subject = Some(changed);
        self.completing = false;
        self.survey_rows(vec![layer.to_owned()], cx);
    }

    fn export_dialog(&self, cx: &mut PanelCx<'_>) {
        if self.subject.is_none() {
            cx.notify.warn("There is no model to export: open one first");
            return;
        }
        let suffix = if self.edits.is_empty() { "" } else { "-clipped" };
        let stem = self.report.file.rsplit(['/', ':']).next().unwrap_or("model");
        let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
        cx.dialogs.save(EXPORT, format!("{}{suffix}.safetensors", format::file_stem(stem)));
    }

    /// Write the weights to `path`.
    pub fn export_to(&mut self, path: &Path, cx: &PanelCx<'_>) {
        let Some(subject) = self.subject.clone() else { return };
        let job = ExportJob { subject, edits: self.edits.clone(), out: path.to_owned() };
        self.export.clear();
        self.export.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }

    fn export_table(&mut self, cx: &mut PanelCx<'_>) {
        let bytes = self.table_csv().into_bytes();
        let name = format!("{}-layers.csv", format::file_stem(&self.report.file));
        self.act(Action::Save(SaveRequest { name, bytes }), cx);
    }

    /// Write the file that waited for an answer.
    pub fn save_to(&mut self, path: &Path, cx: &mut PanelCx<'_>) {
        let Some(request) = self.saving.take() else { return };
        match plumb_core::atomic::write(path, &request.bytes) {
            Ok(()) => cx.notify.success(format!("Written: {}", path.display())),
            Err(error) => cx.notify.error(error.to_string()),
        }
    }

    /// Read the training curves of a run folder.
    pub fn read_curves(&mut self, folder: &Path, cx: &PanelCx<'_>) {
        self.curves.request(cx.engine, Lane::Store, cx.settings.seed, ReadCurves::Folder(folder.to_owned()));
        self.settings.view = View::Training;
    }

    fn stop(&mut self, work: Work) {
        match work {
            Work::Open => self.opening.cancel(),
            Work::Survey => {
                self.survey.cancel();
                self.rows.cancel();
            }
            Work::Detail => self.detail.cancel(),
            Work::Preview => self.preview.cancel(),
            Work::Clip => self.clip.cancel(),
            Work::Second => {
                self.second.cancel();
                self.second_survey.cancel();
            }
            Work::Export => {
                self.export.cancel();
                self.run.cancel();
            }
            Work::Curves => self.curves.cancel(),
            Work::Training => self.training.cancel(),
        }
    }

    fn dismiss(&mut self, work: Work) {
        match work {
            Work::Open => forget_error(&mut self.opening),
            Work::Survey => {
                forget_error(&mut self.survey);
                forget_error(&mut self.rows);
            }
            Work::Detail => forget_error(&mut self.detail),
            Work::Preview => forget_error(&mut self.preview),
            Work::Clip => forget_error(&mut self.clip),
            Work::Second => {
                forget_error(&mut self.second);
                forget_error(&mut self.second_survey);
            }
            Work::Export => {
                forget_error(&mut self.export);
                forget_error(&mut self.run);
            }
            Work::Curves => forget_error(&mut self.curves),
            Work::Training => self.training.clear(),
        }
    }
}

/// The layers that a clip changed.
pub fn changed(report: &ClipReport) -> Vec<String> {
    let rows = report.layers.iter().filter(|row| row.steps > 0 && row.problem.is_none());
    rows.map(|row| row.name.clone()).collect()
}

fn names_of(rows: &[plumb_spectrum::report::LayerReport]) -> Vec<String> {
    rows.iter().map(|row| row.name.clone()).collect()
}

/// Whether the request ended with a value. The slot was cleared before the request, so a value is never an old one.
pub fn settled<T: Send + 'static, P: Send + 'static>(slot: &Slot<T, P>) -> bool {
    !slot.is_pending() && slot.error().is_none() && slot.value().is_some()
}

/// The error was read; the value from before it stays.
fn forget_error<T: Clone + Send + 'static, P: Send + 'static>(slot: &mut Slot<T, P>) {
    match slot.value().cloned() {
        Some(value) => slot.set(value),
        None => slot.clear(),
    }
}
