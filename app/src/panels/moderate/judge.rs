//! Verdicts, panels, votes and notes: each becomes a command with a key of its own, is sent in order, and is kept until
//! its answer is here. Nothing that was pressed is lost when the database does not answer: it is shown and can be sent
//! again.

use plumb_core::Lane;
use plumb_moderate::command::Action as Command;
use plumb_moderate::model::{Ballot, CaseId, Choice, Policy, Reason, Verdict};
use plumb_moderate::workplace::{ActJob, ApplyJob, Asked};

use super::action::Action;
use super::state::{Asking, Bulk, Focus, State, Undoable};
use crate::shell::panel::PanelCx;
use crate::widgets::format;

impl State {
    /// The panel of the selected case, if one votes on it and has not yet, or revises.
    pub fn votes_on(&self) -> Option<String> {
        let panel = self.case()?.panel.as_ref().filter(|panel| !panel.closed && panel.view.seated)?;
        let revising = self.draft.as_ref().is_some_and(|draft| draft.revising && draft.panel == panel.view.panel);
        (panel.view.own.is_none() || revising).then(|| panel.view.panel.clone())
    }

    /// What changes cases.
    pub fn judge(&mut self, action: Action, now: f64, cx: &mut PanelCx<'_>) {
        self.exposure.work(now);
        let voting = self.votes_on();
        match action {
            Action::Approve if voting.is_some() => self.choose(Choice::Approve),
            Action::Remove if voting.is_some() => self.choose(Choice::Remove),
            Action::Escalate if voting.is_some() => self.choose(Choice::Escalate),
            Action::Abstain => self.choose(Choice::Abstain),
            Action::Approve => self.decide(Verdict::Approve, None, cx),
            Action::Remove => {
                if let Some(id) = self.selected.clone().filter(|_| self.may_decide()) {
                    self.asking = Asking::Rule(vec![id]);
                }
            }
            Action::Rule(place) => self.choose_rule(place, cx),
            Action::Panel | Action::Escalate if self.in_replay() => {
                "A replay has no panels: decide as you would alone.".clone_into(&mut self.said);
            }
            Action::Panel => self.open_panel(Reason::Manual, cx),
            Action::Escalate => self.open_panel(Reason::Escalation, cx),
            Action::Undo => self.take_back(cx),
            Action::Skip => self.skip(cx),
            Action::Return if !self.skipped.is_empty() => {
                let id = self.skipped.remove(0);
                self.look_at(&id, cx);
            }
            Action::Note if self.selected.is_some() => {
                self.asking = Asking::Note(String::new());
                self.focus = Some(Focus::Note);
            }
            Action::Appeal => self.begin_appeal(),
            Action::SaveWords => self.save_words(cx),
            Action::TakeBackNote(text) => self.take_back_note(text, cx),
            Action::BulkNow(bulk) => self.bulk(bulk, cx),
            Action::Cast => self.cast(cx),
            Action::Confidence(sure) => {
                if let Some(panel) = voting {
                    self.draft_for(&panel).confidence = sure;
                }
            }
            Action::Recuse => {
                self.on_panel("You gave up your seat; somebody else was drawn for it.", cx, |panel, _| {
                    Some(Command::Recuse(panel))
                });
            }
            Action::Revise => {
                if let Some((panel, own)) = self.own_vote() {
                    let draft = self.draft_for(&panel);
                    (draft.choice, draft.rule, draft.rationale, draft.confidence, draft.revising) =
                        (Some(own.choice), own.rule, own.rationale, own.confidence, true);
                    self.focus = Some(Focus::Rationale);
                }
            }
            Action::Say => self.say(cx),
            Action::Close => {
                self.on_panel("The discussion has ended and the votes were counted.", cx, |panel, _| {
                    Some(Command::Close(panel))
                });
            }
            Action::Clarify => self.clarify(cx),
            Action::SetPolicy(policy) => self.set_policy(*policy, cx),
            Action::Retry => {
                let lost = std::mem::take(&mut self.lost);
                self.outbox.extend(lost.into_iter().map(|answer| answer.asked));
                self.send(cx);
            }
            Action::GiveUp => self.lost.clear(),
            _ => {}
        }
    }

    /// Whether the selected case is for one moderator to decide.
    pub fn may_decide(&self) -> bool {
        use plumb_moderate::state::Phase;
        let trainee = self.board.as_ref().is_some_and(|board| board.trainee);
        let solo = self.case().is_some_and(|look| look.view.phase == Phase::Solo);
        solo && !trainee && !self.selected.as_ref().is_some_and(|id| self.is_pending(id))
    }

