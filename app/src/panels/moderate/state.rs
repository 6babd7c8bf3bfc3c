//! What the panel keeps: view settings, the open database, the list as it is filtered, what is being written, and the
//! questions it asked. Cases themselves stay with the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use plumb_core::Slot as Ask;
use plumb_moderate::export::{Export, Format};
use plumb_moderate::import::file::Preview;
use plumb_moderate::import::into_log::Summary;
use plumb_moderate::model::{CaseId, Choice, Policy, Source};
use plumb_moderate::onboarding::{Lesson, Pick};
use plumb_moderate::outlook::Outlook;
use plumb_moderate::precedent::Precedents;
use plumb_moderate::queue::Filter;
use plumb_moderate::state::Phase;
use plumb_moderate::train::{Card, Retrained};
use plumb_moderate::workplace::{Acted, Answer, Asked, Board, Learnt, Look, Member, Opened, SortedIn, Watch};
use serde::{Deserialize, Serialize};

use super::exposure::Exposure;
use crate::widgets::chart_ui::SaveRequest;
use crate::widgets::table::TableView;

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tab {
    /// The queue, the case, the verdict.
    #[default]
    Queue,
    /// Where the team disagrees.
    Disagreement,
    /// Panels, budget, model.
    Settings,
    /// Past cases for somebody new.
    Onboarding,
    /// Figures without names and texts.
    Report,
    /// Opening, importing, exporting.
    Data,
}

/// Which part of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Bucket {
    /// What waits for one moderator.
    #[default]
    Review,
    /// What a panel decides.
    Panels,
    /// What is decided.
    Decided,
    /// Everything.
    All,
}

impl Bucket {
    /// The phases in it.
    pub const fn phases(self) -> &'static [Phase] {
        match self {
            Self::Review => &[Phase::New, Phase::Scored, Phase::Solo],
            Self::Panels => &[Phase::PanelBlind, Phase::PanelOpen, Phase::Escalated, Phase::Appealed],
            Self::Decided => &[Phase::Decided, Phase::Applied],
            Self::All => &[],
        }
    }

    /// The one after it.
    pub const fn next(self) -> Self {
        match self {
            Self::Review => Self::Panels,
            Self::Panels => Self::Decided,
            Self::Decided => Self::All,
            Self::All => Self::Review,
        }
    }
}

/// Which texts are hidden until they are revealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blur {
    /// Those a classifier finds rude.
    #[default]
    Likely,
    /// All.
    All,
    /// None.
    Off,
}

/// What is kept from session to session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViewSettings {
    /// What is shown.
    pub tab: Tab,
    /// Which part of the queue.
    pub bucket: Bucket,
    /// After a verdict, go on to the next case.
    pub advance: bool,
    /// Which texts are hidden.
    pub blur: Blur,
    /// Minutes until a break is suggested; 0 never.
    pub break_minutes: u32,
    /// Revealed texts an hour until a break is suggested; 0 never.
    pub break_reveals: u32,
    /// Who signed in to the sandbox last.
    pub who: String,
    /// The database that was open last; empty for the sandbox.
    pub database: String,
    /// The case that was looked at last.
    pub last: String,
    /// Share of cases for panels.
    pub budget: f64,
    /// Which past cases are replayed.
    pub pick: Pick,
    /// How many.
    pub replay: usize,
}

impl Default for ViewSettings {
    fn default() -> Self {
        Self {
            tab: Tab::Queue,
            bucket: Bucket::Review,
            advance: true,
            blur: Blur::Likely,
            break_minutes: 50,
            break_reveals: 40,
            who: String::new(),
            database: String::new(),
            last: String::new(),
            budget: 0.3,
            pick: Pick::Mixed,
            replay: 40,
        }
    }
}

/// What the verdict column is asking right now.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Asking {
    /// Nothing.
    #[default]
    Nothing,
    /// Which rule a removal rests on; of these cases, or of the vote where it is empty.
    Rule(Vec<CaseId>),
    /// The text of a note.
    Note(String),
    /// The words of an appeal.
    Appeal(String),
    /// Whether to do this to all marked cases.
    Bulk(Bulk),
}

/// What can be done to many cases at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// Keep them.
    Approve,
    /// Remove them.
    Remove,
    /// Panels for them.
    Panel,
    /// Mark as carried out.
    Apply,
}

