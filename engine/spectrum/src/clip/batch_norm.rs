//! Batch norm in eval mode: a diagonal map, clipped by clamping γ (Gouk et al. 2021).

/// `‖BN‖ = max_i |γ_i| / sqrt(variance_i + eps)`.
pub fn norm(gamma: &[f64], variance: &[f64], eps: f64) -> f64 {
    scale(gamma, variance, eps).iter().fold(0.0, |top: f64, s| top.max(s.abs()))
}

/// The diagonal: `γ_i / sqrt(variance_i + eps)`.
pub fn scale(gamma: &[f64], variance: &[f64], eps: f64) -> Vec<f64> {
    gamma.iter().zip(variance).map(|(g, v)| g / (v + eps).sqrt()).collect()
}

/// γ clamped to ±`to` · sqrt(variance + eps), so that no channel is stretched by more than `to`.
pub fn clamp(gamma: &[f64], variance: &[f64], eps: f64, to: f64) -> Vec<f64> {
    gamma
        .iter()
        .zip(variance)
        .map(|(g, v)| {
            let most = to * (v + eps).sqrt();
            g.clamp(-most, most)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamping_brings_the_norm_to_the_target_and_keeps_the_rest() {
        let (gamma, variance) = ([0.1, 3.0, 0.1, -0.1], [4.0, 0.25, 1.0, 9.0]);
        assert!((norm(&gamma, &variance, 1e-5) - 6.0).abs() < 1e-3, "3 / 0.5");
        let clamped = clamp(&gamma, &variance, 1e-5, 1.0);
        assert!((norm(&clamped, &variance, 1e-5) - 1.0).abs() < 1e-12);
        assert_eq!(clamped[0], gamma[0]);
        assert_eq!(clamped[3], gamma[3]);
    }
}
