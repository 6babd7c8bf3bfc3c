//! The connection: made when it is needed, dropped when it breaks. What was lost is said; nothing waits in a queue.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fallible_iterator::FallibleIterator as _;
use postgres::config::Host;
use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, Config, IsolationLevel, Row, Statement, Transaction};

use super::tls::{self, Encryption};
use crate::Error;

/// How long to wait for a server that does not answer, and for others who hold a lock.
const PATIENCE: Duration = Duration::from_secs(10);

struct Live {
    client: Client,
    statements: BTreeMap<&'static str, Statement>,
    pid: i32,
    listening: bool,
}

/// A connection that comes back.
pub struct Link {
    config: Config,
    encryption: Encryption,
    /// The address without the password.
    pub place: String,
    live: Option<Live>,
    /// The connection was lost since somebody last waited for news, so there may be some.
    missed: bool,
}

impl fmt::Debug for Link {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Link({})", self.place)
    }
}

impl Link {
    /// Read the address and connect.
    pub fn new(address: &str, password: Option<&str>) -> Result<Self, Error> {
        let (mut config, encryption) = tls::read(address, password)
            .map_err(|why| Error::Store { place: "the database's address".to_owned(), why })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        config.tcp_user_timeout(PATIENCE).application_name("plumb");
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        let place = format!("postgres://{host}/{}", config.get_dbname().or(config.get_user()).unwrap_or(""));
        let mut link = Self { config, encryption, place, live: None, missed: false };
        link.live()?;
        Ok(link)
    }

    /// An error of the database itself.
    pub fn store(&self, why: String) -> Error {
        Error::Store { place: self.place.clone(), why }
    }

    fn live(&mut self) -> Result<&mut Live, Error> {
        if self.live.as_ref().is_some_and(|live| live.client.is_closed()) {
            self.live = None;
        }
        if self.live.is_none() {
            let connect = |link: &Self| -> Result<Live, postgres::Error> {
                let mut client = link.encryption.connect(&link.config)?;
                client.batch_execute("SET client_min_messages = warning; SET lock_timeout = '10s'")?;
                let pid = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
                Ok(Live { client, statements: BTreeMap::new(), pid, listening: false })
            };
            let live = connect(self).map_err(|error| self.failed(&error, false))?;
            self.live = Some(live);
        }
        self.live.as_mut().ok_or_else(|| Error::refused("no connection"))
    }

    /// Say what went wrong, and drop a connection that is broken.
    fn failed(&mut self, error: &postgres::Error, sent: bool) -> Error {
        let Some(said) = error.as_db_error() else {
            if let Some(why) = self.encryption.explain(error) {
                return self.store(why);
            }
            self.live = None;
            self.missed = true;
            let why = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
            return Error::Lost { place: self.place.clone(), why, unknown: sent };
        };
        let code = said.code();
        // Class 57 is a server that stops or starts, class 08 a broken connection.
        if code.code().starts_with("57P") || code.code().starts_with("08") {
            self.live = None;
            self.missed = true;
            // Whatever was not confirmed was rolled back: the server said so itself.
            return Error::Lost { place: self.place.clone(), why: said.message().to_owned(), unknown: false };
        }
        self.store(match *code {
            SqlState::DISK_FULL => "the server's disk is full; free some space. Nothing was changed".to_owned(),
            SqlState::READ_ONLY_SQL_TRANSACTION => {
                "the server only reads at the moment. Nothing was changed".to_owned()
            }
            SqlState::LOCK_NOT_AVAILABLE => {
                "somebody else holds a lock; try again in a moment. Nothing was changed".to_owned()
            }
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                "name and password do not belong together".to_owned()
            }
            _ => format!("{}. Nothing was changed", said.message()),
        })
    }

    fn asked(
        &mut self,
        query: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
        sent: bool,
    ) -> Result<Vec<Row>, Error> {
        let live = self.live()?;
        let result = (|| {
            let statement = if let Some(statement) = live.statements.get(query) {
                statement.clone()
            } else {
                let statement = live.client.prepare(query)?;
                live.statements.insert(query, statement.clone());
                statement
            };
            live.client.query(&statement, parameters)
        })();
        result.map_err(|error| self.failed(&error, sent))
    }

    /// The rows of a question.
    pub fn query(&mut self, query: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        self.asked(query, parameters, false)
    }

    /// The same, each row read.
    pub fn rows<T>(
        &mut self,
        query: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
        read: impl Fn(&Row) -> T,
    ) -> Result<Vec<T>, Error> {
        Ok(self.query(query, parameters)?.iter().map(read).collect())
    }

    fn only<T>(&self, rows: &[Row], read: impl Fn(&Row) -> T) -> Result<T, Error> {
        rows.first().map(read).ok_or_else(|| self.store("you are not on the team of this database".to_owned()))
    }

    /// The one row of a question.
    pub fn one<T>(
        &mut self,
        query: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
        read: impl Fn(&Row) -> T,
    ) -> Result<T, Error> {
        let rows = self.query(query, parameters)?;
        self.only(&rows, read)
    }

    /// The answer to a call that changes something.
    pub fn sent<T>(
        &mut self,
        query: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
        read: impl Fn(&Row) -> T,
    ) -> Result<T, Error> {
        let rows = self.asked(query, parameters, true)?;
        self.only(&rows, read)
    }

    /// Do `work` in one transaction; nothing of it is done when it fails.
    pub fn transaction<T>(
        &mut self,
        isolation: Option<IsolationLevel>,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, postgres::Error>,
    ) -> Result<T, Error> {
        let live = self.live()?;
        let result = (|| {
            let mut builder = live.client.build_transaction();
            if let Some(isolation) = isolation {
                builder = builder.isolation_level(isolation);
            }
            let mut transaction = builder.start()?;
            let value = work(&mut transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        result.map_err(|error| self.failed(&error, true))
    }

    /// Write in one transaction.
    pub fn write<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, postgres::Error>,
    ) -> Result<T, Error> {
        self.transaction(None, work)
    }

    /// Wait for news from others. After a lost connection there is always some: it may have been missed.
    pub fn wait(&mut self, patience: Duration) -> Result<bool, Error> {
        let live = self.live()?;
        let result = (|| {
            if !live.listening {
                live.client.batch_execute("LISTEN plumb")?;
                live.listening = true;
            }
            let own = live.pid;
            let mut notifications = live.client.notifications();
            let mut news = false;
            // What is there already, at once; then wait for the first from somebody else.
            while let Some(found) = notifications.iter().next()? {
                news |= found.process_id() != own;
            }
            let mut coming = notifications.timeout_iter(patience);
            while !news && let Some(found) = coming.next()? {
                news |= found.process_id() != own;
            }
            Ok(news)
        })();
        let news = result.map_err(|error| self.failed(&error, false))?;
        Ok(std::mem::take(&mut self.missed) || news)
    }
}
