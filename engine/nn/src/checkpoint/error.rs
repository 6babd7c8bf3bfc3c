//! What can be wrong with a checkpoint file, said so that the person who opened it knows what to do.

use std::{io, path::PathBuf};

use super::Format;

/// Why a checkpoint could not be opened, read or written.
///
/// Every text says what is wrong, in which tensor and at which byte where that is known, and what to do;
/// the path stands last.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Nothing lies at the path.
    #[error("there is no such file; check the name: {}", path.display())]
    Missing {
        /// The path asked for.
        path: PathBuf,
    },
    /// The path is a folder, a pipe or a device.
    #[error("this is {found}, not a checkpoint file; choose a file inside a folder: {}", path.display())]
    NotAFile {
        /// What lies there, in words.
        found: &'static str,
        /// The path asked for.
        path: PathBuf,
    },
    /// The file has no content.
    #[error("the file is empty (0 bytes); a download or export may have been interrupted, so fetch it again: {}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The content is none of the formats Plumb reads.
    #[error("this is not a checkpoint Plumb can read: {found}. Plumb reads safetensors, PyTorch .pt and .pth, GGUF, NumPy .npz and .npy, and ONNX: {}", path.display())]
    Unrecognised {
        /// What the content looks like.
        found: String,
        /// The file.
        path: PathBuf,
    },
    /// The file claims a format but contradicts itself or ends too early.
    #[error("the {format} file is damaged: {what}{}{}. It may be cut short or altered; fetch or export it again: {}", of(tensor.as_deref()), at_byte(*at), path.display())]
    Broken {
        /// The format the file claims.
        format: Format,
        /// What contradicts what.
        what: String,
        /// The tensor concerned.
        tensor: Option<String>,
        /// The position in the file, in bytes from its start.
        at: Option<u64>,
        /// The file.
        path: PathBuf,
    },
    /// A sound file that uses something Plumb does not read.
    #[error("{what}. {advice}: {}", path.display())]
    Unsupported {
        /// What is not supported.
        what: String,
        /// What to do instead.
        advice: String,
        /// The file.
        path: PathBuf,
    },
    /// The file is not the one that was opened.
    #[error("the file has changed on disk since it was opened; open it again: {}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Reading needs more memory than the machine has free.
    #[error("reading {what} needs {} of memory and only {} is free; close other programs or read it on a larger machine: {}", size(*needed), size(*available), path.display())]
    TooLarge {
        /// What was to be read.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        available: u64,
        /// The file.
        path: PathBuf,
    },
    /// The checkpoint has no tensor of that name.
    #[error("there is no tensor named \"{name}\" in {}", path.display())]
    NoTensor {
        /// The name asked for.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// A tensor to be written has another size than its shape says.
    #[error("the new values for \"{name}\" are {got} numbers where its shape has room for {expected}; nothing was written to {}", path.display())]
    WrongCount {
        /// The tensor.
        name: String,
        /// Numbers its shape holds.
        expected: u64,
        /// Numbers given.
        got: u64,
        /// The file that was to be written.
        path: PathBuf,
    },
    /// A set of tensors that safetensors cannot hold.
    #[error("{what}; nothing was written to {}", path.display())]
    NotWritable {
        /// What stands in the way.
        what: String,
        /// The file that was to be written.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("there is not enough space on the disk for {}; free some space or choose another folder. Nothing was changed: {}", size(*needed), path.display())]
    NoSpace {
        /// Bytes the file needs.
        needed: u64,
        /// The file that was to be written.
        path: PathBuf,
    },
    /// The system refused to read.
    #[error("could not read the file ({source}); check that it is there and that you may read it: {}", path.display())]
    Read {
        /// The system's answer.
        source: io::Error,
        /// The file.
        path: PathBuf,
    },
    /// The system refused to write.
    #[error("could not write the file ({source}); check that the folder is there and that you may write to it. Nothing was changed: {}", path.display())]
    Write {
        /// The system's answer.
        source: io::Error,
        /// The file that was to be written.
        path: PathBuf,
    },
}

fn of(tensor: Option<&str>) -> String {
    tensor.map(|name| format!(" (tensor \"{name}\")")).unwrap_or_default()
}

fn at_byte(at: Option<u64>) -> String {
    at.map(|at| format!(", at byte {at}")).unwrap_or_default()
}

/// A number of bytes as a person reads it: `712 bytes`, `1.5 MiB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// What a parser reports; [`Fault::at_path`] adds the file and its format.
#[derive(Debug)]
pub(super) enum Fault {
    Broken { what: String, tensor: Option<String>, at: Option<u64> },
    Unsupported { what: String, advice: String },
    Unrecognised(String),
    TooLarge { what: String, needed: u64, available: u64 },
    Changed,
    Io(io::Error),
}

impl Fault {
    pub fn broken(what: impl Into<String>) -> Self {
        Self::Broken { what: what.into(), tensor: None, at: None }
    }

    pub fn broken_at(what: impl Into<String>, at: u64) -> Self {
        Self::Broken { what: what.into(), tensor: None, at: Some(at) }
    }

    pub fn unsupported(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into(), advice: advice.into() }
    }

    /// The same fault, naming the tensor it is about.
    pub fn of(self, name: &str) -> Self {
        match self {
            Self::Broken { what, tensor: None, at } => Self::Broken { what, tensor: Some(name.to_owned()), at },
            other => other,
        }
    }

    /// A reason for one tensor to be left out, or the fault back if it concerns the whole file.
    pub fn into_reason(self) -> Result<String, Self> {
        match self {
            Self::Broken { what, at, .. } => Ok(format!("{what}{}", at_byte(at))),
            Self::Unsupported { what, advice } => Ok(format!("{what}. {advice}")),
            Self::Unrecognised(what) => Ok(what),
            other => Err(other),
        }
    }

    pub fn at_path(self, format: Format, path: impl Into<PathBuf>) -> CheckpointError {
        let path = path.into();
        match self {
            Self::Broken { what, tensor, at } => CheckpointError::Broken { format, what, tensor, at, path },
            Self::Unsupported { what, advice } => CheckpointError::Unsupported { what, advice, path },
            Self::Unrecognised(found) => CheckpointError::Unrecognised { found, path },
            Self::TooLarge { what, needed, available } => CheckpointError::TooLarge { what, needed, available, path },
            Self::Changed => CheckpointError::Changed { path },
            Self::Io(source) if source.kind() == io::ErrorKind::UnexpectedEof => CheckpointError::Broken {
                format,
                what: "the file ends before its content does".to_owned(),
                tensor: None,
                at: None,
                path,
            },
            Self::Io(source) => CheckpointError::Read { source, path },
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
