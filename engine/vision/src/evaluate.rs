//! How often a network is right, and how sure that number is.

use candle_core::{D, Tensor};
use plumb_core::Ctl;
use plumb_nn::layers::Mode;
use serde::{Deserialize, Serialize};

use crate::VisionError;
use crate::images::ImageSet;
use crate::nets::Net;

/// Images per pass.
const BATCH: usize = 200;

/// Share of images classified correctly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccuracyResult {
    /// `correct / images`.
    pub accuracy: f64,
    /// Images classified correctly.
    pub correct: usize,
    /// Images looked at.
    pub images: usize,
    /// Wilson 95 % interval of the accuracy.
    pub interval: [f64; 2],
}

impl AccuracyResult {
    /// From counts.
    pub fn new(correct: usize, images: usize) -> Self {
        let accuracy = if images == 0 { 0.0 } else { correct as f64 / images as f64 };
        Self { accuracy, correct, images, interval: wilson(correct, images) }
    }
}

/// Wilson's score interval for a share, at 95 %. It stays inside 0..=1 and is honest near both ends.
pub fn wilson(correct: usize, images: usize) -> [f64; 2] {
    if images == 0 {
        return [0.0, 1.0];
    }
    let (z, n) = (1.959963984540054_f64, images as f64);
    let share = correct as f64 / n;
    let scale = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / scale;
    let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

/// How many of these logits have their largest entry at the label.
pub fn count_correct(logits: &Tensor, labels: &Tensor) -> Result<usize, VisionError> {
    let right = logits.argmax(D::Minus1)?.eq(labels)?.to_vec1::<u8>()?;
    Ok(right.into_iter().map(usize::from).sum())
}

/// Accuracy of a network in eval mode on the images with these indices.
pub fn accuracy(net: &Net, set: &ImageSet, indices: &[usize], ctl: &Ctl) -> Result<AccuracyResult, VisionError> {
    let net = net.detached();
    let mut correct = 0;
    for batch in indices.chunks(BATCH) {
        ctl.check()?;
        let (images, labels) = set.batch(batch, net.params().device())?;
        correct += count_correct(&net.forward(&images, Mode::Eval)?, &labels)?;
    }
    Ok(AccuracyResult::new(correct, indices.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_by_hand() {
        // 95 of 100: (0.88825, 0.97846)
        let [low, high] = wilson(95, 100);
        assert!((low - 0.88825).abs() < 1e-4 && (high - 0.97846).abs() < 1e-4, "{low} {high}");
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
        assert!(wilson(10, 10)[1] <= 1.0 && wilson(10, 10)[0] > 0.6);
    }
}
