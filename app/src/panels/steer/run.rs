//! What is on screen as a run folder, and run folders opened again.

use std::path::{Path, PathBuf};

use plumb_core::preset::Preset;
use plumb_core::run_folder::{RunError, RunFolder};
use plumb_core::{Ctl, Error, Job, Lane};
use plumb_steer::browse::LiveReport;
use plumb_steer::experiment::{FindFound, GENERATE, GenerateExperiment};
use plumb_steer::report::{SplittingReport, SweepReport};

use super::preset;
use super::state::State;
use crate::shell::panel::PanelCx;
use crate::widgets::format;

/// The method of these runs.
const METHOD: &str = "steer";

/// Writes a run folder.
struct WriteRun {
    base: PathBuf,
    spec: Preset<GenerateExperiment>,
    report: LiveReport,
    table: String,
    texts: String,
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
        let writer = RunFolder::create(&self.base, METHOD, &format::file_stem(&self.spec.title))?;
        writer.write_spec(&self.spec)?;
        writer.write_table("features", &self.table)?;
        writer.write_table("texts", &self.texts)?;
        let mut info = writer.info();
        info.seed = seed;
        "cpu".clone_into(&mut info.device);
        Ok(writer.finish(&self.report, info)?.path)
    }
}

/// One line per prompt and side.
fn texts_csv(report: &LiveReport) -> String {
    let mut out = format::csv_line(["prompt", "side", "text", "toxicity", "perplexity", "mean KL"]);
    for row in &report.rows {
        let mean = row.kl.iter().sum::<f64>() / row.kl.len().max(1) as f64;
        for (side, text, kl) in [("baseline", &row.baseline, 0.0), ("steered", &row.steered, mean)] {
            let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
            out += &format::csv_line([
                row.prompt.as_str(),
                side,
                &text.text,
                &number(text.toxicity),
                &number(text.perplexity),
                &kl.to_string(),
            ]);
        }
    }
    out
}

impl State {
    /// Write what is on screen as a run folder.
    pub fn save_run(&mut self, cx: &mut PanelCx<'_>) {
        let Some(report) = self.live.value().cloned() else {
            cx.notify.warn("There is nothing to write yet: steer a prompt first");
            return;
        };
        let job = WriteRun {
            base: cx.runs_dir.to_owned(),
            spec: Preset::new(GENERATE, format!("Steer {}", self.model), self.generate_experiment()),
            texts: texts_csv(&report),
            report,
            table: self.table_csv(),
        };
        self.run.clear();
        self.run.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }
}

/// Open a run folder again: its settings, and the answers it holds.
pub fn reopen(state: &mut State, folder: &Path, cx: &mut PanelCx<'_>) -> Result<(), String> {
    let run = RunFolder::open(folder).map_err(|error| error.to_string())?;
    let spec = folder.join("spec.ron");
    let text = std::fs::read_to_string(&spec).map_err(|error| format!("{} cannot be read: {error}", spec.display()))?;
    let live = run.report::<LiveReport>().ok().filter(|report| !report.rows.is_empty());
    let found = run.report::<FindFound>().ok();
    let sweep = run.report::<SweepReport>().ok().filter(|report| !report.points.is_empty());
    let split = run.report::<SplittingReport>().ok().filter(|report| !report.rows.is_empty());
    let whole = live.is_some() || found.is_some() || sweep.is_some() || split.is_some();
    // What holds no answer that can be shown is run again; autoencoders are not trained again by opening a folder.
    let trained = text.contains("\"sae-train\"") || text.contains("\"sae-eval\"") || text.contains("\"sae-index\"");
    if trained {
        return Err("This run trained, measured or indexed an autoencoder: its figures are in report.json".to_owned());
    }
    preset::take(state, &text, !whole, cx).map_err(|error| error.to_string())?;
    state.reopened = Some(Box::new(Answers { live, found, sweep, split }));
    Ok(())
}

/// The answers of a reopened run, until its pair is open.
#[derive(Debug)]
pub struct Answers {
    live: Option<LiveReport>,
    found: Option<FindFound>,
    sweep: Option<SweepReport>,
    split: Option<SplittingReport>,
}

impl State {
    /// The pair of a reopened run is open: show its answers.
    pub fn take_answers(&mut self) {
        let Some(answers) = self.reopened.take() else { return };
        if let Some(live) = answers.live {
            // The preset holds the first prompt only.
            let prompts: Vec<String> = live.rows.iter().map(|row| row.prompt.replace('\n', " ")).collect();
            self.typed.prompts = prompts.join("\n");
            self.live.set(live);
        }
        if let Some(found) = answers.found {
            self.contrast = found.report.candidates.iter().map(|c| (c.score.feature, c.score.mean_diff)).collect();
            if let Some(causal) = found.causal {
                self.causal.set(causal);
            }
            self.find.set(found.report);
        }
        if let Some(sweep) = answers.sweep {
            self.swept_rack = Some(self.edit.rack.slots.clone());
            self.sweep.set(sweep);
        }
        if let Some(split) = answers.split {
            self.split.set(split);
        }
        self.touch();
    }
}
