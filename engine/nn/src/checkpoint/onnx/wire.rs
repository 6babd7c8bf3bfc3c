//! Protobuf's wire format over an open file: fields are walked where they lie, nothing is loaded.

use super::super::{error::Fault, source::Source};

/// A stretch of the file that is one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub at: u64,
    pub len: u64,
}

impl Span {
    fn end(self) -> u64 {
        self.at + self.len
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    Varint(u64),
    Fixed64,
    Fixed32,
    Bytes(Span),
}

impl Field {
    pub fn span(self) -> Option<Span> {
        match self {
            Self::Bytes(span) => Some(span),
            _ => None,
        }
    }

    pub fn number(self) -> Option<i64> {
        match self {
            Self::Varint(number) => Some(number as i64),
            _ => None,
        }
    }
}

/// Reads a file through one small buffer.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    source: &'a Source,
    buffer: Vec<u8>,
    start: u64,
}

/// Names and other texts are shorter than this.
const MAX_TEXT: u64 = 1 << 16;

/// Attribute lists (strides, pads, axes of a shape) are shorter than this.
const MAX_LIST: usize = 4096;

impl<'a> Wire<'a> {
    pub fn new(source: &'a Source) -> Self {
        Self { source, buffer: Vec::new(), start: 0 }
    }

    pub fn whole(&self) -> Span {
        Span { at: 0, len: self.source.len() }
    }

    fn byte(&mut self, at: u64) -> Result<u8, Fault> {
        let inside = at >= self.start && at - self.start < self.buffer.len() as u64;
        if !inside {
            let len = self.source.len().saturating_sub(at).min(1 << 13);
            if len == 0 {
                return Err(Fault::broken_at("it ends early", at));
            }
            self.buffer.resize(len as usize, 0);
            self.source.read_exact_at(&mut self.buffer, at)?;
            self.start = at;
        }
        Ok(self.buffer[(at - self.start) as usize])
    }

    /// A varint at `at`, before `end`: its value and where it stops.
    pub fn varint(&mut self, mut at: u64, end: u64) -> Result<(u64, u64), Fault> {
        let (mut number, mut shift) = (0u64, 0);
        while at < end && shift < 64 {
            let byte = self.byte(at)?;
            at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number, at));
            }
            shift += 7;
        }
        Err(Fault::broken_at("a number in it does not end", at))
    }

    /// Calls `each` with every field's number and content.
    pub fn fields(
        &mut self,
        message: Span,
        each: &mut dyn FnMut(&mut Self, u64, Field) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (mut at, end) = (message.at, message.end());
        while at < end {
            let (tag, after) = self.varint(at, end)?;
            let (number, kind) = (tag >> 3, tag & 7);
            let (field, next) = match kind {
                0 => {
                    let (value, next) = self.varint(after, end)?;
                    (Field::Varint(value), next)
                }
                1 => (Field::Fixed64, after + 8),
                2 => {
                    let (len, start) = self.varint(after, end)?;
                    if len > end - start {
                        return Err(Fault::broken_at(format!("a part of {len} bytes reaches past its end"), at));
                    }
                    (Field::Bytes(Span { at: start, len }), start + len)
                }
                5 => (Field::Fixed32, after + 4),
                _ => return Err(Fault::broken_at("a field of unknown kind", at)),
            };
            if number == 0 || next > end {
                return Err(Fault::broken_at("a field that reaches past its end", at));
            }
            each(self, number, field)?;
            at = next;
        }
        Ok(())
    }

    pub fn text(&mut self, field: Field) -> Result<String, Fault> {
        let Some(span) = field.span() else { return Ok(String::new()) };
        if span.len > MAX_TEXT {
            return Err(Fault::broken_at(format!("a name is {} bytes long", span.len), span.at));
        }
        let bytes = self.source.bytes(span.at, span.len, "a name", None)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Adds one number or a packed list of them.
    pub fn numbers(&mut self, field: Field, list: &mut Vec<i64>) -> Result<(), Fault> {
        match field {
            Field::Varint(number) => list.push(number as i64),
            Field::Bytes(span) => {
                let mut at = span.at;
                while at < span.end() && list.len() <= MAX_LIST {
                    let (number, next) = self.varint(at, span.end())?;
                    list.push(number as i64);
                    at = next;
                }
            }
            _ => {}
        }
        if list.len() > MAX_LIST {
            return Err(Fault::broken("a list of sizes longer than any network needs"));
        }
        Ok(())
    }
}
