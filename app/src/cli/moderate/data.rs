//! Bringing data in and out: sandbox, import, export, verify, backup and restore.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use plumb_moderate::import::file::{self, Format};
use plumb_moderate::import::table::Columns;
use plumb_moderate::job::{ExportJob, FileImported, ImportJob, SandboxJob, WatchJob};
use plumb_moderate::store::Repository as _;
use plumb_moderate::{sandbox, store};
use serde_json::json;

use super::arguments::{ExportChoice, ExportFormatChoice, ReadArguments};
use super::{DatabaseArguments, answer, now, plain};
use crate::cli::progress::Progress;

/// Options of `sandbox`.
#[derive(Args, Debug)]
pub struct SandboxArguments {
    /// A database to fill; a second time changes nothing.
    #[arg(long, value_name = "FILE|URL", required_unless_present = "out")]
    pub db: Option<String>,
    /// A folder to write cases.jsonl, rules.json, team.json and votes.jsonl (every moderator on every case) into.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Seed of the votes.
    #[arg(long, default_value_t = sandbox::SEED)]
    pub seed: u64,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Fill a database or a folder with the practice community.
pub fn sandbox(arguments: SandboxArguments) -> Result<()> {
    let SandboxArguments { db, out, seed, json } = arguments;
    let progress = Progress::start(seed);
    let mut filled = None;
    if let Some(db) = db {
        let place = DatabaseArguments { db, user: None }.place();
        filled = Some(progress.run(SandboxJob { place, seed, now: now() })?);
    }
    progress.finish();
    if let Some(folder) = &out {
        std::fs::create_dir_all(folder)?;
        // A fixed clock: the same seed gives the same files.
        for (name, text) in sandbox::files(sandbox::CLOCK, seed).map_err(plain)? {
            plumb_core::atomic::write(&folder.join(name), text.as_bytes())?;
        }
    }
    let value = json!({
        "notice": sandbox::NOTICE,
        "seed": seed,
        "filled": filled,
        "folder": out,
    });
    answer(json, &value, || {
        let mut text = format!("{}\n", sandbox::NOTICE);
        if let Some(filled) = &filled {
            let _ = writeln!(
                text,
                "{} cases, {} of them wait; {} moderators.",
                filled.cases, filled.waiting, filled.moderators
            );
        }
        if let Some(folder) = &out {
            let _ = writeln!(text, "{}", folder.display());
        }
        text
    })
}

/// Options of `import`.
#[derive(Args, Debug)]
pub struct ImportArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    #[command(flatten)]
    pub read: ReadArguments,
    /// Only show what would be read; nothing is written.
    #[arg(long)]
    pub preview: bool,
    /// Watch a folder and import what is put into it, until Ctrl-C.
    #[arg(long, value_name = "DIR", conflicts_with = "preview")]
    pub watch: Option<PathBuf>,
    /// Stop watching after so many looks, two seconds apart.
    #[arg(long, value_name = "COUNT", requires = "watch")]
    pub looks: Option<u32>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// The files.
    #[arg(value_name = "FILE", required_unless_present = "watch")]
    pub files: Vec<PathBuf>,
}

/// Import files, or show what importing would find.
pub fn import(arguments: ImportArguments) -> Result<()> {
    let ImportArguments { database, read, preview, watch, looks, json, files } = arguments;
    let format = Format::from(read.format);
    let guessed = || {
        let first = files.first().and_then(|path| file::preview(path, format, None, 0).ok());
        first.and_then(|found| found.columns).unwrap_or_else(Columns::own)
    };
    let columns = read.columns(guessed)?;
    if preview {
        let found = files.iter().map(|path| file::preview(path, format, columns.as_ref(), 5));
        let found = found.collect::<Result<Vec<_>, _>>().map_err(plain)?;
        return answer(json, &found, || {
            let line = |(found, path): (&file::Preview, &PathBuf)| {
                let problem = found.problem.as_ref().map(|why| format!("\n  {why}")).unwrap_or_default();
                let columns = found.columns.as_ref().map(|c| {
                    format!(
                        "\n  case: {}, moderator: {}, text: {}, verdict: {}",
                        c.case, c.moderator, c.text, c.verdict
                    )
                });
                format!(
                    "{}: {:?}, {} cases, {} votes, {} moderators, {} bad rows{}{problem}\n",
                    path.display(),
                    found.format,
                    found.cases,
                    found.votes,
                    found.moderators,
                    found.bad_rows,
                    columns.unwrap_or_default()
                )
            };
            found.iter().zip(&files).map(line).collect()
        });
    }
    let (place, now) = (database.place(), now());
    let progress = Progress::start(0);
    let mut done = Vec::new();
    if !files.is_empty() {
        done = progress.run(ImportJob { place: place.clone(), files, format, columns: columns.clone(), now })?;
    }
    if let Some(folder) = watch {
        done.extend(progress.run(WatchJob { place, folder, format, columns, pause: 2.0, looks, now })?);
    }
    progress.finish();
    answer(json, &done, || done.iter().map(imported).collect())
}

