//! The small sentence encoder: one vector for each word piece, whose mean over a text is as close as it gets to what
//! all-MiniLM-L6-v2 says of the text.
//!
//! The teacher's vectors of all sentences are turned to their principal axes and cut off. The pieces' vectors start as the
//! teacher's vectors of single pieces, and are then the solution of a ridge regression: the least
//! `Σ‖mean of the pieces of s − teacher(s)‖² + λ‖X − X₀‖²`, by conjugate gradients. No random number is drawn.

use std::collections::BTreeMap;
use std::path::Path;

use plumb_core::Ctl;
use plumb_core::statistics::{pearson, spearman};
use plumb_text::bert::SentenceEncoder;
use plumb_text::embedding::{Agreement, Embedder, EmbeddingQuality, PieceEncoder};

use crate::sets::{self, Part, Result};

/// Of Brown's sentences and of the tweets, one in so many is read.
const EACH: usize = 3;

/// Widths measured; the last is the one that ships.
const WIDTHS: [usize; 4] = [32, 64, 256, 128];

/// Penalties tried on the calibration part.
const PENALTIES: [f32; 3] = [0.3, 1.0, 3.0];

/// Sweeps of Jacobi's method.
const SWEEPS: usize = 12;

/// Steps of conjugate gradients.
const STEPS: usize = 40;

/// Pairs of texts whose likeness is compared.
const PAIRS: usize = 20_000;

/// Texts among which neighbours are looked for, and neighbours of each.
const FIELD: usize = 2_000;
const NEIGHBOURS: usize = 10;

/// A set of texts with what the teacher says of them.
struct Taught {
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
}

impl Taught {
    fn new(teacher: &SentenceEncoder, texts: Vec<String>, ctl: &Ctl) -> Result<Self> {
        let started = std::time::Instant::now();
        let list: Vec<&str> = texts.iter().map(String::as_str).collect();
        let vectors = teacher.embed(&list, ctl)?;
        eprintln!("the teacher read {} texts in {:.0} s", texts.len(), started.elapsed().as_secs_f64());
        Ok(Self { texts, vectors })
    }
}

/// Learns, chooses, measures, writes.
pub fn make(data: &Path, brown: &Path, mail: &Path, minilm: &Path, out: &Path) -> Result<()> {
    let ctl = Ctl::new(0);
    let teacher = SentenceEncoder::open(minilm, &candle_core::Device::Cpu)?;
    let tweets = sets::davidson(&data.join("toxicity/davidson_labeled_data.csv"))?;
    let mut all: Vec<String> = sets::brown(brown)?.into_iter().step_by(EACH).collect();
    all.extend(sets::mail(mail)?);
    all.extend(tweets.into_iter().step_by(EACH).map(|item| item.text));
    let part = |part: Part| all.iter().filter(|text| Part::of(text) == part).cloned().collect::<Vec<_>>();
    let learn = Taught::new(&teacher, part(Part::Learn), &ctl)?;
    let choose = Taught::new(&teacher, part(Part::Calibrate).into_iter().step_by(3).collect(), &ctl)?;
    let measure = Taught::new(&teacher, part(Part::Measure), &ctl)?;
    let reviews = std::fs::read_to_string(data.join("text/yelp_sentences.txt")).ok().map(|text| {
        let lines: Vec<String> = text.lines().step_by(20).map(str::to_owned).collect();
        Taught::new(&teacher, lines, &ctl)
    });
    let reviews = reviews.transpose()?;

    // Pieces of Latin script; of the others hardly any stand in the texts.
    let list = std::fs::read_to_string(minilm.join("tokenizer.json"))?;
    let list: serde_json::Value = serde_json::from_str(&list)?;
    let vocabulary = list["model"]["vocab"].as_object().ok_or("tokenizer.json has no pieces")?;
    let by_id: BTreeMap<u64, &String> =
        vocabulary.iter().filter_map(|(piece, id)| Some((id.as_u64()?, piece))).collect();
    let pieces: Vec<String> = by_id.values().filter(|piece| kept(piece)).map(|piece| (*piece).clone()).collect();
    let bare: Vec<&str> = pieces.iter().map(|piece| piece.trim_start_matches("##")).collect();
    let single = teacher.embed(&bare, &ctl)?;
    let axes = axes(&learn.vectors);
    println!("{} texts to learn from, {} pieces", learn.texts.len(), pieces.len());

    let mut table = Vec::new();
    let mut shipped = None;
    for width in WIDTHS {
        let turned =
            |vectors: &[Vec<f32>]| -> Vec<Vec<f32>> { vectors.iter().map(|v| turn(&axes, v, width)).collect() };
        let start = turned(&single);
        let empty = PieceEncoder::new(&pieces, &vec![vec![0.0; width]; pieces.len()])?;
        let rows: Vec<Vec<u32>> =
            learn.texts.iter().map(|text| empty.pieces(text)).collect::<plumb_text::Result<_>>()?;
        let goal = turned(&learn.vectors);
        let start = scaled(&rows, &start, &goal);
        let mut best: Option<(f64, f32, PieceEncoder)> = None;
        for penalty in PENALTIES {
            let model = PieceEncoder::new(&pieces, &regress(&rows, &start, &goal, penalty))?;
            let likeness = likeness(&model, &choose, &ctl)?.0;
            eprintln!("width {width}, penalty {penalty}: correlation {likeness:.4} on the calibration part");
            if best.as_ref().is_none_or(|(most, ..)| likeness > *most) {
                best = Some((likeness, penalty, model));
            }
        }
        let (_, penalty, model) = best.ok_or("no penalty was tried")?;
        let plain = PieceEncoder::new(&pieces, &start)?;
        let mut measured = |set: &str, encoder: &PieceEncoder, taught: &Taught| -> Result<()> {
            let (pearson, spearman) = likeness(encoder, taught, &ctl)?;
            let (set, texts) = (set.to_owned(), taught.texts.len());
            let neighbours = neighbours(encoder, taught, &ctl)?;
            table.push(Agreement {
                set,
                width,
                bytes: encoder.to_bytes()?.len(),
                texts,
                pearson,
                spearman,
                neighbours,
            });
            Ok(())
        };
        measured("held-out part of the same texts", &model, &measure)?;
        if let Some(reviews) = &reviews {
            measured("restaurant reviews, of another kind than was learnt from", &model, reviews)?;
        }
        measured("before the regression: held-out part", &plain, &measure)?;
        shipped = Some((penalty, model));
    }
    let (penalty, model) = shipped.ok_or("no width was tried")?;
    let bytes = model.to_bytes()?;
    let quality = EmbeddingQuality {
        model: "Vectors of English sentences: mean of the vectors of their word pieces, which were fitted to all-MiniLM-L6-v2.".to_owned(),
        command: "cargo run --release -p plumb-text --example make_text -- sentences DATA BROWN MAIL MINILM".to_owned(),
        bytes: bytes.len(),
        width: model.width(),
        pieces: pieces.len(),
        texts: learn.texts.len(),
        penalty: f64::from(penalty),
        agreement: table,
    };
    println!("\n{quality}");
    std::fs::write(out.join("sentences.safetensors"), bytes)?;
    std::fs::write(out.join("pieces.txt"), pieces.join("\n") + "\n")?;
    std::fs::write(out.join("sentences.json"), serde_json::to_string_pretty(&quality)? + "\n")?;
    Ok(())
}

