//! Where a team disagrees: how much in all, on which cases, under which rules, between whom, and how long deciding takes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::agreement::{self, Counts};
use crate::model::{CaseId, Channel, ModId, Reason, Time, Verdict};
use crate::past;
use crate::state::State;

/// Draws of the interval of alpha.
const DRAWS: usize = 400;

/// A rule and how often votes on its cases differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleSplits {
    /// The rule.
    pub rule: String,
    /// Cases judged by two or more.
    pub several: usize,
    /// Of these, split.
    pub split: usize,
    /// Differing pairs among all pairs of votes.
    pub disagreement: f64,
}

/// A moderator's votes so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModeratorVotes {
    /// Who.
    pub moderator: ModId,
    /// Cases judged.
    pub cases: usize,
    /// Of these, removed.
    pub removed: usize,
}

/// Two moderators and the cases both judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Places in [`Explored::moderators`].
    pub who: [usize; 2],
    /// Cases judged by both.
    pub cases: usize,
    /// Of these, judged differently.
    pub differ: usize,
}

/// A case whose votes differ, or were expected to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contested {
    /// The case.
    pub case: CaseId,
    /// Its text.
    pub text: String,
    /// The rule it was decided by, or the first that is hinted at.
    pub rule: String,
    /// Votes to keep it.
    pub approve: usize,
    /// Votes to remove it.
    pub remove: usize,
    /// What the model expected.
    pub expected: Option<f64>,
    /// When it was judged last.
    pub at: Time,
    /// How it ended.
    pub outcome: Option<Verdict>,
}

impl Contested {
    /// Differing pairs among all pairs of its votes.
    pub fn disagreement(&self) -> f64 {
        agreement::pairwise_disagreement(&[Counts { approve: self.approve, remove: self.remove }])
    }
}

/// Seconds from a case's arrival to its decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Waits {
    /// Cases.
    pub cases: usize,
    /// Half of them were faster.
    pub median: Time,
    /// One in twenty took longer.
    pub p95: Time,
}

impl Waits {
    fn of(mut times: Vec<Time>) -> Self {
        times.sort_unstable();
        let at = |share: f64| times.get(((times.len() as f64 - 1.0) * share).round().max(0.0) as usize).copied();
        Self { cases: times.len(), median: at(0.5).unwrap_or(0), p95: at(0.95).unwrap_or(0) }
    }
}

/// Panels that ended, and how many of them had a dissenting vote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PanelCount {
    /// Ended.
    pub ended: usize,
    /// With votes on both sides.
    pub split: usize,
    /// Whose majority was not what the first vote said.
    pub overturned: usize,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explored {
    /// Cases with a decision.
    pub decided: usize,
    /// Of these, removed.
    pub removed: usize,
    /// Cases judged by two or more.
    pub several: usize,
    /// Of these, split.
    pub split: usize,
    /// Krippendorff's alpha.
    pub alpha: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    /// Differing pairs among all pairs of votes.
    pub disagreement: f64,
    /// By rule, most disagreement first.
    pub rules: Vec<RuleSplits>,
    /// By moderator, in the order of their names.
    pub moderators: Vec<ModeratorVotes>,
    /// Pairs of them with cases in common.
    pub pairs: Vec<Pair>,
    /// Cases judged by two or more, most contested first.
    pub cases: Vec<Contested>,
    /// Decided by one moderator.
    pub solo: Waits,
    /// Decided by a panel, from its opening on.
    pub panel: Waits,
    /// Panels the model asked for.
    pub by_model: PanelCount,
    /// Panels drawn at random.
    pub by_audit: PanelCount,
    /// Panels a moderator asked for.
    pub by_hand: PanelCount,
    /// Appeals so far.
    pub appeals: usize,
}

