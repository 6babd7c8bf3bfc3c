//! What somebody asks for, and the events it leads to. Nothing is changed here: [`Command::decide`] is a pure function.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::audit::{Head, fingerprint, mark};
use crate::ballot::{Sealed, Voters};
use crate::event::Event;
use crate::model::{
    Ballot, Case, CaseId, Decision, ModId, Moderator, PanelId, Policy, Prediction, Reason, Time, Verdict,
};
use crate::state::State;

mod tally;
mod writer;

use writer::{Writer, active, check_ballot};

/// The actor of everything that happens by itself.
pub const SYSTEM: &str = "system";

/// Something somebody asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Chosen by the asker; the same key twice is done once.
    pub key: String,
    /// Who asks: a moderator, or [`SYSTEM`].
    pub actor: String,
    /// The asker's clock. A clock that went backwards is moved up to the last event.
    pub at: Time,
    /// Revision of the case that the asker saw, where that matters.
    pub expect: Option<u64>,
    /// What.
    pub action: Action,
}

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Change the rules for panels.
    SetPolicy(Policy),
    /// Let somebody join, or change their role. Leaving frees the seats they have not voted on.
    SetModerator(Moderator),
    /// Bring in a case.
    Arrive(Case),
    /// More reports on a case.
    Report(CaseId, String, u64),
    /// A decision from an earlier log.
    Log(CaseId, Decision),
    /// What the model says.
    Score(CaseId, Option<Prediction>),
    /// One moderator is enough.
    Solo(CaseId),
    /// Draw a panel; the names are moderators who may not sit on it.
    OpenPanel(CaseId, Reason, Vec<ModId>),
    /// Vote, or revise once in the open phase.
    Vote(PanelId, Ballot),
    /// Show or end a blind panel: these are its ballots. The desk does this when the last one is in.
    Unseal(PanelId, Vec<Sealed>),
    /// Give up a seat before voting.
    Recuse(PanelId),
    /// Do without the panel that one has asked for oneself for a case, before its votes are shown. After an appeal the
    /// case waits for another.
    Withdraw(CaseId),
    /// Say something in the open phase.
    Say(PanelId, String),
    /// End the discussion and count.
    Close(PanelId),
    /// Decide alone.
    Decide(CaseId, Verdict, Option<String>),
    /// Take back a solo decision that was not carried out.
    Undo(CaseId),
    /// The decision was carried out.
    Apply(CaseId),
    /// The author appeals.
    Appeal(CaseId, String),
    /// The appeal was entered by mistake: the decision before it stands. Withdraw its panel first.
    TakeBackAppeal(CaseId),
    /// Leave a note.
    Note(CaseId, String),
    /// Take back one's own note, the newest with these words.
    TakeBackNote(CaseId, String),
    /// Time has passed: end what is overdue.
    Tick,
}

impl Action {
    /// Whether only somebody who leads the team may ask for it.
    pub fn needs_lead(&self) -> bool {
        matches!(
            self,
            Self::SetPolicy(_)
                | Self::SetModerator(_)
                | Self::Arrive(_)
                | Self::Report(..)
                | Self::Log(..)
                | Self::Score(..)
                | Self::Solo(_)
        )
    }
}

/// What a command leads to.
#[derive(Debug, Default)]
pub struct Change {
    /// What the log will hold.
    pub events: Vec<Event>,
    /// What is kept beside it for those who lead the team, by case: the model's view of single moderators.
    pub private: Vec<(CaseId, String)>,
    /// Seats given up. They count as given up only if nobody voted from them in the meantime.
    pub vacated: Vec<(PanelId, ModId)>,
}

impl Command {
    /// Fingerprint of what is asked for and by whom.
    pub fn digest(&self) -> Result<String, Error> {
        let text =
            serde_json::to_string(&(&self.actor, &self.action)).map_err(|error| Error::refused(error.to_string()))?;
        Ok(fingerprint(&[&text]))
    }

