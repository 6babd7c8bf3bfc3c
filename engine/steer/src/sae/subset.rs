//! The activations of a few chosen features, token by token: `O(d)` for each instead of the whole encoder.

use candle_core::{Device, Tensor};

use super::{Normalisation, Parts, Sae, length};
use crate::{Result, SteerError};

/// One feature's part of the encoder.
#[derive(Clone, Debug)]
struct Row {
    weights: Vec<f32>,
    bias: f32,
    rule: Rule,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    Relu,
    Above(f32),
    /// Bias of the gate, factor and bias of the magnitude.
    Gate(f32, f32, f32),
}

/// Encodes chosen features of an SAE on the processor.
#[derive(Clone, Debug)]
pub struct Subset {
    features: Vec<usize>,
    rows: Vec<Row>,
    b_dec: Option<Vec<f32>>,
    centre: bool,
    normalisation: Normalisation,
    width: usize,
    longest: Option<f32>,
    /// TopK: which features fire depends on all of them.
    whole: Option<Box<Sae>>,
}

impl Sae {
    /// An encoder for these features only. For TopK SAEs it still computes all of them.
    pub fn subset(&self, features: &[usize]) -> Result<Subset> {
        features.iter().try_for_each(|&feature| self.check_feature(feature))?;
        let whole = matches!(self.parts, Parts::TopK { .. }).then(|| Box::new(self.clone()));
        let number = |tensor: &Tensor, j: usize| -> Result<f32> { Ok(tensor.get(j)?.to_scalar()?) };
        let mut rows = Vec::new();
        for &j in features {
            let rule = match &self.parts {
                Parts::Standard | Parts::TopK { .. } => Rule::Relu,
                Parts::JumpRelu { threshold } => Rule::Above(number(threshold, j)?),
                Parts::Gated { b_gate, r_mag, b_mag } => {
                    Rule::Gate(number(b_gate, j)?, number(r_mag, j)?.exp(), number(b_mag, j)?)
                }
            };
            let weights = self.w_enc.narrow(1, j, 1)?.flatten_all()?.to_vec1()?;
            let bias = if matches!(rule, Rule::Gate(..)) { 0.0 } else { number(&self.b_enc, j)? };
            rows.push(Row { weights, bias, rule });
        }
        if self.config.normalisation == Normalisation::ExpectedAverageOnlyIn {
            // The same error as for whole encoding.
            self.encode(&Tensor::zeros((1, self.config.d_in), candle_core::DType::F32, self.device())?)?;
        }
        Ok(Subset {
            features: features.to_vec(),
            rows,
            b_dec: if self.config.apply_b_dec_to_input { Some(self.b_dec.to_vec1()?) } else { None },
            centre: self.config.centre_input || self.config.normalisation == Normalisation::LayerNorm,
            normalisation: self.config.normalisation,
            width: self.config.d_in,
            longest: self.config.longest,
            whole,
        })
    }
}

impl Subset {
    /// The features, in the order of what [`encode`](Self::encode) gives.
    pub fn features(&self) -> &[usize] {
        &self.features
    }

    /// Activations of the chosen features for each row of `x` (`T · d` numbers, row-major): `T · |S|` numbers.
    pub fn encode(&self, x: &[f32]) -> Result<Vec<f32>> {
        if !x.len().is_multiple_of(self.width) {
            return Err(SteerError::Width { expected: self.width, found: x.len() });
        }
        if self.features.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(sae) = &self.whole {
            let x = Tensor::from_slice(x, (x.len() / self.width, self.width), &Device::Cpu)?.to_device(sae.device())?;
            let chosen: Vec<u32> = self.features.iter().map(|&j| j as u32).collect();
            let chosen = Tensor::new(chosen, sae.device())?;
            return Ok(sae.encode(&x)?.z.index_select(&chosen, 1)?.flatten_all()?.to_vec1()?);
        }
        let mut z = Vec::with_capacity(x.len() / self.width * self.rows.len());
        let mut input = vec![0f32; self.width];
        for row in x.chunks_exact(self.width) {
            if self.longest.is_some_and(|longest| length(row) > longest) {
                z.extend(self.rows.iter().map(|_| 0.0));
                continue;
            }
            self.prepare(row, &mut input);
            for feature in &self.rows {
                let p = dot(&feature.weights, &input) + feature.bias;
                z.push(match feature.rule {
                    Rule::Relu => p.max(0.0),
                    Rule::Above(threshold) => {
                        if p > threshold {
                            p.max(0.0)
                        } else {
                            0.0
                        }
                    }
                    Rule::Gate(gate, factor, bias) => {
                        if p + gate > 0.0 {
                            (p * factor + bias).max(0.0)
                        } else {
                            0.0
                        }
                    }
                });
            }
        }
        Ok(z)
    }

    /// What one unit of activation is multiplied with when it is decoded back into the stream at `row`.
    pub fn scale(&self, row: &[f32]) -> f32 {
        let d = self.width as f32;
        match self.normalisation {
            Normalisation::None | Normalisation::ExpectedAverageOnlyIn => 1.0,
            Normalisation::ConstantNormRescale => {
                let mean = if self.centre { row.iter().sum::<f32>() / d } else { 0.0 };
                row.iter().map(|x| (x - mean).powi(2)).sum::<f32>().sqrt() / d.sqrt()
            }
            Normalisation::LayerNorm => {
                let mean = row.iter().sum::<f32>() / d;
                (row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / (d - 1.0).max(1.0)).sqrt()
            }
        }
    }

    /// Centres, normalises and subtracts `b_dec`.
    fn prepare(&self, row: &[f32], input: &mut [f32]) {
        input.copy_from_slice(row);
        if self.centre {
            let mean = row.iter().sum::<f32>() / self.width as f32;
            for value in input.iter_mut() {
                *value -= mean;
            }
        }
        let squares = |input: &[f32]| dot(input, input);
        let back = match self.normalisation {
            Normalisation::LayerNorm => (squares(input) / (self.width as f32 - 1.0).max(1.0)).sqrt() + 1e-5,
            Normalisation::ConstantNormRescale => {
                (squares(input).sqrt() / (self.width as f32).sqrt()).max(f32::MIN_POSITIVE)
            }
            Normalisation::None | Normalisation::ExpectedAverageOnlyIn => 1.0,
        };
        if back != 1.0 {
            for value in input.iter_mut() {
                *value /= back;
            }
        }
        if let Some(b_dec) = &self.b_dec {
            input.iter_mut().zip(b_dec).for_each(|(value, b)| *value -= b);
        }
    }
}

/// Inner product in eight running sums, which the compiler turns into vector instructions.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (a, b) in a8.iter().zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}
