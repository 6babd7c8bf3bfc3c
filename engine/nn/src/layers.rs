//! Layers in composed form: every step has a backward pass in candle, and the gradients are tested.
//!
//! Images are (N, C, H, W). Three things candle 0.11 gets wrong are kept away from here: fused norms have no
//! backward; a convolution's backward takes its output padding from the height alone; and padding other than
//! zeros is not known to it.

use candle_core::{D, Tensor, Var};
use plumb_core::random::Random;

use crate::geometry::{Geometry, PaddingMode};
use crate::params::{ParamError, Params};
use crate::random;

fn refuse(what: String) -> ParamError {
    ParamError::Tensor(candle_core::Error::Msg(what))
}

/// Add `amount` pixels on both sides of one axis.
///
/// # Errors
/// Reflection needs more pixels than it adds, a torus at least as many.
pub fn pad_axis(x: &Tensor, axis: usize, amount: usize, mode: PaddingMode) -> Result<Tensor, ParamError> {
    if amount == 0 {
        return Ok(x.clone());
    }
    let size = x.dim(axis)?;
    let pixel = |at: usize| x.narrow(axis, at, 1);
    let padded = match mode {
        PaddingMode::Zeros => x.pad_with_zeros(axis, amount, amount)?,
        PaddingMode::Circular if amount <= size => {
            Tensor::cat(&[&x.narrow(axis, size - amount, amount)?, x, &x.narrow(axis, 0, amount)?], axis)?
        }
        PaddingMode::Reflect if amount < size => {
            let mut parts = (1..=amount).rev().map(pixel).collect::<Result<Vec<_>, _>>()?;
            parts.push(x.clone());
            for step in 2..=amount + 1 {
                parts.push(pixel(size - step)?);
            }
            Tensor::cat(&parts, axis)?
        }
        PaddingMode::Replicate if size > 0 => {
            let mut parts = vec![pixel(0)?; amount];
            parts.push(x.clone());
            parts.extend(vec![pixel(size - 1)?; amount]);
            Tensor::cat(&parts, axis)?
        }
        PaddingMode::Circular | PaddingMode::Reflect | PaddingMode::Replicate => {
            return Err(refuse(format!("cannot pad {size} pixels by {amount} ({mode:?}); choose less padding")));
        }
    };
    Ok(padded)
}

/// Cross-correlation over two axes, weight (out, in / groups, kh, kw).
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// The kernel.
    pub weight: Tensor,
    /// One number per output channel.
    pub bias: Option<Tensor>,
    /// How it meets its input. `input` is not used here.
    pub geometry: Geometry,
}

impl Conv2d {
    /// A convolution with PyTorch's default start. Tensors are called `PREFIX.weight` and `PREFIX.bias`.
    pub fn new(
        params: &mut Params,
        random: &mut Random,
        prefix: &str,
        channels: [usize; 2],
        kernel: usize,
        geometry: Geometry,
        bias: bool,
    ) -> Result<Self, ParamError> {
        let [inputs, outputs] = channels;
        if geometry.groups == 0 || inputs % geometry.groups != 0 || outputs % geometry.groups != 0 {
            return Err(refuse(format!(
                "{prefix}: {} groups do not divide {inputs} and {outputs} channels",
                geometry.groups
            )));
        }
        let per_group = inputs / geometry.groups;
        let fan_in = per_group * kernel * kernel;
        let (dtype, device) = (params.dtype(), params.device().clone());
        let weight = random::kaiming_uniform(random, fan_in, (outputs, per_group, kernel, kernel), dtype, &device)?;
        let weight = params.add(&format!("{prefix}.weight"), &weight)?.into_inner();
        let bias = if bias {
            let start = random::kaiming_uniform(random, fan_in, outputs, dtype, &device)?;
            Some(params.add(&format!("{prefix}.bias"), &start)?.into_inner())
        } else {
            None
        };
        Ok(Self { weight, bias, geometry })
    }

    /// The same layer on the same numbers, without gradients for them.
    #[must_use]
    pub fn detached(&self) -> Self {
        let bias = self.bias.as_ref().map(Tensor::detach);
        Self { weight: self.weight.detach(), bias, geometry: self.geometry.clone() }
    }

    /// (N, in, H, W) → (N, out, H', W').
    ///
    /// # Errors
    /// Stride and dilation must be the same for both axes, and the kernel must fit the padded input.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ParamError> {
        let Geometry { stride, padding, padding_mode, dilation, groups, .. } = self.geometry;
        if stride[0] != stride[1] || dilation[0] != dilation[1] || stride[0] == 0 || dilation[0] == 0 {
            return Err(refuse(format!(
                "stride {stride:?} and dilation {dilation:?} must be positive and equal for both axes"
            )));
        }
        let (_, _, kh, kw) = self.weight.dims4()?;
        let mut y = pad_axis(&pad_axis(x, 2, padding[0], padding_mode)?, 3, padding[1], padding_mode)?;
        // Pixels that no output reads are cut off, so that the backward pass needs no output padding.
        for (axis, kernel, at) in [(2, kh, 0), (3, kw, 1)] {
            let span = dilation[at] * (kernel - 1) + 1;
            let size = y.dim(axis)?;
            if size < span {
                return Err(refuse(format!(
                    "a kernel that spans {span} pixels does not fit {size} pixels; add padding"
                )));
            }
            y = y.narrow(axis, 0, (size - span) / stride[at] * stride[at] + span)?;
        }
        let y = y.contiguous()?.conv2d(&self.weight, 0, stride[0], dilation[0], groups)?;
        match &self.bias {
            None => Ok(y),
            Some(bias) => Ok(y.broadcast_add(&bias.reshape((1, (), 1, 1))?)?),
        }
    }
}

