//! A table for thousands of rows: only what is visible is laid out, order and filter are kept until they change.
//!
//! The table is one stop of the Tab key. While it has the focus, up, down, Page up, Page down, Home and End move
//! the selection, left and right bring hidden columns into view. A click on a header sorts, another one turns the
//! order round. The edge of a header is dragged to make its column wider; a double click there fits it to what is
//! shown. A right click copies.

mod cells;
mod rows;
mod widths;

use std::collections::BTreeMap;

use egui::{
    Align, EventFilter, Id, Key, Label, Layout, Modifiers, Rect, Response, RichText, Role, Sense, Ui, WidgetInfo,
};
use egui_table::{CellInfo, HeaderCellInfo, HeaderRow, PrefetchInfo, Table, TableDelegate, TableState};

use self::cells::sort_arrow;
pub use self::cells::text_cell;
pub use self::rows::{Column, Rows, SortKey};
pub use self::widths::Widths;
use self::widths::{WIDTHS, hidden, widths};
use crate::theme::UiExt as _;
use crate::widgets::format;

/// What an order was made for: version of the rows, sorting, filter.
type Wanted = (u64, Option<(usize, bool)>, String);

/// The table's own state: order, filter, selection.
#[derive(Debug, Default)]
pub struct TableView {
    /// Column and direction (true = largest first).
    pub sort: Option<(usize, bool)>,
    /// What is typed into the filter field.
    pub filter: String,
    /// The selected row, in the source's numbering.
    pub selected: Option<usize>,
    order: Vec<usize>,
    made_for: Option<Wanted>,
    scroll_to: Option<usize>,
    focus_filter: bool,
    focus_table: bool,
    focused: bool,
    copy_cell: Option<(usize, usize)>,
    /// Widths that were dragged, by column.
    dragged: BTreeMap<usize, f32>,
    /// The column that the keyboard brought into view.
    column: usize,
    scroll_to_column: Option<usize>,
    /// The last column.
    columns: usize,
}

impl TableView {
    /// Put the keyboard into the filter field with the next frame.
    pub fn focus_filter(&mut self) {
        self.focus_filter = true;
    }

    /// The widths that were dragged, by the names of the columns: they outlive a change of the columns.
    pub fn widths(&self, columns: &[Column]) -> Widths {
        let named = |(at, width): (&usize, &f32)| Some((columns.get(*at)?.name.to_owned(), *width));
        self.dragged.iter().filter_map(named).collect()
    }

    /// Take over widths from an earlier session; what is no width, or of a column that is not there, is left out.
    pub fn set_widths(&mut self, columns: &[Column], widths: &Widths) {
        let placed = |(name, width): (&String, &f32)| {
            let at = columns.iter().position(|column| column.name == name)?;
            (WIDTHS.contains(width)).then_some((at, *width))
        };
        self.dragged = widths.iter().filter_map(placed).collect();
    }

    /// Whether the filter field's place was to get the keyboard, for panels that put another field there; told once.
    pub fn take_filter_focus(&mut self) -> bool {
        std::mem::take(&mut self.focus_filter)
    }

    /// Whether the table had the keyboard when it was drawn last.
    pub fn has_focus(&self) -> bool {
        self.focused
    }

    /// Give the table the keyboard with the next frame.
    pub fn focus(&mut self) {
        self.focus_table = true;
    }

    /// The rows in the order on screen.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Select a row and bring it into view.
    pub fn select(&mut self, row: usize) {
        self.selected = Some(row);
        self.scroll_to = self.order.iter().position(|r| *r == row);
    }

    /// Move the selection by `steps` rows on screen. True if it changed.
    pub fn step(&mut self, steps: isize) -> bool {
        let Some(last) = self.order.len().checked_sub(1) else { return false };
        let at = self.selected.and_then(|row| self.order.iter().position(|r| *r == row));
        let next = match at {
            Some(at) => at.saturating_add_signed(steps).min(last),
            None if steps < 0 => last,
            None => 0,
        };
        let changed = self.selected != Some(self.order[next]);
        self.selected = Some(self.order[next]);
        self.scroll_to = Some(next);
        changed
    }

