//! The head of the panel: which model, which autoencoder, what runs and what went wrong.

use egui::{Key, Role, Ui, WidgetInfo};

use super::action::{Action, Work};
use super::pairs;
use super::state::State;
use crate::theme::Icon;
use crate::widgets::status;

/// Fields, menus; below them what runs and what went wrong.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let table = if state.settings.table { "Hide the feature table" } else { "Show the feature table" };
        if Icon::Columns.button(ui, table).clicked() {
            state.settings.table = !state.settings.table;
        }
        let room = (ui.available_width() - 330.0).max(180.0);
        let mut entered = false;
        for (name, hint, text, share) in [
            ("Language model", "Model: smollm2, hf:owner/repo, folder or GGUF file", &mut state.model, 0.42),
            ("Autoencoder", "Autoencoder: folder, hf:owner/repo/folder or embedded:NAME", &mut state.sae, 0.58),
        ] {
            let edit = egui::TextEdit::singleline(text).hint_text(hint).desired_width(room * share - 8.0);
            let field = ui.add(edit).on_hover_text(hint);
            field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, name));
            entered |= field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        }
        let open = ui.button("Open").on_hover_text("Open the model and the autoencoder named in the fields").clicked();
        if (entered || open) && !state.model.trim().is_empty() {
            actions.push(Action::Open);
        }
        if Icon::FolderOpen.button(ui, "Choose a model file").clicked() {
            actions.push(Action::ModelDialog);
        }
        if Icon::Layers.button(ui, "Choose an autoencoder's folder").clicked() {
            actions.push(Action::SaeDialog);
        }
        models(ui, actions);
        export(ui, actions);
    });
    running(ui, state, actions);
    errors(ui, state, actions);
}

fn models(ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.menu_button("Models", |ui| {
        for pair in pairs::PAIRS {
            if ui.button(pair.title).on_hover_text(pair.about).clicked() {
                actions.push(if pair.fetch {
                    Action::Fetch(pair.model.to_owned())
                } else {
                    Action::OpenPair(pair.model.to_owned(), pair.sae.to_owned())
                });
                ui.close();
            }
        }
    })
    .response
    .on_hover_text("Models with autoencoders: what ships with Plumb, and what it can fetch");
}

fn export(ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.menu_button("File", |ui| {
        for (text, action) in [
            ("Index features over a file…", Action::CorpusDialog),
            ("Import labels…", Action::ImportLabels),
            ("Export labels…", Action::ExportLabels),
            ("Feature table as CSV…", Action::ExportTable),
            ("Run folder", Action::SaveRun),
        ] {
            if ui.button(text).clicked() {
                actions.push(action);
                ui.close();
            }
        }
    })
    .response
    .on_hover_text("Index, labels, table, run folder");
}

fn running(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let mut line = |pending: bool, reason: &str, progress: Option<plumb_core::Progress>, work: Work| {
        if pending && status::busy(ui, reason, progress.as_ref()) {
            actions.push(Action::Stop(work));
        }
    };
    line(state.fetching.is_pending(), "Fetching the model", state.fetching.progress(), Work::Fetch);
    line(state.opening.is_pending(), "Opening model and autoencoder", state.opening.progress(), Work::Open);
    line(state.indexing.is_pending(), "Indexing features", state.indexing.progress(), Work::Index);
    line(state.quality.is_pending(), "Measuring the autoencoder", state.quality.progress(), Work::Quality);
    line(state.run.is_pending(), "Writing the run folder", state.run.progress(), Work::Files);
}

fn errors(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let all = [
        (state.opening.error(), "The model could not be opened", Work::Open),
        (state.fetching.error(), "The model could not be fetched", Work::Fetch),
        (state.indexing.error(), "The index could not be built", Work::Index),
        (state.quality.error(), "The autoencoder could not be measured", Work::Quality),
        (state.card.error(), "The feature could not be read", Work::Card),
        (state.reading.error(), "The text could not be read", Work::Search),
        (state.token.error(), "The search failed", Work::Search),
        (state.corpus.error(), "The texts could not be read", Work::Files),
        (state.labels_in.error(), "The labels could not be read", Work::Files),
        (state.labels_kept.error(), "The labels could not be kept", Work::Files),
        (state.labels_out.error(), "The labels could not be written", Work::Files),
        (state.run.error(), "The run folder could not be written", Work::Files),
    ];
    for (error, title, work) in all {
        if let Some(error) = error
            && status::error_box(ui, title, &error.to_string())
        {
            actions.push(Action::Dismiss(work));
        }
    }
}
