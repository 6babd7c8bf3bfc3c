//! Activations on disk: written in pieces with bounded memory, resumed after a stop or a full disk, read back in
//! shuffled batches.
//!
//! A folder with `store.json` and `chunk-N.bin`, each chunk `rows · d` little-endian floats, of 16 bits where room matters
//! more than the last digits. The table is replaced after each chunk, so a chunk that it does not list was cut off and is
//! written again.

use std::path::{Path, PathBuf};

use half::f16;
use plumb_core::atomic;
use plumb_core::random::Random;
use serde::{Deserialize, Serialize};

use crate::sae::length;
use crate::{Result, SteerError};

/// What `store.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreTable {
    /// Width of the activations.
    pub d: usize,
    /// Rows of a full chunk.
    pub chunk_rows: usize,
    /// Whether numbers are kept in 16 bits.
    #[serde(default)]
    pub half: bool,
    /// What was read where: model, hook point, corpus. Must be the same when resumed.
    pub origin: String,
    /// Rows of each chunk.
    pub chunks: Vec<usize>,
    /// Texts of the corpus that are done.
    pub texts: usize,
    /// Whether the corpus was read to its end.
    pub complete: bool,
}

/// Activations in a folder.
#[derive(Debug)]
pub struct ActivationStore {
    folder: PathBuf,
    table: StoreTable,
    buffer: Vec<f32>,
    /// Texts whose rows are all in the chunks or in the buffer.
    texts: usize,
}

const TABLE: &str = "store.json";

impl ActivationStore {
    /// Makes a store in `folder`, or goes on with the one that is there if it has the same width and origin.
    pub fn create(folder: &Path, d: usize, chunk_rows: usize, half: bool, origin: &str) -> Result<Self> {
        if d == 0 || chunk_rows == 0 {
            return Err(SteerError::Spec("activations need a width and chunks a number of rows".to_owned()));
        }
        if folder.join(TABLE).is_file() {
            let store = Self::open(folder)?;
            if store.table.d != d || store.table.half != half || store.table.origin != origin {
                return Err(SteerError::Spec(format!(
                    "{} holds other activations ({}, {} wide): choose another folder or delete it",
                    folder.display(),
                    store.table.origin,
                    store.table.d
                )));
            }
            return Ok(store);
        }
        std::fs::create_dir_all(folder).map_err(|error| atomic::WriteError::new(folder, error))?;
        let table = StoreTable {
            d,
            chunk_rows,
            half,
            origin: origin.to_owned(),
            chunks: Vec::new(),
            texts: 0,
            complete: false,
        };
        let store = Self { folder: folder.to_path_buf(), table, buffer: Vec::new(), texts: 0 };
        store.save_table()?;
        Ok(store)
    }

