//! Working memory that an operator keeps between applications. Asking the system for megabytes anew each time
//! costs more than some of the products that are computed in them.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Buffers that are not in use.
#[derive(Debug, Default)]
pub(crate) struct Scratch<T>(Mutex<Vec<Vec<T>>>);

impl<T> Clone for Scratch<T> {
    /// A copy of an operator grows its own.
    fn clone(&self) -> Self {
        Self(Mutex::default())
    }
}

impl<T: Copy + Default> Scratch<T> {
    /// A buffer of `len` numbers, whatever they are.
    pub(crate) fn take(&self, len: usize) -> Lease<'_, T> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest that is large enough, else the largest.
        let fit = (0..free.len()).min_by_key(|&i| {
            let capacity = free[i].capacity();
            (capacity < len, if capacity < len { usize::MAX - capacity } else { capacity })
        });
        let mut buffer = fit.map(|i| free.swap_remove(i)).unwrap_or_default();
        drop(free);
        buffer.resize(len, T::default());
        Lease { buffer, home: self }
    }
}

/// A buffer on loan; it goes back when dropped.
pub(crate) struct Lease<'a, T> {
    buffer: Vec<T>,
    home: &'a Scratch<T>,
}

impl<T: Copy + Default> Lease<'_, T> {
    /// Another length.
    pub(crate) fn resize(&mut self, len: usize) {
        self.buffer.resize(len, T::default());
    }
}

impl<T> Deref for Lease<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.buffer
    }
}

impl<T> DerefMut for Lease<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer
    }
}

impl<T> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.home.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}
