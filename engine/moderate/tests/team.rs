//! V8, V9 and V11: a simulated team with known leanings, newcomers, and the time it takes.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use std::time::Instant;

use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_moderate::desk::Desk;
use plumb_moderate::import::{Imported, Item, LoggedVote, into_log::into_log};
use plumb_moderate::model::Case;
use plumb_moderate::score;
use plumb_moderate::store::Sqlite;
use plumb_moderate::vote_model::{Kind, Model, Sample, VoteModel as _};

const TEAM: usize = 8;

/// Texts of eight topics; moderator `m` removes topic `t` with a probability that depends on both.
fn made_up(n: usize, seed: u64) -> (Vec<String>, Vec<Vec<f64>>, Vec<Sample>) {
    let mut random = Random::new(seed, "team");
    let (mut texts, mut p, mut votes) = (Vec::new(), Vec::new(), Vec::new());
    for text in 0..n {
        let (a, b) = (random.below(8), random.below(8));
        texts.push(format!("topicword{a} secondword{b} filler{} filler{}", random.below(50), random.below(50)));
        let shared = a as f64 - 3.5 + 0.3 * (b as f64 - 3.5);
        let row: Vec<f64> = (0..TEAM).map(|m| 1.0 / (1.0 + (-(shared + 0.4 * (m as f64 - 3.5))).exp())).collect();
        votes.extend(row.iter().enumerate().map(|(m, p)| Sample {
            text,
            moderator: format!("m{m}"),
            remove: random.uniform() < *p,
            weight: 1.0,
        }));
        p.push(row);
    }
    (texts, p, votes)
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    order.iter().enumerate().for_each(|(rank, i)| ranks[*i] = rank as f64);
    ranks
}

fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b, n) = (ranks(a), ranks(b), a.len() as f64);
    1.0 - 6.0 * a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / (n * (n * n - 1.0))
}

/// V9, and the newcomer of V8.
#[test]
fn a_known_team_is_found_again() {
    let (texts, p, votes) = made_up(1500, 1);
    let mut model = Model::new(Kind::Ngrams, None, None).unwrap();
    model.fit(&texts, &votes, &Ctl::new(1)).unwrap();
    let names: Vec<String> = (0..TEAM).map(|m| format!("m{m}")).collect();
    let (fresh, truth, _) = made_up(500, 2);
    let found: Vec<f64> = fresh.iter().map(|text| score::disagreement(&model.predict(text, &names))).collect();
    let known: Vec<f64> = truth.iter().map(|p| score::disagreement(p)).collect();
    let fit = spearman(&found, &known);
    assert!(fit >= 0.9, "Spearman {fit}");

    // Two handlings of each case, simulated: agreement within three standard errors of what the formula says.
    let mut random = Random::new(5, "handlings");
    let n = 200_usize;
    let agree: f64 = p
        .iter()
        .map(|p| {
            let s = p.iter().sum::<f64>() / TEAM as f64;
            (0..n).filter(|_| (random.uniform() < s) == (random.uniform() < s)).count() as f64
        })
        .sum::<f64>()
        / (n * p.len()) as f64;
    let expected =
        p.iter().map(|p| score::consistency(p.iter().sum::<f64>() / TEAM as f64)).sum::<f64>() / p.len() as f64;
    assert!((agree - expected).abs() < 3.0 * (expected * (1.0 - expected) / (n * p.len()) as f64).sqrt());

    let strangers = model.predict(&fresh[0], &["nobody".to_owned(), "somebody".to_owned()]);
    assert!(strangers[0].is_finite() && strangers[0] == strangers[1], "newcomers get the population's");
    let mut again = Model::new(Kind::Ngrams, None, None).unwrap();
    again.fit(&texts, &votes, &Ctl::new(9)).unwrap();
    assert_eq!(model, again, "the same votes give the same model");
    assert!(model.explain(&fresh[0], 5).iter().all(|part| part.weight.is_finite()));
    let huge = "x\u{202e} ".repeat(300_000);
    assert!(model.predict(&huge, &names).iter().all(|p| p.is_finite()));
}

/// V11, with the clock: limits are far above what an idle machine takes.
#[test]
fn large_logs_take_seconds() {
    let mut random = Random::new(1, "large");
    let items = (0..100_000).map(|i| Item {
        case: Case {
            id: format!("t1_{i}"),
            body: format!("words number {} and {}", random.below(999), i),
            ..Case::default()
        },
        votes: vec![LoggedVote { moderator: format!("m{}", i % 12), remove: i % 3 == 0, at: Some(i) }],
    });
    let imported = Imported { items: items.collect(), bad: Vec::new() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut desk = Desk::open(Sqlite::create(&path).unwrap()).unwrap();
    let start = Instant::now();
    let summary = into_log(&mut desk, &imported, 0, &Ctl::new(1)).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!((summary.cases, summary.decisions, summary.refused.len()), (100_000, 100_000, 0));
    let start = Instant::now();
    let again = Desk::open(Sqlite::create(&path).unwrap()).unwrap();
    println!("import of 100,000 items {seconds:.2} s, opening {:.2} s", start.elapsed().as_secs_f64());
    assert_eq!(again.state(), desk.state());
    assert!(seconds < 60.0);

    let (texts, _, votes) = made_up(1250, 3);
    let start = Instant::now();
    Model::new(Kind::Ngrams, None, None).unwrap().fit(&texts, &votes, &Ctl::new(1)).unwrap();
    println!("training on {} votes {:.2} s", votes.len(), start.elapsed().as_secs_f64());
    assert!(start.elapsed().as_secs_f64() < 20.0);
}
