//! Any candle function that is affine in its input, by automatic differentiation: the paper's own route.

use std::sync::Mutex;

use candle_core::{Device, Tensor, Var, WithDType};

use super::{GeometryError, LinearOp, Real};

type Function = Box<dyn Fn(&Tensor) -> candle_core::Result<Tensor> + Send + Sync>;

/// `M x = f(x) − f(0)` and `Mᵀ y = ∂⟨y, f(x)⟩/∂x` for a function of a batch, (batch, …) → (batch, …).
///
/// The function must be affine in its input and treat the vectors of a batch separately (batch norm in eval
/// mode). It is tried once when the operator is made. Should it fail later, the values become NaN, which every
/// method here reports, and [`take_error`](Self::take_error) says why.
pub struct AffineOp {
    function: Function,
    device: Device,
    input_shape: Vec<usize>,
    output_shape: Vec<usize>,
    offset: Tensor,
    error: Mutex<Option<String>>,
}

impl std::fmt::Debug for AffineOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AffineOp")
            .field("input_shape", &self.input_shape)
            .field("output_shape", &self.output_shape)
            .finish_non_exhaustive()
    }
}

impl AffineOp {
    /// Try `function` on one zero input of `input_shape` (without the batch axis) in floats of type `T`.
    pub fn new<T: Real + WithDType>(
        function: impl Fn(&Tensor) -> candle_core::Result<Tensor> + Send + Sync + 'static,
        input_shape: &[usize],
        device: &Device,
    ) -> Result<Self, GeometryError> {
        super::error::no_zero("a size of the input", input_shape)?;
        super::error::checked_len("an input", input_shape)?;
        let refused = |reason: String| GeometryError::Function { shape: input_shape.to_vec(), reason };
        let shape = batched(1, input_shape);
        let probe = || {
            let x = Var::zeros(shape.as_slice(), T::DTYPE, device)?;
            let offset = function(x.as_tensor())?;
            let gradients = offset.sum_all()?.backward()?;
            let moves = gradients.get(x.as_tensor()).is_some();
            candle_core::Result::Ok((offset.detach(), moves))
        };
        let (offset, moves) = probe().map_err(|error| refused(error.to_string()))?;
        if offset.dims().first() != Some(&1) {
            return Err(refused(format!("it gave shape {:?} for a batch of 1", offset.dims())));
        }
        if !moves {
            return Err(refused("its output does not depend on its input through differentiable steps".to_owned()));
        }
        let output_shape = offset.dims()[1..].to_vec();
        Ok(Self {
            function: Box::new(function),
            device: device.clone(),
            input_shape: input_shape.to_vec(),
            output_shape,
            offset,
            error: Mutex::new(None),
        })
    }

    /// The first failure since this was last asked, if there was one.
    pub fn take_error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    fn keep<T: Real>(&self, result: candle_core::Result<Vec<T>>, to: &mut [T]) {
        let problem = match result {
            Ok(values) if values.len() == to.len() => {
                to.copy_from_slice(&values);
                return;
            }
            Ok(values) => format!("the function gave {} values where {} were expected", values.len(), to.len()),
            Err(error) => error.to_string(),
        };
        to.fill(T::of(f64::NAN));
        self.error.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(problem);
    }
}

fn batched(batch: usize, shape: &[usize]) -> Vec<usize> {
    std::iter::once(batch).chain(shape.iter().copied()).collect()
}

impl<T: Real + WithDType> LinearOp<T> for AffineOp {
    fn input_shape(&self) -> &[usize] {
        &self.input_shape
    }

    fn output_shape(&self) -> &[usize] {
        &self.output_shape
    }

    fn apply(&self, x: &[T], batch: usize, y: &mut [T]) {
        let run = || {
            let x = Tensor::from_slice(x, batched(batch, &self.input_shape), &self.device)?;
            let offset = self.offset.to_dtype(T::DTYPE)?;
            (self.function)(&x)?.broadcast_sub(&offset)?.flatten_all()?.to_vec1()
        };
        self.keep(run(), y);
    }

    fn adjoint(&self, y: &[T], batch: usize, x: &mut [T]) {
        let run = || {
            let at = Var::zeros(batched(batch, &self.input_shape), T::DTYPE, &self.device)?;
            let y = Tensor::from_slice(y, batched(batch, &self.output_shape), &self.device)?;
            let gradients = ((self.function)(at.as_tensor())? * y)?.sum_all()?.backward()?;
            let gradient = gradients
                .get(at.as_tensor())
                .ok_or_else(|| candle_core::Error::Msg("the function has no gradient here".to_owned()))?;
            gradient.flatten_all()?.to_vec1()
        };
        self.keep(run(), x);
    }
}
