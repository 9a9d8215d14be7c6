//! By the instructions that multiply pairs of words and add them.

use std::arch::x86_64::*;

use super::{MOST_ROWS, PixelSums};
use crate::kernels::arithmetic::{FRACTION_BITS, LOW_BITS};
use crate::kernels::group::HALF;

/// Two taps by each multiplication; weights are cut in two, which are summed apart.
pub(in crate::kernels) struct Avx2Sums;

impl<const INNER: usize> PixelSums<INNER> for Avx2Sums {
    fn reach(taps: usize) -> usize {
        /// Bytes that are loaded at a time, of which a step takes those of its taps.
        const LOADED: usize = 16;
        (taps.div_ceil(Pairs::<INNER>::TAPS) - 1) * Pairs::<INNER>::TAPS * INNER + LOADED
    }

    fn weights_read(taps: usize) -> usize {
        taps.next_multiple_of(Pairs::<INNER>::TAPS)
    }

    #[inline(always)]
    unsafe fn sums<const ROWS: usize>(bytes: [&[u8]; ROWS], weights: &[i32], taps: usize) -> [[u8; 4]; MOST_ROWS] {
        // SAFETY: the caller's promise.
        unsafe { Pairs::<INNER>::sums(bytes, weights, taps) }
    }
}

/// Pixels of `INNER` bytes.
struct Pairs<const INNER: usize>;

impl<const INNER: usize> Pairs<INNER> {
    /// Taps of a step: of up to two channels two pairs in each half of a register, of more channels one.
    const TAPS: usize = if INNER <= 2 { 8 } else { 4 };

    /// Which of the loaded bytes, as words, become the pairs of taps by channel; 0x80 is none, which gives 0.
    const PAIRS: [u8; 32] = {
        let mut pick = [0x80; 32];
        let mut tap = 0;
        while tap < Self::TAPS {
            // Half of the pairs are in each half of the register.
            let (half, pair) = (tap / (Self::TAPS / 2), tap % (Self::TAPS / 2) / 2);
            let mut channel = 0;
            while channel < INNER {
                pick[16 * half + 4 * (pair * INNER + channel) + 2 * (tap % 2)] = (tap * INNER + channel) as u8;
                channel += 1;
            }
            tap += 1;
        }
        pick
    };

    /// Which of a half's two pairs of weights, the low bits of which come first, belong to each place; and the same of the high bits.
    const WEIGHTS: [[u8; 32]; 2] = {
        let mut pick = [[0x80; 32]; 2];
        let mut place = 0;
        while place < 32 {
            let (half, pair) = (place / 16, place % 16 / 4 / INNER);
            // With taps of 4 both halves have the same weights, and each takes its own pair of them.
            let pair = if Self::TAPS == 4 { half } else { pair };
            if pair < 2 {
                pick[0][place] = (4 * pair + place % 4) as u8;
                pick[1][place] = (8 + 4 * pair + place % 4) as u8;
            }
            place += 1;
        }
        pick
    };

