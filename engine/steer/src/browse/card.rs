//! One feature as it is shown, and names for features nobody has named yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_core::{Ctl, Error, Job};

use super::Opened;
use crate::index::{FeatureCard, FeatureIndex};
use crate::metrics::TOXIC;
use crate::{Result, SteerError};

/// A window of text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strip {
    /// Which group: 0 the largest activations, then equal intervals of activation from the top down.
    pub group: u8,
    /// The tokens as they are shown, each with the feature's activation.
    pub tokens: Vec<(String, f32)>,
    /// Which of them the window was chosen for.
    pub centre: usize,
    /// Whether the judge of toxicity objects to the text.
    pub flagged: bool,
}

/// A feature as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct CardView {
    /// The numbers.
    pub card: FeatureCard,
    /// The windows, by group.
    pub strips: Vec<Strip>,
    /// Tokens whose logits it raises, with the change per unit of activation.
    pub raises: Vec<(String, f32)>,
    /// Tokens whose logits it lowers.
    pub lowers: Vec<(String, f32)>,
    /// Labels found for its neighbours, by number.
    pub names: BTreeMap<u32, String>,
}

/// Looks one feature up.
#[derive(Clone, Debug)]
pub struct CardJob {
    /// Where.
    pub opened: Arc<Opened>,
    /// Which.
    pub feature: usize,
}

impl Job for CardJob {
    type Output = CardView;
    type Partial = ();

    fn name(&self) -> String {
        format!("Feature {}", self.feature)
    }

    fn run(self, ctl: &Ctl) -> Result<CardView, Error> {
        ctl.check()?;
        let Some(index) = &self.opened.index else {
            return Err(SteerError::Spec("there is no feature index yet: build one".to_owned()).into());
        };
        let card = index.card(self.feature)?;
        let words = &self.opened.words;
        let scorer = &self.opened.scorer;
        let strips = card.windows.iter().map(|window| {
            let shown: Vec<String> = window.tokens.iter().map(|token| words.show(*token)).collect();
            let flagged = scorer.toxicity(&shown.concat(), &window.tokens) >= TOXIC;
            let tokens = shown.into_iter().zip(window.activations.iter().copied()).collect();
            Strip { group: window.group, tokens, centre: window.centre, flagged }
        });
        let show = |list: &[(u32, f32)]| list.iter().map(|(token, value)| (words.show(*token), *value)).collect();
        let neighbours = card.nearest.iter().chain(&card.together).map(|(feature, _)| *feature);
        let names = neighbours
            .filter_map(|feature| Some((feature, label(index, words, feature as usize)?)))
            .collect::<BTreeMap<_, _>>();
        Ok(CardView {
            strips: strips.collect(),
            raises: show(&card.top_logits),
            lowers: show(&card.bottom_logits),
            names,
            card,
        })
    }
}

/// A name from what makes the feature fire: the tokens at the centres of its top windows, weighed by activation.
fn label(index: &FeatureIndex, words: &super::Words, feature: usize) -> Option<String> {
    let card = index.card(feature).ok()?;
    let mut weights: BTreeMap<u32, f32> = BTreeMap::new();
    for window in card.windows.iter().filter(|window| window.group == 0) {
        let centre = window.centre;
        if let (Some(token), Some(value)) = (window.tokens.get(centre), window.activations.get(centre)) {
            *weights.entry(*token).or_default() += *value;
        }
    }
    let mut weights: Vec<(u32, f32)> = weights.into_iter().collect();
    weights.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let names: Vec<String> = weights
        .iter()
        .map(|(token, _)| words.show(*token).trim().to_owned())
        .filter(|name| !name.is_empty())
        .take(3)
        .collect();
    (!names.is_empty()).then(|| names.join(" · "))
}

/// A name for every feature, from the tokens that make it fire most; empty for dead ones.
#[derive(Clone, Debug)]
pub struct AutoLabelsJob {
    /// Whose.
    pub opened: Arc<Opened>,
}

impl Job for AutoLabelsJob {
    type Output = Vec<String>;
    type Partial = ();

    fn name(&self) -> String {
        "Name features by their tokens".to_owned()
    }

    fn run(self, ctl: &Ctl) -> Result<Vec<String>, Error> {
        let Some(index) = &self.opened.index else { return Ok(Vec::new()) };
        let count = index.table().features;
        let mut labels = Vec::with_capacity(count);
        for feature in 0..count {
            if feature.is_multiple_of(512) {
                ctl.check()?;
                ctl.progress("Naming features by their tokens", feature as u64, Some(count as u64));
            }
            labels.push(label(index, &self.opened.words, feature).unwrap_or_default());
        }
        Ok(labels)
    }
}
