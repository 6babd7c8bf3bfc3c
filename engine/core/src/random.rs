//! The one seeded generator: same seed and stream name, same numbers, on every machine.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

/// A reproducible stream of random numbers (ChaCha8).
#[derive(Clone, Debug)]
pub struct Random {
    inner: ChaCha8Rng,
    spare_normal: Option<f64>,
}

impl Random {
    /// The stream called `stream` of `seed`. Different names give independent streams, so that adding a
    /// random step somewhere does not change the numbers drawn elsewhere.
    pub fn new(seed: u64, stream: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(stream.as_bytes());
        Self { inner: ChaCha8Rng::from_seed(hash.finalize().into()), spare_normal: None }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.inner.next_u64()
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform integer in 0..n, without bias. `n` must not be zero.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        let limit = u64::MAX - u64::MAX % n;
        loop {
            let bits = self.bits();
            if bits < limit {
                return (bits % n) as usize;
            }
        }
    }

    /// Standard normal (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        loop {
            let u = 2.0 * self.uniform() - 1.0;
            let v = 2.0 * self.uniform() - 1.0;
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                let scale = (-2.0 * s.ln() / s).sqrt();
                self.spare_normal = Some(v * scale);
                return u * scale;
            }
        }
    }

    /// Shuffle in place (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_bytes() {
        let draw = || {
            let mut random = Random::new(7, "a");
            (0..100).flat_map(|_| random.normal().to_le_bytes()).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw(), "a stream must repeat");
        assert_ne!(Random::new(7, "a").bits(), Random::new(7, "b").bits(), "streams differ by name");
        assert_ne!(Random::new(7, "a").bits(), Random::new(8, "a").bits(), "streams differ by seed");
    }

    #[test]
    fn normal_has_unit_variance() {
        let mut random = Random::new(1, "normal");
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "mean {mean}, variance {variance}");
    }
}
