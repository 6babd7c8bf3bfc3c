//! A `TensorProto`: its type, shape, and where among five possible places its numbers are.

use std::{
    path::{Component, Path},
    sync::Arc,
};

use super::{
    super::{
        StoredType, TensorEntry,
        data::{Bytes, Place},
        error::Fault,
        extent,
        source::Source,
    },
    Span, Wire, pair,
    wire::Field,
};

const INT32_DATA: u64 = 5;
const INT64_DATA: u64 = 7;
const UINT64_DATA: u64 = 11;

/// A tensor, or why it cannot be read.
type Placed = Result<(TensorEntry, Place), Fault>;

/// The tensor's name, and the tensor or why it cannot be read.
pub(super) fn parse(wire: &mut Wire, source: &Source, span: Span) -> Result<(String, Placed), Fault> {
    let mut message = Message::default();
    wire.fields(span, &mut |wire, number, field| {
        match (number, field) {
            (1, _) => wire.numbers(field, &mut message.dims)?,
            (2, Field::Varint(kind)) => message.kind = kind,
            (8, _) => message.name = wire.text(field)?,
            (9, Field::Bytes(span)) => message.raw = Some(span),
            (13, Field::Bytes(span)) => message.external.push(pair(wire, span)?),
            (14, Field::Varint(place)) => message.is_external = place == 1,
            // Packed floats and doubles are little-endian numbers side by side, like raw data.
            (4 | 10, Field::Bytes(span)) if span.len > 0 => message.packed.push(span),
            (4 | 10, Field::Fixed32 | Field::Fixed64) => message.loose = true,
            (INT32_DATA | INT64_DATA | UINT64_DATA, Field::Varint(_) | Field::Bytes(_)) => message.field = number,
            _ => {}
        }
        Ok(())
    })?;
    let name = std::mem::take(&mut message.name);
    let tensor = message.place(&name, source, span);
    Ok((name, tensor))
}

#[derive(Default)]
struct Message {
    name: String,
    dims: Vec<i64>,
    kind: u64,
    raw: Option<Span>,
    packed: Vec<Span>,
    loose: bool,
    field: u64,
    is_external: bool,
    external: Vec<(String, String)>,
}

impl Message {
    fn place(&self, name: &str, source: &Source, span: Span) -> Placed {
        let dtype = element_type(self.kind).ok_or_else(|| {
            let what = format!("numbers of ONNX type {} are not readable", self.kind);
            Fault::unsupported(what, "Export the model with float weights")
        })?;
        let axes: Option<Vec<u64>> = self.dims.iter().map(|&axis| u64::try_from(axis).ok()).collect();
        let axes = axes.ok_or_else(|| Fault::broken_at("its shape has a negative axis", span.at))?;
        let (shape, bytes) = extent(&axes, &dtype)?;
        let place = if self.is_external {
            self.beside(source, bytes)?
        } else if let Some(raw) = self.raw {
            exactly(raw, bytes)?
        } else if let [packed] = self.packed[..] {
            exactly(packed, bytes)?
        } else if self.loose || self.packed.len() > 1 {
            let what = "its numbers are stored one by one";
            return Err(Fault::unsupported(what, "Load and save the model with the onnx package"));
        } else if self.field != 0 && shape.iter().product::<usize>() as u64 <= span.len {
            Place::row_major(Bytes::Message { at: span.at, len: span.len, field: self.field })
        } else if bytes == 0 {
            Place::plain(span.at)
        } else {
            return Err(Fault::broken_at(
                format!("its shape {shape:?} needs {bytes} bytes and it has too few"),
                span.at,
            ));
        };
        Ok((TensorEntry { name: name.to_owned(), shape, dtype, bytes }, place))
    }

    /// Numbers in another file of the same folder or one below it.
    fn beside(&self, source: &Source, bytes: u64) -> Result<Place, Fault> {
        let value = |key: &str| self.external.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        let location = value("location").unwrap_or_default();
        let shown: String = location.chars().take(200).collect();
        let relative = Path::new(location);
        let stays = !location.is_empty()
            && !location.contains('\\')
            && relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let refused = || {
            let what = format!("its numbers are said to be in \"{shown}\", outside the model's folder");
            Fault::unsupported(what, "Put the data file beside the model and export it again")
        };
        let folder = source.path().parent().unwrap_or(Path::new("."));
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if !stays {
            return Err(refused());
        }
        let path = folder.join(relative);
        // Links are followed before judging where the file lies.
        if let (Ok(real), Ok(folder)) = (path.canonicalize(), folder.canonicalize())
            && !real.starts_with(&folder)
        {
            return Err(refused());
        }
        let number = |key: &str| value(key).map_or(Some(0), |text| text.trim().parse::<u64>().ok());
        let (Some(at), Some(length)) = (number("offset"), number("length")) else {
            return Err(Fault::broken("the place of its external data is malformed"));
        };
        let file = Source::open(&path).map_err(|error| {
            let what = format!("its numbers are in another file, \"{shown}\", which cannot be opened ({error})");
            Fault::unsupported(what, "Put it beside the model")
        })?;
        let fits = at.checked_add(bytes).is_some_and(|end| end <= file.len());
        if !fits || (length != 0 && length != bytes) {
            let what = format!("its {bytes} bytes from byte {at} of \"{shown}\" are not there");
            return Err(Fault::broken(what));
        }
        Ok(Place::row_major(Bytes::Beside { file: Arc::new(file), at }))
    }
}

fn exactly(span: Span, bytes: u64) -> Result<Place, Fault> {
    if span.len != bytes {
        return Err(Fault::broken_at(format!("its shape needs {bytes} bytes and it has {}", span.len), span.at));
    }
    Ok(Place::plain(span.at))
}

/// By ONNX's `TensorProto.DataType`.
fn element_type(kind: u64) -> Option<StoredType> {
    Some(match kind {
        1 => StoredType::F32,
        2 => StoredType::U8,
        3 => StoredType::I8,
        4 => StoredType::U16,
        5 => StoredType::I16,
        6 => StoredType::I32,
        7 => StoredType::I64,
        9 => StoredType::Bool,
        10 => StoredType::F16,
        11 => StoredType::F64,
        12 => StoredType::U32,
        13 => StoredType::U64,
        16 => StoredType::BF16,
        17 => StoredType::F8E4M3,
        19 => StoredType::F8E5M2,
        _ => return None,
    })
}

/// The integers of one field of a tensor message, each cut to `size` little-endian bytes.
///
/// ONNX keeps halves this way too: their bits as an integer.
pub(in super::super) fn message_numbers(
    source: &Source,
    (at, len): (u64, u64),
    field: u64,
    size: usize,
) -> Result<Vec<u8>, Fault> {
    let mut wire = Wire::new(source);
    let mut bytes = Vec::new();
    wire.fields(Span { at, len }, &mut |wire, number, content| {
        if number != field {
            return Ok(());
        }
        match content {
            Field::Varint(value) => bytes.extend_from_slice(&value.to_le_bytes()[..size]),
            Field::Bytes(span) => {
                let (mut at, end) = (span.at, span.at + span.len);
                while at < end {
                    let (value, next) = wire.varint(at, end)?;
                    bytes.extend_from_slice(&value.to_le_bytes()[..size]);
                    at = next;
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(bytes)
}
