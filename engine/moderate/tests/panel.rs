//! V10: the panel engine. Random commands, hidden votes, draws, races, and a log that tells when it was touched.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use std::collections::BTreeMap;

use plumb_moderate::audit::{self, Head};
use plumb_moderate::ballot::Sealed;
use plumb_moderate::command::{Action, Command, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::draw::{Candidate, draw};
use plumb_moderate::model::{Ballot, Case, Choice, Moderator, Policy, Prediction, Reason, Verdict};
use plumb_moderate::state::{Phase, State};
use plumb_moderate::store::{Memory, Repository as _, Sqlite};
use plumb_moderate::{Error, view};
use proptest::prelude::*;

fn command(key: &str, actor: &str, action: Action) -> Command {
    Command { key: key.to_owned(), actor: actor.to_owned(), at: 100, expect: None, action }
}

fn ballot(choice: Choice) -> Ballot {
    Ballot { choice, rule: Some("civility".to_owned()), rationale: "It insults.".to_owned(), confidence: 3 }
}

fn team<R: plumb_moderate::store::Repository>(desk: &mut Desk<R>, size: usize) {
    for i in 0..size {
        let moderator = Moderator { id: format!("m{i}"), trainee: false, active: true };
        desk.run(&command(&format!("join {i}"), SYSTEM, Action::SetModerator(moderator))).unwrap();
    }
    let case = Case { id: "c".to_owned(), body: "text".to_owned(), ..Case::default() };
    desk.run(&command("arrive", SYSTEM, Action::Arrive(case))).unwrap();
    desk.run(&command("score", SYSTEM, Action::Score("c".to_owned(), None))).unwrap();
}

fn panel<R: plumb_moderate::store::Repository>(desk: &mut Desk<R>) -> Vec<String> {
    let open = Action::OpenPanel("c".to_owned(), Reason::Model, Vec::new());
    desk.run(&command("open", SYSTEM, open)).unwrap();
    desk.state().panels["c/1"].members.clone()
}

fn vote<R: plumb_moderate::store::Repository>(
    desk: &mut Desk<R>,
    panel: &str,
    who: &str,
    choice: Choice,
) -> Result<(), Error> {
    let key = format!("vote {panel} {who} {choice:?}");
    desk.run(&command(&key, who, Action::Vote(panel.to_owned(), ballot(choice)))).map(|_| ())
}

#[test]
fn a_unanimous_panel_decides_and_the_same_command_twice_is_done_once() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    team(&mut desk, 5);
    let seats = panel(&mut desk);
    for who in &seats {
        vote(&mut desk, "c/1", who, Choice::Remove).unwrap();
    }
    let seq = desk.state().seq;
    vote(&mut desk, "c/1", &seats[0], Choice::Remove).unwrap();
    assert_eq!(desk.state().seq, seq, "nothing is done twice");
    let case = desk.state().case("c").unwrap();
    assert_eq!((case.phase, case.decisions[0].verdict), (Phase::Decided, Verdict::Remove));
    let again = command("open", SYSTEM, Action::Tick);
    assert!(matches!(desk.run(&again), Err(Error::KeyReused(_))));
}

#[test]
fn a_split_panel_talks_then_closes_and_one_revision_is_allowed() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    team(&mut desk, 5);
    let seats = panel(&mut desk);
    let choices = [Choice::Remove, Choice::Approve, Choice::Remove];
    for (who, choice) in seats.iter().zip(choices) {
        vote(&mut desk, "c/1", who, choice).unwrap();
    }
    assert_eq!(desk.state().case("c").unwrap().phase, Phase::PanelOpen);
    let shown = view::panel(&mut desk, "c/1", &seats[0]).unwrap();
    assert_eq!(shown.votes.unwrap().len(), 3);
    desk.run(&command("revise", &seats[0], Action::Vote("c/1".into(), ballot(Choice::Approve)))).unwrap();
    let twice = command("revise 2", &seats[0], Action::Vote("c/1".into(), ballot(Choice::Remove)));
    assert!(desk.run(&twice).is_err());
    desk.run(&command("close", &seats[1], Action::Close("c/1".into()))).unwrap();
    assert_eq!(desk.state().case("c").unwrap().decisions[0].verdict, Verdict::Approve);
}

