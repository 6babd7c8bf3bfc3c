//! The two float types everything here is computed in.

use faer::traits::RealField;

/// `f32` or `f64`.
pub trait Real: RealField + Copy + Default + Send + Sync + std::iter::Sum + 'static {
    /// The nearest number of this type.
    fn of(value: f64) -> Self;
    /// As a 64-bit float.
    fn double(self) -> f64;
    /// Distance from 1 to the next larger number.
    const EPSILON: f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as Self
    }
    fn double(self) -> f64 {
        f64::from(self)
    }
    const EPSILON: f64 = f32::EPSILON as f64;
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn double(self) -> f64 {
        self
    }
    const EPSILON: f64 = Self::EPSILON;
}
