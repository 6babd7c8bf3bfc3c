//! TopK training on the processor without the zeros: one dense product per batch, to choose the k features of every token;
//! all else touches only them. With k = 32 of 4096 features that is a fifth of the arithmetic.
//!
//! Loss, gradients and Adam are those of [`gradients`](super::gradients) and [`Adam`]; a test holds one against the other.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::adam::{Adam, BETA, EPSILON};
use super::{DecoderNorm, Weights};
use crate::Result;
use crate::sae::dot;

/// Weights and moments, the encoder transposed so that what belongs to a feature lies together.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    d: usize,
    features: Vec<Feature>,
    b_dec: Moving,
    steps: usize,
}

/// Numbers and their two moments.
#[derive(Clone, Debug, Default)]
struct Moving {
    value: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

#[derive(Clone, Debug, Default)]
struct Feature {
    encoder: Moving,
    decoder: Moving,
    /// One number.
    bias: Moving,
}

/// What one batch says.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub mse: f64,
    pub other: f64,
    pub l0: f64,
    pub firings: Vec<f32>,
    /// The smallest activation of the batch.
    pub smallest: f64,
}

/// A token at which a feature fires.
#[derive(Clone, Copy, Debug)]
struct Firing {
    token: u32,
    z: f32,
    /// Derivative by the pre-activation.
    slope: f32,
}

/// What a token's features are, and what comes back from its reconstruction.
struct Row {
    /// Feature, activation, derivative.
    active: Vec<(u32, f32, f32)>,
    aux: Vec<(u32, f32, f32)>,
    /// Derivative by the reconstruction, and by that of the dead features.
    back: Vec<f32>,
    aux_back: Vec<f32>,
    error: f64,
    aux_error: f64,
}

/// How far a step goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub k: usize,
    /// Whether the k are a mean over the batch.
    pub together: bool,
    pub aux: f64,
    pub rate: f64,
    pub norm: DecoderNorm,
}

impl Sparse {
    pub fn new(weights: &Weights, adam: &Adam) -> Result<Self> {
        let Weights([w_enc, b_enc, w_dec, b_dec]) = weights;
        let (m, d) = w_dec.dims2()?;
        let numbers = |tensor: &Tensor| -> Result<Vec<f32>> { Ok(tensor.flatten_all()?.to_vec1::<f32>()?) };
        let moving = |value: &Tensor, place: usize, turn: bool| -> Result<[Vec<f32>; 3]> {
            let one = |tensor: &Tensor| if turn { numbers(&tensor.t()?) } else { numbers(tensor) };
            Ok([one(value)?, one(&adam.first[place])?, one(&adam.second[place])?])
        };
        let (encoder, bias, decoder) = (moving(w_enc, 0, true)?, moving(b_enc, 1, false)?, moving(w_dec, 2, false)?);
        let part = |all: &[Vec<f32>; 3], from: usize, count: usize| {
            let piece = |i: usize| all[i][from..from + count].to_vec();
            Moving { value: piece(0), first: piece(1), second: piece(2) }
        };
        let features = (0..m)
            .map(|j| Feature {
                encoder: part(&encoder, j * d, d),
                decoder: part(&decoder, j * d, d),
                bias: part(&bias, j, 1),
            })
            .collect();
        let b_dec = part(&moving(b_dec, 3, false)?, 0, d);
        Ok(Self { d, features, b_dec, steps: adam.steps })
    }

    /// Back to tensors on `device`.
    pub fn tensors(&self, device: &Device) -> Result<(Weights, Adam)> {
        let (d, m) = (self.d, self.features.len());
        let gather = |of: fn(&Moving) -> &Vec<f32>| -> Result<[Tensor; 4]> {
            let rows = |pick: fn(&Feature) -> &Moving| -> Vec<f32> {
                self.features.iter().flat_map(|feature| of(pick(feature)).iter().copied()).collect()
            };
            let encoder = Tensor::from_vec(rows(|f| &f.encoder), (m, d), device)?.t()?.contiguous()?;
            let bias = Tensor::from_vec(rows(|f| &f.bias), m, device)?;
            let decoder = Tensor::from_vec(rows(|f| &f.decoder), (m, d), device)?;
            Ok([encoder, bias, decoder, Tensor::from_slice(of(&self.b_dec), d, device)?])
        };
        let adam = Adam { first: gather(|m| &m.first)?, second: gather(|m| &m.second)?, steps: self.steps };
        Ok((Weights(gather(|m| &m.value)?), adam))
    }

