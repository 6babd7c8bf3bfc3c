//! A state and its log, kept in step. Several desks may work on one repository at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::Error;
use crate::audit::{self, Head};
use crate::ballot::{Cast, Voters};
use crate::command::{Action, Change, Command, SYSTEM};
use crate::event::Event;
use crate::model::{CaseId, ModId, Time};
use crate::snapshot::Snapshot;
use crate::state::{CaseState, PanelState, State};
use crate::store::{Appended, Batch, Repository};

/// How long a command is decided again because somebody else was faster. By time, not by count: among twenty busy
/// clients one may lose a hundred times within a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Entries read at a time.
const CHUNK: usize = 10_000;

/// Events read at opening after which the folded state is kept anew.
const WORTH_KEEPING: u64 = 5_000;

/// What the asker learns: nothing about what others did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The command was done before, or changed nothing.
    pub repeated: bool,
}

/// What [`Desk::verify`] found: the log is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The end of the log.
    pub head: Head,
    /// Whether the kept state is what the log says; `None` without one. It is made anew when it is not.
    pub snapshot: Option<bool>,
}

/// A place to work from.
#[derive(Debug)]
pub struct Desk<R> {
    repository: R,
    head: Head,
    state: State,
    changed: BTreeSet<CaseId>,
}

impl<R: Repository> Desk<R> {
    /// Take the kept state if it belongs to this log, and read the log from there on, checking its chain.
    pub fn open(repository: R) -> Result<Self, Error> {
        let mut desk = Self { repository, head: Head::default(), state: State::default(), changed: BTreeSet::new() };
        if desk.reload()? >= WORTH_KEEPING {
            // Opening works without it, so it may fail: the disk can be full, or the right to write be missing.
            let _ = desk.keep();
        }
        desk.changed.clear();
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

    /// The cases that something happened to since this was asked last.
    pub fn take_changed(&mut self) -> BTreeSet<CaseId> {
        std::mem::take(&mut self.changed)
    }

    /// Fold in one event that is in the log.
    fn fold(&mut self, event: &Event) -> Result<(), Error> {
        self.state.apply(event)?;
        self.changed.extend(event.what.case(&self.state).cloned());
        Ok(())
    }

    /// The repository behind it.
    pub fn repository(&mut self) -> &mut R {
        &mut self.repository
    }

    /// Keep the folded state, so that the next opening is quick.
    pub fn keep(&mut self) -> Result<(), Error> {
        self.repository.put_snapshot(&Snapshot::pack(&self.state, &self.head)?)
    }

    /// Read everything again. Returns how many events were read from the log.
    fn reload(&mut self) -> Result<u64, Error> {
        (self.state, self.head) = self.kept().unwrap_or_default();
        self.refresh()
    }

    /// The kept state, if the log holds the very event it was folded up to. Any trouble with it means there is none.
    fn kept(&mut self) -> Option<(State, Head)> {
        let snapshot = self.repository.snapshot().ok()??;
        let entries = self.repository.read(snapshot.head.seq.checked_sub(1)?, 1).ok()?;
        let entry = entries.first()?;
        let same = entry.seq == snapshot.head.seq && entry.hash == snapshot.head.hash;
        Some((same.then(|| snapshot.unpack())??, snapshot.head))
    }

    /// Check the whole log: its chain, every transition, every draw, and that it leads to the state at this desk.
    /// A kept state that says something else is thrown away and made anew.
    pub fn verify(&mut self) -> Result<Verified, Error> {
        self.refresh()?;
        let snapshot = self.repository.snapshot()?;
        let mut replay = audit::Replay::default();
        let mut fits = None;
        loop {
            let entries = self.repository.read(replay.head.seq, CHUNK)?;
            for entry in &entries {
                replay.step(entry)?;
                if let Some(snapshot) = snapshot.as_ref().filter(|snapshot| snapshot.head.seq == replay.head.seq) {
                    fits = Some(snapshot.head == replay.head && snapshot.unpack().as_ref() == Some(&replay.state));
                }
            }
            if entries.len() < CHUNK {
                break;
            }
        }
        if snapshot.is_some() && fits != Some(true) {
            (self.state, self.head) = (replay.state, replay.head);
            self.keep()?;
            return Ok(Verified { head: self.head.clone(), snapshot: Some(false) });
        }
        if replay.head == self.head && replay.state != self.state {
            let why = "the state at this desk is not what the log says".to_owned();
            return Err(Error::Chain { seq: self.head.seq, why });
        }
        Ok(Verified { head: replay.head, snapshot: fits })
    }

    /// Read what others appended. Returns how many events that were.
    pub fn refresh(&mut self) -> Result<u64, Error> {
        let from = self.head.seq;
        loop {
            let entries = self.repository.read(self.head.seq, CHUNK)?;
            for entry in &entries {
                let event = audit::open(&self.head, entry)?;
                self.fold(&event)?;
                self.head = Head { seq: entry.seq, hash: entry.hash.clone() };
            }
            if entries.len() < CHUNK {
                return Ok(self.head.seq - from);
            }
        }
    }

    /// Do one command. A vote on a blind panel is kept beside the log; the last one shows or ends the panel.
    pub fn run(&mut self, command: &Command) -> Result<Receipt, Error> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(hidden) = self.hidden(command) {
                let hidden = hidden.clone();
                match self.cast(command, &hidden)? {
                    Cast::Moved => {
                        self.refresh()?;
                        // Its time is over, or it is full: end it, so that the voter hears so.
                        self.finish(&[hidden.id], &command.actor, command.at)?;
                    }
                    Cast::Taken => return Err(Error::refused("the vote was cast already")),
                    Cast::Kept => return Ok(Receipt { repeated: false }),
                    Cast::Last => {
                        self.finish(&[hidden.id], &command.actor, command.at)?;
                        return Ok(Receipt { repeated: false });
                    }
                    // Sent again, perhaps because the first try died before the panel was ended.
                    Cast::Repeated => {
                        self.finish_ready(command)?;
                        return Ok(Receipt { repeated: true });
                    }
                }
                continue;
            }
            let voters = voters(&mut self.repository, &self.state, command)?;
            let change = command.decide(&self.state, &self.head, &voters)?;
            let repeated = change.events.is_empty();
            if repeated || self.write(change)? == Appended::Done {
                self.finish_ready(command)?;
                return Ok(Receipt { repeated });
            }
            self.refresh()?;
        }
        Err(Error::refused("others are changing the log all the time; try again"))
    }

    /// The blind panel that the command votes on.
    fn hidden(&self, command: &Command) -> Option<&PanelState> {
        let Action::Vote(panel, _) = &command.action else { return None };
        self.state.panels.get(panel).filter(|panel| panel.hidden)
    }

    fn cast(&mut self, command: &Command, panel: &PanelState) -> Result<Cast, Error> {
        let Action::Vote(_, ballot) = &command.action else { return Ok(Cast::Repeated) };
        match command.seal(&self.state, &panel.id, ballot)? {
            Some(sealed) => self.repository.cast(&self.head, panel, &sealed),
            None => Ok(Cast::Repeated),
        }
    }

    /// After something that may leave a blind panel without a vote to wait for.
    fn finish_ready(&mut self, command: &Command) -> Result<(), Error> {
        let only = match &command.action {
            Action::Vote(id, _) | Action::Recuse(id) => Some(id),
            Action::SetModerator(_) | Action::Tick => None,
            _ => return Ok(()),
        };
        let running = self.state.running.iter().filter(|id| only.is_none_or(|only| *id == only));
        let panels = running.filter_map(|id| self.state.panels.get(id));
        let hidden: Vec<&PanelState> = panels.filter(|panel| panel.hidden).collect();
        if hidden.is_empty() {
            return Ok(());
        }
        let ready = self.repository.ready(&hidden, command.at.max(self.state.at))?;
        self.finish(&ready, &command.actor, command.at)
    }

    /// Show or end blind panels that wait for no more votes. Somebody else may be doing the same: once is enough.
    fn finish(&mut self, panels: &[String], actor: &str, now: Time) -> Result<(), Error> {
        for id in panels {
            let start = Instant::now();
            while let Some(panel) = self.state.panels.get(id).filter(|panel| panel.hidden) {
                let late = now.max(self.state.at);
                if self.repository.ready(&[panel], late)?.is_empty() {
                    break;
                }
                let ballots = self.repository.ballots(id)?;
                let complete = panel.members.iter().all(|m| ballots.iter().any(|ballot| ballot.moderator == *m));
                // The server's clock may be ahead of the asker's.
                let at = if complete { now } else { now.max(panel.deadline) };
                let unseal = Command {
                    key: format!("unseal {id}"),
                    actor: actor.to_owned(),
                    at,
                    expect: None,
                    action: Action::Unseal(id.clone(), ballots),
                };
                let change = unseal.decide(&self.state, &self.head, &Voters::new())?;
                if self.write(change)? == Appended::Moved {
                    self.refresh()?;
                }
                if start.elapsed() > PATIENCE {
                    return Err(Error::refused("others are changing the log all the time; try again"));
                }
            }
        }
        Ok(())
    }

    /// Append a change and fold it in, if nobody was faster.
    fn write(&mut self, change: Change) -> Result<Appended, Error> {
        let mut head = self.head.clone();
        let mut batch = Batch { private: change.private, vacated: change.vacated, ..Batch::default() };
        for event in &change.events {
            batch.entries.push(next(&mut head, event)?);
        }
        let appended = self.repository.append(&self.head, &batch)?;
        if appended == Appended::Done {
            for event in &change.events {
                self.fold(event)?;
            }
            self.head = head;
        }
        Ok(appended)
    }

    /// Do many commands in one write. Those that are refused are returned with their place; the others are done.
    /// Meant for imports: a crash leaves all of them or none.
    pub fn run_all(&mut self, commands: &[Command]) -> Result<Vec<(usize, Error)>, Error> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let (mut state, mut head) = (std::mem::take(&mut self.state), self.head.clone());
            let (mut batch, mut refused, mut changed) = (Batch::default(), Vec::new(), BTreeSet::new());
            let worked = commands.iter().enumerate().try_for_each(|(place, command)| {
                let voters = voters(&mut self.repository, &state, command)?;
                match command.decide(&state, &head, &voters) {
                    Err(error) => refused.push((place, error)),
                    Ok(change) => {
                        for event in &change.events {
                            batch.entries.push(next(&mut head, event)?);
                            state.apply(event)?;
                            changed.extend(event.what.case(&state).cloned());
                        }
                        batch.private.extend(change.private);
                        batch.vacated.extend(change.vacated);
                    }
                }
                Ok(())
            });
            let appended = worked.and_then(|()| {
                if batch.entries.is_empty() { Ok(Appended::Done) } else { self.repository.append(&self.head, &batch) }
            });
            if let Ok(Appended::Done) = appended {
                self.state = state;
                self.head = head;
                self.changed.extend(changed);
                return Ok(refused);
            }
            // The state went ahead of the log: read it from the log again.
            self.reload()?;
            appended?;
        }
        Err(Error::refused("others are changing the log all the time; try again"))
    }

    /// What the model thinks of single moderators on `case`, in the order of their names.
    pub fn predictions(&mut self, case: &str) -> Result<Vec<(ModId, f64)>, Error> {
        let Some(text) = self.repository.private(case)? else { return Ok(Vec::new()) };
        serde_json::from_str(&text).map_err(|error| Error::refused(format!("the predictions are damaged ({error})")))
    }

    /// The disagreement that was expected on those of `cases` that are over.
    pub fn expected<'a>(&mut self, cases: impl IntoIterator<Item = &'a str>) -> Result<BTreeMap<CaseId, f64>, Error> {
        let known: Vec<&CaseState> = cases.into_iter().filter_map(|case| self.state.cases.get(case)).collect();
        let mut expected = self.repository.expected(&known)?;
        // A log from before has it.
        for case in known.into_iter().filter(|case| case.over()) {
            if let Some(number) = case.prediction.as_ref().and_then(|prediction| prediction.disagreement) {
                expected.entry(case.case.id.clone()).or_insert(number);
            }
        }
        Ok(expected)
    }

    /// End what is overdue, show what is full.
    pub fn tick(&mut self, key: &str, now: Time) -> Result<(), Error> {
        let tick =
            Command { key: key.to_owned(), actor: SYSTEM.to_owned(), at: now, expect: None, action: Action::Tick };
        self.run(&tick).map(|_| ())
    }
}

fn next(head: &mut Head, event: &Event) -> Result<audit::Entry, Error> {
    let entry = audit::seal(head, event)?;
    *head = Head { seq: entry.seq, hash: entry.hash.clone() };
    Ok(entry)
}

/// The hidden votes that a command has to know of: whoever gives up a seat must not have voted.
fn voters<R: Repository>(repository: &mut R, state: &State, command: &Command) -> Result<Voters, Error> {
    let (only, who) = match &command.action {
        Action::Recuse(panel) => (Some(panel), &command.actor),
        Action::SetModerator(moderator) if !moderator.active || moderator.trainee => (None, &moderator.id),
        _ => return Ok(Voters::new()),
    };
    let mut voters = Voters::new();
    for id in state.running.iter().filter(|id| only.is_none_or(|only| *id == only)) {
        let seated = state.panels.get(id).is_some_and(|panel| panel.hidden && panel.members.contains(who));
        if seated && repository.voted(id, who)? {
            voters.insert((id.clone(), who.clone()));
        }
    }
    Ok(voters)
}
