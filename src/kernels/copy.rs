//! Nearest along a row: pixels are copied.

use std::mem::MaybeUninit;

use super::streaming::{Carry, Destination, as_bytes, as_bytes_mut, as_maybe_uninit, elements_mut, stream_on};
use super::{InstructionSet, Kernel};

/// Nearest along a row: pixel `o` is pixel `index[o]` of the input row, each of `inner` elements.
#[derive(Clone, Copy)]
pub(crate) struct CopyPixels<'a> {
    pub(crate) index: &'a [u32],
    /// How often each input pixel comes, where that is the same for all; otherwise 0.
    pub(crate) repeats: usize,
    pub(crate) inner: usize,
}

/// One row.
pub(crate) struct CopyRow<'a, A> {
    pub(crate) pixels: CopyPixels<'a>,
    pub(crate) row: &'a [A],
    pub(crate) out: &'a mut [MaybeUninit<A>],
}

impl<A: Copy> Kernel for CopyRow<'_, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        self.pixels.copy::<I, A>(self.row, 0, self.out);
    }
}

/// Neighbouring output rows: row `r` is made from input row `heights[r]`. Writes all of them.
pub(crate) struct CopyRows<'a, A> {
    pub(crate) pixels: CopyPixels<'a>,
    /// Input rows, one after the other.
    pub(crate) x: &'a [A],
    /// Elements of an input row.
    pub(crate) row: usize,
    pub(crate) heights: &'a [u32],
    pub(crate) to: Destination<'a, A>,
}

impl<A: Copy> Kernel for CopyRows<'_, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { pixels, x, row, heights, to: Destination { out, begin, carry } } = self;
        let size = heights.len() * pixels.index.len() * pixels.inner;
        match carry {
            None => pixels.store_rows::<I, A>(x, row, heights, &mut out[begin..][..size]),
            Some(carry) => pixels.stream_rows::<I, A>(x, row, heights, out, begin, carry),
        }
    }
}

/// Bytes that are assembled before they are streamed: a part of the first-level cache.
#[repr(align(64))]
struct Stage([MaybeUninit<u8>; Stage::BYTES]);

impl Stage {
    const BYTES: usize = 1 << 13;
}

impl CopyPixels<'_> {
    /// Output pixels that are staged at a time; 0 where not even one fits, or the stage is not aligned for it.
    pub(crate) fn staged<A>(&self) -> usize {
        if align_of::<A>() > align_of::<Stage>() {
            return 0;
        }
        let times = self.repeats.max(1);
        Stage::BYTES.checked_div(size_of::<A>() * self.inner).map_or(0, |pixels| pixels / times * times)
    }

    /// Equal rows are copied from the first of them, unless they are made as fast: to read what has just been written waits for it.
    #[inline(always)]
    fn store_rows<I: InstructionSet, A: Copy>(self, x: &[A], row: usize, heights: &[u32], out: &mut [MaybeUninit<A>]) {
        let len = self.index.len() * self.inner;
        match (self.inner, self.repeats) {
            (1, 2) => return double_rows::<I, A, 1>(x, row, heights, out, len),
            (2, 2) => return double_rows::<I, A, 2>(x, row, heights, out, len),
            (4, 2) => return double_rows::<I, A, 4>(x, row, heights, out, len),
            _ => {}
        }
        let mut above: Option<(u32, &[MaybeUninit<A>])> = None;
        for (to, &h) in out.chunks_exact_mut(len).zip(heights) {
            match above {
                Some((same, from)) if same == h => to.copy_from_slice(from),
                _ => self.copy::<I, A>(&x[h as usize * row..][..row], 0, to),
            }
            above = Some((h, to));
        }
    }

    /// Piece by piece; equal rows of one piece are streamed from the same stage.
    #[inline(always)]
    fn stream_rows<I: InstructionSet, A: Copy>(
        self,
        x: &[A],
        row: usize,
        heights: &[u32],
        out: &mut [MaybeUninit<A>],
        begin: usize,
        carry: &mut Carry,
    ) {
        let Self { index, inner, .. } = self;
        let mut stage = Stage([MaybeUninit::uninit(); Stage::BYTES]);
        let (stage, together) = (elements_mut::<A>(&mut stage.0), self.staged::<A>().max(1));
        let (out, mut at) = (as_bytes_mut(out), begin * size_of::<A>());
        let mut staged = None;
        for &h in heights {
            let from = &x[h as usize * row..][..row];
            for first in (0..index.len()).step_by(together) {
                let index = &index[first..index.len().min(first + together)];
                let piece = &mut stage[..index.len() * inner];
                if staged != Some((h, first)) {
                    CopyPixels { index, ..self }.copy::<I, A>(from, first, piece);
                    staged = Some((h, first));
                }
                let bytes = as_bytes(piece);
                stream_on::<I, u8>(bytes, out, at, carry);
                at += bytes.len();
            }
        }
    }

    /// The output pixels from `first` on, a multiple of the repeats; the index begins with that pixel, too.
    #[inline(always)]
    fn copy<I: InstructionSet, A: Copy>(self, row: &[A], first: usize, out: &mut [MaybeUninit<A>]) {
        let Self { index, repeats, inner } = self;
        let repeated = &row[first.checked_div(repeats).unwrap_or_default() * inner..];
        match (inner, repeats) {
            (_, 1) => {
                for (slot, &value) in out.iter_mut().zip(repeated) {
                    slot.write(value);
                }
            }
            (1, 2) => double_pixels::<I, A, 1>(repeated, out),
            (2, 2) => double_pixels::<I, A, 2>(repeated, out),
            (3, 2) => double_pixels::<I, A, 3>(repeated, out),
            (4, 2) => double_pixels::<I, A, 4>(repeated, out),
            (1, 3) => repeat_each::<A, 3>(repeated, out),
            (1, 4) => repeat_each::<A, 4>(repeated, out),
            (3, 4) => repeat_pixels::<A, 3, 4>(repeated, out),
            (4, 4) => repeat_pixels::<A, 4, 4>(repeated, out),
            (1, _) => copy_pixels::<A, 1>(row, index, out),
            (2, _) => copy_pixels::<A, 2>(row, index, out),
            (3, _) => copy_pixels::<A, 3>(row, index, out),
            (4, _) => copy_pixels::<A, 4>(row, index, out),
            _ => {
                for (pixel, &i) in out.chunks_exact_mut(inner).zip(index) {
                    for (slot, &value) in pixel.iter_mut().zip(&row[i as usize * inner..][..inner]) {
                        slot.write(value);
                    }
                }
            }
        }
    }
}

