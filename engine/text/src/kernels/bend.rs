//! Activations of MLPs, and soft caps.

use super::kernel;
use super::math::{gelu_tanh, silu, tanh};
use crate::config::Activation;

/// Applies a function to pieces of rows on all threads; `rows` numbers of `input` for each `out`.
macro_rules! elementwise {
    ($name:ident, $gated:ident, $function:expr) => {
        kernel! {
            fn $name(values: &'a mut [f32]) {
                for value in values {
                    *value = $function(*value);
                }
            }
        }
        kernel! {
            fn $gated(gate: &'a [f32], up: &'a [f32], out: &'a mut [f32]) {
                for ((gate, up), out) in gate.iter().zip(up).zip(out) {
                    *out = $function(*gate) * up;
                }
            }
        }
    };
}

elementwise!(bend_silu, gated_silu, silu);
elementwise!(bend_gelu, gated_gelu, gelu_tanh);
elementwise!(bend_relu, gated_relu, |x: f32| x.max(0.0));

kernel! {
    fn cap_all(values: &'a mut [f32], cap: f32) {
        let inverse = 1.0 / cap;
        for value in values {
            *value = cap * tanh(*value * inverse);
        }
    }
}

/// Numbers that are worth waking a thread for.
const WORTH: usize = 1 << 14;

fn pieces(values: &mut [f32], work: impl Fn(&mut [f32]) + Sync) {
    use rayon::prelude::*;
    if values.len() < 2 * WORTH {
        work(values);
    } else {
        values.par_chunks_mut(WORTH).for_each(&work);
    }
}

/// Bends every value in place.
pub(crate) fn bend(activation: Activation, values: &mut [f32]) {
    pieces(values, |values| match activation {
        Activation::Silu => bend_silu(values),
        Activation::GeluTanh => bend_gelu(values),
        Activation::Relu => bend_relu(values),
    });
}

/// Rows of (gate, up), each `width` wide, to rows of bend(gate)·up.
pub(crate) fn gated(activation: Activation, rows: &[f32], width: usize, out: &mut [f32]) {
    use rayon::prelude::*;
    let row = |(row, out): (&[f32], &mut [f32])| {
        let (gate, up) = row.split_at(width);
        match activation {
            Activation::Silu => gated_silu(gate, up, out),
            Activation::GeluTanh => gated_gelu(gate, up, out),
            Activation::Relu => gated_relu(gate, up, out),
        }
    };
    if out.len() < 2 * WORTH {
        rows.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)).for_each(row);
    } else {
        let shortest = (WORTH / width).max(1);
        let rows = rows.par_chunks_exact(2 * width).zip(out.par_chunks_exact_mut(width));
        rows.with_min_len(shortest).for_each(row);
    }
}

/// c·tanh(x/c) in place.
pub(crate) fn soft_cap(values: &mut [f32], cap: f32) {
    pieces(values, |values| cap_all(values, cap));
}
