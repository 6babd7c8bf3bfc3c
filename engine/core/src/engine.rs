//! Lanes, queues and the threads behind them.
//!
//! Jobs in one lane run in order, lanes side by side. A request replaces a waiting one of the same slot and
//! cancels a running one, so dragging a slider costs a run or two and not sixty. A panic ends its job, not
//! the lane. The wake-up of the asking side is a plain closure; nothing polls.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;

use crate::slot::{Mailbox, SharedMailbox};
use crate::work::{TypedWork, Work};
use crate::{Ctl, Job, JobId, JobInfo, JobState};

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

/// The asking side's end of a request.
#[derive(Debug)]
pub(crate) struct Ticket<T, P> {
    pub(crate) job: JobId,
    pub(crate) ctl: Ctl,
    pub(crate) mailbox: SharedMailbox<T, P>,
    lane: Lane,
    engine: Weak<Inner>,
}

impl<T, P> Ticket<T, P> {
    /// Stop the request wherever it is. One that still waits is answered at once.
    pub(crate) fn stop(&self) {
        self.ctl.cancel();
        if let Some(engine) = self.engine.upgrade() {
            engine.remove_waiting(self.lane, self.job, JobState::Cancelled);
        }
    }

    /// The same for a request that a newer one replaces: one that never started leaves no trace in the tray.
    pub(crate) fn replace(&self) {
        self.ctl.cancel();
        if let Some(engine) = self.engine.upgrade()
            && engine.remove_waiting(self.lane, self.job, JobState::Cancelled)
        {
            engine.jobs.lock().retain(|job| job.id != self.job);
        }
    }
}

struct Queued {
    id: JobId,
    ctl: Ctl,
    work: Box<dyn Work>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Queued>,
    closed: bool,
}

#[derive(Default)]
struct LaneState {
    queue: Mutex<Queue>,
    /// One place is enough: a bell that has rung stays rung until it is heard. Without it the lane closes.
    bell: Mutex<Option<Sender<()>>>,
    /// The worker, and the line that breaks when it has left.
    worker: Mutex<Option<(Receiver<()>, JoinHandle<()>)>>,
}

struct Tracked {
    id: JobId,
    name: String,
    lane: Lane,
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

/// What the clones of an engine share. When the last clone goes, jobs are stopped and threads end.
struct Owner(Arc<Inner>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.shut();
    }
}

/// Runs jobs. Cheap to clone; clones share lanes and queues. Dropping the last clone stops every job without
/// waiting for it; [`close`](Self::close) waits.
#[derive(Clone)]
pub struct Engine(Arc<Owner>);

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("inline", &self.inner().inline).finish_non_exhaustive()
    }
}

impl Engine {
    /// Start one thread per lane. `wake` is called, from any thread, when there is something new to see.
    pub fn start(wake: Arc<dyn Fn() + Send + Sync>) -> std::io::Result<Self> {
        let engine = Self::build(false, wake);
        for lane in LANES {
            let (bell, heard) = bounded(1);
            let (here, left) = bounded::<()>(1);
            // The worker does not own the engine, or it would keep itself alive.
            let inner = Arc::clone(engine.inner());
            let name = format!("plumb-{lane:?}").to_lowercase();
            let thread = std::thread::Builder::new().name(name).spawn(move || {
                while heard.recv().is_ok() {
                    while let Some(queued) = inner.next_in(lane) {
                        inner.run_queued(queued);
                    }
                }
                drop(here);
            })?;
            let state = engine.inner().lane(lane);
            *state.bell.lock() = Some(bell);
            *state.worker.lock() = Some((left, thread));
        }
        Ok(engine)
    }

    /// An engine without threads: a request runs to its end where it is made. For tests and headless use.
    pub fn inline() -> Self {
        Self::build(true, Arc::new(|| {}))
    }

    /// Like [`Engine::inline`], calling `wake` when there is something new to see: for a window in tests.
    pub fn inline_waking(wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self::build(true, wake)
    }

    fn build(inline: bool, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self(Arc::new(Owner(Arc::new(Inner {
            inline,
            closing: AtomicBool::new(false),
            next_job: AtomicU64::new(1),
            wake,
            lanes: Default::default(),
            jobs: Mutex::default(),
        }))))
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.0.0
    }

    pub(crate) fn submit<J: Job>(&self, lane: Lane, seed: u64, job: J) -> Ticket<J::Output, J::Partial> {
        let inner = self.inner();
        let id = JobId(inner.next_job.fetch_add(1, Ordering::Relaxed));
        let mailbox: SharedMailbox<J::Output, J::Partial> =
            Arc::new(Mutex::new(Mailbox { partial: None, outcome: None }));
        // The tray remembers the control of ended jobs: it must not keep their answers alive.
        let partial_box = Arc::downgrade(&mailbox);
        let ctl = Ctl::with(
            seed,
            Arc::clone(&inner.wake),
            Some(Box::new(move |any| {
                // A job that hands out something else than its Partial type is ignored here.
                if let (Some(mailbox), Ok(partial)) = (partial_box.upgrade(), any.downcast::<J::Partial>()) {
                    mailbox.lock().partial = Some(*partial);
                }
            })),
        );
        inner.track(id, job.name(), lane, ctl.clone());
        let queued = Queued { id, ctl: ctl.clone(), work: Box::new(TypedWork::new(job, &mailbox)) };
        if inner.closing.load(Ordering::Acquire) {
            inner.end(queued, JobState::Cancelled);
        } else if inner.inline {
            inner.run_queued(queued);
        } else {
            inner.enqueue(lane, queued);
        }
        Ticket { job: id, ctl, mailbox, lane, engine: Arc::downgrade(inner) }
    }

