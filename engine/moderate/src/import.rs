//! Reading other people's files: good rows are kept, bad rows are listed with line and reason.

use serde::Serialize;

use crate::agreement::Counts;
use crate::model::{Case, Time};

pub mod file;
pub mod into_log;
pub mod lewidi;
pub mod reddit;
pub mod table;
pub mod watch;

/// One judgement on a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoggedVote {
    /// Whose.
    pub moderator: String,
    /// Whether it was to remove.
    pub remove: bool,
    /// When, where the file says it.
    pub at: Option<Time>,
}

/// A case with its judgements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The case.
    pub case: Case,
    /// Its judgements, in the file's order.
    pub votes: Vec<LoggedVote>,
}

impl Item {
    /// Its votes, counted.
    pub fn counts(&self) -> Counts {
        let remove = self.votes.iter().filter(|vote| vote.remove).count();
        Counts { approve: self.votes.len() - remove, remove }
    }
}

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// Line in the file, from 1, or number of the entry where the format has no lines.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What a file held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Cases, in the file's order, each once.
    pub items: Vec<Item>,
    /// Rows left out.
    pub bad: Vec<BadRow>,
}
