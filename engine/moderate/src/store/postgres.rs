//! The log on a PostgreSQL server, for teams on several machines. Every moderator has a database role of their own, and
//! the server decides what it reads: the rules are in `migrations/postgres`.
//!
//! What the server cannot hide from a role: how many rows a table has had inserted in all, which PostgreSQL's own
//! statistics tell everybody. The owner of the database, who makes the backups, can read everything.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres::types::ToSql;
use postgres::{IsolationLevel, Row};

use super::{Appended, Batch, Everything, Repository};
use crate::Error;
use crate::account::{Account, Identity};
use crate::audit::{Entry, Head};
use crate::ballot::{Cast, Sealed};
use crate::model::{CaseId, PanelId, Time};
use crate::snapshot::Snapshot;
use crate::state::{CaseState, PanelState, State};

mod link;
mod members;
mod migrate;
mod tls;

use link::Link;

/// Rows sent at a time when a database is filled.
const CHUNK: usize = 10_000;

/// A log on a server.
#[derive(Debug)]
pub struct Postgres {
    link: Link,
}

impl Postgres {
    /// Connect to `address`, `postgres://name:password@host/database?sslmode=verify-full` or key=value pairs. The owner's first connection
    /// makes what is missing and brings it to the newest format; for others it must be there.
    pub fn connect(address: &str) -> Result<Self, Error> {
        Self::connect_with(address, None)
    }

    /// The same with the password beside the address, where no list of processes shows it. One in the address counts more.
    pub fn connect_with(address: &str, password: Option<&str>) -> Result<Self, Error> {
        let mut link = Link::new(address, password)?;
        migrate::migrate(&mut link)?;
        Ok(Self { link })
    }

    fn standing(&mut self) -> Result<Option<String>, Error> {
        self.link.one("SELECT plumb.standing()", &[], |row| row.get(0))
    }

    fn owner(&mut self, what: &str) -> Result<(), Error> {
        if self.standing()?.as_deref() == Some("owner") {
            return Ok(());
        }
        Err(self.link.store(format!("only the owner of the database may {what}: others do not see all of it")))
    }
}

fn entry(row: &Row) -> Entry {
    Entry { seq: row.get::<_, i64>(0) as u64, text: row.get(1), hash: row.get(2) }
}

/// Columns: panel, moderator, ballot, key, digest, cast_at.
fn sealed(place: &Link, row: &Row) -> Result<Sealed, Error> {
    let ballot = serde_json::from_str(row.get(2))
        .map_err(|error| place.store(format!("the vote of “{}” is damaged ({error})", row.get::<_, &str>(1))))?;
    Ok(Sealed { panel: row.get(0), moderator: row.get(1), ballot, key: row.get(3), digest: row.get(4), at: row.get(5) })
}

fn head(row: &Row) -> Head {
    Head { seq: row.get::<_, i64>(0) as u64, hash: row.get(1) }
}

const PUT_PRIVATE: &str = "INSERT INTO plumb.prediction (case_id, text) SELECT * FROM unnest($1::text[], $2::text[]) \
    ON CONFLICT (case_id) DO UPDATE SET text = excluded.text";
const BALLOTS: &str = "SELECT panel, moderator, ballot, key, digest, cast_at FROM plumb.ballot";

impl Repository for Postgres {
    fn head(&mut self) -> Result<Head, Error> {
        self.link.one("SELECT seq, hash FROM plumb.head", &[], head)
    }

    fn append(&mut self, after: &Head, batch: &Batch) -> Result<Appended, Error> {
        let texts: Vec<&str> = batch.entries.iter().map(|entry| entry.text.as_str()).collect();
        let hashes: Vec<&str> = batch.entries.iter().map(|entry| entry.hash.as_str()).collect();
        // A case may be scored twice in one batch: the last one counts, and SQL wants each once.
        let private: BTreeMap<&String, &String> = batch.private.iter().map(|(case, text)| (case, text)).collect();
        let (cases, predictions): (Vec<_>, Vec<_>) = private.into_iter().unzip();
        let done = self.link.write(|transaction| {
            let seq = after.seq as i64;
            let parameters: [&(dyn ToSql + Sync); 4] = [&seq, &after.hash, &texts, &hashes];
            let done: bool = transaction.query_one("SELECT plumb.append($1, $2, $3, $4)", &parameters)?.get(0);
            if done && !cases.is_empty() {
                transaction.execute(PUT_PRIVATE, &[&cases, &predictions])?;
            }
            Ok(done)
        })?;
        Ok(if done { Appended::Done } else { Appended::Moved })
    }

