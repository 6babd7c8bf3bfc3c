//! Numbers about results that several methods report, with how sure they are.

/// z of a two-sided interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % interval of a share.
pub fn wilson(hits: usize, count: usize) -> [f64; 2] {
    if count == 0 {
        return [0.0, 1.0];
    }
    let n = count as f64;
    let p = hits as f64 / n;
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

/// Area under the ROC curve: the probability that a true item scores higher than a false one, ties by half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auc {
    /// The area.
    pub value: f64,
    /// Its 95 % interval by DeLong's variance (DeLong et al. 1988), cut off at 0 and 1.
    pub interval: [f64; 2],
}

/// The area under the ROC curve of scores and what is true; `None` unless there are items of both kinds and no score
/// is NaN.
pub fn auc(scores: &[f64], truth: &[bool]) -> Option<Auc> {
    if scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let side = |wanted: bool| -> Vec<f64> {
        let mut side: Vec<f64> =
            scores.iter().zip(truth).filter(|(_, truth)| **truth == wanted).map(|(score, _)| *score).collect();
        side.sort_by(f64::total_cmp);
        side
    };
    let (yes, no) = (side(true), side(false));
    if yes.is_empty() || no.is_empty() {
        return None;
    }
    // Of each item, the share of the other side that it is ordered rightly against.
    let below = |sorted: &[f64], x: f64| -> f64 {
        let less = sorted.partition_point(|y| *y < x);
        let equal = sorted.partition_point(|y| *y <= x) - less;
        (less as f64 + 0.5 * equal as f64) / sorted.len() as f64
    };
    let of_yes: Vec<f64> = yes.iter().map(|x| below(&no, *x)).collect();
    let of_no: Vec<f64> = no.iter().map(|x| 1.0 - below(&yes, *x)).collect();
    let value = of_yes.iter().sum::<f64>() / of_yes.len() as f64;
    let part = |shares: &[f64]| {
        let n = shares.len() as f64;
        if n < 2.0 { 0.25 } else { shares.iter().map(|x| (x - value).powi(2)).sum::<f64>() / (n - 1.0) / n }
    };
    let half = Z * (part(&of_yes) + part(&of_no)).sqrt();
    Some(Auc { value, interval: [(value - half).max(0.0), (value + half).min(1.0)] })
}

/// Expected calibration error of probabilities: the mean over items of |predicted − observed|, each averaged inside one
/// of `bins` groups of equally many items; `None` without items.
pub fn calibration_error(probabilities: &[f64], truth: &[bool], bins: usize) -> Option<f64> {
    let mut items: Vec<(f64, bool)> = probabilities.iter().copied().zip(truth.iter().copied()).collect();
    items.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = items.len();
    let bins = bins.clamp(1, n.max(1));
    let gap = |bin: usize| {
        let items = &items[bin * n / bins..(bin + 1) * n / bins];
        (items.iter().map(|(p, truth)| p - f64::from(u8::from(*truth))).sum::<f64>()).abs()
    };
    (n > 0).then(|| (0..bins).map(gap).sum::<f64>() / n as f64)
}

/// Pearson's correlation; `None` where one side is constant.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n as f64;
    let (ma, mb) = (mean(a), mean(b));
    let product =
        |x: &[f64], mx: f64, y: &[f64], my: f64| x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>();
    let scale = (product(a, ma, a, ma) * product(b, mb, b, mb)).sqrt();
    (scale > 0.0).then(|| product(a, ma, b, mb) / scale)
}

/// Spearman's rank correlation, ties by mid-rank; `None` where one side is constant.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&mid_ranks(a), &mid_ranks(b))
}

fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = |x: f64| sorted.partition_point(|y| *y < x);
    let up_to = |x: f64| sorted.partition_point(|y| *y <= x);
    values.iter().map(|&x| below(x) as f64 + f64::midpoint((up_to(x) - below(x)) as f64, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let [low, high] = wilson(0, 10);
        assert!(low == 0.0 && (high - 0.2775).abs() < 1e-3);
        let [low, high] = wilson(8, 10);
        assert!((low - 0.4902).abs() < 1e-3 && (high - 0.9433).abs() < 1e-3);
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }

    #[test]
    fn areas_by_hand() {
        let area = |scores: &[f64], truth: &[bool]| auc(scores, truth).unwrap();
        assert_eq!(area(&[0.1, 0.2, 0.8, 0.9], &[false, false, true, true]).value, 1.0);
        assert_eq!(area(&[0.5, 0.5], &[false, true]).value, 0.5);
        // Pairs (0.3 over 0.2) and (0.3 under 0.4), (0.9 over both): three of four.
        let found = area(&[0.2, 0.4, 0.3, 0.9], &[false, false, true, true]);
        assert_eq!(found.value, 0.75);
        // V10 = (1/2, 1), V01 = (1, 1/2): each has variance 1/8, halved by two items.
        let half = 1.959964 * (0.125f64 / 2.0 + 0.125 / 2.0).sqrt();
        assert!((found.interval[0] - (0.75 - half)).abs() < 1e-5 && found.interval[1] == 1.0);
        assert!(auc(&[0.1], &[true]).is_none() && auc(&[f64::NAN, 0.1], &[true, false]).is_none());
    }

    #[test]
    fn correlations() {
        assert_eq!(spearman(&[0., 1., 2.], &[9., 4., 1.]), Some(-1.0));
        assert_eq!(spearman(&[0., 1.], &[3., 3.]), None);
        assert_eq!(mid_ranks(&[2.0, 1.0, 2.0]), [2.5, 1.0, 2.5]);
        assert!((pearson(&[0., 1., 2.], &[1., 3., 2.]).unwrap() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn calibration() {
        let p = [0.0, 0.0, 1.0, 1.0];
        assert_eq!(calibration_error(&p, &[false, false, true, true], 2), Some(0.0));
        assert_eq!(calibration_error(&p, &[false, true, true, true], 2), Some(0.25));
        assert_eq!(calibration_error(&[], &[], 10), None);
    }
}