    /// Whether this very command was done before.
    fn done(&self, state: &State, digest: &str) -> Result<bool, Error> {
        match state.done.get(&mark(&self.key)) {
            Some(done) if *done == mark(digest) => Ok(true),
            Some(_) => Err(Error::KeyReused(self.key.clone())),
            None if self.key.is_empty() => Err(Error::refused("a command needs a key")),
            None => Ok(false),
        }
    }

    /// What this command leads to in `state`, its draws seeded by `head`. Nothing when it was done before.
    /// `voters` are those known to have voted on blind panels.
    pub fn decide(&self, state: &State, head: &Head, voters: &Voters) -> Result<Change, Error> {
        let digest = self.digest()?;
        if self.done(state, &digest)? {
            return Ok(Change::default());
        }
        let state = state.clone_for(self);
        let mut writer = Writer { command: self, digest, head, voters, state, change: Change::default() };
        writer.check_actor()?;
        writer.act()?;
        Ok(writer.change)
    }

    /// The ballot of a vote on a blind panel, to be kept outside the log. `None` when it was done before.
    pub(crate) fn seal(&self, state: &State, panel: &str, ballot: &Ballot) -> Result<Option<Sealed>, Error> {
        let digest = self.digest()?;
        if self.done(state, &digest)? {
            return Ok(None);
        }
        active(state, &self.actor)?;
        check_ballot(state.panel(panel)?, &self.actor, ballot)?;
        Ok(Some(Sealed {
            panel: panel.to_owned(),
            moderator: self.actor.clone(),
            ballot: ballot.clone(),
            key: self.key.clone(),
            digest,
            at: self.at,
        }))
    }

    fn case(&self) -> Option<&CaseId> {
        use Action::{
            Appeal, Apply, Decide, Log, Note, OpenPanel, Report, Score, Solo, TakeBackAppeal, TakeBackNote, Undo,
            Withdraw,
        };
        match &self.action {
            Report(case, ..)
            | Log(case, _)
            | Score(case, _)
            | Solo(case)
            | OpenPanel(case, ..)
            | Decide(case, ..)
            | Undo(case)
            | Withdraw(case)
            | Apply(case)
            | Appeal(case, _)
            | TakeBackAppeal(case)
            | Note(case, _)
            | TakeBackNote(case, _) => Some(case),
            _ => None,
        }
    }

    fn panel(&self) -> Option<&PanelId> {
        match &self.action {
            Action::Vote(panel, _)
            | Action::Unseal(panel, _)
            | Action::Recuse(panel)
            | Action::Say(panel, _)
            | Action::Close(panel) => Some(panel),
            _ => None,
        }
    }
}

impl State {
    /// The part of the state that a command can touch: the team, its own panel and case, and all running panels
    /// where the command reaches them.
    fn clone_for(&self, command: &Command) -> Self {
        let mut part = Self {
            seq: self.seq,
            at: self.at,
            policy: self.policy.clone(),
            moderators: self.moderators.clone(),
            load: self.load.clone(),
            ..Self::default()
        };
        if matches!(command.action, Action::SetModerator(_) | Action::Tick) {
            part.running.clone_from(&self.running);
        }
        for id in part.running.iter().chain(command.panel()) {
            if let Some(panel) = self.panels.get(id) {
                part.panels.insert(id.clone(), panel.clone());
            }
        }
        let mut cases: Vec<CaseId> = part.panels.values().map(|panel| panel.case.clone()).collect();
        cases.extend(command.case().cloned());
        if let Action::Arrive(case) = &command.action {
            cases.push(case.id.clone());
        }
        for id in cases {
            if let Some(case) = self.cases.get(&id) {
                // An appeal bars those who sat on the earlier panels.
                for panel in &case.panels {
                    if let Some(panel) = self.panels.get(panel) {
                        part.panels.entry(panel.id.clone()).or_insert_with(|| panel.clone());
                    }
                }
                part.cases.insert(id, case.clone());
            }
        }
        part
    }
}
