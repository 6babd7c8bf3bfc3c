//! Sixteen numbers at a time, by AVX2 where the processor has it and by plain arrays elsewhere.
//!
//! Loops over slices vectorise by themselves; these are for the products with matrices, where conversions from packed
//! codes stand in the way of that.

use half::bf16;

use super::LANES;

/// Sixteen numbers and what is done with them.
pub(super) trait Lanes: Copy {
    /// The numbers.
    type Numbers: Copy;

    /// All the same.
    fn splat(self, x: f32) -> Self::Numbers;
    /// From memory.
    fn load(self, numbers: &[f32; LANES]) -> Self::Numbers;
    /// From bfloat16.
    fn widen(self, numbers: &[bf16; LANES]) -> Self::Numbers;
    /// From signed bytes.
    fn signed(self, codes: &[i8; LANES]) -> Self::Numbers;
    /// From the low and the high halves of bytes.
    fn nibbles(self, codes: &[u8; LANES]) -> [Self::Numbers; 2];
    /// a·b.
    fn mul(self, a: Self::Numbers, b: Self::Numbers) -> Self::Numbers;
    /// a·b + c.
    fn mul_add(self, a: Self::Numbers, b: Self::Numbers, c: Self::Numbers) -> Self::Numbers;
    /// Their sum.
    fn sum(self, a: Self::Numbers) -> f32;
}

/// Sums pairwise.
#[inline(always)]
fn pairwise(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Plain arrays.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl Lanes for Plain {
    type Numbers = [f32; LANES];

    #[inline(always)]
    fn splat(self, x: f32) -> Self::Numbers {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> Self::Numbers {
        *numbers
    }
    #[inline(always)]
    fn widen(self, numbers: &[bf16; LANES]) -> Self::Numbers {
        numbers.map(|x| f32::from_bits(u32::from(x.to_bits()) << 16))
    }
    #[inline(always)]
    fn signed(self, codes: &[i8; LANES]) -> Self::Numbers {
        codes.map(f32::from)
    }
    #[inline(always)]
    fn nibbles(self, codes: &[u8; LANES]) -> [Self::Numbers; 2] {
        [codes.map(|code| f32::from(code & 15)), codes.map(|code| f32::from(code >> 4))]
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
    fn sum(self, a: Self::Numbers) -> f32 {
        pairwise(a)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{__m128i, __m256, __m256i};

    use half::bf16;
    use pulp::cast;
    use pulp::x86::V3;

    use super::{LANES, Lanes, pairwise};

    /// The bits of eight of them. A loop, since a closure would be compiled without the instructions of its caller.
    #[inline(always)]
    fn bits(numbers: &[bf16; 8]) -> __m128i {
        let mut bits = [0; 8];
        for i in 0..8 {
            bits[i] = numbers[i].to_bits();
        }
        cast(bits)
    }

    impl Lanes for V3 {
        type Numbers = [__m256; 2];

        #[inline(always)]
        fn splat(self, x: f32) -> Self::Numbers {
            [self.avx._mm256_set1_ps(x); 2]
        }
        #[inline(always)]
        fn load(self, numbers: &[f32; LANES]) -> Self::Numbers {
            cast(*numbers)
        }
        #[inline(always)]
        fn widen(self, numbers: &[bf16; LANES]) -> Self::Numbers {
            let wide = |bits| {
                let wide: __m256i = self.avx2._mm256_slli_epi32::<16>(self.avx2._mm256_cvtepu16_epi32(bits));
                self.avx._mm256_castsi256_ps(wide)
            };
            let (halves, _) = numbers.as_chunks::<8>();
            match halves {
                [first, second] => [wide(bits(first)), wide(bits(second))],
                _ => self.splat(0.0),
            }
        }
        #[inline(always)]
        fn signed(self, codes: &[i8; LANES]) -> Self::Numbers {
            let codes: __m128i = cast(*codes);
            let number = |codes| self.avx._mm256_cvtepi32_ps(self.avx2._mm256_cvtepi8_epi32(codes));
            [number(codes), number(self.sse2._mm_unpackhi_epi64(codes, codes))]
        }
        #[inline(always)]
        fn nibbles(self, codes: &[u8; LANES]) -> [Self::Numbers; 2] {
            let codes: __m128i = cast(*codes);
            let low = self.sse2._mm_set1_epi8(15);
            let number = |codes| self.avx._mm256_cvtepi32_ps(self.avx2._mm256_cvtepu8_epi32(codes));
            let both = |codes| [number(codes), number(self.sse2._mm_unpackhi_epi64(codes, codes))];
            let shifted = self.sse2._mm_srli_epi16::<4>(codes);
            [both(self.sse2._mm_and_si128(codes, low)), both(self.sse2._mm_and_si128(shifted, low))]
        }
        #[inline(always)]
        fn mul(self, a: Self::Numbers, b: Self::Numbers) -> Self::Numbers {
            [self.avx._mm256_mul_ps(a[0], b[0]), self.avx._mm256_mul_ps(a[1], b[1])]
        }
        #[inline(always)]
        fn mul_add(self, a: Self::Numbers, b: Self::Numbers, c: Self::Numbers) -> Self::Numbers {
            [self.fma._mm256_fmadd_ps(a[0], b[0], c[0]), self.fma._mm256_fmadd_ps(a[1], b[1], c[1])]
        }
        #[inline(always)]
        fn sum(self, a: Self::Numbers) -> f32 {
            pairwise(cast(a))
        }
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
    if let Some(lanes) = pulp::x86::V3::try_new() {
        struct Inside<W>(pulp::x86::V3, W);
        impl<W: OnLanes> pulp::NullaryFnOnce for Inside<W> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                self.1.run(self.0);
            }
        }
        lanes.vectorize(Inside(lanes, work));
        return;
    }
    work.run(Plain);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_lanes_computes_the_same() {
        struct Check;
        impl OnLanes for Check {
            fn run<L: Lanes>(self, lanes: L) {
                let codes: [u8; LANES] = std::array::from_fn(|i| (i * 17 + 3) as u8);
                let bytes = codes.map(|code| code as i8);
                let numbers: [f32; LANES] = std::array::from_fn(|i| i as f32 - 4.5);
                let half = numbers.map(bf16::from_f32);
                let plain = Plain;
                let dot = |x: L::Numbers| lanes.sum(lanes.mul_add(x, lanes.load(&numbers), lanes.splat(1.0)));
                let check = |x: [f32; LANES]| plain.sum(plain.mul_add(x, numbers, [1.0; LANES]));
                assert_eq!(dot(lanes.signed(&bytes)), check(plain.signed(&bytes)));
                assert_eq!(dot(lanes.widen(&half)), check(plain.widen(&half)));
                for (ours, theirs) in lanes.nibbles(&codes).into_iter().zip(plain.nibbles(&codes)) {
                    assert_eq!(dot(ours), check(theirs));
                }
                let product = lanes.mul(lanes.load(&numbers), lanes.load(&numbers));
                assert_eq!(lanes.sum(product), plain.sum(plain.mul(numbers, numbers)));
            }
        }
        on_lanes(Check);
        Check.run(Plain);
    }
}