#[test]
fn a_tie_and_a_missed_deadline_go_to_the_whole_team() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    team(&mut desk, 5);
    let seats = panel(&mut desk);
    for (who, choice) in seats.iter().zip([Choice::Remove, Choice::Approve, Choice::Abstain]) {
        vote(&mut desk, "c/1", who, choice).unwrap();
    }
    desk.run(&command("close", &seats[0], Action::Close("c/1".into()))).unwrap();
    assert_eq!(desk.state().panels["c/2"].members.len(), 5, "the whole team sits");
    let mut late = command("late", SYSTEM, Action::Tick);
    late.at = 1_000_000;
    desk.run(&late).unwrap();
    assert_eq!(desk.state().case("c").unwrap().phase, Phase::Decided, "the second round always ends");

    let mut desk = Desk::open(Memory::default()).unwrap();
    team(&mut desk, 5);
    panel(&mut desk);
    desk.run(&late).unwrap();
    assert!(desk.state().panels["c/1"].closed && !desk.state().panels["c/2"].hidden);
}

#[test]
fn a_seat_given_up_or_lost_is_drawn_again() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    team(&mut desk, 5);
    let seats = panel(&mut desk);
    desk.run(&command("recuse", &seats[0], Action::Recuse("c/1".into()))).unwrap();
    let gone = Moderator { id: seats[1].clone(), trainee: false, active: false };
    desk.run(&command("leave", SYSTEM, Action::SetModerator(gone))).unwrap();
    let now = &desk.state().panels["c/1"].members;
    assert!(now.len() == 3 && !now.contains(&seats[0]) && !now.contains(&seats[1]), "{now:?}");
    let entries = desk.repository().read(0, 1000).unwrap();
    let (head, state) = audit::verify(&entries).unwrap();
    assert_eq!((&head, &state), (desk.head(), desk.state()));
}

#[test]
fn a_stale_revision_and_a_stranger_are_refused() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    team(&mut desk, 5);
    desk.run(&command("solo", SYSTEM, Action::Solo("c".into()))).unwrap();
    let mut decide = command("decide", "m1", Action::Decide("c".into(), Verdict::Approve, None));
    decide.expect = Some(1);
    assert!(matches!(desk.run(&decide), Err(Error::Stale { now: 3, .. })));
    decide.expect = Some(3);
    desk.run(&decide).unwrap();
    assert!(desk.run(&command("undo", "m2", Action::Undo("c".into()))).is_err(), "only one's own");
    desk.run(&command("undo", "m1", Action::Undo("c".into()))).unwrap();
    assert_eq!(desk.state().case("c").unwrap().phase, Phase::Solo);
    assert!(matches!(desk.run(&command("x", "nobody", Action::Tick)), Err(Error::Unknown { .. })));
}

#[test]
fn a_blind_panel_cannot_stop_early_and_a_crash_after_the_last_vote_is_made_good() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    team(&mut desk, 5);
    let policy = Policy { stop_when_decided: true, ..Policy::default() };
    assert!(desk.run(&command("early", SYSTEM, Action::SetPolicy(policy))).is_err());
    let seats = panel(&mut desk);
    // The ballots are there, and nobody ended the panel.
    for who in &seats {
        let state = desk.state().panels["c/1"].clone();
        let head = desk.head().clone();
        let vote = command(&format!("vote {who}"), who, Action::Vote("c/1".into(), ballot(Choice::Remove)));
        let sealed = Sealed {
            panel: "c/1".into(),
            moderator: who.clone(),
            ballot: ballot(Choice::Remove),
            digest: vote.digest().unwrap(),
            key: vote.key,
            at: 7,
        };
        desk.repository().cast(&head, &state, &sealed).unwrap();
    }
    let mut again =
        command(&format!("vote {}", seats[2]), &seats[2], Action::Vote("c/1".into(), ballot(Choice::Remove)));
    again.at = 101;
    assert!(desk.run(&again).unwrap().repeated, "sent again, not done twice");
    assert_eq!(desk.state().case("c").unwrap().phase, Phase::Decided);
    let votes = &desk.state().panels["c/1"].votes;
    assert!(votes.len() == 3 && votes.values().all(|vote| vote.cast_at == 7), "each at its own time");
    assert_eq!(desk.state().load, BTreeMap::new(), "no seat is open");
}

