//! The questions the panel asks the engine. What comes back is taken in by `arrive`.

use std::path::Path;

use plumb_core::Lane;
use plumb_core::source::Cache;
use plumb_spectrum::detail::{DetailJob, PreviewJob};
use plumb_spectrum::job::{AccuracyJob, ClipJob, OpenJob, SurveyJob};
use plumb_spectrum::sidecar::GeometryTable;
use plumb_spectrum::spec::{ClipSpec, SpectrumSpec};
use plumb_spectrum::subject::embedded_files;

use super::state::{State, Tab, View};
use super::training::ReadCurves;
use crate::shell::panel::PanelCx;

/// Where files are kept.
pub fn cache(cx: &PanelCx<'_>) -> Cache {
    Cache::new(cx.cache_dir, embedded_files())
}

impl State {
    /// Open a source; what is on screen stays until it is open.
    pub fn open(&mut self, source: &str, cx: &PanelCx<'_>) {
        source.clone_into(&mut self.path);
        let job = OpenJob { source: source.to_owned(), overrides: GeometryTable::new(), cache: cache(cx) };
        self.reopening = None;
        self.opening.clear();
        self.opening.request(cx.engine, Lane::Device, cx.settings.seed, job);
        self.settings.view = View::Layers;
    }

    pub(super) fn open_second(&mut self, source: &str, cx: &PanelCx<'_>) {
        source.clone_into(&mut self.second_path);
        let job = OpenJob { source: source.to_owned(), overrides: GeometryTable::new(), cache: cache(cx) };
        self.second.clear();
        self.second.request(cx.engine, Lane::Device, cx.settings.seed, job);
        self.settings.view = View::Compare;
    }

    pub(super) fn survey_again(&mut self, cx: &PanelCx<'_>) {
        let Some(subject) = self.subject.clone() else { return };
        let spec = SpectrumSpec { layers: Vec::new(), seed: cx.settings.seed, ..self.spec.clone() };
        let job = SurveyJob { subject, edits: self.edits.clone(), spec };
        self.survey.clear();
        self.survey.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// Compute the rows of these layers again.
    pub(super) fn survey_rows(&mut self, names: Vec<String>, cx: &PanelCx<'_>) {
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

    pub(super) fn ask_clip(&mut self, names: Vec<String>, cx: &PanelCx<'_>) {
        let Some(subject) = self.subject.clone() else { return };
        let spec = ClipSpec { layers: names, seed: cx.settings.seed, ..self.clip_spec.clone() };
        let job = ClipJob { subject, edits: self.edits.clone(), spec };
        self.clip.clear();
        self.clip.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// Accuracy with the weights as they are now.
    pub(super) fn measure(&mut self, cx: &PanelCx<'_>) {
        let Some(subject) = self.subject.clone().filter(|subject| subject.has_network()) else { return };
        if self.edits.is_empty() {
            self.accuracy_after.clear();
            return;
        }
        let job = AccuracyJob { subject, edits: self.edits.clone() };
        self.accuracy_after.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// Read the training curves of a run folder.
    pub fn read_curves(&mut self, folder: &Path, cx: &PanelCx<'_>) {
        self.curves.request(cx.engine, Lane::Store, cx.settings.seed, ReadCurves::Folder(folder.to_owned()));
        self.settings.view = View::Training;
    }
}
