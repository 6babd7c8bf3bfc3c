//! FastClip's steps on the top singular triplets of the true operator.
//!
//! For one triplet the paper's step is `W ← W − λ (σ₁ − c) G` with `G = ∂⟨u₁, M_W v₁⟩/∂W`. As `‖G‖² ≤ kh kw`,
//! λ = 1/(kh kw) never overshoots to first order, and the Gauss–Newton λ = 1/‖G‖² meets `c` to first order in
//! one step.
//!
//! For a block of triplets the same idea asks for the smallest ΔW with `Uᵀ ΔM V = −diag(σ − c)`:
//! `ΔW = −Σ a_ij G_ij`, `G_ij = ∂⟨u_i, M_W v_j⟩/∂W`, where `a` solves `Σ_kl ⟨G_ij, G_kl⟩ a_kl = δ_ij (σ_i − c)`.
//! The pairs i ≠ j keep equal singular values, which come in pairs for circular padding, from mixing back up.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use plumb_core::Ctl;

use super::{Target, measure};
use crate::op::{Kernelled, Real};
use crate::singular::{SingularTriplets, SpectrumError};
use crate::spec::ClipMode;

/// Most numbers that the gradients of a block may hold together.
const MOST_NUMBERS: usize = 1 << 24;

/// How to step.
#[derive(Clone, Debug)]
pub struct StepOptions {
    /// Triplets per step.
    pub block: usize,
    /// λ; `None` takes the Gauss–Newton step.
    pub lambda: Option<f64>,
    /// Where a step aims.
    pub aim: f64,
    /// Stop when σ₁ is at most this …
    pub upper: f64,
    /// … and, if values are also raised, at least this; 0 where they are not.
    pub lower: f64,
    /// A step that takes σ₁ from above `upper` to below this is partly taken back.
    pub floor: f64,
    /// Most steps.
    pub max_steps: usize,
    /// Relative accuracy of the triplets.
    pub tolerance: f64,
    /// Seed of starting vectors.
    pub seed: u64,
}

impl StepOptions {
    /// Gauss–Newton on `block` triplets. Aims a little below c where the tolerance allows, which saves steps.
    pub fn gauss_newton(target: &Target, block: usize) -> Self {
        let c = target.to;
        let lower = if target.mode == ClipMode::Equalise { c * (1.0 - target.tolerance) } else { 0.0 };
        Self {
            block,
            lambda: None,
            aim: c * (1.0 - 0.25 * target.tolerance),
            upper: c * (1.0 + 0.8 * target.tolerance),
            lower,
            floor: c * (1.0 - 0.9 * target.tolerance),
            max_steps: target.max_steps,
            tolerance: target.tolerance,
            seed: target.seed,
        }
    }

    /// The paper's fixed λ on the top triplet.
    pub fn fixed(target: &Target, lambda: f64) -> Self {
        Self { block: 1, lambda: Some(lambda), aim: target.to, ..Self::gauss_newton(target, 1) }
    }
}

/// What a run of steps did.
#[derive(Clone, Debug)]
pub struct Descent {
    /// σ₁ before each step and after the last.
    pub trace: Vec<f64>,
    /// Steps taken.
    pub steps: usize,
}

