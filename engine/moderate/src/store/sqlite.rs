//! The log in one SQLite file (write-ahead log, full sync): no server, safe against a crash at any moment.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension as _, Row, Transaction, TransactionBehavior, params,
};

use super::{Appended, Batch, Everything, Repository, seats_voted};
use crate::Error;
use crate::account::{Account, Identity};
use crate::audit::{Entry, Head};
use crate::ballot::{Cast, Sealed};
use crate::model::{PanelId, Time};
use crate::snapshot::Snapshot;
use crate::state::{PanelState, State};

/// Steps from one format of the file to the next, oldest first. Never changed, only added to.
const MIGRATIONS: [&str; 5] = [
    include_str!("../../migrations/sqlite/0001_log.sql"),
    include_str!("../../migrations/sqlite/0002_models.sql"),
    include_str!("../../migrations/sqlite/0003_sealed.sql"),
    include_str!("../../migrations/sqlite/0004_snapshot.sql"),
    include_str!("../../migrations/sqlite/0005_account.sql"),
];

/// Marks the file as this program's (“PLMB”).
const APPLICATION: i64 = 0x504C_4D42;

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(5);

const READ_ONLY: &str = "it is read-only for you; change its permissions or choose another file. Nothing was changed";

/// How often to look whether another process wrote.
const GLANCE: Duration = Duration::from_millis(50);

/// A log in a file.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
    /// SQLite's count of changes by others, as last seen.
    seen: i64,
}

impl Sqlite {
    /// Open the file, or make it, and bring it to the newest format.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| failed(path, &error))?;
        // SQLite opens a file it may not write as one to be read, and says so only when it is written to.
        if connection.is_readonly("main").map_err(|error| failed(path, &error))? {
            return Err(Error::Store { place: path.display().to_string(), why: READ_ONLY.to_owned() });
        }
        let mut this = Self { connection, path: path.to_owned(), seen: 0 };
        this.connection.busy_timeout(PATIENCE).map_err(|error| failed(path, &error))?;
        this.migrate()?;
        this.seen = this.number("data_version")?;
        Ok(this)
    }

    /// Open a file that must be there.
    pub fn existing(path: &Path) -> Result<Self, Error> {
        if path.is_file() {
            Self::create(path)
        } else {
            Err(Error::Store { place: path.display().to_string(), why: "there is no such file".to_owned() })
        }
    }

    fn ask<T>(&self, result: rusqlite::Result<T>) -> Result<T, Error> {
        result.map_err(|error| failed(&self.path, &error))
    }

    fn number(&self, pragma: &str) -> Result<i64, Error> {
        self.ask(self.connection.pragma_query_value(None, pragma, |row| row.get(0)))
    }

    fn migrate(&mut self) -> Result<(), Error> {
        let known = MIGRATIONS.len() as i64;
        let found = self.number("user_version")?;
        if found > known {
            return Err(Error::Newer { place: self.path.display().to_string(), found, known });
        }
        let application = self.number("application_id")?;
        let tables: i64 =
            self.ask(self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)))?;
        if application != APPLICATION && (application != 0 || tables > 0) {
            let why = "it is a database of another program; choose another file. Nothing was changed".to_owned();
            return Err(Error::Store { place: self.path.display().to_string(), why });
        }
        self.ask(self.connection.pragma_update(None, "journal_mode", "wal"))?;
        self.ask(self.connection.pragma_update(None, "synchronous", "full"))?;
        if found == known {
            return Ok(());
        }
        // One transaction: a crash leaves the old format or the new one. The version is read again inside it,
        // because another process may have migrated in between.
        self.write(|migration| {
            let from: i64 = migration.pragma_query_value(None, "user_version", |row| row.get(0))?;
            for step in MIGRATIONS.iter().skip(from.max(0) as usize) {
                migration.execute_batch(step)?;
            }
            migration.pragma_update(None, "application_id", APPLICATION)?;
            migration.pragma_update(None, "user_version", known.max(from))?;
            Ok(())
        })
    }

    /// Write in one transaction; nothing is written when `work` fails.
    fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, Error> {
        let result = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        self.ask(result)
    }

    fn rows<T>(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let found = self
            .connection
            .prepare(query)
            .and_then(|mut select| select.query_map(parameters, read)?.collect::<rusqlite::Result<Vec<T>>>());
        self.ask(found)
    }

    fn row<T>(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        self.ask(self.connection.query_row(query, parameters, read).optional())
    }

    fn seats(&self, panel: &PanelState) -> Result<usize, Error> {
        let voted: Vec<String> =
            self.rows("SELECT moderator FROM ballot WHERE panel = ?1", [&panel.id], |row| row.get(0))?;
        Ok(seats_voted(panel, |member| voted.iter().any(|other| other == member)))
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry { seq: row.get::<_, i64>(0)? as u64, text: row.get(1)?, hash: row.get(2)? })
}

fn from_json<T: serde::de::DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<T> {
    let text: String = row.get(0)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into()))
}

