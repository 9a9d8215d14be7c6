//! Interleaves rows of sums, one for each phase, into rows of output.

use std::mem::MaybeUninit;

use ndarray::{ArrayViewMut1, ArrayViewMut2, ArrayViewMut3, ArrayViewMut5, Axis, Slice, indices, s};
use num_traits::{Float, Zero};

use super::load::are_last;
use super::phases::Phases;
use super::strips::Strips;
use crate::element::FloatElement;
use crate::kernels::{Backend, InterleaveRows, Real, StreamRow, Transpose, as_maybe_uninit};

/// Lines of fewer pixels are stored pixel by pixel.
const SHORT_LINE: usize = 16;

/// An output element, which a sum overwrites or is added to.
pub(crate) trait Slot<A: FloatElement>: Send {
    fn put(&mut self, sum: A::Row);

    /// Stores a row of sums, past the caches where the elements allow it.
    fn stream(row: &mut [Self], sums: &[A::Row], _: Backend)
    where
        Self: Sized,
    {
        row.iter_mut().zip(sums).for_each(|(to, &sum)| to.put(sum));
    }

    /// Interleaves rows of sums into `row` and adds `bias` to each.
    fn join(row: &mut [Self], sums: &[&[A::Row]], bias: A::Row, _: Backend)
    where
        Self: Sized,
    {
        put_turns(ArrayViewMut1::from(row), sums, bias);
    }
}

/// Interleaves rows of sums into a row of any stride and adds `bias` to each.
fn put_turns<A: FloatElement, S: Slot<A>>(mut row: ArrayViewMut1<'_, S>, sums: &[&[A::Row]], bias: A::Row) {
    for (turn, of_turn) in sums.iter().enumerate().take(row.len()) {
        let every = row.slice_axis_mut(Axis(0), Slice::new(turn.cast_signed(), None, sums.len().cast_signed()));
        every.into_iter().zip(*of_turn).for_each(|(to, &sum)| to.put(sum + bias));
    }
}

/// Interleaves rows of sums into a row and adds `bias` to each.
fn join_turns<A: FloatElement, S: Slot<A>>(mut row: ArrayViewMut1<'_, S>, sums: &[&[A::Row]], bias: A::Row, backend: Backend) {
    match row.as_slice_mut() {
        Some(row) => S::join(row, sums, bias, backend),
        None => put_turns(row, sums, bias),
    }
}

/// Interleaves rows of sums into a row of each channel. `rows` is channels × pixels. `sums` has the rows of the first channel, one for each
/// phase; those of the next channel begin `pitch` elements later. `bias` has a number for each channel, or is empty.
pub(super) fn put_rows<A: FloatElement, S: Slot<A>>(
    rows: ArrayViewMut2<'_, S>,
    sums: &[&[A::Row]],
    pitch: usize,
    bias: &[A::Row],
    backend: Backend,
) {
    let mut turns = Vec::with_capacity(sums.len());
    for (channel, row) in rows.into_outer_iter_mut().enumerate() {
        turns.clear();
        turns.extend(sums.iter().map(|sums| &sums[channel * pitch..]));
        let bias = bias.get(channel).copied().unwrap_or_else(A::Row::neg_zero); // which changes no sum
        join_turns(row, &turns, bias, backend);
    }
}

/// Stores sums into an output whose channels are last, as those of the sums are.
pub(super) fn put_pixels<A: FloatElement, S: Slot<A>>(out: ArrayViewMut2<'_, S>, sums: &[A::Row], bias: &[A::Row]) {
    let channels = out.dim().0;
    for (mut pixel, sums) in out.reversed_axes().into_outer_iter_mut().zip(sums.chunks_exact(channels)) {
        let Some(pixel) = pixel.as_slice_mut() else { return };
        if bias.is_empty() {
            pixel.iter_mut().zip(sums).for_each(|(to, &sum)| to.put(sum));
        } else {
            pixel.iter_mut().zip(sums).zip(bias).for_each(|((to, &sum), &bias)| to.put(sum + bias));
        }
    }
}

/// The sums of a picture or of a part of it: phases alternate from line to line, and within a line from pixel to pixel.
pub(super) struct Turns<'a, T> {
    /// By phase of the line, then phase of the pixel. Outputs of a phase without sums are 0.
    pub(super) sums: Vec<Option<&'a [T]>>,
    /// Phases of the pixels of a line.
    pub(super) of_line: usize,
    /// From the sums of a line to those of the next line of the same phase.
    pub(super) pitch: usize,
}

