//! The present, as a fold over the events, and the transitions a case may make.
//!
//! `new → scored → solo | panel blind → decided | panel open → decided | escalated → panel open → decided →
//! applied → appealed → panel blind`. Logged cases go from `new` to `applied`. A solo decision can be undone
//! until it is applied; a second opinion can be asked for while a case is solo. An appeal and its panel can be taken
//! back until votes are shown.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::audit::mark;
use crate::draw::Candidate;
use crate::event::{Event, What};
mod packed;

use crate::model::{Ballot, Case, CaseId, Decision, ModId, Moderator, PanelId, Policy, Prediction, Reason, Time};

/// Whose note an appeal's words are. The name of a moderator who is called so would be the same: it is only shown.
const AUTHOR: &str = "author";

/// Where a case is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nobody and nothing looked at it yet.
    New,
    /// The model looked at it.
    Scored,
    /// One moderator decides.
    Solo,
    /// A panel votes without seeing each other's votes.
    PanelBlind,
    /// A panel sees its votes and talks.
    PanelOpen,
    /// The panel came to no end.
    Escalated,
    /// Decided, not carried out.
    Decided,
    /// Carried out.
    Applied,
    /// The author asked for another look.
    Appealed,
}

impl Phase {
    /// Whether a case may go from here to `next`.
    pub fn may_become(self, next: Self) -> bool {
        use Phase::{Appealed, Applied, Decided, Escalated, New, PanelBlind, PanelOpen, Scored, Solo};
        matches!(
            (self, next),
            (New, Scored | Applied)
                | (Scored, Scored | Solo | PanelBlind | PanelOpen)
                | (Solo, PanelBlind | PanelOpen | Decided)
                | (PanelBlind, PanelOpen | Decided | Escalated | Solo | Appealed)
                | (PanelOpen, Decided | Escalated | Solo | Appealed)
                | (Escalated, PanelOpen)
                | (Decided, Applied | Solo)
                | (Applied, Applied | Appealed)
                | (Appealed, PanelBlind | PanelOpen | Applied)
        )
    }
}

/// A case and what happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseState {
    /// The case.
    pub case: Case,
    /// Where it is.
    pub phase: Phase,
    /// Grows with every event that people other than voters may know of; votes on a blind panel do not move it.
    pub revision: u64,
    /// What the model said last.
    pub prediction: Option<Prediction>,
    /// Its panels, oldest first.
    pub panels: Vec<PanelId>,
    /// Decisions, oldest first.
    pub decisions: Vec<Decision>,
    /// Notes: who and what.
    pub notes: Vec<(String, String)>,
}

impl CaseState {
    /// Whether it is decided: what the model expected cannot sway a vote any more.
    pub fn over(&self) -> bool {
        matches!(self.phase, Phase::Decided | Phase::Applied)
    }
}

/// A vote and what it was before its one revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// The vote that counts.
    pub ballot: Ballot,
    /// When it was cast.
    pub cast_at: Time,
    /// The first vote, where it was revised.
    pub revised_from: Option<Ballot>,
}

/// A panel and its votes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PanelState {
    /// Its name.
    pub id: PanelId,
    /// The case.
    pub case: CaseId,
    /// Why it was drawn.
    pub reason: Reason,
    /// 1, or 2 for the whole team.
    pub round: u8,
    /// Votes are hidden now.
    pub hidden: bool,
    /// It has ended.
    pub closed: bool,
    /// Seats.
    pub members: Vec<ModId>,
    /// Trainees.
    pub shadow: Vec<ModId>,
    /// Who may not be drawn for it, growing with recusals.
    pub barred: Vec<ModId>,
    /// Votes needed.
    pub quorum: usize,
    /// When it must end.
    pub deadline: Time,
    /// When it was opened.
    pub opened_at: Time,
    /// Who asked for it, or `system`.
    pub opened_by: String,
    /// Votes by member and trainee. Those cast while hidden come in together, when the panel is shown or ends.
    pub votes: BTreeMap<ModId, Vote>,
    /// The moderator whose vote came first.
    pub first: Option<ModId>,
    /// What was said in the open phase.
    pub messages: Vec<(ModId, String)>,
}

