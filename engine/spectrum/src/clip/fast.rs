//! FastClip as a whole: the crowd by frequency, the few by Gauss–Newton, and a fresh look at the end.

use plumb_core::Ctl;

use super::frequency::FrequencyClip;
use super::gauss_newton::{StepOptions, descend};
use super::{Layer, Target, measure};
use crate::op::{DenseOp, Kernelled, Real};
use crate::singular::SpectrumError;

/// Triplets per Gauss–Newton step.
const BLOCK: usize = 4;
/// More singular values than this above the target are a crowd.
const CROWD: usize = 8;
/// Most changes of the frequency level.
const LEVELS: usize = 4;
/// Most looks from a fresh start.
const LOOKS: usize = 4;
/// Most points tried on the line between a kernel above the target and one below.
const MOST_BETWEEN: usize = 30;
/// Multiply-adds of the decomposition of a matrix, up to which it is taken whole.
const WHOLE_MATRIX: f64 = 3e9;

/// Bring σ₁ of `op` to the target, from `before`. Gives the steps taken, and σ₁ where it was looked at afresh.
pub(super) fn fast_clip<T: Real>(
    op: &mut dyn Kernelled<T>,
    layer: &Layer<'_, T>,
    before: f64,
    target: &Target,
    ctl: &Ctl,
) -> Result<(usize, Option<f64>), SpectrumError> {
    let lower = before < target.to;
    if !lower && layer.is_matrix() {
        return Ok((clip_matrix(op, layer, target, ctl)?, None));
    }
    let mut steps = 0;
    if !lower && has_taps(layer) {
        let (taken, seen) = clip_crowd(op, layer, before, target, ctl)?;
        steps += taken;
        if seen.is_some_and(|sigma| target.is_near(sigma)) {
            return Ok((steps.max(1), seen));
        }
    }
    // Krylov may miss a direction that it was not started near: look again from elsewhere until nothing is found.
    for look in 0..LOOKS {
        let options = StepOptions {
            seed: target.seed.wrapping_add(1000 + look as u64),
            max_steps: target.max_steps.saturating_sub(steps),
            ..StepOptions::gauss_newton(target, if lower { 1 } else { BLOCK })
        };
        let sigma = measure::norm(&*op, target.tolerance, options.seed, ctl)?;
        let settled = sigma <= options.upper && sigma >= options.lower;
        if (settled && steps + look > 0) || steps >= target.max_steps {
            return Ok((steps.max(1), Some(sigma)));
        }
        steps += descend(op, &options, None, ctl)?.steps;
    }
    Ok((steps.max(1), None))
}

fn has_taps<T>(layer: &Layer<'_, T>) -> bool {
    layer.kind.is_convolution() || layer.kind.is_transposed()
}

/// Dense layers and 1×1 convolutions: every direction above the target is its own, so all are clipped at once.
fn clip_matrix<T: Real>(
    op: &mut dyn Kernelled<T>,
    layer: &Layer<'_, T>,
    target: &Target,
    ctl: &Ctl,
) -> Result<usize, SpectrumError> {
    let (rows, columns) = (layer.weight_shape[0], layer.weight_shape[1]);
    let mut matrix = DenseOp::new(layer.weight.to_vec(), &[rows, columns])?;
    let small = rows.min(columns);
    let whole = rows as f64 * columns as f64 * small as f64 <= WHOLE_MATRIX;
    let mut k = if whole { small } else { 2 * CROWD };
    let mut steps = 0;
    while steps < target.max_steps {
        ctl.check()?;
        let top = if whole {
            crate::dense::triplets(&matrix, k, ctl)?
        } else {
            measure::top(&matrix, k, target.tolerance, target.seed.wrapping_add(steps as u64), None, ctl)?
        };
        let above = top.sigma.iter().take_while(|&&sigma| sigma > target.to).count();
        if above == 0 || (steps > 0 && top.sigma[0] <= target.to * (1.0 + 0.5 * target.tolerance)) {
            break;
        }
        let mut u = top.u[..above * rows].to_vec();
        for (u, &sigma) in u.chunks_exact_mut(rows).zip(&top.sigma) {
            let excess = T::of(sigma - target.to);
            for value in u {
                *value *= excess;
            }
        }
        let change = matrix.weight_gradient(&u, &top.v[..above * columns], above);
        let weight: Vec<T> = matrix.weight().iter().zip(change).map(|(&w, change)| w - change).collect();
        matrix.set_weight(&weight)?;
        steps += 1;
        if whole {
            break;
        }
        k = (2 * k).min(small);
    }
    op.set_weight(matrix.weight())?;
    Ok(steps)
}

