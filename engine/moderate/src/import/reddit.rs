//! Reddit's moderation log and its reported items, one JSON object a line. Of the log only decisions on posts and
//! comments count, AutoModerator's are left out, and the last action of a moderator on a target is the one that holds.
//! Reported items (`user_reports`, `mod_reports`) are cases to be decided.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{BadRow, Imported, Item, LoggedVote};
use crate::model::{Case, CaseKind, Report, Source};

/// What counts of a line. Everything else is passed over without being kept, and reports are counted while they are
/// read: a line may hold a million.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    data: Option<Box<Row>>,
    action: Value,
    #[serde(rename = "mod")]
    moderator: Value,
    created_utc: Value,
    subreddit: Value,
    target_fullname: Value,
    target_title: Value,
    target_body: Value,
    target_author: Value,
    name: Value,
    title: Value,
    selftext: Value,
    body: Value,
    link_title: Value,
    author: Value,
    #[serde(deserialize_with = "counted")]
    user_reports: Option<Vec<Report>>,
    #[serde(deserialize_with = "counted")]
    mod_reports: Option<Vec<Report>>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn some(value: &Value) -> Option<String> {
    Some(text(value)).filter(|text| !text.is_empty())
}

fn need(name: &str, value: &Value) -> Result<String, String> {
    some(value).ok_or_else(|| format!("“{name}” is missing"))
}

fn time(value: &Value) -> Result<i64, String> {
    value.as_f64().map(|at| at as i64).ok_or_else(|| "“created_utc” is no time".to_owned())
}

/// Counts `[reason, count, …]` by members and `[reason, moderator]` by moderators; `null` counts nothing.
fn counted<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Report>>, D::Error> {
    struct Count;
    impl<'de> Visitor<'de> for Count {
        type Value = Case;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of reports")
        }
        fn visit_unit<E>(self) -> Result<Case, E> {
            Ok(Case::default())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Case, A::Error> {
            let mut case = Case::default();
            while let Some(entry) = all.next_element::<Value>()? {
                let reason = entry.get(0).and_then(Value::as_str).unwrap_or("no reason given");
                case.report(reason, entry.get(1).and_then(Value::as_u64).unwrap_or(1));
            }
            Ok(case)
        }
    }
    Ok(Some(from.deserialize_any(Count)?.reports))
}

/// Read a log. Actions of other kinds are passed over in silence; broken lines are listed.
pub fn read(text: &[u8]) -> Imported {
    let mut imported = Imported::default();
    let mut known = BTreeMap::<String, usize>::new();
    for (i, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match row(line) {
            Err(reason) => imported.bad.push(BadRow { line: i as u64 + 1, reason }),
            Ok(None) => {}
            Ok(Some((case, vote))) => {
                let place = *known.entry(case.id.clone()).or_insert_with(|| {
                    imported.items.push(Item { case: case.clone(), votes: Vec::new() });
                    imported.items.len() - 1
                });
                let Some(vote) = vote else {
                    imported.items[place].case.reports = case.reports;
                    continue;
                };
                let votes = &mut imported.items[place].votes;
                match votes.iter_mut().find(|other| other.moderator == vote.moderator) {
                    Some(other) if other.at <= vote.at => *other = vote,
                    Some(_) => {}
                    None => votes.push(vote),
                }
            }
        }
    }
    imported
}

fn row(line: &[u8]) -> Result<Option<(Case, Option<LoggedVote>)>, String> {
    let mut row: Row = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if let Some(inner) = row.data.take() {
        row = *inner;
    }
    if row.user_reports.is_some() || row.mod_reports.is_some() {
        return reported(row).map(|case| Some((case, None)));
    }
    let (remove, kind) = match need("action", &row.action)?.as_str() {
        "approvelink" => (false, CaseKind::Post),
        "approvecomment" => (false, CaseKind::Comment),
        "removelink" | "spamlink" => (true, CaseKind::Post),
        "removecomment" | "spamcomment" => (true, CaseKind::Comment),
        _ => return Ok(None),
    };
    let moderator = need("mod", &row.moderator)?;
    if moderator.eq_ignore_ascii_case("automoderator") {
        return Ok(None);
    }
    let at = time(&row.created_utc)?;
    let case = Case {
        id: need("target_fullname", &row.target_fullname)?,
        community: text(&row.subreddit),
        kind,
        title: some(&row.target_title),
        body: text(&row.target_body),
        author: text(&row.target_author),
        created_at: at,
        source: Source::Import,
        ..Case::default()
    };
    Ok(Some((case, Some(LoggedVote { moderator, remove, at: Some(at) }))))
}

/// A post or comment as Reddit lists it, with its reports.
fn reported(row: Row) -> Result<Case, String> {
    let id = need("name", &row.name)?;
    let post = id.starts_with("t3_");
    let mut case = Case {
        id,
        community: text(&row.subreddit),
        kind: if post { CaseKind::Post } else { CaseKind::Comment },
        title: some(&row.title).filter(|_| post),
        body: text(if post { &row.selftext } else { &row.body }),
        thread_title: some(&row.link_title),
        author: text(&row.author),
        created_at: time(&row.created_utc)?,
        source: Source::Report,
        ..Case::default()
    };
    for Report { reason, count } in [row.user_reports, row.mod_reports].into_iter().flatten().flatten() {
        case.report(&reason, count);
    }
    Ok(case)
}
