//! The inner layout of a convolution, (channel, row, column, batch), and what one tap reads and writes in it.

use std::ops::Deref;

use rayon::prelude::*;

use crate::op::Real;
use crate::op::axis::Run;
use crate::op::scratch::{Lease, Scratch};

/// Vectors as (channel, pixel, batch).
pub(super) enum Lanes<'a, T> {
    /// A single vector is already so.
    Same(&'a [T]),
    /// A copy.
    Turned(Lease<'a, T>),
}

impl<T> Deref for Lanes<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        match self {
            Self::Same(x) => x,
            Self::Turned(lanes) => lanes,
        }
    }
}

/// From one vector after the other to (channel, pixel, batch).
pub(super) fn to_lanes<'a, T: Real>(x: &'a [T], batch: usize, pixels: usize, scratch: &'a Scratch<T>) -> Lanes<'a, T> {
    if batch <= 1 {
        return Lanes::Same(x);
    }
    let len = x.len() / batch;
    let mut lanes = scratch.take(x.len());
    lanes.par_chunks_mut(pixels * batch).enumerate().for_each(|(channel, lane)| {
        for b in 0..batch {
            let plane = &x[b * len + channel * pixels..][..pixels];
            for (to, &from) in lane[b..].iter_mut().step_by(batch).zip(plane) {
                *to = from;
            }
        }
    });
    Lanes::Turned(lanes)
}

/// Back to one vector after the other.
pub(super) fn from_lanes<T: Real>(lanes: &[T], batch: usize, pixels: usize, x: &mut [T]) {
    if batch <= 1 {
        x.copy_from_slice(lanes);
        return;
    }
    let len = x.len() / batch;
    x.par_chunks_mut(pixels).enumerate().for_each(|(index, plane)| {
        let (b, channel) = (index / (len / pixels), index % (len / pixels));
        let lane = &lanes[channel * pixels * batch..][..pixels * batch];
        for (to, &from) in plane.iter_mut().zip(lane[b..].iter().step_by(batch)) {
            *to = from;
        }
    });
}

/// Read one tap of one channel for some output rows: `out` is (row, column, batch).
pub(super) fn gather<T: Real>(
    source: &[T],
    width: usize,
    batch: usize,
    down: &[Option<usize>],
    across: &[Run],
    out: &mut [T],
) {
    let out_width = out.len() / down.len();
    for (&row, out) in down.iter().zip(out.chunks_exact_mut(out_width)) {
        let Some(row) = row else {
            out.fill(T::default());
            continue;
        };
        let source = &source[row * width * batch..(row + 1) * width * batch];
        for run in across {
            let out = &mut out[run.output * batch..(run.output + run.len) * batch];
            match run.input {
                Some(first) => out.copy_from_slice(&source[first * batch..(first + run.len) * batch]),
                None => out.fill(T::default()),
            }
        }
    }
}

/// The adjoint of [`gather`]: add what one tap read back to where it came from.
pub(super) fn scatter<T: Real>(
    values: &[T],
    width: usize,
    batch: usize,
    down: &[Option<usize>],
    across: &[Run],
    target: &mut [T],
) {
    let out_width = values.len() / down.len();
    for (&row, values) in down.iter().zip(values.chunks_exact(out_width)) {
        let Some(row) = row else { continue };
        let target = &mut target[row * width * batch..(row + 1) * width * batch];
        for run in across {
            let Some(first) = run.input else { continue };
            let values = &values[run.output * batch..(run.output + run.len) * batch];
            for (to, &value) in target[first * batch..(first + run.len) * batch].iter_mut().zip(values) {
                *to += value;
            }
        }
    }
}
