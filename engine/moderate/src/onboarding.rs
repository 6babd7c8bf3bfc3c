//! For somebody new: past cases on which several moderators voted, judged again blind, then compared with what they said.
//! Nothing of it enters the log.

use std::collections::BTreeMap;

use plumb_core::random::Random;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::model::{Case, Channel, ModId, Verdict};
use crate::past;
use crate::state::{Phase, State};

/// What one of the team said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Said {
    /// Who.
    pub moderator: ModId,
    /// Whether they removed it.
    pub remove: bool,
    /// The rule they named.
    pub rule: Option<String>,
    /// Their reason, where they voted on a panel.
    pub rationale: String,
}

/// A past case to judge.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lesson {
    /// The case.
    pub case: Case,
    /// The rule it is about, as far as is known.
    pub rule: String,
    /// The votes.
    pub said: Vec<Said>,
}

impl Lesson {
    /// What most said; `None` for a tie.
    pub fn majority(&self) -> Option<Verdict> {
        let remove = self.said.iter().filter(|said| said.remove).count();
        match (2 * remove).cmp(&self.said.len()) {
            std::cmp::Ordering::Greater => Some(Verdict::Remove),
            std::cmp::Ordering::Less => Some(Verdict::Approve),
            std::cmp::Ordering::Equal => None,
        }
    }
}

/// Which past cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// Those with votes of two or more, half of them split where there are enough.
    #[default]
    Mixed,
    /// Those on which votes differ.
    Split,
    /// Those that a panel decided.
    Panels,
    /// All that anybody judged, also one moderator alone.
    All,
}

impl Pick {
    /// Whether a case with these votes may be chosen.
    fn takes(self, item: &crate::import::Item, state: &State) -> bool {
        match self {
            Self::Mixed => item.votes.len() >= 2,
            Self::Split => item.counts().split(),
            Self::Panels => {
                let case = state.cases.get(&item.case.id);
                case.is_some_and(|case| case.decisions.iter().any(|decision| decision.channel == Channel::Panel))
            }
            Self::All => true,
        }
    }

    /// That there are none.
    pub(crate) fn nothing(self) -> Error {
        Error::TooLittle(match self {
            Self::Mixed => "there are no past cases that two moderators or more voted on".to_owned(),
            Self::Split => "there are no past cases on which votes differ".to_owned(),
            Self::Panels => "no panel has decided a case yet; choose among all past cases".to_owned(),
            Self::All => "nobody has judged a case yet; import a log or decide some".to_owned(),
        })
    }
}

/// `count` past cases, drawn by `seed`. Cases that are being judged again right now are left out.
pub fn lessons(state: &State, pick: Pick, count: usize, seed: u64) -> Vec<Lesson> {
    let mut split = Vec::new();
    let mut agreed = Vec::new();
    let over = |item: &crate::import::Item| {
        let phase = state.cases.get(&item.case.id).map(|case| case.phase);
        phase.is_some_and(|phase| matches!(phase, Phase::Decided | Phase::Applied))
    };
    for item in past::items(state) {
        if over(&item) && pick.takes(&item, state) {
            // Only a mix is half of each; otherwise the draw is over all of them.
            let differ = pick == Pick::Mixed && item.counts().split();
            if differ { &mut split } else { &mut agreed }.push(item);
        }
    }
    let mut random = Random::new(seed, "onboarding");
    random.shuffle(&mut split);
    random.shuffle(&mut agreed);
    let half = (count / 2).min(split.len()).max(count.saturating_sub(agreed.len())).min(split.len());
    let mut chosen: Vec<_> = split.into_iter().take(half).collect();
    chosen.extend(agreed.into_iter().take(count.saturating_sub(half)));
    random.shuffle(&mut chosen);
    chosen.into_iter().map(|item| lesson(state, item)).collect()
}

fn lesson(state: &State, item: crate::import::Item) -> Lesson {
    let known = state.cases.get(&item.case.id);
    let ballot = |who: &str| {
        let panels = known.into_iter().flat_map(|case| &case.panels).filter_map(|id| state.panels.get(id));
        panels.filter(|panel| panel.closed).filter_map(|panel| panel.votes.get(who)).next_back()
    };
    let decided = known.and_then(|case| case.decisions.last()).and_then(|decision| decision.rule.clone());
    let rule = decided.or_else(|| item.case.rule_hints.first().cloned()).unwrap_or_default();
    let said = item.votes.iter().map(|vote| {
        let ballot = ballot(&vote.moderator).map(|vote| &vote.ballot);
        Said {
            moderator: vote.moderator.clone(),
            remove: vote.remove,
            rule: ballot.and_then(|ballot| ballot.rule.clone()),
            rationale: ballot.map(|ballot| ballot.rationale.clone()).unwrap_or_default(),
        }
    });
    let said = said.collect();
    Lesson { rule, said, case: item.case }
}

/// How somebody's answers stand to the team's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Standing {
    /// Cases that were answered.
    pub answered: usize,
    /// Cases with a majority that were answered.
    pub cases: usize,
    /// Of these, answered as most of the team did.
    pub same: usize,
    /// Mean share of the team that answered as they did.
    pub share: f64,
    /// What one of the team reaches on the same cases: share of the others that answered as they did.
    pub team: f64,
    /// By rule: cases with a majority, and how many of them the same.
    pub rules: BTreeMap<String, (usize, usize)>,
}

/// Compare answers (`true` for removal) with the lessons they answer.
pub fn standing<'a>(answered: impl IntoIterator<Item = (&'a Lesson, bool)>) -> Standing {
    let mut standing = Standing::default();
    let (mut shares, mut team, mut votes) = (0.0, 0.0, 0.0);
    let mut count = 0.0;
    for (lesson, answer) in answered {
        let n = lesson.said.len() as f64;
        let remove = lesson.said.iter().filter(|said| said.remove).count() as f64;
        count += 1.0;
        let alike = if answer { remove } else { n - remove };
        shares += alike / n.max(1.0);
        if n > 1.0 {
            votes += n;
            team += (remove * (remove - 1.0) + (n - remove) * (n - remove - 1.0)) / (n - 1.0);
        }
        if let Some(majority) = lesson.majority() {
            let same = usize::from((majority == Verdict::Remove) == answer);
            standing.cases += 1;
            standing.same += same;
            let rule = standing.rules.entry(lesson.rule.clone()).or_default();
            rule.0 += 1;
            rule.1 += same;
        }
    }
    standing.answered = count as usize;
    standing.share = shares / f64::max(count, 1.0);
    standing.team = team / f64::max(votes, 1.0);
    standing
}
