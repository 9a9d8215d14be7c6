//! From rows of sums, one a phase, to rows of output, where the phases take turns.

use std::mem::MaybeUninit;

use ndarray::{ArrayViewMut1, ArrayViewMut5, Axis, Slice};
use num_traits::Float;

use super::phases::Phases;
use super::strips::Strips;
use crate::element::FloatElement;
use crate::simd::{Backend, StreamRow, as_maybe_uninit};

/// An output element, and what a sum does to it.
pub(crate) trait Slot<A: FloatElement>: Send {
    fn put(&mut self, sum: A::Row);

    /// Puts a row of sums, past the caches where that can be.
    fn stream(row: &mut [Self], sums: &[A::Row], _: Backend)
    where
        Self: Sized,
    {
        row.iter_mut().zip(sums).for_each(|(to, &sum)| to.put(sum));
    }
}

/// Overwritten.
impl<A: FloatElement> Slot<A> for MaybeUninit<A> {
    #[inline(always)]
    fn put(&mut self, sum: A::Row) {
        self.write(A::from_row(sum));
    }

    fn stream(row: &mut [Self], sums: &[A::Row], backend: Backend) {
        let from = &sums[..row.len()];
        match A::as_rows_mut(row) {
            Some(to) => backend.run(StreamRow { from: as_maybe_uninit(from), to }),
            None => A::narrow(from, row),
        }
    }
}

/// Added to.
impl<A: FloatElement> Slot<A> for A {
    #[inline(always)]
    fn put(&mut self, sum: A::Row) {
        *self = A::from_row(self.to_row() + sum);
    }
}

/// Overwritten with the sum itself.
#[cfg(feature = "half")]
mod unrounded {
    use std::mem::MaybeUninit;

    use super::Slot;

    impl Slot<half::f16> for MaybeUninit<f32> {
        fn put(&mut self, sum: f32) {
            self.write(sum);
        }
    }

    impl Slot<half::bf16> for MaybeUninit<f32> {
        fn put(&mut self, sum: f32) {
            self.write(sum);
        }
    }
}

/// The finished sums of a block.
pub(crate) struct Block<'a, T> {
    pub(crate) phases: &'a Phases,
    pub(crate) strips: &'a Strips,
    pub(crate) sums: &'a [T],
    /// Of each channel of the chunk; empty without bias.
    pub(crate) bias: &'a [T],
}

impl<T: Float> Block<'_, T> {
    /// Writes the piece of the output that the block covers.
    pub(crate) fn store<A: FloatElement<Row = T>, S: Slot<A>>(&self, mut out: ArrayViewMut5<'_, S>) {
        let channels = out.dim().1;
        for (n, mut picture) in out.outer_iter_mut().enumerate() {
            for (channel, mut volume) in picture.outer_iter_mut().enumerate() {
                let bias = self.bias.get(channel).copied();
                for (d, mut slice) in volume.outer_iter_mut().enumerate() {
                    for (h, row) in slice.outer_iter_mut().enumerate() {
                        self.store_row(row, channels, channel, bias, [n, d, h]);
                    }
                }
            }
        }
    }

    fn store_row<A: FloatElement<Row = T>, S: Slot<A>>(
        &self,
        mut row: ArrayViewMut1<'_, S>,
        channels: usize,
        channel: usize,
        bias: Option<T>,
        [n, d, h]: [usize; 3],
    ) {
        let [depths, heights, widths] = &self.phases.axes;
        let finish = |sum: T| bias.map_or(sum, |bias| sum + bias);
        if widths.phases.len() < widths.out_stride.min(row.len()) {
            row.iter_mut().for_each(|to| to.put(finish(T::zero()))); // some of the outputs have no tap
        }
        let (Some(phase_d), Some(phase_h)) = (depths.phase_of(d), heights.phase_of(h)) else {
            return row.iter_mut().for_each(|to| to.put(finish(T::zero())));
        };
        let strides = self.strips.sum_strides;
        let start = n * strides[0]
            + (d / depths.out_stride + depths.phases[phase_d].shift) * strides[1]
            + (h / heights.out_stride + heights.phases[phase_h].shift) * strides[2];
        let sums_of = |phase_w: usize| {
            let slot = self.phases.slots[self.phases.index([phase_d, phase_h, phase_w])];
            &self.sums[(slot * channels + channel) * self.strips.sums_len + start + widths.phases[phase_w].shift..]
        };
        let len = row.len();
        match (row.as_slice_mut(), &*widths.phases) {
            (Some(row), [_]) if widths.out_stride == 1 => row.iter_mut().zip(sums_of(0)).for_each(|(to, &sum)| to.put(finish(sum))),
            (Some(row), [_, _]) if widths.out_stride == 2 => {
                let (first, second) = (sums_of(0), sums_of(1));
                let mut pairs = row.chunks_exact_mut(2);
                for ((pair, &a), &b) in pairs.by_ref().zip(first).zip(second) {
                    pair[0].put(finish(a));
                    pair[1].put(finish(b));
                }
                if let [last] = pairs.into_remainder() {
                    last.put(finish(first[len / 2]));
                }
            }
            _ => {
                for (number, phase) in widths.phases.iter().enumerate().filter(|(_, phase)| phase.residue < len) {
                    let every = Slice::new(phase.residue.cast_signed(), None, widths.out_stride.cast_signed());
                    let every = row.slice_axis_mut(Axis(0), every);
                    every.into_iter().zip(sums_of(number)).for_each(|(to, &sum)| to.put(finish(sum)));
                }
            }
        }
    }
}