impl PanelState {
    /// The votes of members, without trainees.
    pub fn counted(&self) -> impl Iterator<Item = (&ModId, &Vote)> {
        self.members.iter().filter_map(|member| self.votes.get_key_value(member))
    }

    /// Whether every member has voted.
    pub fn complete(&self) -> bool {
        self.members.iter().all(|member| self.votes.contains_key(member))
    }
}

/// Everything the team knows now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Number of the last event.
    pub seq: u64,
    /// Time of the last event.
    pub at: Time,
    /// The rules for panels.
    pub policy: Policy,
    /// The team.
    pub moderators: BTreeMap<ModId, Moderator>,
    /// Cases by name.
    #[serde(with = "packed::cases")]
    pub cases: BTreeMap<CaseId, CaseState>,
    /// Panels by name.
    pub panels: BTreeMap<PanelId, PanelState>,
    /// Panels that still run.
    pub running: BTreeSet<PanelId>,
    /// Open seats by moderator: on panels that run, without a vote that is known.
    pub load: BTreeMap<ModId, usize>,
    /// Commands already done: [`mark`] of the key and of the contents.
    #[serde(with = "packed::marks")]
    pub done: BTreeMap<u128, u128>,
}

impl State {
    /// The case, or an error that names it.
    pub fn case(&self, id: &str) -> Result<&CaseState, Error> {
        self.cases.get(id).ok_or_else(|| Error::unknown("case", id))
    }

    /// The panel, or an error that names it.
    pub fn panel(&self, id: &str) -> Result<&PanelState, Error> {
        self.panels.get(id).ok_or_else(|| Error::unknown("panel", id))
    }

    /// Who may be drawn, with their open seats; trainees only when asked for.
    pub fn candidates(&self, barred: &[ModId], trainees: bool) -> Vec<Candidate> {
        let able = self.moderators.values().filter(|m| m.active && m.trainee == trainees && !barred.contains(&m.id));
        able.map(|m| Candidate { id: m.id.clone(), load: self.load.get(&m.id).copied().unwrap_or(0) }).collect()
    }

    /// Who may take a seat that became free on `panel`.
    pub fn replacements(&self, panel: &str) -> Vec<Candidate> {
        let Some(panel) = self.panels.get(panel) else { return Vec::new() };
        let mut barred = panel.barred.clone();
        barred.extend(panel.members.iter().cloned());
        self.candidates(&barred, false)
    }

    fn sit(&mut self, id: &str) {
        *self.load.entry(id.to_owned()).or_default() += 1;
    }

    fn rise(&mut self, id: &str) {
        if let Some(seats) = self.load.get_mut(id) {
            *seats -= 1;
            if *seats == 0 {
                self.load.remove(id);
            }
        }
    }

    /// Fold in the next event. On an error nothing has changed.
    pub fn apply(&mut self, event: &Event) -> Result<(), Error> {
        if event.seq != self.seq + 1 {
            return Err(Error::Illegal { seq: event.seq, why: format!("the last one known is {}", self.seq) });
        }
        if event.at < self.at {
            return Err(Error::Illegal { seq: event.seq, why: "it is earlier than the event before it".to_owned() });
        }
        self.fold(event).map_err(|error| Error::Illegal { seq: event.seq, why: error.to_string() })?;
        self.seq = event.seq;
        self.at = event.at;
        if !event.key.is_empty() {
            self.done.insert(mark(&event.key), mark(&event.digest));
        }
        Ok(())
    }

