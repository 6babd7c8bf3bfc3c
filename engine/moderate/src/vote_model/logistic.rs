//! Logistic regression on a text's row, of n-grams or of sentence vectors, with a term for each moderator:
//! `z = b + w·φ(x) + u_m + v_m·ψ(x)`, `p = σ(z / T + c)`, `ψ` a fixed random projection of `φ` to 16 numbers; and a
//! second regression on the same `φ`, learnt from items with several votes: whether these were split.

use std::collections::BTreeMap;

use plumb_core::Ctl;
use plumb_nn::lbfgs::minimise;
use plumb_nn::logistic::{Calibration, sigmoid, softplus};
use serde::{Deserialize, Serialize};

use super::head::Head;
use super::reader::{Reader, Row};
use super::{Contribution, Forecast, Sample, VoteModel};
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
    /// Of the weights of what is learnt from whole items.
    pub items: f64,
    /// Most steps of the optimiser.
    pub steps: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { text: 1.0, leniency: 1.0, own: 4.0, items: 3.0, steps: 100 }
    }
}

/// The model; `R` reads the texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Logistic<R> {
    settings: Settings,
    #[serde(rename = "weighting")] // what it was called while n-grams were all there was
    reader: R,
    bias: f64,
    weights: Vec<f32>,
    moderators: BTreeMap<String, (f64, [f64; OWN])>,
    temperature: f64,
    shift: f64,
    split: Option<Head>,
}

fn projection(row: &Row) -> [f64; OWN] {
    let mut out = [0.0; OWN];
    for (number, x) in row {
        let bits = u64::from(*number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        for (k, out) in out.iter_mut().enumerate() {
            *out += if bits >> k & 1 == 1 { f64::from(*x) } else { -f64::from(*x) };
        }
    }
    out.map(|x| x / 4.0)
}

impl<R: Reader> Logistic<R> {
    /// An untrained model that reads by `reader`.
    pub fn new(settings: Settings, reader: R) -> Self {
        Self {
            settings,
            reader,
            bias: 0.0,
            weights: Vec::new(),
            moderators: BTreeMap::new(),
            temperature: 1.0,
            shift: 0.0,
            split: None,
        }
    }

    /// How it reads texts.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// An untrained model that reads the same way.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self::new(self.settings, self.reader.clone())
    }

    /// Make what is not saved, after reading the model as a part of something else.
    pub fn prepare(&mut self) -> Result<(), Error> {
        self.reader.prepare()
    }

    /// Temperature and bias that were fitted on held-out votes.
    pub fn calibration(&self) -> [f64; 2] {
        [self.temperature, self.shift]
    }

    /// Take such a temperature and bias.
    pub fn set_calibration(&mut self, [temperature, shift]: [f64; 2]) {
        (self.temperature, self.shift) = (temperature, shift);
    }

    /// Moderators the model has terms for.
    pub fn moderators(&self) -> impl Iterator<Item = &String> {
        self.moderators.keys()
    }

    /// Forget a moderator: their terms go, the text's weights stay.
    pub fn forget(&mut self, moderator: &str) {
        self.moderators.remove(moderator);
    }

    fn weight(&self, number: u32) -> f64 {
        self.weights.get(number as usize).copied().map_or(0.0, f64::from)
    }

    fn logits(&self, row: &Row, moderators: &[String]) -> Vec<f64> {
        let shared = self.bias + row.iter().map(|(i, x)| self.weight(*i) * f64::from(*x)).sum::<f64>();
        let own = projection(row);
        let z = |id: &String| match self.moderators.get(id) {
            Some((u, v)) => shared + u + v.iter().zip(&own).map(|(v, x)| v * x).sum::<f64>(),
            None => shared,
        };
        moderators.iter().map(z).collect()
    }

    fn fit_votes(&mut self, rows: &[Row], votes: &[Sample], ctl: &Ctl) -> Result<(), Error> {
        let own: Vec<[f64; OWN]> = rows.iter().map(projection).collect();
        let mut names: Vec<&String> = votes.iter().map(|vote| &vote.moderator).collect();
        names.sort();
        names.dedup();
        let index: BTreeMap<&String, usize> = names.iter().enumerate().map(|(i, name)| (*name, i)).collect();
        let mut of_text = vec![Vec::new(); rows.len()];
        for vote in votes {
            of_text[vote.text].push((index[&vote.moderator], vote.remove, vote.weight));
        }
        let (w, m) = (self.reader.width(), names.len());
        let mut x = vec![0.0; w + 1 + m * (1 + OWN)];
        let Settings { text, leniency, own: tie, steps, .. } = self.settings;
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
        self.weights = x[..w].iter().map(|x| *x as f32).collect();
        self.moderators.clear();
        for (i, name) in names.into_iter().enumerate() {
            let v = w + 1 + m + i * OWN;
            let mut terms = [0.0; OWN];
            terms.copy_from_slice(&x[v..v + OWN]);
            self.moderators.insert(name.clone(), (x[w + 1 + i], terms));
        }
        (self.temperature, self.shift) = (1.0, 0.0);
        Ok(())
    }

    fn fit_items(&mut self, rows: &[Row], votes: &[Sample], ctl: &Ctl) -> Result<(), Error> {
        let mut counts = vec![(0.0, 0.0); rows.len()];
        for vote in votes {
            counts[vote.text].0 += f64::from(u8::from(vote.remove));
            counts[vote.text].1 += 1.0;
        }
        let several: Vec<usize> = (0..rows.len()).filter(|text| counts[*text].1 > 1.5).collect();
        let chosen: Vec<&Row> = several.iter().map(|text| &rows[*text]).collect();
        let shares: Vec<f64> = several.iter().map(|text| counts[*text].0 / counts[*text].1).collect();
        let split: Vec<f64> = shares.iter().map(|s| if *s > 0.0 && *s < 1.0 { 1.0 } else { 0.0 }).collect();
        let Settings { items, steps, .. } = self.settings;
        self.split = Head::fit(&chosen, &split, self.reader.width(), items, steps, ctl)?;
        Ok(())
    }
}

