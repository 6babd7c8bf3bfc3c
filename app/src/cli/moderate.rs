//! `plumb moderate …`: panel review without a window.

mod arguments;
mod data;
mod learn;
mod replay;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use clap::Subcommand;
use plumb_moderate::job::Place;
use plumb_moderate::model::Time;
use serde::Serialize;

use super::{print_json, print_text};

/// What to do with a team's log.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fill a database with the made-up practice community, or write its cases and votes as files.
    Sandbox(data::SandboxArguments),
    /// Bring cases and decisions from files, or from a watched folder, into the log.
    Import(data::ImportArguments),
    /// Train the vote model on the log; an old model stays unless the new one is at least as good.
    Train(learn::TrainArguments),
    /// Say how the model does on votes since it was trained, and calibrate it anew where asked for.
    Drift(learn::DriftArguments),
    /// Score the cases that wait, highest first.
    Score(learn::ScoreArguments),
    /// Send scored cases to panels or to one moderator each.
    Route(learn::RouteArguments),
    /// Forecast what panels would bring this team, budget by budget.
    Simulate(learn::SimulateArguments),
    /// Learn from files, test on others, and print the figures.
    Evaluate(learn::EvaluateArguments),
    /// Print past cases for somebody new to judge, or how they judged them beside the team; nothing enters the log.
    Replay(replay::ReplayArguments),
    /// Write decisions, votes or split cases as CSV or JSON lines.
    Export(data::ExportArguments),
    /// Check that nobody changed the log: its hash chain, every step, every draw.
    Verify(data::VerifyArguments),
    /// Copy the database into a new file.
    Backup(data::BackupArguments),
    /// Bring a backup into a new database.
    Restore(data::RestoreArguments),
}

/// Do it.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Sandbox(arguments) => data::sandbox(arguments),
        Command::Import(arguments) => data::import(arguments),
        Command::Train(arguments) => learn::train(arguments),
        Command::Drift(arguments) => learn::drift(arguments),
        Command::Score(arguments) => learn::score(arguments),
        Command::Route(arguments) => learn::route(arguments),
        Command::Simulate(arguments) => learn::simulate(arguments),
        Command::Evaluate(arguments) => learn::evaluate(arguments),
        Command::Replay(arguments) => replay::replay(arguments),
        Command::Export(arguments) => data::export(arguments),
        Command::Verify(arguments) => data::verify(arguments),
        Command::Backup(arguments) => data::backup(arguments),
        Command::Restore(arguments) => data::restore(arguments),
    }
}

/// The password of whoever signs in, from the environment, where no list of processes shows it.
pub(super) fn password() -> Option<String> {
    std::env::var("PLUMB_PASSWORD").ok()
}

/// The clock, in seconds since 1970.
pub(super) fn now() -> Time {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as Time)
}

/// An engine's error as a job would say it.
fn plain(error: plumb_moderate::Error) -> anyhow::Error {
    match plumb_core::Error::from(error) {
        plumb_core::Error::Cancelled => anyhow!(plumb_core::Error::Cancelled),
        other => anyhow!(other.to_string()),
    }
}

/// One JSON document, or a text for people.
fn answer<T: Serialize>(json: bool, value: &T, text: impl FnOnce() -> String) -> Result<()> {
    if json { print_json(value) } else { print_text(&text()) }
}

/// Which database, and who asks.
#[derive(clap::Args, Debug)]
pub struct DatabaseArguments {
    /// A SQLite file, made if need be, or postgres://user@host/database?sslmode=verify-full&sslrootcert=FILE.
    #[arg(long, value_name = "FILE|URL")]
    pub db: String,
    /// Who signs in, where the file has accounts. The password, also that of a server, is read from the environment
    /// variable PLUMB_PASSWORD.
    #[arg(long = "as", value_name = "NAME")]
    pub user: Option<String>,
}

impl DatabaseArguments {
    fn place(self) -> Place {
        Place { db: self.db, user: self.user, password: password() }
    }
}
