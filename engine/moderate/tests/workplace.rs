//! The session that a window's jobs share: nothing hidden leaves it, the queue follows every action, and a second opinion
//! can be withdrawn until its votes are shown.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use plumb_core::{Ctl, Job as _};
use plumb_moderate::command::Action;
use plumb_moderate::model::{Ballot, Choice, Moderator, Reason, Verdict};
use plumb_moderate::onboarding::{Pick, standing};
use plumb_moderate::queue::Filter;
use plumb_moderate::state::Phase;
use plumb_moderate::workplace::{
    ActJob, Asked, Board, Hearing, LookJob, OpenJob, Opened, Outcome, RefreshJob, ReplayJob, ReviewJob, SignIn, Where,
};

const NOW: i64 = 1_788_220_800;

fn sandbox(folder: &std::path::Path) -> Opened {
    let at = Where::Sandbox(folder.join("windowsill.db"));
    OpenJob { at, who: SignIn::default(), now: NOW }.run(&Ctl::new(1)).unwrap()
}

fn act(opened: &Opened, key: &str, action: Action) -> (Outcome, Board) {
    let asked = vec![Asked { key: key.to_owned(), case: None, expect: None, action }];
    let done = ActJob { work: opened.work.clone(), asked, now: NOW }.run(&Ctl::new(1)).unwrap();
    (done.answers[0].outcome.clone(), done.board.unwrap())
}

fn switch(opened: &Opened, name: &str) -> Board {
    let job = RefreshJob { work: opened.work.clone(), switch: Some(name.to_owned()), now: NOW };
    job.run(&Ctl::new(1)).unwrap()
}

fn listed(opened: &Opened, phase: Phase) -> Vec<String> {
    let queue = opened.work.queue().read();
    let places = queue.filter(&Filter { phases: vec![phase], ..Filter::default() });
    places.iter().map(|place| queue.id(*place).unwrap().clone()).collect()
}

#[test]
fn the_sandbox_opens_sorted_in_and_opens_again_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let opened = sandbox(folder.path());
    assert!(opened.board.practice && opened.board.who.lead && opened.board.who.name == "amina");
    assert_eq!(opened.board.count(&[Phase::New, Phase::Scored]), 0, "every case is with somebody");
    let (solo, panels) = (opened.board.count(&[Phase::Solo]), opened.board.count(&[Phase::PanelBlind]));
    assert!(solo > 60 && panels > 20 && solo + panels == 120, "{solo} {panels}");
    assert_eq!(opened.board.rules.len(), 10);
    let case = listed(&opened, Phase::Solo)[0].clone();
    assert_eq!(act(&opened, "k", Action::Decide(case.clone(), Verdict::Approve, None)).0, Outcome::Done);
    assert!(!listed(&opened, Phase::Solo).contains(&case), "the queue follows");
    let again = sandbox(folder.path());
    assert_eq!(listed(&again, Phase::Decided), [case]);
}

#[test]
fn a_second_opinion_is_withdrawn_by_who_asked_and_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let opened = sandbox(folder.path());
    let case = listed(&opened, Phase::Solo)[0].clone();
    act(&opened, "open", Action::OpenPanel(case.clone(), Reason::Manual, Vec::new()));
    assert!(listed(&opened, Phase::PanelBlind).contains(&case));
    switch(&opened, "bertil");
    assert!(matches!(act(&opened, "not mine", Action::Withdraw(case.clone())).0, Outcome::Refused(_)));
    let board = switch(&opened, "amina");
    assert_eq!(board.who.name, "amina");
    assert_eq!(act(&opened, "mine", Action::Withdraw(case.clone())).0, Outcome::Done);
    assert!(listed(&opened, Phase::Solo).contains(&case), "it waits for one moderator again");
    // What the model asked for is nobody's to withdraw.
    let drawn = listed(&opened, Phase::PanelBlind)[0].clone();
    assert!(matches!(act(&opened, "model", Action::Withdraw(drawn)).0, Outcome::Refused(_)));
    // The whole team, in the open; withdrawn only before anybody has voted.
    act(&opened, "escalate", Action::OpenPanel(case.clone(), Reason::Escalation, Vec::new()));
    assert!(listed(&opened, Phase::PanelOpen).contains(&case));
    let ballot = Ballot { choice: Choice::Remove, rule: None, rationale: "plain".to_owned(), confidence: 3 };
    let look = LookJob { work: opened.work.clone(), case: case.clone(), past: None }.run(&Ctl::new(1)).unwrap();
    let panel = look.panel.unwrap();
    assert_eq!((panel.view.seats, panel.view.hidden, panel.withdraw), (8, false, true));
    act(&opened, "vote", Action::Vote(panel.view.panel, ballot));
    assert!(matches!(act(&opened, "late", Action::Withdraw(case)).0, Outcome::Refused(_)));
}

