//! Aligned columns that fit the terminal.

use std::io::IsTerminal;

/// Rows of text; one column is shortened where the terminal is too narrow.
pub struct Table {
    rows: Vec<Vec<String>>,
    elastic: usize,
}

/// Columns between two cells.
const GAP: usize = 2;

impl Table {
    /// A table with these heads; column `elastic` gives way when there is not enough room.
    pub fn new(heads: &[&str], elastic: usize) -> Self {
        Self { rows: vec![heads.iter().map(ToString::to_string).collect()], elastic }
    }

    /// Add a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as text, as wide as the terminal allows.
    pub fn text(&self) -> String {
        self.fitted(terminal_width())
    }

    fn fitted(&self, room: Option<usize>) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let length = |text: &str| text.chars().count();
        let mut widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows.iter().filter_map(|row| row.get(column)).map(|cell| length(cell)).max().unwrap_or(0)
            })
            .collect();
        let whole: usize = widths.iter().sum::<usize>() + GAP * columns.saturating_sub(1);
        if let (Some(room), Some(width)) = (room, widths.get_mut(self.elastic))
            && whole > room
        {
            *width = width.saturating_sub(whole - room).max(12);
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, &width) in row.iter().zip(&widths) {
                let cell = if length(cell) > width {
                    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
                } else {
                    cell.clone()
                };
                line.push_str(&cell);
                line.extend(std::iter::repeat_n(' ', width - length(&cell) + GAP));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Columns of the terminal; `None` where stdout is none, so that files get every character.
fn terminal_width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let asked = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    Some(asked.unwrap_or_else(|| usize::from(console::Term::stdout().size().1)))
}

/// Six significant digits.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (5 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    if value.abs() >= 1e-4 && value.abs() < 1e7 { format!("{value:.digits$}") } else { format!("{value:.5e}") }
}

/// `64×3×7×7`.
pub fn shape(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
}

/// An enum's name as it stands in JSON.
pub fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_give_way() {
        let mut table = Table::new(&["a", "σ"], 1);
        table.row(vec!["long name".to_owned(), "1 2 3 4 5 6 7 8 9 10 11".to_owned()]);
        assert_eq!(table.fitted(None), "a          σ\nlong name  1 2 3 4 5 6 7 8 9 10 11\n");
        assert_eq!(table.fitted(Some(25)), "a          σ\nlong name  1 2 3 4 5 6 7…\n");
    }

    #[test]
    fn numbers_have_six_digits() {
        assert_eq!(number(4.474_546_175), "4.47455");
        assert_eq!(number(123.456_789), "123.457");
        assert_eq!(number(0.0), "0");
        assert_eq!(number(1.5e-9), "1.50000e-9");
    }
}
