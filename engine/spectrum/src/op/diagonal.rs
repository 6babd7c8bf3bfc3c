//! Batch norm in eval mode: every channel times its own number.

use super::error::{GeometryError, checked_len, no_zero};
use super::{Kernelled, LinearOp, Real};

/// `y_c = scale_c · x_c` for every pixel of channel `c`.
#[derive(Clone, Debug)]
pub struct DiagonalOp<T> {
    scale: Vec<T>,
    weight_shape: [usize; 1],
    shape: Vec<usize>,
}

impl<T: Real> DiagonalOp<T> {
    /// One number per channel; `shape` is (channels, …) with any number of axes after the channels.
    pub fn new(scale: Vec<T>, shape: &[usize]) -> Result<Self, GeometryError> {
        no_zero("a size of the input", shape)?;
        checked_len("an input", shape)?;
        if shape.first() != Some(&scale.len()) {
            let expected = shape.first().copied().unwrap_or(0);
            return Err(GeometryError::Count { shape: vec![expected], expected, found: scale.len() });
        }
        Ok(Self { weight_shape: [scale.len()], scale, shape: shape.to_vec() })
    }

    /// Batch norm in eval mode: the scale is `γ / sqrt(variance + eps)`, from its running variance.
    pub fn batch_norm(gamma: &[T], variance: &[T], eps: f64, shape: &[usize]) -> Result<Self, GeometryError> {
        if gamma.len() != variance.len() {
            let (expected, found) = (gamma.len(), variance.len());
            return Err(GeometryError::Count { shape: vec![expected], expected, found });
        }
        let scale = gamma.iter().zip(variance).map(|(g, v)| T::of(g.double() / (v.double() + eps).sqrt())).collect();
        Self::new(scale, shape)
    }

    fn pixels(&self) -> usize {
        self.shape[1..].iter().product()
    }

    fn multiply(&self, from: &[T], to: &mut [T]) {
        let pixels = self.pixels();
        let planes = from.chunks_exact(pixels).zip(to.chunks_exact_mut(pixels));
        for ((from, to), &scale) in planes.zip(self.scale.iter().cycle()) {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = scale * from;
            }
        }
    }
}

impl<T: Real> LinearOp<T> for DiagonalOp<T> {
    fn input_shape(&self) -> &[usize] {
        &self.shape
    }

    fn output_shape(&self) -> &[usize] {
        &self.shape
    }

    fn apply(&self, x: &[T], _batch: usize, y: &mut [T]) {
        self.multiply(x, y);
    }

    fn adjoint(&self, y: &[T], _batch: usize, x: &mut [T]) {
        self.multiply(y, x);
    }
}

impl<T: Real> Kernelled<T> for DiagonalOp<T> {
    fn weight(&self) -> &[T] {
        &self.scale
    }

    fn weight_shape(&self) -> &[usize] {
        &self.weight_shape
    }

    fn set_weight(&mut self, weight: &[T]) -> Result<(), GeometryError> {
        if weight.len() != self.scale.len() {
            let (expected, found) = (self.scale.len(), weight.len());
            return Err(GeometryError::Count { shape: self.weight_shape.to_vec(), expected, found });
        }
        self.scale.copy_from_slice(weight);
        Ok(())
    }

    fn weight_gradient(&self, u: &[T], v: &[T], _batch: usize) -> Vec<T> {
        let pixels = self.pixels();
        let mut gradient = vec![T::default(); self.scale.len()];
        for (plane, (u, v)) in u.chunks_exact(pixels).zip(v.chunks_exact(pixels)).enumerate() {
            gradient[plane % self.scale.len()] += u.iter().zip(v).map(|(&u, &v)| u * v).sum::<T>();
        }
        gradient
    }

    fn weight_gradients(&self, u: &[T], v: &[T], count: usize) -> Vec<Vec<T>> {
        let len = self.input_len();
        let pairs = (0..count * count).map(|pair| (pair / count, pair % count));
        pairs.map(|(i, j)| self.weight_gradient(&u[i * len..][..len], &v[j * len..][..len], 1)).collect()
    }

    fn frobenius(&self) -> f64 {
        let squares = self.scale.iter().map(|s| s.double() * s.double()).sum::<f64>();
        (squares * self.pixels() as f64).sqrt()
    }
}
