//! The steering rack as data: which features are turned, how far, and where.

use plumb_steer::intervene::{Action, GateRule, Intervention, Target, Tier, Unit};
use serde::{Deserialize, Serialize};

/// What is done with a feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Move the stream along it.
    #[default]
    Add,
    /// Take its part out.
    Ablate,
    /// Set its activation.
    Clamp,
    /// Multiply its activation.
    Scale,
}

impl Way {
    /// All, with name and meaning.
    pub const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Add, "Add", "Move the stream along the feature: negative suppresses, positive promotes"),
        (Self::Ablate, "Ablate", "Take the feature's own part out of the stream, wherever it fires"),
        (Self::Clamp, "Clamp", "Set the feature's activation to this many of its largest activations"),
        (Self::Scale, "Scale", "Multiply the feature's activation: 0 ablates, negative reverses"),
    ];

    /// Whether the slider does anything.
    pub fn has_strength(self) -> bool {
        self != Self::Ablate
    }
}

/// One feature in the rack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slot {
    /// Its number.
    pub feature: usize,
    /// How much, in its largest activations; a factor for [`Way::Scale`].
    pub strength: f32,
    /// Its largest activation on the index's corpus, where it is known.
    pub reference: Option<f32>,
    /// What is done.
    pub way: Way,
    /// The gate opens above this share of its largest activation.
    pub threshold: f32,
    /// Left out.
    pub muted: bool,
    /// While any is alone, only those are used.
    pub solo: bool,
}

impl Default for Slot {
    fn default() -> Self {
        Self { feature: 0, strength: START, reference: None, way: Way::Add, threshold: 0.0, muted: false, solo: false }
    }
}

/// Where a new slot stands: one largest activation taken away.
pub const START: f32 = -1.0;

/// Farthest a slider goes, in largest activations.
pub const MOST: f32 = 20.0;

/// Where the rack acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Where {
    /// Everywhere.
    #[default]
    Constant,
    /// Where the prompt opens the gate.
    PerInput,
    /// Where the feature fires.
    PerToken,
}

impl Where {
    /// All, with name and meaning.
    pub const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Constant, "Constant", "At every position of prompt and continuation: strongest, and costs most"),
        (
            Self::PerInput,
            "Per input",
            "Decided once on the prompt: if a feature fires in it, the whole continuation is steered",
        ),
        (Self::PerToken, "Per token", "Only at positions where the feature fires: gentlest"),
    ];
}

/// Everything that is turned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rack {
    /// The features.
    pub slots: Vec<Slot>,
    /// Where they act.
    pub place: Where,
    /// Per input: change the prompt's positions too.
    pub steer_prompt: bool,
    /// Per input: a feature that fires in the continuation opens its gate from there on.
    pub latch: bool,
    /// How gates of several features work together.
    pub gates: GateRule,
    /// Share the strength: each feature gets 1 / number of features.
    pub shared: bool,
}

impl Rack {
    /// Whether a feature is in it.
    pub fn holds(&self, feature: usize) -> bool {
        self.slots.iter().any(|slot| slot.feature == feature)
    }

    /// Whether a slot is used.
    pub fn is_used(&self, slot: &Slot) -> bool {
        let alone = self.slots.iter().any(|slot| slot.solo);
        !slot.muted && (!alone || slot.solo)
    }

    /// The tier, as the engine takes it.
    pub fn tier(&self) -> Tier {
        match self.place {
            Where::Constant => Tier::Constant,
            Where::PerInput => Tier::PerInput { steer_prompt: self.steer_prompt, latch: self.latch },
            Where::PerToken => Tier::PerToken,
        }
    }

    /// Take over a tier.
    pub fn set_tier(&mut self, tier: Tier) {
        match tier {
            Tier::Constant => self.place = Where::Constant,
            Tier::PerToken => self.place = Where::PerToken,
            Tier::PerInput { steer_prompt, latch } => {
                self.place = Where::PerInput;
                (self.steer_prompt, self.latch) = (steer_prompt, latch);
            }
        }
    }

