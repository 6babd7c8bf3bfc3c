//! The queue: its parts, search and filters, and the list, of which only what is on screen is laid out.

use egui::{Align, Key, Rect, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};
use plumb_moderate::model::Source;
use plumb_moderate::queue::Row;
use plumb_moderate::state::Phase;
use plumb_text::classify::NgramClassifier;

use super::action::Action;
use super::state::{Blur, Bucket, Bulk, Focus, State};
use super::text::one_line;
use crate::theme::UiExt as _;
use crate::widgets::badge::{Mark, Tone, paint_mark};
use crate::widgets::choice::choice;
use crate::widgets::{format, status};

/// Height of a row: two lines.
const ROW: f32 = 44.0;

/// Draw the column.
pub fn ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    buckets(ui, state, actions);
    search(ui, state, actions);
    marked(ui, state, actions);
    state.arrange();
    if state.shown.is_empty() {
        nothing(ui, state, actions);
    } else {
        rows(ui, state, actions);
    }
}

fn buckets(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let named = |bucket: Bucket, count: usize| {
        let name = match bucket {
            Bucket::Review => "Review",
            Bucket::Panels => "Panels",
            Bucket::Decided => "Decided",
            Bucket::All => "All",
        };
        format!("{name} {}", format::count(count))
    };
    let names: Vec<(Bucket, String)> = state.buckets().into_iter().map(|(b, count)| (b, named(b, count))).collect();
    let hovers = [
        "What waits for one moderator: most reports first",
        "What a panel decides: oldest first",
        "What is decided: newest first",
        "Everything",
    ];
    let options: Vec<(Bucket, &str, &str)> =
        names.iter().zip(hovers).map(|((bucket, name), hover)| (*bucket, name.as_str(), hover)).collect();
    let mut bucket = state.settings.bucket;
    if choice(ui, "List", &mut bucket, &options) {
        actions.push(Action::Bucket(bucket));
    }
}

fn search(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 68.0).max(80.0);
        let edit =
            egui::TextEdit::singleline(&mut state.search).hint_text("Search texts and authors  /").desired_width(width);
        let field = ui.add(edit);
        field.widget_info(|| WidgetInfo::labeled(Role::SearchInput, true, "Search cases"));
        if state.focus == Some(Focus::Search) {
            state.focus = None;
            field.request_focus();
        }
        if (field.has_focus() || field.lost_focus()) && ui.input(|input| input.key_pressed(Key::Escape)) {
            state.search.clear();
        }
        // Enter leaves the field with the first hit in front.
        if field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            actions.push(Action::At(0));
        }
        filters(ui, state);
    });
}

fn filters(ui: &mut Ui, state: &mut State) {
    let on = state.source.is_some() || state.rule.is_some() || state.reports > 0;
    let name = if on { "Filter ·" } else { "Filter" };
    ui.menu_button(RichText::new(name).small(), |ui| {
        ui.set_min_width(240.0);
        ui.label("Came in by");
        let sources = [
            (None, "any way"),
            (Some(Source::Report), "reports"),
            (Some(Source::Filter), "a filter"),
            (Some(Source::NewUser), "a new member"),
            (Some(Source::Manual), "hand"),
            (Some(Source::Import), "import"),
        ];
        for (source, name) in sources {
            ui.radio_value(&mut state.source, source, name);
        }
        ui.separator();
        ui.horizontal(|ui| {
            let label = ui.label("At least so many reports");
            ui.add(egui::DragValue::new(&mut state.reports)).labelled_by(label.id);
        });
        ui.separator();
        ui.label("Rule that reports hint at");
        let rules = state.opened.as_ref().map(|opened| opened.work.queue().read().rules().to_vec()).unwrap_or_default();
        ui.radio_value(&mut state.rule, None, "any");
        for rule in rules.into_iter().take(40) {
            let title = state.rule_title(&rule).to_owned();
            ui.radio_value(&mut state.rule, Some(rule), title);
        }
        if ui.button("Clear filters").clicked() {
            (state.source, state.rule, state.reports) = (None, None, 0);
            ui.close();
        }
    })
    .response
    .on_hover_text("Show only cases of a kind");
}

