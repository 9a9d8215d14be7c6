//! Resizes one picture of interleaved channels, whose rows are converted before and after the passes.

use std::mem::MaybeUninit;
use std::ops::Range;

use ndarray::{ArrayView3, ArrayViewMut3, Axis};

use crate::error::Error;
use crate::kernels::{Arithmetic, Destination, How, RingRows, reserve};
use crate::tasks;

use super::passes::{Separable, TASK};
use super::rows::{Sink, Source};

/// The most elements of a row that are gathered or converted at a time.
const PIECE: usize = 256;

/// Converts whole pixels to what is summed.
pub(crate) type Read<'f, A, T> = &'f (dyn Fn(&[A], &mut [T]) + Sync);

/// Converts the sums of whole pixels back.
pub(crate) type Write<'f, T, A> = &'f (dyn Fn(&[T], &mut [MaybeUninit<A>]) + Sync);

/// The rows of an H×W×C picture as they are summed.
pub(crate) struct PixelRows<'a, A, T> {
    pub(crate) pixels: ArrayView3<'a, A>,
    pub(crate) read: Read<'a, A, T>,
}

impl<A: Copy + Default, T> Source<T> for PixelRows<'_, A, T> {
    fn len(&self) -> usize {
        self.pixels.len_of(Axis(1)) * self.inner()
    }

    fn inner(&self) -> usize {
        self.pixels.len_of(Axis(2))
    }

    fn flat(&self) -> Option<RingRows<'_, T>> {
        None
    }

    fn direct(&self, _: usize, _: usize) -> Option<&[T]> {
        None
    }

    fn load(&self, _: usize, h: usize, out: &mut [T]) {
        let row = self.pixels.index_axis_move(Axis(0), h);
        let len = row.len();
        if let Some(row) = row.to_slice() {
            return (self.read)(row, &mut out[..len]);
        }
        let (mut gathered, mut values) = ([A::default(); PIECE], row.iter().copied());
        for out in out[..len].chunks_mut(piece_of_pixels(self.inner())) {
            let piece = &mut gathered[..out.len()];
            piece.iter_mut().zip(&mut values).for_each(|(slot, value)| *slot = value);
            (self.read)(piece, out);
        }
    }
}

/// Where the rows of a picture are put.
struct PixelSink<'a, 'f, T, A> {
    pixels: ArrayViewMut3<'a, MaybeUninit<A>>,
    write: Write<'f, T, A>,
}

impl<T: Arithmetic, A: Copy> Sink<T> for PixelSink<'_, '_, T, A> {
    fn size(&self) -> [usize; 2] {
        [1, self.pixels.len_of(Axis(0))]
    }

    fn len(&self) -> usize {
        self.pixels.len_of(Axis(1)) * self.pixels.len_of(Axis(2))
    }

    fn place(&mut self, _: usize, _: Range<usize>) -> Option<Destination<'_, T>> {
        None
    }

    fn store(&mut self, _: usize, rows: Range<usize>, values: &[T]) {
        let len = Sink::<T>::len(self);
        for (h, values) in rows.zip(values.chunks_exact(len)) {
            let mut row = self.pixels.index_axis_mut(Axis(0), h);
            if let Some(row) = row.as_slice_mut() {
                (self.write)(values, row);
                continue;
            }
            let channels = row.len_of(Axis(1));
            let (mut gathered, mut slots) = ([MaybeUninit::uninit(); PIECE], row.iter_mut());
            for values in values.chunks(piece_of_pixels(channels)) {
                let piece = &mut gathered[..values.len()];
                (self.write)(values, piece);
                piece.iter().zip(&mut slots).for_each(|(&value, slot)| *slot = value);
            }
        }
    }
}

/// Elements of as many whole pixels as make a piece. Pixels of very many channels, which have no alpha, are taken in parts.
fn piece_of_pixels(channels: usize) -> usize {
    if channels > PIECE { PIECE } else { PIECE / channels * channels }
}

impl Separable {
    /// Writes the resized picture to all of `y`, H×W×C, summing in `T`. Sizes have been checked. If there is no memory for tables or scratch, `y`
    /// is untouched.
    pub(crate) fn run_pixels<T: Arithmetic, A: Copy + Send>(
        &self,
        x: &(dyn Source<T> + Sync),
        y: ArrayViewMut3<'_, MaybeUninit<A>>,
        write: Write<'_, T, A>,
        how: How,
    ) -> Result<(), Error> {
        self.ready::<T>(x.inner(), how.backend)?;
        let _reserved = reserve::<T>(&self.need::<T>(x.inner(), how.backend, y.len() > TASK))?;
        self.divide_pixels(x, y, 0, write, how);
        Ok(())
    }

    /// Cuts the rows of `y`, which begin at row `first` of the output, down to tasks.
    fn divide_pixels<T: Arithmetic, A: Copy + Send>(
        &self,
        x: &(dyn Source<T> + Sync),
        y: ArrayViewMut3<'_, MaybeUninit<A>>,
        first: usize,
        write: Write<'_, T, A>,
        how: How,
    ) {
        let height = y.len_of(Axis(0));
        let engine = self.engine::<T>(how.backend);
        if y.len() > TASK && height >= 2 * engine.fewest_rows().max(1) {
            let (above, below) = y.split_at(Axis(0), height / 2);
            return tasks::join(
                || self.divide_pixels(x, above, first, write, how),
                || self.divide_pixels(x, below, first + height / 2, write, how),
            );
        }
        let mut sink = PixelSink { pixels: y, write };
        engine.bands(x, &mut sink, [0, first, 0]);
    }
}
