//! Opening a database and signing in.

use std::path::PathBuf;

use plumb_core::{Ctl, Job};

use super::{AnySession, Board, Workplace, card, sort_in, team};
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

    /// What may be kept to open it again: the address without a password.
    pub fn kept(&self) -> String {
        let Self::Database(db) = self else { return String::new() };
        let Some((kind, rest)) = db.split_once("://") else { return db.clone() };
        match rest.rsplit_once('@') {
            Some((user, place)) => format!("{kind}://{}@{place}", user.split(':').next().unwrap_or_default()),
            None => db.clone(),
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
        let mut address = None;
        let (mut session, accounts) = match &at {
            Where::Sandbox(path) => (sandbox(path, &who.name, now, ctl)?, false),
            Where::Database(db) => {
                let whole = with_sign_in(db, &who);
                let opened = database(&whole, &who, now)?;
                address = Some(whole);
                opened
            }
        };
        let card = card(&mut session);
        let mut work = Workplace::new(session);
        work.address = address;
        let board = work.board(&mut work.session())?;
        Ok(Opened { work, board, at, card, accounts })
    }
}

/// A server's address with the name and the password that were given beside it: what a file needs to sign in is what a
/// server needs to connect.
fn with_sign_in(db: &str, who: &SignIn) -> String {
    let Some((scheme, rest)) = db.split_once("://").filter(|(scheme, _)| scheme.starts_with("postgres")) else {
        return db.to_owned();
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (known, secret) = user.split_once(':').map_or((user, None), |(name, secret)| (name, Some(secret)));
    let name = if who.name.is_empty() { known.to_owned() } else { encoded(&who.name) };
    let secret = if who.password.is_empty() { secret.map(str::to_owned) } else { Some(encoded(&who.password)) };
    let user = match (name.is_empty(), secret) {
        (true, _) => return db.to_owned(),
        (false, Some(secret)) => format!("{name}:{secret}@"),
        (false, None) => format!("{name}@"),
    };
    format!("{scheme}://{user}{host}{path}")
}

/// As it may stand in an address.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
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
    let mut session = session;
    let alone = !server && session.inside().state().moderators.is_empty();
    if alone {
        // Whoever begins a team's file is on the team, or nobody could decide anything.
        let name = session.who().name.clone();
        team::join(&mut session, &format!("first {name}"), &name, false, true, now)?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_address_takes_name_and_password_and_keeps_no_password() {
        let who =
            |name: &str, password: &str| SignIn { name: name.to_owned(), password: password.to_owned(), found: false };
        let all = "postgres://mo%20re:p%40ss%2Fw@host:5432/team?x=1";
        assert_eq!(with_sign_in("postgres://host:5432/team?x=1", &who("mo re", "p@ss/w")), all);
        assert_eq!(with_sign_in("postgres://mo@host/team", &who("", "s")), "postgres://mo:s@host/team");
        assert_eq!(with_sign_in("postgres://mo:s@host/team", &who("", "")), "postgres://mo:s@host/team");
        assert_eq!(with_sign_in("postgres://mo:s@host/team", &who("al", "t")), "postgres://al:t@host/team");
        assert_eq!(with_sign_in("postgres://host/team", &who("", "t")), "postgres://host/team");
        assert_eq!(with_sign_in("team.db", &who("mo", "t")), "team.db");
        let kept = |db: &str| Where::Database(db.to_owned()).kept();
        assert_eq!(kept("postgres://mo:s@host/team"), "postgres://mo@host/team");
        assert_eq!((kept("postgres://host/team"), kept("a@b.db")), ("postgres://host/team".into(), "a@b.db".into()));
    }
}