#[test]
fn a_look_at_a_blind_panel_is_the_same_before_and_after_somebody_elses_vote_but_for_the_count() {
    let folder = tempfile::tempdir().unwrap();
    let opened = sandbox(folder.path());
    let case = listed(&opened, Phase::PanelBlind)[0].clone();
    let look = || LookJob { work: opened.work.clone(), case: case.clone(), past: None }.run(&Ctl::new(1)).unwrap();
    let first = look().panel.unwrap();
    assert!(first.members.is_empty(), "nobody sees who sits on a blind panel");
    // Whoever sits: find a member and somebody else by trying.
    let names: Vec<String> = opened.board.team.iter().map(|moderator| moderator.id.clone()).collect();
    let mut seated = None;
    let mut other = None;
    for name in &names {
        switch(&opened, name);
        if look().panel.unwrap().view.seated { seated = Some(name) } else { other = Some(name) }
    }
    switch(&opened, other.unwrap());
    let before = look();
    switch(&opened, seated.unwrap());
    let ballot = Ballot { choice: Choice::Remove, rule: None, rationale: "secret".to_owned(), confidence: 5 };
    act(&opened, "vote", Action::Vote(first.view.panel, ballot));
    switch(&opened, other.unwrap());
    let mut after = look();
    let (was, is) = (before.panel.as_ref().unwrap().view.voted, after.panel.as_ref().unwrap().view.voted);
    assert_eq!((was, is), (Some(0), Some(1)));
    after.panel.as_mut().unwrap().view.voted = was;
    assert_eq!(after, before);
}

#[test]
fn a_reused_key_is_done_once_and_a_refusal_stops_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let opened = sandbox(folder.path());
    let cases = listed(&opened, Phase::Solo);
    let decide = |key: &str, case: &str| Asked {
        key: key.to_owned(),
        case: Some(case.to_owned()),
        expect: None,
        action: Action::Decide(case.to_owned(), Verdict::Remove, Some("civil".to_owned())),
    };
    let asked = vec![decide("a", &cases[0]), decide("b", "unknown"), decide("c", &cases[1]), decide("a", &cases[0])];
    let done = ActJob { work: opened.work.clone(), asked, now: NOW }.run(&Ctl::new(1)).unwrap();
    let outcomes: Vec<bool> = done.answers.iter().map(|answer| answer.outcome == Outcome::Done).collect();
    assert_eq!(outcomes, [true, false, true, true]);
    assert_eq!(done.board.unwrap().count(&[Phase::Decided]), 2);
}

fn look(opened: &Opened, case: &str) -> plumb_moderate::workplace::Look {
    LookJob { work: opened.work.clone(), case: case.to_owned(), past: None }.run(&Ctl::new(1)).unwrap()
}

#[test]
fn a_replay_is_a_queue_of_its_own_that_tells_the_teams_judgement_only_after_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let team = sandbox(folder.path());
    let before = team.board.seq;
    let job = |pick, count| ReplayJob { opened: team.clone(), pick, count, now: NOW };
    let replay = job(Pick::Mixed, 20).run(&Ctl::new(3)).unwrap();
    assert!(replay.work.is_replay() && !team.work.is_replay());
    let cases = listed(&replay, Phase::Solo);
    assert_eq!(cases.len(), 20);
    assert_eq!(replay.board.rules, team.board.rules, "the team's rules can be named");
    let lessons = ReviewJob { work: team.work.clone(), pick: Pick::Mixed, count: 20 }.run(&Ctl::new(3)).unwrap();
    for (i, id) in cases.iter().enumerate() {
        let seen = look(&replay, id);
        assert!(seen.lesson.is_none() && seen.decisions.is_empty(), "nothing tells how it ended");
        let verdict = if i % 3 == 0 { Verdict::Remove } else { Verdict::Approve };
        let (outcome, board) = act(&replay, &format!("replay {id}"), Action::Decide(id.clone(), verdict, None));
        assert_eq!(outcome, Outcome::Done);
        assert_eq!(board.standing.unwrap().answered, i + 1);
        let lesson = lessons.iter().find(|lesson| lesson.case.id == *id);
        assert_eq!(look(&replay, id).lesson.as_ref(), lesson, "now it does");
    }
    let removed = |id: &String| cases.iter().position(|case| case == id).unwrap().is_multiple_of(3);
    let wanted = standing(lessons.iter().map(|lesson| (lesson, removed(&lesson.case.id))));
    let job_refresh = RefreshJob { work: replay.work.clone(), switch: None, now: NOW }.run(&Ctl::new(1)).unwrap();
    assert_eq!(job_refresh.standing, Some(wanted));
    // Taken back, it counts no more and the answer is hidden again.
    let (_, board) = act(&replay, "undo", Action::Undo(cases[0].clone()));
    assert_eq!(board.standing.unwrap().answered, 19);
    assert!(look(&replay, &cases[0]).lesson.is_none());
    // The team's log knows nothing of it.
    let after = RefreshJob { work: team.work.clone(), switch: None, now: NOW }.run(&Ctl::new(1)).unwrap();
    assert_eq!((after.seq, after.standing), (before, None));
    let again = ReplayJob { opened: replay, pick: Pick::All, count: 3, now: NOW };
    assert!(again.run(&Ctl::new(1)).is_err(), "a replay is not replayed");
    let split = job(Pick::Split, 1000).run(&Ctl::new(1)).unwrap();
    let all = job(Pick::All, 1000).run(&Ctl::new(1)).unwrap();
    assert!(split.board.count(&[Phase::Solo]) > 20 && all.board.count(&[Phase::Solo]) == 281);
    assert!(job(Pick::Panels, 5).run(&Ctl::new(1)).unwrap_err().to_string().contains("no panel has decided"));
}

