//! Reddit's moderation log and its reported items, one JSON object a line. Of the log only decisions on posts and
//! comments count, AutoModerator's are left out, and the last action of a moderator on a target is the one that holds.
//! Reported items (`user_reports`, `mod_reports`) are cases to be decided.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{BadRow, Imported, Item, LoggedVote};
use crate::model::{Case, CaseKind, Report, Source};

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
    let value: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let value = value.get("data").unwrap_or(&value);
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let need = |name: &str| Some(text(name)).filter(|text| !text.is_empty()).ok_or(format!("“{name}” is missing"));
    if value.get("user_reports").is_some() || value.get("mod_reports").is_some() {
        return reported(value).map(|case| Some((case, None)));
    }
    let (remove, kind) = match need("action")?.as_str() {
        "approvelink" => (false, CaseKind::Post),
        "approvecomment" => (false, CaseKind::Comment),
        "removelink" | "spamlink" => (true, CaseKind::Post),
        "removecomment" | "spamcomment" => (true, CaseKind::Comment),
        _ => return Ok(None),
    };
    let moderator = need("mod")?;
    if moderator.eq_ignore_ascii_case("automoderator") {
        return Ok(None);
    }
    let at = value.get("created_utc").and_then(Value::as_f64).ok_or("“created_utc” is no time")? as i64;
    let title = Some(text("target_title")).filter(|title| !title.is_empty());
    let case = Case {
        id: need("target_fullname")?,
        community: text("subreddit"),
        kind,
        title,
        body: text("target_body"),
        author: text("target_author"),
        created_at: at,
        source: Source::Import,
        ..Case::default()
    };
    Ok(Some((case, Some(LoggedVote { moderator, remove, at: Some(at) }))))
}

/// A post or comment as Reddit lists it, with its reports: `[reason, count, …]` by members, `[reason, moderator]` by
/// moderators.
fn reported(value: &Value) -> Result<Case, String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = Some(text("name")).filter(|id| !id.is_empty()).ok_or("“name” is missing")?;
    let mut reports: Vec<Report> = Vec::new();
    let lists = ["user_reports", "mod_reports"].map(|name| value.get(name).and_then(Value::as_array));
    for entry in lists.into_iter().flatten().flatten() {
        let reason = entry.get(0).and_then(Value::as_str).unwrap_or("no reason given").to_owned();
        let count = entry.get(1).and_then(Value::as_u64).unwrap_or(1);
        match reports.iter_mut().find(|report| report.reason == reason) {
            Some(report) => report.count = report.count.saturating_add(count),
            None => reports.push(Report { reason, count }),
        }
    }
    let post = id.starts_with("t3_");
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Case {
        id,
        community: text("subreddit"),
        kind: if post { CaseKind::Post } else { CaseKind::Comment },
        title: some(text("title")).filter(|_| post),
        body: if post { text("selftext") } else { text("body") },
        thread_title: some(text("link_title")),
        author: text("author"),
        created_at: value.get("created_utc").and_then(Value::as_f64).ok_or("“created_utc” is no time")? as i64,
        source: Source::Report,
        reports,
        ..Case::default()
    })
}
