//! File dialogs that never stop the frame.
//!
//! The desktop's dialog runs on a thread of its own, one at a time. It may hang or come back empty-handed where no
//! portal runs: then the window asks for the path itself. The desktop's part is one function that can be
//! replaced; what its answers mean is decided here and tested without a desktop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError, bounded};

/// What a path is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialogPurpose {
    /// Who asked: a panel's id, or “shell”.
    pub owner: &'static str,
    /// What for, in the owner's words: “export”.
    pub what: &'static str,
    /// Title of the dialog.
    pub title: &'static str,
    /// Kinds of files: a name and its endings without dot. All files if empty.
    pub filters: &'static [(&'static str, &'static [&'static str])],
    /// Ask for a folder instead of a file.
    pub folder: bool,
}

/// A file that is there, or a place for a new one with this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A file or folder that is there.
    Open,
    /// Where to write; the suggested name.
    Save(String),
}

/// A question and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What the path was asked for.
    pub purpose: DialogPurpose,
    /// A file that is there or a new one.
    pub ask: Ask,
    /// How it ended.
    pub answer: Answer,
}

/// How a dialog ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The user chose this.
    Chosen(PathBuf),
    /// The user dismissed it.
    Dismissed,
    /// It could not be shown; why, and what to do instead.
    Failed(String),
}

/// The desktop's dialog: blocks until the user has answered; `None` if nothing was chosen.
pub type Native = Arc<dyn Fn(DialogPurpose, &Ask) -> Option<PathBuf> + Send + Sync>;

/// Nobody reads a dialog and dismisses it in less time than this: it was never on screen.
const TOO_QUICK: Duration = Duration::from_millis(400);

const NO_DIALOG: &str = "The desktop's file dialog could not be shown. Type the path here instead.";

struct Pending {
    purpose: DialogPurpose,
    ask: Ask,
    answer: Receiver<Answer>,
}

/// At most one dialog on its way.
#[derive(Default)]
pub struct FileDialogs {
    pending: Option<Pending>,
    refused: bool,
    wake: Option<Arc<dyn Fn() + Send + Sync>>,
    /// For tests: answers instead of the desktop.
    scripted: Option<Vec<Option<PathBuf>>>,
    /// For tests: another desktop.
    native: Option<Native>,
}

impl FileDialogs {
    /// Dialogs that call `wake` when the user has answered.
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { wake: Some(wake), ..Self::default() }
    }

    /// Dialogs that are answered from a list, the first answer first. For tests.
    pub fn scripted(answers: Vec<Option<PathBuf>>) -> Self {
        Self { scripted: Some(answers), ..Self::default() }
    }

    /// Dialogs of another desktop than this one. For tests.
    pub fn with_native(wake: Arc<dyn Fn() + Send + Sync>, native: Native) -> Self {
        Self { wake: Some(wake), native: Some(native), ..Self::default() }
    }

    /// Ask for an existing file or folder.
    pub fn open(&mut self, purpose: DialogPurpose) {
        self.ask(purpose, Ask::Open);
    }

    /// Ask where to write.
    pub fn save(&mut self, purpose: DialogPurpose, default_name: impl Into<String>) {
        self.ask(purpose, Ask::Save(default_name.into()));
    }

    /// Whether a dialog is open.
    pub fn is_open(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether a second dialog was asked for while one is open; told once.
    pub fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    /// Do not wait for the open dialog any longer; its answer is dropped.
    pub fn give_up(&mut self) {
        self.pending = None;
    }

    fn ask(&mut self, purpose: DialogPurpose, ask: Ask) {
        if self.pending.is_some() {
            self.refused = true;
            return;
        }
        let (send, answer) = bounded(1);
        if let Some(script) = &mut self.scripted {
            let path = if script.is_empty() { None } else { script.remove(0) };
            // The receiver is right here.
            let _answered = send.send(path.map_or(Answer::Dismissed, Answer::Chosen));
            self.pending = Some(Pending { purpose, ask, answer });
            return;
        }
        let wake = self.wake.clone();
        let native = self.native.clone().unwrap_or_else(|| Arc::new(show));
        let asked = ask.clone();
        let started = std::thread::Builder::new().name("plumb-dialog".to_owned()).spawn(move || {
            let shown = Instant::now();
            let path = catch_unwind(AssertUnwindSafe(|| native(purpose, &asked)));
            // Nobody waits any more if the window was closed meanwhile.
            let _listener_may_be_gone = send.send(judge(path, shown.elapsed()));
            if let Some(wake) = wake {
                wake();
            }
        });
        if let Err(error) = started {
            log::error!("no thread for the file dialog: {error}");
        }
        // Without a thread the line is broken already, which reads as a failure.
        self.pending = Some(Pending { purpose, ask, answer });
    }

    /// The answer, once there is one.
    pub fn poll(&mut self) -> Option<Answered> {
        let pending = self.pending.as_ref()?;
        let answer = match pending.answer.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Answer::Failed(NO_DIALOG.to_owned()),
        };
        self.pending.take().map(|Pending { purpose, ask, .. }| Answered { purpose, ask, answer })
    }
}

/// What it means that a dialog came back with this after this time; an error if it panicked.
fn judge(path: std::thread::Result<Option<PathBuf>>, took: Duration) -> Answer {
    match path {
        Ok(Some(path)) => Answer::Chosen(path),
        Ok(None) if took >= TOO_QUICK => Answer::Dismissed,
        Ok(None) | Err(_) => Answer::Failed(NO_DIALOG.to_owned()),
    }
}

/// The dialog of this desktop.
fn show(purpose: DialogPurpose, ask: &Ask) -> Option<PathBuf> {
    let mut dialog = rfd::FileDialog::new().set_title(purpose.title);
    for (name, endings) in purpose.filters {
        dialog = dialog.add_filter(*name, endings);
    }
    match ask {
        Ask::Open if purpose.folder => dialog.pick_folder(),
        Ask::Open => dialog.pick_file(),
        Ask::Save(name) => dialog.set_file_name(name).save_file(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dialog_at_a_time() {
        let purpose = DialogPurpose { owner: "shell", what: "open", title: "Open", filters: &[], folder: false };
        let mut dialogs = FileDialogs::scripted(vec![Some(PathBuf::from("a")), None]);
        dialogs.open(purpose);
        dialogs.open(purpose);
        assert!(dialogs.take_refused() && !dialogs.take_refused());
        let chosen = Answered { purpose, ask: Ask::Open, answer: Answer::Chosen(PathBuf::from("a")) };
        assert_eq!(dialogs.poll(), Some(chosen));
        dialogs.save(purpose, "b");
        let dismissed = Answered { purpose, ask: Ask::Save("b".to_owned()), answer: Answer::Dismissed };
        assert_eq!(dialogs.poll(), Some(dismissed));
        assert_eq!(dialogs.poll(), None);
    }

    #[test]
    fn a_dialog_that_was_never_seen_is_a_failure() {
        let long = Duration::from_secs(2);
        assert_eq!(judge(Ok(Some("a".into())), Duration::ZERO), Answer::Chosen("a".into()));
        assert_eq!(judge(Ok(None), long), Answer::Dismissed);
        assert!(
            matches!(judge(Ok(None), Duration::from_millis(1)), Answer::Failed(why) if why.contains("Type the path"))
        );
        assert!(matches!(judge(Err(Box::new(())), long), Answer::Failed(_)), "it panicked");
    }
}
