//! Making the linear model: logistic regression on hashed n-grams by L-BFGS, which draws no random numbers.

use plumb_core::Ctl;
use plumb_nn::lbfgs::minimise;
use plumb_nn::logistic::{sigmoid, softplus};

use crate::Result;
use crate::ngrams::{self, PLACES};

/// A text to learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// As [`plain`](super::plain) gives it.
    pub text: String,
    /// Share of those who judged it that called it toxic.
    pub toxic: f64,
    /// How much it counts.
    pub weight: f64,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Trained {
    /// One weight a place, `[PLACES]`.
    pub weights: Vec<f64>,
    /// Added to every logit.
    pub bias: f64,
}

/// Minimises `Σ weight·(ln(1 + e^z) − toxic·z) + penalty/2·‖w‖²`, `z = b + w·φ(text)`, in at most `steps` steps. The same
/// examples give the same weights.
pub fn train(examples: &[Example], penalty: f64, steps: usize, ctl: &Ctl) -> Result<Trained> {
    let mut rows = Vec::with_capacity(examples.len());
    // Only places that occur get a parameter.
    let mut column = vec![u32::MAX; PLACES];
    let mut places: Vec<u32> = Vec::new();
    for (index, example) in examples.iter().enumerate() {
        ctl.check()?;
        ctl.progress("Reading texts", index as u64, Some(examples.len() as u64));
        let mut row = ngrams::of(&example.text);
        for (place, _) in &mut row {
            let slot = &mut column[*place as usize];
            if *slot == u32::MAX {
                *slot = places.len() as u32;
                places.push(*place);
            }
            *place = *slot;
        }
        rows.push(row);
    }
    let bias = places.len();
    let mut x = vec![0.0; bias + 1];
    let objective = |x: &[f64], gradient: &mut [f64]| {
        let mut value = 0.0;
        for (x, g) in x[..bias].iter().zip(gradient.iter_mut()) {
            value += 0.5 * penalty * x * x;
            *g = penalty * x;
        }
        gradient[bias] = 0.0;
        for (row, example) in rows.iter().zip(examples) {
            let z = x[bias] + row.iter().map(|(i, a)| x[*i as usize] * f64::from(*a)).sum::<f64>();
            value += example.weight * (softplus(z) - example.toxic * z);
            let slope = example.weight * (sigmoid(z) - example.toxic);
            gradient[bias] += slope;
            for (i, a) in row {
                gradient[*i as usize] += slope * f64::from(*a);
            }
        }
        value
    };
    let mut step = 0;
    let check = || {
        ctl.progress("Learning", step, Some(steps as u64));
        step += 1;
        ctl.check()
    };
    minimise(&mut x, steps, 1e-4, objective, check)?;
    let mut weights = vec![0.0; PLACES];
    for (place, w) in places.iter().zip(&x) {
        weights[*place as usize] = *w;
    }
    Ok(Trained { weights, bias: x[bias] })
}

#[cfg(test)]
mod tests {
    use plumb_nn::logistic::Calibration;

    use super::*;
    use crate::classify::NgramClassifier;

    #[test]
    fn it_learns_a_word() {
        let example = |text: &str, toxic: f64| Example { text: text.to_owned(), toxic, weight: 1.0 };
        let mut examples = Vec::new();
        for noun in ["cat", "house", "river", "teacher", "meeting", "garden"] {
            examples.push(example(&format!("what a grobbly {noun}"), 1.0));
            examples.push(example(&format!("what a lovely {noun}"), 0.0));
        }
        let made = train(&examples, 0.01, 100, &Ctl::new(0)).unwrap();
        let model = NgramClassifier::new(&made.weights, made.bias, Calibration::default());
        assert!(model.probability("a grobbly evening") > 0.8);
        assert!(model.probability("a lovely evening") < 0.2);
        assert_eq!(model.explain("a grobbly evening", 1)[0].0, "grobbly");
        let ctl = Ctl::new(0);
        ctl.cancel();
        assert!(train(&examples, 0.01, 100, &ctl).is_err());
    }
}
