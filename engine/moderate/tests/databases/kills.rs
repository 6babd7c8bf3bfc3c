//! Processes that are killed in the middle of something. Afterwards the data is looked at.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plumb_moderate::command::{Action, Command as Asked, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::model::{Case, Choice};
use plumb_moderate::state::Phase;
use plumb_moderate::store::{Postgres, Repository, Sqlite};

use super::both::{Place, on_both};
use super::{NOW, command, names, server, team, vote};

const PANELS: usize = 60;
const CHUNKS: usize = 40;
const CHUNK: usize = 100;

on_both!(a_kill_between_vote_and_close, a_kill_in_an_import);

/// Not a test by itself: does what it is told until it is killed, and tells how far it is.
#[test]
fn child() {
    let Ok(what) = std::env::var("PLUMB_TEST_CHILD") else { return };
    let address = std::env::var("PLUMB_TEST_ADDRESS").unwrap();
    if what == "train" {
        return super::retrain::work(&address, tell);
    }
    if address.contains("host=") {
        work(&what, Postgres::connect(&address).unwrap());
    } else {
        work(&what, Sqlite::create(address.as_ref()).unwrap());
    }
}

/// Say how far it is, whole or not at all: whoever reads may be in the middle of it.
fn tell(count: usize) {
    let told = PathBuf::from(std::env::var("PLUMB_TEST_TOLD").unwrap());
    let next = told.with_extension("next");
    std::fs::write(&next, count.to_string()).unwrap();
    std::fs::rename(next, told).unwrap();
}

fn work(what: &str, repository: impl Repository) {
    let mut desk = Desk::open(repository).unwrap();
    for i in 0..PANELS.max(CHUNKS) {
        if what == "vote" && i < PANELS {
            vote(&mut desk, &format!("c{i}/1"), "z02", Choice::Remove).unwrap();
        } else if what == "import" && i < CHUNKS {
            desk.run_all(&chunk(i)).unwrap();
        }
        tell(i + 1);
    }
}

/// One write of an import.
fn chunk(number: usize) -> Vec<Asked> {
    let arrive = |i: usize| {
        let case = Case { id: format!("i{i}"), body: "text ".repeat(20), ..Case::default() };
        command(&format!("arrive i{i}"), SYSTEM, Action::Arrive(case))
    };
    (number * CHUNK..(number + 1) * CHUNK).map(arrive).collect()
}

pub struct Worker {
    child: Child,
    told: PathBuf,
    _folder: tempfile::TempDir,
}

