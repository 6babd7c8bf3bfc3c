//! A matrix: `y = W x`.

use super::error::{GeometryError, checked_len, no_zero};
use super::gemm::{all_threads, product, rows, rows_mut};
use super::{Kernelled, LinearOp, Real};

/// A dense layer without bias. `W` has shape (out, in).
#[derive(Clone, Debug)]
pub struct DenseOp<T> {
    weight: Vec<T>,
    shape: [usize; 2],
}

impl<T: Real> DenseOp<T> {
    /// The layer of a weight of shape (out, in).
    pub fn new(weight: Vec<T>, weight_shape: &[usize]) -> Result<Self, GeometryError> {
        let &[outputs, inputs] = weight_shape else {
            return Err(GeometryError::Rank { op: "dense", expected: 2, shape: weight_shape.to_vec() });
        };
        no_zero("a size of the weight", weight_shape)?;
        let expected = checked_len("a weight", weight_shape)?;
        if expected != weight.len() {
            return Err(GeometryError::Count { shape: weight_shape.to_vec(), expected, found: weight.len() });
        }
        Ok(Self { weight, shape: [outputs, inputs] })
    }
}

impl<T: Real> LinearOp<T> for DenseOp<T> {
    fn input_shape(&self) -> &[usize] {
        &self.shape[1..]
    }

    fn output_shape(&self) -> &[usize] {
        &self.shape[..1]
    }

    fn apply(&self, x: &[T], batch: usize, y: &mut [T]) {
        let [outputs, inputs] = self.shape;
        let weight = rows(&self.weight, outputs, inputs, inputs);
        let target = rows_mut(y, batch, outputs, outputs);
        product(target, false, rows(x, batch, inputs, inputs), weight.transpose(), all_threads());
    }

    fn adjoint(&self, y: &[T], batch: usize, x: &mut [T]) {
        let [outputs, inputs] = self.shape;
        let weight = rows(&self.weight, outputs, inputs, inputs);
        let target = rows_mut(x, batch, inputs, inputs);
        product(target, false, rows(y, batch, outputs, outputs), weight, all_threads());
    }

    fn simple_spectrum(&self) -> bool {
        true
    }
}

impl<T: Real> Kernelled<T> for DenseOp<T> {
    fn weight(&self) -> &[T] {
        &self.weight
    }

    fn weight_shape(&self) -> &[usize] {
        &self.shape
    }

    fn set_weight(&mut self, weight: &[T]) -> Result<(), GeometryError> {
        if weight.len() != self.weight.len() {
            let (expected, found) = (self.weight.len(), weight.len());
            return Err(GeometryError::Count { shape: self.shape.to_vec(), expected, found });
        }
        self.weight.copy_from_slice(weight);
        Ok(())
    }

    fn weight_gradient(&self, u: &[T], v: &[T], batch: usize) -> Vec<T> {
        let [outputs, inputs] = self.shape;
        let mut gradient = vec![T::default(); self.weight.len()];
        let target = rows_mut(&mut gradient, outputs, inputs, inputs);
        let left = rows(u, batch, outputs, outputs).transpose();
        product(target, false, left, rows(v, batch, inputs, inputs), all_threads());
        gradient
    }

    fn weight_gradients(&self, u: &[T], v: &[T], count: usize) -> Vec<Vec<T>> {
        let [outputs, inputs] = self.shape;
        let pairs = (0..count * count).map(|pair| (pair / count, pair % count));
        pairs.map(|(i, j)| self.weight_gradient(&u[i * outputs..][..outputs], &v[j * inputs..][..inputs], 1)).collect()
    }

    fn frobenius(&self) -> f64 {
        self.weight.iter().map(|w| w.double() * w.double()).sum::<f64>().sqrt()
    }
}