fn marked(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if state.marked.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(format!("{} marked", format::count(state.marked.len()))).strong());
        let bulks: &[(Bulk, &str)] = if state.settings.bucket == Bucket::Decided {
            &[(Bulk::Apply, "Carried out…")]
        } else {
            &[(Bulk::Approve, "Approve…"), (Bulk::Remove, "Remove…"), (Bulk::Panel, "Panels…")]
        };
        for (bulk, name) in bulks {
            if ui.button(*name).on_hover_text("Shows what will happen before it does").clicked() {
                actions.push(Action::Bulk(*bulk));
            }
        }
        if ui.button("All").on_hover_text("Mark all that are shown, or none (Shift+M)").clicked() {
            actions.push(Action::MarkAll);
        }
    });
}

fn nothing(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let filtered =
        !state.search.trim().is_empty() || state.source.is_some() || state.rule.is_some() || state.reports > 0;
    let (title, text, button) = if filtered {
        ("Nothing found", "No case here fits the search and the filters.", None)
    } else {
        match state.settings.bucket {
            Bucket::Review => (
                "The queue is empty",
                "Nothing waits for one moderator. Panels may need your vote.",
                Some("Show panels"),
            ),
            Bucket::Panels => ("No panel runs", "Press p on a case to ask for a second opinion.", None),
            Bucket::Decided => {
                ("Nothing is decided yet", "Decisions appear here until they are carried out, and after.", None)
            }
            Bucket::All => {
                ("There are no cases", "Import a log or a table of reported texts under Data.", Some("Show data"))
            }
        }
    };
    if status::empty(ui, title, text, button) {
        actions.push(match state.settings.bucket {
            Bucket::All => Action::Show(super::state::Tab::Data),
            _ => Action::Bucket(Bucket::Panels),
        });
    }
}

fn rows(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    let Some(opened) = state.opened.clone() else { return };
    let queue = opened.work.queue().read();
    let count = state.shown.len();
    let mut area = ScrollArea::vertical().auto_shrink(false).id_salt("moderate queue");
    let height = ui.available_height();
    ui.spacing_mut().item_spacing.y = 0.0;
    if std::mem::take(&mut state.scroll) {
        // Keep what comes next in sight too.
        let top = state.at as f32 * ROW;
        let id = ui.make_persistent_id(egui::IdSalt::new("moderate queue"));
        let before = egui::scroll_area::State::load(ui.ctx(), id).map_or(0.0, |state| state.unclamped_offset().y);
        let least = (top + 3.0 * ROW - height).max(0.0);
        let offset = f32::clamp(before, least, least.max(top - ROW));
        area = area.vertical_scroll_offset(offset);
    }
    let judge = NgramClassifier::embedded().ok();
    let now = format::clock();
    area.show_rows(ui, ROW, count, |ui, range| {
        for at in range {
            let Some(place) = state.shown.get(at).copied() else { continue };
            let (Some(row), Some(id)) = (queue.row(place), queue.id(place)) else { continue };
            let head = queue.head(place);
            let judged = || judge.as_ref().map_or(0.0, |judge| judge.probability(head));
            let harm = *state.harm.entry(place).or_insert_with(judged);
            let hidden = state.hides(id, harm);
            let shown = Shown { at, id, head, row, hidden, now };
            one(ui, state, &shown, queue.rules(), actions);
        }
    });
}

struct Shown<'a> {
    at: usize,
    id: &'a str,
    head: &'a str,
    row: &'a Row,
    hidden: bool,
    now: i64,
}

/// What a phase is called, and its mark.
pub fn phase(phase: Phase) -> (&'static str, Mark, Tone) {
    match phase {
        Phase::New | Phase::Scored => ("new", Mark::Disc, Tone::Plain),
        Phase::Solo => ("review", Mark::Disc, Tone::Changed),
        Phase::PanelBlind => ("panel votes", Mark::Diamond, Tone::Changed),
        Phase::PanelOpen => ("panel talks", Mark::Diamond, Tone::Caution),
        Phase::Escalated => ("whole team", Mark::Triangle, Tone::Caution),
        Phase::Decided => ("decided", Mark::Check, Tone::Good),
        Phase::Applied => ("carried out", Mark::Check, Tone::Plain),
        Phase::Appealed => ("appealed", Mark::Triangle, Tone::Caution),
    }
}

