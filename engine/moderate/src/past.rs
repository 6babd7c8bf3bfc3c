//! What a team decided so far, as votes to learn from and to measure by.

use std::collections::BTreeMap;

use crate::import::{Item, LoggedVote};
use crate::model::{Channel, Choice, ModId, Time, Verdict};
use crate::state::{CaseState, State};

/// Cases with their votes, oldest first. A moderator's last word on a case counts: decisions alone and from logs, votes
/// on panels that have ended. Abstentions are no votes, votes on running panels stay hidden, and trainees' votes count
/// for learning like any other.
pub fn items(state: &State) -> Vec<Item> {
    let mut items: Vec<Item> = state.cases.values().map(|case| item(state, case)).collect();
    items.retain(|item| !item.votes.is_empty());
    items.sort_by(|a, b| (age(a), &a.case.id).cmp(&(age(b), &b.case.id)));
    items
}

/// The time of the last vote, or of the case where votes have none.
pub fn age(item: &Item) -> Time {
    item.votes.iter().filter_map(|vote| vote.at).max().unwrap_or(item.case.created_at)
}

/// The votes on one case, in the order of their times.
pub fn item(state: &State, case: &CaseState) -> Item {
    let mut last = BTreeMap::<&ModId, LoggedVote>::new();
    let mut keep = |moderator, remove, at| {
        let vote = LoggedVote { moderator: String::clone(moderator), remove, at: Some(at) };
        match last.get_mut(moderator) {
            Some(known) if known.at > vote.at => {}
            Some(known) => *known = vote,
            None => {
                last.insert(moderator, vote);
            }
        }
    };
    for decision in case.decisions.iter().filter(|decision| decision.channel != Channel::Panel) {
        keep(&decision.by, decision.verdict == Verdict::Remove, decision.at);
    }
    for panel in case.panels.iter().filter_map(|id| state.panels.get(id)).filter(|panel| panel.closed) {
        for (moderator, vote) in &panel.votes {
            match vote.ballot.choice {
                Choice::Approve => keep(moderator, false, vote.cast_at),
                Choice::Remove => keep(moderator, true, vote.cast_at),
                Choice::Abstain | Choice::Escalate => {}
            }
        }
    }
    let mut votes: Vec<LoggedVote> = last.into_values().collect();
    votes.sort_by(|a, b| (a.at, &a.moderator).cmp(&(b.at, &b.moderator)));
    Item { case: case.case.clone(), votes }
}
