//! Drawing panel members: seeded, recorded, reproducible, and fair.

use plumb_core::random::Random;
use sha2::{Digest as _, Sha256};

use crate::model::ModId;

/// A moderator who may be drawn, and how many open seats they hold already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The name.
    pub id: ModId,
    /// Seats held on panels that still run.
    pub load: usize,
}

/// Draw up to `seats` names without replacement: a uniform shuffle, then those with fewer open seats first.
/// Among equals every set is equally likely. The answer depends on the names, the loads and the seed only.
pub fn draw(candidates: &[Candidate], seats: usize, seed: u64) -> Vec<ModId> {
    let mut order: Vec<&Candidate> = candidates.iter().collect();
    order.sort_by(|a, b| a.id.cmp(&b.id));
    Random::new(seed, "panel draw").shuffle(&mut order);
    order.sort_by_key(|candidate| candidate.load);
    order.into_iter().take(seats).map(|candidate| candidate.id.clone()).collect()
}

/// The seed of a draw: from the log so far, so that nobody can choose it, and from what is drawn.
pub fn seed(head: &str, what: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(head.as_bytes());
    hash.update([0]);
    hash.update(what.as_bytes());
    let bytes = hash.finalize();
    // 53 bits survive every JSON reader.
    bytes.iter().take(8).fold(0_u64, |seed, byte| seed << 8 | u64::from(*byte)) >> 11
}