fn one(ui: &mut Ui, state: &State, shown: &Shown<'_>, rules: &[String], actions: &mut Vec<Action>) {
    let tokens = ui.tokens();
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let selected = state.selected.as_deref() == Some(shown.id);
    let marked = state.marked.contains(shown.id);
    let (word, mark, tone) = phase(shown.row.phase);
    let mut details = Vec::new();
    let seat = state.board.as_ref().and_then(|board| board.seats.iter().find(|seat| seat.case == shown.id));
    match seat {
        Some(seat) if seat.voted && seat.hidden => details.push("you voted".to_owned()),
        Some(seat) if seat.voted => details.push("votes are shown".to_owned()),
        Some(_) => details.push("your vote".to_owned()),
        None => details.push(word.to_owned()),
    }
    if state.is_pending(shown.id) {
        details.push("being written".to_owned());
    } else if state.skipped.iter().any(|id| id == shown.id) {
        details.push("skipped".to_owned());
    }
    if shown.row.reports > 0 {
        details.push(format::counted(shown.row.reports as usize, "report", "reports"));
    }
    let hinted = (0..rules.len().min(64)).filter(|bit| shown.row.rules >> bit & 1 == 1).find_map(|bit| rules.get(bit));
    details.extend(hinted.cloned());
    if shown.row.created_at > 0 {
        details.push(format::span(shown.now - shown.row.created_at));
    }
    let details = details.join(" · ");
    let text = if shown.hidden { "hidden text" } else { shown.head };
    response.widget_info(|| {
        WidgetInfo::selected(Role::ListItem, true, selected, format!("Case {}, {details}: {text}", shown.id))
    });
    let painter = ui.painter_at(rect);
    if selected {
        painter.rect_filled(rect, 0, tokens.accent_quiet);
        painter.rect_filled(Rect::from_min_size(rect.min, vec2(3.0, rect.height())), 0, tokens.accent);
    } else if response.hovered() {
        painter.rect_filled(rect, 0, tokens.surface_hover);
    }
    painter.hline(rect.x_range(), rect.bottom() - 0.5, (1.0, tokens.border.gamma_multiply(0.5)));
    let dot = Rect::from_center_size(pos2(rect.left() + 15.0, rect.top() + 14.0), vec2(12.0, 12.0));
    if marked {
        paint_mark(ui, dot, Mark::Cut, tokens.accent);
    } else {
        let (mark, tone) =
            if seat.is_some_and(|seat| !seat.voted) { (Mark::Diamond, Tone::Caution) } else { (mark, tone) };
        paint_mark(ui, dot, mark, tone.color(tokens));
    }
    let inner = Rect::from_min_max(rect.min + vec2(28.0, 4.0), rect.max - vec2(10.0, 2.0));
    let font = egui::TextStyle::Body.resolve(ui.style());
    let color = if shown.row.phase == Phase::Applied { tokens.text_weak } else { tokens.text };
    if shown.hidden {
        let bar = Rect::from_min_size(inner.min + vec2(0.0, 3.0), vec2(inner.width() * 0.8, 12.0));
        painter.rect_filled(bar, 3, tokens.surface_hover);
    } else {
        let head = one_line(ui, shown.head, font, color, inner.width());
        let start = if head.job.halign == Align::RIGHT { inner.right_top() } else { inner.min };
        painter.galley(start, head, color);
    }
    let small = egui::TextStyle::Small.resolve(ui.style());
    let details = one_line(ui, &details, small, tokens.text_weak, inner.width());
    painter.galley(inner.min + vec2(0.0, 20.0), details, tokens.text_weak);
    if response.clicked() {
        actions.push(Action::At(shown.at));
    }
}

/// The switch for hiding texts, for the settings.
pub const BLURS: [(Blur, &str, &str); 3] = [
    (Blur::Likely, "Likely rude", "Hide what a word classifier finds rude; it makes mistakes both ways"),
    (Blur::All, "All", "Hide every text until v reveals it"),
    (Blur::Off, "None", "Show everything"),
];