    /// Put a command into the queue of what is sent.
    pub fn ask(&mut self, case: Option<CaseId>, expect: Option<u64>, action: Command) {
        self.counter += 1;
        let who = self.board.as_ref().map_or("", |board| board.who.name.as_str());
        let key = format!("window {who} {} {}", format::clock_millis(), self.counter);
        self.outbox.push(Asked { key, case, expect, action });
    }

    /// Send what waits, if nothing is on its way.
    pub fn send(&mut self, cx: &PanelCx<'_>) {
        if self.acting.is_pending() || self.outbox.is_empty() || !self.in_flight.is_empty() {
            return;
        }
        let Some(opened) = &self.opened else { return };
        self.in_flight = std::mem::take(&mut self.outbox);
        let job = ActJob { work: opened.work.clone(), asked: self.in_flight.clone(), now: format::clock() };
        self.acting.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }

    /// The revision of the selected case that is on screen.
    pub fn revision(&self) -> Option<u64> {
        self.case().map(|look| look.view.revision)
    }

    fn decide(&mut self, verdict: Verdict, rule: Option<String>, cx: &PanelCx<'_>) {
        let Some(id) = self.selected.clone().filter(|_| self.may_decide()) else { return };
        self.said = match (verdict, &rule) {
            (Verdict::Approve, _) => format!("Approved {id}. Undo takes it back until it is carried out."),
            (Verdict::Remove, Some(rule)) => {
                format!(
                    "Removed {id} by the rule “{}”. Undo takes it back until it is carried out.",
                    self.rule_title(rule)
                )
            }
            (Verdict::Remove, None) => {
                format!("Removed {id} without a rule. Undo takes it back until it is carried out.")
            }
        };
        let expect = self.revision();
        self.ask(Some(id.clone()), expect, Command::Decide(id.clone(), verdict, rule));
        self.undo.push(Undoable::Decision(id));
        self.handled(cx);
    }

    /// A case is done with: send, count, and go on.
    fn handled(&mut self, cx: &PanelCx<'_>) {
        self.exposure.handled += 1;
        self.asking = Asking::Nothing;
        // The next case is found before this one leaves the list.
        // A replay stays, to show how the team had judged.
        let next = if self.settings.advance && !self.in_replay() { self.next_open() } else { None };
        self.send(cx);
        if let Some(next) = next {
            self.go(next, cx);
        }
    }

    /// The place of the next case that nothing was done to; the nearest one before where there is none after.
    fn next_open(&self) -> Option<usize> {
        let open = |at: &usize| {
            self.id_at(*at).is_some_and(|id| {
                Some(&id) != self.selected.as_ref() && !self.is_pending(&id) && !self.skipped.contains(&id)
            })
        };
        let after = || self.at + 1..self.shown.len();
        // Among panels, and after a vote, those come first that wait for one's own vote.
        let seats = self.board.as_ref().map(|board| board.seats.as_slice()).unwrap_or_default();
        let wanted = |at: &usize| {
            let id = self.id_at(*at);
            open(at) && seats.iter().any(|seat| !seat.voted && Some(&seat.case) == id.as_ref())
        };
        let seat = if seats.is_empty() { None } else { after().find(wanted).or_else(|| (0..self.at).find(wanted)) };
        // Who has just voted goes on voting, whatever list is shown.
        let voting = seats.iter().any(|seat| Some(&seat.case) == self.selected.as_ref());
        let panels = voting || self.settings.bucket == super::state::Bucket::Panels;
        let any = || after().find(open).or_else(|| (0..self.at).rev().find(open));
        seat.filter(|_| panels).or_else(any)
    }

