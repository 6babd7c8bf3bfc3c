//! The engine's work as jobs: each a specification that can be written down, run with progress, and stopped.

use std::path::{Path, PathBuf};
use std::time::Duration;

use plumb_core::{Ctl, Job};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::desk::Desk;
use crate::drift::{Drift, Recalibrated, drift, recalibrate};
use crate::export::{Export, Format as ExportFormat};
use crate::import::file::{self, Format};
use crate::import::into_log::{Summary, into_log};
use crate::import::table::Columns;
use crate::import::watch::Watch;
use crate::import::{BadRow, Imported};
use crate::model::Time;
use crate::outlook::{Outlook, outlook};
use crate::past;
use crate::sandbox;
use crate::score::Objective;
use crate::store::{self, Repository};
use crate::train::{Retrained, TrainSpec, Trained, retrain};
use crate::triage::{RouteSpec, Routed, Scored, find_similar, route_waiting, score_waiting};

mod evaluation;

pub use evaluation::{EvaluateJob, VotesFrom};

/// Name of the model in use.
pub const MODEL: &str = "votes";

/// Name of the model it replaced.
pub const BEFORE: &str = "votes before";

/// Name of a model that was trained and not taken.
pub const CANDIDATE: &str = "votes candidate";

/// A team's database, of whatever kind.
pub type AnyDesk = Desk<Box<dyn Repository>>;

/// Where a team's log is, and who opens it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Place {
    /// A SQLite file or `postgres://…`.
    pub db: String,
    /// Who signs in, where the file has accounts.
    pub user: Option<String>,
    /// The password; never written down with a specification.
    #[serde(skip)]
    pub password: Option<String>,
}

impl Place {
    /// Open it; a file is made if need be.
    pub fn open(&self, now: Time) -> Result<AnyDesk, Error> {
        store::open(&self.db, self.user.as_deref(), self.password.as_deref(), now)
    }
}

/// The model in use.
pub fn model<R: Repository>(desk: &mut Desk<R>) -> Result<Option<Trained>, Error> {
    desk.repository().model(MODEL)?.map(|bytes| Trained::load(&bytes)).transpose()
}

fn needed<R: Repository>(desk: &mut Desk<R>) -> Result<Trained, Error> {
    model(desk)?.ok_or_else(|| Error::TooLittle("there is no model yet; train one first".to_owned()))
}

/// Files of cases and judgements that become a part of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportJob {
    /// Into which log.
    pub place: Place,
    /// The files.
    pub files: Vec<PathBuf>,
    /// Their format.
    pub format: Format,
    /// What their columns hold, where they are tables.
    pub columns: Option<Columns>,
    /// The clock.
    pub now: Time,
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileImported {
    /// The file.
    pub file: PathBuf,
    /// What was new.
    #[serde(flatten)]
    pub summary: Summary,
    /// Rows that could not be read.
    pub bad: Vec<BadRow>,
}

fn import_file(
    desk: &mut AnyDesk,
    path: &Path,
    format: Format,
    columns: Option<&Columns>,
    now: Time,
    ctl: &Ctl,
) -> Result<FileImported, Error> {
    ctl.progress(format!("reading {}", path.display()), 0, None);
    let Imported { items, bad } = file::read(path, format, columns)?;
    let summary = into_log(desk, &Imported { items, bad: Vec::new() }, now, ctl)?;
    for row in bad.iter().chain(&summary.refused).take(20) {
        ctl.warn(format!("{} line {}", path.display(), row.line), row.reason.clone());
    }
    Ok(FileImported { file: path.to_owned(), summary, bad })
}

impl Job for ImportJob {
    type Output = Vec<FileImported>;
    type Partial = FileImported;

    fn name(&self) -> String {
        format!("Importing {} files", self.files.len())
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let mut desk = self.place.open(self.now)?;
        let mut all = Vec::new();
        for path in &self.files {
            let done = import_file(&mut desk, path, self.format, self.columns.as_ref(), self.now, ctl)?;
            ctl.partial(done.clone());
            all.push(done);
        }
        Ok(all)
    }
}

