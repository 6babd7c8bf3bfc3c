//! From logits to the next token.

use std::cmp::Ordering;

use plumb_core::random::Random;
use serde::{Deserialize, Serialize};

use crate::kernels::highest;
use crate::{Error, Result};

/// How tokens are chosen. The steps are taken in this order: repetition penalty, temperature, top-k, top-p.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Logits are divided by this. 0 takes the most probable token every time.
    pub temperature: f32,
    /// Only this many of the most probable tokens; 0 for all.
    pub top_k: usize,
    /// Only the most probable tokens whose probabilities together just reach this; 1 for all.
    pub top_p: f32,
    /// Logits of tokens that have occurred are divided by this where positive and multiplied where negative; 1 for
    /// no penalty.
    pub repetition_penalty: f32,
    /// Seed of the choice.
    pub seed: u64,
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// Whether to go on after the token that ends a text.
    pub ignore_end: bool,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            repetition_penalty: 1.0,
            seed: 0,
            max_tokens: 64,
            ignore_end: false,
        }
    }
}

impl Sampling {
    /// Fails when a control is out of its range.
    pub fn check(&self) -> Result<()> {
        let wrong = |text: String| Err(Error::Sampling(text));
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return wrong(format!("the temperature is {}: choose 0 or more", self.temperature));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong(format!("top-p is {}: choose more than 0 and at most 1", self.top_p));
        }
        if !(self.repetition_penalty > 0.0 && self.repetition_penalty.is_finite()) {
            return wrong(format!("the repetition penalty is {}: choose more than 0", self.repetition_penalty));
        }
        Ok(())
    }
}

/// Chooses tokens by [`Sampling`], the same ones for the same seed and logits.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: Random,
    candidates: Vec<(f32, u32)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "sorting asks for references")]
