//! How far a team agrees: Krippendorff's alpha with an interval, mean pairwise disagreement, pairs.

use std::collections::BTreeMap;

use plumb_core::random::Random;

/// Approvals and removals on one item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Votes to keep.
    pub approve: usize,
    /// Votes to remove.
    pub remove: usize,
}

impl Counts {
    /// Votes in all.
    pub fn votes(self) -> usize {
        self.approve + self.remove
    }

    /// Share of votes to remove.
    pub fn share(self) -> f64 {
        self.remove as f64 / self.votes().max(1) as f64
    }

    /// Whether the votes differ.
    pub fn split(self) -> bool {
        self.approve > 0 && self.remove > 0
    }
}

/// Krippendorff's alpha for nominal data (Krippendorff 2004), from items with at least two votes.
/// One when everybody agrees; `None` when nothing can be paired.
pub fn alpha(items: &[Counts]) -> Option<f64> {
    let (mut observed, mut approve, mut remove) = (0.0, 0.0, 0.0);
    for item in items.iter().filter(|item| item.votes() >= 2) {
        observed += (2 * item.approve * item.remove) as f64 / (item.votes() - 1) as f64;
        approve += item.approve as f64;
        remove += item.remove as f64;
    }
    let n: f64 = approve + remove;
    if n < 2.0 {
        return None;
    }
    let expected = 2.0 * approve * remove / (n - 1.0);
    Some(if expected > 0.0 { 1.0 - observed / expected } else { 1.0 })
}

/// 95 % interval of alpha: items drawn again with replacement `draws` times.
pub fn alpha_interval(items: &[Counts], draws: usize, seed: u64) -> Option<[f64; 2]> {
    if items.is_empty() {
        return None;
    }
    let mut random = Random::new(seed, "alpha interval");
    let mut found: Vec<f64> = (0..draws)
        .filter_map(|_| alpha(&(0..items.len()).map(|_| items[random.below(items.len())]).collect::<Vec<_>>()))
        .collect();
    interval(&mut found)
}

/// The middle 95 % of `values`.
pub fn interval(values: &mut [f64]) -> Option<[f64; 2]> {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values.get(((values.len() as f64 - 1.0) * share).round().max(0.0) as usize).copied();
    Some([at(0.025)?, at(0.975)?])
}

/// Differing pairs among all pairs of votes on the same item, pooled over items.
pub fn pairwise_disagreement(items: &[Counts]) -> f64 {
    let (differ, pairs) = items.iter().fold((0, 0), |(differ, pairs), item| {
        (differ + item.approve * item.remove, pairs + item.votes() * item.votes().saturating_sub(1) / 2)
    });
    differ as f64 / pairs.max(1) as f64
}

/// For each pair of moderators: cases judged by both, and how many of them differently. Keys are in order.
pub fn pairs<'a>(
    items: impl IntoIterator<Item = &'a [(String, bool)]>,
) -> BTreeMap<(&'a str, &'a str), (usize, usize)> {
    let mut found = BTreeMap::<_, (usize, usize)>::new();
    for votes in items {
        for (i, (a, left)) in votes.iter().enumerate() {
            for (b, right) in &votes[i + 1..] {
                let key = if a < b { (a.as_str(), b.as_str()) } else { (b.as_str(), a.as_str()) };
                let cell = found.entry(key).or_default();
                cell.0 += 1;
                cell.1 += usize::from(left != right);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_of_small_tables() {
        let item = |approve, remove| Counts { approve, remove };
        assert_eq!(alpha(&[]), None);
        assert_eq!(alpha(&[item(2, 0), item(3, 0)]), Some(1.0), "nothing differs");
        assert_eq!(alpha(&[item(2, 0), item(0, 2)]), Some(1.0));
        // Four votes, two of each kind, every pair split: observed 4, expected 8/3.
        assert!((alpha(&[item(1, 1), item(1, 1)]).unwrap() + 0.5).abs() < 1e-12);
        let interval = alpha_interval(&[item(2, 0), item(0, 2), item(1, 1)], 200, 1).unwrap();
        assert!(interval[0] <= interval[1]);
    }

    #[test]
    fn pairs_are_counted_once_whatever_their_order() {
        let vote = |who: &str, remove| (who.to_owned(), remove);
        let items = [vec![vote("b", true), vote("a", false)], vec![vote("a", true), vote("b", true), vote("c", false)]];
        let found = pairs(items.iter().map(Vec::as_slice));
        assert_eq!(found[&("a", "b")], (2, 1));
        assert_eq!(found[&("b", "c")], (1, 1));
        assert_eq!(found.len(), 3);
    }
}
