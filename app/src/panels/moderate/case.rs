//! The case and what stands around it: what it answers, its thread, its author, other reports, past cases like it.

use egui::{Frame, Margin, RichText, ScrollArea, Ui};
use plumb_moderate::model::{CaseKind, Channel, Source, Verdict};
use plumb_moderate::workplace::{Earlier, Look};

use super::action::{Action, Work};
use super::list::phase;
use super::state::State;
use super::text::text_ui;
use crate::theme::{UiExt as _, semibold};
use crate::widgets::badge::{Mark, Tone, badge};
use crate::widgets::{format, scroll, status};

/// Draw the column.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    if let Some(error) = state.look.error()
        && status::error_box(ui, "The case could not be shown", &error.to_string())
    {
        actions.push(Action::Dismiss(Work::Look));
    }
    let Some(look) = state.look.value().cloned() else {
        if state.selected.is_none() {
            status::empty(ui, "No case is chosen", "Choose one in the list, or press j.", None);
        }
        return;
    };
    // Each case begins at its top.
    let area = ScrollArea::vertical().auto_shrink(false).id_salt(("moderate case", &look.view.case.id));
    scroll::show(ui, "Case", area, |ui| {
        header(ui, state, &look);
        body(ui, state, &look, actions);
        notes(ui, state, &look, actions);
        history(ui, state, &look);
        similar(ui, state, &look, actions);
        author(ui, state, &look, actions);
    });
}

fn header(ui: &mut Ui, state: &State, look: &Look) {
    let tokens = ui.tokens();
    let case = &look.view.case;
    ui.horizontal_wrapped(|ui| {
        ui.label(semibold(&case.id).size(15.0).color(tokens.text_strong));
        let (word, mark, tone) = phase(look.view.phase);
        badge(ui, mark, tone, word);
    });
    let kind = if case.kind == CaseKind::Post { "Post" } else { "Comment" };
    let source = match case.source {
        Source::Report => "reported by members",
        Source::Filter => "held by a filter",
        Source::NewUser => "by a new member",
        Source::Manual => "put here by a moderator",
        Source::Import => "from an import",
    };
    let author = if case.author.is_empty() { "somebody".to_owned() } else { case.author.clone() };
    let ago = ago(case.created_at);
    ui.label(RichText::new(format!("{kind} by {author}{ago}, {source}")).small().color(tokens.text_weak));
    if !case.reports.is_empty() {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            for report in case.reports.iter().take(12) {
                let title = state.rule_title(&report.reason);
                chip(ui, &format!("{} × {title}", format::count(report.count as usize)));
            }
            if case.reports.len() > 12 {
                chip(ui, &format!("{} more reasons", format::count(case.reports.len() - 12)));
            }
        });
    }
}

/// How long ago; nothing where a log does not say when.
fn ago(at: plumb_moderate::model::Time) -> String {
    if at > 0 { format!(", {} ago", format::span(format::clock() - at)) } else { String::new() }
}

fn chip(ui: &mut Ui, text: &str) {
    let tokens = ui.tokens();
    // A frame does not know its width before it is drawn, so the row has to be ended for it.
    let font = egui::TextStyle::Small.resolve(ui.style());
    let width = ui.painter().layout_no_wrap(text.to_owned(), font, tokens.text).size().x + 16.0;
    if width > ui.available_size_before_wrap().x && ui.cursor().left() > ui.max_rect().left() + 1.0 {
        ui.end_row();
    }
    Frame::new().fill(tokens.surface_sunken).corner_radius(8).inner_margin(Margin::symmetric(8, 2)).show(ui, |ui| {
        ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text)).truncate());
    });
}

fn quote(ui: &mut Ui, name: &str, text: &str, hidden: bool) {
    let tokens = ui.tokens();
    ui.label(RichText::new(name).small().color(tokens.text_weak));
    Frame::new().fill(tokens.surface_sunken).corner_radius(4).inner_margin(Margin::symmetric(10, 6)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        text_ui(ui, name, text, tokens.sizes.body, tokens.text_weak, hidden);
    });
    ui.add_space(6.0);
}

fn body(ui: &mut Ui, state: &State, look: &Look, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let case = &look.view.case;
    ui.add_space(6.0);
    if let Some(thread) = case.thread_title.as_deref().filter(|thread| !thread.is_empty()) {
        ui.label(
            RichText::new(format!("In the thread “{}”", super::text::shown(thread, 200).0))
                .small()
                .color(tokens.text_weak),
        );
    }
    let hidden = state.hides(&case.id, look.harmful);
    if let Some(parent) = case.parent_body.as_deref().filter(|parent| !parent.is_empty()) {
        quote(ui, "Answers", parent, hidden);
    }
    Frame::new()
        .fill(tokens.surface_raised)
        .stroke((1.0, tokens.border_strong))
        .corner_radius(6)
        .inner_margin(Margin::symmetric(14, 10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            if let Some(title) = case.title.as_deref().filter(|title| !title.is_empty()) {
                text_ui(ui, "Title", title, tokens.sizes.heading, tokens.text_strong, hidden);
            }
            text_ui(ui, "Text", &case.body, tokens.sizes.body + 1.5, tokens.text_strong, hidden);
        });
    if hidden {
        ui.horizontal_wrapped(|ui| {
            if ui.button("Show text  v").clicked() {
                actions.push(Action::Reveal);
            }
            let why = match state.settings.blur {
                super::state::Blur::All => "All texts are hidden until you reveal them.".to_owned(),
                _ => format!("Hidden: a word classifier finds it rude ({}).", format::percent(look.harmful)),
            };
            ui.label(RichText::new(why).small().color(tokens.text_weak));
        });
    }
    ui.add_space(10.0);
}

