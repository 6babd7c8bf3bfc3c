//! Files the panel writes: weights, tables, pictures.

use std::path::Path;

use plumb_core::Lane;
use plumb_spectrum::export::ExportJob;

use super::act::purpose;
use super::action::Action;
use super::state::State;
use crate::shell::dialogs::DialogPurpose;
use crate::shell::panel::PanelCx;
use crate::widgets::chart_ui::SaveRequest;
use crate::widgets::format;

/// Where the weights go.
pub const EXPORT: DialogPurpose = DialogPurpose {
    filters: &[("safetensors", &["safetensors"])],
    ..purpose("export", "Export weights as safetensors")
};
/// Where a table or a picture goes.
pub const SAVE: DialogPurpose = purpose("save", "Save");

impl State {
    pub(super) fn export_dialog(&self, cx: &mut PanelCx<'_>) {
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

    pub(super) fn export_table(&mut self, cx: &mut PanelCx<'_>) {
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
}
