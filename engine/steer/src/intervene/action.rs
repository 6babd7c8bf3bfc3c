//! What is done to one residual vector.

use serde::{Deserialize, Serialize};

use super::Prepared;
use crate::sae::{dot, length};
use crate::{Result, SteerError};

/// What a strength of 1 means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// The largest activation `A_j` on the reference corpus, along the unit decoder vector.
    #[default]
    MaxAct,
    /// Length 1 along the unit decoder vector.
    Raw,
    /// One decoder vector, at the length it has.
    RawUnnormalised,
    /// The length of the residual vector at hand.
    ResidNorm,
}

/// What is done along a direction. `d` is the direction, `u = d / ‖d‖`, `z` the feature's activation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// `x + strength · unit`: negative suppresses, positive promotes.
    Add {
        /// How much, in units.
        strength: f32,
        /// The unit.
        #[serde(default)]
        unit: Unit,
    },
    /// `x − z d`: the feature's part goes, the SAE's error stays.
    Ablate,
    /// `x + (value − z) d`.
    Clamp {
        /// The activation it is set to.
        value: f32,
    },
    /// `x + (factor − 1) z d`: 0 ablates, negative reverses.
    Scale {
        /// What the activation is multiplied with.
        factor: f32,
    },
    /// `x − (x·u) u`; needs no activation.
    ProjectOut,
    /// `(I − P) x + coefficient · P x` with `P = d dᵀ / ‖d‖²`.
    Orthogonal {
        /// What remains of the part along `d`.
        coefficient: f32,
    },
    /// `x·u` brought between two bounds.
    Cap {
        /// Lowest `x·u`, if any.
        #[serde(default)]
        min: Option<f32>,
        /// Highest `x·u`, if any.
        #[serde(default)]
        max: Option<f32>,
    },
}

impl Action {
    pub(super) fn check(&self) -> Result<()> {
        let numbers = match self {
            Self::Add { strength, .. } => vec![*strength],
            Self::Clamp { value } => vec![*value],
            Self::Scale { factor } => vec![*factor],
            Self::Orthogonal { coefficient } => vec![*coefficient],
            Self::Cap { min, max } => {
                if min.zip(*max).is_some_and(|(min, max)| min > max) {
                    return Err(SteerError::Spec("a cap's lower bound is above its upper bound: swap them".to_owned()));
                }
                min.iter().chain(max).copied().collect()
            }
            Self::Ablate | Self::ProjectOut => Vec::new(),
        };
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(())
        } else {
            Err(SteerError::Spec("a strength is not a number: type one".to_owned()))
        }
    }
}

/// A change of `delta` along a direction, in every unit a strength can have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Strengths {
    /// Length of the change.
    pub raw: f32,
    /// In decoder vectors.
    pub decoder_vectors: f32,
    /// In largest activations, where `A_j` is known.
    pub max_act: Option<f32>,
    /// As a share of the residual's length, where that is known.
    pub share_of_resid: Option<f32>,
}

/// The strength `strength` of unit `unit` in the other units.
pub fn strengths(
    strength: f32,
    unit: Unit,
    decoder_norm: f32,
    reference: Option<f32>,
    resid_norm: Option<f32>,
) -> Option<Strengths> {
    let raw = strength
        * match unit {
            Unit::Raw => 1.0,
            Unit::RawUnnormalised => decoder_norm,
            Unit::MaxAct => reference?,
            Unit::ResidNorm => resid_norm?,
        };
    Some(Strengths {
        raw,
        decoder_vectors: raw / decoder_norm,
        max_act: reference.map(|reference| raw / reference),
        share_of_resid: resid_norm.map(|norm| raw / norm),
    })
}

pub(super) fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
}

fn add(row: &mut [f32], factor: f32, direction: &[f32]) {
    row.iter_mut().zip(direction).for_each(|(x, d)| *x += factor * d);
}

/// Applies the open targets to `row`, which begins as a copy of the unsteered `old`. An activation of 1 adds `scale`
/// times the decoder vector to the stream, because decoding undoes the normalisation of the input.
pub(super) fn steer(targets: &[Prepared], open: &[bool], z: &[f32], scale: f32, old: &[f32], row: &mut [f32]) {
    let open_targets = || targets.iter().zip(z).zip(open).filter(|(_, open)| **open).map(|(target, _)| target);
    for (target, &z) in open_targets() {
        let factor = match target.action {
            Action::Add { strength, unit } => {
                strength
                    * match unit {
                        Unit::MaxAct => target.reference / target.norm,
                        Unit::Raw => 1.0 / target.norm,
                        Unit::RawUnnormalised => 1.0,
                        Unit::ResidNorm => length(old) / target.norm,
                    }
            }
            Action::Ablate => -z * scale,
            Action::Clamp { value } => (value - z) * scale,
            Action::Scale { factor } => (factor - 1.0) * z * scale,
            Action::ProjectOut | Action::Orthogonal { .. } | Action::Cap { .. } => continue,
        };
        add(row, target.weight * factor, &target.direction);
    }
    for (target, _) in open_targets() {
        let along = dot(row, &target.direction) / target.norm;
        let wanted = match target.action {
            Action::ProjectOut => 0.0,
            Action::Orthogonal { coefficient } => coefficient * along,
            Action::Cap { min, max } => along.max(min.unwrap_or(f32::NEG_INFINITY)).min(max.unwrap_or(f32::INFINITY)),
            _ => continue,
        };
        if wanted != along {
            add(row, target.weight * (wanted - along) / target.norm, &target.direction);
        }
    }
}
