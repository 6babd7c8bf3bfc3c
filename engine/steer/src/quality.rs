//! How good an SAE is: what it keeps, how sparse it is, and what its reconstruction costs the model.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Quality of an SAE on activations it was not trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Tokens measured.
    pub tokens: u64,
    /// Mean number of features that fire.
    pub l0: f64,
    /// Mean sum of activations.
    pub l1: f64,
    /// Mean squared distance, summed over d.
    pub mse: f64,
    /// `1 − Σ‖x − x̂‖² / Σ‖x − x̄‖²`.
    pub explained_variance: f64,
    /// Mean cosine of `x` and `x̂`.
    pub cosine: f64,
    /// Mean `‖x̂‖ / ‖x‖`.
    pub l2_ratio: f64,
    /// Mean `‖x̂‖²` divided by mean `x·x̂`: 1 without bias.
    pub reconstruction_bias: f64,
    /// Share of features that never fired.
    pub dead: f64,
    /// See [`score_of`], on cross-entropy, where the model was run.
    pub ce_score: Option<f64>,
    /// `(KL_zero − KL_sae) / KL_zero`, where the model was run.
    pub kl_score: Option<f64>,
}

/// `(zero − sae) / (zero − clean)`: 1 where the reconstruction costs nothing, 0 where it is as bad as a stream of
/// zeros. For KL, `clean` is 0. `None` where zeros cost nothing either.
pub fn score_of(clean: f64, sae: f64, zero: f64) -> Option<f64> {
    ((zero - clean).abs() > 1e-12).then(|| (zero - sae) / (zero - clean))
}

/// Sums over batches, in double precision.
#[derive(Clone, Debug)]
pub struct QualityMeter {
    tokens: u64,
    sums: [f64; 7],
    squares: f64,
    mean: Vec<f64>,
    firings: Vec<u64>,
}

impl QualityMeter {
    /// For an SAE of width `d` with `features` features.
    pub fn new(d: usize, features: usize) -> Self {
        Self { tokens: 0, sums: [0.0; 7], squares: 0.0, mean: vec![0.0; d], firings: vec![0; features] }
    }

    /// Adds a batch: `x` `[T, d]`, `xhat` `[T, d]` in the same units, `z` `[T, m]`. BOS rows are left out before.
    pub fn add(&mut self, x: &Tensor, xhat: &Tensor, z: &Tensor) -> Result<()> {
        let sum = |t: &Tensor| -> Result<f64> { Ok(t.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?) };
        let open = z.gt(0f32)?.to_dtype(DType::F32)?;
        let firings = open.sum(0)?.to_vec1::<f32>()?;
        self.firings.iter_mut().zip(&firings).for_each(|(all, new)| *all += *new as u64);
        let xx = x.sqr()?.sum(1)?;
        let hh = xhat.sqr()?.sum(1)?;
        let xh = (x * xhat)?.sum(1)?;
        let norms = (&xx * &hh)?.sqrt()?.maximum(f32::MIN_POSITIVE)?;
        let error = (x - xhat)?.sqr()?.sum(1)?;
        let ratio = (hh.sqrt()? / xx.sqrt()?.maximum(f32::MIN_POSITIVE)?)?;
        let new = [sum(&open)?, sum(z)?, sum(&error)?, sum(&(&xh / &norms)?)?, sum(&ratio)?, sum(&hh)?, sum(&xh)?];
        self.sums.iter_mut().zip(new).for_each(|(all, new)| *all += new);
        self.squares += sum(&xx)?;
        let columns = x.to_dtype(DType::F64)?.sum(0)?.to_vec1::<f64>()?;
        self.mean.iter_mut().zip(columns).for_each(|(all, new)| *all += new);
        self.tokens += x.dim(0)? as u64;
        Ok(())
    }

    /// Share of tokens where each feature fired.
    pub fn density(&self) -> Vec<f64> {
        self.firings.iter().map(|&n| n as f64 / self.tokens.max(1) as f64).collect()
    }

    /// The figures so far, without those that need the model.
    pub fn quality(&self) -> Quality {
        let n = self.tokens.max(1) as f64;
        let [l0, l1, error, cosine, ratio, hh, xh] = self.sums;
        let variance = self.squares - self.mean.iter().map(|m| m * m).sum::<f64>() / n;
        Quality {
            tokens: self.tokens,
            l0: l0 / n,
            l1: l1 / n,
            mse: error / n,
            explained_variance: if variance > 0.0 { 1.0 - error / variance } else { 0.0 },
            cosine: cosine / n,
            l2_ratio: ratio / n,
            reconstruction_bias: if xh == 0.0 { 0.0 } else { hh / xh },
            dead: self.firings.iter().filter(|n| **n == 0).count() as f64 / self.firings.len().max(1) as f64,
            ce_score: None,
            kl_score: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn hand_calculation() {
        let x = Tensor::new(&[[1f32, 0.], [3., 4.]], &Device::Cpu).unwrap();
        let xhat = Tensor::new(&[[1f32, 0.], [3., 0.]], &Device::Cpu).unwrap();
        let z = Tensor::new(&[[1f32, 0., 0.], [2., 1., 0.]], &Device::Cpu).unwrap();
        let mut meter = QualityMeter::new(2, 3);
        // In two batches, which must not matter.
        for t in 0..2 {
            let row = |tensor: &Tensor| tensor.narrow(0, t, 1).unwrap();
            meter.add(&row(&x), &row(&xhat), &row(&z)).unwrap();
        }
        let q = meter.quality();
        assert_eq!((q.tokens, q.l0, q.l1, q.mse), (2, 1.5, 2.0, 8.0));
        // x̄ = (2, 2): Σ‖x − x̄‖² = 5 + 5
        assert!((q.explained_variance - (1.0 - 16.0 / 10.0)).abs() < 1e-9);
        assert!((q.cosine - 0.8).abs() < 1e-6 && (q.l2_ratio - 0.8).abs() < 1e-6);
        assert!((q.dead - 1.0 / 3.0).abs() < 1e-12 && (q.reconstruction_bias - 1.0).abs() < 1e-9);
        assert_eq!(meter.density(), [1.0, 0.5, 0.0]);
        // The defect to avoid: a large mean must not count as explained.
        let far = (&x + 100.0).unwrap();
        let mut meter = QualityMeter::new(2, 3);
        meter.add(&far, &(&xhat + 100.0).unwrap(), &z).unwrap();
        assert!((meter.quality().explained_variance - (1.0 - 16.0 / 10.0)).abs() < 1e-4);
        assert_eq!(score_of(2.0, 2.5, 7.0), Some(0.9));
    }
}
