//! Features by what they have to do with a text or a token.

use std::sync::Arc;

use plumb_core::{Ctl, Error, Job};

use super::Opened;
use crate::{Result, SteerError};

/// A feature that fires on a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// Its number.
    pub feature: usize,
    /// Its largest activation.
    pub max: f32,
    /// Its activation at every token.
    pub activations: Vec<f32>,
}

/// A text as the autoencoder reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The text.
    pub text: String,
    /// Its tokens as they are shown.
    pub tokens: Vec<String>,
    /// The features that fire most, the largest activation first.
    pub firings: Vec<Firing>,
    /// How many fire at all.
    pub fired: usize,
}

/// Which features fire on a text. The BOS token is left out.
#[derive(Clone, Debug)]
pub struct TextSearchJob {
    /// Where.
    pub opened: Arc<Opened>,
    /// The text.
    pub text: String,
    /// Most features to list.
    pub most: usize,
}

impl Job for TextSearchJob {
    type Output = Reading;
    type Partial = ();

    fn name(&self) -> String {
        "Features that fire on a text".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Reading, Error> {
        ctl.check()?;
        Ok(self.read()?)
    }
}

impl TextSearchJob {
    fn read(&self) -> Result<Reading> {
        let tokens = self.opened.tokens(&self.text)?;
        let attached = self.opened.subject.attached();
        let bos = attached.model.config().bos;
        let skip = usize::from(bos.is_some() && tokens.first().copied() == bos);
        if tokens.len() <= skip {
            return Err(SteerError::Spec("the text is empty: type one".to_owned()));
        }
        let z = attached.features(&tokens)?;
        let z = z.narrow(0, skip, tokens.len() - skip)?.t()?.to_vec2::<f32>()?;
        let mut firings: Vec<Firing> = z
            .into_iter()
            .enumerate()
            .map(|(feature, activations)| {
                let max = activations.iter().copied().fold(0.0, f32::max);
                Firing { feature, max, activations }
            })
            .filter(|firing| firing.max > 0.0)
            .collect();
        firings.sort_by(|a, b| b.max.total_cmp(&a.max).then(a.feature.cmp(&b.feature)));
        let fired = firings.len();
        firings.truncate(self.most);
        let tokens = tokens[skip..].iter().map(|token| self.opened.words.show(*token)).collect();
        Ok(Reading { text: self.text.clone(), tokens, firings, fired })
    }
}

/// Features that have to do with a token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The text that was looked for.
    pub text: String,
    /// Features with a window chosen for such a token, with the largest activation there; largest first.
    pub fires: Vec<(usize, f32)>,
    /// Features whose decoder vector raises the logit of such a token, with the change per unit; largest first.
    pub raises: Vec<(usize, f32)>,
}

/// Features that fire on a token or raise its logit. Tokens are compared as text, without spaces and case.
#[derive(Clone, Debug)]
pub struct TokenSearchJob {
    /// Where.
    pub opened: Arc<Opened>,
    /// The token as text.
    pub text: String,
}

impl Job for TokenSearchJob {
    type Output = Found;
    type Partial = ();

    fn name(&self) -> String {
        format!("Features of the token “{}”", self.text)
    }

    fn run(self, ctl: &Ctl) -> Result<Found, Error> {
        let needle = self.text.trim().to_lowercase();
        let Some(index) = self.opened.index.as_ref().filter(|_| !needle.is_empty()) else {
            return Ok(Found { text: self.text, ..Found::default() });
        };
        let mut known = std::collections::BTreeMap::<u32, bool>::new();
        let mut is_it = |token: u32| {
            *known.entry(token).or_insert_with(|| self.opened.words.show(token).trim().to_lowercase() == needle)
        };
        let (mut fires, mut raises) = (Vec::new(), Vec::new());
        let count = index.table().features;
        for feature in 0..count {
            if feature.is_multiple_of(512) {
                ctl.check()?;
                ctl.progress("Searching", feature as u64, Some(count as u64));
            }
            let card = index.card(feature)?;
            let mut most = 0f32;
            for window in &card.windows {
                let at = window.centre;
                if let (Some(token), Some(value)) = (window.tokens.get(at), window.activations.get(at))
                    && *value > most
                    && is_it(*token)
                {
                    most = *value;
                }
            }
            if most > 0.0 {
                fires.push((feature, most));
            }
            if let Some((_, value)) = card.top_logits.iter().find(|(token, _)| is_it(*token)) {
                raises.push((feature, *value));
            }
        }
        for list in [&mut fires, &mut raises] {
            list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        }
        Ok(Found { text: self.text, fires, raises })
    }
}
