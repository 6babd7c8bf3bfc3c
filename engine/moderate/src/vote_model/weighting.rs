//! N-grams weighed by how rare they are: `(1 + ln count) · (1 + ln((n + 1) / (1 + texts with it)))`, each block of
//! the hash (words, characters) brought to length one. `n` and the rarities come from the texts that were learnt from.

use std::collections::BTreeMap;

use plumb_core::Ctl;
use plumb_text::ngrams;
use serde::{Deserialize, Serialize};

use super::reader::{Reader, Row};
use crate::Error;

/// The places that were seen in learning, and how rare each is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Weighting {
    /// Texts learnt from.
    texts: u32,
    /// Places seen, in ascending order.
    places: Vec<u32>,
    /// In how many texts each was.
    seen: Vec<u32>,
    /// Number of a place plus one; 0 for a place that was not seen. Filled by [`Self::spread`].
    #[serde(skip)]
    number: Vec<u32>,
}

/// A text's places and their counts.
fn counts(text: &str) -> BTreeMap<u32, u32> {
    let mut counts = BTreeMap::new();
    ngrams::each(text, |_, place| *counts.entry(place).or_default() += 1);
    counts
}

impl Weighting {
    fn learnt(texts: &[&String]) -> Self {
        let mut seen = vec![0_u32; ngrams::PLACES];
        let mut all = 0;
        for text in texts {
            all += 1;
            for place in counts(text).into_keys() {
                seen[place as usize] += 1;
            }
        }
        let places: Vec<u32> = (0..ngrams::PLACES as u32).filter(|place| seen[*place as usize] > 0).collect();
        let seen = places.iter().map(|place| seen[*place as usize]).collect();
        let mut weighting = Self { texts: all, places, seen, number: Vec::new() };
        weighting.spread();
        weighting
    }

    /// Make the table by place. Places out of range, in a damaged file, are passed over.
    fn spread(&mut self) {
        self.number = vec![0; ngrams::PLACES];
        for (i, place) in self.places.iter().enumerate() {
            if let Some(number) = self.number.get_mut(*place as usize) {
                *number = i as u32 + 1;
            }
        }
    }

    /// The number of a place among those seen.
    fn number(&self, place: u32) -> Option<u32> {
        self.number.get(place as usize).and_then(|number| number.checked_sub(1))
    }
}

impl Reader for Weighting {
    fn learn(&mut self, texts: &[&String]) {
        *self = Self::learnt(texts);
    }

    fn prepare(&mut self) -> Result<(), Error> {
        self.spread();
        Ok(())
    }

    fn width(&self) -> usize {
        self.places.len()
    }

    fn rows(&self, texts: &[&String], ctl: &Ctl) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::with_capacity(texts.len());
        for (i, text) in texts.iter().enumerate() {
            ctl.check()?;
            if i % 256 == 0 {
                ctl.progress("reading texts", i as u64, Some(texts.len() as u64));
            }
            rows.push(self.of(text));
        }
        Ok(rows)
    }

    /// N-grams that were never seen shorten the others, and have no number.
    fn of(&self, text: &str) -> Row {
        let mut row = Row::new();
        let mut squares = [0.0_f64; 2];
        let n = f64::from(self.texts) + 1.0;
        let weighed: Vec<(u32, Option<u32>, f64)> = counts(text)
            .into_iter()
            .map(|(place, count)| {
                let number = self.number(place);
                let seen = number.and_then(|i| self.seen.get(i as usize)).copied().unwrap_or(0);
                let value = (1.0 + f64::from(count).ln()) * (1.0 + (n / (1.0 + f64::from(seen))).ln());
                squares[(place / ngrams::BLOCK) as usize % 2] += value * value;
                (place, number, value)
            })
            .collect();
        for (place, number, value) in weighed {
            if let Some(number) = number {
                row.push((number, (value / squares[(place / ngrams::BLOCK) as usize % 2].sqrt()) as f32));
            }
        }
        row
    }

    fn parts(&self, text: &str, found: &mut dyn FnMut(&str, u32)) {
        ngrams::each(text, |part, place| {
            if let Some(number) = self.number(place) {
                found(part, number);
            }
        });
    }
}
