//! Text to read: files and folders in a few common forms, cut into windows of tokens.
//!
//! Bytes that are no text become U+FFFD with a warning, never an error: one damaged line must not stop an hour's work.

use std::path::{Path, PathBuf};

use plumb_core::Ctl;
use plumb_core::random::Random;
use plumb_text::LanguageModel;
use plumb_text::classify::plain;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Result, SteerError};

/// How texts lie in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One text per line.
    #[default]
    Lines,
    /// The whole file is one text.
    Whole,
    /// A table with commas; texts are in the column of this name.
    Csv {
        /// The column.
        column: String,
        /// Only rows in which another column has this value.
        #[serde(default)]
        only: Option<(String, String)>,
    },
    /// A JSON object per line; texts are in the field of this name.
    JsonLines {
        /// The field.
        field: String,
    },
    /// Words with tags behind a slash, as the Brown corpus has them; the whole file is one text.
    Tagged,
    /// A mail: what follows its header, without quotations, markup and attachments.
    Mail,
}

/// Some texts and how many tokens of them are read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorpusSpec {
    /// What it is called in tables.
    pub name: String,
    /// Its licence, for the same tables.
    pub licence: String,
    /// A file, or a folder whose files are all read, in order of their names.
    pub source: PathBuf,
    /// Only files of a folder whose name ends so.
    pub ending: String,
    /// How texts lie in it.
    pub format: Format,
    /// Leave out what social media put around a text: addresses, @names, marks of repetition (see [`plain`]).
    pub tidy: bool,
    /// (i, n): only every n-th text, from text i on, counted from 0; so that two experiments can share a file without
    /// sharing a text.
    pub part: Option<(usize, usize)>,
    /// At most so many tokens, drawn evenly; 0 for all.
    pub tokens: usize,
    /// At most so many windows of one text; 0 for all.
    pub windows_per_text: usize,
}

impl CorpusSpec {
    /// Its texts, none empty.
    pub fn texts(&self, ctl: &Ctl) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        for file in self.files()? {
            ctl.check()?;
            let bytes = std::fs::read(&file).map_err(|error| SteerError::read(&file, error))?;
            let text = match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => {
                    ctl.warn(file.display().to_string(), "bytes that are no UTF-8 text were replaced by U+FFFD");
                    String::from_utf8_lossy(error.as_bytes()).into_owned()
                }
            };
            self.split(&text, &file, &mut texts)?;
        }
        if let Some((first, step)) = self.part {
            texts = texts.into_iter().skip(first).step_by(step.max(1)).collect();
        }
        if self.tidy {
            for text in &mut texts {
                *text = plain(text).trim_start_matches(['!', '"', ':', ' ']).into();
            }
        }
        texts.retain(|text| !text.trim().is_empty());
        if texts.is_empty() {
            return Err(SteerError::read(&self.source, "there is no text in it: check its format and column"));
        }
        Ok(texts)
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        if !self.source.is_dir() {
            return Ok(vec![self.source.clone()]);
        }
        let mut files = Vec::new();
        let mut folders = vec![self.source.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(|error| SteerError::read(&folder, error))? {
                let path = entry.map_err(|error| SteerError::read(&folder, error))?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| name.ends_with(&self.ending))
                {
                    files.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }

    fn split(&self, text: &str, file: &Path, texts: &mut Vec<String>) -> Result<()> {
        match &self.format {
            Format::Lines => texts.extend(text.lines().map(str::to_owned)),
            Format::Whole => texts.push(text.to_owned()),
            Format::Tagged => texts.push(untagged(text)),
            Format::Mail => texts.extend(mail_body(text)),
            Format::JsonLines { field } => {
                for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                    let place = |what: String| SteerError::read(file, format!("line {}: {what}", number + 1));
                    let object: serde_json::Value =
                        serde_json::from_str(line).map_err(|error| place(error.to_string()))?;
                    let text = object.get(field).and_then(serde_json::Value::as_str);
                    texts.push(text.ok_or_else(|| place(format!("there is no text “{field}”")))?.to_owned());
                }
            }
            Format::Csv { column, only } => {
                let mut table = csv::Reader::from_reader(text.as_bytes());
                let header = table.headers().map_err(|error| SteerError::read(file, error))?.clone();
                let place = |name: &str| {
                    let names = || header.iter().collect::<Vec<_>>().join(", ");
                    header.iter().position(|found| found == name).ok_or_else(|| {
                        SteerError::read(file, format!("it has no column “{name}”; there are {}", names()))
                    })
                };
                let column = place(column)?;
                let only = match only {
                    Some((name, value)) => Some((place(name)?, value)),
                    None => None,
                };
                for row in table.records() {
                    let row = row.map_err(|error| SteerError::read(file, error))?;
                    let wanted = only.is_none_or(|(place, value): (usize, &String)| row.get(place) == Some(value));
                    if let (true, Some(text)) = (wanted, row.get(column)) {
                        texts.push(text.to_owned());
                    }
                }
            }
        }
        Ok(())
    }
}

