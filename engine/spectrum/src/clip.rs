//! Bringing the spectral norm of a layer to a target by changing its kernel, and nothing else.
//!
//! FastClip (§“Clip” of the paper) moves the kernel `W` along `G = ∂σ₁/∂W`, the weight gradient of the top
//! singular triplet: `W ← W − λ (σ₁ − c) G`. As `W` is the variable, the result is always a kernel of the same
//! shape, whatever the stride or padding. Beside it stand the methods people compare it with.

pub mod batch_norm;
pub mod compose;
mod fast;
mod fourier;
mod frequency;
pub mod gauss_newton;
mod lbfgs;
mod measure;
mod scale;

use plumb_core::Ctl;

use crate::geometry::{Geometry, OpKind};
use crate::op::{Kernelled, Real, kernelled};
use crate::singular::SpectrumError;
use crate::spec::{ClipMethod, ClipMode, ClipSpec};

/// A layer's weight and how it is applied.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a, T> {
    /// Which linear map.
    pub kind: OpKind,
    /// The kernel, row-major.
    pub weight: &'a [T],
    /// Its shape.
    pub weight_shape: &'a [usize],
    /// How it meets its input.
    pub geometry: &'a Geometry,
}

impl<T: Real> Layer<'_, T> {
    /// The operator. Fails when weight and geometry do not fit together.
    pub fn operator(&self) -> Result<Box<dyn Kernelled<T>>, SpectrumError> {
        Ok(kernelled(self.kind, self.weight.to_vec(), self.weight_shape, self.geometry)?)
    }

    /// Whether `M` is the kernel read as a matrix, up to copies of its singular values: dense layers and 1×1
    /// convolutions that read no invented pixels.
    fn is_matrix(&self) -> bool {
        let taps: usize = self.weight_shape.iter().skip(2).product();
        let unpadded = (0..2).all(|axis| self.geometry.sides(axis) == [0, 0]);
        self.kind == OpKind::Dense || (self.kind.is_convolution() && taps == 1 && unpadded && self.geometry.groups == 1)
    }
}

/// What is to be reached.
#[derive(Clone, Debug)]
pub struct Target {
    /// The target c of σ₁.
    pub to: f64,
    /// Clip or equalise.
    pub mode: ClipMode,
    /// Accepted relative distance of σ₁ from c.
    pub tolerance: f64,
    /// λ of the fixed step; 0 takes 1 / (kh · kw).
    pub step: f64,
    /// Most steps.
    pub max_steps: usize,
    /// Seed of starting vectors.
    pub seed: u64,
}

impl Target {
    /// The target of a spec.
    pub fn of(spec: &ClipSpec) -> Self {
        let ClipSpec { to, mode, tolerance, step, max_steps, seed, .. } = *spec;
        Self { to, mode, tolerance, step, max_steps, seed }
    }

    /// Whether nothing needs doing for a layer of this norm.
    pub fn is_met(&self, sigma: f64) -> bool {
        match self.mode {
            ClipMode::Clip => sigma <= self.to * (1.0 + self.tolerance),
            ClipMode::Equalise => self.is_near(sigma),
        }
    }

    /// Whether a norm that had to be changed is now close enough.
    pub fn is_near(&self, sigma: f64) -> bool {
        (sigma - self.to).abs() <= self.tolerance * self.to
    }
}

/// A clipped kernel.
#[derive(Clone, Debug)]
pub struct Clipped<T> {
    /// The new kernel, in the old one's shape.
    pub weight: Vec<T>,
    /// σ₁ before.
    pub before: f64,
    /// σ₁ after, from a fresh start.
    pub after: f64,
    /// Steps taken; 0 when nothing needed doing.
    pub steps: usize,
    /// Whether σ₁ ended within the tolerance, or was below the target from the start.
    pub reached: bool,
    /// For the Fourier method: how far σ₁ is above c after cutting to the kernel's support, divided by c.
    pub truncation_error: f64,
}

/// Clip one layer by the method asked for.
///
/// Fails when weight and geometry do not fit, when values are not finite and when asked to stop.
pub fn clip<T: Real>(
    layer: &Layer<'_, T>,
    method: ClipMethod,
    target: &Target,
    ctl: &Ctl,
) -> Result<Clipped<T>, SpectrumError> {
    if !(target.to > 0.0 && target.to.is_finite()) {
        return Err(SpectrumError::WrongMethod(format!("the target must be a positive number, not {}", target.to)));
    }
    let mut operator = layer.operator()?;
    let op = operator.as_mut();
    let before = measure::norm(op, target.tolerance, target.seed, ctl)?;
    let unchanged = || Clipped {
        weight: layer.weight.to_vec(),
        before,
        after: before,
        steps: 0,
        reached: true,
        truncation_error: 0.0,
    };
    if method != ClipMethod::Miyato && target.is_met(before) {
        return Ok(unchanged());
    }
    if before == 0.0 {
        return Ok(Clipped { reached: false, ..unchanged() });
    }
    let mut seen = None;
    let (steps, truncation_error) = match method {
        ClipMethod::FastClip => {
            let (steps, after) = fast::fast_clip(op, layer, before, target, ctl)?;
            seen = after;
            (steps, 0.0)
        }
        ClipMethod::FixedStep => {
            let taps: usize = layer.weight_shape.iter().skip(2).product();
            let step = if target.step > 0.0 { target.step } else { 1.0 / taps.max(1) as f64 };
            let options = gauss_newton::StepOptions::fixed(target, step);
            (gauss_newton::descend(op, &options, None, ctl)?.steps, 0.0)
        }
        ClipMethod::Scale => (scale::gouk(op, before, target)?, 0.0),
        ClipMethod::Miyato => (scale::miyato(op, target, ctl)?, 0.0),
        ClipMethod::Fourier => fourier::senderovich(op, layer, target, ctl)?,
    };
    let after = match seen {
        Some(after) => after,
        None => measure::norm(op, target.tolerance, target.seed.wrapping_add(1), ctl)?,
    };
    let truncation_error = if method == ClipMethod::Fourier {
        truncation_error.max((after - target.to) / target.to).max(0.0)
    } else {
        0.0
    };
    Ok(Clipped { weight: op.weight().to_vec(), before, after, steps, reached: target.is_near(after), truncation_error })
}