    fn fold(&mut self, event: &Event) -> Result<(), Error> {
        match &event.what {
            What::PolicySet { policy } => self.policy = policy.clone(),
            What::ModeratorSet { moderator } => {
                self.moderators.insert(moderator.id.clone(), moderator.clone());
            }
            What::CaseArrived { case } => self.arrive(case)?,
            What::Reported { case, reason, count } => {
                self.touch(case)?.case.report(reason, *count);
            }
            What::DecisionLogged { case, decision } => {
                self.step(case, Phase::Applied)?.decisions.push(decision.clone());
            }
            What::Scored { case, prediction } => {
                self.step(case, Phase::Scored)?.prediction.clone_from(prediction);
            }
            What::RoutedSolo { case } => {
                self.step(case, Phase::Solo)?;
            }
            What::Noted { case, text } => {
                let actor = event.actor.clone();
                self.touch(case)?.notes.push((actor, text.clone()));
            }
            What::Decided { case, panel, decision } => {
                self.step(case, Phase::Decided)?.decisions.push(decision.clone());
                if let Some(panel) = panel {
                    self.close(panel)?;
                }
            }
            What::Undone { case } => {
                self.step(case, Phase::Solo)?.decisions.pop();
            }
            What::Applied { case } => {
                self.step(case, Phase::Applied)?;
            }
            What::Appealed { case, text } => {
                self.step(case, Phase::Appealed)?.notes.push((AUTHOR.to_owned(), text.clone()));
            }
            What::AppealTakenBack { case } => {
                let case = self.step(case, Phase::Applied)?;
                if let Some(words) = case.notes.iter().rposition(|(who, _)| who == AUTHOR) {
                    case.notes.remove(words);
                }
            }
            What::NoteTakenBack { case, text } => {
                let notes = &self.case(case)?.notes;
                let place = notes.iter().rposition(|(who, said)| *who == event.actor && said == text);
                let place = place.ok_or_else(|| Error::refused("only a note of your own can be taken back, once"))?;
                self.touch(case)?.notes.remove(place);
            }
            What::PanelOpened { .. }
            | What::Voted { .. }
            | What::Recused { .. }
            | What::Revealed { .. }
            | What::Said { .. }
            | What::Withdrawn { .. }
            | What::Escalated { .. } => self.fold_panel(event)?,
        }
        Ok(())
    }

