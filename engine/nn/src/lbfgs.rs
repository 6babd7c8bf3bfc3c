//! L-BFGS (Nocedal and Wright, algorithm 7.5) with backtracking: deterministic, for smooth convex functions.

use std::collections::VecDeque;

/// How many steps are remembered.
const MEMORY: usize = 8;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Minimise `f`, which writes its gradient, from `x`. Stops when the gradient has shrunk to `tolerance` of its
/// first length or after `steps`. `check` may end it with an error.
pub fn minimise<E>(
    x: &mut [f64],
    steps: usize,
    tolerance: f64,
    mut f: impl FnMut(&[f64], &mut [f64]) -> f64,
    mut check: impl FnMut() -> Result<(), E>,
) -> Result<(), E> {
    let mut gradient = vec![0.0; x.len()];
    let mut value = f(x, &mut gradient);
    let first = dot(&gradient, &gradient).sqrt();
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    for _ in 0..steps {
        check()?;
        if dot(&gradient, &gradient).sqrt() <= tolerance * first {
            break;
        }
        let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut used = Vec::with_capacity(memory.len());
        for (s, y, rho) in memory.iter().rev() {
            let a = rho * dot(s, &direction);
            direction.iter_mut().zip(y).for_each(|(d, y)| *d -= a * y);
            used.push(a);
        }
        if let Some((_, y, rho)) = memory.back() {
            let scale = 1.0 / (rho * dot(y, y));
            for d in &mut direction {
                *d *= scale;
            }
        }
        for ((s, y, rho), a) in memory.iter().zip(used.iter().rev()) {
            let b = rho * dot(y, &direction);
            direction.iter_mut().zip(s).for_each(|(d, s)| *d += (a - b) * s);
        }
        let slope = dot(&gradient, &direction);
        let mut step = if memory.is_empty() { 1.0 / first.max(1.0) } else { 1.0 };
        let mut next_gradient = vec![0.0; x.len()];
        let found = (0..30).find_map(|_| {
            let next: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| step.mul_add(*d, *x)).collect();
            let next_value = f(&next, &mut next_gradient);
            if next_value <= value + 1e-4 * step * slope {
                return Some((next, next_value));
            }
            step *= 0.5;
            None
        });
        let Some((next, next_value)) = found else { break };
        let s: Vec<f64> = next.iter().zip(x.iter()).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let sy = dot(&s, &y);
        if sy > 1e-12 {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back((s, y, 1.0 / sy));
        }
        x.copy_from_slice(&next);
        value = next_value;
        gradient = next_gradient;
    }
    Ok(())
}
