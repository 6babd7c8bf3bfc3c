//! Lanes, queues and slots as the asking side sees them.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too; clippy only exempts the test functions")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use plumb_core::random::Random;
use plumb_core::{Ctl, Engine, Error, Job, JobState, Lane, Slot, SlotState};

/// A job made of a closure.
struct Do<T, F: FnOnce(&Ctl) -> Result<T, Error>>(F);

impl<T: Send + 'static, F: FnOnce(&Ctl) -> Result<T, Error> + Send + 'static> Job for Do<T, F> {
    type Output = T;
    type Partial = u64;
    fn name(&self) -> String {
        "toy".to_owned()
    }
    fn run(self, ctl: &Ctl) -> Result<T, Error> {
        (self.0)(ctl)
    }
}

fn started() -> Engine {
    Engine::start(Arc::new(|| {})).unwrap()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} takes too long");
        sleep(Duration::from_millis(1));
    }
}

/// Works for `time` and looks at `ctl` every few milliseconds, as every loop of the engine does.
fn work(ctl: &Ctl, time: Duration) -> Result<(), Error> {
    let begun = Instant::now();
    while begun.elapsed() < time {
        ctl.check()?;
        sleep(Duration::from_millis(5));
    }
    Ok(())
}

#[test]
fn sixty_slider_requests_run_two_jobs_and_the_last_wins() {
    let engine = started();
    let whole = Arc::new(AtomicUsize::new(0));
    let begun = Arc::new(AtomicUsize::new(0));
    let mut slot = Slot::new();
    for position in 0..60 {
        let (whole, begun) = (Arc::clone(&whole), Arc::clone(&begun));
        slot.request(
            &engine,
            Lane::Device,
            0,
            Do(move |ctl: &Ctl| {
                begun.fetch_add(1, Ordering::SeqCst);
                // The check at the end only, so that a started job really costs its two seconds.
                sleep(Duration::from_secs(2));
                ctl.check()?;
                whole.fetch_add(1, Ordering::SeqCst);
                Ok(position)
            }),
        );
        sleep(Duration::from_millis(10));
    }
    until("the last answer", || {
        slot.poll();
        !slot.is_pending()
    });
    assert_eq!(slot.value(), Some(&59));
    assert!(begun.load(Ordering::SeqCst) <= 2, "{} jobs were begun", begun.load(Ordering::SeqCst));
    assert_eq!(whole.load(Ordering::SeqCst), 1);
    assert_eq!(engine.jobs().len(), 2, "requests that never started leave no trace");
}

#[test]
fn stopping_takes_less_than_100_ms() {
    let engine = started();
    let mut slot = Slot::<(), u64>::new();
    slot.request(&engine, Lane::Device, 0, Do(|ctl: &Ctl| work(ctl, Duration::from_secs(30))));
    until("the start", || engine.jobs()[0].state == JobState::Running);
    let asked = Instant::now();
    slot.cancel();
    until("the stop", || {
        slot.poll();
        !slot.is_pending()
    });
    assert!(asked.elapsed() < Duration::from_millis(100), "{:?}", asked.elapsed());
    assert!(matches!(slot.state(), SlotState::Idle));
    assert_eq!(engine.jobs()[0].state, JobState::Cancelled);
}

#[test]
fn a_panic_is_an_error_and_the_lane_goes_on() {
    let engine = started();
    let mut broken = Slot::<u8, u64>::new();
    broken.request(&engine, Lane::Device, 0, Do(|_: &Ctl| panic!("on purpose")));
    let mut next = Slot::<u8, u64>::new();
    next.request(&engine, Lane::Device, 0, Do(|_: &Ctl| Ok(7)));
    until("the next job", || {
        broken.poll();
        next.poll();
        !next.is_pending() && !broken.is_pending()
    });
    assert!(broken.error().unwrap().to_string().contains("on purpose"));
    assert_eq!(next.value(), Some(&7));
    assert!(matches!(&engine.jobs()[0].state, JobState::Failed(text) if text.contains("on purpose")));
}

#[test]
fn closing_joins_the_lanes_within_two_seconds() {
    let engine = started();
    let mut slots: Vec<Slot<(), u64>> = (0..9).map(|_| Slot::new()).collect();
    for (index, slot) in slots.iter_mut().enumerate() {
        let lane = [Lane::Device, Lane::Store, Lane::Exec][index % 3];
        slot.request(&engine, lane, 0, Do(|ctl: &Ctl| work(ctl, Duration::from_mins(1))));
    }
    sleep(Duration::from_millis(50));
    let asked = Instant::now();
    assert!(engine.close(Duration::from_secs(2)));
    assert!(asked.elapsed() < Duration::from_secs(2));
    assert_eq!(engine.busy(), 0);
    slots[0].request(&engine, Lane::Device, 0, Do(|_: &Ctl| Ok(())));
    for slot in &mut slots {
        slot.poll();
        assert!(!slot.is_pending() && slot.value().is_none(), "nothing is left waiting after the end");
    }
    assert!(engine.close(Duration::from_secs(2)), "closing twice does no harm");
}

