//! Bringing imported cases and their decisions into the log. Doing it again changes nothing.

use plumb_core::Ctl;
use serde::Serialize;

use super::{BadRow, Imported};
use crate::Error;
use crate::audit::fingerprint;
use crate::command::{Action, Command, SYSTEM};
use crate::desk::Desk;
use crate::model::{Channel, Decision, Time, Verdict};
use crate::store::Repository;

/// Commands written at a time: all of them or none survive a crash, and the import can be started again.
const CHUNK: usize = 20_000;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Cases that were new.
    pub cases: usize,
    /// Decisions that were new.
    pub decisions: usize,
    /// Reports that were new, on cases that were known.
    pub reports: u64,
    /// Rows that were refused, with the case's number in the file and the reason.
    pub refused: Vec<BadRow>,
}

/// Append what is new in `imported`. `now` is used where the file says no time. A known case with the same text stays
/// as it is and only gets the reports it lacks; one with another text is refused.
pub fn into_log<R: Repository>(
    desk: &mut Desk<R>,
    imported: &Imported,
    now: Time,
    ctl: &Ctl,
) -> Result<Summary, Error> {
    let before = (desk.state().cases.len(), decisions(desk));
    let mut commands = Vec::new();
    let mut lines = Vec::new();
    let mut reports = 0_u64;
    for (line, item) in imported.items.iter().enumerate() {
        let id = &item.case.id;
        lines.push(line);
        match desk.state().cases.get(id) {
            Some(known) if known.case.text_alone() == item.case.text_alone() => {
                lines.pop();
                for report in &item.case.reports {
                    let had =
                        known.case.reports.iter().find(|had| had.reason == report.reason).map_or(0, |had| had.count);
                    if report.count > had {
                        let key = format!(
                            "import {}",
                            fingerprint(&["report", id, &report.reason, &report.count.to_string()])
                        );
                        let action = Action::Report(id.clone(), report.reason.clone(), report.count - had);
                        reports = reports.saturating_add(report.count - had);
                        lines.push(line);
                        commands.push(Command { key, ..command(now, action) });
                    }
                }
            }
            _ => {
                let key = format!("import {}", fingerprint(&["case", id, &item.case.text_alone()]));
                commands.push(Command { key, ..command(now, Action::Arrive(item.case.clone())) });
            }
        }
        for vote in &item.votes {
            let decision = Decision {
                by: vote.moderator.clone(),
                verdict: if vote.remove { Verdict::Remove } else { Verdict::Approve },
                rule: None,
                at: vote.at.unwrap_or(item.case.created_at),
                channel: Channel::Log,
            };
            let what = [&*decision.at.to_string(), if vote.remove { "remove" } else { "approve" }].join(" ");
            let key = format!("import {}", fingerprint(&["vote", id, &vote.moderator, &what]));
            lines.push(line);
            commands.push(Command { key, ..command(now, Action::Log(id.clone(), decision)) });
        }
    }
    let mut refused = Vec::new();
    let total = commands.len() as u64;
    for (i, chunk) in commands.chunks(CHUNK).enumerate() {
        ctl.check()?;
        ctl.progress("importing", (i * CHUNK) as u64, Some(total));
        for (place, error) in desk.run_all(chunk)? {
            let line = lines.get(i * CHUNK + place).map_or(0, |line| *line as u64 + 1);
            refused.push(BadRow { line, reason: error.to_string() });
        }
    }
    let cases = desk.state().cases.len() - before.0;
    Ok(Summary { cases, decisions: decisions(desk) - before.1, reports, refused })
}

fn command(at: Time, action: Action) -> Command {
    Command { key: String::new(), actor: SYSTEM.to_owned(), at, expect: None, action }
}

fn decisions<R: Repository>(desk: &Desk<R>) -> usize {
    desk.state().cases.values().map(|case| case.decisions.len()).sum()
}
