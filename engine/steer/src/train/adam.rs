//! Adam with the moments of the four tensors, and the decoder's constraint.

use candle_core::Tensor;

use super::{DecoderNorm, Gradients, Weights};
use crate::Result;

pub(super) const BETA: [f64; 2] = [0.9, 0.999];
pub(super) const EPSILON: f64 = 1e-8;

/// First and second moments of every tensor.
#[derive(Clone, Debug)]
pub(super) struct Adam {
    pub first: [Tensor; 4],
    pub second: [Tensor; 4],
    pub steps: usize,
}

/// `[m, d]` rows brought to length 1.
pub(super) fn unit_rows(w_dec: &Tensor) -> Result<Tensor> {
    let norms = w_dec.sqr()?.sum_keepdim(1)?.sqrt()?;
    Ok(w_dec.broadcast_div(&norms.maximum(&norms.ones_like()?.affine(1e-12, 0.0)?)?)?)
}

/// Takes up a gradient in the moments; what is to be subtracted from the weight in step `step`, counted from one.
pub(crate) fn moments(
    first: &mut Tensor,
    second: &mut Tensor,
    gradient: &Tensor,
    step: usize,
    rate: f64,
) -> Result<Tensor> {
    let bias = BETA.map(|beta| 1.0 - beta.powi(step as i32));
    *first = ((&*first * BETA[0])? + (gradient * (1.0 - BETA[0]))?)?;
    *second = ((&*second * BETA[1])? + (gradient.sqr()? * (1.0 - BETA[1]))?)?;
    let scale = ((&*second / bias[1])?.sqrt()? + EPSILON)?;
    Ok(((&*first / scale)? * (rate / bias[0]))?)
}

impl Adam {
    pub fn new(weights: &Weights) -> Result<Self> {
        let zeros = || -> Result<[Tensor; 4]> {
            let [a, b, c, d] = &weights.0;
            Ok([a.zeros_like()?, b.zeros_like()?, c.zeros_like()?, d.zeros_like()?])
        };
        Ok(Self { first: zeros()?, second: zeros()?, steps: 0 })
    }

    pub fn step(
        &mut self,
        weights: &mut Weights,
        gradients: &Gradients,
        rate: f64,
        constraint: DecoderNorm,
    ) -> Result<()> {
        self.steps += 1;
        for i in 0..4 {
            let mut gradient = gradients.0[i].clone();
            if i == 2 && constraint == DecoderNorm::Unit {
                let w = &weights.0[2];
                let along = (&gradient * w)?.sum_keepdim(1)?;
                gradient = (gradient - w.broadcast_mul(&along)?)?;
            }
            let change = moments(&mut self.first[i], &mut self.second[i], &gradient, self.steps, rate)?;
            weights.0[i] = (&weights.0[i] - change)?;
        }
        if constraint == DecoderNorm::Unit {
            weights.0[2] = unit_rows(&weights.0[2])?;
        }
        Ok(())
    }
}
