//! The ready experiments that are part of the program: every file of `presets/METHOD`.

use crate::shell::panel::EmbeddedPreset;

// `PRESETS`, made by the build script from the folder: method and file.
include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// The presets of one method, by file name.
pub fn of(method: &str) -> Vec<EmbeddedPreset> {
    PRESETS.iter().filter(|(name, _)| *name == method).map(|(_, preset)| *preset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_has_a_title_and_a_reason() {
        assert!(!PRESETS.is_empty());
        for (_, preset) in PRESETS {
            let header: plumb_core::preset::Header = plumb_core::preset::from_ron(preset.text, preset.file).unwrap();
            assert!(!header.title.is_empty() && !header.about.is_empty(), "{}", preset.file);
        }
    }
}
