//! Lanes, queues and the threads behind them.
//!
//! Jobs in one lane run in order, lanes side by side. A request replaces a waiting one of the same slot and
//! cancels a running one, so dragging a slider costs a run or two and not sixty. A panic ends its job, not
//! the lane. The wake-up of the asking side is a plain closure; nothing polls.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;

use crate::slot::{Mailbox, SharedMailbox};
use crate::{Ctl, Error, Job, JobId, JobInfo, JobState};

/// A named queue with a thread of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Models and tensors.
    Device,
    /// Databases and files.
    Store,
    /// Other people's programs.
    Exec,
}

const LANES: [Lane; 3] = [Lane::Device, Lane::Store, Lane::Exec];

/// How many ended jobs the tray remembers.
const REMEMBERED: usize = 100;

/// Which slot a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotId(u64);

impl SlotId {
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The asking side's end of a request.
#[derive(Debug)]
pub(crate) struct Ticket<T, P> {
    pub(crate) job: JobId,
    pub(crate) ctl: Ctl,
    pub(crate) mailbox: SharedMailbox<T, P>,
}

/// How a job's closure says that it ended.
type Ended = Result<(), Error>;

struct Queued {
    id: JobId,
    slot: SlotId,
    ctl: Ctl,
    /// Runs the job and leaves the answer in its mailbox.
    run: Box<dyn FnOnce() -> Ended + Send>,
    /// Leaves `Cancelled` in the mailbox of a job that never started.
    drop_unstarted: Box<dyn FnOnce() + Send>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Queued>,
    running: Option<(JobId, SlotId, Ctl)>,
}

struct LaneState {
    queue: Mutex<Queue>,
    /// One place is enough: a bell that has rung stays rung until it is heard.
    bell: Mutex<Option<Sender<()>>>,
    /// The worker says here that it has left.
    left: Mutex<Option<Receiver<()>>>,
}

struct Tracked {
    id: JobId,
    name: String,
    state: JobState,
    ctl: Ctl,
    started: Option<Instant>,
    seconds: Option<f32>,
}

struct Inner {
    inline: bool,
    closing: AtomicBool,
    next_job: AtomicU64,
    wake: Arc<dyn Fn() + Send + Sync>,
    lanes: [LaneState; LANES.len()],
    jobs: Mutex<VecDeque<Tracked>>,
}

/// Runs jobs. Cheap to clone; clones share lanes and queues.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("inline", &self.0.inline).finish_non_exhaustive()
    }
}

impl Engine {
    /// Start one thread per lane. `wake` is called, from any thread, when there is something new to see.
    pub fn start(wake: Arc<dyn Fn() + Send + Sync>) -> std::io::Result<Self> {
        let engine = Self::build(false, wake);
        for lane in LANES {
            let (bell, heard) = bounded(1);
            let (leave, left) = bounded(1);
            let state = engine.lane(lane);
            *state.bell.lock() = Some(bell);
            *state.left.lock() = Some(left);
            let inner = Arc::downgrade(&engine.0);
            std::thread::Builder::new().name(format!("plumb-{lane:?}").to_lowercase()).spawn(move || {
                while heard.recv().is_ok() {
                    // Hold the engine only while there is work, so that dropping it ends the thread.
                    let Some(inner) = inner.upgrade() else { break };
                    let engine = Self(inner);
                    while let Some(queued) = engine.next_in(lane) {
                        engine.run_queued(lane, queued);
                    }
                }
                // Nobody listens any more if the engine was dropped rather than closed.
                let _listener_may_be_gone = leave.send(());
            })?;
        }
        Ok(engine)
    }

    /// An engine without threads: a request runs to its end where it is made. For tests and headless use.
    pub fn inline() -> Self {
        Self::build(true, Arc::new(|| {}))
    }

    fn build(inline: bool, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let lanes = LANES.map(|_| LaneState { queue: Mutex::default(), bell: Mutex::default(), left: Mutex::default() });
        Self(Arc::new(Inner {
            inline,
            closing: AtomicBool::new(false),
            next_job: AtomicU64::new(1),
            wake,
            lanes,
            jobs: Mutex::default(),
        }))
    }

    fn lane(&self, lane: Lane) -> &LaneState {
        &self.0.lanes[lane as usize]
    }