/// The made-up community in a database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SandboxJob {
    /// Which.
    pub place: Place,
    /// Seed of its votes.
    pub seed: u64,
    /// The clock: the newest case is a little older.
    pub now: Time,
}

/// What is in a sandbox now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Filled {
    /// Cases.
    pub cases: usize,
    /// Of these, how many nobody has decided.
    pub waiting: usize,
    /// Moderators.
    pub moderators: usize,
}

impl Job for SandboxJob {
    type Output = Filled;
    type Partial = ();

    fn name(&self) -> String {
        "Filling the sandbox".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Filled, plumb_core::Error> {
        let mut desk = self.place.open(self.now)?;
        sandbox::fill(&mut desk, self.now, self.seed, ctl)?;
        let state = desk.state();
        let waiting = state.cases.values().filter(|case| case.decisions.is_empty()).count();
        Ok(Filled { cases: state.cases.len(), waiting, moderators: state.moderators.len() })
    }
}

/// A folder whose new and changed files are imported until the job is stopped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WatchJob {
    /// Into which log.
    pub place: Place,
    /// The folder.
    pub folder: PathBuf,
    /// The files' format.
    pub format: Format,
    /// What their columns hold.
    pub columns: Option<Columns>,
    /// Seconds between two looks.
    pub pause: f32,
    /// Stop after so many looks; `None` goes on.
    pub looks: Option<u32>,
    /// The clock.
    pub now: Time,
}

impl Job for WatchJob {
    type Output = Vec<FileImported>;
    type Partial = FileImported;

    fn name(&self) -> String {
        format!("Watching {}", self.folder.display())
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let mut desk = self.place.open(self.now)?;
        let mut watch = Watch::new(&self.folder);
        let mut all = Vec::new();
        let mut looks = 0;
        while self.looks.is_none_or(|most| looks < most) {
            ctl.check()?;
            for path in watch.poll()? {
                // One bad file does not end the watch.
                match import_file(&mut desk, &path, self.format, self.columns.as_ref(), self.now, ctl) {
                    Ok(done) => {
                        ctl.partial(done.clone());
                        all.push(done);
                    }
                    Err(Error::Import { place, why }) => ctl.warn(place, why),
                    Err(other) => return Err(other.into()),
                }
            }
            looks += 1;
            ctl.progress(format!("watching {}", self.folder.display()), all.len() as u64, None);
            std::thread::sleep(Duration::from_secs_f32(self.pause.clamp(0.01, 3600.0)));
        }
        Ok(all)
    }
}

/// A model from the log: the first one, or a new one that takes the old one's place unless it does worse.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrainJob {
    /// From which log.
    pub place: Place,
    /// How.
    pub spec: TrainSpec,
    /// The clock.
    pub now: Time,
}

impl Job for TrainJob {
    type Output = Retrained;
    type Partial = ();

    fn name(&self) -> String {
        "Training the vote model".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Retrained, plumb_core::Error> {
        let mut desk = self.place.open(self.now)?;
        let items = past::items(desk.state());
        let now = model(&mut desk)?;
        let (trained, done) = retrain(&items, &self.spec, now.as_ref(), ctl)?;
        ctl.check()?;
        keep_model(desk.repository(), &trained, now.as_ref(), done.replaced)?;
        Ok(done)
    }
}

/// Keep a newly trained model: in the place of `before` where it replaces it, else beside it.
pub(crate) fn keep_model<R: Repository>(
    repository: &mut R,
    trained: &Trained,
    before: Option<&Trained>,
    replaced: bool,
) -> Result<(), Error> {
    if !replaced {
        return repository.put_model(CANDIDATE, &trained.save()?);
    }
    if let Some(before) = before {
        repository.put_model(BEFORE, &before.save()?)?;
    }
    repository.put_model(MODEL, &trained.save()?)
}

/// Whether the model still fits, and a new calibration where asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DriftJob {
    /// Of which log.
    pub place: Place,
    /// Calibrate anew if that does better.
    pub recalibrate: bool,
    /// Seed of the intervals.
    pub seed: u64,
    /// The clock.
    pub now: Time,
}

impl Job for DriftJob {
    type Output = (Drift, Option<Recalibrated>);
    type Partial = ();

