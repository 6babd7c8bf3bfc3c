//! Opening an index and reading from it.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use super::layout::{self, LOGITS, NEIGHBOURS, RECORD, float, long, number, pairs};
use super::{BINS, FeatureCard, IndexTable, Window};
use crate::{Result, SteerError};

/// A row of the feature table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureRow {
    /// Its number.
    pub feature: usize,
    /// Share of tokens where it fires; 0 for a dead one.
    pub density: f64,
    /// Mean of its activations where it fires.
    pub mean: f32,
    /// Largest activation.
    pub max: f32,
}

/// An open index. Opening reads the table only; the rest is read where it is looked at.
#[derive(Debug)]
pub struct FeatureIndex {
    table: IndexTable,
    features: Mmap,
    windows: Mmap,
    tokens: Mmap,
}

fn map(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(|error| SteerError::read(path, error))?;
    // SAFETY: the map is only read, as bytes. A file that another program cuts short meanwhile ends the process with a
    // bus error; Plumb itself replaces these files whole and never writes into them.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(&file) };
    map.map_err(|error| SteerError::read(path, error))
}

impl FeatureIndex {
    /// Opens the index in `folder`.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("index.json");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| SteerError::read(&path, format!("{error}; build the index of this folder again")))?;
        let table: IndexTable = serde_json::from_str(&text).map_err(|error| SteerError::read(&path, error))?;
        if table.version != layout::VERSION {
            let reason = format!("its layout is version {}, not {}: build it again", table.version, layout::VERSION);
            return Err(SteerError::read(&path, reason));
        }
        let features_path = folder.join("features.bin");
        let features = map(&features_path)?;
        if Some(features.len()) != table.features.checked_mul(RECORD) {
            let reason =
                format!("it has {} bytes, which is not {} features: build it again", features.len(), table.features);
            return Err(SteerError::read(&features_path, reason));
        }
        Ok(Self {
            table,
            features,
            windows: map(&folder.join("windows.bin"))?,
            tokens: map(&folder.join("tokens.bin"))?,
        })
    }

    /// What it is an index of.
    pub fn table(&self) -> &IndexTable {
        &self.table
    }

    fn record(&self, feature: usize) -> Result<&[u8]> {
        let (features, no) = (self.table.features, SteerError::NoFeature { feature, features: self.table.features });
        if feature < features { Ok(&self.features[feature * RECORD..(feature + 1) * RECORD]) } else { Err(no) }
    }

    /// The row of a feature.
    pub fn row(&self, feature: usize) -> Result<FeatureRow> {
        let record = self.record(feature)?;
        Ok(FeatureRow {
            feature,
            density: long(record, layout::COUNT) as f64 / self.table.tokens.max(1) as f64,
            mean: float(record, layout::MEAN),
            max: float(record, layout::MAX),
        })
    }

    /// All rows.
    pub fn rows(&self) -> Vec<FeatureRow> {
        (0..self.table.features).filter_map(|feature| self.row(feature).ok()).collect()
    }

    /// `A_j`, for strengths in largest activations.
    pub fn reference(&self, feature: usize) -> Result<f32> {
        Ok(self.row(feature)?.max)
    }

    /// Everything about a feature.
    pub fn card(&self, feature: usize) -> Result<FeatureCard> {
        let record = self.record(feature)?;
        let row = self.row(feature)?;
        let start = long(record, layout::WINDOWS_AT) as usize;
        let end = start.saturating_add(number(record, layout::WINDOWS_BYTES) as usize);
        let damaged = || SteerError::read(&PathBuf::from("windows.bin"), "it is damaged: build the index again");
        let mut bytes = self.windows.get(start..end).ok_or_else(damaged)?;
        let mut windows = Vec::new();
        while !bytes.is_empty() {
            let first = number(bytes, 0) as usize;
            let &[group, length, centre, _] = bytes.get(4..8).ok_or_else(damaged)? else { return Err(damaged()) };
            let length = usize::from(length);
            let values = bytes.get(8..8 + 4 * length).ok_or_else(damaged)?;
            let tokens = self.tokens.get(4 * first..4 * (first + length)).ok_or_else(damaged)?;
            windows.push(Window {
                group,
                tokens: (0..length).map(|t| number(tokens, 4 * t)).collect(),
                activations: (0..length).map(|t| float(values, 4 * t)).collect(),
                centre: usize::from(centre),
            });
            bytes = &bytes[8 + 4 * length..];
        }
        Ok(FeatureCard {
            feature,
            density: row.density,
            mean: row.mean,
            max: row.max,
            range: float(record, layout::RANGE),
            histogram: (0..BINS).map(|bin| number(record, layout::HISTOGRAM + 4 * bin)).collect(),
            windows,
            top_logits: pairs(record, layout::TOP_LOGITS, LOGITS),
            bottom_logits: pairs(record, layout::BOTTOM_LOGITS, LOGITS),
            nearest: pairs(record, layout::NEAREST, NEIGHBOURS),
            together: pairs(record, layout::TOGETHER, NEIGHBOURS),
        })
    }

    /// Features whose decoder vector raises the logit of `token` most, among those that list it; best first.
    pub fn by_logit(&self, token: u32) -> Vec<(usize, f32)> {
        let mut found: Vec<(usize, f32)> = (0..self.table.features)
            .filter_map(|feature| {
                let record = self.record(feature).ok()?;
                let listed = pairs(record, layout::TOP_LOGITS, LOGITS);
                listed.into_iter().find(|(t, _)| *t == token).map(|(_, value)| (feature, value))
            })
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found
    }
}
