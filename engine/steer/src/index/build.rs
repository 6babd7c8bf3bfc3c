//! The one pass, and what is worked out after it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use plumb_core::random::Random;
use plumb_core::{Ctl, atomic};

use super::layout::{self, LOGITS, NEIGHBOURS, RECORD, put, put_pairs};
use super::sketch::{Hit, Sketch};
use super::{BINS, IndexTable};
use crate::sae::Sae;
use crate::{Result, SteerError};

/// Equal parts of the range of activations that windows are drawn from, and windows of each.
const INTERVALS: usize = 5;
const EACH: usize = 5;

/// Numbers of features or tokens, each with a value.
type Pairs = Vec<(u32, f32)>;

/// Builds an index in a folder. Activations of all tokens are kept there in a temporary file until the end.
#[derive(Debug)]
pub struct IndexBuilder {
    folder: PathBuf,
    table: IndexTable,
    sketches: Vec<Sketch>,
    random: Random,
    tokens: Vec<u32>,
    /// First token of every text, and the end.
    bounds: Vec<u32>,
    /// Where the pairs (feature, activation) of every token begin in the temporary file; and the end.
    offsets: Vec<u64>,
    pairs: BufWriter<File>,
    pairs_path: PathBuf,
}

impl IndexBuilder {
    /// For an SAE with `features` features; `table` says what it is an index of.
    pub fn new(folder: &Path, features: usize, table: IndexTable, seed: u64) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| atomic::WriteError::new(folder, error))?;
        let pairs_path = folder.join("activations.tmp");
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&pairs_path);
        let file = file.map_err(|error| atomic::WriteError::new(&pairs_path, error))?;
        let table = IndexTable { version: layout::VERSION, features, tokens: 0, texts: 0, directions: false, ..table };
        Ok(Self {
            folder: folder.to_path_buf(),
            table,
            sketches: vec![Sketch::default(); features],
            random: Random::new(seed, "index windows"),
            tokens: Vec::new(),
            bounds: vec![0],
            offsets: vec![0],
            pairs: BufWriter::new(file),
            pairs_path,
        })
    }

    /// Adds a text with its activations `z` `[T, m]`. The rows of the first `unread` tokens are not looked at.
    pub fn push(&mut self, tokens: &[u32], z: &Tensor, unread: usize) -> Result<()> {
        let (rows, features) = z.dims2()?;
        if rows != tokens.len() || features != self.table.features {
            return Err(SteerError::Spec(format!(
                "activations of shape {rows} × {features} do not belong to {} tokens and {} features",
                tokens.len(),
                self.table.features
            )));
        }
        let whole = u32::try_from(self.tokens.len() + tokens.len());
        if whole.is_err() {
            return Err(SteerError::Spec("an index holds at most four thousand million tokens".to_owned()));
        }
        let values = z.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let mut end = self.offsets[self.offsets.len() - 1];
        for (t, row) in values.chunks_exact(features.max(1)).enumerate() {
            if t >= unread {
                let at = (self.tokens.len() + t) as u32;
                for (feature, &value) in row.iter().enumerate().filter(|(_, value)| **value > 0.0) {
                    self.sketches[feature].add(Hit { value, at }, &mut self.random);
                    let mut pair = [0; 8];
                    put(&mut pair, 0, &(feature as u32).to_le_bytes());
                    put(&mut pair, 4, &value.to_le_bytes());
                    self.pairs.write_all(&pair).map_err(|e| atomic::WriteError::new(&self.pairs_path, e))?;
                    end += 8;
                }
                self.table.tokens += 1;
            }
            self.offsets.push(end);
        }
        self.tokens.extend_from_slice(tokens);
        self.bounds.push(self.tokens.len() as u32);
        self.table.texts += 1;
        Ok(())
    }

    /// Writes the index. With an SAE, decoder vectors are compared with each other and, with `unembedding` `[V, d]`
    /// too, with every token's row of it.
    pub fn finish(mut self, sae: Option<&Sae>, unembedding: Option<&Tensor>, ctl: &Ctl) -> Result<()> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |error| SteerError::from(atomic::WriteError::new(&path, error))
        };
        self.pairs.flush().map_err(failed(&self.pairs_path))?;
        let directions = match sae {
            Some(sae) => Some(compare(sae, unembedding, ctl)?),
            None => None,
        };
        self.table.directions = directions.is_some();
        let bytes: Vec<u8> = self.tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        atomic::write(&self.folder.join("tokens.bin"), &bytes)?;
        let mut records = Vec::with_capacity(self.sketches.len() * RECORD);
        let windows_path = self.folder.join("windows.bin");
        let mut windows = BufWriter::new(File::create(&windows_path).map_err(failed(&windows_path))?);
        let mut written = 0u64;
        let sketches = std::mem::take(&mut self.sketches);
        for (feature, sketch) in sketches.iter().enumerate() {
            if feature.is_multiple_of(1024) {
                ctl.check()?;
                ctl.progress("Writing windows", feature as u64, Some(self.table.features as u64));
            }
            let (bytes, together) = self.windows_of(feature, sketch)?;
            windows.write_all(&bytes).map_err(failed(&windows_path))?;
            let mut record = [0u8; RECORD];
            let mean = if sketch.count == 0 { 0.0 } else { (sketch.sum / sketch.count as f64) as f32 };
            put(&mut record, layout::COUNT, &sketch.count.to_le_bytes());
            put(&mut record, layout::MEAN, &mean.to_le_bytes());
            put(&mut record, layout::MAX, &sketch.max().to_le_bytes());
            put(&mut record, layout::RANGE, &sketch.range.to_le_bytes());
            put(&mut record, layout::WINDOWS_AT, &written.to_le_bytes());
            put(&mut record, layout::WINDOWS_BYTES, &(bytes.len() as u32).to_le_bytes());
            for bin in 0..BINS {
                put(&mut record, layout::HISTOGRAM + 4 * bin, &sketch.bins[bin].to_le_bytes());
            }
            let of = directions.as_ref().map(|all| &all[feature]);
            put_pairs(&mut record, layout::TOP_LOGITS, LOGITS, of.map_or(&[], |of| &of.top));
            put_pairs(&mut record, layout::BOTTOM_LOGITS, LOGITS, of.map_or(&[], |of| &of.bottom));
            put_pairs(&mut record, layout::NEAREST, NEIGHBOURS, of.map_or(&[], |of| &of.nearest));
            put_pairs(&mut record, layout::TOGETHER, NEIGHBOURS, &together);
            records.extend_from_slice(&record);
            written += bytes.len() as u64;
        }
        windows.flush().map_err(failed(&windows_path))?;
        atomic::write(&self.folder.join("features.bin"), &records)?;
        let text = serde_json::to_string_pretty(&self.table).map_err(|error| SteerError::Spec(error.to_string()))?;
        // The table last: a folder without it is no index.
        atomic::write(&self.folder.join("index.json"), text.as_bytes())?;
        drop(self.pairs);
        std::fs::remove_file(&self.pairs_path).map_err(|error| atomic::WriteError::new(&self.pairs_path, error))?;
        Ok(())
    }

    /// The windows of a feature as bytes, and the features that fire with it.
    fn windows_of(&mut self, feature: usize, sketch: &Sketch) -> Result<(Vec<u8>, Pairs)> {
        let mut groups = vec![sketch.top.clone()];
        if sketch.count > 0 {
            groups.extend(sketch.quantiles(INTERVALS, EACH));
        }
        let (mut bytes, mut others, mut centres) = (Vec::new(), BTreeMap::<u32, u32>::new(), 0u32);
        for (group, hits) in groups.iter().enumerate() {
            for hit in hits {
                let text = self.bounds.partition_point(|&bound| bound <= hit.at) - 1;
                let context = self.table.context as u32;
                let start = hit.at.saturating_sub(context).max(self.bounds[text]);
                let end = (hit.at + context + 1).min(self.bounds[text + 1]);
                bytes.extend(start.to_le_bytes());
                bytes.extend([group as u8, (end - start) as u8, (hit.at - start) as u8, 0]);
                for (at, pairs) in (start..end).zip(self.pairs_at(start, end)?) {
                    let own = pairs.iter().find(|(j, _)| *j as usize == feature).map_or(0.0, |(_, value)| *value);
                    bytes.extend(own.to_le_bytes());
                    if at == hit.at {
                        for (j, _) in &pairs {
                            *others.entry(*j).or_default() += 1;
                        }
                    }
                }
                centres += 1;
            }
        }
        others.remove(&(feature as u32));
        let mut together: Pairs = others.into_iter().map(|(j, n)| (j, n as f32 / centres as f32)).collect();
        together.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        together.truncate(NEIGHBOURS);
        Ok((bytes, together))
    }

    /// Pairs of every token in `start..end`.
    fn pairs_at(&mut self, start: u32, end: u32) -> Result<Vec<Pairs>> {
        let offsets = &self.offsets[start as usize..=end as usize];
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        let mut bytes = vec![0; (last - first) as usize];
        let file = self.pairs.get_mut();
        let read = file.seek(SeekFrom::Start(first)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|error| SteerError::read(&self.pairs_path, error))?;
        let token = |range: &[u64]| {
            let piece = &bytes[(range[0] - first) as usize..(range[1] - first) as usize];
            layout::pairs(piece, 0, piece.len() / 8)
        };
        Ok(offsets.windows(2).map(token).collect())
    }
}

