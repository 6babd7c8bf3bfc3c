//! Past cases of a log as a queue of its own, in memory: somebody new decides them as if they were new, and learns after
//! each how the team had decided. Nothing of it enters the team's log.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_core::{Ctl, Job};

use super::{Opened, RuleText, Workplace, is_practice, rules};
use crate::Error;
use crate::command::{Action, Command, SYSTEM};
use crate::desk::Desk;
use crate::model::{CaseId, Channel, Moderator, Time, Verdict};
use crate::onboarding::{Lesson, Pick, Standing, lessons, standing};
use crate::session::Session;
use crate::state::State;
use crate::store::{Memory, Repository};

/// What a replay knows and its queue does not show before a case is decided.
#[derive(Debug)]
pub(super) struct Replay {
    lessons: BTreeMap<CaseId, Lesson>,
    /// The team's rules: the replay's own log names none.
    pub rules: Vec<RuleText>,
}

impl Replay {
    /// How the team judged `case`, once it was decided here.
    pub fn answer(&self, case: &crate::state::CaseState) -> Option<Lesson> {
        answer(case)?;
        self.lessons.get(&case.case.id).cloned()
    }

    /// The decisions so far beside the team's.
    pub fn standing(&self, state: &State) -> Standing {
        let answered = self.lessons.values().filter_map(|lesson| {
            let case = state.cases.get(&lesson.case.id)?;
            Some((lesson, answer(case)?))
        });
        standing(answered)
    }
}

/// The decision that was made in the replay: true for removal.
fn answer(case: &crate::state::CaseState) -> Option<bool> {
    let own = case.decisions.iter().rev().find(|decision| decision.channel == Channel::Solo);
    own.map(|decision| decision.verdict == Verdict::Remove)
}

/// Replaying a log.
#[derive(Clone, Debug)]
pub struct ReplayJob {
    /// Whose.
    pub opened: Opened,
    /// Which cases.
    pub pick: Pick,
    /// How many.
    pub count: usize,
    /// The clock.
    pub now: Time,
}

impl Job for ReplayJob {
    type Output = Opened;
    type Partial = ();

    fn name(&self) -> String {
        "Setting out past cases".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Opened, plumb_core::Error> {
        let Self { opened, pick, count, now } = self;
        if opened.work.replay.is_some() {
            return Err(Error::refused("a replay is not replayed; end it first").into());
        }
        let (lessons, rules, who, policy) = {
            let mut session = opened.work.session();
            let who = session.who().name.clone();
            let state = session.inside().state();
            let lessons = lessons(state, pick, count, ctl.seed());
            (lessons, rules(state, is_practice(state)), who, state.policy.clone())
        };
        if lessons.is_empty() {
            return Err(pick.nothing().into());
        }
        ctl.check()?;
        let commands = setting(&lessons, &who, now);
        let repository: Box<dyn Repository> = Box::new(Memory::default());
        let mut desk = Desk::open(repository)?;
        desk.run_all(&[command("policy", now, Action::SetPolicy(policy))])?;
        if let Some((_, error)) = desk.run_all(&commands)?.into_iter().next() {
            return Err(error.into());
        }
        let lessons = lessons.into_iter().map(|lesson| (lesson.case.id.clone(), lesson)).collect();
        let mut work = Workplace::new(Session::of(desk, &who)?);
        work.replay = Some(Arc::new(Replay { lessons, rules }));
        let board = work.board(&mut work.session())?;
        Ok(Opened { work, board, at: opened.at, card: None, accounts: opened.accounts })
    }
}

fn command(key: &str, now: Time, action: Action) -> Command {
    Command { key: format!("replay {key}"), actor: SYSTEM.to_owned(), at: now, expect: None, action }
}

/// The learner as a moderator, and every case waiting for one.
fn setting(lessons: &[Lesson], who: &str, now: Time) -> Vec<Command> {
    let learner = Moderator { id: who.to_owned(), trainee: false, active: true };
    let mut commands = vec![command("join", now, Action::SetModerator(learner))];
    for lesson in lessons {
        let id = &lesson.case.id;
        let steps = [
            ("arrive", Action::Arrive(lesson.case.clone())),
            ("score", Action::Score(id.clone(), None)),
            ("solo", Action::Solo(id.clone())),
        ];
        commands.extend(steps.map(|(step, action)| command(&format!("{step} {id}"), now, action)));
    }
    commands
}
