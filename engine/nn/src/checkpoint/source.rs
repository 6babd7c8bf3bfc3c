//! The open file behind a checkpoint: positioned reads that notice when the file is no longer the same.
//!
//! Memory-mapping would end the program when the file shrinks while it is read, so it is not used.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{CheckpointError, error::Fault, memory};

/// What tells one version of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    len: u64,
    modified: Option<SystemTime>,
    file: (u64, u64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let file = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let file = (0, 0);
        Self { len: metadata.len(), modified: metadata.modified().ok(), file }
    }
}

/// A regular file, open for positioned reads.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    path: PathBuf,
    identity: Identity,
}

impl Source {
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => CheckpointError::Missing { path: path.to_owned() },
            _ => CheckpointError::Read { source, path: path.to_owned() },
        };
        // Asked before opening: opening a pipe would wait for its writer.
        let metadata = fs::metadata(path).map_err(refused)?;
        if metadata.is_dir() {
            return Err(CheckpointError::NotAFile { found: "a folder", path: path.to_owned() });
        }
        if !metadata.is_file() {
            return Err(CheckpointError::NotAFile { found: "a device or pipe", path: path.to_owned() });
        }
        let file = File::open(path).map_err(refused)?;
        let identity = Identity::of(&file.metadata().map_err(refused)?);
        if identity.len == 0 {
            return Err(CheckpointError::Empty { path: path.to_owned() });
        }
        Ok(Self { file, path: path.to_owned(), identity })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn len(&self) -> u64 {
        self.identity.len
    }

    /// Fails when the path now leads to another file or another version of this one.
    pub fn check(&self) -> Result<(), Fault> {
        let same = fs::metadata(&self.path).is_ok_and(|now| Identity::of(&now) == self.identity)
            && self.file.metadata().is_ok_and(|now| Identity::of(&now) == self.identity);
        if same { Ok(()) } else { Err(Fault::Changed) }
    }

    /// Fills `buffer` from byte `at` of the file.
    pub fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Fault> {
        let fits = at.checked_add(buffer.len() as u64).is_some_and(|end| end <= self.len());
        if !fits {
            return Err(Fault::broken_at(format!("the file ends before {} bytes could be read", buffer.len()), at));
        }
        read_exact_at(&self.file, buffer, at).map_err(|error| match error.kind() {
            // The span was inside the file when it was opened.
            io::ErrorKind::UnexpectedEof => Fault::Changed,
            _ => Fault::Io(error),
        })
    }

    /// The bytes `at..at + len`, after checking that the file has them and the memory holds them.
    pub fn bytes(&self, at: u64, len: u64, what: &str, limit: Option<u64>) -> Result<Vec<u8>, Fault> {
        if at.checked_add(len).is_none_or(|end| end > self.len()) {
            return Err(Fault::broken_at(format!("{what} is {len} bytes long and reaches past the end"), at));
        }
        memory::reserve(what, len, limit)?;
        let mut buffer = vec![0; len as usize];
        self.read_exact_at(&mut buffer, at)?;
        Ok(buffer)
    }

    /// A reader of the bytes `start..end`, which the caller has checked against [`Self::len`].
    pub fn window(&self, start: u64, end: u64) -> Window<'_> {
        Window { source: self, start, at: start, end: end.min(self.len()) }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                buffer = &mut buffer[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}

/// A stretch of a [`Source`] as a stream of its own.
#[derive(Debug)]
pub(super) struct Window<'a> {
    source: &'a Source,
    start: u64,
    at: u64,
    end: u64,
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (buffer.len() as u64).min(self.end.saturating_sub(self.at)) as usize;
        if count > 0 {
            read_exact_at(&self.source.file, &mut buffer[..count], self.at)?;
            self.at += count as u64;
        }
        Ok(count)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => self.start.checked_add(offset),
            SeekFrom::End(offset) => self.end.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        match target {
            Some(at) if at >= self.start => {
                self.at = at;
                Ok(at - self.start)
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "a position outside the file")),
        }
    }
}