/// Words without their tags, with spaces where print has them.
fn untagged(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut glue = true;
    for token in text.split_whitespace() {
        let word = token.rsplit_once('/').map_or(token, |(word, _)| word);
        let word = if word == "``" || word == "''" { "\"" } else { word };
        let opens = token.starts_with("``") || word == "(";
        let closes = token.starts_with("''") || matches!(word, "," | "." | ";" | ":" | "?" | "!" | ")");
        if !(glue || closes) {
            out.push(' ');
        }
        out.push_str(word);
        glue = opens;
    }
    out
}

/// The words somebody wrote; `None` for markup.
fn mail_body(text: &str) -> Option<String> {
    let (_, body) = text.split_once("\n\n")?;
    if body.to_ascii_lowercase().contains("<html") || body.contains("<HTML") {
        return None;
    }
    let written = |line: &&str| {
        let line = line.trim();
        let letters = line.chars().filter(char::is_ascii_alphabetic).count();
        // Quotations, rules, encoded attachments and headers of parts.
        let machine = line.starts_with(['>', '|', '<'])
            || ["--", "Content-"].iter().any(|start| line.starts_with(start))
            || (!line.is_empty() && 2 * letters <= line.len())
            || (line.len() > 50 && !line.contains(' '));
        !machine
    };
    let lines: Vec<&str> = body.lines().filter(written).map(str::trim).collect();
    let mut out = String::new();
    for line in lines {
        match (line.is_empty(), out.ends_with('\n') || out.is_empty()) {
            (true, true) => {}
            (true, false) => out.push('\n'),
            (false, start) => {
                if !start {
                    out.push(' ');
                }
                out.push_str(line);
            }
        }
    }
    Some(out)
}

/// Windows of the same length from several corpora, shuffled together. Each begins with the model's BOS token, where it
/// has one.
pub fn windows(
    corpora: &[CorpusSpec],
    model: &LanguageModel,
    context: usize,
    seed: u64,
    ctl: &Ctl,
) -> Result<Vec<Vec<u32>>> {
    let tokenizer = model.tokenizer().ok_or(plumb_text::Error::NoTokenizer)?;
    let bos = model.config().bos;
    let room = context.min(model.config().context).saturating_sub(usize::from(bos.is_some()));
    if room < SHORTEST {
        return Err(SteerError::Spec(format!("windows of {context} tokens are too short: {} at least", SHORTEST + 1)));
    }
    let mut all = Vec::new();
    for corpus in corpora {
        let texts = corpus.texts(ctl)?;
        ctl.check()?;
        ctl.progress(format!("Reading {}", corpus.name), 0, None);
        let encoded: Vec<Vec<u32>> =
            texts.par_iter().map(|text| tokenizer.encode(text, false)).collect::<plumb_text::Result<_>>()?;
        let most = if corpus.windows_per_text == 0 { usize::MAX } else { corpus.windows_per_text };
        let mut of_corpus: Vec<Vec<u32>> = encoded
            .iter()
            .flat_map(|tokens| tokens.chunks(room).filter(|chunk| chunk.len() >= SHORTEST).take(most))
            .map(|chunk| bos.iter().chain(chunk).copied().collect())
            .collect();
        Random::new(seed, &format!("windows of {}", corpus.name)).shuffle(&mut of_corpus);
        if corpus.tokens > 0 {
            let mut count = 0;
            of_corpus.retain(|window| {
                count += window.len();
                count <= corpus.tokens
            });
        }
        all.append(&mut of_corpus);
    }
    Random::new(seed, "windows").shuffle(&mut all);
    Ok(all)
}