    fn choose_rule(&mut self, place: Option<usize>, cx: &PanelCx<'_>) {
        let rules = self.board.as_ref().map(|board| board.rules.as_slice()).unwrap_or_default();
        let rule = match place {
            None => None,
            Some(place) => match rules.get(place) {
                Some(rule) => Some(rule.key.clone()),
                None => return,
            },
        };
        match std::mem::take(&mut self.asking) {
            Asking::Rule(cases) if cases.is_empty() => {
                if let Some(panel) = self.votes_on() {
                    self.draft_for(&panel).rule = rule;
                    self.focus = Some(Focus::Rationale);
                }
            }
            Asking::Rule(cases) if cases.len() == 1 && Some(&cases[0]) == self.selected.as_ref() => {
                self.decide(Verdict::Remove, rule, cx);
            }
            Asking::Rule(cases) => {
                self.said = format!(
                    "Removed {}. Undo takes them back one by one.",
                    format::counted(cases.len(), "case", "cases")
                );
                for id in cases {
                    self.ask(Some(id.clone()), None, Command::Decide(id.clone(), Verdict::Remove, rule.clone()));
                    self.undo.push(Undoable::Decision(id));
                }
                self.marked.clear();
                self.handled(cx);
            }
            other => self.asking = other,
        }
    }

    fn open_panel(&mut self, reason: Reason, cx: &PanelCx<'_>) {
        use plumb_moderate::state::Phase;
        let Some(look) = self.case().filter(|look| matches!(look.view.phase, Phase::Solo | Phase::Appealed)) else {
            return;
        };
        let appealed = look.view.phase == Phase::Appealed;
        let reason = if appealed && reason == Reason::Manual { Reason::Appeal } else { reason };
        let id = look.view.case.id.clone();
        if self.is_pending(&id) {
            return;
        }
        self.said = if reason == Reason::Escalation {
            format!("The whole team decides {id} in the open. Undo withdraws that until somebody has voted.")
        } else {
            format!("A panel was drawn for {id}. Undo withdraws it until its votes are shown.")
        };
        let expect = self.revision();
        self.ask(Some(id.clone()), expect, Command::OpenPanel(id.clone(), reason, Vec::new()));
        self.undo.push(Undoable::Panel(id));
        self.handled(cx);
    }

    /// Take back the last action that can be.
    fn take_back(&mut self, cx: &PanelCx<'_>) {
        // Without one of this session, a decision that is being looked at.
        let looked = self.case().and_then(|look| {
            let id = look.view.case.id.clone();
            let panel = look.panel.as_ref().is_some_and(|panel| panel.withdraw);
            if look.undo { Some(Undoable::Decision(id)) } else { panel.then_some(Undoable::Panel(id)) }
        });
        let Some(last) = self.undo.pop().or(looked) else {
            "There is nothing to undo.".clone_into(&mut self.said);
            return;
        };
        let words = matches!(last, Undoable::Note(..) | Undoable::Appeal(_));
        let id = match last {
            Undoable::Note(id, text) => {
                self.said = format!("Took back the note on {id}; the log keeps it.");
                self.ask(Some(id.clone()), None, Command::TakeBackNote(id.clone(), text));
                id
            }
            Undoable::Appeal(id) => {
                self.said = format!("Took back the appeal on {id}: the decision before it stands.");
                self.ask(Some(id.clone()), None, Command::Withdraw(id.clone()));
                self.ask(Some(id.clone()), None, Command::TakeBackAppeal(id.clone()));
                id
            }
            Undoable::Decision(id) => {
                self.said = format!("Took back the decision on {id}.");
                self.ask(Some(id.clone()), None, Command::Undo(id.clone()));
                id
            }
            Undoable::Panel(id) => {
                self.said = format!("Withdrew the panel for {id}.");
                self.ask(Some(id.clone()), None, Command::Withdraw(id.clone()));
                id
            }
        };
        if !words {
            self.exposure.handled = self.exposure.handled.saturating_sub(1);
        }
        self.asking = Asking::Nothing;
        self.send(cx);
        // Where it goes is known with the answer.
        self.selected = Some(id);
        self.find = true;
        self.scroll = true;
        self.ask_look(cx);
    }

    fn skip(&mut self, cx: &PanelCx<'_>) {
        let Some(id) = self.selected.clone() else { return };
        let next = self.next_open();
        if !self.skipped.contains(&id) {
            self.said = format!("Skipped {id}; t brings it back.");
            self.skipped.push(id);
        }
        if let Some(next) = next {
            self.go(next, cx);
        }
    }

    /// Mark the selected case and go on, or all that are shown.
    pub fn mark(&mut self, all: bool, cx: &PanelCx<'_>) {
        if all {
            let every: Vec<CaseId> = (0..self.shown.len()).filter_map(|at| self.id_at(at)).collect();
            if every.iter().all(|id| self.marked.contains(id)) {
                self.marked.clear();
            } else {
                self.marked.extend(every);
            }
            return;
        }
        let Some(id) = self.selected.clone() else { return };
        if !self.marked.remove(&id) {
            self.marked.insert(id);
        }
        if self.at + 1 < self.shown.len() {
            self.go(self.at + 1, cx);
        }
    }

