//! The kept state: quick to open, never believed against the log.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use std::path::Path;

use plumb_moderate::account;
use plumb_moderate::audit::fingerprint;
use plumb_moderate::command::{Action, Command, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::model::{Ballot, Case, Choice, Moderator, Prediction, Reason, Verdict};
use plumb_moderate::snapshot::Snapshot;
use plumb_moderate::state::State;
use plumb_moderate::store::{Memory, Repository, Sqlite};

fn run<R: Repository>(desk: &mut Desk<R>, key: &str, actor: &str, action: Action) {
    let command = Command { key: key.to_owned(), actor: actor.to_owned(), at: 100, expect: None, action };
    desk.run(&command).unwrap();
}

/// A little of everything that a state can hold.
fn fill<R: Repository>(desk: &mut Desk<R>) {
    for i in 0..4 {
        let moderator = Moderator { id: format!("m{i}"), trainee: i == 3, active: true };
        run(desk, &format!("join {i}"), SYSTEM, Action::SetModerator(moderator));
    }
    let prediction =
        Prediction { model: "v".into(), p: vec![], disagreement: Some(0.5), entropy: Some(1.0), gain: Some(0.25) };
    for id in ["a", "b", "c"] {
        let case =
            Case { id: id.to_owned(), title: Some("Ärger".to_owned()), body: "x".to_owned(), ..Case::default() };
        run(desk, &format!("arrive {id}"), SYSTEM, Action::Arrive(case));
        run(desk, &format!("report {id}"), SYSTEM, Action::Report(id.to_owned(), "rude".to_owned(), 3));
        run(desk, &format!("score {id}"), SYSTEM, Action::Score(id.to_owned(), Some(prediction.clone())));
    }
    run(desk, "solo", SYSTEM, Action::Solo("a".to_owned()));
    run(desk, "decide", "m0", Action::Decide("a".to_owned(), Verdict::Remove, Some("civility".to_owned())));
    run(desk, "note", "m0", Action::Note("a".to_owned(), "so".to_owned()));
    run(desk, "open b", SYSTEM, Action::OpenPanel("b".to_owned(), Reason::Audit, vec![]));
    run(desk, "open c", SYSTEM, Action::OpenPanel("c".to_owned(), Reason::Model, vec![]));
    for (who, choice) in [("m0", Choice::Remove), ("m1", Choice::Approve), ("m2", Choice::Remove)] {
        let ballot = Ballot { choice, rule: None, rationale: "why".to_owned(), confidence: 2 };
        run(desk, &format!("vote {who}"), who, Action::Vote("b/1".to_owned(), ballot));
    }
    run(desk, "say", "m1", Action::Say("b/1".to_owned(), "hm".to_owned()));
}

#[test]
fn the_layout_of_a_kept_state_changes_only_with_its_version() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    fill(&mut desk);
    let snapshot = Snapshot::pack(desk.state(), desk.head()).unwrap();
    assert_eq!(snapshot.unpack().as_ref(), Some(desk.state()));
    // The bytes depend on the layout and on nothing else. If this fails, raise `snapshot::VERSION` and renew the line.
    let text = format!("{:02x?}", snapshot.bytes);
    assert_eq!((snapshot.version, &fingerprint(&[&text])[..16]), (3, "a7f253775d5dc880"));
}

fn change(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn open(path: &Path) -> Desk<Sqlite> {
    Desk::open(Sqlite::create(path).unwrap()).unwrap()
}

#[test]
fn opening_with_a_kept_state_is_the_same_as_reading_the_whole_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut desk = open(&path);
    fill(&mut desk);
    desk.keep().unwrap();
    run(&mut desk, "later", "m2", Action::Note("a".to_owned(), "after it".to_owned()));
    let state: State = desk.state().clone();
    assert_eq!(open(&path).state(), &state);
    assert_eq!(open(&path).verify().unwrap().snapshot, Some(true));
    // Damaged, of an older layout, of another log, or no sense at all: as if it were not there.
    for damage in [
        "UPDATE snapshot SET bytes = zeroblob(length(bytes))",
        "UPDATE snapshot SET bytes = substr(bytes, 9)",
        "UPDATE snapshot SET version = version + 1",
        "UPDATE snapshot SET hash = 'x'",
        "UPDATE snapshot SET seq = 0",
        "UPDATE snapshot SET seq = 4",
        "UPDATE snapshot SET seq = 99999",
        "UPDATE snapshot SET seq = -1",
        "UPDATE snapshot SET digest = ''",
        "DROP TABLE snapshot",
    ] {
        let copy = folder.path().join("copy.db");
        Sqlite::existing(&path).unwrap().backup(&copy).unwrap();
        change(&copy, damage);
        let mut desk = open(&copy);
        assert_eq!(desk.state(), &state, "{damage}");
        if !damage.starts_with("DROP") {
            assert_eq!(desk.verify().unwrap().snapshot, Some(false), "{damage}");
            assert_eq!(desk.verify().unwrap().snapshot, Some(true), "{damage}: made anew");
        }
        drop(desk);
        std::fs::remove_file(&copy).unwrap();
    }
}

