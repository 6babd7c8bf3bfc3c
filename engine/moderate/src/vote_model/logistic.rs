//! Logistic regression on hashed n-grams with a term for each moderator:
//! `z = b + w·φ(x) + u_m + v_m·ψ(x)`, `p = σ(z / T + c)`, `ψ` a fixed random projection of `φ` to 16 numbers.

use std::collections::BTreeMap;

use plumb_core::Ctl;
use serde::{Deserialize, Serialize};

use super::minimise::minimise;
use super::{Contribution, Sample, VoteModel, features};
use crate::Error;

/// Length of the projection that moderators' own terms read.
const OWN: usize = 16;

/// How strongly each part is held near zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Of the text's weights.
    pub text: f64,
    /// Of the moderators' leniencies.
    pub leniency: f64,
    /// Of the moderators' own terms.
    pub own: f64,
    /// Most steps of the optimiser.
    pub steps: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { text: 1.0, leniency: 1.0, own: 4.0, steps: 100 }
    }
}

/// The model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    settings: Settings,
    bias: f64,
    weights: BTreeMap<u32, f32>,
    #[serde(skip)]
    dense: Vec<f32>,
    moderators: BTreeMap<String, (f64, [f64; OWN])>,
    temperature: f64,
    shift: f64,
}

fn projection(features: &[(u32, f32)]) -> [f64; OWN] {
    let mut out = [0.0; OWN];
    for (place, x) in features {
        let bits = u64::from(*place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        for (k, out) in out.iter_mut().enumerate() {
            *out += if bits >> k & 1 == 1 { f64::from(*x) } else { -f64::from(*x) };
        }
    }
    out.map(|x| x / 4.0)
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// `ln(1 + e^z)` without overflow.
fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

impl Logistic {
    /// An untrained model.
    pub fn new(settings: Settings) -> Self {
        Self { settings, temperature: 1.0, ..Self::default() }
    }

    /// Bytes to keep in a repository.
    pub fn save(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| Error::refused(error.to_string()))
    }

    /// A model from [`Self::save`]'s bytes.
    pub fn load(bytes: &[u8]) -> Result<Self, Error> {
        let mut model: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::Import { place: "the saved model".to_owned(), why: error.to_string() })?;
        model.spread();
        Ok(model)
    }

    /// Take temperature and bias from a model of the same kind that was calibrated on held-out votes.
    pub fn calibrate_like(&mut self, other: &Self) {
        (self.temperature, self.shift) = (other.temperature, other.shift);
    }

    fn spread(&mut self) {
        self.dense = vec![0.0; features::PLACES];
        for (place, weight) in &self.weights {
            if let Some(slot) = self.dense.get_mut(*place as usize) {
                *slot = *weight;
            }
        }
    }

    fn weight(&self, place: u32) -> f64 {
        self.dense.get(place as usize).copied().map_or(0.0, f64::from)
    }

    fn logits(&self, text: &str, moderators: &[String]) -> Vec<f64> {
        let found = features::of(text);
        let shared = self.bias + found.iter().map(|(place, x)| self.weight(*place) * f64::from(*x)).sum::<f64>();
        let own = projection(&found);
        let z = |id: &String| match self.moderators.get(id) {
            Some((u, v)) => shared + u + v.iter().zip(&own).map(|(v, x)| v * x).sum::<f64>(),
            None => shared,
        };
        moderators.iter().map(z).collect()
    }
}

