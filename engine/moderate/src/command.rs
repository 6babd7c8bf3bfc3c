//! What somebody asks for, and the events it leads to. Nothing is changed here: [`Command::decide`] is a pure function.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::audit::{Head, fingerprint};
use crate::draw;
use crate::event::{Event, What};
use crate::model::{
    Ballot, Case, CaseId, Channel, Choice, Decision, ModId, Moderator, PanelId, Policy, Prediction, Reason, Time,
    Verdict,
};
use crate::state::{PanelState, Phase, State};

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
    /// Give up a seat before voting.
    Recuse(PanelId),
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
    /// Leave a note.
    Note(CaseId, String),
    /// Time has passed: end what is overdue.
    Tick,
}

impl Command {
    /// The events of this command in `state`, chained behind `head`. Empty when it was done before.
    pub fn decide(&self, state: &State, head: &Head) -> Result<Vec<Event>, Error> {
        let text =
            serde_json::to_string(&(&self.actor, &self.action)).map_err(|error| Error::refused(error.to_string()))?;
        let digest = fingerprint(&[&text]);
        if let Some(done) = state.done.get(&self.key) {
            return if *done == digest { Ok(Vec::new()) } else { Err(Error::KeyReused(self.key.clone())) };
        }
        if self.key.is_empty() {
            return Err(Error::refused("a command needs a key"));
        }
        let mut writer = Writer { command: self, digest, head, state: state.clone_for(self), events: Vec::new() };
        writer.check_actor()?;
        writer.act()?;
        Ok(writer.events)
    }

    fn case(&self) -> Option<&CaseId> {
        use Action::{Appeal, Apply, Decide, Log, Note, OpenPanel, Report, Score, Solo, Undo};
        match &self.action {
            Report(case, ..)
            | Log(case, _)
            | Score(case, _)
            | Solo(case)
            | OpenPanel(case, ..)
            | Decide(case, ..)
            | Undo(case)
            | Apply(case)
            | Appeal(case, _)
            | Note(case, _) => Some(case),
            _ => None,
        }
    }

    fn panel(&self) -> Option<&PanelId> {
        match &self.action {
            Action::Vote(panel, _) | Action::Recuse(panel) | Action::Say(panel, _) | Action::Close(panel) => {
                Some(panel)
            }
            _ => None,
        }
    }
}

impl State {
    /// The part of the state that a command can touch: the team, the running panels and its own case.
    fn clone_for(&self, command: &Command) -> Self {
        let mut part = Self {
            seq: self.seq,
            at: self.at,
            policy: self.policy.clone(),
            moderators: self.moderators.clone(),
            running: self.running.clone(),
            ..Self::default()
        };
        let own = command.panel().into_iter();
        for id in self.running.iter().chain(own) {
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
                part.cases.insert(id, case.clone());
            }
        }
        part
    }
}

struct Writer<'a> {
    command: &'a Command,
    digest: String,
    head: &'a Head,
    state: State,
    events: Vec<Event>,
}

