//! Maps made of maps: one after the other, and turned around.

use super::{GeometryError, Kernelled, LinearOp, Real};

/// Several maps, the first one applied first: `M = M_last … M_2 M_1`.
pub struct Chain<T> {
    steps: Vec<Box<dyn LinearOp<T>>>,
}

impl<T> std::fmt::Debug for Chain<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("steps", &self.steps.len()).finish()
    }
}

impl<T: Real> Chain<T> {
    /// Fails when a step gives another number of values than the next one takes, or when there is no step.
    pub fn new(steps: Vec<Box<dyn LinearOp<T>>>) -> Result<Self, GeometryError> {
        if steps.is_empty() {
            return Err(GeometryError::Unsupported("a chain needs at least one map".to_owned()));
        }
        for (step, pair) in steps.windows(2).enumerate() {
            let (gives, takes) = (pair[0].output_len(), pair[1].input_len());
            if gives != takes {
                return Err(GeometryError::Chain { step, gives, takes });
            }
        }
        Ok(Self { steps })
    }

    fn run<'a>(steps: impl Iterator<Item = &'a Box<dyn LinearOp<T>>>, x: &[T], batch: usize, y: &mut [T], forward: bool)
    where
        T: 'a,
    {
        let mut steps = steps.peekable();
        let mut current: Option<Vec<T>> = None;
        while let Some(step) = steps.next() {
            let from = current.as_deref().unwrap_or(x);
            let go = |to: &mut [T]| {
                if forward { step.apply(from, batch, to) } else { step.adjoint(from, batch, to) }
            };
            if steps.peek().is_none() {
                go(y);
                return;
            }
            let len = if forward { step.output_len() } else { step.input_len() };
            let mut next = vec![T::default(); len * batch];
            go(&mut next);
            current = Some(next);
        }
    }
}

impl<T: Real> LinearOp<T> for Chain<T> {
    fn input_shape(&self) -> &[usize] {
        self.steps.first().map_or(&[], |step| step.input_shape())
    }

    fn output_shape(&self) -> &[usize] {
        self.steps.last().map_or(&[], |step| step.output_shape())
    }

    fn apply(&self, x: &[T], batch: usize, y: &mut [T]) {
        Self::run(self.steps.iter(), x, batch, y, true);
    }

    fn adjoint(&self, y: &[T], batch: usize, x: &mut [T]) {
        Self::run(self.steps.iter().rev(), y, batch, x, false);
    }
}

/// A map turned around: `M = Aᵀ`. A transposed convolution is the adjoint of a convolution.
#[derive(Clone, Debug)]
pub struct Adjoint<O>(pub O);

impl<T: Real, O: LinearOp<T>> LinearOp<T> for Adjoint<O> {
    fn input_shape(&self) -> &[usize] {
        self.0.output_shape()
    }

    fn output_shape(&self) -> &[usize] {
        self.0.input_shape()
    }

    fn apply(&self, x: &[T], batch: usize, y: &mut [T]) {
        self.0.adjoint(x, batch, y);
    }

    fn adjoint(&self, y: &[T], batch: usize, x: &mut [T]) {
        self.0.apply(y, batch, x);
    }

    fn simple_spectrum(&self) -> bool {
        self.0.simple_spectrum()
    }
}

impl<T: Real, O: Kernelled<T>> Kernelled<T> for Adjoint<O> {
    fn weight(&self) -> &[T] {
        self.0.weight()
    }

    fn weight_shape(&self) -> &[usize] {
        self.0.weight_shape()
    }

    fn set_weight(&mut self, weight: &[T]) -> Result<(), GeometryError> {
        self.0.set_weight(weight)
    }

    fn weight_gradient(&self, u: &[T], v: &[T], batch: usize) -> Vec<T> {
        self.0.weight_gradient(v, u, batch)
    }

    fn weight_gradients(&self, u: &[T], v: &[T], count: usize) -> Vec<Vec<T>> {
        // ⟨u_i, Aᵀ v_j⟩ = ⟨v_j, A u_i⟩: the inner pair (j, i) is this pair (i, j).
        let mut inner = self.0.weight_gradients(v, u, count);
        for i in 0..count {
            for j in i + 1..count {
                inner.swap(i * count + j, j * count + i);
            }
        }
        inner
    }

    fn frobenius(&self) -> f64 {
        self.0.frobenius()
    }
}