    /// Opens a store.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(TABLE);
        let text = std::fs::read_to_string(&path).map_err(|error| SteerError::read(&path, error))?;
        let table: StoreTable = serde_json::from_str(&text).map_err(|error| SteerError::read(&path, error))?;
        for (index, &rows) in table.chunks.iter().enumerate() {
            let chunk = chunk_path(folder, index);
            let expected = (rows * table.d * if table.half { 2 } else { 4 }) as u64;
            let found = std::fs::metadata(&chunk).map_err(|error| SteerError::read(&chunk, error))?.len();
            if found != expected {
                let reason = format!("it has {found} bytes where {expected} are expected: harvest again");
                return Err(SteerError::read(&chunk, reason));
            }
        }
        let texts = table.texts;
        Ok(Self { folder: folder.to_path_buf(), table, buffer: Vec::new(), texts })
    }

    /// The table.
    pub fn table(&self) -> &StoreTable {
        &self.table
    }

    /// Rows on disk.
    pub fn rows(&self) -> usize {
        self.table.chunks.iter().sum()
    }

    /// Adds all rows of the next text. When it fails because the disk is full, nothing that was written before is lost:
    /// free some space, create the store again and go on from [`StoreTable::texts`].
    pub fn push_text(&mut self, rows: &[f32]) -> Result<()> {
        if !rows.len().is_multiple_of(self.table.d) {
            return Err(SteerError::Width { expected: self.table.d, found: rows.len() });
        }
        if let Some(number) = rows.iter().find(|x| !x.is_finite() || (self.table.half && x.abs() > f16::MAX.to_f32())) {
            return Err(SteerError::Spec(format!(
                "an activation of text {} is {number}: {}",
                self.texts,
                if number.is_finite() { "store them in 32 bits" } else { "the model is damaged or overflows" }
            )));
        }
        self.buffer.extend_from_slice(rows);
        self.texts += 1;
        if self.buffer.len() >= self.table.chunk_rows * self.table.d {
            // A chunk ends with a text, so that resuming never splits or repeats one.
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            let bytes: Vec<u8> = if self.table.half {
                self.buffer.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect()
            } else {
                self.buffer.iter().flat_map(|x| x.to_le_bytes()).collect()
            };
            atomic::write(&chunk_path(&self.folder, self.table.chunks.len()), &bytes)?;
            self.table.chunks.push(self.buffer.len() / self.table.d);
            self.buffer.clear();
        }
        self.table.texts = self.texts;
        self.save_table()
    }

    /// Writes what is left and marks the store as complete.
    pub fn finish(&mut self) -> Result<()> {
        self.table.complete = true;
        self.flush()
    }

    fn save_table(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.table).map_err(|error| SteerError::Spec(error.to_string()))?;
        Ok(atomic::write(&self.folder.join(TABLE), text.as_bytes())?)
    }

    /// The rows of one chunk.
    pub fn chunk(&self, index: usize) -> Result<Vec<f32>> {
        let path = chunk_path(&self.folder, index);
        let bytes = std::fs::read(&path).map_err(|error| SteerError::read(&path, error))?;
        if self.table.half {
            let (numbers, _) = bytes.as_chunks::<2>();
            return Ok(numbers.iter().map(|&number| f16::from_le_bytes(number).to_f32()).collect());
        }
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(numbers.iter().map(|&number| f32::from_le_bytes(number)).collect())
    }

    /// The median of ‖x‖ over the first chunk.
    pub fn median_length(&self) -> Result<f32> {
        let mut lengths: Vec<f32> = self.chunk(0)?.chunks_exact(self.table.d).map(length).collect();
        let middle = lengths.len() / 2;
        Ok(*lengths.select_nth_unstable_by(middle, f32::total_cmp).1)
    }

    /// Batches of `batch` shuffled rows without end, holding `chunks` chunks in memory. The same seed gives the same
    /// batches.
    pub fn batches(&self, batch: usize, chunks: usize, seed: u64) -> Result<Batches<'_>> {
        if self.rows() < batch || batch == 0 {
            return Err(SteerError::Spec(format!(
                "the store holds {} activations and a batch needs {batch}: harvest more text or make batches smaller",
                self.rows()
            )));
        }
        let (order, rows) = (Vec::new(), Vec::new());
        Ok(Batches { store: self, batch, chunks: chunks.max(1), seed, longest: None, epoch: 0, order, rows })
    }
}

/// Takes out the rows that are longer than `longest`.
pub(crate) fn keep_short(rows: &mut Vec<f32>, d: usize, longest: Option<f32>) {
    let Some(longest) = longest else { return };
    let mut kept = 0;
    for row in 0..rows.len() / d {
        if length(&rows[row * d..(row + 1) * d]) <= longest {
            rows.copy_within(row * d..(row + 1) * d, kept * d);
            kept += 1;
        }
    }
    rows.truncate(kept * d);
}

fn chunk_path(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("chunk-{index:05}.bin"))
}

/// See [`ActivationStore::batches`].
#[derive(Debug)]
pub struct Batches<'a> {
    store: &'a ActivationStore,
    batch: usize,
    chunks: usize,
    seed: u64,
    /// Rows that are longer are left out.
    longest: Option<f32>,
    epoch: u64,
    /// Chunks of this epoch that are still to come, last first.
    order: Vec<usize>,
    /// Shuffled rows that are still to come.
    rows: Vec<f32>,
}

