//! GGUF, versions 2 and 3: counts, key-value pairs, tensor descriptions, then aligned data.

use std::io::{BufReader, Read};

use super::{
    Parsed, StoredType, TensorEntry,
    data::Place,
    decode::{QUANTISATIONS, quantisation},
    error::Fault,
    extent,
    source::{Source, Window},
};

/// The first bytes of the file.
pub(super) const MAGIC: &[u8] = b"GGUF";

const MAX_NAME: u64 = 1 << 16;
const MAX_TENSORS: u64 = 1_000_000;
const MAX_PAIRS: u64 = 1_000_000;

pub(super) fn parse(source: &Source) -> Result<Parsed, Fault> {
    let mut reader = Reader { inner: BufReader::new(source.window(4, source.len())), at: 4, len: source.len() };
    let version = reader.u32()?;
    if !matches!(version, 2 | 3) {
        return Err(Fault::unsupported(
            format!("version {version} of GGUF is not readable"),
            "Convert it to version 3 with a current llama.cpp",
        ));
    }
    let (tensors, pairs) = (reader.u64()?, reader.u64()?);
    // A tensor description takes at least 24 bytes and a pair 13.
    if tensors > MAX_TENSORS || pairs > MAX_PAIRS || tensors * 24 + pairs * 13 > source.len() {
        return Err(Fault::broken_at(format!("it announces {tensors} tensors and {pairs} settings"), 8));
    }

    let mut parsed = Parsed::default();
    let mut alignment = 32;
    for _ in 0..pairs {
        let key = reader.text()?;
        let kind = reader.u32()?;
        let shown = reader.value(kind, 0)?;
        if key == "general.alignment" {
            alignment = shown
                .parse::<u64>()
                .ok()
                .filter(|a| a.is_power_of_two() && *a <= 1 << 30)
                .ok_or_else(|| Fault::broken_at(format!("its alignment is said to be {shown}"), reader.at))?;
        }
        parsed.metadata.insert(key, shown);
    }

    let mut described = Vec::new();
    for _ in 0..tensors {
        let name = reader.text()?;
        let count = reader.u32()?;
        if count > 8 {
            return Err(Fault::broken_at(format!("it is said to have {count} axes"), reader.at).of(&name));
        }
        let mut axes = (0..count).map(|_| reader.u64()).collect::<Result<Vec<_>, _>>()?;
        axes.reverse();
        let kind = reader.u32()?;
        let offset = reader.u64()?;
        described.push((name, axes, kind, offset, reader.at));
    }

    let data = reader.at.next_multiple_of(alignment);
    for (name, axes, kind, offset, at) in described {
        let Some(dtype) = stored_type(kind) else {
            parsed.skip(name, format!("its quantisation (number {kind} in GGUF) is not readable"));
            continue;
        };
        let (shape, bytes) = sized(&axes, &dtype, at).map_err(|fault| fault.of(&name))?;
        let start =
            data.checked_add(offset).filter(|&start| start.checked_add(bytes).is_some_and(|end| end <= source.len()));
        let Some(start) = start else {
            let what =
                format!("its {bytes} bytes of data from byte {offset} of the data reach past the end of the file");
            return Err(Fault::broken_at(what, at).of(&name));
        };
        parsed.push(TensorEntry { name, shape, dtype, bytes }, Place::plain(start));
    }
    Ok(parsed)
}

fn sized(axes: &[u64], dtype: &StoredType, at: u64) -> Result<(Vec<usize>, u64), Fault> {
    let (shape, elements) = extent(axes, dtype)?;
    let StoredType::Quantised(name) = dtype else { return Ok((shape, elements)) };
    let kind = quantisation(name).ok_or_else(|| Fault::broken("an unknown quantisation"))?;
    let block = kind.block_size() as u64;
    // Rows are quantised one by one.
    if axes.last().is_some_and(|row| row % block != 0) || axes.is_empty() {
        return Err(Fault::broken_at(format!("its rows of {axes:?} do not divide into {name} blocks of {block}"), at));
    }
    match (elements / block).checked_mul(kind.type_size() as u64) {
        Some(bytes) => Ok((shape, bytes)),
        None => Err(Fault::broken_at("its size overflows", at)),
    }
}

