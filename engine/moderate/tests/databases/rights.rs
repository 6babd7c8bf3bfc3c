//! What a moderator's own database role can and cannot do, asked in SQL, past the program.

use plumb_moderate::audit;
use plumb_moderate::command::{Action, SYSTEM};
use plumb_moderate::desk::Desk;
use plumb_moderate::event::{Event, What};
use plumb_moderate::model::{Case, Channel, Choice, Decision, Policy, Prediction, Verdict};
use plumb_moderate::session::Session;
use plumb_moderate::store::{Postgres, Repository as _, Sqlite};
use plumb_moderate::view;
use postgres::Client;

use super::server::{self, PASSWORD};
use super::{NOW, ballot, command, names, team, vote};

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap().get(0)
}

fn denied(client: &mut Client, query: &str) {
    let error = client.batch_execute(query).err().unwrap_or_else(|| panic!("{query} was allowed"));
    assert_eq!(error.code().map(postgres::error::SqlState::code), Some("42501"), "{query}: {error}");
}

struct Scene {
    owner: Desk<Postgres>,
    database: String,
    seats: Vec<String>,
    outside: String,
}

impl Scene {
    /// A blind panel on which the first seat has voted, with a model and its predictions.
    fn new(prefix: &str, policy: Policy) -> Self {
        let (mut owner, database) = server::shared().database();
        let names = names(prefix, 4);
        for name in &names {
            owner.set_member(name, PASSWORD, false).unwrap();
        }
        owner.set_member(&format!("{prefix}lead"), PASSWORD, true).unwrap();
        let mut owner = Desk::open(owner).unwrap();
        owner.run(&command("policy", SYSTEM, Action::SetPolicy(policy))).unwrap();
        team(&mut owner, &names, 1);
        owner.repository().put_model("votes", b"weights").unwrap();
        let p = names.iter().map(|name| (name.clone(), 0.123456)).collect();
        let prediction =
            Prediction { model: "v".into(), p, disagreement: Some(0.5), entropy: Some(1.0), gain: Some(0.1) };
        owner.run(&command("x", SYSTEM, Action::Arrive(Case { id: "x".into(), ..Case::default() }))).unwrap();
        owner.run(&command("y", SYSTEM, Action::Score("x".into(), Some(prediction)))).unwrap();
        let seats = owner.state().panels["c0/1"].members.clone();
        let outside = names.into_iter().find(|name| !seats.contains(name)).unwrap();
        let scene = Self { owner, database, seats, outside };
        let first = scene.seats[0].clone();
        vote(&mut scene.desk(&first), "c0/1", &first, Choice::Remove).unwrap();
        scene
    }

    fn desk(&self, who: &str) -> Desk<Postgres> {
        Desk::open(Postgres::connect(&server::shared().address(&self.database, who)).unwrap()).unwrap()
    }

    fn raw(&self, who: &str) -> Client {
        server::shared().raw(&self.database, who)
    }

    /// Append one event past the program, correctly chained.
    fn forge(&mut self, who: &str, actor: &str, key: &str, what: What) -> Result<bool, postgres::Error> {
        self.owner.refresh().unwrap();
        let head = self.owner.head().clone();
        let event =
            Event { seq: head.seq + 1, at: NOW, actor: actor.into(), key: key.into(), digest: "d".into(), what };
        let entry = audit::seal(&head, &event).unwrap();
        let append = "SELECT plumb.append($1, $2, $3, $4)";
        let seq = head.seq as i64;
        let (texts, hashes) = (vec![entry.text], vec![entry.hash]);
        self.raw(who).query_one(append, &[&seq, &head.hash, &texts, &hashes]).map(|row| row.get(0))
    }
}

