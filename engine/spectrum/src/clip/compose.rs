//! A convolution together with the batch norm behind it, in eval mode.
//!
//! `D M` with `D = diag(γ / sqrt(variance + eps))` is itself a convolution: output channel o of the kernel times
//! `D_o`. Its norm is often far below the product of the two norms, so clipping it costs less than clipping both.
//! The released code of the paper puts the batch norm into training mode here, where it is not linear; this does
//! not. The clipped product is taken apart again with the change of each channel's length shared evenly between
//! kernel and γ.

use plumb_core::Ctl;

use super::{Clipped, Layer, Target, batch_norm};
use crate::geometry::OpKind;
use crate::op::Real;
use crate::singular::SpectrumError;
use crate::spec::ClipMethod;

/// The batch norm's numbers, one per output channel.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// γ.
    pub gamma: Vec<f64>,
    /// Running variance.
    pub variance: Vec<f64>,
    /// ε.
    pub eps: f64,
}

/// The clipped pair: the product's numbers, its kernel taken apart into kernel and γ.
#[derive(Clone, Debug)]
pub struct ClippedPair<T> {
    /// Kernel (in `weight`) and σ₁ of the composition before and after.
    pub clipped: Clipped<T>,
    /// The new γ.
    pub gamma: Vec<f64>,
}

/// The kernel of `D M`, in the shape of the layer's own.
pub fn folded<T: Real>(layer: &Layer<'_, T>, norm: &BatchNorm) -> Result<Vec<T>, SpectrumError> {
    let channels = layer.weight_shape.first().copied().unwrap_or(0);
    let fits = norm.gamma.len() == channels && norm.variance.len() == channels;
    if !(layer.kind.is_convolution() || layer.kind == OpKind::Dense) || !fits || channels == 0 {
        return Err(SpectrumError::WrongMethod(format!(
            "only a convolution or dense layer with as many outputs as the batch norm has channels can be clipped together with it; \
             here the layer has {channels} and the batch norm {}",
            norm.gamma.len()
        )));
    }
    let per_channel = layer.weight.len() / channels;
    let scale = batch_norm::scale(&norm.gamma, &norm.variance, norm.eps);
    Ok(layer.weight.iter().enumerate().map(|(at, w)| T::of(w.double() * scale[at / per_channel])).collect())
}

/// Clip the composition to the target.
pub fn clip_pair<T: Real>(
    layer: &Layer<'_, T>,
    norm: &BatchNorm,
    method: ClipMethod,
    target: &Target,
    ctl: &Ctl,
) -> Result<ClippedPair<T>, SpectrumError> {
    let product = folded(layer, norm)?;
    let mut clipped = super::clip(&Layer { weight: &product, ..*layer }, method, target, ctl)?;
    let mut gamma = norm.gamma.clone();
    if clipped.steps == 0 {
        clipped.weight = layer.weight.to_vec();
        return Ok(ClippedPair { clipped, gamma });
    }
    let scale = batch_norm::scale(&norm.gamma, &norm.variance, norm.eps);
    let per_channel = layer.weight.len() / gamma.len();
    let length = |w: &[T]| w.iter().map(|w| w.double() * w.double()).sum::<f64>().sqrt();
    let channels = clipped.weight.chunks_exact_mut(per_channel).zip(product.chunks_exact(per_channel));
    for (channel, (new, old)) in channels.enumerate() {
        let before = length(old);
        if before == 0.0 {
            // A dead channel: nothing of it reaches the output.
            new.copy_from_slice(&layer.weight[channel * per_channel..(channel + 1) * per_channel]);
            continue;
        }
        let share = (length(new) / before).sqrt();
        gamma[channel] *= share;
        let undo = if share > 0.0 { 1.0 / (scale[channel] * share) } else { 0.0 };
        for w in new {
            *w = T::of(w.double() * undo);
        }
    }
    Ok(ClippedPair { clipped, gamma })
}
