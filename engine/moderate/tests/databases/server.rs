//! A PostgreSQL server of our own: in a folder of its own, on a socket, stopped when this process ends, however it ends.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use plumb_moderate::store::Postgres;

/// A running server.
pub struct Server {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    /// How it is reached beside its socket, and with which certificate.
    more: String,
    /// Its input closes with this process, which tells it to stop the server.
    _guard: Mutex<Child>,
}

/// Passwords in these tests.
pub const PASSWORD: &str = "only for tests";

/// Where the programs are: the newest version under Debian's folder, or wherever `pg_config` says.
fn programs() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    found.sort();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        found.insert(0, PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let with_server = found.into_iter().rev().find(|bin| bin.join("initdb").is_file());
    let missing = "these tests start a PostgreSQL server: install the package `postgresql`, as tests/run does";
    with_server.unwrap_or_else(|| panic!("{missing}"))
}

/// PostgreSQL refuses to run as root.
fn as_server_user(program: &Path) -> Command {
    if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Server {
    fn start() -> Self {
        let server = Self::made();
        server.up();
        server
    }

    /// One that listens on this machine's network, too, without encryption.
    pub fn open() -> Self {
        let mut server = Self::made();
        server.listen("");
        server
    }

    /// The same with a certificate and its key.
    pub fn encrypted(certificate: &str, key: &str) -> Self {
        let mut server = Self::made();
        let (public, secret) = (server.folder.join("data/own.crt"), server.folder.join("data/own.key"));
        for (path, text) in [(&public, certificate), (&secret, key)] {
            std::fs::write(path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
            if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
                done(Command::new("chown").arg("postgres").arg(path));
            }
        }
        server.listen(" -c ssl=on -c ssl_cert_file=own.crt -c ssl_key_file=own.key");
        server
    }

    fn listen(&mut self, more: &str) {
        // A port that was free a moment ago.
        self.port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        self.more = format!(" -c listen_addresses=127.0.0.1{more}");
        self.up();
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder, which its own user may read.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Made and not started.
    fn made() -> Self {
        // Short, because a socket's path may have a hundred letters; kept, because the guard removes it.
        let folder = tempfile::Builder::new().prefix("pg").tempdir().unwrap().keep();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
            done(Command::new("chown").arg("postgres").arg(&folder));
        }
        let bin = programs();
        let secret = folder.join("secret");
        std::fs::write(&secret, PASSWORD).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
        let data = folder.join("data");
        let mut make = as_server_user(&bin.join("initdb"));
        make.current_dir(&folder).args([
            "-A",
            "scram-sha-256",
            "-U",
            "owner",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        done(make.arg("--pwfile").arg(&secret).arg("-D").arg(&data));
        let script = "read gone; \"$0\" -D \"$1\" -m immediate stop >/dev/null 2>&1; rm -rf \"$2\"";
        let mut guard = as_server_user(Path::new("sh"));
        guard.current_dir("/").args(["-c", script]).arg(bin.join("pg_ctl")).arg(&data).arg(&folder);
        let guard = guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { bin, folder, port: 5432, more: " -c listen_addresses=''".to_owned(), _guard: Mutex::new(guard) }
    }

    /// Start it, again.
    pub fn up(&self) {
        // Not synced to the disk: a server that is killed keeps what it wrote, only a power cut would not.
        let options = format!(
            "-p {} -k {} -c fsync=off -c max_connections=60 -c shared_buffers=32MB{}",
            self.port,
            self.folder.display(),
            self.more
        );
        let mut start = as_server_user(&self.bin.join("pg_ctl"));
        start.current_dir(&self.folder).arg("-D").arg(self.folder.join("data")).arg("-l").arg(self.folder.join("log"));
        start.args(["-w", "-t", "60", "-o", &options, "start"]).stdout(Stdio::null());
        assert!(start.stdin(Stdio::null()).status().unwrap().success(), "the server starts");
    }

    /// Stop it at once, as a crash would.
    pub fn down(&self) {
        let mut stop = as_server_user(&self.bin.join("pg_ctl"));
        stop.current_dir(&self.folder).arg("-D").arg(self.folder.join("data"));
        done(stop.args(["-w", "-m", "immediate", "stop"]));
    }

    /// Address of a database for one role.
    pub fn address(&self, database: &str, role: &str) -> String {
        let (host, port) = (self.folder.display(), self.port);
        let role = role.replace('\\', "\\\\").replace('\'', "\\'");
        format!("host={host} port={port} dbname={database} user='{role}' password='{PASSWORD}'")
    }

    /// The same as one word.
    pub fn url(&self, database: &str, role: &str) -> String {
        let host = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{role}:{}@{host}:{}/{database}", PASSWORD.replace(' ', "%20"), self.port)
    }

    /// Address of a database as people write it, without a name.
    pub fn web(&self, database: &str) -> String {
        format!("postgres://{}:{}/{database}", self.folder.display().to_string().replace('/', "%2F"), self.port)
    }

    /// A new database: the owner's connection, and its name.
    pub fn database(&self) -> (Postgres, String) {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        // Databases are made one after the other: the server copies a template that nobody else may use meanwhile.
        static ONE: Mutex<()> = Mutex::new(());
        let name = format!("team{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let guard = ONE.lock();
        self.raw("postgres", "owner").batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        drop(guard);
        (Postgres::connect(&self.address(&name, "owner")).unwrap(), name)
    }

    /// A connection that Plumb has nothing to do with.
    pub fn raw(&self, database: &str, role: &str) -> postgres::Client {
        postgres::Client::connect(&self.address(database, role), postgres::NoTls).unwrap()
    }
}

/// The server that most tests share.
pub fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// One that may be stopped.
pub fn own() -> Server {
    Server::start()
}
