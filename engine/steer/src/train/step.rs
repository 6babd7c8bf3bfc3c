//! Loss and gradients of one batch.

use candle_core::{DType, Device, Tensor};
use plumb_core::random::Random;
use plumb_nn::random;

use super::Sparsity;
use crate::Result;
use crate::sae::keep_largest;

/// The four trained tensors: `W_enc` `[d, m]`, `b_enc` `[m]`, `W_dec` `[m, d]`, `b_dec` `[d]`.
#[derive(Clone, Debug)]
pub struct Weights(pub [Tensor; 4]);

/// The derivatives of the loss, in the order of [`Weights`].
#[derive(Clone, Debug)]
pub struct Gradients(pub [Tensor; 4]);

/// The parts of the loss, and what fired.
#[derive(Clone, Debug)]
pub struct Losses {
    /// Mean squared distance, summed over d.
    pub mse: f64,
    /// Sparsity penalty or auxiliary loss, with its factor.
    pub other: f64,
    /// Mean number of features that fire.
    pub l0: f64,
    /// For each feature, tokens of the batch where it fired.
    pub firings: Vec<f32>,
    /// The smallest activation above zero; infinite without any.
    pub smallest: f64,
    /// Squared distance of each token.
    pub errors: Tensor,
}

impl Weights {
    /// Decoder rows random with length 0.1 (or 1 where lengths are fixed), encoder their transpose, biases zero.
    pub fn new(d: usize, m: usize, length: f64, random: &mut Random, dtype: DType, device: &Device) -> Result<Self> {
        let w_dec = random::kaiming_uniform(random, d, (m, d), dtype, device)?;
        let norms = w_dec.sqr()?.sum_keepdim(1)?.sqrt()?;
        let w_dec = (w_dec.broadcast_div(&norms)? * length)?;
        Ok(Self([w_dec.t()?.contiguous()?, Tensor::zeros(m, dtype, device)?, w_dec, Tensor::zeros(d, dtype, device)?]))
    }
}

/// Loss and gradients on `x` `[B, d]`. `factor` is the L1 factor at this step; `dead` `[m]` holds 1 for dead features.
pub fn gradients(
    weights: &Weights,
    x: &Tensor,
    sparsity: Sparsity,
    factor: f64,
    dead: Option<&Tensor>,
) -> Result<(Losses, Gradients)> {
    let Weights([w_enc, b_enc, w_dec, b_dec]) = weights;
    let batch = x.dim(0)? as f64;
    let y = x.broadcast_sub(b_dec)?;
    let p = y.matmul(w_enc)?.broadcast_add(b_enc)?;
    let z = match sparsity.largest() {
        None => p.relu()?,
        Some((k, _, false)) => keep_largest(&p, k)?.relu()?,
        Some((k, _, true)) => {
            let (rows, m) = p.dims2()?;
            keep_largest(&p.reshape((1, rows * m))?, k * rows)?.reshape((rows, m))?.relu()?
        }
    };
    let open = z.gt(0f64)?.to_dtype(p.dtype())?;
    let error = (z.matmul(w_dec)?.broadcast_add(b_dec)? - x)?;
    let errors = error.sqr()?.sum(1)?;
    // dL/dx̂
    let g = (&error * (2.0 / batch))?;
    let mut g_w_dec = z.t()?.matmul(&g)?;
    let mut g_b_dec = g.sum(0)?;
    let mut g_z = g.matmul(&w_dec.t()?)?;
    let mut other = 0.0;
    if let Sparsity::L1 { .. } = sparsity {
        let norms = w_dec.sqr()?.sum(1)?.sqrt()?;
        let sums = z.sum(0)?;
        other = factor / batch * scalar(&(&sums * &norms)?)?;
        let safe = norms.maximum(&norms.ones_like()?.affine(1e-12, 0.0)?)?;
        g_w_dec = (g_w_dec + w_dec.broadcast_mul(&((sums / safe)? * (factor / batch))?.unsqueeze(1)?)?)?;
        g_z = g_z.broadcast_add(&(norms * (factor / batch))?)?;
    }
    let mut g_p = (g_z * &open)?;
    if let (Some((k, aux, _)), Some(dead)) = (sparsity.largest(), dead)
        && aux > 0.0
    {
        // The dead features with the largest pre-activations reconstruct what is missing; the target is a constant.
        let closed = (p.ones_like()?.broadcast_sub(dead)? * -1e30)?;
        let chosen = (p.broadcast_mul(dead)? + closed)?;
        let z_aux = keep_largest(&chosen, 2 * k)?.to_dtype(p.dtype())?.relu()?;
        let open_aux = z_aux.gt(0f64)?.to_dtype(p.dtype())?;
        let rest = (z_aux.matmul(w_dec)? + &error)?;
        other = aux / batch * scalar(&rest.sqr()?)?;
        let g_aux = (rest * (2.0 * aux / batch))?;
        g_w_dec = (g_w_dec + z_aux.t()?.matmul(&g_aux)?)?;
        g_p = (g_p + (g_aux.matmul(&w_dec.t()?)? * open_aux)?)?;
    }
    let g_b_enc = g_p.sum(0)?;
    let g_w_enc = y.t()?.matmul(&g_p)?;
    // y = x − b_dec; (Σ_t dp_t) W_encᵀ costs one vector product.
    g_b_dec = (g_b_dec - g_b_enc.unsqueeze(0)?.matmul(&w_enc.t()?)?.squeeze(0)?)?;
    let closed = ((open.ones_like()? - &open)? * 1e30)?;
    let smallest = (&z + closed)?.flatten_all()?.min(0)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    let smallest = if smallest < 1e30 { smallest } else { f64::INFINITY };
    let firings = open.sum(0)?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    let losses = Losses {
        mse: scalar(&errors)? / batch,
        other,
        l0: firings.iter().map(|&n| f64::from(n)).sum::<f64>() / batch,
        firings,
        smallest,
        errors,
    };
    Ok((losses, Gradients([g_w_enc, g_b_enc, g_w_dec, g_b_dec])))
}

fn scalar(tensor: &Tensor) -> Result<f64> {
    Ok(tensor.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?)
}
