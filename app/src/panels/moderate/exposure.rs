//! How much of the hard stuff somebody has looked at, and when to suggest a break.

use std::collections::VecDeque;

/// An hour, in seconds of the window's clock.
const HOUR: f64 = 3600.0;

/// Nothing done for so long is a break.
const REST: f64 = 300.0;

/// What was looked at.
#[derive(Clone, Debug, Default)]
pub struct Exposure {
    /// When hidden texts were revealed within the last hour.
    reveals: VecDeque<f64>,
    /// Cases decided or voted on in this session.
    pub handled: usize,
    /// When work began after the last break.
    since: Option<f64>,
    /// When something was done last.
    last: f64,
    /// The reminder was put off until then.
    quiet: f64,
}

impl Exposure {
    /// Somebody did something at `now`.
    pub fn work(&mut self, now: f64) {
        if self.since.is_none() || now - self.last > REST {
            self.since = Some(now);
        }
        self.last = now;
    }

    /// A hidden text was revealed.
    pub fn reveal(&mut self, now: f64) {
        self.work(now);
        self.reveals.push_back(now);
    }

    /// Hidden texts revealed within the last hour.
    pub fn revealed(&self, now: f64) -> usize {
        self.reveals.iter().filter(|at| now - **at < HOUR).count()
    }

    /// Why a break is due, if one is.
    pub fn break_due(&self, now: f64, minutes: u32, reveals: u32) -> Option<String> {
        if now < self.quiet {
            return None;
        }
        let seen = self.revealed(now);
        if reveals > 0 && seen >= reveals as usize {
            return Some(format!(
                "You have revealed {seen} hidden texts within an hour. Time to look at something else."
            ));
        }
        let worked = self.since.map_or(0.0, |since| self.last - since);
        (minutes > 0 && worked >= f64::from(minutes) * 60.0)
            .then(|| format!("You have worked for {:.0} minutes without a break.", worked / 60.0))
    }

    /// Remind again in a quarter of an hour.
    pub fn later(&mut self, now: f64) {
        self.quiet = now + HOUR / 4.0;
    }

    /// The break was taken.
    pub fn rested(&mut self) {
        self.since = None;
        self.reveals.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_are_suggested_by_time_and_by_what_was_seen() {
        let mut exposure = Exposure::default();
        for minute in 0..=50 {
            exposure.work(f64::from(minute) * 60.0);
        }
        assert!(exposure.break_due(3000.0, 50, 0).is_some_and(|why| why.contains("50 minutes")));
        assert!(exposure.break_due(3000.0, 0, 0).is_none(), "switched off");
        exposure.later(3000.0);
        assert!(exposure.break_due(3100.0, 50, 0).is_none() && exposure.break_due(3901.0, 50, 0).is_some());
        exposure.work(4000.0);
        assert!(exposure.break_due(4000.0, 50, 0).is_none(), "a pause of five minutes is a break");
        for _ in 0..3 {
            exposure.reveal(4000.0);
        }
        assert!(exposure.break_due(4000.0, 0, 3).is_some());
        assert_eq!(exposure.revealed(4000.0 + 3601.0), 0, "an hour later it is forgotten");
    }
}
