//! What a table shows: columns, and rows that are named, filtered, ordered and drawn.

use std::cmp::Ordering;

use egui::Ui;

use super::text_cell;

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Header.
    pub name: &'static str,
    /// What the numbers are: formula, unit.
    pub meaning: &'static str,
    /// Width in points; the first column takes what is left over.
    pub width: f32,
    /// Whether the cells are numbers: those stand at the right.
    pub number: bool,
}

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SortKey<'a> {
    /// Text, without regard to case.
    Text(&'a str),
    /// A number; not-a-number goes last.
    Number(f64),
    /// Nothing to compare: goes last in both directions.
    Missing,
}

impl SortKey<'_> {
    pub(super) fn compare(self, other: Self, descending: bool) -> Ordering {
        let turn = |order: Ordering| if descending { order.reverse() } else { order };
        match (self.present(), other.present()) {
            (Self::Text(a), Self::Text(b)) => {
                turn(a.bytes().map(|c| c.to_ascii_lowercase()).cmp(b.bytes().map(|c| c.to_ascii_lowercase())))
            }
            (Self::Number(a), Self::Number(b)) => turn(a.total_cmp(&b)),
            (Self::Missing, Self::Missing) => Ordering::Equal,
            (Self::Missing, _) | (Self::Number(_), Self::Text(_)) => Ordering::Greater,
            (_, Self::Missing) | (Self::Text(_), Self::Number(_)) => Ordering::Less,
        }
    }

    fn present(self) -> Self {
        if matches!(self, Self::Number(value) if value.is_nan()) { Self::Missing } else { self }
    }
}

/// What is shown. Rows are numbered as the source numbers them, whatever the order on screen.
pub trait Rows {
    /// How many rows there are.
    fn count(&self) -> usize;
    /// The columns.
    fn columns(&self) -> &[Column];
    /// What the row is called in the accessibility tree.
    fn name(&self, row: usize) -> String;
    /// Whether the row is shown at all, whatever is typed.
    fn keeps(&self, _row: usize) -> bool {
        true
    }
    /// Whether the row stays when `needle` (lower case) is typed into the filter field.
    fn matches(&self, row: usize, needle: &str) -> bool;
    /// What the row is ordered by in this column.
    fn sort_key(&self, row: usize, column: usize) -> SortKey<'_>;
    /// The cell as text, for copies and for cells that are only text.
    fn text(&self, row: usize, column: usize) -> String;
    /// The cell's number with all its digits, where it has one, for copies.
    fn exact(&self, row: usize, column: usize) -> String {
        self.text(row, column)
    }
    /// Draw the cell.
    fn cell(&self, ui: &mut Ui, row: usize, column: usize) {
        text_cell(ui, &self.text(row, column));
    }
}
