//! What the user calls features, and lists of them: kept in a file of their own, taken in and given out as RON or CSV.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use plumb_core::{Ctl, Error, Job};
use serde::{Deserialize, Serialize};

use crate::shell::home::write_stored;
use crate::widgets::format;

/// Labels and lists of one autoencoder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Labels {
    /// By feature.
    pub labels: BTreeMap<usize, String>,
    /// Features by the name of the list.
    pub lists: BTreeMap<String, BTreeSet<usize>>,
}

impl Labels {
    /// Call a feature something; nothing if the text is empty.
    pub fn name(&mut self, feature: usize, label: &str) {
        let label = label.trim();
        if label.is_empty() {
            self.labels.remove(&feature);
        } else {
            self.labels.insert(feature, label.to_owned());
        }
    }

    /// Put a feature into a list, or take it out. An empty list goes.
    pub fn put(&mut self, list: &str, feature: usize, inside: bool) {
        let features = self.lists.entry(list.to_owned()).or_default();
        if inside {
            features.insert(feature);
        } else {
            features.remove(&feature);
        }
        if features.is_empty() {
            self.lists.remove(list);
        }
    }

    /// The lists that hold a feature.
    pub fn lists_of(&self, feature: usize) -> impl Iterator<Item = &str> {
        self.lists.iter().filter(move |(_, features)| features.contains(&feature)).map(|(name, _)| name.as_str())
    }

    /// Take in others: theirs win.
    pub fn merge(&mut self, others: Self) {
        self.labels.extend(others.labels);
        for (name, features) in others.lists {
            self.lists.entry(name).or_default().extend(features);
        }
    }

    /// As CSV: feature, label, lists separated by semicolons.
    pub fn csv(&self) -> String {
        let mut out = format::csv_line(["feature", "label", "lists"]);
        let mut features: BTreeSet<usize> = self.labels.keys().copied().collect();
        features.extend(self.lists.values().flatten());
        for feature in features {
            let lists: Vec<&str> = self.lists_of(feature).collect();
            let label = self.labels.get(&feature).map_or("", String::as_str);
            out += &format::csv_line([feature.to_string().as_str(), label, &lists.join(";")]);
        }
        out
    }

    /// From CSV with a column “feature” and one of “label” or “description”; “lists” may be there.
    pub fn from_csv(text: &str) -> Result<Self, String> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| error.to_string())?.clone();
        let column = |names: &[&str]| headers.iter().position(|header| names.contains(&header.trim()));
        let (Some(feature), Some(label)) = (column(&["feature", "index"]), column(&["label", "description"])) else {
            return Err("the first line must name the columns “feature” and “label”".to_owned());
        };
        let lists = column(&["lists"]);
        let mut found = Self::default();
        for (row, record) in reader.records().enumerate() {
            let record = record.map_err(|error| error.to_string())?;
            let number = record.get(feature).unwrap_or_default().trim();
            let number: usize =
                number.parse().map_err(|_not_a_number| format!("line {}: “{number}” is no feature number", row + 2))?;
            found.name(number, record.get(label).unwrap_or_default());
            let names = lists.and_then(|lists| record.get(lists)).unwrap_or_default();
            for name in names.split(';').map(str::trim).filter(|name| !name.is_empty()) {
                found.put(name, number, true);
            }
        }
        Ok(found)
    }
}

/// Where the labels of an autoencoder are kept: beside the runs, because they are the user's work and no cache.
pub fn place(runs: &Path, sae: &str) -> PathBuf {
    runs.join("labels").join(format!("{}.ron", format::file_stem(sae)))
}

/// Reads a file of labels.
#[derive(Debug)]
pub struct ReadLabels {
    /// The file.
    pub path: PathBuf,
    /// Whether it may be missing.
    pub may_miss: bool,
}

impl Job for ReadLabels {
    type Output = Labels;
    type Partial = ();

    fn name(&self) -> String {
        "Read labels".to_owned()
    }

    fn run(self, _ctl: &Ctl) -> Result<Labels, Error> {
        if self.may_miss && !self.path.exists() {
            return Ok(Labels::default());
        }
        let text = std::fs::read_to_string(&self.path)
            .map_err(|error| Error::Failed(format!("{} cannot be read: {error}", self.path.display())))?;
        let csv = self.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        if csv {
            return Labels::from_csv(&text).map_err(|why| Error::Failed(format!("{}: {why}", self.path.display())));
        }
        plumb_core::preset::from_ron(&text, &self.path.display().to_string()).map_err(|error| Error::failed(&error))
    }
}

/// Writes a file of labels.
#[derive(Debug)]
pub struct WriteLabels {
    /// The file.
    pub path: PathBuf,
    /// The labels.
    pub labels: Labels,
}

impl Job for WriteLabels {
    type Output = PathBuf;
    type Partial = ();

    fn name(&self) -> String {
        "Write labels".to_owned()
    }

    fn run(self, _ctl: &Ctl) -> Result<PathBuf, Error> {
        let csv = self.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        if csv {
            plumb_core::atomic::write(&self.path, self.labels.csv().as_bytes())
                .map_err(|error| Error::failed(&error))?;
        } else {
            write_stored(&self.path, &self.labels).map_err(Error::Failed)?;
        }
        Ok(self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_and_back() {
        let mut labels = Labels::default();
        labels.name(7, " insults, mild ");
        labels.put("rude", 7, true);
        labels.put("rude", 9, true);
        labels.put("gone", 9, true);
        labels.put("gone", 9, false);
        let back = Labels::from_csv(&labels.csv()).unwrap();
        assert_eq!(back, labels);
        assert_eq!(labels.labels[&7], "insults, mild");
        assert!(Labels::from_csv("a,b\n1,2\n").unwrap_err().contains("feature"));
        assert!(Labels::from_csv("feature,label\nx,2\n").unwrap_err().contains("line 2"));
        assert_eq!(Labels::from_csv("index,description\n3,cats\n").unwrap().labels[&3], "cats", "as other tools write");
    }
}