/// Rows of `len` elements, in which every pixel of `INNER` elements comes twice.
#[inline(always)]
fn double_rows<I: InstructionSet, A: Copy, const INNER: usize>(
    x: &[A],
    row: usize,
    heights: &[u32],
    out: &mut [MaybeUninit<A>],
    len: usize,
) {
    for (to, &h) in out.chunks_exact_mut(len).zip(heights) {
        double_pixels::<I, A, INNER>(&x[h as usize * row..][..row], to);
    }
}

/// Every pixel of `INNER` elements twice; of a region that is doubled, the row has more.
#[inline(always)]
fn double_pixels<I: InstructionSet, A: Copy, const INNER: usize>(row: &[A], out: &mut [MaybeUninit<A>]) {
    let (pixels, _) = as_maybe_uninit(&row[..out.len() / 2]).as_chunks::<INNER>();
    let (slots, _) = out.as_chunks_mut::<INNER>();
    if !I::double(pixels, slots) {
        repeat_pixels::<A, INNER, 2>(row, out);
    }
}

/// Every pixel of `INNER` elements `TIMES` times.
#[inline(always)]
fn repeat_pixels<A: Copy, const INNER: usize, const TIMES: usize>(row: &[A], out: &mut [MaybeUninit<A>]) {
    let (pixels, _) = row.as_chunks::<INNER>();
    let (slots, _) = out.as_chunks_mut::<INNER>();
    let (groups, _) = slots.as_chunks_mut::<TIMES>();
    for (group, pixel) in groups.iter_mut().zip(pixels) {
        *group = [pixel.map(MaybeUninit::new); TIMES];
    }
}

#[inline(always)]
fn repeat_each<A: Copy, const TIMES: usize>(row: &[A], out: &mut [MaybeUninit<A>]) {
    let (groups, _) = out.as_chunks_mut::<TIMES>();
    for (group, &value) in groups.iter_mut().zip(row) {
        *group = [MaybeUninit::new(value); TIMES];
    }
}

#[inline(always)]
fn copy_pixels<A: Copy, const INNER: usize>(row: &[A], index: &[u32], out: &mut [MaybeUninit<A>]) {
    let (pixels, _) = row.as_chunks::<INNER>();
    let (slots, _) = out.as_chunks_mut::<INNER>();
    for (slot, &i) in slots.iter_mut().zip(index) {
        *slot = pixels[i as usize].map(MaybeUninit::new);
    }
}
