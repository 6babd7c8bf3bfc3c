//! A workplace on a server hears of what others do, says when the server is gone, and finds it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use plumb_core::{Ctl, Job as _};
use plumb_moderate::command::Action;
use plumb_moderate::desk::Desk;
use plumb_moderate::model::{Choice, Reason};
use plumb_moderate::store::Postgres;
use plumb_moderate::workplace::{Hearing, LookJob, OpenJob, RefreshJob, SignIn, Where};

use super::server::{self, PASSWORD};
use super::{NOW, names, team, vote};

fn until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(30), "in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn news_comes_by_itself_and_a_lost_server_is_said_and_found_again() {
    let server = server::own();
    let (mut owner, database) = server.database();
    let names = names("h", 3);
    for name in &names {
        owner.set_member(name, PASSWORD, false).unwrap();
    }
    let mut owner = Desk::open(owner).unwrap();
    team(&mut owner, &names, 1);

    // Name and password come from the fields, not from the address.
    let at = Where::Database(server.web(&database));
    let who = SignIn { name: names[0].clone(), password: PASSWORD.to_owned(), found: false };
    let opened = OpenJob { at, who, now: NOW }.run(&Ctl::new(1)).unwrap();
    assert_eq!((opened.board.who.name.as_str(), opened.board.who.lead), (names[0].as_str(), false));
    assert!(!opened.at.kept().contains(PASSWORD), "the address that is kept has no password");

    let woken = Arc::new(AtomicUsize::new(0));
    let bell = Arc::clone(&woken);
    let wake = move || {
        bell.fetch_add(1, Ordering::SeqCst);
    };
    let watch = opened.work.watch(Arc::new(wake)).unwrap();
    until(|| watch.hearing() == Hearing::Live);
    let (quiet, heard) = (woken.load(Ordering::SeqCst), watch.take_news());
    assert!(!heard, "nothing happened");
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(woken.load(Ordering::SeqCst), quiet, "an idle window sleeps");

    let start = Instant::now();
    owner.run(&super::command("note", &names[1], Action::Note("c0".to_owned(), "news".to_owned()))).unwrap();
    until(|| watch.take_news());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let refresh = || RefreshJob { work: opened.work.clone(), switch: None, now: NOW }.run(&Ctl::new(1));
    assert_eq!(refresh().unwrap().changed, ["c0"]);

    // A vote on a blind panel is no event, and news all the same: the count is shown.
    let mut other = Desk::open(Postgres::connect(&server.address(&database, &names[1])).unwrap()).unwrap();
    vote(&mut other, "c0/1", &names[1], Choice::Remove).unwrap();
    until(|| watch.take_news());
    let look = LookJob { work: opened.work.clone(), case: "c0".to_owned(), past: None }.run(&Ctl::new(1)).unwrap();
    assert_eq!(look.panel.unwrap().view.voted, Some(1));

    server.down();
    until(|| matches!(watch.hearing(), Hearing::Lost(_)));
    assert!(refresh().is_err(), "and reading says so, too");
    server.up();
    until(|| watch.hearing() == Hearing::Live);
    until(|| watch.take_news());
    // The first call after a restart may still find the old connection: reading again is part of the job.
    assert!(refresh().is_ok());
    let open = Action::OpenPanel("c0".to_owned(), Reason::Manual, vec![]);
    assert!(owner.run(&super::command("again", &names[1], open)).is_err(), "the panel runs still");
}
