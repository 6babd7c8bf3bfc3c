//! What the processor spends its time on, written so that the compiler turns it into vector instructions.
//!
//! Each kernel is plain Rust over slices; [`pulp`] compiles it for several instruction sets and picks one when it runs.
//! Decoding one token is a chain of matrix-vector products, bound by memory: [`Panels`] keep the weights as these read
//! them, packed ones packed.

#![allow(clippy::inline_always, reason = "a body that is not inlined is compiled without the chosen instruction set")]

mod attention;
mod bend;
mod lanes;
mod math;
mod normal;
mod packed;
mod panels;
mod product;
mod rotary;
mod tile;

pub(crate) use attention::{Scoring, Shape, attend_many, attend_one};
pub(crate) use bend::{bend, gated, soft_cap};
pub(crate) use math::{highest, log_sum_exp};
pub(crate) use normal::{layer_norm, rms_norm};
pub use packed::PackedKind;
pub(crate) use panels::Panels;
pub(crate) use rotary::rotate;

/// Lanes of an accumulator: one AVX-512 register, two AVX2 ones.
const LANES: usize = 16;

/// Defines a function whose body is compiled for several instruction sets.
macro_rules! kernel {
    ($(#[$meta:meta])* fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "plain slices and sizes")]
        fn $name<'a>($($argument: $kind),*) {
            struct Kernel<'a>($($kind),*, std::marker::PhantomData<&'a ()>);
            impl pulp::NullaryFnOnce for Kernel<'_> {
                type Output = ();
                #[inline(always)]
                fn call(self) {
                    let Kernel($($argument),*, _) = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Kernel($($argument),*, std::marker::PhantomData::<&'a ()>));
        }
    };
}
pub(crate) use kernel;

/// Defines a function whose body works on [`lanes::Lanes`], called `$lanes` in it.
macro_rules! lane_kernel {
    (fn $name:ident($lanes:ident; $($argument:ident: $kind:ty),* $(,)?) $body:block) => {
        fn $name<'a>($($argument: $kind),*) {
            struct Kernel<'a>($($kind),*, std::marker::PhantomData<&'a ()>);
            impl $crate::kernels::lanes::OnLanes for Kernel<'_> {
                #[inline(always)]
                fn run<L: $crate::kernels::lanes::Lanes>(self, $lanes: L) {
                    let Kernel($($argument),*, _) = self;
                    $body
                }
            }
            $crate::kernels::lanes::on_lanes(Kernel($($argument),*, std::marker::PhantomData::<&'a ()>));
        }
    };
}
pub(crate) use lane_kernel;

/// Σ aᵢbᵢ.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a4, a_rest) = a.as_chunks::<{ 4 * LANES }>();
    let (b4, b_rest) = b.as_chunks::<{ 4 * LANES }>();
    let mut sums = [[0.0f32; LANES]; 4];
    for (a, b) in a4.iter().zip(b4) {
        for (part, sum) in sums.iter_mut().enumerate() {
            for (i, sum) in sum.iter_mut().enumerate() {
                *sum = a[part * LANES + i].mul_add(b[part * LANES + i], *sum);
            }
        }
    }
    let (a1, a_rest) = a_rest.as_chunks::<LANES>();
    let (b1, b_rest) = b_rest.as_chunks::<LANES>();
    for (a, b) in a1.iter().zip(b1) {
        for (i, sum) in sums[0].iter_mut().enumerate() {
            *sum = a[i].mul_add(b[i], *sum);
        }
    }
    let [first, rest @ ..] = &mut sums;
    for part in rest {
        for (sum, part) in first.iter_mut().zip(part) {
            *sum += *part;
        }
    }
    let sum: f32 = first.iter().sum();
    sum + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// How many of some pieces of work one thread takes: all where that is not worth waking a second one.
/// `cost` is the number of multiplications of each.
fn share(pieces: usize, cost: usize) -> usize {
    /// Multiplications that are worth waking a thread for: some ten microseconds.
    const WORTH: usize = 100_000;
    let threads = rayon::current_num_threads();
    if threads < 2 || pieces * cost < 2 * WORTH { pieces } else { pieces.div_ceil(threads).max(WORTH / cost.max(1)) }
}
