//! The words for what a checkpoint file holds: formats, element types, tensors, convolution nodes.

use std::fmt;

use crate::geometry::PaddingMode;

/// A file format that Plumb reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A JSON header followed by raw tensors.
    Safetensors,
    /// A zip archive with a pickled state dict, as `torch.save` writes it since PyTorch 1.6.
    PyTorch,
    /// llama.cpp's format, often quantised.
    Gguf,
    /// NumPy arrays: one in an `.npy` file or several in an `.npz` archive.
    Npz,
    /// A network graph with its weights as initialisers.
    Onnx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::PyTorch => "PyTorch",
            Self::Gguf => "GGUF",
            Self::Npz => "NumPy",
            Self::Onnx => "ONNX",
        })
    }
}

/// How a number is stored in the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StoredType {
    /// IEEE double.
    F64,
    /// IEEE single.
    F32,
    /// IEEE half.
    F16,
    /// bfloat16: the upper half of a single.
    BF16,
    /// Eight bits, four of exponent, no infinity.
    F8E4M3,
    /// Eight bits, five of exponent.
    F8E5M2,
    /// Signed 64-bit integer.
    I64,
    /// Signed 32-bit integer.
    I32,
    /// Signed 16-bit integer.
    I16,
    /// Signed 8-bit integer.
    I8,
    /// Unsigned 64-bit integer.
    U64,
    /// Unsigned 32-bit integer.
    U32,
    /// Unsigned 16-bit integer.
    U16,
    /// Unsigned 8-bit integer.
    U8,
    /// One byte, zero for false.
    Bool,
    /// A GGUF block quantisation, by its name there, such as `Q4_K`.
    Quantised(String),
}

impl StoredType {
    /// Bytes of one number; `None` where numbers are packed in blocks.
    pub fn size(&self) -> Option<usize> {
        match self {
            Self::F64 | Self::I64 | Self::U64 => Some(8),
            Self::F32 | Self::I32 | Self::U32 => Some(4),
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => Some(2),
            Self::F8E4M3 | Self::F8E5M2 | Self::I8 | Self::U8 | Self::Bool => Some(1),
            Self::Quantised(_) => None,
        }
    }

    /// Whether the type holds fractions, as weights need.
    pub fn is_float(&self) -> bool {
        matches!(
            self,
            Self::F64 | Self::F32 | Self::F16 | Self::BF16 | Self::F8E4M3 | Self::F8E5M2 | Self::Quantised(_)
        )
    }

    /// The name in a safetensors header; `None` where that format has no such type.
    pub fn safetensors_name(&self) -> Option<&'static str> {
        SAFETENSORS.iter().find(|(_, dtype)| dtype == self).map(|(name, _)| *name)
    }

    /// The type a safetensors header names.
    pub fn from_safetensors_name(name: &str) -> Option<Self> {
        SAFETENSORS.iter().find(|(known, _)| *known == name).map(|(_, dtype)| dtype.clone())
    }
}

const SAFETENSORS: [(&str, StoredType); 15] = [
    ("F64", StoredType::F64),
    ("F32", StoredType::F32),
    ("F16", StoredType::F16),
    ("BF16", StoredType::BF16),
    ("F8_E4M3", StoredType::F8E4M3),
    ("F8_E5M2", StoredType::F8E5M2),
    ("I64", StoredType::I64),
    ("I32", StoredType::I32),
    ("I16", StoredType::I16),
    ("I8", StoredType::I8),
    ("U64", StoredType::U64),
    ("U32", StoredType::U32),
    ("U16", StoredType::U16),
    ("U8", StoredType::U8),
    ("BOOL", StoredType::Bool),
];

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F8E4M3 => "F8 (E4M3)",
            Self::F8E5M2 => "F8 (E5M2)",
            Self::Bool => "bool",
            Self::Quantised(name) => name,
            other => other.safetensors_name().unwrap_or("?"),
        })
    }
}

/// One tensor of a checkpoint, as its header describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorEntry {
    /// The name in the file; unique in one checkpoint.
    pub name: String,
    /// Axis lengths, slowest first (row-major), as PyTorch shows them. A length may be 0.
    pub shape: Vec<usize>,
    /// How each number is stored.
    pub dtype: StoredType,
    /// Bytes of all its numbers as stored, uncompressed.
    pub bytes: u64,
}

impl TensorEntry {
    /// How many numbers it holds.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A node of an ONNX graph that has a weight tensor of this checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvNode {
    /// The node's name, or its first output's where it has none.
    pub name: String,
    /// `Conv`, `ConvTranspose`, `Gemm`, `MatMul` or `BatchNormalization`.
    pub op: String,
    /// The tensor that is the node's weight (the scale of a `BatchNormalization`).
    pub weight: String,
    /// Steps per spatial axis; empty for nodes without.
    pub strides: Vec<usize>,
    /// Pixels added around the input: first the begin of each spatial axis, then the end of each, as in ONNX. Those
    /// of a padding step right before a `Conv` are counted in.
    pub pads: Vec<usize>,
    /// What the added pixels hold. A constant counts as zeros: it shifts the output and leaves the linear part.
    pub padding_mode: PaddingMode,
    /// Spacing of kernel elements per spatial axis.
    pub dilations: Vec<usize>,
    /// Groups of channels that do not mix.
    pub group: usize,
    /// Rows added to one side of a transposed convolution's output, per spatial axis.
    pub output_padding: Vec<usize>,
    /// The size of a transposed convolution's output per spatial axis where the node says it instead of `pads`.
    pub output_size: Option<Vec<usize>>,
    /// `SAME_UPPER`, `SAME_LOWER` or `VALID` where the node says so instead of `pads`.
    pub auto_pad: Option<String>,
    /// Whether a `Gemm` uses its weight transposed, (out, in) instead of (in, out).
    pub transposed: bool,
    /// The shape of the node's data input, before a padding step that is counted in, batch first, where the graph
    /// lets it be known. A batch axis without a fixed length counts as 1.
    pub input_shape: Option<Vec<usize>>,
}

/// Numbers to be written to a safetensors file.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorData {
    /// Written as F32.
    F32(Vec<f32>),
    /// Written as F64.
    F64(Vec<f64>),
    /// Rounded to half precision and written as F16.
    F16(Vec<f32>),
    /// Rounded to bfloat16 and written as BF16.
    BF16(Vec<f32>),
    /// Written as they are.
    Raw {
        /// What the bytes are.
        dtype: StoredType,
        /// Little-endian numbers, row-major.
        bytes: Vec<u8>,
    },
}
