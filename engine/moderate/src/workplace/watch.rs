//! Hearing of what others do: a thread of its own on a connection of its own, which sleeps until the database has news
//! and then wakes the window. A lost connection is said, and tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::Error;
use crate::store::{self, Repository};

/// Many changes within this time are one piece of news.
const CALM: Duration = Duration::from_millis(100);

/// How long a server is waited for before the thread looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two glances at a file: files send no news, and their stamp of the last change is read for it.
const GLANCE: Duration = Duration::from_secs(1);

/// A connection that was silent for so long is asked whether it still lives.
const SILENCE: Duration = Duration::from_mins(1);

/// Before the first and the later tries to connect anew.
const PAUSES: [u64; 5] = [1, 2, 5, 10, 30];

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hearing {
    /// Not connected yet.
    #[default]
    Connecting,
    /// News comes by itself.
    Live,
    /// Not now, and why; it is tried again.
    Lost(String),
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// The window shows something that news would change.
    wanted: AtomicBool,
    news: AtomicBool,
    hearing: Mutex<Hearing>,
}

/// The asking side. The thread ends with it.
pub struct Watch {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("hearing", &*self.shared.hearing.lock()).finish_non_exhaustive()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
    }
}

impl Watch {
    /// Listen to the database called `address`. `read` is the number of the last event that is known here already;
    /// `wake` is called from the thread.
    pub(super) fn start(
        address: String,
        read: Arc<AtomicU64>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { wanted: AtomicBool::new(true), ..Shared::default() });
        let ear = Ear { shared: Arc::clone(&shared), address, read, wake };
        std::thread::Builder::new().name("plumb-watch".to_owned()).spawn(move || ear.stay())?;
        Ok(Self { shared })
    }

    /// Whether there was news since this was asked last.
    pub fn take_news(&self) -> bool {
        self.shared.news.swap(false, Ordering::AcqRel)
    }

    /// Whether news should wake the window: not while nobody looks. It is kept for later then.
    pub fn want(&self, wanted: bool) {
        self.shared.wanted.store(wanted, Ordering::Release);
    }

    /// How it stands.
    pub fn hearing(&self) -> Hearing {
        self.shared.hearing.lock().clone()
    }
}

struct Ear {
    shared: Arc<Shared>,
    address: String,
    read: Arc<AtomicU64>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Ear {
    fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire)
    }

    fn wake(&self) {
        if self.shared.wanted.load(Ordering::Acquire) && !self.stopped() {
            (self.wake)();
        }
    }

    fn news(&self) {
        self.shared.news.store(true, Ordering::Release);
        self.wake();
    }

    /// True if that is something else than before.
    fn set(&self, hearing: Hearing) -> bool {
        let mut now = self.shared.hearing.lock();
        let other = *now != hearing;
        *now = hearing;
        other
    }

    fn stay(self) {
        let mut tries = 0;
        while !self.stopped() {
            let Err(error) = self.listen(&mut tries) else { return };
            if self.set(Hearing::Lost(error.to_string())) {
                self.wake();
            }
            let pause = Duration::from_secs(PAUSES[tries.min(PAUSES.len() - 1)]);
            tries += 1;
            let start = Instant::now();
            while start.elapsed() < pause && !self.stopped() {
                std::thread::sleep(CALM);
            }
        }
    }

    /// Until the connection breaks, or nobody wants to hear any more.
    fn listen(&self, tries: &mut usize) -> Result<(), Error> {
        let file = std::path::Path::new(&self.address);
        if !self.address.contains("://") && !file.exists() {
            // Connecting would make an empty one.
            return Err(Error::Store { place: self.address.clone(), why: "the file is gone".to_owned() });
        }
        let mut repository = store::connect(&self.address, None)?;
        let server = repository.identity()?.is_some();
        // From here on nothing is missed; what happened before is read below.
        repository.wait(Duration::ZERO)?;
        let mut seen = repository.head()?.seq;
        let again = std::mem::take(tries) > 0;
        self.set(Hearing::Live);
        if again || seen > self.read.load(Ordering::Acquire) {
            self.news();
        } else {
            self.wake();
        }
        let mut heard = Instant::now();
        while !self.stopped() {
            if !wait(&mut *repository, server)? {
                if server && heard.elapsed() > SILENCE {
                    repository.head()?;
                    heard = Instant::now();
                }
                continue;
            }
            heard = Instant::now();
            std::thread::sleep(CALM);
            repository.wait(Duration::ZERO)?;
            let before = std::mem::replace(&mut seen, repository.head()?.seq);
            // What this window has done itself it knows. News without a new event is a vote on a blind panel.
            if seen == before || seen > self.read.load(Ordering::Acquire) {
                self.news();
            }
        }
        Ok(())
    }
}

fn wait(repository: &mut dyn Repository, server: bool) -> Result<bool, Error> {
    if server {
        return repository.wait(PATIENCE);
    }
    std::thread::sleep(GLANCE);
    repository.wait(Duration::ZERO)
}
