//! Training the world's language model on texts that are drawn as they are needed: none is seen twice.

use candle_core::{DType, Device, Tensor};
use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_text::LanguageModel;
use serde::{Deserialize, Serialize};

use super::net::{Net, NetSizes};
use super::{exact, grammar};
use crate::train::moments;
use crate::{Result, SteerError};

/// How the world's language model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnSpec {
    /// Steps.
    pub steps: usize,
    /// Tokens of a step, about.
    pub batch: usize,
    /// Learning rate of Adam; it rises for a hundredth of the steps and falls along half a cosine.
    pub rate: f64,
    /// What a unit of the residual stream's mean square costs, in nats.
    pub stream: f64,
    /// Share of itself that every matrix loses per step, times the learning rate (Loshchilov and Hutter 2019).
    pub decay: f64,
    /// Seed of weights and texts.
    pub seed: u64,
}

impl Default for LearnSpec {
    fn default() -> Self {
        Self { steps: 4000, batch: 1024, rate: 3e-3, stream: 1e-3, decay: 0.1, seed: 1 }
    }
}

/// Texts drawn at once, to be sorted by length.
const POOL: usize = 4096;

/// Draws texts and hands them out in batches of equal length.
struct Batches {
    random: Random,
    size: usize,
    ready: Vec<(Vec<u32>, usize)>,
}

impl Batches {
    fn next_batch(&mut self) -> (Vec<u32>, usize) {
        loop {
            if let Some(batch) = self.ready.pop() {
                return batch;
            }
            let mut texts: Vec<Vec<u32>> = (0..POOL).map(|_| grammar::text(&mut self.random).tokens).collect();
            texts.sort_by_key(Vec::len);
            for same in texts.chunk_by(|a, b| a.len() == b.len()) {
                let count = (self.size / same[0].len()).max(1);
                self.ready.extend(same.chunks(count).map(|chunk| (chunk.concat(), chunk.len())));
            }
            self.random.shuffle(&mut self.ready);
        }
    }
}

/// Trains from nothing. Partial results are `[step, loss]`.
pub fn learn(spec: &LearnSpec, device: &Device, ctl: &Ctl) -> Result<Net> {
    let net = Net::new(NetSizes::default(), spec.seed, DType::F32, device)?;
    let mut batches = Batches { random: Random::new(spec.seed, "world texts"), size: spec.batch, ready: Vec::new() };
    let vars: Vec<_> = net.params().trainable().map(|param| param.var.clone()).collect();
    let zeros = || vars.iter().map(|var| var.zeros_like()).collect::<candle_core::Result<Vec<Tensor>>>();
    let (mut first, mut second) = (zeros()?, zeros()?);
    let warm = (spec.steps / 100).max(1) as f64;
    for step in 0..spec.steps {
        ctl.check()?;
        let (tokens, texts) = batches.next_batch();
        let [loss, whole] = net.loss(&tokens, texts, spec.stream)?;
        let gradients = whole.backward()?;
        let share = step as f64 / spec.steps as f64;
        let rate =
            spec.rate * ((step as f64 + 1.0) / warm).min(1.0) * 0.5 * (1.0 + (std::f64::consts::PI * share).cos());
        for ((var, first), second) in vars.iter().zip(&mut first).zip(&mut second) {
            // The graph of the loss must not live on in the moments.
            let Some(gradient) = gradients.get(var.as_tensor()).map(Tensor::detach) else { continue };
            let change = moments(first, second, &gradient, step + 1, rate)?;
            let decay = if var.rank() == 2 { spec.decay * rate } else { 0.0 };
            var.set(&((var.as_detached_tensor() * (1.0 - decay))? - change)?)?;
        }
        if step.is_multiple_of(100) || step + 1 == spec.steps {
            let loss = loss.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            if !loss.is_finite() {
                return Err(SteerError::Diverged { step: step + 1, loss });
            }
            ctl.progress("Training the world's language model", step as u64 + 1, Some(spec.steps as u64));
            ctl.partial([step as f64, loss]);
        }
    }
    Ok(net)
}

/// How good a model of the world is, on texts it has not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Knowledge {
    /// Tokens predicted.
    pub tokens: usize,
    /// The model's mean negative log-probability, in nats per token.
    pub cross_entropy: f64,
    /// That of the exact probabilities: no model can do better on average.
    pub exact: f64,
    /// Entropy of the words without any context.
    pub unigram: f64,
}

/// Measures `model` on `texts` texts of a seed.
pub fn knowledge(model: &LanguageModel, texts: usize, seed: u64, ctl: &Ctl) -> Result<Knowledge> {
    let mut random = Random::new(seed, "held-out texts");
    let mut found = Knowledge::default();
    let mut counts = vec![0u64; super::vocabulary_size()];
    for _ in 0..texts {
        let text = grammar::text(&mut random).tokens;
        let score = plumb_text::score(model, &text, &mut plumb_text::NoHooks, ctl)?;
        found.cross_entropy -= score.logprobs.iter().map(|&x| f64::from(x)).sum::<f64>();
        found.exact -= exact::log_probabilities(&text[1..]).iter().sum::<f64>();
        found.tokens += text.len() - 1;
        text[1..].iter().for_each(|&token| counts[token as usize] += 1);
    }
    let n = found.tokens.max(1) as f64;
    found.cross_entropy /= n;
    found.exact /= n;
    found.unigram = counts.iter().filter(|n| **n > 0).map(|&k| k as f64 / n * (n / k as f64).ln()).sum();
    Ok(found)
}