fn imported(done: &FileImported) -> String {
    let mut text = format!(
        "{}: {} new cases, {} new decisions, {} new reports, {} rows left out\n",
        done.file.display(),
        done.summary.cases,
        done.summary.decisions,
        done.summary.reports,
        done.bad.len() + done.summary.refused.len()
    );
    for row in done.bad.iter().chain(&done.summary.refused) {
        let _ = writeln!(text, "  line {}: {}", row.line, row.reason);
    }
    text
}

/// Options of `export`.
#[derive(Args, Debug)]
pub struct ExportArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    /// What.
    #[arg(value_enum)]
    pub what: ExportChoice,
    /// How.
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormatChoice,
    /// The file to write; an old one is replaced when the new one is complete.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Write a table.
pub fn export(arguments: ExportArguments) -> Result<()> {
    let ExportArguments { database, what, format, out, json } = arguments;
    existing(&database)?;
    let progress = Progress::start(0);
    let job =
        ExportJob { place: database.place(), what: what.into(), format: format.into(), out: out.clone(), now: now() };
    let rows = progress.run(job)?;
    progress.finish();
    answer(json, &json!({ "file": out, "rows": rows }), || format!("{}: {rows} rows\n", out.display()))
}

/// A command that reads must not make an empty database by a misspelt name.
pub(super) fn existing(database: &DatabaseArguments) -> Result<()> {
    if !database.db.contains("://") && !Path::new(&database.db).is_file() {
        bail!("{}: there is no such file; import something into it first", database.db);
    }
    Ok(())
}

/// Options of `verify`.
#[derive(Args, Debug)]
pub struct VerifyArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Check the log.
pub fn verify(arguments: VerifyArguments) -> Result<()> {
    let VerifyArguments { database, json } = arguments;
    existing(&database)?;
    let mut desk = database.place().open(now()).map_err(plain)?;
    let found = desk.verify().map_err(plain)?;
    let value =
        json!({ "intact": true, "events": found.head.seq, "hash": found.head.hash, "snapshot": found.snapshot });
    answer(json, &value, || format!("{} events, intact; the last hash is {}\n", found.head.seq, found.head.hash))
}

/// Options of `backup`.
#[derive(Args, Debug)]
pub struct BackupArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Copy the database.
pub fn backup(arguments: BackupArguments) -> Result<()> {
    let BackupArguments { database, out, json } = arguments;
    existing(&database)?;
    let mut desk = database.place().open(now()).map_err(plain)?;
    desk.repository().backup(&out).map_err(plain)?;
    answer(json, &json!({ "file": out, "events": desk.head().seq }), || {
        format!("{}: {} events\n", out.display(), desk.head().seq)
    })
}

/// Options of `restore`.
#[derive(Args, Debug)]
pub struct RestoreArguments {
    /// The backup.
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// The database to bring it into; it must be empty.
    #[arg(long, value_name = "FILE|URL")]
    pub db: String,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// Bring a backup into a new database.
pub fn restore(arguments: RestoreArguments) -> Result<()> {
    let RestoreArguments { from, db, json } = arguments;
    if Path::new(&db).exists() {
        bail!("{db}: the file exists; choose a new name, so that nothing is lost by mistake");
    }
    if !from.is_file() {
        bail!("{}: there is no such file", from.display());
    }
    let mut repository = store::connect(&db, super::password().as_deref()).map_err(plain)?;
    repository.restore(&from).map_err(plain)?;
    let head = repository.head().map_err(plain)?;
    answer(json, &json!({ "db": db, "events": head.seq }), || format!("{db}: {} events\n", head.seq))
}
