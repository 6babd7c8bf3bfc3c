//! Writing a run folder while the run goes on.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Instant, SystemTime};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{INCOMPLETE, INFO, METRICS, PICTURES, REPORT, RunError, RunFolder, RunInfo, SPEC, TABLES, WEIGHTS, clock};
use crate::environment::Environment;
use crate::preset::{self, Preset};
use crate::{Error, atomic};

/// A run folder that is being written. Dropped without [`finish`](Self::finish), it stays behind as
/// `….incomplete` with what was written so far.
#[derive(Debug)]
pub struct RunWriter {
    folder: PathBuf,
    base: PathBuf,
    stem: String,
    info: RunInfo,
    begun: Instant,
    metrics: Option<File>,
}

impl RunFolder {
    /// Begin a run folder in `base`, which is made if missing. The folder's name is the time, the method and
    /// the name; a number is added where that is taken.
    pub fn create(base: &Path, method: &str, name: &str) -> Result<RunWriter, RunError> {
        fs::create_dir_all(base).map_err(|source| RunError::write(base, source))?;
        let now = SystemTime::now();
        let stem = format!("{}-{}", clock::folder_stamp(now), plain(&format!("{method} {name}")));
        let (stem, folder) = unused(base, &stem)?;
        let info = RunInfo {
            method: method.to_owned(),
            name: name.to_owned(),
            started: clock::stamp(now),
            environment: Environment::read(),
            ..RunInfo::default()
        };
        let writer = RunWriter { folder, base: base.to_path_buf(), stem, info, begun: Instant::now(), metrics: None };
        // Written now, so that an interrupted run can be told from others.
        writer.write_json(INFO, &writer.info)?;
        Ok(writer)
    }

    /// As [`create`](Self::create) for what a preset titled `title` asks, and `fill` it. When `fill` is stopped the folder
    /// goes away.
    pub fn fill<T>(
        base: &Path,
        method: &str,
        title: &str,
        fill: impl FnOnce(RunWriter) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let run = Self::create(base, method, if title.is_empty() { "run" } else { title })?;
        let unfinished = run.path().to_owned();
        let outcome = fill(run);
        if matches!(outcome, Err(Error::Cancelled)) {
            // Who stops a run does not want half of it. If the folder stays, the list of runs shows it as incomplete.
            let _gone_or_listed = fs::remove_dir_all(&unfinished);
        }
        outcome
    }
}

impl RunWriter {
    /// Where the files are for now; the name changes when the run finishes.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// What will be written to `run.json`. Method, name, start and machine are filled in already; fill in
    /// seed, device and warnings and give it to [`finish`](Self::finish).
    pub fn info(&self) -> RunInfo {
        self.info.clone()
    }

    /// Write what was asked, as a preset that can be opened and run again.
    pub fn write_spec<S: Serialize>(&self, preset: &Preset<S>) -> Result<(), RunError> {
        Ok(preset::save(&self.folder.join(SPEC), preset)?)
    }

    /// Add a line of measurements. Values that are no numbers are kept as text (`"NaN"`, `"inf"`).
    pub fn append_metric(&mut self, step: u64, values: &BTreeMap<String, f64>) -> Result<(), RunError> {
        let path = self.folder.join(METRICS);
        let values: Map<String, Value> = values.iter().map(|(name, &value)| (name.clone(), number(value))).collect();
        let line = format!("{}\n", serde_json::json!({ "step": step, "values": values }));
        let file = match &mut self.metrics {
            Some(file) => file,
            none => none.insert(
                File::options()
                    .create(true)
                    .append(true)
                    .open(&path)
                    .map_err(|source| RunError::write(&path, source))?,
            ),
        };
        // One write per line: an interrupted run ends after a whole line, or the reader skips the last one.
        file.write_all(line.as_bytes()).map_err(|source| RunError::write(&path, source))
    }

    /// Write `tables/NAME.csv`.
    pub fn write_table(&self, name: &str, csv: &str) -> Result<PathBuf, RunError> {
        let file = if Path::new(name).extension().is_some_and(|extension| extension == "csv") {
            name.to_owned()
        } else {
            format!("{name}.csv")
        };
        self.write_in(TABLES, &file, csv.as_bytes())
    }

    /// Write `pictures/FILE`, for example a PNG.
    pub fn write_picture(&self, file: &str, bytes: &[u8]) -> Result<PathBuf, RunError> {
        self.write_in(PICTURES, file, bytes)
    }

    /// A place under `weights/` for the caller to write to. The folder exists afterwards.
    pub fn weights_path(&self, file: &str) -> Result<PathBuf, RunError> {
        self.place(WEIGHTS, file)
    }

    /// Write report and `run.json` and give the folder its final name. `info.seconds` is filled in if zero.
    pub fn finish<R: Serialize>(mut self, report: &R, mut info: RunInfo) -> Result<RunFolder, RunError> {
        if info.seconds == 0.0 {
            info.seconds = self.begun.elapsed().as_secs_f64();
        }
        self.write_json(REPORT, report)?;
        self.write_json(INFO, &info)?;
        if let Some(metrics) = self.metrics.take() {
            metrics.sync_all().map_err(|source| RunError::write(&self.folder.join(METRICS), source))?;
        }
        let path = self.base.join(&self.stem);
        fs::rename(&self.folder, &path).map_err(|source| RunError::write(&path, source))?;
        atomic::sync_folder(&self.base).map_err(|source| RunError::write(&path, source))?;
        RunFolder::open(&path)
    }

    fn write_json<T: Serialize>(&self, file: &str, value: &T) -> Result<(), RunError> {
        let mut bytes = serde_json::to_vec_pretty(value).map_err(RunError::Encode)?;
        bytes.push(b'\n');
        Ok(atomic::write(&self.folder.join(file), &bytes)?)
    }

    fn write_in(&self, part: &str, file: &str, bytes: &[u8]) -> Result<PathBuf, RunError> {
        let path = self.place(part, file)?;
        atomic::write(&path, bytes)?;
        Ok(path)
    }

    fn place(&self, part: &str, file: &str) -> Result<PathBuf, RunError> {
        let mut components = Path::new(file).components();
        if !matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)) {
            return Err(RunError::BadName(file.to_owned()));
        }
        let folder = self.folder.join(part);
        fs::create_dir_all(&folder).map_err(|source| RunError::write(&folder, source))?;
        Ok(folder.join(file))
    }
}

/// Make the first folder of `STEM`, `STEM-2`, … that nobody has.
fn unused(base: &Path, stem: &str) -> Result<(String, PathBuf), RunError> {
    for number in 1_u32.. {
        let stem = if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") };
        let folder = base.join(format!("{stem}{INCOMPLETE}"));
        if base.join(&stem).exists() {
            continue;
        }
        match fs::create_dir(&folder) {
            Ok(()) => return Ok((stem, folder)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(RunError::write(&folder, source)),
        }
    }
    Err(RunError::BadName(stem.to_owned()))
}

/// Letters and digits joined by dashes, at most 60 of them: a file name on every system.
fn plain(text: &str) -> String {
    let mut name = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            name.push(letter);
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
    }
    let name: String = name.chars().take(60).collect();
    name.trim_end_matches('-').to_owned()
}

fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)
}
