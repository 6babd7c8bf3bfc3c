//! The safetensors header: eight bytes of length, JSON, then the tensors without gaps or overlaps.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use super::{Parsed, StoredType, TensorEntry, data::Place, error::Fault, extent, source::Source};

/// The limit of the reference implementation.
const MAX_HEADER: u64 = 100_000_000;

/// Whether the first bytes look like a safetensors file, its length right or not.
pub(super) fn looks_like(start: &[u8]) -> bool {
    start.get(8) == Some(&b'{')
}

pub(super) fn parse(source: &Source) -> Result<Parsed, Fault> {
    let mut length = [0; 8];
    if source.len() < 8 {
        return Err(Fault::broken_at(
            format!("it has {} bytes where its header alone needs 8 or more", source.len()),
            0,
        ));
    }
    source.read_exact_at(&mut length, 0)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER || length > source.len() - 8 {
        let has = source.len() - 8;
        return Err(Fault::broken_at(format!("it announces a header of {length} bytes and has {has}"), 0));
    }
    let header = source.bytes(8, length, "the header", None)?;
    let header: Header = serde_json::from_slice(&header)
        .map_err(|error| Fault::broken_at(format!("its header is not valid JSON ({error})"), 8))?;

    let data = 8 + length;
    let mut parsed = Parsed::default();
    // Tensors of known or unknown type alike: their spans must neither overlap nor leave the file.
    let mut spans = Vec::new();
    for (name, value) in header.0 {
        if name == "__metadata__" {
            if let Value::Object(pairs) = value {
                parsed.metadata.extend(pairs.into_iter().filter_map(|(k, v)| Some((k, v.as_str()?.to_owned()))));
            }
            continue;
        }
        let raw: RawEntry = serde_json::from_value(value)
            .map_err(|error| Fault::broken_at(format!("its header entry is malformed ({error})"), 8).of(&name))?;
        let [begin, end] = raw.data_offsets;
        let inside = begin <= end && end <= source.len() - data;
        if !inside {
            let what = format!("its data is said to be at bytes {begin} to {end} of {}", source.len() - data);
            return Err(Fault::broken_at(what, data).of(&name));
        }
        spans.push((begin, end, name.clone()));
        let Some(dtype) = StoredType::from_safetensors_name(&raw.dtype) else {
            let shown: String = raw.dtype.chars().take(40).collect();
            parsed.skip(name, format!("numbers of type \"{shown}\" are not readable"));
            continue;
        };
        let (shape, bytes) = extent(&raw.shape, &dtype).map_err(|fault| fault.of(&name))?;
        if bytes != end - begin {
            let what = format!("its shape {shape:?} of {dtype} needs {bytes} bytes and it has {}", end - begin);
            return Err(Fault::broken_at(what, data + begin).of(&name));
        }
        parsed.push(TensorEntry { name, shape, dtype, bytes }, Place::plain(data + begin));
    }

    spans.sort();
    for pair in spans.windows(2) {
        if pair[0].1 > pair[1].0 {
            let what = format!("its data overlaps that of \"{}\"", pair[0].2);
            return Err(Fault::broken_at(what, data + pair[1].0).of(&pair[1].2));
        }
    }
    sort_by_position(&mut parsed);
    Ok(parsed)
}

fn sort_by_position(parsed: &mut Parsed) {
    let entries = std::mem::take(&mut parsed.entries);
    let places = std::mem::take(&mut parsed.places);
    let mut both: Vec<_> = entries.into_iter().zip(places).collect();
    both.sort_by_key(|(entry, place)| match place.bytes {
        super::data::Bytes::Plain { at } => (at, entry.bytes),
        _ => (0, 0),
    });
    for (entry, place) in both {
        parsed.push(entry, place);
    }
}

#[derive(Deserialize)]
struct RawEntry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The header's pairs in order; a name that comes twice is an error instead of a silent choice.
struct Header(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut pairs = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if !seen.insert(name.clone()) {
                return Err(serde::de::Error::custom(format!("the name \"{name}\" comes twice")));
            }
            pairs.push((name, value));
        }
        Ok(Header(pairs))
    }
}
