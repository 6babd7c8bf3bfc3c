//! Sixteen numbers at a time: by AVX-512 or AVX2 where the processor has it, and by plain arrays elsewhere.
//!
//! Loops over slices vectorise by themselves; these are for the products with matrices, which need their sums kept in
//! registers, and conversions from packed codes.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use super::LANES;

/// Sixteen numbers and what is done with them.
pub(super) trait Lanes: Copy {
    /// The numbers.
    type Numbers: Copy;
    /// Sixteen whole numbers of 32 bits.
    type Whole: Copy;
    /// Two whole numbers of 16 bits for every lane.
    type Pairs: Copy;
    /// Whether there are registers for sums of twelve rows by two panels.
    const WIDE: bool;

    /// All the same.
    fn splat(self, x: f32) -> Self::Numbers;
    /// From memory.
    fn load(self, numbers: &[f32; LANES]) -> Self::Numbers;
    /// To memory.
    fn store(self, a: Self::Numbers, numbers: &mut [f32; LANES]);
    /// Two bfloat16 numbers of every lane, the first in the low half.
    fn widen(self, pairs: &[u32; LANES]) -> [Self::Numbers; 2];
    /// From half precision; not for infinities.
    fn halves(self, bits: &[u16; LANES]) -> Self::Numbers;
    /// a·b.
    fn mul(self, a: Self::Numbers, b: Self::Numbers) -> Self::Numbers;
    /// a·b + c.
    fn mul_add(self, a: Self::Numbers, b: Self::Numbers, c: Self::Numbers) -> Self::Numbers;

    /// Zeros.
    fn nothing(self) -> Self::Whole;
    /// The four half bytes of every 16 bits, the lowest first.
    fn nibbles(self, codes: &[u16; 2 * LANES]) -> [Self::Pairs; 4];
    /// From signed bytes.
    fn signed(self, codes: &[i8; 2 * LANES]) -> Self::Pairs;
    /// a₀x₀ + a₁x₁ + sum in every lane; `x` holds x₀ in its low half.
    fn pairs(self, a: Self::Pairs, x: u32, sum: Self::Whole) -> Self::Whole;
    /// As numbers, with their bits kept where they have no more than 24.
    fn numbers(self, whole: Self::Whole) -> Self::Numbers;
}

/// Plain arrays.
#[derive(Clone, Copy)]
pub(super) struct Plain;

/// A number in half precision, by moving its bits and multiplying by 2¹¹², which makes up for the other exponent.
#[inline(always)]
fn half(bits: u16) -> f32 {
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    f32::from_bits(magnitude.to_bits() | u32::from(bits & 0x8000) << 16)
}

