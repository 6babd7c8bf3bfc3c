//! Linear maps that are applied but never formed.

pub mod affine;
mod axis;
pub mod chain;
pub mod conv;
pub mod dense;
pub mod diagonal;
mod error;
pub(crate) mod gemm;
mod layer;
mod real;
mod scratch;

pub use affine::AffineOp;
pub use chain::{Adjoint, Chain};
pub use conv::ConvOp;
pub use dense::DenseOp;
pub use diagonal::DiagonalOp;
pub use error::GeometryError;
pub use layer::{average_pool, kernelled};
pub use real::Real;

/// A linear map `M: R^n → R^m` given by what it does.
///
/// Vectors come in batches: a slice of `batch * input_len()` numbers, one vector after the other. Convolutions
/// read each vector as (channels, height, width) in row-major order.
pub trait LinearOp<T>: Send + Sync {
    /// Shape of one input, for example `[channels, height, width]`.
    fn input_shape(&self) -> &[usize];
    /// Shape of one output.
    fn output_shape(&self) -> &[usize];
    /// `y = M x` for every vector of the batch.
    fn apply(&self, x: &[T], batch: usize, y: &mut [T]);
    /// `x = Mᵀ y` for every vector of the batch.
    fn adjoint(&self, y: &[T], batch: usize, x: &mut [T]);

    /// Whether each singular value comes once, but for accident. Then small blocks find them, with fewer
    /// applications. Circular padding, dilation, 1×1 kernels and groups repeat values.
    fn simple_spectrum(&self) -> bool {
        false
    }

    /// Numbers in one input.
    fn input_len(&self) -> usize {
        self.input_shape().iter().product()
    }
    /// Numbers in one output.
    fn output_len(&self) -> usize {
        self.output_shape().iter().product()
    }
}

/// A linear map that is itself linear in a kernel `W`: dense, convolution, transposed convolution, batch norm.
pub trait Kernelled<T>: LinearOp<T> {
    /// The kernel, row-major in [`weight_shape`](Self::weight_shape).
    fn weight(&self) -> &[T];
    /// Shape of the kernel as stored.
    fn weight_shape(&self) -> &[usize];
    /// Put other numbers into the kernel. Its shape never changes: fails when the count differs.
    fn set_weight(&mut self, weight: &[T]) -> Result<(), GeometryError>;
    /// `Σ_b ∂⟨u_b, M_W v_b⟩ / ∂W`, in the shape of the kernel; `u` holds `batch` outputs, `v` `batch` inputs.
    ///
    /// For a singular triplet this is the gradient of its singular value, and `⟨gradient, W⟩ = σ`.
    fn weight_gradient(&self, u: &[T], v: &[T], batch: usize) -> Vec<T>;
    /// Every `∂⟨u_i, M_W v_j⟩ / ∂W` of a block of `count` outputs and inputs: entry `i * count + j`.
    fn weight_gradients(&self, u: &[T], v: &[T], count: usize) -> Vec<Vec<T>>;
    /// Frobenius norm of `M`, counted from the kernel without forming `M`.
    fn frobenius(&self) -> f64;
}

/// A pointer to an operator is an operator.
macro_rules! through {
    ($pointer:ty) => {
        impl<T, O: LinearOp<T> + ?Sized> LinearOp<T> for $pointer {
            fn input_shape(&self) -> &[usize] {
                (**self).input_shape()
            }
            fn output_shape(&self) -> &[usize] {
                (**self).output_shape()
            }
            fn apply(&self, x: &[T], batch: usize, y: &mut [T]) {
                (**self).apply(x, batch, y);
            }
            fn adjoint(&self, y: &[T], batch: usize, x: &mut [T]) {
                (**self).adjoint(y, batch, x);
            }
            fn simple_spectrum(&self) -> bool {
                (**self).simple_spectrum()
            }
        }
    };
}

through!(Box<O>);
through!(&O);
