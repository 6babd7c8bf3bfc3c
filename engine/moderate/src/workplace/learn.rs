//! What is learnt from a team's log, and what goes in and out of it: the session is held only to read and to write.

use std::path::PathBuf;
use std::sync::Arc;

use plumb_core::{Ctl, Job};
use serde::Serialize;

use super::{Board, Workplace, card};
use crate::Error;
use crate::command::Action;
use crate::drift::{Drift, drift};
use crate::explore::{Explored, explore};
use crate::export::{Export, Format as ExportFormat};
use crate::import::Imported;
use crate::import::file::{self, Format};
use crate::import::into_log::{Summary, into_log};
use crate::import::table::Columns;
use crate::job;
use crate::model::{CaseId, Time};
use crate::onboarding::{Lesson, Pick, lessons};
use crate::outlook::{Outlook, outlook};
use crate::past;
use crate::precedent::Precedents;
use crate::score::Objective;
use crate::state::Phase;
use crate::train::{Card, Retrained, TrainSpec, retrain};

/// Past cases by their words, or by what they mean where the model in use reads that.
#[derive(Clone, Debug)]
pub struct PrecedentsJob {
    /// Whose.
    pub work: Workplace,
}

impl Job for PrecedentsJob {
    type Output = Arc<Precedents>;
    type Partial = ();

    fn name(&self) -> String {
        "Reading past cases".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let (items, trained) = {
            let mut session = self.work.session();
            let desk = session.inside();
            (past::items(desk.state()), job::model(desk).ok().flatten())
        };
        ctl.check()?;
        Ok(Arc::new(Precedents::of(&items, trained.as_ref().map(|trained| &trained.model), ctl)?))
    }
}

/// Where the team disagrees, and whether its model still fits.
#[derive(Clone, Debug)]
pub struct ExploreJob {
    /// Whose.
    pub work: Workplace,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Learnt {
    /// Agreement.
    pub explored: Explored,
    /// Of the model in use, where there is one.
    pub drift: Option<Drift>,
    /// Its card.
    pub card: Option<Card>,
}

impl Job for ExploreJob {
    type Output = Arc<Learnt>;
    type Partial = ();

    fn name(&self) -> String {
        "Looking at disagreement".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let (explored, trained, items) = {
            let mut session = self.work.session();
            let desk = session.inside();
            let mut explored = explore(desk.state(), ctl.seed());
            let expected = desk.expected(explored.cases.iter().map(|case| case.case.as_str()))?;
            for case in &mut explored.cases {
                case.expected = expected.get(&case.case).copied();
            }
            // A model that may not be read is as good as none here.
            (explored, job::model(desk).ok().flatten(), past::items(desk.state()))
        };
        ctl.check()?;
        let drift = trained.as_ref().map(|trained| drift(trained, &items, ctl.seed(), ctl)).transpose()?;
        Ok(Arc::new(Learnt { explored, drift, card: trained.map(|trained| trained.card) }))
    }
}

/// What panels would bring this team.
#[derive(Clone, Debug)]
pub struct ForecastJob {
    /// Whose.
    pub work: Workplace,
    /// Seats of a panel.
    pub panel: usize,
    /// What cases are ranked by.
    pub objective: Objective,
}

impl Job for ForecastJob {
    type Output = Arc<Outlook>;
    type Partial = ();

    fn name(&self) -> String {
        "Simulating panels on this log".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let (items, trained) = {
            let mut session = self.work.session();
            let desk = session.inside();
            (past::items(desk.state()), job::model(desk).ok().flatten())
        };
        let spec = TrainSpec::default().like(trained.as_ref());
        Ok(Arc::new(outlook(&items, &spec, self.objective, self.panel, ctl.seed(), ctl)?))
    }
}

/// A new model from the log.
#[derive(Clone, Debug)]
pub struct RetrainJob {
    /// Whose.
    pub work: Workplace,
    /// How.
    pub spec: TrainSpec,
}

impl Job for RetrainJob {
    type Output = (Retrained, Option<Card>);
    type Partial = ();