#[test]
fn a_blind_vote_cannot_be_read_by_anybody_else() {
    let mut scene = Scene::new("ra", Policy { show_progress: false, ..Policy::default() });
    let (voter, other, outside) = (scene.seats[0].clone(), scene.seats[1].clone(), scene.outside.clone());
    assert_eq!(count(&mut scene.raw(&voter), "SELECT count(*) FROM plumb.ballot"), 1, "one's own is there");
    scene.raw("owner").batch_execute("ANALYZE").unwrap();
    for who in [&other, &outside, &"ralead".to_owned()] {
        let mut sql = scene.raw(who);
        for query in [
            "SELECT count(*) FROM plumb.ballot",
            "SELECT count(*) FROM plumb.ballot WHERE panel = 'c0/1'",
            "SELECT count(*) FROM plumb.ballot WHERE ballot LIKE '%remove%'",
            "SELECT count(*) FROM plumb.entry WHERE text LIKE '%It insults%' OR text LIKE '%\"voted\"%'",
            "SELECT count(*) FROM plumb.panel WHERE plumb.ready(id)",
            "SELECT count(plumb.progress('c0/1'))",
            "SELECT count(*) FROM pg_stats WHERE schemaname = 'plumb' AND tablename = 'ballot'",
            "SELECT count(*) FROM plumb.entry WHERE text LIKE '%0.123456%'",
        ] {
            assert_eq!(count(&mut sql, query), 0, "{who}: {query}");
        }
        // A function that tells what it is given sees nothing either.
        sql.batch_execute(
            "CREATE FUNCTION pg_temp.leak(told text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS \
             $$ BEGIN RAISE EXCEPTION 'leaked %', told; END $$",
        )
        .unwrap();
        assert_eq!(count(&mut sql, "SELECT count(*) FROM plumb.ballot WHERE pg_temp.leak(ballot)"), 0, "{who}");
        for query in [
            "INSERT INTO plumb.ballot (panel, moderator, ballot, key, digest, cast_at) VALUES ('c0/1', 'x', '{}', '', '', 0)",
            "UPDATE plumb.ballot SET ballot = '{}'",
            "DELETE FROM plumb.ballot",
            "UPDATE plumb.panel SET hidden = false",
            "UPDATE plumb.policy SET show_progress = true",
            "INSERT INTO plumb.member VALUES ('eve', true)",
            "INSERT INTO plumb.entry (seq, text, hash) VALUES (999, '{}', '')",
            "UPDATE plumb.entry SET text = ''",
            "DELETE FROM plumb.entry",
            "UPDATE plumb.head SET seq = 0",
            "SELECT plumb.follow('{\"kind\":\"revealed\",\"panel\":\"c0/1\"}', 'x', 'y')",
            "SET ROLE owner",
            "SET SESSION AUTHORIZATION owner",
            "COPY plumb.ballot TO PROGRAM 'cat'",
            "ALTER TABLE plumb.ballot DISABLE ROW LEVEL SECURITY",
            "CREATE TABLE plumb.mine (x integer)",
        ] {
            denied(&mut sql, query);
        }
        denied(&mut sql, "SET row_security = off; SELECT * FROM plumb.ballot");
    }
    let others = "SELECT plumb.voted('c0/1', $1)";
    let told: Option<bool> = scene.raw(&other).query_one(others, &[&voter]).unwrap().get(0);
    assert_eq!(told, None, "whether somebody voted is hidden");
    // The model and what it thinks of single moderators.
    for (who, seen) in [(&other, 0), (&outside, 0), (&"ralead".to_owned(), 1)] {
        let mut sql = scene.raw(who);
        assert_eq!(count(&mut sql, "SELECT count(*) FROM plumb.model"), seen, "{who}");
        assert_eq!(count(&mut sql, "SELECT count(*) FROM plumb.prediction"), seen, "{who}");
        if seen == 0 {
            denied(&mut sql, "INSERT INTO plumb.model VALUES ('mine', '')");
        }
    }
    // Once all votes are in, everybody sees them.
    for who in scene.seats.clone().iter().skip(1) {
        vote(&mut scene.desk(who), "c0/1", who, Choice::Approve).unwrap();
    }
    assert_eq!(count(&mut scene.raw(&outside), "SELECT count(*) FROM plumb.ballot"), 3);
    assert_eq!(
        scene.raw("owner").batch_execute("UPDATE plumb.entry SET text = ''").unwrap_err().code().unwrap().code(),
        "42501"
    );
    scene.owner.verify().unwrap();
}