/// More probable first; equals by their number, so that the order is never left to chance.
fn by_logit(a: &(f32, u32), b: &(f32, u32)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

impl Sampler {
    /// A sampler at the start of its stream of random numbers.
    pub fn new(sampling: &Sampling) -> Result<Self> {
        sampling.check()?;
        let random = Random::new(sampling.seed, "sampling");
        Ok(Self { sampling: sampling.clone(), random, candidates: Vec::new() })
    }

    /// The next token. `before` are all tokens so far, which the repetition penalty looks at.
    pub fn pick(&mut self, logits: &[f32], before: &[u32]) -> Result<u32> {
        let Some(highest) = highest(logits) else {
            return Err(Error::Sampling(
                "the model's output is not a number: the weights are damaged, or a hook changed them too far"
                    .to_owned(),
            ));
        };
        let greedy = self.sampling.temperature == 0.0 || self.sampling.top_k == 1;
        if greedy && self.sampling.repetition_penalty == 1.0 {
            return Ok(logits.iter().position(|&logit| logit == highest).map_or(0, |token| token as u32));
        }
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        candidates.extend(logits.iter().zip(0..).map(|(&logit, token)| (logit, token)));
        if self.sampling.repetition_penalty != 1.0 {
            for &token in before {
                if let (Some(slot), Some(&logit)) = (candidates.get_mut(token as usize), logits.get(token as usize)) {
                    let penalty = self.sampling.repetition_penalty;
                    slot.0 = if logit > 0.0 { logit / penalty } else { logit * penalty };
                }
            }
        }
        let token = if greedy {
            candidates.iter().min_by(|a, b| by_logit(a, b)).map_or(0, |&(_, token)| token)
        } else {
            self.draw(&mut candidates)
        };
        self.candidates = candidates;
        Ok(token)
    }

    fn draw(&mut self, candidates: &mut Vec<(f32, u32)>) -> u32 {
        let Sampling { temperature, top_k, top_p, .. } = self.sampling;
        if (1..candidates.len()).contains(&top_k) {
            candidates.select_nth_unstable_by(top_k - 1, by_logit);
            candidates.truncate(top_k);
            // So that the draw does not depend on how the selection shuffled them.
            candidates.sort_unstable_by(by_logit);
        }
        let highest = candidates.iter().fold(f32::NEG_INFINITY, |highest, &(logit, _)| highest.max(logit));
        let weight = |logit: f32| f64::from((logit - highest) / temperature).exp();
        let mut total: f64 = candidates.iter().map(|&(logit, _)| weight(logit)).sum();
        if top_p < 1.0 {
            total = keep_top(candidates, f64::from(top_p) * total, weight);
        }
        let mut left = self.random.uniform() * total;
        for &(logit, token) in candidates.iter() {
            left -= weight(logit);
            if left < 0.0 {
                return token;
            }
        }
        // Rounding may leave a little; the most probable token takes it.
        candidates.iter().min_by(|a, b| by_logit(a, b)).map_or(0, |&(_, token)| token)
    }
}

/// Keeps the most probable candidates, in order, until their weights reach `enough`; gives the sum of their weights.
fn keep_top(candidates: &mut Vec<(f32, u32)>, enough: f64, weight: impl Fn(f32) -> f64) -> f64 {
    let (mut sorted, mut sum) = (0, 0.0);
    let mut step = 64;
    while sorted < candidates.len() {
        // Most of a distribution lies in a few tokens, so sorting all of them is rarely needed.
        let rest = &mut candidates[sorted..];
        let size = step.min(rest.len());
        if size < rest.len() {
            rest.select_nth_unstable_by(size - 1, by_logit);
        }
        rest[..size].sort_unstable_by(by_logit);
        for index in sorted..sorted + size {
            sum += weight(candidates[index].0);
            if sum >= enough {
                candidates.truncate(index + 1);
                return sum;
            }
        }
        sorted += size;
        step *= 4;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [0.0, 2.0, 1.0, -1.0, 2.0];

    fn counts(sampling: &Sampling) -> [usize; 5] {
        let mut sampler = Sampler::new(sampling).unwrap();
        let mut counts = [0; 5];
        for _ in 0..20_000 {
            counts[sampler.pick(&LOGITS, &[]).unwrap() as usize] += 1;
        }
        counts
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let counts = counts(&Sampling { temperature: 0.5, seed: 3, ..Sampling::default() });
        let weights = LOGITS.map(|logit| f64::from(logit / 0.5).exp());
        let total: f64 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(weights) {
            assert!((*count as f64 / 20_000.0 - weight / total).abs() < 0.012, "{counts:?}");
        }
    }

    #[test]
    fn top_k_and_top_p_leave_the_rest_out() {
        let k = counts(&Sampling { temperature: 1.0, top_k: 2, ..Sampling::default() });
        assert_eq!((k[0], k[2], k[3]), (0, 0, 0), "{k:?}");
        // The two highest have 2·e²/(2·e² + e + 1 + 1/e) = 0.783 of the mass.
        let p = counts(&Sampling { temperature: 1.0, top_p: 0.78, ..Sampling::default() });
        assert_eq!((p[0], p[2], p[3]), (0, 0, 0), "{p:?}");
        let p = counts(&Sampling { temperature: 1.0, top_p: 0.79, ..Sampling::default() });
        assert!(p[2] > 0 && p[0] == 0, "{p:?}");
    }

    #[test]
    fn greedy_takes_the_first_of_equals_and_heeds_the_penalty() {
        let mut sampler = Sampler::new(&Sampling { repetition_penalty: 1.5, ..Sampling::default() }).unwrap();
        assert_eq!(sampler.pick(&LOGITS, &[]).unwrap(), 1);
        assert_eq!(sampler.pick(&LOGITS, &[1]).unwrap(), 4);
        assert_eq!(sampler.pick(&LOGITS, &[1, 4, 4]).unwrap(), 1, "a token is punished once however often it occurred");
    }

    #[test]
    fn nonsense_is_refused() {
        for sampling in [
            Sampling { temperature: -1.0, ..Sampling::default() },
            Sampling { temperature: f32::NAN, ..Sampling::default() },
            Sampling { top_p: 0.0, ..Sampling::default() },
            Sampling { repetition_penalty: 0.0, ..Sampling::default() },
        ] {
            assert!(Sampler::new(&sampling).is_err(), "{sampling:?}");
        }
        assert!(Sampler::new(&Sampling::default()).unwrap().pick(&[f32::NAN, 1.0], &[]).is_err());
    }
}
