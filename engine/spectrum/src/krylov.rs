//! Block Lanczos on `MᵀM` or `MMᵀ`, whichever is smaller.
//!
//! After Golub and Underwood (1977), with full reorthogonalisation, a Rayleigh–Ritz finish and thick restarts
//! (Wu and Simon 2000). A block of more than k vectors finds singular values that come several times, as those
//! of circular, dilated and 1×1 convolutions do.

use faer::Mat;
use plumb_core::Ctl;
use plumb_core::random::Random;

use crate::blocks::{add_combination, combination, dot, dots, orthonormal, symmetric_eigen};
use crate::op::{LinearOp, Real};
use crate::singular::{Ritz, SingularTriplets, SpectrumError, TraceStep, ritz};
use crate::spec::Method;

/// What is asked of the iteration.
#[derive(Clone, Debug)]
pub struct KrylovOptions<'a, T> {
    /// Triplets wanted.
    pub k: usize,
    /// Vectors per block; 0 takes a few more than `k`, or about half of `k` where values come once each.
    pub block: usize,
    /// Stop when every wanted triplet has `‖Mᵀu − σv‖ ≤ tolerance · σ₁`.
    pub tolerance: f64,
    /// Stop already when the values themselves are expected to be right to this relative accuracy. They are long
    /// before the vectors are: their error falls with the square of the residual. 0 stops by residual alone.
    pub accuracy: f64,
    /// Most applications of `MᵀM` to one vector.
    pub max_applications: usize,
    /// Most vectors kept before a restart; 0 lets memory decide.
    pub max_basis: usize,
    /// Seed of the starting vectors.
    pub seed: u64,
    /// Right singular vectors of a nearby operator to start from, one after the other.
    pub warm: Option<&'a [T]>,
}

impl<T> Default for KrylovOptions<'_, T> {
    fn default() -> Self {
        Self {
            k: 4,
            block: 0,
            tolerance: 1e-4,
            accuracy: 0.0,
            max_applications: 1000,
            max_basis: 0,
            seed: 0,
            warm: None,
        }
    }
}

/// Bytes that the basis may take.
const BASIS_BYTES: usize = 256 << 20;
/// Vectors beyond which the small eigenvalue problem costs more than a restart.
const BASIS_VECTORS: usize = 200;

/// Rounding errors grow in the direction of a Ritz vector in proportion to 1 / its residual (Paige 1976). From this
/// share of √ε on the whole basis is cleaned now and then.
const LOSS: f64 = 1.0;
/// Vectors so short that cleaning the whole basis in every step costs nothing to speak of.
const SHORT: usize = 2048;

/// When new vectors are cleaned of the whole basis, not only of its last blocks.
///
/// Two steps in a row start the rounding errors of the recurrence anew; then they need a while to grow. How long is
/// learnt from what was found: the values stay right to ε while the basis is orthogonal to √ε (Simon 1984).
struct Cleaning {
    on: bool,
    /// Steps without cleaning after two with it.
    pause: usize,
    /// Steps since the first of the last two with it.
    step: usize,
}

impl Cleaning {
    const PAUSES: std::ops::RangeInclusive<usize> = 2..=16;
    /// Shares of √ε, in the cosine of a new vector with an old one, above which the pause was too long, and below
    /// which it may be longer.
    const MUCH: f64 = 0.2;
    const LITTLE: f64 = 0.02;

    fn due(&self) -> bool {
        self.on && self.step < 2
    }

    /// Note a step, and the largest cosine that it found if it was due.
    fn note(&mut self, cosine: f64, epsilon: f64) {
        if !self.on {
            return;
        }
        if self.step == 0 {
            if cosine > Self::MUCH * epsilon.sqrt() {
                self.pause = (self.pause / 2).max(*Self::PAUSES.start());
            } else if cosine < Self::LITTLE * epsilon.sqrt() {
                self.pause = (self.pause + 2).min(*Self::PAUSES.end());
            }
        }
        self.step = (self.step + 1) % (2 + self.pause);
    }
}

/// Residual above which no accuracy of the values is believed.
const LOOSEST_RESIDUAL: f64 = 0.05;

/// Values past the wanted ones that must have settled too: one that rises late may yet overtake a wanted one.
const LOOKED_BEYOND: usize = 2;

/// A look at the values costs an eigenvalue problem: there is one after every this share of the applications.
const LOOKS: usize = 12;
/// … and at least this many steps, so that a rise is more than chance.
const STEPS_BETWEEN: usize = 3;