impl VoteModel for Logistic {
    fn fit(&mut self, texts: &[String], votes: &[Sample], ctl: &Ctl) -> Result<(), Error> {
        if votes.iter().all(|vote| vote.remove) || votes.iter().all(|vote| !vote.remove) {
            return Err(Error::TooLittle("there must be votes to remove and votes to keep to learn from".to_owned()));
        }
        // Only places that occur get a parameter.
        let mut rows = Vec::with_capacity(texts.len());
        let mut seen = vec![false; features::PLACES];
        for text in texts {
            ctl.check()?;
            let row = features::of(text);
            for (place, _) in &row {
                seen[*place as usize] = true;
            }
            rows.push(row);
        }
        let places: Vec<u32> = (0..features::PLACES as u32).filter(|place| seen[*place as usize]).collect();
        let mut column = vec![0_u32; features::PLACES];
        for (i, place) in places.iter().enumerate() {
            column[*place as usize] = i as u32;
        }
        let own: Vec<[f64; OWN]> = rows.iter().map(|row| projection(row)).collect();
        for (place, _) in rows.iter_mut().flatten() {
            *place = column[*place as usize];
        }
        let mut names: Vec<&String> = votes.iter().map(|vote| &vote.moderator).collect();
        names.sort();
        names.dedup();
        let index: BTreeMap<&String, usize> = names.iter().enumerate().map(|(i, name)| (*name, i)).collect();
        let mut of_text = vec![Vec::new(); texts.len()];
        for vote in votes {
            if let Some(list) = of_text.get_mut(vote.text) {
                list.push((index[&vote.moderator], vote.remove, vote.weight));
            }
        }
        let (w, m) = (places.len(), names.len());
        let mut x = vec![0.0; w + 1 + m * (1 + OWN)];
        let Settings { text, leniency, own: tie, steps } = self.settings;
        let penalty = |i: usize| {
            if i < w {
                text
            } else if i == w {
                0.0
            } else if i <= w + m {
                leniency
            } else {
                tie
            }
        };
        let objective = |x: &[f64], gradient: &mut [f64]| {
            let mut value = 0.0;
            for (i, (x, g)) in x.iter().zip(gradient.iter_mut()).enumerate() {
                value += 0.5 * penalty(i) * x * x;
                *g = penalty(i) * x;
            }
            for ((row, psi), votes) in rows.iter().zip(&own).zip(&of_text) {
                if votes.is_empty() {
                    continue;
                }
                let shared = x[w] + row.iter().map(|(i, a)| x[*i as usize] * f64::from(*a)).sum::<f64>();
                let mut slope = 0.0;
                for (m_i, remove, weight) in votes {
                    let v = w + 1 + m + m_i * OWN;
                    let z = shared + x[w + 1 + m_i] + psi.iter().zip(&x[v..v + OWN]).map(|(a, b)| a * b).sum::<f64>();
                    value += weight * (softplus(z) - if *remove { z } else { 0.0 });
                    let d = weight * (sigmoid(z) - f64::from(u8::from(*remove)));
                    gradient[w + 1 + m_i] += d;
                    gradient[v..v + OWN].iter_mut().zip(psi).for_each(|(g, a)| *g += d * a);
                    slope += d;
                }
                gradient[w] += slope;
                for (i, a) in row {
                    gradient[*i as usize] += slope * f64::from(*a);
                }
            }
            value
        };
        minimise(&mut x, steps, 1e-4, objective, || ctl.check())?;
        self.bias = x[w];
        self.weights = places.iter().zip(&x).map(|(place, x)| (*place, *x as f32)).collect();
        self.moderators.clear();
        for (i, name) in names.into_iter().enumerate() {
            let v = w + 1 + m + i * OWN;
            let mut terms = [0.0; OWN];
            terms.copy_from_slice(&x[v..v + OWN]);
            self.moderators.insert(name.clone(), (x[w + 1 + i], terms));
        }
        (self.temperature, self.shift) = (1.0, 0.0);
        self.spread();
        Ok(())
    }

    fn predict(&self, text: &str, moderators: &[String]) -> Vec<f64> {
        self.logits(text, moderators).into_iter().map(|z| sigmoid(z / self.temperature + self.shift)).collect()
    }

    fn calibrate(&mut self, texts: &[String], votes: &[Sample]) {
        let known = votes.iter().filter(|vote| vote.text < texts.len());
        let logits: Vec<(f64, f64)> = known
            .map(|vote| {
                (
                    self.logits(&texts[vote.text], std::slice::from_ref(&vote.moderator))[0],
                    f64::from(u8::from(vote.remove)),
                )
            })
            .collect();
        if logits.is_empty() {
            return;
        }
        // Logarithm of 1/T, so that T stays positive, and the shift; lightly held near no change.
        let mut x = [0.0, 0.0];
        let objective = |x: &[f64], gradient: &mut [f64]| {
            let a = x[0].exp();
            let mut value = 0.5 * (x[0] * x[0] + x[1] * x[1]);
            gradient.copy_from_slice(x);
            for (z, y) in &logits {
                let t = a * z + x[1];
                value += softplus(t) - y * t;
                let d = sigmoid(t) - y;
                gradient[0] += d * a * z;
                gradient[1] += d;
            }
            value
        };
        if minimise(&mut x, 50, 1e-6, objective, || Ok::<(), Error>(())).is_ok() {
            (self.temperature, self.shift) = ((-x[0]).exp(), x[1]);
        }
    }

    fn explain(&self, text: &str, top: usize) -> Vec<Contribution> {
        let values: BTreeMap<u32, f32> = features::of(text).into_iter().collect();
        let mut parts = BTreeMap::new();
        features::each(text, |part, place| {
            let value = values.get(&place).copied().map_or(0.0, f64::from);
            parts.insert(part.to_owned(), self.weight(place) * value);
        });
        let mut found: Vec<Contribution> =
            parts.into_iter().map(|(part, weight)| Contribution { part, weight }).collect();
        found.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        found.truncate(top);
        found
    }
}
