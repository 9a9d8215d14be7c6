//! Sums along a row of bytes, pixel by pixel: where the taps of a group of output elements do not fit into a window, as where
//! a picture is shrunk. All channels of a pixel are summed at once, several taps by each multiplication.

mod avx2;
mod vnni;

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::horizontal::horizontal_pixels;
use super::{Horizontal, InstructionSet, Table};

pub(super) use avx2::Avx2Sums;
pub(super) use vnni::VnniSums;

/// Rows that take the same weights together.
const MOST_ROWS: usize = 4;

/// How the sums of a pixel of `INNER` bytes are made.
pub(super) trait PixelSums<const INNER: usize> {
    /// Whether it reads no further than a row goes: what is not there is 0.
    const MASKS: bool = false;

    /// Bytes of a row, from its first tap on, that a pixel with this many taps needs.
    fn reach(taps: usize) -> usize;

    /// How many weights are read for a pixel with this many taps.
    fn weights_read(taps: usize) -> usize;

    /// The same pixel of some rows; beyond them there is anything.
    ///
    /// # Safety
    /// The instructions are there. Without masks `bytes` have those of all steps, and what the last one reads; else they are equally long.
    /// `weights` has as many as are read for a pixel of `taps`.
    unsafe fn sums<const ROWS: usize>(bytes: [&[u8]; ROWS], weights: &[i32], taps: usize) -> [[u8; 4]; MOST_ROWS];
}

/// Rows of pixels of `INNER` bytes.
struct BytePixels<'a, S, const INNER: usize> {
    table: &'a Table<u8>,
    sums: PhantomData<S>,
}

impl<S: PixelSums<INNER>, const INNER: usize> BytePixels<'_, S, INNER> {
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
        let weights = S::weights_read(*width);
        let fits = |&o: &usize| self.begin(o) + S::reach(*width) <= len && o * width + weights <= weight.len();
        // Where the last one fits, those before it do: none of them begins later.
        first..(first..neighbours.end.min(pixels.end)).rev().find(fits).map_or(first, |last| last + 1)
    }

    /// Output pixels `inside` of some rows, the first of which is written to `to` of each.
    ///
    /// # Safety
    /// The instructions are there. The pixels are [`inside`](Self::inside) rows of `shortest` bytes, which all have at least.
    #[inline(always)]
    unsafe fn run<const ROWS: usize>(
        &self,
        inside: Range<usize>,
        (rows, shortest): ([&[u8]; ROWS], usize),
        out: &mut [MaybeUninit<u8>],
        to: [usize; ROWS],
    ) {
        let (width, weights_len, reach) = (self.table.width, S::weights_read(self.table.width), S::reach(self.table.width));
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
                bytes[row] = unsafe { rows[row].get_unchecked(begin..if S::MASKS { shortest } else { begin + reach }) };
            }
            // SAFETY: the caller's promise; both have what all steps take, or are masked.
            let sums = unsafe { S::sums(bytes, weights, width) };
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
}

/// Resizes rows of pixels of 1 to 4 bytes; gives others back.
///
/// # Safety
/// The instructions of the sums are there.
#[inline(always)]
pub(super) unsafe fn horizontal_bytes<I, S>(gather: Horizontal<'_, u8>) -> Option<Horizontal<'_, u8>>
where
    I: InstructionSet,
    S: PixelSums<1> + PixelSums<2> + PixelSums<3> + PixelSums<4>,
{
    // SAFETY: the caller's promise.
    unsafe {
        match gather.inner {
            1 => horizontal_of::<I, S, 1>(gather),
            2 => horizontal_of::<I, S, 2>(gather),
            3 => horizontal_of::<I, S, 3>(gather),
            4 => horizontal_of::<I, S, 4>(gather),
            _ => return Some(gather),
        }
    }
    None
}

/// Some rows together, then one by one. What [`BytePixels`] leaves is done as for any type.
///
/// # Safety
/// The instructions of the sums are there.
#[inline(always)]
unsafe fn horizontal_of<I: InstructionSet, S: PixelSums<INNER>, const INNER: usize>(gather: Horizontal<'_, u8>) {
    let Horizontal { rows, table, pixels, out, starts, .. } = gather;
    let engine = BytePixels::<'_, S, INNER> { table, sums: PhantomData };
    let shortest = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let inside = engine.inside(pixels.clone(), shortest);
    let place = |o: usize| (o - pixels.start) * INNER;
    let (fours, rest) = rows.as_chunks::<MOST_ROWS>();
    let (starts_of_fours, starts_of_rest) = starts.as_chunks::<MOST_ROWS>();
    for (rows, starts) in fours.iter().zip(starts_of_fours) {
        // SAFETY: the caller's promise, and no row is shorter.
        unsafe { engine.run(inside.clone(), (*rows, shortest), out, starts.map(|start| start + place(inside.start))) };
    }
    for (row, start) in rest.iter().zip(starts_of_rest) {
        // SAFETY: the caller's promise, and no row is shorter.
        unsafe { engine.run(inside.clone(), ([*row], shortest), out, [start + place(inside.start)]) };
    }
    for (row, start) in rows.iter().zip(starts) {
        for part in [pixels.start..inside.start, inside.end..pixels.end] {
            let out = &mut out[start + place(part.start)..start + place(part.end)];
            horizontal_pixels::<I, u8, INNER>(row, table, part.start, out);
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
        let pixels = BytePixels::<'_, Avx2Sums, 3> { table: &table, sums: PhantomData };
        for (piece, inside) in
            [(0..64, 64..64), (0..110, 100..110), (64..300, 100..120), (110..200, 110..120), (128..300, 128..128), (0..300, 100..120)]
        {
            assert_eq!(pixels.inside(piece.clone(), 909), inside, "{piece:?}");
        }
        // The last step of pixel 110 reads bytes 330 to 345.
        assert_eq!(pixels.inside(0..300, 346), 100..111);
    }
}
