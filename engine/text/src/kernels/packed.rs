//! Blocks of 32 weights that share a scale, as GGUF files store them, gathered for sixteen rows.

use half::f16;
use rayon::prelude::*;

use super::LANES;
use super::lanes::Lanes;

/// Weights in a block.
pub(super) const BLOCK: usize = 2 * LANES;

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

    /// Numbers before the codes.
    fn halves(self) -> usize {
        if self == Self::Q4_1 { 2 } else { 1 }
    }

    /// Code of a column in a block's bytes: weight i of four bits is the low half of byte i, weight 16 + i the high half.
    fn code(self, bytes: &[u8], column: usize) -> i32 {
        let codes = &bytes[2 * self.halves()..];
        match self {
            Self::Q8_0 => i32::from(codes[column] as i8),
            _ if column < LANES => i32::from(codes[column] & 15),
            _ => i32::from(codes[column - LANES] >> 4),
        }
    }

    /// Scale and what is added, of a block's bytes.
    fn scales(self, bytes: &[u8]) -> [f16; 2] {
        let half = |at: usize| f16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let scale = half(0);
        match self {
            // Eight times a number in half precision is one too, up to its largest.
            Self::Q4_0 => [scale, f16::from_f32(-8.0 * scale.to_f32())],
            Self::Q4_1 => [scale, half(2)],
            Self::Q8_0 => [scale, f16::ZERO],
        }
    }

    /// Whether all scales of some blocks are numbers.
    pub(crate) fn finite(self, bytes: &[u8]) -> bool {
        bytes.chunks_exact(self.block_bytes()).all(|block| self.scales(block).iter().all(|scale| scale.is_finite()))
    }

    /// Some blocks in single precision.
    pub(crate) fn unpack(self, bytes: &[u8]) -> Vec<f32> {
        /// Blocks that one thread unpacks at a time.
        const PIECE: usize = 1 << 11;
        let size = self.block_bytes();
        let mut out = vec![0.0; bytes.len() / size * BLOCK];
        let pieces = out.par_chunks_mut(PIECE * BLOCK).zip(bytes.par_chunks(PIECE * size));
        pieces.for_each(|(out, bytes)| {
            for (out, bytes) in out.chunks_exact_mut(BLOCK).zip(bytes.chunks_exact(size)) {
                let [scale, low] = self.scales(bytes).map(f16::to_f32);
                for (column, out) in out.iter_mut().enumerate() {
                    *out = self.code(bytes, column) as f32 * scale + low;
                }
            }
        });
        out
    }
}

/// A block of each of sixteen rows. Columns go in pairs: one product takes a pair from every row.
pub(super) trait Block: Clone + Default + Send + Sync {
    /// Takes up the block of one row.
    fn put(&mut self, lane: usize, kind: PackedKind, bytes: &[u8]);
    /// One weight.
    fn number(&self, lane: usize, column: usize) -> f32;
    /// Calls `work` with every pair of columns, by the pair's number.
    fn each_pair<L: Lanes>(&self, lanes: L, work: impl FnMut(usize, L::Pairs));
    /// The rows' scales, and what is added to each weight where there is such.
    fn scales<L: Lanes>(&self, lanes: L) -> (L::Numbers, Option<L::Numbers>);
}

/// Codes of four bits.
#[derive(Clone, Debug, Default)]
pub(super) struct Four {
    /// Four pairs of columns each: nibble n of number 2r + c in list v is column 2(4v + n) + c of row r.
    codes: [[u16; BLOCK]; 4],
    scales: [u16; LANES],
    lows: [u16; LANES],
}

impl Block for Four {
    fn put(&mut self, lane: usize, kind: PackedKind, bytes: &[u8]) {
        for column in 0..BLOCK {
            let (pair, side) = (column / 2, column % 2);
            self.codes[pair / 4][2 * lane + side] |= (kind.code(bytes, column) as u16) << (pair % 4 * 4);
        }
        [self.scales[lane], self.lows[lane]] = kind.scales(bytes).map(f16::to_bits);
    }

    fn number(&self, lane: usize, column: usize) -> f32 {
        let (pair, side) = (column / 2, column % 2);
        let code = self.codes[pair / 4][2 * lane + side] >> (pair % 4 * 4) & 15;
        let [scale, low] = [self.scales[lane], self.lows[lane]].map(|bits| f16::from_bits(bits).to_f32());
        f32::from(code) * scale + low
    }

    #[inline(always)]
    fn each_pair<L: Lanes>(&self, lanes: L, mut work: impl FnMut(usize, L::Pairs)) {
        for (v, codes) in self.codes.iter().enumerate() {
            for (n, pairs) in lanes.nibbles(codes).into_iter().enumerate() {
                work(4 * v + n, pairs);
            }
        }
    }

    #[inline(always)]
    fn scales<L: Lanes>(&self, lanes: L) -> (L::Numbers, Option<L::Numbers>) {
        (lanes.halves(&self.scales), Some(lanes.halves(&self.lows)))
    }
}

/// Codes of eight bits.
#[derive(Clone, Debug, Default)]
pub(super) struct Eight {
    /// A pair of columns each: number 2r + c of list j is column 2j + c of row r.
    codes: [[i8; BLOCK]; LANES],
    scales: [u16; LANES],
}

impl Block for Eight {
    fn put(&mut self, lane: usize, kind: PackedKind, bytes: &[u8]) {
        for column in 0..BLOCK {
            self.codes[column / 2][2 * lane + column % 2] = kind.code(bytes, column) as i8;
        }
        self.scales[lane] = kind.scales(bytes)[0].to_bits();
    }

    fn number(&self, lane: usize, column: usize) -> f32 {
        f32::from(self.codes[column / 2][2 * lane + column % 2]) * f16::from_bits(self.scales[lane]).to_f32()
    }

    #[inline(always)]
    fn each_pair<L: Lanes>(&self, lanes: L, mut work: impl FnMut(usize, L::Pairs)) {
        for (j, codes) in self.codes.iter().enumerate() {
            work(j, lanes.signed(codes));
        }
    }

    #[inline(always)]
    fn scales<L: Lanes>(&self, lanes: L) -> (L::Numbers, Option<L::Numbers>) {
        (lanes.halves(&self.scales), None)
    }
}