/// Look at everything that was decided. Votes on running panels are not in it.
pub fn explore(state: &State, seed: u64) -> Explored {
    let items = past::items(state);
    let counts: Vec<Counts> = items.iter().map(crate::import::Item::counts).collect();
    let several = |counts: &&Counts| counts.votes() >= 2;
    let votes: Vec<Vec<(String, bool)>> =
        items.iter().map(|item| item.votes.iter().map(|v| (v.moderator.clone(), v.remove)).collect()).collect();
    let mut names = BTreeMap::<&str, (usize, usize)>::new();
    for (who, remove) in votes.iter().flatten() {
        let entry = names.entry(who).or_default();
        entry.0 += 1;
        entry.1 += usize::from(*remove);
    }
    let places: BTreeMap<&str, usize> = names.keys().enumerate().map(|(place, name)| (*name, place)).collect();
    let pairs = agreement::pairs(votes.iter().map(Vec::as_slice));
    let pair = |((a, b), (cases, differ)): ((&str, &str), (usize, usize))| {
        Some(Pair { who: [*places.get(a)?, *places.get(b)?], cases, differ })
    };
    let mut explored = Explored {
        decided: 0,
        removed: 0,
        several: counts.iter().filter(several).count(),
        split: counts.iter().filter(|counts| counts.split()).count(),
        alpha: agreement::alpha(&counts),
        interval: agreement::alpha_interval(&counts, DRAWS, seed),
        disagreement: agreement::pairwise_disagreement(&counts),
        rules: Vec::new(),
        pairs: pairs.into_iter().filter_map(pair).collect(),
        moderators: names
            .iter()
            .map(|(name, (cases, removed))| ModeratorVotes {
                moderator: (*name).to_owned(),
                cases: *cases,
                removed: *removed,
            })
            .collect(),
        cases: Vec::new(),
        solo: Waits::default(),
        panel: Waits::default(),
        by_model: PanelCount::default(),
        by_audit: PanelCount::default(),
        by_hand: PanelCount::default(),
        appeals: 0,
    };
    let mut rules = BTreeMap::<String, Vec<Counts>>::new();
    for (item, counts) in items.iter().zip(&counts).filter(|(_, counts)| counts.votes() >= 2) {
        let known = state.cases.get(&item.case.id);
        let last = known.and_then(|case| case.decisions.last());
        let hint = || item.case.rule_hints.first().cloned();
        let rule = last.and_then(|decision| decision.rule.clone()).or_else(hint).unwrap_or_default();
        rules.entry(rule.clone()).or_default().push(*counts);
        explored.cases.push(Contested {
            case: item.case.id.clone(),
            text: item.case.text_alone(),
            rule,
            approve: counts.approve,
            remove: counts.remove,
            expected: None,
            at: past::age(item),
            outcome: last.map(|decision| decision.verdict),
        });
    }
    explored
        .cases
        .sort_by(|a, b| b.disagreement().total_cmp(&a.disagreement()).then((b.at, &b.case).cmp(&(a.at, &a.case))));
    explored.rules = rules
        .into_iter()
        .map(|(rule, counts)| RuleSplits {
            rule,
            several: counts.len(),
            split: counts.iter().filter(|counts| counts.split()).count(),
            disagreement: agreement::pairwise_disagreement(&counts),
        })
        .collect();
    explored.rules.sort_by(|a, b| b.disagreement.total_cmp(&a.disagreement).then(a.rule.cmp(&b.rule)));
    decisions(state, &mut explored);
    explored
}

/// What the decisions and panels say beside the votes.
fn decisions(state: &State, explored: &mut Explored) {
    let (mut solo, mut panel) = (Vec::new(), Vec::new());
    for case in state.cases.values() {
        let Some(last) = case.decisions.last() else { continue };
        explored.decided += 1;
        explored.removed += usize::from(last.verdict == Verdict::Remove);
        match last.channel {
            Channel::Panel => {
                let opened = state.panels.get(&last.by).map(|panel| panel.opened_at);
                panel.push((last.at - opened.unwrap_or(case.case.created_at)).max(0));
            }
            Channel::Solo | Channel::Log => solo.push((last.at - case.case.created_at).max(0)),
        }
    }
    explored.solo = Waits::of(solo);
    explored.panel = Waits::of(panel);
    for panel in state.panels.values().filter(|panel| panel.closed && !panel.votes.is_empty()) {
        let count = match panel.reason {
            Reason::Model => &mut explored.by_model,
            Reason::Audit => &mut explored.by_audit,
            Reason::Manual | Reason::Escalation => &mut explored.by_hand,
            Reason::Appeal => {
                explored.appeals += 1;
                continue;
            }
        };
        let votes = panel.counted().filter_map(|(_, vote)| {
            // What was said first counts here: a revision is what the panel has done.
            let first = vote.revised_from.as_ref().unwrap_or(&vote.ballot);
            match first.choice {
                crate::model::Choice::Approve => Some(false),
                crate::model::Choice::Remove => Some(true),
                _ => None,
            }
        });
        let votes: Vec<bool> = votes.collect();
        count.ended += 1;
        count.split += usize::from(votes.contains(&true) && votes.contains(&false));
        let outcome = state.cases.get(&panel.case).and_then(|case| {
            case.decisions.iter().find(|decision| decision.by == panel.id).map(|d| d.verdict == Verdict::Remove)
        });
        let first = panel
            .first
            .as_ref()
            .and_then(|first| panel.votes.get(first))
            .map(|vote| vote.revised_from.as_ref().unwrap_or(&vote.ballot).choice == crate::model::Choice::Remove);
        if let (Some(outcome), Some(first)) = (outcome, first) {
            count.overturned += usize::from(outcome != first);
        }
    }
}