/// A vote that is being written.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// For which panel.
    pub panel: String,
    /// The answer.
    pub choice: Option<Choice>,
    /// The rule.
    pub rule: Option<String>,
    /// Why.
    pub rationale: String,
    /// 1 to 5.
    pub confidence: u8,
    /// What to say in the discussion.
    pub message: String,
    /// A clarification of a rule.
    pub clarification: String,
    /// Whether the earlier vote is being revised.
    pub revising: bool,
}

impl Draft {
    /// An empty one.
    pub fn of(panel: &str) -> Self {
        Self {
            panel: panel.to_owned(),
            choice: None,
            rule: None,
            rationale: String::new(),
            confidence: 3,
            message: String::new(),
            clarification: String::new(),
            revising: false,
        }
    }
}

/// What `u` takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undoable {
    /// A decision of one's own.
    Decision(CaseId),
    /// A panel one asked for.
    Panel(CaseId),
    /// A note of one's own.
    Note(CaseId, String),
    /// An appeal one entered, with its panel.
    Appeal(CaseId),
}

impl Undoable {
    /// The case it is about.
    pub fn case(&self) -> &CaseId {
        match self {
            Self::Decision(id) | Self::Panel(id) | Self::Note(id, _) | Self::Appeal(id) => id,
        }
    }
}

/// What the list was made for.
pub type Wanted = (u64, Bucket, String, Option<Source>, Option<String>, u64);

/// A field that is to get the keyboard with the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// The search field.
    Search,
    /// The reason of a vote.
    Rationale,
    /// The note.
    Note,
}

/// Replaying past cases.
#[derive(Clone, Debug, Default)]
pub struct Review {
    /// Answers so far, `true` for removal.
    pub answers: Vec<bool>,
    /// Whether the answer to the newest is being looked at.
    pub shown: bool,
}

/// Everything.
#[derive(Debug, Default)]
pub struct State {
    /// Kept from session to session.
    pub settings: ViewSettings,
    /// The database.
    pub opened: Option<Opened>,
    /// Hears of what others do.
    pub watch: Option<Watch>,
    /// While past cases are replayed: what is open otherwise, which list, and which case.
    pub home: Option<(Opened, (Bucket, CaseId))>,
    /// What there is now.
    pub board: Option<Board>,
    /// The model in use.
    pub card: Option<Card>,
    /// Grows with every change of the queue.
    pub version: u64,

    /// The search field.
    pub search: String,
    /// Only cases that came in this way.
    pub source: Option<Source>,
    /// Only cases with this rule.
    pub rule: Option<String>,
    /// At least so many reports.
    pub reports: u64,
    /// Places of the queue that pass.
    pub shown: Vec<u32>,
    /// What they were made for.
    pub shown_for: Option<Wanted>,
    /// The case being looked at.
    pub selected: Option<CaseId>,
    /// Where it is in the list.
    pub at: usize,
    /// Bring it into view.
    pub scroll: bool,
    /// Find it wherever it is, once what was sent has been answered.
    pub find: bool,
    /// Marked for doing something to many.
    pub marked: BTreeSet<CaseId>,
    /// Put off in this session, in order.
    pub skipped: Vec<CaseId>,
    /// Rudeness of the beginnings of texts, by place.
    pub harm: BTreeMap<u32, f64>,
    /// Texts that were revealed.
    pub revealed: BTreeSet<CaseId>,
    /// What was looked at, and when.
    pub exposure: Exposure,
    /// What is being asked.
    pub asking: Asking,
    /// The vote being written.
    pub draft: Option<Draft>,
    /// What can be taken back, newest last.
    pub undo: Vec<Undoable>,
    /// What the last action left behind.
    pub said: String,
    /// Which field gets the keyboard.
    pub focus: Option<Focus>,
    /// For the keys of commands.
    pub counter: u64,

    /// Waiting to be sent.
    pub outbox: Vec<Asked>,
    /// On their way.
    pub in_flight: Vec<Asked>,
    /// Not known to be written.
    pub lost: Vec<Answer>,
    /// Refused: what and why.
    pub refused: Vec<Answer>,