/// Step until σ₁ is within the bounds or the steps are used up. `warm` are right singular vectors to start from.
pub fn descend<T: Real, O: Kernelled<T> + ?Sized>(
    op: &mut O,
    options: &StepOptions,
    warm: Option<Vec<T>>,
    ctl: &Ctl,
) -> Result<Descent, SpectrumError> {
    let largest = (MOST_NUMBERS / op.weight().len().max(1)).isqrt().max(1);
    let block = options.block.clamp(1, largest);
    let mut warm = warm;
    let mut above: Option<(Vec<T>, f64)> = None;
    let mut descent = Descent { trace: Vec::new(), steps: 0 };
    loop {
        ctl.check()?;
        let top = measure::top(op, block, options.tolerance, options.seed, warm.as_deref(), ctl)?;
        let sigma = top.sigma.first().copied().unwrap_or(0.0);
        if !sigma.is_finite() {
            return Err(SpectrumError::NotFinite);
        }
        descent.trace.push(sigma);
        let overdone = if sigma < options.floor { above.take() } else { None };
        let settled = sigma <= options.upper && sigma >= options.lower && overdone.is_none();
        if settled || descent.steps == options.max_steps {
            return Ok(descent);
        }
        descent.steps += 1;
        if let Some((kernel, before)) = overdone {
            // σ₁ is convex in the kernel, so that the chord never leads above the aim.
            let share = T::of((options.aim - sigma) / (before - sigma));
            let back: Vec<T> =
                op.weight().iter().zip(&kernel).map(|(&low, &high)| low + share * (high - low)).collect();
            op.set_weight(&back)?;
            above = Some((kernel, before));
        } else {
            if sigma > options.upper {
                above = Some((op.weight().to_vec(), sigma));
            }
            step(op, &top, options)?;
        }
        warm = Some(top.v);
    }
}

/// One step on the triplets that are on the wrong side of the aim.
fn step<T: Real, O: Kernelled<T> + ?Sized>(
    op: &mut O,
    top: &SingularTriplets<T>,
    options: &StepOptions,
) -> Result<(), SpectrumError> {
    let (inputs, outputs) = (op.input_len(), op.output_len());
    let raise = top.sigma[0] < options.aim;
    // Only σ₁ is ever raised: lifting the others would fill up the spectrum.
    let count = if raise { 1 } else { top.sigma.iter().take_while(|&&sigma| sigma > options.aim).count() };
    let gradients = op.weight_gradients(&top.u[..count * outputs], &top.v[..count * inputs], count);
    let coefficients = match options.lambda {
        Some(lambda) => vec![lambda * (top.sigma[0] - options.aim)],
        None => solve(&gradients, &top.sigma[..count], options.aim)?,
    };
    let mut weight = op.weight().to_vec();
    for (gradient, coefficient) in gradients.iter().zip(coefficients) {
        let coefficient = T::of(coefficient);
        for (w, &g) in weight.iter_mut().zip(gradient) {
            *w -= coefficient * g;
        }
    }
    op.set_weight(&weight)?;
    Ok(())
}

/// The coefficients `a_ij` of the smallest change that meets the aim to first order.
fn solve<T: Real>(gradients: &[Vec<T>], sigma: &[f64], aim: f64) -> Result<Vec<f64>, SpectrumError> {
    let (count, pairs) = (sigma.len(), gradients.len());
    let dot = |a: &[T], b: &[T]| a.iter().zip(b).map(|(&a, &b)| a.double() * b.double()).sum::<f64>();
    let mut gram = Mat::<f64>::zeros(pairs, pairs);
    for i in 0..pairs {
        for j in 0..=i {
            let value = dot(&gradients[i], &gradients[j]);
            gram[(i, j)] = value;
            gram[(j, i)] = value;
        }
    }
    if count == 1 {
        return Ok(vec![if gram[(0, 0)] > 0.0 { (sigma[0] - aim) / gram[(0, 0)] } else { 0.0 }]);
    }
    // A small ridge: gradients of a small kernel may depend on each other.
    let ridge = 1e-7 * (0..pairs).map(|i| gram[(i, i)]).sum::<f64>() / pairs as f64;
    for i in 0..pairs {
        gram[(i, i)] += ridge;
    }
    let mut right = Mat::<f64>::zeros(pairs, 1);
    for (i, &sigma) in sigma.iter().enumerate() {
        right[(i * count + i, 0)] = sigma - aim;
    }
    let factor = gram.llt(Side::Lower).map_err(|error| SpectrumError::NoConvergence {
        what: "the system of a clipping step",
        reason: format!("{error:?}"),
    })?;
    factor.solve_in_place(&mut right);
    Ok((0..pairs).map(|i| right[(i, 0)]).collect())
}
