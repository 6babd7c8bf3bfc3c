//! What is learnt about items straight from how their votes fell, beside the model of single votes.

use plumb_core::Ctl;
use plumb_nn::lbfgs::minimise;
use plumb_nn::logistic::{sigmoid, softplus};
use serde::{Deserialize, Serialize};

use super::reader::Row;
use crate::Error;

/// Items with several votes below which nothing is learnt about items.
const LEAST: usize = 60;

/// A logistic regression of something that is true or not of a text, on its row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    bias: f64,
    weights: Vec<f32>,
}

impl Head {
    /// Learn the `targets` (0 or 1) of `rows` with `width` columns; `None` when there are few or all are alike.
    pub fn fit(
        rows: &[&Row],
        targets: &[f64],
        width: usize,
        tie: f64,
        steps: usize,
        ctl: &Ctl,
    ) -> Result<Option<Self>, Error> {
        let above = targets.iter().filter(|t| **t > 0.0).count();
        if rows.len() < LEAST || above < LEAST / 10 || above == targets.len() {
            return Ok(None);
        }
        let mut x = vec![0.0; width + 1];
        let objective = |x: &[f64], gradient: &mut [f64]| {
            let (weights, bias) = (&x[..width], x[width]);
            let mut value = 0.0;
            for (w, g) in weights.iter().zip(gradient.iter_mut()) {
                value += 0.5 * tie * w * w;
                *g = tie * w;
            }
            gradient[width] = 0.0;
            for (row, t) in rows.iter().zip(targets) {
                let z = bias + row.iter().map(|(i, a)| weights[*i as usize] * f64::from(*a)).sum::<f64>();
                value += softplus(z) - t * z;
                let d = sigmoid(z) - t;
                gradient[width] += d;
                for (i, a) in *row {
                    gradient[*i as usize] += d * f64::from(*a);
                }
            }
            value
        };
        minimise(&mut x, steps, 1e-4, objective, || ctl.check())?;
        Ok(Some(Self { bias: x[width], weights: x[..width].iter().map(|w| *w as f32).collect() }))
    }

    /// The probability that it is true.
    pub fn predict(&self, row: &Row) -> f64 {
        let weight = |i: &u32| self.weights.get(*i as usize).copied().map_or(0.0, f64::from);
        sigmoid(self.bias + row.iter().map(|(i, a)| weight(i) * f64::from(*a)).sum::<f64>())
    }
}