/// By ggml's type number.
fn stored_type(kind: u32) -> Option<StoredType> {
    Some(match kind {
        0 => StoredType::F32,
        1 => StoredType::F16,
        24 => StoredType::I8,
        25 => StoredType::I16,
        26 => StoredType::I32,
        27 => StoredType::I64,
        28 => StoredType::F64,
        30 => StoredType::BF16,
        _ => {
            let (_, name, _) = QUANTISATIONS.iter().find(|(number, _, _)| *number == kind)?;
            StoredType::Quantised((*name).to_owned())
        }
    })
}

/// An early end is damage; any other failed read is the system's.
fn ended(what: &str, error: std::io::Error, at: u64) -> Fault {
    if error.kind() == std::io::ErrorKind::UnexpectedEof { Fault::broken_at(what, at) } else { Fault::Io(error) }
}

struct Reader<'a> {
    inner: BufReader<Window<'a>>,
    at: u64,
    len: u64,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        let at = self.at;
        self.inner.read_exact(&mut bytes).map_err(|error| ended("its header ends early", error, at))?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        self.take().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<String, Fault> {
        let length = self.u64()?;
        if length > MAX_NAME {
            return Err(Fault::broken_at(format!("a name is said to be {length} bytes long"), self.at));
        }
        self.text_of(length)
    }

    fn text_of(&mut self, length: u64) -> Result<String, Fault> {
        let mut bytes = Vec::new();
        (&mut self.inner).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(Fault::broken_at("its header ends early", self.at));
        }
        self.at += length;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn skip(&mut self, length: u64) -> Result<(), Fault> {
        if length > self.len.saturating_sub(self.at) {
            return Err(Fault::broken_at(format!("a setting of {length} bytes reaches past the end"), self.at));
        }
        std::io::copy(&mut (&mut self.inner).take(length), &mut std::io::sink())?;
        self.at += length;
        Ok(())
    }

    /// A setting as text; long ones are described instead.
    fn value(&mut self, kind: u32, depth: usize) -> Result<String, Fault> {
        Ok(match kind {
            0 | 7 => self.take::<1>()?[0].to_string(),
            1 => self.take().map(i8::from_le_bytes)?.to_string(),
            2 => self.take().map(u16::from_le_bytes)?.to_string(),
            3 => self.take().map(i16::from_le_bytes)?.to_string(),
            4 => self.u32()?.to_string(),
            5 => self.take().map(i32::from_le_bytes)?.to_string(),
            6 => self.take().map(f32::from_le_bytes)?.to_string(),
            10 => self.u64()?.to_string(),
            11 => self.take().map(i64::from_le_bytes)?.to_string(),
            12 => self.take().map(f64::from_le_bytes)?.to_string(),
            8 => {
                let length = self.u64()?;
                if length > MAX_NAME {
                    self.skip(length)?;
                    format!("a text of {length} bytes")
                } else {
                    self.text_of(length)?
                }
            }
            9 if depth < 4 => {
                let kind = self.u32()?;
                let count = self.u64()?;
                match [1u64, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8].get(kind as usize) {
                    None => return Err(Fault::broken_at(format!("a list of unknown kind {kind}"), self.at)),
                    Some(0) => {
                        // Each entry takes at least a byte, so a lying count ends at the file's end.
                        for _ in 0..count {
                            if kind == 8 {
                                let length = self.u64()?;
                                self.skip(length)?;
                            } else {
                                self.value(kind, depth + 1)?;
                            }
                        }
                    }
                    Some(&size) => self.skip(count.saturating_mul(size))?,
                }
                format!("a list of {count}")
            }
            other => return Err(Fault::broken_at(format!("a setting of unknown kind {other}"), self.at)),
        })
    }
}
