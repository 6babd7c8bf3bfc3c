//! How probable a text is.

use candle_core::Tensor;
use plumb_core::Ctl;
use serde::Serialize;

use crate::hooks::{Hooks, Stoppable};
use crate::kernels::log_sum_exp;
use crate::{Error, LanguageModel, Result};

/// A text's probability, token by token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The tokens scored: all but the first, before which the model sees nothing.
    pub tokens: Vec<u32>,
    /// Natural logarithm of the probability of each, given everything before it.
    pub logprobs: Vec<f32>,
    /// e to the mean of −logprob.
    pub perplexity: f64,
}

/// Positions whose logits are held at once.
const ROWS: usize = 128;

/// Scores a text of at least two tokens.
pub fn score(model: &LanguageModel, tokens: &[u32], hooks: &mut dyn Hooks, ctl: &Ctl) -> Result<Score> {
    if tokens.len() < 2 {
        return Err(Error::NoTokens);
    }
    let vocabulary = model.config().vocabulary;
    if let Some((position, &token)) = tokens.iter().enumerate().find(|&(_, &token)| token as usize >= vocabulary) {
        return Err(Error::Token { token, position, vocabulary });
    }
    ctl.check()?;
    // Nothing is predicted from the last token.
    let resid = model.forward_resid(
        &tokens[..tokens.len() - 1],
        &mut model.new_cache(),
        &mut Stoppable { inner: hooks, ctl },
    )?;
    let logprobs = logprobs(model, &resid, &tokens[1..], ctl)?;
    let mean = logprobs.iter().map(|&x| f64::from(x)).sum::<f64>() / logprobs.len() as f64;
    Ok(Score { tokens: tokens[1..].to_vec(), logprobs, perplexity: (-mean).exp() })
}

/// Natural logarithms of the probabilities of `next`, one after each row of a residual stream `[T, d]` behind the
/// last block.
pub fn logprobs(model: &LanguageModel, resid: &Tensor, next: &[u32], ctl: &Ctl) -> Result<Vec<f32>> {
    let mut found = Vec::with_capacity(next.len());
    for (part, next) in next.chunks(ROWS).enumerate() {
        ctl.check()?;
        let logits = model.logits(&resid.narrow(0, part * ROWS, next.len())?)?.to_vec2::<f32>()?;
        for (logits, &token) in logits.iter().zip(next) {
            let vocabulary = logits.len();
            let logit = logits.get(token as usize).ok_or(Error::Token { token, position: found.len(), vocabulary })?;
            found.push(logit - log_sum_exp(logits));
        }
    }
    Ok(found)
}