    /// Opening.
    pub opening: Ask<Opened>,
    /// Writing.
    pub acting: Ask<Acted>,
    /// Reading news.
    pub refreshing: Ask<Board>,
    /// The case.
    pub look: Ask<Look>,
    /// Past cases.
    pub past: Ask<Arc<Precedents>>,
    /// Where the team disagrees.
    pub learnt: Ask<Arc<Learnt>>,
    /// What that was made for.
    pub learnt_for: Option<u64>,
    /// What panels would bring.
    pub outlook: Ask<Arc<Outlook>>,
    /// Training.
    pub training: Ask<(Retrained, Option<Card>)>,
    /// Sorting in.
    pub sorting: Ask<(SortedIn, Board)>,
    /// Marking as carried out.
    pub applying: Ask<(usize, Board)>,
    /// Past cases for somebody new.
    pub lessons: Ask<Vec<Lesson>>,
    /// The answers to them.
    pub review: Review,
    /// Past cases as a queue.
    pub replaying: Ask<Opened>,
    /// Changing the team.
    pub joining: Ask<Board>,
    /// A file before it is imported.
    pub preview: Ask<Preview>,
    /// Importing.
    pub importing: Ask<(Summary, Board)>,
    /// Exporting.
    pub exporting: Ask<usize>,

    /// The policy as it is edited.
    pub policy: Option<Policy>,
    /// The contested cases.
    pub contested: TableView,
    /// The database field.
    pub database: String,
    /// Who signs in.
    pub name: String,
    /// With what.
    pub password: String,
    /// Somebody who is to join the team.
    pub member: Member,
    /// The file to import.
    pub file: Option<PathBuf>,
    /// Its columns, where they were changed.
    pub columns: Option<plumb_moderate::import::table::Columns>,
    /// What is exported once the dialog is answered.
    pub export: Option<(Export, Format)>,
    /// A file waiting for the answer of the dialog.
    pub saving: Option<SaveRequest>,
    /// Something was asked for at the start.
    pub started: bool,
    /// When news was looked for last, by the window's clock.
    pub refreshed: f64,
}

impl State {
    /// The filter as it is set.
    pub fn filter(&self) -> Filter {
        Filter {
            phases: self.settings.bucket.phases().to_vec(),
            source: self.source,
            reports: self.reports,
            since: None,
            rule: self.rule.clone(),
            text: self.search.trim().to_owned(),
        }
    }

    /// Bring the list up to date. Keeps the selected case where it is still in it.
    pub fn arrange(&mut self) {
        let Some(opened) = &self.opened else { return };
        let search = self.search.trim().to_owned();
        let wanted: Wanted = (self.version, self.settings.bucket, search, self.source, self.rule.clone(), self.reports);
        if self.shown_for.as_ref() == Some(&wanted) {
            return;
        }
        let queue = opened.work.queue().read();
        self.shown = queue.filter(&self.filter());
        let place = self.selected.as_ref().and_then(|id| queue.find(id));
        if let Some(at) = place.and_then(|place| self.shown.iter().position(|other| *other == place)) {
            self.at = at;
        } else {
            self.at = self.at.min(self.shown.len().saturating_sub(1));
        }
        drop(queue);
        self.shown_for = Some(wanted);
    }

    /// The case at a place of the list.
    pub fn id_at(&self, at: usize) -> Option<CaseId> {
        let queue = self.opened.as_ref()?.work.queue().read();
        queue.id(*self.shown.get(at)?).cloned()
    }

    /// The case being looked at, once it is here.
    pub fn case(&self) -> Option<&Look> {
        let look = self.look.value()?;
        (Some(&look.view.case.id) == self.selected.as_ref()).then_some(look)
    }

    /// Whether an action on the case is on its way.
    pub fn is_pending(&self, id: &str) -> bool {
        self.outbox.iter().chain(&self.in_flight).any(|asked| asked.case.as_deref() == Some(id))
    }

    /// Whether the text is hidden now.
    pub fn hides(&self, id: &str, harmful: f64) -> bool {
        let rude = match self.settings.blur {
            Blur::Likely => harmful >= 0.5,
            Blur::All => true,
            Blur::Off => false,
        };
        rude && !self.revealed.contains(id)
    }

    /// The title of a rule, or its short name.
    pub fn rule_title<'a>(&'a self, key: &'a str) -> &'a str {
        let rules = self.board.as_ref().map(|board| board.rules.as_slice()).unwrap_or_default();
        rules.iter().find(|rule| rule.key == key && !rule.title.is_empty()).map_or(key, |rule| rule.title.as_str())
    }

    /// Whether one leads the team.
    pub fn leads(&self) -> bool {
        self.board.as_ref().is_some_and(|board| board.who.lead)
    }

    /// The draft for a panel; a fresh one where it is another panel's.
    pub fn draft_for(&mut self, panel: &str) -> &mut Draft {
        if self.draft.as_ref().is_none_or(|draft| draft.panel != panel) {
            self.draft = Some(Draft::of(panel));
        }
        self.draft.get_or_insert_with(|| Draft::of(panel))
    }
}
