//! Importing a log of 100,000 items, training on 10,000 votes, scoring a case for a team of eight.
//!
//!     cargo bench -p plumb-moderate --bench learning
#![allow(clippy::unwrap_used)] // a benchmark may fail where it stands

use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_moderate::desk::Desk;
use plumb_moderate::import::into_log::into_log;
use plumb_moderate::import::{Imported, Item, LoggedVote};
use plumb_moderate::model::Case;
use plumb_moderate::score::Objective;
use plumb_moderate::store::Sqlite;
use plumb_moderate::train::{TrainSpec, train};
use plumb_moderate::vote_model::VoteModel as _;

fn main() {
    divan::main();
}

/// `n` cases of about 30 words with `judges` votes each.
fn items(n: usize, judges: usize) -> Vec<Item> {
    let mut random = Random::new(1, "items");
    (0..n)
        .map(|i| {
            let words: Vec<String> = (0..30).map(|_| format!("word{}", random.below(4_000))).collect();
            let vote = |j| LoggedVote {
                moderator: format!("m{}", (i + j) % 8),
                remove: random.below(3) == 0,
                at: Some(i as i64),
            };
            let votes = (0..judges).map(vote).collect();
            let case = Case { id: format!("t1_{i}"), body: words.join(" "), created_at: i as i64, ..Case::default() };
            Item { case, votes }
        })
        .collect()
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn import_of_100_000_items(bencher: divan::Bencher) {
    let imported = Imported { items: items(100_000, 1), bad: Vec::new() };
    bencher.bench_local(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = Desk::open(Sqlite::create(&folder.path().join("a.db")).unwrap()).unwrap();
        into_log(&mut desk, &imported, 0, &Ctl::new(1)).unwrap();
    });
}

#[divan::bench(sample_count = 3, sample_size = 1, args = [1, 5])]
fn training_on_10_000_votes(bencher: divan::Bencher, judges: usize) {
    let items = items(10_000 / judges, judges);
    bencher.bench_local(|| train(&items, &TrainSpec::default(), None, &Ctl::new(1)).unwrap());
}

/// 1,000 cases a sample.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn scoring_of_1_000_cases(bencher: divan::Bencher) {
    let items = items(2_000, 5);
    let model = train(&items, &TrainSpec::default(), None, &Ctl::new(1)).unwrap().0.model;
    let team: Vec<String> = (0..8).map(|m| format!("m{m}")).collect();
    let texts: Vec<String> = items.iter().take(1_000).map(|item| item.case.text()).collect();
    bencher.bench_local(|| {
        texts.iter().map(|text| model.forecast(text, &team).score(Objective::Combined, 3)).sum::<f64>()
    });
}
