//! What must hold on either database.

use std::time::Duration;

use plumb_moderate::audit::{self, Entry, Head};
use plumb_moderate::command::{Action, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::model::{Case, Choice, Moderator, Policy, Prediction, Verdict};
use plumb_moderate::state::Phase;
use plumb_moderate::store::{Appended, Batch, Memory, Postgres, Repository, Sqlite};
use plumb_moderate::view;

use super::server::{self, PASSWORD};
use super::{ballot, command, names, team, vote};

/// A database that several can connect to, each as a moderator.
pub trait Place: Sync {
    type Repository: Repository;
    /// As the one who leads.
    fn lead(&self) -> Self::Repository;
    /// As a moderator.
    fn member(&self, name: &str) -> Self::Repository;
    /// Let them in.
    fn admit(&self, names: &[String]);
    /// Another database of this kind, empty.
    fn empty(&self) -> Self::Repository;
    /// Take somebody off the team's list again.
    fn dismiss(&self, name: &str);
    /// As a moderator who may not be let in.
    fn try_member(&self, name: &str) -> Result<Self::Repository, plumb_moderate::Error>;
    /// Its name, as the command line takes it.
    fn url(&self) -> String;
    /// What another process needs to open it as a moderator.
    fn address(&self, name: &str) -> String;
}

pub struct File(pub tempfile::TempDir);

impl Place for File {
    type Repository = Sqlite;
    fn lead(&self) -> Sqlite {
        Sqlite::create(&self.0.path().join("team.db")).unwrap()
    }
    fn member(&self, _name: &str) -> Sqlite {
        self.lead()
    }
    fn admit(&self, _names: &[String]) {}
    fn empty(&self) -> Sqlite {
        Sqlite::create(&self.0.path().join("empty.db")).unwrap()
    }
    fn dismiss(&self, _name: &str) {}
    fn try_member(&self, name: &str) -> Result<Sqlite, plumb_moderate::Error> {
        Ok(self.member(name))
    }
    fn url(&self) -> String {
        self.address("")
    }
    fn address(&self, _name: &str) -> String {
        self.0.path().join("team.db").display().to_string()
    }
}

pub struct Served(pub String);

impl Place for Served {
    type Repository = Postgres;
    fn lead(&self) -> Postgres {
        Postgres::connect(&server::shared().address(&self.0, "owner")).unwrap()
    }
    fn member(&self, name: &str) -> Postgres {
        Postgres::connect(&server::shared().address(&self.0, name)).unwrap()
    }
    fn admit(&self, names: &[String]) {
        let mut owner = self.lead();
        for name in names {
            owner.set_member(name, PASSWORD, false).unwrap();
        }
    }
    fn empty(&self) -> Postgres {
        server::shared().database().0
    }
    fn dismiss(&self, name: &str) {
        self.lead().remove_member(name).unwrap();
    }
    fn try_member(&self, name: &str) -> Result<Postgres, plumb_moderate::Error> {
        Postgres::connect(&server::shared().address(&self.0, name))
    }
    fn url(&self) -> String {
        server::shared().url(&self.0, "owner")
    }
    fn address(&self, name: &str) -> String {
        server::shared().address(&self.0, name)
    }
}

/// Every test once on a file and once on the server.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(&$crate::both::File(tempfile::tempdir().unwrap())); })*
        }
        mod postgres {
            $(#[test] fn $test() { super::$test(&$crate::both::Served($crate::server::shared().database().1)); })*
        }
    };
}
pub(crate) use on_both;

on_both!(
    a_late_writer_is_told,
    a_panel_from_draw_to_decision,
    the_last_vote_races,
    a_seat_races,
    many_clients_lose_and_double_nothing,
    a_backup_comes_back,
    models_snapshots_and_predictions_are_kept,
    news_of_others_arrive,
    a_clock_that_goes_backwards_does_not_stop_anything,
);