impl Writer<'_> {
    fn emit(&mut self, what: What) -> Result<(), Error> {
        let event = Event {
            seq: self.state.seq + 1,
            at: self.command.at.max(self.state.at),
            actor: self.command.actor.clone(),
            key: self.command.key.clone(),
            digest: self.digest.clone(),
            what,
        };
        self.state.apply(&event).map_err(|error| match error {
            Error::Illegal { why, .. } => Error::Refused(why),
            other => other,
        })?;
        self.events.push(event);
        Ok(())
    }

    fn check_actor(&self) -> Result<(), Error> {
        if let (Some(id), Some(seen)) = (self.command.case(), self.command.expect) {
            let now = self.state.case(id)?.revision;
            if now != seen {
                return Err(Error::Stale { case: id.clone(), seen, now });
            }
        }
        let actor = &self.command.actor;
        if actor == SYSTEM {
            return Ok(());
        }
        let moderator = self.state.moderators.get(actor).ok_or_else(|| Error::unknown("moderator", actor))?;
        if !moderator.active {
            return Err(Error::refused(format!("“{actor}” has left the team")));
        }
        if moderator.trainee && matches!(self.command.action, Action::Decide(..) | Action::Undo(_) | Action::Apply(_)) {
            return Err(Error::refused("trainees do not decide alone; ask for a panel"));
        }
        Ok(())
    }

    fn act(&mut self) -> Result<(), Error> {
        let actor = self.command.actor.clone();
        match self.command.action.clone() {
            Action::SetPolicy(policy) => {
                if policy.panel_size == 0
                    || policy.panel_size.is_multiple_of(2)
                    || !(0.5..=1.0).contains(&policy.removal_share)
                {
                    return Err(Error::refused(
                        "a panel has an odd number of seats and removes by a share from ½ to 1",
                    ));
                }
                self.emit(What::PolicySet { policy })
            }
            Action::SetModerator(moderator) => self.set_moderator(moderator),
            Action::Arrive(case) => match self.state.cases.get(&case.id) {
                Some(known) if known.case == case => Ok(()),
                Some(_) => Err(Error::refused(format!("another case is called “{}” already", case.id))),
                None => self.emit(What::CaseArrived { case }),
            },
            Action::Report(case, reason, count) => self.emit(What::Reported { case, reason, count }),
            Action::Log(case, decision) => self.emit(What::DecisionLogged { case, decision }),
            Action::Score(case, prediction) => self.emit(What::Scored { case, prediction }),
            Action::Solo(case) => self.emit(What::RoutedSolo { case }),
            Action::OpenPanel(case, reason, barred) => self.open_panel(&case, reason, barred),
            Action::Vote(panel, ballot) => self.vote(&panel, ballot),
            Action::Recuse(panel) => {
                self.recuse(&panel, &actor)?;
                self.settle(&panel)
            }
            Action::Say(panel, text) => {
                let seated = self.state.panel(&panel)?;
                if !seated.members.contains(&actor) && !seated.shadow.contains(&actor) {
                    return Err(Error::refused("you have no seat on this panel"));
                }
                self.emit(What::Said { panel, moderator: actor, text })
            }
            Action::Close(panel) => {
                let seated = self.state.panel(&panel)?;
                if seated.hidden || !seated.members.contains(&actor) || !seated.complete() {
                    return Err(Error::refused("a member may close a panel once all votes are in and shown"));
                }
                self.count(&panel)
            }
            Action::Decide(case, verdict, rule) => {
                if self.state.case(&case)?.phase != Phase::Solo {
                    return Err(Error::refused(format!("case “{case}” is not for one moderator to decide now")));
                }
                let decision = Decision {
                    by: actor,
                    verdict,
                    rule,
                    at: self.command.at.max(self.state.at),
                    channel: Channel::Solo,
                };
                self.emit(What::Decided { case, panel: None, decision })
            }
            Action::Undo(case) => {
                let last = self.state.case(&case)?.decisions.last();
                if last.is_none_or(|decision| decision.channel != Channel::Solo || decision.by != actor) {
                    return Err(Error::refused("only your own decision can be undone, and a panel's stands"));
                }
                self.emit(What::Undone { case })
            }
            Action::Apply(case) => {
                if self.state.case(&case)?.phase != Phase::Decided {
                    return Err(Error::refused(format!("case “{case}” is not decided")));
                }
                self.emit(What::Applied { case })
            }
            Action::Appeal(case, text) => self.emit(What::Appealed { case, text }),
            Action::Note(case, text) => self.emit(What::Noted { case, text }),
            Action::Tick => self.tick(),
        }
    }

    fn set_moderator(&mut self, moderator: Moderator) -> Result<(), Error> {
        let id = moderator.id.clone();
        let leaves = !moderator.active || moderator.trainee;
        self.emit(What::ModeratorSet { moderator })?;
        if leaves {
            for panel in self.state.running.clone() {
                let seated = self.state.panel(&panel)?;
                if seated.members.contains(&id) && !seated.votes.contains_key(&id) {
                    self.recuse(&panel, &id)?;
                    self.settle(&panel)?;
                }
            }
        }
        Ok(())
    }

    fn open_panel(&mut self, case: &str, reason: Reason, mut barred: Vec<ModId>) -> Result<(), Error> {
        let known = self.state.case(case)?;
        barred.push(known.case.author.clone());
        if reason == Reason::Appeal {
            // Fresh eyes: whoever decided or voted before does not judge the appeal.
            barred.extend(known.decisions.iter().map(|decision| decision.by.clone()));
            for panel in &known.panels {
                barred.extend(self.state.panels.get(panel).into_iter().flat_map(|panel| panel.members.clone()));
            }
        }
        let size = self.state.policy.panel_size;
        let blind = self.state.policy.blind;
        self.seat(case, reason, 1, blind, barred, size)
    }

    fn seat(
        &mut self,
        case: &str,
        reason: Reason,
        round: u8,
        blind: bool,
        mut barred: Vec<ModId>,
        size: usize,
    ) -> Result<(), Error> {
        barred.sort();
        barred.dedup();
        let panel = format!("{case}/{}", self.state.case(case)?.panels.len() + 1);
        let seed = draw::seed(&self.head.hash, &panel);
        let members = draw::draw(&self.state.candidates(&barred, false), size, seed);
        if members.is_empty() || (round == 1 && members.len() < size) {
            return Err(Error::refused(format!(
                "{} moderators may sit and {size} are needed; let more join",
                members.len()
            )));
        }
        let shadow = draw::draw(&self.state.candidates(&barred, true), self.state.policy.shadow_seats, seed);
        let quorum = if round == 1 { self.state.policy.quorum_of(members.len()) } else { members.len() / 2 + 1 };
        let deadline = self.command.at.max(self.state.at) + self.state.policy.deadline;
        let case = case.to_owned();
        self.emit(What::PanelOpened {
            panel,
            case,
            reason,
            round,
            blind,
            members,
            shadow,
            barred,
            quorum,
            deadline,
            seed,
        })
    }

    fn vote(&mut self, panel: &str, ballot: Ballot) -> Result<(), Error> {
        let actor = self.command.actor.clone();
        let seated = self.state.panel(panel)?;
        if !seated.members.contains(&actor) && !seated.shadow.contains(&actor) {
            return Err(Error::refused("you have no seat on this panel"));
        }
        if !(1..=5).contains(&ballot.confidence) {
            return Err(Error::refused("confidence goes from 1 to 5"));
        }
        if ballot.choice != Choice::Abstain && ballot.rationale.trim().is_empty() {
            return Err(Error::refused("say in a sentence why"));
        }
        let revision = seated.votes.contains_key(&actor);
        self.emit(What::Voted { panel: panel.to_owned(), moderator: actor, ballot })?;
        // A revision waits for somebody to close the discussion.
        if revision { Ok(()) } else { self.settle(panel) }
    }

    fn recuse(&mut self, panel: &str, moderator: &str) -> Result<(), Error> {
        // The one who leaves is barred only by this event: leave them out of the draw as a member.
        let seed = draw::seed(&self.head.hash, &format!("{panel} {moderator}"));
        let replacement = draw::draw(&self.state.replacements(panel), 1, seed).into_iter().next();
        self.emit(What::Recused { panel: panel.to_owned(), moderator: moderator.to_owned(), replacement, seed })
    }

    /// After a vote or a free seat: end the panel, show it, or leave it waiting.
    fn settle(&mut self, panel: &str) -> Result<(), Error> {
        let state = self.state.panel(panel)?;
        if state.closed {
            return Ok(());
        }
        let tally = Tally::of(state);
        let waiting = state.members.len() - tally.votes();
        if state.complete() {
            let split = tally.remove > 0 && tally.approve > 0;
            let enough = state.members.len() >= state.quorum;
            if state.round == 1
                && split
                && tally.escalate == 0
                && enough
                && state.hidden
                && self.state.policy.discuss_splits
            {
                self.emit(What::Revealed { panel: panel.to_owned() })
            } else if state.round == 1 && !state.hidden && split && self.state.policy.discuss_splits {
                Ok(())
            } else {
                self.count(panel)
            }
        } else if self.state.policy.stop_when_decided && tally.certain(waiting, self.state.policy.removal_share) {
            self.count(panel)
        } else {
            Ok(())
        }
    }

    /// Count the votes there are and end the panel.
    fn count(&mut self, panel: &str) -> Result<(), Error> {
        let state = self.state.panel(panel)?.clone();
        let tally = Tally::of(&state);
        let stopped = self.state.policy.stop_when_decided
            && tally.certain(state.members.len() - tally.votes(), self.state.policy.removal_share);
        let valid = tally.votes() >= state.quorum || stopped;
        let verdict = if tally.escalate == 0 && valid { tally.verdict(self.state.policy.removal_share) } else { None };
        // The whole team's round always ends: without a majority for removal the content stays.
        let verdict = if state.round > 1 {
            Some(tally.verdict(self.state.policy.removal_share).unwrap_or(Verdict::Approve))
        } else {
            verdict
        };
        if let Some(verdict) = verdict {
            let at = self.command.at.max(self.state.at);
            let decision = Decision {
                by: panel.to_owned(),
                verdict,
                rule: Tally::rule(&state, verdict),
                at,
                channel: Channel::Panel,
            };
            return self.emit(What::Decided { case: state.case, panel: Some(panel.to_owned()), decision });
        }
        self.emit(What::Escalated { panel: panel.to_owned() })?;
        let barred = vec![self.state.case(&state.case)?.case.author.clone()];
        self.seat(&state.case, Reason::Escalation, 2, false, barred, usize::MAX)
    }

    fn tick(&mut self) -> Result<(), Error> {
        let now = self.command.at.max(self.state.at);
        for panel in self.state.running.clone() {
            if self.state.panel(&panel)?.deadline <= now {
                self.count(&panel)?;
            }
        }
        Ok(())
    }
}