impl<R: Reader> VoteModel for Logistic<R> {
    fn fit(&mut self, texts: &[String], votes: &[Sample], ctl: &Ctl) -> Result<(), Error> {
        if votes.iter().all(|vote| vote.remove) || votes.iter().all(|vote| !vote.remove) {
            return Err(Error::TooLittle("there must be votes to remove and votes to keep to learn from".to_owned()));
        }
        // Only texts with votes teach anything, rarity of words included.
        let mut used = vec![false; texts.len()];
        for vote in votes {
            match used.get_mut(vote.text) {
                Some(used) => *used = true,
                None => return Err(Error::TooLittle(format!("a vote is on text {}, which is not there", vote.text))),
            }
        }
        ctl.progress("reading texts", 0, Some(texts.len() as u64));
        let chosen: Vec<&String> = texts.iter().zip(&used).filter(|(_, used)| **used).map(|(text, _)| text).collect();
        self.reader.learn(&chosen);
        let mut read = self.reader.rows(&chosen, ctl)?.into_iter();
        let rows: Vec<Row> =
            used.iter().map(|used| if *used { read.next().unwrap_or_default() } else { Row::new() }).collect();
        ctl.progress("learning from votes", 0, None);
        self.fit_votes(&rows, votes, ctl)?;
        ctl.progress("learning from split cases", 0, None);
        self.fit_items(&rows, votes, ctl)
    }

    fn forecast(&self, text: &str, moderators: &[String]) -> Forecast {
        let row = self.reader.of(text);
        let p = self.logits(&row, moderators).into_iter().map(|z| sigmoid(z / self.temperature + self.shift)).collect();
        Forecast { p, split: self.split.as_ref().map(|head| head.predict(&row)) }
    }

    fn calibrate(&mut self, texts: &[String], votes: &[Sample]) {
        let known = votes.iter().filter(|vote| vote.text < texts.len());
        let logits: Vec<(f64, f64)> = known
            .map(|vote| {
                let row = self.reader.of(&texts[vote.text]);
                (self.logits(&row, std::slice::from_ref(&vote.moderator))[0], f64::from(u8::from(vote.remove)))
            })
            .collect();
        if !logits.is_empty() {
            let Calibration { slope, shift } = Calibration::fit(&logits);
            self.set_calibration([1.0 / slope, shift]);
        }
    }

    fn explain(&self, text: &str, top: usize) -> Vec<Contribution> {
        let values: BTreeMap<u32, f32> = self.reader.of(text).into_iter().collect();
        let mut parts = BTreeMap::new();
        self.reader.parts(text, &mut |part, number| {
            let value = values.get(&number).copied().map_or(0.0, f64::from);
            parts.insert(part.to_owned(), self.weight(number) * value);
        });
        let mut found: Vec<Contribution> =
            parts.into_iter().map(|(part, weight)| Contribution { part, weight }).collect();
        found.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        found.truncate(top);
        found
    }
}