#[test]
fn a_moderator_removed_while_seated_keeps_the_vote_or_loses_the_seat() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    team(&mut desk, 5);
    let seats = panel(&mut desk);
    vote(&mut desk, "c/1", &seats[0], Choice::Remove).unwrap();
    for who in [&seats[0], &seats[1]] {
        let gone = Moderator { id: who.clone(), trainee: false, active: false };
        desk.run(&command(&format!("leave {who}"), SYSTEM, Action::SetModerator(gone))).unwrap();
    }
    let members = desk.state().panels["c/1"].members.clone();
    assert!(members.contains(&seats[0]) && !members.contains(&seats[1]), "{members:?}");
    assert!(desk.run(&command("recuse", &seats[0], Action::Recuse("c/1".into()))).is_err());
    for who in members.iter().filter(|who| **who != seats[0]) {
        vote(&mut desk, "c/1", who, Choice::Remove).unwrap();
    }
    let panel = &desk.state().panels["c/1"];
    assert!(panel.closed && panel.votes.contains_key(&seats[0]));
}

#[test]
fn predictions_stay_out_of_the_log() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    team(&mut desk, 2);
    let p = vec![("m0".to_owned(), 0.125), ("m1".to_owned(), 0.75)];
    let prediction =
        Prediction { model: "v1".into(), p: p.clone(), disagreement: Some(0.5), entropy: Some(1.0), gain: Some(0.1) };
    desk.run(&command("again", SYSTEM, Action::Score("c".into(), Some(prediction)))).unwrap();
    assert_eq!(desk.predictions("c").unwrap(), p);
    assert!(desk.repository().read(0, 99).unwrap().iter().all(|entry| !entry.text.contains("0.125")));
}

#[test]
fn draws_repeat_and_are_uniform() {
    let pool: Vec<Candidate> = (0..6).map(|i| Candidate { id: format!("m{i}"), load: 0 }).collect();
    let mut counts = BTreeMap::<Vec<String>, f64>::new();
    for seed in 0..10_000 {
        let mut seats = draw(&pool, 3, seed);
        assert_eq!(seats, draw(&pool, 3, seed));
        seats.sort();
        *counts.entry(seats).or_default() += 1.0;
    }
    assert_eq!(counts.len(), 20);
    let chi: f64 = counts.values().map(|n| (n - 500.0_f64).powi(2) / 500.0).sum();
    assert!(chi < 36.19, "χ² = {chi}; 36.19 is the 1 % point at 19 degrees of freedom");
    let mut loaded = pool;
    loaded[0].load = 1;
    assert!((0..100).all(|seed| !draw(&loaded, 5, seed).contains(&"m0".to_owned())), "the busy come last");
}

#[test]
fn a_touched_log_is_noticed() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    team(&mut desk, 5);
    panel(&mut desk);
    let entries = desk.repository().read(0, 1000).unwrap();
    for i in 0..entries.len() {
        let mut changed = entries.clone();
        changed[i].text = changed[i].text.replace("100", "101");
        assert!(matches!(audit::verify(&changed), Err(Error::Chain { .. })));
        let mut shorter = entries.clone();
        shorter.remove(i);
        assert!(i + 1 == entries.len() || audit::verify(&shorter).is_err());
    }
}

#[test]
fn racing_votes_give_exactly_one_close() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let mut desk = Desk::open(Sqlite::create(&path).unwrap()).unwrap();
    team(&mut desk, 5);
    let seats = panel(&mut desk);
    std::thread::scope(|scope| {
        for who in &seats {
            let path = &path;
            scope.spawn(move || {
                let mut own = Desk::open(Sqlite::create(path).unwrap()).unwrap();
                vote(&mut own, "c/1", who, Choice::Remove).unwrap();
            });
        }
    });
    desk.refresh().unwrap();
    let entries = desk.repository().read(0, 1000).unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.text.contains("\"kind\":\"decided\"")).count(), 1);
    assert_eq!(desk.state().panels["c/1"].votes.len(), 3);
    audit::verify(&entries).unwrap();
}

fn any_choice() -> impl Strategy<Value = Choice> {
    prop_oneof![Just(Choice::Approve), Just(Choice::Remove), Just(Choice::Abstain), Just(Choice::Escalate)]
}

/// Random commands: kind, actor, case, choice.
fn any_steps() -> impl Strategy<Value = Vec<(u8, u8, u8, Choice)>> {
    prop::collection::vec((0_u8..18, 0_u8..6, 0_u8..3, any_choice()), 1..80)
}

