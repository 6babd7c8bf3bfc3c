//! What the user chose, in a file of its own: versioned, written whole or not at all.

use std::path::{Path, PathBuf};

use plumb_nn::device::DeviceChoice;
use serde::{Deserialize, Serialize};

use crate::shell::home::{Stored, read_stored, write_stored};

/// Version of the file.
const VERSION: u32 = 1;

/// Which theme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    /// As the desktop says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl From<ThemeChoice> for egui::ThemePreference {
    fn from(choice: ThemeChoice) -> Self {
        match choice {
            ThemeChoice::System => Self::System,
            ThemeChoice::Light => Self::Light,
            ThemeChoice::Dark => Self::Dark,
        }
    }
}

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Version of the file.
    pub version: u32,
    /// Light or dark.
    pub theme: ThemeChoice,
    /// Size of everything, 1 = 100 %.
    pub scale: f32,
    /// Where tensors live.
    pub device: DeviceChoice,
    /// Threads for computing; 0 = as many as the processor has. Takes effect at the next start.
    pub threads: usize,
    /// Where downloads are kept; `None` = the user's cache folder.
    pub cache_dir: Option<PathBuf>,
    /// Where run folders are written; `None` = the user's data folder.
    pub runs_dir: Option<PathBuf>,
    /// Seed of new experiments.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: VERSION,
            theme: ThemeChoice::System,
            scale: 1.0,
            device: DeviceChoice::Auto,
            threads: 0,
            cache_dir: None,
            runs_dir: None,
            seed: 0,
        }
    }
}

impl Settings {
    /// The smallest and largest scale.
    pub const SCALES: std::ops::RangeInclusive<f32> = 0.75..=2.0;

    /// Read the file. A missing file gives the defaults; an unreadable one is put aside and told in a note.
    pub fn load(path: &Path) -> Stored<Self> {
        let mut stored: Stored<Self> = read_stored(path, |settings: &Self| settings.version <= VERSION, "settings");
        let scale = stored.value.scale;
        stored.value.scale =
            if scale.is_finite() { scale.clamp(*Self::SCALES.start(), *Self::SCALES.end()) } else { 1.0 };
        stored
    }

    /// Read the file and change nothing on disk; the defaults if it cannot be read. For the time before the window.
    pub fn load_quietly(path: &Path) -> Self {
        plumb_core::preset::read_ron(path).unwrap_or_default()
    }

    /// Write the file, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        write_stored(path, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_a_round_trip_and_a_broken_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config/settings.ron");
        assert_eq!(Settings::load(&path).value, Settings::default());
        let chosen = Settings { theme: ThemeChoice::Dark, scale: 1.5, threads: 3, ..Settings::default() };
        chosen.save(&path).unwrap();
        assert_eq!(Settings::load(&path).value, chosen);

        std::fs::write(&path, "(scale: what").unwrap();
        let stored = Settings::load(&path);
        assert_eq!(stored.value, Settings::default());
        assert!(stored.note.unwrap().contains("settings"));
        assert!(folder.path().join("config/settings.ron.bad").exists(), "the broken file is kept");

        std::fs::write(&path, "(theme: dark, scale: 40.0, future: 3)").unwrap();
        assert_eq!(Settings::load(&path).value.scale, 2.0, "an old or newer file still opens");
    }
}
