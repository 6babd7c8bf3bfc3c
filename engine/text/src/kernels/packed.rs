//! Matrices in blocks of 32 weights that share a scale, as GGUF files store them, multiplied without unpacking.

use half::f16;
use rayon::prelude::*;

use super::{LANES, kernel, lane_kernel, split_rows};

/// Weights in a block.
const BLOCK: usize = 2 * LANES;

/// Blocks that one thread unpacks at a time.
const PIECE: usize = 1 << 11;

/// How GGUF packs a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackedKind {
    /// Scale (f16), 16 bytes of nibbles: w = d·(q − 8).
    Q4_0,
    /// Scale and minimum (f16), 16 bytes of nibbles: w = d·q + m.
    Q4_1,
    /// Scale (f16), 32 signed bytes: w = d·q.
    Q8_0,
}

impl PackedKind {
    /// Bytes of a block.
    pub(crate) fn block_bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q8_0 => 34,
        }
    }
}

/// Codes and scales of a matrix, apart from each other so that both are read in order.
#[derive(Clone, Debug)]
enum Codes {
    /// Two codes a byte: weight i of a block in the low half of byte i, weight 16 + i in the high half.
    Four {
        codes: Vec<[u8; LANES]>,
        scales: Vec<[f32; 2]>,
    },
    Eight {
        codes: Vec<[i8; BLOCK]>,
        scales: Vec<f32>,
    },
}

/// A packed matrix, row-major.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    codes: Codes,
    height: usize,
    width: usize,
}

lane_kernel! {
    fn rows_four(lanes; codes: &'a [[u8; LANES]], scales: &'a [[f32; 2]], x: &'a [[f32; LANES]], sums: &'a [f32], out: &'a mut [f32]) {
        let (x, _) = x.as_chunks::<2>();
        let blocks = x.len();
        let rows = codes.chunks_exact(blocks).zip(scales.chunks_exact(blocks));
        for ((codes, scales), out) in rows.zip(out) {
            let mut sum = lanes.splat(0.0);
            let mut lowest = 0.0f32;
            for (((codes, &[scale, low]), x), block_sum) in codes.iter().zip(scales).zip(x).zip(sums) {
                let [first, second] = lanes.nibbles(codes);
                let part = lanes.mul(first, lanes.load(&x[0]));
                let part = lanes.mul_add(second, lanes.load(&x[1]), part);
                sum = lanes.mul_add(part, lanes.splat(scale), sum);
                lowest += low * block_sum;
            }
            *out = lanes.sum(sum) + lowest;
        }
    }
}

lane_kernel! {
    fn rows_eight(lanes; codes: &'a [[i8; BLOCK]], scales: &'a [f32], x: &'a [[f32; LANES]], out: &'a mut [f32]) {
        let (x, _) = x.as_chunks::<2>();
        let blocks = x.len();
        let rows = codes.chunks_exact(blocks).zip(scales.chunks_exact(blocks));
        for ((codes, scales), out) in rows.zip(out) {
            let mut sum = lanes.splat(0.0);
            for ((codes, &scale), x) in codes.iter().zip(scales).zip(x) {
                let (codes, _) = codes.as_chunks::<LANES>();
                let mut part = lanes.splat(0.0);
                for (codes, x) in codes.iter().zip(x) {
                    part = lanes.mul_add(lanes.signed(codes), lanes.load(x), part);
                }
                sum = lanes.mul_add(part, lanes.splat(scale), sum);
            }
            *out = lanes.sum(sum);
        }
    }
}

kernel! {
    fn unpack_four(codes: &'a [[u8; LANES]], scales: &'a [[f32; 2]], out: &'a mut [[f32; BLOCK]]) {
        for ((codes, &[scale, low]), out) in codes.iter().zip(scales).zip(out) {
            for i in 0..LANES {
                out[i] = f32::from(codes[i] & 15).mul_add(scale, low);
                out[LANES + i] = f32::from(codes[i] >> 4).mul_add(scale, low);
            }
        }
    }
}

kernel! {
    fn unpack_eight(codes: &'a [[i8; BLOCK]], scales: &'a [f32], out: &'a mut [[f32; BLOCK]]) {
        for ((codes, &scale), out) in codes.iter().zip(scales).zip(out) {
            for i in 0..BLOCK {
                out[i] = f32::from(codes[i]) * scale;
            }
        }
    }
}

impl Packed {
    /// Takes over GGUF blocks. `None` when the bytes are not `height` rows of whole blocks.
    pub fn new(kind: PackedKind, bytes: &[u8], height: usize, width: usize) -> Option<Self> {
        let blocks = height.checked_mul(width)? / BLOCK;
        if !width.is_multiple_of(BLOCK) || bytes.len() != blocks.checked_mul(kind.block_bytes())? {
            return None;
        }
        let half = |bytes: &[u8], at: usize| f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32();
        let each = bytes.chunks_exact(kind.block_bytes());
        let nibbles = |block: &[u8], at: usize| -> [u8; LANES] { std::array::from_fn(|i| block[at + i]) };
        let codes = match kind {
            PackedKind::Q4_0 => Codes::Four {
                codes: each.clone().map(|block| nibbles(block, 2)).collect(),
                scales: each.map(|block| [half(block, 0), -8.0 * half(block, 0)]).collect(),
            },
            PackedKind::Q4_1 => Codes::Four {
                codes: each.clone().map(|block| nibbles(block, 4)).collect(),
                scales: each.map(|block| [half(block, 0), half(block, 2)]).collect(),
            },
            PackedKind::Q8_0 => Codes::Eight {
                codes: each.clone().map(|block| std::array::from_fn(|i| block[2 + i] as i8)).collect(),
                scales: each.map(|block| half(block, 0)).collect(),
            },
        };
        Some(Self { codes, height, width })
    }

