//! Past cases that read like a new one, and how they ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_core::Ctl;
use plumb_text::ngrams;
use serde::Serialize;

use crate::Error;
use crate::agreement::Counts;
use crate::import::Item;
use crate::model::CaseId;
use crate::vote_model::{Meaning, Model};

/// A past case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Precedent {
    /// The case.
    pub case: CaseId,
    /// Cosine of the two texts' words, the rarer the weightier, or of their sentence vectors; 1 for the same words.
    pub likeness: f64,
    /// Votes to keep it.
    pub approve: usize,
    /// Votes to remove it.
    pub remove: usize,
}

/// Past cases by the words and pairs of words in them, or by what they mean.
#[derive(Clone, Debug)]
pub struct Precedents {
    cases: Vec<(CaseId, Counts)>,
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    /// Of each place: in which cases it is, and how much it weighs there.
    Words(BTreeMap<u32, Vec<(u32, f32)>>),
    /// Of each case its vector.
    Meaning(Meaning, Vec<Arc<[f32]>>),
}

impl Default for Precedents {
    fn default() -> Self {
        Self { cases: Vec::new(), by: By::Words(BTreeMap::new()) }
    }
}

/// Below so small a cosine of their vectors two texts have nothing to do with each other.
const UNLIKE: f32 = 0.2;

/// Places in so large a share of the cases say nothing and cost time.
const COMMON: f64 = 0.2;

/// Below so many cases every place counts.
const FEW: usize = 200;

fn words(text: &str) -> BTreeMap<u32, f64> {
    let mut counts = BTreeMap::<u32, f64>::new();
    ngrams::each(text, |_, place| {
        if place < ngrams::BLOCK {
            *counts.entry(place).or_default() += 1.0;
        }
    });
    for count in counts.values_mut() {
        *count = 1.0 + count.ln();
    }
    counts
}

impl Precedents {
    /// From cases with votes, by what `model` reads: words, or sentence vectors.
    pub fn of(items: &[Item], model: Option<&Model>, ctl: &Ctl) -> Result<Self, Error> {
        let Some(meaning) = model.and_then(Model::meaning) else { return Ok(Self::new(items)) };
        let texts: Vec<String> = items.iter().map(|item| item.case.text_alone()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = meaning.vectors(&texts, ctl)?;
        let cases = items.iter().map(|item| (item.case.id.clone(), item.counts())).collect();
        Ok(Self { cases, by: By::Meaning(meaning.clone(), vectors) })
    }

    /// From cases with votes, by words.
    pub fn new<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let (mut cases, mut rows) = (Vec::new(), Vec::new());
        let mut places = BTreeMap::<u32, Vec<(u32, f32)>>::new();
        for item in items {
            rows.push(words(&item.case.text_alone()));
            cases.push((item.case.id.clone(), item.counts()));
        }
        for (i, row) in rows.iter().enumerate() {
            for (place, value) in row {
                places.entry(*place).or_default().push((i as u32, *value as f32));
            }
        }
        let n = rows.len() as f64;
        let rarity: BTreeMap<u32, f64> =
            places.iter().map(|(place, list)| (*place, (n / list.len() as f64).ln() + 0.1)).collect();
        let length = |row: &BTreeMap<u32, f64>| {
            row.iter().map(|(place, x)| (x * rarity.get(place).copied().unwrap_or(0.0)).powi(2)).sum::<f64>().sqrt()
        };
        let lengths: Vec<f64> = rows.iter().map(length).collect();
        if rows.len() > FEW {
            places.retain(|_, list| (list.len() as f64) < COMMON * n);
        }
        for (place, list) in &mut places {
            for (i, value) in list {
                *value = (f64::from(*value) * rarity[place] / lengths[*i as usize].max(f64::MIN_POSITIVE)) as f32;
            }
        }
        Self { cases, by: By::Words(places) }
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// The `count` cases most like `text`, nearest first; cases that have nothing in common with it are left out, and
    /// so is the case called `except`.
    pub fn nearest(&self, text: &str, count: usize, except: &str) -> Vec<Precedent> {
        let mut found = match &self.by {
            By::Words(places) => self.by_words(places, text),
            By::Meaning(meaning, vectors) => by_meaning(meaning, vectors, text),
        };
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let case = |(likeness, i): (f64, u32)| {
            let (case, counts) = self.cases.get(i as usize)?;
            let likeness = likeness.min(1.0);
            Some(Precedent { case: case.clone(), likeness, approve: counts.approve, remove: counts.remove })
        };
        found.into_iter().filter_map(case).filter(|found| found.case != except).take(count).collect()
    }

    fn by_words(&self, places: &BTreeMap<u32, Vec<(u32, f32)>>, text: &str) -> Vec<(f64, u32)> {
        let n = self.cases.len() as f64;
        let mut likeness = BTreeMap::<u32, f64>::new();
        let mut square = 0.0;
        for (place, value) in words(text) {
            // A word that no case has makes all of them less like the text.
            let Some(list) = places.get(&place) else {
                square += (value * (n.max(1.0).ln() + 0.1)).powi(2);
                continue;
            };
            let value = value * ((n / list.len() as f64).ln() + 0.1);
            square += value * value;
            for (i, other) in list {
                *likeness.entry(*i).or_default() += value * f64::from(*other);
            }
        }
        likeness.into_iter().map(|(i, x)| (x / square.sqrt(), i)).collect()
    }
}

fn by_meaning(meaning: &Meaning, vectors: &[Arc<[f32]>], text: &str) -> Vec<(f64, u32)> {
    let asked = meaning.vectors(&[text], &Ctl::new(0)).ok().and_then(|mut found| found.pop());
    let Some(asked) = asked else { return Vec::new() };
    let product = |other: &Arc<[f32]>| other.iter().zip(&*asked).map(|(a, b)| a * b).sum::<f32>();
    let found = vectors.iter().zip(0..).map(|(other, i)| (product(other), i));
    found.filter(|(likeness, _)| *likeness > UNLIKE).map(|(likeness, i)| (f64::from(likeness), i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::LoggedVote;
    use crate::model::Case;
    use crate::vote_model::Kind;

    #[test]
    fn the_same_words_come_first() {
        let item = |id: &str, body: &str, remove| Item {
            case: Case { id: id.to_owned(), body: body.to_owned(), ..Case::default() },
            votes: vec![LoggedVote { moderator: "a".to_owned(), remove, at: None }],
        };
        let items = [
            item("1", "bigger fuse in the kettle", true),
            item("2", "green tomatoes", false),
            item("3", "the kettle", false),
        ];
        let past = Precedents::new(&items);
        let found = past.nearest("a bigger fuse in the kettle", 5, "");
        assert_eq!(found.iter().map(|p| p.case.as_str()).collect::<Vec<_>>(), ["1", "3"]);
        assert!(found[0].likeness > 0.9 && found[0].remove == 1);
        assert_eq!(past.nearest("bigger fuse in the kettle", 5, "1")[0].case, "3");
        assert!(past.nearest("", 5, "").is_empty() && Precedents::default().nearest("x", 5, "").is_empty());

        // By meaning: no word in common is needed.
        let items = [item("1", "The cat slept on the sofa.", true), item("2", "Interest rates rose in March.", false)];
        let model = Model::new(Kind::Sentences, None, None).unwrap();
        let past = Precedents::of(&items, Some(&model), &Ctl::new(1)).unwrap();
        let found = past.nearest("A kitten was sleeping on a couch.", 5, "");
        assert_eq!((found.len(), found[0].case.as_str(), found[0].remove), (1, "1", 1), "{found:?}");
        assert!(past.nearest("", 5, "").is_empty());
    }
}
