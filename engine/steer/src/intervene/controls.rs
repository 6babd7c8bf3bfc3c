//! Directions that should *not* work: without them a success says nothing.

use plumb_core::random::Random;

use crate::sae::dot;
use crate::{Result, SteerError};

/// A random direction on the sphere of radius `norm`.
pub fn random_direction(width: usize, norm: f32, random: &mut Random) -> Vec<f32> {
    let draw: Vec<f32> = (0..width).map(|_| random.normal() as f32).collect();
    scaled(draw, norm)
}

/// As [`random_direction`], with nothing left along `direction`.
pub fn orthogonal_direction(direction: &[f32], norm: f32, random: &mut Random) -> Result<Vec<f32>> {
    let own = dot(direction, direction);
    if own == 0.0 || direction.len() < 2 {
        return Err(SteerError::Spec("a direction of length zero or width one has no orthogonal control".to_owned()));
    }
    let mut draw = random_direction(direction.len(), 1.0, random);
    // Twice, because the first pass leaves rounding behind.
    for _ in 0..2 {
        let along = dot(&draw, direction) / own;
        draw.iter_mut().zip(direction).for_each(|(x, d)| *x -= along * d);
    }
    Ok(scaled(draw, norm))
}

/// `mean(x | first) − mean(x | second)`, the supervised baseline, from rows that come in pieces.
#[derive(Clone, Debug)]
pub struct MeanDifference {
    sums: [Vec<f64>; 2],
    rows: [u64; 2],
}

impl MeanDifference {
    /// For a stream of this width.
    pub fn new(width: usize) -> Self {
        Self { sums: [vec![0.0; width], vec![0.0; width]], rows: [0; 2] }
    }

    /// Adds rows of the first or the second kind, one after the other.
    pub fn push(&mut self, second: bool, rows: &[f32]) {
        let kind = usize::from(second);
        for row in rows.chunks_exact(self.sums[kind].len().max(1)) {
            self.sums[kind].iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
            self.rows[kind] += 1;
        }
    }

    /// The difference; a kind without rows counts as zero.
    pub fn difference(&self) -> Vec<f32> {
        let [n1, n2] = self.rows.map(|rows| rows.max(1) as f64);
        self.sums[0].iter().zip(&self.sums[1]).map(|(a, b)| (a / n1 - b / n2) as f32).collect()
    }
}

fn scaled(mut vector: Vec<f32>, norm: f32) -> Vec<f32> {
    let factor = norm / dot(&vector, &vector).sqrt().max(f32::MIN_POSITIVE);
    for x in &mut vector {
        *x *= factor;
    }
    vector
}
