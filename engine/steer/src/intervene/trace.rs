//! The record of an intervention: which positions were changed, by how much, and why.

use serde::{Deserialize, Serialize};

/// One position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceRow {
    /// Position in the sequence, from 0.
    pub position: usize,
    /// The token there.
    pub token: u32,
    /// Activation of each target's feature in the unsteered stream.
    pub activations: Vec<f32>,
    /// Whether each target acted here.
    pub open: Vec<bool>,
    /// Length of the change; 0 where nothing was done.
    pub delta_norm: f32,
    /// Length of the unsteered vector.
    pub resid_norm: f32,
}

impl TraceRow {
    /// Whether anything was done here.
    pub fn steered(&self) -> bool {
        self.open.contains(&true)
    }
}

/// All positions of a sequence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The targets' features, in the order of each row.
    pub features: Vec<usize>,
    /// One row per forward position.
    pub rows: Vec<TraceRow>,
}

impl Trace {
    pub(super) fn new(features: Vec<usize>) -> Self {
        Self { features, rows: Vec::new() }
    }

    pub(super) fn push(&mut self, row: TraceRow) {
        self.rows.push(row);
    }

    /// Positions where something was done.
    pub fn steered(&self) -> usize {
        self.rows.iter().filter(|row| row.steered()).count()
    }

    /// Mean of `‖Δ‖ / ‖x‖` over the steered positions; 0 without any.
    pub fn mean_share(&self) -> f32 {
        let shares: Vec<f32> =
            self.rows.iter().filter(|row| row.steered()).map(|row| row.delta_norm / row.resid_norm).collect();
        if shares.is_empty() { 0.0 } else { shares.iter().sum::<f32>() / shares.len() as f32 }
    }
}
