//! Opening a database and signing in, importing with a look before, exporting.

use egui::{RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo};
use plumb_moderate::export::{Export, Format};
use plumb_moderate::import::file::Preview;
use plumb_moderate::import::table::Columns;

use super::action::{Action, Work};
use super::state::State;
use super::waits;
use crate::theme::{UiExt as _, semibold};
use crate::widgets::{format, scroll, status};

/// Nothing is open: sandbox or a database.
pub fn sign_in(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.set_max_width(560.0);
    ui.add_space(16.0);
    ui.label(semibold("Moderate").size(20.0).color(ui.tokens().text_strong));
    ui.label("A queue of reported texts for a team. Cases on which moderators would differ go to a panel.");
    ui.add_space(10.0);
    if ui.button("Open sandbox").on_hover_text("A made-up community with 401 cases, to try everything on").clicked() {
        actions.push(Action::Sandbox);
    }
    ui.add_space(16.0);
    open(ui, state, actions);
}

/// Draw the page.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let area = ScrollArea::vertical().auto_shrink(false).id_salt("moderate data");
    scroll::show(ui, "Data", area, |ui| {
        ui.set_max_width(820.0);
        import(ui, state, actions);
        ui.add_space(16.0);
        if state.leads() {
            super::team::ui(ui, state, actions);
        }
        export(ui, state, actions);
        ui.add_space(16.0);
        open(ui, state, actions);
        if ui.button("Open sandbox").clicked() {
            actions.push(Action::Sandbox);
        }
    });
}

/// A field on one line. True if Enter left it.
pub fn field(ui: &mut Ui, name: &str, hint: &str, text: &mut String, secret: bool, width: f32) -> bool {
    let edit = TextEdit::singleline(text).hint_text(hint).password(secret).desired_width(width);
    let response = ui.add(edit);
    let role = if secret { Role::PasswordInput } else { Role::TextInput };
    response.widget_info(|| WidgetInfo::labeled(role, true, name));
    response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter))
}

fn open(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    ui.label(semibold("Open a team's database").color(tokens.text_strong));
    let mut go = false;
    ui.horizontal_wrapped(|ui| {
        let width = (ui.available_width() - 110.0).clamp(120.0, 520.0);
        go |= field(ui, "Database", "A SQLite file, or postgres://…", &mut state.database, false, width);
        if ui.button("Choose…").clicked() {
            actions.push(Action::OpenDialog);
        }
    });
    ui.horizontal_wrapped(|ui| {
        go |= field(ui, "Your name", "Your name", &mut state.name, false, 160.0);
        go |= field(ui, "Password", "Password", &mut state.password, true, 160.0);
    });
    let ready = !state.database.trim().is_empty();
    ui.horizontal_wrapped(|ui| {
        if ui.add_enabled(ready, egui::Button::new("Open")).clicked() || (go && ready) {
            actions.push(Action::Open);
        }
        let found = ready && !state.name.trim().is_empty() && !state.password.is_empty();
        let button = ui.add_enabled(found, egui::Button::new("Open and make the first account"));
        let hover =
            "For a file without accounts: from then on everybody signs in with a password, and you lead the team";
        if button.on_hover_text(hover).clicked() {
            actions.push(Action::Found);
        }
    });
    let text = "A file without accounts asks for no password; whoever opens it leads. One file hides votes from colleagues, not from somebody who reads the file with another program: teams that need that use PostgreSQL, where the server decides.";
    ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
}

fn export(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    ui.label(semibold("Export").color(ui.tokens().text_strong));
    let kinds = [
        (Export::Decisions, "Decisions", "The decision that holds, one row a case"),
        (Export::Votes, "Votes", "Everybody's last word, one row a case and moderator"),
        (Export::Splits, "Split cases", "Cases whose votes differ, one row a case"),
    ];
    for (what, name, hover) in kinds {
        ui.horizontal_wrapped(|ui| {
            ui.label(name).on_hover_text(hover);
            for (form, kind) in [(Format::Csv, "CSV…"), (Format::Jsonl, "JSON lines…")] {
                let button = ui.button(kind);
                button.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Export {name} as {kind}")));
                if button.on_hover_text(hover).clicked() {
                    actions.push(Action::Export(what, form));
                }
            }
        });
    }
    waits(ui, &state.exporting, "Exporting", Work::Files, actions);
}

