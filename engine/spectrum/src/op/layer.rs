//! From a kind, a weight and a geometry to an operator.

use super::error::no_zero;
use super::{Adjoint, ConvOp, DenseOp, DiagonalOp, GeometryError, Kernelled, Real};
use crate::geometry::{Geometry, OpKind, PaddingMode};

/// The operator a weight stands for.
///
/// A batch norm takes its scales `γ / sqrt(variance + eps)` as weight (shape (channels,)) and the geometry's
/// input size. Fails when weight, shape and geometry do not fit together.
pub fn kernelled<T: Real>(
    kind: OpKind,
    weight: Vec<T>,
    weight_shape: &[usize],
    geometry: &Geometry,
) -> Result<Box<dyn Kernelled<T>>, GeometryError> {
    let rank = |op: &'static str, expected: usize| {
        if weight_shape.len() == expected {
            Ok(())
        } else {
            Err(GeometryError::Rank { op, expected, shape: weight_shape.to_vec() })
        }
    };
    Ok(match kind {
        OpKind::Dense => Box::new(DenseOp::new(weight, weight_shape)?),
        OpKind::Conv1d => {
            rank("conv1d", 3)?;
            Box::new(ConvOp::new(weight, weight_shape, geometry)?)
        }
        OpKind::Conv2d => {
            rank("conv2d", 4)?;
            Box::new(ConvOp::new(weight, weight_shape, geometry)?)
        }
        OpKind::ConvTranspose1d => {
            rank("transposed conv1d", 3)?;
            Box::new(transposed(weight, weight_shape, geometry)?)
        }
        OpKind::ConvTranspose2d => {
            rank("transposed conv2d", 4)?;
            Box::new(transposed(weight, weight_shape, geometry)?)
        }
        OpKind::BatchNorm => {
            rank("batch norm", 1)?;
            let [height, width] = geometry.input;
            Box::new(DiagonalOp::new(weight, &[weight_shape[0], height, width])?)
        }
    })
}

/// A transposed convolution: the adjoint of the convolution that has its outputs as inputs. The weight's shape
/// (in, out / groups, kh, kw) is the inner convolution's (out, in / groups, kh, kw); with one axis there is no kh.
fn transposed<T: Real>(
    weight: Vec<T>,
    weight_shape: &[usize],
    geometry: &Geometry,
) -> Result<Adjoint<ConvOp<T>>, GeometryError> {
    if geometry.padding_mode != PaddingMode::Zeros {
        return Err(GeometryError::Unsupported(
            "a transposed convolution has padding mode zeros only; choose zeros".to_owned(),
        ));
    }
    no_zero("a size of the weight", weight_shape)?;
    no_zero("a size of the input", &geometry.input)?;
    no_zero("a stride", &geometry.stride)?;
    no_zero("a dilation", &geometry.dilation)?;
    let mut inner = Geometry { output_padding: [0, 0], ..geometry.clone() };
    let one_axis = weight_shape.len() == 3;
    for axis in usize::from(one_axis)..2 {
        let taps = if one_axis { weight_shape[2] } else { weight_shape[2 + axis] };
        let (extra, stride) = (geometry.output_padding[axis], geometry.stride[axis]);
        if extra >= stride {
            return Err(GeometryError::Unsupported(format!(
                "an output padding of {extra} needs a stride larger than that, but the stride is {stride}"
            )));
        }
        let too_large = || GeometryError::TooLarge {
            what: "the output of a transposed convolution",
            shape: geometry.input.to_vec(),
        };
        let grown = (geometry.input[axis] - 1)
            .checked_mul(stride)
            .zip((taps - 1).checked_mul(geometry.dilation[axis]))
            .and_then(|(steps, span)| steps.checked_add(span)?.checked_add(extra + 1))
            .ok_or_else(too_large)?;
        let [before, after] = geometry.sides(axis);
        let cut = before.checked_add(after).ok_or_else(too_large)?;
        if cut >= grown {
            return Err(GeometryError::Unsupported(format!(
                "a padding of {before} and {after} cuts away the whole output of {grown} pixels; make the padding smaller"
            )));
        }
        inner.input[axis] = grown - cut;
    }
    Ok(Adjoint(ConvOp::new(weight, weight_shape, &inner)?))
}

/// Average pooling over `kernel` pixels, padding zeros counted in: a convolution of each channel with a constant.
pub fn average_pool<T: Real>(
    channels: usize,
    kernel: [usize; 2],
    geometry: &Geometry,
) -> Result<ConvOp<T>, GeometryError> {
    no_zero("a size of the kernel", &kernel)?;
    let shape = [channels, 1, kernel[0], kernel[1]];
    let count = super::error::checked_len("a pooling kernel", &shape)?;
    let share = T::of(1.0 / (kernel[0] * kernel[1]) as f64);
    let geometry = Geometry { groups: channels, padding_mode: PaddingMode::Zeros, ..geometry.clone() };
    ConvOp::new(vec![share; count], &shape, &geometry)
}