    /// One step of Adam on `x` (`B · d` numbers). `dead` are the features that the auxiliary loss is for.
    pub fn step(&mut self, x: &[f32], pace: Pace, dead: &[bool]) -> Result<Batch> {
        let (d, m) = (self.d, self.features.len());
        let batch = x.len() / d;
        let y: Vec<f32> =
            x.chunks_exact(d).flat_map(|row| row.iter().zip(&self.b_dec.value).map(|(x, b)| x - b)).collect();
        let encoder: Vec<f32> = self.features.iter().flat_map(|f| f.encoder.value.iter().copied()).collect();
        let encoder = Tensor::from_vec(encoder, (m, d), &Device::Cpu)?;
        let p =
            Tensor::from_slice(&y, (batch, d), &Device::Cpu)?.matmul(&encoder.t()?)?.flatten_all()?.to_vec1::<f32>()?;
        let dead: Vec<u32> = (0..m as u32).filter(|&j| dead[j as usize]).collect();
        let dead: &[u32] = if pace.aux > 0.0 { &dead } else { &[] };
        let per_token = if pace.together { MOST * pace.k } else { pace.k };
        let mut chosen: Vec<[Vec<(u32, f32)>; 2]> = p
            .par_chunks(m)
            .map_init(Vec::new, |scratch, p| {
                scratch.clear();
                scratch.extend(p.iter().zip(&self.features).map(|(p, feature)| p + feature.bias.value[0]));
                let all = scratch.iter().enumerate().map(|(j, &p)| (j as u32, p)).collect();
                let dead = dead.iter().map(|&j| (j, scratch[j as usize])).collect();
                [largest(all, per_token), largest(dead, 2 * pace.k)]
            })
            .collect();
        drop(p);
        if pace.together {
            keep_together(&mut chosen, pace.k * batch);
        }
        let rows: Vec<Row> = chosen
            .into_par_iter()
            .zip(y.par_chunks(d))
            .map(|([active, aux], y)| self.row(active, aux, y, batch, pace))
            .collect();
        let mut firings: Vec<Vec<Firing>> = vec![Vec::new(); m];
        let mut aux_firings: Vec<Vec<Firing>> = vec![Vec::new(); if dead.is_empty() { 0 } else { m }];
        for (token, row) in rows.iter().enumerate() {
            let token = token as u32;
            for &(j, z, slope) in &row.active {
                firings[j as usize].push(Firing { token, z, slope });
            }
            for &(j, z, slope) in &row.aux {
                aux_firings[j as usize].push(Firing { token, z, slope });
            }
        }
        let aux_of = |j: usize| aux_firings.get(j).map_or(&[][..], Vec::as_slice);
        let slopes: Vec<f32> =
            (0..m).map(|j| firings[j].iter().chain(aux_of(j)).map(|firing| firing.slope).sum()).collect();
        // y = x − b_dec takes its part of the derivative away again.
        let mut g_b_dec = vec![0f32; d];
        for row in &rows {
            add(&mut g_b_dec, 1.0, &row.back);
        }
        for (feature, &slope) in self.features.iter().zip(&slopes).filter(|(_, slope)| **slope != 0.0) {
            add(&mut g_b_dec, -slope, &feature.encoder.value);
        }
        self.steps += 1;
        let bias = BETA.map(|beta| (1.0 - beta.powi(self.steps as i32)) as f32);
        let rate = pace.rate as f32;
        self.features.par_iter_mut().enumerate().for_each_init(
            || (vec![0f32; d], vec![0f32; d]),
            |(g_encoder, g_decoder), (j, feature)| {
                g_encoder.fill(0.0);
                g_decoder.fill(0.0);
                for firing in &firings[j] {
                    let t = firing.token as usize;
                    add(g_decoder, firing.z, &rows[t].back);
                    add(g_encoder, firing.slope, &y[t * d..(t + 1) * d]);
                }
                for firing in aux_of(j) {
                    let t = firing.token as usize;
                    add(g_decoder, firing.z, &rows[t].aux_back);
                    add(g_encoder, firing.slope, &y[t * d..(t + 1) * d]);
                }
                let unit = pace.norm == DecoderNorm::Unit;
                if unit {
                    let along = dot(g_decoder, &feature.decoder.value);
                    add(g_decoder, -along, &feature.decoder.value);
                }
                feature.encoder.step(g_encoder, rate, bias);
                feature.decoder.step(g_decoder, rate, bias);
                feature.bias.step(&[slopes[j]], rate, bias);
                if unit {
                    let norm = dot(&feature.decoder.value, &feature.decoder.value).sqrt().max(1e-12);
                    for w in &mut feature.decoder.value {
                        *w /= norm;
                    }
                }
            },
        );
        self.b_dec.step(&g_b_dec, rate, bias);
        let sum = |of: fn(&Row) -> f64| rows.iter().map(of).sum::<f64>() / batch as f64;
        Ok(Batch {
            mse: sum(|row| row.error),
            other: if dead.is_empty() { 0.0 } else { pace.aux * sum(|row| row.aux_error) },
            l0: sum(|row| row.active.len() as f64),
            smallest: f64::from(firings.iter().flatten().map(|firing| firing.z).fold(f32::INFINITY, f32::min)),
            firings: firings.iter().map(|of| of.len() as f32).collect(),
        })
    }