fn to_json(ballot: &Sealed) -> rusqlite::Result<String> {
    serde_json::to_string(ballot).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        name: row.get(0)?,
        secret: row.get(1)?,
        lead: row.get(2)?,
        failures: row.get(3)?,
        failed_at: row.get(4)?,
    })
}

fn has_ballot(connection: &Connection, panel: &str, moderator: &str) -> rusqlite::Result<Option<Sealed>> {
    let query = "SELECT text FROM ballot WHERE panel = ?1 AND moderator = ?2";
    connection.query_row(query, [panel, moderator], from_json).optional()
}

fn insert_entries(transaction: &Transaction<'_>, entries: &[Entry]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare("INSERT INTO entry (seq, text, hash) VALUES (?1, ?2, ?3)")?;
    for entry in entries {
        insert.execute(params![entry.seq as i64, entry.text, entry.hash])?;
    }
    Ok(())
}

fn insert_ballot(transaction: &Transaction<'_>, ballot: &Sealed) -> rusqlite::Result<usize> {
    let insert = "INSERT INTO ballot (panel, moderator, text) VALUES (?1, ?2, ?3)";
    transaction.execute(insert, params![ballot.panel, ballot.moderator, to_json(ballot)?])
}

const PUT_PRIVATE: &str =
    "INSERT INTO prediction (case_id, text) VALUES (?1, ?2) ON CONFLICT (case_id) DO UPDATE SET text = excluded.text";
const PUT_MODEL: &str =
    "INSERT INTO model (name, bytes) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes";
const PUT_ACCOUNT: &str =
    "INSERT OR REPLACE INTO account (name, secret, lead, failures, failed_at) VALUES (?1, ?2, ?3, ?4, ?5)";

fn put_account(connection: &Connection, account: &Account) -> rusqlite::Result<usize> {
    let Account { name, secret, lead, failures, failed_at } = account;
    connection.execute(PUT_ACCOUNT, params![name, secret, lead, failures, failed_at])
}

impl Repository for Sqlite {
    fn head(&mut self) -> Result<Head, Error> {
        let last = self.ask(last(&self.connection))?;
        Ok(last.unwrap_or_default())
    }

    fn append(&mut self, after: &Head, batch: &Batch) -> Result<Appended, Error> {
        self.write(|append| {
            if last(append)?.unwrap_or_default() != *after {
                return Ok(Appended::Moved);
            }
            for (panel, moderator) in &batch.vacated {
                if has_ballot(append, panel, moderator)?.is_some() {
                    return Ok(Appended::Moved);
                }
            }
            insert_entries(append, &batch.entries)?;
            for (case, text) in &batch.private {
                append.execute(PUT_PRIVATE, [case, text])?;
            }
            Ok(Appended::Done)
        })
    }

    fn read(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        let query = "SELECT seq, text, hash FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        self.rows(query, params![after as i64, limit as i64], entry)
    }

    fn cast(&mut self, after: &Head, panel: &PanelState, ballot: &Sealed) -> Result<Cast, Error> {
        let cast = self.write(|cast| {
            if last(cast)?.unwrap_or_default() != *after {
                return Ok(Cast::Moved);
            }
            if let Some(known) = has_ballot(cast, &ballot.panel, &ballot.moderator)? {
                return Ok(known.again(ballot));
            }
            insert_ballot(cast, ballot)?;
            Ok(Cast::Kept)
        })?;
        let last = cast == Cast::Kept && self.seats(panel)? == panel.members.len();
        Ok(if last { Cast::Last } else { cast })
    }

    fn ballot(&mut self, panel: &str, moderator: &str) -> Result<Option<Sealed>, Error> {
        self.ask(has_ballot(&self.connection, panel, moderator))
    }

    fn voted(&mut self, panel: &str, moderator: &str) -> Result<bool, Error> {
        Ok(self.ballot(panel, moderator)?.is_some())
    }

    fn progress(&mut self, panel: &PanelState) -> Result<Option<usize>, Error> {
        self.seats(panel).map(Some)
    }

    fn ready(&mut self, panels: &[&PanelState], now: Time) -> Result<Vec<PanelId>, Error> {
        let mut ready = Vec::new();
        for panel in panels {
            if panel.deadline <= now || self.seats(panel)? == panel.members.len() {
                ready.push(panel.id.clone());
            }
        }
        Ok(ready)
    }

    fn ballots(&mut self, panel: &str) -> Result<Vec<Sealed>, Error> {
        self.rows("SELECT text FROM ballot WHERE panel = ?1 ORDER BY nr", [panel], from_json)
    }

    fn private(&mut self, case: &str) -> Result<Option<String>, Error> {
        self.row("SELECT text FROM prediction WHERE case_id = ?1", [case], |row| row.get(0))
    }

    fn put_model(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.write(|put| put.execute(PUT_MODEL, params![name, bytes]).map(|_| ()))
    }