#[test]
fn closing_says_when_a_lane_does_not_leave() {
    let engine = started();
    let mut slot = Slot::<(), u64>::new();
    slot.request(
        &engine,
        Lane::Device,
        0,
        Do(|_: &Ctl| {
            sleep(Duration::from_millis(600));
            Ok(())
        }),
    );
    until("the start", || engine.jobs()[0].state == JobState::Running);
    assert!(!engine.close(Duration::from_millis(50)));
    assert!(engine.close(Duration::from_secs(2)), "it leaves later");
}

#[test]
fn dropping_the_engine_stops_its_jobs() {
    let engine = started();
    let (stopped, here) = (Arc::new(AtomicBool::new(false)), Arc::new(()));
    let (flag, guard, ran) = (Arc::clone(&stopped), Arc::downgrade(&here), Arc::new(AtomicBool::new(false)));
    let mut slot = Slot::<(), u64>::new();
    slot.request(
        &engine,
        Lane::Device,
        0,
        Do(move |ctl: &Ctl| {
            let outcome = work(ctl, Duration::from_secs(30));
            flag.store(outcome.is_err(), Ordering::SeqCst);
            drop(here);
            outcome
        }),
    );
    let mut waiting = Slot::<(), u64>::new();
    let flag = Arc::clone(&ran);
    waiting.request(
        &engine,
        Lane::Device,
        0,
        Do(move |_: &Ctl| {
            flag.store(true, Ordering::SeqCst);
            Ok(())
        }),
    );
    until("the start", || engine.jobs()[0].state == JobState::Running);
    drop(engine);
    until("the stop", || {
        slot.poll();
        waiting.poll();
        !slot.is_pending() && !waiting.is_pending()
    });
    assert!(stopped.load(Ordering::SeqCst) && !ran.load(Ordering::SeqCst));
    until("the end of the job", || guard.upgrade().is_none());
}

#[test]
fn a_waiting_job_is_cancelled_at_once() {
    let engine = started();
    let mut busy = Slot::<(), u64>::new();
    busy.request(&engine, Lane::Store, 0, Do(|ctl: &Ctl| work(ctl, Duration::from_secs(30))));
    let mut waiting = Slot::<(), u64>::new();
    waiting.request(&engine, Lane::Store, 0, Do(|_: &Ctl| Ok(())));
    until("the start", || engine.jobs()[0].state == JobState::Running);
    assert_eq!(engine.jobs()[1].state, JobState::Waiting);
    engine.cancel(engine.jobs()[1].id);
    assert!(waiting.poll() && !waiting.is_pending());
    assert_eq!(engine.jobs()[1].state, JobState::Cancelled);
    assert_eq!(engine.busy(), 1);
}

#[test]
fn a_job_may_ask_for_another() {
    let engine = started();
    let (inner, mut slot) = (engine.clone(), Slot::<Slot<u8, u64>, u64>::new());
    slot.request(
        &engine,
        Lane::Device,
        0,
        Do(move |_: &Ctl| {
            let mut next = Slot::new();
            next.request(&inner, Lane::Device, 0, Do(|_: &Ctl| Ok(3)));
            Ok(next)
        }),
    );
    until("the inner answer", || {
        slot.poll();
        slot.value_mut().is_some_and(|next| {
            next.poll();
            next.value() == Some(&3)
        })
    });
}

#[test]
fn answers_nobody_waits_for_are_freed() {
    let engine = started();
    let mut slot = Slot::<Arc<()>, u64>::new();
    let answer = Arc::new(());
    let left: Weak<()> = Arc::downgrade(&answer);
    slot.request(&engine, Lane::Device, 0, Do(move |_: &Ctl| Ok(answer)));
    until("the end", || engine.busy() == 0);
    assert!(left.upgrade().is_some(), "it waits in the mailbox");
    drop(slot);
    assert!(left.upgrade().is_none(), "the tray remembers the job, not its answer");
    assert_eq!(engine.jobs().len(), 1);
}

