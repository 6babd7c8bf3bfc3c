//! Files that want too much: a million reports on one case, the same name over and over, a megabyte in one cell.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use std::fmt::Write as _;
use std::time::Instant;

use plumb_core::Ctl;
use plumb_moderate::command::{Action, Command, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::import::into_log::into_log;
use plumb_moderate::import::table::{self, Columns};
use plumb_moderate::import::{Imported, reddit};
use plumb_moderate::model::{Case, OTHER_REASONS, REASONS};
use plumb_moderate::queue::Queue;
use plumb_moderate::store::{Memory, Sqlite};
use plumb_moderate::train::{TrainSpec, train};
use plumb_moderate::vote_model::VoteModel as _;

const MILLION: u64 = 1_000_000;

/// Memory of this process in MiB: now, and the most it ever was. Zeros where the system does not say.
fn memory() -> [u64; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["VmRSS:", "VmHWM:"].map(|name| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) / 1024
    })
}

/// A million reports, each with a reason of its own, as one line of a listing: 32 MB of text, a case of two hundred
/// reasons.
#[test]
fn a_million_reasons_in_one_listing() {
    let mut line = String::from(
        "{\"kind\":\"t1\",\"data\":{\"name\":\"t1_a\",\"body\":\"rude\",\"author\":\"u\",\"created_utc\":5.0,\"user_reports\":[",
    );
    for i in 0..MILLION {
        let comma = if i > 0 { "," } else { "" };
        write!(line, "{comma}[\"reason number {i}\",1,false,true]").unwrap();
    }
    line.push_str("]}}\n");
    let [before, _] = memory();
    let start = Instant::now();
    let found = reddit::read(line.as_bytes());
    let seconds = start.elapsed().as_secs_f64();
    let [_, most] = memory();
    println!(
        "a million reasons in {} MB: {seconds:.2} s, {} MiB more at most",
        line.len() >> 20,
        most.saturating_sub(before)
    );
    assert!(found.bad.is_empty(), "{:?}", found.bad);
    let case = &found.items[0].case;
    assert_eq!((case.reports.len(), case.reported()), (REASONS + 1, MILLION));
    assert_eq!(case.reports.last().unwrap().reason, OTHER_REASONS);
    assert_eq!(case.reports.last().unwrap().count, MILLION - REASONS as u64);
    assert!(seconds < 30.0);
    assert!(most == 0 || most.saturating_sub(before) < 200, "{most} MiB, {before} before");

    // In the log once, and as quick to look at as any other case.
    let mut desk = Desk::open(Memory::default()).unwrap();
    assert_eq!(into_log(&mut desk, &found, 0, &Ctl::new(1)).unwrap().cases, 1);
    let again = into_log(&mut desk, &found, 0, &Ctl::new(1)).unwrap();
    assert_eq!((again.cases, again.reports, desk.head().seq), (0, 0, 1));
    assert!(desk.state().cases["t1_a"].case.text().len() < 10_000);
    // Straight into the log, past the readers, it is the same.
    let reports = (0..2_000).map(|i| plumb_moderate::model::Report { reason: format!("r{i}"), count: 1 }).collect();
    let case = Case { id: "direct".into(), reports, ..Case::default() };
    let arrive = Command { key: "d".into(), actor: SYSTEM.into(), at: 1, expect: None, action: Action::Arrive(case) };
    desk.run(&arrive).unwrap();
    assert_eq!(desk.state().cases["direct"].case.reports.len(), REASONS + 1);
    assert!(desk.run(&arrive).unwrap().repeated);
}

