//! Lanes of two AVX2 registers.

use std::arch::x86_64::{__m128i, __m256, __m256i};

use pulp::cast;
use pulp::x86::V3;

use super::super::LANES;
use super::{Lanes, OnLanes, Plain};

impl Lanes for V3 {
    type Numbers = [__m256; 2];
    type Whole = [__m256i; 2];
    type Pairs = [__m256i; 2];
    const WIDE: bool = false;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::Numbers {
        [self.avx._mm256_set1_ps(x); 2]
    }
    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> Self::Numbers {
        cast(*numbers)
    }
    #[inline(always)]
    fn store(self, a: Self::Numbers, numbers: &mut [f32; LANES]) {
        *numbers = cast(a);
    }
    #[inline(always)]
    fn widen(self, pairs: &[u32; LANES]) -> [Self::Numbers; 2] {
        let [a, b]: [__m256i; 2] = cast(*pairs);
        let high = self.avx._mm256_set1_epi32(-65536);
        let number = |bits| self.avx._mm256_castsi256_ps(bits);
        [
            [number(self.avx2._mm256_slli_epi32::<16>(a)), number(self.avx2._mm256_slli_epi32::<16>(b))],
            [number(self.avx2._mm256_and_si256(a, high)), number(self.avx2._mm256_and_si256(b, high))],
        ]
    }
    #[inline(always)]
    fn halves(self, bits: &[u16; LANES]) -> Self::Numbers {
        cast(Plain.halves(bits))
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
    fn nothing(self) -> Self::Whole {
        [self.avx._mm256_setzero_si256(); 2]
    }
    #[inline(always)]
    fn nibbles(self, codes: &[u16; 2 * LANES]) -> [Self::Pairs; 4] {
        let [a, b]: [__m256i; 2] = cast(*codes);
        let low = self.avx._mm256_set1_epi16(15);
        let mask = |codes| self.avx2._mm256_and_si256(codes, low);
        [
            [mask(a), mask(b)],
            [mask(self.avx2._mm256_srli_epi16::<4>(a)), mask(self.avx2._mm256_srli_epi16::<4>(b))],
            [mask(self.avx2._mm256_srli_epi16::<8>(a)), mask(self.avx2._mm256_srli_epi16::<8>(b))],
            [self.avx2._mm256_srli_epi16::<12>(a), self.avx2._mm256_srli_epi16::<12>(b)],
        ]
    }
    #[inline(always)]
    fn signed(self, codes: &[i8; 2 * LANES]) -> Self::Pairs {
        let [a, b]: [__m128i; 2] = cast(*codes);
        [self.avx2._mm256_cvtepi8_epi16(a), self.avx2._mm256_cvtepi8_epi16(b)]
    }
    #[inline(always)]
    fn pairs(self, a: Self::Pairs, x: u32, sum: Self::Whole) -> Self::Whole {
        let x = self.avx._mm256_set1_epi32(x as i32);
        let add = |a, sum| self.avx2._mm256_add_epi32(sum, self.avx2._mm256_madd_epi16(a, x));
        [add(a[0], sum[0]), add(a[1], sum[1])]
    }
    #[inline(always)]
    fn numbers(self, whole: Self::Whole) -> Self::Numbers {
        [self.avx._mm256_cvtepi32_ps(whole[0]), self.avx._mm256_cvtepi32_ps(whole[1])]
    }
}

/// Does some work, compiled for these lanes.
pub(super) fn run(lanes: V3, work: impl OnLanes) {
    struct Inside<W>(V3, W);
    impl<W: OnLanes> pulp::NullaryFnOnce for Inside<W> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            self.1.run(self.0);
        }
    }
    lanes.vectorize(Inside(lanes, work));
}
