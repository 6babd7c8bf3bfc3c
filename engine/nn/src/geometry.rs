//! What a checkpoint does not say: how a kernel is applied.

use serde::{Deserialize, Serialize};

/// What lies outside the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaddingMode {
    /// Zeros.
    #[default]
    Zeros,
    /// The image again (a torus).
    Circular,
    /// The image mirrored, the edge not repeated.
    Reflect,
    /// The edge repeated.
    Replicate,
}

/// Which linear map a weight stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpKind {
    /// `W x`, W of shape (out, in).
    Dense,
    /// Cross-correlation over one axis, W of shape (out, in / groups, k).
    Conv1d,
    /// Cross-correlation over two axes, W of shape (out, in / groups, kh, kw).
    Conv2d,
    /// Transposed convolution, W of shape (in, out / groups, kh, kw).
    ConvTranspose2d,
    /// Batch norm in eval mode: a diagonal map.
    BatchNorm,
}

/// How a kernel meets its input. For one axis (conv1d) the first entry of each pair is 1 / 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Geometry {
    /// Input height and width, in pixels. For conv1d `[1, length]`; ignored for dense.
    pub input: [usize; 2],
    /// Step between output pixels.
    pub stride: [usize; 2],
    /// Pixels added on each side.
    pub padding: [usize; 2],
    /// What the added pixels hold.
    pub padding_mode: PaddingMode,
    /// Step between kernel taps.
    pub dilation: [usize; 2],
    /// Channel groups.
    pub groups: usize,
    /// Extra output rows and columns of a transposed convolution.
    pub output_padding: [usize; 2],
}

impl Default for Geometry {
    fn default() -> Self {
        Self {
            input: [32, 32],
            stride: [1, 1],
            padding: [0, 0],
            padding_mode: PaddingMode::Zeros,
            dilation: [1, 1],
            groups: 1,
            output_padding: [0, 0],
        }
    }
}
