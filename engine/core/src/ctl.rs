//! What a running job is given: cancellation, progress, partial results, warnings and the seed.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::random::Random;

/// The job was asked to stop. Every error type of the engine can be made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Cancelled;

/// Something a job left out or did differently, told beside the result instead of failing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What was skipped or changed, and why.
    pub what: String,
    /// Where: a file, a layer, a row.
    pub place: String,
}

/// How far a job is. A state that is overwritten, never a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What is being done now, in a few words.
    pub what: String,
    /// Units done so far.
    pub done: u64,
    /// Units in all, where known.
    pub total: Option<u64>,
    /// When the job started.
    pub started: Instant,
}

impl Progress {
    /// Share done in 0..=1, where the total is known.
    pub fn fraction(&self) -> Option<f32> {
        let total = self.total?;
        (total > 0).then(|| (self.done as f32 / total as f32).clamp(0.0, 1.0))
    }

    /// Seconds that are probably left, by the pace so far.
    pub fn seconds_left(&self) -> Option<f32> {
        let fraction = self.fraction()?;
        (fraction > 0.02).then(|| self.started.elapsed().as_secs_f32() * (1.0 - fraction) / fraction)
    }
}

/// A job's log is bounded: a training run of days must not fill the memory.
const LOG_LINES: usize = 2000;

/// So are its warnings; the rest is counted.
const WARNINGS: usize = 2000;

/// Shortest time between two wake-ups for the same kind of news: no screen shows more.
const WAKE_PAUSE: Duration = Duration::from_millis(40);

type PartialSink = Box<dyn Fn(Box<dyn Any + Send>) + Send + Sync>;

struct Shared {
    cancelled: AtomicBool,
    progress: Mutex<Progress>,
    warnings: Mutex<(Vec<Warning>, usize)>,
    log: Mutex<Vec<(f32, String)>>,
    seed: u64,
    partial: Option<PartialSink>,
    wake: Arc<dyn Fn() + Send + Sync>,
    last_wake: Mutex<Option<Instant>>,
    /// News came too soon after a wake-up; the next `check` makes up for it.
    wake_owed: AtomicBool,
}

/// The handle through which a job and its asker speak. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Ctl(Arc<Shared>);

impl std::fmt::Debug for Ctl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctl")
            .field("cancelled", &self.is_cancelled())
            .field("seed", &self.seed())
            .finish_non_exhaustive()
    }
}

impl Ctl {
    /// A control nobody watches: for tests and for headless commands that show no progress.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Arc::new(|| {}), None)
    }

    /// A control that calls `wake` when its state changes and hands partial results to `partial`.
    pub fn with(seed: u64, wake: Arc<dyn Fn() + Send + Sync>, partial: Option<PartialSink>) -> Self {
        let progress = Progress { what: String::new(), done: 0, total: None, started: Instant::now() };
        Self(Arc::new(Shared {
            cancelled: AtomicBool::new(false),
            progress: Mutex::new(progress),
            warnings: Mutex::default(),
            log: Mutex::default(),
            seed,
            partial,
            wake,
            last_wake: Mutex::default(),
            wake_owed: AtomicBool::new(false),
        }))
    }

    /// Ask the job to stop at its next [`check`](Self::check).
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked the job to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// Every loop of the engine calls this: `ctl.check()?`.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.0.wake_owed.load(Ordering::Relaxed) {
            self.wake(false);
        }
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// Wake the asking side: now, or when the pause since the last wake-up is over.
    fn wake(&self, now: bool) {
        {
            let mut last = self.0.last_wake.lock();
            if !now && last.is_some_and(|last| last.elapsed() < WAKE_PAUSE) {
                self.0.wake_owed.store(true, Ordering::Relaxed);
                return;
            }
            *last = Some(Instant::now());
            self.0.wake_owed.store(false, Ordering::Relaxed);
        }
        (self.0.wake)();
    }

    /// Say what is being done and how far it is. Overwrites what was said before.
    pub fn progress(&self, what: impl Into<String>, done: u64, total: Option<u64>) {
        let what = what.into();
        let something_else = {
            let mut progress = self.0.progress.lock();
            let something_else = progress.what != what;
            if something_else {
                self.note(progress.started, &what);
            }
            progress.what = what;
            progress.done = done;
            progress.total = total;
            something_else
        };
        // A new activity is shown at once: it may be long and silent.
        self.wake(something_else);
    }

    /// How far the job is.
    pub fn current_progress(&self) -> Progress {
        self.0.progress.lock().clone()
    }

    /// Write a line into the job's log without changing its progress.
    pub fn say(&self, text: &str) {
        let started = self.0.progress.lock().started;
        self.note(started, text);
    }

    fn note(&self, started: Instant, text: &str) {
        let mut log = self.0.log.lock();
        if log.len() < LOG_LINES {
            log.push((started.elapsed().as_secs_f32(), text.to_owned()));
        }
    }

    /// What the job said so far: seconds since its start and the text. The first lines are kept.
    pub fn log(&self) -> Vec<(f32, String)> {
        self.0.log.lock().clone()
    }

    /// A job that waited in a queue starts counting when it starts running.
    pub(crate) fn restart_clock(&self) {
        self.0.progress.lock().started = Instant::now();
    }

    /// Note something that was skipped or done differently.
    pub fn warn(&self, place: impl Into<String>, what: impl Into<String>) {
        let mut warnings = self.0.warnings.lock();
        if warnings.0.len() < WARNINGS {
            warnings.0.push(Warning { what: what.into(), place: place.into() });
        } else {
            warnings.1 += 1;
        }
    }

    /// The warnings so far.
    pub fn warnings(&self) -> Vec<Warning> {
        let warnings = self.0.warnings.lock();
        let mut all = warnings.0.clone();
        if warnings.1 > 0 {
            all.push(Warning { what: format!("{} more warnings were left out", warnings.1), place: String::new() });
        }
        all
    }

    /// Hand out a partial result, of the job's `Partial` type. A newer one replaces one not yet looked at.
    pub fn partial<P: Send + 'static>(&self, partial: P) {
        if let Some(sink) = &self.0.partial {
            sink(Box::new(partial));
            self.wake(false);
        }
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The random stream called `stream` of this run's seed.
    pub fn random(&self, stream: &str) -> Random {
        Random::new(self.0.seed, stream)
    }
}
