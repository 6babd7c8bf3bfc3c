//! Changing the residual stream: what is done, at which positions, and a record of both.
//!
//! An intervention is a list of targets, each a direction with an action, and a tier that says where it acts. All
//! gates are evaluated on the *unsteered* stream. Additions, ablations, clamps and scalings of all open targets are
//! summed, computed from the unsteered vector; projections (out, orthogonal, cap) are then applied one after the other.

mod action;
pub mod controls;
mod hook;
mod trace;

use serde::{Deserialize, Serialize};

use crate::sae::{Sae, Subset};
use crate::{Result, SteerError};

pub use action::{Action, Strengths, Unit, strengths};
pub use hook::{ReconstructionHook, SteeringHook};
pub use trace::{Trace, TraceRow};

/// Where an intervention acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Everywhere in prompt and continuation.
    #[default]
    Constant,
    /// Decided once, on the prompt: if the feature fires anywhere in it, from the first generated token on.
    PerInput {
        /// Change the prompt's positions too.
        #[serde(default)]
        steer_prompt: bool,
        /// A feature that fires in a generated token opens the gate too, for this position and all later ones.
        #[serde(default)]
        latch: bool,
    },
    /// Only where the feature fires.
    PerToken,
}

/// How the gates of several targets work together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateRule {
    /// Every target has its own.
    #[default]
    Independent,
    /// One open gate opens all.
    Any,
    /// All open or none.
    All,
}

/// One direction and what is done along it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The feature whose activation is watched (gates, ablation, clamping) and, without `direction`, whose decoder
    /// vector is the direction.
    pub feature: usize,
    /// Another direction, `d` numbers: a control or a vector of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Vec<f32>>,
    /// What is done.
    pub action: Action,
    /// Share of the whole: 1, or 1 / number of targets.
    #[serde(default = "one")]
    pub weight: f32,
    /// The gate opens above this activation.
    #[serde(default)]
    pub threshold: f32,
    /// `A_j`, the largest activation on a reference corpus; needed by [`Unit::MaxAct`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<f32>,
    /// Left out.
    #[serde(default)]
    pub muted: bool,
}

fn one() -> f32 {
    1.0
}

impl Target {
    /// Suppress (negative strength) or promote a feature.
    pub fn add(feature: usize, strength: f32, unit: Unit, reference: Option<f32>) -> Self {
        Self::new(feature, Action::Add { strength, unit }, reference)
    }

    /// Any action on a feature, with weight 1 and threshold 0.
    pub fn new(feature: usize, action: Action, reference: Option<f32>) -> Self {
        Self { feature, direction: None, action, weight: 1.0, threshold: 0.0, reference, muted: false }
    }
}

/// What is done to the stream, serialisable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Intervention {
    /// The directions.
    pub targets: Vec<Target>,
    /// Where.
    pub tier: Tier,
    /// Gates of several targets.
    pub gates: GateRule,
    /// Also watch and change the BOS token at the beginning. Its activations are huge, so it is left out by default.
    pub include_bos: bool,
}

/// A target with everything that the loop over tokens needs.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) action: Action,
    pub(crate) weight: f32,
    threshold: f32,
    pub(crate) reference: f32,
    pub(crate) direction: Vec<f32>,
    /// Its length.
    pub(crate) norm: f32,
}

/// An intervention at work on one sequence. Feed it the stream in order of positions.
#[derive(Clone, Debug)]
pub struct Steering {
    subset: Subset,
    targets: Vec<Prepared>,
    tier: Tier,
    gates: GateRule,
    include_bos: bool,
    bos: Option<u32>,
    /// Positions before it are not steered, as is BOS.
    first_position: usize,
    width: usize,
    prompt: usize,
    /// Per-input gates, one per target.
    open: Vec<bool>,
    seen: usize,
    trace: Trace,
}

impl Steering {
    /// For a sequence whose prompt has `prompt` tokens. `bos` is the model's BOS token.
    pub fn new(intervention: &Intervention, sae: &Sae, bos: Option<u32>, prompt: usize) -> Result<Self> {
        let width = sae.config.d_in;
        let active: Vec<&Target> = intervention.targets.iter().filter(|target| !target.muted).collect();
        let features: Vec<usize> = active.iter().map(|target| target.feature).collect();
        let mut targets = Vec::new();
        for target in &active {
            sae.check_feature(target.feature)?;
            let direction = match &target.direction {
                Some(direction) if direction.len() != width => {
                    return Err(SteerError::Width { expected: width, found: direction.len() });
                }
                Some(direction) => direction.clone(),
                None => sae.contribution(target.feature)?,
            };
            let norm = direction.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32;
            if !(norm.is_finite() && norm > 0.0) {
                return Err(SteerError::Spec(format!(
                    "the direction of feature {} has length {norm}: nothing can be moved along it",
                    target.feature
                )));
            }
            let reference = match (&target.action, target.reference) {
                (Action::Add { unit: Unit::MaxAct, .. }, None) => {
                    return Err(SteerError::Spec(format!(
                        "the strength of feature {} is given in largest activations and its largest activation is not known: build a feature index, or give the strength in another unit",
                        target.feature
                    )));
                }
                (_, reference) => reference.unwrap_or(1.0),
            };
            target.action.check()?;
            let (action, weight, threshold) = (target.action.clone(), target.weight, target.threshold);
            targets.push(Prepared { action, weight, threshold, reference, direction, norm });
        }
        Ok(Self {
            subset: sae.subset(&features)?,
            open: vec![false; targets.len()],
            targets,
            tier: intervention.tier,
            gates: intervention.gates,
            include_bos: intervention.include_bos,
            bos,
            first_position: sae.config.first_position(),
            width,
            prompt,
            seen: 0,
            trace: Trace::new(features),
        })
    }