    fn read(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        let query = "SELECT seq, text, hash FROM plumb.entry WHERE seq > $1 ORDER BY seq LIMIT $2";
        self.link.rows(query, &[&(after as i64), &(limit as i64)], entry)
    }

    /// The server looks at the panel itself, so a log that moved elsewhere does not matter.
    fn cast(&mut self, _after: &Head, panel: &PanelState, ballot: &Sealed) -> Result<Cast, Error> {
        let text = serde_json::to_string(&ballot.ballot).map_err(|error| Error::refused(error.to_string()))?;
        let Sealed { key, digest, at, .. } = ballot;
        let parameters: [&(dyn ToSql + Sync); 5] = [&panel.id, &text, key, digest, at];
        let said: String = self.link.sent("SELECT plumb.vote($1, $2, $3, $4, $5)", &parameters, |row| row.get(0))?;
        Ok(match said.as_str() {
            "kept" => Cast::Kept,
            "last" => Cast::Last,
            "repeated" => Cast::Repeated,
            "taken" => Cast::Taken,
            _ => Cast::Moved,
        })
    }

    fn ballot(&mut self, panel: &str, moderator: &str) -> Result<Option<Sealed>, Error> {
        let query = "SELECT panel, moderator, ballot, key, digest, cast_at FROM plumb.ballot WHERE panel = $1 AND moderator = $2";
        let found = self.link.query(query, &[&panel, &moderator])?;
        found.first().map(|row| sealed(&self.link, row)).transpose()
    }

    fn voted(&mut self, panel: &str, moderator: &str) -> Result<bool, Error> {
        let voted: Option<bool> =
            self.link.one("SELECT plumb.voted($1, $2)", &[&panel, &moderator], |row| row.get(0))?;
        voted.ok_or_else(|| Error::refused("whether others have voted is hidden from you"))
    }

    fn progress(&mut self, panel: &PanelState) -> Result<Option<usize>, Error> {
        let voted: Option<i64> = self.link.one("SELECT plumb.progress($1)", &[&panel.id], |row| row.get(0))?;
        Ok(voted.map(|voted| voted as usize))
    }

    /// By the server's clock.
    fn ready(&mut self, panels: &[&PanelState], _now: Time) -> Result<Vec<PanelId>, Error> {
        let ids: Vec<&str> = panels.iter().map(|panel| panel.id.as_str()).collect();
        self.link.rows("SELECT id FROM unnest($1::text[]) AS id WHERE plumb.ready(id)", &[&ids], |row| row.get(0))
    }

    fn ballots(&mut self, panel: &str) -> Result<Vec<Sealed>, Error> {
        let query =
            "SELECT panel, moderator, ballot, key, digest, cast_at FROM plumb.ballot WHERE panel = $1 ORDER BY nr";
        let rows = self.link.query(query, &[&panel])?;
        rows.iter().map(|row| sealed(&self.link, row)).collect()
    }

    fn private(&mut self, case: &str) -> Result<Option<String>, Error> {
        let query = "SELECT text FROM plumb.prediction WHERE case_id = $1";
        Ok(self.link.rows(query, &[&case], |row| row.get(0))?.pop())
    }

    fn expected(&mut self, cases: &[&CaseState]) -> Result<BTreeMap<CaseId, f64>, Error> {
        let ids: Vec<&str> = cases.iter().map(|case| case.case.id.as_str()).collect();
        let rows = self.link.query("SELECT id, expected FROM plumb.expected($1)", &[&ids])?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    fn put_model(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let put = "INSERT INTO plumb.model (name, bytes) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes";
        self.link.write(|transaction| transaction.execute(put, &[&name, &bytes])).map(|_| ())
    }

    fn model(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.link.rows("SELECT bytes FROM plumb.model WHERE name = $1", &[&name], |row| row.get(0))?.pop())
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, Error> {
        let query = "SELECT seq, hash, version, digest, bytes FROM plumb.snapshot";
        let read = |row: &Row| Snapshot {
            version: row.get::<_, i32>(2) as u32,
            head: head(row),
            digest: row.get(3),
            bytes: row.get(4),
        };
        Ok(self.link.rows(query, &[], read)?.pop())
    }

    fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let Snapshot { version, head, digest, bytes } = snapshot;
        let put = "INSERT INTO plumb.snapshot (version, seq, hash, digest, bytes) VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (only_one) DO UPDATE SET version = $1, seq = $2, hash = $3, digest = $4, bytes = $5";
        let (version, seq) = (*version as i32, head.seq as i64);
        self.link
            .write(|transaction| transaction.execute(put, &[&version, &seq, &head.hash, digest, bytes]))
            .map(|_| ())
    }