#[test]
fn late_answers_never_arrive() {
    let engine = started();
    let mut random = Random::new(11, "late");
    for round in 0..40 {
        let mut slot = Slot::<u64, u64>::new();
        let last = 1 + random.below(6) as u64;
        for request in 1..=last {
            let (work, lane) = (random.below(4) as u64, [Lane::Device, Lane::Store, Lane::Exec][random.below(3)]);
            slot.request(
                &engine,
                lane,
                0,
                Do(move |ctl: &Ctl| {
                    ctl.partial(request);
                    // Stubborn: it ends with an answer although it was told to stop.
                    sleep(Duration::from_millis(work));
                    ctl.partial(request);
                    Ok(request)
                }),
            );
            sleep(Duration::from_millis(random.below(4) as u64));
            slot.poll();
            assert!(slot.partial().is_none_or(|&partial| partial == request), "round {round}");
            assert!(slot.value().is_none_or(|&value| value <= request));
        }
        until("the last answer", || {
            slot.poll();
            !slot.is_pending()
        });
        assert_eq!(slot.value(), Some(&last), "round {round}");
        sleep(Duration::from_millis(5));
        assert!(!slot.poll() && slot.value() == Some(&last));
    }
    assert!(engine.jobs().len() <= 100, "the tray is bounded");
}

#[test]
fn wake_ups_are_limited_and_the_end_is_always_told() {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    let engine = Engine::start(Arc::new(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    }))
    .unwrap();
    let mut slot = Slot::<(), u64>::new();
    slot.request(
        &engine,
        Lane::Device,
        0,
        Do(|ctl: &Ctl| {
            for step in 0..200_000 {
                ctl.progress("counting", step, Some(200_000));
                ctl.partial(step);
            }
            Ok(())
        }),
    );
    until("the end", || engine.busy() == 0);
    sleep(Duration::from_millis(20));
    let seconds = engine.jobs()[0].seconds.unwrap();
    let most = 5 + (seconds / 0.04) as usize;
    assert!(wakes.load(Ordering::SeqCst) <= most, "{} wake-ups in {seconds} s", wakes.load(Ordering::SeqCst));
    let info = &engine.jobs()[0];
    assert_eq!((info.progress.done, info.state.clone()), (199_999, JobState::Done));
    assert_eq!(engine.job_log(info.id).len(), 1, "progress is overwritten, not collected");
}

#[test]
fn a_wake_up_that_came_too_soon_is_made_up_for() {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    let ctl = Ctl::with(
        0,
        Arc::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        }),
        None,
    );
    ctl.progress("a", 0, None);
    ctl.progress("a", 1, None);
    assert_eq!(wakes.load(Ordering::SeqCst), 1);
    sleep(Duration::from_millis(60));
    ctl.check().unwrap();
    assert_eq!(wakes.load(Ordering::SeqCst), 2);
    ctl.check().unwrap();
    assert_eq!(wakes.load(Ordering::SeqCst), 2);
}

/// What one toy job shows of itself: answer, last partial answer, error, warnings, log, last progress, state.
type Shown = (Option<Vec<u64>>, Option<u64>, Option<String>, usize, Vec<String>, u64, JobState);

fn show(engine: &Engine, seed: u64) -> Shown {
    let mut slot = Slot::<Vec<u64>, u64>::new();
    slot.request(
        engine,
        Lane::Device,
        seed,
        Do(move |ctl: &Ctl| {
            let mut random = ctl.random("toy");
            let count = 1 + random.below(50);
            let mut draws = Vec::new();
            for step in 0..count {
                ctl.check()?;
                ctl.progress(format!("part {}", step / 10), step as u64, Some(count as u64));
                draws.push(random.normal().to_bits());
                ctl.partial(step as u64);
                if step % 7 == 3 {
                    ctl.warn(format!("row {step}"), "skipped");
                }
            }
            if seed % 5 == 4 { Err(Error::Failed(format!("seed {seed} fails"))) } else { Ok(draws) }
        }),
    );
    until("the end", || {
        slot.poll();
        !slot.is_pending()
    });
    let info = engine.jobs().pop().unwrap();
    let log = engine.job_log(info.id).into_iter().map(|(_, line)| line).collect();
    let error = slot.error().map(ToString::to_string);
    let last = info.progress.done;
    (slot.value().cloned(), slot.partial().copied(), error, slot.warnings().len(), log, last, info.state)
}

#[test]
fn inline_and_threads_show_the_same_and_seeds_repeat() {
    let threads = started();
    for seed in 0..20 {
        let shown = show(&threads, seed);
        assert_eq!(shown, show(&Engine::inline(), seed), "seed {seed}");
        assert_eq!(shown, show(&threads, seed), "seed {seed} again");
    }
}
