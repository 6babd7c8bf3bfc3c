//! Where the log is kept. One trait, so that another database can take SQLite's place.

use std::path::Path;

use crate::Error;
use crate::audit::{Entry, Head};

mod memory;
mod sqlite;

pub use memory::Memory;
pub use sqlite::Sqlite;

/// What became of an attempt to append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Written, and safe against a crash.
    Done,
    /// Somebody else was faster; nothing was written. Read the news and decide again.
    Moved,
}

/// A place for the log and for trained models.
pub trait Repository: Send {
    /// The end of the log.
    fn head(&mut self) -> Result<Head, Error>;
    /// Append `entries` if the log still ends at `after`: all of them or none.
    fn append(&mut self, after: &Head, entries: &[Entry]) -> Result<Appended, Error>;
    /// Up to `limit` entries after number `after`, in order.
    fn read(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, Error>;
    /// Keep a trained model under a name; a later one takes its place.
    fn put_model(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error>;
    /// The model of that name.
    fn model(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error>;
    /// Copy everything into a new file at `to`, while others go on working.
    fn backup(&mut self, to: &Path) -> Result<(), Error>;
}
