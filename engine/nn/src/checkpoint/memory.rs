//! How much may be read at once: asked of the system before a tensor is allocated.

use super::error::Fault;

/// Bytes that the system says can still be allocated; `None` where it does not say.
fn free() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Below this, asking the system costs more than it tells.
const ALWAYS_GRANTED: u64 = 4 << 20;

/// Fails when `needed` bytes for `what` are more than `limit` or, on Linux, than the memory that is free.
pub(super) fn reserve(what: &str, needed: u64, limit: Option<u64>) -> Result<(), Fault> {
    let available = match limit {
        Some(limit) => limit,
        None if needed <= ALWAYS_GRANTED => return Ok(()),
        None => free().unwrap_or(isize::MAX as u64),
    };
    if needed > available || needed > isize::MAX as u64 {
        return Err(Fault::TooLarge { what: what.to_owned(), needed, available });
    }
    Ok(())
}
