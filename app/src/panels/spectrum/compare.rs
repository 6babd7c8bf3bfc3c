//! Two checkpoints side by side: σ₁ of the layers they share, and the spectra of the selected one on shared axes.

use egui::{Id, RichText, Ui};
use plumb_spectrum::report::{LayerReport, SpectrumReport};

use super::action::{Action, Work};
use crate::theme::UiExt as _;
use crate::widgets::chart::{Axis, Chart, Draw, LegendPlace, Series};
use crate::widgets::chart_ui::chart_ui;
use crate::widgets::choice::log_switch;
use crate::widgets::table::{Column, Rows, SortKey, TableView};
use crate::widgets::{format, status};

/// One layer name in either file.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    name: &'a str,
    a: Option<&'a LayerReport>,
    b: Option<&'a LayerReport>,
}

impl Pair<'_> {
    fn sigma(layer: Option<&LayerReport>) -> Option<f64> {
        layer.and_then(|layer| layer.sigma.first().copied())
    }

    fn values(&self) -> [Option<f64>; 4] {
        let (a, b) = (Self::sigma(self.a), Self::sigma(self.b));
        let difference = a.zip(b).map(|(a, b)| b - a);
        let relative = a.zip(b).filter(|(a, _)| *a > 0.0).map(|(a, b)| (b - a) / a);
        [a, b, difference, relative]
    }
}

/// Layers of both files by name, in the order of the first, then what only the second has.
pub fn pairs<'a>(a: &'a SpectrumReport, b: &'a SpectrumReport) -> Vec<Pair<'a>> {
    let find = |report: &'a SpectrumReport, name: &str| report.layers.iter().find(|layer| layer.name == name);
    let mut pairs: Vec<Pair<'a>> =
        a.layers.iter().map(|layer| Pair { name: &layer.name, a: Some(layer), b: find(b, &layer.name) }).collect();
    for layer in b.layers.iter().filter(|layer| find(a, &layer.name).is_none()) {
        pairs.push(Pair { name: &layer.name, a: None, b: Some(layer) });
    }
    pairs
}

/// The columns of the comparison.
pub const COLUMNS: [Column; 5] = [
    Column { name: "Layer", meaning: "Name of the weight tensor", width: 160.0, number: false },
    Column { name: "σ₁ A", meaning: "Largest singular value in the first file", width: 90.0, number: true },
    Column { name: "σ₁ B", meaning: "Largest singular value in the second file", width: 90.0, number: true },
    Column { name: "B − A", meaning: "Difference", width: 90.0, number: true },
    Column { name: "Relative", meaning: "(B − A) / A", width: 90.0, number: true },
];

struct PairRows<'a>(&'a [Pair<'a>]);

impl Rows for PairRows<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn columns(&self) -> &[Column] {
        &COLUMNS
    }
    fn name(&self, row: usize) -> String {
        format!("{}, A {}, B {}", self.0[row].name, self.text(row, 1), self.text(row, 2))
    }
    fn matches(&self, row: usize, needle: &str) -> bool {
        self.0[row].name.to_lowercase().contains(needle)
    }
    fn sort_key(&self, row: usize, column: usize) -> SortKey<'_> {
        match column {
            0 => SortKey::Text(self.0[row].name),
            _ => self.0[row].values()[column - 1].map_or(SortKey::Missing, SortKey::Number),
        }
    }
    fn text(&self, row: usize, column: usize) -> String {
        match column {
            0 => self.0[row].name.to_owned(),
            4 => self.0[row].values()[3].map_or_else(|| "–".to_owned(), format::signed_percent),
            _ => self.0[row].values()[column - 1].map_or_else(|| "not there".to_owned(), format::number),
        }
    }
    fn exact(&self, row: usize, column: usize) -> String {
        let value = column.checked_sub(1).and_then(|i| self.0[row].values()[i]);
        value.map_or_else(|| if column == 0 { self.text(row, 0) } else { String::new() }, |v| v.to_string())
    }
}