    /// The record so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The record, at the end.
    pub fn into_trace(self) -> Trace {
        self.trace
    }

    /// Steer the rows of `x` (`T · d` numbers) that belong to `tokens` from position `first` on. `None`: nothing is
    /// changed, bit for bit. Fails when positions are left out or come twice, so that none goes unsteered unseen.
    pub fn apply(&mut self, first: usize, tokens: &[u32], x: &[f32]) -> Result<Option<Vec<f32>>> {
        if first != self.seen {
            return Err(SteerError::Spec(format!(
                "steering was asked for position {first} after {} positions: the positions must come in order, each once",
                self.seen
            )));
        }
        if x.len() != tokens.len() * self.width {
            return Err(SteerError::Width { expected: self.width, found: x.len() / tokens.len().max(1) });
        }
        self.seen += tokens.len();
        if self.targets.is_empty() {
            return Ok(None);
        }
        let z = self.subset.encode(x)?;
        let count = self.targets.len();
        let (include_bos, bos) = (self.include_bos, self.bos);
        let from = self.first_position;
        let free = |t: usize| include_bos || first + t >= from && (first + t > 0 || bos != Some(tokens[t]));
        self.open_input_gates(first, &z, &free)?;
        let mut changed: Option<Vec<f32>> = None;
        let mut open = vec![false; count];
        for t in 0..tokens.len() {
            let (position, z) = (first + t, &z[t * count..(t + 1) * count]);
            let acts = free(t) && self.acts_at(position, z, &mut open);
            if !acts {
                open.fill(false);
            }
            let old = &x[t * self.width..(t + 1) * self.width];
            let mut moved = 0.0;
            if open.contains(&true) {
                let new = changed.get_or_insert_with(|| x.to_vec());
                let row = &mut new[t * self.width..(t + 1) * self.width];
                action::steer(&self.targets, &open, z, self.subset.scale(old), old, row);
                moved = action::distance(old, row);
            }
            self.trace.push(TraceRow {
                position,
                token: tokens[t],
                activations: z.to_vec(),
                open: open.clone(),
                delta_norm: moved,
                resid_norm: crate::sae::length(old),
            });
        }
        Ok(changed)
    }

    /// The per-input decision, which looks at the prompt before anything is changed.
    fn open_input_gates(&mut self, first: usize, z: &[f32], free: &dyn Fn(usize) -> bool) -> Result<()> {
        let Tier::PerInput { steer_prompt, .. } = self.tier else { return Ok(()) };
        let count = self.targets.len();
        let rows = z.len() / count;
        if steer_prompt && first < self.prompt && (first > 0 || rows < self.prompt) {
            return Err(SteerError::Spec(
                "per-input steering that changes the prompt needs the whole prompt in one forward pass".to_owned(),
            ));
        }
        for t in (0..rows).filter(|&t| first + t < self.prompt && free(t)) {
            for (j, target) in self.targets.iter().enumerate() {
                self.open[j] |= z[t * count + j] > target.threshold;
            }
        }
        Ok(())
    }

    /// Sets `open` for one position by tier and rule; says whether anything is to be done there.
    fn acts_at(&mut self, position: usize, z: &[f32], open: &mut [bool]) -> bool {
        let fires = |j: usize| z[j] > self.targets[j].threshold;
        match self.tier {
            Tier::Constant => {
                open.fill(true);
                return true;
            }
            Tier::PerToken => {
                for (j, open) in open.iter_mut().enumerate() {
                    *open = fires(j);
                }
            }
            Tier::PerInput { steer_prompt, latch } => {
                if position < self.prompt && !steer_prompt {
                    return false;
                }
                if latch && position >= self.prompt {
                    for ((open, z), target) in self.open.iter_mut().zip(z).zip(&self.targets) {
                        *open |= *z > target.threshold;
                    }
                }
                open.copy_from_slice(&self.open);
            }
        }
        match self.gates {
            GateRule::Any if open.contains(&true) => open.fill(true),
            GateRule::All if open.contains(&false) => open.fill(false),
            _ => {}
        }
        open.contains(&true)
    }
}

#[cfg(test)]
mod tests;
