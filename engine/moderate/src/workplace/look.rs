//! One case with what stands around it: who wrote it and how that went before, past cases like it, its panel.

use std::sync::Arc;

use plumb_core::{Ctl, Job};
use plumb_text::classify::NgramClassifier;
use serde::Serialize;

use super::Workplace;
use crate::Error;
use crate::model::{CaseId, Channel, Decision, ModId, Reason, Time, Verdict};
use crate::onboarding::Lesson;
use crate::past;
use crate::precedent::Precedents;
use crate::state::{CaseState, Phase, State};
use crate::view::{self, CaseView, PanelView};

/// Similar cases shown.
const SIMILAR: usize = 4;

/// Earlier cases of an author shown.
const EARLIER: usize = 5;

/// Characters of an earlier case shown.
const EXCERPT: usize = 280;

/// A case of the past, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Earlier {
    /// The case.
    pub case: CaseId,
    /// The beginning of its text.
    pub text: String,
    /// When it was written.
    pub at: Time,
    /// Votes to keep it.
    pub approve: usize,
    /// Votes to remove it.
    pub remove: usize,
    /// How it ended.
    pub outcome: Option<Verdict>,
    /// The rule it rests on.
    pub rule: Option<String>,
    /// Cosine with the case looked at, where it was found by that.
    pub likeness: Option<f64>,
    /// Probability that the text is rude, by the classifier that ships.
    pub harmful: f64,
}

/// What is known of an author.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Author {
    /// Other cases.
    pub cases: usize,
    /// Of these, removed.
    pub removed: usize,
    /// Of these, kept.
    pub kept: usize,
    /// The newest that are decided.
    pub recent: Vec<Earlier>,
}

/// The newest panel of a case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PanelLook {
    /// As far as one may see it.
    pub view: PanelView,
    /// Why it was drawn.
    pub reason: Reason,
    /// 1, or 2 for the whole team.
    pub round: u8,
    /// Whether it has ended.
    pub closed: bool,
    /// Whether the one who looks asked for it and may withdraw it.
    pub withdraw: bool,
    /// Whether they are a trainee on it.
    pub shadow: bool,
    /// Who sits on it, once votes may be seen.
    pub members: Vec<ModId>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Look {
    /// The case.
    pub view: CaseView,
    /// Decisions, oldest first.
    pub decisions: Vec<Decision>,
    /// Notes: who and what.
    pub notes: Vec<(String, String)>,
    /// Its author.
    pub author: Author,
    /// Past cases like it.
    pub similar: Vec<Earlier>,
    /// Its newest panel.
    pub panel: Option<PanelLook>,
    /// Probability that the text is rude, by the classifier that ships.
    pub harmful: f64,
    /// Whether one's own decision can still be undone.
    pub undo: bool,
    /// In a replay, once the case was decided: how the team had judged it.
    pub lesson: Option<Lesson>,
}

/// Looking at a case.
#[derive(Clone, Debug)]
pub struct LookJob {
    /// Where.
    pub work: Workplace,
    /// Which.
    pub case: CaseId,
    /// Past cases, once they are known.
    pub past: Option<Arc<Precedents>>,
}

impl Job for LookJob {
    type Output = Look;
    type Partial = ();

    fn name(&self) -> String {
        format!("Looking at {}", self.case)
    }

    fn run(self, _ctl: &Ctl) -> Result<Look, plumb_core::Error> {
        let mut session = self.work.session();
        let who = session.who().name.clone();
        let desk = session.inside();
        let newest = desk.state().case(&self.case)?.panels.last().cloned();
        let panel = match newest {
            None => None,
            Some(id) => {
                let view = view::panel(desk, &id, &who)?;
                let panel = desk.state().panel(&id)?;
                let own = panel.opened_by == who
                    && matches!(panel.reason, Reason::Manual | Reason::Escalation | Reason::Appeal);
                Some(PanelLook {
                    reason: panel.reason,
                    round: panel.round,
                    closed: panel.closed,
                    withdraw: own && !panel.closed && panel.votes.is_empty(),
                    shadow: panel.shadow.contains(&who),
                    members: if view.hidden { Vec::new() } else { panel.members.clone() },
                    view,
                })
            }
        };
        let view = view::case(desk, &self.case)?;
        let state = desk.state();
        let case = state.case(&self.case)?;
        let queue = self.work.queue.read();
        let near = queue.by_author(&case.case.author).filter_map(|id| state.cases.get(id));
        let author = author(case, near, state);
        drop(queue);
        let mut look = look(state, view, &who, panel, self.past.as_deref())?;
        look.author = author;
        look.lesson = self.work.replay.as_ref().and_then(|replay| replay.answer(case));
        Ok(look)
    }
}

fn look(
    state: &State,
    view: CaseView,
    who: &str,
    panel: Option<PanelLook>,
    past: Option<&Precedents>,
) -> Result<Look, Error> {
    let case = state.case(&view.case.id)?;
    let similar = past.map(|past| past.nearest(&case.case.text_alone(), SIMILAR, &case.case.id)).unwrap_or_default();
    let similar = similar.into_iter().filter_map(|found| {
        let other = state.cases.get(&found.case)?;
        Some(Earlier { likeness: Some(found.likeness), ..earlier(state, other) })
    });
    let text = case.case.text_alone();
    let last = case.decisions.last();
    Ok(Look {
        view,
        decisions: case.decisions.clone(),
        notes: case.notes.clone(),
        author: Author::default(),
        similar: similar.collect(),
        panel,
        harmful: rude(&text),
        undo: case.phase == Phase::Decided && last.is_some_and(|d| d.by == who && d.channel == Channel::Solo),
        lesson: None,
    })
}

fn rude(text: &str) -> f64 {
    NgramClassifier::embedded().map_or(0.0, |judge| judge.probability(text))
}

fn earlier(state: &State, case: &CaseState) -> Earlier {
    let counts = past::item(state, case).counts();
    let last = case.decisions.last();
    let text = case.case.text_alone();
    let short: String = text.chars().take(EXCERPT).collect();
    let text = if short.len() < text.len() { format!("{}…", short.trim_end()) } else { short };
    // Votes speak where a log holds several decisions and none that counts more.
    let outcome = last.map(|decision| match decision.channel {
        Channel::Log if counts.remove > counts.approve => Verdict::Remove,
        Channel::Log if counts.remove < counts.approve => Verdict::Approve,
        _ => decision.verdict,
    });
    Earlier {
        case: case.case.id.clone(),
        at: case.case.created_at,
        approve: counts.approve,
        remove: counts.remove,
        outcome,
        rule: last.and_then(|decision| decision.rule.clone()),
        likeness: None,
        harmful: rude(&text),
        text,
    }
}

/// How it went with the author's other cases, which are among `near`.
fn author<'a>(case: &CaseState, near: impl Iterator<Item = &'a CaseState>, state: &State) -> Author {
    let others = near.filter(|other| {
        other.case.author == case.case.author && !other.case.author.is_empty() && other.case.id != case.case.id
    });
    let mut author = Author::default();
    let mut decided = Vec::new();
    for other in others {
        author.cases += 1;
        if !other.decisions.is_empty() && matches!(other.phase, Phase::Decided | Phase::Applied) {
            decided.push(other);
        }
    }
    decided.sort_by_key(|other| (std::cmp::Reverse(other.case.created_at), other.case.id.clone()));
    for (i, other) in decided.into_iter().enumerate() {
        let short = earlier(state, other);
        match short.outcome {
            Some(Verdict::Remove) => author.removed += 1,
            _ => author.kept += 1,
        }
        if i < EARLIER {
            author.recent.push(short);
        }
    }
    author
}
