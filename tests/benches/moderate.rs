//! Frames of the moderation queue with 100,000 cases, 1280×800: scrolling, filtering, the next case, a verdict.
//!
//!     cargo bench -p plumb-tests --bench moderate

#![allow(clippy::expect_used, reason = "a benchmark may stop at what it did not expect")]

#[path = "../all/open.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod open;

use std::path::PathBuf;
use std::sync::OnceLock;

use egui::Key;
use egui_kittest::Harness;
use plumb::shell::settings::ThemeChoice;
use plumb::shell::workbench::Workbench;
use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_moderate::command::{Action, Command, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::import::into_log::into_log;
use plumb_moderate::import::{Imported, Item};
use plumb_moderate::model::{Case, Moderator, Report};
use plumb_moderate::store::Sqlite;

const CASES: usize = 100_000;

fn main() {
    divan::main();
}

/// A team's database in which every case waits for one moderator.
fn database() -> &'static PathBuf {
    static MADE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("team.db");
        let mut desk = Desk::open(Sqlite::create(&path).expect("a file")).expect("a desk");
        let mut random = Random::new(1, "cases");
        let words: Vec<String> =
            (0..5000).map(|i| format!("{}{i}", ["kind", "rude", "thread", "word"][i % 4])).collect();
        let item = |i: usize| {
            let body: Vec<&str> = (0..30).map(|_| words[random.below(words.len())].as_str()).collect();
            let reports = vec![Report { reason: "rude".to_owned(), count: random.below(9) as u64 }];
            let author = format!("member{}", random.below(9000));
            let case = Case { id: format!("t1_{i:07}"), body: body.join(" "), author, reports, ..Case::default() };
            Item { case, votes: Vec::new() }
        };
        let items = (0..CASES).map(item).collect();
        let ctl = Ctl::new(1);
        into_log(&mut desk, &Imported { items, bad: Vec::new() }, 1, &ctl).expect("imported");
        let command = |key: String, action| Command { key, actor: SYSTEM.to_owned(), at: 1, expect: None, action };
        let join = Action::SetModerator(Moderator { id: "mo".to_owned(), trainee: false, active: true });
        let mut commands = vec![command("join".to_owned(), join)];
        for i in 0..CASES {
            let id = format!("t1_{i:07}");
            commands.push(command(format!("score {i}"), Action::Score(id.clone(), None)));
            commands.push(command(format!("solo {i}"), Action::Solo(id)));
        }
        assert!(desk.run_all(&commands).expect("written").is_empty(), "nothing is refused");
        desk.keep().expect("kept");
        (folder, path)
    });
    &made.1
}

fn queue<'a>(home: &std::path::Path) -> Harness<'a, Workbench> {
    let mut harness = open::workbench(home, ThemeChoice::Dark, [1280.0, 800.0], Vec::new());
    open::open(&mut harness, database());
    open::command(&mut harness, "moderate.queue");
    harness.hover_at(egui::pos2(150.0, 500.0));
    harness.run();
    harness
}

/// One frame while the list scrolls.
#[divan::bench(sample_count = 60, sample_size = 1)]
fn scroll(bencher: divan::Bencher) {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = queue(home.path());
    bencher.bench_local(|| {
        harness.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, -400.0),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: egui::Modifiers::NONE,
        });
        harness.step();
    });
}

/// The frame in which a letter typed into the search field filters the list.
#[divan::bench(sample_count = 60, sample_size = 1)]
fn filter(bencher: divan::Bencher) {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = queue(home.path());
    harness.key_press(Key::Slash);
    harness.run();
    let mut letters = "rude123word9".chars().cycle();
    bencher.bench_local(|| {
        harness.event(egui::Event::Text(letters.next().expect("it goes on").to_string()));
        harness.step();
    });
}

/// From the key to the frame that shows the next case.
#[divan::bench(sample_count = 60, sample_size = 1)]
fn next(bencher: divan::Bencher) {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = queue(home.path());
    bencher.bench_local(|| {
        harness.key_press(Key::J);
        harness.run();
    });
}

/// From the key that approves, the decision written, to the frame that shows the next case.
#[divan::bench(sample_count = 40, sample_size = 1)]
fn approve(bencher: divan::Bencher) {
    let home = tempfile::tempdir().expect("a folder");
    let mut harness = queue(home.path());
    bencher.bench_local(|| {
        harness.key_press(Key::A);
        harness.run();
    });
}
