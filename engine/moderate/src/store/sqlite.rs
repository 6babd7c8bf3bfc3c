//! The log in one SQLite file (write-ahead log, full sync): no server, safe against a crash at any moment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use super::{Appended, Repository};
use crate::Error;
use crate::audit::{Entry, Head};

/// Steps from one format of the file to the next, oldest first. Never changed, only added to.
const MIGRATIONS: [&str; 2] =
    [include_str!("../../migrations/0001_log.sql"), include_str!("../../migrations/0002_models.sql")];

/// Marks the file as this program's (“PLMB”).
const APPLICATION: i64 = 0x504C_4D42;

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// A log in a file.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
}

impl Sqlite {
    /// Open the file, or make it, and bring it to the newest format.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| failed(path, &error))?;
        let mut this = Self { connection, path: path.to_owned() };
        this.connection.busy_timeout(PATIENCE).map_err(|error| failed(path, &error))?;
        this.migrate()?;
        Ok(this)
    }

    /// Bring back a copy made by [`Repository::backup`]: `to` must not exist, so nothing is lost by mistake.
    pub fn restore(from: &Path, to: &Path) -> Result<Self, Error> {
        if !from.is_file() {
            return Err(Error::Store { place: from.display().to_string(), why: "there is no such file".to_owned() });
        }
        Self::create(from)?.backup(to)?;
        Self::create(to)
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
        let result = (|| {
            let migration = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let from: i64 = migration.pragma_query_value(None, "user_version", |row| row.get(0))?;
            for step in MIGRATIONS.iter().skip(from.max(0) as usize) {
                migration.execute_batch(step)?;
            }
            migration.pragma_update(None, "application_id", APPLICATION)?;
            migration.pragma_update(None, "user_version", known.max(from))?;
            migration.commit()
        })();
        self.ask(result)
    }
}

impl Repository for Sqlite {
    fn head(&mut self) -> Result<Head, Error> {
        let last = self.ask(last(&self.connection))?;
        Ok(last.unwrap_or_default())
    }

    fn append(&mut self, after: &Head, entries: &[Entry]) -> Result<Appended, Error> {
        let result = (|| {
            let append = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if last(&append)?.unwrap_or_default() != *after {
                return Ok(Appended::Moved);
            }
            {
                let mut insert = append.prepare("INSERT INTO entry (seq, text, hash) VALUES (?1, ?2, ?3)")?;
                for entry in entries {
                    insert.execute(params![entry.seq as i64, entry.text, entry.hash])?;
                }
            }
            append.commit()?;
            Ok(Appended::Done)
        })();
        self.ask(result)
    }

    fn read(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        let result = (|| {
            let mut select =
                self.connection.prepare("SELECT seq, text, hash FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
            let rows = select.query_map(params![after as i64, limit as i64], |row| {
                Ok(Entry { seq: row.get::<_, i64>(0)? as u64, text: row.get(1)?, hash: row.get(2)? })
            })?;
            rows.collect()
        })();
        self.ask(result)
    }

    fn put_model(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let put =
            "INSERT INTO model (name, bytes) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes";
        self.ask(self.connection.execute(put, params![name, bytes])).map(|_| ())
    }

    fn model(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let get = "SELECT bytes FROM model WHERE name = ?1";
        self.ask(self.connection.query_row(get, params![name], |row| row.get(0)).optional())
    }

    fn backup(&mut self, to: &Path) -> Result<(), Error> {
        if to.exists() {
            return Err(Error::Store {
                place: to.display().to_string(),
                why: "the file exists; choose a new name".to_owned(),
            });
        }
        let result = (|| {
            let mut copy = Connection::open(to)?;
            rusqlite::backup::Backup::new(&self.connection, &mut copy)?.run_to_completion(1000, Duration::ZERO, None)
        })();
        result.map_err(|error| failed(to, &error))
    }
}

fn last(connection: &Connection) -> rusqlite::Result<Option<Head>> {
    let newest = "SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1";
    let head = |row: &rusqlite::Row<'_>| Ok(Head { seq: row.get::<_, i64>(0)? as u64, hash: row.get(1)? });
    connection.query_row(newest, [], head).optional()
}

fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    let why = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program is writing to it; try again in a moment. Nothing was changed".to_owned()
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "it is read-only for you; change its permissions or choose another file. Nothing was changed".to_owned()
        }
        Some(ErrorCode::DiskFull) => "the disk is full; free some space. Nothing was changed".to_owned(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "it is damaged or no database; restore a backup".to_owned()
        }
        Some(ErrorCode::CannotOpen) => "it cannot be opened; check that its folder exists and is yours".to_owned(),
        _ => error.to_string(),
    };
    Error::Store { place: path.display().to_string(), why }
}
