//! The nouns: cases, moderators, votes, panels and the policy they live under.

use serde::{Deserialize, Serialize};

/// Name of a case: the platform's own.
pub type CaseId = String;
/// Name of a moderator.
pub type ModId = String;
/// Name of a panel.
pub type PanelId = String;
/// Seconds since 1970, UTC.
pub type Time = i64;

/// What is to be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// The start of a thread.
    Post,
    /// An answer in a thread.
    #[default]
    Comment,
}

/// How a case came into the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Members reported it.
    #[default]
    Report,
    /// A filter held it.
    Filter,
    /// Its author is new.
    NewUser,
    /// Somebody put it there.
    Manual,
    /// It came with a log or a data set.
    Import,
}

/// A reason for which members reported a case, and how many of them did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The reason as the members saw it.
    pub reason: String,
    /// How many gave it.
    pub count: u64,
}

/// A post or comment to be judged, with its surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Case {
    /// Its name on the platform.
    pub id: CaseId,
    /// The community it was written in.
    pub community: String,
    /// Post or comment.
    pub kind: CaseKind,
    /// Title of a post.
    pub title: Option<String>,
    /// The text to be judged.
    pub body: String,
    /// What it answers.
    pub parent_body: Option<String>,
    /// The thread it stands in.
    pub thread_title: Option<String>,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub created_at: Time,
    /// How it came here.
    pub source: Source,
    /// Reports by members.
    pub reports: Vec<Report>,
    /// Rules that reports or filters hint at.
    pub rule_hints: Vec<String>,
}

/// Different reasons that are kept of one case's reports. What comes with a further one counts as [`OTHER_REASONS`]:
/// nobody reads more, and a flood of them must not make a case slow to look at.
pub const REASONS: usize = 200;

/// What reports with too many different reasons are counted under.
pub const OTHER_REASONS: &str = "other reasons";

impl Case {
    /// Count `count` more reports with this reason.
    pub fn report(&mut self, reason: &str, count: u64) {
        let room = self.reports.len() < REASONS || self.reports.iter().any(|report| report.reason == reason);
        let reason = if room { reason } else { OTHER_REASONS };
        match self.reports.iter_mut().find(|report| report.reason == reason) {
            Some(report) => report.count = report.count.saturating_add(count),
            None => self.reports.push(Report { reason: reason.to_owned(), count }),
        }
    }

    /// How many members reported it, for whatever reason.
    pub fn reported(&self) -> u64 {
        self.reports.iter().fold(0, |sum, report| sum.saturating_add(report.count))
    }

    /// The text to be judged: title and body.
    pub fn text_alone(&self) -> String {
        match self.title.as_deref().filter(|title| !title.is_empty()) {
            Some(title) if self.body.is_empty() => title.to_owned(),
            Some(title) => format!("{title}\n{}", self.body),
            None => self.body.clone(),
        }
    }

    /// The text a vote model reads: title, body, what it answers, and the reasons members reported it for, in this order.
    pub fn text(&self) -> String {
        let mut text = self.text_alone();
        let reasons = self.reports.iter().map(|report| &report.reason);
        for more in self.parent_body.iter().chain(reasons) {
            text.push('\n');
            text.push_str(more);
        }
        text
    }
}

/// One of the team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moderator {
    /// Name, unique in the team.
    pub id: ModId,
    /// New to the team: votes in the shadow of panels, without effect.
    pub trainee: bool,
    /// Whether panels may draw this moderator.
    pub active: bool,
}

/// What happens to the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It stays.
    Approve,
    /// It goes.
    Remove,
}

/// Where a decision was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// By one moderator.
    Solo,
    /// By a panel.
    Panel,
    /// Read from a log of earlier decisions.
    Log,
}

/// A decision on a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who decided: a moderator, or the panel's name.
    pub by: String,
    /// What.
    pub verdict: Verdict,
    /// The rule it rests on.
    pub rule: Option<String>,
    /// When.
    pub at: Time,
    /// Alone, by panel, or from a log.
    pub channel: Channel,
}

/// What a panel member may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// It stays.
    Approve,
    /// It goes.
    Remove,
    /// No opinion; counts towards nothing but the seat.
    Abstain,
    /// The whole team should look at it.
    Escalate,
}

/// A vote as it is cast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// The answer.
    pub choice: Choice,
    /// The rule it rests on.
    pub rule: Option<String>,
    /// Why: at least a few words.
    pub rationale: String,
    /// 1 (unsure) to 5 (sure).
    pub confidence: u8,
}

/// Why a case has a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The model expects disagreement.
    Model,
    /// A moderator asked for a second opinion.
    Manual,
    /// Drawn at random, to measure what the model misses.
    Audit,
    /// The author appealed.
    Appeal,
    /// An earlier panel came to no end.
    Escalation,
}

/// What the model says about a case. Personnel data: never shown to voters before the close, and so kept beside the log,
/// which everybody on the team reads; the log itself says which model it was and no more. Logs of earlier versions have
/// numbers, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Which model.
    pub model: String,
    /// Probability of removal by moderator, in the order of the names.
    pub p: Vec<(ModId, f64)>,
    /// Expected pairwise disagreement.
    pub disagreement: Option<f64>,
    /// Entropy of the mean, in bits.
    pub entropy: Option<f64>,
    /// Consistency a panel would gain.
    pub gain: Option<f64>,
}

/// How panels work. All of it is the team's choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // independent switches, each a line in the settings
pub struct Policy {
    /// Seats of a panel; odd.
    pub panel_size: usize,
    /// Votes needed for a result; `None` means all seats.
    pub quorum: Option<usize>,
    /// Seconds from opening to deadline.
    pub deadline: i64,
    /// Hide others' votes until all are in.
    pub blind: bool,
    /// Show how many have voted while blind.
    pub show_progress: bool,
    /// Close as soon as the majority is certain.
    pub stop_when_decided: bool,
    /// Discuss a split panel before it closes.
    pub discuss_splits: bool,
    /// Share of removal votes needed to remove, above ½; ½ itself means simple majority.
    pub removal_share: f64,
    /// Trainees who vote in the shadow of each panel.
    pub shadow_seats: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            panel_size: 3,
            quorum: None,
            deadline: 12 * 3600,
            blind: true,
            show_progress: true,
            stop_when_decided: false,
            discuss_splits: true,
            removal_share: 0.5,
            shadow_seats: 1,
        }
    }
}

impl Policy {
    /// The quorum of a panel of `size`: at least a majority, at most everybody.
    pub fn quorum_of(&self, size: usize) -> usize {
        self.quorum.unwrap_or(size).clamp(size / 2 + 1, size.max(1))
    }
}