/// How the values rose between the last looks, and how much further they will.
struct Progress {
    values: Vec<f64>,
    rises: Vec<f64>,
    /// What the last look expected.
    expected: f64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { values: Vec::new(), rises: Vec::new(), expected: f64::INFINITY }
    }
}

impl Progress {
    /// Note the eigenvalues. Gives the expected relative error of the top `k` singular values: Ritz values rise
    /// geometrically, so the last rise and the ratio of the last two tell what is left. The worse of two looks
    /// counts, because a value can rest before a larger one appears. An estimate, no bound.
    fn note(&mut self, values: &[f64], k: usize) -> f64 {
        let mut worst = 0.0_f64;
        let mut rises = Vec::with_capacity(k);
        for (i, &value) in values.iter().take(k).enumerate() {
            let rise = self.values.get(i).map_or(f64::INFINITY, |old| (value - old).max(0.0));
            let before = self.rises.get(i).copied().unwrap_or(f64::INFINITY);
            let ratio = if before.is_finite() && before > 0.0 { (rise / before).clamp(0.5, 0.95) } else { 0.95 };
            // σ = √λ has half the relative error.
            worst = worst.max(0.5 * rise * ratio / ((1.0 - ratio) * value.max(f64::MIN_POSITIVE)));
            rises.push(rise);
        }
        self.values = values.to_vec();
        self.rises = rises;
        worst.max(std::mem::replace(&mut self.expected, worst))
    }
}

/// `MᵀM` (or `MMᵀ`) as an operator on the smaller side.
struct Normal<'a, O: ?Sized> {
    op: &'a O,
    /// Whether the basis lives on the side of the outputs.
    on_outputs: bool,
    len: usize,
    other: usize,
}

impl<O: ?Sized> Normal<'_, O> {
    fn half<T: Real>(&self, x: &[T], y: &mut [T])
    where
        O: LinearOp<T>,
    {
        let batch = x.len() / self.len;
        if self.on_outputs { self.op.adjoint(x, batch, y) } else { self.op.apply(x, batch, y) }
    }

    fn back<T: Real>(&self, y: &[T], x: &mut [T])
    where
        O: LinearOp<T>,
    {
        let batch = y.len() / self.other;
        if self.on_outputs { self.op.apply(y, batch, x) } else { self.op.adjoint(y, batch, x) }
    }

    /// `MᵀM x` into `z`, with `y` for what is between.
    fn both<T: Real>(&self, x: &[T], y: &mut Vec<T>, z: &mut Vec<T>)
    where
        O: LinearOp<T>,
    {
        y.resize(x.len() / self.len * self.other, T::default());
        self.half(x, y);
        z.resize(x.len(), T::default());
        self.back(y, z);
    }
}

/// The growing orthonormal basis and the projection of the operator onto it.
struct Basis<T> {
    vectors: Vec<T>,
    len: usize,
    projected: Mat<f64>,
}

impl<T: Real> Basis<T> {
    fn count(&self) -> usize {
        self.vectors.len() / self.len
    }

    /// Subtract the basis' share from `block` and note it as the projection of the last vectors.
    ///
    /// In exact arithmetic only the vectors from `near` on have a share. They go first: what is large must be gone
    /// before the rest is measured, or rounding errors in the basis grow from step to step. The others' shares are
    /// rounding errors, and are left where they are unless `whole` is asked for: then the largest of their cosines
    /// with the block is given back.
    fn project(&mut self, block: &mut [T], near: usize, whole: bool) -> f64 {
        let (m, b) = (self.count(), block.len() / self.len);
        let mut shares = Mat::zeros(m, b);
        let mut cosine = 0.0_f64;
        for pass in 0..2 {
            let from = if pass == 1 && whole { 0 } else { near };
            let basis = &self.vectors[from * self.len..];
            let part = dots(basis, block, self.len);
            if pass == 1 && whole {
                let lengths = block.chunks_exact(self.len).map(|vector| dot(vector, vector).sqrt());
                for (j, length) in lengths.enumerate() {
                    let largest = (0..near).map(|i| part[(i, j)].abs()).fold(0.0, f64::max);
                    cosine = cosine.max(largest / length.max(f64::MIN_POSITIVE));
                }
            }
            add_combination(block, -1.0, part.as_ref(), basis, self.len);
            for j in 0..b {
                for i in from..m {
                    shares[(i, j)] += part[(i - from, j)];
                }
            }
        }
        self.projected.resize_with(m, m, |_, _| 0.0);
        for j in 0..b {
            for i in 0..m {
                self.projected[(i, m - b + j)] = shares[(i, j)];
                self.projected[(m - b + j, i)] = shares[(i, j)];
            }
        }
        // Of the two roundings of the square at the corner take the mean.
        for j in 0..b {
            for i in 0..j {
                let mean = 0.5 * (shares[(m - b + i, j)] + shares[(m - b + j, i)]);
                self.projected[(m - b + i, m - b + j)] = mean;
                self.projected[(m - b + j, m - b + i)] = mean;
            }
        }
        cosine
    }

