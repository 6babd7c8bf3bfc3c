//! A state and its log, kept in step. Several desks may work on one repository at once.

use crate::Error;
use crate::audit::{self, Head};
use crate::command::Command;
use crate::state::State;
use crate::store::{Appended, Repository};

/// How often a command is decided again because somebody else was faster.
const TRIES: usize = 100;

/// Entries read at a time.
const CHUNK: usize = 10_000;

/// What the asker learns: nothing about what others did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The command was done before, or changed nothing.
    pub repeated: bool,
}

/// A place to work from.
#[derive(Debug)]
pub struct Desk<R> {
    repository: R,
    head: Head,
    state: State,
}

impl<R: Repository> Desk<R> {
    /// Read the whole log and check its chain.
    pub fn open(repository: R) -> Result<Self, Error> {
        let mut desk = Self { repository, head: Head::default(), state: State::default() };
        desk.refresh()?;
        Ok(desk)
    }

    /// The present, as far as this desk has read.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The end of the log, as far as this desk has read.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The repository behind it.
    pub fn repository(&mut self) -> &mut R {
        &mut self.repository
    }

    /// Read what others appended. Returns how many events that were.
    pub fn refresh(&mut self) -> Result<u64, Error> {
        let from = self.head.seq;
        loop {
            let entries = self.repository.read(self.head.seq, CHUNK)?;
            for entry in &entries {
                let event = audit::open(&self.head, entry)?;
                self.state.apply(&event)?;
                self.head = Head { seq: entry.seq, hash: entry.hash.clone() };
            }
            if entries.len() < CHUNK {
                return Ok(self.head.seq - from);
            }
        }
    }

    /// Do one command.
    pub fn run(&mut self, command: &Command) -> Result<Receipt, Error> {
        for _ in 0..TRIES {
            let events = command.decide(&self.state, &self.head)?;
            if events.is_empty() {
                return Ok(Receipt { repeated: true });
            }
            let mut head = self.head.clone();
            let mut entries = Vec::with_capacity(events.len());
            for event in &events {
                let entry = audit::seal(&head, event)?;
                head = Head { seq: entry.seq, hash: entry.hash.clone() };
                entries.push(entry);
            }
            match self.repository.append(&self.head, &entries)? {
                Appended::Done => {
                    for event in &events {
                        self.state.apply(event)?;
                    }
                    self.head = head;
                    return Ok(Receipt { repeated: false });
                }
                Appended::Moved => {
                    self.refresh()?;
                }
            }
        }
        Err(Error::refused("others are changing the log all the time; try again"))
    }

    /// Do many commands in one write. Those that are refused are returned with their place; the others are done.
    /// Meant for imports: a crash leaves all of them or none.
    pub fn run_all(&mut self, commands: &[Command]) -> Result<Vec<(usize, Error)>, Error> {
        for _ in 0..TRIES {
            let (mut state, mut head) = (std::mem::take(&mut self.state), self.head.clone());
            let (mut entries, mut refused) = (Vec::new(), Vec::new());
            let mut failed = None;
            'commands: for (place, command) in commands.iter().enumerate() {
                match command.decide(&state, &head) {
                    Err(error) => refused.push((place, error)),
                    Ok(events) => {
                        for event in events {
                            let sealed =
                                audit::seal(&head, &event).and_then(|entry| state.apply(&event).map(|()| entry));
                            match sealed {
                                Ok(entry) => {
                                    head = Head { seq: entry.seq, hash: entry.hash.clone() };
                                    entries.push(entry);
                                }
                                Err(error) => {
                                    failed = Some(error);
                                    break 'commands;
                                }
                            }
                        }
                    }
                }
            }
            let appended = match failed {
                None if entries.is_empty() => Ok(Appended::Done),
                None => self.repository.append(&self.head, &entries),
                Some(error) => Err(error),
            };
            if let Ok(Appended::Done) = appended {
                self.state = state;
                self.head = head;
                return Ok(refused);
            }
            // The state went ahead of the log: read it from the log again.
            self.head = Head::default();
            self.state = State::default();
            self.refresh()?;
            appended?;
        }
        Err(Error::refused("others are changing the log all the time; try again"))
    }
}
