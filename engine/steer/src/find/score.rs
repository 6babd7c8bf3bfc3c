//! The five scores of a feature on a contrast set, and the choice of candidates.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Pooled;

/// Which score ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreKind {
    /// Mean over texts of the first kind minus that of the second.
    #[default]
    MeanDiff,
    /// That, divided by the second mean.
    RelDiff,
    /// That difference, divided by the pooled standard deviation.
    CohenD,
    /// Probability that a text of the first kind has the larger value, ties counting half.
    Auroc,
    /// Mean difference of pairs, divided by its standard error.
    PairedT,
}

/// All scores of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureScore {
    /// Its number.
    pub feature: usize,
    /// See [`ScoreKind::MeanDiff`].
    pub mean_diff: f64,
    /// See [`ScoreKind::RelDiff`].
    pub rel_diff: f64,
    /// See [`ScoreKind::CohenD`]; 0 where both kinds are constant.
    pub cohen_d: f64,
    /// See [`ScoreKind::Auroc`].
    pub auroc: f64,
    /// See [`ScoreKind::PairedT`]; `None` where the texts are no pairs.
    pub paired_t: Option<f64>,
    /// Share of the second kind's tokens where it fires.
    pub density_second: f64,
    /// Tokens of the first kind where it fires.
    pub firings_first: u32,
}

impl FeatureScore {
    /// One of the scores; that of pairs is lowest where there are none.
    pub fn get(&self, kind: ScoreKind) -> f64 {
        match kind {
            ScoreKind::MeanDiff => self.mean_diff,
            ScoreKind::RelDiff => self.rel_diff,
            ScoreKind::CohenD => self.cohen_d,
            ScoreKind::Auroc => self.auroc,
            ScoreKind::PairedT => self.paired_t.unwrap_or(f64::NEG_INFINITY),
        }
    }
}

/// Keeps [`FeatureScore::rel_diff`] finite for features that never fire on the second kind.
const EPSILON: f64 = 1e-6;

/// Scores of every feature. `paired` says that text `i` of one kind belongs to text `i` of the other.
pub fn score(pooled: &Pooled, paired: bool) -> Vec<FeatureScore> {
    let paired = paired && pooled.first == pooled.second;
    (0..pooled.values.len()).into_par_iter().map(|feature| one(pooled, feature, paired)).collect()
}

fn one(pooled: &Pooled, feature: usize, paired: bool) -> FeatureScore {
    let values = &pooled.values[feature];
    let (n1, n2) = (pooled.first as f64, pooled.second as f64);
    let (mut sums, mut squares) = ([0f64; 2], [0f64; 2]);
    for &(text, value) in values {
        let kind = usize::from(text as usize >= pooled.first);
        sums[kind] += f64::from(value);
        squares[kind] += f64::from(value).powi(2);
    }
    let mean = [sums[0] / n1.max(1.0), sums[1] / n2.max(1.0)];
    let scatter = (squares[0] - n1 * mean[0].powi(2)) + (squares[1] - n2 * mean[1].powi(2));
    let deviation = (scatter.max(0.0) / (n1 + n2 - 2.0).max(1.0)).sqrt();
    let mean_diff = mean[0] - mean[1];
    FeatureScore {
        feature,
        mean_diff,
        rel_diff: mean_diff / (mean[1] + EPSILON),
        cohen_d: if deviation > 0.0 { mean_diff / deviation } else { 0.0 },
        auroc: auroc(values, pooled.first, pooled.second),
        paired_t: paired.then(|| paired_t(values, pooled.first)),
        density_second: f64::from(pooled.firings[feature][1]) / pooled.tokens[1].max(1) as f64,
        firings_first: pooled.firings[feature][0],
    }
}

