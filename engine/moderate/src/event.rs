//! What happened: the only thing that is stored. Events are appended, never changed.

use serde::{Deserialize, Serialize};

use crate::model::{Ballot, Case, CaseId, Decision, ModId, Moderator, PanelId, Policy, Prediction, Reason, Time};
use crate::state::State;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// 1, 2, 3 … without gaps.
    pub seq: u64,
    /// When, never earlier than the event before it.
    pub at: Time,
    /// Who: a moderator's name, or `system`.
    pub actor: String,
    /// Key of the command that made it; all events of a command share it.
    pub key: String,
    /// Fingerprint of that command.
    pub digest: String,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// The team's rules for panels changed.
    PolicySet {
        /// The new ones.
        policy: Policy,
    },
    /// Somebody joined, or their role changed.
    ModeratorSet {
        /// The moderator as from now.
        moderator: Moderator,
    },
    /// A case came in.
    CaseArrived {
        /// The case.
        case: Case,
    },
    /// More members reported a case.
    Reported {
        /// The case.
        case: CaseId,
        /// Their reason.
        reason: String,
        /// How many.
        count: u64,
    },
    /// A decision from before this program, read from a log.
    DecisionLogged {
        /// The case.
        case: CaseId,
        /// The decision.
        decision: Decision,
    },
    /// The model looked at a case; without a prediction where there is no model yet.
    Scored {
        /// The case.
        case: CaseId,
        /// What it said.
        prediction: Option<Prediction>,
    },
    /// One moderator is enough.
    RoutedSolo {
        /// The case.
        case: CaseId,
    },
    /// A panel was drawn.
    PanelOpened {
        /// Its name.
        panel: PanelId,
        /// The case.
        case: CaseId,
        /// Why.
        reason: Reason,
        /// 1, or 2 for the whole team.
        round: u8,
        /// Whether votes are hidden.
        blind: bool,
        /// Seats, in the order drawn.
        members: Vec<ModId>,
        /// Trainees voting without effect.
        shadow: Vec<ModId>,
        /// Moderators who may not sit: author, reporters, those who decided before.
        barred: Vec<ModId>,
        /// Votes needed.
        quorum: usize,
        /// When it must end.
        deadline: Time,
        /// Seed of the draw.
        seed: u64,
    },
    /// A vote, or the one revision of it.
    Voted {
        /// The panel.
        panel: PanelId,
        /// Whose.
        moderator: ModId,
        /// The vote.
        ballot: Ballot,
        /// When it was cast, where it was kept hidden until now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cast_at: Option<Time>,
    },
    /// A seat was given up before voting.
    Recused {
        /// The panel.
        panel: PanelId,
        /// Who left.
        moderator: ModId,
        /// Who was drawn instead, where somebody was left to draw.
        replacement: Option<ModId>,
        /// Seed of that draw.
        seed: u64,
    },
    /// All votes are in and everybody on the panel sees them.
    Revealed {
        /// The panel.
        panel: PanelId,
    },
    /// Something said in the open phase.
    Said {
        /// The panel.
        panel: PanelId,
        /// Who.
        moderator: ModId,
        /// What.
        text: String,
    },
    /// The panel came to no end; the whole team takes over.
    Escalated {
        /// The panel.
        panel: PanelId,
    },
    /// A decision was made; it can still be undone.
    Decided {
        /// The case.
        case: CaseId,
        /// The panel, where one decided.
        panel: Option<PanelId>,
        /// The decision.
        decision: Decision,
    },
    /// A solo decision was taken back.
    Undone {
        /// The case.
        case: CaseId,
    },
    /// The decision was carried out.
    Applied {
        /// The case.
        case: CaseId,
    },
    /// The author asked for another look.
    Appealed {
        /// The case.
        case: CaseId,
        /// Their words.
        text: String,
    },
    /// The appeal was entered by mistake.
    AppealTakenBack {
        /// The case.
        case: CaseId,
    },
    /// Whoever asked for a second opinion or an appeal's panel does without it; votes that were cast are dropped.
    Withdrawn {
        /// The panel.
        panel: PanelId,
    },
    /// A note for the team.
    Noted {
        /// The case.
        case: CaseId,
        /// The note.
        text: String,
    },
    /// A note was taken back by whoever wrote it: it is no longer shown, and stays in the log.
    NoteTakenBack {
        /// The case.
        case: CaseId,
        /// The note.
        text: String,
    },
}

impl What {
    /// The case it is about, in the state after it.
    pub fn case<'a>(&'a self, state: &'a State) -> Option<&'a CaseId> {
        match self {
            Self::PolicySet { .. } | Self::ModeratorSet { .. } => None,
            Self::CaseArrived { case } => Some(&case.id),
            Self::Reported { case, .. }
            | Self::DecisionLogged { case, .. }
            | Self::Scored { case, .. }
            | Self::RoutedSolo { case }
            | Self::PanelOpened { case, .. }
            | Self::Decided { case, .. }
            | Self::Undone { case }
            | Self::Applied { case }
            | Self::Appealed { case, .. }
            | Self::AppealTakenBack { case }
            | Self::Noted { case, .. }
            | Self::NoteTakenBack { case, .. } => Some(case),
            Self::Voted { panel, .. }
            | Self::Recused { panel, .. }
            | Self::Revealed { panel }
            | Self::Said { panel, .. }
            | Self::Withdrawn { panel }
            | Self::Escalated { panel } => state.panels.get(panel).map(|panel| &panel.case),
        }
    }
}