    /// Bring the order up to date. `version` changes when the rows do.
    pub fn arrange(&mut self, version: u64, rows: &impl Rows) {
        let wanted = (version, self.sort, self.filter.clone());
        if self.made_for.as_ref() == Some(&wanted) {
            return;
        }
        let needle = self.filter.trim().to_lowercase();
        self.order = (0..rows.count())
            .filter(|row| rows.keeps(*row) && (needle.is_empty() || rows.matches(*row, &needle)))
            .collect();
        if let Some((column, descending)) = self.sort {
            self.order.sort_by(|a, b| rows.sort_key(*a, column).compare(rows.sort_key(*b, column), descending));
        }
        self.made_for = Some(wanted);
    }

    /// The filter field. True if the text changed.
    pub fn filter_ui(&mut self, ui: &mut Ui, name: &str, width: f32) -> bool {
        let edit = egui::TextEdit::singleline(&mut self.filter).hint_text(name).desired_width(width);
        let response = ui.add(edit);
        response.widget_info(|| WidgetInfo::labeled(Role::SearchInput, true, name));
        if std::mem::take(&mut self.focus_filter) {
            response.request_focus();
        }
        if response.has_focus() && ui.input(|i| i.key_pressed(Key::Escape)) {
            self.filter.clear();
        }
        if response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter)) {
            self.focus_table = true;
        }
        response.changed()
    }

    /// The whole table as CSV, rows in the order on screen, numbers with all digits.
    pub fn csv(&self, rows: &impl Rows) -> String {
        let mut out = format::csv_line(rows.columns().iter().map(|column| column.name));
        for row in &self.order {
            out += &format::csv_line((0..rows.columns().len()).map(|column| rows.exact(*row, column)));
        }
        out
    }

    /// Draw the table into the space there is. True if the selection changed.
    pub fn show(&mut self, ui: &mut Ui, name: &str, version: u64, rows: &impl Rows) -> bool {
        self.arrange(version, rows);
        let before = self.selected;
        let id = ui.make_persistent_id((name, "table"));
        let area = ui.available_rect_before_wrap();
        let focus = ui.interact(area, id, Sense::focusable_noninteractive());
        focus.widget_info(|| WidgetInfo::labeled(Role::Table, true, format!("{name}, {} rows", self.order.len())));
        if std::mem::take(&mut self.focus_table) {
            focus.request_focus();
        }
        self.focused = focus.has_focus();
        let row_height = ui.tokens().row_height;
        self.columns = rows.columns().len().saturating_sub(1);
        if focus.has_focus() {
            self.keys(ui, id, (area.height() / row_height - 2.0).max(1.0) as isize);
        }
        let columns = widths(rows.columns(), area.width(), &self.dragged);
        let given: Vec<f32> = columns.iter().map(|column| column.current).collect();
        let hidden = hidden(&given, area.width());
        let salt = egui::IdSalt::new((name, "cells"));
        let ids: Vec<Id> = columns.iter().enumerate().map(|(i, column)| column.id_for(i)).collect();
        let mut table = Table::new()
            .id_salt((name, "cells"))
            .num_rows(self.order.len() as u64)
            .columns(columns)
            .num_sticky_cols(1)
            .headers([HeaderRow::new(row_height + 2.0)]);
        if let Some(row) = self.scroll_to.take() {
            table = table.scroll_to_row(row as u64, None);
        }
        if let Some(column) = self.scroll_to_column.take() {
            table = table.scroll_to_column(column.min(given.len().saturating_sub(1)), None);
        }
        let mut delegate = Delegate {
            view: self,
            rows,
            id,
            left: area.left(),
            row_height,
            focused: focus.has_focus(),
            clicked: false,
        };
        // Room for the line that tells of columns out of sight.
        let line = if hidden > 0 { ui.text_style_height(&egui::TextStyle::Small) + 6.0 } else { 0.0 };
        let space = egui::vec2(area.width(), (area.height() - line).max(60.0));
        let found = ui
            .allocate_ui(space, |ui| {
                ui.set_max_size(space);
                // The widths are kept here and not by the table, so that the first column follows the window's width.
                let state_id = TableState::id(ui, salt);
                let widths = ids.iter().copied().zip(given.iter().copied()).collect();
                TableState { col_widths: widths, parent_width: None }.store(ui.ctx(), state_id);
                table.show(ui, &mut delegate);
                TableState::load(ui.ctx(), state_id)
            })
            .inner;
        if delegate.clicked {
            focus.request_focus();
        }
        for (i, (id, given)) in ids.iter().zip(&given).enumerate() {
            let width = found.as_ref().and_then(|state| state.col_widths.get(id));
            if let Some(width) = width.filter(|width| (**width - given).abs() > 0.5) {
                self.dragged.insert(i, *width);
            }
        }
        if hidden > 0 {
            let columns = format::counted(hidden, "more column", "more columns");
            let text = format!("{columns}: scroll sideways or press ← →");
            let text = RichText::new(text).small().color(ui.tokens().text_weak);
            ui.add(Label::new(text).truncate().selectable(false));
        }
        self.selected != before
    }

    fn keys(&mut self, ui: &Ui, id: Id, page: isize) {
        let filter = EventFilter { vertical_arrows: true, horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        let steps = [
            (Key::ArrowUp, -1),
            (Key::ArrowDown, 1),
            (Key::PageUp, -page),
            (Key::PageDown, page),
            (Key::Home, isize::MIN / 2),
            (Key::End, isize::MAX / 2),
        ];
        for (key, step) in [(Key::ArrowRight, 1), (Key::ArrowLeft, -1)] {
            if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
                self.column = self.column.saturating_add_signed(step).clamp(1, self.columns.max(1));
                self.scroll_to_column = Some(self.column);
            }
        }
        for (key, step) in steps {
            if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
                self.step(step);
            }
        }
    }
}