    fn bulk(&mut self, bulk: Bulk, cx: &PanelCx<'_>) {
        let cases: Vec<CaseId> = self.marked.iter().cloned().collect();
        let count = format::counted(cases.len(), "case", "cases");
        match bulk {
            Bulk::Remove => {
                self.asking = Asking::Rule(cases);
                return;
            }
            Bulk::Apply => {
                let Some(opened) = &self.opened else { return };
                self.counter += 1;
                let key = format!("apply {} {}", format::clock_millis(), self.counter);
                let job = ApplyJob { work: opened.work.clone(), cases: Some(cases), now: format::clock(), key };
                self.applying.request(cx.engine, Lane::Store, cx.settings.seed, job);
                self.marked.clear();
                self.asking = Asking::Nothing;
                return;
            }
            Bulk::Approve => {
                self.said = format!("Approved {count}. Undo takes them back one by one.");
                for id in cases {
                    self.ask(Some(id.clone()), None, Command::Decide(id.clone(), Verdict::Approve, None));
                    self.undo.push(Undoable::Decision(id));
                }
            }
            Bulk::Panel => {
                self.said = format!("Panels were drawn for {count}. Undo withdraws them one by one.");
                for id in cases {
                    self.ask(Some(id.clone()), None, Command::OpenPanel(id.clone(), Reason::Manual, Vec::new()));
                    self.undo.push(Undoable::Panel(id));
                }
            }
        }
        self.marked.clear();
        self.handled(cx);
    }

    fn cast(&mut self, cx: &PanelCx<'_>) {
        let Some(panel) = self.votes_on() else { return };
        let Some(draft) = self.draft.clone().filter(|draft| draft.panel == panel && draft.ready()) else { return };
        let Some(choice) = draft.choice else { return };
        leave_field(cx);
        let ballot = Ballot {
            choice,
            rule: draft.rule,
            rationale: draft.rationale.trim().to_owned(),
            confidence: draft.confidence,
        };
        let id = self.selected.clone();
        "Your vote is cast.".clone_into(&mut self.said);
        self.ask(id, None, Command::Vote(panel, ballot));
        self.draft = None;
        if draft.revising {
            self.send(cx);
            self.ask_look(cx);
        } else {
            self.handled(cx);
        }
    }

    fn own_vote(&self) -> Option<(String, Ballot)> {
        let panel = self.case()?.panel.as_ref().filter(|panel| !panel.closed && !panel.view.hidden)?;
        Some((panel.view.panel.clone(), panel.view.own.clone()?))
    }

    /// Do something on the panel of the selected case.
    fn on_panel(&mut self, said: &str, cx: &PanelCx<'_>, what: impl FnOnce(String, &mut Self) -> Option<Command>) {
        let panel = self.case().and_then(|look| look.panel.as_ref()).filter(|panel| !panel.closed);
        let Some(panel) = panel.map(|panel| panel.view.panel.clone()) else { return };
        let id = self.selected.clone();
        if let Some(command) = what(panel, self) {
            said.clone_into(&mut self.said);
            self.ask(id, None, command);
            self.send(cx);
        }
    }

    fn say(&mut self, cx: &PanelCx<'_>) {
        self.on_panel("Everybody on the panel reads what you said.", cx, |panel, state| {
            let text = std::mem::take(&mut state.draft_for(&panel).message);
            (!text.trim().is_empty()).then(|| Command::Say(panel, text.trim().to_owned()))
        });
    }

    fn set_policy(&mut self, policy: Policy, cx: &PanelCx<'_>) {
        "The rules for panels are changed from now on; panels that run keep theirs.".clone_into(&mut self.said);
        self.ask(None, None, Command::SetPolicy(policy));
        self.send(cx);
    }
}

/// What was written is done with: the keys mean actions again.
pub fn leave_field(cx: &PanelCx<'_>) {
    if let Some(field) = cx.egui.memory(egui::Memory::focused) {
        cx.egui.memory_mut(|memory| memory.surrender_focus(field));
    }
}

impl super::state::Draft {
    /// Whether it can be cast.
    pub fn ready(&self) -> bool {
        self.choice.is_some_and(|choice| choice == Choice::Abstain || !self.rationale.trim().is_empty())
    }
}
