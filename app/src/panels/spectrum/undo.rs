//! Going back and forth in the history: clips, settings and geometries.

use std::sync::Arc;

use plumb_spectrum::geometry::{Geometry, OpKind};
use plumb_spectrum::report::LayerReport;
use plumb_spectrum::sidecar::{GeometryTable, LayerGeometry};

use super::history::Step;
use super::state::{Change, State, Tab};
use crate::shell::panel::PanelCx;

impl State {
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
    pub(super) fn forget_settings_change(&mut self) {
        self.known_clip_spec = self.clip_spec.clone();
        self.seen_clip_spec = self.clip_spec.clone();
    }

    /// Note a change of the settings in the history once it is complete: not while a slider is held or text is typed.
    pub(super) fn settle_settings(&mut self, cx: &PanelCx<'_>, now: bool) {
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

    pub(super) fn set_geometry(&mut self, layer: &str, op: OpKind, geometry: Geometry, cx: &mut PanelCx<'_>) {
        let Some(subject) = self.subject.clone() else { return };
        let Ok(old) = subject.layer(layer) else { return };
        let before = LayerGeometry { op: old.op, geometry: old.geometry.clone() };
        let after = LayerGeometry { op, geometry };
        self.use_geometry(layer, &after, cx);
        self.history.push(Step::Geometry { layer: layer.to_owned(), sides: Box::new([before, after]) });
    }

    pub(super) fn use_geometry(&mut self, layer: &str, geometry: &LayerGeometry, cx: &mut PanelCx<'_>) {
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
}

/// The names of these rows.
pub fn names_of(rows: &[LayerReport]) -> Vec<String> {
    rows.iter().map(|row| row.name.clone()).collect()
}
