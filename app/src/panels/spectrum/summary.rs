//! The figures above the table: how many layers, the largest σ₁, the product over the network, accuracy.

use plumb_spectrum::geometry::OpKind;
use plumb_spectrum::report::{Accuracy, LayerReport};

use crate::widgets::format;
use crate::widgets::tile::Tile;

/// The product of σ₁ over convolutions and dense layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Product {
    /// log₁₀ of the product: the product itself can leave the range of a float.
    pub log10: f64,
    /// How many layers it is over.
    pub layers: usize,
    /// The layer with the largest σ₁.
    pub weakest: Option<usize>,
}

/// The product over all layers that have a spectrum; batch norms are left out, they fold into their convolution.
pub fn product(layers: &[LayerReport]) -> Product {
    let mut product = Product { log10: 0.0, layers: 0, weakest: None };
    let mut largest = f64::NEG_INFINITY;
    for (index, layer) in layers.iter().enumerate() {
        let Some(first) = layer.sigma.first().copied().filter(|s| s.is_finite()) else { continue };
        if layer.op == OpKind::BatchNorm {
            continue;
        }
        product.log10 += first.log10();
        product.layers += 1;
        if first > largest {
            largest = first;
            product.weakest = Some(index);
        }
    }
    product
}

/// A power of ten as a readable number.
pub fn power_of_ten(log10: f64) -> String {
    if log10.abs() < 15.0 { format::number(10f64.powf(log10)) } else { format!("10^{log10:.0}") }
}

/// The tiles of the head row.
pub fn tiles(
    layers: &[LayerReport],
    expected: Option<usize>,
    skipped: usize,
    accuracy: Option<(&Accuracy, Option<&Accuracy>)>,
) -> Vec<Tile<'static>> {
    let product = product(layers);
    let mut tiles = vec![Tile {
        name: "Layers",
        value: match expected {
            Some(total) if total > layers.len() => format!("{} of {total}", layers.len()),
            _ => format::count(layers.len()),
        },
        detail: if skipped == 0 {
            "nothing skipped".to_owned()
        } else {
            format!("{} skipped", format::counted(skipped, "tensor", "tensors"))
        },
        meaning: "Weights that stand for a linear map. Other tensors are listed under the table with the reason.",
        exact: layers.len().to_string(),
    }];
    if let Some(weakest) = product.weakest.and_then(|index| layers.get(index)) {
        let sigma = weakest.sigma.first().copied().unwrap_or(f64::NAN);
        tiles.push(Tile {
            name: "Largest σ₁",
            value: format::number(sigma),
            detail: weakest.name.clone(),
            meaning: "The weakest link: the layer that can stretch an input most. It is marked with a triangle in the table.",
            exact: sigma.to_string(),
        });
        tiles.push(Tile {
            name: "Product of σ₁",
            value: power_of_ten(product.log10),
            detail: format!("over {}", format::counted(product.layers, "layer", "layers")),
            meaning: "σ₁ of every convolution and dense layer multiplied. For a plain chain with activations of slope at most one this bounds how much the network can stretch a change of its input; residual branches and batch norms are not counted.",
            exact: 10f64.powf(product.log10).to_string(),
        });
    }
    if let Some((before, after)) = accuracy {
        let shown = after.unwrap_or(before);
        let interval = format!(
            "95 %: {} to {}",
            format::percent(shown.interval[0]).trim_end_matches(" %"),
            format::percent(shown.interval[1])
        );
        tiles.push(Tile {
            name: if after.is_some() { "Test accuracy after" } else { "Test accuracy" },
            value: format::percent(shown.accuracy),
            detail: match after {
                Some(_) => format!("was {} · {interval}", format::percent(before.accuracy)),
                None => format!("{} images · {interval}", shown.images),
            },
            meaning: "Share of the embedded test images that the model classifies correctly, with the Wilson 95 % interval.",
            exact: shown.accuracy.to_string(),
        });
    }
    tiles
}