/// Shorter remains of texts are left out.
const SHORTEST: usize = 4;

/// A number that changes with any token of any window, to tell corpora apart.
pub fn fingerprint(windows: &[Vec<u32>]) -> u64 {
    // FNV-1a over the ids, with a mark between windows.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for token in windows.iter().flat_map(|window| window.iter().copied().chain([u32::MAX])) {
        for byte in token.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, content: &[u8], tidy: bool) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("corpus");
        std::fs::write(&source, content).unwrap();
        CorpusSpec { source, format, tidy, ..CorpusSpec::default() }.texts(&Ctl::new(0))
    }

    #[test]
    fn every_format_is_read() {
        assert_eq!(read(Format::Lines, b"one\n\ntwo\n", false).unwrap(), ["one", "two"]);
        let csv = Format::Csv { column: "text".to_owned(), only: Some(("kind".to_owned(), "1".to_owned())) };
        assert_eq!(read(csv.clone(), b"kind,text\n1,\"a, b\"\n2,c\n", false).unwrap(), ["a, b"]);
        assert!(read(csv, b"a,b\n1,2\n", false).unwrap_err().to_string().contains("there are a, b"));
        let json = Format::JsonLines { field: "t".to_owned() };
        assert_eq!(read(json.clone(), b"{\"t\":\"x\"}\n", false).unwrap(), ["x"]);
        assert!(read(json, b"{\"u\":1}\n", false).unwrap_err().to_string().contains("line 1"));
        let tagged = b"\tThe/at ``/`` jury/nn ''/'' said/vbd ,/, no/at ./.\n";
        assert_eq!(read(Format::Tagged, tagged, false).unwrap(), ["The \"jury\" said, no."]);
        let mail = b"From: a\nTo: b\n\nHello there,\n> quoted\nhow are you?\n\nBest\n--\n";
        assert_eq!(read(Format::Mail, mail, false).unwrap(), ["Hello there, how are you?\nBest"]);
    }

    #[test]
    fn social_media_marks_go_and_damage_is_survived() {
        let text = "!!! RT @someone: You &amp; me &#128514; http://t.co/x &notanentityatall".as_bytes();
        assert_eq!(read(Format::Lines, text, true).unwrap(), ["You & me \u{1f602} &notanentityatall"]);
        assert_eq!(read(Format::Lines, b"ab\xffcd", false).unwrap(), ["ab\u{fffd}cd"]);
        assert!(read(Format::Lines, b"\n\n", false).is_err());
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("corpus");
        std::fs::write(&source, "0\n1\n2\n3\n4").unwrap();
        let odd = CorpusSpec { source, part: Some((1, 2)), ..CorpusSpec::default() };
        assert_eq!(odd.texts(&Ctl::new(0)).unwrap(), ["1", "3"]);
    }

    #[test]
    fn a_fingerprint_sees_where_windows_end() {
        assert_ne!(fingerprint(&[vec![1, 2], vec![3]]), fingerprint(&[vec![1], vec![2, 3]]));
    }
}
