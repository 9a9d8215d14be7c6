//! Both passes of a resize, row by row.

use std::ops::Range;

use super::ring::{Ring, RingRows};
use super::streaming::Destination;
use super::{Arithmetic, Horizontal, InstructionSet, Kernel, Table, VerticalRows, as_maybe_uninit_mut, prefetch};

/// Neighbouring output rows from the input rows themselves. Writes all of them.
///
/// Input rows are resized along their width when an output row first needs them, and combined at once: what goes to memory is a
/// few rows at a time, so that the stores of some go on while the sums of the next are made.
pub(crate) struct ResizeRows<'a, 'r, T: Arithmetic> {
    pub(crate) widening: Widening<'a, T>,
    /// Holds resized rows, across calls too.
    pub(crate) ring: &'a mut Ring<'r, T>,
    pub(crate) height: &'a Table<T>,
    /// Rows of that table, none of them empty.
    pub(crate) outputs: Range<usize>,
    pub(crate) to: Destination<'a, T>,
}

/// Input rows, and how they are resized along their width.
#[derive(Clone)]
pub(crate) struct Widening<'a, T: Arithmetic> {
    pub(crate) inputs: RingRows<'a, T>,
    pub(crate) table: &'a Table<T>,
    /// Interleaved elements of a pixel.
    pub(crate) inner: usize,
    /// The output pixels that are made, cut as [`Horizontal`] demands.
    pub(crate) pixels: Range<usize>,
}

/// Rows that are resized together: each weight is then fetched once for all.
pub(crate) const TOGETHER: usize = 4;

impl<T: Arithmetic> Kernel for ResizeRows<'_, '_, T> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { widening, ring, height, mut outputs, to: Destination { out, mut begin, mut carry } } = self;
        let len = ring.len;
        while !outputs.is_empty() {
            for &h in height.row(outputs.start).0 {
                if !ring.holds(h) {
                    widening.make::<I>(ring, h);
                }
            }
            let mut end = outputs.start + 1;
            while end < outputs.end && ring.holds_all(height.row(end).0) {
                end += 1;
            }
            let to = Destination { out: &mut *out, begin, carry: carry.as_deref_mut() };
            I::call(VerticalRows { inputs: ring.rows(), table: height, outputs: outputs.start..end, len, to });
            begin += (end - outputs.start) * len;
            outputs.start = end;
        }
    }
}

impl<T: Arithmetic> Widening<'_, T> {
    /// Row `h` of the ring and perhaps the next.
    #[inline(always)]
    fn make<I: InstructionSet>(&self, ring: &mut Ring<'_, T>, h: u32) {
        let mut starts = [0; TOGETHER];
        let count = ring.claim(h as usize, &mut starts);
        let mut rows: [&[T]; TOGETHER] = [&[]; TOGETHER];
        for (k, row) in (0..).zip(&mut rows[..count]) {
            *row = self.inputs.row(h + k);
            let ahead = h + k + count as u32;
            if (ahead as usize) < ring.end {
                prefetch(self.inputs.row(ahead));
            }
        }
        let (rows, starts, out) = (&rows[..count], &starts[..count], as_maybe_uninit_mut(&mut *ring.rows));
        I::call(Horizontal { rows, table: self.table, inner: self.inner, pixels: self.pixels.clone(), out, starts });
    }
}
