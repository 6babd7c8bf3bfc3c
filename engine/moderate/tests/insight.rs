//! What is counted and shown of a team's past, on the sandbox: agreement, lessons for somebody new, the queue's lines.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

use plumb_moderate::desk::Desk;
use plumb_moderate::explore::explore;
use plumb_moderate::model::Verdict;
use plumb_moderate::onboarding::{self, Pick, standing};
use plumb_moderate::queue::Queue;
use plumb_moderate::store::Memory;
use plumb_moderate::{past, sandbox};

#[test]
fn what_is_counted_of_the_sandbox_is_what_a_plain_count_gives() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    sandbox::fill(&mut desk, 1_788_220_800, 1, &plumb_core::Ctl::new(1)).unwrap();
    let explored = explore(desk.state(), 1);
    let items = past::items(desk.state());
    let several: Vec<_> = items.iter().filter(|item| item.votes.len() >= 2).collect();
    let split = several.iter().filter(|item| item.votes.iter().any(|v| v.remove != item.votes[0].remove));
    assert_eq!((explored.several, explored.split), (several.len(), split.count()));
    assert!(explored.split > 20, "the sandbox has something to argue about");
    assert_eq!(explored.decided, items.len());
    assert_eq!(explored.moderators.len(), 8);
    let pairs: usize = explored.pairs.iter().map(|pair| pair.cases).sum();
    assert_eq!(pairs, several.iter().map(|item| item.votes.len() * (item.votes.len() - 1) / 2).sum::<usize>());
    let differ: usize = explored.pairs.iter().map(|pair| pair.differ).sum();
    assert!((explored.disagreement - differ as f64 / pairs as f64).abs() < 1e-12);
    assert_eq!(explored.rules.iter().map(|rule| rule.several).sum::<usize>(), explored.several);
    assert!(explored.cases.is_sorted_by(|a, b| a.disagreement() >= b.disagreement()));
    let interval = explored.interval.unwrap();
    assert!(interval[0] <= explored.alpha.unwrap() && explored.alpha.unwrap() <= interval[1]);
    assert_eq!(explored.solo.median, 3600, "the log decides an hour after a case was written");
}

#[test]
fn lessons_are_half_split_and_answers_are_compared_with_the_votes() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    sandbox::fill(&mut desk, 1_788_220_800, 1, &plumb_core::Ctl::new(1)).unwrap();
    let lessons = onboarding::lessons(desk.state(), Pick::Mixed, 12, 7);
    assert_eq!(lessons.len(), 12);
    let split = lessons.iter().filter(|l| l.said.iter().any(|said| said.remove != l.said[0].remove)).count();
    assert_eq!(split, 6);
    assert_eq!(onboarding::lessons(desk.state(), Pick::Mixed, 12, 7), lessons, "the seed decides");
    // Three votes each: with the majority on a split case two of three agree, on an agreed one all three.
    let with: Vec<bool> = lessons.iter().map(|lesson| lesson.majority() == Some(Verdict::Remove)).collect();
    let found = standing(lessons.iter().zip(with.iter().copied()));
    assert_eq!((found.cases, found.same), (12, 12));
    assert!((found.share - (6.0 * 2.0 / 3.0 + 6.0) / 12.0).abs() < 1e-12, "{}", found.share);
    assert!((found.team - (6.0 / 3.0 + 6.0) / 12.0).abs() < 1e-12, "{}", found.team);
    let against: Vec<bool> = with.iter().map(|answer| !answer).collect();
    assert_eq!(standing(lessons.iter().zip(against)).same, 0);
    assert_eq!(found.rules.values().map(|(cases, _)| cases).sum::<usize>(), 12);
}

#[test]
fn the_lists_lines_are_the_beginnings_of_the_texts_and_every_case_is_counted() {
    let mut desk = Desk::open(Memory::default()).unwrap();
    sandbox::fill(&mut desk, 1_788_220_800, 1, &plumb_core::Ctl::new(1)).unwrap();
    let queue = Queue::of(desk.state());
    for (id, case) in &desk.state().cases {
        let place = queue.find(id).unwrap();
        let words: Vec<&str> = case.case.body.split_whitespace().collect();
        let plain = words.join(" ");
        let head = queue.head(place);
        assert!(plain.starts_with(head) && (head == plain || head.chars().count() > 100), "{id}: {head} of {plain}");
    }
    assert_eq!(queue.find("unknown"), None);
    assert_eq!(queue.counts().iter().sum::<usize>(), queue.len());
}
