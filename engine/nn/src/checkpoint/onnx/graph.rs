//! A `GraphProto`: its tensors, its nodes, and how those with weights are applied.

use std::collections::HashMap;

use super::{
    super::{ConvNode, Parsed, error::Fault, source::Source},
    MAX_AXIS, MAX_PARTS, Span, Wire,
    constants::Constants,
    node::Node,
    padding::{Padded, Padding},
    shapes::{Shape, output_shape, value_info},
    tensor,
    wire::Field,
};
use crate::geometry::PaddingMode;

pub(super) fn parse(wire: &mut Wire, source: &Source, graph: Span, parsed: &mut Parsed) -> Result<(), Fault> {
    let (mut nodes, mut tensors, mut values) = (Vec::new(), Vec::new(), Vec::new());
    wire.fields(graph, &mut |_, number, field| {
        match (number, field) {
            (1, Field::Bytes(span)) => nodes.push(span),
            (5, Field::Bytes(span)) => tensors.push(span),
            (11..=13, Field::Bytes(span)) => values.push(span),
            _ => {}
        }
        if nodes.len() + tensors.len() + values.len() > MAX_PARTS {
            return Err(Fault::broken("it has more parts than any network"));
        }
        Ok(())
    })?;

    for span in tensors {
        add_tensor(wire, source, span, None, parsed)?;
    }
    let nodes = nodes.into_iter().map(|span| Node::parse(wire, span)).collect::<Result<Vec<_>, _>>()?;
    for node in &nodes {
        if let ("Constant", Some(span), Some(output)) = (node.op.as_str(), node.value, node.outputs.first()) {
            add_tensor(wire, source, span, Some(output), parsed)?;
        }
    }
    let mut shapes: HashMap<String, Shape> = HashMap::new();
    for span in values {
        let (name, shape) = value_info(wire, span)?;
        if let Some(shape) = shape {
            shapes.insert(name, shape);
        }
    }
    let weights: HashMap<&str, &[usize]> =
        parsed.entries.iter().map(|entry| (entry.name.as_str(), entry.shape.as_slice())).collect();
    let mut alias: HashMap<&str, &str> = HashMap::new();
    let mut constants = Constants::new(source, &parsed.entries, &parsed.places);
    let mut padding = Padding::default();
    let mut found = Vec::new();
    for node in &nodes {
        if let ("Identity", [input], [output]) = (node.op.as_str(), &node.inputs[..], &node.outputs[..]) {
            let origin = alias.get(input.as_str()).copied().unwrap_or(input);
            alias.insert(output, origin);
        }
        let input = node.inputs.first().and_then(|name| shapes.get(name)).cloned();
        let weight = node.inputs.get(1).map(|name| alias.get(name.as_str()).copied().unwrap_or(name));
        let weight = weight.and_then(|name| weights.get_key_value(name)).map(|(&name, &shape)| (name, shape));
        if let (true, Some((weight, shape))) = (is_linear(&node.op), weight) {
            let padded = node.input(0).and_then(|name| padding.of(name));
            found.push(conv_node(node, weight, shape, input.as_ref(), padded));
        }
        constants.note(node);
        let grown = padding.note(node, &shapes, &constants);
        let told = || output_shape(node, input.as_ref()?, weight.map(|(_, shape)| shape));
        if let Some(output) = node.outputs.first()
            && !shapes.contains_key(output)
            && let Some(shape) = grown.or_else(told)
        {
            shapes.insert(output.clone(), shape);
        }
    }
    parsed.nodes = found;
    Ok(())
}

fn is_linear(op: &str) -> bool {
    matches!(op, "Conv" | "ConvTranspose" | "Gemm" | "MatMul" | "BatchNormalization")
}

fn add_tensor(
    wire: &mut Wire,
    source: &Source,
    span: Span,
    output: Option<&String>,
    parsed: &mut Parsed,
) -> Result<(), Fault> {
    let (name, tensor) = tensor::parse(wire, source, span)?;
    let name = output.cloned().unwrap_or(name);
    match tensor {
        Ok((mut entry, place)) => {
            entry.name = name;
            parsed.push(entry, place);
        }
        Err(fault) => parsed.skip(name, fault.into_reason()?),
    }
    Ok(())
}

fn conv_node(node: &Node, weight: &str, shape: &[usize], input: Option<&Shape>, padded: Option<&Padded>) -> ConvNode {
    let axes = if node.op.starts_with("Conv") { shape.len().saturating_sub(2) } else { 0 };
    let name = if node.name.is_empty() { node.outputs.first().cloned().unwrap_or_default() } else { node.name.clone() };
    let known = |shape: &Shape| {
        let lengths = shape.iter().enumerate();
        lengths.map(|(axis, length)| if axis == 0 { Some(length.unwrap_or(1)) } else { *length }).collect()
    };
    let mut conv = ConvNode {
        name,
        op: node.op.clone(),
        weight: weight.to_owned(),
        strides: node.sizes("strides", axes, 1),
        pads: node.sizes("pads", 2 * axes, 0),
        padding_mode: PaddingMode::Zeros,
        dilations: node.sizes("dilations", axes, 1),
        group: node.number("group", 1).clamp(1, MAX_AXIS) as usize,
        output_padding: node.sizes("output_padding", axes, 0),
        output_size: node.numbers("output_shape").map(|_| node.sizes("output_shape", axes, 1)),
        auto_pad: node.auto_pad().map(str::to_owned),
        transposed: node.number("transB", 0) != 0,
        input_shape: input.and_then(known),
    };
    if let (Some(padded), "Conv") = (padded, node.op.as_str())
        && add_padding(&mut conv, padded, axes)
    {
        conv.input_shape = padded.shape.as_ref().and_then(known);
    }
    conv
}

/// Counts a padding step into the convolution's own padding, where the two together are one.
fn add_padding(conv: &mut ConvNode, padded: &Padded, axes: usize) -> bool {
    let mut pads = match conv.auto_pad.as_deref() {
        Some("VALID") => vec![0; 2 * axes],
        None if conv.pads.len() == 2 * axes => conv.pads.clone(),
        _ => return false,
    };
    let own = pads.iter().any(|&amount| amount > 0);
    if own && padded.mode != PaddingMode::Zeros || padded.amounts.keys().any(|&axis| axis >= axes + 2) {
        return false;
    }
    for (&axis, &[before, after]) in &padded.amounts {
        pads[axis - 2] += before;
        pads[axis - 2 + axes] += after;
    }
    conv.pads = pads;
    conv.padding_mode = padded.mode;
    conv.auto_pad = None;
    true
}