    /// What the engine is asked to do. Slots that are muted, or not alone while others are, stay in the list as muted.
    pub fn intervention(&self) -> Intervention {
        let used = self.slots.iter().filter(|slot| self.is_used(slot)).count().max(1);
        let targets = self.slots.iter().map(|slot| {
            let reference = slot.reference.filter(|reference| *reference > 0.0);
            let one = reference.unwrap_or(1.0);
            let unit = if reference.is_some() { Unit::MaxAct } else { Unit::Raw };
            let action = match slot.way {
                Way::Add => Action::Add { strength: slot.strength, unit },
                Way::Ablate => Action::Ablate,
                Way::Clamp => Action::Clamp { value: slot.strength * one },
                Way::Scale => Action::Scale { factor: slot.strength },
            };
            let mut target = Target::new(slot.feature, action, reference);
            target.threshold = slot.threshold * one;
            target.muted = !self.is_used(slot) || (slot.way == Way::Add && slot.strength == 0.0);
            if self.shared {
                target.weight = 1.0 / used as f32;
            }
            target
        });
        Intervention { targets: targets.collect(), tier: self.tier(), gates: self.gates, include_bos: false }
    }

    /// The rack that an intervention stands for, as far as a rack can say it.
    pub fn from_intervention(intervention: &Intervention) -> Self {
        let slots = intervention.targets.iter().map(|target| {
            let one = target.reference.filter(|reference| *reference > 0.0).unwrap_or(1.0);
            let (way, strength) = match target.action {
                Action::Add { strength, unit: Unit::MaxAct } => (Way::Add, strength),
                Action::Add { strength, .. } => (Way::Add, strength / one),
                Action::Clamp { value } => (Way::Clamp, value / one),
                Action::Scale { factor } => (Way::Scale, factor),
                _ => (Way::Ablate, 0.0),
            };
            Slot {
                feature: target.feature,
                strength,
                reference: target.reference,
                way,
                threshold: target.threshold / one,
                muted: target.muted,
                solo: false,
            }
        });
        let mut rack = Self { slots: slots.collect(), gates: intervention.gates, ..Self::default() };
        rack.set_tier(intervention.tier);
        rack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(feature: usize, strength: f32) -> Slot {
        Slot { feature, strength, reference: Some(4.0), ..Slot::default() }
    }

    #[test]
    fn solo_silences_the_others_and_mute_wins() {
        let mut rack = Rack { slots: vec![slot(1, -1.0), slot(2, 2.0)], ..Rack::default() };
        let muted = |rack: &Rack| rack.intervention().targets.iter().map(|target| target.muted).collect::<Vec<_>>();
        assert_eq!(muted(&rack), [false, false]);
        rack.slots[1].solo = true;
        assert_eq!(muted(&rack), [true, false]);
        rack.slots[1].muted = true;
        assert_eq!(muted(&rack), [true, true]);
    }

    #[test]
    fn an_intervention_and_back() {
        let mut rack = Rack { slots: vec![slot(1, -1.0), slot(2, 2.0)], place: Where::PerInput, ..Rack::default() };
        rack.slots[0].way = Way::Clamp;
        rack.slots[0].threshold = 0.5;
        rack.latch = true;
        let intervention = rack.intervention();
        assert_eq!(intervention.targets[0].action, Action::Clamp { value: -4.0 });
        assert_eq!(intervention.targets[0].threshold, 2.0);
        assert_eq!(Rack::from_intervention(&intervention), rack);
    }

    #[test]
    fn without_a_known_maximum_strength_is_a_length() {
        let rack = Rack { slots: vec![Slot { reference: None, ..slot(1, 3.0) }], ..Rack::default() };
        assert_eq!(rack.intervention().targets[0].action, Action::Add { strength: 3.0, unit: Unit::Raw });
    }
}
