//! What the user should know although it happened elsewhere: short-lived cards, and a history that keeps them.

use std::time::{Duration, Instant, SystemTime};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Info,
    /// It worked.
    Success,
    /// Look twice.
    Warning,
    /// It did not work.
    Error,
}

impl Level {
    /// Its name for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Success => "Done",
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }

    /// How long the card stays; errors stay until they are dismissed.
    fn stays(self) -> Option<Duration> {
        match self {
            Self::Info | Self::Success => Some(Duration::from_secs(5)),
            Self::Warning => Some(Duration::from_secs(10)),
            Self::Error => None,
        }
    }
}

/// One message.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Number, larger for later ones.
    pub id: u64,
    /// How bad it is.
    pub level: Level,
    /// The message.
    pub text: String,
    /// Wall-clock time.
    pub at: SystemTime,
    /// When the card goes away by itself.
    pub until: Option<Instant>,
    /// Whether the card is still up.
    pub card: bool,
    /// Whether the history has been opened since.
    pub seen: bool,
}

/// How many messages the history keeps.
const KEPT: usize = 200;

/// All messages since the start.
#[derive(Debug, Default)]
pub struct Notifications {
    list: Vec<Notice>,
    next: u64,
}

impl Notifications {
    /// Good to know.
    pub fn info(&mut self, text: impl Into<String>) {
        self.push(Level::Info, text.into());
    }

    /// It worked.
    pub fn success(&mut self, text: impl Into<String>) {
        self.push(Level::Success, text.into());
    }

    /// Look twice.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.push(Level::Warning, text.into());
    }

    /// It did not work; the text says what, where and what to do.
    pub fn error(&mut self, text: impl Into<String>) {
        self.push(Level::Error, text.into());
    }

    fn push(&mut self, level: Level, text: String) {
        match level {
            Level::Error => log::error!("{text}"),
            Level::Warning => log::warn!("{text}"),
            Level::Info | Level::Success => log::info!("{text}"),
        }
        // The same message again takes the place of the one still up, instead of piling up.
        self.list.retain(|notice| !(notice.card && notice.level == level && notice.text == text));
        self.next += 1;
        self.list.push(Notice {
            id: self.next,
            level,
            text,
            at: SystemTime::now(),
            until: level.stays().map(|time| Instant::now() + time),
            card: true,
            seen: false,
        });
        if self.list.len() > KEPT {
            self.list.drain(..self.list.len() - KEPT);
        }
    }

    /// Everything, oldest first.
    pub fn all(&self) -> &[Notice] {
        &self.list
    }

    /// Messages nobody has looked at, cards that are up not counted as looked at.
    pub fn unseen(&self) -> usize {
        self.list.iter().filter(|notice| !notice.seen).count()
    }

    /// The history was opened.
    pub fn mark_seen(&mut self) {
        for notice in &mut self.list {
            notice.seen = true;
        }
    }

    /// Take the card down; the history keeps the message.
    pub fn put_away(&mut self, id: u64) {
        for notice in self.list.iter_mut().filter(|notice| notice.id == id) {
            notice.card = false;
            notice.seen = true;
        }
    }

    /// Forget a message.
    pub fn dismiss(&mut self, id: u64) {
        self.list.retain(|notice| notice.id != id);
    }

    /// Forget all messages.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// Take down what has been up long enough. Time to the next one, if any.
    pub fn expire(&mut self, now: Instant) -> Option<Duration> {
        for notice in &mut self.list {
            if notice.until.is_some_and(|until| until <= now) {
                notice.card = false;
            }
        }
        self.list
            .iter()
            .filter(|notice| notice.card)
            .filter_map(|notice| notice.until)
            .min()
            .map(|until| until.saturating_duration_since(now))
    }

    /// Keep every card up while the pointer is on one.
    pub fn hold(&mut self, now: Instant) {
        for notice in self.list.iter_mut().filter(|notice| notice.card) {
            notice.until = notice.until.map(|until| until.max(now + Duration::from_secs(2)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_go_and_history_stays() {
        let mut notifications = Notifications::default();
        notifications.info("one");
        notifications.error("two");
        notifications.info("one");
        assert_eq!(notifications.all().len(), 2, "a repeated card is one card");
        notifications.expire(Instant::now() + Duration::from_secs(61));
        let up: Vec<_> = notifications.all().iter().filter(|notice| notice.card).map(|n| n.text.clone()).collect();
        assert_eq!(up, ["two"], "errors stay until dismissed");
        assert_eq!(notifications.unseen(), 2);
        notifications.mark_seen();
        assert_eq!(notifications.unseen(), 0);
    }
}
