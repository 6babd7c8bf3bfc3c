//! Which cases get a panel: by budget, threshold or capacity, and a random audit of the others.

use std::collections::VecDeque;

use plumb_core::random::Random;
use serde::{Deserialize, Serialize};

use crate::model::Reason;

/// How the model's score turns into panels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// This share of cases, by the quantile of the last scores.
    Budget(f64),
    /// Every case above this score.
    Threshold(f64),
    /// As many as there are free seats; the caller says how many panels may open now.
    Capacity(f64),
    /// None by itself: moderators ask.
    Manual,
}

/// How cases are routed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Routing {
    /// By what.
    pub mode: Mode,
    /// Share of the other cases that get a panel at random: the only unbiased measure of what is missed.
    pub audit: f64,
    /// Scores that are remembered.
    pub window: usize,
    /// How far the quantile must move before the threshold follows.
    pub hysteresis: f64,
    /// Calibration error above which the model routes nothing.
    pub worst_calibration: f64,
}

impl Default for Routing {
    fn default() -> Self {
        Self { mode: Mode::Budget(0.3), audit: 0.03, window: 2000, hysteresis: 0.002, worst_calibration: 0.08 }
    }
}

/// The routing of one team, in the order its cases come.
#[derive(Clone, Debug)]
pub struct Router {
    routing: Routing,
    seed: u64,
    recent: VecDeque<f64>,
    sorted: Vec<f64>,
    threshold: Option<f64>,
}

impl Router {
    /// A router that has seen nothing yet.
    pub fn new(routing: Routing, seed: u64) -> Self {
        Self { routing, seed, recent: VecDeque::new(), sorted: Vec::new(), threshold: None }
    }

    /// The threshold now, where the mode has one.
    pub fn threshold(&self) -> Option<f64> {
        match self.routing.mode {
            Mode::Threshold(fixed) | Mode::Capacity(fixed) => Some(fixed),
            Mode::Budget(_) => self.threshold,
            Mode::Manual => None,
        }
    }

    /// Decide for the case called `case`: why it gets a panel, or `None` for one moderator. `calibration` is the
    /// model's error on votes it did not learn from, `free` how many panels the team can seat now.
    /// The audit depends on the seed and the case's name only, so it can be repeated.
    pub fn route(&mut self, case: &str, score: f64, calibration: f64, free: usize) -> Option<Reason> {
        let score = if score.is_finite() { score } else { 0.0 };
        self.remember(score);
        let trusted = calibration <= self.routing.worst_calibration;
        let above = self.threshold().is_some_and(|threshold| score > threshold);
        let room = free > 0 || !matches!(self.routing.mode, Mode::Capacity(_));
        if trusted && above && room {
            return Some(Reason::Model);
        }
        let drawn = Random::new(self.seed, &format!("audit {case}")).uniform() < self.routing.audit;
        drawn.then_some(Reason::Audit)
    }

    /// A score that was routed before, or is about to be: the window knows it.
    pub fn learn(&mut self, score: f64) {
        if score.is_finite() {
            self.remember(score);
        }
    }

    fn remember(&mut self, score: f64) {
        self.recent.push_back(score);
        let at = self.sorted.partition_point(|other| *other < score);
        self.sorted.insert(at, score);
        if self.recent.len() > self.routing.window.max(1)
            && let Some(old) = self.recent.pop_front()
        {
            let at = self.sorted.partition_point(|other| *other < old);
            self.sorted.remove(at);
        }
        if let Mode::Budget(share) = self.routing.mode {
            let at = ((1.0 - share.clamp(0.0, 1.0)) * self.sorted.len() as f64) as usize;
            // Everything is above less than nothing: a budget of one takes all.
            let quantile = if at == 0 { f64::NEG_INFINITY } else { self.sorted[at - 1] };
            let near = self.threshold.is_some_and(|now| (now - quantile).abs() < self.routing.hysteresis);
            if !near {
                self.threshold = Some(quantile);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_kept_and_follows_a_drift() {
        let mut router = Router::new(Routing { audit: 0.0, ..Routing::default() }, 1);
        let mut random = Random::new(3, "scores");
        for (start, scale) in [(0, 1.0), (1, 0.3)] {
            let sent = (0..10_000)
                .filter(|i| router.route(&format!("{start} {i}"), random.uniform() * scale, 0.0, 1).is_some());
            let share = sent.count() as f64 / 10_000.0;
            // After the scores shrink, the window needs its length to forget.
            assert!(share > 0.2 && share < 0.33, "{share}");
        }
    }

    #[test]
    fn a_badly_calibrated_model_routes_nothing_but_audits_go_on() {
        let mut router = Router::new(Routing { audit: 0.05, ..Routing::default() }, 1);
        let found: Vec<_> = (0..10_000).filter_map(|i| router.route(&i.to_string(), 0.5, 0.2, 1)).collect();
        assert!(found.iter().all(|reason| *reason == Reason::Audit));
        assert!((found.len() as f64 / 10_000.0 - 0.05).abs() < 0.01, "{}", found.len());
        let mut full = Router::new(Routing { mode: Mode::Capacity(0.1), audit: 0.0, ..Routing::default() }, 1);
        assert_eq!(full.route("a", 0.9, 0.0, 0), None);
        assert_eq!(full.route("a", 0.9, 0.0, 1), Some(Reason::Model));
    }
}