    fn identity(&mut self) -> Result<Option<Identity>, Error> {
        let Some(standing) = self.standing()? else {
            return Err(Error::SignIn("you are not on the team of this database; ask who leads it".to_owned()));
        };
        let name = self.link.one("SELECT session_user::text", &[], |row| row.get(0))?;
        Ok(Some(Identity { name, lead: standing != "moderator" }))
    }

    fn account(&mut self, _name: &str) -> Result<Option<Account>, Error> {
        Ok(None)
    }

    fn no_accounts(&mut self) -> Result<bool, Error> {
        Ok(false)
    }

    fn put_account(&mut self, _account: &Account) -> Result<(), Error> {
        Err(self.link.store("the server keeps the passwords here: its owner adds members".to_owned()))
    }

    fn admit(&mut self, name: &str, password: &str, lead: bool) -> Result<(), Error> {
        self.set_member(name, password, lead)
    }

    fn wait(&mut self, patience: Duration) -> Result<bool, Error> {
        self.link.wait(patience)
    }

    fn everything(&mut self) -> Result<Everything, Error> {
        self.owner("copy everything")?;
        let (entries, ballots, private, models) =
            self.link.transaction(Some(IsolationLevel::RepeatableRead), |all| {
                Ok((
                    all.query("SELECT seq, text, hash FROM plumb.entry ORDER BY seq", &[])?,
                    all.query(&format!("{BALLOTS} ORDER BY nr"), &[])?,
                    all.query("SELECT case_id, text FROM plumb.prediction ORDER BY case_id", &[])?,
                    all.query("SELECT name, bytes FROM plumb.model ORDER BY name", &[])?,
                ))
            })?;
        Ok(Everything {
            entries: entries.iter().map(entry).collect(),
            ballots: ballots.iter().map(|row| sealed(&self.link, row)).collect::<Result<_, _>>()?,
            private: private.iter().map(|row| (row.get(0), row.get(1))).collect(),
            models: models.iter().map(|row| (row.get(0), row.get(1))).collect(),
            accounts: Vec::new(),
        })
    }

    fn fill(&mut self, all: &Everything, state: &State) -> Result<(), Error> {
        self.owner("fill it")?;
        if self.head()? != Head::default() {
            return Err(Error::not_empty(&self.link.place));
        }
        let (seq, hash) =
            all.entries.last().map_or((0, Head::default().hash), |last| (last.seq as i64, last.hash.clone()));
        self.link.write(|fill| {
            for chunk in all.entries.chunks(CHUNK) {
                let seqs: Vec<i64> = chunk.iter().map(|entry| entry.seq as i64).collect();
                let texts: Vec<&str> = chunk.iter().map(|entry| entry.text.as_str()).collect();
                let hashes: Vec<&str> = chunk.iter().map(|entry| entry.hash.as_str()).collect();
                let insert = "INSERT INTO plumb.entry (seq, text, hash) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])";
                fill.execute(insert, &[&seqs, &texts, &hashes])?;
            }
            fill.execute("UPDATE plumb.head SET seq = $1, hash = $2", &[&seq, &hash])?;
            fill.execute("UPDATE plumb.policy SET show_progress = $1", &[&state.policy.show_progress])?;
            let insert = fill.prepare("INSERT INTO plumb.panel (id, members, shadow, deadline, hidden) VALUES ($1, $2, $3, $4, $5)")?;
            for panel in state.panels.values() {
                fill.execute(&insert, &[&panel.id, &panel.members, &panel.shadow, &panel.deadline, &panel.hidden])?;
            }
            let insert = fill.prepare(
                "INSERT INTO plumb.ballot (panel, moderator, ballot, key, digest, cast_at) VALUES ($1, $2, $3, $4, $5, $6)",
            )?;
            for Sealed { panel, moderator, ballot, key, digest, at } in &all.ballots {
                let text = serde_json::to_string(ballot).unwrap_or_default();
                fill.execute(&insert, &[panel, moderator, &text, key, digest, at])?;
            }
            let (cases, texts): (Vec<_>, Vec<_>) = all.private.iter().map(|(case, text)| (case, text)).unzip();
            fill.execute(PUT_PRIVATE, &[&cases, &texts])?;
            let over: Vec<&str> =
                state.cases.values().filter(|case| case.over()).map(|case| case.case.id.as_str()).collect();
            fill.execute("UPDATE plumb.prediction SET over = true WHERE case_id = ANY ($1)", &[&over])?;
            for (name, bytes) in &all.models {
                fill.execute("INSERT INTO plumb.model (name, bytes) VALUES ($1, $2)", &[name, bytes])?;
            }
            Ok(())
        })
    }
}
