//! What the panel asks the engine for: opening, news, the case, disagreement, files.

use plumb_core::Lane;
use plumb_moderate::export::{Export, Format};
use plumb_moderate::import::file::{self, Preview};
use plumb_moderate::import::table::Columns;
use plumb_moderate::workplace::{
    ExploreJob, ExportJob, ImportJob, LookJob, OpenJob, PrecedentsJob, RefreshJob, SignIn, Where,
};

use super::act::EXPORT;
use super::state::{Asking, State};
use crate::shell::panel::PanelCx;
use crate::widgets::format;

/// Rows of a file that are shown before it is imported.
const ROWS: usize = 8;

impl State {
    /// Open a database. What is open stays until the other one is.
    pub fn open(&mut self, at: Where, who: SignIn, cx: &PanelCx<'_>) {
        self.started = true;
        self.opening.request(cx.engine, Lane::Store, cx.settings.seed, OpenJob { at, who, now: format::clock() });
    }

    /// Read what others did; with a name, be that moderator from now on.
    pub fn refresh(&mut self, switch: Option<String>, cx: &PanelCx<'_>) {
        let Some(opened) = &self.opened else { return };
        // A switch must not be replaced by looking for news.
        if switch.is_none() && self.refreshing.is_pending() {
            return;
        }
        let job = RefreshJob { work: opened.work.clone(), switch, now: format::clock() };
        self.refreshing.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }

    /// Go to a place of the list.
    pub fn go(&mut self, at: usize, cx: &PanelCx<'_>) {
        self.at = at.min(self.shown.len().saturating_sub(1));
        let id = self.id_at(self.at);
        if id != self.selected {
            self.asking = Asking::Nothing;
        }
        self.selected = id;
        self.scroll = true;
        self.ask_look(cx);
    }

    /// Look at a case wherever it is: where the list does not show it, show all.
    pub fn look_at(&mut self, id: &str, cx: &PanelCx<'_>) {
        self.settings.tab = super::state::Tab::Queue;
        self.selected = Some(id.to_owned());
        self.asking = Asking::Nothing;
        self.shown_for = None;
        self.arrange();
        if self.id_at(self.at).as_deref() != Some(id) {
            self.settings.bucket = super::state::Bucket::All;
            self.search.clear();
            (self.source, self.rule, self.reports) = (None, None, 0);
            self.arrange();
        }
        self.scroll = true;
        self.ask_look(cx);
    }

    /// Ask for the selected case.
    pub fn ask_look(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = &self.opened else { return };
        let Some(case) = self.selected.clone() else {
            self.look.clear();
            return;
        };
        self.settings.last.clone_from(&case);
        let job = LookJob { work: opened.work.clone(), case, past: self.past.value().cloned() };
        self.look.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }

    /// Ask for past cases.
    pub fn ask_past(&mut self, cx: &PanelCx<'_>) {
        let Some(opened) = &self.opened else { return };
        let job = PrecedentsJob { work: opened.work.clone() };
        self.past.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// Where the team disagrees.
    pub fn explore(&mut self, cx: &PanelCx<'_>) {
        let (Some(opened), Some(board)) = (&self.opened, &self.board) else { return };
        self.learnt_for = Some(board.seq);
        let job = ExploreJob { work: opened.work.clone() };
        self.learnt.request(cx.engine, Lane::Device, cx.settings.seed, job);
    }

    /// A look into the file to import.
    pub fn ask_preview(&mut self, cx: &PanelCx<'_>) {
        let Some(path) = self.file.clone() else { return };
        let job = PreviewJob { path, columns: self.columns.clone() };
        self.preview.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }

    /// Import the file.
    pub fn import(&mut self, cx: &PanelCx<'_>) {
        let (Some(opened), Some(path), Some(preview)) = (&self.opened, &self.file, self.preview.value()) else {
            return;
        };
        let job = ImportJob {
            work: opened.work.clone(),
            path: path.clone(),
            format: preview.format,
            columns: preview.columns.clone(),
            now: format::clock(),
        };
        self.importing.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }

    /// Ask where an export goes.
    pub fn export_dialog(&mut self, what: Export, form: Format, cx: &mut PanelCx<'_>) {
        let name = match what {
            Export::Decisions => "decisions",
            Export::Votes => "votes",
            Export::Splits => "split cases",
        };
        let ending = if form == Format::Csv { "csv" } else { "jsonl" };
        cx.dialogs.save(EXPORT, format!("{name}.{ending}"));
        self.export = Some((what, form));
    }

    /// Export to a file.
    pub fn export_to(&mut self, out: std::path::PathBuf, cx: &PanelCx<'_>) {
        let (Some(opened), Some((what, form))) = (&self.opened, self.export.take()) else { return };
        let job = ExportJob { work: opened.work.clone(), what, format: form, out };
        self.exporting.request(cx.engine, Lane::Store, cx.settings.seed, job);
    }
}

/// A look into a file before it is imported.
struct PreviewJob {
    path: std::path::PathBuf,
    columns: Option<Columns>,
}

impl plumb_core::Job for PreviewJob {
    type Output = Preview;
    type Partial = ();

    fn name(&self) -> String {
        format!("Looking into {}", self.path.display())
    }

    fn run(self, _ctl: &plumb_core::Ctl) -> Result<Preview, plumb_core::Error> {
        Ok(file::preview(&self.path, file::Format::Auto, self.columns.as_ref(), ROWS)?)
    }
}