    fn model(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.row("SELECT bytes FROM model WHERE name = ?1", [name], |row| row.get(0))
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, Error> {
        self.row("SELECT version, seq, hash, digest, bytes FROM snapshot", [], |row| {
            let head = Head { seq: row.get::<_, i64>(1)? as u64, hash: row.get(2)? };
            Ok(Snapshot { version: row.get(0)?, head, digest: row.get(3)?, bytes: row.get(4)? })
        })
    }

    fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let Snapshot { version, head, digest, bytes } = snapshot;
        let put = "INSERT OR REPLACE INTO snapshot (only_one, version, seq, hash, digest, bytes) VALUES (1, ?1, ?2, ?3, ?4, ?5)";
        self.write(|write| write.execute(put, params![version, head.seq as i64, head.hash, digest, bytes]).map(|_| ()))
    }

    fn identity(&mut self) -> Result<Option<Identity>, Error> {
        Ok(None)
    }

    fn account(&mut self, name: &str) -> Result<Option<Account>, Error> {
        self.row("SELECT name, secret, lead, failures, failed_at FROM account WHERE name = ?1", [name], account)
    }

    fn no_accounts(&mut self) -> Result<bool, Error> {
        Ok(self.row("SELECT 1 FROM account LIMIT 1", [], |_| Ok(()))?.is_none())
    }

    fn put_account(&mut self, account: &Account) -> Result<(), Error> {
        self.write(|put| put_account(put, account).map(|_| ()))
    }

    fn wait(&mut self, patience: Duration) -> Result<bool, Error> {
        let start = Instant::now();
        loop {
            let now = self.number("data_version")?;
            if now != self.seen {
                self.seen = now;
                return Ok(true);
            }
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            std::thread::sleep(GLANCE.min(left));
        }
    }

    fn everything(&mut self) -> Result<Everything, Error> {
        Ok(Everything {
            entries: self.read(0, i64::MAX as usize)?,
            ballots: self.rows("SELECT text FROM ballot ORDER BY nr", [], from_json)?,
            private: self.rows("SELECT case_id, text FROM prediction ORDER BY case_id", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?,
            models: self
                .rows("SELECT name, bytes FROM model ORDER BY name", [], |row| Ok((row.get(0)?, row.get(1)?)))?,
            accounts: self.rows(
                "SELECT name, secret, lead, failures, failed_at FROM account ORDER BY name",
                [],
                account,
            )?,
        })
    }

    fn fill(&mut self, all: &Everything, _state: &State) -> Result<(), Error> {
        if self.head()? != Head::default() {
            return Err(Error::not_empty(&self.path.display().to_string()));
        }
        self.write(|fill| {
            insert_entries(fill, &all.entries)?;
            for ballot in &all.ballots {
                insert_ballot(fill, ballot)?;
            }
            for (case, text) in &all.private {
                fill.execute(PUT_PRIVATE, [case, text])?;
            }
            for (name, bytes) in &all.models {
                fill.execute(PUT_MODEL, params![name, bytes])?;
            }
            for account in &all.accounts {
                put_account(fill, account)?;
            }
            Ok(())
        })
    }

    /// SQLite copies page by page while others write.
    fn backup(&mut self, to: &Path) -> Result<(), Error> {
        new_file(to)?;
        let result = (|| {
            let mut copy = Connection::open(to)?;
            rusqlite::backup::Backup::new(&self.connection, &mut copy)?.run_to_completion(1000, Duration::ZERO, None)
        })();
        result.map_err(|error| abandon(to, failed(to, &error)))
    }
}

fn new_file(to: &Path) -> Result<(), Error> {
    if to.exists() {
        let why = "the file exists; choose a new name".to_owned();
        return Err(Error::Store { place: to.display().to_string(), why });
    }
    Ok(())
}

/// Remove what a failed copy left.
fn abandon(to: &Path, error: Error) -> Error {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = to.as_os_str().to_owned();
        name.push(suffix);
        // It may never have been made.
        let _ = std::fs::remove_file(name);
    }
    error
}

/// A new file with `all` in it.
pub(super) fn fill_new(to: &Path, all: &Everything, state: &State) -> Result<(), Error> {
    new_file(to)?;
    Sqlite::create(to).and_then(|mut file| file.fill(all, state)).map_err(|error| abandon(to, error))
}

fn last(connection: &Connection) -> rusqlite::Result<Option<Head>> {
    let newest = "SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1";
    let head = |row: &Row<'_>| Ok(Head { seq: row.get::<_, i64>(0)? as u64, hash: row.get(1)? });
    connection.query_row(newest, [], head).optional()
}

fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    let why = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program is writing to it; try again in a moment. Nothing was changed".to_owned()
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => READ_ONLY.to_owned(),
        Some(ErrorCode::DiskFull) => "the disk is full; free some space. Nothing was changed".to_owned(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "it is damaged or no database; restore a backup".to_owned()
        }
        Some(ErrorCode::CannotOpen) => "it cannot be opened; check that its folder exists and is yours".to_owned(),
        _ => error.to_string(),
    };
    Error::Store { place: path.display().to_string(), why }
}
