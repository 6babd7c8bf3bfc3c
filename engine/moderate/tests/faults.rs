//! The file and the disk under it: read-only, locked, full, damaged. Each time the data is looked at afterwards.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use std::path::{Path, PathBuf};
use std::process::Command as Process;

use plumb_moderate::command::{Action, Command, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::model::Case;
use plumb_moderate::store::{Repository as _, Sqlite};

fn arrive(i: usize, body: &str) -> Command {
    let case = Case { id: format!("c{i}"), body: body.to_owned(), ..Case::default() };
    Command { key: format!("arrive {i}"), actor: SYSTEM.to_owned(), at: 1, expect: None, action: Action::Arrive(case) }
}

fn fill(path: &Path, cases: usize) -> Desk<Sqlite> {
    let mut desk = Desk::open(Sqlite::create(path).unwrap()).unwrap();
    let commands: Vec<Command> = (0..cases).map(|i| arrive(i, "some text to be judged")).collect();
    assert!(desk.run_all(&commands).unwrap().is_empty());
    desk
}

/// A small file system in memory; nothing where mounting is not allowed.
struct Disk(PathBuf, tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        std::fs::create_dir(&disk).unwrap();
        let made =
            Process::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&disk).output();
        made.is_ok_and(|done| done.status.success()).then_some(Self(disk, folder))
    }

    fn remount(&self, how: &str) {
        let done = Process::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Process::new("umount").arg("-l").arg(&self.0).status();
        let _ = &self.1;
    }
}

#[test]
fn a_read_only_file_says_so() {
    let Some(disk) = Disk::new("4m") else { return };
    let path = disk.0.join("a.db");
    drop(fill(&path, 3));
    let before = std::fs::read(&path).unwrap();
    disk.remount("ro");
    let error = Sqlite::create(&path).unwrap_err().to_string();
    assert!(error.contains("read-only"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    disk.remount("rw");
    assert_eq!(Desk::open(Sqlite::create(&path).unwrap()).unwrap().state().cases.len(), 3);
}

#[test]
fn a_full_disk_changes_nothing() {
    let Some(disk) = Disk::new("1m") else { return };
    let path = disk.0.join("a.db");
    let mut desk = fill(&path, 3);
    let state = desk.state().clone();
    let big = arrive(9, &"x".repeat(2_000_000));
    let error = desk.run(&big).unwrap_err().to_string();
    assert!(error.contains("disk is full") && error.contains("Nothing was changed"), "{error}");
    assert_eq!(desk.state(), &state);
    let copy = disk.0.join("copy.db");
    std::fs::write(disk.0.join("filler"), vec![0; 1 << 19]).unwrap_or_default();
    let _ = desk.repository().backup(&copy);
    assert!(!copy.exists() || Sqlite::existing(&copy).is_ok(), "no half backup is left");
    // What fits goes on.
    let _ = std::fs::remove_file(disk.0.join("filler"));
    let _ = std::fs::remove_file(&copy);
    desk.run(&arrive(10, "small")).unwrap();
    desk.verify().unwrap();
    drop(desk);
    assert_eq!(Desk::open(Sqlite::create(&path).unwrap()).unwrap().state().cases.len(), 4);
}

#[test]
fn a_locked_file_waits_then_says_so_and_works_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut desk = fill(&path, 1);
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = desk.run(&arrive(1, "x")).unwrap_err().to_string();
    assert!(error.contains("another program is writing"), "{error}");
    assert_eq!(desk.state().cases.len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    desk.run(&arrive(1, "x")).unwrap();
    desk.verify().unwrap();
}

#[test]
fn damage_anywhere_is_found_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut desk = fill(&path, 400);
    desk.keep().unwrap();
    let state = desk.state().clone();
    let copy = folder.path().join("copy.db");
    desk.repository().backup(&copy).unwrap();
    let good = std::fs::read(&copy).unwrap();
    let (mut found, mut harmless) = (0, 0);
    for round in 0..120 {
        let mut bytes = good.clone();
        let at = 100 + round * (bytes.len() - 200) / 120;
        match round % 4 {
            0 => bytes[at] ^= 1,
            1 => bytes[at..at + 64].fill(0),
            2 => bytes[at..at + 64].fill(0xFF),
            _ => bytes.truncate(at),
        }
        let damaged = folder.path().join("damaged.db");
        std::fs::write(&damaged, &bytes).unwrap();
        let read = Sqlite::existing(&damaged).and_then(Desk::open).and_then(|mut desk| desk.verify().map(|_| desk));
        match read {
            Ok(desk) => {
                assert_eq!(desk.state(), &state, "damage at {at} changed what the log says and was not noticed");
                harmless += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                found += 1;
            }
        }
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("damaged.db{suffix}")));
        }
    }
    assert!(found > 30 && harmless > 0, "{found} found, {harmless} harmless");
}
