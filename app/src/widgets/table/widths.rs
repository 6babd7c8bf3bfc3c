//! Column widths: what was dragged, what is left for the first column, and what is out of sight.

use std::collections::BTreeMap;

use super::Column;

/// Column widths by the names of the columns, in points.
pub type Widths = BTreeMap<String, f32>;

/// Narrower or wider than this no column gets.
pub(super) const WIDTHS: std::ops::RangeInclusive<f32> = 36.0..=4000.0;

/// Least width of the first column where the others leave too little.
const NAME: f32 = 120.0;

/// Column widths: what was dragged; else the first one takes what the others leave, within reason.
pub(super) fn widths(columns: &[Column], available: f32, dragged: &BTreeMap<usize, f32>) -> Vec<egui_table::Column> {
    let rest: f32 =
        columns.iter().enumerate().skip(1).map(|(i, column)| dragged.get(&i).copied().unwrap_or(column.width)).sum();
    let wish = columns.first().map_or(0.0, |column| column.width);
    // Not all fit: the name gives way a little, so that the columns behind it begin sooner.
    let least = if wish + rest > available { wish.min((available * 0.4).max(NAME)) } else { wish };
    let first = (available - rest - 12.0).max(least).floor();
    columns
        .iter()
        .enumerate()
        .map(|(i, column)| {
            let usual = if i == 0 { first } else { column.width };
            let width = dragged.get(&i).copied().unwrap_or(usual);
            egui_table::Column::new(width).range(WIDTHS)
        })
        .collect()
}

/// How many columns do not fit.
pub(super) fn hidden(widths: &[f32], available: f32) -> usize {
    let mut right = 0.0;
    widths
        .iter()
        .filter(|width| {
            right += **width;
            right > available + 1.0
        })
        .count()
}
