//! What is kept of one feature during the pass.

use plumb_core::random::Random;

/// Bins of a histogram.
pub const BINS: usize = 32;

/// Windows with the largest activations.
pub(super) const TOP: usize = 20;

/// An activation and where in the corpus it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Hit {
    pub value: f32,
    pub at: u32,
}

/// Count, sum, largest hits and a histogram of equal bins from 0 whose range doubles when a larger value comes, so that
/// one pass is enough and every count is exact. Each bin keeps one hit, drawn evenly from all that fell into it.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    pub count: u64,
    pub sum: f64,
    /// Upper end of the histogram; 0 before the first value.
    pub range: f32,
    pub bins: [u32; BINS],
    pub drawn: [Hit; BINS],
    /// Descending.
    pub top: Vec<Hit>,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { count: 0, sum: 0.0, range: 0.0, bins: [0; BINS], drawn: [Hit::default(); BINS], top: Vec::new() }
    }
}

impl Sketch {
    pub fn max(&self) -> f32 {
        self.top.first().map_or(0.0, |hit| hit.value)
    }

    pub fn add(&mut self, hit: Hit, random: &mut Random) {
        self.count += 1;
        self.sum += f64::from(hit.value);
        if self.range == 0.0 {
            // A power of two, so that the bins do not depend on which value came first.
            self.range = hit.value.log2().floor().exp2() * 2.0;
        }
        while hit.value > self.range {
            self.double(random);
        }
        let bin = ((hit.value / self.range * BINS as f32) as usize).min(BINS - 1);
        self.bins[bin] = self.bins[bin].saturating_add(1);
        if random.below(self.bins[bin] as usize) == 0 {
            self.drawn[bin] = hit;
        }
        if self.top.len() < TOP || hit.value > self.top[TOP - 1].value {
            let place = self.top.partition_point(|other| other.value >= hit.value);
            self.top.insert(place, hit);
            self.top.truncate(TOP);
        }
    }

    /// Twice the range: pairs of bins become one, and one of their hits stays, by their counts.
    fn double(&mut self, random: &mut Random) {
        self.range *= 2.0;
        for bin in 0..BINS {
            let (a, b) = (2 * bin, 2 * bin + 1);
            if a >= BINS {
                self.bins[bin] = 0;
                continue;
            }
            let both = self.bins[a].saturating_add(self.bins[b]);
            let first = both > 0 && random.below(both as usize) < self.bins[a] as usize;
            self.drawn[bin] = if first { self.drawn[a] } else { self.drawn[b] };
            self.bins[bin] = both;
        }
    }

    /// Up to `each` drawn hits for each of `intervals` equal parts of 0..=max, largest part first, without the top ones.
    pub fn quantiles(&self, intervals: usize, each: usize) -> Vec<Vec<Hit>> {
        let max = self.max();
        let mut groups = vec![Vec::new(); intervals];
        for bin in (0..BINS).rev().filter(|&bin| self.bins[bin] > 0) {
            let hit = self.drawn[bin];
            let part = ((hit.value / max * intervals as f32) as usize).min(intervals - 1);
            let group: &mut Vec<Hit> = &mut groups[intervals - 1 - part];
            if group.len() < each && !self.top.iter().any(|top| top.at == hit.at) {
                group.push(hit);
            }
        }
        groups
    }
}
