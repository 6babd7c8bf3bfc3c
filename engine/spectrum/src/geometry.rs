//! What a checkpoint does not say: how a kernel is applied. The types live one floor down, beside the layers.

pub use plumb_nn::geometry::{Geometry, OpKind, PaddingMode};
