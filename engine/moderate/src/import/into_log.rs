//! Bringing imported cases and their decisions into the log. Doing it again changes nothing.

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Cases that were new.
    pub cases: usize,
    /// Decisions that were new.
    pub decisions: usize,
    /// Rows that were refused, with the case's number in the file and the reason.
    pub refused: Vec<BadRow>,
}

/// Append what is new in `imported`. `now` is used where the file says no time.
pub fn into_log<R: Repository>(desk: &mut Desk<R>, imported: &Imported, now: Time) -> Result<Summary, Error> {
    let before = (desk.state().cases.len(), decisions(desk));
    let mut commands = Vec::new();
    let mut lines = Vec::new();
    for (line, item) in imported.items.iter().enumerate() {
        let id = &item.case.id;
        lines.push(line);
        let key = format!("import {}", fingerprint(&["case", id]));
        commands.push(Command { key, ..command(now, Action::Arrive(item.case.clone())) });
        for vote in &item.votes {
            let decision = Decision {
                by: vote.moderator.clone(),
                verdict: if vote.remove { Verdict::Remove } else { Verdict::Approve },
                rule: None,
                at: vote.at.unwrap_or(item.case.created_at),
                channel: Channel::Log,
            };
            let key = format!("import {}", fingerprint(&["vote", id, &vote.moderator]));
            lines.push(line);
            commands.push(Command { key, ..command(now, Action::Log(id.clone(), decision)) });
        }
    }
    let mut refused = Vec::new();
    for (i, chunk) in commands.chunks(CHUNK).enumerate() {
        for (place, error) in desk.run_all(chunk)? {
            let line = lines.get(i * CHUNK + place).map_or(0, |line| *line as u64 + 1);
            refused.push(BadRow { line, reason: error.to_string() });
        }
    }
    let cases = desk.state().cases.len() - before.0;
    Ok(Summary { cases, decisions: decisions(desk) - before.1, refused })
}

fn command(at: Time, action: Action) -> Command {
    Command { key: String::new(), actor: SYSTEM.to_owned(), at, expect: None, action }
}

fn decisions<R: Repository>(desk: &Desk<R>) -> usize {
    desk.state().cases.values().map(|case| case.decisions.len()).sum()
}
