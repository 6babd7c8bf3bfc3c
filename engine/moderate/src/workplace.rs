//! A signed-in session that a window's jobs share, and what the window has to know of it to draw.
//!
//! The window never holds the state itself: it draws from the [`Queue`], which jobs keep up to date, from a [`Board`]
//! that comes back with every action, and from a [`Look`] at one case. All of them come through the [`Session`], so
//! nothing is in them that the one who signed in may not see.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock};
use serde::Serialize;

use crate::Error;
use crate::account::Identity;
use crate::model::{CaseId, Moderator, PanelId, Policy, Time};
use crate::onboarding::Standing;
use crate::queue::Queue;
use crate::sandbox;
use crate::session::Session;
use crate::state::{CaseState, Phase, State};
use crate::store::Repository;
use crate::train::Card;

mod act;
mod learn;
mod look;
mod open;
mod replay;
mod sort_in;
mod team;
mod watch;

pub use act::{ActJob, Acted, Answer, Asked, Outcome, RefreshJob};
pub use learn::{
    ApplyJob, ExploreJob, ExportJob, ForecastJob, ImportJob, Learnt, PrecedentsJob, RetrainJob, ReviewJob,
};
pub use look::{Author, Earlier, Look, LookJob, PanelLook};
pub use open::{OpenJob, Opened, SignIn, Where};
pub use replay::ReplayJob;
pub use sort_in::{SortInJob, SortedIn};
pub use team::{Member, TeamJob};
pub use watch::{Hearing, Watch};

/// A session on a database of whatever kind.
pub type AnySession = Session<Box<dyn Repository>>;

/// The session and its queue, shared by the jobs of one window. Cheap to clone.
#[derive(Clone)]
pub struct Workplace {
    session: Arc<Mutex<AnySession>>,
    queue: Arc<RwLock<Queue>>,
    /// The team's judgements, where past cases are replayed.
    replay: Option<Arc<replay::Replay>>,
    /// The database's address, where others may work on it at the same time.
    address: Option<String>,
    /// Number of the last event that was read.
    read: Arc<AtomicU64>,
    /// The rules in the order in which they are numbered: fixed while the workplace is open, new ones follow, so that
    /// a number means the same rule from one case to the next.
    rules: Arc<Mutex<Vec<RuleText>>>,
}

impl std::fmt::Debug for Workplace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workplace").finish_non_exhaustive()
    }
}

impl Workplace {
    /// Around a session.
    pub fn new(mut session: AnySession) -> Self {
        let queue = session.queue();
        let state = session.inside().state();
        let rules = Arc::new(Mutex::new(rules(state, is_practice(state))));
        let (session, queue) = (Arc::new(Mutex::new(session)), Arc::new(RwLock::new(queue)));
        Self { session, queue, replay: None, address: None, read: Arc::default(), rules }
    }

    /// Whether this is a replay of past cases, of which nothing enters the team's log.
    pub fn is_replay(&self) -> bool {
        self.replay.is_some()
    }

    /// Hear of what others do; `wake` is called, from another thread, when there is news. `None` where nobody else
    /// works on the same log, or where the system gives no thread.
    pub fn watch(&self, wake: Arc<dyn Fn() + Send + Sync>) -> Option<Watch> {
        Watch::start(self.address.clone()?, Arc::clone(&self.read), wake).ok()
    }

    /// The queue to draw from. Jobs hold it for the time it takes to move one case.
    pub fn queue(&self) -> &RwLock<Queue> {
        &self.queue
    }

    fn session(&self) -> MutexGuard<'_, AnySession> {
        self.session.lock()
    }

    /// Bring the queue up to date and say what there is now.
    fn board(&self, session: &mut AnySession) -> Result<Board, Error> {
        let changed = session.inside().take_changed();
        let state = session.inside().state();
        if changed.len() > MANY {
            *self.queue.write() = Queue::of(state);
        } else if !changed.is_empty() {
            let mut queue = self.queue.write();
            for case in &changed {
                queue.update(case, state);
            }
        }
        let rules = self.rules(state, &changed);
        let counts = self.queue.read().counts();
        let mut board = Board::of(session, counts, changed.into_iter().collect(), rules)?;
        self.read.store(board.seq, Ordering::Release);
        if let Some(replay) = &self.replay {
            board.rules.clone_from(&replay.rules);
            board.standing = Some(replay.standing(session.inside().state()));
        }
        Ok(board)
    }
}

impl Workplace {
    /// The rules, with those that the changed cases brought.
    fn rules(&self, state: &State, changed: &BTreeSet<CaseId>) -> Vec<RuleText> {
        let mut known = self.rules.lock();
        let cases = changed.iter().filter_map(|id| state.cases.get(id));
        for key in cases.flat_map(named) {
            if known.len() < RULES && known.iter().all(|rule| rule.key != *key) {
                known.push(RuleText::bare(key));
            }
        }
        known.clone()
    }
}

