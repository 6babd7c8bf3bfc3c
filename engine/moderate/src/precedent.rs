//! Past cases that read like a new one, and how they ended.

use std::collections::BTreeMap;

use plumb_text::ngrams;
use serde::Serialize;

use crate::agreement::Counts;
use crate::import::Item;
use crate::model::CaseId;

/// A past case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Precedent {
    /// The case.
    pub case: CaseId,
    /// Cosine of the two texts' words, the rarer the weightier; 1 for the same words.
    pub likeness: f64,
    /// Votes to keep it.
    pub approve: usize,
    /// Votes to remove it.
    pub remove: usize,
}

/// Past cases by the words and pairs of words in them.
#[derive(Clone, Debug, Default)]
pub struct Precedents {
    cases: Vec<(CaseId, Counts)>,
    /// Of each place: in which cases it is, and how much it weighs there.
    places: BTreeMap<u32, Vec<(u32, f32)>>,
}

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
    /// From cases with votes.
    pub fn new<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut this = Self::default();
        let mut rows = Vec::new();
        for item in items {
            rows.push(words(&item.case.text_alone()));
            this.cases.push((item.case.id.clone(), item.counts()));
        }
        for (i, row) in rows.iter().enumerate() {
            for (place, value) in row {
                this.places.entry(*place).or_default().push((i as u32, *value as f32));
            }
        }
        let n = rows.len() as f64;
        let rarity: BTreeMap<u32, f64> =
            this.places.iter().map(|(place, list)| (*place, (n / list.len() as f64).ln() + 0.1)).collect();
        let length = |row: &BTreeMap<u32, f64>| {
            row.iter().map(|(place, x)| (x * rarity.get(place).copied().unwrap_or(0.0)).powi(2)).sum::<f64>().sqrt()
        };
        let lengths: Vec<f64> = rows.iter().map(length).collect();
        if rows.len() > FEW {
            this.places.retain(|_, list| (list.len() as f64) < COMMON * n);
        }
        for (place, list) in &mut this.places {
            for (i, value) in list {
                *value = (f64::from(*value) * rarity[place] / lengths[*i as usize].max(f64::MIN_POSITIVE)) as f32;
            }
        }
        this
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// The `count` cases most like `text`, nearest first; cases without a word in common are left out, and so is
    /// the case called `except`.
    pub fn nearest(&self, text: &str, count: usize, except: &str) -> Vec<Precedent> {
        let n = self.cases.len() as f64;
        let mut likeness = BTreeMap::<u32, f64>::new();
        let mut square = 0.0;
        for (place, value) in words(text) {
            // A word that no case has makes all of them less like the text.
            let Some(list) = self.places.get(&place) else {
                square += (value * (n.max(1.0).ln() + 0.1)).powi(2);
                continue;
            };
            let value = value * ((n / list.len() as f64).ln() + 0.1);
            square += value * value;
            for (i, other) in list {
                *likeness.entry(*i).or_default() += value * f64::from(*other);
            }
        }
        let mut found: Vec<(f64, u32)> = likeness.into_iter().map(|(i, x)| (x / square.sqrt(), i)).collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let case = |(likeness, i): (f64, u32)| {
            let (case, counts) = self.cases.get(i as usize)?;
            let likeness = likeness.min(1.0);
            Some(Precedent { case: case.clone(), likeness, approve: counts.approve, remove: counts.remove })
        };
        found.into_iter().filter_map(case).filter(|found| found.case != except).take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::LoggedVote;
    use crate::model::Case;

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
    }
}
