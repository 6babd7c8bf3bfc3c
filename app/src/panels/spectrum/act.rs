//! Doing what the regions and the command table ask for.

use super::action::{Action, Work};
use super::export::SAVE;
use super::state::State;
use crate::shell::dialogs::DialogPurpose;
use crate::shell::panel::PanelCx;
use crate::shell::slots::forget_error;

/// The model the panel opens with.
pub const SAMPLE: &str = "embedded:digits-resnet8";

const MODELS: &[(&str, &[&str])] =
    &[("Checkpoints", &["safetensors", "pt", "pth", "bin", "onnx", "npz", "gguf"]), ("All files", &["*"])];

/// A dialog of this panel.
pub const fn purpose(what: &'static str, title: &'static str) -> DialogPurpose {
    DialogPurpose { owner: "spectrum", what, title, filters: &[], folder: false }
}

/// Open the first file.
pub const OPEN: DialogPurpose = DialogPurpose { filters: MODELS, ..purpose("open", "Open a model file") };
/// Open the second file.
pub const SECOND: DialogPurpose = DialogPurpose { filters: MODELS, ..purpose("second", "Open a second model file") };

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
