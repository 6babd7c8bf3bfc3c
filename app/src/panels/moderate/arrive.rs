//! Taking in what the engine answers.

use plumb_moderate::workplace::{Acted, Answer, Board, Opened, Outcome, Where};

use super::state::{Bucket, State, Undoable};
use crate::shell::panel::PanelCx;
use crate::shell::slots::settled;
use crate::widgets::format;

impl State {
    /// Take in what has arrived.
    pub fn poll(&mut self, cx: &mut PanelCx<'_>) {
        if self.opening.poll()
            && settled(&self.opening)
            && let Some(opened) = self.opening.value().cloned()
        {
            self.begin(opened, cx);
        }
        self.poll_writing(cx);
        if self.refreshing.poll()
            && settled(&self.refreshing)
            && let Some(board) = self.refreshing.value().cloned()
        {
            self.news(board, cx);
        }
        self.look.poll();
        if self.past.poll() && settled(&self.past) {
            self.ask_look(cx);
        }
        self.learnt.poll();
        self.outlook.poll();
        if self.training.poll()
            && settled(&self.training)
            && let Some((done, card)) = self.training.value().cloned()
        {
            self.card = card;
            cx.notify.success(done.why);
        }
        if self.sorting.poll()
            && settled(&self.sorting)
            && let Some((done, board)) = self.sorting.value().cloned()
        {
            cx.notify.success(format!(
                "{} to panels, {} to one moderator each",
                format::counted(done.panels + done.audits, "case", "cases"),
                format::count(done.solo)
            ));
            self.news(board, cx);
        }
        if self.applying.poll()
            && settled(&self.applying)
            && let Some((done, board)) = self.applying.value().cloned()
        {
            self.said = format!("{} marked as carried out.", format::counted(done, "decision", "decisions"));
            self.undo.retain(|undo| matches!(undo, Undoable::Note(..)) || !board.changed.contains(undo.case()));
            self.news(board, cx);
        }
        self.lessons.poll();
        if self.joining.poll()
            && settled(&self.joining)
            && let Some(board) = self.joining.value().cloned()
        {
            self.member = plumb_moderate::workplace::Member::default();
            self.news(board, cx);
        }
        if self.replaying.poll() && settled(&self.replaying) {
            self.enter_replay(cx);
        }
        if self.preview.poll()
            && settled(&self.preview)
            && let Some(preview) = self.preview.value()
        {
            self.columns.clone_from(&preview.columns);
        }
        if self.importing.poll()
            && settled(&self.importing)
            && let Some((summary, board)) = self.importing.value().cloned()
        {
            cx.notify.success(format!(
                "{} new, {} new",
                format::counted(summary.cases, "case", "cases"),
                format::counted(summary.decisions, "decision", "decisions")
            ));
            self.news(board, cx);
            self.ask_past(cx);
        }
        if self.exporting.poll()
            && settled(&self.exporting)
            && let Some(rows) = self.exporting.value()
        {
            cx.notify.success(format!("Exported {}", format::counted(*rows, "row", "rows")));
        }
    }

    /// Take over what was opened. Nothing of what was open before is left but the settings.
    pub fn begin(&mut self, opened: Opened, cx: &PanelCx<'_>) {
        let kept = std::mem::take(&mut self.settings);
        let (database, name) = (std::mem::take(&mut self.database), std::mem::take(&mut self.name));
        let counter = self.counter;
        *self = Self { settings: kept, database, name, counter, started: true, ..Self::default() };
        if matches!(opened.at, Where::Database(_)) {
            self.settings.database = opened.at.kept();
            if self.settings.tab == super::state::Tab::Data {
                self.settings.tab = super::state::Tab::Queue;
            }
        } else {
            self.settings.database.clear();
            self.settings.who.clone_from(&opened.board.who.name);
        }
        self.card.clone_from(&opened.card);
        self.board = Some(opened.board.clone());
        self.opened = Some(opened);
        self.listen(cx);
        self.version += 1;
        self.arrange();
        // Where one left off, if that case is still in the list.
        let last = self.settings.last.clone();
        let queue = self.opened.as_ref().map(|opened| opened.work.queue().read().find(&last));
        let at = queue.flatten().and_then(|place| self.shown.iter().position(|other| *other == place));
        self.ask_past(cx);
        self.go(at.unwrap_or(0), cx);
        self.show(self.settings.tab, cx);
    }

    fn poll_writing(&mut self, cx: &PanelCx<'_>) {
        if self.acting.poll() || (!self.acting.is_pending() && !self.in_flight.is_empty()) {
            let sent = std::mem::take(&mut self.in_flight);
            match self.acting.value().cloned() {
                Some(acted) if settled(&self.acting) && answers(&acted, &sent) => self.answered(acted, cx),
                _ => {
                    // Stopped, or broken: it is not known what was written.
                    let why = self.acting.error().map_or_else(|| "it was stopped".to_owned(), ToString::to_string);
                    let lost = |asked| Answer { asked, outcome: Outcome::Lost(why.clone()) };
                    self.lost.extend(sent.into_iter().map(lost));
                }
            }
        }
        self.send(cx);
    }

    fn answered(&mut self, acted: Acted, cx: &PanelCx<'_>) {
        for answer in acted.answers {
            match &answer.outcome {
                Outcome::Done => {}
                Outcome::Lost(_) => self.lost.push(answer),
                Outcome::Refused(_) => {
                    if let Some(id) = &answer.asked.case {
                        self.undo.retain(|undo| undo.case() != id);
                    }
                    self.said.clear();
                    self.refused.push(answer);
                }
            }
        }
        if let Some(board) = acted.board {
            self.news(board, cx);
        }
    }

    /// Something changed.
    pub fn news(&mut self, board: Board, cx: &PanelCx<'_>) {
        let other = self.board.as_ref().is_some_and(|before| before.who.name != board.who.name);
        let policy = self.board.as_ref().is_some_and(|before| before.policy != board.policy);
        if other {
            // Somebody else sits here now: nothing half done is left to them.
            self.undo.clear();
            self.draft = None;
            self.said.clear();
            self.marked.clear();
            self.skipped.clear();
            if self.opened.as_ref().is_some_and(|opened| matches!(opened.at, Where::Sandbox(_))) {
                self.settings.who.clone_from(&board.who.name);
            }
        }
        if policy {
            self.policy = Some(board.policy.clone());
        }
        let moved = other || !board.changed.is_empty();
        let looked = self.selected.as_ref().is_some_and(|id| board.changed.contains(id));
        self.board = Some(board);
        if !moved {
            return;
        }
        self.version += 1;
        self.arrange();
        if looked
            && std::mem::take(&mut self.find)
            && let Some(id) = self.selected.clone()
        {
            self.look_at(&id, cx);
        } else if self.selected.is_none() && !self.shown.is_empty() {
            self.go(0, cx);
        } else if other || looked {
            self.ask_look(cx);
        }
    }

    /// Parts of the queue with the number of cases in them.
    pub fn buckets(&self) -> [(Bucket, usize); 4] {
        let board = self.board.as_ref();
        [Bucket::Review, Bucket::Panels, Bucket::Decided, Bucket::All].map(|bucket| {
            let count = board.map_or(0, |board| match bucket {
                Bucket::All => board.counts.iter().sum(),
                other => board.count(other.phases()),
            });
            (bucket, count)
        })
    }
}

/// Whether these are the answers to what was sent.
fn answers(acted: &Acted, sent: &[plumb_moderate::workplace::Asked]) -> bool {
    acted.answers.len() == sent.len() && acted.answers.iter().zip(sent).all(|(answer, asked)| answer.asked == *asked)
}
