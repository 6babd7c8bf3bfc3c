//! A tiny HTTP server on this machine that can misbehave in known ways.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How the server treats the body of its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Good,
    /// The first whole-file answer breaks off in the middle.
    CutOnce,
    /// Ignores ranges, after breaking off once.
    CutOnceAndNoRanges,
    /// Sends half and then nothing.
    FallsSilent,
    /// A little every 20 ms.
    Slow,
}

/// A server that runs until the test ends.
pub struct Server {
    /// Its address, without a slash at the end.
    pub address: String,
    /// How many requests with a range it has answered.
    pub ranges: Arc<AtomicUsize>,
    /// How many requests it has seen.
    pub requests: Arc<AtomicUsize>,
}

/// Paths that begin so are answered only to those who show [`TOKEN`], and refused with status 401 otherwise.
pub const PRIVATE: &str = "/plumb-test/private";
/// The token that opens private paths. Paths that do not need it refuse whoever shows it.
pub const TOKEN: &str = "hf_test";

impl Server {
    /// Serve `files`: path, headers to add, body.
    pub fn start(manner: Manner, files: Vec<(String, String, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (ranges, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let shared = Arc::new((files, Arc::clone(&ranges), Arc::clone(&requests), AtomicUsize::new(0)));
        std::thread::Builder::new()
            .name("test-server".into())
            .spawn(move || {
                for stream in listener.incoming() {
                    let shared = Arc::clone(&shared);
                    let (stream, serve) = (stream.unwrap(), move |stream| {
                        let (files, ranges, requests, cuts) = &*shared;
                        requests.fetch_add(1, Ordering::SeqCst);
                        // The client hanging up early is part of the tests.
                        let _ended = answer(stream, manner, files, ranges, cuts);
                    });
                    std::thread::Builder::new().name("test-answer".into()).spawn(move || serve(stream)).unwrap();
                }
            })
            .unwrap();
        Self { address, ranges, requests }
    }
}

fn answer(
    mut stream: TcpStream,
    manner: Manner,
    files: &[(String, String, Vec<u8>)],
    ranges: &AtomicUsize,
    cuts: &AtomicUsize,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let (mut from, mut token) = (0, false);
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        token |= line == format!("authorization: bearer {TOKEN}");
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let Some((_, extra, body)) = files.iter().find(|(name, _, _)| name == path) else {
        return write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    };
    if path.starts_with(PRIVATE) != token {
        return write!(stream, "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
    if let Some(place) = extra.strip_prefix("redirect: ") {
        // As the hub does: what it says of the file stands in the redirect.
        return write!(stream, "HTTP/1.1 302 Found\r\nlocation: {place}content-length: 0\r\nconnection: close\r\n\r\n");
    }
    let partial = from > 0 && manner != Manner::CutOnceAndNoRanges;
    let body = if partial { &body[from..] } else { &body[..] };
    let status = if partial { "206 Partial Content" } else { "200 OK" };
    if partial {
        ranges.fetch_add(1, Ordering::SeqCst);
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-range: bytes {from}-{}/{}\r\n",
            from + body.len() - 1,
            from + body.len()
        )?;
    } else {
        write!(stream, "HTTP/1.1 {status}\r\n")?;
    }
    write!(stream, "{extra}content-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
    if method == "HEAD" {
        return Ok(());
    }
    let cut =
        matches!(manner, Manner::CutOnce | Manner::CutOnceAndNoRanges) && cuts.fetch_add(1, Ordering::SeqCst) == 0;
    match manner {
        _ if cut => stream.write_all(&body[..body.len() / 2]),
        Manner::FallsSilent => {
            stream.write_all(&body[..body.len() / 2])?;
            std::thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Manner::Slow => body.chunks(500).try_for_each(|piece| {
            std::thread::sleep(Duration::from_millis(20));
            stream.write_all(piece)
        }),
        _ => stream.write_all(body),
    }
}