/// Whether a piece of the teacher's is kept.
fn kept(piece: &str) -> bool {
    let letters = |c: char| c.is_ascii() || !c.is_alphabetic() || ('\u{c0}'..'\u{250}').contains(&c);
    matches!(piece, "[PAD]" | "[UNK]" | "[CLS]" | "[SEP]" | "[MASK]")
        || (!piece.starts_with("[unused") && piece.chars().all(letters))
}

/// The principal axes `[384][384]` of vectors, around zero as cosines are, by falling share.
fn axes(vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let width = vectors.first().map_or(0, Vec::len);
    let mut moment = vec![vec![0.0f64; width]; width];
    for v in vectors {
        for (row, x) in moment.iter_mut().zip(v) {
            row.iter_mut().zip(v).for_each(|(sum, y)| *sum += f64::from(*x) * f64::from(*y));
        }
    }
    let mut axes: Vec<Vec<f64>> =
        (0..width).map(|i| (0..width).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    rotate_to_diagonal(&mut moment, &mut axes);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| moment[b][b].total_cmp(&moment[a][a]));
    order.into_iter().map(|axis| axes[axis].iter().map(|x| *x as f32).collect()).collect()
}

/// Jacobi's method: turns pairs of axes until a symmetric matrix is diagonal; the rows of `axes` are turned along.
fn rotate_to_diagonal(matrix: &mut [Vec<f64>], axes: &mut [Vec<f64>]) {
    let n = matrix.len();
    for _ in 0..SWEEPS {
        for p in 0..n {
            for q in p + 1..n {
                let apart = matrix[p][q];
                if apart.abs() <= 1e-14 * (matrix[p][p] * matrix[q][q]).abs().sqrt() {
                    continue;
                }
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * apart);
                let tan = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cos = 1.0 / tan.hypot(1.0);
                let sin = tan * cos;
                for row in &mut *matrix {
                    (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
                }
                for table in [&mut *matrix, &mut *axes] {
                    let (above, below) = table.split_at_mut(q);
                    for (a, b) in above[p].iter_mut().zip(&mut below[0]) {
                        (*a, *b) = (cos * *a - sin * *b, sin * *a + cos * *b);
                    }
                }
            }
        }
    }
}

fn turn(axes: &[Vec<f32>], v: &[f32], width: usize) -> Vec<f32> {
    axes[..width].iter().map(|axis| axis.iter().zip(v).map(|(a, b)| a * b).sum()).collect()
}