/// Twice the mid-rank of every stored value among all texts (the others are zero), in the order of `values`, and twice
/// the mid-rank of the zeros. Doubled, so that they are whole numbers. Values are not negative.
pub(super) fn ranks(values: &[(u32, f32)], texts: usize) -> (Vec<u64>, u64) {
    let zeros = (texts - values.len()) as u64;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].1.total_cmp(&values[b].1));
    let mut ranks = vec![0; values.len()];
    let mut at = 0;
    while at < order.len() {
        let value = values[order[at]].1;
        let end = at + order[at..].iter().take_while(|&&i| values[i].1 == value).count();
        // Ranks zeros + at + 1 ..= zeros + end.
        let rank = 2 * zeros + (at + 1 + end) as u64;
        for &i in &order[at..end] {
            ranks[i] = rank;
        }
        at = end;
    }
    (ranks, zeros + 1)
}

/// Exact, from the rank sum of the first kind.
fn auroc(values: &[(u32, f32)], first: usize, second: usize) -> f64 {
    if first == 0 || second == 0 {
        return 0.5;
    }
    let (ranks, zero) = ranks(values, first + second);
    let mut sum = 0;
    let mut stored = 0;
    for (&(text, _), rank) in values.iter().zip(ranks) {
        if (text as usize) < first {
            sum += rank;
            stored += 1;
        }
    }
    sum += zero * (first - stored) as u64;
    auroc_of(sum, first, second)
}

/// From twice the rank sum of the first kind.
pub(super) fn auroc_of(double_sum: u64, first: usize, second: usize) -> f64 {
    let (n1, n2) = (first as f64, second as f64);
    (double_sum as f64 / 2.0 - n1 * (n1 + 1.0) / 2.0) / (n1 * n2)
}

fn paired_t(values: &[(u32, f32)], pairs: usize) -> f64 {
    let mut differences = std::collections::BTreeMap::<usize, f64>::new();
    for &(text, value) in values {
        let text = text as usize;
        let (pair, sign) = if text < pairs { (text, 1.0) } else { (text - pairs, -1.0) };
        *differences.entry(pair).or_default() += sign * f64::from(value);
    }
    let n = pairs as f64;
    let mean = differences.values().sum::<f64>() / n;
    let squares: f64 = differences.values().map(|d| d * d).sum();
    let variance = (squares - n * mean * mean).max(0.0) / (n - 1.0);
    if variance > 0.0 {
        mean / (variance / n).sqrt()
    } else if mean == 0.0 || pairs < 2 {
        0.0
    } else {
        f64::INFINITY.copysign(mean)
    }
}

/// What keeps a feature out of the candidates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filters {
    /// Highest share of the second kind's tokens where it fires (ρ_max).
    pub max_density: f64,
    /// Fewest tokens of the first kind where it fires (f_min).
    pub min_firings: u32,
}

impl Filters {
    /// Whether a feature stays.
    pub fn pass(&self, score: &FeatureScore) -> bool {
        score.density_second <= self.max_density && score.firings_first >= self.min_firings
    }
}

impl Default for Filters {
    fn default() -> Self {
        Self { max_density: 0.1, min_firings: 20 }
    }
}

/// The `top` best features that pass the filters, best first; equal ones by number.
pub fn rank(scores: &[FeatureScore], kind: ScoreKind, filters: Filters, top: usize) -> Vec<FeatureScore> {
    let mut kept: Vec<FeatureScore> = scores.iter().filter(|score| filters.pass(score)).copied().collect();
    kept.sort_by(|a, b| b.get(kind).total_cmp(&a.get(kind)).then(a.feature.cmp(&b.feature)));
    kept.truncate(top);
    kept
}

/// The `count` features that tell the kinds apart least, by AUROC, among those that pass the filters: a control that is
/// as real as the candidates.
pub fn bottom(scores: &[FeatureScore], filters: Filters, count: usize) -> Vec<usize> {
    let mut kept: Vec<&FeatureScore> = scores.iter().filter(|score| filters.pass(score)).collect();
    let apart = |s: &FeatureScore| (s.auroc - 0.5).abs();
    kept.sort_by(|a, b| apart(a).total_cmp(&apart(b)).then(a.feature.cmp(&b.feature)));
    kept.into_iter().take(count).map(|score| score.feature).collect()
}
