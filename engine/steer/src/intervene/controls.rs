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

/// `mean(x | first) − mean(x | second)`, the supervised baseline. Rows of `width` numbers.
pub fn difference_of_means(first: &[f32], second: &[f32], width: usize) -> Result<Vec<f32>> {
    if width == 0 || first.is_empty() || second.is_empty() {
        return Err(SteerError::Spec("a difference of means needs residual vectors of both kinds".to_owned()));
    }
    let mean = |rows: &[f32]| {
        let mut sum = vec![0f64; width];
        for row in rows.chunks_exact(width) {
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        let count = (rows.len() / width) as f64;
        sum.into_iter().map(move |sum| sum / count).collect::<Vec<f64>>()
    };
    Ok(mean(first).into_iter().zip(mean(second)).map(|(a, b)| (a - b) as f32).collect())
}

fn scaled(mut vector: Vec<f32>, norm: f32) -> Vec<f32> {
    let factor = norm / dot(&vector, &vector).sqrt().max(f32::MIN_POSITIVE);
    for x in &mut vector {
        *x *= factor;
    }
    vector
}
