//! A server that only reads, is locked, has a full disk, or whose data was changed. Each time the data is looked at
//! afterwards. The file's counterparts are in `faults.rs`.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command as Process;

use ::postgres::Client;
use plumb_moderate::Error;
use plumb_moderate::command::{Action, Command, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::model::{Case, Choice, Moderator};
use plumb_moderate::state::Phase;
use plumb_moderate::store::Postgres;

use super::both::{Place, on_both};
use super::server::{self, Server};
use super::{command, names, team, vote};

on_both!(a_moderator_removed_while_seated);

fn arrive(id: &str, body: &str) -> Command {
    let case = Case { id: id.to_owned(), body: body.to_owned(), ..Case::default() };
    command(&format!("arrive {id}"), SYSTEM, Action::Arrive(case))
}

/// A database with a team and one panel, and a way past the program.
fn scene(prefix: &str) -> (Desk<Postgres>, Client) {
    let (owner, database) = server::shared().database();
    let mut desk = Desk::open(owner).unwrap();
    team(&mut desk, &names(prefix, 3), 1);
    (desk, server::shared().raw(&database, "owner"))
}

/// Cuts the program's connections to a database.
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE application_name = 'plumb' AND datname = current_database()";

/// Nothing of what was refused is there, and work goes on.
fn whole(desk: &mut Desk<Postgres>, cases: usize) {
    desk.refresh().unwrap();
    assert_eq!(desk.state().cases.len(), cases);
    desk.run(&arrive("later", "x")).unwrap();
    assert_eq!(desk.verify().unwrap().head, *desk.head());
    assert_eq!(desk.state().cases.len(), cases + 1);
}

#[test]
fn a_server_that_only_reads_says_so() {
    let (mut desk, mut sql) = scene("ga");
    let state = desk.state().clone();
    let name = database(&mut sql);
    sql.batch_execute(&format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = on")).unwrap();
    sql.batch_execute(CUT).unwrap();
    let mut errors = Vec::new();
    // The first call finds the connection gone, the next one a server that only reads.
    for _ in 0..2 {
        errors.push(desk.run(&arrive("a", "x")).unwrap_err());
    }
    assert!(matches!(errors[0], Error::Lost { .. }), "{}", errors[0]);
    let text = errors[1].to_string();
    assert!(text.contains("only reads") && text.contains("Nothing was changed"), "{text}");
    assert_eq!(desk.state(), &state);
    // Reading goes on meanwhile.
    desk.refresh().unwrap();
    assert_eq!(desk.verify().unwrap().head, *desk.head());
    sql.batch_execute("SET default_transaction_read_only = off").unwrap();
    sql.batch_execute(&format!("ALTER DATABASE \"{name}\" RESET default_transaction_read_only")).unwrap();
    sql.batch_execute(CUT).unwrap();
    let _gone = desk.refresh();
    whole(&mut desk, 1);
}

fn database(sql: &mut Client) -> String {
    sql.query_one("SELECT current_database()::text", &[]).unwrap().get(0)
}

#[test]
fn a_locked_server_waits_then_says_so_and_works_afterwards() {
    let (mut desk, mut sql) = scene("gb");
    let mut lock = sql.transaction().unwrap();
    lock.batch_execute("LOCK TABLE plumb.head IN ACCESS EXCLUSIVE MODE").unwrap();
    let start = std::time::Instant::now();
    let error = desk.run(&arrive("a", "x")).unwrap_err().to_string();
    assert!(error.contains("holds a lock") && error.contains("Nothing was changed"), "{error}");
    assert!(start.elapsed().as_secs() < 30, "it does not wait for ever");
    assert_eq!(desk.state().cases.len(), 1);
    lock.rollback().unwrap();
    whole(&mut desk, 1);
}

/// A disk of its own for one database; nothing where mounting is not allowed.
struct Small(PathBuf);

impl Small {
    fn new(server: &Server) -> Option<Self> {
        let folder = server.folder().join("small");
        std::fs::create_dir(&folder).ok()?;
        let made = Process::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(&folder).output().ok()?;
        if !made.status.success() {
            return None;
        }
        if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
            assert!(Process::new("chown").arg("postgres").arg(&folder).status().unwrap().success());
        }
        Some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Process::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_of_the_server_changes_nothing() {
    let server = server::own();
    let Some(small) = Small::new(&server) else { return };
    let mut sql = server.raw("postgres", "owner");
    sql.batch_execute(&format!("CREATE TABLESPACE small LOCATION '{}'", small.0.display())).unwrap();
    sql.batch_execute("CREATE DATABASE narrow TABLESPACE small").unwrap();
    let mut desk = Desk::open(Postgres::connect(&server.address("narrow", "owner")).unwrap()).unwrap();
    team(&mut desk, &names("gc", 3), 1);
    // Letters that cannot be packed together, as PostgreSQL does with long texts.
    let mut random = plumb_core::random::Random::new(1, "text");
    let mut errors = 0;
    for i in 0..40 {
        let body: String = (0..1_000_000).map(|_| char::from(33 + random.below(90) as u8)).collect();
        let before = desk.state().clone();
        if let Err(error) = desk.run(&arrive(&format!("big{i}"), &body)) {
            let text = error.to_string();
            assert!(text.contains("disk is full") && text.contains("Nothing was changed"), "{text}");
            assert_eq!(desk.state(), &before);
            errors += 1;
            if errors == 2 {
                break;
            }
        }
    }
    assert_eq!(errors, 2, "the disk has a limit");
    let cases = desk.state().cases.len();
    assert!(Process::new("mount").args(["-o", "remount,size=200m"]).arg(&small.0).status().unwrap().success());
    whole(&mut desk, cases);
    drop(desk);
    let back = Desk::open(Postgres::connect(&server.address("narrow", "owner")).unwrap()).unwrap();
    assert_eq!(back.state().cases.len(), cases + 1);
}

#[test]
fn what_was_changed_on_the_server_is_named() {
    let changes = [
        ("UPDATE plumb.entry SET text = replace(text, 'system', 'nobody') WHERE seq = 2", "event 2"),
        ("UPDATE plumb.entry SET hash = 'x' WHERE seq = 3", "event 3"),
        ("DELETE FROM plumb.entry WHERE seq = 4", "event 5"),
        ("UPDATE plumb.entry SET text = '{}' WHERE seq = 1", "event 1"),
    ];
    for (change, named) in changes {
        let (mut desk, mut sql) = scene("gd");
        let state = desk.state().clone();
        // Not even the owner can without taking the guard away first.
        assert_eq!(sql.batch_execute(change).unwrap_err().code().unwrap().code(), "42501", "{change}");
        sql.batch_execute("ALTER TABLE plumb.entry DISABLE TRIGGER keep").unwrap();
        sql.batch_execute(change).unwrap();
        let error = desk.verify().unwrap_err();
        assert!(matches!(error, Error::Chain { .. }), "{change}: {error}");
        let text = error.to_string();
        assert!(text.contains(named) && text.contains("backup"), "{change}: {text}");
        assert_eq!(desk.state(), &state, "the desk goes on showing what it knew");
    }
}

/// Who leaves while a panel runs keeps a vote that was cast and loses a seat without one, and the panel comes to its end.
fn a_moderator_removed_while_seated(place: &impl Place) {
    let names = names("ge", 5);
    place.admit(&names);
    let mut lead = Desk::open(place.lead()).unwrap();
    team(&mut lead, &names, 1);
    let seats = lead.state().panels["c0/1"].members.clone();
    vote(&mut Desk::open(place.member(&seats[0])).unwrap(), "c0/1", &seats[0], Choice::Remove).unwrap();
    for who in &seats[..2] {
        let gone = Moderator { id: who.clone(), trainee: false, active: false };
        lead.run(&command(&format!("gone {who}"), SYSTEM, Action::SetModerator(gone))).unwrap();
        place.dismiss(who);
    }
    let panel = lead.state().panels["c0/1"].clone();
    assert!(panel.members.contains(&seats[0]), "a vote that was cast counts");
    assert!(!panel.members.contains(&seats[1]), "an empty seat goes to another");
    assert_eq!((panel.members.len(), panel.closed), (3, false));
    for who in panel.members.iter().filter(|who| **who != seats[0]) {
        assert!(lead.state().moderators[who].active);
        vote(&mut Desk::open(place.member(who)).unwrap(), "c0/1", who, Choice::Remove).unwrap();
    }
    lead.refresh().unwrap();
    let panel = &lead.state().panels["c0/1"];
    assert_eq!((panel.closed, panel.votes.len()), (true, 3));
    assert_eq!(lead.state().case("c0").unwrap().phase, Phase::Decided);
    assert!(!lead.state().load.contains_key(&seats[1]), "no seat is left behind");
    // Who left does nothing more: the server does not let them in, or the program says so.
    let late = command("late", &seats[1], Action::Note("c0".into(), "x".into()));
    let done = place.try_member(&seats[1]).and_then(|own| Desk::open(own)?.run(&late));
    assert!(done.is_err());
    let again = Desk::open(place.lead()).unwrap();
    assert_eq!(again.state(), lead.state());
    lead.verify().unwrap();
}