impl Worker {
    pub fn start(what: &str, address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::child"])
            .env("PLUMB_TEST_CHILD", what)
            .env("PLUMB_TEST_ADDRESS", address)
            .env("PLUMB_TEST_TOLD", &told)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, told, _folder: folder }
    }

    fn told(&self) -> usize {
        std::fs::read_to_string(&self.told).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Kill it once it has told `count`; what it had told by then.
    pub fn kill_after(mut self, count: usize) -> usize {
        let start = Instant::now();
        while self.told() < count {
            assert!(start.elapsed() < Duration::from_mins(1), "the child works");
            std::thread::sleep(Duration::from_micros(200));
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.told()
    }
}

fn a_kill_between_vote_and_close(place: &impl Place) {
    let names = names("z", 3);
    place.admit(&names);
    let mut lead = Desk::open(place.lead()).unwrap();
    team(&mut lead, &names, PANELS);
    for name in &names[..2] {
        let mut desk = Desk::open(place.member(name)).unwrap();
        for i in 0..PANELS {
            vote(&mut desk, &format!("c{i}/1"), name, Choice::Remove).unwrap();
        }
    }
    let mut told = 0;
    for count in [3, 9, 20] {
        told = told.max(Worker::start("vote", &place.address("z02")).kill_after(count));
        // Somebody else makes good what the dead one left undone. A server may still be at work on what a dead client
        // asked for: look again until it is quiet.
        for round in 0..100 {
            lead.refresh().unwrap();
            lead.run(&command(&format!("tick {count} {round}"), SYSTEM, Action::Tick)).unwrap();
            let panels = lead.state().running.clone();
            if panels.iter().all(|panel| !lead.repository().voted(panel, "z02").unwrap()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for i in 0..PANELS {
            let panel = &lead.state().panels[&format!("c{i}/1")];
            let (closed, votes) = (panel.closed, panel.votes.len());
            assert!(
                (closed && votes == 3) || (!closed && votes == 0 && i >= told),
                "{i}: {closed}, {votes}, told {told}"
            );
            let voted = lead.repository().voted(&format!("c{i}/1"), "z02").unwrap();
            assert_eq!(voted, closed, "{i}: a vote that was kept ends its panel");
        }
    }
    // The same commands again: what was done is not done twice, the rest is done.
    let mut desk = Desk::open(place.member("z02")).unwrap();
    for i in 0..PANELS {
        let repeated = vote(&mut desk, &format!("c{i}/1"), "z02", Choice::Remove).unwrap().repeated;
        assert!(repeated || i >= told);
    }
    lead.verify().unwrap();
    assert!(lead.state().cases.values().all(|case| case.phase == Phase::Decided && case.decisions.len() == 1));
}

fn a_kill_in_an_import(place: &impl Place) {
    let mut told = 0;
    for count in [1, 7, 15] {
        told = told.max(Worker::start("import", &place.address("owner")).kill_after(count));
        let mut lead = Desk::open(place.lead()).unwrap();
        let cases = lead.state().cases.len();
        assert!(cases.is_multiple_of(CHUNK) && cases >= told * CHUNK, "{cases} cases, {told} chunks told");
        lead.verify().unwrap();
    }
    let mut lead = Desk::open(place.lead()).unwrap();
    for i in 0..CHUNKS {
        assert!(lead.run_all(&chunk(i)).unwrap().is_empty());
    }
    assert_eq!((lead.state().cases.len(), lead.state().seq), (CHUNKS * CHUNK, (CHUNKS * CHUNK) as u64));
    lead.verify().unwrap();
}

#[test]
fn a_kill_in_a_migration_leaves_the_old_format_or_the_new_one() {
    let old =
        [include_str!("../../migrations/sqlite/0001_log.sql"), include_str!("../../migrations/sqlite/0002_models.sql")];
    for round in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.db");
        let mut sql = rusqlite::Connection::open(&path).unwrap();
        sql.pragma_update(None, "application_id", 0x504C_4D42).unwrap();
        let fill = sql.transaction().unwrap();
        fill.execute_batch(&old.concat()).unwrap();
        fill.execute("INSERT INTO model VALUES ('votes', x'00ff')", []).unwrap();
        fill.pragma_update(None, "user_version", 2).unwrap();
        fill.commit().unwrap();
        let mut child = Worker::start("migrate", path.to_str().unwrap()).child;
        std::thread::sleep(Duration::from_micros(1500 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let version: i64 = sql.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
        let tables: i64 = sql.query_row(tables, [], |row| row.get(0)).unwrap();
        assert!([(2, 2), (5, 6)].contains(&(version, tables)), "version {version}, {tables} tables");
        drop(sql);
        assert_eq!(Sqlite::create(&path).unwrap().model("votes").unwrap().as_deref(), Some(&[0, 255][..]));
    }
    let server = server::shared();
    let mut sql = server.raw("postgres", "owner");
    for round in 0..6 {
        let name = format!("migrate{round}");
        sql.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let address = server.address(&name, "owner");
        let mut child = Worker::start("migrate", &address).child;
        std::thread::sleep(Duration::from_millis(8 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        // Nothing, or all of it.
        let mut found = server.raw(&name, "owner");
        let there: bool = found.query_one("SELECT to_regclass('plumb.format') IS NOT NULL", &[]).unwrap().get(0);
        if there {
            assert_eq!(found.query_one("SELECT version FROM plumb.format", &[]).unwrap().get::<_, i32>(0), 4);
        }
        let mut desk = Desk::open(Postgres::connect(&address).unwrap()).unwrap();
        team(&mut desk, &names("y", 3), 1);
        assert_eq!(desk.state().at, NOW);
    }
}
