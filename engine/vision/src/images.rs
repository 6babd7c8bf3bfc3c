//! Labelled images in memory, split into a training part and a held-out part.

use candle_core::{Device, Tensor};
use plumb_core::random::Random;
use serde::{Deserialize, Serialize};

use crate::VisionError;

/// Which images of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// For training.
    Train,
    /// Held out.
    Test,
}

/// Labelled images with pixels in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSet {
    /// Short name: “digits”.
    pub name: String,
    /// Channels, height and width.
    pub shape: [usize; 3],
    /// Names of the classes; a label is an index into them.
    pub classes: Vec<String>,
    /// All pixels, row-major (N, C, H, W).
    pub images: Vec<f32>,
    /// One class index per image.
    pub labels: Vec<u32>,
    /// Indices of the images for training.
    pub train: Vec<usize>,
    /// Indices of the held-out images.
    pub test: Vec<usize>,
}

impl ImageSet {
    /// Images in all.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Numbers in one image.
    pub fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Pixels of one image, row-major (C, H, W).
    pub fn image(&self, index: usize) -> Option<&[f32]> {
        let len = self.image_len();
        self.images.get(index * len..(index + 1) * len)
    }

    /// Indices of one part.
    pub fn part(&self, part: Part) -> &[usize] {
        match part {
            Part::Train => &self.train,
            Part::Test => &self.test,
        }
    }

    /// Split at random: `train` images for training, the rest held out. The split depends on `seed` only.
    pub fn split(&mut self, train: usize, seed: u64) {
        let mut order: Vec<usize> = (0..self.len()).collect();
        Random::new(seed, "split").shuffle(&mut order);
        self.test = order.split_off(train.min(order.len()));
        self.train = order;
    }

    /// Mean and standard deviation over all pixels of the training part.
    pub fn pixel_statistics(&self) -> (f64, f64) {
        let pixels = || self.train.iter().filter_map(|&at| self.image(at)).flatten().map(|&pixel| f64::from(pixel));
        let count = (self.train.len() * self.image_len()).max(1) as f64;
        let mean = pixels().sum::<f64>() / count;
        let variance = pixels().map(|pixel| (pixel - mean).powi(2)).sum::<f64>() / count;
        (mean, variance.sqrt().max(1e-6))
    }

    /// Some images (n, C, H, W) as f32 and their labels (n) as u32.
    pub fn batch(&self, indices: &[usize], device: &Device) -> Result<(Tensor, Tensor), VisionError> {
        let mut pixels = Vec::with_capacity(indices.len() * self.image_len());
        let mut labels = Vec::with_capacity(indices.len());
        for &at in indices {
            let (Some(image), Some(&label)) = (self.image(at), self.labels.get(at)) else {
                return Err(VisionError::Spec(format!("the set {} has no image {at}", self.name)));
            };
            pixels.extend_from_slice(image);
            labels.push(label);
        }
        let [c, h, w] = self.shape;
        let images = Tensor::from_vec(pixels, (indices.len(), c, h, w), device)?;
        Ok((images, Tensor::from_vec(labels, indices.len(), device)?))
    }
}
