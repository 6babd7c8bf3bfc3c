//! The queue: all cases in the order in which they should be looked at, filtered between two frames.
//!
//! Order: running panels first (oldest first), then what waits for one moderator by reports and age, then the rest,
//! newest first. The texts lie in one lower-case buffer, so that a search is one pass over memory.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use memchr::memmem;

use crate::model::{CaseId, Source, Time};
use crate::state::{CaseState, Phase, State};

/// What the list shows of a case, small enough that a hundred thousand of them fit the processor's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where the case is.
    pub phase: Phase,
    /// How it came in.
    pub source: Source,
    /// Reports in all.
    pub reports: u64,
    /// When it was written.
    pub created_at: Time,
    /// Bit `i`: the rule at place `i` of [`Queue::rules`] is hinted at.
    pub rules: u64,
}

/// What to show. The default shows everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Only these phases; empty means all.
    pub phases: Vec<Phase>,
    /// Only cases that came in this way.
    pub source: Option<Source>,
    /// At least so many reports.
    pub reports: u64,
    /// Written at this time or later.
    pub since: Option<Time>,
    /// Only cases for which this rule is hinted at.
    pub rule: Option<String>,
    /// Only cases with this in title, text or author; upper and lower case are the same.
    pub text: String,
}

/// All cases, in order.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// In order as far as they were there at the start; later ones follow as they came.
    ids: Vec<CaseId>,
    /// How many of `ids` and `authors` are in order.
    sorted: usize,
    /// A stamp of each case's author and its place.
    authors: Vec<(u64, u32)>,
    rows: Vec<Row>,
    /// Places in `ids`, in the order to be shown.
    order: Vec<u32>,
    /// All texts, and where each ends.
    text: Vec<u8>,
    ends: Vec<usize>,
    /// The beginnings of all texts as they were written, and where each ends.
    heads: String,
    head_ends: Vec<usize>,
    rules: Vec<String>,
}

/// Most rules that can be told apart; more share the last place.
const RULES: usize = 64;

/// Characters of a text that the list shows.
const HEAD: usize = 120;

type Rank = (u8, std::cmp::Reverse<u64>, Time, u32);

fn rank(row: &Row, place: u32) -> Rank {
    use std::cmp::Reverse;
    match row.phase {
        Phase::PanelBlind | Phase::PanelOpen | Phase::Escalated | Phase::Appealed => {
            (0, Reverse(0), row.created_at, place)
        }
        Phase::New | Phase::Scored | Phase::Solo => (1, Reverse(row.reports), row.created_at, place),
        Phase::Decided | Phase::Applied => (2, Reverse(0), row.created_at.saturating_neg(), place),
    }
}

fn stamp(author: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    author.hash(&mut hasher);
    hasher.finish()
}

impl Queue {
    /// The queue of `state`.
    pub fn of(state: &State) -> Self {
        let mut queue = Self::default();
        for (id, case) in &state.cases {
            queue.push(id, case);
        }
        let mut ranks: Vec<Rank> = queue.rows.iter().enumerate().map(|(i, row)| rank(row, i as u32)).collect();
        ranks.sort_unstable();
        queue.order = ranks.into_iter().map(|(.., place)| place).collect();
        queue.sorted = queue.ids.len();
        queue.authors.sort_unstable();
        queue
    }

