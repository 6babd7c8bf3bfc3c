//! Scores against hand calculations and against counting every pair.

use candle_core::{Device, Tensor};
use plumb_core::Ctl;
use plumb_core::random::Random;

use super::*;

fn planted(pairs: usize, features: usize, seed: u64) -> Pooled {
    let mut random = Random::new(seed, "planted");
    let mut pooled = Pooled::new(features, pairs, pairs);
    for text in 0..2 * pairs {
        let rows: Vec<f32> = (0..features)
            .map(|feature| {
                // Feature 0 fires on the first kind; the others on a third of all texts, in coarse steps with many ties.
                let fires = if feature == 0 { text < pairs } else { random.below(3) == 0 };
                if fires { (1 + random.below(4)) as f32 } else { 0.0 }
            })
            .collect();
        let z = Tensor::from_vec(rows, (1, features), &Device::Cpu).unwrap();
        pooled.push(text, &z, Pooling::Mean).unwrap();
    }
    pooled
}

#[test]
fn auroc_counts_every_pair() {
    let pooled = planted(40, 6, 3);
    for s in score(&pooled, false) {
        let value = |text: usize| {
            pooled.values[s.feature].iter().find(|(t, _)| *t as usize == text).map_or(0.0, |(_, value)| *value)
        };
        let mut wins = 0.0;
        for a in 0..40 {
            for b in 40..80 {
                wins += if value(a) > value(b) {
                    1.0
                } else if value(a) == value(b) {
                    0.5
                } else {
                    0.0
                };
            }
        }
        assert!((s.auroc - wins / 1600.0).abs() < 1e-12);
    }
}

#[test]
fn hand_calculation() {
    // First kind 1, 3; second kind 0, 2.
    let mut pooled = Pooled::new(1, 2, 2);
    for (text, value) in [1f32, 3., 0., 2.].into_iter().enumerate() {
        let z = Tensor::new(&[[value], [value]], &Device::Cpu).unwrap();
        pooled.push(text, &z, Pooling::Mean).unwrap();
    }
    let s = score(&pooled, true)[0];
    assert_eq!((s.mean_diff, s.auroc, s.firings_first, s.density_second), (1.0, 0.75, 4, 0.5));
    assert!((s.rel_diff - 1.0).abs() < 1e-5 && (s.cohen_d - 1.0 / 2f64.sqrt()).abs() < 1e-12);
    assert_eq!(s.paired_t, Some(f64::INFINITY), "both differences are 1");
    assert_eq!(score(&pooled, false)[0].paired_t, None);
    let mut t = Pooled::new(1, 2, 2);
    for (text, value) in [4f32, 3., 1., 2.].into_iter().enumerate() {
        t.push(text, &Tensor::new(&[[value]], &Device::Cpu).unwrap(), Pooling::Max).unwrap();
    }
    // Differences 3 and 1: mean 2, deviation √2, error 1.
    assert!((score(&t, true)[0].paired_t.unwrap() - 2.0).abs() < 1e-12);
}

#[test]
fn pooling() {
    let z = Tensor::new(&[[0f32, 1.], [4., 1.]], &Device::Cpu).unwrap();
    let value = |pooling| {
        let mut pooled = Pooled::new(2, 1, 0);
        pooled.push(0, &z, pooling).unwrap();
        assert_eq!(pooled.firings, [[1, 0], [2, 0]]);
        pooled.values[0][0].1
    };
    assert_eq!([Pooling::Mean, Pooling::Max, Pooling::Freq].map(value), [2.0, 4.0, 0.5]);
}

#[test]
fn filters_and_ranks() {
    let pooled = planted(100, 8, 5);
    let scores = score(&pooled, true);
    let best = rank(&scores, ScoreKind::MeanDiff, Filters::default(), 3);
    assert_eq!(best.iter().map(|s| s.feature).collect::<Vec<_>>(), [0], "the others fire on the neutral texts too");
    let open = Filters { max_density: 1.0, min_firings: 0 };
    for kind in [ScoreKind::RelDiff, ScoreKind::CohenD, ScoreKind::Auroc, ScoreKind::PairedT] {
        assert_eq!(rank(&scores, kind, open, 8)[0].feature, 0, "{kind:?}");
    }
}

#[test]
fn permuted_labels_stay_near_chance() {
    let pooled = planted(1000, 12, 7);
    for (kind, paired) in [(ScoreKind::Auroc, true), (ScoreKind::Auroc, false), (ScoreKind::MeanDiff, true)] {
        let found = permute(&pooled, kind, paired, 40, &Ctl::new(1)).unwrap();
        assert_eq!(found.p[0], 1.0 / 41.0);
        assert_eq!(found.p_family[0], 1.0 / 41.0);
        assert!(found.p_family[1..].iter().all(|p| *p > 0.04), "{:?}", found.p_family);
        assert_eq!(found, permute(&pooled, kind, paired, 40, &Ctl::new(1)).unwrap());
        if kind == ScoreKind::Auroc {
            assert!(found.best_by_chance.iter().all(|best| *best < 0.65));
        }
    }
    assert!(permute(&pooled, ScoreKind::CohenD, true, 1, &Ctl::new(1)).is_err());
}
