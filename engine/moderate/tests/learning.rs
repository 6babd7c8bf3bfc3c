//! Training, retraining, drift, forecasts and routing on the sandbox and on teams that change.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use plumb_core::random::Random;
use plumb_core::{Ctl, Engine, Job as _, Lane, Slot};
use plumb_moderate::desk::Desk;
use plumb_moderate::drift::{drift, recalibrate};
use plumb_moderate::import::{Item, LoggedVote};
use plumb_moderate::job::{self, Place, RouteJob, SandboxJob, ScoreJob, SimulateJob, TrainJob};
use plumb_moderate::model::Case;
use plumb_moderate::outlook::{Basis, outlook};
use plumb_moderate::route::{Mode, Routing};
use plumb_moderate::sandbox;
use plumb_moderate::score::Objective;
use plumb_moderate::state::Phase;
use plumb_moderate::store::Memory;
use plumb_moderate::train::{TrainSpec, Trained, retrain, train};
use plumb_moderate::triage::{RouteSpec, route_waiting, score_waiting};
use plumb_moderate::vote_model::{Kind, Model, Sample, VoteModel as _};

const NOW: i64 = 1_790_000_000;

/// `n` items of eight topics from day `from` on, `judges` votes each by six moderators who remove topic `t` with
/// probability `σ(t − 3.5 + shift)`.
fn team(n: usize, from: i64, judges: usize, shift: f64, seed: u64) -> Vec<Item> {
    let mut random = Random::new(seed, "team");
    let item = |i: usize| {
        let topic = random.below(8);
        let p = 1.0 / (1.0 + (-(topic as f64 - 3.5 + shift)).exp());
        let at = from * 86_400 + i as i64 * 600;
        let body = format!("topicword{topic} filler{} filler{}", random.below(40), random.below(40));
        let vote = |m| LoggedVote { moderator: format!("m{m}"), remove: random.uniform() < p, at: Some(at) };
        let votes = (0..judges).map(|j| (i + j) % 6).map(vote).collect();
        Item { case: Case { id: format!("{from}-{i}"), body, created_at: at, ..Case::default() }, votes }
    };
    (0..n).map(item).collect()
}

#[test]
fn a_better_model_takes_over_and_a_worse_one_does_not() {
    let (ctl, spec) = (Ctl::new(1), TrainSpec::default());
    let mut items = team(60, 0, 1, 0.0, 1);
    let (first, done) = retrain(&items, &spec, None, &ctl).unwrap();
    assert!(done.replaced && done.comparison.is_none());
    let (_, done) = retrain(&items, &spec, Some(&first), &ctl).unwrap();
    assert!(!done.replaced && done.why.contains("Nothing was decided"), "{}", done.why);
    // Ten times as many votes make a better model.
    items.extend(team(600, 1, 1, 0.0, 2));
    let (better, done) = retrain(&items, &spec, Some(&first), &ctl).unwrap();
    let found = done.comparison.unwrap();
    assert!(done.replaced && found.after.nll < found.before.nll, "{}", done.why);
    // Noise from now on: what is learnt from it is worse than what was known.
    let mut noisy = team(900, 20, 1, 0.0, 3);
    let mut random = Random::new(4, "noise");
    let last = noisy.len() - 130;
    for item in &mut noisy[..last] {
        item.votes[0].remove = random.below(20) > 0;
    }
    items.extend(noisy);
    let short = TrainSpec { half_life_days: 1.0, ..spec };
    let (_, done) = retrain(&items, &short, Some(&better), &ctl).unwrap();
    let found = done.comparison.as_ref().unwrap();
    assert!(!done.replaced && found.after.nll > found.before.nll, "{}", done.why);
    assert!(done.why.starts_with("The model in use stays"), "{}", done.why);
    let (_, done) = retrain(&items, &TrainSpec { force: true, ..short }, Some(&better), &ctl).unwrap();
    assert!(done.replaced && done.why.starts_with("Forced"), "{}", done.why);
}

