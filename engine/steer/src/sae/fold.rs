//! Moving factors between encoder and decoder without changing what the SAE computes.

use super::{Normalisation, Parts, Sae};
use crate::{Result, SteerError};

impl Sae {
    /// Gives every decoder vector length one; activations grow by the old length, reconstructions stay. Decoder
    /// vectors of length zero are left alone.
    pub fn fold_decoder_norms(&self) -> Result<Self> {
        let norms = self.decoder_norms()?;
        let zero = norms.eq(0f32)?;
        let norms = zero.where_cond(&norms.ones_like()?, &norms)?;
        let parts = match &self.parts {
            Parts::Standard => Parts::Standard,
            Parts::JumpRelu { threshold } => Parts::JumpRelu { threshold: (threshold * &norms)? },
            Parts::TopK { .. } if !self.config.rescale_acts_by_decoder_norm => {
                return Err(SteerError::Spec(
                    "the decoder lengths of a TopK autoencoder decide which features are among the largest, so they cannot be folded"
                        .to_owned(),
                ));
            }
            Parts::TopK { k } => Parts::TopK { k: *k },
            Parts::Gated { b_gate, r_mag, b_mag } => Parts::Gated {
                // Both paths read the same W_enc, which grows by the norm: the gate's bias must grow with it.
                b_gate: (b_gate * &norms)?,
                r_mag: r_mag.clone(),
                b_mag: (b_mag * &norms)?,
            },
        };
        Ok(Self {
            config: self.config.clone(),
            w_enc: self.w_enc.broadcast_mul(&norms)?,
            b_enc: (&self.b_enc * &norms)?,
            w_dec: self.w_dec.broadcast_div(&norms.unsqueeze(1)?)?,
            b_dec: self.b_dec.clone(),
            parts,
        })
    }

    /// Puts the factor `s = √d / mean ‖x‖` of training into the weights, after which inputs are taken as they are:
    /// `W_enc · s`, `W_dec / s`, `b_dec / s`.
    pub fn fold_input_scale(&self, scale: f64) -> Result<Self> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(SteerError::Spec(format!("an input factor of {scale} is not possible: it must be above zero")));
        }
        let mut config = self.config.clone();
        if config.normalisation == Normalisation::ExpectedAverageOnlyIn {
            config.normalisation = Normalisation::None;
        }
        Ok(Self {
            config,
            w_enc: (&self.w_enc * scale)?,
            b_enc: self.b_enc.clone(),
            w_dec: (&self.w_dec / scale)?,
            b_dec: (&self.b_dec / scale)?,
            parts: self.parts.clone(),
        })
    }
}
