//! The table of layers: one row per linear layer, problems and guesses told by shape and word.

use egui::{RichText, Ui};
use plumb_spectrum::geometry::{OpKind, PaddingMode};
use plumb_spectrum::report::{GeometrySource, LayerReport};
use plumb_spectrum::spec::Method;

use crate::theme::UiExt as _;
use crate::widgets::badge::{Mark, Tone, badge, paint_mark};
use crate::widgets::format;
use crate::widgets::table::{Column, Rows, SortKey, text_cell};

/// What can be said of a row at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There is no spectrum.
    Problem,
    /// The residual is larger than the tolerance.
    NotConverged,
    /// Stride, padding or input size are guesses.
    Guessed,
    /// The weights were changed here.
    Clipped,
    /// From the whole matrix, or from its Fourier blocks where those are exact.
    Exact,
    /// By iteration, to the tolerance.
    Converged,
}

impl Status {
    /// All that holds for a layer, the most important first.
    pub fn of(layer: &LayerReport, clipped: bool) -> Vec<Self> {
        if layer.problem.is_some() {
            return vec![Self::Problem];
        }
        let circular = layer.geometry.padding_mode == PaddingMode::Circular;
        let exact = layer.method == Method::Dense || (layer.method == Method::Fourier && circular);
        let mut all = Vec::new();
        if !layer.converged && !exact {
            all.push(Self::NotConverged);
        }
        if layer.geometry_source == GeometrySource::Guessed {
            all.push(Self::Guessed);
        }
        if clipped {
            all.push(Self::Clipped);
        }
        if exact {
            all.push(Self::Exact);
        } else if layer.converged {
            all.push(Self::Converged);
        }
        all
    }

    /// The word beside the shape.
    pub fn word(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::NotConverged => "not converged",
            Self::Guessed => "guessed geometry",
            Self::Clipped => "clipped",
            Self::Exact => "exact",
            Self::Converged => "converged",
        }
    }

    /// What the word means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Problem => "There is no spectrum for this layer; the reason stands in the detail view.",
            Self::NotConverged => {
                "The iteration stopped before its residual reached the tolerance: σ₁ is a lower bound."
            }
            Self::Guessed => {
                "The file does not say stride, padding or input size. They were guessed from shape and name: check them under Geometry."
            }
            Self::Clipped => "The weights of this layer were changed here and are not yet exported.",
            Self::Exact => "From the singular value decomposition of the whole matrix: true to rounding.",
            Self::Converged => "By iteration; the residual reached the tolerance.",
        }
    }

    /// Shape and tone.
    pub fn look(self) -> (Mark, Tone) {
        match self {
            Self::Problem => (Mark::Cross, Tone::Bad),
            Self::NotConverged => (Mark::Triangle, Tone::Caution),
            Self::Guessed => (Mark::Diamond, Tone::Caution),
            Self::Clipped => (Mark::Cut, Tone::Changed),
            Self::Exact => (Mark::Disc, Tone::Good),
            Self::Converged => (Mark::Check, Tone::Good),
        }
    }
}

/// The first state with its word, the others by their shapes.
pub fn status_ui(ui: &mut Ui, all: &[Status]) {
    let Some((first, rest)) = all.split_first() else { return };
    let (mark, tone) = first.look();
    ui.spacing_mut().item_spacing.x = 4.0;
    badge(ui, mark, tone, first.word()).on_hover_text(first.meaning());
    for status in rest {
        let (mark, tone) = status.look();
        let (rect, response) = ui.allocate_exact_size(egui::vec2(12.0, 14.0), egui::Sense::hover());
        paint_mark(ui, rect, mark, tone.color(ui.tokens()));
        response.on_hover_text(format!("{}\n{}", status.word(), status.meaning()));
    }
}

/// What a weight stands for, in words.
pub fn op_name(op: OpKind) -> &'static str {
    match op {
        OpKind::Dense => "dense",
        OpKind::Conv1d => "conv 1d",
        OpKind::Conv2d => "conv 2d",
        OpKind::ConvTranspose1d => "transposed conv 1d",
        OpKind::ConvTranspose2d => "transposed conv",
        OpKind::BatchNorm => "batch norm",
    }
}

const NAME: usize = 0;
const SIGMA: usize = 1;
const OPERATOR: usize = 2;
const RESHAPED: usize = 3;
const STATUS: usize = 4;
const STABLE_RANK: usize = 5;
const CONDITION: usize = 6;
const WEIGHT: usize = 7;
const INPUT: usize = 8;

/// The columns, the important ones first: a narrow window shows three. The first takes the width that is left.
pub const COLUMNS: [Column; 9] = [
    Column { name: "Layer", meaning: "Name of the weight tensor", width: 172.0, number: false },
    Column {
        name: "σ₁",
        meaning: "Largest singular value of the operator M: the most by which it can stretch an input",
        width: 78.0,
        number: true,
    },
    Column { name: "Operator", meaning: "Which linear map the weight stands for", width: 92.0, number: false },
    Column {
        name: "Reshaped",
        meaning: "Spectral norm of the kernel reshaped to (out, rest), as PyTorch's spectral_norm takes it. For a convolution this is not the norm of the operator: it can be smaller or larger than σ₁",
        width: 80.0,
        number: true,
    },
    Column { name: "Status", meaning: "How sure the numbers are", width: 138.0, number: false },
    Column {
        name: "Stable rank",
        meaning: "‖M‖_F² / σ₁²: about how many directions carry the energy. Between 1 and the rank",
        width: 88.0,
        number: true,
    },
    Column {
        name: "Condition",
        meaning: "σ₁ / smallest singular value; only where all singular values are known",
        width: 82.0,
        number: true,
    },
    Column { name: "Weight", meaning: "Shape of the weight tensor as stored", width: 96.0, number: false },
    Column { name: "Input", meaning: "Shape of one input: channels × height × width", width: 90.0, number: false },
];

