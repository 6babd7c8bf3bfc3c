//! `plumb run PRESET.ron`: an experiment from a file, kept as a run folder.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use plumb_core::source::Cache;
use plumb_moderate::experiment as moderate;
use plumb_spectrum::experiment::{Experiment, ExperimentJob};
use plumb_steer::experiment as steer;

use super::progress::Progress;
use super::{print_json, print_text};
use crate::shell::home::Home;

/// Options of `plumb run`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The preset.
    #[arg(value_name = "PRESET.ron")]
    pub preset: PathBuf,
    /// The folder that gets the run folder [default: the workbench's own].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the report as one JSON document instead of the run folder's path.
    #[arg(long)]
    pub json: bool,
}

/// Run it and say where the run folder is.
pub fn run(arguments: Arguments, cache: Cache, home: &Home) -> Result<()> {
    let runs = arguments.out.unwrap_or_else(|| home.runs.clone());
    if let Some(experiment) = steer::Experiment::load(&arguments.preset)? {
        let progress = Progress::start(experiment.seed());
        let (folder, found) = progress.run(steer::ExperimentJob { experiment, cache, runs })?;
        progress.finish();
        return say(arguments.json, &folder, &found);
    }
    if let Some(experiment) = moderate::Experiment::load(&arguments.preset)? {
        let progress = Progress::start(experiment.seed());
        let (password, now) = (super::moderate::password(), super::moderate::now());
        let (folder, found) = progress.run(moderate::ExperimentJob { experiment, password, runs, now })?;
        progress.finish();
        return say(arguments.json, &folder, &found);
    }
    let experiment = Experiment::load(&arguments.preset)?;
    let progress = Progress::start(experiment.seed());
    let (folder, found) = progress.run(ExperimentJob { experiment, cache, runs })?;
    progress.finish();
    say(arguments.json, &folder, &found)
}

fn say(json: bool, folder: &Path, found: &impl serde::Serialize) -> Result<()> {
    if json { print_json(found) } else { print_text(&format!("{}\n", folder.display())) }
}