#[test]
fn a_team_that_becomes_stricter_is_noticed_and_calibration_follows() {
    let ctl = Ctl::new(1);
    let mut items = team(800, 0, 1, 0.0, 1);
    let (mut trained, _, _) = train(&items, &TrainSpec::default(), None, &ctl).unwrap();
    let calm = team(400, 10, 1, 0.0, 2);
    let found = drift(&trained, &[items.clone(), calm].concat(), 1, &ctl).unwrap();
    assert!(!found.alarm && found.votes == 400 && found.windows.len() == 2, "{}", found.advice);
    items.extend(team(400, 10, 1, 1.5, 3));
    let found = drift(&trained, &items, 1, &ctl).unwrap();
    assert!(found.alarm && found.advice.contains("stricter"), "{}", found.advice);
    assert!(found.windows[0].stricter > 0.1 && found.windows[0].interval[0] > 0.0);
    let done = recalibrate(&mut trained, &items).unwrap();
    assert!(done.taken && done.after.ece < done.before.ece && done.after.nll < done.before.nll, "{done:?}");
    assert!(!drift(&trained, &items, 1, &ctl).unwrap().advice.contains("stricter"));
    let few = team(10, 90, 1, 0.0, 5);
    assert!(recalibrate(&mut trained, &few).unwrap_err().to_string().contains("50 are needed"));
}

#[test]
fn a_forecast_tells_when_choosing_cases_does_not_help() {
    let (ctl, spec) = (Ctl::new(1), TrainSpec::default());
    let items = team(400, 0, 5, 0.0, 1);
    let found = outlook(&items, &spec, Objective::Combined, 3, 1, &ctl).unwrap();
    assert_eq!(found.basis, Basis::Votes);
    let (none, some, all) = (found.at(0.0), found.at(0.3), found.at(1.0));
    assert!((none.expected - none.solo).abs() < 1e-12 && (all.expected - all.everywhere).abs() < 1e-12);
    assert!(some.solo < some.expected && some.expected < some.everywhere);
    assert!((some.extra_votes_a_day - 2.0 * some.panels_a_day).abs() < 1e-12);
    assert!((some.votes_a_case - 1.6).abs() < 1e-12 && some.gain_interval[0] <= some.gain);
    // Coin flips: nothing can be learnt of them, and most cases are split.
    let mut random = Random::new(2, "coins");
    let mut coins = items.clone();
    coins.iter_mut().flat_map(|item| &mut item.votes).for_each(|vote| vote.remove = random.below(2) == 0);
    let found = outlook(&coins, &spec, Objective::Combined, 3, 1, &ctl).unwrap().at(0.3);
    assert!(!found.helps && found.message.contains("Clearer rules"), "{}", found.message);
    let solo = team(300, 0, 1, 0.0, 1);
    assert_eq!(outlook(&solo, &spec, Objective::Combined, 3, 1, &ctl).unwrap().basis, Basis::Predictions);
    assert!(outlook(&[], &spec, Objective::Combined, 3, 1, &ctl).is_err());
}

#[test]
fn the_sandbox_goes_from_log_to_panels() {
    let ctl = Ctl::new(1);
    let mut desk = Desk::open(Memory::default()).unwrap();
    sandbox::fill(&mut desk, NOW, sandbox::SEED, &ctl).unwrap();
    let items = plumb_moderate::past::items(desk.state());
    let (trained, _, _) = train(&items, &TrainSpec::default(), None, &ctl).unwrap();
    let scored = score_waiting(&mut desk, &trained, Objective::Combined, true, NOW, &ctl).unwrap();
    assert_eq!(scored.len(), sandbox::WAITING);
    assert!(scored.is_sorted_by(|a, b| a.score >= b.score) && scored.iter().all(|case| !case.parts.is_empty()));
    // Nothing in the log names what the model thinks of a moderator.
    let spec = RouteSpec { routing: Routing { audit: 0.05, ..Routing::default() }, ..RouteSpec::default() };
    let mut sure = trained.clone();
    sure.card.held_out.as_mut().unwrap().ece = 0.01;
    let dry = RouteSpec { dry_run: true, ..spec };
    let would = route_waiting(&mut desk, &sure, &dry, NOW, &ctl).unwrap();
    assert!(desk.state().running.is_empty());
    let done = route_waiting(&mut desk, &sure, &spec, NOW, &ctl).unwrap();
    assert_eq!((&would.model, would.solo), (&done.model, done.solo));
    let share = done.model.len() as f64 / sandbox::WAITING as f64;
    assert!((0.25..=0.35).contains(&share), "{share}");
    assert_eq!(desk.state().running.len(), done.model.len() + done.audit.len());
    let solo = desk.state().cases.values().filter(|case| case.phase == Phase::Solo).count();
    assert_eq!(solo, done.solo);
    // Again: nothing waits any more.
    let again = route_waiting(&mut desk, &sure, &spec, NOW, &ctl).unwrap();
    assert!(again.model.is_empty() && again.audit.is_empty() && again.solo == 0);
}

