//! The table: the spectrum of every linear layer of a file, one row after the other.

use std::time::Instant;

use plumb_core::{Ctl, Error};

use crate::fourier::Fourier;
use crate::geometry::OpKind;
use crate::layers::LayerInfo;
use crate::op::{Kernelled, Real, kernelled};
use crate::report::LayerReport;
use crate::singular::{SpectrumError, TopRequest, top_singular};
use crate::spec::{Method, SpectrumSpec};
use crate::subject::{Edits, Subject, SubjectError};
use crate::{bounds, dense};

/// Why one layer has no spectrum.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Its numbers could not be read.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// It has none, or the method failed.
    #[error(transparent)]
    Spectrum(#[from] SpectrumError),
    /// Its numbers are no numbers.
    #[error(
        "{count} of {total} weights are not finite (NaN or infinite), the first at position {first}: there is no spectrum"
    )]
    NotFinite {
        /// How many.
        count: usize,
        /// Of how many.
        total: usize,
        /// Where the first one stands, row-major.
        first: usize,
    },
}

impl From<crate::op::GeometryError> for LayerError {
    fn from(error: crate::op::GeometryError) -> Self {
        Self::Spectrum(error.into())
    }
}

impl From<plumb_core::Cancelled> for LayerError {
    fn from(cancelled: plumb_core::Cancelled) -> Self {
        Self::Spectrum(cancelled.into())
    }
}

impl LayerError {
    /// The text for the layer's row, or the error back if the whole job was stopped.
    pub fn into_problem(self) -> Result<String, Error> {
        match Error::from(self) {
            Error::Cancelled => Err(Error::Cancelled),
            other => Ok(other.to_string()),
        }
    }
}

impl From<LayerError> for Error {
    fn from(error: LayerError) -> Self {
        match error {
            LayerError::Subject(error) => error.into(),
            LayerError::Spectrum(error) => error.into(),
            other @ LayerError::NotFinite { .. } => Self::failed(&other),
        }
    }
}

/// A layer's kernel, checked for numbers that are none.
pub(crate) fn finite_weight<T: Real>(
    subject: &Subject,
    layer: &LayerInfo,
    edits: &Edits,
) -> Result<Vec<T>, LayerError> {
    let weight: Vec<T> = subject.weight(layer, edits)?;
    let bad = |w: &T| !w.double().is_finite();
    if let Some(first) = weight.iter().position(bad) {
        return Err(LayerError::NotFinite {
            count: weight.iter().filter(|w| bad(w)).count(),
            total: weight.len(),
            first,
        });
    }
    Ok(weight)
}

/// The row of a layer before anything is known but its description.
pub(crate) fn empty_row(layer: &LayerInfo, method: Method) -> LayerReport {
    LayerReport {
        name: layer.name.clone(),
        op: layer.op,
        weight_shape: layer.weight_shape.clone(),
        input_shape: Vec::new(),
        output_shape: Vec::new(),
        geometry: layer.geometry.clone(),
        geometry_source: layer.geometry_source,
        sigma: Vec::new(),
        count: 0,
        method,
        iterations: 0,
        residual: 0.0,
        converged: false,
        frobenius: 0.0,
        reshaped_norm: 0.0,
        stable_rank: 0.0,
        condition: None,
        seconds: 0.0,
        problem: None,
    }
}

/// Singular values as one method gives them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    pub sigma: Vec<f64>,
    pub method: Method,
    pub iterations: usize,
    pub residual: f64,
    pub converged: bool,
    /// Whether `sigma` holds all of them.
    pub complete: bool,
}

impl Values {
    fn exact(sigma: Vec<f64>, method: Method) -> Self {
        Self { sigma, method, iterations: 0, residual: f64::EPSILON, converged: true, complete: true }
    }
}

/// One row of the table. A layer that has no spectrum says why in `problem`; only being stopped is an error.
pub fn measure(
    subject: &Subject,
    layer: &LayerInfo,
    edits: &Edits,
    spec: &SpectrumSpec,
    ctl: &Ctl,
) -> Result<LayerReport, Error> {
    let started = Instant::now();
    let mut row = empty_row(layer, spec.method);
    let done = if spec.double {
        fill::<f64>(&mut row, subject, layer, edits, spec, ctl)
    } else {
        fill::<f32>(&mut row, subject, layer, edits, spec, ctl)
    };
    if let Err(error) = done {
        row.problem = Some(error.into_problem()?);
    }
    row.seconds = started.elapsed().as_secs_f64();
    Ok(row)
}

