//! A `GraphProto`: its tensors, its nodes, and the shapes that flow between them where they can be told.

use std::collections::HashMap;

use super::{
    super::{ConvNode, Parsed, error::Fault, source::Source},
    MAX_PARTS, Span, Wire, tensor,
    wire::Field,
};

/// Axis lengths; `None` where the graph leaves one open.
type Shape = Vec<Option<usize>>;

/// No axis of data flowing through a network is longer; keeps the arithmetic below from overflowing.
const MAX_AXIS: i64 = 1 << 24;

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
    let nodes = nodes.into_iter().map(|span| node(wire, span)).collect::<Result<Vec<_>, _>>()?;
    for node in &nodes {
        if let (Some(span), Some(output)) = (node.constant, node.outputs.first()) {
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
            found.push(conv_node(node, weight, shape, input.as_ref()));
        }
        if let (Some(input), Some(output)) = (input, node.outputs.first())
            && !shapes.contains_key(output)
            && let Some(shape) = output_shape(node, &input, weight.map(|(_, shape)| shape))
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

#[derive(Default)]
struct Node {
    name: String,
    op: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    numbers: HashMap<String, Vec<i64>>,
    auto_pad: Option<String>,
    constant: Option<Span>,
}

impl Node {
    fn list(&self, name: &str, axes: usize, default: usize) -> Vec<usize> {
        match self.numbers.get(name) {
            Some(list) => list.iter().map(|&n| n.clamp(0, MAX_AXIS) as usize).collect(),
            None => vec![default; axes],
        }
    }

    fn number(&self, name: &str, default: i64) -> i64 {
        self.numbers.get(name).and_then(|list| list.first()).copied().unwrap_or(default)
    }
}

fn node(wire: &mut Wire, span: Span) -> Result<Node, Fault> {
    let mut node = Node::default();
    wire.fields(span, &mut |wire, number, field| {
        match (number, field) {
            (1, _) => node.inputs.push(wire.text(field)?),
            (2, _) => node.outputs.push(wire.text(field)?),
            (3, _) => node.name = wire.text(field)?,
            (4, _) => node.op = wire.text(field)?,
            (5, Field::Bytes(span)) => attribute(wire, span, &mut node)?,
            _ => {}
        }
        Ok(())
    })?;
    if node.op != "Constant" {
        node.constant = None;
    }
    Ok(node)
}

fn attribute(wire: &mut Wire, span: Span, node: &mut Node) -> Result<(), Fault> {
    let (mut name, mut numbers, mut text) = (String::new(), Vec::new(), None);
    let node_constant = &mut node.constant;
    wire.fields(span, &mut |wire, number, field| {
        match (number, field) {
            (1, _) => name = wire.text(field)?,
            (3, Field::Varint(_)) => numbers.push(field.number().unwrap_or_default()),
            // Lists of constants may be long; only those of known attributes are kept, below.
            (8, _) if matches!(name.as_str(), "strides" | "pads" | "dilations" | "kernel_shape" | "output_padding") => {
                wire.numbers(field, &mut numbers)?;
            }
            (4, Field::Bytes(span)) if span.len < 64 => text = Some(wire.text(field)?),
            (5, Field::Bytes(span)) => *node_constant = Some(span),
            _ => {}
        }
        Ok(())
    })?;
    if name == "auto_pad" {
        node.auto_pad = text.filter(|text| text != "NOTSET" && !text.is_empty());
    } else if !numbers.is_empty() {
        node.numbers.insert(name, numbers);
    }
    Ok(())
}

/// A `ValueInfoProto`: a name and, for a tensor with a known rank, its shape.
fn value_info(wire: &mut Wire, span: Span) -> Result<(String, Option<Shape>), Fault> {
    let (mut name, mut kind) = (String::new(), None);
    wire.fields(span, &mut |wire, number, field| {
        match number {
            1 => name = wire.text(field)?,
            2 => kind = field.span(),
            _ => {}
        }
        Ok(())
    })?;
    let mut tensor = None;
    if let Some(kind) = kind {
        tensor = last(wire, kind, 1)?;
    }
    let Some(tensor) = tensor else { return Ok((name, None)) };
    let Some(shape) = last(wire, tensor, 2)? else { return Ok((name, None)) };
    let mut axes = Vec::new();
    wire.fields(shape, &mut |wire, number, field| {
        if let (1, Some(axis)) = (number, field.span()) {
            let mut length = None;
            wire.fields(axis, &mut |_, number, field| {
                if number == 1 {
                    length = field.number().filter(|n| (1..=MAX_AXIS).contains(n)).map(|n| n as usize);
                }
                Ok(())
            })?;
            axes.push(length);
        }
        Ok(())
    })?;
    Ok((name, (axes.len() <= 8).then_some(axes)))
}

fn last(wire: &mut Wire, message: Span, wanted: u64) -> Result<Option<Span>, Fault> {
    let mut found = None;
    wire.fields(message, &mut |_, number, field| {
        if number == wanted {
            found = field.span();
        }
        Ok(())
    })?;
    Ok(found)
}

fn conv_node(node: &Node, weight: &str, shape: &[usize], input: Option<&Shape>) -> ConvNode {
    let axes = if node.op.starts_with("Conv") { shape.len().saturating_sub(2) } else { 0 };
    let name = if node.name.is_empty() { node.outputs.first().cloned().unwrap_or_default() } else { node.name.clone() };
    ConvNode {
        name,
        op: node.op.clone(),
        weight: weight.to_owned(),
        strides: node.list("strides", axes, 1),
        pads: node.list("pads", 2 * axes, 0),
        dilations: node.list("dilations", axes, 1),
        group: node.number("group", 1).clamp(1, MAX_AXIS) as usize,
        output_padding: node.list("output_padding", axes, 0),
        auto_pad: node.auto_pad.clone(),
        transposed: node.number("transB", 0) != 0,
        input_shape: input.and_then(|shape| {
            shape
                .iter()
                .enumerate()
                .map(|(axis, length)| if axis == 0 { Some(length.unwrap_or(1)) } else { *length })
                .collect()
        }),
    }
}

/// The shape of a node's output, for the operators that image classifiers are made of.
fn output_shape(node: &Node, input: &Shape, weight: Option<&[usize]>) -> Option<Shape> {
    match node.op.as_str() {
        "Relu"
        | "LeakyRelu"
        | "PRelu"
        | "Elu"
        | "Selu"
        | "Gelu"
        | "Sigmoid"
        | "HardSigmoid"
        | "HardSwish"
        | "Tanh"
        | "Clip"
        | "Softplus"
        | "Mish"
        | "Dropout"
        | "Identity"
        | "BatchNormalization"
        | "InstanceNormalization"
        | "LayerNormalization"
        | "GroupNormalization"
        | "Softmax"
        | "LogSoftmax" => Some(input.clone()),
        // A residual connection joins equal shapes; a constant operand is a bias or a scale.
        "Add" | "Sub" | "Mul" | "Div" if input.len() >= 2 => Some(input.clone()),
        "GlobalAveragePool" | "GlobalMaxPool" if input.len() >= 2 => {
            Some(input.iter().enumerate().map(|(axis, &n)| if axis < 2 { n } else { Some(1) }).collect())
        }
        "Flatten" if node.number("axis", 1) == 1 => {
            let rest = input.get(1..)?.iter().try_fold(1usize, |product, n| product.checked_mul((*n)?));
            Some(vec![*input.first()?, rest])
        }
        "Gemm" => {
            let [a, b] = weight? else { return None };
            Some(vec![*input.first()?, Some(if node.number("transB", 0) != 0 { *a } else { *b })])
        }
        "MatMul" => {
            let [_, columns] = weight? else { return None };
            let mut shape = input.clone();
            *shape.last_mut()? = Some(*columns);
            Some(shape)
        }
        "Conv" => slide(node, input, *weight?.first()?, weight?.get(2..)?),
        "MaxPool" | "AveragePool" if node.number("ceil_mode", 0) == 0 => {
            let kernel: Vec<usize> = node.list("kernel_shape", 0, 1);
            let mut shape = slide(node, input, 1, &kernel)?;
            *shape.get_mut(1)? = *input.get(1)?;
            Some(shape)
        }
        "ConvTranspose" => {
            let (group, kernel) = (node.number("group", 1).clamp(1, MAX_AXIS) as usize, weight?.get(2..)?);
            let axes = kernel.len();
            let (strides, dilations) = (node.list("strides", axes, 1), node.list("dilations", axes, 1));
            let (pads, extra) = (node.list("pads", 2 * axes, 0), node.list("output_padding", axes, 0));
            if node.auto_pad.is_some() || input.len() != axes + 2 {
                return None;
            }
            let mut shape = vec![input[0], Some(weight?.get(1)?.checked_mul(group)?)];
            for axis in 0..axes {
                let n = input[axis + 2];
                let length = n.and_then(|n| {
                    let full = (n.checked_sub(1)? as u64).checked_mul(*strides.get(axis)? as u64)?;
                    let reach = (kernel[axis].checked_sub(1)? as u64).checked_mul(*dilations.get(axis)? as u64)?;
                    let length = full.checked_add(reach)?.checked_add(1 + *extra.get(axis)? as u64)?;
                    let length = length.checked_sub((*pads.get(axis)? + *pads.get(axis + axes)?) as u64)?;
                    (1..=MAX_AXIS as u64).contains(&length).then_some(length as usize)
                });
                shape.push(length);
            }
            Some(shape)
        }
        _ => None,
    }
}

/// A window of `kernel` sliding over the spatial axes.
fn slide(node: &Node, input: &Shape, channels: usize, kernel: &[usize]) -> Option<Shape> {
    let axes = kernel.len();
    if axes == 0 || input.len() != axes + 2 {
        return None;
    }
    let (strides, dilations) = (node.list("strides", axes, 1), node.list("dilations", axes, 1));
    let pads = node.list("pads", 2 * axes, 0);
    let mut shape = vec![input[0], Some(channels)];
    for axis in 0..axes {
        let stride = *strides.get(axis)?;
        let length = input[axis + 2].and_then(|n| {
            if matches!(node.auto_pad.as_deref(), Some("SAME_UPPER" | "SAME_LOWER")) {
                return (stride > 0).then(|| n.div_ceil(stride));
            }
            let reach = (kernel[axis].checked_sub(1)? as u64).checked_mul(*dilations.get(axis)? as u64)?;
            let padded = (n + *pads.get(axis)? + *pads.get(axis + axes)?) as u64;
            let steps = padded.checked_sub(reach)?.checked_sub(1)?.checked_div(stride as u64)?;
            Some(steps as usize + 1)
        });
        shape.push(length);
    }
    Some(shape)
}