    fn fold_panel(&mut self, event: &Event) -> Result<(), Error> {
        match &event.what {
            What::PanelOpened {
                panel, case, reason, round, blind, members, shadow, barred, quorum, deadline, ..
            } => {
                let unique: BTreeSet<&ModId> = members.iter().chain(shadow).collect();
                if self.panels.contains_key(panel) || members.is_empty() || unique.len() != members.len() + shadow.len()
                {
                    return Err(Error::refused("the panel exists, is empty or seats somebody twice"));
                }
                let next = if *blind { Phase::PanelBlind } else { Phase::PanelOpen };
                self.step(case, next)?.panels.push(panel.clone());
                self.running.insert(panel.clone());
                let opened = PanelState {
                    id: panel.clone(),
                    case: case.clone(),
                    reason: *reason,
                    round: *round,
                    hidden: *blind,
                    closed: false,
                    members: members.clone(),
                    shadow: shadow.clone(),
                    barred: barred.clone(),
                    quorum: *quorum,
                    deadline: *deadline,
                    opened_at: event.at,
                    opened_by: event.actor.clone(),
                    votes: BTreeMap::new(),
                    first: None,
                    messages: Vec::new(),
                };
                self.panels.insert(panel.clone(), opened);
                for member in members {
                    self.sit(member);
                }
            }
            What::Voted { panel, moderator, ballot, cast_at } => {
                let panel = self.live(panel)?;
                if !panel.members.contains(moderator) && !panel.shadow.contains(moderator) {
                    return Err(Error::refused("the vote is by somebody without a seat"));
                }
                match panel.votes.get_mut(moderator) {
                    None => {
                        let cast_at = cast_at.unwrap_or(event.at);
                        let vote = Vote { ballot: ballot.clone(), cast_at, revised_from: None };
                        panel.votes.insert(moderator.clone(), vote);
                        if panel.members.contains(moderator) {
                            panel.first.get_or_insert_with(|| moderator.clone());
                            self.rise(moderator);
                        }
                    }
                    Some(vote) if !panel.hidden && vote.revised_from.is_none() => {
                        vote.revised_from = Some(std::mem::replace(&mut vote.ballot, ballot.clone()));
                    }
                    Some(_) => return Err(Error::refused("the vote was cast already")),
                }
            }
            What::Recused { panel, moderator, replacement, .. } => {
                let panel = self.live(panel)?;
                let Some(seat) = panel.members.iter().position(|m| m == moderator) else {
                    return Err(Error::refused("there is no such seat"));
                };
                if panel.votes.contains_key(moderator) {
                    return Err(Error::refused("a seat cannot be given up after voting"));
                }
                match replacement {
                    Some(other) if panel.members.contains(other) || panel.barred.contains(other) => {
                        return Err(Error::refused("the replacement may not sit"));
                    }
                    Some(other) => panel.members[seat].clone_from(other),
                    None => {
                        panel.members.remove(seat);
                    }
                }
                panel.barred.push(moderator.clone());
                self.rise(moderator);
                if let Some(other) = replacement {
                    self.sit(other);
                }
            }
            What::Revealed { panel } => {
                let panel = self.live(panel)?;
                panel.hidden = false;
                let case = panel.case.clone();
                self.step(&case, Phase::PanelOpen)?;
            }
            What::Said { panel, moderator, text } => {
                let panel = self.live(panel)?;
                if panel.hidden {
                    return Err(Error::refused("nobody speaks while votes are hidden"));
                }
                panel.messages.push((moderator.clone(), text.clone()));
            }
            What::Withdrawn { panel } => {
                let asked = self.live(panel)?;
                let (case, appeal) = (asked.case.clone(), asked.reason == Reason::Appeal);
                self.step(&case, if appeal { Phase::Appealed } else { Phase::Solo })?;
                self.close(panel)?;
            }
            What::Escalated { panel } => {
                let case = self.live(panel)?.case.clone();
                self.step(&case, Phase::Escalated)?;
                self.close(panel)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn arrive(&mut self, case: &Case) -> Result<(), Error> {
        if self.cases.contains_key(&case.id) {
            return Err(Error::refused("the case is here already"));
        }
        let state = CaseState {
            case: case.clone(),
            phase: Phase::New,
            revision: 1,
            prediction: None,
            panels: Vec::new(),
            decisions: Vec::new(),
            notes: Vec::new(),
        };
        self.cases.insert(case.id.clone(), state);
        Ok(())
    }

    fn touch(&mut self, id: &str) -> Result<&mut CaseState, Error> {
        let case = self.cases.get_mut(id).ok_or_else(|| Error::unknown("case", id))?;
        case.revision += 1;
        Ok(case)
    }

    fn step(&mut self, id: &str, next: Phase) -> Result<&mut CaseState, Error> {
        let from = self.case(id)?.phase;
        if !from.may_become(next) {
            return Err(Error::refused(format!("case “{id}” cannot go from {from:?} to {next:?}")));
        }
        let case = self.touch(id)?;
        case.phase = next;
        Ok(case)
    }

    fn live(&mut self, id: &str) -> Result<&mut PanelState, Error> {
        let panel = self.panels.get_mut(id).ok_or_else(|| Error::unknown("panel", id))?;
        if panel.closed { Err(Error::refused("the panel has ended")) } else { Ok(panel) }
    }

    fn close(&mut self, id: &str) -> Result<(), Error> {
        let panel = self.live(id)?;
        panel.closed = true;
        panel.hidden = false;
        let waiting: Vec<ModId> = panel.members.iter().filter(|m| !panel.votes.contains_key(*m)).cloned().collect();
        for moderator in waiting {
            self.rise(&moderator);
        }
        self.running.remove(id);
        Ok(())
    }
}