/// From so many changed cases on the queue is made anew instead of moving them one by one.
const MANY: usize = 200;

/// A rule of the team, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleText {
    /// What decisions and votes name.
    pub key: String,
    /// Its title; empty where nobody wrote one.
    pub title: String,
    /// What it asks.
    pub text: String,
}

/// A seat of the one who signed in on a panel that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seat {
    /// The panel.
    pub panel: PanelId,
    /// Its case.
    pub case: CaseId,
    /// Whether they have voted.
    pub voted: bool,
    /// Whether votes are hidden.
    pub hidden: bool,
    /// When it must end.
    pub deadline: Time,
}

/// What there is now, beside the queue.
#[derive(Clone, Debug, Serialize)]
pub struct Board {
    /// Who is signed in.
    pub who: Identity,
    /// Whether they are a trainee.
    pub trainee: bool,
    /// The team.
    pub team: Vec<Moderator>,
    /// The rules for panels.
    pub policy: Policy,
    /// The community's rules.
    pub rules: Vec<RuleText>,
    /// Their seats on panels that run.
    pub seats: Vec<Seat>,
    /// Cases by phase, in the order of [`Phase`].
    pub counts: [usize; 9],
    /// Cases that changed since the board before.
    pub changed: Vec<CaseId>,
    /// Whether everything here is made up.
    pub practice: bool,
    /// In a replay: the decisions so far beside the team's.
    pub standing: Option<Standing>,
    /// Number of the last event.
    pub seq: u64,
}

impl Board {
    fn of(
        session: &mut AnySession,
        counts: [usize; 9],
        changed: Vec<CaseId>,
        rules: Vec<RuleText>,
    ) -> Result<Self, Error> {
        let who = session.who().clone();
        let desk = session.inside();
        let mut seats = Vec::new();
        let running: Vec<PanelId> = desk.state().running.iter().cloned().collect();
        for id in running {
            let Ok(panel) = desk.state().panel(&id) else { continue };
            if !panel.members.iter().chain(&panel.shadow).any(|member| *member == who.name) {
                continue;
            }
            let (case, hidden, deadline) = (panel.case.clone(), panel.hidden, panel.deadline);
            let known = panel.votes.contains_key(&who.name);
            let voted = known || (hidden && desk.repository().ballot(&id, &who.name)?.is_some());
            seats.push(Seat { panel: id, case, voted, hidden, deadline });
        }
        seats.sort_by(|a, b| (a.voted, a.deadline, &a.panel).cmp(&(b.voted, b.deadline, &b.panel)));
        let state = desk.state();
        let practice = is_practice(state);
        Ok(Self {
            trainee: state.moderators.get(&who.name).is_some_and(|moderator| moderator.trainee),
            team: state.moderators.values().cloned().collect(),
            policy: state.policy.clone(),
            rules,
            seats,
            counts,
            changed,
            practice,
            standing: None,
            seq: state.seq,
            who,
        })
    }

    /// Cases in these phases.
    pub fn count(&self, phases: &[Phase]) -> usize {
        phases.iter().map(|phase| self.counts[*phase as usize]).sum()
    }
}

/// Whether this is the made-up community.
fn is_practice(state: &State) -> bool {
    state.cases.values().next().is_some_and(|case| case.case.community == sandbox::COMMUNITY)
}

/// Most rules that are found in a log; the rest is noise.
const RULES: usize = 40;

fn rules(state: &State, practice: bool) -> Vec<RuleText> {
    if practice {
        let text = |rule: &sandbox::Rule| RuleText {
            key: rule.key.to_owned(),
            title: rule.title.to_owned(),
            text: rule.text.to_owned(),
        };
        return sandbox::RULES.iter().map(text).collect();
    }
    let mut found = std::collections::BTreeMap::<&str, usize>::new();
    for rule in state.cases.values().flat_map(named) {
        *found.entry(rule).or_default() += 1;
    }
    let mut found: Vec<(&str, usize)> = found.into_iter().collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    found.into_iter().take(RULES).map(|(key, _)| RuleText::bare(key)).collect()
}

/// The rules that a case's decisions and reports name.
fn named(case: &CaseState) -> impl Iterator<Item = &String> {
    let decided = case.decisions.iter().filter_map(|decision| decision.rule.as_ref());
    decided.chain(&case.case.rule_hints)
}

impl RuleText {
    /// One of which only the name is known.
    fn bare(key: &str) -> Self {
        Self { key: key.to_owned(), title: String::new(), text: String::new() }
    }
}

/// The card of the model in use, where there is one that may be read.
fn card(session: &mut AnySession) -> Option<Card> {
    crate::job::model(session.inside()).ok().flatten().map(|trained| trained.card)
}
