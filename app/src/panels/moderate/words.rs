//! What is written about a case: notes, clarifications of a rule, the words of an appeal. Each can be taken back, which
//! the log remembers like everything else.

use plumb_moderate::command::Action as Command;
use plumb_moderate::model::{CaseId, Reason};
use plumb_moderate::state::Phase;

use super::judge::leave_field;
use super::state::{Asking, Focus, State, Undoable};
use crate::shell::panel::PanelCx;

impl State {
    /// Whether the selected case is one whose author may appeal.
    pub fn may_appeal(&self) -> bool {
        let applied = self.case().is_some_and(|look| look.view.phase == Phase::Applied);
        applied && !self.in_replay() && !self.selected.as_ref().is_some_and(|id| self.is_pending(id))
    }

    /// Ask for the words of an appeal.
    pub fn begin_appeal(&mut self) {
        if self.may_appeal() {
            self.asking = Asking::Appeal(String::new());
            self.focus = Some(Focus::Note);
        } else {
            "Only a decision that was carried out can be appealed.".clone_into(&mut self.said);
        }
    }

    /// The note or the appeal is written.
    pub fn save_words(&mut self, cx: &PanelCx<'_>) {
        let asking = std::mem::take(&mut self.asking);
        leave_field(cx);
        let Some(id) = self.selected.clone() else { return };
        match asking {
            Asking::Note(text) if !text.trim().is_empty() => {
                self.said = format!("The note stays with {id}. Undo takes it back.");
                self.keep_note(id, text.trim().to_owned());
                self.send(cx);
            }
            Asking::Appeal(text) if self.may_appeal() => {
                self.said = format!("{id} is appealed: others than before vote on it. Undo takes the appeal back.");
                let expect = self.revision();
                self.ask(Some(id.clone()), expect, Command::Appeal(id.clone(), text.trim().to_owned()));
                self.ask(Some(id.clone()), None, Command::OpenPanel(id.clone(), Reason::Appeal, Vec::new()));
                self.undo.push(Undoable::Appeal(id));
                self.send(cx);
            }
            _ => {}
        }
    }

    fn keep_note(&mut self, id: CaseId, text: String) {
        self.ask(Some(id.clone()), None, Command::Note(id.clone(), text.clone()));
        self.undo.push(Undoable::Note(id, text));
    }

    /// Take back a note of one's own on the selected case.
    pub fn take_back_note(&mut self, text: String, cx: &PanelCx<'_>) {
        let Some(id) = self.selected.clone() else { return };
        let this = Undoable::Note(id.clone(), text.clone());
        if let Some(place) = self.undo.iter().rposition(|undo| *undo == this) {
            self.undo.remove(place);
        }
        self.said = format!("Took back the note on {id}; the log keeps it.");
        self.ask(Some(id.clone()), None, Command::TakeBackNote(id, text));
        self.send(cx);
    }

    /// Propose how a rule is to be read.
    pub fn clarify(&mut self, cx: &PanelCx<'_>) {
        let Some(look) = self.case() else { return };
        let (id, panel) = (look.view.case.id.clone(), look.panel.as_ref().map(|panel| panel.view.panel.clone()));
        let rule = look.decisions.last().and_then(|decision| decision.rule.clone());
        let rule = rule.or_else(|| look.view.case.rule_hints.first().cloned()).unwrap_or_default();
        let title = self.rule_title(&rule).to_owned();
        let text = std::mem::take(&mut self.draft_for(&panel.unwrap_or_default()).clarification);
        if text.trim().is_empty() {
            return;
        }
        self.said = format!("The clarification stays with {id} as a note. Undo takes it back.");
        self.keep_note(id, format!("Rule clarification, “{title}”: {}", text.trim()));
        self.send(cx);
    }
}
