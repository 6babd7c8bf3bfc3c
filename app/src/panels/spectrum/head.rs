//! The head of the panel: which file, which view, and what can be written.

use egui::{Key, RichText, Ui};

use super::action::{Action, Work};
use super::options;
use super::state::{State, View};
use crate::theme::{Icon, UiExt as _};
use crate::widgets::choice::choice;
use crate::widgets::{scroll, status};

/// Width of the controls behind the path field, until it has been measured.
const BEHIND: f32 = 330.0;

/// Path field, samples, views, exports; below them what runs and what went wrong.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        views(ui, state);
        ui.separator();
        // The path field takes what the controls behind it leave, as measured in the last frame.
        let id = ui.make_persistent_id("controls behind the path");
        let behind: f32 = ui.data(|data| data.get_temp(id)).unwrap_or(BEHIND);
        let field = source(ui, state, ui.available_width() - behind, actions);
        options::ui(ui, &mut state.spec, actions);
        if Icon::Refresh.button(ui, "Compute spectra again").clicked() {
            actions.push(Action::SurveyAgain);
        }
        ui.menu_button("Export", |ui| {
            for (text, action) in [
                ("Layer table as CSV…", Action::ExportTable),
                ("Weights as safetensors…", Action::ExportModel),
                ("Run folder", Action::SaveRun),
            ] {
                if ui.button(text).clicked() {
                    actions.push(action);
                    ui.close();
                }
            }
        })
        .response
        .on_hover_text("Write the table, the weights, or everything on screen as a run folder");
        let now = ui.min_rect().right() - field.right();
        if (now - behind).abs() > 0.5 {
            ui.data_mut(|data| data.insert_temp(id, now));
            ui.ctx().request_repaint();
        }
    });
    running(ui, state, actions);
    errors(ui, state, actions);
}

fn views(ui: &mut Ui, state: &mut State) {
    choice(
        ui,
        "View",
        &mut state.settings.view,
        &[
            (View::Layers, "Layers", "The layers of one checkpoint"),
            (View::Compare, "Compare", "Two checkpoints side by side"),
            (View::Training, "Training", "σ₁ per layer over the epochs of a run"),
        ],
    );
}

fn source(ui: &mut Ui, state: &mut State, width: f32, actions: &mut Vec<Action>) -> egui::Rect {
    // Short, so that it is whole in the smallest window.
    let edit = egui::TextEdit::singleline(&mut state.path).hint_text("Path or address of a model");
    let field = ui.add_sized([width.max(90.0), ui.spacing().interact_size.y], edit);
    field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Model file"));
    let field = field.on_hover_text("A file, hf:owner/repo/file or embedded:NAME. Enter opens it");
    let entered = field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    let open = ui.button("Open").on_hover_text("Open the file named in the field").clicked();
    if (entered || open) && !state.path.trim().is_empty() {
        actions.push(Action::Open(state.path.trim().to_owned()));
    }
    if Icon::FolderOpen.button(ui, "Choose a model file").clicked() {
        actions.push(Action::OpenDialog);
    }
    samples(ui, |name| actions.push(Action::Open(name)));
    field.rect
}

/// A menu of the models that ship with Plumb.
pub fn samples(ui: &mut Ui, mut chosen: impl FnMut(String)) {
    ui.menu_button("Samples", |ui| {
        for sample in plumb_vision::samples::EMBEDDED {
            if ui.button(sample.title).on_hover_text(sample.about).clicked() {
                chosen(format!("embedded:{}", sample.name));
                ui.close();
            }
        }
    })
    .response
    .on_hover_text("Models that ship with Plumb");
}

fn running(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let mut line = |pending: bool, reason: &str, progress: Option<plumb_core::Progress>, work: Work| {
        if pending && status::busy(ui, reason, progress.as_ref()) {
            actions.push(Action::Stop(work));
        }
    };
    line(state.opening.is_pending(), "Opening the file", state.opening.progress(), Work::Open);
    line(state.survey.is_pending(), "Spectra of all layers", state.survey.progress(), Work::Survey);
    line(state.rows.is_pending(), "Spectra of the changed layers", state.rows.progress(), Work::Survey);
    line(state.run.is_pending(), "Writing the run folder", state.run.progress(), Work::Export);
    line(state.export.is_pending(), "Writing weights", state.export.progress(), Work::Export);
}

fn errors(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let all = [
        (state.opening.error(), "The file could not be opened", Work::Open),
        (state.survey.error(), "The spectra could not be computed", Work::Survey),
        (state.rows.error(), "The changed layers could not be computed", Work::Survey),
        (state.run.error(), "The run folder could not be written", Work::Export),
        (state.clip.error(), "Clipping failed; nothing was changed", Work::Clip),
        (state.export.error(), "The weights could not be written", Work::Export),
        (state.second.error(), "The second file could not be opened", Work::Second),
        (state.second_survey.error(), "The spectra of the second file could not be computed", Work::Second),
        (state.training.error(), "Training failed", Work::Training),
        (state.curves.error(), "The training curves could not be read", Work::Curves),
    ];
    for (error, title, work) in all {
        if let Some(error) = error
            && status::error_box(ui, title, &error.to_string())
        {
            actions.push(Action::Dismiss(work));
        }
    }
}

/// What the file left out, under the table; unfolded where that is all there is to see.
pub fn skipped(ui: &mut Ui, state: &State, open: bool) {
    let tokens = ui.tokens();
    let skipped = &state.report.skipped;
    if skipped.is_empty() {
        return;
    }
    let title = format!("Skipped ({})", skipped.len());
    let header =
        egui::CollapsingHeader::new(RichText::new(title).small()).id_salt(("skipped", open)).default_open(open);
    header.show(ui, |ui| {
        let area = egui::ScrollArea::vertical().id_salt("skipped list").max_height(140.0).auto_shrink([false, true]);
        scroll::rows(ui, "Skipped tensors", area, 18.0, skipped.len(), |ui, range| {
            for row in &skipped[range] {
                ui.horizontal(|ui| {
                    let name = RichText::new(&row.name).small().color(tokens.text);
                    ui.add(egui::Label::new(name).truncate());
                    let reason = RichText::new(&row.reason).small().color(tokens.text_weak);
                    ui.add(egui::Label::new(reason).truncate());
                });
            }
        });
    });
}
