//! Dividing the whole kernel: the two methods FastClip is compared with that keep the shape of the spectrum.

use plumb_core::Ctl;

use super::Target;
use crate::bounds::reshaped_norm;
use crate::op::{Kernelled, Real};
use crate::singular::SpectrumError;

/// Gouk et al. (2021): `W ← W / max(1, σ₁ / c)`; in equalise mode `W c / σ₁`.
pub(super) fn gouk<T: Real, O: Kernelled<T> + ?Sized>(
    op: &mut O,
    sigma: f64,
    target: &Target,
) -> Result<usize, SpectrumError> {
    multiply(op, target.to / sigma)?;
    Ok(1)
}

/// Miyato et al. (2018): `W c / ‖W as (out, rest)‖`, whatever the operator's own norm is, up or down.
pub(super) fn miyato<T: Real, O: Kernelled<T> + ?Sized>(
    op: &mut O,
    target: &Target,
    ctl: &Ctl,
) -> Result<usize, SpectrumError> {
    let norm = reshaped_norm(op.weight(), op.weight_shape(), ctl)?;
    if norm > 0.0 {
        multiply(op, target.to / norm)?;
    }
    Ok(1)
}

fn multiply<T: Real, O: Kernelled<T> + ?Sized>(op: &mut O, factor: f64) -> Result<(), SpectrumError> {
    let weight: Vec<T> = op.weight().iter().map(|w| T::of(w.double() * factor)).collect();
    Ok(op.set_weight(&weight)?)
}
