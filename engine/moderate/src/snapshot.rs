//! The folded state, kept so that opening reads only the events after it. A convenience, never a source: one that is
//! damaged, of another layout, or of another log is ignored and made anew from the log.

use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::audit::Head;
use crate::state::State;

/// Layout of the bytes. Goes up whenever [`State`] or anything in it changes; a test notices.
pub const VERSION: u32 = 3;

/// A folded state as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Layout of `bytes`.
    pub version: u32,
    /// The last event that was folded in.
    pub head: Head,
    /// SHA-256 of all the rest, in hexadecimal.
    pub digest: String,
    /// The state.
    pub bytes: Vec<u8>,
}

fn digest(version: u32, head: &Head, bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(version.to_le_bytes());
    hash.update(head.seq.to_le_bytes());
    hash.update(head.hash.as_bytes());
    hash.update([0]);
    hash.update(bytes);
    crate::audit::hexadecimal(&hash.finalize())
}

impl Snapshot {
    /// The state at `head`, packed.
    pub fn pack(state: &State, head: &Head) -> Result<Self, Error> {
        let bytes = postcard::to_stdvec(state)
            .map_err(|error| Error::refused(format!("the state cannot be packed ({error})")))?;
        Ok(Self { version: VERSION, head: head.clone(), digest: digest(VERSION, head, &bytes), bytes })
    }

    /// The state, or nothing if this is not what [`Snapshot::pack`] made.
    pub fn unpack(&self) -> Option<State> {
        if self.version != VERSION || digest(self.version, &self.head, &self.bytes) != self.digest {
            return None;
        }
        let state: State = postcard::from_bytes(&self.bytes).ok()?;
        (state.seq == self.head.seq).then_some(state)
    }
}
