//! Opening a model with its autoencoder, and what follows from it.

use std::sync::Arc;

use plumb_core::Lane;
use plumb_steer::browse::{AutoLabelsJob, CardJob, OpenJob, OpenSpec, Opened};
use plumb_steer::experiment::Questions;
use plumb_steer::index::FeatureRow;
use plumb_text::job::ModelSpec;

use super::act::cache;
use super::labels::{ReadLabels, place};
use super::state::State;
use crate::shell::panel::PanelCx;

/// Features that fire at fewer tokens than this are about something.
const RARE: f64 = 0.03;

impl State {
    /// Open what the fields name; what is on screen stays until it is open.
    pub fn open(&mut self, cx: &PanelCx<'_>) {
        let model =
            ModelSpec { model: self.model.trim().to_owned(), device: cx.settings.device, ..ModelSpec::default() };
        let judge = self.judge.clone();
        let spec = OpenSpec { model, sae: self.sae.trim().to_owned(), point: None, judge };
        self.opening.clear();
        self.opening.request(cx.engine, Lane::Device, cx.settings.seed, OpenJob { spec, cache: cache(cx) });
    }

    /// A pair was opened: forget what belonged to the one before it.
    pub(super) fn begin(&mut self, opened: &Arc<Opened>, cx: &PanelCx<'_>) {
        let another = self
            .opened
            .as_ref()
            .is_none_or(|old| old.about.sae != opened.about.sae || old.about.model != opened.about.model);
        self.opened = Some(Arc::clone(opened));
        self.take_rows(opened);
        self.naming.clear();
        self.auto.clear();
        if opened.index.is_some() {
            self.naming.request(cx.engine, Lane::Store, cx.settings.seed, AutoLabelsJob { opened: Arc::clone(opened) });
        }
        if another {
            self.card.clear();
            self.live.clear();
            self.live_key = None;
            self.find.clear();
            self.causal.clear();
            self.sweep.clear();
            self.split.clear();
            self.reading.clear();
            self.token.clear();
            self.contrast.clear();
            self.revealed.clear();
            self.show_found(None);
            self.chat = false;
            self.questions = if self.is_world() { Questions::None } else { Questions::Own };
            self.edit = super::state::Edit::default();
            self.undo = egui::util::undoer::Undoer::default();
            self.list = None;
            let job = ReadLabels { path: place(cx.runs_dir, &opened.about.sae), may_miss: true };
            self.labels_fresh = true;
            self.labels_in.request(cx.engine, Lane::Store, cx.settings.seed, job);
            let examples = &opened.examples;
            self.typed.prompts = examples.prompts.first().cloned().unwrap_or_default();
            self.typed.contrast = [examples.contrast.first.join("\n"), examples.contrast.second.join("\n")];
            self.typed.concept.clear();
            // The strongest of the features that do not fire everywhere is something to look at.
            let rare = self.rows.iter().filter(|row| row.density < RARE);
            let first = rare.max_by(|a, b| a.max.total_cmp(&b.max)).or(self.rows.first());
            self.table.selected = first.map(|row| row.feature);
            if let Some(feature) = self.table.selected {
                self.table.select(feature);
            }
        }
        self.look(cx);
    }

    /// Another judge is there: what is flagged on the card and how rude the texts are is asked again.
    pub(super) fn take_judge(&mut self, judged: &Arc<Opened>, cx: &PanelCx<'_>) {
        let same =
            |opened: &Arc<Opened>| opened.about.sae == judged.about.sae && opened.about.model == judged.about.model;
        let Some(opened) = self.opened.as_ref().filter(|opened| same(opened)) else { return };
        // An index or figures may have come while the judge was being opened.
        let judged = Arc::new(opened.judged(judged.judge.clone(), Arc::clone(&judged.scorer)));
        self.opened = Some(judged);
        self.look(cx);
        if self.live.value().is_some() || self.live.is_pending() {
            self.live_key = None;
            self.steer(cx);
        }
    }

    pub(super) fn take_rows(&mut self, opened: &Opened) {
        self.rows = match &opened.index {
            Some(index) => index.rows(),
            None => (0..opened.about.features)
                .map(|feature| FeatureRow { feature, density: f64::NAN, mean: f32::NAN, max: f32::NAN })
                .collect(),
        };
        self.dead = self.rows.iter().filter(|row| row.max <= 0.0).count();
        for slot in &mut self.edit.rack.slots {
            slot.reference = self.rows.get(slot.feature).map(|row| row.max).filter(|max| *max > 0.0);
        }
        self.touch();
    }

    /// Look at the selected feature.
    pub fn look(&mut self, cx: &PanelCx<'_>) {
        let (Some(opened), Some(feature)) = (self.opened.clone(), self.selected()) else { return };
        if opened.index.is_some() {
            self.card.request(cx.engine, Lane::Store, cx.settings.seed, CardJob { opened, feature });
        }
    }
}