#[test]
fn a_badly_calibrated_model_sends_nothing() {
    let ctl = Ctl::new(1);
    let mut desk = Desk::open(Memory::default()).unwrap();
    sandbox::fill(&mut desk, NOW, sandbox::SEED, &ctl).unwrap();
    let items = plumb_moderate::past::items(desk.state());
    let (mut trained, _, _) = train(&items, &TrainSpec::default(), None, &ctl).unwrap();
    trained.card.held_out = None;
    score_waiting(&mut desk, &trained, Objective::Combined, true, NOW, &ctl).unwrap();
    let spec = RouteSpec { routing: Routing { mode: Mode::Budget(0.5), ..Routing::default() }, ..RouteSpec::default() };
    let done = route_waiting(&mut desk, &trained, &spec, NOW, &ctl).unwrap();
    assert!(done.model.is_empty() && !done.trusted && !done.audit.is_empty());
}

/// Specifications can be written down; jobs stop when asked, leave what was there, and repeat.
#[test]
fn jobs_are_values_that_stop_and_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { db: folder.path().join("a.db").to_str().unwrap().to_owned(), ..Place::default() };
    let engine = Engine::inline();
    let mut filled = Slot::new();
    filled.request(&engine, Lane::Device, 0, SandboxJob { place: place.clone(), seed: 1, now: NOW });
    filled.poll();
    assert_eq!(filled.value().map(|filled| (filled.cases, filled.waiting)), Some((401, 120)));

    let job = TrainJob { place: place.clone(), spec: TrainSpec::default(), now: NOW };
    let text = serde_json::to_string(&job).unwrap();
    let stopped = Ctl::new(1);
    stopped.cancel();
    assert!(matches!(job.clone().run(&stopped), Err(plumb_core::Error::Cancelled)));
    assert!(job::model(&mut place.open(NOW).unwrap()).unwrap().is_none(), "a stopped training leaves no model");
    let job: TrainJob = serde_json::from_str(&text).unwrap();
    let first = job.clone().run(&Ctl::new(1)).unwrap();
    assert!(first.replaced);
    let card = job::model(&mut place.open(NOW).unwrap()).unwrap().unwrap().card;
    assert_eq!(card, first.card);
    assert!(!job.run(&Ctl::new(2)).unwrap().replaced, "the same votes again");

    let score = ScoreJob { place: place.clone(), objective: Objective::Combined, keep: true, similar: 2, now: NOW };
    let found = score.clone().run(&Ctl::new(1)).unwrap();
    assert!(found[0].similar.len() == 3 && found[2].similar.is_empty(), "as many as were asked for");
    assert_eq!(found, score.run(&Ctl::new(2)).unwrap());
    let spec = RouteSpec::default();
    let routed = RouteJob { place: place.clone(), spec, now: NOW }.run(&Ctl::new(1)).unwrap();
    assert_eq!(routed.model.len() + routed.audit.len() + routed.solo, 120);
    let simulate = SimulateJob {
        place: Some(place),
        spec: TrainSpec::default(),
        objective: Objective::Combined,
        panel: 3,
        seed: 1,
        now: NOW,
    };
    let ctl = Ctl::new(1);
    let outlook = simulate.run(&ctl).unwrap();
    assert!(outlook.cases_a_day > 1.0 && !ctl.log().is_empty());
}

