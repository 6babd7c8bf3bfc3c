//! Small questions to a slot that every panel asks.

use plumb_core::Slot;

/// Whether the newest answer is whole and there was no error.
pub fn settled<T: Send + 'static, P: Send + 'static>(slot: &Slot<T, P>) -> bool {
    !slot.is_pending() && slot.error().is_none() && slot.value().is_some()
}

/// The error was read; the value from before it stays.
pub fn forget_error<T: Clone + Send + 'static, P: Send + 'static>(slot: &mut Slot<T, P>) {
    match slot.value().cloned() {
        Some(value) => slot.set(value),
        None => slot.clear(),
    }
}
