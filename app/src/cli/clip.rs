//! `plumb clip FILE --to C --out FILE2`: bring σ₁ of the layers to a target.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, ValueEnum};
use plumb_core::source::Cache;
use plumb_spectrum::export::ExportJob;
use plumb_spectrum::job::ClipJob;
use plumb_spectrum::report::ClipReport;
use plumb_spectrum::spec::{ClipMethod, ClipMode, ClipSpec};
use plumb_spectrum::subject::Edits;

use super::layers::Layers;
use super::progress::Progress;
use super::table::{Table, number};
use super::{print_json, print_text};

/// Options of `plumb clip`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The target of σ₁.
    #[arg(long, value_name = "C", allow_negative_numbers = true)]
    pub to: f64,
    /// The new file, safetensors. The old one is never changed.
    #[arg(long, value_name = "FILE2")]
    pub out: PathBuf,
    /// Whether values below the target are raised to it.
    #[arg(long, value_enum, default_value_t)]
    pub mode: Mode,
    /// Accepted relative distance of σ₁ from the target.
    #[arg(long, value_name = "T", default_value_t = ClipSpec::default().tolerance)]
    pub tolerance: f64,
    /// The method.
    #[arg(long, value_enum, default_value_t)]
    pub method: Method,
    /// Also clip batch norms, by clamping their scales.
    #[arg(long)]
    pub batch_norm: bool,
    /// Clip each convolution together with the batch norm behind it.
    #[arg(long)]
    pub compose: bool,
    /// Which layers, and how they are applied.
    #[command(flatten)]
    pub layers: Layers,
}

/// Clip or equalise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Only bring σ₁ down.
    #[default]
    Clip,
    /// Bring σ₁ to the target from above and from below.
    Equalise,
}

/// Which method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// FastClip with Gauss–Newton steps.
    #[default]
    FastClip,
    /// FastClip with the paper's fixed step.
    FixedStep,
    /// Divide the kernel (Gouk).
    Scale,
    /// Divide the kernel by the norm of its reshaped matrix (Miyato).
    Miyato,
    /// Clamp in Fourier space and cut (Senderovich).
    Fourier,
}

impl Arguments {
    fn spec(&self) -> ClipSpec {
        ClipSpec {
            source: self.layers.file.clone(),
            layers: self.layers.layer.clone(),
            to: self.to,
            mode: match self.mode {
                Mode::Clip => ClipMode::Clip,
                Mode::Equalise => ClipMode::Equalise,
            },
            tolerance: self.tolerance,
            method: match self.method {
                Method::FastClip => ClipMethod::FastClip,
                Method::FixedStep => ClipMethod::FixedStep,
                Method::Scale => ClipMethod::Scale,
                Method::Miyato => ClipMethod::Miyato,
                Method::Fourier => ClipMethod::Fourier,
            },
            batch_norm: self.batch_norm,
            compose: self.compose,
            double: self.layers.f64,
            geometry: self.layers.geometry.fixed(),
            ..ClipSpec::default()
        }
    }
}

/// Clip, write, and print σ₁ before and after.
pub fn run(arguments: &Arguments, cache: &Cache) -> Result<()> {
    let spec = arguments.spec();
    let progress = Progress::start(spec.seed);
    let subject = arguments.layers.open(&progress, cache)?;
    let (mut report, edits) = progress.run(ClipJob { subject: Arc::clone(&subject), edits: Edits::new(), spec })?;
    let out = progress.run(ExportJob { subject, edits, out: arguments.out.clone() })?;
    progress.finish();
    report.out = Some(out.display().to_string());
    if arguments.layers.json { print_json(&report) } else { print_text(&text(&report)) }
}

fn text(report: &ClipReport) -> String {
    let heads = ["layer", "σ₁ before", "σ₁ after", "steps", "weight change", "seconds", ""];
    let mut table = Table::new(&heads, 6);
    for row in &report.layers {
        let remark = match &row.problem {
            Some(problem) => problem.clone(),
            None if !row.reached => "outside the tolerance".to_owned(),
            None => String::new(),
        };
        table.row(vec![
            row.name.clone(),
            number(row.before),
            number(row.after),
            row.steps.to_string(),
            format!("{:.1} %", 100.0 * row.weight_change),
            format!("{:.2}", row.seconds),
            remark,
        ]);
    }
    let out = report.out.as_deref().unwrap_or_default();
    format!("{} clipped to {}, written to {out}\n\n{}", report.file, report.to, table.text())
}
