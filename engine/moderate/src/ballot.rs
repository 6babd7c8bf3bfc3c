//! Votes that are cast and not shown yet. While a panel is blind its ballots lie outside the log, each under its
//! voter's name; they enter it together when the panel is shown or ends. So nothing that others can read, not even
//! the length of the log, depends on them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{Ballot, ModId, PanelId, Time};

/// A vote on a blind panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The panel.
    pub panel: PanelId,
    /// Whose vote.
    pub moderator: ModId,
    /// The vote.
    pub ballot: Ballot,
    /// Key of the command that cast it.
    pub key: String,
    /// Fingerprint of that command.
    pub digest: String,
    /// When it was cast, by the voter's clock.
    pub at: Time,
}

impl Sealed {
    /// What becomes of `other`, cast where this one lies already.
    pub(crate) fn again(&self, other: &Self) -> Cast {
        if self.key == other.key && self.digest == other.digest { Cast::Repeated } else { Cast::Taken }
    }
}

/// What became of a ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// It is kept, and safe against a crash.
    Kept,
    /// Kept, and every member has voted now.
    Last,
    /// The same command was done before.
    Repeated,
    /// This moderator has voted already.
    Taken,
    /// Something changed since the caller looked, or the panel takes no more votes: read the news and decide again.
    Moved,
}

/// Who has voted on which blind panel, as far as the asker may know it.
pub type Voters = BTreeSet<(PanelId, ModId)>;
