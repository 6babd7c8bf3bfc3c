//! The folder where fetched and unpacked files are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::SourceError;
use crate::atomic::{self, WriteError};

/// A file that ships inside Plumb: name, file name, bytes.
pub type Embedded = (&'static str, &'static str, &'static [u8]);

/// The cache folder, what ships inside Plumb, and where downloads come from.
#[derive(Clone)]
pub struct Cache {
    folder: PathBuf,
    embedded: &'static [Embedded],
    pub(super) hub: String,
    pub(super) packages: String,
    pub(super) patience: Duration,
    pub(super) token: Option<String>,
}

impl fmt::Debug for Cache {
    /// Without the token: it must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, hub, packages, .. } = self;
        f.debug_struct("Cache")
            .field("folder", folder)
            .field("hub", hub)
            .field("packages", packages)
            .finish_non_exhaustive()
    }
}

impl Cache {
    /// A cache in `folder`, which is made when it is needed.
    ///
    /// `HF_ENDPOINT` in the environment names a mirror of the Hugging Face hub; `PLUMB_PACKAGE_INDEX`, or pip's own
    /// `PIP_INDEX_URL`, one of the Python package index. The token for private repositories is `HF_TOKEN`, or what
    /// `hf auth login` has stored.
    pub fn new(folder: impl Into<PathBuf>, embedded: &'static [Embedded]) -> Self {
        let address = |variables: &[&str], usual: &str| {
            let given =
                variables.iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.trim().is_empty()));
            given.unwrap_or_else(|| usual.to_owned()).trim().trim_end_matches('/').to_owned()
        };
        Self {
            folder: folder.into(),
            embedded,
            hub: address(&["HF_ENDPOINT"], "https://huggingface.co"),
            packages: address(&["PLUMB_PACKAGE_INDEX", "PIP_INDEX_URL"], "https://pypi.org/simple"),
            patience: Duration::from_secs(30),
            token: token(),
        }
    }

    /// Show this token to the hub instead of the user's own, or none.
    #[must_use]
    pub fn with_token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    /// Where the user's system keeps caches; `None` where it has no such place.
    pub fn usual_folder() -> Option<PathBuf> {
        directories::ProjectDirs::from("", "", "plumb").map(|folders| folders.cache_dir().to_path_buf())
    }

    /// Fetch from these addresses instead of the usual ones.
    #[must_use]
    pub fn with_addresses(mut self, hub: &str, packages: &str) -> Self {
        hub.trim_end_matches('/').clone_into(&mut self.hub);
        packages.trim_end_matches('/').clone_into(&mut self.packages);
        self
    }

    /// How long the other side may be silent; 30 s at first.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What ships inside Plumb.
    pub fn embedded(&self) -> &'static [Embedded] {
        self.embedded
    }

    /// The embedded file as a file: written on first use, and again if it was changed or damaged since.
    pub(super) fn unpack(&self, name: &str) -> Result<PathBuf, SourceError> {
        let Some((_, file, bytes)) = self.embedded.iter().find(|(known, _, _)| *known == name) else {
            let known: Vec<_> = self.embedded.iter().map(|(name, _, _)| *name).collect();
            return Err(SourceError::NotEmbedded { name: name.to_owned(), known: known.join(", ") });
        };
        let path = self.folder.join("embedded").join(name).join(file);
        // The bytes are at hand, so comparing them says more than comparing hashes.
        if std::fs::read(&path).is_ok_and(|found| found == *bytes) {
            return Ok(path);
        }
        make_folder_of(&path)?;
        atomic::write(&path, bytes)?;
        Ok(path)
    }
}

pub(super) fn make_folder_of(path: &Path) -> Result<(), WriteError> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|source| WriteError::new(folder, source))
}

/// The user's token for the hub: from the environment, or from where the hub's own tools keep it.
fn token() -> Option<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
    let stored = || {
        let folder = variable("HF_HOME").map(PathBuf::from);
        let folder = folder.or_else(|| Some(directories::BaseDirs::new()?.home_dir().join(".cache/huggingface")))?;
        std::fs::read_to_string(folder.join("token")).ok()
    };
    let token = variable("HF_TOKEN").or_else(stored)?.trim().to_owned();
    // Anything else could not be sent in a header.
    (!token.is_empty() && token.chars().all(|c| c.is_ascii_graphic())).then_some(token)
}
