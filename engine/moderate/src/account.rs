//! Signing in where the database does not do it: one argon2id hash a moderator, and a growing wait after failures.
//!
//! A SQLite file is one file: whoever can read it with another program can read all of it, votes on blind panels
//! too, and whoever can write it can change it (the hash chain then shows that). Sign-in keeps colleagues who share
//! a computer or a folder honest; it does not keep a secret from somebody who opens the file. A team that needs
//! that uses PostgreSQL, where the server decides who reads what.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::command::SYSTEM;
use crate::model::{ModId, Time};
use crate::store::Repository;

/// Failures without a wait.
const FREE: u32 = 5;

/// Longest wait after a failure, in seconds.
const LONGEST: Time = 15 * 60;

/// Fewest characters of a password.
const SHORTEST: usize = 8;

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The moderator's name.
    pub name: ModId,
    /// May change the team and its rules, bring cases in and see the model's view of single moderators.
    pub lead: bool,
}

/// What is kept of somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The moderator's name.
    pub name: ModId,
    /// The password's argon2id hash with its salt, in the usual text form.
    pub secret: String,
    /// Leads the team.
    pub lead: bool,
    /// Failures since the last success.
    pub failures: u32,
    /// When the last of them was.
    pub failed_at: Time,
}

fn hashed(password: &str) -> Result<String, Error> {
    if password.chars().count() < SHORTEST {
        return Err(Error::SignIn(format!("a password has at least {SHORTEST} characters")));
    }
    // A salt must not repeat, so it comes from the system and not from the seeded generator.
    let hash: Result<PasswordHash, _> = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| Error::SignIn(format!("the password cannot be kept: {error}")))
}

/// Seconds to wait at `now` before the next try.
fn wait(account: &Account, now: Time) -> Time {
    if account.failures < FREE {
        return 0;
    }
    let wait = (1 << (account.failures - FREE).min(20)).min(LONGEST);
    // A clock that went backwards does not lengthen the wait.
    (account.failed_at.min(now) + wait - now).max(0)
}

/// Give `name` a password: a new account, or a new password for an old one.
pub fn set_password(
    repository: &mut impl Repository,
    name: &str,
    password: &str,
    lead: bool,
) -> Result<Identity, Error> {
    repository.put_account(&fresh(name, password, lead)?)?;
    Ok(Identity { name: name.to_owned(), lead })
}

/// An account with this password.
pub(crate) fn fresh(name: &str, password: &str, lead: bool) -> Result<Account, Error> {
    if name == SYSTEM {
        return Err(Error::SignIn(format!("nobody may be called “{SYSTEM}”: the program acts under this name")));
    }
    Ok(Account { name: name.to_owned(), secret: hashed(password)?, lead, failures: 0, failed_at: 0 })
}

/// Check a password. Wrong names and wrong passwords give the same answer in about the same time.
pub fn sign_in(repository: &mut impl Repository, name: &str, password: &str, now: Time) -> Result<Identity, Error> {
    let wrong = || Error::SignIn("name and password do not belong together".to_owned());
    let Some(mut account) = repository.account(name)? else {
        let _ = Argon2::default().hash_password_into(password.as_bytes(), b"no such moderator", &mut [0; 32]);
        return Err(wrong());
    };
    let seconds = wait(&account, now);
    if seconds > 0 {
        return Err(Error::SignIn(format!("too many tries; wait {seconds} s")));
    }
    // Counted before it is checked: a try that is broken off counts too.
    account.failures = account.failures.saturating_add(1);
    account.failed_at = now;
    repository.put_account(&account)?;
    let stored = PasswordHash::new(&account.secret)
        .map_err(|error| Error::SignIn(format!("the account of “{name}” is damaged ({error}); set a new password")))?;
    Argon2::default().verify_password(password.as_bytes(), &stored).map_err(|_wrong| wrong())?;
    let found = Account { failures: 0, ..account.clone() };
    repository.put_account(&found)?;
    Ok(Identity { name: account.name, lead: account.lead })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_a_clock_cannot_lengthen_them() {
        let after =
            |failures| Account { name: String::new(), secret: String::new(), lead: false, failures, failed_at: 100 };
        assert_eq!([0, 4, 5, 6, 8, 40].map(|failures| wait(&after(failures), 100)), [0, 0, 1, 2, 8, LONGEST]);
        assert_eq!(wait(&after(8), 105), 3);
        assert_eq!(wait(&after(8), 108), 0);
        assert_eq!(wait(&after(8), -1_000_000), 8, "the clock went backwards");
    }
}
