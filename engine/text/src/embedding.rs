//! Sentences as vectors without a network: the mean of the vectors of their word pieces, fitted to a sentence encoder's.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use candle_core::Device;
use half::f16;
use plumb_core::Ctl;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::bert::SentenceEncoder;
use crate::{Error, Result, Tokenizer};

/// The vectors that ship; `assets/README.md` says how they were made.
const EMBEDDED: &[u8] = include_bytes!("../../../assets/text/sentences.safetensors");
/// The pieces they belong to, in order.
const PIECES: &str = include_str!("../../../assets/text/pieces.txt");
/// How near they are to their teacher.
const QUALITY: &str = include_str!("../../../assets/text/sentences.json");

/// Anything that gives texts vectors of length one, so that texts of like meaning have a large product.
pub trait Embedder: Send + Sync {
    /// Length of a vector.
    fn width(&self) -> usize;

    /// The vector of each text; zeros for a text without a known word.
    fn embed(&self, texts: &[&str], ctl: &Ctl) -> Result<Vec<Vec<f32>>>;
}

/// The vectors that ship, or the sentence encoder of a folder, on the processor.
pub fn open(folder: Option<&Path>) -> Result<Arc<dyn Embedder>> {
    Ok(match folder {
        None => PieceEncoder::embedded()?,
        Some(folder) => Arc::new(SentenceEncoder::open(folder, &Device::Cpu)?),
    })
}

impl Embedder for SentenceEncoder {
    fn width(&self) -> usize {
        SentenceEncoder::width(self)
    }

    fn embed(&self, texts: &[&str], ctl: &Ctl) -> Result<Vec<Vec<f32>>> {
        SentenceEncoder::embed(self, texts, ctl)
    }
}

/// One vector a word piece, in eight bits with one scale each.
#[derive(Clone, Debug)]
pub struct PieceEncoder {
    tokenizer: Tokenizer,
    unknown: u32,
    codes: Vec<i8>,
    scales: Vec<f16>,
    width: usize,
}

impl PieceEncoder {
    /// The encoder that ships inside Plumb.
    pub fn embedded() -> Result<Arc<Self>> {
        static ENCODER: OnceLock<Arc<PieceEncoder>> = OnceLock::new();
        if let Some(encoder) = ENCODER.get() {
            return Ok(encoder.clone());
        }
        let encoder = Arc::new(Self::from_bytes(PIECES.lines().map(str::to_owned), EMBEDDED)?);
        Ok(ENCODER.get_or_init(|| encoder).clone())
    }

    /// How near the shipped encoder is to its teacher.
    pub fn quality() -> Result<EmbeddingQuality> {
        serde_json::from_str(QUALITY).map_err(|error| broken(&error.to_string()))
    }

    /// Rounds the vectors of some word pieces to eight bits.
    pub fn new(pieces: &[String], vectors: &[Vec<f32>]) -> Result<Self> {
        let width = vectors.first().map_or(0, Vec::len);
        if vectors.len() != pieces.len() || vectors.iter().any(|vector| vector.len() != width) {
            return Err(broken("each piece needs one vector, all of them of one length"));
        }
        let (mut codes, mut scales) = (Vec::with_capacity(vectors.len() * width), Vec::with_capacity(vectors.len()));
        for vector in vectors {
            let largest = vector.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
            let scale = f16::from_f32(largest / 127.0);
            let step = scale.to_f32();
            codes.extend(vector.iter().map(|x| if step > 0.0 { (x / step).round() as i8 } else { 0 }));
            scales.push(scale);
        }
        Self::put_together(pieces.iter().cloned(), codes, scales, width)
    }

    fn put_together(
        pieces: impl IntoIterator<Item = String>,
        codes: Vec<i8>,
        scales: Vec<f16>,
        width: usize,
    ) -> Result<Self> {
        let tokenizer = Tokenizer::from_pieces(pieces, true)?;
        if tokenizer.size() != scales.len() {
            return Err(broken(&format!(
                "{} pieces and {} vectors do not belong together",
                tokenizer.size(),
                scales.len()
            )));
        }
        let unknown = tokenizer.id("[UNK]").unwrap_or(u32::MAX);
        Ok(Self { tokenizer, unknown, codes, scales, width })
    }