/// What the decoder vector of a feature says.
struct Direction {
    top: Pairs,
    bottom: Pairs,
    nearest: Pairs,
}

/// Rows of the decoder handled at once.
const BLOCK: usize = 128;

fn compare(sae: &Sae, unembedding: Option<&Tensor>, ctl: &Ctl) -> Result<Vec<Direction>> {
    let w_dec = sae.w_dec();
    let m = sae.config.d_sae;
    let norms = sae.decoder_norms()?.maximum(f32::MIN_POSITIVE)?;
    let unit = w_dec.broadcast_div(&norms.unsqueeze(1)?)?;
    let unit_t = unit.t()?;
    let head = match unembedding {
        Some(head) => Some(head.to_dtype(DType::F32)?.to_device(sae.device())?.t()?),
        None => None,
    };
    let mut all = Vec::with_capacity(m);
    for start in (0..m).step_by(BLOCK) {
        ctl.check()?;
        ctl.progress("Comparing decoder vectors", start as u64, Some(m as u64));
        let rows = BLOCK.min(m - start);
        let cosines = unit.narrow(0, start, rows)?.matmul(&unit_t)?.to_vec2::<f32>()?;
        let logits = match &head {
            Some(head) => w_dec.narrow(0, start, rows)?.matmul(head)?.to_vec2::<f32>()?,
            None => vec![Vec::new(); rows],
        };
        for (row, (mut cosines, logits)) in cosines.into_iter().zip(logits).enumerate() {
            cosines[start + row] = f32::NEG_INFINITY;
            let turned: Vec<f32> = logits.iter().map(|x| -x).collect();
            let bottom = largest(&turned, LOGITS).into_iter().map(|(token, x)| (token, -x)).collect();
            let mut nearest = largest(&cosines, NEIGHBOURS);
            nearest.retain(|(_, cosine)| cosine.is_finite());
            all.push(Direction { top: largest(&logits, LOGITS), bottom, nearest });
        }
    }
    Ok(all)
}

/// The `count` largest, descending; of equal ones the first.
pub(crate) fn largest(values: &[f32], count: usize) -> Pairs {
    let mut found: Pairs = Vec::with_capacity(count + 1);
    for (number, &value) in values.iter().enumerate() {
        if found.len() < count || value > found[count - 1].1 {
            let place = found.partition_point(|other| other.1 >= value);
            found.insert(place, (number as u32, value));
            found.truncate(count);
        }
    }
    found
}
