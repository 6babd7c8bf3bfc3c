//! Giving dead features a new start where reconstruction is worst.

use candle_core::{DType, Tensor};
use plumb_core::random::Random;

use super::adam::Adam;
use super::{DecoderNorm, Weights};
use crate::Result;

/// Points every dead feature at a token drawn with probability proportional to its squared loss `errors` `[B]`: the
/// decoder vector along `x − b_dec`, the encoder the same at a fifth of the mean length of living ones, the bias zero and
/// Adam's moments forgotten. `length` is that of fresh decoder vectors.
pub(super) fn resample(
    weights: &mut Weights,
    adam: &mut Adam,
    dead: &[bool],
    x: &Tensor,
    errors: &Tensor,
    constraint: DecoderNorm,
    random: &mut Random,
) -> Result<usize> {
    let count = dead.iter().filter(|dead| **dead).count();
    if count == 0 || count == dead.len() {
        return Ok(0);
    }
    let errors = errors.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let total: f64 = errors.iter().sum();
    let Weights([w_enc, b_enc, w_dec, b_dec]) = &*weights;
    let device = x.device();
    let norms = w_enc.sqr()?.sum(0)?.sqrt()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let living = norms.iter().zip(dead).filter(|(_, dead)| !**dead);
    let mean = living.map(|(norm, _)| norm).sum::<f64>() / (dead.len() - count) as f64;
    // One token for each feature, whether dead or not, so that whole tensors can be mixed by a mask.
    let tokens: Vec<u32> = dead
        .iter()
        .map(|dead| {
            if !dead {
                return 0;
            }
            let mut left = random.uniform() * total;
            let drawn = errors.iter().position(|error| {
                left -= error;
                left < 0.0
            });
            drawn.unwrap_or(errors.len() - 1) as u32
        })
        .collect();
    let drawn = x.broadcast_sub(b_dec)?.index_select(&Tensor::new(tokens, device)?, 0)?;
    let fresh = super::adam::unit_rows(&drawn)?;
    let decoder = (&fresh * if constraint == DecoderNorm::Unit { 1.0 } else { 0.1 })?;
    let encoder = (fresh * (0.2 * mean))?.t()?.contiguous()?;
    let mask: Vec<f32> = dead.iter().map(|&dead| f32::from(u8::from(dead))).collect();
    let mask = Tensor::new(mask, device)?.to_dtype(x.dtype())?;
    let keep = (mask.ones_like()? - &mask)?;
    let mix_columns =
        |old: &Tensor, new: &Tensor| -> Result<Tensor> { Ok((old.broadcast_mul(&keep)? + new.broadcast_mul(&mask)?)?) };
    let (mask_rows, keep_rows) = (mask.unsqueeze(1)?, keep.unsqueeze(1)?);
    let new_dec = (w_dec.broadcast_mul(&keep_rows)? + decoder.broadcast_mul(&mask_rows)?)?;
    let new = [mix_columns(w_enc, &encoder)?, (b_enc * &keep)?, new_dec, b_dec.clone()];
    for moments in [&mut adam.first, &mut adam.second] {
        moments[0] = moments[0].broadcast_mul(&keep)?;
        moments[1] = (&moments[1] * &keep)?;
        moments[2] = moments[2].broadcast_mul(&keep_rows)?;
    }
    weights.0 = new;
    Ok(count)
}
