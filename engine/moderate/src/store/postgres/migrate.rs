//! Bringing the server's tables to the newest format.

use super::link::Link;
use crate::Error;

/// Steps from one format to the next, oldest first. Never changed, only added to.
const MIGRATIONS: [&str; 4] = [
    include_str!("../../../migrations/postgres/0001_log.sql"),
    include_str!("../../../migrations/postgres/0002_ballots.sql"),
    include_str!("../../../migrations/postgres/0003_rights.sql"),
    include_str!("../../../migrations/postgres/0004_expected.sql"),
];

/// Held while migrating, so that two programs do not do it at once (“PLMB”).
const LOCK: i64 = 0x504C_4D42;

/// The format that is there.
fn found(link: &mut Link) -> Result<Option<i64>, Error> {
    let there: bool = link.one("SELECT to_regclass('plumb.format') IS NOT NULL", &[], |row| row.get(0))?;
    if !there {
        return Ok(None);
    }
    link.one("SELECT version FROM plumb.format", &[], |row| Some(i64::from(row.get::<_, i32>(0))))
}

/// Do the steps that are missing, all in one transaction: a crash leaves the old format or the new one.
pub fn migrate(link: &mut Link) -> Result<(), Error> {
    let known = MIGRATIONS.len() as i64;
    let what = match found(link)? {
        Some(found) if found > known => return Err(Error::Newer { place: link.place.clone(), found, known }),
        Some(found) if found == known => return Ok(()),
        Some(_) => "has an older format",
        None => "is not set up",
    };
    let may: bool = link.one(
        "SELECT has_database_privilege(current_database(), 'CREATE') AND \
            coalesce((SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'plumb'), true)",
        &[],
        |row| row.get(0),
    )?;
    if !may {
        return Err(link.store(format!("it {what}; its owner has to connect once with this version of Plumb")));
    }
    link.write(|migration| {
        migration.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])?;
        // Read again: another program may have done it in between.
        let there: bool = migration.query_one("SELECT to_regclass('plumb.format') IS NOT NULL", &[])?.get(0);
        let from = if there { migration.query_one("SELECT version FROM plumb.format", &[])?.get(0) } else { 0_i32 };
        for step in MIGRATIONS.iter().skip(from.max(0) as usize) {
            migration.batch_execute(step)?;
        }
        migration.execute("UPDATE plumb.format SET version = $1", &[&(known as i32).max(from)])?;
        Ok(())
    })
}
