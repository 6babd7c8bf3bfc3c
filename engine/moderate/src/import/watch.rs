//! A folder that exports are put into: whatever is new or changed and no longer growing is to be imported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::Error;

/// Length and time of change.
type Stamp = (u64, Option<SystemTime>);

/// What was seen in a folder.
#[derive(Clone, Debug)]
pub struct Watch {
    folder: PathBuf,
    /// As last seen, and whether it was handed out like that.
    seen: BTreeMap<PathBuf, (Stamp, bool)>,
}

impl Watch {
    /// Watch `folder`, of which nothing is known yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), seen: BTreeMap::new() }
    }

    /// Files that are new or changed and were the same at the poll before: nobody writes to them any more. In the order of their
    /// names; hidden files, `.part` and `.tmp` files and folders are passed over.
    pub fn poll(&mut self) -> Result<Vec<PathBuf>, Error> {
        let fail =
            |error: std::io::Error| Error::Import { place: self.folder.display().to_string(), why: error.to_string() };
        let mut now = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder).map_err(fail)? {
            // A file that vanishes while one looks is not there.
            let Ok(entry) = entry else { continue };
            let Ok(about) = std::fs::metadata(entry.path()) else { continue };
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let unfinished = Path::new(&name).extension().is_some_and(|end| end == "part" || end == "tmp");
            if about.is_file() && !name.starts_with('.') && !unfinished {
                now.insert(entry.path(), (about.len(), about.modified().ok()));
            }
        }
        let mut ready = Vec::new();
        let mut seen = BTreeMap::new();
        for (path, stamp) in now {
            let handed = match self.seen.get(&path) {
                Some((before, handed)) if *before == stamp => {
                    if !handed {
                        ready.push(path.clone());
                    }
                    true
                }
                _ => false,
            };
            seen.insert(path, (stamp, handed));
        }
        self.seen = seen;
        Ok(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_handed_out_once_they_rest_and_again_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let mut watch = Watch::new(folder.path());
        assert!(watch.poll().unwrap().is_empty());
        std::fs::write(&path, "a").unwrap();
        std::fs::write(folder.path().join("x.part"), "a").unwrap();
        assert!(watch.poll().unwrap().is_empty(), "it may still grow");
        assert_eq!(watch.poll().unwrap(), std::slice::from_ref(&path));
        assert!(watch.poll().unwrap().is_empty());
        std::fs::write(&path, "a longer text").unwrap();
        assert!(watch.poll().unwrap().is_empty());
        assert_eq!(watch.poll().unwrap(), std::slice::from_ref(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(watch.poll().unwrap().is_empty());
        assert!(Watch::new(&folder.path().join("none")).poll().is_err());
    }
}