/// The rows the table shows.
#[derive(Clone, Copy)]
pub struct LayerRows<'a> {
    /// The report's layers.
    pub layers: &'a [LayerReport],
    /// Whether a layer was clipped here.
    pub clipped: &'a dyn Fn(&str) -> bool,
    /// Keep only rows that need a look.
    pub only_problems: bool,
    /// The layer with the largest σ₁.
    pub weakest: Option<usize>,
}

impl LayerRows<'_> {
    fn sigma1(&self, row: usize) -> Option<f64> {
        self.layers[row].sigma.first().copied()
    }

    fn status(&self, row: usize) -> Vec<Status> {
        Status::of(&self.layers[row], (self.clipped)(&self.layers[row].name))
    }

    fn value(&self, row: usize, column: usize) -> Option<f64> {
        let layer = &self.layers[row];
        let first = self.sigma1(row)?;
        match column {
            SIGMA => Some(first),
            RESHAPED => Some(layer.reshaped_norm),
            STABLE_RANK => Some(layer.stable_rank),
            CONDITION => layer.condition,
            _ => None,
        }
    }
}

/// Whether a layer needs a look before its number is trusted.
pub fn needs_a_look(layer: &LayerReport) -> bool {
    Status::of(layer, false)
        .iter()
        .any(|status| matches!(status, Status::Problem | Status::NotConverged | Status::Guessed))
}

impl Rows for LayerRows<'_> {
    fn count(&self) -> usize {
        self.layers.len()
    }

    fn columns(&self) -> &[Column] {
        &COLUMNS
    }

    fn name(&self, row: usize) -> String {
        let words: Vec<&str> = self.status(row).iter().map(|status| status.word()).collect();
        let sigma = self.sigma1(row).map_or_else(|| "no σ₁".to_owned(), |s| format!("σ₁ {}", format::number(s)));
        format!("{}, {sigma}, {}", self.layers[row].name, words.join(", "))
    }

    fn matches(&self, row: usize, needle: &str) -> bool {
        let layer = &self.layers[row];
        layer.name.to_lowercase().contains(needle) || op_name(layer.op).contains(needle)
    }

    fn keeps(&self, row: usize) -> bool {
        !self.only_problems || needs_a_look(&self.layers[row])
    }

    fn sort_key(&self, row: usize, column: usize) -> SortKey<'_> {
        let layer = &self.layers[row];
        match column {
            NAME => SortKey::Text(&layer.name),
            OPERATOR => SortKey::Text(op_name(layer.op)),
            WEIGHT => SortKey::Number(layer.weight_shape.iter().product::<usize>() as f64),
            INPUT => SortKey::Number(layer.input_shape.iter().product::<usize>() as f64),
            STATUS => self.status(row).first().map_or(SortKey::Missing, |status| SortKey::Text(status.word())),
            _ => self.value(row, column).map_or(SortKey::Missing, SortKey::Number),
        }
    }

    fn text(&self, row: usize, column: usize) -> String {
        let layer = &self.layers[row];
        match column {
            NAME => layer.name.clone(),
            OPERATOR => op_name(layer.op).to_owned(),
            WEIGHT => format::shape(&layer.weight_shape),
            INPUT => format::shape(&layer.input_shape),
            STATUS => self.status(row).iter().map(|status| status.word()).collect::<Vec<_>>().join(", "),
            _ => self.value(row, column).map_or_else(String::new, format::number),
        }
    }

    fn exact(&self, row: usize, column: usize) -> String {
        self.value(row, column).map_or_else(|| self.text(row, column), |value| value.to_string())
    }

    fn cell(&self, ui: &mut Ui, row: usize, column: usize) {
        let tokens = ui.tokens();
        match column {
            STATUS => status_ui(ui, &self.status(row)),
            SIGMA => {
                let text = self.text(row, SIGMA);
                let weakest = self.weakest == Some(row);
                let rich = RichText::new(text).color(tokens.text_strong);
                let rich = if weakest { rich.strong().color(tokens.warning) } else { rich };
                let label = ui.add(egui::Label::new(rich).selectable(false));
                if weakest {
                    let (rect, mark) = ui.allocate_exact_size(egui::vec2(10.0, 12.0), egui::Sense::hover());
                    paint_mark(ui, rect, Mark::Triangle, tokens.warning);
                    let text = "The weakest link: the largest factor in the product of σ₁";
                    mark.on_hover_text(text);
                    label.on_hover_text(text);
                }
            }
            RESHAPED | STABLE_RANK | CONDITION => {
                let text = self.text(row, column);
                if text.is_empty() {
                    let none = egui::Label::new(RichText::new("–").color(tokens.text_weak)).selectable(false);
                    ui.add(none);
                } else {
                    text_cell(ui, &text);
                }
            }
            OPERATOR | WEIGHT | INPUT => {
                let text = RichText::new(self.text(row, column)).color(tokens.text_weak);
                ui.add(egui::Label::new(text).truncate().selectable(false));
            }
            _ => text_cell(ui, &self.text(row, column)),
        }
    }
}
