//! New cases: to a panel where the model expects disagreement, to one moderator otherwise.

use plumb_core::{Ctl, Job};
use serde::Serialize;

use super::{Board, Workplace, is_practice};
use crate::Error;
use crate::command::{Action, Command, SYSTEM};
use crate::desk::Desk;
use crate::job;
use crate::model::{CaseId, Time};
use crate::score::Objective;
use crate::state::Phase;
use crate::store::Repository;
use crate::train::Trained;
use crate::triage::{RouteSpec, route_waiting, score_waiting};

/// Where new cases went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SortedIn {
    /// To panels because the model expects disagreement.
    pub panels: usize,
    /// To panels as a random audit.
    pub audits: usize,
    /// To one moderator each.
    pub solo: usize,
    /// Whether a model chose.
    pub model: bool,
}

/// Sort in the new cases of a database, for those who lead.
#[derive(Clone, Debug)]
pub struct SortInJob {
    /// Whose.
    pub work: Workplace,
    /// Share of cases for panels.
    pub budget: f64,
    /// The clock.
    pub now: Time,
}

impl Job for SortInJob {
    type Output = (SortedIn, Board);
    type Partial = ();

    fn name(&self) -> String {
        "Sorting in new cases".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let mut session = self.work.session();
        let desk = session.desk()?;
        let trained = job::model(desk)?;
        let practice = is_practice(desk.state());
        let done = sort_in(desk, trained.as_ref(), self.budget, practice, self.now, ctl)?;
        Ok((done, self.work.board(&mut session)?))
    }
}

/// Share of cases for panels where nobody chose another.
pub(super) const BUDGET: f64 = 0.3;

/// In the sandbox the model routes however badly it is calibrated, so that there are panels to look at.
pub(super) fn sort_in<R: Repository>(
    desk: &mut Desk<R>,
    trained: Option<&Trained>,
    budget: f64,
    practice: bool,
    now: Time,
    ctl: &Ctl,
) -> Result<SortedIn, Error> {
    if let Some(trained) = trained {
        score_waiting(desk, trained, Objective::Combined, true, now, ctl)?;
        let mut spec = RouteSpec::default();
        spec.routing.mode = crate::route::Mode::Budget(budget);
        if practice {
            spec.routing.worst_calibration = 1.0;
        }
        let routed = route_waiting(desk, trained, &spec, now, ctl)?;
        let (panels, audits) = (routed.model.len(), routed.audit.len());
        return Ok(SortedIn { panels, audits, solo: routed.solo, model: true });
    }
    // Without a model everything goes to one moderator; second opinions are asked for by hand.
    let new = desk.state().cases.values().filter(|case| matches!(case.phase, Phase::New | Phase::Scored));
    let new: Vec<(CaseId, Phase)> = new.map(|case| (case.case.id.clone(), case.phase)).collect();
    let mut commands = Vec::new();
    for (id, phase) in &new {
        let command = |what: &str, action| Command {
            key: format!("{what} {id}"),
            actor: SYSTEM.to_owned(),
            at: now,
            expect: None,
            action,
        };
        if *phase == Phase::New {
            commands.push(command("no score", Action::Score(id.clone(), None)));
        }
        commands.push(command("solo", Action::Solo(id.clone())));
    }
    ctl.check()?;
    let refused = desk.run_all(&commands)?;
    for (place, error) in &refused {
        ctl.warn(commands[*place].key.clone(), error.to_string());
    }
    Ok(SortedIn { solo: new.len().saturating_sub(refused.len()), ..SortedIn::default() })
}
