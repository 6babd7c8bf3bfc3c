//! Limited-memory BFGS: second-order steps from the last few gradients (Nocedal, 1980).

use std::collections::VecDeque;

/// Pairs of steps and gradient changes.
pub(super) struct Lbfgs {
    depth: usize,
    pairs: VecDeque<Pair>,
}

struct Pair {
    step: Vec<f32>,
    change: Vec<f32>,
    curvature: f64,
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}

fn add(to: &mut [f32], scale: f64, from: &[f32]) {
    let scale = scale as f32;
    for (to, from) in to.iter_mut().zip(from) {
        *to += scale * from;
    }
}

impl Lbfgs {
    pub fn new(depth: usize) -> Self {
        Self { depth, pairs: VecDeque::new() }
    }

    /// Inverse Hessian times `gradient`; `first` times the gradient while nothing is known.
    pub fn direction(&self, gradient: &[f32], first: f32) -> Vec<f32> {
        let mut q = gradient.to_vec();
        let Some(last) = self.pairs.back() else {
            for q in &mut q {
                *q *= first;
            }
            return q;
        };
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let alpha = dot(&pair.step, &q) / pair.curvature;
            add(&mut q, -alpha, &pair.change);
            alphas.push(alpha);
        }
        let scale = (last.curvature / dot(&last.change, &last.change)) as f32;
        for q in &mut q {
            *q *= scale;
        }
        for (pair, alpha) in self.pairs.iter().zip(alphas.into_iter().rev()) {
            let beta = dot(&pair.change, &q) / pair.curvature;
            add(&mut q, alpha - beta, &pair.step);
        }
        q
    }

    /// Remember a step; forgotten if it shows no positive curvature.
    pub fn learn(&mut self, from: &[f32], to: &[f32], before: &[f32], after: &[f32]) {
        let difference = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f32>>();
        let (step, change) = (difference(to, from), difference(after, before));
        let curvature = dot(&step, &change);
        if curvature > 1e-12 * dot(&step, &step) {
            self.pairs.push_back(Pair { step, change, curvature });
            if self.pairs.len() > self.depth {
                self.pairs.pop_front();
            }
        }
    }
}
