//! Texts as sentence vectors: what they mean rather than which words they use. The vectors ship with the program, or
//! come from the folder of a sentence encoder (all-MiniLM-L6-v2).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use plumb_core::Ctl;
use plumb_text::embedding::{self, Embedder};
use serde::{Deserialize, Serialize};

use super::reader::{Reader, Row};
use crate::Error;
use crate::audit::mark;

/// Characters of a text that are read: what comes later costs time and changes a mean of many words little.
const LONGEST: usize = 20_000;

/// Texts read at a time, between two looks at whether to stop.
const CHUNK: usize = 64;

/// Vectors that are remembered, so that training need not read a text again with a large encoder.
const REMEMBERED: usize = 50_000;

/// A sentence whose vector tells encoders apart.
const PROBE: &str = "Please keep the discussion on topic and do not insult other members.";

/// How far the probe's vector may be off on another machine.
const CLOSE: f32 = 0.01;

struct Opened {
    encoder: Arc<dyn Embedder>,
    /// By fingerprint of the text; only for encoders from a folder, the one that ships is faster than looking up.
    known: Option<Mutex<BTreeMap<u128, Arc<[f32]>>>>,
}

/// Reads texts by an encoder.
#[derive(Clone, Serialize, Deserialize)]
pub struct Meaning {
    /// The encoder's folder; `None` for the one that ships.
    folder: Option<PathBuf>,
    /// The probe's vector when the model was made: a model is of no use with another encoder.
    probe: Vec<f32>,
    #[serde(skip)]
    opened: Option<Arc<Opened>>,
}

impl fmt::Debug for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meaning")
            .field("folder", &self.folder)
            .field("width", &self.probe.len())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Meaning {
    fn eq(&self, other: &Self) -> bool {
        self.folder == other.folder && self.probe == other.probe
    }
}

fn failed(place: Option<&Path>, why: impl fmt::Display) -> Error {
    let place = place.map_or_else(|| "the sentence vectors that ship".to_owned(), |place| place.display().to_string());
    Error::Import { place, why: why.to_string() }
}

impl Meaning {
    /// Open the encoder in `folder`, or the one that ships.
    pub fn open(folder: Option<&Path>) -> Result<Self, Error> {
        let encoder = embedding::open(folder).map_err(|error| failed(folder, error))?;
        let known = folder.is_some().then(Mutex::default);
        let mut this = Self {
            folder: folder.map(Path::to_owned),
            probe: Vec::new(),
            opened: Some(Arc::new(Opened { encoder, known })),
        };
        this.probe = this.vectors(&[PROBE], &Ctl::new(0))?.first().map(|vector| vector.to_vec()).unwrap_or_default();
        Ok(this)
    }

    /// The vectors of `texts`: length one, or zeros for a text without a known word.
    pub fn vectors(&self, texts: &[&str], ctl: &Ctl) -> Result<Vec<Arc<[f32]>>, Error> {
        let opened = self.opened.as_ref().ok_or_else(|| failed(self.folder.as_deref(), "it was not opened"))?;
        let mut vectors = Vec::with_capacity(texts.len());
        for (i, chunk) in texts.chunks(CHUNK).enumerate() {
            ctl.check()?;
            ctl.progress("reading texts", (i * CHUNK) as u64, Some(texts.len() as u64));
            let heads: Vec<&str> = chunk.iter().map(|text| head(text)).collect();
            let marks: Vec<u128> = heads.iter().map(|text| mark(text)).collect();
            let mut found: Vec<Option<Arc<[f32]>>> = vec![None; heads.len()];
            if let Some(known) = &opened.known {
                let known = known.lock();
                found = marks.iter().map(|mark| known.get(mark).cloned()).collect();
            }
            let missing: Vec<&str> =
                heads.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(text, _)| *text).collect();
            let made = opened
                .encoder
                .embed(&missing, ctl)
                .map_err(|error| ctl.check().map_or_else(Into::into, |()| failed(self.folder.as_deref(), error)))?;
            let mut made = made.into_iter().map(Arc::<[f32]>::from);
            for (found, mark) in found.into_iter().zip(marks) {
                let Some(vector) = found.or_else(|| {
                    let vector = made.next()?;
                    if let Some(known) = &opened.known {
                        let mut known = known.lock();
                        if known.len() < REMEMBERED {
                            known.insert(mark, vector.clone());
                        }
                    }
                    Some(vector)
                }) else {
                    return Err(failed(self.folder.as_deref(), "the encoder gave fewer vectors than texts"));
                };
                vectors.push(vector);
            }
        }
        Ok(vectors)
    }
}

/// As much of a text as is read.
fn head(text: &str) -> &str {
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end])
}

fn row(vector: &[f32]) -> Row {
    vector.iter().enumerate().map(|(i, x)| (i as u32, *x)).collect()
}

impl Reader for Meaning {
    fn learn(&mut self, _texts: &[&String]) {}

    fn prepare(&mut self) -> Result<(), Error> {
        let now = Self::open(self.folder.as_deref())?;
        let same = |(a, b): (&f32, &f32)| (a - b).abs() < CLOSE;
        if now.probe.len() != self.probe.len() || !now.probe.iter().zip(&self.probe).all(same) {
            let why = "the vote model was learnt with other sentence vectors; train it anew";
            return Err(failed(self.folder.as_deref(), why));
        }
        self.opened = now.opened;
        Ok(())
    }

    fn width(&self) -> usize {
        self.probe.len()
    }

    fn rows(&self, texts: &[&String], ctl: &Ctl) -> Result<Vec<Row>, Error> {
        let texts: Vec<&str> = texts.iter().map(|text| text.as_str()).collect();
        Ok(self.vectors(&texts, ctl)?.iter().map(|vector| row(vector)).collect())
    }

    /// A text that cannot be read says nothing: it gets the probability of a text without words.
    fn of(&self, text: &str) -> Row {
        let vectors = self.vectors(&[text], &Ctl::new(0));
        vectors.ok().and_then(|vectors| vectors.first().map(|vector| row(vector))).unwrap_or_default()
    }

    /// A vector's numbers are not parts of the text.
    fn parts(&self, _text: &str, _found: &mut dyn FnMut(&str, u32)) {}
}
