//! Writing safetensors: whole or not at all.
//!
//! The file grows under a temporary name in the same folder and takes its final name only when every byte is on
//! the disk, so that a full disk, a pulled plug or an error leaves what was there before.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Write},
    path::Path,
};

use super::{Checkpoint, CheckpointError, StoredType, TensorData, TensorEntry, decode, error::Fault, extent};

/// What [`rewrite_safetensors`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Tensors copied as they were.
    pub copied: usize,
    /// Tensors written with new values.
    pub replaced: usize,
    /// Names that the new file lacks because the source could not be read there, with the reason.
    pub left_out: Vec<(String, String)>,
}

/// Writes tensors in the order given (wider number types first, as the format asks) and text metadata.
///
/// Fails, leaving an existing file at `path` untouched and nothing else behind, when a name comes twice, a
/// shape does not hold its numbers, or the file cannot be written.
pub fn write_safetensors(
    path: &Path,
    tensors: &[(String, Vec<usize>, TensorData)],
    metadata: &BTreeMap<String, String>,
) -> Result<(), CheckpointError> {
    let mut layout = Vec::with_capacity(tensors.len());
    for (name, shape, data) in tensors {
        let (dtype, got) = match data {
            TensorData::F32(v) => (StoredType::F32, v.len()),
            TensorData::F64(v) => (StoredType::F64, v.len()),
            TensorData::F16(v) => (StoredType::F16, v.len()),
            TensorData::BF16(v) => (StoredType::BF16, v.len()),
            TensorData::Raw { dtype, bytes } => (dtype.clone(), bytes.len() / dtype.size().unwrap_or(1)),
        };
        let entry =
            entry(name, shape, dtype).map_err(|fault| fault.of(name).at_path(super::Format::Safetensors, path))?;
        let whole = !matches!(data, TensorData::Raw { bytes, .. } if bytes.len() as u64 != entry.bytes);
        if got != entry.elements() || !whole {
            let (name, expected, got) = (name.clone(), entry.elements() as u64, got as u64);
            return Err(CheckpointError::WrongCount { name, expected, got, path: path.to_owned() });
        }
        layout.push(entry);
    }
    let layout = Layout::new(layout, metadata, path)?;
    write_atomically(path, layout.total(), |out| {
        out.write_all(&layout.header)?;
        for &index in &layout.order {
            match &tensors[index].2 {
                TensorData::F64(numbers) => {
                    for number in numbers {
                        out.write_all(&number.to_le_bytes())?;
                    }
                }
                TensorData::F32(numbers) | TensorData::F16(numbers) | TensorData::BF16(numbers) => {
                    write_numbers(out, &layout.entries[index].dtype, numbers)?;
                }
                TensorData::Raw { bytes, .. } => out.write_all(bytes)?,
            }
        }
        Ok(())
    })
}

/// Writes every tensor of `source`, whatever its format, to a safetensors file at `out`, those in `replaced`
/// with the values given there (row-major, in the tensor's shape).
///
/// Stored types are kept; quantised tensors become F32, and replaced ones keep a float type and become F32
/// otherwise. Memory stays within one tensor. `out` may be the source itself: the source has then changed on
/// disk and is to be opened again.
pub fn rewrite_safetensors(
    source: &Checkpoint,
    replaced: &BTreeMap<String, Vec<f32>>,
    out: &Path,
) -> Result<Rewritten, CheckpointError> {
    source.check_unchanged()?;
    let mut entries = Vec::with_capacity(source.tensors().len());
    for stored in source.tensors() {
        let new = replaced.get(&stored.name);
        if let Some(values) = new
            && values.len() != stored.elements()
        {
            let (name, expected, got) = (stored.name.clone(), stored.elements() as u64, values.len() as u64);
            return Err(CheckpointError::WrongCount { name, expected, got, path: out.to_owned() });
        }
        let kept =
            if new.is_some() { decode::from_f32(&stored.dtype, &[]).is_some() } else { stored.dtype.size().is_some() };
        let dtype = if kept { stored.dtype.clone() } else { StoredType::F32 };
        entries.push(entry(&stored.name, &stored.shape, dtype).map_err(|fault| fault.at_path(source.format(), out))?);
    }
    if let Some(name) = replaced.keys().find(|name| source.entry(name).is_none()) {
        return Err(CheckpointError::NoTensor { name: name.clone(), path: source.path().to_owned() });
    }

    let layout = Layout::new(entries, source.metadata(), out)?;
    let mut broken = None;
    let written = write_atomically(out, layout.total(), |writer| {
        writer.write_all(&layout.header)?;
        for &index in &layout.order {
            let (stored, new) = (&source.parsed.entries[index], &layout.entries[index]);
            if let Some(values) = replaced.get(&stored.name) {
                write_numbers(writer, &new.dtype, values)?;
                continue;
            }
            let copied = source.stream(stored, &source.parsed.places[index], &mut |bytes| {
                if new.dtype == stored.dtype {
                    return Ok(writer.write_all(bytes).map_err(Failed::Write)?);
                }
                let mut numbers = Vec::new();
                decode::to_f32(&stored.dtype, bytes, &mut numbers)?;
                Ok(write_numbers(writer, &new.dtype, &numbers).map_err(Failed::Write)?)
            });
            if let Err(fault) = copied {
                match Failed::unwrap(fault) {
                    Ok(error) => return Err(error),
                    Err(fault) => {
                        broken = Some(fault.of(&stored.name).at_path(source.format(), source.path()));
                        return Err(io::Error::other("the source could not be read"));
                    }
                }
            }
        }
        Ok(())
    });
    match broken {
        Some(error) => Err(error),
        None => written.map(|()| Rewritten {
            copied: source.tensors().len() - replaced.len(),
            replaced: replaced.len(),
            left_out: source.skipped().to_vec(),
        }),
    }
}

