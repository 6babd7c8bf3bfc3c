//! Where the log is kept. One trait; SQLite for a file, PostgreSQL for a team on several machines, memory for sandboxes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::Error;
use crate::account::{self, Account, Identity};
use crate::audit::{self, Entry, Head};
use crate::ballot::{Cast, Sealed};
use crate::model::{CaseId, ModId, PanelId, Time};
use crate::score;
use crate::snapshot::Snapshot;
use crate::state::{CaseState, PanelState, State};

mod any;
mod memory;
mod postgres;
mod sqlite;

pub use any::{connect, open};
pub use memory::Memory;
pub use postgres::Postgres;
pub use sqlite::Sqlite;

/// What became of an attempt to append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Written, and safe against a crash.
    Done,
    /// Somebody else was faster; nothing was written. Read the news and decide again.
    Moved,
}

/// What is written together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The next entries of the log.
    pub entries: Vec<Entry>,
    /// What the model thinks of single moderators, by case; a later one takes an earlier one's place.
    pub private: Vec<(CaseId, String)>,
    /// Seats given up: nothing is written if one of these moderators has voted on that panel.
    pub vacated: Vec<(PanelId, ModId)>,
}

/// All that a database holds, for backups and moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Everything {
    /// The log.
    pub entries: Vec<Entry>,
    /// Ballots, oldest first.
    pub ballots: Vec<Sealed>,
    /// What the model thinks of single moderators, by case.
    pub private: Vec<(CaseId, String)>,
    /// Trained models by name.
    pub models: Vec<(String, Vec<u8>)>,
    /// Who may sign in. Empty from PostgreSQL, where the server keeps the passwords.
    pub accounts: Vec<Account>,
}

/// A place for the log, for what is hidden beside it, and for trained models.
pub trait Repository: Send {
    /// The end of the log.
    fn head(&mut self) -> Result<Head, Error>;
    /// Append `batch` if the log still ends at `after`: all of it or nothing.
    fn append(&mut self, after: &Head, batch: &Batch) -> Result<Appended, Error>;
    /// Up to `limit` entries after number `after`, in order.
    fn read(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, Error>;

    /// Keep a ballot of `panel`, as it was at `after`.
    fn cast(&mut self, after: &Head, panel: &PanelState, ballot: &Sealed) -> Result<Cast, Error>;
    /// The ballot of one moderator: one's own.
    fn ballot(&mut self, panel: &str, moderator: &str) -> Result<Option<Sealed>, Error>;
    /// Whether a moderator has voted on a blind panel: oneself, or anybody for those who lead the team.
    fn voted(&mut self, panel: &str, moderator: &str) -> Result<bool, Error>;
    /// How many members have voted on a blind panel, where the team's policy shows it.
    fn progress(&mut self, panel: &PanelState) -> Result<Option<usize>, Error>;
    /// Those of `panels` that wait for no more votes: all are in, or the deadline has passed.
    fn ready(&mut self, panels: &[&PanelState], now: Time) -> Result<Vec<PanelId>, Error>;
    /// All ballots of a panel that is [`Repository::ready`], in the order they were cast.
    fn ballots(&mut self, panel: &str) -> Result<Vec<Sealed>, Error>;

    /// What the model thinks of single moderators on a case: for those who lead the team.
    fn private(&mut self, case: &str) -> Result<Option<String>, Error>;
    /// The disagreement that was expected on those of `cases` that are over: no vote can be swayed by it any more.
    /// PostgreSQL decides itself which cases are over.
    fn expected(&mut self, cases: &[&CaseState]) -> Result<BTreeMap<CaseId, f64>, Error> {
        let mut expected = BTreeMap::new();
        for case in cases.iter().filter(|case| case.over()) {
            let id = &case.case.id;
            if let Some(text) = self.private(id)? {
                expected.insert(id.clone(), disagreement(&text)?);
            }
        }
        Ok(expected)
    }
    /// Keep a trained model under a name; a later one takes its place.
    fn put_model(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error>;
    /// The model of that name.
    fn model(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error>;

    /// The folded state that was kept last.
    fn snapshot(&mut self) -> Result<Option<Snapshot>, Error>;
    /// Keep a folded state in place of the one before.
    fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error>;

    /// Who this connection is, where the database itself knows.
    fn identity(&mut self) -> Result<Option<Identity>, Error>;
    /// The account of that name.
    fn account(&mut self, name: &str) -> Result<Option<Account>, Error>;
    /// Whether nobody has an account yet.
    fn no_accounts(&mut self) -> Result<bool, Error>;
    /// Add or change an account.
    fn put_account(&mut self, account: &Account) -> Result<(), Error>;

    /// Let somebody sign in with this password, or give who may already another password or role.
    fn admit(&mut self, name: &str, password: &str, lead: bool) -> Result<(), Error> {
        self.put_account(&account::fresh(name, password, lead)?)
    }

    /// Wait until somebody else changed something, at most `patience`. Whether they did.
    fn wait(&mut self, patience: Duration) -> Result<bool, Error>;

    /// All it holds.
    fn everything(&mut self) -> Result<Everything, Error>;
    /// Put `all`, whose log leads to `state`, into an empty database: all of it or nothing.
    fn fill(&mut self, all: &Everything, state: &State) -> Result<(), Error>;
    /// Copy everything into a new SQLite file at `to`, while others go on working.
    fn backup(&mut self, to: &Path) -> Result<(), Error> {
        let all = self.everything()?;
        let (_, state) = audit::verify(&all.entries)?;
        sqlite::fill_new(to, &all, &state)
    }
    /// Bring a copy made by [`Repository::backup`] into this database, which must be empty.
    fn restore(&mut self, from: &Path) -> Result<(), Error> {
        let all = Sqlite::existing(from)?.everything()?;
        let (_, state) = audit::verify(&all.entries)?;
        self.fill(&all, &state)
    }
}

/// The disagreement that follows from what is kept of a prediction.
fn disagreement(text: &str) -> Result<f64, Error> {
    let each: Vec<(ModId, f64)> = serde_json::from_str(text)
        .map_err(|error| Error::refused(format!("the predictions are damaged ({error}); score the cases anew")))?;
    Ok(score::disagreement(&each.into_iter().map(|(_, p)| p).collect::<Vec<_>>()))
}

/// How many members of `panel` have cast one of `ballots`.
fn seats_voted(panel: &PanelState, has: impl Fn(&str) -> bool) -> usize {
    panel.members.iter().filter(|member| has(member)).count()
}
