//! Exact probabilities: the forward algorithm over register, topic and template.

use super::grammar::{ALL_TEMPLATES, RUDE, STOP, Slot};
use super::words::{EOS, TOPICS, vocabulary_size};

/// Registers times topics.
const LATENT: usize = 2 * TOPICS;

/// Reads a text that begins after BOS, and knows the probability of everything that can follow.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Probability of each register and topic, and inside a sentence of each template: `[LATENT][templates]`.
    weights: Vec<f64>,
    /// Sentences that are complete.
    sentences: usize,
    /// Tokens of the sentence at hand; `None` after the end of the text or after something impossible.
    place: Option<usize>,
    log_probability: f64,
}

/// The templates of a sentence at one place: slot and register and topic, with its weight.
fn slots(weights: &[f64], place: usize) -> impl Iterator<Item = (usize, Slot, f64)> + '_ {
    let templates = &*ALL_TEMPLATES;
    weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0).filter_map(move |(state, &weight)| {
        let slot = *templates[state % templates.len()].get(place)?;
        Some((state, slot, weight))
    })
}

fn hidden(state: usize) -> (bool, usize) {
    let latent = state / ALL_TEMPLATES.len();
    (latent >= TOPICS, latent % TOPICS)
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// At the beginning of a text.
    pub fn new() -> Self {
        let latent = (0..LATENT).map(|l| if l < TOPICS { 1.0 - RUDE } else { RUDE } / TOPICS as f64);
        let mut reader = Self { weights: latent.collect(), sentences: 0, place: Some(0), log_probability: 0.0 };
        reader.begin_sentence();
        reader
    }

    fn begin_sentence(&mut self) {
        let templates = ALL_TEMPLATES.len();
        self.weights = self.weights.iter().flat_map(|w| std::iter::repeat_n(w / templates as f64, templates)).collect();
    }

    /// Probability that the text ends here.
    fn stop(&self) -> f64 {
        let between = self.place == Some(0) && self.sentences > 0;
        if between { STOP[self.sentences - 1] } else { 0.0 }
    }

    /// Probability of every token to come next, given everything before it; zeros after the end.
    pub fn next(&self) -> Vec<f64> {
        let mut all = vec![0.0; vocabulary_size()];
        let Some(place) = self.place else { return all };
        let stop = self.stop();
        if stop < 1.0 {
            // Templates that share a slot are drawn from once.
            let mut masses: Vec<(Slot, usize, f64)> = Vec::new();
            for (state, slot, weight) in slots(&self.weights, place) {
                let latent = state / ALL_TEMPLATES.len();
                match masses.iter_mut().find(|(s, l, _)| *s == slot && *l == latent) {
                    Some((_, _, mass)) => *mass += weight,
                    None => masses.push((slot, latent, weight)),
                }
            }
            for (slot, latent, mass) in masses {
                for (word, p) in slot.words(latent >= TOPICS, latent % TOPICS) {
                    all[word as usize] += (1.0 - stop) * mass * p;
                }
            }
        }
        all[EOS as usize] += stop;
        all
    }

    /// Takes a token; the logarithm of its probability, −∞ for one that cannot stand here.
    pub fn push(&mut self, token: u32) -> f64 {
        let stop = self.stop();
        let Some(place) = self.place else { return self.impossible() };
        if token == EOS {
            self.place = None;
            self.log_probability += stop.ln();
            return stop.ln();
        }
        let mut weights = vec![0.0; self.weights.len()];
        let mut ended = false;
        for (state, slot, weight) in slots(&self.weights, place) {
            let (rude, topic) = hidden(state);
            weights[state] = weight * slot.probability(token, rude, topic);
            ended |= weights[state] > 0.0 && place + 1 == ALL_TEMPLATES[state % ALL_TEMPLATES.len()].len();
        }
        let total: f64 = weights.iter().sum();
        let log_probability = ((1.0 - stop) * total).ln();
        if log_probability == f64::NEG_INFINITY {
            return self.impossible();
        }
        self.weights = weights.into_iter().map(|weight| weight / total).collect();
        self.place = Some(place + 1);
        if ended {
            // The full stop ends every template that allows it, and stands nowhere else.
            let templates = ALL_TEMPLATES.len();
            self.weights = self.weights.chunks_exact(templates).map(|chunk| chunk.iter().sum()).collect();
            self.begin_sentence();
            self.sentences += 1;
            self.place = Some(0);
        }
        self.log_probability += log_probability;
        log_probability
    }

    fn impossible(&mut self) -> f64 {
        self.place = None;
        self.log_probability = f64::NEG_INFINITY;
        f64::NEG_INFINITY
    }

    /// Of all tokens so far.
    pub fn log_probability(&self) -> f64 {
        self.log_probability
    }

    /// Probability that the register is rude, given what was read.
    pub fn rude(&self) -> f64 {
        let half = self.weights.len() / 2;
        self.weights[half..].iter().sum()
    }
}

/// Logarithms of the probabilities of a text's tokens, without its BOS.
pub fn log_probabilities(after_bos: &[u32]) -> Vec<f64> {
    let mut reader = Reader::new();
    after_bos.iter().map(|&token| reader.push(token)).collect()
}

/// Whether the tokens are a text of the world or the beginning of one.
pub fn parses(after_bos: &[u32]) -> bool {
    log_probabilities(after_bos).iter().all(|p| p.is_finite())
}
