//! Where Plumb keeps its files, and how it reads its own.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The folders of this user, or of `--home DIR` / `PLUMB_HOME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Settings and layout.
    pub config: PathBuf,
    /// Downloads.
    pub cache: PathBuf,
    /// Run folders.
    pub runs: PathBuf,
    /// The log.
    pub log: PathBuf,
}

impl Home {
    /// Everything under one folder.
    pub fn under(base: &Path) -> Self {
        Self {
            config: base.join("config"),
            cache: base.join("cache"),
            runs: base.join("runs"),
            log: base.join("plumb.log"),
        }
    }

    /// `given`, else `PLUMB_HOME`, else the folders of the desktop.
    pub fn find(given: Option<&Path>) -> Self {
        if let Some(base) = given {
            return Self::under(base);
        }
        if let Some(base) = std::env::var_os("PLUMB_HOME").filter(|base| !base.is_empty()) {
            return Self::under(Path::new(&base));
        }
        match directories::ProjectDirs::from("", "", "plumb") {
            Some(dirs) => Self {
                config: dirs.config_dir().to_path_buf(),
                cache: dirs.cache_dir().to_path_buf(),
                runs: dirs.data_dir().join("runs"),
                log: dirs.cache_dir().join("plumb.log"),
            },
            None => Self::under(Path::new(".plumb")),
        }
    }

    /// The settings file.
    pub fn settings_file(&self) -> PathBuf {
        self.config.join("settings.ron")
    }

    /// The layout file.
    pub fn layout_file(&self) -> PathBuf {
        self.config.join("layout.ron")
    }
}

/// Write one of Plumb's own files, whole or not at all; its folder is made if need be.
pub fn write_stored<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    }
    plumb_core::preset::write_ron(path, value).map_err(|error| error.to_string())
}

/// What was read, and what the user should know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<T> {
    /// What the file says, or the default.
    pub value: T,
    /// Why it is the default although there is a file.
    pub note: Option<String>,
}

/// Read one of Plumb's own files. A missing one gives the default. One that cannot be read, or that `fits` does not
/// accept (written by a newer version), is renamed to `*.bad` and gives the default with a note.
pub fn read_stored<T: DeserializeOwned + Default>(path: &Path, fits: impl Fn(&T) -> bool, what: &str) -> Stored<T> {
    if !path.exists() {
        return Stored { value: T::default(), note: None };
    }
    let reason = match plumb_core::preset::read_ron::<T>(path) {
        Ok(value) if fits(&value) => return Stored { value, note: None },
        Ok(_) => "the file was written by a newer Plumb".to_owned(),
        Err(error) => error.to_string(),
    };
    let aside = PathBuf::from(format!("{}.bad", path.display()));
    let kept = match std::fs::rename(path, &aside) {
        Ok(()) => format!("The old file is kept as {}.", aside.display()),
        Err(error) => format!("The old file could not be put aside: {error}."),
    };
    Stored { value: T::default(), note: Some(format!("The {what} were reset, because {reason}. {kept}")) }
}
