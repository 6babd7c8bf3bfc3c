//! Doing what the regions, the keys and the command table ask for.

use plumb_core::Lane;
use plumb_moderate::model::Choice;
use plumb_moderate::workplace::{ForecastJob, RetrainJob, SignIn, SortInJob, Where};

use super::action::{Action, Work};
use super::state::{Asking, Focus, State, Tab};
use crate::shell::dialogs::DialogPurpose;
use crate::shell::panel::PanelCx;
use crate::shell::slots::forget_error;
use crate::widgets::format;

const fn purpose(what: &'static str, title: &'static str) -> DialogPurpose {
    DialogPurpose { owner: "moderate", what, title, filters: &[], folder: false }
}

const DATABASES: &[(&str, &[&str])] = &[("SQLite databases", &["db", "sqlite", "sqlite3"]), ("All files", &["*"])];
const TABLES: &[(&str, &[&str])] = &[("Logs and tables", &["csv", "jsonl", "ndjson", "json"]), ("All files", &["*"])];

/// A database.
pub const DATABASE: DialogPurpose = DialogPurpose { filters: DATABASES, ..purpose("database", "Open a database") };
/// A file to import.
pub const IMPORT: DialogPurpose = DialogPurpose { filters: TABLES, ..purpose("import", "Import cases and judgements") };
/// Where an export goes.
pub const EXPORT: DialogPurpose = purpose("export", "Export");
/// Where a table or a picture goes.
pub const SAVE: DialogPurpose = purpose("save", "Save");

impl State {
    /// Do one thing.
    pub fn act(&mut self, action: Action, cx: &mut PanelCx<'_>) {
        let now = cx.egui.input(|input| input.time);
        match action {
            Action::Sandbox => self.open(
                Where::Sandbox(super::sandbox_file(cx)),
                SignIn { name: self.settings.who.clone(), ..SignIn::default() },
                cx,
            ),
            Action::Open => self.open_field(false, cx),
            Action::Found => self.open_field(true, cx),
            Action::OpenDialog => cx.dialogs.open(DATABASE),
            Action::Switch(name) => self.refresh(Some(name), cx),
            Action::Refresh => self.refresh(None, cx),
            Action::Show(tab) => self.show(tab, cx),
            Action::Bucket(bucket) => {
                self.settings.bucket = bucket;
                self.asking = Asking::Nothing;
                self.marked.clear();
                self.at = 0;
                self.arrange();
                if self.selected.as_ref() != self.id_at(self.at).as_ref() {
                    self.go(0, cx);
                }
            }
            Action::Step(by) => {
                // Where the case has left the list, its place is taken by the next one.
                let gone = self.id_at(self.at) != self.selected;
                let by = if gone && by > 0 { by - 1 } else { by };
                let last = self.shown.len().saturating_sub(1);
                self.go(self.at.saturating_add_signed(by).min(last), cx);
            }
            Action::At(at) => self.go(at, cx),
            Action::Look(id) => self.look_at(&id, cx),
            Action::Search => self.focus = Some(Focus::Search),
            Action::Why => self.focus = Some(Focus::Rationale),
            Action::Leave => self.asking = Asking::Nothing,
            Action::Mark | Action::MarkAll => self.mark(action == Action::MarkAll, cx),
            Action::Bulk(bulk) if !self.marked.is_empty() => self.asking = Asking::Bulk(bulk),
            Action::Bulk(_) => {}
            Action::Reveal => {
                if let Some(look) = self.case()
                    && self.hides(&look.view.case.id, look.harmful)
                {
                    let id = look.view.case.id.clone();
                    self.revealed.insert(id);
                    self.exposure.reveal(now);
                }
            }
            Action::Rested => self.exposure.rested(),
            Action::Later => self.exposure.later(now),
            Action::Understood => self.refused.clear(),
            Action::Explore => self.explore(cx),
            Action::Forecast => self.forecast(cx),
            Action::Train(force) => self.train(force, cx),
            Action::SortIn => self.sort_in(cx),
            Action::Lessons => self.ask_lessons(cx),
            Action::Team(member) => self.change_team(*member, cx),
            Action::ForgetLessons => self.lessons.clear(),
            Action::Replay => self.begin_replay(cx),
            Action::EndReplay => self.end_replay(cx),
            Action::Answer(remove) => self.answer_lesson(remove),
            Action::NextLesson => self.review.shown = false,
            Action::ImportDialog => cx.dialogs.open(IMPORT),
            Action::Preview => self.ask_preview(cx),
            Action::Import => self.import(cx),
            Action::ForgetImport => {
                self.file = None;
                self.columns = None;
                self.preview.clear();
                self.importing.clear();
            }
            Action::Export(what, form) => self.export_dialog(what, form, cx),
            Action::Save(request) => {
                cx.dialogs.save(SAVE, request.name.clone());
                self.saving = Some(request);
            }
            Action::Stop(work) => self.stop(work),
            Action::Dismiss(work) => self.dismiss(work),
            other => self.judge(other, now, cx),
        }
    }

