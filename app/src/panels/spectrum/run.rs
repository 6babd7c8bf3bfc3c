//! Everything on screen as a run folder: what was asked, the report, the table and the plots of the selected layer.

use std::path::PathBuf;

use egui::vec2;
use plumb_core::preset::Preset;
use plumb_core::run_folder::{RunError, RunFolder};
use plumb_core::{Ctl, Error, Job, Lane};
use plumb_spectrum::experiment::SPECTRUM;
use plumb_spectrum::report::SpectrumReport;
use plumb_spectrum::spec::SpectrumSpec;

use super::layers::LayerRows;
use super::plots;
use super::state::State;
use crate::shell::panel::PanelCx;
use crate::widgets::chart::Chart;
use crate::widgets::chart_ui::chart_ui_for_picture;
use crate::widgets::{format, picture};

/// Writes a run folder.
struct WriteRun {
    base: PathBuf,
    spec: SpectrumSpec,
    report: SpectrumReport,
    table: String,
    charts: Vec<(String, String, Vec<u8>)>,
}

impl Job for WriteRun {
    type Output = PathBuf;
    type Partial = ();

    fn name(&self) -> String {
        "Write a run folder".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<PathBuf, Error> {
        self.write(ctl.seed()).map_err(|error| Error::failed(&error))
    }
}

impl WriteRun {
    fn write(self, seed: u64) -> Result<PathBuf, RunError> {
        let name = format::file_stem(&self.report.file);
        let writer = RunFolder::create(&self.base, SPECTRUM.method, &name)?;
        writer.write_spec(&Preset::new(SPECTRUM, format!("Spectrum of {}", self.report.file), self.spec))?;
        writer.write_table("layers", &self.table)?;
        for (stem, csv, png) in &self.charts {
            writer.write_table(stem, csv)?;
            writer.write_picture(&format!("{stem}.png"), png)?;
        }
        let mut info = writer.info();
        info.seed = seed;
        "cpu".clone_into(&mut info.device);
        Ok(writer.finish(&self.report, info)?.path)
    }
}

impl State {
    /// The layer table as CSV, rows in the order on screen.
    pub fn table_csv(&self) -> String {
        let rows = LayerRows {
            layers: &self.report.layers,
            clipped: &|name| self.is_clipped(name),
            only_problems: self.settings.only_problems,
            weakest: None,
        };
        self.table.csv(&rows)
    }

    /// Write what is on screen as a run folder.
    pub fn save_run(&mut self, cx: &mut PanelCx<'_>) {
        if self.report.layers.is_empty() {
            cx.notify.warn("There is nothing to write yet: open a model first");
            return;
        }
        let mut charts = Vec::new();
        if let Some(detail) = self.detail.value() {
            let pages: [(&str, Chart); 3] = [
                ("singular-values", plots::values(&detail.layer, detail.complete, &detail.marks, self.settings.log)),
                ("cumulative-energy", plots::energy(&detail.layer)),
                ("histogram", plots::histogram(&detail.layer)),
            ];
            for (stem, chart) in pages {
                let png = picture::png(cx.egui, vec2(900.0, 520.0), |ui| chart_ui_for_picture(ui, &chart));
                charts.push((stem.to_owned(), chart.csv(), png));
            }
        }
        let job = WriteRun {
            base: cx.runs_dir.to_owned(),
            spec: SpectrumSpec { seed: cx.settings.seed, ..self.spec.clone() },
            report: self.report.clone(),
            table: self.table_csv(),
            charts,
        };
        self.run.clear();
        self.run.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }
}
