//! A server that goes away, comes back, is newer or not set up.

use std::time::Duration;

use plumb_moderate::Error;
use plumb_moderate::desk::Desk;
use plumb_moderate::model::Choice;
use plumb_moderate::store::{Postgres, Repository as _};

use super::server::{self, PASSWORD};
use super::{names, team, vote};

#[test]
fn a_server_that_restarts_in_the_middle_of_work_loses_nothing() {
    let server = server::own();
    let (mut owner, database) = server.database();
    let names = names("w", 3);
    for name in &names {
        owner.set_member(name, PASSWORD, false).unwrap();
    }
    let mut owner = Desk::open(owner).unwrap();
    team(&mut owner, &names, 2);
    let mut desks: Vec<_> = names
        .iter()
        .map(|name| Desk::open(Postgres::connect(&server.address(&database, name)).unwrap()).unwrap())
        .collect();
    vote(&mut desks[0], "c0/1", &names[0], Choice::Remove).unwrap();
    assert!(!owner.repository().wait(Duration::from_millis(50)).unwrap() || owner.refresh().is_ok());
    server.down();
    // It shows, again and again, and nothing waits to be sent later.
    let lost = |error: &Error| matches!(error, Error::Lost { .. });
    for _ in 0..2 {
        let error = vote(&mut desks[1], "c0/1", &names[1], Choice::Remove).unwrap_err();
        assert!(lost(&error), "{error}");
        assert!(lost(&owner.repository().wait(Duration::from_millis(10)).unwrap_err()));
    }
    server.up();
    assert!(!desks[2].repository().voted("c0/1", &names[2]).is_ok_and(|voted| voted));
    let mut sql = server.raw(&database, "owner");
    assert_eq!(
        sql.query_one("SELECT count(*) FROM plumb.ballot", &[]).unwrap().get::<_, i64>(0),
        1,
        "nothing was queued"
    );
    assert!(owner.repository().wait(Duration::from_millis(10)).unwrap(), "something may have been missed");
    assert!(
        vote(&mut desks[0], "c0/1", &names[0], Choice::Remove).map_or_else(|error| lost(&error), |done| done.repeated)
    );
    for i in 0..3 {
        // The first call of a desk that slept through the restart may still find the old connection.
        if vote(&mut desks[i], "c0/1", &names[i], Choice::Remove).is_err() {
            vote(&mut desks[i], "c0/1", &names[i], Choice::Remove).unwrap();
        }
    }
    owner.refresh().unwrap();
    assert_eq!(owner.state().panels["c0/1"].votes.len(), 3);
    // One connection cut by an administrator.
    sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", &[&names[0]]).unwrap();
    let error = vote(&mut desks[0], "c1/1", &names[0], Choice::Remove).unwrap_err();
    assert!(lost(&error), "{error}");
    assert!(!vote(&mut desks[0], "c1/1", &names[0], Choice::Remove).unwrap().repeated);
    owner.verify().unwrap();
}

#[test]
fn newer_and_missing_formats_are_refused_politely() {
    let (mut owner, database) = server::shared().database();
    owner.set_member("fred", PASSWORD, false).unwrap();
    let address = server::shared().address(&database, "owner");
    let mut sql = server::shared().raw(&database, "owner");
    sql.batch_execute("UPDATE plumb.format SET version = 99").unwrap();
    assert!(matches!(Postgres::connect(&address), Err(Error::Newer { found: 99, .. })));
    sql.batch_execute("UPDATE plumb.format SET version = 0").unwrap();
    let older = Postgres::connect(&server::shared().address(&database, "fred")).unwrap_err().to_string();
    assert!(older.contains("older format") && older.contains("its owner"), "{older}");
    sql.batch_execute("DROP SCHEMA plumb CASCADE").unwrap();
    let missing = Postgres::connect(&server::shared().address(&database, "fred")).unwrap_err().to_string();
    assert!(missing.contains("not set up"), "{missing}");
    Postgres::connect(&address).unwrap();

    let text = |address: &str| Postgres::connect(address).unwrap_err().to_string();
    assert!(text("nonsense").contains("postgres://"));
    let gone = text("host=/nowhere user=x dbname=y password=geheim");
    assert!(gone.contains("/nowhere/y") && !gone.contains("geheim"), "{gone}");
}