/// Before a case is over, what the model expects of it is nowhere to be read; afterwards everybody sees the number.
#[test]
fn what_is_expected_of_a_case_shows_when_it_is_over() {
    let mut scene = Scene::new("rd", Policy::default());
    let (other, outside) = (scene.seats[1].clone(), scene.outside.clone());
    let look = |scene: &Scene, who: &str| {
        let shown = view::case(&mut scene.desk(who), "x").unwrap().disagreement;
        let query = "SELECT (SELECT expected FROM plumb.expected(ARRAY['x', 'c0']))";
        let asked: Option<f64> = scene.raw(who).query_one(query, &[]).unwrap().get(0);
        assert_eq!(shown, asked, "{who}: the program shows what the server tells");
        shown
    };
    for who in [&other, &outside, &"rdlead".to_owned(), &"owner".to_owned()] {
        assert_eq!(look(&scene, who), None, "{who}");
        let mut sql = scene.raw(who);
        for part in ["\"disagreement\":0", "\"disagreement\":1", "\"entropy\":1", "\"gain\":0"] {
            assert_eq!(
                count(&mut sql, &format!("SELECT count(*) FROM plumb.entry WHERE text LIKE '%{part}%'")),
                0,
                "{part}"
            );
        }
    }
    assert_eq!(
        scene.raw(&other).execute("UPDATE plumb.prediction SET over = true", &[]).unwrap(),
        0,
        "not a row is theirs"
    );
    scene.owner.run(&command("solo", SYSTEM, Action::Solo("x".into()))).unwrap();
    let decide = command("decide", &outside, Action::Decide("x".into(), Verdict::Remove, None));
    scene.desk(&outside).run(&decide).unwrap();
    let expected = plumb_moderate::score::disagreement(&[0.123456; 4]);
    for who in [&other, &outside, &"owner".to_owned()] {
        assert!((look(&scene, who).unwrap() - expected).abs() < 1e-12, "{who}");
    }
    scene.desk(&outside).run(&command("undo", &outside, Action::Undo("x".into()))).unwrap();
    assert_eq!(look(&scene, &other), None, "open again, hidden again");
    scene.desk(&outside).run(&command("again", &outside, Action::Decide("x".into(), Verdict::Remove, None))).unwrap();
    // A copy of it knows, too, and a stranger does not.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    scene.owner.repository().backup(&copy).unwrap();
    let mut back = server::shared().database().0;
    back.restore(&copy).unwrap();
    assert!(view::case(&mut Desk::open(back).unwrap(), "x").unwrap().disagreement.is_some());
    let mut file = Desk::open(Sqlite::existing(&copy).unwrap()).unwrap();
    assert!((view::case(&mut file, "x").unwrap().disagreement.unwrap() - expected).abs() < 1e-12);
    assert_eq!(view::case(&mut file, "c0").unwrap().disagreement, None);
    scene.raw("owner").batch_execute(&format!("CREATE ROLE rdstranger LOGIN PASSWORD '{PASSWORD}'")).unwrap();
    let mut stranger = scene.raw("rdstranger");
    assert_eq!(count(&mut stranger, "SELECT count(*) FROM plumb.expected(ARRAY['x'])"), 0);
    // A decision claimed past the program, while a panel votes, shows nothing.
    let mut sql = scene.raw("owner");
    sql.batch_execute("INSERT INTO plumb.prediction VALUES ('c0', '[[\"m\",1.0],[\"n\",0.0]]')").unwrap();
    let decision =
        Decision { by: other.clone(), verdict: Verdict::Remove, rule: None, at: NOW, channel: Channel::Solo };
    let claim = What::Decided { case: "c0".into(), panel: None, decision };
    assert!(scene.forge(&other, &other, "claim", claim).unwrap());
    assert_eq!(count(&mut scene.raw(&other), "SELECT count(*) FROM plumb.expected(ARRAY['c0'])"), 0);
}

