//! Opening a store of 100,000 cases, and filtering its queue between two frames.
//!
//!     cargo bench -p plumb-moderate --bench queue
#![allow(clippy::unwrap_used)] // a benchmark may fail where it stands

use std::path::PathBuf;
use std::sync::OnceLock;

use plumb_core::random::Random;
use plumb_moderate::command::{Action, Command, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::model::{Case, Channel, Decision, Report, Verdict};
use plumb_moderate::queue::{Filter, Queue};
use plumb_moderate::state::{Phase, State};
use plumb_moderate::store::Sqlite;

const CASES: usize = 100_000;

fn main() {
    divan::main();
}

/// Cases of about 30 words, each with a report, half of them decided in an earlier log.
fn store() -> &'static PathBuf {
    static STORE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let made = STORE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cases.db");
        let mut desk = Desk::open(Sqlite::create(&path).unwrap()).unwrap();
        let mut random = Random::new(1, "cases");
        let words: Vec<String> =
            (0..5000).map(|i| format!("{}{i}", ["kind", "rude", "Thread", "wort"][i % 4])).collect();
        let mut commands = Vec::new();
        for i in 0..CASES {
            let body: Vec<&str> = (0..30).map(|_| words[random.below(words.len())].as_str()).collect();
            let id = format!("t1_{i:07}");
            let case = Case {
                id: id.clone(),
                community: "town".to_owned(),
                body: body.join(" "),
                author: format!("member{}", random.below(9000)),
                created_at: i as i64,
                reports: vec![Report { reason: "rude".to_owned(), count: random.below(9) as u64 }],
                rule_hints: vec![format!("rule {}", random.below(8))],
                ..Case::default()
            };
            let mut push = |what: &str, action| {
                commands.push(Command {
                    key: format!("{what} {id}"),
                    actor: SYSTEM.to_owned(),
                    at: 0,
                    expect: None,
                    action,
                });
            };
            push("arrive", Action::Arrive(case));
            if i % 2 == 0 {
                let verdict = if i % 3 == 0 { Verdict::Remove } else { Verdict::Approve };
                let decision =
                    Decision { by: format!("mod{}", i % 9), verdict, rule: None, at: 0, channel: Channel::Log };
                push("log", Action::Log(id.clone(), decision));
            } else {
                push("score", Action::Score(id.clone(), None));
                push("solo", Action::Solo(id.clone()));
            }
        }
        for chunk in commands.chunks(20_000) {
            assert!(desk.run_all(chunk).unwrap().is_empty());
        }
        desk.keep().unwrap();
        (folder, path)
    });
    &made.1
}

fn state() -> &'static State {
    static STATE: OnceLock<State> = OnceLock::new();
    STATE.get_or_init(|| Desk::open(Sqlite::create(store()).unwrap()).unwrap().state().clone())
}

fn queue() -> &'static Queue {
    static QUEUE: OnceLock<Queue> = OnceLock::new();
    QUEUE.get_or_init(|| Queue::of(state()))
}

/// What a window does before its first frame: open the file and put the queue in order.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn open(bencher: divan::Bencher<'_, '_>) {
    store();
    bencher.bench(|| {
        let desk = Desk::open(Sqlite::create(store()).unwrap()).unwrap();
        let queue = Queue::of(desk.state());
        (desk, queue)
    });
}

/// The same without the kept state: every event read, checked and folded.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn replay(bencher: divan::Bencher<'_, '_>) {
    store();
    bencher.bench(|| Desk::open(Sqlite::create(store()).unwrap()).unwrap().verify().unwrap());
}

/// One filter, on all 100,000 cases.
#[divan::bench(args = ["all", "phase and rule", "rare text", "common text", "every text"])]
fn filter(bencher: divan::Bencher<'_, '_>, what: &str) {
    let filter = match what {
        "phase and rule" => {
            Filter { phases: vec![Phase::Solo], rule: Some("rule 3".to_owned()), reports: 2, ..Filter::default() }
        }
        "rare text" => Filter { text: "member77 ".trim().to_owned(), ..Filter::default() },
        "common text" => Filter { text: "thread1".to_owned(), ..Filter::default() },
        "every text" => Filter { text: "e".to_owned(), ..Filter::default() },
        _ => Filter::default(),
    };
    let queue = queue();
    bencher.bench(|| queue.filter(&filter));
}

/// One case changes its place.
#[divan::bench]
fn update(bencher: divan::Bencher<'_, '_>) {
    bencher.with_inputs(|| queue().clone()).bench_values(|mut queue| {
        queue.update("t1_0050001", state());
        queue
    });
}
