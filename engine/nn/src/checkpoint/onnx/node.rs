//! A `NodeProto`: what it does, to which values, with which settings.

use std::collections::HashMap;

use super::{super::error::Fault, MAX_AXIS, Span, Wire, wire::Field};

/// Lists that are read; others, such as long constants, are left alone.
const LISTS: [&str; 8] =
    ["strides", "pads", "dilations", "kernel_shape", "output_padding", "output_shape", "perm", "value_ints"];

/// Numbers of a list that are kept.
const MAX_NUMBERS: usize = 64;

#[derive(Default)]
pub(super) struct Node {
    pub name: String,
    pub op: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    /// The tensor of a `Constant` or a `ConstantOfShape`.
    pub value: Option<Span>,
    numbers: HashMap<String, Vec<i64>>,
    texts: HashMap<String, String>,
}

impl Node {
    pub fn parse(wire: &mut Wire, span: Span) -> Result<Self, Fault> {
        let mut node = Self::default();
        wire.fields(span, &mut |wire, number, field| {
            match (number, field) {
                (1, _) => node.inputs.push(wire.text(field)?),
                (2, _) => node.outputs.push(wire.text(field)?),
                (3, _) => node.name = wire.text(field)?,
                (4, _) => node.op = wire.text(field)?,
                (5, Field::Bytes(span)) => node.attribute(wire, span)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(node)
    }

    fn attribute(&mut self, wire: &mut Wire, span: Span) -> Result<(), Fault> {
        let (mut name, mut numbers, mut text, mut tensor) = (String::new(), Vec::new(), None, None);
        wire.fields(span, &mut |wire, number, field| {
            match (number, field) {
                (1, _) => name = wire.text(field)?,
                (3, Field::Varint(_)) => numbers.push(field.number().unwrap_or_default()),
                // A list of numbers that is data, not sizes.
                (8, Field::Bytes(span)) if name == "value_ints" && span.len > 10 * MAX_NUMBERS as u64 => {}
                (8, _) if LISTS.contains(&name.as_str()) && numbers.len() <= MAX_NUMBERS => {
                    wire.numbers(field, &mut numbers)?;
                }
                (4, Field::Bytes(span)) if span.len < 64 => text = Some(wire.text(field)?),
                (5, Field::Bytes(span)) => tensor = Some(span),
                _ => {}
            }
            Ok(())
        })?;
        self.value = tensor.or(self.value);
        if let Some(text) = text {
            self.texts.insert(name, text);
        } else if (1..=MAX_NUMBERS).contains(&numbers.len()) {
            self.numbers.insert(name, numbers);
        }
        Ok(())
    }

    /// A list of numbers as it stands.
    pub fn numbers(&self, name: &str) -> Option<&[i64]> {
        self.numbers.get(name).map(Vec::as_slice)
    }

    /// A list of sizes, or `axes` times the default.
    pub fn sizes(&self, name: &str, axes: usize, default: usize) -> Vec<usize> {
        match self.numbers(name) {
            Some(list) => list.iter().map(|&n| n.clamp(0, MAX_AXIS) as usize).collect(),
            None => vec![default; axes],
        }
    }

    pub fn number(&self, name: &str, default: i64) -> i64 {
        self.numbers(name).and_then(|list| list.first()).copied().unwrap_or(default)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// `SAME_UPPER`, `SAME_LOWER` or `VALID`.
    pub fn auto_pad(&self) -> Option<&str> {
        self.text("auto_pad").filter(|text| *text != "NOTSET" && !text.is_empty())
    }

    /// An input by its place; `None` where it is left out.
    pub fn input(&self, at: usize) -> Option<&str> {
        self.inputs.get(at).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The first output.
    pub fn output(&self) -> Option<&str> {
        self.outputs.first().map(String::as_str)
    }
}
