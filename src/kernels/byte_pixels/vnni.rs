//! By the instructions that add four products of bytes at a time.

use std::arch::x86_64::*;

use super::{MOST_ROWS, PixelSums};
use crate::kernels::arithmetic::FRACTION_BITS;
use crate::kernels::group::{HALF, saturated, whole_sums};

/// Sixteen taps of each channel fill a quarter of a register; weights are cut in three bytes, which are summed apart.
pub(in crate::kernels) struct VnniSums;

/// A quarter.
const QUARTER: usize = 16;

impl<const INNER: usize> PixelSums<INNER> for VnniSums {
    const MASKS: bool = true;

    fn reach(_taps: usize) -> usize {
        0
    }

    fn weights_read(taps: usize) -> usize {
        taps
    }

    #[inline(always)]
    unsafe fn sums<const ROWS: usize>(bytes: [&[u8]; ROWS], weights: &[i32], taps: usize) -> [[u8; 4]; MOST_ROWS] {
        // Of fewer rows the last is taken again.
        let mut four = [bytes[0]; MOST_ROWS];
        for row in 1..MOST_ROWS {
            four[row] = bytes[row.min(ROWS - 1)];
        }
        // SAFETY: the caller's promise.
        unsafe { Quarters::<INNER>::sums(four, &weights[..taps]) }
    }
}

/// Pixels of `INNER` bytes.
struct Quarters<const INNER: usize>;

impl<const INNER: usize> Quarters<INNER> {
    /// Rows that share a register.
    const ROWS: usize = if INNER <= 2 { 4 / INNER } else { 1 };

    /// Bytes of a register that come from a row.
    const BYTES: usize = 64 / Self::ROWS;

    /// Which bytes go to each quarter: those of one channel of one row.
    const PICK: [u8; 64] = {
        let mut pick = [0; 64];
        let mut place = 0;
        while place < 64 {
            let (quarter, tap) = (place / QUARTER, place % QUARTER);
            let (row, channel) = if INNER <= 2 { (quarter / INNER, quarter % INNER) } else { (0, quarter) };
            // Of three channels the last quarter has none.
            pick[place] = if channel < INNER { (row * Self::BYTES + tap * INNER + channel) as u8 } else { 0 };
            place += 1;
        }
        pick
    };

    /// Of sixteen weights the lowest bytes, in each quarter; the middle ones; the highest.
    const BYTES_OF_WEIGHTS: [[u8; 64]; 3] = {
        let mut pick = [[0; 64]; 3];
        let mut place = 0;
        while place < 3 * 64 {
            pick[place / 64][place % 64] = (4 * (place % QUARTER) + place / 64) as u8;
            place += 1;
        }
        pick
    };

    /// Where the bytes of each row and channel are among the sixteen of [`rounded`](Self::rounded).
    const ORDER: [u8; 16] = {
        let mut order = [0; 16];
        let mut place = 0;
        while place < 16 {
            let (row, channel) = (place / 4, place % 4);
            let from = match INNER {
                1 => 4 * row,
                2 => 4 * (row % 2 * 2 + channel % 2) + row / 2,
                _ => 4 * channel + row,
            };
            order[place] = from as u8;
            place += 1;
        }
        order
    };

    /// The same pixel of four rows.
    ///
    /// # Safety
    /// AVX-512 F, BW and VL, VNNI and VBMI are there. All `bytes` are equally long.
    #[inline(always)]
    unsafe fn sums(bytes: [&[u8]; MOST_ROWS], weights: &[i32]) -> [[u8; 4]; MOST_ROWS] {
        // SAFETY: the caller's promise; weights and bytes are read as far as they go, and beyond them are 0.
        unsafe {
            let load = |pick: &[u8; 64]| _mm512_loadu_si512(pick.as_ptr().cast());
            let (pick, of_weights) =
                (load(&Self::PICK), [load(&Self::BYTES_OF_WEIGHTS[0]), load(&Self::BYTES_OF_WEIGHTS[1]), load(&Self::BYTES_OF_WEIGHTS[2])]);
            let mut sums = [[_mm512_setzero_si512(); 3]; MOST_ROWS];
            for step in 0..weights.len().div_ceil(QUARTER) {
                let rest = &weights[step * QUARTER..];
                let mask = if rest.len() < QUARTER { (1 << rest.len()) - 1 } else { u16::MAX };
                let signed = _mm512_set1_epi32(0x0080_8080);
                // Bytes that are signed: what is above 127 has carried one into the next.
                let parts = _mm512_xor_si512(_mm512_add_epi32(_mm512_maskz_loadu_epi32(mask, rest.as_ptr()), signed), signed);
                let mut weights = [parts; 3];
                for part in 0..3 {
                    weights[part] = _mm512_permutexvar_epi8(of_weights[part], parts);
                }
                let at = step * QUARTER * INNER;
                for register in 0..MOST_ROWS / Self::ROWS {
                    let first = register * Self::ROWS;
                    let chosen = if bytes[0].len() >= at + Self::BYTES {
                        Self::load::<false>(&bytes, first, at, pick)
                    } else {
                        Self::load::<true>(&bytes, first, at, pick)
                    };
                    for part in 0..3 {
                        sums[register][part] = _mm512_dpbusd_epi32(sums[register][part], chosen, weights[part]);
                    }
                }
            }
            let mut whole = [_mm512_setzero_si512(); MOST_ROWS];
            for register in 0..MOST_ROWS / Self::ROWS {
                whole[register] = whole_sums(sums[register]);
            }
            Self::rounded(whole)
        }
    }