    fn name(&self) -> String {
        "Looking for drift".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let mut desk = self.place.open(self.now)?;
        let mut trained = needed(&mut desk)?;
        let items = past::items(desk.state());
        let found = drift(&trained, &items, self.seed, ctl)?;
        if !self.recalibrate {
            return Ok((found, None));
        }
        let done = recalibrate(&mut trained, &items)?;
        if done.taken {
            desk.repository().put_model(MODEL, &trained.save()?)?;
        }
        Ok((found, Some(done)))
    }
}

/// The model's opinion of every case that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScoreJob {
    /// Of which log.
    pub place: Place,
    /// What cases are ranked by.
    pub objective: Objective,
    /// Write it into the log, so that the queue can be routed by it.
    pub keep: bool,
    /// How many of the highest are given their nearest past cases.
    pub similar: usize,
    /// The clock.
    pub now: Time,
}

impl Job for ScoreJob {
    type Output = Vec<Scored>;
    type Partial = ();

    fn name(&self) -> String {
        "Scoring the queue".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Self::Output, plumb_core::Error> {
        let mut desk = self.place.open(self.now)?;
        let trained = needed(&mut desk)?;
        let mut found = score_waiting(&mut desk, &trained, self.objective, self.keep, self.now, ctl)?;
        let highest = self.similar.min(found.len());
        if highest > 0 {
            find_similar(&desk, &trained, &mut found[..highest], ctl)?;
        }
        Ok(found)
    }
}

/// Scored cases that go to panels or to one moderator each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteJob {
    /// Of which log.
    pub place: Place,
    /// How.
    pub spec: RouteSpec,
    /// The clock.
    pub now: Time,
}

impl Job for RouteJob {
    type Output = Routed;
    type Partial = ();

    fn name(&self) -> String {
        "Routing the queue".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Routed, plumb_core::Error> {
        let mut desk = self.place.open(self.now)?;
        let trained = needed(&mut desk)?;
        Ok(route_waiting(&mut desk, &trained, &self.spec, self.now, ctl)?)
    }
}

/// What panels would bring, from the log or from the sandbox's full votes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimulateJob {
    /// Of which log; `None` for the sandbox.
    pub place: Option<Place>,
    /// How models are trained.
    pub spec: TrainSpec,
    /// What cases are ranked by.
    pub objective: Objective,
    /// Seats of a panel.
    pub panel: usize,
    /// Seed of intervals and, for the sandbox, of its votes.
    pub seed: u64,
    /// The clock.
    pub now: Time,
}

impl Job for SimulateJob {
    type Output = Outlook;
    type Partial = ();

    fn name(&self) -> String {
        "Simulating panels".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Outlook, plumb_core::Error> {
        let (items, spec) = match &self.place {
            Some(place) => {
                let mut desk = place.open(self.now)?;
                let spec = self.spec.like(model(&mut desk)?.as_ref());
                (past::items(desk.state()), spec)
            }
            None => (sandbox::full(self.now, self.seed)?, self.spec),
        };
        Ok(outlook(&items, &spec, self.objective, self.panel, self.seed, ctl)?)
    }
}

/// A table for others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportJob {
    /// Of which log.
    pub place: Place,
    /// What.
    pub what: Export,
    /// How.
    pub format: ExportFormat,
    /// Where to; an old file stays if something fails.
    pub out: PathBuf,
    /// The clock.
    pub now: Time,
}

impl Job for ExportJob {
    type Output = usize;
    type Partial = ();

    fn name(&self) -> String {
        format!("Exporting to {}", self.out.display())
    }

    fn run(self, ctl: &Ctl) -> Result<usize, plumb_core::Error> {
        let desk = self.place.open(self.now)?;
        ctl.progress("exporting", 0, None);
        let mut rows = Ok(0);
        let written = plumb_core::atomic::write_with(&self.out, |out| {
            rows = self.what.write(desk.state(), self.format, out);
            match &rows {
                Ok(_) => Ok(()),
                Err(error) => Err(std::io::Error::other(error.to_string())),
            }
        });
        written.map_err(|error| plumb_core::Error::failed(&error))?;
        Ok(rows?)
    }
}
