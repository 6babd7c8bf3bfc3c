//! A log in memory: for sandboxes and tests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Appended, Batch, Everything, Repository, seats_voted};
use crate::Error;
use crate::account::{Account, Identity};
use crate::audit::{Entry, Head};
use crate::ballot::{Cast, Sealed};
use crate::model::{CaseId, PanelId, Time};
use crate::snapshot::Snapshot;
use crate::state::{PanelState, State};

/// A log that ends with the program.
#[derive(Debug, Default)]
pub struct Memory {
    entries: Vec<Entry>,
    ballots: Vec<Sealed>,
    private: BTreeMap<CaseId, String>,
    models: BTreeMap<String, Vec<u8>>,
    accounts: BTreeMap<String, Account>,
    snapshot: Option<Snapshot>,
}

impl Memory {
    fn find(&self, panel: &str, moderator: &str) -> Option<&Sealed> {
        self.ballots.iter().find(|ballot| ballot.panel == panel && ballot.moderator == moderator)
    }
}

impl Repository for Memory {
    fn head(&mut self) -> Result<Head, Error> {
        Ok(self.entries.last().map_or_else(Head::default, |entry| Head { seq: entry.seq, hash: entry.hash.clone() }))
    }

    fn append(&mut self, after: &Head, batch: &Batch) -> Result<Appended, Error> {
        if self.head()? != *after || batch.vacated.iter().any(|(panel, who)| self.find(panel, who).is_some()) {
            return Ok(Appended::Moved);
        }
        self.entries.extend_from_slice(&batch.entries);
        self.private.extend(batch.private.iter().cloned());
        Ok(Appended::Done)
    }

    fn read(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        Ok(self.entries.iter().skip(after as usize).take(limit).cloned().collect())
    }

    fn cast(&mut self, after: &Head, panel: &PanelState, ballot: &Sealed) -> Result<Cast, Error> {
        if self.head()? != *after {
            return Ok(Cast::Moved);
        }
        if let Some(known) = self.find(&ballot.panel, &ballot.moderator) {
            return Ok(known.again(ballot));
        }
        self.ballots.push(ballot.clone());
        let voted = seats_voted(panel, |member| self.find(&panel.id, member).is_some());
        Ok(if voted == panel.members.len() { Cast::Last } else { Cast::Kept })
    }

    fn ballot(&mut self, panel: &str, moderator: &str) -> Result<Option<Sealed>, Error> {
        Ok(self.find(panel, moderator).cloned())
    }

    fn voted(&mut self, panel: &str, moderator: &str) -> Result<bool, Error> {
        Ok(self.find(panel, moderator).is_some())
    }

    fn progress(&mut self, panel: &PanelState) -> Result<Option<usize>, Error> {
        Ok(Some(seats_voted(panel, |member| self.find(&panel.id, member).is_some())))
    }

    fn ready(&mut self, panels: &[&PanelState], now: Time) -> Result<Vec<PanelId>, Error> {
        let ready = |panel: &&&PanelState| {
            panel.deadline <= now
                || seats_voted(panel, |member| self.find(&panel.id, member).is_some()) == panel.members.len()
        };
        Ok(panels.iter().filter(ready).map(|panel| panel.id.clone()).collect())
    }

    fn ballots(&mut self, panel: &str) -> Result<Vec<Sealed>, Error> {
        Ok(self.ballots.iter().filter(|ballot| ballot.panel == panel).cloned().collect())
    }

    fn private(&mut self, case: &str) -> Result<Option<String>, Error> {
        Ok(self.private.get(case).cloned())
    }

    fn put_model(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.models.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn model(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.models.get(name).cloned())
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, Error> {
        Ok(self.snapshot.clone())
    }

    fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.snapshot = Some(snapshot.clone());
        Ok(())
    }

    fn identity(&mut self) -> Result<Option<Identity>, Error> {
        Ok(None)
    }

    fn account(&mut self, name: &str) -> Result<Option<Account>, Error> {
        Ok(self.accounts.get(name).cloned())
    }

    fn no_accounts(&mut self) -> Result<bool, Error> {
        Ok(self.accounts.is_empty())
    }

    fn put_account(&mut self, account: &Account) -> Result<(), Error> {
        self.accounts.insert(account.name.clone(), account.clone());
        Ok(())
    }

    fn wait(&mut self, patience: Duration) -> Result<bool, Error> {
        std::thread::sleep(patience);
        Ok(false)
    }

    fn everything(&mut self) -> Result<Everything, Error> {
        Ok(Everything {
            entries: self.entries.clone(),
            ballots: self.ballots.clone(),
            private: self.private.clone().into_iter().collect(),
            models: self.models.clone().into_iter().collect(),
            accounts: self.accounts.values().cloned().collect(),
        })
    }

    fn fill(&mut self, all: &Everything, _state: &State) -> Result<(), Error> {
        if !self.entries.is_empty() {
            return Err(Error::not_empty("the sandbox"));
        }
        self.entries.clone_from(&all.entries);
        self.ballots.clone_from(&all.ballots);
        self.private.extend(all.private.iter().cloned());
        self.models.extend(all.models.iter().cloned());
        self.accounts.extend(all.accounts.iter().map(|account| (account.name.clone(), account.clone())));
        Ok(())
    }
}