#[test]
fn notes_and_appeals_are_taken_back_by_an_event_and_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let opened = sandbox(folder.path());
    let case = listed(&opened, Phase::Solo)[0].clone();
    for (key, text) in [("n1", "first"), ("n2", "second"), ("n3", "first")] {
        assert_eq!(act(&opened, key, Action::Note(case.clone(), text.to_owned())).0, Outcome::Done);
    }
    switch(&opened, "bertil");
    let back = |key: &str| act(&opened, key, Action::TakeBackNote(case.clone(), "first".to_owned())).0;
    assert!(matches!(back("not mine"), Outcome::Refused(_)));
    switch(&opened, "amina");
    assert_eq!(back("mine"), Outcome::Done);
    let notes = |id: &str| look(&opened, id).notes.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert_eq!(notes(&case), ["first", "second"], "the newer of two alike goes");
    assert_eq!(back("mine too"), Outcome::Done);
    assert!(matches!(back("no more"), Outcome::Refused(_)));
    assert_eq!(notes(&case), ["second"]);

    // A past case: appeal, a panel of others, both taken back, then for good.
    let past = listed(&opened, Phase::Applied).into_iter().find(|id| look(&opened, id).decisions.len() == 1).unwrap();
    let judge = look(&opened, &past).decisions[0].by.clone();
    let appeal = Action::Appeal(past.clone(), "it was a joke".to_owned());
    let ask = || Action::OpenPanel(past.clone(), Reason::Appeal, Vec::new());
    assert_eq!(act(&opened, "appeal", appeal.clone()).0, Outcome::Done);
    assert_eq!(notes(&past), ["it was a joke"]);
    assert_eq!(act(&opened, "panel", ask()).0, Outcome::Done);
    let panel = look(&opened, &past).panel.unwrap();
    assert!(panel.withdraw && panel.reason == Reason::Appeal);
    assert!(matches!(act(&opened, "too early", Action::TakeBackAppeal(past.clone())).0, Outcome::Refused(_)));
    assert_eq!(act(&opened, "withdraw", Action::Withdraw(past.clone())).0, Outcome::Done);
    assert!(listed(&opened, Phase::Appealed).contains(&past), "the appeal still waits for a panel");
    assert_eq!(act(&opened, "undo", Action::TakeBackAppeal(past.clone())).0, Outcome::Done);
    assert!(listed(&opened, Phase::Applied).contains(&past) && notes(&past).is_empty());
    act(&opened, "appeal 2", appeal);
    act(&opened, "panel 2", ask());
    switch(&opened, &judge);
    assert!(!look(&opened, &past).panel.unwrap().view.seated, "whoever decided before does not judge the appeal");
}

#[test]
fn others_are_heard_of_without_asking_and_ones_own_work_wakes_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db").display().to_string();
    let open = || {
        let at = Where::Database(path.clone());
        OpenJob { at, who: SignIn { name: "mo".to_owned(), ..SignIn::default() }, now: NOW }.run(&Ctl::new(1)).unwrap()
    };
    let (one, two) = (open(), open());
    let woken = Arc::new(AtomicUsize::new(0));
    let bell = Arc::clone(&woken);
    let wake = move || {
        bell.fetch_add(1, Ordering::SeqCst);
    };
    let watch = one.work.watch(Arc::new(wake)).unwrap();
    let until = |what: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !what() {
            assert!(start.elapsed() < Duration::from_secs(20), "in time");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until(&|| watch.hearing() == Hearing::Live);
    assert!(!watch.take_news());
    let join = |id: &str| Action::SetModerator(Moderator { id: id.to_owned(), trainee: false, active: true });
    act(&one, "own", join("anna"));
    std::thread::sleep(Duration::from_millis(2500));
    assert!(!watch.take_news(), "one's own work is no news");
    let quiet = woken.load(Ordering::SeqCst);
    act(&two, "other", join("ben"));
    until(&|| watch.take_news());
    assert!(woken.load(Ordering::SeqCst) > quiet);
    let board = RefreshJob { work: one.work.clone(), switch: None, now: NOW }.run(&Ctl::new(1)).unwrap();
    assert_eq!(board.team.len(), 3, "with the one who began the file");
    // While nobody looks nothing is woken, and the news waits.
    watch.want(false);
    let quiet = woken.load(Ordering::SeqCst);
    act(&two, "another", join("cleo"));
    until(&|| watch.take_news());
    assert_eq!(woken.load(Ordering::SeqCst), quiet);
}
