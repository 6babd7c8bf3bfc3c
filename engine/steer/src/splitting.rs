//! Feature splitting: in wider SAEs one concept is spread over several features, each of which fires on a part of it.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::sae::Sae;
use crate::{Result, SteerError};

/// How a concept is spread over the features of one SAE.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Features of the SAE.
    pub width: usize,
    /// Positions where the concept occurs.
    pub positions: usize,
    /// The candidate that fires at most of them.
    pub best: Option<usize>,
    /// The share of positions where it fires: `coverage_1`.
    pub coverage_1: f64,
    /// Candidates that together fire at the wanted share of positions, in the order in which each adds most. Greedy, so at
    /// most a factor of ln(positions) larger than the smallest group.
    pub group: Vec<usize>,
    /// The share of positions where any of the group fires; below the wanted share where all candidates are too few.
    pub coverage: f64,
}

/// `z` `[T, m]` are activations at positions where the concept occurs. `candidates` are features that do not fire
/// everywhere (see [`Filters`](crate::find::Filters)): those that do would cover any concept.
pub fn split(z: &Tensor, candidates: &[usize], wanted: f64) -> Result<Split> {
    let (positions, width) = z.dims2()?;
    if let Some(&feature) = candidates.iter().find(|feature| **feature >= width) {
        return Err(SteerError::NoFeature { feature, features: width });
    }
    let rows = z.to_vec2::<f32>()?;
    let fires = |feature: usize, t: usize| rows[t][feature] > 0.0;
    let mut open: Vec<usize> = (0..positions).collect();
    let mut found = Split { width, positions, ..Split::default() };
    let share = |open: &[usize]| if positions == 0 { 0.0 } else { 1.0 - open.len() as f64 / positions as f64 };
    while share(&open) < wanted {
        let gain = |feature: usize| open.iter().filter(|&&t| fires(feature, t)).count();
        let gains = candidates.iter().map(|&feature| (gain(feature), feature));
        // Of equal ones the first.
        let Some((gain, feature)) = gains.max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1))) else { break };
        if gain == 0 {
            break;
        }
        if found.best.is_none() {
            found.best = Some(feature);
            found.coverage_1 = gain as f64 / positions as f64;
        }
        found.group.push(feature);
        open.retain(|&t| !fires(feature, t));
    }
    found.coverage = share(&open);
    Ok(found)
}

/// Features of `sae` whose decoder vectors have a cosine above `least` (0.7 in the specification) with `direction`, most
/// similar first.
pub fn children(sae: &Sae, direction: &[f32], least: f32) -> Result<Vec<(usize, f32)>> {
    if direction.len() != sae.config.d_in {
        return Err(SteerError::Width { expected: sae.config.d_in, found: direction.len() });
    }
    let norm = direction.iter().map(|x| x * x).sum::<f32>().sqrt();
    let vector = Tensor::from_slice(direction, (direction.len(), 1), sae.device())?;
    let along = sae.w_dec().matmul(&vector)?.squeeze(1)?.to_vec1::<f32>()?;
    let norms = sae.decoder_norms()?.to_vec1::<f32>()?;
    let cosines = along.iter().zip(norms).map(|(along, length)| along / (length * norm));
    let mut found: Vec<(usize, f32)> = cosines.enumerate().filter(|(_, cosine)| *cosine > least).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::sae::Architecture;
    use crate::sae::tests::known;

    #[test]
    fn a_narrow_feature_and_its_parts() {
        // Feature 0 fires everywhere, 1 and 2 at halves, 3 at one position.
        let rows: Vec<f32> = (0..10)
            .flat_map(|t| {
                [1.0, f32::from(u8::from(t < 5)), f32::from(u8::from((5..9).contains(&t))), f32::from(u8::from(t == 9))]
            })
            .collect();
        let z = Tensor::from_vec(rows, (10, 4), &Device::Cpu).unwrap();
        let narrow = split(&z, &[0, 1, 2, 3], 0.9).unwrap();
        assert_eq!((narrow.best, narrow.coverage_1, narrow.group), (Some(0), 1.0, vec![0]));
        let wide = split(&z, &[1, 2, 3], 0.9).unwrap();
        assert_eq!((wide.best, wide.coverage_1, wide.group.clone()), (Some(1), 0.5, vec![1, 2]));
        assert!((wide.coverage - 0.9).abs() < 1e-12);
        assert_eq!(split(&z, &[1, 2, 3], 1.0).unwrap().group, [1, 2, 3]);
        assert!((split(&z, &[3], 0.9).unwrap().coverage - 0.1).abs() < 1e-12, "says what it reaches");
        assert!(split(&z, &[9], 0.9).is_err());
    }

    #[test]
    fn children_point_the_same_way() {
        let sae = known(Architecture::Standard, true);
        let found = children(&sae, &[0.0, 5.0, 0.0], 0.7).unwrap();
        assert_eq!(found.iter().map(|(j, _)| *j).collect::<Vec<_>>(), [1, 2]);
        assert!(children(&sae, &[1.0], 0.7).is_err());
    }
}