/// A million reports that come one by one, with ever new reasons: a million events, a case that stays small.
#[test]
fn a_million_reports_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut desk = Desk::open(Sqlite::create(&path).unwrap()).unwrap();
    let run = |i: u64, action| Command { key: format!("k{i}"), actor: SYSTEM.into(), at: 1, expect: None, action };
    desk.run(&run(0, Action::Arrive(Case { id: "a".into(), body: "x".into(), ..Case::default() }))).unwrap();
    let [before, _] = memory();
    let start = Instant::now();
    for chunk in 0..MILLION / 20_000 {
        let report = |i| run(i, Action::Report("a".into(), format!("reason {}", i % 5_000), 1));
        let commands: Vec<Command> = (chunk * 20_000 + 1..=(chunk + 1) * 20_000).map(report).collect();
        assert!(desk.run_all(&commands).unwrap().is_empty());
    }
    let seconds = start.elapsed().as_secs_f64();
    let case = &desk.state().cases["a"].case;
    assert_eq!((case.reported(), case.reports.len()), (MILLION, REASONS + 1));
    let [_, most] = memory();
    let start = Instant::now();
    let mut again = Desk::open(Sqlite::create(&path).unwrap()).unwrap();
    let opening = start.elapsed().as_secs_f64();
    assert_eq!(again.state(), desk.state());
    again.keep().unwrap();
    let start = Instant::now();
    let kept = Desk::open(Sqlite::create(&path).unwrap()).unwrap();
    println!(
        "a million reports one by one: {seconds:.1} s, {} MiB more at most, opened in {opening:.1} s, from the kept state in {:.2} s",
        most.saturating_sub(before),
        start.elapsed().as_secs_f64()
    );
    assert_eq!(Queue::of(kept.state()).counts()[0], 1);
    assert!(seconds < 240.0 && opening < 60.0);
    assert!(most == 0 || most.saturating_sub(before) < 1_000, "{most} MiB, {before} before");
}

/// A megabyte of text in every format, and what comes after it: training, scoring, reasons.
#[test]
fn a_megabyte_in_one_cell() {
    let long = "very long \u{202e}text, \"quoted\" ".repeat(40_000);
    let mut csv = String::from("case,moderator,verdict,text\n");
    let mut jsonl = String::new();
    for i in 0..30 {
        let (text, verdict) = if i == 7 { (long.as_str(), "remove") } else { ("short", ["remove", "approve"][i % 2]) };
        writeln!(csv, "c{i},m,{verdict},\"{} {i}\"", text.replace('"', "\"\"")).unwrap();
        let row = serde_json::json!({"case": format!("c{i}"), "moderator": "m", "verdict": verdict, "text": format!("{text} {i}")});
        writeln!(jsonl, "{row}").unwrap();
    }
    let start = Instant::now();
    let found = table::csv(csv.as_bytes(), &Columns::own(), "x").unwrap();
    assert_eq!(table::jsonl(jsonl.as_bytes(), &Columns::own()), found);
    assert_eq!((found.items.len(), found.bad.len()), (30, 0));
    let mut desk = Desk::open(Memory::default()).unwrap();
    into_log(&mut desk, &found, 0, &Ctl::new(1)).unwrap();
    for kind in [plumb_moderate::vote_model::Kind::Ngrams, plumb_moderate::vote_model::Kind::Sentences] {
        let spec = TrainSpec { kind: Some(kind), ..TrainSpec::default() };
        let model = train(&found.items, &spec, None, &Ctl::new(1)).unwrap().0.model;
        let p = model.predict(&long, &["m".to_owned(), "nobody".to_owned()]);
        assert!(p.iter().all(|p| (0.0..=1.0).contains(p)), "{p:?}");
        assert!(model.explain(&long, 5).iter().all(|part| part.weight.is_finite()));
    }
    assert!(start.elapsed().as_secs_f64() < 20.0, "{:?}", start.elapsed());
}

/// The same name again and again in one file: the first text holds, votes are counted by moderator, others are listed.
#[test]
fn the_same_name_over_and_over() {
    let mut csv = String::from("case,moderator,verdict,text\n");
    for i in 0..20_000 {
        writeln!(csv, "same,m{},{},text", i % 5, ["remove", "approve"][i % 2]).unwrap();
    }
    for i in 0..100 {
        writeln!(csv, "same,m0,remove,another text {i}").unwrap();
    }
    let start = Instant::now();
    let found = table::csv(csv.as_bytes(), &Columns::own(), "x").unwrap();
    let mut desk = Desk::open(Memory::default()).unwrap();
    let done = into_log(&mut desk, &found, 0, &Ctl::new(1)).unwrap();
    assert_eq!((done.cases, desk.state().cases.len()), (1, 1));
    assert_eq!(desk.state().cases["same"].case.body, "text", "the first one holds");
    let votes = plumb_moderate::past::items(desk.state());
    assert_eq!(votes[0].votes.len(), 5, "one vote a moderator");
    let head = desk.head().clone();
    into_log(&mut desk, &found, 0, &Ctl::new(1)).unwrap();
    assert_eq!(*desk.head(), head, "a second time changes nothing");
    assert!(start.elapsed().as_secs_f64() < 20.0, "{:?}", start.elapsed());
    let none = into_log(&mut desk, &Imported::default(), 0, &Ctl::new(1)).unwrap();
    assert_eq!(none.cases, 0);
}
