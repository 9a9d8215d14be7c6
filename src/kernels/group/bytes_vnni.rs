//! Groups of bytes by the instructions that permute any bytes of a line and add four products of bytes at a time.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::bytes_x86::{HALF, store_sums};
use super::{Group, GroupSums};

// Every SAFETY line below relies on this: a type of this module is a group of `Avx512Vnni` alone, whose kernels only run in the shell that
// enables that instruction set's features.

/// Sixteen bytes. Weights of 22 bits are cut in three of 8, which are summed apart: signed bytes are what these instructions multiply with.
#[derive(Clone, Copy)]
pub(crate) struct Bytes512Vnni([__m512i; 3]);

impl GroupSums<u8> for Bytes512Vnni {
    const LANES: usize = 16;

    #[inline(always)]
    fn start() -> Self {
        // SAFETY: the features are there, see the top.
        unsafe { Self([_mm512_set1_epi32(HALF), _mm512_setzero_si512(), _mm512_setzero_si512()]) }
    }

    #[inline(always)]
    fn finish(self, to: &mut [MaybeUninit<u8>]) {
        // SAFETY: the features are there, see the top.
        unsafe { store_sums(whole_sums(self.0), to) }
    }
}

/// The sums by whole weights, from those by their lowest, middle and highest bytes.
///
/// # Safety
/// AVX-512 F is there.
#[inline(always)]
pub(crate) unsafe fn whole_sums([low, middle, high]: [__m512i; 3]) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe { _mm512_add_epi32(low, _mm512_add_epi32(_mm512_slli_epi32::<8>(middle), _mm512_slli_epi32::<16>(high))) }
}

impl Group<u8> for Bytes512Vnni {
    const WINDOW: usize = 64;
    const FOLD: usize = 4;
    type Pick = __m512i;
    type Weights = [__m512i; 3];

    #[inline(always)]
    fn pick(from: &[u8]) -> __m512i {
        let from = &from[..64];
        // SAFETY: the features are there, see the top; the slice has 64 bytes.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn weights(from: &[i32]) -> [__m512i; 3] {
        let from = &from[..48];
        // SAFETY: the features are there, see the top; the slice is as long as the three registers.
        unsafe {
            let part = |number: usize| from.as_ptr().add(16 * number).cast();
            [_mm512_loadu_si512(part(0)), _mm512_loadu_si512(part(1)), _mm512_loadu_si512(part(2))]
        }
    }

    #[inline(always)]
    fn accumulate<const WIDE: bool>(mut self, window: &[u8], pick: __m512i, weights: [__m512i; 3]) -> Self {
        let window = &window[..if WIDE { 128 } else { 64 }];
        // SAFETY: the features are there, see the top; the window is as long as one register, as two where it is wide.
        unsafe {
            let lower = _mm512_loadu_si512(window.as_ptr().cast());
            let chosen = if WIDE {
                _mm512_permutex2var_epi8(lower, pick, _mm512_loadu_si512(window.as_ptr().add(64).cast()))
            } else {
                _mm512_permutexvar_epi8(pick, lower)
            };
            for part in 0..3 {
                self.0[part] = _mm512_dpbusd_epi32(self.0[part], chosen, weights[part]);
            }
        }
        self
    }
}