impl Batches<'_> {
    /// Leaves out rows that are longer.
    #[must_use]
    pub fn up_to(mut self, longest: Option<f32>) -> Self {
        self.longest = longest;
        self
    }

    /// The next `batch · d` numbers.
    pub fn next_batch(&mut self) -> Result<Vec<f32>> {
        let d = self.store.table.d;
        while self.rows.len() < self.batch * d {
            self.refill()?;
        }
        Ok(self.rows.split_off(self.rows.len() - self.batch * d))
    }

    fn refill(&mut self) -> Result<()> {
        let mut random = Random::new(self.seed, &format!("batches {} {}", self.epoch, self.order.len()));
        if self.order.is_empty() {
            self.epoch += 1;
            self.order = (0..self.store.table.chunks.len()).collect();
            random.shuffle(&mut self.order);
        }
        let d = self.store.table.d;
        let mut pool = std::mem::take(&mut self.rows);
        for index in self.order.split_off(self.order.len().saturating_sub(self.chunks)) {
            let mut rows = self.store.chunk(index)?;
            keep_short(&mut rows, d, self.longest);
            pool.extend(rows);
        }
        let mut order: Vec<usize> = (0..pool.len() / d).collect();
        random.shuffle(&mut order);
        self.rows.reserve_exact(pool.len());
        for row in order {
            self.rows.extend_from_slice(&pool[row * d..(row + 1) * d]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text `i` has `i % 3 + 1` rows that hold its number.
    fn push(store: &mut ActivationStore, texts: std::ops::Range<usize>) {
        for text in texts {
            store.push_text(&vec![text as f32; 2 * (text % 3 + 1)]).unwrap();
        }
    }

    fn all(store: &ActivationStore) -> Vec<f32> {
        (0..store.table().chunks.len()).flat_map(|chunk| store.chunk(chunk).unwrap()).collect()
    }

    #[test]
    fn a_stopped_harvest_goes_on_where_it_was() {
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut store = ActivationStore::create(whole.path(), 2, 8, false, "x").unwrap();
        push(&mut store, 0..40);
        store.finish().unwrap();
        for stop in [13, 27, 40] {
            let mut store = ActivationStore::create(parts.path(), 2, 8, false, "x").unwrap();
            let done = store.table().texts;
            push(&mut store, done..stop);
            if stop == 40 {
                store.finish().unwrap();
            } else {
                // Cut off in the middle of a chunk that the table does not list.
                let next = chunk_path(parts.path(), store.table().chunks.len());
                std::fs::write(next, b"half").unwrap();
            }
        }
        let resumed = ActivationStore::open(parts.path()).unwrap();
        assert_eq!(all(&resumed), all(&store));
        assert!(resumed.table().complete);
        assert!(
            ActivationStore::create(parts.path(), 2, 8, false, "y")
                .unwrap_err()
                .to_string()
                .contains("other activations")
        );
        let chunk = chunk_path(parts.path(), 1);
        std::fs::write(chunk, b"short").unwrap();
        assert!(ActivationStore::open(parts.path()).unwrap_err().to_string().contains("5 bytes"));
    }

    #[cfg(unix)]
    #[test]
    fn a_failed_write_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("store");
        let mut store = ActivationStore::create(&inner, 2, 4, false, "x").unwrap();
        push(&mut store, 0..6);
        let (before, done) = (all(&store), store.table().texts);
        // The folder goes away, as a disk that is full or pulled out.
        let aside = folder.path().join("aside");
        std::fs::rename(&inner, &aside).unwrap();
        let error = (6..20).find_map(|_| store.push_text(&[0.0; 8]).err()).unwrap();
        assert!(matches!(error, SteerError::Write(_)), "{error}");
        std::fs::rename(&aside, &inner).unwrap();
        let store = ActivationStore::create(&inner, 2, 4, false, "x").unwrap();
        assert_eq!((all(&store), store.table().texts), (before, done));
    }

    #[test]
    fn sixteen_bits_keep_what_they_can_and_refuse_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = ActivationStore::create(folder.path(), 2, 8, true, "x").unwrap();
        store.push_text(&[1.5, -0.333, 1000.1, 3e-5]).unwrap();
        for (number, part) in [(1e6, "32 bits"), (f32::NAN, "damaged")] {
            let error = store.push_text(&[number, 0.0]).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        store.finish().unwrap();
        let found = ActivationStore::open(folder.path()).unwrap().chunk(0).unwrap();
        assert_eq!(found.len(), 4);
        for (found, put) in found.iter().zip([1.5f32, -0.333, 1000.1, 3e-5]) {
            assert!((found - put).abs() <= 1e-3 * put.abs(), "{found} {put}");
        }
        assert!(ActivationStore::create(folder.path(), 2, 8, false, "x").is_err(), "another kind of store");
    }

    #[test]
    fn long_rows_can_be_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = ActivationStore::create(folder.path(), 2, 8, false, "x").unwrap();
        for text in 1..=20 {
            store.push_text(&[3.0 * text as f32, -4.0 * text as f32]).unwrap();
        }
        store.finish().unwrap();
        assert_eq!(store.median_length().unwrap(), 25.0, "the fifth of the first eight, counted from none");
        let mut batches = store.batches(5, 3, 1).unwrap().up_to(Some(50.0));
        let mut rows = (0..2).flat_map(|_| batches.next_batch().unwrap()).step_by(2).collect::<Vec<f32>>();
        rows.sort_by(f32::total_cmp);
        assert_eq!(rows, (1..=10).map(|text| 3.0 * text as f32).collect::<Vec<_>>());
    }

    #[test]
    fn an_epoch_gives_every_row_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = ActivationStore::create(folder.path(), 1, 10, false, "x").unwrap();
        for text in 0..60 {
            store.push_text(&[text as f32]).unwrap();
        }
        store.finish().unwrap();
        let draw = |seed| {
            let mut batches = store.batches(20, 2, seed).unwrap();
            (0..3).flat_map(|_| batches.next_batch().unwrap()).collect::<Vec<f32>>()
        };
        let mut rows = draw(1);
        assert_eq!(rows, draw(1));
        assert_ne!(rows, draw(2));
        rows.sort_by(f32::total_cmp);
        assert_eq!(rows, (0..60).map(|x| x as f32).collect::<Vec<_>>());
        assert!(store.batches(61, 1, 1).is_err());
    }
}
