//! Experiments as files: a preset is the serialisable description of an experiment with a name and a version.
//!
//! ```text
//! (
//!     method: "spectrum",
//!     version: 1,
//!     title: "Top four singular values of the sample",
//!     spec: (source: "embedded:digits", top: 4),
//! )
//! ```
//!
//! Spec types should carry `#[serde(default, deny_unknown_fields)]`: then a misspelt field is named in the
//! error instead of being ignored, and a file written before a field existed still opens.

use std::path::Path;

use ron::extensions::Extensions;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::atomic::{self, WriteError};

/// Which experiments a file must describe to be of use: the method and the newest version that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The method's name: `spectrum`.
    pub method: &'static str,
    /// The newest version of its spec. Raise it when old files would mean something else.
    pub version: u32,
}

/// An experiment with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset<S> {
    /// The method that understands the spec.
    pub method: String,
    /// Version of the spec.
    pub version: u32,
    /// One line for lists.
    #[serde(default)]
    pub title: String,
    /// What it shows and why one would run it.
    #[serde(default)]
    pub about: String,
    /// The experiment.
    pub spec: S,
}

/// What can be known of a preset without knowing its method.
pub type Header = Preset<IgnoredAny>;

/// Why a preset could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// The file cannot be read.
    #[error("{place} cannot be read: {source}")]
    Read {
        /// The file.
        place: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The text is not what was expected.
    #[error("{place}, line {line}, column {column}: {message}")]
    Syntax {
        /// The file.
        place: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What was found and what was expected.
        message: String,
    },
    /// The preset belongs to another method.
    #[error("{place} is a preset of the method “{found}”, not of “{expected}”: open it there")]
    Method {
        /// The file.
        place: String,
        /// The method it names.
        found: String,
        /// The method that was asked for.
        expected: &'static str,
    },
    /// The preset was written by a newer Plumb.
    #[error("{place} has version {found}, and this Plumb knows versions up to {newest}: update Plumb to open it")]
    Version {
        /// The file.
        place: String,
        /// The version it names.
        found: u32,
        /// The newest version that is understood.
        newest: u32,
    },
    /// The value has no form as text.
    #[error("the settings cannot be written as text: {0}")]
    Encode(String),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<PresetError> for crate::Error {
    fn from(error: PresetError) -> Self {
        Self::failed(&error)
    }
}

impl<S> Preset<S> {
    /// A preset of the newest version.
    pub fn new(kind: Kind, title: impl Into<String>, spec: S) -> Self {
        Self { method: kind.method.to_owned(), version: kind.version, title: title.into(), about: String::new(), spec }
    }
}

/// Any value as indented RON.
///
/// ```
/// let text = plumb_core::preset::to_ron(&vec![1, 2])?;
/// assert_eq!(plumb_core::preset::from_ron::<Vec<u8>>(&text, "numbers")?, [1, 2]);
/// # Ok::<(), plumb_core::preset::PresetError>(())
/// ```
pub fn to_ron<T: Serialize>(value: &T) -> Result<String, PresetError> {
    let mut text = ron::ser::to_string_pretty(value, ron::ser::PrettyConfig::new().new_line("\n"))
        .map_err(|error| PresetError::Encode(error.to_string()))?;
    text.push('\n');
    Ok(text)
}

/// Any value from RON; `place` says in errors where the text came from. `Some(4)` may be written as `4`.
pub fn from_ron<T: DeserializeOwned>(text: &str, place: &str) -> Result<T, PresetError> {
    let options = ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
    options.from_str(text).map_err(|error| PresetError::Syntax {
        place: place.to_owned(),
        line: error.span.start.line,
        column: error.span.start.col,
        message: error.code.to_string(),
    })
}

/// Read any value from a RON file.
pub fn read_ron<T: DeserializeOwned>(path: &Path) -> Result<T, PresetError> {
    from_ron(&read_text(path)?, &path.display().to_string())
}

/// Write any value to a RON file, whole or not at all.
pub fn write_ron<T: Serialize>(path: &Path, value: &T) -> Result<(), PresetError> {
    Ok(atomic::write(path, to_ron(value)?.as_bytes())?)
}

/// Read method, version and title only: enough for a list, and to choose who opens the file.
pub fn header(path: &Path) -> Result<Header, PresetError> {
    read_ron(path)
}

/// A preset of `kind` from text; `place` says in errors where the text came from.
pub fn parse<S: DeserializeOwned>(text: &str, place: &str, kind: Kind) -> Result<Preset<S>, PresetError> {
    // The header first: another method's spec would only give a puzzling error about its fields.
    let header: Header = from_ron(text, place)?;
    if header.method != kind.method {
        return Err(PresetError::Method { place: place.to_owned(), found: header.method, expected: kind.method });
    }
    if header.version > kind.version {
        return Err(PresetError::Version { place: place.to_owned(), found: header.version, newest: kind.version });
    }
    from_ron(text, place)
}

/// Open a preset of `kind`.
pub fn load<S: DeserializeOwned>(path: &Path, kind: Kind) -> Result<Preset<S>, PresetError> {
    parse(&read_text(path)?, &path.display().to_string(), kind)
}

/// Save a preset, whole or not at all.
pub fn save<S: Serialize>(path: &Path, preset: &Preset<S>) -> Result<(), PresetError> {
    write_ron(path, preset)
}

fn read_text(path: &Path) -> Result<String, PresetError> {
    std::fs::read_to_string(path).map_err(|source| PresetError::Read { place: path.display().to_string(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { method: "toy", version: 2 };

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Toy {
        steps: u32,
        limit: Option<f64>,
        name: String,
    }

    fn parse_toy(text: &str) -> Result<Preset<Toy>, PresetError> {
        parse(text, "toy.ron", KIND)
    }

    #[test]
    fn saved_and_loaded_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("toy.ron");
        let preset = Preset::new(KIND, "A “toy”", Toy { steps: 3, limit: Some(0.1), name: "a\nb".into() });
        save(&path, &preset).unwrap();
        assert_eq!(load::<Toy>(&path, KIND).unwrap(), preset);
        assert_eq!(header(&path).unwrap().title, "A “toy”");
    }

    #[test]
    fn old_versions_and_bare_options_are_read() {
        let preset = parse_toy("(method: \"toy\", version: 1, spec: (limit: 2.5))").unwrap();
        assert_eq!(preset.spec.limit, Some(2.5));
    }

    #[test]
    fn errors_say_where_and_what() {
        let unknown = parse_toy("(\n  method: \"toy\",\n  version: 1,\n  spec: (stepz: 3),\n)").unwrap_err();
        assert!(matches!(unknown, PresetError::Syntax { line: 4, .. }), "{unknown:?}");
        let text = unknown.to_string();
        assert!(text.contains("stepz") && text.contains("steps") && text.contains("toy.ron, line 4"), "{text}");
        let other = parse_toy("(method: \"spectrum\", version: 1, spec: (top: 4))").unwrap_err();
        assert!(other.to_string().contains("“spectrum”"), "{other}");
        let newer = parse_toy("(method: \"toy\", version: 3, spec: ())").unwrap_err();
        assert!(newer.to_string().contains("up to 2"), "{newer}");
        assert!(matches!(parse_toy("(method: \"toy\"").unwrap_err(), PresetError::Syntax { .. }));
    }
}
