//! The rows of the feature table.

use std::collections::BTreeMap;

use egui::{RichText, Ui};
use plumb_steer::index::FeatureRow;

use super::labels::Labels;
use super::rack::Rack;
use crate::theme::UiExt as _;
use crate::widgets::badge::{Mark, Tone, paint_mark};
use crate::widgets::format;
use crate::widgets::table::{Column, Rows, SortKey, text_cell};

const LABEL: usize = 0;
const ID: usize = 1;
const DENSITY: usize = 2;
const MAX: usize = 3;
const MEAN: usize = 4;
const CONTRAST: usize = 5;
const MATCH: usize = 6;

/// The columns; the last one only while a search is on.
pub const COLUMNS: [Column; 7] = [
    Column {
        name: "Feature",
        meaning: "Your label, else the tokens at which it fires most",
        width: 150.0,
        number: false,
    },
    Column { name: "Id", meaning: "Its number in the autoencoder", width: 62.0, number: true },
    Column { name: "Density", meaning: "Share of the corpus's tokens at which it fires", width: 74.0, number: true },
    Column {
        name: "Max",
        meaning: "Largest activation on the corpus: one unit of strength",
        width: 66.0,
        number: true,
    },
    Column { name: "Mean", meaning: "Mean of its activations where it fires", width: 72.0, number: true },
    Column {
        name: "Contrast",
        meaning: "Mean activation on texts of the first kind minus that on the second, from Find",
        width: 74.0,
        number: true,
    },
    Column {
        name: "Match",
        meaning: "Largest activation, or change of the logit, for what was searched",
        width: 70.0,
        number: true,
    },
];

/// The columns while a search is on, the match right behind the name.
const FOUND: [usize; 7] = [LABEL, MATCH, ID, DENSITY, MAX, MEAN, CONTRAST];

/// The same as columns.
const FOUND_COLUMNS: [Column; 7] = {
    let mut columns = COLUMNS;
    let mut i = 0;
    while i < FOUND.len() {
        columns[i] = COLUMNS[FOUND[i]];
        i += 1;
    }
    columns
};

/// Where the match stands while a search is on.
pub const MATCH_AT: usize = 1;

/// The usual order: the strongest features first.
pub const USUAL: Option<(usize, bool)> = Some((MAX, true));

/// What the table shows.
#[derive(Clone, Copy, Debug)]
pub struct FeatureRows<'a> {
    /// Numbers of every feature.
    pub rows: &'a [FeatureRow],
    /// The user's labels.
    pub labels: &'a Labels,
    /// Labels found by tokens.
    pub auto: &'a [String],
    /// What is in the rack.
    pub rack: &'a Rack,
    /// Scores by contrast.
    pub contrast: &'a BTreeMap<usize, f64>,
    /// What a search found; only these are shown.
    pub found: Option<&'a BTreeMap<usize, f32>>,
    /// Only features of this list; an empty name means those in the rack.
    pub list: Option<&'a str>,
    /// Leave dead features out.
    pub hide_dead: bool,
}

impl FeatureRows<'_> {
    /// What a feature is called, and whether the user said so.
    pub fn label(&self, feature: usize) -> (&str, bool) {
        match self.labels.labels.get(&feature) {
            Some(label) => (label, true),
            None => (self.auto.get(feature).map_or("", String::as_str), false),
        }
    }

    /// What stands in a column of the table as it is now.
    fn kind(&self, column: usize) -> usize {
        if self.found.is_some() { FOUND[column] } else { column }
    }

    fn value(&self, row: usize, column: usize) -> Option<f64> {
        let feature = &self.rows[row];
        match self.kind(column) {
            ID => Some(feature.feature as f64),
            DENSITY => Some(feature.density),
            MAX => Some(f64::from(feature.max)),
            MEAN => Some(f64::from(feature.mean)),
            CONTRAST => self.contrast.get(&feature.feature).copied(),
            MATCH => self.found.and_then(|found| found.get(&feature.feature)).map(|value| f64::from(*value)),
            _ => None,
        }
    }
}