    fn push(&mut self, id: &str, case: &CaseState) {
        let row = self.row_of(case);
        self.authors.push((stamp(&case.case.author), self.ids.len() as u32));
        self.ids.push(id.to_owned());
        self.rows.push(row);
        for part in [case.case.title.as_deref().unwrap_or(""), &case.case.body, &case.case.author] {
            if part.is_ascii() {
                let from = self.text.len();
                self.text.extend_from_slice(part.as_bytes());
                self.text[from..].make_ascii_lowercase();
            } else {
                self.text.extend_from_slice(part.to_lowercase().as_bytes());
            }
            // No search can reach over it: it is not UTF-8.
            self.text.push(0xFF);
        }
        self.ends.push(self.text.len());
        let parts = [case.case.title.as_deref().unwrap_or(""), &case.case.body];
        let words = parts.iter().flat_map(|part| part.chars().take(HEAD));
        let (mut taken, mut space) = (0, true);
        for c in words.map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c }) {
            if taken < HEAD && !(space && c == ' ') {
                self.heads.push(c);
                taken += 1;
            }
            space = c == ' ';
        }
        self.head_ends.push(self.heads.len());
    }

    fn row_of(&mut self, case: &CaseState) -> Row {
        let mut rules = 0;
        for rule in &case.case.rule_hints {
            let place = self.rules.iter().position(|known| known == rule).unwrap_or_else(|| {
                self.rules.push(rule.clone());
                self.rules.len() - 1
            });
            rules |= 1 << place.min(RULES - 1);
        }
        Row {
            phase: case.phase,
            source: case.case.source,
            reports: case.case.reported(),
            created_at: case.case.created_at,
            rules,
        }
    }

    /// Take over what happened to one case; a case that is new goes where it belongs.
    pub fn update(&mut self, id: &str, state: &State) {
        let Some(case) = state.cases.get(id) else { return };
        let place = if let Some(place) = self.place(id) {
            let old = rank(&self.rows[place as usize], place);
            if let Ok(at) = self.order.binary_search_by_key(&old, |other| rank(&self.rows[*other as usize], *other)) {
                self.order.remove(at);
            }
            self.rows[place as usize] = self.row_of(case);
            place
        } else {
            self.push(id, case);
            (self.rows.len() - 1) as u32
        };
        let new = rank(&self.rows[place as usize], place);
        let at = self.order.partition_point(|other| rank(&self.rows[*other as usize], *other) < new);
        self.order.insert(at, place);
    }

    fn place(&self, id: &str) -> Option<u32> {
        let (known, later) = self.ids.split_at(self.sorted);
        let place = known.binary_search_by(|other| other.as_str().cmp(id)).ok();
        let place = place.or_else(|| later.iter().position(|other| other == id).map(|place| self.sorted + place));
        place.map(|place| place as u32)
    }

    /// The cases that may be by this author: all of theirs, and rarely one more.
    pub fn by_author(&self, author: &str) -> impl Iterator<Item = &CaseId> {
        let wanted = stamp(author);
        let (known, later) = self.authors.split_at(self.sorted);
        let first = known.partition_point(|(stamp, _)| *stamp < wanted);
        let known = known[first..].iter().take_while(move |(stamp, _)| *stamp == wanted);
        let later = later.iter().filter(move |(stamp, _)| *stamp == wanted);
        known.chain(later).filter_map(|(_, place)| self.ids.get(*place as usize))
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many cases are in each phase, in the order of [`Phase`].
    pub fn counts(&self) -> [usize; 9] {
        self.rows.iter().fold([0; 9], |mut counts, row| {
            counts[row.phase as usize] += 1;
            counts
        })
    }

    /// The case at a place that [`Queue::filter`] gave.
    pub fn id(&self, place: u32) -> Option<&CaseId> {
        self.ids.get(place as usize)
    }

    /// The beginning of its text, on one line.
    pub fn head(&self, place: u32) -> &str {
        let place = place as usize;
        let from = place.checked_sub(1).and_then(|before| self.head_ends.get(before)).copied().unwrap_or(0);
        self.head_ends.get(place).and_then(|end| self.heads.get(from..*end)).unwrap_or_default().trim_end()
    }

    /// The place of a case.
    pub fn find(&self, id: &str) -> Option<u32> {
        self.place(id)
    }

    /// What the list shows of it.
    pub fn row(&self, place: u32) -> Option<&Row> {
        self.rows.get(place as usize)
    }

    /// The rules that are hinted at, in the order of the bits of [`Row::rules`].
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    /// The places of the cases that pass, in the order to be shown.
    pub fn filter(&self, filter: &Filter) -> Vec<u32> {
        let phases = filter.phases.iter().fold(0_u16, |bits, phase| bits | 1 << *phase as u16);
        let phases = if phases == 0 { u16::MAX } else { phases };
        let since = filter.since.unwrap_or(Time::MIN);
        let rules = match &filter.rule {
            None => None,
            Some(rule) => match self.rules.iter().position(|known| known == rule) {
                Some(place) => Some(1_u64 << place.min(RULES - 1)),
                None => return Vec::new(),
            },
        };
        let hits = (!filter.text.is_empty()).then(|| self.search(&filter.text));
        let passes = |place: &u32| {
            let row = &self.rows[*place as usize];
            hits.as_ref().is_none_or(|hits| hits[*place as usize])
                && phases & 1 << row.phase as u16 != 0
                && row.reports >= filter.reports
                && row.created_at >= since
                && filter.source.is_none_or(|source| source == row.source)
                && rules.is_none_or(|rules| row.rules & rules != 0)
        };
        self.order.iter().copied().filter(passes).collect()
    }

    /// Which cases have `text` in them.
    fn search(&self, text: &str) -> Vec<bool> {
        let needle = text.to_lowercase();
        let finder = memmem::Finder::new(needle.as_bytes());
        let mut hits = vec![false; self.rows.len()];
        let (mut from, mut case) = (0, 0);
        while let Some(at) = finder.find(&self.text[from..]) {
            // Hits come in order, often close together: look a few cases ahead before searching by halves.
            let at = from + at;
            let near = self.ends[case..].iter().take(8).position(|end| *end > at);
            case += near.unwrap_or_else(|| self.ends[case..].partition_point(|end| *end <= at));
            hits[case] = true;
            from = self.ends[case];
            case += 1;
        }
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Case, Report};

    fn state() -> State {
        let mut state = State::default();
        let phases = [Phase::Solo, Phase::PanelBlind, Phase::Applied, Phase::Solo, Phase::Applied];
        for (i, phase) in phases.into_iter().enumerate() {
            let case = Case {
                id: format!("c{i}"),
                body: ["An Ärger", "two", "three", "four and two", ""][i].to_owned(),
                author: "Zoë".to_owned(),
                created_at: i as i64,
                reports: vec![Report { reason: "rude".to_owned(), count: i as u64 }],
                rule_hints: vec![format!("rule {}", i % 2)],
                ..Case::default()
            };
            let case = CaseState {
                case,
                phase,
                revision: 1,
                prediction: None,
                panels: Vec::new(),
                decisions: Vec::new(),
                notes: Vec::new(),
            };
            state.cases.insert(format!("c{i}"), case);
        }
        state
    }

    #[test]
    fn panels_come_first_then_reports_then_the_latest_and_filters_agree_with_a_plain_search() {
        let state = state();
        let queue = Queue::of(&state);
        let filter = |filter: &Filter| queue.filter(filter);
        assert_eq!(filter(&Filter::default()), [1, 3, 0, 4, 2]);
        let text = |text: &str| queue.filter(&Filter { text: text.to_owned(), ..Filter::default() });
        assert_eq!(
            (text("TWO"), text("äRGER"), text("zoë"), text("twothree")),
            (vec![1, 3], vec![0], vec![1, 3, 0, 4, 2], vec![])
        );
        assert_eq!(filter(&Filter { phases: vec![Phase::Solo, Phase::Applied], ..Filter::default() }), [3, 0, 4, 2]);
        assert_eq!(filter(&Filter { rule: Some("rule 1".to_owned()), ..Filter::default() }), [1, 3]);
        assert_eq!(filter(&Filter { rule: Some("none".to_owned()), ..Filter::default() }), Vec::<u32>::new());
        assert_eq!(filter(&Filter { reports: 3, since: Some(4), ..Filter::default() }), [4]);
        assert_eq!(filter(&Filter { source: Some(Source::Filter), ..Filter::default() }), Vec::<u32>::new());
    }

    #[test]
    fn an_update_moves_one_case_and_adds_new_ones() {
        let mut state = state();
        let mut queue = Queue::of(&state);
        if let Some(case) = state.cases.get_mut("c0") {
            case.case.reports[0].count = 9;
        }
        queue.update("c0", &state);
        let mut new = state.cases["c1"].clone();
        new.case.created_at = -1;
        state.cases.insert("new".to_owned(), new);
        queue.update("new", &state);
        queue.update("unknown", &state);
        assert_eq!(queue.filter(&Filter::default()), [5, 1, 0, 3, 4, 2]);
        assert_eq!(queue.id(5).map(String::as_str), Some("new"));
        assert_eq!((queue.find("new"), queue.find("c3"), queue.find("c")), (Some(5), Some(3), None));
        let by: Vec<&str> = queue.by_author("Zoë").map(String::as_str).collect();
        assert_eq!(by, ["c0", "c1", "c2", "c3", "c4", "new"]);
        assert_eq!(queue.by_author("nobody").count(), 0);
    }
}
