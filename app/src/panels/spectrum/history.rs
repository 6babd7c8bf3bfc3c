//! One history for everything that can be taken back: clips, geometries and the settings of the experiment.

use plumb_spectrum::sidecar::LayerGeometry;
use plumb_spectrum::spec::ClipSpec;

use super::clip::method_name;
use super::state::Change;
use crate::widgets::format;

/// Changes of the same setting that follow one another within this many seconds are one step.
const TOGETHER: f64 = 1.0;

/// One step that can be taken back.
#[derive(Clone, Debug)]
pub enum Step {
    /// Weights were clipped.
    Clip(Box<Change>),
    /// The clip settings were changed.
    Settings {
        /// “Target c 0.5”.
        label: String,
        /// Which setting: steps of the same one are joined.
        field: &'static str,
        /// Settings before and after.
        specs: Box<[ClipSpec; 2]>,
        /// When, in seconds of the window's clock.
        time: f64,
    },
    /// A layer got another geometry.
    Geometry {
        /// Its weight tensor.
        layer: String,
        /// Before and after.
        sides: Box<[LayerGeometry; 2]>,
    },
}

impl Step {
    /// In a few words.
    pub fn label(&self) -> String {
        match self {
            Self::Clip(change) => change.label.clone(),
            Self::Settings { label, .. } => label.clone(),
            Self::Geometry { layer, .. } => format!("Geometry of {layer}"),
        }
    }
}

/// What was done and what was taken back, the newest last.
#[derive(Debug, Default)]
pub struct History {
    past: Vec<Step>,
    future: Vec<Step>,
}

/// More steps than anybody takes back; the oldest go.
const MOST: usize = 200;

impl History {
    /// Something was done: what was taken back before cannot be done again.
    pub fn push(&mut self, step: Step) {
        self.future.clear();
        self.past.push(step);
        if self.past.len() > MOST {
            self.past.remove(0);
        }
    }

    /// The settings went from `before` to `after`.
    pub fn settings(&mut self, before: &ClipSpec, after: &ClipSpec, now: f64) {
        let Some((field, label)) = difference(before, after) else { return };
        if let Some(Step::Settings { label: old, field: same, specs, time }) = self.past.last_mut()
            && *same == field
            && now - *time < TOGETHER
            && self.future.is_empty()
        {
            specs[1] = after.clone();
            *old = label;
            *time = now;
            return;
        }
        self.push(Step::Settings { label, field, specs: Box::new([before.clone(), after.clone()]), time: now });
    }

    /// Take one step out of the past; the caller undoes it.
    pub fn undo(&mut self) -> Option<&Step> {
        let mut step = self.past.pop()?;
        if let Step::Settings { time, .. } = &mut step {
            // Never joined with what comes after it was done again.
            *time = f64::NEG_INFINITY;
        }
        self.future.push(step);
        self.future.last()
    }

    /// Take one step out of the future; the caller does it again.
    pub fn redo(&mut self) -> Option<&Step> {
        let step = self.future.pop()?;
        self.past.push(step);
        self.past.last()
    }

    /// What undo would take back.
    pub fn last(&self) -> Option<&Step> {
        self.past.last()
    }

    /// What redo would do.
    pub fn next(&self) -> Option<&Step> {
        self.future.last()
    }

    /// The newest clip that is in force.
    pub fn last_clip(&self) -> Option<&Change> {
        self.past.iter().rev().find_map(|step| if let Step::Clip(change) = step { Some(&**change) } else { None })
    }

    /// The same, to complete it.
    pub fn last_clip_mut(&mut self) -> Option<&mut Change> {
        self.past
            .iter_mut()
            .rev()
            .find_map(|step| if let Step::Clip(change) = step { Some(&mut **change) } else { None })
    }

    /// Forget everything: another file was opened.
    pub fn clear(&mut self) {
        self.past.clear();
        self.future.clear();
    }
}

/// Which setting differs, and the new value in words.
fn difference(before: &ClipSpec, after: &ClipSpec) -> Option<(&'static str, String)> {
    if before.to != after.to {
        return Some(("target", format!("Target c {}", format::number(after.to))));
    }
    if before.method != after.method {
        return Some(("method", format!("Method {}", method_name(after.method))));
    }
    if before.mode != after.mode {
        return Some(("mode", format!("Mode {}", format!("{:?}", after.mode).to_lowercase())));
    }
    if before.tolerance != after.tolerance {
        return Some(("tolerance", format!("Tolerance {}", format::percent(after.tolerance))));
    }
    if before.compose != after.compose {
        let how = if after.compose { "With" } else { "Without" };
        return Some(("compose", format!("{how} batch norm")));
    }
    (before != after).then(|| ("others", "Clip settings".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(to: f64) -> ClipSpec {
        ClipSpec { to, ..ClipSpec::default() }
    }

    #[test]
    fn a_drag_is_one_step_and_another_setting_a_second() {
        let mut history = History::default();
        history.settings(&to(1.0), &to(0.9), 0.0);
        history.settings(&to(0.9), &to(0.8), 0.5);
        history.settings(&to(0.8), &ClipSpec { compose: true, ..to(0.8) }, 0.6);
        assert_eq!(history.last().map(Step::label).as_deref(), Some("With batch norm"));
        assert!(matches!(history.undo(), Some(Step::Settings { .. })));
        let Some(Step::Settings { specs, .. }) = history.undo() else { panic!("the drag") };
        assert_eq!((specs[0].to, specs[1].to), (1.0, 0.8));
        assert!(history.undo().is_none());
        assert_eq!(history.redo().map(Step::label).as_deref(), Some("Target c 0.800"));
        history.settings(&to(0.8), &to(0.7), 0.7);
        assert!(history.next().is_none(), "a new step ends what could be done again");
        assert!(history.last_clip().is_none());
    }
}
