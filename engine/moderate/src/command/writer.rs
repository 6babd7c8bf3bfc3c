//! How a command becomes events: on a copy of the part of the state that it touches.

use super::tally::Tally;
use super::{Action, Change, Command, SYSTEM};
use crate::Error;
use crate::audit::Head;
use crate::ballot::{Sealed, Voters};
use crate::draw;
use crate::event::{Event, What};
use crate::model::{Ballot, CaseId, Channel, Choice, Decision, ModId, Moderator, Prediction, Reason, Report, Verdict};
use crate::state::{PanelState, Phase, State};

pub(super) fn active(state: &State, actor: &str) -> Result<(), Error> {
    let moderator = state.moderators.get(actor).ok_or_else(|| Error::unknown("moderator", actor))?;
    if moderator.active { Ok(()) } else { Err(Error::refused(format!("“{actor}” has left the team"))) }
}

pub(super) fn check_ballot(panel: &PanelState, actor: &str, ballot: &Ballot) -> Result<(), Error> {
    if !panel.members.iter().chain(&panel.shadow).any(|member| member == actor) {
        return Err(Error::refused("you have no seat on this panel"));
    }
    if !(1..=5).contains(&ballot.confidence) {
        return Err(Error::refused("confidence goes from 1 to 5"));
    }
    if ballot.rationale.contains('\0') || ballot.rule.as_ref().is_some_and(|rule| rule.contains('\0')) {
        return Err(Error::refused("the reason has a character in it that means the end of a text; take it out"));
    }
    if ballot.choice != Choice::Abstain && ballot.rationale.trim().is_empty() {
        return Err(Error::refused("say in a sentence why"));
    }
    Ok(())
}

/// Bytes of a case's name: databases index it.
const LONGEST_NAME: usize = 1_000;

/// Bytes of a moderator's name, the longest that PostgreSQL allows for a role.
const LONGEST_MODERATOR: usize = 63;

/// Names are looked up, indexed and shown in one line.
fn check_name(kind: &str, name: &str, longest: usize) -> Result<(), Error> {
    if name.is_empty() || name.len() > longest || name.chars().any(char::is_control) {
        return Err(Error::refused(format!(
            "the name of a {kind} has 1 to {longest} bytes and no control characters; this one does not"
        )));
    }
    Ok(())
}

pub(super) struct Writer<'a> {
    pub command: &'a Command,
    pub digest: String,
    pub head: &'a Head,
    pub voters: &'a Voters,
    pub state: State,
    pub change: Change,
}

