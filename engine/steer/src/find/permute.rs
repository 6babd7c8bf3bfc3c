//! How large scores get by chance: the labels are shuffled and everything is counted again.

use plumb_core::Ctl;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::score::{auroc_of, ranks};
use super::{Pooled, ScoreKind};
use crate::{Result, SteerError};

/// P-values by permutation, for one of the two scores that need no other statistic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Permutation {
    /// Shuffles.
    pub rounds: usize,
    /// For each feature `(1 + shuffles at least as good) / (1 + rounds)`.
    pub p: Vec<f64>,
    /// The same against the best feature of each shuffle: corrected for having looked at all features.
    pub p_family: Vec<f64>,
    /// The best score of any feature in each shuffle.
    pub best_by_chance: Vec<f64>,
}

/// Shuffles the labels `rounds` times; in a paired set the two texts of a pair change places or not. `kind` is
/// [`ScoreKind::MeanDiff`] or [`ScoreKind::Auroc`].
pub fn permute(pooled: &Pooled, kind: ScoreKind, paired: bool, rounds: usize, ctl: &Ctl) -> Result<Permutation> {
    let (first, second) = (pooled.first, pooled.second);
    let texts = first + second;
    if !matches!(kind, ScoreKind::MeanDiff | ScoreKind::Auroc) {
        return Err(SteerError::Spec(
            "p-values are there for the mean difference and for AUROC: choose one".to_owned(),
        ));
    }
    if first == 0 || second == 0 || (paired && first != second) {
        return Err(SteerError::Spec(
            "a contrast needs texts of both kinds, as many of each where they are pairs".to_owned(),
        ));
    }
    let ranked: Vec<(Vec<u64>, u64)> = match kind {
        ScoreKind::Auroc => pooled.values.par_iter().map(|values| ranks(values, texts)).collect(),
        _ => Vec::new(),
    };
    let statistic = |feature: usize, is_first: &[bool]| -> f64 {
        let values = &pooled.values[feature];
        if kind == ScoreKind::Auroc {
            let (ranks, zero) = &ranked[feature];
            let chosen = || values.iter().zip(ranks).filter(|((text, _), _)| is_first[*text as usize]);
            let sum: u64 = chosen().map(|(_, rank)| rank).sum();
            return auroc_of(sum + zero * (first - chosen().count()) as u64, first, second);
        }
        let mut sums = [0f64; 2];
        for &(text, value) in values {
            sums[usize::from(!is_first[text as usize])] += f64::from(value);
        }
        sums[0] / first as f64 - sums[1] / second as f64
    };
    let true_labels: Vec<bool> = (0..texts).map(|text| text < first).collect();
    let all = |labels: &[bool]| -> Vec<f64> {
        (0..pooled.values.len()).into_par_iter().map(|feature| statistic(feature, labels)).collect()
    };
    let observed = all(&true_labels);
    let mut random = ctl.random("permutations");
    let mut labels = true_labels;
    let (mut better, mut better_family) = (vec![0usize; observed.len()], vec![0usize; observed.len()]);
    let mut best_by_chance = Vec::with_capacity(rounds);
    for round in 0..rounds {
        ctl.check()?;
        ctl.progress("Shuffling labels", round as u64, Some(rounds as u64));
        if paired {
            for pair in 0..first {
                let swap = random.below(2) == 1;
                (labels[pair], labels[first + pair]) = (!swap, swap);
            }
        } else {
            random.shuffle(&mut labels);
        }
        let shuffled = all(&labels);
        let best = shuffled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Sums in another order differ in their last digits: that is no better.
        let reaches = |value: f64, observed: f64| value >= observed - 1e-12 * observed.abs();
        for (feature, (&value, &observed)) in shuffled.iter().zip(&observed).enumerate() {
            better[feature] += usize::from(reaches(value, observed));
            better_family[feature] += usize::from(reaches(best, observed));
        }
        best_by_chance.push(best);
    }
    let p = |counts: Vec<usize>| counts.into_iter().map(|n| (n + 1) as f64 / (rounds + 1) as f64).collect();
    Ok(Permutation { rounds, p: p(better), p_family: p(better_family), best_by_chance })
}
