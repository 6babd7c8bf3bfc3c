//! Which tensors are linear layers, and how they are probably applied, from names and shapes alone.
//!
//! A weight file names tensors and their shapes. What it does not say (stride, padding, input size) is guessed
//! here from the naming of known families; every such layer is marked as guessed so that a person checks it.

mod family;

use std::collections::BTreeMap;

use crate::geometry::{Geometry, OpKind};
use crate::layers::{BatchNormInfo, LayerInfo};
use crate::report::{GeometrySource, Skipped};

/// ε of a batch norm whose file does not say it: PyTorch's default.
pub const BATCH_NORM_EPS: f64 = 1e-5;

/// One tensor as the guess sees it.
#[derive(Clone, Copy, Debug)]
pub struct TensorShape<'a> {
    /// Name in the file.
    pub name: &'a str,
    /// Axis lengths.
    pub shape: &'a [usize],
    /// Whether it holds fractions; counters and indices do not.
    pub float: bool,
}

/// What became of the tensors of a file.
#[derive(Clone, Debug, Default)]
pub struct Guess {
    /// Linear layers in the file's order.
    pub layers: Vec<LayerInfo>,
    /// The rest, each with its reason.
    pub skipped: Vec<Skipped>,
}

/// Sort the tensors of a file into linear layers and the rest.
pub fn guess(tensors: &[TensorShape<'_>]) -> Guess {
    let shapes: BTreeMap<&str, &[usize]> = tensors.iter().map(|t| (t.name, t.shape)).collect();
    let mut found = Guess::default();
    for tensor in tensors {
        match kind(tensor, &shapes) {
            Ok(op) => {
                let bias = sibling(tensor.name, "bias");
                let batch_norm = (op == OpKind::BatchNorm).then(|| norm_info(tensor.name)).flatten();
                found.layers.push(LayerInfo {
                    name: tensor.name.to_owned(),
                    op,
                    weight_shape: tensor.shape.to_vec(),
                    geometry: Geometry::default(),
                    geometry_source: GeometrySource::Guessed,
                    bias: bias.filter(|name| shapes.contains_key(name.as_str())),
                    batch_norm,
                });
            }
            Err(reason) => found.skipped.push(Skipped { name: tensor.name.to_owned(), reason }),
        }
    }
    family::fill_geometry(&mut found.layers);
    pair_batch_norms(&mut found.layers);
    found
}

/// `conv1.weight` → `conv1.bias`; `None` where the name has no last part to exchange.
pub(crate) fn sibling(name: &str, last: &str) -> Option<String> {
    let stem =
        name.strip_suffix("weight").or_else(|| name.strip_suffix("gamma")).or_else(|| name.strip_suffix("scale"))?;
    Some(format!("{stem}{last}"))
}

/// Running statistics that belong to a batch norm's scale.
fn norm_info(gamma: &str) -> Option<BatchNormInfo> {
    Some(BatchNormInfo { gamma: gamma.to_owned(), variance: sibling(gamma, "running_var")?, eps: BATCH_NORM_EPS })
}

/// Which map a tensor is the weight of, or why it is none.
fn kind(tensor: &TensorShape<'_>, shapes: &BTreeMap<&str, &[usize]>) -> Result<OpKind, String> {
    let lower = tensor.name.to_lowercase();
    let last = lower.rsplit(['.', '/']).next().unwrap_or(&lower);
    if !tensor.float {
        return Err("holds whole numbers: a counter or an index, not a linear map".to_owned());
    }
    if tensor.shape.contains(&0) {
        return Err("has an axis of length 0, so there is nothing to measure".to_owned());
    }
    if last.starts_with("running_") || last == "moving_mean" || last == "moving_variance" {
        return Err("running statistics of a batch norm, used in that layer's row".to_owned());
    }
    if family::is_table(&lower) {
        return Err("a look-up table (embedding or positions), not a linear map of the layer's input".to_owned());
    }
    match tensor.shape.len() {
        0 => Err("a single number".to_owned()),
        1 => {
            let variance = sibling(tensor.name, "running_var").and_then(|name| shapes.get(name.as_str()).copied());
            match variance {
                Some(shape) if shape == tensor.shape => Ok(OpKind::BatchNorm),
                _ if last == "bias" || last == "b" => {
                    Err("a bias: it shifts the output and has no spectrum".to_owned())
                }
                _ => Err("a vector: a bias or a scale of a normalisation that depends on its input".to_owned()),
            }
        }
        _ if last.contains("bias") => Err("a bias: it shifts the output and has no spectrum".to_owned()),
        2 => Ok(OpKind::Dense),
        3 if family::is_transposed(&lower) => Ok(OpKind::ConvTranspose1d),
        3 => Ok(OpKind::Conv1d),
        4 if family::is_transposed(&lower) => Ok(OpKind::ConvTranspose2d),
        4 => Ok(OpKind::Conv2d),
        axes => Err(format!("has {axes} axes: only kernels over one or two axes are measured")),
    }
}

/// A convolution and the batch norm that follows it: by name, else by standing next in the file.
pub(crate) fn pair_batch_norms(layers: &mut [LayerInfo]) {
    let norms: BTreeMap<String, (BatchNormInfo, usize)> = layers
        .iter()
        .filter(|layer| layer.op == OpKind::BatchNorm)
        .filter_map(|layer| Some((layer.name.clone(), (layer.batch_norm.clone()?, layer.weight_shape[0]))))
        .collect();
    let mut size_of_norm = BTreeMap::new();
    for at in 0..layers.len() {
        let layer = &layers[at];
        if !layer.op.is_convolution() && !layer.op.is_transposed() {
            continue;
        }
        let channels = layer.output_channels();
        let by_name = family::norm_names(&layer.name).into_iter().find(|name| norms.contains_key(name));
        let next = layers.get(at + 1).filter(|next| next.op == OpKind::BatchNorm).map(|next| next.name.clone());
        let Some(name) = by_name.or(next) else { continue };
        let Some((info, width)) = norms.get(&name) else { continue };
        if *width == channels {
            size_of_norm.insert(name, layer.output_size());
            layers[at].batch_norm = Some(info.clone());
        }
    }
    for layer in layers.iter_mut().filter(|layer| layer.op == OpKind::BatchNorm) {
        layer.geometry.input = size_of_norm.get(&layer.name).copied().flatten().unwrap_or([1, 1]);
    }
}

#[cfg(test)]
mod tests;
