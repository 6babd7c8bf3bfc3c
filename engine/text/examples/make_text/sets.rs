//! Readers of the sets of texts, all of which give plain text with the share of judges that call it toxic.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;

use plumb_text::classify::{Example, Lexicon, plain};

/// Of this example.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a text is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Learn,
    Calibrate,
    Measure,
}

impl Part {
    /// By a hash of the text, so that the same words always fall into the same part: 70, 15 and 15 %.
    pub fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let mut h = 0xcbf2_9ce4_8422_2325_u64;
        for byte in words.flat_map(|word| word.bytes().chain([b' '])) {
            h = (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        match (h.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 20 {
            0..3 => Self::Measure,
            3..6 => Self::Calibrate,
            _ => Self::Learn,
        }
    }
}

/// A text with its label.
#[derive(Clone, Debug)]
pub struct Labelled {
    pub text: String,
    /// Share of judges that call it toxic.
    pub share: f64,
    pub part: Part,
}

impl Labelled {
    fn new(text: &str, share: f64) -> Self {
        let text = plain(text);
        Self { part: Part::of(&text), text, share }
    }

    /// One that is always learnt from.
    pub fn authored(text: String, toxic: bool) -> Self {
        Self { part: Part::Learn, text, share: f64::from(u8::from(toxic)) }
    }

    /// Whether most judges call it toxic.
    pub fn toxic(&self) -> bool {
        self.share >= 0.5
    }

    pub fn example(&self) -> Example {
        Example { text: self.text.clone(), toxic: self.share, weight: 1.0 }
    }
}

/// Only the first of several texts with the same words.
fn different(texts: Vec<Labelled>) -> Vec<Labelled> {
    let mut seen = BTreeSet::new();
    let words = |text: &str| text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    texts.into_iter().filter(|item| item.text.contains(' ') && seen.insert(words(&item.text))).collect()
}

fn rows(path: &Path) -> Result<Vec<BTreeMap<String, String>>> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(reader.deserialize().collect::<std::result::Result<_, _>>()?)
}

fn field<'a>(row: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str> {
    Ok(row.get(name).ok_or_else(|| format!("there is no column “{name}”"))?)
}

/// Tweets with the votes of three or more people: hate speech, offensive language, neither.
pub fn davidson(path: &Path) -> Result<Vec<Labelled>> {
    let mut texts = Vec::new();
    for row in rows(path)? {
        let (all, neither): (f64, f64) = (field(&row, "count")?.parse()?, field(&row, "neither")?.parse()?);
        texts.push(Labelled::new(field(&row, "tweet")?, 1.0 - neither / all));
    }
    Ok(different(texts))
}

/// A case of HateCheck.
pub struct Case {
    /// Its functionality's name.
    pub kind: String,
    /// The text.
    pub item: Labelled,
}

/// HateCheck.
pub fn hatecheck(path: &Path) -> Result<Vec<Case>> {
    let case = |row: &BTreeMap<String, String>| {
        let share = f64::from(u8::from(field(row, "label_gold")? == "hateful"));
        let item = Labelled::new(field(row, "test_case")?, share);
        Ok(Case { kind: field(row, "functionality")?.to_owned(), item })
    };
    rows(path)?.iter().map(case).collect()
}

/// Continuations by GPT-2 and its relatives with the toxicity that the Perspective service gave them.
pub fn dexperts(path: &Path) -> Result<Vec<Labelled>> {
    let mut texts = Vec::new();
    for row in rows(path)? {
        for side in ["a", "b"] {
            if let Ok(toxicity) = field(&row, &format!("tox{side}"))?.parse::<f64>() {
                texts.push(Labelled::new(field(&row, &format!("sent{side}"))?, f64::from(u8::from(toxicity >= 0.5))));
            }
        }
    }
    Ok(different(texts))
}

/// A set of the Learning with Disagreements task of 2023.
pub fn agreement(path: &Path) -> Result<Vec<Labelled>> {
    let items: BTreeMap<String, serde_json::Value> = serde_json::from_str(&fs::read_to_string(path)?)?;
    let mut texts = Vec::new();
    for item in items.values() {
        let text = item["text"].as_str().ok_or("an item has no text")?;
        let votes: Vec<&str> = item["annotations"].as_str().ok_or("an item has no annotations")?.split(',').collect();
        let yes = votes.iter().filter(|vote| vote.trim() == "1").count();
        texts.push(Labelled::new(text, yes as f64 / votes.len() as f64));
    }
    Ok(different(texts))
}

/// Files below a folder whose name passes, in order.
fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Nobody has labelled what follows, so texts with a rude word are left out and the others count as plain.
pub fn unlabelled(texts: impl IntoIterator<Item = String>) -> Vec<Labelled> {
    let rude = Lexicon::embedded();
    let plain = texts.into_iter().filter(|text| rude.find(text).is_empty());
    different(plain.map(|text| Labelled::new(&text, 0.0)).collect())
}

/// The sentences of 5 to 60 words of the Brown corpus.
pub fn brown(folder: &Path) -> Result<Vec<String>> {
    let mut sentences = Vec::new();
    let wanted = |name: &str| name.len() == 4 && name.starts_with('c') && name[2..].bytes().all(|b| b.is_ascii_digit());
    for path in files(folder, wanted)? {
        for line in fs::read_to_string(path)?.lines() {
            let words: Vec<&str> = line.split_whitespace().filter_map(|word| Some(word.rsplit_once('/')?.0)).collect();
            if (5..=60).contains(&words.len()) {
                sentences.push(joined(&words));
            }
        }
    }
    Ok(sentences)
}

/// Words of a tagged corpus as they were printed.
fn joined(words: &[&str]) -> String {
    let mut text = String::new();
    let mut quoted = false;
    for word in words {
        let closing = matches!(*word, "," | "." | ";" | ":" | "?" | "!" | "''" | ")");
        if !text.is_empty() && !closing && !quoted {
            text.push(' ');
        }
        quoted = matches!(*word, "``" | "(");
        text += match *word {
            "``" | "''" => "\"",
            word => word,
        };
    }
    text
}

/// Up to two paragraphs of each wanted mail, 6 to 60 words long, without quotations, tables and addresses.
pub fn mail(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for group in ["easy-ham-1", "easy-ham-2", "hard-ham-1"] {
        for path in files(&folder.join("data").join(group), |name| {
            Path::new(name).extension().is_some_and(|end| end == "json")
        })? {
            let mail: serde_json::Value = serde_json::from_str(&fs::read_to_string(path)?)?;
            let mail = mail["text"].as_str().unwrap_or_default();
            let Some((_, body)) = mail.split_once("\n\n").filter(|(_, body)| !body.contains('<')) else { continue };
            let fine = |paragraph: &&str| {
                let words = paragraph.split_whitespace().count();
                let letters = paragraph.chars().filter(|c| c.is_alphabetic() || c.is_whitespace()).count();
                (6..=60).contains(&words)
                    && letters * 100 > paragraph.chars().count() * 92
                    && !paragraph.contains(['>', '|', '@'])
                    && !paragraph.contains("http")
            };
            texts.extend(body.split("\n\n").filter(fine).take(2).map(|text| text.replace('\n', " ")));
        }
    }
    Ok(texts)
}
