//! Sums along a row of bytes, pixel by pixel: for taps so many that those of a group of output elements do not fit into a window, as where
//! a picture is shrunk. All channels of a pixel are summed at once, two taps by each multiplication.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::arithmetic::{FRACTION_BITS, LOW_BITS};
use super::gather::gather_pixels;
use super::group::HALF;
use super::{Gather, InstructionSet, Table};

/// Bytes that are loaded at a time, of which a step takes those of its taps.
const LOADED: usize = 16;

/// Rows that take the same weights together.
const MOST_ROWS: usize = 4;

/// Rows of pixels of `INNER` bytes.
struct BytePixels<'a, const INNER: usize> {
    table: &'a Table<u8>,
}

impl<const INNER: usize> BytePixels<'_, INNER> {
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

    /// Bytes that a pixel's steps read of a row, from its first tap on.
    fn reach(&self) -> usize {
        (self.table.width.div_ceil(Self::TAPS) - 1) * Self::TAPS * INNER + LOADED
    }

    /// Where the first tap of output pixel `o` is in a row.
    #[inline(always)]
    fn begin(&self, o: usize) -> usize {
        self.table.index[o * self.table.width] as usize * INNER
    }

    /// Those of `pixels`, one after the other, whose taps are neighbours, and whose steps read neither past a row of `len` bytes nor past
    /// the weights.
    fn inside(&self, pixels: Range<usize>, len: usize) -> Range<usize> {
        let Table { width, weight, neighbours, .. } = self.table;
        let first = neighbours.start.clamp(pixels.start, pixels.end);
        let weights = width.next_multiple_of(Self::TAPS);
        let fits = |&o: &usize| self.begin(o) + self.reach() <= len && o * width + weights <= weight.len();
        first..(first..neighbours.end.min(pixels.end)).take_while(fits).last().map_or(first, |last| last + 1)
    }

    /// Output pixels `inside` of some rows, the first of which is written to `to` of each.
    ///
    /// # Safety
    /// AVX2 is there. The pixels are [`inside`](Self::inside) rows of the shortest row's length.
    #[inline(always)]
    unsafe fn run<const ROWS: usize>(&self, inside: Range<usize>, rows: [&[u8]; ROWS], out: &mut [MaybeUninit<u8>], to: [usize; ROWS]) {
        let (width, weights_len, reach) = (self.table.width, self.table.width.next_multiple_of(Self::TAPS), self.reach());
        let len = inside.len() * INNER;
        for row in 0..ROWS {
            assert!(to[row] + len <= out.len(), "the output has room for every pixel");
        }
        for (number, o) in inside.enumerate() {
            let begin = self.begin(o);
            // SAFETY: the caller's promise.
            let weights = unsafe { self.table.weight.get_unchecked(o * width..o * width + weights_len) };
            let mut bytes = rows;
            for row in 0..ROWS {
                // SAFETY: the caller's promise.
                bytes[row] = unsafe { rows[row].get_unchecked(begin..begin + reach) };
            }
            // SAFETY: the caller's promise; both have what all steps take.
            let sums = unsafe { self.sums(bytes, weights) };
            let is_last = (number + 1) * INNER == len;
            for row in 0..ROWS {
                let at = to[row] + number * INNER;
                let pixel = sums[row].map(MaybeUninit::new);
                // SAFETY: there is room for every pixel. Of three channels a fourth byte is written, which belongs to the next pixel.
                unsafe {
                    if INNER == 3 && !is_last {
                        out.get_unchecked_mut(at..at + 4).copy_from_slice(&pixel);
                    } else {
                        out.get_unchecked_mut(at..at + INNER).copy_from_slice(&pixel[..INNER]);
                    }
                }
            }
        }
    }

    /// The same pixel of some rows; beyond them there is anything.
    ///
    /// # Safety
    /// AVX2 is there. `bytes` have those of all steps, and 16 of the last; `weights` has those of whole steps.
    #[inline(always)]
    unsafe fn sums<const ROWS: usize>(&self, bytes: [&[u8]; ROWS], weights: &[i32]) -> [[u8; 4]; MOST_ROWS] {
        // SAFETY: the caller's promise.
        unsafe {
            let load = |pick: &[u8; 32]| _mm256_loadu_si256(pick.as_ptr().cast());
            let (pairs, [of_low, of_high]) = (load(&Self::PAIRS), [load(&Self::WEIGHTS[0]), load(&Self::WEIGHTS[1])]);
            let (mut low, mut high) = ([_mm256_setzero_si256(); ROWS], [_mm256_setzero_si256(); ROWS]);
            for (step, weights) in weights.chunks_exact(Self::TAPS).enumerate() {
                let weights = Self::weights(weights, self.table.width - step * Self::TAPS);
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

/// Resizes rows of pixels of 1 to 4 bytes; gives others back.
///
/// # Safety
/// AVX2 is there.
#[inline(always)]
pub(super) unsafe fn gather_bytes<I: InstructionSet>(gather: Gather<'_, u8>) -> Option<Gather<'_, u8>> {
    // SAFETY: the caller's promise.
    unsafe {
        match gather.inner {
            1 => gather_of::<I, 1>(gather),
            2 => gather_of::<I, 2>(gather),
            3 => gather_of::<I, 3>(gather),
            4 => gather_of::<I, 4>(gather),
            _ => return Some(gather),
        }
    }
    None
}

/// Some rows together, then one by one. What [`BytePixels`] leaves is done as for any type.
///
/// # Safety
/// AVX2 is there.
#[inline(always)]
unsafe fn gather_of<I: InstructionSet, const INNER: usize>(gather: Gather<'_, u8>) {
    let Gather { rows, table, pixels, out, starts, .. } = gather;
    let engine = BytePixels::<'_, INNER> { table };
    let shortest = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let inside = engine.inside(pixels.clone(), shortest);
    let place = |o: usize| (o - pixels.start) * INNER;
    let (fours, rest) = rows.as_chunks::<MOST_ROWS>();
    let (starts_of_fours, starts_of_rest) = starts.as_chunks::<MOST_ROWS>();
    for (rows, starts) in fours.iter().zip(starts_of_fours) {
        // SAFETY: the caller's promise, and no row is shorter.
        unsafe { engine.run(inside.clone(), *rows, out, starts.map(|start| start + place(inside.start))) };
    }
    for (row, start) in rest.iter().zip(starts_of_rest) {
        // SAFETY: the caller's promise, and no row is shorter.
        unsafe { engine.run(inside.clone(), [row], out, [start + place(inside.start)]) };
    }
    for (row, start) in rows.iter().zip(starts) {
        for part in [pixels.start..inside.start, inside.end..pixels.end] {
            let out = &mut out[start + place(part.start)..start + place(part.end)];
            gather_pixels::<I, u8, INNER>(row, table, part.start, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_row_beside_the_neighbours_are_left_whole() {
        // 300 output pixels of 4 taps each, a pixel apart, of which those from 100 to 119 are said to be neighbours.
        let index = (0..300_u32).flat_map(|o| o..o + 4).collect();
        let neighbours = 100..120;
        let (empty, lanes) = (Vec::new(), Default::default());
        let table =
            Table { width: 4, index, weight: vec![1; 1200], empty, span: 4, input: 303, pair: None, neighbours, exact: None, lanes };
        let pixels = BytePixels::<'_, 3> { table: &table };
        for (piece, inside) in
            [(0..64, 64..64), (0..110, 100..110), (64..300, 100..120), (110..200, 110..120), (128..300, 128..128), (0..300, 100..120)]
        {
            assert_eq!(pixels.inside(piece.clone(), 909), inside, "{piece:?}");
        }
        // The last step of pixel 110 reads bytes 330 to 345.
        assert_eq!(pixels.inside(0..300, 346), 100..111);
    }
}
