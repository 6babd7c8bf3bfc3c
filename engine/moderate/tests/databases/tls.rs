//! Encrypted connections, against real servers with certificates of our own making.

use plumb_moderate::desk::Desk;
use plumb_moderate::store::{Postgres, Repository as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::time::Duration;

use super::server::{PASSWORD, Server};
use super::{names, team};

/// Somebody who signs certificates.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// The address of a server of this machine under a name that could be anywhere.
fn address(server: &Server, name: &str, more: &str) -> String {
    format!(
        "host={name} hostaddr=127.0.0.1 port={} user=owner dbname=postgres password='{PASSWORD}' {more}",
        server.port()
    )
}

/// Whether Plumb's connections to the server are encrypted: all of them, or none.
fn encrypted(server: &Server) -> bool {
    let mut sql = server.raw("postgres", "owner");
    let query = "SELECT bool_and(ssl), bool_or(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE application_name = 'plumb'";
    let row = sql.query_one(query, &[]).unwrap();
    let (all, any): (bool, bool) = (row.get(0), row.get(1));
    assert_eq!(all, any);
    all
}

#[test]
fn connections_are_encrypted_and_know_whom_they_talk_to() {
    let (ca, stranger) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["db.example".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let server = Server::encrypted(&certificate.pem(), &key.serialize_pem());
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("ca.pem"), folder.path().join("stranger.pem"));
    std::fs::write(&good, ca.pem()).unwrap();
    std::fs::write(&bad, stranger.pem()).unwrap();
    let (good, bad) = (format!("sslrootcert={}", good.display()), format!("sslrootcert={}", bad.display()));

    // The name is one of another machine, so a password goes out encrypted without being asked.
    for more in ["", "sslmode=require", "sslmode=prefer", &good, &format!("sslmode=verify-full {good}")] {
        let held = Postgres::connect(&address(&server, "db.example", more)).unwrap();
        assert!(encrypted(&server), "{more}");
        drop(held);
    }
    let held = Postgres::connect(&address(&server, "db.example", "sslmode=disable")).unwrap();
    assert!(!encrypted(&server));
    drop(held);
    let held = Postgres::connect(&address(&server, "other.example", &format!("sslmode=verify-ca {good}"))).unwrap();
    assert!(encrypted(&server), "the name does not count");
    drop(held);
    let refused = [
        ("db.example", format!("sslmode=verify-full {bad}")),
        ("db.example", format!("sslmode=verify-ca {bad}")),
        ("db.example", format!("sslmode=require {bad}")),
        ("other.example", format!("sslmode=verify-full {good}")),
        ("127.0.0.1", format!("sslmode=verify-full {good}")),
        // Whoever signed it is not among those this machine trusts.
        ("db.example", "sslmode=verify-full".to_owned()),
    ];
    for (name, more) in refused {
        let error = Postgres::connect(&address(&server, name, &more)).unwrap_err().to_string();
        assert!(error.contains("certificate is not accepted") && error.contains("Nothing was sent"), "{more}: {error}");
        assert!(!error.contains(PASSWORD), "{error}");
    }

    // The same work as over a socket, news of others included.
    let full = address(&server, "db.example", &format!("sslmode=verify-full {good}"));
    let mut lead = Desk::open(Postgres::connect(&full).unwrap()).unwrap();
    let mut other = Desk::open(Postgres::connect(&full).unwrap()).unwrap();
    while other.repository().wait(Duration::from_millis(20)).unwrap() {}
    team(&mut lead, &names("e", 3), 2);
    assert!(other.repository().wait(Duration::from_secs(20)).unwrap() && other.refresh().unwrap() > 0);
    assert_eq!(other.state(), lead.state());
    assert!(encrypted(&server));
}

#[test]
fn a_password_does_not_leave_in_the_clear_unless_told_to() {
    let server = Server::open();
    let error = Postgres::connect(&address(&server, "db.example", "")).unwrap_err().to_string();
    assert!(error.contains("offers no encryption") && error.contains("sslmode=disable"), "{error}");
    let error = Postgres::connect(&address(&server, "db.example", "sslmode=require")).unwrap_err().to_string();
    assert!(error.contains("offers no encryption") && !error.contains("sslmode=disable"), "{error}");
    for (name, more) in [("db.example", "sslmode=disable"), ("db.example", "sslmode=prefer"), ("localhost", "")] {
        let held = Postgres::connect(&address(&server, name, more)).unwrap();
        assert!(!encrypted(&server), "{more}");
        drop(held);
    }
}
