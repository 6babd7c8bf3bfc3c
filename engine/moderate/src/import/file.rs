//! Files on disk: which format one has, which of its columns hold what, and a look before it is imported.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::table::{self, Columns};
use super::{Imported, lewidi, reddit};
use crate::Error;

/// A file format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Found out from the file.
    #[default]
    Auto,
    /// A table with a head line, one judgement a row.
    Csv,
    /// JSON lines, one judgement a line.
    Jsonl,
    /// Reddit's moderation log or reported items, one JSON object a line.
    Reddit,
    /// Le-Wi-Di JSON.
    Lewidi,
    /// The CSV of DICES.
    Dices,
}

/// Bytes that are looked at to find a format.
const LOOK: usize = 64 * 1024;

/// Largest file that is read.
const LARGEST: u64 = 4 << 30;

fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let fail = |why: String| Error::Import { place: path.display().to_string(), why };
    let size = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if size > LARGEST {
        return Err(fail("it is larger than 4 GiB; split it".to_owned()));
    }
    std::fs::read(path).map_err(|error| fail(error.to_string()))
}

/// The format of a file's beginning.
pub fn guess(start: &[u8]) -> Format {
    let start = &start[..start.len().min(LOOK)];
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let line = text.lines().next().unwrap_or_default();
    if let Ok(Value::Object(row)) = serde_json::from_str::<Value>(line) {
        let row = row.get("data").and_then(Value::as_object).unwrap_or(&row);
        let is = |name: &str| row.contains_key(name);
        return if is("target_fullname") || is("user_reports") || (is("action") && is("mod")) {
            Format::Reddit
        } else {
            Format::Jsonl
        };
    }
    if text.starts_with('{') {
        return if text.contains("\"annotat") { Format::Lewidi } else { Format::Jsonl };
    }
    if line.contains("rater_id") && line.contains("item_id") { Format::Dices } else { Format::Csv }
}

/// Read a file. `columns` say what the columns of a table hold; without them they are guessed from its head.
pub fn read(path: &Path, format: Format, columns: Option<&Columns>) -> Result<Imported, Error> {
    let place = path.display().to_string();
    let bytes = bytes(path)?;
    let format = if format == Format::Auto { guess(&bytes) } else { format };
    let chosen = || columns.cloned().unwrap_or_else(|| guess_columns(&head(&bytes, format)));
    match format {
        Format::Reddit => Ok(reddit::read(&bytes)),
        Format::Lewidi => {
            let text = std::str::from_utf8(&bytes)
                .map_err(|error| Error::Import { place: place.clone(), why: format!("it is not UTF-8 ({error})") })?;
            let name = path.file_stem().map_or_else(|| place.clone(), |stem| stem.to_string_lossy().into_owned());
            lewidi::read(text, &name)
        }
        Format::Dices => table::csv(&bytes, columns.unwrap_or(&Columns::dices()), &place),
        Format::Jsonl => {
            let found = table::jsonl(&bytes, &chosen());
            if found.items.is_empty() && !found.bad.is_empty() {
                let why = format!("no line could be used; line {}: {}", found.bad[0].line, found.bad[0].reason);
                return Err(Error::Import { place, why });
            }
            Ok(found)
        }
        Format::Csv | Format::Auto => table::csv(&bytes, &chosen(), &place),
    }
}

/// The names of a table's columns.
fn head(bytes: &[u8], format: Format) -> Vec<String> {
    let bytes = &bytes[..bytes.len().min(LOOK)];
    if format == Format::Jsonl {
        let first = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
        let row = serde_json::from_slice::<Value>(first).unwrap_or_default();
        return row.as_object().map(|row| row.keys().cloned().collect()).unwrap_or_default();
    }
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let head = reader.byte_headers().map(|row| row.iter().map(String::from_utf8_lossy).map(Into::into).collect());
    let head: Vec<String> = head.unwrap_or_default();
    head.into_iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect()
}

/// What columns of these names probably hold: this program's own names first, then what other programs use.
pub fn guess_columns(head: &[String]) -> Columns {
    let find = |names: &[&str]| {
        names.iter().find_map(|name| head.iter().find(|column| column.trim().eq_ignore_ascii_case(name)).cloned())
    };
    let own = Columns::own();
    Columns {
        case: find(&["case", "case_id", "item_id", "id", "target_fullname", "comment_id", "post_id"])
            .unwrap_or(own.case),
        moderator: find(&["moderator", "mod", "mod_id", "rater_id", "annotator", "user_id", "worker_id"])
            .unwrap_or(own.moderator),
        text: find(&["text", "body", "comment", "response", "target_body", "content", "tweet"]).unwrap_or(own.text),
        context: find(&["context", "parent", "parent_body", "parent_text"]),
        verdict: find(&["verdict", "decision", "action", "label", "vote", "removed", "Q_overall", "annotation"])
            .unwrap_or(own.verdict),
        at: find(&["at", "created_utc", "timestamp", "time", "date"]),
        community: find(&["community", "subreddit", "forum"]),
        ..own
    }
}

/// A file before it is imported.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preview {
    /// Its format.
    pub format: Format,
    /// The names of its columns, where it is a table.
    pub head: Vec<String>,
    /// What they are taken for.
    pub columns: Option<Columns>,
    /// The first cases with their votes.
    pub items: Vec<super::Item>,
    /// Cases in all.
    pub cases: usize,
    /// Votes in all.
    pub votes: usize,
    /// Moderators in all.
    pub moderators: usize,
    /// The first rows that would be left out.
    pub bad: Vec<super::BadRow>,
    /// How many those are.
    pub bad_rows: usize,
    /// Why nothing can be read with these columns.
    pub problem: Option<String>,
}

/// What importing would find; `show` cases and bad rows are shown.
pub fn preview(path: &Path, format: Format, columns: Option<&Columns>, show: usize) -> Result<Preview, Error> {
    let start = bytes(path)?;
    let format = if format == Format::Auto { guess(&start) } else { format };
    let table = matches!(format, Format::Csv | Format::Jsonl | Format::Dices);
    let head = if table { head(&start, format) } else { Vec::new() };
    let columns = table.then(|| match (columns, format) {
        (Some(columns), _) => columns.clone(),
        (None, Format::Dices) => Columns::dices(),
        (None, _) => guess_columns(&head),
    });
    let (found, problem) = match read(path, format, columns.as_ref()) {
        Ok(found) => (found, None),
        Err(error) => (Imported::default(), Some(error.to_string())),
    };
    let moderators: std::collections::BTreeSet<&String> =
        found.items.iter().flat_map(|item| &item.votes).map(|vote| &vote.moderator).collect();
    Ok(Preview {
        format,
        head,
        columns,
        cases: found.items.len(),
        votes: found.items.iter().map(|item| item.votes.len()).sum(),
        moderators: moderators.len(),
        bad_rows: found.bad.len(),
        bad: found.bad.into_iter().take(show).collect(),
        items: found.items.into_iter().take(show).collect(),
        problem,
    })
}
