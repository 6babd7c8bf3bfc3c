//! Fetching a file by HTTP: it resumes, checks its hash, stops at once when told to and gives up on silence.
//!
//! The connection lives on a thread of its own that hands over pieces through a bounded channel, because a
//! blocking read cannot be interrupted: the job stops listening and the thread ends by its time-out.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use sha2::{Digest as _, Sha256};

use super::SourceError;
use crate::Ctl;
use crate::atomic::WriteError;

/// What is asked for, and what errors say about it.
pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    /// Where the user can put the file by hand.
    pub(super) place: &'a Path,
    /// How long the other side may be silent.
    pub(super) patience: Duration,
    /// Shown to this host only, not to where it redirects.
    pub(super) token: Option<&'a str>,
    /// The form of the answer that is asked for.
    pub(super) accept: Option<&'a str>,
}

pub(super) type Headers = HashMap<String, String>;

enum Piece {
    Head(u16, Headers),
    Bytes(Vec<u8>),
    End,
    Failed(ureq::Error),
}

const PIECE: usize = 128 * 1024;
/// How often a connection may break without a single byte before the download gives up.
const ATTEMPTS: u32 = 4;
/// A cancelled job is noticed this soon.
const LOOK: Duration = Duration::from_millis(25);
/// No answer that is read into memory is larger than this.
const LARGEST_TEXT: usize = 64 << 20;

pub(super) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    // An address can carry a name and a password.
    host.rsplit_once('@').map_or(host, |(_, host)| host)
}