fn import(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    ui.label(semibold("Import").color(tokens.text_strong));
    let text = "Tables with one judgement a row (CSV, JSON lines), Reddit's moderation log and reports, Le-Wi-Di, DICES. Reading a file again changes nothing twice.";
    ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
    if !state.leads() {
        status::note(ui, "Only those who lead the team import.");
        return;
    }
    ui.horizontal_wrapped(|ui| {
        if ui.button("Choose a file…").clicked() {
            actions.push(Action::ImportDialog);
        }
        if let Some(path) = &state.file {
            ui.label(RichText::new(path.display().to_string()).small().color(tokens.text_weak));
        }
    });
    if state.file.is_none() || waits(ui, &state.preview, "Looking into the file", Work::Files, actions) {
        return;
    }
    let Some(preview) = state.preview.value().cloned() else { return };
    if state.board.as_ref().is_some_and(|board| board.practice) {
        status::note(
            ui,
            "This goes into the sandbox. Open a database of your own first, if that is not what you want.",
        );
    }
    if let Some(columns) = &mut state.columns
        && columns_ui(ui, &preview, columns)
    {
        actions.push(Action::Preview);
    }
    found(ui, &preview);
    if let Some((summary, _)) = state.importing.value() {
        let text = format!(
            "Imported: {} new, {} new, {} refused.",
            format::counted(summary.cases, "case", "cases"),
            format::counted(summary.decisions, "decision", "decisions"),
            format::counted(summary.refused.len(), "row", "rows")
        );
        ui.label(RichText::new(text).strong());
        bad(ui, &summary.refused);
    }
    ui.horizontal_wrapped(|ui| {
        let ready = preview.problem.is_none() && preview.cases > 0 && !state.importing.is_pending();
        let name = format!("Import {}", format::counted(preview.cases, "case", "cases"));
        if ui.add_enabled(ready, egui::Button::new(name)).clicked() {
            actions.push(Action::Import);
        }
        if ui.button("Another file").clicked() {
            actions.push(Action::ForgetImport);
        }
    });
    if let Some(error) = state.importing.error()
        && status::error_box(ui, "The file could not be imported", &error.to_string())
    {
        actions.push(Action::Dismiss(Work::Files));
    }
}

/// Which column holds what. True if it changed.
fn columns_ui(ui: &mut Ui, preview: &Preview, columns: &mut Columns) -> bool {
    let before = columns.clone();
    egui::Grid::new("moderate columns").num_columns(2).spacing([12.0, 4.0]).show(ui, |ui| {
        let needed = |ui: &mut Ui, name: &str, column: &mut String| {
            ui.label(name);
            let mut chosen = Some(column.clone());
            pick(ui, name, &preview.head, &mut chosen, false);
            *column = chosen.unwrap_or_default();
            ui.end_row();
        };
        needed(ui, "Case", &mut columns.case);
        needed(ui, "Moderator", &mut columns.moderator);
        needed(ui, "Text", &mut columns.text);
        needed(ui, "Verdict", &mut columns.verdict);
        for (name, column) in [
            ("What it answers", &mut columns.context),
            ("Time", &mut columns.at),
            ("Community", &mut columns.community),
        ] {
            ui.label(name);
            pick(ui, name, &preview.head, column, true);
            ui.end_row();
        }
        for (name, words) in
            [("Values that remove", &mut columns.removes), ("Values that approve", &mut columns.approves)]
        {
            let label = ui.label(name);
            let mut text = words.join(" ");
            let edit = TextEdit::singleline(&mut text).desired_width(260.0);
            if ui.add(edit).labelled_by(label.id).changed() {
                *words = text.split_whitespace().map(str::to_lowercase).collect();
            }
            ui.end_row();
        }
    });
    *columns != before
}

fn pick(ui: &mut Ui, name: &str, head: &[String], column: &mut Option<String>, optional: bool) {
    let shown = column.as_deref().filter(|column| head.iter().any(|known| known == column)).unwrap_or("none");
    let response = egui::ComboBox::from_id_salt(("column", name))
        .selected_text(shown)
        .width(180.0)
        .show_ui(ui, |ui| {
            if optional {
                ui.selectable_value(column, None, "none");
            }
            for known in head {
                ui.selectable_value(column, Some(known.clone()), known);
            }
        })
        .response;
    let said = format!("Column for {name}: {}", column.as_deref().unwrap_or("none"));
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &said));
}

fn found(ui: &mut Ui, preview: &Preview) {
    let tokens = ui.tokens();
    if let Some(problem) = &preview.problem {
        status::note(ui, problem);
        return;
    }
    let text = format!(
        "{} by {} on {}",
        format::counted(preview.votes, "judgement", "judgements"),
        format::counted(preview.moderators, "moderator", "moderators"),
        format::counted(preview.cases, "case", "cases")
    );
    ui.label(RichText::new(text).strong().color(tokens.text_strong));
    for item in preview.items.iter().take(4) {
        let remove = item.votes.iter().filter(|vote| vote.remove).count();
        let text = super::text::shown(&item.case.text_alone(), 100).0.replace('\n', " ");
        let line = format!("{}: {remove} to remove, {} to approve: {text}", item.case.id, item.votes.len() - remove);
        super::text::text_ui(ui, "Row", &line, tokens.sizes.small, tokens.text_weak, false);
    }
    if preview.bad_rows > 0 {
        let text = format!("{} would be left out:", format::counted(preview.bad_rows, "row", "rows"));
        ui.label(RichText::new(text).color(tokens.warning));
        bad(ui, &preview.bad);
    }
}

fn bad(ui: &mut Ui, rows: &[plumb_moderate::import::BadRow]) {
    for row in rows.iter().take(8) {
        let text = format!("line {}: {}", row.line, row.reason);
        ui.add(egui::Label::new(RichText::new(text).small().color(ui.tokens().text_weak)).wrap());
    }
}
