//! NumPy arrays: the `.npy` header, alone in a file or as a member of an `.npz` archive.

use std::{
    io::{BufReader, Read},
    sync::Arc,
};

use super::{
    Parsed, StoredType, TensorEntry,
    archive::Member,
    data::{Bytes, Place},
    error::Fault,
    extent,
    source::Source,
};

/// The first bytes of an array.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// No honest header is longer: NumPy itself refuses more than 10,000 characters.
const MAX_HEADER: usize = 1 << 16;

/// A single array; its name is the file's.
pub(super) fn parse_file(source: &Source) -> Result<Parsed, Fault> {
    let name = source.path().file_stem().map_or_else(|| "array".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let mut parsed = Parsed::default();
    let mut reader = BufReader::new(source.window(0, source.len()));
    let (entry, place) = array(&name, &mut reader, source.len(), |skip| Bytes::Plain { at: skip })?;
    parsed.push(entry, place);
    Ok(parsed)
}

/// The arrays of an archive.
pub(super) fn parse_members(source: &Source, members: &[Arc<Member>]) -> Result<Parsed, Fault> {
    let mut parsed = Parsed::default();
    for member in members {
        let Some(name) = member.name.strip_suffix(".npy") else {
            parsed.skip(&member.name, "it is not a NumPy array");
            continue;
        };
        let read = member.content(source, 0).and_then(|mut content| {
            array(name, &mut content, member.size, |skip| Bytes::Member { member: Arc::clone(member), skip })
        });
        match read {
            Ok((entry, place)) => parsed.push(entry, place),
            Err(fault) => parsed.skip(name, fault.into_reason()?),
        }
    }
    Ok(parsed)
}

fn array(
    name: &str,
    reader: &mut dyn Read,
    size: u64,
    bytes: impl Fn(u64) -> Bytes,
) -> Result<(TensorEntry, Place), Fault> {
    let early = |_: std::io::Error| Fault::broken("the array's header ends early");
    let mut start = [0; 10];
    reader.read_exact(&mut start).map_err(early)?;
    if !start.starts_with(MAGIC) {
        return Err(Fault::broken("it does not start as a NumPy array does"));
    }
    let low = usize::from(u16::from_le_bytes([start[8], start[9]]));
    let (length, before) = match start[6] {
        1 => (low, 10),
        2 | 3 => {
            let mut high = [0; 2];
            reader.read_exact(&mut high).map_err(early)?;
            (low | usize::from(u16::from_le_bytes(high)) << 16, 12)
        }
        version => return Err(Fault::broken(format!("version {version} of the array format is not known"))),
    };
    if length > MAX_HEADER {
        return Err(Fault::broken(format!("its header is said to be {length} bytes long")));
    }
    let mut header = vec![0; length];
    reader.read_exact(&mut header).map_err(early)?;
    let header = String::from_utf8_lossy(&header);
    let (dtype, big_endian) =
        dtype(value(&header, "descr").ok_or_else(|| Fault::broken("its header has no 'descr'"))?)?;
    let fortran = value(&header, "fortran_order").is_some_and(|text| text.starts_with("True"));
    let axes = shape(value(&header, "shape").ok_or_else(|| Fault::broken("its header has no 'shape'"))?)?;
    let (shape, expected) = extent(&axes, &dtype)?;
    let skip = (before + length) as u64;
    if size.saturating_sub(skip) < expected {
        let has = size.saturating_sub(skip);
        return Err(Fault::broken(format!("its shape {shape:?} of {dtype} needs {expected} bytes and it has {has}")));
    }
    let strides = fortran.then(|| {
        let mut step = 1u64;
        shape
            .iter()
            .map(|&axis| {
                let stride = step;
                step = step.saturating_mul(axis as u64);
                stride
            })
            .collect()
    });
    let entry = TensorEntry { name: name.to_owned(), shape, dtype, bytes: expected };
    Ok((entry, Place { bytes: bytes(skip), big_endian, strides }))
}

/// The text after `'key':` in the header, a Python dict literal.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let at = header.find(&format!("'{key}'"))?;
    let rest = header[at + key.len() + 2..].trim_start();
    Some(rest.strip_prefix(':')?.trim_start())
}

fn shape(text: &str) -> Result<Vec<u64>, Fault> {
    let malformed = || Fault::broken("its header has a malformed shape");
    let inner = text.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(malformed)?.0;
    inner
        .split(',')
        .map(str::trim)
        .filter(|axis| !axis.is_empty())
        .map(|axis| axis.trim_end_matches('L').parse().ok().ok_or_else(malformed))
        .collect()
}

/// The element type of a `descr` such as `'<f4'`, and whether its bytes come highest first.
fn dtype(text: &str) -> Result<(StoredType, bool), Fault> {
    let Some(quoted) = text.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) else {
        return Err(Fault::unsupported(
            "records are not readable as a tensor",
            "Save each field as an array of its own",
        ));
    };
    let (order, code) = quoted.0.split_at_checked(1).unwrap_or_default();
    let dtype = match code {
        "f8" => StoredType::F64,
        "f4" => StoredType::F32,
        "f2" => StoredType::F16,
        "i8" => StoredType::I64,
        "i4" => StoredType::I32,
        "i2" => StoredType::I16,
        "i1" => StoredType::I8,
        "u8" => StoredType::U64,
        "u4" => StoredType::U32,
        "u2" => StoredType::U16,
        "u1" => StoredType::U8,
        "b1" => StoredType::Bool,
        _ => {
            let shown: String = quoted.0.chars().take(20).collect();
            let what = format!("numbers of type '{shown}' are not readable");
            return Err(Fault::unsupported(what, "Save the array as float32"));
        }
    };
    Ok((dtype, order == ">"))
}