impl Request<'_> {
    fn silent(&self) -> SourceError {
        SourceError::Silent { host: host_of(self.url).to_owned(), seconds: self.patience.as_secs_f32() }
    }

    fn refused(&self, status: u16) -> SourceError {
        let reason = match status {
            401 | 403 if self.token.is_some() => {
                "your token does not open it: accept its licence in a browser, or use a token with access"
            }
            401 | 403 => {
                "private, or its licence must be accepted first: set HF_TOKEN to your access token, or download it in a browser and open it by its path"
            }
            404 | 410 => "there is no such file",
            429 => "too many requests: try again later",
            500.. => "the server has a problem: try again later",
            _ => "refused",
        };
        SourceError::Refused { url: self.url.to_owned(), status, reason }
    }

    fn failed(&self, error: &ureq::Error) -> SourceError {
        match error {
            ureq::Error::Timeout(ureq::Timeout::RecvResponse | ureq::Timeout::PerRead) => self.silent(),
            other => SourceError::Offline {
                host: host_of(self.url).to_owned(),
                reason: other.to_string(),
                place: self.place.to_path_buf(),
            },
        }
    }

    /// Start asking. `from` is the first byte wanted; without `follow`, redirects to other hosts are answers.
    fn start(&self, head: bool, from: u64, follow: bool) -> Result<Receiver<Piece>, SourceError> {
        let (out, pieces) = bounded(4);
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .tls_config(ureq::tls::TlsConfig::builder().root_certs(certificates()).build())
            // A renamed repository is found at the same host; a file's store elsewhere must not see the token.
            .redirect_auth_headers(ureq::config::RedirectAuthHeaders::SameHost)
            .http_status_as_error(false)
            .max_redirects(if follow { 10 } else { 0 })
            .max_redirects_will_error(false)
            // Shorter, so that no connection is told from a silent one.
            .timeout_resolve(Some(self.patience / 3))
            .timeout_connect(Some(self.patience / 3))
            .timeout_recv_response(Some(self.patience))
            .timeout_per_read(Some(self.patience))
            .user_agent(concat!("plumb/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let request = if head { agent.head(self.url) } else { agent.get(self.url) };
        let request = request.header("accept-encoding", "identity");
        let request = match self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let request = match self.accept {
            Some(accept) => request.header("accept", accept),
            None => request,
        };
        let request = if from > 0 { request.header("range", format!("bytes={from}-")) } else { request };
        std::thread::Builder::new()
            .name("plumb-download".to_owned())
            .spawn(move || {
                let last = transfer(request, &out).map_or_else(Piece::Failed, |()| Piece::End);
                // Nobody listens any more if the job was stopped.
                let _listener_may_be_gone = out.send(last);
            })
            .map_err(|error| SourceError::Answer { url: self.url.to_owned(), reason: error.to_string() })?;
        Ok(pieces)
    }

    fn next(&self, pieces: &Receiver<Piece>, ctl: &Ctl) -> Result<Piece, SourceError> {
        let asked = Instant::now();
        loop {
            ctl.check()?;
            match pieces.recv_timeout(LOOK) {
                Ok(piece) => return Ok(piece),
                Err(RecvTimeoutError::Disconnected) => return Ok(Piece::End),
                Err(RecvTimeoutError::Timeout) if asked.elapsed() > self.patience => return Err(self.silent()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// Whom to trust: the certificates of `SSL_CERT_FILE` where the user's network brings its own, otherwise the usual.
fn certificates() -> ureq::tls::RootCerts {
    let own = std::env::var_os("SSL_CERT_FILE").and_then(|path| fs::read(path).ok()).unwrap_or_default();
    let own: Vec<_> = ureq::tls::parse_pem(&own)
        .filter_map(|item| match item {
            Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if own.is_empty() { ureq::tls::RootCerts::WebPki } else { ureq::tls::RootCerts::new_with_certs(&own) }
}

fn transfer(
    request: ureq::RequestBuilder<ureq::typestate::WithoutBody>,
    out: &Sender<Piece>,
) -> Result<(), ureq::Error> {
    let response = request.call()?;
    let status = response.status().as_u16();
    let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or("").to_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    if out.send(Piece::Head(status, headers)).is_err() {
        return Ok(());
    }
    let mut body = response.into_body().into_reader();
    loop {
        let mut bytes = vec![0; PIECE];
        let count = body.read(&mut bytes)?;
        bytes.truncate(count);
        if count == 0 || out.send(Piece::Bytes(bytes)).is_err() {
            return Ok(());
        }
    }
}

/// The headers of the answer; redirects inside the same host are followed, one to another host is the answer.
pub(super) fn head(request: &Request<'_>, ctl: &Ctl) -> Result<Headers, SourceError> {
    let mut url = request.url.to_owned();
    for _ in 0..10 {
        let here = Request { url: &url, ..*request };
        match here.next(&here.start(true, 0, false)?, ctl)? {
            Piece::Head(status @ 300..400, headers) => match headers.get("location") {
                Some(path) if path.starts_with('/') && !path.starts_with("//") => {
                    let root =
                        url.find("://").and_then(|at| Some(at + 3 + url[at + 3..].find('/')?)).unwrap_or(url.len());
                    url = format!("{}{path}", &url[..root]);
                }
                Some(_) => return Ok(without_length(headers)),
                None => return Err(here.refused(status)),
            },
            Piece::Head(200..300, headers) => return Ok(headers),
            Piece::Head(status, _) => return Err(here.refused(status)),
            Piece::Failed(error) => return Err(here.failed(&error)),
            Piece::Bytes(_) | Piece::End => break,
        }
    }
    Err(SourceError::Answer { url: request.url.to_owned(), reason: "it leads nowhere".to_owned() })
}

/// The length of a redirect is not that of the file.
fn without_length(mut headers: Headers) -> Headers {
    headers.remove("content-length");
    headers
}

/// A small answer as bytes.
pub(super) fn text(request: &Request<'_>, ctl: &Ctl) -> Result<Vec<u8>, SourceError> {
    let pieces = request.start(false, 0, true)?;
    let mut text = Vec::new();
    loop {
        match request.next(&pieces, ctl)? {
            Piece::Head(200, _) => {}
            Piece::Head(status, _) => return Err(request.refused(status)),
            Piece::Bytes(bytes) if text.len() + bytes.len() <= LARGEST_TEXT => text.extend(bytes),
            Piece::Bytes(_) => {
                return Err(SourceError::Answer { url: request.url.to_owned(), reason: "it is too long".to_owned() });
            }
            Piece::End => return Ok(text),
            Piece::Failed(error) => return Err(request.failed(&error)),
        }
    }
}

/// Fetch a file into `into`. What arrives is kept in `into.part` until it is whole and its hash is right, so a
/// broken or stopped download goes on where it ended.
pub(super) fn fetch(
    request: &Request<'_>,
    ctl: &Ctl,
    what: &str,
    into: &Path,
    size: Option<u64>,
    sha256: Option<&str>,
) -> Result<(), SourceError> {
    let mut name = into.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let write = |source| SourceError::Write(WriteError::new(&part, source));
    let mut file = File::options().read(true).append(true).create(true).open(&part).map_err(write)?;
    // A disk that knows no locks is no reason to refuse.
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Err(SourceError::Busy(into.to_path_buf()));
    }
    let mut idle = 0;
    loop {
        let before = file.metadata().map_err(write)?.len();
        if size.is_some_and(|size| before > size) {
            file.set_len(0).map_err(write)?;
            continue;
        }
        if before > 0 && size == Some(before) {
            break;
        }
        match once(request, ctl, what, &mut file, size, &part) {
            Ok(()) if size.is_none_or(|size| file.metadata().is_ok_and(|data| data.len() == size)) => break,
            Err(error @ (SourceError::Cancelled(_) | SourceError::Refused { .. } | SourceError::Write(_))) => {
                return Err(error);
            }
            outcome => {
                let arrived = file.metadata().map_err(write)?.len();
                idle = if arrived > before { 0 } else { idle + 1 };
                // A silent server has been waited for long enough already.
                let silent = matches!(outcome, Err(SourceError::Silent { .. }));
                if idle >= ATTEMPTS || silent {
                    let host = host_of(request.url).to_owned();
                    return Err(match outcome {
                        Ok(()) => SourceError::Broken { host, reason: "it ended early".to_owned() },
                        Err(SourceError::Offline { reason, .. }) if arrived > 0 => SourceError::Broken { host, reason },
                        Err(error) => error,
                    });
                }
                pause(ctl, Duration::from_millis(100) * idle)?;
            }
        }
    }
    if let Some(promised) = sha256 {
        let found = hash(&mut file, ctl, what, &part)?;
        if found != promised {
            fs::remove_file(&part).map_err(write)?;
            return Err(SourceError::Damaged { what: what.to_owned(), found, promised: promised.to_owned() });
        }
    }
    file.sync_all().map_err(write)?;
    fs::rename(&part, into).map_err(write)
}

/// One connection: append what arrives until it ends.
fn once(
    request: &Request<'_>,
    ctl: &Ctl,
    what: &str,
    file: &mut File,
    size: Option<u64>,
    part: &Path,
) -> Result<(), SourceError> {
    let write = |source| SourceError::Write(WriteError::new(part, source));
    let mut arrived = file.metadata().map_err(write)?.len();
    let activity = format!("Downloading {what}");
    ctl.progress(activity.clone(), arrived, size);
    let pieces = request.start(false, arrived, true)?;
    loop {
        match request.next(&pieces, ctl)? {
            Piece::Head(206, headers) => {
                let begins = headers
                    .get("content-range")
                    .and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
                if begins != Some(arrived) {
                    let reason = "it sent another part of the file than was asked for".to_owned();
                    return Err(SourceError::Answer { url: request.url.to_owned(), reason });
                }
            }
            // The whole file, although its rest was asked for, or a rest that is not there: begin again.
            Piece::Head(status @ (200 | 416), _) => {
                file.set_len(0).map_err(write)?;
                arrived = 0;
                if status == 416 {
                    let reason = "the rest that was asked for is not there".to_owned();
                    return Err(SourceError::Answer { url: request.url.to_owned(), reason });
                }
            }
            Piece::Head(status, _) => return Err(request.refused(status)),
            Piece::Bytes(bytes) => {
                file.write_all(&bytes).map_err(write)?;
                arrived += bytes.len() as u64;
                ctl.progress(activity.clone(), arrived, size);
            }
            Piece::End => return Ok(()),
            Piece::Failed(error) => return Err(request.failed(&error)),
        }
    }
}

fn hash(file: &mut File, ctl: &Ctl, what: &str, part: &Path) -> Result<String, SourceError> {
    let read = |source| SourceError::Read { path: part.to_path_buf(), source };
    file.seek(SeekFrom::Start(0)).map_err(read)?;
    ctl.progress(format!("Checking {what}"), 0, None);
    let mut hash = Sha256::new();
    let mut bytes = vec![0; 1 << 20];
    loop {
        ctl.check()?;
        let count = file.read(&mut bytes).map_err(read)?;
        if count == 0 {
            return Ok(format!("{:x}", hash.finalize()));
        }
        hash.update(&bytes[..count]);
    }
}

fn pause(ctl: &Ctl, time: Duration) -> Result<(), SourceError> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        ctl.check()?;
        std::thread::sleep(LOOK);
    }
    Ok(())
}
