//! Tables with one judgement a row, as CSV or JSON lines, with a choice of columns. DICES is one such table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BadRow, Imported, Item, LoggedVote};
use crate::Error;
use crate::export::refuse;
use crate::model::{Case, Source};

/// Which column holds what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    /// Name of the case.
    pub case: String,
    /// Name of the moderator.
    pub moderator: String,
    /// The text.
    pub text: String,
    /// What the text answers, where there is such a column.
    pub context: Option<String>,
    /// The judgement.
    pub verdict: String,
    /// Values of that column that mean removal, in lower case.
    pub removes: Vec<String>,
    /// Values that mean approval, in lower case. Anything else is a bad row.
    pub approves: Vec<String>,
    /// Seconds since 1970, where there is such a column.
    pub at: Option<String>,
    /// The community, where there is such a column.
    pub community: Option<String>,
}

impl Default for Columns {
    fn default() -> Self {
        Self::own()
    }
}

impl Columns {
    /// The columns of this program's own exports of votes.
    pub fn own() -> Self {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            case: "case".to_owned(),
            moderator: "moderator".to_owned(),
            text: "text".to_owned(),
            context: Some("context".to_owned()),
            verdict: "verdict".to_owned(),
            removes: list(&["remove", "removed", "spam", "1", "true", "yes"]),
            approves: list(&["approve", "approved", "keep", "0", "false", "no"]),
            at: Some("at".to_owned()),
            community: Some("community".to_owned()),
        }
    }

    /// The DICES columns (Aroyo and others, 2023); a response rated unsafe overall counts as removal.
    pub fn dices() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            case: text("item_id"),
            moderator: text("rater_id"),
            text: text("response"),
            context: Some(text("context")),
            verdict: text("Q_overall"),
            removes: vec![text("yes")],
            approves: vec![text("no"), text("unsure")],
            at: None,
            community: None,
        }
    }
}

/// Read CSV with a head line. A `'` before a formula, as [`crate::export`] writes it, is taken away.
pub fn csv(text: &[u8], columns: &Columns, place: &str) -> Result<Imported, Error> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let head =
        reader.byte_headers().map_err(|error| Error::Import { place: place.to_owned(), why: error.to_string() })?;
    let head: Vec<String> =
        head.iter().map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').to_owned()).collect();
    for name in [&columns.case, &columns.moderator, &columns.text, &columns.verdict] {
        if !head.contains(name) {
            return Err(Error::Import {
                place: place.to_owned(),
                why: format!("it has no column “{name}”; choose another"),
            });
        }
    }
    let mut gather = Gather::new(columns);
    let mut row = csv::ByteRecord::new();
    loop {
        // Behind a line that ends in CR LF the reader stands before the LF.
        let before = reader.position();
        let line = before.line() + u64::from(text.get(before.byte() as usize) == Some(&b'\n'));
        match reader.read_byte_record(&mut row) {
            Ok(false) => break,
            Ok(true) if row.len() != head.len() => {
                gather.bad(line, format!("{} cells where {} are expected", row.len(), head.len()));
            }

            Ok(true) => {
                let cell = |name: &str| {
                    let at = head.iter().position(|column| column == name)?;
                    row.get(at).map(|bytes| std::str::from_utf8(bytes).map(|text| refuse(text).to_owned()))
                };
                let utf8 = row.iter().all(|bytes| std::str::from_utf8(bytes).is_ok());
                if utf8 {
                    gather.row(line, |name| cell(name).and_then(Result::ok));
                } else {
                    gather.bad(line, "it is not UTF-8".to_owned());
                }
            }
            Err(error) => {
                gather.bad(line, error.to_string());
                if matches!(error.kind(), csv::ErrorKind::Io(_)) {
                    break;
                }
            }
        }
    }
    Ok(gather.imported)
}

/// Read JSON lines: an object a line.
pub fn jsonl(text: &[u8], columns: &Columns) -> Imported {
    let mut gather = Gather::new(columns);
    for (i, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = i as u64 + 1;
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Value>(bytes) {
            Ok(Value::Object(row)) => gather.row(line, |name| match row.get(name)? {
                Value::String(text) => Some(text.clone()),
                Value::Null => None,
                other => Some(other.to_string()),
            }),
            Ok(_) => gather.bad(line, "it is no JSON object".to_owned()),
            Err(error) => gather.bad(line, error.to_string()),
        }
    }
    gather.imported
}

struct Gather<'a> {
    columns: &'a Columns,
    known: BTreeMap<String, usize>,
    imported: Imported,
}

impl<'a> Gather<'a> {
    fn new(columns: &'a Columns) -> Self {
        Self { columns, known: BTreeMap::new(), imported: Imported::default() }
    }

    fn bad(&mut self, line: u64, reason: String) {
        self.imported.bad.push(BadRow { line, reason });
    }

    fn row(&mut self, line: u64, cell: impl Fn(&str) -> Option<String>) {
        if let Err(reason) = self.take(cell) {
            self.bad(line, reason);
        }
    }

    fn take(&mut self, cell: impl Fn(&str) -> Option<String>) -> Result<(), String> {
        let columns = self.columns;
        let need = |name: &str| cell(name).filter(|text| !text.is_empty()).ok_or(format!("“{name}” is empty"));
        let (id, moderator, body, verdict) = (
            need(&columns.case)?,
            need(&columns.moderator)?,
            need(&columns.text)?,
            need(&columns.verdict)?.to_lowercase(),
        );
        let remove = columns.removes.contains(&verdict);
        if !remove && !columns.approves.contains(&verdict) {
            return Err(format!("“{verdict}” is neither removal nor approval"));
        }
        let at = match columns.at.as_deref().and_then(&cell) {
            Some(text) if text.trim().is_empty() => None,
            Some(text) => Some(text.trim().parse::<f64>().map_err(|_no_number| format!("“{text}” is no time"))? as i64),
            None => None,
        };
        let vote = LoggedVote { moderator, remove, at };
        let community = columns.community.as_deref().and_then(&cell).unwrap_or_default();
        let context = columns.context.as_deref().and_then(&cell).filter(|text| !text.is_empty());
        if let Some(&place) = self.known.get(&id) {
            let item = &mut self.imported.items[place];
            if item.case.body != body {
                return Err(format!("case “{id}” has another text in an earlier row"));
            }
            // The last word of a moderator on a case counts.
            match item.votes.iter_mut().find(|known| known.moderator == vote.moderator) {
                Some(known) => *known = vote,
                None => item.votes.push(vote),
            }
            return Ok(());
        }
        self.known.insert(id.clone(), self.imported.items.len());
        let case = Case {
            id,
            community,
            body,
            parent_body: context,
            source: Source::Import,
            created_at: at.unwrap_or(0),
            ..Case::default()
        };
        self.imported.items.push(Item { case, votes: vec![vote] });
        Ok(())
    }
}
