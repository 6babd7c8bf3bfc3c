//! Who is on the team: for those who lead. Where the database knows people by password, a member gets one here too.

use plumb_core::{Ctl, Job};

use super::{AnySession, Board, Workplace};
use crate::Error;
use crate::command::Action;
use crate::model::{Moderator, Time};

/// Somebody who joins, leaves, or whose role changes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// The name they act and sign in under.
    pub name: String,
    /// A new password; empty to leave it as it is.
    pub password: String,
    /// May change the team and its rules.
    pub lead: bool,
    /// Votes in the shadow only.
    pub trainee: bool,
    /// Is on the team.
    pub active: bool,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Changing the team.
#[derive(Clone, Debug)]
pub struct TeamJob {
    /// Whose.
    pub work: Workplace,
    /// Who.
    pub member: Member,
    /// The clock.
    pub now: Time,
    /// Chosen by the asker.
    pub key: String,
}

impl Job for TeamJob {
    type Output = Board;
    type Partial = ();

    fn name(&self) -> String {
        "Changing the team".to_owned()
    }

    fn run(self, _ctl: &Ctl) -> Result<Board, plumb_core::Error> {
        let Self { work, member, now, key } = self;
        let name = member.name.trim().to_owned();
        if name.is_empty() || name == crate::command::SYSTEM {
            return Err(Error::refused("a moderator needs a name of their own").into());
        }
        let mut session = work.session();
        let repository = session.desk()?.repository();
        if !member.password.is_empty() {
            if repository.identity()?.is_none() && repository.no_accounts()? {
                let why = "this file has no accounts, so passwords mean nothing in it; open it with “make the first account” first";
                return Err(Error::refused(why).into());
            }
            repository.admit(&name, &member.password, member.lead)?;
        }
        join(&mut session, &key, &name, member.trainee, member.active, now)?;
        Ok(work.board(&mut session)?)
    }
}

/// Write into the log who somebody is from now on.
pub(super) fn join(
    session: &mut AnySession,
    key: &str,
    name: &str,
    trainee: bool,
    active: bool,
    now: Time,
) -> Result<(), Error> {
    let moderator = Moderator { id: name.to_owned(), trainee, active };
    session.run(key, now, None, Action::SetModerator(moderator)).map(|_| ())
}
