//! Le-Wi-Di JSON (Leonardelli and others, SemEval-2023 task 11): items by number, annotators and their labels as
//! comma-separated lists. Labels of 1 or `Yes` remove; ConvAbuse severities below 0 do.

use serde_json::{Map, Value};

use super::{BadRow, Imported, Item, LoggedVote};
use crate::Error;
use crate::model::{Case, Source};

/// Read a file's text. `place` names it in errors and its cases.
pub fn read(text: &str, place: &str) -> Result<Imported, Error> {
    let fail = |why: String| Error::Import { place: place.to_owned(), why };
    let all: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| fail(format!("it is no Le-Wi-Di JSON ({error})")))?;
    let mut imported = Imported::default();
    let mut numbered: Vec<(&String, &Value)> = all.iter().collect();
    numbered.sort_by_key(|(id, _)| (id.parse::<u64>().unwrap_or(u64::MAX), (*id).clone()));
    for (line, (id, value)) in numbered.into_iter().enumerate() {
        match item(&format!("{place}/{id}"), value) {
            Ok(item) => imported.items.push(item),
            Err(reason) => imported.bad.push(BadRow { line: line as u64 + 1, reason: format!("entry {id}: {reason}") }),
        }
    }
    Ok(imported)
}

fn item(id: &str, value: &Value) -> Result<Item, String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).ok_or(format!("“{name}” is missing"));
    let body = text("text")?;
    let severity = text("annotation task").is_ok_and(|task| task.starts_with("abus"));
    let votes = if let Some(Value::Object(by)) = value.get("annotations") {
        by.iter().map(|(who, label)| vote(who, &label.to_string(), severity)).collect::<Result<_, _>>()?
    } else {
        let names: Vec<&str> = text("annotators")?.split(',').collect();
        let labels: Vec<&str> = text("annotations")?.split(',').collect();
        if names.len() != labels.len() {
            return Err(format!("{} annotators and {} labels", names.len(), labels.len()));
        }
        names.into_iter().zip(labels).map(|(who, label)| vote(who, label, severity)).collect::<Result<Vec<_>, _>>()?
    };
    if votes.is_empty() {
        return Err("nobody judged it".to_owned());
    }
    let mut case = Case { id: id.to_owned(), body: body.to_owned(), source: Source::Import, ..Case::default() };
    // A dialogue comes as JSON inside the text.
    if let Ok(Value::Object(dialogue)) = serde_json::from_str::<Value>(body) {
        let turn = |name: &str| dialogue.get(name).and_then(Value::as_str).unwrap_or_default();
        turn("user").clone_into(&mut case.body);
        case.parent_body = Some([turn("agent"), turn("prev_user"), turn("prev_agent")].join("\n"));
    }
    Ok(Item { case, votes })
}

fn vote(who: &str, label: &str, severity: bool) -> Result<LoggedVote, String> {
    let label = label.trim().trim_matches('"');
    let remove = match (label.parse::<f64>(), label) {
        (Ok(number), _) => {
            if severity {
                number < 0.0
            } else {
                number > 0.0
            }
        }
        (Err(_), "Yes" | "yes" | "true") => true,
        (Err(_), "No" | "no" | "false") => false,
        _ => return Err(format!("“{label}” is no label")),
    };
    Ok(LoggedVote { moderator: who.trim().to_owned(), remove, at: None })
}
