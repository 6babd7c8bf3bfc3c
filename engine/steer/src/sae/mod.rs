//! Sparse autoencoders: encoding, decoding and the bookkeeping around them.

mod attach;
mod config;
mod fire;
mod fold;
mod length;
mod load;
mod save;
mod subset;
mod topk;

use candle_core::{D, DType, Device, Tensor};

use crate::{Result, SteerError};
use fire::Fire;

pub use attach::{Attachment, ModelFacts};
pub use config::{Architecture, Normalisation, SaeConfig};
pub(crate) use length::length;
pub use load::gemma_scope_config;
pub use save::Stored;
pub use subset::Subset;
pub(crate) use subset::dot;
pub(crate) use topk::keep_largest;

/// What belongs to one architecture only.
#[derive(Clone, Debug)]
enum Parts {
    Standard,
    JumpRelu { threshold: Tensor },
    TopK { k: usize },
    Gated { b_gate: Tensor, r_mag: Tensor, b_mag: Tensor },
}

/// A sparse autoencoder, 32-bit, on one device.
#[derive(Clone, Debug)]
pub struct Sae {
    /// What it is.
    pub config: SaeConfig,
    w_enc: Tensor,
    b_enc: Tensor,
    w_dec: Tensor,
    b_dec: Tensor,
    parts: Parts,
}

/// Activations of some tokens, with what decoding needs to know of their normalisation.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// `[T, m]`.
    pub z: Tensor,
    /// Factor `[T, 1]` that decoding multiplies with.
    scale: Option<Tensor>,
    /// `[T, 1]`, added after the factor.
    shift: Option<Tensor>,
}

impl Sae {
    /// From weights: `w_enc` `[d, m]`, `b_enc` `[m]` (zeros for gated ones), `w_dec` `[m, d]`, `b_dec` `[d]`. For
    /// JumpReLU with `threshold` `[m]`, for gated ones with `gate = [b_gate, r_mag, b_mag]`, each `[m]`.
    pub fn new(
        config: SaeConfig,
        [w_enc, b_enc, w_dec, b_dec]: [Tensor; 4],
        threshold: Option<Tensor>,
        gate: Option<[Tensor; 3]>,
    ) -> Result<Self> {
        let (d, m) = (config.d_in, config.d_sae);
        let place = "the autoencoder's weights";
        let missing = |name| SteerError::MissingTensor {
            name,
            architecture: config.architecture.name(),
            place: place.to_owned(),
        };
        let check = |name: &str, tensor: Tensor, shape: &[usize]| checked(name, &tensor, shape, place);
        let parts = match config.architecture {
            Architecture::Standard => Parts::Standard,
            Architecture::JumpRelu => {
                let threshold = threshold.ok_or_else(|| missing("threshold"))?;
                Parts::JumpRelu { threshold: check("threshold", threshold, &[m])? }
            }
            Architecture::TopK => match config.k {
                Some(k) if (1..=m).contains(&k) => Parts::TopK { k },
                k => {
                    let what = format!("k is {k:?} where 1 to {m}, the number of features, is possible");
                    return Err(SteerError::Config { place: place.to_owned(), what });
                }
            },
            Architecture::Gated => {
                let [b_gate, r_mag, b_mag] = gate.ok_or_else(|| missing("b_gate"))?;
                Parts::Gated {
                    b_gate: check("b_gate", b_gate, &[m])?,
                    r_mag: check("r_mag", r_mag, &[m])?,
                    b_mag: check("b_mag", b_mag, &[m])?,
                }
            }
        };
        Ok(Self {
            w_enc: check("W_enc", w_enc, &[d, m])?,
            b_enc: check("b_enc", b_enc, &[m])?,
            w_dec: check("W_dec", w_dec, &[m, d])?,
            b_dec: check("b_dec", b_dec, &[d])?,
            parts,
            config,
        })
    }

    /// Where its tensors live.
    pub fn device(&self) -> &Device {
        self.w_dec.device()
    }

