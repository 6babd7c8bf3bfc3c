//! What can go wrong, said so that a moderator can act on it.

use plumb_core::Cancelled;

/// Why something was refused or failed. Nothing was changed when one of these comes back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such case, panel or moderator.
    #[error("there is no {kind} called “{id}”; refresh the list")]
    Unknown {
        /// Case, panel or moderator.
        kind: &'static str,
        /// The name asked for.
        id: String,
    },
    /// Somebody changed the case in between.
    #[error(
        "case “{case}” has changed since you looked at it (you saw revision {seen}, it is at {now}); look at it again"
    )]
    Stale {
        /// The case.
        case: String,
        /// Revision that was expected.
        seen: u64,
        /// Revision that is there.
        now: u64,
    },
    /// The action does not fit what the case, panel or person may do now.
    #[error("{0}")]
    Refused(String),
    /// The same command key was used for two different commands.
    #[error("command “{0}” was sent before with other contents; send it under a new key")]
    KeyReused(String),
    /// A record does not follow from those before it.
    #[error("event {seq} cannot follow from the ones before it: {why}. Restore a backup")]
    Illegal {
        /// The event's number.
        seq: u64,
        /// What is wrong.
        why: String,
    },
    /// The hash chain is broken.
    #[error("the log was changed from outside at event {seq}: {why}. Restore a backup")]
    Chain {
        /// The first event that does not fit.
        seq: u64,
        /// What does not fit.
        why: String,
    },
    /// The database said no.
    #[error("{place}: {why}")]
    Store {
        /// The database.
        place: String,
        /// The reason, with what to do.
        why: String,
    },
    /// The connection to the database is gone.
    #[error("{place}: the connection is lost ({why}). {}", if *.unknown { "It is not known whether the last action arrived; do it again, it will not count twice" } else { "Nothing was sent; try again, Plumb connects anew" })]
    Lost {
        /// The database.
        place: String,
        /// The reason.
        why: String,
        /// Whether something was on its way that may have arrived.
        unknown: bool,
    },
    /// Name and password do not belong together, or too many tries were made.
    #[error("{0}")]
    SignIn(String),
    /// The database was written by a newer program.
    #[error(
        "{place} was written by a newer Plumb (format {found}, this one knows {known}); use the newer program. Nothing was changed"
    )]
    Newer {
        /// The database.
        place: String,
        /// Its format.
        found: i64,
        /// The newest format this program knows.
        known: i64,
    },
    /// A file could not be read at all.
    #[error("{place} cannot be read: {why}")]
    Import {
        /// The file.
        place: String,
        /// The reason.
        why: String,
    },
    /// There is too little to learn from.
    #[error("{0}")]
    TooLittle(String),
    /// Stopped by request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Error {
    pub(crate) fn unknown(kind: &'static str, id: &str) -> Self {
        Self::Unknown { kind, id: id.to_owned() }
    }

    pub(crate) fn not_empty(place: &str) -> Self {
        let why = "it is not empty; restore into a new one. Nothing was changed".to_owned();
        Self::Store { place: place.to_owned(), why }
    }

    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

impl From<Error> for plumb_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Cancelled(cancelled) => cancelled.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}