fn fill<T: Real>(
    row: &mut LayerReport,
    subject: &Subject,
    layer: &LayerInfo,
    edits: &Edits,
    spec: &SpectrumSpec,
    ctl: &Ctl,
) -> Result<(), LayerError> {
    let shape = layer.operator_shape();
    let weight: Vec<T> = finite_weight(subject, layer, edits)?;
    let op = kernelled(layer.op, weight, &shape, &layer.geometry)?;
    let mut values = values(&*op, layer, spec, ctl)?;
    describe(row, &*op, &values, ctl)?;
    if spec.top > 0 {
        values.sigma.truncate(spec.top);
    }
    row.sigma = values.sigma;
    Ok(())
}

/// Everything in the row but the list of singular values.
pub(crate) fn describe<T: Real>(
    row: &mut LayerReport,
    op: &dyn Kernelled<T>,
    values: &Values,
    ctl: &Ctl,
) -> Result<(), LayerError> {
    row.input_shape = op.input_shape().to_vec();
    row.output_shape = op.output_shape().to_vec();
    row.count = op.input_len().min(op.output_len());
    row.method = values.method;
    row.iterations = values.iterations;
    row.residual = values.residual;
    row.converged = values.converged;
    row.frobenius = op.frobenius();
    let top = values.sigma.first().copied().unwrap_or(0.0);
    row.reshaped_norm = match row.op {
        // The kernel is the matrix, or the diagonal.
        OpKind::Dense | OpKind::BatchNorm => top,
        _ => bounds::reshaped_norm(op.weight(), op.weight_shape(), ctl)?,
    };
    row.stable_rank = if top > 0.0 { (row.frobenius / top).powi(2) } else { 0.0 };
    row.condition = match values.sigma.last() {
        Some(&least) if values.complete && least > 0.0 => Some(top / least),
        _ => None,
    };
    Ok(())
}

/// The singular values of a layer by the method of the spec.
pub(crate) fn values<T: Real>(
    op: &dyn Kernelled<T>,
    layer: &LayerInfo,
    spec: &SpectrumSpec,
    ctl: &Ctl,
) -> Result<Values, SpectrumError> {
    if layer.op == OpKind::BatchNorm {
        return Ok(diagonal(op));
    }
    let fourier = || Fourier::new(op.weight(), op.weight_shape(), &layer.geometry);
    let convolution = layer.op.is_convolution();
    match spec.method {
        Method::Auto if dense::quick(op) => Ok(Values::exact(dense::all_values(op, ctl)?, Method::Dense)),
        Method::Dense => {
            // For circular padding the blocks of the Fourier transform hold the whole spectrum, sooner.
            if convolution && !dense::quick(op) {
                let fourier = fourier()?;
                if fourier.exact() {
                    return Ok(Values::exact(fourier.all_values(ctl)?, Method::Fourier));
                }
            }
            Ok(Values::exact(dense::all_values(op, ctl)?, Method::Dense))
        }
        Method::Fourier if convolution => {
            let fourier = fourier()?;
            let mut values = Values::exact(fourier.all_values(ctl)?, Method::Fourier);
            values.converged = fourier.exact();
            values.complete = fourier.exact();
            Ok(values)
        }
        Method::Fourier => Err(SpectrumError::WrongMethod(
            "the Fourier method is made for convolutions; choose another method for this layer".to_owned(),
        )),
        method => {
            let request = TopRequest {
                k: if spec.top == 0 { TopRequest::<T>::default().k } else { spec.top },
                method,
                tolerance: spec.tolerance,
                accuracy: spec.accuracy,
                max_iterations: spec.max_iterations,
                seed: spec.seed,
                warm: None,
            };
            let found = top_singular(op, &request, ctl)?;
            let complete = found.sigma.len() == op.input_len().min(op.output_len());
            Ok(Values {
                sigma: found.sigma,
                method: found.method,
                iterations: found.iterations,
                residual: found.residual,
                converged: found.converged,
                complete,
            })
        }
    }
}

/// A batch norm's values are its scales, each as often as there are pixels.
fn diagonal<T: Real>(op: &dyn Kernelled<T>) -> Values {
    let mut scales: Vec<f64> = op.weight().iter().map(|s| s.double().abs()).collect();
    scales.sort_by(|a, b| b.total_cmp(a));
    let pixels = op.input_len() / scales.len().max(1);
    let sigma = scales.iter().flat_map(|&s| std::iter::repeat_n(s, pixels)).collect();
    Values::exact(sigma, Method::Dense)
}