fn step(i: usize, kind: u8, who: u8, which: u8, choice: Choice) -> Command {
    let (case, panel) = (format!("c{which}"), format!("c{which}/1"));
    let who = format!("m{who}");
    let (actor, action) = match kind {
        0 => (SYSTEM, Action::Arrive(Case { id: case, ..Case::default() })),
        1 => (SYSTEM, Action::Score(case, None)),
        2 => (SYSTEM, Action::Solo(case)),
        3 => (SYSTEM, Action::OpenPanel(case, Reason::Manual, vec![])),
        4..=6 => (who.as_str(), Action::Vote(panel, ballot(choice))),
        7 => (who.as_str(), Action::Recuse(panel)),
        8 => (who.as_str(), Action::Close(panel)),
        9 => (who.as_str(), Action::Decide(case, Verdict::Remove, None)),
        10 => (who.as_str(), Action::Undo(case)),
        11 => (SYSTEM, Action::Apply(case)),
        12 => (SYSTEM, Action::Appeal(case, "unfair".to_owned())),
        13 => (who.as_str(), Action::TakeBackAppeal(case)),
        14 => (who.as_str(), Action::Note(case, "so".to_owned())),
        15 => (who.as_str(), Action::TakeBackNote(case, "so".to_owned())),
        16 => (who.as_str(), Action::Withdraw(case)),
        _ => (
            SYSTEM,
            Action::SetModerator(Moderator { id: who.clone(), trainee: false, active: choice != Choice::Abstain }),
        ),
    };
    Command { key: i.to_string(), actor: actor.to_owned(), at: 1000 - i as i64, expect: None, action }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn replay_gives_the_same_state_and_no_transition_is_illegal(steps in any_steps(), stop in any::<bool>()) {
        let mut desk = Desk::open(Memory::default()).unwrap();
        let policy = Policy { stop_when_decided: stop, blind: !stop, ..Policy::default() };
        desk.run(&command("policy", SYSTEM, Action::SetPolicy(policy))).unwrap();
        for i in 0..6 {
            let moderator = Moderator { id: format!("m{i}"), trainee: i == 5, active: true };
            desk.run(&command(&format!("join {i}"), SYSTEM, Action::SetModerator(moderator))).unwrap();
        }
        for (i, (kind, who, which, choice)) in steps.into_iter().enumerate() {
            let before = desk.state().clone();
            if let Err(error) = desk.run(&step(i, kind, who, which, choice)) {
                prop_assert!(!matches!(error, Error::Illegal { .. } | Error::Chain { .. }), "{error}");
                prop_assert_eq!(desk.state(), &before);
            }
            for panel in desk.state().panels.values() {
                let mut seats = panel.members.clone();
                seats.sort();
                seats.dedup();
                prop_assert_eq!(seats.len(), panel.members.len());
            }
        }
        let entries = desk.repository().read(0, 10_000).unwrap();
        let (head, state) = audit::verify(&entries).unwrap();
        prop_assert_eq!(&head, desk.head());
        prop_assert_eq!(&state, desk.state());
    }

    #[test]
    fn hidden_votes_change_nothing_that_others_see(a in any_choice(), b in any_choice(), progress in any::<bool>()) {
        let seen = |choices: &[Choice]| {
            let mut desk = Desk::open(Memory::default()).unwrap();
            team(&mut desk, 5);
            let policy = Policy { show_progress: progress, ..Policy::default() };
            desk.run(&command("policy", SYSTEM, Action::SetPolicy(policy))).unwrap();
            let seats = panel(&mut desk);
            for (who, choice) in seats.iter().zip(choices) {
                vote(&mut desk, "c/1", who, *choice).unwrap();
            }
            let views: Vec<String> = ["m0", "m1", "m2", "m3", "m4"].into_iter().filter(|who| !seats[..2].contains(&(*who).to_owned()))
                .map(|who| serde_json::to_string(&(view::panel(&mut desk, "c/1", who).unwrap(), view::case(&mut desk, "c").unwrap(), desk.head())).unwrap())
                .collect();
            views
        };
        prop_assert_eq!(seen(&[a, a]), seen(&[b, a]));
        prop_assert_eq!(seen(&[a, b]), seen(&[b, b]));
        if !progress {
            prop_assert_eq!(seen(&[a]), seen(&[]));
            prop_assert_eq!(seen(&[a, b]), seen(&[]));
        }
    }
}

#[test]
fn an_empty_log_is_the_empty_state() {
    assert_eq!(audit::verify(&[]).unwrap(), (Head::default(), State::default()));
}