    /// An encoder of pieces and [`Self::to_bytes`]'s bytes.
    pub fn from_bytes(pieces: impl IntoIterator<Item = String>, bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| broken(&error.to_string()))?;
        let tensor = |name: &str| file.tensor(name).map_err(|error| broken(&error.to_string()));
        let (codes, scales) = (tensor("codes")?, tensor("scales")?);
        match (codes.dtype(), codes.shape(), scales.dtype(), scales.shape()) {
            (Dtype::I8, &[height, width], Dtype::F16, &[count]) if height == count => {
                let (halves, _) = scales.data().as_chunks::<2>();
                let scales = halves.iter().map(|half| f16::from_le_bytes(*half)).collect();
                Self::put_together(pieces, codes.data().iter().map(|byte| *byte as i8).collect(), scales, width)
            }
            _ => Err(broken("it must hold codes (I8, pieces × width) and scales (F16, pieces)")),
        }
    }

    /// A safetensors file with `codes` `[pieces, width]` and `scales` `[pieces]`.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let codes: Vec<u8> = self.codes.iter().map(|code| *code as u8).collect();
        let scales: Vec<u8> = self.scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        let view = |dtype, shape, data| TensorView::new(dtype, shape, data).map_err(|error| broken(&error.to_string()));
        let height = self.scales.len();
        let tensors = [
            ("codes", view(Dtype::I8, vec![height, self.width], &codes)?),
            ("scales", view(Dtype::F16, vec![height], &scales)?),
        ];
        safetensors::serialize(tensors, None).map_err(|error| broken(&error.to_string()))
    }

    /// The known pieces of a text.
    pub fn pieces(&self, text: &str) -> Result<Vec<u32>> {
        let mut pieces = self.tokenizer.encode(text, false)?;
        pieces.retain(|&piece| piece != self.unknown);
        Ok(pieces)
    }

    /// The vector of one text.
    pub fn vector(&self, text: &str) -> Result<Vec<f32>> {
        let mut sum = vec![0.0f32; self.width];
        for piece in self.pieces(text)? {
            let piece = piece as usize;
            let scale = self.scales[piece].to_f32();
            let codes = &self.codes[piece * self.width..(piece + 1) * self.width];
            sum.iter_mut().zip(codes).for_each(|(sum, code)| *sum += scale * f32::from(*code));
        }
        let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 {
            for x in &mut sum {
                *x /= length;
            }
        }
        Ok(sum)
    }
}

impl Embedder for PieceEncoder {
    fn width(&self) -> usize {
        self.width
    }

    fn embed(&self, texts: &[&str], ctl: &Ctl) -> Result<Vec<Vec<f32>>> {
        texts
            .iter()
            .map(|text| {
                ctl.check()?;
                self.vector(text)
            })
            .collect()
    }
}

fn broken(reason: &str) -> Error {
    Error::Config { place: "the sentence vectors".to_owned(), what: reason.to_owned() }
}

/// How near an encoder is to its teacher on one set of texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Which texts.
    pub set: String,
    /// Length of a vector.
    pub width: usize,
    /// Bytes of the vectors.
    pub bytes: usize,
    /// How many texts.
    pub texts: usize,
    /// Correlation of the cosines of pairs of texts with the teacher's.
    pub pearson: f64,
    /// The same by ranks.
    pub spearman: f64,
    /// Share of the teacher's ten nearest texts, of up to 2000, that are among the encoder's.
    pub neighbours: f64,
}

/// What an encoder was made from and how near it is to its teacher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingQuality {
    /// One sentence on the encoder.
    pub model: String,
    /// The command that made it.
    pub command: String,
    /// Bytes of its vectors.
    pub bytes: usize,
    /// Length of a vector.
    pub width: usize,
    /// Word pieces it knows.
    pub pieces: usize,
    /// Texts it learnt from.
    pub texts: usize,
    /// λ of the regression, chosen on texts of their own.
    pub penalty: f64,
    /// By set and width.
    pub agreement: Vec<Agreement>,
}

impl fmt::Display for EmbeddingQuality {
    /// As Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, width, pieces, texts, bytes, penalty, .. } = self;
        writeln!(
            f,
            "{model}\n{pieces} pieces of width {width}, {bytes} bytes; learnt from {texts} texts; penalty {penalty}.\n"
        )?;
        writeln!(
            f,
            "| texts | count | width | bytes | Pearson | Spearman | same neighbours |\n|---|---|---|---|---|---|---|"
        )?;
        for Agreement { set, width, bytes, texts, pearson, spearman, neighbours } in &self.agreement {
            let neighbours = 100.0 * neighbours;
            writeln!(f, "| {set} | {texts} | {width} | {bytes} | {pearson:.3} | {spearman:.3} | {neighbours:.0} % |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn like_is_near_like() {
        let encoder = PieceEncoder::embedded().unwrap();
        let texts =
            ["The cat slept on the sofa.", "A kitten was sleeping on the couch.", "Interest rates rose in March."];
        let vectors = encoder.embed(&texts, &Ctl::new(0)).unwrap();
        assert!((product(&vectors[0], &vectors[0]) - 1.0).abs() < 1e-5);
        let (near, far) = (product(&vectors[0], &vectors[1]), product(&vectors[0], &vectors[2]));
        assert!(near > 0.4 && far < 0.2, "{near} {far}");
        assert!(encoder.vector("日本 …").unwrap().iter().all(|x| x.is_finite()));
        assert!(encoder.vector("").unwrap().iter().all(|x| *x == 0.0));
        let quality = PieceEncoder::quality().unwrap();
        assert_eq!((quality.bytes, quality.width), (EMBEDDED.len(), encoder.width()));
    }

    #[test]
    fn bytes_and_back() {
        let pieces: Vec<String> =
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "dog"].map(str::to_owned).to_vec();
        let mut vectors = vec![vec![0.0; 2]; 5];
        vectors.extend([vec![2.0, 0.0], vec![0.0, 1.0]]);
        let encoder = PieceEncoder::new(&pieces, &vectors).unwrap();
        let again = PieceEncoder::from_bytes(pieces.clone(), &encoder.to_bytes().unwrap()).unwrap();
        let vector = again.vector("Cat dog bird").unwrap();
        assert!((vector[0] - 2.0 / 5f32.sqrt()).abs() < 0.01 && (vector[1] - 1.0 / 5f32.sqrt()).abs() < 0.01);
        let error = PieceEncoder::from_bytes(pieces[..6].to_vec(), &encoder.to_bytes().unwrap()).unwrap_err();
        assert!(error.to_string().contains("6 pieces and 7 vectors"), "{error}");
    }
}
