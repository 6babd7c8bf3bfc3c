//! The shapes that flow between the nodes of a graph, where they can be told.

use super::{super::error::Fault, MAX_AXIS, Span, Wire, node::Node};

/// Axis lengths; `None` where the graph leaves one open.
pub(super) type Shape = Vec<Option<usize>>;

/// A `ValueInfoProto`: a name and, for a tensor with a known rank, its shape.
pub(super) fn value_info(wire: &mut Wire, span: Span) -> Result<(String, Option<Shape>), Fault> {
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

/// The shape of a node's output, for the operators that image classifiers are made of.
pub(super) fn output_shape(node: &Node, input: &Shape, weight: Option<&[usize]>) -> Option<Shape> {
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
            let kernel: Vec<usize> = node.sizes("kernel_shape", 0, 1);
            let mut shape = slide(node, input, 1, &kernel)?;
            *shape.get_mut(1)? = *input.get(1)?;
            Some(shape)
        }
        "ConvTranspose" => {
            let (group, kernel) = (node.number("group", 1).clamp(1, MAX_AXIS) as usize, weight?.get(2..)?);
            let axes = kernel.len();
            let (strides, dilations) = (node.sizes("strides", axes, 1), node.sizes("dilations", axes, 1));
            let (pads, extra) = (node.sizes("pads", 2 * axes, 0), node.sizes("output_padding", axes, 0));
            let given = node.numbers("output_shape").map(|_| node.sizes("output_shape", axes, 1));
            let same = matches!(node.auto_pad(), Some("SAME_UPPER" | "SAME_LOWER"));
            if input.len() != axes + 2 {
                return None;
            }
            let mut shape = vec![input[0], Some(weight?.get(1)?.checked_mul(group)?)];
            for axis in 0..axes {
                let n = input[axis + 2];
                let length = n.and_then(|n| {
                    if let Some(given) = &given {
                        return given.get(axis).copied().filter(|&n| n > 0);
                    }
                    if same {
                        return n.checked_mul(*strides.get(axis)?).filter(|n| (1..=MAX_AXIS as usize).contains(n));
                    }
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
    let (strides, dilations) = (node.sizes("strides", axes, 1), node.sizes("dilations", axes, 1));
    let pads = node.sizes("pads", 2 * axes, 0);
    let mut shape = vec![input[0], Some(channels)];
    for axis in 0..axes {
        let stride = *strides.get(axis)?;
        let length = input[axis + 2].and_then(|n| {
            if matches!(node.auto_pad(), Some("SAME_UPPER" | "SAME_LOWER")) {
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
