//! A training that is killed: the model in use is the old one or the new one, whole, and the log is untouched.

use plumb_core::{Ctl, Job as _};
use plumb_moderate::command::{Action, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::job::{BEFORE, CANDIDATE, MODEL, Place as At, TrainJob};
use plumb_moderate::model::{Case, Channel, Decision, Verdict};
use plumb_moderate::store::Repository;
use plumb_moderate::train::{TrainSpec, Trained};

use super::both::{Place, on_both};
use super::kills::Worker;
use super::{NOW, command};

on_both!(a_kill_in_a_retraining);

/// Trainings of the child.
const ROUNDS: usize = 400;

/// A log of single decisions, so many that a model can be measured.
fn fill<R: Repository>(desk: &mut Desk<R>, from: usize, to: usize) {
    let mut commands = Vec::new();
    for i in from..to {
        let id = format!("t{i}");
        let case = Case { id: id.clone(), body: format!("topicword{} filler{}", i % 4, i % 9), ..Case::default() };
        let verdict = if i % 4 < 2 { Verdict::Remove } else { Verdict::Approve };
        let decision =
            Decision { by: format!("m{}", i % 3), verdict, rule: None, at: NOW + i as i64, channel: Channel::Log };
        commands.push(command(&format!("arrive {id}"), SYSTEM, Action::Arrive(case)));
        commands.push(command(&format!("log {id}"), SYSTEM, Action::Log(id, decision)));
    }
    assert!(desk.run_all(&commands).unwrap().is_empty());
}

/// What the child does: train, again and again, each time in the place of the model before.
pub fn work(address: &str, mut tell: impl FnMut(usize)) {
    for round in 0..ROUNDS {
        let place = At { db: address.to_owned(), ..At::default() };
        // Each one is another model than the one before.
        let spec = TrainSpec { force: true, half_life_days: (round + 1) as f64, ..TrainSpec::default() };
        assert!(TrainJob { place, spec, now: NOW }.run(&Ctl::new(1)).unwrap().replaced);
        tell(round + 1);
    }
}

fn a_kill_in_a_retraining(place: &impl Place) {
    let mut lead = Desk::open(place.lead()).unwrap();
    fill(&mut lead, 0, 60);
    let head = lead.head().clone();
    let state = lead.state().clone();
    for count in [1, 2, 3, 5, 8] {
        let told = Worker::start("train", &place.url()).kill_after(count);
        let mut desk = Desk::open(place.lead()).unwrap();
        let mut model = |name: &str| {
            let bytes = desk.repository().model(name).unwrap()?;
            Some(Trained::load(&bytes).unwrap_or_else(|error| panic!("{name} after {told}: {error}")))
        };
        let now = model(MODEL).unwrap();
        assert_eq!((now.card.votes, now.card.spec.force), (60, true));
        // Told is what is safe: never an older model than that, at most one newer, or the first of the next child.
        let days = now.card.spec.half_life_days;
        assert!(days >= told as f64 && days <= (told + 1) as f64, "round {days} is in use, {told} were told");
        let before = model(BEFORE);
        assert!(before.is_some() || told == 1, "the model before is kept");
        assert_eq!(model(CANDIDATE), None, "nothing half done is left beside it");
        assert_eq!(desk.verify().unwrap().head, head);
        assert_eq!(desk.state(), &state, "training writes nothing into the log");
    }
    // Work goes on: new decisions, and a training that runs to its end.
    fill(&mut lead, 60, 90);
    let at = At { db: place.url(), ..At::default() };
    let spec = TrainSpec { force: true, ..TrainSpec::default() };
    let done = TrainJob { place: at, spec, now: NOW }.run(&Ctl::new(1)).unwrap();
    let bytes = lead.repository().model(MODEL).unwrap().unwrap();
    let kept = Trained::load(&bytes).unwrap().card;
    assert_eq!((done.card.votes, &done.card), (90, &kept));
}