    /// Decodes and goes back through one token.
    fn row(&self, active: Vec<(u32, f32)>, aux: Vec<(u32, f32)>, y: &[f32], batch: usize, pace: Pace) -> Row {
        let factor = 2.0 / batch as f32;
        // x̂ − x = Σ z d + b_dec − x = Σ z d − y
        let mut error: Vec<f32> = y.iter().map(|y| -y).collect();
        for &(j, z) in &active {
            add(&mut error, z, &self.features[j as usize].decoder.value);
        }
        let back: Vec<f32> = error.iter().map(|e| e * factor).collect();
        let slope = |j: u32, back: &[f32]| dot(back, &self.features[j as usize].decoder.value);
        let active = active.into_iter().map(|(j, z)| (j, z, slope(j, &back))).collect();
        let squares = f64::from(dot(&error, &error));
        for &(j, z) in &aux {
            add(&mut error, z, &self.features[j as usize].decoder.value);
        }
        let aux_back: Vec<f32> = error.iter().map(|e| e * factor * pace.aux as f32).collect();
        let aux = aux.into_iter().map(|(j, z)| (j, z, slope(j, &aux_back))).collect();
        Row { active, aux, back, aux_back, error: squares, aux_error: f64::from(dot(&error, &error)) }
    }
}

/// Where the k are a mean over the batch, a token has at most so many times k features.
const MOST: usize = 8;

/// Of all tokens' features the `count` largest.
fn keep_together(chosen: &mut [[Vec<(u32, f32)>; 2]], count: usize) {
    let mut all: Vec<f32> = chosen.iter().flat_map(|[active, _]| active.iter().map(|(_, z)| *z)).collect();
    if count >= all.len() || count == 0 {
        return;
    }
    let (_, &mut least, _) = all.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    for [active, _] in chosen {
        active.retain(|(_, z)| *z >= least);
    }
}

/// The `k` largest that are above zero, in order of their numbers. Of equal ones the first.
fn largest(mut all: Vec<(u32, f32)>, k: usize) -> Vec<(u32, f32)> {
    if k < all.len() {
        all.select_nth_unstable_by(k, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(k);
    }
    all.retain(|(_, p)| *p > 0.0);
    all.sort_unstable_by_key(|(j, _)| *j);
    all
}

/// `row += factor · other`
fn add(row: &mut [f32], factor: f32, other: &[f32]) {
    row.iter_mut().zip(other).for_each(|(x, y)| *x += factor * y);
}

impl Moving {
    fn step(&mut self, gradient: &[f32], rate: f32, bias: [f32; 2]) {
        let [b1, b2] = BETA.map(|beta| beta as f32);
        let epsilon = EPSILON as f32;
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((w, (first, second)), &g) in self.value.iter_mut().zip(moments).zip(gradient) {
            *first = *first * b1 + g * (1.0 - b1);
            *second = *second * b2 + g * g * (1.0 - b2);
            *w -= rate / bias[0] * *first / ((*second / bias[1]).sqrt() + epsilon);
        }
    }
}
