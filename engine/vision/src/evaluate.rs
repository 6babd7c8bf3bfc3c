//! How often a network is right, and how sure that number is.

use candle_core::{D, Tensor};
use plumb_core::Ctl;
use plumb_core::statistics::wilson;
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
