//! Reading run folders: whatever can be read is shown, and what cannot is said.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{INCOMPLETE, INFO, METRICS, PICTURES, REPORT, RunError, RunInfo, SPEC, TABLES, WEIGHTS};
use crate::preset::{self, Kind, Preset};

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Step or epoch.
    pub step: u64,
    /// Measurements by name.
    pub values: BTreeMap<String, f64>,
}

/// Whether a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It did.
    Finished,
    /// It was interrupted, or is still being written.
    Incomplete,
}

/// What a list of runs shows.
#[derive(Clone, Debug)]
pub struct RunSummary {
    /// The folder.
    pub path: PathBuf,
    /// Method, name, start, seconds and the rest of `run.json`; empty fields where it cannot be read.
    pub info: RunInfo,
    /// Whether it came to its end.
    pub state: RunState,
    /// Why `run.json` cannot be read, in plain words.
    pub problem: Option<String>,
}

/// A run folder that was opened.
#[derive(Clone, Debug)]
pub struct RunFolder {
    /// The folder.
    pub path: PathBuf,
    /// What the run was made with.
    pub info: RunInfo,
    /// Whether it came to its end.
    pub state: RunState,
    /// The report, where there is one.
    pub report: Option<Value>,
    /// Measurements in the order they were made.
    pub metrics: Vec<Metric>,
    /// Files under `tables/`, sorted.
    pub tables: Vec<PathBuf>,
    /// Files under `pictures/`, sorted.
    pub pictures: Vec<PathBuf>,
    /// Files under `weights/`, sorted.
    pub weights: Vec<PathBuf>,
    /// Parts that are missing or garbled, in plain words. The other parts can be used.
    pub problems: Vec<String>,
}

impl RunFolder {
    /// Open a run folder. Parts that cannot be read are told in [`problems`](Self::problems); it is an error
    /// only if nothing in the folder looks like a run.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let not_a_run = |reason: &str| RunError::NotARun { path: path.to_path_buf(), reason: reason.to_owned() };
        if !path.is_dir() {
            return Err(not_a_run(if path.exists() { "it is a file" } else { "there is no such folder" }));
        }
        if ![SPEC, REPORT, METRICS, INFO].iter().any(|file| path.join(file).exists()) {
            return Err(not_a_run("it holds none of spec.ron, report.json, metrics.jsonl, run.json"));
        }
        let state = state_of(path);
        let mut problems = Vec::new();
        let info = read_json(&path.join(INFO)).unwrap_or_else(|error| {
            problems.push(error.to_string());
            RunInfo::default()
        });
        let report_path = path.join(REPORT);
        let report = if state == RunState::Incomplete && !report_path.exists() {
            problems.push("the run was interrupted: there is no report".to_owned());
            None
        } else {
            read_json(&report_path).map_err(|error| problems.push(error.to_string())).ok()
        };
        if !path.join(SPEC).exists() {
            problems.push("spec.ron is missing: the run cannot be repeated from this folder".to_owned());
        }
        let metrics = read_metrics(&path.join(METRICS), &mut problems);
        Ok(Self {
            path: path.to_path_buf(),
            info,
            state,
            report,
            metrics,
            tables: files_in(&path.join(TABLES)),
            pictures: files_in(&path.join(PICTURES)),
            weights: files_in(&path.join(WEIGHTS)),
            problems,
        })
    }

    /// What was asked, to be run again.
    pub fn spec<S: DeserializeOwned>(&self, kind: Kind) -> Result<Preset<S>, RunError> {
        Ok(preset::load(&self.path.join(SPEC), kind)?)
    }

    /// The report as the method's own type.
    pub fn report<R: DeserializeOwned>(&self) -> Result<R, RunError> {
        read_json(&self.path.join(REPORT))
    }
}

/// The run folders in `base`, newest first. Folders that are no runs are left out; a missing `base` has none.
pub fn list_runs(base: &Path) -> Vec<RunSummary> {
    let Ok(entries) = fs::read_dir(base) else { return Vec::new() };
    let mut runs: Vec<RunSummary> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_run = path.is_dir() && [SPEC, REPORT, INFO].iter().any(|file| path.join(file).exists());
            is_run.then(|| {
                let (info, problem) = match read_json(&path.join(INFO)) {
                    Ok(info) => (info, None),
                    Err(error) => (RunInfo::default(), Some(error.to_string())),
                };
                RunSummary { state: state_of(&path), path, info, problem }
            })
        })
        .collect();
    runs.sort_by_cached_key(|run| std::cmp::Reverse((moment(run), run.path.clone())));
    runs
}

/// The digits of the start: from `run.json` or, where that is lost, from the folder's name.
fn moment(run: &RunSummary) -> String {
    let name = run.path.file_name().unwrap_or_default().to_string_lossy();
    let text = if run.info.started.is_empty() { &name } else { run.info.started.as_str() };
    text.chars().filter(char::is_ascii_digit).take(14).collect()
}

/// A report without the fields called `seconds`: what must be equal when the same run is made twice.
pub fn without_times(report: &Value) -> Value {
    match report {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(name, _)| *name != "seconds")
                .map(|(name, value)| (name.clone(), without_times(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_times).collect()),
        other => other.clone(),
    }
}

fn state_of(path: &Path) -> RunState {
    let incomplete = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(INCOMPLETE));
    if incomplete { RunState::Incomplete } else { RunState::Finished }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, RunError> {
    let garbled = |reason: String| RunError::Garbled { path: path.to_path_buf(), reason };
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => garbled("the file is missing".to_owned()),
        _ => garbled(error.to_string()),
    })?;
    serde_json::from_slice(&bytes).map_err(|error| garbled(error.to_string()))
}

fn read_metrics(path: &Path, problems: &mut Vec<String>) -> Vec<Metric> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        // Many runs measure nothing along the way.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(format!("{METRICS} cannot be read: {error}"));
            return Vec::new();
        }
    };
    let mut metrics = Vec::new();
    let mut skipped = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line).ok().and_then(|value| metric(&value)) {
            Some(metric) => metrics.push(metric),
            None => skipped.push(index + 1),
        }
    }
    if let Some(first) = skipped.first() {
        problems.push(format!(
            "{METRICS}: {} lines are garbled and were skipped, the first is line {first}",
            skipped.len()
        ));
    }
    metrics
}

fn metric(line: &Value) -> Option<Metric> {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    let values = line.get("values")?.as_object()?;
    let values = values.iter().map(|(name, value)| Some((name.clone(), number(value)?))).collect::<Option<_>>()?;
    Some(Metric { step: line.get("step")?.as_u64()?, values })
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
    files.sort();
    files
}
