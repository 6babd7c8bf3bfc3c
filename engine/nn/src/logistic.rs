//! The logistic curve, and probabilities that mean what they say.

use crate::lbfgs::minimise;

/// `1 / (1 + e^−z)`.
pub fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// `ln(1 + e^z)` without overflow.
pub fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

/// What turns a logit `z` into a calibrated probability `σ(slope·z + shift)`, `slope > 0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// One over the temperature.
    pub slope: f64,
    /// Added after it.
    pub shift: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { slope: 1.0, shift: 0.0 }
    }
}

impl Calibration {
    /// Platt's scaling (1999) on logits and observed shares that were not learnt from; the logarithm of the slope and the
    /// shift are lightly held near zero, so that a few items do not carry them away. No items: no change.
    pub fn fit(items: &[(f64, f64)]) -> Self {
        // The logarithm, so that the slope stays positive.
        let mut x = [0.0, 0.0];
        let objective = |x: &[f64], gradient: &mut [f64]| {
            let slope = x[0].exp();
            let mut value = 0.5 * (x[0] * x[0] + x[1] * x[1]);
            gradient.copy_from_slice(x);
            for (z, y) in items {
                let t = slope * z + x[1];
                value += softplus(t) - y * t;
                let d = sigmoid(t) - y;
                gradient[0] += d * slope * z;
                gradient[1] += d;
            }
            value
        };
        match minimise(&mut x, 50, 1e-6, objective, || Ok::<(), std::convert::Infallible>(())) {
            Ok(()) => Self { slope: x[0].exp(), shift: x[1] },
        }
    }

    /// The calibrated probability of a logit.
    pub fn probability(&self, z: f64) -> f64 {
        sigmoid(self.slope.mul_add(z, self.shift))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_at_its_ends() {
        assert_eq!((sigmoid(0.0), sigmoid(800.0), sigmoid(-800.0)), (0.5, 1.0, 0.0));
        assert_eq!((softplus(800.0), softplus(-800.0)), (800.0, 0.0));
    }

    #[test]
    fn overconfident_logits_are_damped() {
        // Logits three times what the observed shares say.
        let items: Vec<(f64, f64)> =
            (-300..300).map(|i| f64::from(i) / 100.0).map(|z| (3.0 * z, sigmoid(z + 0.5))).collect();
        let found = Calibration::fit(&items);
        assert!((found.slope - 1.0 / 3.0).abs() < 0.02 && (found.shift - 0.5).abs() < 0.05, "{found:?}");
        assert_eq!(Calibration::fit(&[]), Calibration::default());
    }
}
