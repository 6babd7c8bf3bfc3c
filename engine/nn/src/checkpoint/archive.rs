//! Zip archives as `torch.save` and `numpy.savez` write them: what they contain and where it lies.

use std::{
    io::{BufReader, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use flate2::{Crc, read::DeflateDecoder};
use zip::{CompressionMethod, ZipArchive};

use super::{data::unpacking, error::Fault, memory, source::Source};

/// A file in the archive.
#[derive(Debug)]
pub(super) struct Member {
    pub name: String,
    /// Bytes once unpacked.
    pub size: u64,
    at: u64,
    packed: u64,
    deflated: bool,
    crc: u32,
    /// Whether its content has been compared with its checksum.
    checked: AtomicBool,
}

/// Archives with more members than this are not checkpoints.
const MAX_MEMBERS: usize = 1_000_000;

/// Deflate cannot do better than about 1032 to 1: a larger claim is a lie.
const MAX_RATIO: u64 = 1100;

/// Names of what cannot be read, each with the reason.
type Skipped = Vec<(String, String)>;

/// The members that can be read, in archive order, and those that cannot, with the reason.
pub(super) fn members(source: &Source) -> Result<(Vec<Arc<Member>>, Skipped), Fault> {
    let damaged = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Fault::Io(error),
        other => Fault::broken(format!("its table of contents cannot be read ({other})")),
    };
    let mut archive = ZipArchive::new(BufReader::new(source.window(0, source.len()))).map_err(damaged)?;
    if archive.len() > MAX_MEMBERS {
        return Err(Fault::broken(format!("the archive claims {} members", archive.len())));
    }
    let (mut members, mut skipped) = (Vec::new(), Vec::new());
    for index in 0..archive.len() {
        let file = match archive.by_index_raw(index) {
            Ok(file) => file,
            Err(error) => {
                skipped.push((format!("member {index}"), format!("its entry cannot be read ({error})")));
                continue;
            }
        };
        let Ok(name) = file.name().map(std::borrow::Cow::into_owned) else {
            skipped.push((format!("member {index}"), "its name is not text".to_owned()));
            continue;
        };
        let (size, packed) = (file.size(), file.compressed_size());
        let deflated = file.compression() == CompressionMethod::Deflated;
        let plain = file.compression() == CompressionMethod::Stored;
        let inside = |at: &u64| at.checked_add(packed).is_some_and(|end| end <= source.len());
        let claim_fits = if deflated { size / MAX_RATIO <= packed } else { size == packed };
        match file.data_start() {
            _ if file.encrypted() => skipped.push((name, "it is encrypted".to_owned())),
            _ if !deflated && !plain => skipped.push((name, "its compression is not readable".to_owned())),
            Some(at) if inside(&at) && claim_fits => {
                let crc = file.crc32();
                // PyTorch can be told to leave checksums out and then writes zero.
                let checked = AtomicBool::new(crc == 0);
                members.push(Arc::new(Member { name, size, at, packed, deflated, crc, checked }));
            }
            _ => skipped.push((name, "its size or place in the archive is wrong".to_owned())),
        }
    }
    Ok((members, skipped))
}

impl Member {
    /// Its content from byte `skip` on. Until it has once been compared with its checksum, all of it is read.
    pub fn content<'a>(&'a self, source: &'a Source, skip: u64) -> Result<Content<'a>, Fault> {
        if skip > self.size {
            return Err(Fault::broken_at(format!("\"{}\" ends early", self.name), self.at));
        }
        let crc = (!self.checked.load(Ordering::Relaxed)).then(Crc::new);
        // Stored bytes that need no check are not read only to be passed over; a sum past the end reads nothing.
        let jump = if self.deflated || crc.is_some() { 0 } else { skip };
        let window = BufReader::new(source.window(self.at.saturating_add(jump), self.at.saturating_add(self.packed)));
        let inner: Box<dyn Read> = if self.deflated { Box::new(DeflateDecoder::new(window)) } else { Box::new(window) };
        let mut content = Content { member: self, inner, left: self.size - jump, crc };
        content.pass(skip - jump)?;
        Ok(content)
    }

    /// All its content, when it is no longer than `most`.
    pub fn read(&self, source: &Source, most: u64) -> Result<Vec<u8>, Fault> {
        if self.size > most {
            return Err(Fault::broken_at(format!("\"{}\" is {} bytes long", self.name, self.size), self.at));
        }
        memory::reserve(&self.name, self.size, None)?;
        let mut content = self.content(source, 0)?;
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(unpacking)?;
        content.finish()?;
        Ok(bytes)
    }
}

/// The unpacked content of a member as a stream, which never yields more than was announced.
pub(super) struct Content<'a> {
    member: &'a Member,
    inner: Box<dyn Read + 'a>,
    left: u64,
    /// `None` when the member has been checked before.
    crc: Option<Crc>,
}

impl Content<'_> {
    fn pass(&mut self, mut count: u64) -> Result<(), Fault> {
        let mut piece = vec![0; count.min(1 << 16) as usize];
        while count > 0 {
            let most = count.min(piece.len() as u64) as usize;
            match self.read(&mut piece[..most]).map_err(unpacking)? {
                0 => return Err(Fault::broken_at(format!("\"{}\" ends early", self.member.name), self.member.at)),
                read => count -= read as u64,
            }
        }
        Ok(())
    }

    /// Compares what was read with the archive's checksum, reading what is left of the member first.
    ///
    /// Whoever used the content before this must throw away what came of it if this fails.
    pub fn finish(mut self) -> Result<(), Fault> {
        if self.crc.is_some() {
            self.pass(self.left)?;
        }
        let member = self.member;
        if self.crc.is_some_and(|crc| crc.sum() != member.crc) {
            let what = format!("the content of \"{}\" does not match its checksum", member.name);
            return Err(Fault::broken_at(what, member.at));
        }
        member.checked.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = self.left.min(buffer.len() as u64) as usize;
        let count = self.inner.read(&mut buffer[..most])?;
        self.left -= count as u64;
        if let Some(crc) = &mut self.crc {
            crc.update(&buffer[..count]);
        }
        Ok(count)
    }
}
