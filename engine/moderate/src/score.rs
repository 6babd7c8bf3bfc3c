//! How much moderators are expected to differ on a case, and what a panel would gain.
//!
//! `p` are the moderators' probabilities of removal, independent given the text. With `S1 = Σp`, `S2 = Σp²`.

use serde::{Deserialize, Serialize};

/// What cases are ranked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// `D` plus half the chance of a split as it is learnt from cases with several votes; `D` alone without such cases.
    #[default]
    Combined,
    /// Expected pairwise disagreement `D`.
    Disagreement,
    /// Consistency gained, from the mean probability of removal.
    Gain,
}

/// Expected pairwise disagreement `D = 2[(M−1)S1 − S1² + S2] / (M(M−1))`: the probability that two moderators
/// drawn at random decide differently. Zero for fewer than two.
pub fn disagreement(p: &[f64]) -> f64 {
    let m = p.len() as f64;
    if p.len() < 2 {
        return 0.0;
    }
    let (s1, s2) = p.iter().fold((0.0, 0.0), |(s1, s2), p| (s1 + p, p.mul_add(*p, s2)));
    2.0 * ((m - 1.0) * s1 - s1 * s1 + s2) / (m * (m - 1.0))
}

/// Probability that the roster is not unanimous, `N = 1 − Πp − Π(1−p)`.
pub fn non_unanimity(p: &[f64]) -> f64 {
    1.0 - p.iter().product::<f64>() - p.iter().map(|p| 1.0 - p).product::<f64>()
}

/// Entropy of a probability in bits.
pub fn entropy(s: f64) -> f64 {
    let term = |x: f64| if x > 0.0 { -x * x.log2() } else { 0.0 };
    term(s) + term(1.0 - s)
}

/// Probability that more than half of independent voters with probabilities `p` remove (Poisson binomial).
pub fn majority(p: &[f64]) -> f64 {
    let mut counts = vec![0.0; p.len() + 1];
    counts[0] = 1.0;
    for (done, p) in p.iter().enumerate() {
        for k in (0..=done).rev() {
            counts[k + 1] += counts[k] * p;
            counts[k] *= 1.0 - p;
        }
    }
    counts[p.len() / 2 + 1..].iter().sum()
}

/// The same for `n` voters with one probability: `q_n(s)`.
pub fn majority_of_equal(s: f64, n: usize) -> f64 {
    majority(&vec![s; n])
}

/// Probability of a removing majority among `n` drawn without replacement from a team of `team` of whom
/// `removers` remove (hypergeometric). `n` is at most `team`.
pub fn majority_of_team(removers: usize, team: usize, n: usize) -> f64 {
    let choose = |n: usize, k: usize| -> f64 {
        if k > n { 0.0 } else { (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64) }
    };
    let n = n.min(team);
    (n / 2 + 1..=n).map(|k| choose(removers, k) * choose(team - removers.min(team), n - k)).sum::<f64>()
        / choose(team, n)
}

/// Probability that two independent handlings agree, when each removes with probability `s`.
pub fn consistency(s: f64) -> f64 {
    s * s + (1.0 - s) * (1.0 - s)
}

/// Consistency gained by a panel of `n` over one moderator: `G = 2[s(1−s) − q(1−q)]` with `q = q_n(s)`.
pub fn gain(s: f64, n: usize) -> f64 {
    let q = majority_of_equal(s, n);
    2.0 * (s * (1.0 - s) - q * (1.0 - q))
}

#[cfg(test)]
mod tests {
    use plumb_core::random::Random;

    use super::*;

    /// V1.
    #[test]
    fn disagreement_identities() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(disagreement(&[0.0; 7]), 0.0);
        near(disagreement(&[1.0; 7]), 0.0);
        near(disagreement(&[0.5; 7]), 0.5);
        near(disagreement(&[1.0, 0.0]), 1.0);
        near(disagreement(&[0.3; 5]), 2.0 * 0.3 * 0.7);
        let mut random = Random::new(1, "V1");
        for _ in 0..1000 {
            let p: Vec<f64> = (0..2 + random.below(20)).map(|_| random.uniform()).collect();
            let mut sum = 0.0;
            for (i, a) in p.iter().enumerate() {
                sum += p[i + 1..].iter().map(|b| a * (1.0 - b) + b * (1.0 - a)).sum::<f64>();
            }
            near(disagreement(&p), 2.0 * sum / (p.len() * (p.len() - 1)) as f64);
        }
    }

    /// V2.
    #[test]
    fn majorities_equal_counting_all_cases() {
        let mut random = Random::new(2, "V2");
        for m in 1..=12 {
            let p: Vec<f64> = (0..m).map(|_| random.uniform()).collect();
            let brute: f64 = (0_u32..1 << m)
                .filter(|set| set.count_ones() as usize > m / 2)
                .map(|set| {
                    p.iter().enumerate().map(|(i, p)| if set >> i & 1 == 1 { *p } else { 1.0 - p }).product::<f64>()
                })
                .sum();
            assert!((majority(&p) - brute).abs() < 1e-12);
            for r in 0..=m {
                for n in 1..=m {
                    let sets = (0_u32..1 << m).filter(|set| set.count_ones() as usize == n);
                    let (all, won) = sets.fold((0.0, 0.0), |(all, won), set| {
                        let removing = (set & ((1 << r) - 1)).count_ones() as usize;
                        (all + 1.0, won + f64::from(u8::from(removing > n / 2)))
                    });
                    assert!((majority_of_team(r, m, n) - won / all).abs() < 1e-12);
                }
            }
        }
        let s: f64 = 0.2;
        assert!((majority_of_equal(s, 3) - (3.0 * s * s * (1.0 - s) + s.powi(3))).abs() < 1e-15);
    }

    /// V3.
    #[test]
    fn gain_table_and_its_top() {
        let table = [
            (0.05, 0.905, 0.00725, 0.080605),
            (0.1, 0.82, 0.028, 0.125568),
            (0.2, 0.68, 0.104, 0.133632),
            (0.25, 0.625, 0.15625, 0.111328),
            (1.0 / 3.0, 0.555556, 0.259259, 0.060357),
            (0.4, 0.52, 0.352, 0.023808),
            (0.5, 0.5, 0.5, 0.0),
        ];
        for (s, c0, q, g) in table {
            assert!((consistency(s) - c0).abs() < 1e-6);
            assert!((majority_of_equal(s, 3) - q).abs() < 1e-6);
            assert!((gain(s, 3) - g).abs() < 1e-6, "{s}: {}", gain(s, 3));
        }
        let best = (0..=50_000).map(|i| f64::from(i) / 1e5).max_by(|a, b| gain(*a, 3).total_cmp(&gain(*b, 3))).unwrap();
        assert!((best - 0.1563).abs() < 1e-4 && (gain(best, 3) - 0.141056).abs() < 1e-5, "{best} {}", gain(best, 3));
        assert_eq!(entropy(0.5), 1.0);
        assert!((non_unanimity(&[1.0, 0.0]) - 1.0).abs() < 1e-15);
    }
}