    fn open_field(&mut self, found: bool, cx: &PanelCx<'_>) {
        let at = Where::Database(self.database.trim().to_owned());
        let password = std::mem::take(&mut self.password);
        self.open(at, SignIn { name: self.name.trim().to_owned(), password, found }, cx);
    }

    /// Show a tab, and ask for what it needs.
    pub fn show(&mut self, tab: Tab, cx: &PanelCx<'_>) {
        self.settings.tab = tab;
        self.asking = Asking::Nothing;
        let Some(board) = &self.board else { return };
        match tab {
            Tab::Disagreement | Tab::Report if self.learnt_for != Some(board.seq) && !self.learnt.is_pending() => {
                self.explore(cx);
            }
            Tab::Settings => {
                if self.policy.is_none() {
                    self.policy = Some(board.policy.clone());
                }
                if self.outlook.value().is_none() && !self.outlook.is_pending() {
                    self.forecast(cx);
                }
            }
            _ => {}
        }
    }

    fn forecast(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = &self.opened else { return };
        let panel = self.policy.as_ref().or(self.board.as_ref().map(|board| &board.policy));
        let job = ForecastJob {
            work: opened.work.clone(),
            panel: panel.map_or(3, |policy| policy.panel_size),
            objective: plumb_moderate::score::Objective::Combined,
        };
        self.outlook.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    fn train(&mut self, force: bool, cx: &PanelCx<'_>) {
        let Some(opened) = &self.opened else { return };
        let spec = plumb_moderate::train::TrainSpec { force, ..Default::default() };
        let job = RetrainJob { work: opened.work.clone(), spec };
        self.training.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    fn sort_in(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = &self.opened else { return };
        let job = SortInJob { work: opened.work.clone(), budget: self.settings.budget, now: format::clock() };
        self.sorting.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }

    fn answer_lesson(&mut self, remove: bool) {
        let count = self.lessons.value().map_or(0, Vec::len);
        if !self.review.shown && self.review.answers.len() < count {
            self.review.answers.push(remove);
            self.review.shown = true;
        }
    }

    /// What a key of the queue means on a panel one votes on.
    pub fn choose(&mut self, choice: Choice) {
        let Some(panel) = self.votes_on() else { return };
        let draft = self.draft_for(&panel);
        draft.choice = Some(choice);
        if choice != Choice::Remove {
            draft.rule = None;
        }
        if choice == Choice::Remove {
            self.asking = Asking::Rule(Vec::new());
        } else {
            self.asking = Asking::Nothing;
            self.focus = Some(Focus::Rationale);
        }
    }

    fn stop(&mut self, work: Work) {
        match work {
            Work::Open => self.opening.cancel(),
            Work::Refresh => self.refreshing.cancel(),
            Work::Look => self.look.cancel(),
            Work::Explore => self.learnt.cancel(),
            Work::Forecast => self.outlook.cancel(),
            Work::Train => self.training.cancel(),
            Work::SortIn => {
                self.sorting.cancel();
                self.applying.cancel();
            }
            Work::Lessons => {
                self.lessons.cancel();
                self.replaying.cancel();
            }
            Work::Team => self.joining.cancel(),
            Work::Files => {
                self.preview.cancel();
                self.importing.cancel();
                self.exporting.cancel();
            }
        }
    }

    fn dismiss(&mut self, work: Work) {
        match work {
            Work::Open => self.opening.clear(),
            Work::Refresh => forget_error(&mut self.refreshing),
            Work::Look => self.look.clear(),
            Work::Explore => forget_error(&mut self.learnt),
            Work::Forecast => forget_error(&mut self.outlook),
            Work::Train => forget_error(&mut self.training),
            Work::SortIn => {
                forget_error(&mut self.sorting);
                forget_error(&mut self.applying);
            }
            Work::Lessons => {
                forget_error(&mut self.lessons);
                forget_error(&mut self.replaying);
            }
            Work::Team => forget_error(&mut self.joining),
            Work::Files => {
                self.preview.clear();
                forget_error(&mut self.importing);
                forget_error(&mut self.exporting);
            }
        }
    }
}