    /// The same pixel of some rows; beyond them there is anything.
    ///
    /// # Safety
    /// AVX2 is there. `bytes` have those of all steps, and 16 of the last; `weights` has those of whole steps.
    #[inline(always)]
    unsafe fn sums<const ROWS: usize>(bytes: [&[u8]; ROWS], weights: &[i32], taps: usize) -> [[u8; 4]; MOST_ROWS] {
        // SAFETY: the caller's promise.
        unsafe {
            let load = |pick: &[u8; 32]| _mm256_loadu_si256(pick.as_ptr().cast());
            let (pairs, [of_low, of_high]) = (load(&Self::PAIRS), [load(&Self::WEIGHTS[0]), load(&Self::WEIGHTS[1])]);
            let (mut low, mut high) = ([_mm256_setzero_si256(); ROWS], [_mm256_setzero_si256(); ROWS]);
            for (step, weights) in weights.chunks_exact(Self::TAPS).enumerate() {
                let weights = Self::weights(weights, taps - step * Self::TAPS);
                let low_bits = _mm256_and_si256(weights, _mm256_set1_epi32((1 << LOW_BITS) - 1));
                let words = _mm256_packs_epi32(low_bits, _mm256_srai_epi32::<{ LOW_BITS as i32 }>(weights));
                let (of_low, of_high) = (_mm256_shuffle_epi8(words, of_low), _mm256_shuffle_epi8(words, of_high));
                for row in 0..ROWS {
                    let bytes = _mm_loadu_si128(bytes[row].as_ptr().add(step * Self::TAPS * INNER).cast());
                    let chosen = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), pairs);
                    low[row] = _mm256_add_epi32(low[row], _mm256_madd_epi16(chosen, of_low));
                    high[row] = _mm256_add_epi32(high[row], _mm256_madd_epi16(chosen, of_high));
                }
            }
            for row in 0..ROWS {
                low[row] = _mm256_add_epi32(low[row], _mm256_slli_epi32::<{ LOW_BITS as i32 }>(high[row]));
            }
            // Of fewer rows the last is taken again.
            let mut four = [low[0]; MOST_ROWS];
            for place in 1..MOST_ROWS {
                four[place] = low[place.min(ROWS - 1)];
            }
            Self::rounded(four)
        }
    }

    /// The weights of a step, of which `taps` are this pixel's and those behind the next one's.
    ///
    /// # Safety
    /// AVX2 is there. There are as many weights as a step has.
    #[inline(always)]
    unsafe fn weights(weights: &[i32], taps: usize) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            let (loaded, number) = if Self::TAPS == 4 {
                let weights = _mm256_broadcastsi128_si256(_mm_loadu_si128(weights.as_ptr().cast()));
                (weights, _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3))
            } else {
                (_mm256_loadu_si256(weights.as_ptr().cast()), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
            };
            if taps >= Self::TAPS {
                return loaded;
            }
            _mm256_and_si256(loaded, _mm256_cmpgt_epi32(_mm256_set1_epi32(taps as i32), number))
        }
    }

    /// The channels of four rows, from their sums over the pairs of each place.
    ///
    /// # Safety
    /// AVX2 is there.
    #[inline(always)]
    unsafe fn rounded([a, b, c, d]: [__m256i; MOST_ROWS]) -> [[u8; 4]; MOST_ROWS] {
        // SAFETY: the caller's promise.
        unsafe {
            let words = _mm256_packs_epi32(Self::folded(a, b), Self::folded(c, d));
            let bytes = _mm256_packus_epi16(words, words);
            let a_c = _mm_cvtsi128_si64(_mm256_castsi256_si128(bytes)).to_le_bytes();
            let b_d = _mm_cvtsi128_si64(_mm256_extracti128_si256::<1>(bytes)).to_le_bytes();
            let ([a, c], [b, d]) = (halves(a_c), halves(b_d));
            [a, b, c, d]
        }
    }

    /// The rounded sums of two rows, the first in the lower half, the second in the upper one.
    ///
    /// # Safety
    /// AVX2 is there.
    #[inline(always)]
    unsafe fn folded(first: __m256i, second: __m256i) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe {
            let (lower, upper) = (_mm256_permute2x128_si256::<0x20>(first, second), _mm256_permute2x128_si256::<0x31>(first, second));
            let mut sums = _mm256_add_epi32(lower, upper);
            if Self::TAPS == 8 {
                // Two pairs of a channel are in each half, as far apart as it has channels.
                let other = if INNER == 2 { _mm256_srli_si256::<8>(sums) } else { _mm256_srli_si256::<4>(sums) };
                sums = _mm256_add_epi32(sums, other);
            }
            _mm256_srai_epi32::<{ FRACTION_BITS as i32 }>(_mm256_add_epi32(sums, _mm256_set1_epi32(HALF)))
        }
    }
}

/// The first four bytes, and the last.
#[inline(always)]
fn halves([a, b, c, d, e, f, g, h]: [u8; 8]) -> [[u8; 4]; 2] {
    [[a, b, c, d], [e, f, g, h]]
}