/// A database of the format before learns which of its cases are over.
#[test]
fn an_older_database_learns_which_cases_are_over() {
    let (_, database) = server::shared().database();
    let mut sql = server::shared().raw(&database, "owner");
    sql.batch_execute("DROP SCHEMA plumb CASCADE").unwrap();
    for step in [
        include_str!("../../migrations/postgres/0001_log.sql"),
        include_str!("../../migrations/postgres/0002_ballots.sql"),
        include_str!("../../migrations/postgres/0003_rights.sql"),
        "UPDATE plumb.format SET version = 3",
    ] {
        sql.batch_execute(step).unwrap();
    }
    for (seq, case, kind) in [
        (1_i64, "a", "scored"),
        (2, "b", "scored"),
        (3, "c", "scored"),
        (4, "a", "decided"),
        (5, "b", "decided"),
        (6, "b", "undone"),
        (7, "a", "applied"),
        (8, "a", "noted"),
        (9, "c", "panel_opened"),
    ] {
        let text = format!("{{\"what\":{{\"kind\":\"{kind}\",\"case\":\"{case}\"}}}}");
        sql.execute("INSERT INTO plumb.entry (seq, text, hash) VALUES ($1, $2, '')", &[&seq, &text]).unwrap();
    }
    for case in ["a", "b", "c"] {
        let text = "[[\"m\",1.0],[\"n\",0.0]]";
        sql.execute("INSERT INTO plumb.prediction VALUES ($1, $2)", &[&case, &text]).unwrap();
    }
    Postgres::connect(&server::shared().address(&database, "owner")).unwrap();
    let rows = sql.query("SELECT id, expected FROM plumb.expected(ARRAY['a', 'b', 'c'])", &[]).unwrap();
    let found: Vec<(String, f64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(found, [("a".to_owned(), 1.0)]);
}

#[test]
fn nobody_can_open_a_panel_early_or_write_under_another_name() {
    let mut scene = Scene::new("rb", Policy::default());
    let (voter, other, outside) = (scene.seats[0].clone(), scene.seats[1].clone(), scene.outside.clone());
    let panel = || "c0/1".to_owned();
    assert_eq!(count(&mut scene.raw(&outside), "SELECT plumb.progress('c0/1')"), 1, "the policy shows progress");
    let decision = Decision { by: panel(), verdict: Verdict::Remove, rule: None, at: NOW, channel: Channel::Panel };
    let recused = |who: &str| What::Recused { panel: panel(), moderator: who.into(), replacement: None, seed: 1 };
    let voted = |who: &str| What::Voted {
        panel: panel(),
        moderator: who.into(),
        ballot: ballot(Choice::Remove),
        cast_at: None,
    };
    let forgeries = [
        (other.as_str(), What::Revealed { panel: panel() }),
        (other.as_str(), What::Escalated { panel: panel() }),
        (other.as_str(), What::Decided { case: "c0".into(), panel: Some(panel()), decision }),
        (other.as_str(), recused(&scene.seats[2])),
        (other.as_str(), What::PolicySet { policy: Policy { blind: false, ..Policy::default() } }),
        (SYSTEM, What::Noted { case: "c0".into(), text: "x".into() }),
        (voter.as_str(), What::Noted { case: "c0".into(), text: "x".into() }),
    ];
    for (actor, what) in forgeries {
        let told = format!("{what:?}");
        let error = scene.forge(&other, actor, "k", what).err().unwrap_or_else(|| panic!("{told} was allowed"));
        assert_eq!(error.code().map(postgres::error::SqlState::code), Some("42501"), "{told}: {error}");
    }
    // A vote that is not the one cast, and a seat freed after voting, count as having come too late.
    assert!(!scene.forge(&other, &voter, "k", voted(&voter)).unwrap());
    assert!(!scene.forge(&other, &other, "k", voted(&other)).unwrap());
    assert!(!scene.forge(&voter, &voter, "k", recused(&voter)).unwrap());
    // Strangers with a role on the server get nothing.
    scene.raw("owner").batch_execute(&format!("CREATE ROLE rbstranger LOGIN PASSWORD '{PASSWORD}'")).unwrap();
    let mut stranger = scene.raw("rbstranger");
    for table in ["ballot", "entry", "panel", "member", "head", "model", "prediction", "snapshot", "policy"] {
        assert_eq!(count(&mut stranger, &format!("SELECT count(*) FROM plumb.{table}")), 0, "{table}");
    }
    denied(&mut stranger, "SELECT plumb.vote('c0/1', '{}', '', '', 0)");
    denied(&mut stranger, "SELECT plumb.append(0, '', '{}', '{}')");
    let address = server::shared().address(&scene.database, "rbstranger");
    assert!(Session::sign_in(Postgres::connect(&address).unwrap(), "", "", 0).is_err());
    // A role that leaves the team sees nothing from then on.
    scene.owner.repository().remove_member(&outside).unwrap();
    assert_eq!(count(&mut scene.raw(&outside), "SELECT count(*) FROM plumb.entry"), 0);
    assert!(scene.owner.verify().is_ok(), "none of it left a trace");
}

#[test]
fn a_session_takes_the_name_from_the_server() {
    let scene = Scene::new("rc", Policy::default());
    let other = &scene.seats[1];
    let address = server::shared().address(&scene.database, other);
    let mut session = Session::sign_in(Postgres::connect(&address).unwrap(), "rclead", "no matter", 0).unwrap();
    assert_eq!((session.who().name.as_str(), session.who().lead), (other.as_str(), false));
    assert!(session.run("p", NOW, None, Action::SetPolicy(Policy::default())).is_err());
    assert!(session.set_password(other, "longer than eight", false).is_err(), "the server keeps the passwords");
    assert!(session.panel("c0/1").unwrap().votes.is_none());
    session.run("v", NOW, None, Action::Vote("c0/1".into(), ballot(Choice::Approve))).unwrap();
    let mut owner = Postgres::connect(&server::shared().address(&scene.database, "owner")).unwrap();
    owner.set_member(other, "another password", false).unwrap();
    assert!(Postgres::connect(&address).unwrap_err().to_string().contains("do not belong together"));
    let mut member = Postgres::connect(&server::shared().address(&scene.database, &scene.seats[2])).unwrap();
    assert!(member.set_member("eve", "eve eve eve", true).is_err() && member.everything().is_err());
}
