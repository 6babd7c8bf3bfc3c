//! Opening a database and signing in.

use std::path::PathBuf;

use plumb_core::{Ctl, Job};

use super::{AnySession, Board, Workplace, card, sort_in};
use crate::Error;
use crate::command::{Action, Command, SYSTEM};
use crate::desk::Desk;
use crate::job;
use crate::model::{Policy, Time};
use crate::past;
use crate::sandbox;
use crate::session::Session;
use crate::store::{self, Repository as _};
use crate::train::{Card, TrainSpec, retrain};

/// Seconds until a panel of the sandbox ends.
const PRACTICE: Time = 14 * 86_400;

/// What is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// The made-up community, kept in this file.
    Sandbox(PathBuf),
    /// A SQLite file or `postgres://…`.
    Database(String),
}

impl Where {
    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Self::Sandbox(_) => "Sandbox".to_owned(),
            // A password in an address is nobody's business.
            Self::Database(db) => match db.split_once("://").map(|(kind, rest)| (kind, rest.rsplit_once('@'))) {
                Some((kind, Some((_, place)))) => format!("{kind}://{place}"),
                _ => db.clone(),
            },
        }
    }
}

/// How somebody signs in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SignIn {
    /// The name; the first of the team where it is empty and there are no accounts.
    pub name: String,
    /// The password, where there are accounts.
    pub password: String,
    /// Make the first account of a file that has none.
    pub found: bool,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIn").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Opening a database.
#[derive(Clone, Debug)]
pub struct OpenJob {
    /// Which.
    pub at: Where,
    /// As whom.
    pub who: SignIn,
    /// The clock.
    pub now: Time,
}

/// What was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The session.
    pub work: Workplace,
    /// What there is.
    pub board: Board,
    /// What is opened.
    pub at: Where,
    /// The model in use.
    pub card: Option<Card>,
    /// Whether one signs in with a password.
    pub accounts: bool,
}

impl Job for OpenJob {
    type Output = Opened;
    type Partial = ();

    fn name(&self) -> String {
        format!("Opening {}", self.at.name())
    }

    fn run(self, ctl: &Ctl) -> Result<Opened, plumb_core::Error> {
        let Self { at, who, now } = self;
        let (mut session, accounts) = match &at {
            Where::Sandbox(path) => (sandbox(path, &who.name, now, ctl)?, false),
            Where::Database(db) => database(db, &who, now)?,
        };
        let card = card(&mut session);
        let work = Workplace::new(session);
        let board = work.board(&mut work.session())?;
        Ok(Opened { work, board, at, card, accounts })
    }
}

fn database(db: &str, who: &SignIn, now: Time) -> Result<(AnySession, bool), Error> {
    let mut repository =
        store::connect(db, Some(&who.password).filter(|password| !password.is_empty()).map(String::as_str))?;
    let server = repository.identity()?.is_some();
    let none = repository.no_accounts()?;
    let session = if server {
        Session::sign_in(repository, &who.name, &who.password, now)?
    } else if who.found {
        Session::found(repository, &who.name, &who.password)?
    } else if none {
        let desk = Desk::open(repository)?;
        let first = desk.state().moderators.values().find(|moderator| moderator.active);
        let name =
            if who.name.is_empty() { first.map_or("lead", |first| &first.id).to_owned() } else { who.name.clone() };
        Session::of(desk, &name)?
    } else if who.name.is_empty() {
        return Err(Error::SignIn("this database has accounts; give your name and password".to_owned()));
    } else {
        Session::sign_in(repository, &who.name, &who.password, now)?
    };
    Ok((session, server || !none || who.found))
}

/// The made-up community: filled, a model learnt from its log, its waiting cases sent to panels and moderators.
fn sandbox(path: &std::path::Path, name: &str, now: Time, ctl: &Ctl) -> Result<AnySession, Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::Store { place: folder.display().to_string(), why: error.to_string() })?;
    }
    let mut desk = Desk::open(store::connect(&path.display().to_string(), None)?)?;
    ctl.progress("filling the sandbox", 0, None);
    sandbox::fill(&mut desk, now, sandbox::SEED, ctl)?;
    if job::model(&mut desk)?.is_none() {
        let items = past::items(desk.state());
        let (trained, done) = retrain(&items, &TrainSpec::default(), None, ctl)?;
        job::keep_model(desk.repository(), &trained, None, done.replaced)?;
        // Nobody practises every twelve hours.
        let policy = Policy { deadline: PRACTICE, ..Policy::default() };
        desk.run(&Command {
            key: "sandbox policy".to_owned(),
            actor: SYSTEM.to_owned(),
            at: now,
            expect: None,
            action: Action::SetPolicy(policy),
        })?;
        sort_in::sort_in(&mut desk, Some(&trained), sort_in::BUDGET, true, now, ctl)?;
    }
    let name = if name.is_empty() { sandbox::TEAM[0].name } else { name };
    Session::of(desk, name)
}
