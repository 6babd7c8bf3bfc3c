//! File dialogs that never stop the frame.
//!
//! The desktop's dialog runs on a thread of its own, one at a time. It may hang or come back empty-handed where no
//! portal runs; the path field and drag and drop work there too.

use std::path::PathBuf;
use std::sync::Arc;

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

enum Ask {
    Open,
    Save(String),
}

struct Pending {
    purpose: DialogPurpose,
    answer: Receiver<Option<PathBuf>>,
}

/// At most one dialog on its way.
#[derive(Default)]
pub struct FileDialogs {
    pending: Option<Pending>,
    refused: bool,
    wake: Option<Arc<dyn Fn() + Send + Sync>>,
    /// For tests: answers instead of the desktop.
    scripted: Option<Vec<Option<PathBuf>>>,
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
            let _answered = send.send(path);
            self.pending = Some(Pending { purpose, answer });
            return;
        }
        let wake = self.wake.clone();
        let started = std::thread::Builder::new().name("plumb-dialog".to_owned()).spawn(move || {
            let path = run(purpose, &ask);
            // Nobody waits any more if the window was closed meanwhile.
            let _listener_may_be_gone = send.send(path);
            if let Some(wake) = wake {
                wake();
            }
        });
        match started {
            Ok(_) => self.pending = Some(Pending { purpose, answer }),
            Err(error) => log::error!("no thread for the file dialog: {error}"),
        }
    }

    /// The answer, once there is one.
    pub fn poll(&mut self) -> Option<(DialogPurpose, Option<PathBuf>)> {
        let pending = self.pending.as_ref()?;
        let path = match pending.answer.try_recv() {
            Ok(path) => path,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => None,
        };
        self.pending.take().map(|pending| (pending.purpose, path))
    }
}

fn run(purpose: DialogPurpose, ask: &Ask) -> Option<PathBuf> {
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
        assert_eq!(dialogs.poll(), Some((purpose, Some(PathBuf::from("a")))));
        dialogs.save(purpose, "b");
        assert_eq!(dialogs.poll(), Some((purpose, None)));
        assert_eq!(dialogs.poll(), None);
    }
}