fn notes(ui: &mut Ui, state: &State, look: &Look, actions: &mut Vec<Action>) {
    if look.notes.is_empty() {
        return;
    }
    section(ui, "Notes");
    let me = state.board.as_ref().map_or("", |board| board.who.name.as_str());
    let free = !state.is_pending(&look.view.case.id);
    for (who, text) in &look.notes {
        quote(ui, who, text, false);
        if who == me && free {
            let button = ui.button(RichText::new("Take back").small());
            button
                .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Take back note: {text}")));
            if button.on_hover_text("No longer shown here; the log keeps it").clicked() {
                actions.push(Action::TakeBackNote(text.clone()));
            }
            ui.add_space(4.0);
        }
    }
}

fn section(ui: &mut Ui, name: &str) {
    ui.add_space(4.0);
    ui.label(semibold(name).color(ui.tokens().text_strong));
}

fn verdict_badge(ui: &mut Ui, verdict: Option<Verdict>) {
    match verdict {
        Some(Verdict::Approve) => badge(ui, Mark::Check, Tone::Good, "kept"),
        Some(Verdict::Remove) => badge(ui, Mark::Cross, Tone::Bad, "removed"),
        None => badge(ui, Mark::Disc, Tone::Plain, "open"),
    };
}

fn history(ui: &mut Ui, state: &State, look: &Look) {
    if look.decisions.is_empty() {
        return;
    }
    section(ui, "Decisions");
    for decision in &look.decisions {
        ui.horizontal_wrapped(|ui| {
            verdict_badge(ui, Some(decision.verdict));
            let by = match decision.channel {
                Channel::Solo => format!("by {}", decision.by),
                Channel::Panel => "by a panel".to_owned(),
                Channel::Log => format!("by {}, from the log", decision.by),
            };
            let rule = decision.rule.as_deref().map(|rule| format!(", {}", state.rule_title(rule))).unwrap_or_default();
            let ago = ago(decision.at);
            ui.label(RichText::new(format!("{by}{rule}{ago}")).small().color(ui.tokens().text_weak));
        });
    }
}

fn similar(ui: &mut Ui, state: &State, look: &Look, actions: &mut Vec<Action>) {
    if look.similar.is_empty() {
        return;
    }
    section(ui, "Past cases like it");
    for earlier in &look.similar {
        one_earlier(ui, state, earlier, actions);
    }
}

fn author(ui: &mut Ui, state: &State, look: &Look, actions: &mut Vec<Action>) {
    let author = &look.author;
    if look.view.case.author.is_empty() {
        return;
    }
    section(ui, "Its author");
    let tokens = ui.tokens();
    let text = if author.cases == 0 {
        format!("Nothing else by {} was ever reported.", look.view.case.author)
    } else {
        format!(
            "{}: {} before or beside it, {} removed, {} kept.",
            look.view.case.author,
            format::counted(author.cases, "case", "cases"),
            format::count(author.removed),
            format::count(author.kept)
        )
    };
    ui.label(RichText::new(text).color(tokens.text));
    for earlier in &author.recent {
        one_earlier(ui, state, earlier, actions);
    }
}

fn one_earlier(ui: &mut Ui, state: &State, earlier: &Earlier, actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    ui.horizontal_wrapped(|ui| {
        verdict_badge(ui, earlier.outcome);
        let votes = if earlier.approve + earlier.remove > 1 {
            format!("{} : {} votes", earlier.remove, earlier.approve)
        } else {
            String::new()
        };
        let likeness = earlier.likeness.map(|likeness| format!("{:.0} % alike", 100.0 * likeness)).unwrap_or_default();
        let rule = earlier.rule.as_deref().map(|rule| state.rule_title(rule).to_owned()).unwrap_or_default();
        let details: Vec<String> = [votes, likeness, rule].into_iter().filter(|part| !part.is_empty()).collect();
        if !details.is_empty() {
            ui.label(RichText::new(details.join(" · ")).small().color(tokens.text_weak))
                .on_hover_text("Votes to remove : votes to keep");
        }
        let name = format!("Look at {}", earlier.case);
        let link = ui.add(egui::Button::new(RichText::new(&earlier.case).small()).frame_when_inactive(false));
        link.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
        if link.clicked() {
            actions.push(Action::Look(earlier.case.clone()));
        }
    });
    let hidden = state.hides(&earlier.case, earlier.harmful);
    text_ui(ui, "Past case", &earlier.text, tokens.sizes.small, tokens.text_weak, hidden);
    ui.add_space(4.0);
}
