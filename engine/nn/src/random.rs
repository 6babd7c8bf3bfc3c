//! Seeded tensors. Candle's own generator cannot be seeded on the CPU, so all numbers come from
//! [`plumb_core::random`] and are the same on every device.

use candle_core::{DType, Device, Result, Shape, Tensor};
use plumb_core::random::Random;

fn filled(shape: Shape, dtype: DType, device: &Device, mut draw: impl FnMut() -> f64) -> Result<Tensor> {
    let values: Vec<f64> = (0..shape.elem_count()).map(|_| draw()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)
}

/// Uniform in [low, high).
pub fn uniform(
    random: &mut Random,
    low: f64,
    high: f64,
    shape: impl Into<Shape>,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    filled(shape.into(), dtype, device, || low + (high - low) * random.uniform())
}

/// Normal with the given mean and standard deviation.
pub fn normal(
    random: &mut Random,
    mean: f64,
    deviation: f64,
    shape: impl Into<Shape>,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    filled(shape.into(), dtype, device, || mean + deviation * random.normal())
}

/// PyTorch's default for the weights *and* biases of linear layers and convolutions: uniform in
/// ±1/√fan_in (He's uniform rule with a = √5).
pub fn kaiming_uniform(
    random: &mut Random,
    fan_in: usize,
    shape: impl Into<Shape>,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
    uniform(random, -bound, bound, shape, dtype, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_stream_same_tensor_within_bounds() -> Result<()> {
        let draw = || kaiming_uniform(&mut Random::new(3, "weights"), 27, (4, 3, 3, 3), DType::F32, &Device::Cpu);
        let (a, b) = (draw()?.flatten_all()?.to_vec1::<f32>()?, draw()?.flatten_all()?.to_vec1::<f32>()?);
        assert_eq!(a, b);
        let bound = 1.0 / 27_f32.sqrt();
        assert!(a.iter().all(|x| x.abs() <= bound) && a.iter().any(|x| x.abs() > 0.8 * bound));
        Ok(())
    }
}
