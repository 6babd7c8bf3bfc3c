//! Taking in what the engine answered.

use std::sync::Arc;

use plumb_core::Lane;
use plumb_spectrum::job::{AccuracyJob, SurveyJob};
use plumb_spectrum::report::{ClipReport, SpectrumReport};
use plumb_spectrum::spec::SpectrumSpec;
use plumb_spectrum::subject::{Edits, Subject};

use super::act::SAMPLE;
use super::history::Step;
use super::state::{Change, State, View};
use super::training::{self, ReadCurves};
use super::undo::names_of;
use crate::shell::panel::PanelCx;
use crate::shell::slots::settled;
use crate::widgets::format;

impl State {
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

    /// A file was opened: forget what belonged to the one before it and compute.
    pub(super) fn begin(&mut self, subject: &Arc<Subject>, cx: &mut PanelCx<'_>) {
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
    pub(super) fn complete(&mut self, cx: &PanelCx<'_>) {
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
}

/// The layers that a clip changed.
pub fn changed(report: &ClipReport) -> Vec<String> {
    let rows = report.layers.iter().filter(|row| row.steps > 0 && row.problem.is_none());
    rows.map(|row| row.name.clone()).collect()
}
