//! Who is on the team: a database role each. For the owner of the database.

use postgres_protocol::escape::{escape_identifier, escape_literal};
use postgres_protocol::password::scram_sha_256;

use super::Postgres;
use crate::Error;
use crate::command::SYSTEM;

impl Postgres {
    /// Let `name` connect with `password` and be on the team, or change either for somebody who is.
    /// The password leaves this machine only as its SCRAM verifier.
    pub fn set_member(&mut self, name: &str, password: &str, lead: bool) -> Result<(), Error> {
        self.owner("change who is on the team")?;
        if name.is_empty() || name.len() > 63 || name.contains('\0') {
            return Err(Error::refused("a name on PostgreSQL has 1 to 63 bytes"));
        }
        if name == SYSTEM {
            return Err(Error::refused(format!("nobody may be called “{SYSTEM}”: the program acts under this name")));
        }
        let secret = escape_literal(&scram_sha_256(password.as_bytes()));
        let role = escape_identifier(name);
        self.link.write(|change| {
            let known: bool =
                change.query_one("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", &[&name])?.get(0);
            let verb = if known { "ALTER" } else { "CREATE" };
            change.batch_execute(&format!("{verb} ROLE {role} LOGIN PASSWORD {secret}"))?;
            let put =
                "INSERT INTO plumb.member (name, lead) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET lead = $2";
            change.execute(put, &[&name, &lead]).map(|_| ())
        })
    }

    /// Take `name` off the team: from now on their role reads nothing. The role itself stays.
    pub fn remove_member(&mut self, name: &str) -> Result<(), Error> {
        self.owner("change who is on the team")?;
        self.link.write(|change| change.execute("DELETE FROM plumb.member WHERE name = $1", &[&name])).map(|_| ())
    }
}