/// A failed write inside a read, told apart from a failed read.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Write(io::Error),
}

impl From<Failed> for Fault {
    fn from(failed: Failed) -> Self {
        Self::Io(io::Error::other(failed))
    }
}

impl Failed {
    fn unwrap(fault: Fault) -> Result<io::Error, Fault> {
        match fault {
            Fault::Io(error) => match error.downcast::<Self>() {
                Ok(Self::Write(error)) => Ok(error),
                Err(error) => Err(Fault::Io(error)),
            },
            other => Err(other),
        }
    }
}

fn entry(name: &str, shape: &[usize], dtype: StoredType) -> Result<TensorEntry, Fault> {
    if dtype.safetensors_name().is_none() {
        return Err(Fault::unsupported(format!("safetensors has no type {dtype}"), "Write the tensor as F32"));
    }
    let axes: Vec<u64> = shape.iter().map(|&axis| axis as u64).collect();
    let (shape, bytes) = extent(&axes, &dtype)?;
    Ok(TensorEntry { name: name.to_owned(), shape, dtype, bytes })
}

/// Header and order of a safetensors file about to be written.
struct Layout {
    header: Vec<u8>,
    entries: Vec<TensorEntry>,
    order: Vec<usize>,
}

impl Layout {
    fn new(
        entries: Vec<TensorEntry>,
        metadata: &BTreeMap<String, String>,
        path: &Path,
    ) -> Result<Self, CheckpointError> {
        // Wide types first keeps every number aligned to its size.
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(entries[index].dtype.size()));
        let mut header = serde_json::Map::new();
        if !metadata.is_empty() {
            header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
        }
        let mut at = 0u64;
        for &index in &order {
            let entry = &entries[index];
            let end = at.saturating_add(entry.bytes);
            let value = serde_json::json!({
                "dtype": entry.dtype.safetensors_name(), "shape": entry.shape, "data_offsets": [at, end],
            });
            if entry.name == "__metadata__" || header.insert(entry.name.clone(), value).is_some() {
                let what = format!("the name \"{}\" is taken", entry.name);
                return Err(CheckpointError::NotWritable { what, path: path.to_owned() });
            }
            at = end;
        }
        let mut json = serde_json::Value::Object(header).to_string().into_bytes();
        json.resize(json.len().next_multiple_of(8), b' ');
        let mut header = (json.len() as u64).to_le_bytes().to_vec();
        header.append(&mut json);
        Ok(Self { header, entries, order })
    }

    fn total(&self) -> u64 {
        self.entries.iter().fold(self.header.len() as u64, |sum, entry| sum.saturating_add(entry.bytes))
    }
}

fn write_numbers(out: &mut dyn Write, dtype: &StoredType, numbers: &[f32]) -> io::Result<()> {
    for piece in numbers.chunks(1 << 16) {
        let bytes = decode::from_f32(dtype, piece).ok_or_else(|| io::Error::other("not a float type"))?;
        out.write_all(&bytes)?;
    }
    Ok(())
}

fn write_atomically(
    path: &Path,
    needed: u64,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CheckpointError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            CheckpointError::NoSpace { needed, path: path.to_owned() }
        }
        _ => CheckpointError::Write { source, path: path.to_owned() },
    };
    // A link is followed, so that what it points to is replaced and the link stays.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(there) = std::fs::metadata(&target)
        && !there.is_file()
    {
        let found = if there.is_dir() { "a folder" } else { "a device or pipe" };
        return Err(CheckpointError::NotAFile { found, path: path.to_owned() });
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Dropped on any error below, which removes the file.
    let mut temporary =
        tempfile::Builder::new().prefix(".plumb-").suffix(".part").tempfile_in(folder).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 16, temporary.as_file_mut());
    write(&mut out).map_err(failed)?;
    out.into_inner().map_err(|error| failed(error.into_error()))?;
    adopt_permissions(temporary.as_file(), &target).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(&target).map_err(|error| failed(error.error))?;
    // The new name itself reaches the disk with the folder; where folders cannot be synced the rename stands.
    if let Ok(folder) = std::fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The permissions of the file being replaced, or those of any new file: temporary files are private.
fn adopt_permissions(file: &std::fs::File, target: &Path) -> io::Result<()> {
    match std::fs::metadata(target) {
        Ok(existing) => file.set_permissions(existing.permissions()),
        #[cfg(unix)]
        Err(_) => {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(std::fs::Permissions::from_mode(0o644))
        }
        #[cfg(not(unix))]
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that is full, or a folder that turned read-only, after some bytes.
    fn fail_with(kind: io::ErrorKind) -> CheckpointError {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.safetensors");
        std::fs::write(&path, b"precious").unwrap();
        let error = write_atomically(&path, 3 << 30, |out| {
            out.write_all(&[0; 10_000])?;
            Err(kind.into())
        });
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left behind");
        error.unwrap_err()
    }

    #[test]
    fn a_full_disk_changes_nothing_and_says_how_much_is_needed() {
        let text = fail_with(io::ErrorKind::StorageFull).to_string();
        assert!(text.contains("not enough space on the disk for 3.0 GiB"), "{text}");
    }

    #[test]
    fn a_refused_write_changes_nothing() {
        assert!(matches!(fail_with(io::ErrorKind::ReadOnlyFilesystem), CheckpointError::Write { .. }));
    }
}