    /// What the tray shows: waiting and running jobs and the last ended ones, oldest first.
    pub fn jobs(&self) -> Vec<JobInfo> {
        let jobs = self.inner().jobs.lock();
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
        self.inner().jobs.lock().iter().find(|job| job.id == id).map(|job| job.ctl.log()).unwrap_or_default()
    }

    /// How many jobs wait or run.
    pub fn busy(&self) -> usize {
        self.inner().jobs.lock().iter().filter(|job| job.seconds.is_none()).count()
    }

    /// Stop one job. One that still waits ends at once.
    pub fn cancel(&self, id: JobId) {
        let mut lane = None;
        self.inner().update(id, |job| {
            job.ctl.cancel();
            lane = Some(job.lane);
        });
        if let Some(lane) = lane {
            self.inner().remove_waiting(lane, id, JobState::Cancelled);
        }
    }

    /// Stop every job and wait for the lanes to leave, for at most `deadline` in all. True if all left.
    pub fn close(&self, deadline: Duration) -> bool {
        let end = Instant::now() + deadline;
        let inner = self.inner();
        inner.shut();
        LANES.iter().all(|&lane| {
            let mut worker = inner.lane(lane).worker.lock();
            let Some((left, _)) = worker.as_ref() else { return true };
            let wait = end.saturating_duration_since(Instant::now());
            if left.recv_timeout(wait) != Err(RecvTimeoutError::Disconnected) {
                return false;
            }
            // The thread has left its loop, so this does not wait. A panic in it was reported already.
            worker.take().is_some_and(|(_, thread)| thread.join().is_ok())
        })
    }
}

impl Inner {
    fn lane(&self, lane: Lane) -> &LaneState {
        &self.lanes[lane as usize]
    }

    fn enqueue(&self, lane: Lane, queued: Queued) {
        let state = self.lane(lane);
        {
            let mut queue = state.queue.lock();
            if queue.closed {
                drop(queue);
                self.end(queued, JobState::Cancelled);
                return;
            }
            queue.waiting.push_back(queued);
        }
        if let Some(bell) = state.bell.lock().as_ref() {
            // Full means that it has rung already.
            let _already_rung = bell.try_send(());
        }
    }

    fn next_in(&self, lane: Lane) -> Option<Queued> {
        self.lane(lane).queue.lock().waiting.pop_front()
    }

    /// True if the job still waited.
    fn remove_waiting(&self, lane: Lane, id: JobId, state: JobState) -> bool {
        let found = {
            let mut queue = self.lane(lane).queue.lock();
            let place = queue.waiting.iter().position(|queued| queued.id == id);
            place.and_then(|place| queue.waiting.remove(place))
        };
        found.map(|queued| self.end(queued, state)).is_some()
    }

    fn run_queued(&self, mut queued: Queued) {
        if queued.ctl.is_cancelled() {
            self.end(queued, JobState::Cancelled);
            return;
        }
        queued.ctl.restart_clock();
        self.update(queued.id, |job| {
            job.state = JobState::Running;
            job.started = Some(Instant::now());
        });
        (self.wake)();
        let state = queued.work.run(&queued.ctl);
        self.end(queued, state);
    }

    /// Book the end and deliver the answer in one step, so that nobody sees one without the other.
    fn end(&self, mut queued: Queued, state: JobState) {
        {
            let mut jobs = self.jobs.lock();
            if let Some(job) = jobs.iter_mut().find(|job| job.id == queued.id) {
                job.state = state;
                job.seconds = Some(job.started.map_or(0.0, |started| started.elapsed().as_secs_f32()));
            }
            queued.work.deliver();
        }
        // An answer nobody waits for is dropped here. If its destructor breaks, the lane lives on.
        if catch_unwind(AssertUnwindSafe(|| drop(queued))).is_err() {
            log::error!("a job broke while it was cleaned up");
        }
        (self.wake)();
    }

    fn track(&self, id: JobId, name: String, lane: Lane, ctl: Ctl) {
        let mut jobs = self.jobs.lock();
        jobs.push_back(Tracked { id, name, lane, state: JobState::Waiting, ctl, started: None, seconds: None });
        while jobs.len() > REMEMBERED {
            let Some(oldest) = jobs.iter().position(|job| job.seconds.is_some()) else { break };
            jobs.remove(oldest);
        }
    }

    fn update(&self, id: JobId, change: impl FnOnce(&mut Tracked)) {
        if let Some(job) = self.jobs.lock().iter_mut().find(|job| job.id == id) {
            change(job);
        }
    }

    /// Take no more jobs, stop those there are, and let the threads end.
    fn shut(&self) {
        self.closing.store(true, Ordering::Release);
        for job in self.jobs.lock().iter() {
            job.ctl.cancel();
        }
        for lane in &self.lanes {
            let waiting = {
                let mut queue = lane.queue.lock();
                queue.closed = true;
                std::mem::take(&mut queue.waiting)
            };
            for queued in waiting {
                self.end(queued, JobState::Cancelled);
            }
            lane.bell.lock().take();
        }
    }
}
