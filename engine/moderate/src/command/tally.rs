//! Counting the votes of a panel.

use std::collections::BTreeMap;

use crate::model::{Choice, Verdict};
use crate::state::PanelState;

pub(super) struct Tally {
    pub approve: usize,
    pub remove: usize,
    pub abstain: usize,
    pub escalate: usize,
}

impl Tally {
    pub fn of(panel: &PanelState) -> Self {
        let count = |choice| panel.counted().filter(|(_, vote)| vote.ballot.choice == choice).count();
        Self {
            approve: count(Choice::Approve),
            remove: count(Choice::Remove),
            abstain: count(Choice::Abstain),
            escalate: count(Choice::Escalate),
        }
    }

    pub fn votes(&self) -> usize {
        self.approve + self.remove + self.abstain + self.escalate
    }

    /// More than `share` of the votes for removal; a tie or no vote at all is no verdict.
    pub fn verdict(&self, share: f64) -> Option<Verdict> {
        let cast = self.approve + self.remove;
        if cast == 0 {
            None
        } else if self.remove as f64 > share * cast as f64 {
            Some(Verdict::Remove)
        } else if self.approve == self.remove {
            None
        } else {
            Some(Verdict::Approve)
        }
    }

    /// Whether the votes still to come cannot change the result.
    pub fn certain(&self, waiting: usize, share: f64) -> bool {
        let worst = |remove: usize, approve: usize| Self { approve, remove, abstain: 0, escalate: 0 }.verdict(share);
        let low = worst(self.remove, self.approve + waiting);
        self.escalate == 0 && low.is_some() && low == worst(self.remove + waiting, self.approve)
    }

    /// The rule most of the winning side names; the first in the alphabet among equals.
    pub fn rule(panel: &PanelState, verdict: Verdict) -> Option<String> {
        let choice = if verdict == Verdict::Remove { Choice::Remove } else { Choice::Approve };
        let mut rules = BTreeMap::<&String, usize>::new();
        for (_, vote) in panel.counted().filter(|(_, vote)| vote.ballot.choice == choice) {
            if let Some(rule) = &vote.ballot.rule {
                *rules.entry(rule).or_default() += 1;
            }
        }
        rules.into_iter().rev().max_by_key(|(_, count)| *count).map(|(rule, _)| rule.clone())
    }
}
