//! Where a tensor's bytes lie in its file, and how they become one row-major stream.

use std::{
    io::{Cursor, Read},
    sync::Arc,
};

use super::{
    TensorEntry,
    archive::{Content, Member},
    error::Fault,
    memory,
    source::Source,
};

/// Bytes handed on at once: large enough to be fast, small enough not to matter.
const PIECE: usize = 1 << 20;

/// Where a tensor's stored numbers start and how they are laid out.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub bytes: Bytes,
    pub big_endian: bool,
    /// `None` for row-major; otherwise the step of each axis through the stored numbers.
    pub strides: Option<Vec<u64>>,
}

/// A run of stored bytes.
#[derive(Clone, Debug)]
pub(super) enum Bytes {
    /// As they are, from this byte of the file.
    Plain { at: u64 },
    /// As they are, in another file beside it.
    Beside { file: Arc<Source>, at: u64 },
    /// In a member of a zip archive, from this byte of its content.
    Member { member: Arc<Member>, skip: u64 },
    /// Protobuf varints in an ONNX tensor message of `len` bytes.
    Message { at: u64, len: u64, field: u64 },
}

impl Place {
    pub fn plain(at: u64) -> Self {
        Self::row_major(Bytes::Plain { at })
    }

    pub fn row_major(bytes: Bytes) -> Self {
        Self { bytes, big_endian: false, strides: None }
    }

    /// How many stored numbers the strides reach over; `None` when that overflows.
    pub fn span(shape: &[usize], strides: &[u64]) -> Option<u64> {
        if shape.contains(&0) {
            return Some(0);
        }
        shape.iter().zip(strides).try_fold(1u64, |span, (&axis, &stride)| {
            (axis as u64 - 1).checked_mul(stride).and_then(|reach| span.checked_add(reach))
        })
    }
}

/// Hands the numbers of `entry` to `sink`, in pieces of whole numbers (whole blocks where quantised).
pub(super) fn stream(
    source: &Source,
    entry: &TensorEntry,
    place: &Place,
    limit: Option<u64>,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if entry.bytes == 0 {
        return Ok(());
    }
    let size = entry.dtype.size().unwrap_or(1);
    match &place.strides {
        None => {
            // Quantised blocks have sizes such as 18 and 210 bytes: a piece must end with a block.
            let unit = super::decode::unit(&entry.dtype)?;
            let mut reader = open(source, place, entry.bytes, size)?;
            let mut buffer = vec![0; (PIECE / unit * unit).min(entry.bytes as usize)];
            let mut left = entry.bytes as usize;
            while left > 0 {
                let piece = &mut buffer[..left.min(PIECE / unit * unit)];
                fill(&mut reader, piece)?;
                if place.big_endian {
                    swap(piece, size);
                }
                sink(piece)?;
                left -= piece.len();
            }
            reader.finish()
        }
        Some(strides) => {
            let span = Place::span(&entry.shape, strides).and_then(|span| span.checked_mul(size as u64));
            let span = span.ok_or_else(|| Fault::broken("its strides reach past any file"))?;
            memory::reserve(&format!("the tensor \"{}\"", entry.name), span, limit)?;
            let mut stored = Vec::new();
            let mut reader = open(source, place, span, size)?;
            (&mut reader).take(span).read_to_end(&mut stored).map_err(unpacking)?;
            if stored.len() as u64 != span {
                return Err(Fault::broken("the stored numbers end early"));
            }
            reader.finish()?;
            if place.big_endian {
                swap(&mut stored, size);
            }
            gather(&stored, &entry.shape, strides, size, sink)
        }
    }
}

fn open<'a>(source: &'a Source, place: &'a Place, len: u64, size: usize) -> Result<Stored<'a>, Fault> {
    let window = |source: &'a Source, at: u64, len: u64| match at.checked_add(len) {
        Some(end) if end <= source.len() => Ok(source.window(at, end)),
        _ => Err(Fault::broken_at("the data reaches past the end of the file", at)),
    };
    Ok(match &place.bytes {
        Bytes::Plain { at } => Stored::Plain(Box::new(window(source, *at, len)?)),
        Bytes::Beside { file, at } => {
            file.check()?;
            Stored::Plain(Box::new(window(file, *at, len)?))
        }
        Bytes::Member { member, skip } => Stored::Member(member.content(source, *skip)?),
        Bytes::Message { at, len, field } => {
            let numbers = super::onnx::message_numbers(source, (*at, *len), *field, size)?;
            Stored::Plain(Box::new(Cursor::new(numbers)))
        }
    })
}

/// The stored bytes of a tensor as a stream.
enum Stored<'a> {
    Plain(Box<dyn Read + 'a>),
    Member(Content<'a>),
}

impl Stored<'_> {
    /// To be called when the numbers have been read: what carries a checksum is compared with it.
    fn finish(self) -> Result<(), Fault> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Member(content) => content.finish(),
        }
    }
}

impl Read for Stored<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Member(content) => content.read(buffer),
        }
    }
}

fn fill(reader: &mut dyn Read, piece: &mut [u8]) -> Result<(), Fault> {
    reader.read_exact(piece).map_err(unpacking)
}

/// A failed read of the file stays one; a failure of the decompressor means damage.
pub(super) fn unpacking(error: std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => {
            Fault::broken(format!("the compressed data does not unpack ({error})"))
        }
        std::io::ErrorKind::UnexpectedEof => Fault::broken("the data ends early"),
        _ => Fault::Io(error),
    }
}

fn swap(bytes: &mut [u8], size: usize) {
    for number in bytes.chunks_exact_mut(size) {
        number.reverse();
    }
}

/// Walks `shape` row-major and picks each number by its strides.
fn gather(
    stored: &[u8],
    shape: &[usize],
    strides: &[u64],
    size: usize,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut index = vec![0usize; shape.len()];
    let mut at = 0usize;
    let mut piece = Vec::with_capacity(PIECE.min(stored.len().max(size)));
    loop {
        let number = stored.get(at * size..(at + 1) * size);
        piece.extend_from_slice(number.ok_or_else(|| Fault::broken("its strides reach past its storage"))?);
        if piece.len() >= PIECE {
            sink(&piece)?;
            piece.clear();
        }
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return sink(&piece);
            }
            axis -= 1;
            index[axis] += 1;
            at += strides[axis] as usize;
            if index[axis] < shape[axis] {
                break;
            }
            at -= shape[axis] * strides[axis] as usize;
            index[axis] = 0;
        }
    }
}
