//! `plumb spectrum FILE`: the singular values of every linear layer.

use std::fmt::Write;

use anyhow::Result;
use clap::Args;
use plumb_core::source::Cache;
use plumb_spectrum::job::SurveyJob;
use plumb_spectrum::report::{LayerReport, SpectrumReport};
use plumb_spectrum::spec::{Method, SpectrumSpec};
use plumb_spectrum::subject::Edits;

use super::layers::Layers;
use super::progress::Progress;
use super::table::{Table, number, shape, word};
use super::{print_json, print_text};

/// Options of `plumb spectrum`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Singular values per layer [default: 4, with --exact all].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,
    /// Stop when the values are expected to be right to this relative accuracy, which is sooner than the usual stop, by
    /// a residual of 1e-4. An estimate, no bound.
    #[arg(long, value_name = "A", value_parser = accuracy, conflicts_with = "exact")]
    pub accuracy: Option<f64>,
    /// The whole spectrum, from the whole matrix or, for circular padding, from its Fourier blocks.
    #[arg(long)]
    pub exact: bool,
    /// Which layers, and how they are applied.
    #[command(flatten)]
    pub layers: Layers,
}

impl Arguments {
    fn spec(&self) -> SpectrumSpec {
        let usual = SpectrumSpec::default();
        SpectrumSpec {
            source: self.layers.file.clone(),
            layers: self.layers.layer.clone(),
            top: match self.top {
                Some(top) => top as usize,
                None if self.exact => 0,
                None => usual.top,
            },
            method: if self.exact { Method::Dense } else { Method::Auto },
            accuracy: self.accuracy.unwrap_or(usual.accuracy),
            double: self.layers.f64,
            geometry: self.layers.geometry.fixed(),
            ..usual
        }
    }
}

/// A share, such as `1e-3`.
fn accuracy(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value < 1.0 => Ok(value),
        Ok(value) => Err(format!("{value} is not between 0 and 1; 1e-3 asks for three digits")),
        Err(error) => Err(format!("“{text}” is not a number: {error}")),
    }
}

/// Print what the survey finds.
pub fn run(arguments: &Arguments, cache: &Cache) -> Result<()> {
    let spec = arguments.spec();
    let progress = Progress::start(spec.seed);
    let subject = arguments.layers.open(&progress, cache)?;
    let report = progress.run(SurveyJob { subject, edits: Edits::new(), spec })?;
    progress.finish();
    if arguments.layers.json { print_json(&report) } else { print_text(&text(&report)) }
}

fn text(report: &SpectrumReport) -> String {
    let heads = ["layer", "map", "weight", "input", "σ (largest first)", "reshaped", "method", "residual", "seconds"];
    let mut table = Table::new(&heads, 4);
    for row in &report.layers {
        table.row(match &row.problem {
            Some(problem) => {
                let mut cells =
                    vec![row.name.clone(), word(&row.op), shape(&row.weight_shape), String::new(), problem.clone()];
                cells.resize(heads.len(), String::new());
                cells
            }
            None => cells(row),
        });
    }
    let mut text = format!("{}\n\n{}", report.file, table.text());
    let guessed =
        report.layers.iter().filter(|row| row.geometry_source == plumb_spectrum::report::GeometrySource::Guessed);
    let guessed = guessed.filter(|row| row.op != plumb_spectrum::geometry::OpKind::Dense).count();
    if guessed > 0 {
        let _infallible = write!(
            text,
            "\nThe geometry of {guessed} layers is guessed from names and shapes; set it with --input, --stride, --padding.\n"
        );
    }
    if !report.skipped.is_empty() {
        let _infallible = write!(
            text,
            "\n{} tensors are no linear layers; --json lists them with the reasons.\n",
            report.skipped.len()
        );
    }
    text
}

fn cells(row: &LayerReport) -> Vec<String> {
    let sigma = row.sigma.iter().take(8).map(|&s| number(s)).collect::<Vec<_>>().join(" ");
    let more = if row.sigma.len() > 8 { format!(" … ({} in all)", row.sigma.len()) } else { String::new() };
    vec![
        row.name.clone(),
        word(&row.op),
        shape(&row.weight_shape),
        shape(&row.input_shape),
        format!("{sigma}{more}"),
        number(row.reshaped_norm),
        word(&row.method),
        if row.converged { format!("{:.0e}", row.residual) } else { format!("{:.0e} (not converged)", row.residual) },
        format!("{:.2}", row.seconds),
    ]
}
