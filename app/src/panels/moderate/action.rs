//! What a region asks for. Regions draw and say; the panel does.

use plumb_moderate::export::{Export, Format};
use plumb_moderate::model::{CaseId, Policy};
use plumb_moderate::workplace::Member;

use super::state::{Bucket, Bulk, Tab};
use crate::widgets::chart_ui::SaveRequest;

/// One wish.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open the sandbox.
    Sandbox,
    /// Open the database named in the field.
    Open,
    /// Ask for a database file.
    OpenDialog,
    /// Open it and make its first account.
    Found,
    /// Be this moderator.
    Switch(String),
    /// Read what others did.
    Refresh,
    /// Show this tab.
    Show(Tab),
    /// Show this part of the queue.
    Bucket(Bucket),
    /// Move in the list.
    Step(isize),
    /// Look at the case at this place of the list.
    At(usize),
    /// Look at this case, wherever it is.
    Look(CaseId),
    /// Keep it.
    Approve,
    /// Remove it: which rule?
    Remove,
    /// This rule, by its place; `None` for none.
    Rule(Option<usize>),
    /// Ask for a panel.
    Panel,
    /// Ask the whole team.
    Escalate,
    /// Take back the last action.
    Undo,
    /// Put the case off.
    Skip,
    /// Back to the first case that was put off.
    Return,
    /// Write a note.
    Note,
    /// Keep the note, enter the appeal.
    SaveWords,
    /// Take back this note of one's own.
    TakeBackNote(String),
    /// Enter the author's appeal.
    Appeal,
    /// Mark the case, or unmark it.
    Mark,
    /// Mark all that are shown, or none.
    MarkAll,
    /// Ask whether to do this to all marked cases.
    Bulk(Bulk),
    /// Do it.
    BulkNow(Bulk),
    /// Show a hidden text.
    Reveal,
    /// Put the keyboard into the search field.
    Search,
    /// Put the keyboard into the reason of the vote.
    Why,
    /// Leave what is being asked.
    Leave,
    /// Cast the vote.
    Cast,
    /// How sure one is of the vote.
    Confidence(u8),
    /// Abstain from the vote.
    Abstain,
    /// Give up the seat.
    Recuse,
    /// Revise the vote.
    Revise,
    /// Say something in the discussion.
    Say,
    /// End the discussion.
    Close,
    /// Propose a clarification of a rule.
    Clarify,
    /// Send what is not known to be written once more.
    Retry,
    /// Do without it.
    GiveUp,
    /// The refusals were read.
    Understood,
    /// Take a break: nothing more is counted until then.
    Rested,
    /// Not now.
    Later,
    /// Look at disagreement again.
    Explore,
    /// Forecast again.
    Forecast,
    /// Change the team.
    Team(Box<Member>),
    /// Take over the policy.
    SetPolicy(Box<Policy>),
    /// Train anew.
    Train(bool),
    /// Send new cases to panels and moderators.
    SortIn,
    /// Choose past cases to judge.
    Lessons,
    /// The answer to the past case.
    Answer(bool),
    /// The next past case.
    NextLesson,
    /// Leave the past cases that were judged one after the other.
    ForgetLessons,
    /// Replay past cases as a queue.
    Replay,
    /// Back to the team's queue.
    EndReplay,
    /// Ask for a file to import.
    ImportDialog,
    /// Look into the file again, with other columns.
    Preview,
    /// Import it.
    Import,
    /// Do not.
    ForgetImport,
    /// Ask where an export goes.
    Export(Export, Format),
    /// Write a file the user asked for.
    Save(SaveRequest),
    /// Stop what is computed for this region.
    Stop(Work),
    /// The error of this region was read.
    Dismiss(Work),
}

/// Which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Opening.
    Open,
    /// Reading news.
    Refresh,
    /// The case.
    Look,
    /// Disagreement.
    Explore,
    /// The forecast.
    Forecast,
    /// Training.
    Train,
    /// Sorting in.
    SortIn,
    /// Past cases.
    Lessons,
    /// The team.
    Team,
    /// Importing and exporting.
    Files,
}