/// Adds the mean of the rows of `x` to `out`.
fn mean(pieces: &[u32], x: &[Vec<f32>], out: &mut [f32]) {
    let share = 1.0 / pieces.len().max(1) as f32;
    for &piece in pieces {
        out.iter_mut().zip(&x[piece as usize]).for_each(|(out, x)| *out += share * x);
    }
}

/// The start, multiplied so that its means come closest to the goal.
fn scaled(rows: &[Vec<u32>], start: &[Vec<f32>], goal: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let (mut product, mut square) = (0.0, 0.0);
    for (pieces, goal) in rows.iter().zip(goal) {
        let mut out = vec![0.0; goal.len()];
        mean(pieces, start, &mut out);
        product += out.iter().zip(goal).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        square += out.iter().map(|a| f64::from(a * a)).sum::<f64>();
    }
    let factor = (product / square.max(1e-12)) as f32;
    start.iter().map(|row| row.iter().map(|x| factor * x).collect()).collect()
}

/// The ridge regression by conjugate gradients on the differences from the start.
fn regress(rows: &[Vec<u32>], start: &[Vec<f32>], goal: &[Vec<f32>], penalty: f32) -> Vec<Vec<f32>> {
    let width = start.first().map_or(0, Vec::len);
    let back = |errors: &dyn Fn(usize, &mut [f32])| {
        let mut out = vec![vec![0.0f32; width]; start.len()];
        let mut error = vec![0.0; width];
        for (row, pieces) in rows.iter().enumerate() {
            error.fill(0.0);
            errors(row, &mut error);
            let share = 1.0 / pieces.len().max(1) as f32;
            for &piece in pieces {
                out[piece as usize].iter_mut().zip(&error).for_each(|(out, e)| *out += share * e);
            }
        }
        out
    };
    let dot = |a: &[Vec<f32>], b: &[Vec<f32>]| -> f64 {
        a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>()).sum()
    };
    let add = |a: &mut [Vec<f32>], factor: f64, b: &[Vec<f32>]| {
        for (a, b) in a.iter_mut().zip(b) {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += factor as f32 * b);
        }
    };
    let mut x = start.to_vec();
    let mut residual = back(&|row, error| {
        mean(&rows[row], start, error);
        error.iter_mut().zip(&goal[row]).for_each(|(e, goal)| *e = goal - *e);
    });
    let mut direction = residual.clone();
    let mut square = dot(&residual, &residual);
    for _ in 0..STEPS {
        let mut image = back(&|row, error| mean(&rows[row], &direction, error));
        add(&mut image, f64::from(penalty), &direction);
        let step = square / dot(&direction, &image).max(1e-30);
        add(&mut x, step, &direction);
        add(&mut residual, -step, &image);
        let next = dot(&residual, &residual);
        for (d, r) in direction.iter_mut().zip(&residual) {
            d.iter_mut().zip(r).for_each(|(d, r)| *d = (next / square) as f32 * *d + r);
        }
        square = next;
    }
    x
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}

/// Correlation of cosines with the teacher's over pairs of texts: Pearson's, Spearman's.
fn likeness(model: &PieceEncoder, taught: &Taught, ctl: &Ctl) -> Result<(f64, f64)> {
    let texts: Vec<&str> = taught.texts.iter().map(String::as_str).collect();
    let own = model.embed(&texts, ctl)?;
    let n = texts.len();
    // Each text with others at growing distance in the list.
    let pairs = (0..PAIRS).map(|k| (k % n, (k % n + 1 + 7 * (k / n)) % n)).filter(|(a, b)| a != b);
    let (a, b): (Vec<f64>, Vec<f64>) =
        pairs.map(|(i, j)| (cosine(&own[i], &own[j]), cosine(&taught.vectors[i], &taught.vectors[j]))).unzip();
    Ok((pearson(&a, &b).ok_or("constant cosines")?, spearman(&a, &b).ok_or("constant cosines")?))
}

/// Share of the teacher's nearest neighbours that are among the model's.
fn neighbours(model: &PieceEncoder, taught: &Taught, ctl: &Ctl) -> Result<f64> {
    let texts: Vec<&str> = taught.texts.iter().take(FIELD).map(String::as_str).collect();
    let own = model.embed(&texts, ctl)?;
    let nearest = |vectors: &[Vec<f32>], of: usize| -> Vec<usize> {
        let mut others: Vec<(f64, usize)> =
            (0..texts.len()).filter(|&i| i != of).map(|i| (cosine(&vectors[of], &vectors[i]), i)).collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        others.into_iter().take(NEIGHBOURS).map(|(_, i)| i).collect()
    };
    let shared: usize = (0..texts.len())
        .map(|of| {
            let theirs = nearest(&taught.vectors, of);
            nearest(&own, of).iter().filter(|i| theirs.contains(i)).count()
        })
        .sum();
    Ok(shared as f64 / (texts.len() * NEIGHBOURS) as f64)
}