/// What the region reads.
#[derive(Clone, Copy, Debug)]
pub struct CompareView<'a> {
    /// The first file.
    pub a: Option<&'a SpectrumReport>,
    /// The second file.
    pub b: Option<&'a SpectrumReport>,
    /// Whether the second is on its way.
    pub busy: bool,
    /// How far it is.
    pub progress: Option<&'a plumb_core::Progress>,
    /// Changes when either report does.
    pub version: u64,
}

/// The two spectra of one layer.
pub fn chart(pair: &Pair<'_>, log: bool) -> Chart {
    let series = [("A", pair.a, 0), ("B", pair.b, 1)]
        .into_iter()
        .filter_map(|(name, layer, color)| Some(Series::ranked(name, &layer?.sigma, Draw::Dots, color)))
        .collect();
    Chart {
        title: format!("Singular values of {}", pair.name),
        x: Axis::linear("index"),
        y: Axis::scaled("σ", log),
        series,
        legend: LegendPlace::TopRight,
        ..Chart::default()
    }
}

/// Draw the region.
pub fn ui(
    ui: &mut Ui,
    view: &CompareView<'_>,
    table: &mut TableView,
    path: &mut String,
    log: &mut bool,
    actions: &mut Vec<Action>,
) {
    let tokens = ui.tokens();
    ui.horizontal(|ui| {
        ui.label(RichText::new("B").strong().color(tokens.text_strong));
        let width = (ui.available_width() - 330.0).clamp(120.0, 560.0);
        let edit = egui::TextEdit::singleline(path).hint_text("Path of the second file").desired_width(width);
        let field = ui.add(edit);
        field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Path of the second file"));
        let entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        if (ui.button("Open").on_hover_text("Open the second file").clicked() || entered) && !path.trim().is_empty() {
            actions.push(Action::OpenSecond(path.trim().to_owned()));
        }
        if ui.button("Browse…").on_hover_text("Choose the second file").clicked() {
            actions.push(Action::OpenSecondDialog);
        }
        super::head::samples(ui, |name| actions.push(Action::OpenSecond(name)));
        if view.b.is_some() && ui.button("Close B").on_hover_text("Close the second file").clicked() {
            actions.push(Action::CloseSecond);
        }
    });
    if view.busy && status::busy(ui, "Spectra of the second file", view.progress) {
        actions.push(Action::Stop(Work::Second));
    }
    ui.add_space(6.0);
    let (Some(a), Some(b)) = (view.a, view.b) else {
        if !view.busy
            && status::empty(
                ui,
                "Compare two checkpoints",
                "Open a second file to see σ₁ of every layer side by side, for example a model before and after training with clipping.",
                Some("Open a second file…"),
            )
        {
            actions.push(Action::OpenSecondDialog);
        }
        return;
    };
    let pairs = pairs(a, b);
    let rows = PairRows(&pairs);
    if table.selected.is_none_or(|row| row >= pairs.len()) {
        table.selected = (!pairs.is_empty()).then_some(0);
    }
    let wide = ui.available_width() > 860.0;
    let mut draw_chart = |ui: &mut Ui, selected: Option<usize>, height: f32| {
        let Some(pair) = selected.and_then(|row| pairs.get(row)) else { return };
        let id = Id::unique(("spectrum", "compare", pair.name));
        let outcome = chart_ui(ui, id, height, &chart(pair, *log), |ui| {
            log_switch(ui, "Scale of the two spectra", log);
        });
        actions.extend(outcome.save.map(Action::Save));
    };
    if wide {
        ui.columns(2, |columns| {
            let height = columns[0].available_height();
            table.show(&mut columns[0], "Layers of both files", view.version, &rows);
            draw_chart(&mut columns[1], table.selected, height);
        });
    } else {
        let height = ui.available_height();
        ui.allocate_ui(egui::vec2(ui.available_width(), height * 0.48), |ui| {
            table.show(ui, "Layers of both files", view.version, &rows);
        });
        ui.add_space(8.0);
        draw_chart(ui, table.selected, height * 0.48);
    }
}
