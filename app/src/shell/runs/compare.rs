//! What differs between two runs: their specs and reports, value by value.

use std::collections::BTreeMap;
use std::path::Path;

use plumb_core::run_folder::{RunFolder, without_times};
use serde_json::Value;

/// One value that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where: “spec.top”, `report.layers[2].sigma[0]`.
    pub place: String,
    /// In the first run; empty if it is not there.
    pub left: String,
    /// In the second run.
    pub right: String,
}

/// Two runs side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Name of the first folder.
    pub left: String,
    /// Name of the second folder.
    pub right: String,
    /// Everything that differs, times left out.
    pub differences: Vec<Difference>,
    /// How many values were compared.
    pub compared: usize,
}

/// Compare two run folders. Wall times are left out: they differ always.
pub fn compare(left: &Path, right: &Path) -> Result<Comparison, String> {
    let (a, b) = (values(left)?, values(right)?);
    let mut places: Vec<&String> = a.keys().chain(b.keys().filter(|place| !a.contains_key(*place))).collect();
    // Spec before report, else in alphabetical order.
    places.sort_by_key(|place| (!place.starts_with("spec"), *place));
    let compared = places.len();
    let differences = places
        .into_iter()
        .filter(|place| a.get(*place) != b.get(*place))
        .map(|place| Difference {
            place: place.clone(),
            left: a.get(place).cloned().unwrap_or_default(),
            right: b.get(place).cloned().unwrap_or_default(),
        })
        .collect();
    Ok(Comparison { left: super::folder_name(left), right: super::folder_name(right), differences, compared })
}

fn values(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let run = RunFolder::open(folder).map_err(|error| error.to_string())?;
    let mut all = BTreeMap::new();
    let spec = folder.join("spec.ron");
    if spec.exists() {
        let value: ron::Value = plumb_core::preset::read_ron(&spec).map_err(|error| error.to_string())?;
        let value = serde_json::to_value(&value).map_err(|error| format!("{}: {error}", spec.display()))?;
        flatten("spec", &value, &mut all);
    }
    if let Some(report) = &run.report {
        flatten("report", &without_times(report), &mut all);
    }
    all.insert("spec.seed of the run".to_owned(), run.info.seed.to_string());
    all.insert("spec.device".to_owned(), run.info.device);
    Ok(all)
}

fn flatten(place: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&format!("{place}.{name}"), value, all);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&format!("{place}[{index}]"), value, all);
            }
        }
        Value::String(text) => {
            all.insert(place.to_owned(), text.clone());
        }
        other => {
            all.insert(place.to_owned(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(base: &Path, name: &str, spec: &str, report: &str) -> std::path::PathBuf {
        let folder = base.join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("spec.ron"), spec).unwrap();
        std::fs::write(folder.join("report.json"), report).unwrap();
        std::fs::write(folder.join("run.json"), "{\"method\":\"spectrum\"}").unwrap();
        folder
    }

    #[test]
    fn only_what_differs_is_listed_and_times_do_not_count() {
        let base = tempfile::tempdir().unwrap();
        let a =
            run(base.path(), "a", "(method: \"spectrum\", version: 1, spec: (top: 4))", "{\"x\":[1,2],\"seconds\":1}");
        let b =
            run(base.path(), "b", "(method: \"spectrum\", version: 1, spec: (top: 5))", "{\"x\":[1,3],\"seconds\":2}");
        let found = compare(&a, &b).unwrap();
        let places: Vec<&str> = found.differences.iter().map(|one| one.place.as_str()).collect();
        assert_eq!(places, ["spec.spec.top", "report.x[1]"]);
        assert_eq!((found.differences[0].left.as_str(), found.differences[0].right.as_str()), ("4", "5"));
        assert!(compare(&a, &base.path().join("none")).unwrap_err().contains("none"));
    }
}