struct Delegate<'a, R: Rows> {
    view: &'a mut TableView,
    rows: &'a R,
    id: Id,
    left: f32,
    row_height: f32,
    focused: bool,
    clicked: bool,
}

impl<R: Rows> Delegate<'_, R> {
    fn menu(&mut self, response: &Response, row: usize) {
        response.context_menu(|ui| {
            let cell = self.view.copy_cell.filter(|(r, _)| *r == row);
            if let Some((_, column)) = cell
                && ui.button(format!("Copy “{}”", self.rows.columns()[column].name)).clicked()
            {
                ui.ctx().copy_text(self.rows.exact(row, column));
                ui.close();
            }
            if ui.button("Copy row").clicked() {
                let columns = 0..self.rows.columns().len();
                ui.ctx().copy_text(format::csv_line(columns.map(|column| self.rows.exact(row, column))));
                ui.close();
            }
            if ui.button("Copy table as CSV").clicked() {
                ui.ctx().copy_text(self.view.csv(self.rows));
                ui.close();
            }
            if !self.view.dragged.is_empty() && ui.button("Usual column widths").clicked() {
                self.view.dragged.clear();
                ui.close();
            }
        });
    }
}

impl<R: Rows> TableDelegate for Delegate<'_, R> {
    fn prepare(&mut self, _info: &PrefetchInfo) {}

    fn default_row_height(&self) -> f32 {
        self.row_height
    }

    fn header_cell_ui(&mut self, ui: &mut Ui, cell: &HeaderCellInfo) {
        let index = cell.col_range.start;
        let Some(column) = self.rows.columns().get(index).copied() else { return };
        let tokens = ui.tokens();
        let rect = ui.max_rect();
        ui.painter().rect_filled(rect, 0, tokens.surface_raised);
        ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, (1.0, tokens.border));
        let sorted = self.view.sort.filter(|(sorted, _)| *sorted == index);
        let state = sorted.map_or("", |(_, down)| if down { ", largest first" } else { ", smallest first" });
        let response = ui.interact(rect, self.id.with(("header", index)), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::ColumnHeader, true, format!("{}{state}", column.name)));
        if response.hovered() || response.has_focus() {
            ui.painter().rect_filled(rect.shrink2(egui::vec2(0.0, 1.0)), 2, tokens.accent.gamma_multiply(0.10));
        }
        let text = RichText::new(column.name).small().strong().color(tokens.text_weak);
        let arrow = sorted.map(|(_, down)| down);
        let label = Label::new(text).selectable(false).truncate();
        let layout =
            if column.number { Layout::right_to_left(Align::Center) } else { Layout::left_to_right(Align::Center) };
        ui.with_layout(layout, |ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            ui.add_space(8.0);
            if column.number {
                sort_arrow(ui, arrow);
                ui.add(label);
            } else {
                ui.add(label);
                sort_arrow(ui, arrow);
            }
        });
        if response.clicked() {
            self.view.sort = match (sorted, column.number) {
                (None, number) => Some((index, number)),
                (Some((_, down)), number) if down == number => Some((index, !number)),
                _ => None,
            };
        }
        if !column.meaning.is_empty() {
            response.on_hover_text(column.meaning);
        }
    }

    fn row_ui(&mut self, ui: &mut Ui, row_nr: u64) {
        let Some(&row) = self.view.order.get(row_nr as usize) else { return };
        let tokens = ui.tokens();
        let rect = ui.max_rect().intersect(ui.clip_rect());
        // The row is drawn twice: the first column stays in place while the others scroll sideways.
        let fixed = ui.clip_rect().left() <= self.left + 1.0;
        let response = ui.interact(rect, self.id.with(("row", row, fixed)), Sense::CLICK | Sense::HOVER);
        let selected = self.view.selected == Some(row);
        if fixed {
            let name = self.rows.name(row);
            response.widget_info(|| WidgetInfo::selected(Role::Row, true, selected, &name));
        }
        let full = ui.max_rect();
        let band = Rect::from_x_y_ranges(full.x_range(), full.y_range());
        if selected {
            let strength = if self.focused { 1.0 } else { 0.7 };
            ui.painter().rect_filled(band, 0, tokens.accent_quiet.gamma_multiply(strength));
            if fixed {
                let bar = Rect::from_min_size(band.min, egui::vec2(3.0, band.height()));
                ui.painter().rect_filled(bar, 0, tokens.accent);
            }
        } else if ui.rect_contains_pointer(band) {
            ui.painter().rect_filled(band, 0, tokens.surface_hover);
        }
        ui.painter().hline(band.x_range(), band.bottom() - 0.5, (1.0, tokens.border.gamma_multiply(0.5)));
        if response.clicked() {
            self.view.selected = Some(row);
            self.clicked = true;
        }
        if response.secondary_clicked() {
            self.view.copy_cell = None;
        }
        self.menu(&response, row);
    }

    fn cell_ui(&mut self, ui: &mut Ui, cell: &CellInfo) {
        let Some(&row) = self.view.order.get(cell.row_nr as usize) else { return };
        let Some(column) = self.rows.columns().get(cell.col_nr).copied() else { return };
        let rect = ui.max_rect();
        if ui.rect_contains_pointer(rect) && ui.input(|input| input.pointer.secondary_clicked()) {
            self.view.copy_cell = Some((row, cell.col_nr));
        }
        let layout =
            if column.number { Layout::right_to_left(Align::Center) } else { Layout::left_to_right(Align::Center) };
        let inner = rect.shrink2(egui::vec2(8.0, 0.0));
        ui.scope_builder(egui::UiBuilder::new().max_rect(inner).layout(layout), |ui| {
            self.rows.cell(ui, row, cell.col_nr);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_from_a_file_are_taken_only_if_they_are_widths() {
        let columns = ["a", "b", "c"].map(|name| Column { name, meaning: "", width: 80.0, number: true });
        let given = [("a", 100.0), ("b", f32::NAN), ("c", -4.0), ("gone", 90.0)];
        let mut table = TableView::default();
        table.set_widths(&columns, &given.iter().map(|(name, width)| ((*name).to_owned(), *width)).collect());
        assert_eq!(table.widths(&columns), Widths::from([("a".to_owned(), 100.0)]));
    }
}