    /// Random vectors beside the basis, orthonormal; fewer or none where there is no room.
    fn fresh(&self, count: usize, random: &mut Random) -> Result<Vec<T>, SpectrumError> {
        let count = count.min(self.len - self.count());
        let mut block: Vec<T> = (0..count * self.len).map(|_| T::of(random.normal())).collect();
        for _ in 0..2 {
            self.clean(&mut block);
            block = orthonormal(&block, self.len, 0.0)?;
        }
        Ok(block)
    }

    /// Subtract the whole basis' share from `block`.
    fn clean(&self, block: &mut [T]) {
        let shares = dots(&self.vectors, block, self.len);
        add_combination(block, -1.0, shares.as_ref(), &self.vectors, self.len);
    }
}

/// The top singular triplets of `op` by block Lanczos.
///
/// Fails when asked to stop and when values are not finite. A run that ends at `max_applications` gives what it
/// has, with `converged` false.
pub fn block_krylov<T: Real, O: LinearOp<T> + ?Sized>(
    op: &O,
    options: &KrylovOptions<'_, T>,
    ctl: &Ctl,
) -> Result<SingularTriplets<T>, SpectrumError> {
    let (inputs, outputs) = (op.input_len(), op.output_len());
    let on_outputs = outputs < inputs;
    let (len, other) = if on_outputs { (outputs, inputs) } else { (inputs, outputs) };
    let normal = Normal { op, on_outputs, len, other };
    let k = options.k.clamp(1, len);
    let block_size = match options.block {
        0 if op.simple_spectrum() => (k / 2).max(2),
        0 => k + (k / 2).clamp(2, 8),
        asked => asked,
    };
    let warm = options.warm.map_or(0, |warm| warm.len() / inputs).min(k);
    let block_size = block_size.max(warm).clamp(1, len);
    let by_memory = BASIS_BYTES / (len * size_of::<T>());
    let cap = if options.max_basis == 0 { by_memory.min(BASIS_VECTORS) } else { options.max_basis };
    let cap = cap.max(k + 3 * block_size).min(len);

    let mut basis = Basis { vectors: Vec::new(), len, projected: Mat::zeros(0, 0) };
    let mut block = start(&normal, block_size, options)?;
    let (mut near, mut applications, mut look) = (0, 0, 0);
    let mut top = f64::MIN_POSITIVE;
    let mut cleaning = Cleaning { on: false, pause: 6, step: 0 };
    let (mut between, mut next) = (Vec::new(), Vec::new());
    let mut trace = Vec::new();
    let mut progress = Progress::default();
    let mut random = Random::new(options.seed, "krylov again");
    let (values, vectors) = loop {
        ctl.check()?;
        let count = block.len() / len;
        basis.vectors.extend_from_slice(&block);
        normal.both(&block, &mut between, &mut next);
        applications += count;
        let cosine = basis.project(&mut next, near, len <= SHORT || cleaning.due());
        cleaning.note(cosine, T::EPSILON);
        // Next time the blocks before this one have no share.
        near = basis.count() - count;
        let rest = dots(&next, &next, len);
        let m = basis.count();
        if !rest[(0, 0)].is_finite() {
            return Err(SpectrumError::NotFinite);
        }
        let full = m + block_size > cap;
        if applications >= look || full || m >= len || applications >= options.max_applications {
            look = applications + (applications / LOOKS).max(STEPS_BETWEEN * (block_size - 1));
            let (values, vectors) = symmetric_eigen(basis.projected.as_ref())?;
            top = values[0].max(f64::MIN_POSITIVE);
            trace.push(TraceStep { applications, sigma: top.sqrt() });
            // ‖MᵀM v − σ² v‖ of a Ritz pair.
            let rests: Vec<f64> = (0..m)
                .map(|i| {
                    let last = |a: usize| vectors[(m - count + a, i)];
                    let pairs = (0..count).flat_map(|a| (0..count).map(move |b| (a, b)));
                    pairs.map(|(a, b)| last(a) * rest[(a, b)] * last(b)).sum::<f64>().max(0.0).sqrt()
                })
                .collect();
            // Over σ, against σ₁; a value that is zero to rounding is as good as it gets.
            let residual = |i: usize| rests[i] / (values[i].max(T::EPSILON * top) * top).sqrt();
            let largest = if m >= k { (0..k).map(residual).fold(0.0, f64::max) } else { f64::INFINITY };
            let reached = largest <= 0.8 * options.tolerance
                || progress.note(&values, k + LOOKED_BEYOND) <= options.accuracy && largest <= LOOSEST_RESIDUAL;
            if reached || m >= len || applications >= options.max_applications {
                break (values, vectors);
            }
            let least = rests.iter().copied().fold(f64::INFINITY, f64::min);
            cleaning.on = cleaning.on || full || least * T::EPSILON.sqrt() <= LOSS * T::EPSILON * top;
            if full {
                // Keep half of the room, best Ritz vectors first: the rest of the Krylov space is rebuilt from them.
                let kept = (cap / 2).max(k + block_size).min(m);
                basis.vectors = combination(vectors.as_ref().subcols(0, kept), &basis.vectors, len);
                basis.projected = Mat::from_fn(kept, kept, |i, j| if i == j { values[i] } else { 0.0 });
                near = 0;
            }
        }
        let floor = 50.0 * T::EPSILON * top;
        let shortest = (0..count).map(|i| rest[(i, i)].max(0.0).sqrt()).fold(f64::INFINITY, f64::min);
        block = orthonormal(&next, len, floor)?;
        if shortest < 1e-3 * top {
            // Scaling up what is short scales up the rounding errors in it.
            basis.clean(&mut block);
            block = orthonormal(&block, len, 0.5)?;
        }
        let room = len - basis.count();
        block.truncate(room * len);
        if block.is_empty() {
            // The basis is closed under the operator. A few vectors beside it show values that come again.
            near = 0;
            block = if m < k + block_size { basis.fresh(block_size, &mut random)? } else { Vec::new() };
            if block.is_empty() {
                break symmetric_eigen(basis.projected.as_ref())?;
            }
        }
    };
    let found = k.min(values.len());
    let best = combination(vectors.as_ref().subcols(0, found), &basis.vectors, len);
    let loose = if options.accuracy > 0.0 { LOOSEST_RESIDUAL } else { 0.0 };
    finish(&normal, &best, options.tolerance.max(loose), applications, trace)
}

