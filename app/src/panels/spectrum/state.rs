//! What the panel keeps: view settings, the questions it asked, the report on screen, and what was clipped.

use std::path::PathBuf;
use std::sync::Arc;

use plumb_core::Slot;
use plumb_core::preset::Preset;
use plumb_spectrum::experiment::Found;
use plumb_spectrum::report::{Accuracy, ClipPreview, ClipReport, LayerDetail, LayerReport, SpectrumReport};
use plumb_spectrum::spec::{ClipSpec, SpectrumSpec};
use plumb_spectrum::subject::{Edits, Subject};
use plumb_spectrum::train::TrainSpec;
use serde::{Deserialize, Serialize};

use super::geometry_editor::Draft;
use super::history::History;
use super::training::Curves;
use super::vectors::Vectors;
use crate::widgets::chart_ui::SaveRequest;
use crate::widgets::heat_map::HeatMap;
use crate::widgets::table::{TableView, Widths};

/// What the panel shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum View {
    /// The layers of one file.
    #[default]
    Layers,
    /// Two files.
    Compare,
    /// σ₁ over epochs.
    Training,
}

/// What is shown of the selected layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tab {
    /// Singular values.
    #[default]
    Spectrum,
    /// Other methods.
    Methods,
    /// Singular vectors.
    Vectors,
    /// Frequency response.
    Frequency,
    /// Clipping.
    Clip,
    /// Geometry.
    Geometry,
}

/// What is kept from session to session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViewSettings {
    /// Which view.
    pub view: View,
    /// Which tab.
    pub tab: Tab,
    /// Logarithmic singular values.
    pub log: bool,
    /// Only layers that need a look.
    pub only_problems: bool,
    /// Columns of the layer table that were made wider or narrower.
    pub layer_columns: Widths,
    /// The same of the comparison.
    pub compare_columns: Widths,
}

/// One clip, with what it takes to undo it.
#[derive(Clone, Debug)]
pub struct Change {
    /// “Clip 3 layers to 1.000”.
    pub label: String,
    /// Changed tensors before and after.
    pub edits: [Edits; 2],
    /// Rows of the table before and after; the second is filled in once they are computed.
    pub rows: [Vec<LayerReport>; 2],
    /// What the engine said.
    pub report: ClipReport,
}

/// Everything.
#[derive(Debug, Default)]
pub struct State {
    /// Kept from session to session.
    pub settings: ViewSettings,
    /// The path field.
    pub path: String,
    /// The path field of the second file.
    pub second_path: String,
    /// What is asked for.
    pub spec: SpectrumSpec,
    /// How layers are clipped.
    pub clip_spec: ClipSpec,
    /// The layer table.
    pub table: TableView,
    /// The table of the comparison.
    pub compare_table: TableView,
    /// The geometry being edited.
    pub draft: Draft,
    /// Textures of the singular vectors.
    pub vectors: Vectors,
    /// Texture of the frequency response.
    pub heat: HeatMap,
    /// Training curves that are switched off.
    pub hidden_curves: Vec<String>,

    /// The file that is looked at.
    pub subject: Option<Arc<Subject>>,
    /// Opening a file.
    pub opening: Slot<Arc<Subject>>,
    /// Its spectra.
    pub survey: Slot<SpectrumReport, SpectrumReport>,
    /// The selected layer.
    pub detail: Slot<LayerDetail, LayerDetail>,
    /// The preview of a clip.
    pub preview: Slot<ClipPreview, ClipPreview>,
    /// Clipping.
    pub clip: Slot<(ClipReport, Edits), ClipReport>,
    /// Accuracy of the file as it is.
    pub accuracy_before: Slot<Accuracy>,
    /// Accuracy with the clipped tensors.
    pub accuracy_after: Slot<Accuracy>,
    /// Writing weights.
    pub export: Slot<PathBuf>,
    /// The second file.
    pub second: Slot<Arc<Subject>>,
    /// Its spectra.
    pub second_survey: Slot<SpectrumReport, SpectrumReport>,
    /// Training curves.
    pub curves: Slot<Curves>,
    /// A training run.
    pub training: Slot<(PathBuf, Found), plumb_vision::train::History>,
    /// Its curves so far.
    pub live_curves: Option<Curves>,

    /// The report on screen.
    pub report: SpectrumReport,
    /// Changes with the report, for the table's order.
    pub version: u64,
    /// Changes with the detail, for textures.
    pub detail_version: u64,
    /// Tensors changed here.
    pub edits: Edits,
    /// What can be undone and done again.
    pub history: History,
    /// The clip settings as the history knows them.
    pub known_clip_spec: ClipSpec,
    /// The clip settings of the last frame: a change is complete when they stay.
    pub seen_clip_spec: ClipSpec,
    /// The training preset that was opened last, to be saved under another name.
    pub train_preset: Option<Preset<TrainSpec>>,
    /// A clip run that is being reopened: its report, and its weights once they are read.
    pub reopening: Option<ClipReport>,
    /// Reading the weights of that run.
    pub reopened: Slot<Edits>,
    /// A file waiting for the answer of the dialog.
    pub saving: Option<SaveRequest>,
    /// Writing a run folder.
    pub run: Slot<PathBuf>,
    /// Rows that were computed again after a change of weights or geometry.
    pub rows: Slot<SpectrumReport, SpectrumReport>,
    /// Layer names that the next change of rows belongs to: they complete the last clip of the history.
    pub completing: bool,
    /// The keyboard goes to the tabs of the selected layer with the next frame.
    pub focus_detail: bool,
    /// The sample was asked for.
    pub started: bool,
}

impl State {
    /// The selected row.
    pub fn selected(&self) -> Option<&LayerReport> {
        self.report.layers.get(self.table.selected?)
    }

    /// Whether a layer's weights were changed here.
    pub fn is_clipped(&self, name: &str) -> bool {
        self.edits.contains_key(name)
    }

    /// The report changed.
    pub fn touch(&mut self) {
        self.version = self.version.wrapping_add(1);
    }

    /// A new whole report; the selection stays on the layer of the same name.
    pub fn take_report(&mut self, report: SpectrumReport) {
        let name = self.selected().map(|layer| layer.name.clone());
        self.report = report;
        self.table.selected = name.and_then(|name| self.report.layers.iter().position(|layer| layer.name == name));
        if self.table.selected.is_none() && !self.report.layers.is_empty() {
            self.table.selected = Some(0);
        }
        self.touch();
    }

    /// Put newly computed rows into the report.
    pub fn merge_rows(&mut self, rows: &[LayerReport]) {
        for row in rows {
            if let Some(old) = self.report.layers.iter_mut().find(|layer| layer.name == row.name) {
                *old = row.clone();
            }
        }
        self.touch();
    }

    /// The rows of these layers as they are now.
    pub fn rows_of(&self, names: &[String]) -> Vec<LayerReport> {
        self.report.layers.iter().filter(|layer| names.contains(&layer.name)).cloned().collect()
    }
}
