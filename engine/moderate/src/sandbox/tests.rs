//! The sandbox is what it says it is.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::agreement::{self, Counts};
use crate::store::Memory;

const NOW: Time = 1_790_000_000;

/// Share of the character triples that two texts have in common.
fn likeness(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    let common = a.intersection(b).count() as f64;
    common / (a.len() + b.len()).saturating_sub(common as usize).max(1) as f64
}

#[test]
fn texts_are_varied_and_small() {
    let made = cases(NOW).unwrap();
    assert_eq!(made.len(), 401);
    let triples = |text: &str| -> BTreeSet<String> {
        let letters: Vec<char> = text.to_lowercase().chars().collect();
        letters.windows(3).map(|three| three.iter().collect()).collect()
    };
    let sets: Vec<BTreeSet<String>> = made.iter().map(|made| triples(&made.case.body)).collect();
    for (i, a) in sets.iter().enumerate() {
        for (j, b) in sets.iter().enumerate().skip(i + 1).filter(|(_, b)| a.len() > 12 && b.len() > 12) {
            assert!(likeness(a, b) < 0.4, "{} is nearly {}", made[i].case.id, made[j].case.id);
        }
    }
    let bodies: BTreeSet<&str> = made.iter().map(|made| made.case.body.as_str()).collect();
    assert_eq!(bodies.len(), made.len(), "no text comes twice");
    let mut by_rule = BTreeMap::<&str, usize>::new();
    for made in &made {
        *by_rule.entry(&made.rule).or_default() += 1;
    }
    assert_eq!(by_rule.len(), RULES.len());
    assert!(by_rule.values().all(|count| *count >= 10), "{by_rule:?}");
    assert!(by_rule.keys().all(|rule| RULES.iter().any(|known| known.key == *rule)));
    let has = |range: std::ops::RangeInclusive<char>| {
        made.iter().filter(|made| made.case.body.chars().any(|c| range.contains(&c))).count()
    };
    assert!(has('\u{600}'..='\u{6ff}') >= 18 && has('\u{590}'..='\u{5ff}') >= 5, "right-to-left");
    assert!(has('\u{1f300}'..='\u{1faff}') >= 8, "emoji");
    assert!(made.iter().filter(|made| tones(&made.case.body)[4]).count() >= 6, "code");
    let size = include_str!("../../assets/sandbox/cases.jsonl").len();
    assert!(size < 500_000, "{size}");
    assert!(made.is_sorted_by_key(|made| made.case.created_at) && made[400].case.created_at < NOW);
}

#[test]
fn moderators_differ_and_votes_repeat() {
    let items = full(NOW, SEED).unwrap();
    assert_eq!(items, full(NOW, SEED).unwrap());
    assert_ne!(items, full(NOW, SEED + 1).unwrap());
    let counts: Vec<Counts> = items.iter().map(Item::counts).collect();
    let alpha = agreement::alpha(&counts).unwrap();
    let split = counts.iter().filter(|counts| counts.split()).count() as f64 / counts.len() as f64;
    println!("alpha {alpha:.3}, split {split:.3}");
    assert!((0.2..0.7).contains(&alpha), "alpha {alpha}");
    assert!((0.3..0.9).contains(&split), "split {split}");
    // Emre removes advertising that Grzegorz and Chidi leave; Grzegorz leaves sneers that Amina removes.
    let made = cases(NOW).unwrap();
    let mean = |name: &str, rule: &str| {
        let member = TEAM.iter().find(|member| member.name == name).unwrap();
        let of: Vec<f64> = made.iter().filter(|made| made.rule == rule).map(|m| probability(member, m)).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    assert!(mean("emre", "advert") > mean("chidi", "advert") + 0.3);
    assert!(mean("amina", "civil") > mean("grzegorz", "civil") + 0.3);
}

#[test]
fn a_desk_is_filled_at_once_and_only_once() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    fill(&mut desk, NOW, SEED, &Ctl::new(1)).unwrap();
    let seq = desk.head().seq;
    fill(&mut desk, NOW, SEED, &Ctl::new(1)).unwrap();
    assert_eq!(desk.head().seq, seq);
    let state = desk.state();
    let waiting = state.cases.values().filter(|case| case.decisions.is_empty()).count();
    assert_eq!((state.cases.len(), state.moderators.len(), waiting), (401, 8, WAITING));
}
