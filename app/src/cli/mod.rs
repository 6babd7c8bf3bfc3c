//! The command line: the same methods without a window, the same numbers for the same seed.
//!
//! Results go to stdout; progress and errors to stderr. Exit code 0: done; 1: the input is at fault; 2: the command
//! line itself is at fault; 130: stopped by Ctrl-C, and nothing half written is left
//! behind but the part of a download that has arrived.

mod clip;
mod geometry;
mod layers;
mod lm;
mod moderate;
mod progress;
mod run;
mod sae;
mod spectrum;
mod steer;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use plumb_core::source::Cache;

use crate::shell::home::Home;
use crate::shell::window::Renderer;

/// Look inside machine-learning models, change what they do, and measure what it cost.
///
/// Without a command the workbench opens, with the files named here in it.
#[derive(Debug, Parser)]
#[command(name = "plumb", version)]
pub struct Cli {
    /// What to do without a window.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The window's options.
    #[command(flatten)]
    pub window: WindowArguments,
    /// Keep settings, layout, cache and runs under this folder.
    #[arg(long, value_name = "DIR", global = true)]
    pub home: Option<PathBuf>,
}

impl Cli {
    /// A command takes none of the window's options.
    pub fn clash(&self) -> Option<&'static str> {
        let window = !self.window.files.is_empty() || self.window.preset.is_some() || self.window.renderer.is_some();
        (self.command.is_some() && window)
            .then_some("files, --preset and --renderer belong to the window: leave them out before a command")
    }
}

/// Options of the window.
#[derive(Args, Clone, Debug)]
pub struct WindowArguments {
    /// What draws the window; glow (OpenGL) is the safe mode.
    #[arg(long, value_enum)]
    pub renderer: Option<Renderer>,
    /// A preset to open.
    #[arg(long, value_name = "FILE")]
    pub preset: Option<PathBuf>,
    /// Checkpoints, presets or run folders to open.
    pub files: Vec<PathBuf>,
}

/// The headless commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the singular values of a file's linear layers.
    Spectrum(spectrum::Arguments),
    /// Bring the spectral norm of a file's layers to a target and write the result as safetensors.
    Clip(clip::Arguments),
    /// Run a preset and keep what it finds in a run folder.
    Run(run::Arguments),
    /// Fetch a language model and print where it is.
    Fetch(lm::FetchArguments),
    /// Run a language model: logits, residual stream, score, continuation.
    #[command(subcommand)]
    Lm(lm::Command),
    /// Panel review for moderators: import a log, train, score, route, simulate, evaluate.
    #[command(subcommand)]
    Moderate(moderate::Command),
    /// Sparse autoencoders: encode, train, measure, index.
    #[command(subcommand)]
    Sae(sae::Command),
    /// Find features of a language model and steer it along them.
    #[command(subcommand)]
    Steer(steer::Command),
}

/// Exit code of a command that was stopped by Ctrl-C, as shells expect it: 128 + SIGINT.
const STOPPED: u8 = 130;

/// Run a headless command. Errors are printed; the exit code says how it went.
pub fn run(command: Command, home: &Home) -> ExitCode {
    let cache = Cache::new(&home.cache, plumb_spectrum::subject::embedded_files());
    let result = match command {
        Command::Spectrum(arguments) => spectrum::run(&arguments, &cache),
        Command::Clip(arguments) => clip::run(&arguments, &cache),
        Command::Run(arguments) => run::run(arguments, cache, home),
        Command::Fetch(arguments) => lm::fetch(arguments, &cache),
        Command::Lm(command) => lm::run(command, &cache),
        Command::Moderate(command) => moderate::run(command),
        Command::Sae(command) => sae::run(command, &cache),
        Command::Steer(command) => steer::run(command, &cache),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if matches!(error.downcast_ref(), Some(plumb_core::Error::Cancelled)) => {
            eprintln!(
                "plumb: stopped. Nothing was written; the part of a download that has arrived is kept for the next time."
            );
            ExitCode::from(STOPPED)
        }
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
            ExitCode::from(1)
        }
    }
}

/// An error with its causes, none of them twice.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// One JSON document on stdout and nothing else.
fn print_json<T: serde::Serialize>(value: &T) -> Result<()> {
    print_text(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Text on stdout. A reader that has gone away (`| head`) is no error.
fn print_text(text: &str) -> Result<()> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests;
