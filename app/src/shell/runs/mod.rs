//! The tab that lists run folders: reopen one, compare two, show one in the file manager.

mod compare;
mod ui;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plumb_core::run_folder::{RunSummary, list_runs};
use plumb_core::{Ctl, Error, Job, Lane, Slot};

use crate::shell::workbench::Shared;

pub use compare::{Comparison, Difference, compare};

/// Reads the list.
struct ListJob {
    folder: PathBuf,
}

impl Job for ListJob {
    type Output = Vec<RunSummary>;
    type Partial = ();

    fn name(&self) -> String {
        "List of runs".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, Error> {
        ctl.check()?;
        Ok(list_runs(&self.folder))
    }
}

/// Reads two runs and lists what differs.
struct CompareJob {
    left: PathBuf,
    right: PathBuf,
}

impl Job for CompareJob {
    type Output = Comparison;
    type Partial = ();

    fn name(&self) -> String {
        format!("Compare {} with {}", folder_name(&self.left), folder_name(&self.right))
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, Error> {
        ctl.check()?;
        compare(&self.left, &self.right).map_err(Error::Failed)
    }
}

/// The state of the tab.
#[derive(Default)]
pub struct RunsPage {
    list: Slot<Vec<RunSummary>>,
    comparison: Slot<Comparison>,
    asked: bool,
    filter: String,
    picked: BTreeSet<PathBuf>,
    /// A run to reopen with the next frame: its method and folder.
    reopen: Option<(String, PathBuf)>,
}

impl RunsPage {
    /// Read the list again when it is next drawn.
    pub fn refresh(&mut self) {
        self.asked = false;
    }

    /// Take in answers.
    pub fn logic(&mut self, _shared: &mut Shared) {
        self.list.poll();
        self.comparison.poll();
    }

    /// The run to reopen, told once: its method and folder.
    pub fn take_reopen(&mut self) -> Option<(String, PathBuf)> {
        self.reopen.take()
    }

    fn ask(&mut self, shared: &Shared) {
        if !std::mem::replace(&mut self.asked, true) {
            let job = ListJob { folder: shared.runs_dir.clone() };
            self.list.request(&shared.engine, Lane::Store, 0, job);
        }
    }

    fn ask_comparison(&mut self, shared: &Shared) {
        let mut picked = self.picked.iter();
        if let (Some(left), Some(right)) = (picked.next(), picked.next()) {
            let job = CompareJob { left: left.clone(), right: right.clone() };
            self.comparison.request(&shared.engine, Lane::Store, 0, job);
        }
    }
}

fn folder_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