struct Tally {
    approve: usize,
    remove: usize,
    abstain: usize,
    escalate: usize,
}

impl Tally {
    fn of(panel: &PanelState) -> Self {
        let count = |choice| panel.counted().filter(|(_, vote)| vote.ballot.choice == choice).count();
        Self {
            approve: count(Choice::Approve),
            remove: count(Choice::Remove),
            abstain: count(Choice::Abstain),
            escalate: count(Choice::Escalate),
        }
    }

    fn votes(&self) -> usize {
        self.approve + self.remove + self.abstain + self.escalate
    }

    /// More than `share` of the votes for removal; a tie or no vote at all is no verdict.
    fn verdict(&self, share: f64) -> Option<Verdict> {
        let cast = self.approve + self.remove;
        if cast == 0 {
            None
        } else if self.remove as f64 > share * cast as f64 {
            Some(Verdict::Remove)
        } else if self.approve == self.remove {
            None
        } else {
            Some(Verdict::Approve)
        }
    }

    /// Whether the votes still to come cannot change the result.
    fn certain(&self, waiting: usize, share: f64) -> bool {
        let worst = |remove: usize, approve: usize| Self { approve, remove, abstain: 0, escalate: 0 }.verdict(share);
        let low = worst(self.remove, self.approve + waiting);
        self.escalate == 0 && low.is_some() && low == worst(self.remove + waiting, self.approve)
    }

    /// The rule most of the winning side names; the first in the alphabet among equals.
    fn rule(panel: &PanelState, verdict: Verdict) -> Option<String> {
        let choice = if verdict == Verdict::Remove { Choice::Remove } else { Choice::Approve };
        let mut rules = std::collections::BTreeMap::<&String, usize>::new();
        for (_, vote) in panel.counted().filter(|(_, vote)| vote.ballot.choice == choice) {
            if let Some(rule) = &vote.ballot.rule {
                *rules.entry(rule).or_default() += 1;
            }
        }
        rules.into_iter().rev().max_by_key(|(_, count)| *count).map(|(rule, _)| rule.clone())
    }
}
