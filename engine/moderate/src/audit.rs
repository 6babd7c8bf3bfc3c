//! The chain that shows whether somebody changed the log from outside.
//!
//! `hash = SHA-256(previous hash ‖ 0 ‖ event as JSON)`, in hexadecimal; the first event follows [`GENESIS`].

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::draw;
use crate::event::{Event, What};
use crate::state::State;

/// What the first event follows.
pub const GENESIS: &str = "plumb-moderate";

/// The end of a log: number and hash of its last event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the last event; 0 in an empty log.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: 0, hash: GENESIS.to_owned() }
    }
}

/// An event as it is stored: its exact text and its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The event's number.
    pub seq: u64,
    /// The event as JSON, byte for byte what was hashed.
    pub text: String,
    /// Hash of this entry.
    pub hash: String,
}

/// Hexadecimal SHA-256 of `parts`, with a zero byte between them.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            hash.update([0]);
        }
        hash.update(part.as_bytes());
    }
    hexadecimal(&hash.finalize())
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
        text
    })
}

/// The first 128 bits of the SHA-256 of `text`: short enough to keep one for every command ever done.
pub fn mark(text: &str) -> u128 {
    Sha256::digest(text.as_bytes()).iter().take(16).fold(0, |mark, byte| mark << 8 | u128::from(*byte))
}

/// Chain `event` behind `head`.
pub fn seal(head: &Head, event: &Event) -> Result<Entry, Error> {
    let text = serde_json::to_string(event)
        .map_err(|error| Error::Illegal { seq: event.seq, why: format!("it cannot be written down ({error})") })?;
    let hash = fingerprint(&[&head.hash, &text]);
    Ok(Entry { seq: event.seq, text, hash })
}

/// Check that `entry` follows `head`, and read its event.
pub fn open(head: &Head, entry: &Entry) -> Result<Event, Error> {
    let chain = |why: &str| Error::Chain { seq: entry.seq, why: why.to_owned() };
    if entry.seq != head.seq + 1 {
        return Err(chain("an event is missing before it"));
    }
    if fingerprint(&[&head.hash, &entry.text]) != entry.hash {
        return Err(chain("its contents or an earlier hash do not match"));
    }
    let event: Event =
        serde_json::from_str(&entry.text).map_err(|error| chain(&format!("it is not an event ({error})")))?;
    if event.seq == entry.seq { Ok(event) } else { Err(chain("its number does not match")) }
}

/// A log read from its beginning, everything checked: chain, transitions, and every panel draw done over from its seed.
#[derive(Debug, Default)]
pub struct Replay {
    /// The last entry read.
    pub head: Head,
    /// The state it leads to.
    pub state: State,
}

impl Replay {
    /// Check the next entry and fold it in.
    pub fn step(&mut self, entry: &Entry) -> Result<(), Error> {
        let event = open(&self.head, entry)?;
        check_draw(&self.state, &event)?;
        self.state.apply(&event)?;
        self.head = Head { seq: entry.seq, hash: entry.hash.clone() };
        Ok(())
    }
}

/// Check a whole log. Returns its end and the state it leads to.
pub fn verify<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<(Head, State), Error> {
    let mut replay = Replay::default();
    for entry in entries {
        replay.step(entry)?;
    }
    Ok((replay.head, replay.state))
}

fn check_draw(state: &State, event: &Event) -> Result<(), Error> {
    let fits = match &event.what {
        What::PanelOpened { case, members, barred, seed, .. } => {
            draw::draw(&state.candidates(barred, false), members.len(), *seed) == *members
                && state.cases.contains_key(case)
        }
        What::Recused { panel, replacement, seed, .. } => {
            let drawn = draw::draw(&state.replacements(panel), 1, *seed);
            drawn.first() == replacement.as_ref()
        }
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(Error::Chain { seq: event.seq, why: "the draw cannot be repeated from its seed".to_owned() })
    }
}
