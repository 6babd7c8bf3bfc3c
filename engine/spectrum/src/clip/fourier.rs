//! Senderovich's practical clipping: clamp in Fourier space, go back, cut to the kernel's support.

use plumb_core::Ctl;

use super::{Layer, Target};
use crate::fourier::Fourier;
use crate::geometry::{Geometry, OpKind};
use crate::op::{Kernelled, Real};
use crate::singular::SpectrumError;

/// Clip `op` once. Gives the steps (1) and how far the clipped circular convolution is above the target, over c.
pub(super) fn senderovich<T: Real>(
    op: &mut dyn Kernelled<T>,
    layer: &Layer<'_, T>,
    target: &Target,
    ctl: &Ctl,
) -> Result<(usize, f64), SpectrumError> {
    let clipped = match layer.kind {
        OpKind::Conv1d | OpKind::Conv2d => {
            Fourier::new(layer.weight, layer.weight_shape, layer.geometry)?.clip(target.to, ctl)?
        }
        // A matrix is its own only frequency.
        OpKind::Dense => {
            let shape = [layer.weight_shape[0], layer.weight_shape[1], 1];
            let geometry = Geometry { input: [1, 1], ..Geometry::default() };
            Fourier::new(layer.weight, &shape, &geometry)?.clip(target.to, ctl)?
        }
        OpKind::ConvTranspose1d | OpKind::ConvTranspose2d | OpKind::BatchNorm => {
            return Err(SpectrumError::WrongMethod(
                "Fourier clipping is made for convolutions and dense layers; choose FastClip or scaling".to_owned(),
            ));
        }
    };
    op.set_weight(&clipped.weight)?;
    Ok((1, 0.0))
}
