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
    /// Transposed convolution over one axis, W of shape (in, out / groups, k).
    ConvTranspose1d,
    /// Transposed convolution over two axes, W of shape (in, out / groups, kh, kw).
    ConvTranspose2d,
    /// Batch norm in eval mode: a diagonal map.
    BatchNorm,
}

impl OpKind {
    /// Whether it is a convolution (a cross-correlation), not a transposed one.
    pub fn is_convolution(self) -> bool {
        matches!(self, Self::Conv1d | Self::Conv2d)
    }

    /// Whether it is a transposed convolution.
    pub fn is_transposed(self) -> bool {
        matches!(self, Self::ConvTranspose1d | Self::ConvTranspose2d)
    }

    /// Whether its images have one axis: the second entry of every pair of a [`Geometry`].
    pub fn has_one_axis(self) -> bool {
        matches!(self, Self::Conv1d | Self::ConvTranspose1d)
    }
}

/// How a kernel meets its input. For one axis (conv1d, transposed conv1d) the first entry of each pair is 1 / 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Geometry {
    /// Input height and width, in pixels. For one axis `[1, length]`; ignored for dense.
    pub input: [usize; 2],
    /// Step between output pixels.
    pub stride: [usize; 2],
    /// Pixels added on each side; above and to the left only, where `padding_end` says another number for the rest.
    /// A transposed convolution cuts as many away from its output.
    pub padding: [usize; 2],
    /// Pixels added below and to the right, where they are not as many as above and to the left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub padding_end: Option<[usize; 2]>,
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
            padding_end: None,
            padding_mode: PaddingMode::Zeros,
            dilation: [1, 1],
            groups: 1,
            output_padding: [0, 0],
        }
    }
}

impl Geometry {
    /// Pixels added before and after the image along an axis (0: height, 1: width).
    pub fn sides(&self, axis: usize) -> [usize; 2] {
        [self.padding[axis], self.padding_end.unwrap_or(self.padding)[axis]]
    }

    /// Sets the pixels added above and to the left, and those below and to the right.
    pub fn set_padding(&mut self, begin: [usize; 2], end: [usize; 2]) {
        self.padding = begin;
        self.padding_end = (begin != end).then_some(end);
    }
}
