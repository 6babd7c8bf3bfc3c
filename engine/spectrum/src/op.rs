//! Linear maps that are applied but never formed.

/// A linear map `M: R^n → R^m` given by what it does.
///
/// Vectors come in batches: a slice of `batch * input_len()` numbers, one vector after the other. Convolutions
/// read each vector as (channels, height, width) in row-major order.
pub trait LinearOp<T>: Send + Sync {
    /// Shape of one input, for example `[channels, height, width]`.
    fn input_shape(&self) -> &[usize];
    /// Shape of one output.
    fn output_shape(&self) -> &[usize];
    /// `y = M x` for every vector of the batch.
    fn apply(&self, x: &[T], batch: usize, y: &mut [T]);
    /// `x = Mᵀ y` for every vector of the batch.
    fn adjoint(&self, y: &[T], batch: usize, x: &mut [T]);

    /// Numbers in one input.
    fn input_len(&self) -> usize {
        self.input_shape().iter().product()
    }
    /// Numbers in one output.
    fn output_len(&self) -> usize {
        self.output_shape().iter().product()
    }
}
