//! Zip archives as `torch.save` and `numpy.savez` write them: what they contain and where it lies.

use std::io::{BufReader, Read};

use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::{data::Bytes, error::Fault, memory, source::Source};

/// A file in the archive.
#[derive(Debug)]
pub(super) struct Member {
    pub name: String,
    /// Bytes once unpacked.
    pub size: u64,
    at: u64,
    packed: u64,
    deflated: bool,
}

/// Archives with more members than this are not checkpoints.
const MAX_MEMBERS: usize = 1_000_000;

/// Deflate cannot do better than about 1032 to 1: a larger claim is a lie.
const MAX_RATIO: u64 = 1100;

/// Names of what cannot be read, each with the reason.
type Skipped = Vec<(String, String)>;

/// The members that can be read, in archive order, and those that cannot, with the reason.
pub(super) fn members(source: &Source) -> Result<(Vec<Member>, Skipped), Fault> {
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
            Some(at) if inside(&at) && claim_fits => members.push(Member { name, size, at, packed, deflated }),
            _ => skipped.push((name, "its size or place in the archive is wrong".to_owned())),
        }
    }
    Ok((members, skipped))
}

impl Member {
    /// Its content from byte `skip` on.
    pub fn bytes(&self, skip: u64) -> Bytes {
        if self.deflated {
            Bytes::Deflated { at: self.at, packed: self.packed, skip }
        } else {
            // A sum past the end is refused when it is read.
            Bytes::Plain { at: self.at.saturating_add(skip) }
        }
    }

    /// A reader of its content; what it yields is bounded by the announced size.
    pub fn reader<'a>(&self, source: &'a Source) -> Box<dyn Read + 'a> {
        let window = BufReader::new(source.window(self.at, self.at.saturating_add(self.packed)));
        if self.deflated { Box::new(DeflateDecoder::new(window).take(self.size)) } else { Box::new(window) }
    }

    /// All its content, when it is no longer than `most`.
    pub fn read(&self, source: &Source, most: u64) -> Result<Vec<u8>, Fault> {
        if self.size > most {
            return Err(Fault::broken_at(format!("\"{}\" is {} bytes long", self.name, self.size), self.at));
        }
        memory::reserve(&self.name, self.size, None)?;
        let mut content = Vec::new();
        self.reader(source)
            .read_to_end(&mut content)
            .map_err(|error| Fault::broken_at(format!("\"{}\" cannot be unpacked ({error})", self.name), self.at))?;
        if content.len() as u64 != self.size {
            return Err(Fault::broken_at(format!("\"{}\" ends early", self.name), self.at));
        }
        Ok(content)
    }
}
