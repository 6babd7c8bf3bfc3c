//! A database by its name, whatever its kind.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{Appended, Batch, Cast, Everything, Postgres, Repository, Snapshot, Sqlite};
use crate::Error;
use crate::account::{self, Account, Identity};
use crate::audit::{Entry, Head};
use crate::ballot::Sealed;
use crate::desk::Desk;
use crate::model::{CaseId, PanelId, Time};
use crate::state::{CaseState, PanelState, State};

/// Open the database called `name` as somebody who leads the team: a SQLite file, made if need be, or `postgres://…`.
/// Where the database has accounts of its own, `user` must have one that leads.
pub fn open(
    name: &str,
    user: Option<&str>,
    password: Option<&str>,
    now: Time,
) -> Result<Desk<Box<dyn Repository>>, Error> {
    let mut repository = connect(name, password)?;
    match repository.identity()? {
        Some(who) if who.lead => {}
        Some(who) => {
            return Err(Error::SignIn(format!(
                "“{}” does not lead the team; only those who lead may do this",
                who.name
            )));
        }
        None if repository.no_accounts()? => {}
        None => {
            let (Some(user), Some(password)) = (user, password) else {
                return Err(Error::SignIn(format!("{name} has accounts; say who you are and give the password")));
            };
            if !account::sign_in(&mut repository, user, password, now)?.lead {
                return Err(Error::SignIn(format!("“{user}” does not lead the team; only those who lead may do this")));
            }
        }
    }
    Desk::open(repository)
}

/// The database called `name`, without signing in. A server needs a `password` to let anybody in, where the address has
/// none; a file does not read it.
pub fn connect(name: &str, password: Option<&str>) -> Result<Box<dyn Repository>, Error> {
    if name.is_empty() {
        return Err(Error::Store {
            place: "the database".to_owned(),
            why: "it has no name; give a file or postgres://…".to_owned(),
        });
    }
    if name.starts_with("postgres://") || name.starts_with("postgresql://") {
        return Ok(Box::new(Postgres::connect_with(name, password)?));
    }
    Ok(Box::new(Sqlite::create(Path::new(name))?))
}

impl<R: Repository + ?Sized> Repository for Box<R> {
    fn head(&mut self) -> Result<Head, Error> {
        (**self).head()
    }
    fn append(&mut self, after: &Head, batch: &Batch) -> Result<Appended, Error> {
        (**self).append(after, batch)
    }
    fn read(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        (**self).read(after, limit)
    }
    fn cast(&mut self, after: &Head, panel: &PanelState, ballot: &Sealed) -> Result<Cast, Error> {
        (**self).cast(after, panel, ballot)
    }
    fn ballot(&mut self, panel: &str, moderator: &str) -> Result<Option<Sealed>, Error> {
        (**self).ballot(panel, moderator)
    }
    fn voted(&mut self, panel: &str, moderator: &str) -> Result<bool, Error> {
        (**self).voted(panel, moderator)
    }
    fn progress(&mut self, panel: &PanelState) -> Result<Option<usize>, Error> {
        (**self).progress(panel)
    }
    fn ready(&mut self, panels: &[&PanelState], now: Time) -> Result<Vec<PanelId>, Error> {
        (**self).ready(panels, now)
    }
    fn ballots(&mut self, panel: &str) -> Result<Vec<Sealed>, Error> {
        (**self).ballots(panel)
    }
    fn private(&mut self, case: &str) -> Result<Option<String>, Error> {
        (**self).private(case)
    }
    fn expected(&mut self, cases: &[&CaseState]) -> Result<BTreeMap<CaseId, f64>, Error> {
        (**self).expected(cases)
    }
    fn put_model(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        (**self).put_model(name, bytes)
    }
    fn model(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        (**self).model(name)
    }
    fn snapshot(&mut self) -> Result<Option<Snapshot>, Error> {
        (**self).snapshot()
    }
    fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        (**self).put_snapshot(snapshot)
    }
    fn identity(&mut self) -> Result<Option<Identity>, Error> {
        (**self).identity()
    }
    fn account(&mut self, name: &str) -> Result<Option<Account>, Error> {
        (**self).account(name)
    }
    fn no_accounts(&mut self) -> Result<bool, Error> {
        (**self).no_accounts()
    }
    fn put_account(&mut self, account: &Account) -> Result<(), Error> {
        (**self).put_account(account)
    }
    fn admit(&mut self, name: &str, password: &str, lead: bool) -> Result<(), Error> {
        (**self).admit(name, password, lead)
    }
    fn wait(&mut self, patience: Duration) -> Result<bool, Error> {
        (**self).wait(patience)
    }
    fn everything(&mut self) -> Result<Everything, Error> {
        (**self).everything()
    }
    fn fill(&mut self, all: &Everything, state: &State) -> Result<(), Error> {
        (**self).fill(all, state)
    }
    fn backup(&mut self, to: &Path) -> Result<(), Error> {
        (**self).backup(to)
    }
    fn restore(&mut self, from: &Path) -> Result<(), Error> {
        (**self).restore(from)
    }
}