    /// The bytes of a step, by quarter, of as many rows as share a register, the first of which is `row`.
    ///
    /// # Safety
    /// AVX-512 F, BW and VL, and VBMI are there. All `bytes` are equally long: a register's bytes from `at` on, unless the end is near.
    #[inline(always)]
    unsafe fn load<const END: bool>(bytes: &[&[u8]; MOST_ROWS], row: usize, at: usize, pick: __m512i) -> __m512i {
        let left = bytes[row].len().saturating_sub(at);
        let mask = if END && left < 64 { (1_u64 << left) - 1 } else { u64::MAX };
        // SAFETY: the caller's promise; near the end no bytes are read but those that there are.
        unsafe {
            let from = |row: usize| bytes[row].as_ptr().wrapping_add(at);
            match INNER {
                1 => {
                    let load = |row: usize| {
                        if END { _mm_maskz_loadu_epi8(mask as u16, from(row).cast()) } else { _mm_loadu_si128(from(row).cast()) }
                    };
                    let first = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(load(row)), load(row + 1));
                    _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(first, load(row + 2)), load(row + 3))
                }
                2 => {
                    let load = |row: usize| {
                        if END { _mm256_maskz_loadu_epi8(mask as u32, from(row).cast()) } else { _mm256_loadu_si256(from(row).cast()) }
                    };
                    _mm512_permutexvar_epi8(pick, _mm512_inserti64x4::<1>(_mm512_castsi256_si512(load(row)), load(row + 1)))
                }
                _ if END => _mm512_permutexvar_epi8(pick, _mm512_maskz_loadu_epi8(mask, from(row).cast())),
                _ => _mm512_permutexvar_epi8(pick, _mm512_loadu_si512(from(row).cast())),
            }
        }
    }

    /// The channels of four rows, from their sums over some taps of each quarter.
    ///
    /// # Safety
    /// AVX-512 F is there.
    #[inline(always)]
    unsafe fn rounded([a, b, c, d]: [__m512i; MOST_ROWS]) -> [[u8; 4]; MOST_ROWS] {
        // SAFETY: the caller's promise.
        unsafe {
            // The four numbers of each quarter are added: those of several registers side by side.
            let sums = match INNER {
                1 => {
                    let pairs = _mm512_add_epi32(a, _mm512_shuffle_epi32::<0b01_00_11_10>(a));
                    _mm512_add_epi32(pairs, _mm512_shuffle_epi32::<0b10_11_00_01>(pairs))
                }
                2 => {
                    let pairs = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
                    _mm512_add_epi32(pairs, _mm512_shuffle_epi32::<0b01_00_11_10>(pairs))
                }
                _ => {
                    let first = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
                    let second = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
                    _mm512_add_epi32(_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second))
                }
            };
            let rounded = _mm512_srai_epi32::<FRACTION_BITS>(_mm512_add_epi32(sums, _mm512_set1_epi32(HALF)));
            let bytes = saturated([_mm512_castsi512_si256(rounded), _mm512_extracti64x4_epi64::<1>(rounded)]);
            let ordered = _mm_shuffle_epi8(bytes, _mm_loadu_si128(Self::ORDER.as_ptr().cast()));
            let mut rows = [[0; 4]; MOST_ROWS];
            _mm_storeu_si128(rows.as_mut_ptr().cast(), ordered);
            rows
        }
    }
}