impl Lanes for Plain {
    type Numbers = [f32; LANES];
    type Whole = [i32; LANES];
    type Pairs = [i16; 2 * LANES];
    const WIDE: bool = false;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::Numbers {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> Self::Numbers {
        *numbers
    }
    #[inline(always)]
    fn store(self, a: Self::Numbers, numbers: &mut [f32; LANES]) {
        *numbers = a;
    }
    #[inline(always)]
    fn widen(self, pairs: &[u32; LANES]) -> [Self::Numbers; 2] {
        [pairs.map(|pair| f32::from_bits(pair << 16)), pairs.map(|pair| f32::from_bits(pair & 0xffff_0000))]
    }
    #[inline(always)]
    fn halves(self, bits: &[u16; LANES]) -> Self::Numbers {
        bits.map(half)
    }
    #[inline(always)]
    fn mul(self, a: Self::Numbers, b: Self::Numbers) -> Self::Numbers {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn mul_add(self, a: Self::Numbers, b: Self::Numbers, c: Self::Numbers) -> Self::Numbers {
        // Two roundings: without the instruction, one rounding is a slow function call.
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn nothing(self) -> Self::Whole {
        [0; LANES]
    }
    #[inline(always)]
    fn nibbles(self, codes: &[u16; 2 * LANES]) -> [Self::Pairs; 4] {
        [0, 4, 8, 12].map(|shift| codes.map(|code| (code >> shift & 15) as i16))
    }
    #[inline(always)]
    fn signed(self, codes: &[i8; 2 * LANES]) -> Self::Pairs {
        codes.map(i16::from)
    }
    #[inline(always)]
    fn pairs(self, a: Self::Pairs, x: u32, sum: Self::Whole) -> Self::Whole {
        let (first, second) = (i32::from(x as i16), i32::from((x >> 16) as i16));
        std::array::from_fn(|i| sum[i] + i32::from(a[2 * i]) * first + i32::from(a[2 * i + 1]) * second)
    }
    #[inline(always)]
    fn numbers(self, whole: Self::Whole) -> Self::Numbers {
        whole.map(|x| x as f32)
    }
}

/// Something to do with lanes, whichever there are.
pub(super) trait OnLanes {
    /// Does it.
    fn run<L: Lanes>(self, lanes: L);
}

/// Does it with the widest lanes of this processor.
pub(super) fn on_lanes(work: impl OnLanes) {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(lanes) = avx512::Avx512::detect() {
            lanes.run(work);
            return;
        }
        if let Some(lanes) = pulp::x86::V3::try_new() {
            avx2::run(lanes, work);
            return;
        }
    }
    work.run(Plain);
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    struct Check;

    fn list<L: Lanes>(lanes: L, a: L::Numbers) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        lanes.store(a, &mut out);
        out
    }

    impl OnLanes for Check {
        fn run<L: Lanes>(self, lanes: L) {
            let numbers: [f32; LANES] = std::array::from_fn(|i| i as f32 - 4.5);
            let ours = lanes.load(&numbers);
            let twice = lanes.mul_add(ours, lanes.splat(2.0), lanes.splat(1.0));
            assert_eq!(list(lanes, twice), numbers.map(|x| 2.0 * x + 1.0));
            assert_eq!(list(lanes, lanes.mul(ours, ours)), numbers.map(|x| x * x));

            let pairs = numbers
                .map(|x| u32::from(bf16::from_f32(x).to_bits()) | u32::from(bf16::from_f32(-2.0 * x).to_bits()) << 16);
            let [first, second] = lanes.widen(&pairs);
            assert_eq!(list(lanes, first), numbers);
            assert_eq!(list(lanes, second), numbers.map(|x| -2.0 * x));

            let odd = [0.0, -0.0, 6e-8, -3.1e-5, 6.1e-5, 65504.0, -0.1, 1.0];
            let half: [f16; LANES] = std::array::from_fn(|i| f16::from_f32(odd[i % odd.len()]));
            assert_eq!(list(lanes, lanes.halves(&half.map(f16::to_bits))), half.map(f16::to_f32));

            let codes: [u16; 2 * LANES] = std::array::from_fn(|i| (i * 4093 + 77) as u16);
            let bytes: [i8; 2 * LANES] = std::array::from_fn(|i| (i * 37) as u8 as i8);
            let (x0, x1) = (-32767i16, 1234i16);
            let x = u32::from(x0 as u16) | u32::from(x1 as u16) << 16;
            let by_hand = |a: &dyn Fn(usize) -> i32| -> [f32; LANES] {
                std::array::from_fn(|i| (2 * (a(2 * i) * i32::from(x0) + a(2 * i + 1) * i32::from(x1))) as f32)
            };
            let found = |a| list(lanes, lanes.numbers(lanes.pairs(a, x, lanes.pairs(a, x, lanes.nothing()))));
            for (n, nibbles) in lanes.nibbles(&codes).into_iter().enumerate() {
                assert_eq!(found(nibbles), by_hand(&|i| i32::from(codes[i] >> (4 * n) & 15)));
            }
            assert_eq!(found(lanes.signed(&bytes)), by_hand(&|i| i32::from(bytes[i])));
        }
    }

    #[test]
    fn every_kind_of_lanes_computes_what_is_defined() {
        Check.run(Plain);
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(lanes) = avx512::Avx512::detect() {
                lanes.run(Check);
            }
            if let Some(lanes) = pulp::x86::V3::try_new() {
                avx2::run(lanes, Check);
            }
        }
    }
}