/// Interleaves them into a picture and adds `bias` to each.
pub(super) fn put_picture<A: FloatElement, S: Slot<A>>(
    turns: &Turns<'_, A::Row>,
    mut picture: ArrayViewMut2<'_, S>,
    bias: A::Row,
    backend: Backend,
) {
    let &Turns { ref sums, of_line, pitch } = turns;
    let zeros = vec![A::Row::zero(); if sums.contains(&None) { picture.dim().1 } else { 0 }];
    let mut turns: Vec<&[A::Row]> = Vec::with_capacity(of_line);
    // Lines in their order: memory is written fastest from front to back.
    for (line, row) in picture.outer_iter_mut().enumerate() {
        let (turn, start) = (line % (sums.len() / of_line), line / (sums.len() / of_line) * pitch);
        turns.clear();
        turns.extend(sums[turn * of_line..][..of_line].iter().map(|sums| sums.map_or(zeros.as_slice(), |sums| &sums[start..])));
        join_turns(row, &turns, bias, backend);
    }
}

/// Interleaves sums that lie column by column: beside each other are the sums of one pixel of all lines of a phase, those of the first line
/// of every picture, then of the second. `turns.pitch` is the distance from a pixel to the next of the same phase; `column` the number of
/// lines of a phase in all pictures, rounded up. `scratch` has room for twice `column` × width.
pub(super) fn put_columns<A: FloatElement, S: Slot<A>>(
    turns: &Turns<'_, A::Row>,
    mut pictures: ArrayViewMut3<'_, S>,
    column: usize,
    bias: A::Row,
    scratch: &mut [A::Row],
    backend: Backend,
) {
    let &Turns { ref sums, of_line, pitch } = turns;
    let (count, height, width) = pictures.dim();
    let (period, (lines, pixels)) = (sums.len() / of_line, scratch.split_at_mut(column * width));
    for (turn, sums) in sums.chunks_exact(of_line).enumerate().take(height) {
        for pixel in 0..width {
            let (place, sums) = (pixel / of_line, sums[pixel % of_line]);
            let to = &mut pixels[pixel * column..][..pitch];
            match sums {
                Some(sums) => to.copy_from_slice(&sums[place * pitch..][..pitch]),
                None => to.fill(A::Row::zero()),
            }
        }
        backend.run(Transpose { from: pixels, from_pitch: column, rows: width, columns: column, to: &mut *lines, to_pitch: width });
        for (number, mut picture) in pictures.outer_iter_mut().enumerate() {
            let of_turn = picture.outer_iter_mut().skip(turn).step_by(period);
            for (line, mut row) in of_turn.enumerate() {
                let sums = &lines[(line * count + number) * width..][..width];
                match row.as_slice_mut() {
                    Some(row) => row.iter_mut().zip(sums).for_each(|(to, &sum)| to.put(sum + bias)),
                    None => put_turns(row, &[sums], bias),
                }
            }
        }
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

    fn join(row: &mut [Self], sums: &[&[A::Row]], bias: A::Row, backend: Backend) {
        if let Some(to) = A::as_rows_mut(row) {
            return backend.run(InterleaveRows { rows: sums, bias, to });
        }
        put_turns(ArrayViewMut1::from(row), sums, bias);
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
    /// How many channels of the chunk.
    pub(crate) channels: usize,
    /// Of each channel of the chunk; empty without bias.
    pub(crate) bias: &'a [T],
    pub(crate) backend: Backend,
}

impl<T: Real> Block<'_, T> {
    /// Writes the part of the output that the block covers. The scratch has room for a line of it.
    pub(crate) fn store<A: FloatElement<Row = T>, S: Slot<A>>(&self, mut out: ArrayViewMut5<'_, S>, scratch: &mut [T]) {
        let channels = out.dim().1;
        if are_last(channels, out.strides()[1]) {
            return self.store_pixels::<A, S>(out, scratch);
        }
        let (_, _, depth, height, width) = out.dim();
        for d in 0..depth {
            let places = self.places(d, [height, width]);
            let mut sums = Vec::with_capacity(places.len());
            for (n, mut picture) in out.outer_iter_mut().enumerate() {
                for (channel, mut volume) in picture.outer_iter_mut().enumerate() {
                    let first = channel * self.strips.sums_len + n * self.strips.sum_strides[0];
                    let of_channel = self.sums.get(first..).unwrap_or_default(); // there are none without taps
                    let bias = self.bias.get(channel).copied().unwrap_or_else(T::neg_zero); // which changes no sum
                    sums.clear();
                    sums.extend(places.iter().map(|place| place.map(|place| &of_channel[place..])));
                    self.store_slice(volume.index_axis_mut(Axis(0), d), &mut sums, bias);
                }
            }
        }
    }

    /// Where the channels of a pixel are side by side: rows of sums become pixels.
    fn store_pixels<A: FloatElement<Row = T>, S: Slot<A>>(&self, mut out: ArrayViewMut5<'_, S>, scratch: &mut [T]) {
        let (pictures, channels, depth, height, width) = out.dim();
        let [_, heights, widths] = &self.phases.axes;
        for (n, d, h) in indices((pictures, depth, height)) {
            for turn in 0..widths.out_stride.min(width) {
                let pixels = out.slice_mut(s![n, .., d, h, turn..;widths.out_stride]);
                let columns = pixels.dim().1;
                if let Some(place) = self.place(d, [h % heights.out_stride, turn]) {
                    let first = place + n * self.strips.sum_strides[0] + h / heights.out_stride * self.strips.sum_strides[2];
                    let (from, from_pitch) = (&self.sums[first..], self.strips.sums_len);
                    let (rows, to, to_pitch) = (channels, &mut *scratch, channels);
                    self.backend.run(Transpose { from, from_pitch, rows, columns, to, to_pitch });
                } else {
                    scratch[..columns * channels].fill(T::zero());
                }
                put_pixels(pixels, scratch, self.bias);
            }
        }
    }

    /// By residue of the line and of the column, where the sums of channel 0 of picture 0 begin, if there are any.
    fn places(&self, d: usize, [height, width]: [usize; 2]) -> Vec<Option<usize>> {
        let [_, heights, widths] = &self.phases.axes;
        let residues = indices((heights.out_stride.min(height), widths.out_stride.min(width)));
        residues.into_iter().map(|(h, w)| self.place(d, [h, w])).collect()
    }

    /// Where the sums of the outputs whose line and column have these residues begin, of channel 0 of picture 0, if there are any.
    fn place(&self, d: usize, [residue_h, residue_w]: [usize; 2]) -> Option<usize> {
        let [depths, heights, widths] = &self.phases.axes;
        let strides = self.strips.sum_strides;
        let phase = [depths.phase_of(d)?, heights.phase_of(residue_h)?, widths.phase_of(residue_w)?];
        let (shift_h, shift_w) = (heights.phases[phase[1]].shift, widths.phases[phase[2]].shift);
        let start = (d / depths.out_stride + depths.phases[phase[0]].shift) * strides[1] + shift_h * strides[2] + shift_w;
        Some(self.phases.slots[self.phases.index(phase)] * self.channels * self.strips.sums_len + start)
    }

    /// Stores a slice of a channel. `sums` are those of each residue of the line and of the column.
    fn store_slice<A: FloatElement<Row = T>, S: Slot<A>>(&self, mut slice: ArrayViewMut2<'_, S>, sums: &mut Vec<Option<&[T]>>, bias: T) {
        let [_, heights, widths] = &self.phases.axes;
        let (width, pitch) = (slice.dim().1, self.strips.sum_strides[2]);
        let of_line = widths.out_stride.min(width);
        if width >= SHORT_LINE {
            let turns = Turns { sums: std::mem::take(sums), of_line, pitch };
            put_picture::<A, S>(&turns, slice, bias, self.backend);
            *sums = turns.sums;
            return;
        }
        for (h, mut line) in slice.outer_iter_mut().enumerate() {
            let (residue, first) = (h % heights.out_stride, h / heights.out_stride * pitch);
            for (w, sums) in sums[residue * of_line..][..of_line].iter().enumerate() {
                let pixels = line.iter_mut().skip(w).step_by(of_line);
                match sums {
                    Some(sums) => pixels.zip(&sums[first..]).for_each(|(pixel, &sum)| pixel.put(sum + bias)),
                    None => pixels.for_each(|pixel| pixel.put(T::zero() + bias)),
                }
            }
        }
    }
}
