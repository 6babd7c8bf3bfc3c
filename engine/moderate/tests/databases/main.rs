//! Both databases: the same tests on each, and on PostgreSQL what only a server can be asked.
#![allow(clippy::unwrap_used)] // a test may fail where it stands

mod both;
mod broken;
mod hearing;
mod hostile;
mod kills;
mod retrain;
mod rights;
mod server;
mod tls;
mod trouble;

use plumb_moderate::Error;
use plumb_moderate::command::{Action, Command, SYSTEM};
use plumb_moderate::desk::{Desk, Receipt};
use plumb_moderate::model::{Ballot, Case, Choice, Moderator, Reason};
use plumb_moderate::store::Repository;

/// Far ahead of the server's clock, so that no deadline passes by itself.
const NOW: i64 = 4_000_000_000;

fn command(key: &str, actor: &str, action: Action) -> Command {
    Command { key: key.to_owned(), actor: actor.to_owned(), at: NOW, expect: None, action }
}

fn ballot(choice: Choice) -> Ballot {
    Ballot { choice, rule: Some("civility".to_owned()), rationale: "It insults.".to_owned(), confidence: 3 }
}

/// A team and so many cases that wait for a panel.
fn team<R: Repository>(desk: &mut Desk<R>, names: &[String], cases: usize) {
    let mut commands = Vec::new();
    for name in names {
        let moderator = Moderator { id: name.clone(), trainee: false, active: true };
        commands.push(command(&format!("join {name}"), SYSTEM, Action::SetModerator(moderator)));
    }
    for i in 0..cases {
        let id = format!("c{i}");
        let case = Case { id: id.clone(), body: "text".to_owned(), ..Case::default() };
        commands.push(command(&format!("arrive {i}"), SYSTEM, Action::Arrive(case)));
        commands.push(command(&format!("score {i}"), SYSTEM, Action::Score(id.clone(), None)));
        commands.push(command(&format!("open {i}"), SYSTEM, Action::OpenPanel(id, Reason::Model, vec![])));
    }
    let refused = desk.run_all(&commands).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
}

fn vote<R: Repository>(desk: &mut Desk<R>, panel: &str, who: &str, choice: Choice) -> Result<Receipt, Error> {
    desk.run(&command(&format!("vote {panel} {who}"), who, Action::Vote(panel.to_owned(), ballot(choice))))
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{prefix}{i:02}")).collect()
}
