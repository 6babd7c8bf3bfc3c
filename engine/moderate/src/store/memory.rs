//! A log in memory: for sandboxes and tests.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Appended, Repository};
use crate::Error;
use crate::audit::{Entry, Head};

/// A log that ends with the program.
#[derive(Debug, Default)]
pub struct Memory {
    entries: Vec<Entry>,
    models: BTreeMap<String, Vec<u8>>,
}

impl Repository for Memory {
    fn head(&mut self) -> Result<Head, Error> {
        Ok(self.entries.last().map_or_else(Head::default, |entry| Head { seq: entry.seq, hash: entry.hash.clone() }))
    }

    fn append(&mut self, after: &Head, entries: &[Entry]) -> Result<Appended, Error> {
        if self.head()? != *after {
            return Ok(Appended::Moved);
        }
        self.entries.extend_from_slice(entries);
        Ok(Appended::Done)
    }

    fn read(&mut self, after: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        Ok(self.entries.iter().skip(after as usize).take(limit).cloned().collect())
    }

    fn put_model(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.models.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn model(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.models.get(name).cloned())
    }

    fn backup(&mut self, to: &Path) -> Result<(), Error> {
        let mut file = super::Sqlite::create(to)?;
        file.append(&Head::default(), &self.entries)?;
        for (name, bytes) in &self.models {
            file.put_model(name, bytes)?;
        }
        Ok(())
    }
}