/// `x Wᵀ + b`, weight (out, in).
#[derive(Clone, Debug)]
pub struct Linear {
    /// The matrix.
    pub weight: Tensor,
    /// One number per output.
    pub bias: Tensor,
}

impl Linear {
    /// A linear layer with PyTorch's default start.
    pub fn new(
        params: &mut Params,
        random: &mut Random,
        prefix: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, ParamError> {
        let (dtype, device) = (params.dtype(), params.device().clone());
        let weight = random::kaiming_uniform(random, inputs, (outputs, inputs), dtype, &device)?;
        let weight = params.add(&format!("{prefix}.weight"), &weight)?.into_inner();
        let bias = random::kaiming_uniform(random, inputs, outputs, dtype, &device)?;
        let bias = params.add(&format!("{prefix}.bias"), &bias)?.into_inner();
        Ok(Self { weight, bias })
    }

    /// The same layer on the same numbers, without gradients for them.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { weight: self.weight.detach(), bias: self.bias.detach() }
    }

    /// (N, in) → (N, out).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ParamError> {
        Ok(x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }
}

/// Whether batch statistics are measured and remembered, or the remembered ones are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Measure and remember.
    Train,
    /// Use what is remembered: the layer is affine.
    Eval,
}

/// Batch normalisation over (N, H, W).
#[derive(Clone, Debug)]
pub struct BatchNorm2d {
    /// Scale γ.
    pub weight: Tensor,
    /// Shift β.
    pub bias: Tensor,
    /// Remembered mean.
    pub running_mean: Var,
    /// Remembered variance (without bias, as PyTorch keeps it).
    pub running_var: Var,
    /// Added to the variance.
    pub eps: f64,
    /// Weight of the newest batch in what is remembered.
    pub momentum: f64,
}

impl BatchNorm2d {
    /// γ = 1, β = 0, mean 0, variance 1; ε = 1e-5, momentum 0.1.
    pub fn new(params: &mut Params, prefix: &str, channels: usize) -> Result<Self, ParamError> {
        let ones = Tensor::ones(channels, params.dtype(), params.device())?;
        let zeros = ones.zeros_like()?;
        Ok(Self {
            weight: params.add(&format!("{prefix}.weight"), &ones)?.into_inner(),
            bias: params.add(&format!("{prefix}.bias"), &zeros)?.into_inner(),
            running_mean: params.add_buffer(&format!("{prefix}.running_mean"), &zeros)?,
            running_var: params.add_buffer(&format!("{prefix}.running_var"), &ones)?,
            eps: 1e-5,
            momentum: 0.1,
        })
    }

    /// The same layer on the same numbers, without gradients for them.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { weight: self.weight.detach(), bias: self.bias.detach(), ..self.clone() }
    }

    /// (N, C, H, W) → the same shape.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor, ParamError> {
        let wide = |tensor: &Tensor| tensor.reshape((1, (), 1, 1));
        let (mean, variance) = match mode {
            Mode::Eval => {
                (wide(&self.running_mean.as_detached_tensor())?, wide(&self.running_var.as_detached_tensor())?)
            }
            Mode::Train => {
                let (n, c, h, w) = x.dims4()?;
                let flat = x.transpose(0, 1)?.reshape((c, n * h * w))?;
                let mean = flat.mean_keepdim(D::Minus1)?;
                let variance = flat.broadcast_sub(&mean)?.sqr()?.mean_keepdim(D::Minus1)?;
                let count = (n * h * w) as f64;
                self.remember(&self.running_mean, &mean, 1.0)?;
                self.remember(&self.running_var, &variance, count / (count - 1.0).max(1.0))?;
                (wide(&mean)?, wide(&variance)?)
            }
        };
        let scale = wide(&self.weight)?.div(&variance.affine(1.0, self.eps)?.sqrt()?)?;
        let centred = x.broadcast_sub(&mean)?;
        Ok(centred.broadcast_mul(&scale)?.broadcast_add(&wide(&self.bias)?)?)
    }

    fn remember(&self, kept: &Var, measured: &Tensor, factor: f64) -> Result<(), ParamError> {
        let newest = measured.detach().flatten_all()?.affine(self.momentum * factor, 0.0)?;
        kept.set(&(kept.as_detached_tensor().affine(1.0 - self.momentum, 0.0)? + newest)?)?;
        Ok(())
    }
}

/// Mean cross-entropy of (N, classes) logits against (N) labels (u32), in composed form.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor, ParamError> {
    let highest = logits.max_keepdim(D::Minus1)?.detach();
    let shifted = logits.broadcast_sub(&highest)?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let log_probability = shifted.broadcast_sub(&log_sum)?;
    Ok(log_probability.gather(&labels.unsqueeze(1)?, 1)?.mean_all()?.neg()?)
}
