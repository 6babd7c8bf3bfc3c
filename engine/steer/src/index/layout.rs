//! Where each number lies in a record of `features.bin`.

use super::BINS;

/// Tokens with the largest and smallest logits that are kept.
pub const LOGITS: usize = 10;

/// Nearest decoder vectors that are kept, and features that often fire together with this one.
pub const NEIGHBOURS: usize = 8;

/// Version of the layout.
pub(super) const VERSION: u32 = 1;

/// Bytes: count 8, mean 4, max 4, range 4, windows' first byte 8, their bytes 4.
pub(super) const COUNT: usize = 0;
pub(super) const MEAN: usize = 8;
pub(super) const MAX: usize = 12;
pub(super) const RANGE: usize = 16;
pub(super) const WINDOWS_BYTES: usize = 20;
pub(super) const WINDOWS_AT: usize = 24;
pub(super) const HISTOGRAM: usize = 32;
/// Pairs of 32-bit number and 32-bit float; unused ones have number `u32::MAX`.
pub(super) const TOP_LOGITS: usize = HISTOGRAM + 4 * BINS;
pub(super) const BOTTOM_LOGITS: usize = TOP_LOGITS + 8 * LOGITS;
pub(super) const NEAREST: usize = BOTTOM_LOGITS + 8 * LOGITS;
pub(super) const TOGETHER: usize = NEAREST + 8 * NEIGHBOURS;
pub(super) const RECORD: usize = TOGETHER + 8 * NEIGHBOURS;

/// Number of an unused pair.
pub(super) const NONE: u32 = u32::MAX;

pub(super) fn put(record: &mut [u8], at: usize, bytes: &[u8]) {
    record[at..at + bytes.len()].copy_from_slice(bytes);
}

pub(super) fn put_pairs(record: &mut [u8], at: usize, count: usize, pairs: &[(u32, f32)]) {
    for slot in 0..count {
        let (number, value) = pairs.get(slot).copied().unwrap_or((NONE, 0.0));
        put(record, at + 8 * slot, &number.to_le_bytes());
        put(record, at + 8 * slot + 4, &value.to_le_bytes());
    }
}

/// Four bytes; zeros past the end, which [`read`](super::read) rules out by size checks.
pub(super) fn four(bytes: &[u8], at: usize) -> [u8; 4] {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).unwrap_or_default()
}

pub(super) fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(four(bytes, at))
}

pub(super) fn float(bytes: &[u8], at: usize) -> f32 {
    f32::from_le_bytes(four(bytes, at))
}

pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(number(bytes, at)) | u64::from(number(bytes, at + 4)) << 32
}

pub(super) fn pairs(bytes: &[u8], at: usize, count: usize) -> Vec<(u32, f32)> {
    (0..count)
        .map(|slot| (number(bytes, at + 8 * slot), float(bytes, at + 8 * slot + 4)))
        .filter(|(number, _)| *number != NONE)
        .collect()
}