    /// Whether all scales are numbers.
    pub fn finite(&self) -> bool {
        match &self.codes {
            Codes::Four { scales, .. } => scales.as_flattened().iter().all(|scale| scale.is_finite()),
            Codes::Eight { scales, .. } => scales.iter().all(|scale| scale.is_finite()),
        }
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Puts the rows of `other` below these; gives `other` back when it is packed in another way.
    pub fn append(&mut self, other: Self) -> Result<(), Self> {
        match (&mut self.codes, other) {
            (Codes::Four { codes, scales }, Self { codes: Codes::Four { codes: c, scales: s }, height, width })
                if width == self.width =>
            {
                codes.extend(c);
                scales.extend(s);
                self.height += height;
                Ok(())
            }
            (Codes::Eight { codes, scales }, Self { codes: Codes::Eight { codes: c, scales: s }, height, width })
                if width == self.width =>
            {
                codes.extend(c);
                scales.extend(s);
                self.height += height;
                Ok(())
            }
            (_, other) => Err(other),
        }
    }

    /// `out` = matrix·`x`.
    pub fn multiply(&self, x: &[f32], out: &mut [f32]) {
        let blocks = self.width / BLOCK;
        let sums: Vec<f32> = x.chunks_exact(BLOCK).map(|x| x.iter().sum()).collect();
        let (x, _) = x.as_chunks::<LANES>();
        match &self.codes {
            Codes::Four { codes, scales } => {
                split_rows(out, self.width, |first, out| {
                    let range = first * blocks..(first + out.len()) * blocks;
                    rows_four(&codes[range.clone()], &scales[range], x, &sums, out);
                });
            }
            Codes::Eight { codes, scales } => split_rows(out, self.width, |first, out| {
                let range = first * blocks..(first + out.len()) * blocks;
                rows_eight(&codes[range.clone()], &scales[range], x, out);
            }),
        }
    }

    /// Writes rows from `first` on into `out`, as many as fit.
    pub fn unpack(&self, first: usize, out: &mut [f32]) {
        let width = self.width;
        let piece = |(piece, out): (usize, &mut [[f32; BLOCK]])| {
            let from = first * width / BLOCK + piece * PIECE;
            let range = from..from + out.len();
            match &self.codes {
                Codes::Four { codes, scales } => unpack_four(&codes[range.clone()], &scales[range], out),
                Codes::Eight { codes, scales } => unpack_eight(&codes[range.clone()], &scales[range], out),
            }
        };
        let (out, _) = out.as_chunks_mut::<BLOCK>();
        if out.len() <= PIECE {
            piece((0, out));
        } else {
            out.par_chunks_mut(PIECE).enumerate().for_each(piece);
        }
    }

    /// All weights in single precision.
    pub fn numbers(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.height * self.width];
        self.unpack(0, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use plumb_core::random::Random;

    use super::*;

    fn bytes(kind: PackedKind, blocks: usize, random: &mut Random) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..blocks {
            let halves = if kind == PackedKind::Q4_1 { 2 } else { 1 };
            for _ in 0..halves {
                bytes.extend(f16::from_f32(random.normal() as f32 * 0.1).to_le_bytes());
            }
            bytes.extend((0..kind.block_bytes() - 2 * halves).map(|_| random.below(256) as u8));
        }
        bytes
    }

    #[test]
    fn products_are_those_of_the_unpacked_matrix() {
        let mut random = Random::new(8, "packed");
        for kind in [PackedKind::Q4_0, PackedKind::Q4_1, PackedKind::Q8_0] {
            let (height, width) = (700, 576);
            let stored = bytes(kind, height * width / BLOCK, &mut random);
            let packed = Packed::new(kind, &stored, height, width).unwrap();
            let numbers = packed.numbers();
            // The first block, by the format's definition.
            let scale = f16::from_le_bytes([stored[0], stored[1]]).to_f32();
            let by_hand = |i: usize| {
                let nibble = |at: usize| if i < 16 { stored[at + i] & 15 } else { stored[at + i - 16] >> 4 };
                match kind {
                    PackedKind::Q4_0 => scale * (f32::from(nibble(2)) - 8.0),
                    PackedKind::Q4_1 => {
                        scale * f32::from(nibble(4)) + f16::from_le_bytes([stored[2], stored[3]]).to_f32()
                    }
                    PackedKind::Q8_0 => scale * f32::from(stored[2 + i] as i8),
                }
            };
            for (i, number) in numbers[..BLOCK].iter().enumerate() {
                assert!((number - by_hand(i)).abs() < 1e-5, "{kind:?} weight {i}: {number} and {}", by_hand(i));
            }
            let x: Vec<f32> = (0..width).map(|_| random.normal() as f32).collect();
            let mut out = vec![0.0; height];
            packed.multiply(&x, &mut out);
            for (row, &y) in numbers.chunks(width).zip(&out) {
                let exact: f64 = row.iter().zip(&x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
                assert!((exact - f64::from(y)).abs() < 1e-3 * (1.0 + exact.abs()), "{kind:?}: {exact} and {y}");
            }
        }
    }

    #[test]
    fn rows_stack_only_on_their_like() {
        let mut random = Random::new(9, "packed");
        let make = |kind, random: &mut Random| Packed::new(kind, &bytes(kind, 4, random), 2, 64).unwrap();
        let mut four = make(PackedKind::Q4_0, &mut random);
        assert!(four.append(make(PackedKind::Q4_1, &mut random)).is_ok());
        assert_eq!(four.height(), 4);
        assert!(four.append(make(PackedKind::Q8_0, &mut random)).is_err());
        assert!(Packed::new(PackedKind::Q8_0, &[0; 33], 1, 32).is_none());
    }
}
