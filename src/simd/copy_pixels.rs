//! Nearest along a row: pixels are copied.

use std::mem::MaybeUninit;

use super::{InstructionSet, Kernel};

/// Nearest along a row: pixel `o` of `out` is pixel `index[o]` of `row`, each of `inner` elements.
pub(crate) struct CopyPixels<'a, A> {
    pub(crate) row: &'a [A],
    pub(crate) index: &'a [u32],
    /// How often each input pixel comes, where that is the same for all; otherwise 0.
    pub(crate) repeats: usize,
    pub(crate) inner: usize,
    pub(crate) out: &'a mut [MaybeUninit<A>],
}

impl<A: Copy> Kernel for CopyPixels<'_, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let CopyPixels { row, index, repeats, inner, out } = self;
        match (inner, repeats) {
            (_, 1) => {
                for (slot, &value) in out.iter_mut().zip(row) {
                    slot.write(value);
                }
            }
            (1, 2) => repeat_each::<A, 2>(row, out),
            (1, 3) => repeat_each::<A, 3>(row, out),
            (1, 4) => repeat_each::<A, 4>(row, out),
            (3, 2) => repeat_pixels::<A, 3, 2>(row, out),
            (3, 4) => repeat_pixels::<A, 3, 4>(row, out),
            (4, 2) => repeat_pixels::<A, 4, 2>(row, out),
            (4, 4) => repeat_pixels::<A, 4, 4>(row, out),
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