    fn name(&self) -> String {
        "Training the vote model".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let (items, before) = {
            let mut session = self.work.session();
            let desk = session.desk()?;
            (past::items(desk.state()), job::model(desk)?)
        };
        let (trained, done) = retrain(&items, &self.spec, before.as_ref(), ctl)?;
        ctl.check()?;
        let mut session = self.work.session();
        job::keep_model(session.desk()?.repository(), &trained, before.as_ref(), done.replaced)?;
        let card = card(&mut session);
        Ok((done, card))
    }
}

/// Past cases for somebody new.
#[derive(Clone, Debug)]
pub struct ReviewJob {
    /// Whose.
    pub work: Workplace,
    /// Which.
    pub pick: Pick,
    /// How many.
    pub count: usize,
}

impl Job for ReviewJob {
    type Output = Vec<Lesson>;
    type Partial = ();

    fn name(&self) -> String {
        "Choosing past cases".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let lessons = lessons(self.work.session().inside().state(), self.pick, self.count, ctl.seed());
        if lessons.is_empty() { Err(self.pick.nothing().into()) } else { Ok(lessons) }
    }
}

/// Files of cases and judgements into the log, for those who lead.
#[derive(Clone, Debug)]
pub struct ImportJob {
    /// Whose.
    pub work: Workplace,
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// What its columns hold.
    pub columns: Option<Columns>,
    /// The clock.
    pub now: Time,
}

impl Job for ImportJob {
    type Output = (Summary, Board);
    type Partial = ();

    fn name(&self) -> String {
        format!("Importing {}", self.path.display())
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        ctl.progress("reading the file", 0, None);
        let Imported { items, bad } = file::read(&self.path, self.format, self.columns.as_ref())?;
        for row in bad.iter().take(100) {
            ctl.warn(format!("line {}", row.line), row.reason.clone());
        }
        let mut session = self.work.session();
        let desk = session.desk()?;
        let mut summary = into_log(desk, &Imported { items, bad: Vec::new() }, self.now, ctl)?;
        summary.refused.extend(bad);
        Ok((summary, self.work.board(&mut session)?))
    }
}

/// A table for others.
#[derive(Clone, Debug)]
pub struct ExportJob {
    /// Whose.
    pub work: Workplace,
    /// What.
    pub what: Export,
    /// How.
    pub format: ExportFormat,
    /// Where to; an old file stays if something fails.
    pub out: PathBuf,
}

impl Job for ExportJob {
    type Output = usize;
    type Partial = ();

    fn name(&self) -> String {
        format!("Exporting to {}", self.out.display())
    }

    fn run(self, ctl: &Ctl) -> Result<usize, plumb_core::Error> {
        ctl.progress("exporting", 0, None);
        let mut session = self.work.session();
        let mut bytes = Vec::new();
        let rows = self.what.write(session.inside().state(), self.format, &mut bytes)?;
        drop(session);
        plumb_core::atomic::write(&self.out, &bytes).map_err(|error| plumb_core::Error::failed(&error))?;
        Ok(rows)
    }
}

/// Decisions that were carried out on the platform.
#[derive(Clone, Debug)]
pub struct ApplyJob {
    /// Whose.
    pub work: Workplace,
    /// These; all that are decided where it is `None`.
    pub cases: Option<Vec<CaseId>>,
    /// The clock.
    pub now: Time,
    /// Chosen by the asker.
    pub key: String,
}

impl Job for ApplyJob {
    type Output = (usize, Board);
    type Partial = ();

    fn name(&self) -> String {
        "Marking decisions as carried out".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let mut session = self.work.session();
        let decided = |case: &crate::state::CaseState| case.phase == Phase::Decided;
        let all = session.inside().state().cases.values().filter(|case| decided(case));
        let all: Vec<CaseId> = match self.cases {
            Some(cases) => cases,
            None => all.map(|case| case.case.id.clone()).collect(),
        };
        let mut done = 0;
        for (i, case) in all.iter().enumerate() {
            ctl.check()?;
            ctl.progress("writing", i as u64, Some(all.len() as u64));
            match session.run(&format!("{} {case}", self.key), self.now, None, Action::Apply(case.clone())) {
                Ok(_) => done += 1,
                Err(error @ (Error::Lost { .. } | Error::Store { .. })) => return Err(error.into()),
                Err(error) => ctl.warn(case.clone(), error.to_string()),
            }
        }
        Ok((done, self.work.board(&mut session)?))
    }
}