/// Both models, kept and read again; a model from before there were two; one that nobody knows.
#[test]
fn a_model_is_kept_with_its_kind() {
    let items = team(200, 0, 2, 0.0, 1);
    let ask = ["m1".to_owned(), "nobody".to_owned()];
    for kind in [Kind::Ngrams, Kind::Sentences] {
        let spec = TrainSpec { kind: Some(kind), ..TrainSpec::default() };
        let (trained, ..) = train(&items, &spec, None, &Ctl::new(1)).unwrap();
        let bytes = trained.save().unwrap();
        let back = Trained::load(&bytes).unwrap();
        assert_eq!((&back, back.model.kind()), (&trained, kind));
        assert_eq!(back.model.forecast("topicword1 x", &ask), trained.model.forecast("topicword1 x", &ask));
        // A retraining that says nothing stays with it.
        let more = [items.clone(), team(200, 9, 2, 0.0, 2)].concat();
        let (next, done) = retrain(&more, &TrainSpec::default(), Some(&back), &Ctl::new(1)).unwrap();
        assert_eq!((next.model.kind(), done.card.spec.kind), (kind, Some(kind)));
        let text = String::from_utf8(bytes).unwrap();
        let damaged = text.replace("\"bias\"", "\"bios\"");
        assert!(Trained::load(damaged.as_bytes()).is_err());
        let strange = text.replacen(
            &format!("\"kind\":\"{}\",\"settings\"", text_of(kind)),
            "\"kind\":\"dreams\",\"settings\"",
            1,
        );
        let error = Trained::load(strange.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("“dreams”") && error.contains("train anew"), "{error}");
        if kind == Kind::Ngrams {
            let old = text.replacen("\"kind\":\"ngrams\",\"settings\"", "\"settings\"", 1);
            assert_ne!(old, text);
            assert_eq!(Trained::load(old.as_bytes()).unwrap(), trained);
        } else {
            // Other vectors than those it was learnt with.
            let at = text.find("\"probe\":[").unwrap() + 9;
            let other = format!("{}9.5,{}", &text[..at], &text[text[at..].find(',').unwrap() + at + 1..]);
            let error = Trained::load(other.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("other sentence vectors"), "{error}");
        }
    }
    // Changing the kind is a choice, and compared like any other retraining.
    let spec = TrainSpec { kind: Some(Kind::Ngrams), ..TrainSpec::default() };
    let (first, ..) = train(&items, &spec, None, &Ctl::new(1)).unwrap();
    let more = [items, team(600, 9, 1, 0.0, 3)].concat();
    let spec = TrainSpec { kind: Some(Kind::Sentences), ..TrainSpec::default() };
    let (next, done) = retrain(&more, &spec, Some(&first), &Ctl::new(1)).unwrap();
    assert!(next.model.kind() == Kind::Sentences && done.comparison.is_some(), "{}", done.why);
}

fn text_of(kind: Kind) -> String {
    serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned()
}

/// What the model on sentence vectors learnt holds in other words, and it does without a word for a reason.
#[test]
fn sentence_vectors_carry_over_to_other_words() {
    let rude = ["You are a complete idiot.", "What a stupid moron you are.", "Shut up, you fool.", "You are dumb."];
    let kind = ["Thank you for the recipe.", "The train was late today.", "I planted tomatoes in May.", "Nice photo!"];
    let vote = |text: usize, remove| Sample { text, moderator: format!("m{}", text % 3), remove, weight: 1.0 };
    let texts: Vec<String> = (0..80).map(|i| if i % 2 == 0 { rude } else { kind }[i / 2 % 4].to_owned()).collect();
    let votes: Vec<Sample> = (0..texts.len()).map(|i| vote(i, i % 2 == 0)).collect();
    let mut model = Model::new(Kind::Sentences, None, None).unwrap();
    model.fit(&texts, &votes, &Ctl::new(1)).unwrap();
    let ask = ["m0".to_owned()];
    let (insult, weather) =
        (model.predict("Imbeciles like him!", &ask)[0], model.predict("It rained in June.", &ask)[0]);
    assert!(insult > weather + 0.2, "{insult} {weather}");
    assert!(model.explain("Imbeciles like him!", 5).is_empty());
    let empty = model.predict("", &ask)[0];
    assert!(empty > 0.0 && empty < 1.0);
}

/// A moderator who is deleted leaves no terms behind.
#[test]
fn a_moderator_can_be_forgotten() {
    let items = team(200, 0, 2, 0.0, 1);
    let mut model = train(&items, &TrainSpec::default(), None, &Ctl::new(1)).unwrap().0.model;
    let ask = ["m1".to_owned(), "nobody".to_owned()];
    let before = model.predict("topicword1", &ask);
    assert_ne!(before[0], before[1]);
    model.forget("m1");
    let after = model.predict("topicword1", &ask);
    assert_eq!((after[0], after[0]), (after[1], before[1]), "the population's probability");
}
