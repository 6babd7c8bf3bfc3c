//! What a moderator may see of panels and cases. While votes are hidden nothing here depends on the votes of others,
//! except how many were cast where the policy shows that.

use serde::Serialize;

use crate::Error;
use crate::desk::Desk;
use crate::model::{Ballot, Case, CaseId, ModId, PanelId, Time};
use crate::state::{Phase, Vote};
use crate::store::Repository;

/// A panel through the eyes of one moderator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PanelView {
    /// The panel.
    pub panel: PanelId,
    /// The case.
    pub case: CaseId,
    /// Votes of others are hidden.
    pub hidden: bool,
    /// Seats.
    pub seats: usize,
    /// How many have voted, where that may be known.
    pub voted: Option<usize>,
    /// When it must end.
    pub deadline: Time,
    /// Whether the viewer holds a seat.
    pub seated: bool,
    /// The viewer's own vote.
    pub own: Option<Ballot>,
    /// All votes, once they may be seen.
    pub votes: Option<Vec<(ModId, Vote)>>,
    /// What was said, once votes may be seen.
    pub messages: Vec<(ModId, String)>,
}

/// A case through the eyes of a moderator: the model's opinion and revision of hidden votes are left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseView {
    /// The case.
    pub case: Case,
    /// Where it is.
    pub phase: Phase,
    /// Revision, to be sent back with an action.
    pub revision: u64,
    /// Its panels, oldest first.
    pub panels: Vec<PanelId>,
    /// Expected disagreement, once no vote can be swayed by it.
    pub disagreement: Option<f64>,
}

/// What `viewer` may see of `panel`.
pub fn panel<R: Repository>(desk: &mut Desk<R>, panel: &str, viewer: &str) -> Result<PanelView, Error> {
    let panel = desk.state().panel(panel)?.clone();
    let show_progress = desk.state().policy.show_progress;
    let (voted, own) = if panel.hidden {
        let voted = if show_progress { desk.repository().progress(&panel)? } else { None };
        (voted, desk.repository().ballot(&panel.id, viewer)?.map(|sealed| sealed.ballot))
    } else {
        (Some(panel.counted().count()), panel.votes.get(viewer).map(|vote| vote.ballot.clone()))
    };
    Ok(PanelView {
        hidden: panel.hidden,
        seats: panel.members.len(),
        voted,
        deadline: panel.deadline,
        seated: panel.members.iter().chain(&panel.shadow).any(|member| member == viewer),
        own,
        votes: (!panel.hidden).then(|| panel.votes.into_iter().collect()),
        messages: if panel.hidden { Vec::new() } else { panel.messages },
        panel: panel.id,
        case: panel.case,
    })
}

/// What any moderator may see of `case`.
pub fn case<R: Repository>(desk: &mut Desk<R>, case: &str) -> Result<CaseView, Error> {
    let disagreement = desk.expected([case])?.remove(case);
    let case = desk.state().case(case)?;
    Ok(CaseView {
        case: case.case.clone(),
        phase: case.phase,
        revision: case.revision,
        panels: case.panels.clone(),
        disagreement,
    })
}