fn a_late_writer_is_told(place: &impl Place) {
    let (mut one, mut two) = (place.lead(), place.lead());
    let write = |text: &str| {
        let event = plumb_moderate::event::Event {
            seq: 1,
            at: 0,
            actor: SYSTEM.to_owned(),
            key: text.to_owned(),
            digest: String::new(),
            what: plumb_moderate::event::What::Noted { case: "c".to_owned(), text: text.to_owned() },
        };
        Batch { entries: vec![audit::seal(&Head::default(), &event).unwrap()], ..Batch::default() }
    };
    let (first, second) = (write("a \\u0000 \u{202e}x'; DROP TABLE entry"), write("b"));
    assert_eq!(one.append(&Head::default(), &first).unwrap(), Appended::Done);
    assert_eq!(two.append(&Head::default(), &second).unwrap(), Appended::Moved);
    assert_eq!(two.read(0, 10).unwrap(), first.entries);
    let last = &first.entries[0];
    assert_eq!(two.head().unwrap(), Head { seq: 1, hash: last.hash.clone() });
    assert_eq!(two.read(1, 10).unwrap(), Vec::<Entry>::new());
}

fn a_panel_from_draw_to_decision(place: &impl Place) {
    let names = names("p", 5);
    place.admit(&names);
    let mut lead = Desk::open(place.lead()).unwrap();
    team(&mut lead, &names, 2);
    let seats = lead.state().panels["c0/1"].members.clone();
    let mut desks: Vec<_> = seats.iter().map(|name| Desk::open(place.member(name)).unwrap()).collect();
    vote(&mut desks[0], "c0/1", &seats[0], Choice::Remove).unwrap();
    assert!(vote(&mut desks[0], "c0/1", &seats[0], Choice::Remove).unwrap().repeated);
    let other = command("other", &seats[0], Action::Vote("c0/1".into(), ballot(Choice::Approve)));
    assert!(desks[0].run(&other).unwrap_err().to_string().contains("cast already"));
    let seen = view::panel(&mut desks[0], "c0/1", &seats[0]).unwrap();
    assert_eq!((seen.voted, seen.votes, seen.own.map(|own| own.choice)), (Some(1), None, Some(Choice::Remove)));
    let seen = view::panel(&mut desks[1], "c0/1", &seats[1]).unwrap();
    assert_eq!((seen.voted, seen.votes, seen.own), (Some(1), None, None));
    vote(&mut desks[1], "c0/1", &seats[1], Choice::Approve).unwrap();
    vote(&mut desks[2], "c0/1", &seats[2], Choice::Remove).unwrap();
    desks[0].refresh().unwrap();
    assert_eq!(desks[0].state().case("c0").unwrap().phase, Phase::PanelOpen);
    desks[1].refresh().unwrap();
    desks[1].run(&command("revise", &seats[1], Action::Vote("c0/1".into(), ballot(Choice::Remove)))).unwrap();
    let say = command("say", &seats[0], Action::Say("c0/1".into(), "agreed".into()));
    desks[0].run(&say).unwrap();
    desks[2].run(&command("close", &seats[2], Action::Close("c0/1".into()))).unwrap();
    lead.refresh().unwrap();
    let case = lead.state().case("c0").unwrap();
    assert_eq!((case.phase, case.decisions[0].verdict), (Phase::Decided, Verdict::Remove));
    assert_eq!(lead.verify().unwrap().head, *lead.head());
}

fn the_last_vote_races(place: &impl Place) {
    let names = names("r", 5);
    place.admit(&names);
    let mut lead = Desk::open(place.lead()).unwrap();
    team(&mut lead, &names, 8);
    for panel in (0..8).map(|i| format!("c{i}/1")) {
        let seats = lead.state().panels[&panel].members.clone();
        std::thread::scope(|scope| {
            for who in &seats {
                let panel = &panel;
                scope.spawn(move || {
                    let mut own = Desk::open(place.member(who)).unwrap();
                    vote(&mut own, panel, who, Choice::Remove).unwrap();
                });
            }
        });
        lead.refresh().unwrap();
    }
    let entries = lead.repository().read(0, 10_000).unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.text.contains("\"kind\":\"decided\"")).count(), 8);
    assert_eq!(entries.iter().filter(|entry| entry.text.contains("\"kind\":\"voted\"")).count(), 24);
    assert_eq!(lead.verify().unwrap().head, *lead.head());
}

