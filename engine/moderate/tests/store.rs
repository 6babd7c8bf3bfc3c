//! The file: kept through a kill, refused when newer, foreign, damaged or locked.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use std::process::Command as Process;

use plumb_moderate::Error;
use plumb_moderate::audit::{self, Entry, Head};
use plumb_moderate::store::{Appended, Batch, Repository as _, Sqlite};

fn entry(head: &Head) -> Entry {
    let text = format!("event {}", head.seq + 1);
    Entry { seq: head.seq + 1, hash: audit::fingerprint(&[&head.hash, &text]), text }
}

fn batch(entries: &[Entry]) -> Batch {
    Batch { entries: entries.to_vec(), ..Batch::default() }
}

#[test]
fn entries_and_models_come_back_and_a_late_writer_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut file = Sqlite::create(&path).unwrap();
    let first = entry(&Head::default());
    assert_eq!(file.append(&Head::default(), &batch(std::slice::from_ref(&first))).unwrap(), Appended::Done);
    assert_eq!(file.append(&Head::default(), &batch(std::slice::from_ref(&first))).unwrap(), Appended::Moved);
    file.put_model("votes", b"old").unwrap();
    file.put_model("votes", b"new").unwrap();
    let copy = folder.path().join("copy.db");
    file.backup(&copy).unwrap();
    assert!(file.backup(&copy).is_err(), "a backup never overwrites");
    let mut back = Sqlite::existing(&copy).unwrap();
    assert_eq!(back.read(0, 10).unwrap(), vec![first]);
    assert_eq!(back.model("votes").unwrap().as_deref(), Some(&b"new"[..]));
}

#[test]
fn newer_foreign_and_damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Sqlite::create(&path).unwrap());
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    assert!(matches!(Sqlite::create(&path), Err(Error::Newer { found: 99, .. })));

    let other = folder.path().join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(Sqlite::create(&other).unwrap_err().to_string().contains("another program"));

    let text = folder.path().join("text.db");
    std::fs::write(&text, "no database ".repeat(100)).unwrap();
    assert!(Sqlite::create(&text).unwrap_err().to_string().contains("damaged or no database"));
    assert!(Sqlite::create(&folder.path().join("no/such.db")).is_err());
}

#[test]
fn an_older_file_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch(include_str!("../migrations/sqlite/0001_log.sql")).unwrap();
    raw.execute("INSERT INTO entry VALUES (1, 'x', 'y')", []).unwrap();
    raw.pragma_update(None, "application_id", 0x504C_4D42).unwrap();
    raw.pragma_update(None, "user_version", 1).unwrap();
    drop(raw);
    let mut file = Sqlite::create(&path).unwrap();
    assert_eq!(file.head().unwrap().seq, 1);
    file.put_model("m", b"").unwrap();
}

/// Not a test by itself: writes until it is killed, telling each number once it is safe.
#[test]
fn writer_until_killed() {
    let Ok(path) = std::env::var("PLUMB_TEST_WRITE") else { return };
    let mut file = Sqlite::create(path.as_ref()).unwrap();
    for _ in 0..1_000_000 {
        let head = file.head().unwrap();
        file.append(&head, &batch(&[entry(&head)])).unwrap();
        std::fs::write(format!("{path}.told"), (head.seq + 1).to_string()).unwrap();
    }
}

#[test]
fn a_kill_loses_nothing_that_was_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer_until_killed"])
        .env("PLUMB_TEST_WRITE", &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let told = folder.path().join("a.db.told");
    let count = || std::fs::read_to_string(&told).ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    while count() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut file = Sqlite::create(&path).unwrap();
    let entries = file.read(0, 1_000_000).unwrap();
    assert!(entries.len() as u64 >= count().max(20));
    let mut head = Head::default();
    for found in entries {
        assert_eq!(found, entry(&head), "the chain is whole");
        head = Head { seq: found.seq, hash: found.hash };
    }
}
