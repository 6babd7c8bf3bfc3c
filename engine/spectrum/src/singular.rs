//! The top singular values and vectors of an operator, by the method asked for.

use plumb_core::{Cancelled, Ctl};

use crate::blocks;
use crate::dense;
use crate::krylov::{self, KrylovOptions};
use crate::op::{GeometryError, LinearOp, Real};
use crate::power_qr::{self, PowerQrOptions};
use crate::spec::Method;

/// Why there are no singular values.
#[derive(Debug, thiserror::Error)]
pub enum SpectrumError {
    /// The asker stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Weight and geometry make no operator.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// Not a number, or infinite.
    #[error("the weights hold values that are not finite (NaN or infinite), so they have no singular values")]
    NotFinite,
    /// A decomposition failed.
    #[error("{what} did not converge ({reason})")]
    NoConvergence {
        /// Which.
        what: &'static str,
        /// What the solver said.
        reason: String,
    },
    /// The matrix is too large to form.
    #[error(
        "the whole matrix would have {rows} × {columns} numbers, more than the exact method can take; \
         use the Krylov method"
    )]
    TooLarge {
        /// Outputs.
        rows: usize,
        /// Inputs.
        columns: usize,
    },
    /// The method does not apply.
    #[error("{0}")]
    WrongMethod(String),
}

impl From<SpectrumError> for plumb_core::Error {
    fn from(error: SpectrumError) -> Self {
        match error {
            SpectrumError::Cancelled(_) => Self::Cancelled,
            other => Self::failed(&other),
        }
    }
}

/// An estimate of σ₁ on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceStep {
    /// Applications of `MᵀM` to one vector so far.
    pub applications: usize,
    /// The estimate of σ₁.
    pub sigma: f64,
}

/// Singular triplets, largest first.
#[derive(Clone, Debug)]
pub struct SingularTriplets<T> {
    /// Singular values, descending.
    pub sigma: Vec<f64>,
    /// Left singular vectors, one after the other; zeros where σ is zero to rounding.
    pub u: Vec<T>,
    /// Right singular vectors, one after the other.
    pub v: Vec<T>,
    /// Largest `‖Mᵀu − σv‖ / σ₁`, or of `‖Mv − σu‖ / σ₁` where that is the one not zero by construction.
    pub residual: f64,
    /// Whether the residual reached the tolerance.
    pub converged: bool,
    /// Applications of `MᵀM` to one vector; 0 where the whole matrix was formed.
    pub iterations: usize,
    /// σ₁ on the way.
    pub trace: Vec<TraceStep>,
    /// The method that was used.
    pub method: Method,
}

/// What is wanted of [`top_singular`].
#[derive(Clone, Debug)]
pub struct TopRequest<'a, T> {
    /// How many triplets; at most min(inputs, outputs) come back.
    pub k: usize,
    /// The method. `Auto` takes the whole matrix where that is quick, block Krylov elsewhere.
    pub method: Method,
    /// Relative residual at which the iteration stops.
    pub tolerance: f64,
    /// Block Krylov stops already when it expects the values to be right to this relative accuracy, which is long
    /// before the vectors are; 0 stops by residual alone.
    pub accuracy: f64,
    /// Most applications of `MᵀM` to one vector.
    pub max_iterations: usize,
    /// Seed of the starting vectors.
    pub seed: u64,
    /// Right singular vectors of a nearby operator, one after the other.
    pub warm: Option<&'a [T]>,
}

impl<T> Default for TopRequest<'_, T> {
    fn default() -> Self {
        Self { k: 4, method: Method::Auto, tolerance: 1e-4, accuracy: 0.0, max_iterations: 1000, seed: 0, warm: None }
    }
}

/// The top `k` singular triplets of `op`.
///
/// Fails when asked to stop, when values are not finite, when the whole matrix was asked for and is too large,
/// and for [`Method::Fourier`], which needs a kernel: see [`crate::fourier`].
pub fn top_singular<T: Real, O: LinearOp<T> + ?Sized>(
    op: &O,
    request: &TopRequest<'_, T>,
    ctl: &Ctl,
) -> Result<SingularTriplets<T>, SpectrumError> {
    let method = match request.method {
        Method::Auto if dense::quick(op) && request.warm.is_none() => Method::Dense,
        Method::Auto => Method::Krylov,
        asked => asked,
    };
    match method {
        Method::Dense => dense::triplets(op, request.k, ctl),
        Method::PowerQr => {
            let k = request.k.min(op.input_len());
            let options = PowerQrOptions {
                tolerance: Some(request.tolerance),
                ritz: true,
                ..PowerQrOptions::new(k, request.max_iterations.div_ceil(k.max(1)))
            };
            let start = power_qr::start(op.input_len(), k, request.seed, request.warm);
            let mut found = power_qr::power_qr(op, start, &options, ctl)?;
            keep(&mut found, request.k.min(op.output_len()), op.input_len(), op.output_len());
            Ok(found)
        }
        Method::Fourier => Err(SpectrumError::WrongMethod(
            "the Fourier method works on the kernel of a convolution with circular padding, not on an operator \
             that is only applied; choose Krylov"
                .to_owned(),
        )),
        Method::Krylov | Method::Auto => {
            let options = KrylovOptions {
                k: request.k,
                tolerance: request.tolerance,
                accuracy: request.accuracy,
                max_applications: request.max_iterations,
                seed: request.seed,
                warm: request.warm,
                ..KrylovOptions::default()
            };
            krylov::block_krylov(op, &options, ctl)
        }
    }
}

/// Drop all but the first `k` triplets.
fn keep<T>(triplets: &mut SingularTriplets<T>, k: usize, inputs: usize, outputs: usize) {
    triplets.sigma.truncate(k);
    triplets.v.truncate(k * inputs);
    triplets.u.truncate(k * outputs);
}

/// What [`ritz`] finds, best triplets in the span first.
pub(crate) struct Ritz<T> {
    /// Singular values, descending.
    pub sigma: Vec<f64>,
    /// Orthonormal vectors that span what the basis did.
    pub near: Vec<T>,
    /// Their images on the other side of `M`, of length 1; zeros where σ is zero to rounding.
    pub far: Vec<T>,
}

/// Rayleigh–Ritz on the span of `basis`, orthonormal vectors on one side of `M`. `half` takes them to the other.
pub(crate) fn ritz<T: Real>(
    basis: &[T],
    len: usize,
    half: impl FnOnce(&[T], &mut [T]),
    image_len: usize,
) -> Result<Ritz<T>, SpectrumError> {
    let mut images = vec![T::default(); basis.len() / len * image_len];
    half(basis, &mut images);
    let gram = blocks::dots(&images, &images, image_len);
    let (values, vectors) = blocks::symmetric_eigen(gram.as_ref())?;
    let sigma: Vec<f64> = values.iter().map(|value| value.max(0.0).sqrt()).collect();
    let near = blocks::combination(vectors.as_ref(), basis, len);
    let mut far = blocks::combination(vectors.as_ref(), &images, image_len);
    let floor = sigma.first().copied().unwrap_or(0.0) * T::EPSILON.sqrt() * 0.1;
    for (image, &sigma) in far.chunks_exact_mut(image_len).zip(&sigma) {
        blocks::divide(image, sigma, floor);
    }
    Ok(Ritz { sigma, near, far })
}