/// The crowd: clip on the frequency grid, and move the level there until the true σ₁ is at the target.
fn clip_crowd<T: Real>(
    op: &mut dyn Kernelled<T>,
    layer: &Layer<'_, T>,
    before: f64,
    target: &Target,
    ctl: &Ctl,
) -> Result<(usize, Option<f64>), SpectrumError> {
    let c = target.to;
    let slack = target.tolerance.clamp(1e-4, 0.05);
    let mut frequency = FrequencyClip::new(layer.weight_shape, layer.geometry, target.seed);
    let single = |weight: &[T]| weight.iter().map(|w| w.double() as f32).collect::<Vec<f32>>();
    // Borders make the true operator smaller than its frequencies say (zeros) or a little larger (reflect).
    let (top, count) = frequency.look(&single(op.weight()), c, ctl)?;
    if count <= CROWD as f64 {
        return Ok((0, None));
    }
    let mut level = c * (top / before).max(1.0) * (1.0 - 0.3 * target.tolerance.min(0.05));
    let mut steps = 0;
    let mut above = (op.weight().to_vec(), before);
    for round in 0..LEVELS {
        let outcome = frequency.run(single(op.weight()), level, slack, ctl)?;
        steps += outcome.rounds;
        set(op, &outcome.weight)?;
        let sigma = measure::norm(&*op, target.tolerance, target.seed.wrapping_add(1 + round as u64), ctl)?;
        ctl.say(&format!("level {level:.4}: {} rounds, grid {:.4}, σ₁ {sigma:.4}", outcome.rounds, outcome.top));
        if sigma < c * (1.0 - 0.7 * target.tolerance) {
            let below = (op.weight().to_vec(), sigma);
            steps += between(op, below, &above, target, ctl)?;
            break;
        }
        if sigma <= c * (1.0 + 0.8 * target.tolerance) {
            return Ok((steps, Some(sigma)));
        }
        if outcome.above <= CROWD as f64 {
            break;
        }
        above = (op.weight().to_vec(), sigma);
        level *= c / sigma;
    }
    Ok((steps, None))
}

fn set<T: Real>(op: &mut dyn Kernelled<T>, weight: &[f32]) -> Result<(), SpectrumError> {
    let weight: Vec<T> = weight.iter().map(|&w| T::of(f64::from(w))).collect();
    Ok(op.set_weight(&weight)?)
}

/// On the line between a kernel below the target and one above it. σ₁ is convex in the kernel, so that the chord
/// never leads above the target; every other time the middle is taken, as the chord may creep.
fn between<T: Real>(
    op: &mut dyn Kernelled<T>,
    below: (Vec<T>, f64),
    above: &(Vec<T>, f64),
    target: &Target,
    ctl: &Ctl,
) -> Result<usize, SpectrumError> {
    let (mut below, mut above) = (below, above.clone());
    let c = target.to;
    for steps in 1..=MOST_BETWEEN {
        let chord = (c - below.1) / (above.1 - below.1);
        let share = T::of(if steps % 2 == 1 { chord } else { chord.max(0.5) });
        let kernel: Vec<T> = below.0.iter().zip(&above.0).map(|(&low, &high)| low + share * (high - low)).collect();
        op.set_weight(&kernel)?;
        let sigma = measure::norm(&*op, target.tolerance, target.seed.wrapping_add(steps as u64), ctl)?;
        if sigma < c * (1.0 - 0.7 * target.tolerance) {
            below = (kernel, sigma);
        } else if sigma > c * (1.0 + 0.8 * target.tolerance) {
            above = (kernel, sigma);
        } else {
            return Ok(steps);
        }
    }
    op.set_weight(&below.0)?;
    Ok(MOST_BETWEEN)
}
