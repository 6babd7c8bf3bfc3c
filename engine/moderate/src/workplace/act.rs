//! What somebody does at the workplace: one command or many, each answered by itself.

use plumb_core::{Ctl, Job};
use serde::Serialize;

use super::{Board, Workplace};
use crate::Error;
use crate::command::Action;
use crate::model::{CaseId, Time};

/// A command that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Its key: sent twice, it counts once.
    pub key: String,
    /// The case it is about, where it is about one.
    pub case: Option<CaseId>,
    /// The revision of that case that the asker saw.
    pub expect: Option<u64>,
    /// What.
    pub action: Action,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// Done.
    Done,
    /// Refused: nothing was changed.
    Refused(String),
    /// Not known to be written: to be sent again under the same key.
    Lost(String),
}

/// A command and its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The command.
    pub asked: Asked,
    /// What became of it.
    pub outcome: Outcome,
}

/// The answers, and what there is now.
#[derive(Clone, Debug)]
pub struct Acted {
    /// In the order they were asked.
    pub answers: Vec<Answer>,
    /// What there is now; `None` when the database does not answer.
    pub board: Option<Board>,
}

/// Doing things. Never fails as a whole: every command has its own outcome.
#[derive(Clone, Debug)]
pub struct ActJob {
    /// Where.
    pub work: Workplace,
    /// What.
    pub asked: Vec<Asked>,
    /// The clock.
    pub now: Time,
}

impl Job for ActJob {
    type Output = Acted;
    type Partial = ();

    fn name(&self) -> String {
        if self.asked.len() == 1 {
            "Writing an action".to_owned()
        } else {
            format!("Writing {} actions", self.asked.len())
        }
    }

    fn run(self, ctl: &Ctl) -> Result<Acted, plumb_core::Error> {
        let mut session = self.work.session();
        let mut answers = Vec::with_capacity(self.asked.len());
        let mut gone: Option<String> = None;
        let total = self.asked.len() as u64;
        for (i, asked) in self.asked.into_iter().enumerate() {
            if total > 1 {
                ctl.progress("writing", i as u64, Some(total));
            }
            let stopped = ctl.is_cancelled().then(|| "it was stopped before it was sent".to_owned());
            let outcome = if let Some(why) = gone.clone().or(stopped) {
                Outcome::Lost(why)
            } else {
                match session.run(&asked.key, self.now, asked.expect, asked.action.clone()) {
                    Ok(_) => Outcome::Done,
                    Err(error @ (Error::Lost { .. } | Error::Store { .. })) => {
                        let why = error.to_string();
                        gone = Some(why.clone());
                        Outcome::Lost(why)
                    }
                    Err(error) => Outcome::Refused(error.to_string()),
                }
            };
            answers.push(Answer { asked, outcome });
        }
        let board = self.work.board(&mut session).ok();
        Ok(Acted { answers, board })
    }
}

/// Reading what others did, or signing in as somebody else where there are no accounts.
#[derive(Clone, Debug)]
pub struct RefreshJob {
    /// Where.
    pub work: Workplace,
    /// Be this moderator from now on.
    pub switch: Option<String>,
    /// The clock.
    pub now: Time,
}

impl Job for RefreshJob {
    type Output = Board;
    type Partial = ();

    fn name(&self) -> String {
        match &self.switch {
            Some(name) => format!("Signing in as {name}"),
            None => "Looking for news".to_owned(),
        }
    }

    fn run(self, _ctl: &Ctl) -> Result<Board, plumb_core::Error> {
        let mut session = self.work.session();
        if let Some(name) = &self.switch {
            session.switch(name)?;
        }
        // A connection that slept through a server's restart breaks at the first question; reading may be asked twice.
        if let Err(Error::Lost { .. }) = session.refresh() {
            session.refresh()?;
        }
        // What is overdue ends when somebody looks.
        let overdue = session.inside().state().panels.values().any(|panel| !panel.closed && panel.deadline <= self.now);
        if overdue {
            session.inside().tick(&format!("tick {}", self.now), self.now)?;
        }
        Ok(self.work.board(&mut session)?)
    }
}
