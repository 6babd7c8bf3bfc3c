//! The session that a window's jobs share: nothing hidden leaves it, the queue follows every action, and a second opinion
//! can be withdrawn until its votes are shown.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use plumb_core::{Ctl, Job as _};
use plumb_moderate::command::Action;
use plumb_moderate::model::{Ballot, Choice, Reason, Verdict};
use plumb_moderate::queue::Filter;
use plumb_moderate::state::Phase;
use plumb_moderate::workplace::{ActJob, Asked, Board, LookJob, OpenJob, Opened, Outcome, RefreshJob, SignIn, Where};

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
