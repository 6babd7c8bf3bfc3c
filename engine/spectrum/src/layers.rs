//! One linear layer of a file: what it is called, which map it is, and how its kernel is applied.

use crate::geometry::{Geometry, OpKind};
use crate::report::GeometrySource;
use crate::spec::GeometryOverride;

/// A batch norm's tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormInfo {
    /// Tensor with γ.
    pub gamma: String,
    /// Tensor with the running variance.
    pub variance: String,
    /// ε under the root.
    pub eps: f64,
}

/// A linear layer, described without its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerInfo {
    /// Name of the weight tensor.
    pub name: String,
    /// Which linear map.
    pub op: OpKind,
    /// Shape of the weight as stored.
    pub weight_shape: Vec<usize>,
    /// How the kernel is applied.
    pub geometry: Geometry,
    /// Where the geometry comes from.
    pub geometry_source: GeometrySource,
    /// Tensor with the bias, if there is one.
    pub bias: Option<String>,
    /// For a batch norm its own tensors; for a convolution those of the batch norm behind it.
    pub batch_norm: Option<BatchNormInfo>,
}

impl LayerInfo {
    /// The weight's shape as the operator takes it: a dense layer's is (out, rest).
    pub fn operator_shape(&self) -> Vec<usize> {
        match self.op {
            OpKind::Dense if self.weight_shape.len() > 2 => {
                vec![self.weight_shape[0], self.weight_shape[1..].iter().product()]
            }
            _ => self.weight_shape.clone(),
        }
    }

    /// Channels that come out; 0 for a weight without axes.
    pub fn output_channels(&self) -> usize {
        let axis = |at: usize| self.weight_shape.get(at).copied().unwrap_or(0);
        match self.op {
            op if op.is_transposed() => axis(1) * self.geometry.groups,
            _ => axis(0),
        }
    }

    /// Height and width of one output of a convolution; `None` where the geometry does not fit.
    pub fn output_size(&self) -> Option<[usize; 2]> {
        let flat = self.op.has_one_axis();
        let taps = match (flat, self.weight_shape.as_slice()) {
            (true, &[_, _, k]) => [1, k],
            (false, &[_, _, kh, kw]) => [kh, kw],
            _ => return None,
        };
        let g = &self.geometry;
        let mut size = [1, 1];
        for axis in 0..2 {
            if flat && axis == 0 {
                continue;
            }
            let span = taps[axis].checked_sub(1)?.checked_mul(g.dilation[axis])?;
            let padding = g.sides(axis)[0].checked_add(g.sides(axis)[1])?;
            size[axis] = if self.op.is_transposed() {
                let grown = g.input[axis]
                    .checked_sub(1)?
                    .checked_mul(g.stride[axis])?
                    .checked_add(span + 1 + g.output_padding[axis])?;
                grown.checked_sub(padding)?
            } else {
                let room = g.input[axis].checked_add(padding)?.checked_sub(span + 1)?;
                room.checked_div(g.stride[axis])? + 1
            };
        }
        Some(size)
    }

    /// Whether a weight of this many axes can be that map.
    pub fn can_be(&self, op: OpKind) -> bool {
        let axes = self.weight_shape.len();
        match op {
            OpKind::Dense => axes >= 2,
            OpKind::Conv1d | OpKind::ConvTranspose1d => axes == 3,
            OpKind::Conv2d | OpKind::ConvTranspose2d => axes == 4,
            OpKind::BatchNorm => axes == 1,
        }
    }

    /// The layer with the parts that the asker fixed. Batch norms and dense layers have no geometry to fix, and
    /// another map is taken only where the weight has the axes for it, or where the layer was asked for by name.
    #[must_use]
    pub fn with_override(&self, fixed: &GeometryOverride, by_name: bool) -> Self {
        let mut layer = self.clone();
        if self.op == OpKind::BatchNorm || *fixed == GeometryOverride::default() {
            return layer;
        }
        if let Some(op) = fixed.op
            && (by_name || self.can_be(op))
        {
            layer.op = op;
        }
        if layer.op == OpKind::Dense {
            return layer;
        }
        layer.geometry = fixed.applied_to(layer.geometry);
        if layer.op.has_one_axis() {
            // The second entry is the only axis.
            layer.geometry.input[0] = 1;
        }
        layer.geometry_source = GeometrySource::Given;
        layer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(op: OpKind, shape: &[usize], geometry: Geometry) -> LayerInfo {
        LayerInfo {
            name: "a.weight".to_owned(),
            op,
            weight_shape: shape.to_vec(),
            geometry,
            geometry_source: GeometrySource::Guessed,
            bias: None,
            batch_norm: None,
        }
    }

    #[test]
    fn output_sizes() {
        let strided = Geometry { input: [7, 8], stride: [2, 2], padding: [1, 1], ..Geometry::default() };
        assert_eq!(layer(OpKind::Conv2d, &[4, 3, 3, 3], strided.clone()).output_size(), Some([4, 4]));
        assert_eq!(layer(OpKind::ConvTranspose2d, &[4, 3, 4, 4], strided).output_size(), Some([14, 16]));
        let tiny = Geometry { input: [1, 1], ..Geometry::default() };
        assert_eq!(layer(OpKind::Conv2d, &[4, 3, 3, 3], tiny).output_size(), None);
    }

    #[test]
    fn an_override_is_taken_where_it_fits() {
        let fixed = GeometryOverride { op: Some(OpKind::Conv2d), input: Some([6, 6]), ..GeometryOverride::default() };
        let dense = layer(OpKind::Dense, &[4, 3], Geometry::default());
        assert_eq!(dense.with_override(&fixed, false), dense);
        assert_eq!(dense.with_override(&fixed, true).op, OpKind::Conv2d);
        let conv = layer(OpKind::Conv2d, &[4, 3, 3, 3], Geometry::default()).with_override(&fixed, false);
        assert_eq!((conv.geometry.input, conv.geometry_source), ([6, 6], GeometrySource::Given));
    }
}
