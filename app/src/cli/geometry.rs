//! Flags that say how a kernel is applied, where the file does not.

use clap::{Args, ValueEnum};
use plumb_spectrum::geometry::{OpKind, PaddingMode};
use plumb_spectrum::spec::GeometryOverride;

/// Geometry of the layers; what is not given is taken from the file, its geometry table, or guessed.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Geometry")]
pub struct Geometry {
    /// Treat weights as this map, where their shape allows it.
    #[arg(long, value_enum, default_value_t)]
    pub op: Op,
    /// Input height and width in pixels, or the length of a one-dimensional input.
    #[arg(long, value_name = "HxW", value_parser = size)]
    pub input: Option<[usize; 2]>,
    /// Step between output pixels.
    #[arg(long, value_name = "N")]
    pub stride: Option<usize>,
    /// Pixels added on each side.
    #[arg(long, value_name = "N")]
    pub padding: Option<usize>,
    /// What the added pixels hold.
    #[arg(long, value_enum, value_name = "MODE")]
    pub padding_mode: Option<Padding>,
    /// Step between kernel taps.
    #[arg(long, value_name = "N")]
    pub dilation: Option<usize>,
    /// Channel groups.
    #[arg(long, value_name = "N")]
    pub groups: Option<usize>,
}

/// Which linear map a weight is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Op {
    /// As the file says or its shape suggests.
    #[default]
    Auto,
    /// A matrix.
    Dense,
    /// A convolution over one axis.
    Conv1d,
    /// A convolution over two axes.
    Conv2d,
    /// A transposed convolution over one axis.
    Convtranspose1d,
    /// A transposed convolution over two axes.
    Convtranspose2d,
}

/// What lies outside the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Padding {
    /// Zeros.
    Zeros,
    /// The image again.
    Circular,
    /// The image mirrored, the edge not repeated.
    Reflect,
    /// The edge repeated.
    Replicate,
}

/// `28x28`, or `100` for a length.
fn size(text: &str) -> Result<[usize; 2], String> {
    let number = |part: &str| part.trim().parse::<usize>().map_err(|error| format!("“{part}” is not a size: {error}"));
    let (height, width) = match text.split_once(['x', 'X', '×']) {
        Some((height, width)) => (number(height)?, number(width)?),
        None => (1, number(text)?),
    };
    if height == 0 || width == 0 {
        return Err("a size of 0 pixels has nothing in it".to_owned());
    }
    Ok([height, width])
}

impl Geometry {
    /// As the engine takes it.
    pub fn fixed(&self) -> GeometryOverride {
        GeometryOverride {
            op: match self.op {
                Op::Auto => None,
                Op::Dense => Some(OpKind::Dense),
                Op::Conv1d => Some(OpKind::Conv1d),
                Op::Conv2d => Some(OpKind::Conv2d),
                Op::Convtranspose1d => Some(OpKind::ConvTranspose1d),
                Op::Convtranspose2d => Some(OpKind::ConvTranspose2d),
            },
            input: self.input,
            stride: self.stride,
            padding: self.padding,
            padding_mode: self.padding_mode.map(|mode| match mode {
                Padding::Zeros => PaddingMode::Zeros,
                Padding::Circular => PaddingMode::Circular,
                Padding::Reflect => PaddingMode::Reflect,
                Padding::Replicate => PaddingMode::Replicate,
            }),
            dilation: self.dilation,
            groups: self.groups,
        }
    }
}
