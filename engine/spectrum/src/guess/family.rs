//! What the names of known network families say about geometry.

use crate::geometry::{Geometry, OpKind};
use crate::layers::LayerInfo;

/// Input side where nothing is known.
const DEFAULT_SIDE: usize = 32;
/// Input length of a conv1d where nothing is known.
const DEFAULT_LENGTH: usize = 128;
/// Input side of networks made for ImageNet.
const IMAGENET_SIDE: usize = 224;

/// Embedding and position tables: rows are looked up, never multiplied.
pub(super) fn is_table(lower: &str) -> bool {
    const PARTS: [&str; 14] = [
        "wte",
        "wpe",
        "embed_tokens",
        "embed_positions",
        "token_embd",
        "position_embd",
        "embedding",
        "embeddings",
        "pos_embed",
        "pos_embedding",
        "cls_token",
        "class_embedding",
        "relative_position_bias_table",
        "token_types",
    ];
    // A patch embedding is a convolution although it says “embedding”.
    !lower.contains("patch")
        && lower.split(['.', '/']).any(|part| PARTS.contains(&part) || part.ends_with("_embeddings"))
}

/// Transposed convolutions by their usual names.
pub(super) fn is_transposed(lower: &str) -> bool {
    lower.split(['.', '/']).any(|part| {
        ["deconv", "convtranspose", "conv_transpose", "transpose", "tconv", "up"].iter().any(|word| {
            part.strip_prefix(word).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '_'))
        })
    })
}

/// Names under which the batch norm after `conv` may be stored.
pub(super) fn norm_names(conv: &str) -> Vec<String> {
    let Some(stem) = conv.strip_suffix(".weight") else { return Vec::new() };
    let (parent, last) = stem.rsplit_once('.').map_or(("", stem), |(parent, last)| (parent, last));
    let join = |last: &str| {
        if parent.is_empty() { format!("{last}.weight") } else { format!("{parent}.{last}.weight") }
    };
    if let Ok(index) = last.parse::<usize>() {
        return vec![join(&(index + 1).to_string())];
    }
    ["bn", "norm", "batch_norm"]
        .iter()
        .map(|norm| join(&last.replace("conv", norm)))
        .filter(|name| name != conv)
        .collect()
}

/// Where a layer sits in a residual network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    stage: usize,
    block: usize,
    shortcut: bool,
    /// Number of the convolution in its block, 1 for `conv1`.
    conv: usize,
}

/// `layer2.0.conv1` and its relatives (`stage`, `group`, `block1.layer.0`).
fn place(name: &str) -> Option<Place> {
    let lower = name.to_lowercase();
    let parts: Vec<&str> = lower.split('.').collect();
    let number = |part: &str| part.parse::<usize>().ok();
    for (at, part) in parts.iter().enumerate() {
        let stage = ["layer", "stage", "group", "block"]
            .iter()
            .find_map(|word| number(part.strip_prefix(word)?.trim_start_matches('_')));
        let Some(stage) = stage else { continue };
        let rest = &parts[at + 1..];
        let Some(block_at) = rest.iter().take(2).position(|part| number(part).is_some()) else { continue };
        let inner = &rest[block_at + 1..];
        let shortcut = inner.iter().any(|part| matches!(*part, "downsample" | "shortcut" | "skip" | "convshortcut"));
        let conv = inner.iter().find_map(|part| number(part.strip_prefix("conv")?)).unwrap_or(0);
        return Some(Place { stage, block: number(rest[block_at])?, shortcut, conv });
    }
    None
}

/// Stride, padding, groups and input size of every layer whose file does not say them.
pub(super) fn fill_geometry(layers: &mut [LayerInfo]) {
    for layer in layers.iter_mut() {
        fill_alone(layer);
    }
    fill_groups(layers);
    if !fill_resnet(layers) && !fill_vgg(layers) {
        fill_patches(layers);
    }
}

/// “Same” padding and the default input size.
fn fill_alone(layer: &mut LayerInfo) {
    let geometry = &mut layer.geometry;
    *geometry = Geometry::default();
    match layer.op {
        OpKind::Dense | OpKind::BatchNorm => geometry.input = [1, 1],
        OpKind::Conv1d => {
            geometry.input = [1, DEFAULT_LENGTH];
            geometry.padding = [0, (layer.weight_shape[2] - 1) / 2];
        }
        OpKind::Conv2d => {
            geometry.input = [DEFAULT_SIDE; 2];
            geometry.padding = [(layer.weight_shape[2] - 1) / 2, (layer.weight_shape[3] - 1) / 2];
        }
        OpKind::ConvTranspose1d => {
            let (stride, padding) = doubling(layer.weight_shape[2]);
            geometry.input = [1, DEFAULT_LENGTH / stride];
            geometry.stride = [1, stride];
            geometry.padding = [0, padding];
        }
        OpKind::ConvTranspose2d => {
            let [(down, top), (across, left)] = [2, 3].map(|axis| doubling(layer.weight_shape[axis]));
            geometry.input = [DEFAULT_SIDE / down, DEFAULT_SIDE / across];
            geometry.stride = [down, across];
            geometry.padding = [top, left];
        }
    }
}

/// Stride and padding of a transposed kernel of that many taps: an even one doubles the size, and the padding makes it
/// exactly twice.
fn doubling(taps: usize) -> (usize, usize) {
    let stride = if taps.is_multiple_of(2) { 2 } else { 1 };
    (stride, (taps - stride) / 2)
}

