//! ONNX models: initialisers and constants as tensors, convolution nodes with their own geometry, padding steps before them included.
//!
//! Field numbers are those of `onnx.proto3`. Subgraphs (loops, branches) are not entered.

mod constants;
mod graph;
mod node;
mod padding;
mod shapes;
mod tensor;
mod wire;

pub(super) use tensor::message_numbers;

use super::{Parsed, error::Fault, source::Source};
use wire::{Field, Span, Wire};

/// More nodes or tensors than any network has.
const MAX_PARTS: usize = 500_000;

/// No axis of data flowing through a network is longer; keeps arithmetic on sizes from overflowing.
const MAX_AXIS: i64 = 1 << 24;

/// Whether the file starts as an exported model does: with its format version or another early field.
pub(super) fn looks_like(start: &[u8]) -> bool {
    matches!(start, [0x08, 1..=30, ..])
}

pub(super) fn parse(source: &Source) -> Result<Parsed, Fault> {
    let mut wire = Wire::new(source);
    let mut parsed = Parsed::default();
    let mut graphs: Vec<Span> = Vec::new();
    let whole = wire.whole();
    wire.fields(whole, &mut |wire, number, field| {
        match (number, field) {
            (7, Field::Bytes(span)) => graphs.push(span),
            (2, _) => {
                let text = wire.text(field)?;
                parsed.metadata.insert("producer".to_owned(), text);
            }
            (14, Field::Bytes(span)) => {
                let (key, value) = pair(wire, span)?;
                parsed.metadata.insert(key, value);
            }
            _ => {}
        }
        Ok(())
    })?;
    let [graph] = graphs[..] else {
        return Err(Fault::broken("it has no network graph in it"));
    };
    graph::parse(&mut wire, source, graph, &mut parsed)?;
    Ok(parsed)
}

/// A `StringStringEntryProto`.
fn pair(wire: &mut Wire, span: Span) -> Result<(String, String), Fault> {
    let (mut key, mut value) = (String::new(), String::new());
    wire.fields(span, &mut |wire, number, field| {
        match number {
            1 => key = wire.text(field)?,
            2 => value = wire.text(field)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((key, value))
}
