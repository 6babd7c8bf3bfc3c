//! The geometry table beside a weight file: what a person corrected once need not be corrected again.
//!
//! `model.safetensors` keeps its table in `model.safetensors.geometry.ron`. The table is text, so that it can be
//! read, edited and kept under version control.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::geometry::{Geometry, OpKind};

/// Version of the table's layout; a newer one than this is refused rather than misread.
const VERSION: u32 = 1;

/// One row: the map and how its kernel is applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerGeometry {
    /// Which linear map.
    pub op: OpKind,
    /// How the kernel meets its input.
    pub geometry: Geometry,
}

/// Rows by name of the weight tensor.
pub type GeometryTable = BTreeMap<String, LayerGeometry>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: u32,
    layers: GeometryTable,
}

/// Only the version, so that a newer table is told from a damaged one.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Why a geometry table could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// The system refused to read.
    #[error("could not read the geometry table {} ({source}); check that you may read it", path.display())]
    Read {
        /// The table.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The text is no geometry table.
    #[error("the geometry table {} has a mistake at line {line}, column {column}: {reason}. Correct it there or delete the file to go back to guessed values", path.display())]
    Text {
        /// The table.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// Written by a newer Plumb.
    #[error("the geometry table {} has version {found}, and this Plumb reads up to {VERSION}; use a newer Plumb or delete the file", path.display())]
    Newer {
        /// The table.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The system refused to write.
    #[error("could not write the geometry table {} ({source}); check that the folder exists, that you may write to it and that the disk is not full. An earlier table is unchanged", path.display())]
    Write {
        /// The table.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// Where the table of a weight file lies.
pub fn sidecar_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".geometry.ron");
    PathBuf::from(name)
}

/// The table saved beside `file`; empty when there is none.
pub fn load(file: &Path) -> Result<GeometryTable, SidecarError> {
    let path = sidecar_path(file);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(GeometryTable::new()),
        Err(source) => return Err(SidecarError::Read { path, source }),
    };
    match ron::from_str::<Table>(&text) {
        Ok(table) if table.version <= VERSION => Ok(table.layers),
        Ok(table) => Err(SidecarError::Newer { path, found: table.version }),
        Err(error) => {
            let lenient = ron::Options::default().from_str::<Versioned>(&text);
            if let Ok(Versioned { version }) = lenient
                && version > VERSION
            {
                return Err(SidecarError::Newer { path, found: version });
            }
            let position = error.span.start;
            Err(SidecarError::Text { path, line: position.line, column: position.col, reason: error.code.to_string() })
        }
    }
}

/// Save the table beside `file`, whole or not at all.
pub fn save(file: &Path, layers: &GeometryTable) -> Result<PathBuf, SidecarError> {
    let path = sidecar_path(file);
    let failed = |source| SidecarError::Write { path: path.clone(), source };
    let table = Table { version: VERSION, layers: layers.clone() };
    let pretty = ron::ser::PrettyConfig::new().depth_limit(3);
    let text = ron::ser::to_string_pretty(&table, pretty).map_err(|error| failed(std::io::Error::other(error)))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    temporary.write_all(b"\n").map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(&path).map_err(|error| failed(error.error))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> GeometryTable {
        let geometry = Geometry { input: [6, 7], stride: [2, 1], ..Geometry::default() };
        GeometryTable::from([("conv.weight".to_owned(), LayerGeometry { op: OpKind::Conv2d, geometry })])
    }

    #[test]
    fn what_is_saved_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        assert_eq!(load(&file).unwrap(), GeometryTable::new());
        let path = save(&file, &table()).unwrap();
        assert!(path.ends_with("model.safetensors.geometry.ron"));
        assert_eq!(load(&file).unwrap(), table());
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.pt");
        std::fs::write(sidecar_path(&file), "(version: 1,\n layers: {\"a\": (op: banana)})").unwrap();
        let text = load(&file).unwrap_err().to_string();
        assert!(text.contains("line 2"), "{text}");
        std::fs::write(sidecar_path(&file), "(version: 9, layers: {}, more: 1)").unwrap();
        let text = load(&file).unwrap_err().to_string();
        assert!(text.contains("version 9"), "{text}");
    }

    #[test]
    fn a_folder_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let error = save(&folder.path().join("none").join("m.pt"), &table()).unwrap_err();
        assert!(error.to_string().contains("check that the folder exists"), "{error}");
    }
}