/// One input channel per filter: depthwise, unless it is the first layer looking at a grey image. In a residual
/// block, `conv2` with fewer inputs than the layer before gives is grouped (ResNeXt).
fn fill_groups(layers: &mut [LayerInfo]) {
    let mut before: Option<usize> = None;
    for layer in layers.iter_mut() {
        if !layer.op.is_convolution() {
            continue;
        }
        let (outputs, inputs) = (layer.weight_shape[0], layer.weight_shape[1]);
        let lower = layer.name.to_lowercase();
        let named = ["depthwise", "dwconv", "conv_dw", ".dw", "conv_depth"].iter().any(|word| lower.contains(word));
        let larger = layer.weight_shape[2..].iter().any(|&k| k > 1);
        if inputs == 1 && outputs > 1 && larger && (named || before == Some(outputs)) {
            layer.geometry.groups = outputs;
        } else if let (Some(before), Some(place)) = (before, place(&layer.name))
            && place.conv == 2
            && larger
            && inputs < before
            && before.is_multiple_of(inputs)
            && outputs.is_multiple_of(before / inputs)
        {
            layer.geometry.groups = before / inputs;
        }
        before = Some(outputs);
    }
}

/// ResNets as torchvision and the CIFAR versions name them: the first block of every later stage halves the image.
fn fill_resnet(layers: &mut [LayerInfo]) -> bool {
    let places: Vec<Option<Place>> =
        layers.iter().map(|layer| if layer.op == OpKind::Conv2d { place(&layer.name) } else { None }).collect();
    let Some(first_stage) = places.iter().flatten().map(|place| place.stage).min() else { return false };
    let stem = layers.iter().zip(&places).position(|(layer, place)| {
        let stem = layer.name.rsplit('.').nth(1).unwrap_or_default();
        layer.op == OpKind::Conv2d && place.is_none() && (stem.starts_with("conv") || layer.name.contains("stem"))
    });
    let imagenet = stem.is_some_and(|at| layers[at].weight_shape[2] >= 7);
    let side = if imagenet { IMAGENET_SIDE } else { DEFAULT_SIDE };
    if let Some(at) = stem {
        layers[at].geometry.input = [side; 2];
        layers[at].geometry.stride = if imagenet { [2; 2] } else { [1; 2] };
    }
    // The ImageNet stem halves twice: its stride and the max pool after it.
    let first_side = if imagenet { side / 4 } else { side };
    let bottleneck = |at: usize, places: &[Option<Place>], layers: &[LayerInfo]| {
        let here = places[at].map(|place| (place.stage, place.block));
        places.iter().zip(layers).any(|(place, layer)| {
            place.is_some_and(|p| Some((p.stage, p.block)) == here && p.conv == 1 && !p.shortcut)
                && layer.weight_shape[2] == 1
        })
    };
    for at in 0..layers.len() {
        let Some(place) = places[at] else { continue };
        let halvings = place.stage - first_stage;
        let output = (first_side >> halvings.min(16)).max(1);
        let enters = place.block == 0 && halvings > 0;
        let input = if enters { output * 2 } else { output };
        // torchvision strides the 3×3 convolution of a bottleneck, which is its second.
        let strided = if bottleneck(at, &places, layers) { 2 } else { 1 };
        let geometry = &mut layers[at].geometry;
        let steps = enters && (place.shortcut || place.conv == strided);
        geometry.stride = if steps { [2; 2] } else { [1; 2] };
        let before_step = place.shortcut || place.conv <= strided;
        geometry.input = [if before_step { input } else { output }; 2];
    }
    true
}

/// VGG as torchvision numbers it: a gap in the numbers one larger than usual is a max pool.
fn fill_vgg(layers: &mut [LayerInfo]) -> bool {
    let number = |name: &str| name.strip_prefix("features.")?.strip_suffix(".weight")?.parse::<usize>().ok();
    let convolutions: Vec<(usize, usize)> = layers
        .iter()
        .enumerate()
        .filter(|(_, layer)| layer.op == OpKind::Conv2d)
        .filter_map(|(at, layer)| Some((at, number(&layer.name)?)))
        .collect();
    let gaps = || convolutions.windows(2).filter_map(|pair| pair[1].1.checked_sub(pair[0].1));
    let Some(usual) = gaps().min() else { return false };
    let square = convolutions.iter().all(|&(at, _)| layers[at].weight_shape[2..] == [3, 3]);
    if convolutions.len() < 6 || !square || !gaps().all(|gap| gap == usual || gap == usual + 1) {
        return false;
    }
    let channels = convolutions.last().map_or(0, |&(at, _)| layers[at].weight_shape[0]);
    let dense_in = layers.iter().find(|layer| layer.op == OpKind::Dense).map(|layer| layer.weight_shape[1]);
    let mut side = if dense_in == Some(channels * 49) { IMAGENET_SIDE } else { DEFAULT_SIDE };
    let mut before = None;
    for (at, number) in convolutions {
        if before.is_some_and(|before: usize| number - before > usual) {
            side = (side / 2).max(1);
        }
        layers[at].geometry.input = [side; 2];
        before = Some(number);
    }
    true
}

/// Patch embeddings and their kind step by the size of their kernel, without padding.
fn fill_patches(layers: &mut [LayerInfo]) {
    for layer in layers.iter_mut().filter(|layer| layer.op == OpKind::Conv2d) {
        let lower = layer.name.to_lowercase();
        let [kh, kw] = [layer.weight_shape[2], layer.weight_shape[3]];
        let patches = ["patch", "conv_proj", "stem", "downsample"].iter().any(|word| lower.contains(word));
        if patches && kh > 1 && kh.is_multiple_of(2) && kh == kw {
            layer.geometry.stride = [kh, kw];
            layer.geometry.padding = [0, 0];
            if kh >= 4 {
                layer.geometry.input = [IMAGENET_SIDE; 2];
            }
        }
    }
}
