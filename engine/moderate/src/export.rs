//! Decisions, votes and split cases as tables for others: CSV for spreadsheets, JSON lines for programs.
//!
//! Votes and decisions have the columns that [`Columns::own`](crate::import::table::Columns::own) reads, so that an export can be imported elsewhere.
//! In CSV a cell that a spreadsheet would run as a formula gets a `'` in front; reading it back takes that away.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;
use crate::import::LoggedVote;
use crate::model::{Channel, Time, Verdict};
use crate::past;
use crate::state::State;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Export {
    /// The decision that holds, one row a case.
    Decisions,
    /// Everybody's last word, one row a case and moderator.
    Votes,
    /// Cases whose votes differ, one row a case.
    Splits,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated values with a head line.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Export {
    /// Its columns, in order.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Decisions => {
                &["case", "community", "by", "channel", "verdict", "rule", "at", "votes", "text", "context"]
            }
            Self::Votes => &["case", "community", "moderator", "verdict", "at", "text", "context"],
            Self::Splits => &["case", "community", "approve", "remove", "outcome", "rule", "at", "text", "context"],
        }
    }

    /// Its rows, ordered by case and, for votes, by time.
    pub fn rows(self, state: &State) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        for known in state.cases.values() {
            let item = past::item(state, known);
            let counts = item.counts();
            let case = &item.case;
            let text = || Value::from(case.text_alone());
            let context = || case.parent_body.clone().map_or(Value::Null, Value::from);
            let last = known.decisions.last();
            let outcome = last.map_or(Value::Null, |decision| word(decision.verdict == Verdict::Remove));
            let rule = last.and_then(|decision| decision.rule.clone()).map_or(Value::Null, Value::from);
            let id = || Value::from(case.id.clone());
            let community = || Value::from(case.community.clone());
            match self {
                Self::Decisions => {
                    let Some(decision) = last else { continue };
                    rows.push(vec![
                        id(),
                        community(),
                        Value::from(decision.by.clone()),
                        Value::from(channel(decision.channel)),
                        outcome,
                        rule,
                        Value::from(decision.at),
                        Value::from(counts.votes()),
                        text(),
                        context(),
                    ]);
                }
                Self::Votes => {
                    for LoggedVote { moderator, remove, at } in &item.votes {
                        let at: Option<Time> = *at;
                        rows.push(vec![
                            id(),
                            community(),
                            Value::from(moderator.clone()),
                            word(*remove),
                            Value::from(at),
                            text(),
                            context(),
                        ]);
                    }
                }
                Self::Splits if counts.split() => rows.push(vec![
                    id(),
                    community(),
                    Value::from(counts.approve),
                    Value::from(counts.remove),
                    outcome,
                    rule,
                    Value::from(past::age(&item)),
                    text(),
                    context(),
                ]),
                Self::Splits => {}
            }
        }
        rows
    }

    /// Write the table. Returns the number of rows.
    pub fn write(self, state: &State, format: Format, to: &mut dyn Write) -> Result<usize, Error> {
        let rows = self.rows(state);
        let failed = |why: String| Error::Store { place: "the export".to_owned(), why };
        match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(to);
                writer.write_record(self.columns()).map_err(|error| failed(error.to_string()))?;
                for row in &rows {
                    let cells: Vec<String> = row.iter().map(cell).collect();
                    let cells: Vec<Cow<'_, str>> = cells.iter().map(|cell| defuse(cell)).collect();
                    let cells = cells.iter().map(AsRef::as_ref);
                    writer.write_record(cells.map(str::as_bytes)).map_err(|error| failed(error.to_string()))?;
                }
                writer.flush().map_err(|error| failed(error.to_string()))?;
            }
            Format::Jsonl => {
                for row in &rows {
                    let object: Map<String, Value> =
                        self.columns().iter().map(|name| (*name).to_owned()).zip(row.iter().cloned()).collect();
                    writeln!(to, "{}", Value::Object(object)).map_err(|error| failed(error.to_string()))?;
                }
            }
        }
        Ok(rows.len())
    }
}

fn word(remove: bool) -> Value {
    Value::from(if remove { "remove" } else { "approve" })
}

fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Solo => "solo",
        Channel::Panel => "panel",
        Channel::Log => "log",
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a spreadsheet may take a cell for a formula: it begins with one of `= + - @`, a tab or a line end. Full-width forms
/// of the signs count, because some programs turn them into the plain ones, and blanks and marks before them do not,
/// because some programs cut them off. Numbers are left alone.
fn looks_like_formula(cell: &str) -> bool {
    let cell = cell.trim_start_matches([' ', '\u{a0}', '\u{feff}', '\u{200b}']);
    let dangerous = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    cell.starts_with(dangerous) && cell.parse::<f64>().is_err()
}

/// The cell as a spreadsheet will show it and not run it. A text that begins with `'` and looks like a defused one gets
/// another `'`, so that nothing is lost.
pub fn defuse(cell: &str) -> Cow<'_, str> {
    let bare = cell.trim_start_matches('\'');
    if looks_like_formula(bare) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// What [`defuse`] was given.
pub fn refuse(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if looks_like_formula(rest.trim_start_matches('\'')) => rest,
        _ => cell,
    }
}

/// How many cases each moderator decided and how often for removal: a summary without texts.
pub fn by_moderator(state: &State) -> BTreeMap<String, (usize, usize)> {
    let mut found = BTreeMap::<String, (usize, usize)>::new();
    for case in state.cases.values() {
        for vote in past::item(state, case).votes {
            let entry = found.entry(vote.moderator).or_default();
            entry.0 += 1;
            entry.1 += usize::from(vote.remove);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused_and_come_back() {
        for (plain, safe) in [
            ("=1+1", "'=1+1"),
            ("+A1", "'+A1"),
            ("-2.5", "-2.5"),
            ("-see below", "'-see below"),
            ("@cmd", "'@cmd"),
            ("\tx", "'\tx"),
            ("＝x", "'＝x"),
            ("'=quoted", "''=quoted"),
            ("'tis", "'tis"),
            ("", ""),
            ("plain = text", "plain = text"),
        ] {
            assert_eq!(defuse(plain), safe);
            assert_eq!(refuse(safe), plain);
        }
    }
}