impl Writer<'_> {
    fn emit(&mut self, what: What) -> Result<(), Error> {
        let (actor, key, digest) = (self.command.actor.clone(), self.command.key.clone(), self.digest.clone());
        self.emit_as(actor, key, digest, what)
    }

    fn emit_as(&mut self, actor: String, key: String, digest: String, what: What) -> Result<(), Error> {
        let (seq, at) = (self.state.seq + 1, self.command.at.max(self.state.at));
        let event = Event { seq, at, actor, key, digest, what };
        self.state.apply(&event).map_err(|error| match error {
            Error::Illegal { why, .. } => Error::Refused(why),
            other => other,
        })?;
        self.change.events.push(event);
        Ok(())
    }

    pub fn check_actor(&self) -> Result<(), Error> {
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
        active(&self.state, actor)?;
        let trainee = self.state.moderators.get(actor).is_some_and(|moderator| moderator.trainee);
        if trainee && matches!(self.command.action, Action::Decide(..) | Action::Undo(_) | Action::Apply(_)) {
            return Err(Error::refused("trainees do not decide alone; ask for a panel"));
        }
        Ok(())
    }

    pub fn act(&mut self) -> Result<(), Error> {
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
                if policy.blind && policy.stop_when_decided {
                    return Err(Error::refused(
                        "a blind panel cannot stop early, because its end would tell how the others voted; show votes, or collect all of them",
                    ));
                }
                self.emit(What::PolicySet { policy })
            }
            Action::SetModerator(moderator) => self.set_moderator(moderator),
            Action::Arrive(mut case) => {
                check_name("case", &case.id, LONGEST_NAME)?;
                for Report { reason, count } in std::mem::take(&mut case.reports) {
                    case.report(&reason, count);
                }
                match self.state.cases.get(&case.id) {
                    Some(known) if known.case == case => Ok(()),
                    Some(_) => Err(Error::refused(format!("another case is called “{}” already", case.id))),
                    None => self.emit(What::CaseArrived { case }),
                }
            }
            Action::Report(case, reason, count) => self.emit(What::Reported { case, reason, count }),
            Action::Log(case, decision) => self.emit(What::DecisionLogged { case, decision }),
            Action::Score(case, prediction) => self.score(case, prediction),
            Action::Solo(case) => self.emit(What::RoutedSolo { case }),
            Action::OpenPanel(case, reason, barred) => self.open_panel(&case, reason, barred),
            Action::Vote(panel, ballot) => self.vote(&panel, ballot),
            Action::Unseal(panel, ballots) => self.unseal(&panel, ballots),
            Action::Recuse(panel) => {
                self.recuse(&panel, &actor)?;
                self.settle(&panel)
            }
            Action::Withdraw(case) => {
                let known = self.state.case(&case)?;
                let panel = known.panels.last().cloned();
                let panel = panel.ok_or_else(|| Error::refused(format!("case “{case}” has no panel")))?;
                let asked = self.state.panel(&panel)?;
                // An escalation by the votes of an earlier panel is nobody's own.
                let first = known.panels.first() == Some(&panel);
                let own = match asked.reason {
                    Reason::Manual | Reason::Appeal => true,
                    Reason::Escalation => first,
                    _ => false,
                };
                if !own || asked.opened_by != actor || asked.closed {
                    return Err(Error::refused(
                        "only a second opinion that you have asked for yourself can be withdrawn",
                    ));
                }
                if !asked.hidden && !asked.votes.is_empty() {
                    return Err(Error::refused("its votes are shown; it cannot be withdrawn any more"));
                }
                self.emit(What::Withdrawn { panel })
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
            Action::TakeBackAppeal(case) => {
                if self.state.case(&case)?.phase != Phase::Appealed {
                    return Err(Error::refused(format!("case “{case}” has no appeal that waits for a panel")));
                }
                self.emit(What::AppealTakenBack { case })
            }
            Action::Note(case, text) => self.emit(What::Noted { case, text }),
            Action::TakeBackNote(case, text) => self.emit(What::NoteTakenBack { case, text }),
            Action::Tick => self.tick(),
        }
    }

    fn set_moderator(&mut self, moderator: Moderator) -> Result<(), Error> {
        let id = moderator.id.clone();
        if !self.state.moderators.contains_key(&id) {
            check_name("moderator", &id, LONGEST_MODERATOR)?;
            if id == SYSTEM {
                return Err(Error::refused(format!(
                    "nobody may be called “{SYSTEM}”: the program acts under this name"
                )));
            }
        }
        let leaves = !moderator.active || moderator.trainee;
        self.emit(What::ModeratorSet { moderator })?;
        if leaves {
            for panel in self.state.running.clone() {
                let seated = self.state.panel(&panel)?;
                let voted = seated.votes.contains_key(&id) || self.voters.contains(&(panel.clone(), id.clone()));
                if seated.members.contains(&id) && !voted {
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
        if reason == Reason::Escalation {
            // The whole team, in the open, without a panel before it.
            return self.seat(case, reason, 2, false, barred, usize::MAX);
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

    /// What the model thinks of single moderators stays out of the log, which the whole team reads.
    fn score(&mut self, case: CaseId, mut prediction: Option<Prediction>) -> Result<(), Error> {
        if let Some(shown) = &mut prediction {
            let each = std::mem::take(&mut shown.p);
            (shown.disagreement, shown.entropy, shown.gain) = (None, None, None);
            if !each.is_empty() {
                let text = serde_json::to_string(&each).map_err(|error| Error::refused(error.to_string()))?;
                self.change.private.push((case.clone(), text));
            }
        }
        self.emit(What::Scored { case, prediction })
    }

    /// A vote that everybody on the panel may see at once.
    fn vote(&mut self, panel: &str, ballot: Ballot) -> Result<(), Error> {
        let actor = self.command.actor.clone();
        let seated = self.state.panel(panel)?;
        if seated.hidden {
            return Err(Error::refused("votes on a blind panel are cast one at a time"));
        }
        check_ballot(seated, &actor, &ballot)?;
        let revision = seated.votes.contains_key(&actor);
        self.emit(What::Voted { panel: panel.to_owned(), moderator: actor, ballot, cast_at: None })?;
        // A revision waits for somebody to close the discussion.
        if revision { Ok(()) } else { self.settle(panel) }
    }

    fn unseal(&mut self, panel: &str, ballots: Vec<Sealed>) -> Result<(), Error> {
        if !self.state.panel(panel)?.hidden {
            return Err(Error::refused("the panel's votes are shown already"));
        }
        for Sealed { panel, moderator, ballot, key, digest, at } in ballots {
            let what = What::Voted { panel, moderator: moderator.clone(), ballot, cast_at: Some(at) };
            self.emit_as(moderator, key, digest, what)?;
        }
        let seated = self.state.panel(panel)?;
        if seated.complete() {
            self.settle(panel)
        } else if seated.deadline <= self.command.at.max(self.state.at) {
            self.count(panel)
        } else {
            Err(Error::refused("not all votes are in"))
        }
    }

    fn recuse(&mut self, panel: &str, moderator: &str) -> Result<(), Error> {
        let seat = (panel.to_owned(), moderator.to_owned());
        if self.voters.contains(&seat) {
            return Err(Error::refused("a seat cannot be given up after voting"));
        }
        self.change.vacated.push(seat);
        // The one who leaves is barred only by this event: leave them out of the draw as a member.
        let seed = draw::seed(&self.head.hash, &format!("{panel} {moderator}"));
        let replacement = draw::draw(&self.state.replacements(panel), 1, seed).into_iter().next();
        self.emit(What::Recused { panel: panel.to_owned(), moderator: moderator.to_owned(), replacement, seed })
    }

    /// After a vote or a free seat: end the panel, show it, or leave it waiting. A blind panel comes here with its
    /// ballots only; without them it waits.
    fn settle(&mut self, panel: &str) -> Result<(), Error> {
        let state = self.state.panel(panel)?;
        if state.closed || (state.hidden && !matches!(self.command.action, Action::Unseal(..))) {
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
            let state = self.state.panel(&panel)?;
            if !state.hidden && state.deadline <= now {
                self.count(&panel)?;
            }
        }
        Ok(())
    }
}
