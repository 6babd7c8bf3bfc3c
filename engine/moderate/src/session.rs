//! A desk with somebody signed in: they act under their own name and see what is theirs to see. The window and the
//! command line work through this, so that no screen can show what it should not have.

use std::time::Duration;

use crate::Error;
use crate::account::{self, Identity};
use crate::command::{Action, Command, SYSTEM};
use crate::desk::{Desk, Receipt, Verified};
use crate::model::{ModId, Policy, Time};
use crate::queue::Queue;
use crate::store::Repository;
use crate::view::{self, CaseView, PanelView};

/// Somebody at a desk.
#[derive(Debug)]
pub struct Session<R> {
    desk: Desk<R>,
    who: Identity,
}

impl<R: Repository> Session<R> {
    /// Sign in with a password; where the database knows who is connected, that counts and the password is not read.
    pub fn sign_in(mut repository: R, name: &str, password: &str, now: Time) -> Result<Self, Error> {
        let who = match repository.identity()? {
            Some(who) => who,
            None => account::sign_in(&mut repository, name, password, now)?,
        };
        Ok(Self { desk: Desk::open(repository)?, who })
    }

    /// The first account of a new file; it leads the team.
    pub fn found(mut repository: R, name: &str, password: &str) -> Result<Self, Error> {
        if repository.identity()?.is_some() || !repository.no_accounts()? {
            return Err(Error::SignIn("there are accounts already; sign in with one of them".to_owned()));
        }
        let who = account::set_password(&mut repository, name, password, true)?;
        Ok(Self { desk: Desk::open(repository)?, who })
    }

    /// A file without accounts, such as the sandbox: whoever opens it says who they are, and leads.
    pub fn without_account(repository: R, name: &str) -> Result<Self, Error> {
        Self::of(Desk::open(repository)?, name)
    }

    /// The same for a desk that is open already.
    pub(crate) fn of(mut desk: Desk<R>, name: &str) -> Result<Self, Error> {
        if desk.repository().identity()?.is_some() || !desk.repository().no_accounts()? {
            return Err(Error::SignIn("this database has accounts; sign in with name and password".to_owned()));
        }
        Ok(Self { desk, who: Identity { name: name.to_owned(), lead: true } })
    }

    /// Be somebody else, where there are no accounts.
    pub fn switch(&mut self, name: &str) -> Result<(), Error> {
        if self.desk.repository().identity()?.is_some() || !self.desk.repository().no_accounts()? {
            return Err(Error::SignIn("this database has accounts; sign in with name and password".to_owned()));
        }
        name.clone_into(&mut self.who.name);
        Ok(())
    }

    /// The desk, for views of this crate that show only what is theirs to see.
    pub(crate) fn inside(&mut self) -> &mut Desk<R> {
        &mut self.desk
    }

    /// Who is signed in.
    pub fn who(&self) -> &Identity {
        &self.who
    }

    fn lead(&self) -> Result<(), Error> {
        if self.who.lead { Ok(()) } else { Err(Error::refused("only those who lead the team may do this")) }
    }

    /// Give somebody an account or a new password; for oneself, without `lead`, anybody may.
    pub fn set_password(&mut self, name: &str, password: &str, lead: bool) -> Result<(), Error> {
        if name != self.who.name || lead != self.who.lead {
            self.lead()?;
        }
        account::set_password(self.desk.repository(), name, password, lead).map(|_| ())
    }

    /// Do something. What only those who lead may ask for is written down under the system's name.
    pub fn run(&mut self, key: &str, at: Time, expect: Option<u64>, action: Action) -> Result<Receipt, Error> {
        let actor = if action.needs_lead() {
            self.lead()?;
            SYSTEM
        } else if matches!(action, Action::Unseal(..)) {
            return Err(Error::refused("ballots are opened by the desk alone"));
        } else {
            &self.who.name
        };
        self.desk.run(&Command { key: key.to_owned(), actor: actor.to_owned(), at, expect, action })
    }

    /// Read what others did. Returns how many events that were.
    pub fn refresh(&mut self) -> Result<u64, Error> {
        self.desk.refresh()
    }

    /// Wait until others did something, at most `patience`, and read it. Whether they did.
    pub fn wait(&mut self, patience: Duration) -> Result<bool, Error> {
        let news = self.desk.repository().wait(patience)?;
        if news {
            self.desk.refresh()?;
        }
        Ok(news)
    }

    /// A panel, as far as one may see it.
    pub fn panel(&mut self, panel: &str) -> Result<PanelView, Error> {
        view::panel(&mut self.desk, panel, &self.who.name)
    }

    /// A case, as far as one may see it.
    pub fn case(&mut self, case: &str) -> Result<CaseView, Error> {
        view::case(&mut self.desk, case)
    }

    /// The queue of all cases, to filter and to search.
    pub fn queue(&self) -> Queue {
        Queue::of(self.desk.state())
    }

    /// The team's rules for panels.
    pub fn policy(&self) -> &Policy {
        &self.desk.state().policy
    }

    /// What the model thinks of single moderators on a case: for those who lead, and only once no vote is open.
    pub fn predictions(&mut self, case: &str) -> Result<Vec<(ModId, f64)>, Error> {
        self.lead()?;
        let panels = &self.desk.state().case(case)?.panels;
        if panels.iter().any(|panel| self.desk.state().running.contains(panel)) {
            return Err(Error::refused("the model's view is shown when the panel has ended"));
        }
        self.desk.predictions(case)
    }

    /// Check the whole log.
    pub fn verify(&mut self) -> Result<Verified, Error> {
        self.desk.verify()
    }

    /// The desk itself, for those who lead: imports, training, exports. It hides votes, too: they are not in its state.
    pub fn desk(&mut self) -> Result<&mut Desk<R>, Error> {
        self.lead()?;
        Ok(&mut self.desk)
    }
}