/// Somebody votes, gives the seat up and is taken off the team, all at once: one of these wins, whole.
fn a_seat_races(place: &impl Place) {
    let names = names("s", 8);
    place.admit(&names);
    let mut lead = Desk::open(place.lead()).unwrap();
    team(&mut lead, &names, 6);
    for i in 0..6 {
        let panel = format!("c{i}/1");
        let who = lead.state().panels[&panel].members[0].clone();
        let outcomes: Vec<bool> = std::thread::scope(|scope| {
            let (panel, who) = (&panel, &who);
            let vote = scope
                .spawn(move || vote(&mut Desk::open(place.member(who)).unwrap(), panel, who, Choice::Remove).is_ok());
            let recuse = scope.spawn(move || {
                let recuse = command(&format!("recuse {panel}"), who, Action::Recuse(panel.clone()));
                Desk::open(place.member(who)).unwrap().run(&recuse).is_ok()
            });
            let leave = scope.spawn(move || {
                let mut desk = Desk::open(place.lead()).unwrap();
                for active in [false, true] {
                    let moderator = Moderator { id: who.clone(), trainee: false, active };
                    desk.run(&command(&format!("{panel} {active}"), SYSTEM, Action::SetModerator(moderator))).unwrap();
                }
                true
            });
            [vote, recuse, leave].into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        lead.refresh().unwrap();
        let (voted, recused) = (outcomes[0], outcomes[1]);
        assert!(!(voted && recused), "not both");
        let seated = lead.state().panels[&panel].members.contains(&who);
        assert_eq!(seated, voted, "who voted sits, who did not sits no more");
        assert_eq!(lead.repository().voted(&panel, &who).unwrap(), voted);
    }
    lead.verify().unwrap();
}

/// Twenty clients at once. 10,000 votes on PostgreSQL; fewer in the file, which syncs to the disk for each.
fn many_clients_lose_and_double_nothing(place: &impl Place) {
    let names = names("v", 20);
    place.admit(&names);
    let mut lead = Desk::open(place.lead()).unwrap();
    let cases = if std::any::type_name_of_val(place).contains("Served") { 3334 } else { 40 };
    team(&mut lead, &names, cases);
    let state = lead.state();
    std::thread::scope(|scope| {
        for name in &names {
            let seats: Vec<&String> =
                state.panels.values().filter(|panel| panel.members.contains(name)).map(|panel| &panel.id).collect();
            scope.spawn(move || {
                let mut desk = Desk::open(place.member(name)).unwrap();
                for panel in seats {
                    assert!(!vote(&mut desk, panel, name, Choice::Approve).unwrap().repeated);
                }
            });
        }
    });
    lead.refresh().unwrap();
    assert!(lead.state().running.is_empty());
    let votes: usize = lead.state().panels.values().map(|panel| panel.votes.len()).sum();
    assert_eq!(votes, 3 * cases);
    let entries = lead.repository().read(0, 1_000_000).unwrap();
    let (head, replayed) = audit::verify(&entries).unwrap();
    assert_eq!((&head, &replayed), (lead.head(), lead.state()));
    assert_eq!(entries.iter().filter(|entry| entry.text.contains("\"kind\":\"decided\"")).count(), cases);
}

fn a_backup_comes_back(place: &impl Place) {
    let names = names("b", 4);
    place.admit(&names);
    let mut lead = Desk::open(place.lead()).unwrap();
    team(&mut lead, &names, 2);
    let seats = lead.state().panels["c0/1"].members.clone();
    let who = &seats[0];
    vote(&mut Desk::open(place.member(who)).unwrap(), "c0/1", who, Choice::Remove).unwrap();
    lead.repository().put_model("votes", &[0, 1, 255]).unwrap();
    let prediction = Prediction {
        model: "v".into(),
        p: vec![("b00".into(), 0.5)],
        disagreement: Some(0.1),
        entropy: Some(0.2),
        gain: Some(0.3),
    };
    let score = Action::Score("late".into(), Some(prediction));
    let case = Case { id: "late".into(), body: "\0'\u{1F600}".into(), ..Case::default() };
    lead.run(&command("late", SYSTEM, Action::Arrive(case))).unwrap();
    lead.run(&command("score", SYSTEM, score)).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    lead.repository().backup(&copy).unwrap();
    assert!(lead.repository().backup(&copy).is_err(), "a backup never overwrites");
    assert!(lead.repository().restore(&copy).unwrap_err().to_string().contains("not empty"));
    assert!(lead.repository().restore(&folder.path().join("no.db")).is_err());

    // Into an empty one of the same kind, and into the other: nothing is lost on the way.
    let mut back = place.empty();
    back.restore(&copy).unwrap();
    let all = lead.repository().everything().unwrap();
    assert_eq!(back.everything().unwrap(), all);
    let mut memory = Memory::default();
    memory.restore(&copy).unwrap();
    assert_eq!(memory.everything().unwrap(), all);
    // Work goes on where it stopped: the vote that was hidden still counts.
    let mut desk = Desk::open(back).unwrap();
    assert_eq!(desk.state(), lead.state());
    assert!(desk.repository().voted("c0/1", who).unwrap());
    let again = command(&format!("vote c0/1 {who}"), who, Action::Vote("c0/1".into(), ballot(Choice::Remove)));
    if let Some(sealed) = desk.repository().ballot("c0/1", who).unwrap() {
        assert_eq!(sealed.digest, again.digest().unwrap());
    }
    let mut late = command("tick", SYSTEM, Action::Tick);
    late.at = 10_000_000_000;
    lead.run(&late).unwrap();
}

fn models_snapshots_and_predictions_are_kept(place: &impl Place) {
    let mut lead = Desk::open(place.lead()).unwrap();
    team(&mut lead, &names("k", 3), 1);
    lead.repository().put_model("m", b"old").unwrap();
    lead.repository().put_model("m", b"new").unwrap();
    assert_eq!(lead.repository().model("m").unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(lead.repository().model("none").unwrap(), None);
    lead.keep().unwrap();
    lead.keep().unwrap();
    assert_eq!(Desk::open(place.lead()).unwrap().state(), lead.state());
    assert_eq!(lead.verify().unwrap().snapshot, Some(true));
    let p = vec![("k00".to_owned(), 0.25)];
    for (key, p) in [("one", vec![("k00".to_owned(), 0.5)]), ("two", p.clone())] {
        let case = Case { id: "x".into(), ..Case::default() };
        lead.run(&command("arrive x", SYSTEM, Action::Arrive(case))).unwrap();
        let prediction =
            Prediction { model: "v".into(), p, disagreement: Some(0.1), entropy: Some(0.2), gain: Some(0.3) };
        lead.run(&command(key, SYSTEM, Action::Score("x".into(), Some(prediction)))).unwrap();
    }
    assert_eq!(lead.predictions("x").unwrap(), p);
    assert_eq!(lead.predictions("c0").unwrap(), []);
}

fn news_of_others_arrive(place: &impl Place) {
    let mut lead = Desk::open(place.lead()).unwrap();
    let mut other = Desk::open(place.lead()).unwrap();
    while other.repository().wait(Duration::from_millis(20)).unwrap() {}
    team(&mut lead, &names("n", 3), 1);
    assert!(other.repository().wait(Duration::from_secs(20)).unwrap());
    assert!(other.refresh().unwrap() > 0);
    assert_eq!(other.state(), lead.state());
    let start = std::time::Instant::now();
    while other.repository().wait(Duration::from_millis(100)).unwrap() {}
    assert!(start.elapsed() < Duration::from_secs(10), "and then it is quiet");
}

fn a_clock_that_goes_backwards_does_not_stop_anything(place: &impl Place) {
    let names = names("t", 3);
    place.admit(&names);
    let mut lead = Desk::open(place.lead()).unwrap();
    let mut policy = command("policy", SYSTEM, Action::SetPolicy(Policy { blind: true, ..Policy::default() }));
    policy.at = 2_000_000_000_000;
    lead.run(&policy).unwrap();
    team(&mut lead, &names, 1);
    for who in &names {
        let mut desk = Desk::open(place.member(who)).unwrap();
        let mut cast = command(&format!("vote {who}"), who, Action::Vote("c0/1".into(), ballot(Choice::Remove)));
        cast.at = -5;
        desk.run(&cast).unwrap();
    }
    lead.refresh().unwrap();
    assert_eq!(lead.state().case("c0").unwrap().phase, Phase::Decided);
    assert_eq!(lead.state().at, 2_000_000_000_000, "time in the log never goes back");
    lead.verify().unwrap();
}
