//! Files of the Hugging Face hub, kept in the hub's own cache layout (blobs, snapshots, refs).
//!
//! hf-hub gives addresses and layout. The transfer is ours: it checks sha256, can be stopped, and gives up
//! on a silent server.

use std::path::{Path, PathBuf};

use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Repo, RepoType};

use super::cache::make_folder_of;
use super::download::{self, Request, host_of};
use super::{Cache, SourceError};
use crate::Ctl;
use crate::atomic::WriteError;

pub(super) fn fetch(
    cache: &Cache,
    ctl: &Ctl,
    repo: &str,
    revision: &str,
    file: &str,
    place: &Path,
) -> Result<PathBuf, SourceError> {
    let repo = Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned());
    let store = hf_hub::Cache::new(cache.folder().join("hub"));
    let kept = store.repo(repo.clone());
    if let Some(path) = kept.get(file) {
        return Ok(path);
    }
    let answer = |url: &str, reason: String| SourceError::Answer { url: url.to_owned(), reason };
    let api = ApiBuilder::from_cache(store.clone()).with_token(None).with_endpoint(cache.hub.clone()).build();
    let url = api.map_err(|error| answer(&cache.hub, error.to_string()))?.repo(repo).url(file);

    let token = cache.token.as_deref();
    let ask = |url| Request { url, place, patience: cache.patience, token, accept: None };
    ctl.progress(format!("Asking {} for {file}", host_of(&url)), 0, None);
    let head = download::head(&ask(&url), ctl)?;
    let header = |names: &[&str]| {
        let found =
            names.iter().find_map(|name| head.get(*name)).map(|text| text.trim_start_matches("W/").trim_matches('"'));
        // These become file names below, so nothing but letters, digits and dashes may pass.
        let name = |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        found
            .filter(name)
            .map(str::to_owned)
            .ok_or_else(|| answer(&url, format!("header {} is missing or garbled", names[0])))
    };
    let etag = header(&["x-linked-etag", "etag"])?;
    let commit = header(&["x-repo-commit"])?;
    // Large files are named by their sha256; small ones by a git hash, which says nothing about the bytes alone.
    let sha256 = (etag.len() == 64 && etag.chars().all(|c| c.is_ascii_hexdigit())).then(|| etag.clone());
    let size = ["x-linked-size", "content-length"].iter().find_map(|name| head.get(*name)?.parse().ok());

    let blob = kept.blob_path(&etag);
    if !blob.is_file() {
        make_folder_of(&blob)?;
        download::fetch(&ask(&url), ctl, file, &blob, size, sha256.as_deref())?;
    }
    let snapshot = kept.pointer_path(&commit).join(file);
    make_folder_of(&snapshot)?;
    link(&blob, &snapshot).map_err(|source| WriteError::new(&snapshot, source))?;
    kept.create_ref(&commit).map_err(|source| WriteError::new(&snapshot, source))?;
    Ok(snapshot)
}

/// Give the blob its name in the snapshot: a hard link where the disk knows them, otherwise a copy.
fn link(blob: &Path, snapshot: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(blob, snapshot) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => std::fs::copy(blob, snapshot).map(|_| ()),
        Ok(()) => Ok(()),
    }
}