    /// The same on another device.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let to = |tensor: &Tensor| tensor.to_device(device);
        let parts = match &self.parts {
            Parts::Standard => Parts::Standard,
            Parts::TopK { k } => Parts::TopK { k: *k },
            Parts::JumpRelu { threshold } => Parts::JumpRelu { threshold: to(threshold)? },
            Parts::Gated { b_gate, r_mag, b_mag } => {
                Parts::Gated { b_gate: to(b_gate)?, r_mag: to(r_mag)?, b_mag: to(b_mag)? }
            }
        };
        Ok(Self {
            config: self.config.clone(),
            w_enc: to(&self.w_enc)?,
            b_enc: to(&self.b_enc)?,
            w_dec: to(&self.w_dec)?,
            b_dec: to(&self.b_dec)?,
            parts,
        })
    }

    /// The decoder, `[m, d]`; its rows are the features' directions.
    pub fn w_dec(&self) -> &Tensor {
        &self.w_dec
    }

    /// The decoder vector `d_j`.
    pub fn decoder_vector(&self, feature: usize) -> Result<Vec<f32>> {
        self.check_feature(feature)?;
        Ok(self.w_dec.get(feature)?.to_vec1()?)
    }

    /// What an activation of 1 adds to the (normalised) reconstruction: the decoder vector, except for TopK SAEs that
    /// weigh activations by its length.
    pub(crate) fn contribution(&self, feature: usize) -> Result<Vec<f32>> {
        let mut vector = self.decoder_vector(feature)?;
        if self.config.rescale_acts_by_decoder_norm && matches!(self.parts, Parts::TopK { .. }) {
            let norm = dot(&vector, &vector).sqrt().max(f32::MIN_POSITIVE);
            for x in &mut vector {
                *x /= norm;
            }
        }
        Ok(vector)
    }

    /// `‖d_j‖` of every feature, `[m]`.
    pub fn decoder_norms(&self) -> Result<Tensor> {
        Ok(self.w_dec.sqr()?.sum(1)?.sqrt()?)
    }

    pub(crate) fn check_feature(&self, feature: usize) -> Result<()> {
        let features = self.config.d_sae;
        if feature < features { Ok(()) } else { Err(SteerError::NoFeature { feature, features }) }
    }

    /// Pre-activations `p` `[T, m]` of `x` `[T, d]`, as they are before any activation function.
    pub fn pre_activations(&self, x: &Tensor) -> Result<Tensor> {
        let (x, _, _) = self.normalise(x)?;
        self.pre(&x)
    }

    /// Of normalised inputs.
    fn pre(&self, x: &Tensor) -> Result<Tensor> {
        let p = self.product(x)?;
        Ok(match &self.parts {
            // The two biases of a gated SAE are added where its two paths part.
            Parts::Gated { .. } => p,
            _ => p.broadcast_add(&self.b_enc)?,
        })
    }

    /// The product with the encoder alone.
    fn product(&self, x: &Tensor) -> Result<Tensor> {
        let y = if self.config.apply_b_dec_to_input { &x.broadcast_sub(&self.b_dec)? } else { x };
        Ok(y.matmul(&self.w_enc)?)
    }

    /// Centres and normalises; gives also factor and shift that undo it.
    fn normalise(&self, x: &Tensor) -> Result<(Tensor, Option<Tensor>, Option<Tensor>)> {
        let found = x.dim(D::Minus1)?;
        if found != self.config.d_in || x.rank() != 2 {
            return Err(SteerError::Width { expected: self.config.d_in, found });
        }
        let mut x = x.to_dtype(DType::F32)?;
        let d = self.config.d_in as f64;
        let mut shift = None;
        if self.config.centre_input || self.config.normalisation == Normalisation::LayerNorm {
            let mean = x.mean_keepdim(1)?;
            x = x.broadcast_sub(&mean)?;
            shift = Some(mean);
        }
        match self.config.normalisation {
            Normalisation::None => Ok((x, None, shift)),
            Normalisation::LayerNorm => {
                let deviation = (x.sqr()?.sum_keepdim(1)? / (d - 1.0).max(1.0))?.sqrt()?;
                Ok((x.broadcast_div(&(&deviation + 1e-5)?)?, Some(deviation), shift))
            }
            Normalisation::ConstantNormRescale => {
                let back = (x.sqr()?.sum_keepdim(1)?.sqrt()? / d.sqrt())?.maximum(f32::MIN_POSITIVE)?;
                Ok((x.broadcast_div(&back)?, Some(back), shift))
            }
            Normalisation::ExpectedAverageOnlyIn => Err(SteerError::Spec(
                "this autoencoder scales its input by a factor that its file does not contain: measure √d / mean ‖x‖ on the model \
                 it was trained on and fold it in first"
                    .to_owned(),
            )),
        }
    }

    /// Activations `z = E(x)` of `x` `[T, d]`; none where `x` is longer than what it was made for.
    pub fn encode(&self, x: &Tensor) -> Result<Encoded> {
        let (normal, scale, shift) = self.normalise(x)?;
        let z = match self.fire(&normal)? {
            Some(z) => z,
            None => self.activations(&normal)?,
        };
        let none = Tensor::zeros((1, 1), DType::F32, z.device())?;
        Ok(Encoded { z: self.where_known(x, z, &none)?, scale, shift })
    }

    /// Of normalised inputs, on any device.
    fn activations(&self, x: &Tensor) -> Result<Tensor> {
        let p = self.pre(x)?;
        Ok(match &self.parts {
            Parts::Standard => p.relu()?,
            Parts::JumpRelu { threshold } => {
                let open = p.broadcast_gt(threshold)?.to_dtype(DType::F32)?;
                (p.relu()? * open)?
            }
            Parts::TopK { k } => {
                let p =
                    if self.config.rescale_acts_by_decoder_norm { p.broadcast_mul(&self.decoder_norms()?)? } else { p };
                keep_largest(&p, *k)?.relu()?
            }
            Parts::Gated { b_gate, r_mag, b_mag } => {
                let open = p.broadcast_add(b_gate)?.gt(0f32)?.to_dtype(DType::F32)?;
                (p.broadcast_mul(&r_mag.exp()?)?.broadcast_add(b_mag)?.relu()? * open)?
            }
        })
    }

    /// The same of normalised inputs on the processor, where one look at each pre-activation decides: the product takes
    /// most of the time, and every further pass over its result would be felt.
    fn fire(&self, x: &Tensor) -> Result<Option<Tensor>> {
        let threshold = match &self.parts {
            _ if !x.device().is_cpu() => return Ok(None),
            Parts::Standard => None,
            Parts::JumpRelu { threshold } => Some(threshold),
            Parts::TopK { .. } | Parts::Gated { .. } => return Ok(None),
        };
        let z = self.product(x)?;
        match threshold {
            None => z.inplace_op2(&self.b_enc, &Fire)?,
            Some(threshold) => z.inplace_op3(&self.b_enc, threshold, &Fire)?,
        }
        Ok(Some(z))
    }

    /// `D(z)` in the units of the input, `[T, d]`.
    pub fn decode(&self, encoded: &Encoded) -> Result<Tensor> {
        let z = if self.config.rescale_acts_by_decoder_norm && matches!(self.parts, Parts::TopK { .. }) {
            encoded.z.broadcast_div(&self.decoder_norms()?)?
        } else {
            encoded.z.clone()
        };
        let mut x = z.matmul(&self.w_dec)?.broadcast_add(&self.b_dec)?;
        if let Some(scale) = &encoded.scale {
            x = x.broadcast_mul(scale)?;
        }
        if let Some(shift) = &encoded.shift {
            x = x.broadcast_add(shift)?;
        }
        Ok(x)
    }

    /// `D(E(x))`; `x` itself where it is longer than what it was made for.
    pub fn reconstruct(&self, x: &Tensor) -> Result<Tensor> {
        self.where_known(x, self.decode(&self.encode(x)?)?, x)
    }
}

/// Makes a weight 32-bit and contiguous; fails on another shape and on NaN or infinity.
fn checked(name: &str, tensor: &Tensor, shape: &[usize], place: &str) -> Result<Tensor> {
    if tensor.dims() != shape {
        return Err(SteerError::TensorShape {
            name: name.to_owned(),
            expected: shape.to_vec(),
            found: tensor.dims().to_vec(),
            place: place.to_owned(),
        });
    }
    let tensor = tensor.to_dtype(DType::F32)?.contiguous()?;
    // A sum of zeros is zero, and anything that is no number spoils it.
    let spoiled = (&tensor * 0.0)?.sum_all()?.to_scalar::<f32>()?;
    if spoiled == 0.0 {
        Ok(tensor)
    } else {
        Err(SteerError::NotFinite { name: name.to_owned(), place: place.to_owned() })
    }
}

#[cfg(test)]
mod published;
#[cfg(test)]
pub(crate) mod tests;
