//! Lanes of one AVX-512 register, with the instructions for products of 16-bit numbers (VNNI).
//!
//! Written on the standard library, since turning them on in `pulp` would turn them on in every crate that uses it.

#![allow(unsafe_code, reason = "the standard library's vector instructions; an Avx512 exists only where they do")]

use std::arch::x86_64::{
    __m512, __m512i, _mm256_loadu_si256, _mm512_and_si512, _mm512_castsi512_ps, _mm512_cvtepi8_epi16,
    _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_dpwssd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_mul_ps, _mm512_set1_epi16, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512, _mm512_slli_epi32,
    _mm512_srli_epi16, _mm512_storeu_ps,
};

use super::super::LANES;
use super::{Lanes, OnLanes};

/// Proof that the processor has these instructions.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// The proof, where there is one.
    pub fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }

    /// Does some work, compiled for these lanes.
    pub fn run(self, work: impl OnLanes) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma")]
        fn inside(lanes: Avx512, work: impl OnLanes) {
            work.run(lanes);
        }
        // SAFETY: `self` proves that the processor has these instructions.
        unsafe { inside(self, work) }
    }
}

/// Calls of instructions that an [`Avx512`] allows.
macro_rules! instructions {
    ($($call:expr)+) => {
        // SAFETY: the caller holds an `Avx512`, and pointers come from arrays as long as what is read or written.
        unsafe { $($call)+ }
    };
}

impl Lanes for Avx512 {
    type Numbers = __m512;
    type Whole = __m512i;
    type Pairs = __m512i;
    const WIDE: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        instructions!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> __m512 {
        instructions!(_mm512_loadu_ps(numbers.as_ptr()))
    }
    #[inline(always)]
    fn store(self, a: __m512, numbers: &mut [f32; LANES]) {
        instructions!(_mm512_storeu_ps(numbers.as_mut_ptr(), a));
    }
    #[inline(always)]
    fn widen(self, pairs: &[u32; LANES]) -> [__m512; 2] {
        instructions!({
            let pairs = _mm512_loadu_si512(pairs.as_ptr().cast());
            let high = _mm512_and_si512(pairs, _mm512_set1_epi32(-65536));
            [_mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs)), _mm512_castsi512_ps(high)]
        })
    }
    #[inline(always)]
    fn halves(self, bits: &[u16; LANES]) -> __m512 {
        instructions!(_mm512_cvtph_ps(_mm256_loadu_si256(bits.as_ptr().cast())))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        instructions!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        instructions!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn nothing(self) -> __m512i {
        instructions!(_mm512_setzero_si512())
    }
    #[inline(always)]
    fn nibbles(self, codes: &[u16; 2 * LANES]) -> [__m512i; 4] {
        instructions!({
            let codes = _mm512_loadu_si512(codes.as_ptr().cast());
            let low = _mm512_set1_epi16(15);
            [
                _mm512_and_si512(codes, low),
                _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low),
                _mm512_and_si512(_mm512_srli_epi16::<8>(codes), low),
                _mm512_srli_epi16::<12>(codes),
            ]
        })
    }
    #[inline(always)]
    fn signed(self, codes: &[i8; 2 * LANES]) -> __m512i {
        instructions!(_mm512_cvtepi8_epi16(_mm256_loadu_si256(codes.as_ptr().cast())))
    }
    #[inline(always)]
    fn pairs(self, a: __m512i, x: u32, sum: __m512i) -> __m512i {
        instructions!(_mm512_dpwssd_epi32(sum, a, _mm512_set1_epi32(x as i32)))
    }
    #[inline(always)]
    fn numbers(self, whole: __m512i) -> __m512 {
        instructions!(_mm512_cvtepi32_ps(whole))
    }
}