#[test]
fn a_forged_kept_state_is_found_by_verify_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut desk = open(&path);
    fill(&mut desk);
    let honest = desk.state().clone();
    let mut forged = honest.clone();
    forged.moderators.remove("m1");
    let head = desk.head().clone();
    desk.repository().put_snapshot(&Snapshot::pack(&forged, &head).unwrap()).unwrap();
    let mut desk = open(&path);
    assert_eq!(desk.verify().unwrap().snapshot, Some(false));
    assert_eq!(desk.state(), &honest);
    assert_eq!(open(&path).state(), &honest);
    // The log itself says where it was touched.
    change(&path, "UPDATE entry SET text = replace(text, 'm1', 'm9') WHERE seq = 2");
    assert!(open(&path).verify().unwrap_err().to_string().contains("event 2"));
}

#[test]
fn signing_in_counts_failures_and_tells_nothing() {
    use plumb_moderate::session::Session;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let file = || Sqlite::create(&path).unwrap();
    assert!(Session::found(file(), "ann", "short").is_err());
    let mut lead = Session::found(file(), "ann", "correct horse").unwrap();
    assert!(Session::found(file(), "eve", "other horse").is_err(), "only the first founds a team");
    lead.set_password("bob", "battery staple", false).unwrap();
    for (name, id) in [("ann", "join ann"), ("bob", "join bob")] {
        let moderator = Moderator { id: name.to_owned(), trainee: false, active: true };
        lead.run(id, 1, None, Action::SetModerator(moderator)).unwrap();
    }
    let wrong = Session::sign_in(file(), "bob", "guess", 100).unwrap_err().to_string();
    let nobody = Session::sign_in(file(), "nobody", "guess", 100).unwrap_err().to_string();
    assert_eq!(wrong, nobody);
    let mut bob = Session::sign_in(file(), "bob", "battery staple", 100).unwrap();
    for i in 0..5 {
        assert_eq!(Session::sign_in(file(), "bob", "guess", 200 + i).unwrap_err().to_string(), wrong);
    }
    let waits = Session::sign_in(file(), "bob", "battery staple", 204).unwrap_err().to_string();
    assert!(waits.contains("wait 1 s"), "{waits}");
    Session::sign_in(file(), "bob", "battery staple", 205).unwrap();
    assert_eq!(Session::sign_in(file(), "bob", "guess", 205).unwrap_err().to_string(), wrong, "the count starts anew");

    // What only the lead may do, and under whose name things happen.
    assert!(bob.run("x", 1, None, Action::Arrive(Case { id: "c".into(), ..Case::default() })).is_err());
    assert!(bob.run("y", 1, None, Action::Unseal("c/1".into(), vec![])).is_err());
    assert!(bob.desk().is_err() && bob.predictions("c").is_err());
    assert!(
        bob.set_password("ann", "mine is this", false).is_err()
            && bob.set_password("bob", "battery staple", true).is_err()
    );
    bob.set_password("bob", "another staple", false).unwrap();
    lead.run("arrive", 1, None, Action::Arrive(Case { id: "c".into(), ..Case::default() })).unwrap();
    bob.refresh().unwrap();
    bob.run("note", 1, None, Action::Note("c".into(), "n".into())).unwrap();
    assert!(lead.wait(std::time::Duration::from_secs(5)).unwrap(), "the file was changed by another");
    assert_eq!(lead.desk().unwrap().state().case("c").unwrap().notes, [("bob".to_owned(), "n".to_owned())]);
    let stored = file().account("bob").unwrap().unwrap();
    assert!(stored.secret.starts_with("$argon2id$") && !stored.secret.contains("staple"));
    assert!(account::sign_in(&mut file(), "bob", "battery staple", 300).is_err(), "the old password is gone");
}