/// The first block: the warm vectors, taken to the side of the basis, and random ones.
fn start<T: Real, O: LinearOp<T> + ?Sized>(
    normal: &Normal<'_, O>,
    block_size: usize,
    options: &KrylovOptions<'_, T>,
) -> Result<Vec<T>, SpectrumError> {
    let len = normal.len;
    let mut block = Vec::with_capacity(block_size * len);
    if let Some(warm) = options.warm {
        let inputs = normal.op.input_len();
        let count = (warm.len() / inputs).min(block_size);
        let warm = &warm[..count * inputs];
        if warm.iter().all(|value| value.double().is_finite()) {
            if normal.on_outputs {
                block.resize(count * len, T::default());
                normal.op.apply(warm, count, &mut block);
            } else {
                block.extend_from_slice(warm);
            }
        }
    }
    let mut random = Random::new(options.seed, "krylov start");
    let scale = 1.0 / (len as f64).sqrt();
    while block.len() < block_size * len {
        block.push(T::of(random.normal() * scale));
    }
    orthonormal(&block, len, 0.0)
}

fn finish<T: Real, O: LinearOp<T> + ?Sized>(
    normal: &Normal<'_, O>,
    best: &[T],
    tolerance: f64,
    applications: usize,
    trace: Vec<TraceStep>,
) -> Result<SingularTriplets<T>, SpectrumError> {
    let len = normal.len;
    let Ritz { sigma, near, far } = ritz(best, len, |x, y| normal.half(x, y), normal.other)?;
    let mut back = vec![T::default(); near.len()];
    normal.back(&far, &mut back);
    let top = sigma.first().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
    let residual = back
        .chunks_exact(len)
        .zip(near.chunks_exact(len))
        .zip(&sigma)
        .map(|((back, near), &sigma)| {
            let square: f64 = back.iter().zip(near).map(|(b, n)| (b.double() - sigma * n.double()).powi(2)).sum();
            square.sqrt() / top
        })
        .fold(0.0, f64::max);
    let (u, v) = if normal.on_outputs { (near, far) } else { (far, near) };
    Ok(SingularTriplets {
        sigma,
        u,
        v,
        residual,
        converged: residual <= tolerance.max(30.0 * T::EPSILON),
        iterations: applications,
        trace,
        method: Method::Krylov,
    })
}