    pub(crate) fn submit<J: Job>(&self, slot: SlotId, lane: Lane, seed: u64, job: J) -> Ticket<J::Output, J::Partial> {
        let id = JobId(self.0.next_job.fetch_add(1, Ordering::Relaxed));
        let mailbox: SharedMailbox<J::Output, J::Partial> =
            Arc::new(Mutex::new(Mailbox { partial: None, outcome: None }));
        let partial_box = Arc::clone(&mailbox);
        let ctl = Ctl::with(
            seed,
            Arc::clone(&self.0.wake),
            Some(Box::new(move |any| {
                // A job that hands out something else than its Partial type is ignored here.
                if let Ok(partial) = any.downcast::<J::Partial>() {
                    partial_box.lock().partial = Some(*partial);
                }
            })),
        );
        self.track(id, job.name(), ctl.clone());

        let run = {
            let (ctl, mailbox) = (ctl.clone(), Arc::clone(&mailbox));
            Box::new(move || {
                let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&ctl))).unwrap_or_else(|panic| {
                    Err(Error::Panicked(panic_text(panic.as_ref())))
                });
                // A job that finished although it was told to stop was superseded: its answer is stale.
                let outcome = if ctl.is_cancelled() { Err(Error::Cancelled) } else { outcome };
                let ended = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
                mailbox.lock().outcome = Some(outcome);
                ended
            })
        };
        let drop_unstarted = {
            let mailbox = Arc::clone(&mailbox);
            Box::new(move || mailbox.lock().outcome = Some(Err(Error::Cancelled)))
        };
        let queued = Queued { id, slot, ctl: ctl.clone(), run, drop_unstarted };
        if self.0.closing.load(Ordering::Acquire) {
            self.drop_queued(queued);
        } else if self.0.inline {
            self.run_queued(lane, queued);
        } else {
            self.enqueue(lane, queued);
        }
        Ticket { job: id, ctl, mailbox }
    }

    fn enqueue(&self, lane: Lane, queued: Queued) {
        let state = self.lane(lane);
        let mut replaced = Vec::new();
        {
            let mut queue = state.queue.lock();
            if let Some((_, slot, ctl)) = &queue.running
                && *slot == queued.slot
            {
                ctl.cancel();
            }
            let waiting = std::mem::take(&mut queue.waiting);
            for other in waiting {
                if other.slot == queued.slot { replaced.push(other) } else { queue.waiting.push_back(other) }
            }
            queue.waiting.push_back(queued);
        }
        for other in replaced {
            self.drop_queued(other);
        }
        if let Some(bell) = state.bell.lock().as_ref() {
            // Full means that it has rung already.
            let _already_rung = bell.try_send(());
        }
    }

    fn next_in(&self, lane: Lane) -> Option<Queued> {
        let mut queue = self.lane(lane).queue.lock();
        let next = queue.waiting.pop_front()?;
        queue.running = Some((next.id, next.slot, next.ctl.clone()));
        Some(next)
    }

    fn run_queued(&self, lane: Lane, queued: Queued) {
        if queued.ctl.is_cancelled() {
            self.lane(lane).queue.lock().running = None;
            self.drop_queued(queued);
            return;
        }
        self.update(queued.id, |job| {
            job.state = JobState::Running;
            job.started = Some(Instant::now());
        });
        queued.ctl.restart_clock();
        (self.0.wake)();
        let ended = (queued.run)();
        self.lane(lane).queue.lock().running = None;
        self.finish(queued.id, match ended {
            Ok(()) => JobState::Done,
            Err(Error::Cancelled) => JobState::Cancelled,
            Err(error) => JobState::Failed(error.to_string()),
        });
    }

    fn drop_queued(&self, queued: Queued) {
        queued.ctl.cancel();
        (queued.drop_unstarted)();
        self.finish(queued.id, JobState::Cancelled);
    }

    fn track(&self, id: JobId, name: String, ctl: Ctl) {
        let mut jobs = self.0.jobs.lock();
        jobs.push_back(Tracked { id, name, state: JobState::Waiting, ctl, started: None, seconds: None });
        while jobs.len() > REMEMBERED {
            let Some(oldest) = jobs.iter().position(|job| job.seconds.is_some()) else { break };
            jobs.remove(oldest);
        }
    }

    fn update(&self, id: JobId, change: impl FnOnce(&mut Tracked)) {
        if let Some(job) = self.0.jobs.lock().iter_mut().find(|job| job.id == id) {
            change(job);
        }
    }

    fn finish(&self, id: JobId, state: JobState) {
        self.update(id, |job| {
            job.state = state;
            job.seconds = Some(job.started.map_or(0.0, |started| started.elapsed().as_secs_f32()));
        });
        (self.0.wake)();
    }

    /// What the tray shows: waiting and running jobs and the last ended ones, oldest first.
    pub fn jobs(&self) -> Vec<JobInfo> {
        let jobs = self.0.jobs.lock();
        jobs.iter()
            .map(|job| JobInfo {
                id: job.id,
                name: job.name.clone(),
                state: job.state.clone(),
                progress: job.ctl.current_progress(),
                warnings: job.ctl.warnings(),
                seconds: job.seconds,
            })
            .collect()
    }

    /// What a job said while it ran, oldest first: seconds since its start and the text.
    pub fn job_log(&self, id: JobId) -> Vec<(f32, String)> {
        self.0.jobs.lock().iter().find(|job| job.id == id).map(|job| job.ctl.log()).unwrap_or_default()
    }

    /// How many jobs wait or run.
    pub fn busy(&self) -> usize {
        self.0.jobs.lock().iter().filter(|job| job.seconds.is_none()).count()
    }

    /// Stop one job.
    pub fn cancel(&self, id: JobId) {
        self.update(id, |job| job.ctl.cancel());
    }

    /// Stop every job and wait for the lanes to leave, for at most `deadline` in all. True if all left.
    pub fn close(&self, deadline: Duration) -> bool {
        let end = Instant::now() + deadline;
        self.0.closing.store(true, Ordering::Release);
        for job in self.0.jobs.lock().iter() {
            job.ctl.cancel();
        }
        for lane in LANES {
            self.lane(lane).bell.lock().take();
        }
        LANES.iter().all(|&lane| match self.lane(lane).left.lock().take() {
            None => true,
            Some(left) => left.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok(),
        })
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
