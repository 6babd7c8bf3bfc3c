//! What panels buy: the share of the possible consistency gain that a ranking gets with a budget.

use plumb_core::random::Random;

use crate::agreement::{Counts, interval};
use crate::score;

/// Consistency of one case, decided by one moderator and by a panel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Consistency {
    /// Probability that two moderators agree.
    pub solo: f64,
    /// Probability that two panels agree.
    pub panel: f64,
    /// Probability that a panel is not unanimous.
    pub latent: f64,
    /// Probability that a panel's majority differs from the vote of its first member.
    pub overturn: f64,
}

impl Consistency {
    /// Panels of `n` drawn anew for each vote share.
    pub fn of(counts: Counts, n: usize) -> Self {
        Self::of_share(counts.share(), n)
    }

    /// Panels of `n` when each moderator removes with probability `s`.
    pub fn of_share(s: f64, n: usize) -> Self {
        let q = score::majority_of_equal(s, n);
        // Given the first vote, the rest decide: with the first to remove, `needed − 1` more are needed.
        let needed = n / 2 + 1;
        let rest = |k: usize| if k == 0 { 1.0 } else { at_least(s, n - 1, k) };
        let overturn = s * (1.0 - rest(needed - 1)) + (1.0 - s) * rest(needed);
        let unanimous = s.powi(n as i32) + (1.0 - s).powi(n as i32);
        Self { solo: score::consistency(s), panel: score::consistency(q), latent: 1.0 - unanimous, overturn }
    }

    /// Panels of `n` drawn from the team that voted, without replacement.
    pub fn of_team(counts: Counts, n: usize) -> Self {
        let q = score::majority_of_team(counts.remove, counts.votes(), n);
        Self { panel: score::consistency(q), ..Self::of(counts, n) }
    }

    fn gain(self) -> f64 {
        self.panel - self.solo
    }
}

fn at_least(s: f64, n: usize, k: usize) -> f64 {
    let mut counts = vec![0.0; n + 1];
    counts[0] = 1.0;
    for done in 0..n {
        for i in (0..=done).rev() {
            counts[i + 1] += counts[i] * s;
            counts[i] *= 1.0 - s;
        }
    }
    counts.get(k..).map_or(0.0, |tail| tail.iter().sum())
}

/// Budgets of every curve.
pub const BUDGETS: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Cases in descending order of `scores`; equal ones stay in order.
pub fn ranking(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order
}

/// `g(b)`: what the first `round(b·N)` cases of `order` gain, as a share of what all would.
pub fn gain_fraction(cases: &[Consistency], order: &[usize], budget: f64) -> f64 {
    let all: f64 = cases.iter().map(|case| case.gain()).sum();
    let taken = (budget * order.len() as f64).round() as usize;
    let got: f64 = order.iter().take(taken).filter_map(|i| cases.get(*i)).map(|case| case.gain()).sum();
    if all > 0.0 { got / all } else { budget }
}

/// The curve over [`BUDGETS`].
pub fn curve(cases: &[Consistency], order: &[usize]) -> Vec<[f64; 2]> {
    BUDGETS.iter().map(|b| [*b, gain_fraction(cases, order, *b)]).collect()
}

/// The best possible order.
pub fn oracle(cases: &[Consistency]) -> Vec<usize> {
    ranking(&cases.iter().map(|case| case.gain()).collect::<Vec<_>>())
}

/// Mean and standard deviation of `g(b)` over `draws` random orders, for each budget.
pub fn random(cases: &[Consistency], draws: usize, seed: u64) -> Vec<[f64; 3]> {
    let mut random = Random::new(seed, "random allocation");
    let mut order: Vec<usize> = (0..cases.len()).collect();
    let curves: Vec<Vec<[f64; 2]>> = (0..draws)
        .map(|_| {
            random.shuffle(&mut order);
            curve(cases, &order)
        })
        .collect();
    let n = draws.max(1) as f64;
    BUDGETS
        .iter()
        .enumerate()
        .map(|(i, b)| {
            let mean = curves.iter().map(|curve| curve[i][1]).sum::<f64>() / n;
            let variance = curves.iter().map(|curve| (curve[i][1] - mean).powi(2)).sum::<f64>() / n;
            [*b, mean, variance.sqrt()]
        })
        .collect()
}

/// 95 % interval of `g(b)` at each budget: cases drawn again with replacement.
pub fn curve_interval(cases: &[Consistency], scores: &[f64], draws: usize, seed: u64) -> Vec<[f64; 2]> {
    let mut random = Random::new(seed, "gain interval");
    let mut at = vec![Vec::with_capacity(draws); BUDGETS.len()];
    for _ in 0..draws {
        let chosen: Vec<usize> = (0..cases.len()).map(|_| random.below(cases.len())).collect();
        let cases: Vec<Consistency> = chosen.iter().map(|i| cases[*i]).collect();
        let order = ranking(&chosen.iter().map(|i| scores[*i]).collect::<Vec<_>>());
        for (values, point) in at.iter_mut().zip(curve(&cases, &order)) {
            values.push(point[1]);
        }
    }
    at.iter_mut().map(|values| interval(values).unwrap_or([0.0, 1.0])).collect()
}

/// Least budget, in steps of a hundredth, that buys nine tenths of the gain.
pub fn b90(cases: &[Consistency], order: &[usize]) -> f64 {
    (0..=100).map(|i| f64::from(i) / 100.0).find(|b| gain_fraction(cases, order, *b) >= 0.9).unwrap_or(1.0)
}

/// Votes a case costs on average: `(1 − b) + n·b`.
pub fn votes_per_case(budget: f64, n: usize) -> f64 {
    1.0 - budget + n as f64 * budget
}

/// Average precision: mean over the positives of the precision where each is found.
pub fn average_precision(scores: &[f64], truth: &[bool]) -> Option<f64> {
    let (mut found, mut sum) = (0.0, 0.0);
    for (rank, i) in ranking(scores).into_iter().enumerate() {
        if truth[i] {
            found += 1.0;
            sum += found / (rank + 1) as f64;
        }
    }
    (found > 0.0).then(|| sum / found)
}