/// A share of tokens: percent, with as many places as small ones need.
pub fn density(share: f64) -> String {
    let percent = share * 100.0;
    if share == 0.0 {
        "dead".to_owned()
    } else if percent >= 1.0 {
        format!("{percent:.1} %")
    } else if percent >= 0.01 {
        format!("{percent:.2} %")
    } else {
        "< 0.01 %".to_owned()
    }
}

impl Rows for FeatureRows<'_> {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn columns(&self) -> &[Column] {
        match (self.found.is_some(), self.contrast.is_empty()) {
            (true, _) => &FOUND_COLUMNS,
            (false, false) => &COLUMNS[..MATCH],
            (false, true) => &COLUMNS[..CONTRAST],
        }
    }

    fn name(&self, row: usize) -> String {
        let feature = &self.rows[row];
        let (label, _) = self.label(feature.feature);
        let rack = if self.rack.holds(feature.feature) { ", in the rack" } else { "" };
        format!(
            "Feature {} {label}, density {}, max {}{rack}",
            feature.feature,
            density(feature.density),
            format::number(f64::from(feature.max))
        )
    }

    fn keeps(&self, row: usize) -> bool {
        let feature = self.rows[row].feature;
        let listed = match self.list {
            None => true,
            Some("") => self.rack.holds(feature),
            Some(name) => self.labels.lists.get(name).is_some_and(|features| features.contains(&feature)),
        };
        listed
            && self.found.is_none_or(|found| found.contains_key(&feature))
            && !(self.hide_dead && self.rows[row].max <= 0.0)
    }

    fn matches(&self, row: usize, needle: &str) -> bool {
        let feature = self.rows[row].feature;
        let number = needle.strip_prefix('#').unwrap_or(needle);
        self.label(feature).0.to_lowercase().contains(needle) || feature.to_string() == number
    }

    fn sort_key(&self, row: usize, column: usize) -> SortKey<'_> {
        match self.kind(column) {
            LABEL => {
                let (label, _) = self.label(self.rows[row].feature);
                if label.is_empty() { SortKey::Missing } else { SortKey::Text(label) }
            }
            _ => self.value(row, column).map_or(SortKey::Missing, SortKey::Number),
        }
    }

    fn text(&self, row: usize, column: usize) -> String {
        match self.kind(column) {
            LABEL => self.label(self.rows[row].feature).0.to_owned(),
            ID => self.rows[row].feature.to_string(),
            DENSITY => density(self.rows[row].density),
            _ => self.value(row, column).map_or_else(String::new, format::short),
        }
    }

    fn exact(&self, row: usize, column: usize) -> String {
        self.value(row, column).map_or_else(|| self.text(row, column), |value| value.to_string())
    }

    fn cell(&self, ui: &mut Ui, row: usize, column: usize) {
        let tokens = ui.tokens();
        match self.kind(column) {
            LABEL => {
                let feature = self.rows[row].feature;
                if self.rack.holds(feature) {
                    let (rect, mark) = ui.allocate_exact_size(egui::vec2(10.0, 14.0), egui::Sense::hover());
                    paint_mark(ui, rect, Mark::Disc, Tone::Changed.color(tokens));
                    mark.on_hover_text("In the steering rack");
                }
                let (label, own) = self.label(feature);
                let text = if label.is_empty() { "–" } else { label };
                let color = if own { tokens.text_strong } else { tokens.text };
                let text = RichText::new(text).color(if label.is_empty() { tokens.text_weak } else { color });
                let text = if own { text.strong() } else { text };
                ui.add(egui::Label::new(text).truncate().selectable(false));
            }
            ID => {
                let text = RichText::new(self.text(row, column)).color(tokens.text_weak);
                ui.add(egui::Label::new(text).truncate().selectable(false));
            }
            _ => {
                let text = self.text(row, column);
                text_cell(ui, if text.is_empty() { "–" } else { &text });
            }
        }
    }
}
