//! Pixels with their channels side by side, the lanes of the weight gradient.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayView5, Axis, indices, s};

use crate::conv::engine::load::are_last;
use crate::element::FloatElement;
use crate::kernels::{Backend, SQUARE, Transpose};

/// A block of pictures, slices, rows and columns, and the room it is given: what is beyond its ranges is 0.
pub(crate) struct PixelBlock {
    pub(crate) ranges: [Range<usize>; 4],
    pub(crate) room: [usize; 4],
}

impl PixelBlock {
    pub(crate) fn len(&self) -> usize {
        self.room.iter().product()
    }

    /// Scratch for the channels before they are side by side.
    pub(crate) fn rows_len(&self) -> usize {
        SQUARE * self.len()
    }

    /// Copies some channels of the block: by pixel, then channel, `pitch` of them.
    pub(crate) fn fill<A: FloatElement>(
        &self,
        source: &ArrayView5<'_, A>,
        channels: Range<usize>,
        backend: Backend,
        rows: &mut [A::Row],
        pixels: &mut [A::Row],
        pitch: usize,
    ) {
        if are_last(source.dim().1, source.strides()[1]) {
            return self.fill_last(source, channels, pixels, pitch);
        }
        let len = self.len();
        for first in (0..pitch).step_by(SQUARE) {
            let count = SQUARE.min(pitch - first);
            for (channel, row) in (channels.start + first..).zip(rows[..count * len].chunks_exact_mut(len)) {
                if channel < channels.end { self.fill_channel(source, channel, row) } else { row.fill(A::Row::default()) }
            }
            backend.run(Transpose { from: rows, from_pitch: len, rows: count, columns: len, to: &mut pixels[first..], to_pitch: pitch });
        }
    }

    /// Of pixels that have their channels so already.
    fn fill_last<A: FloatElement>(&self, source: &ArrayView5<'_, A>, channels: Range<usize>, pixels: &mut [A::Row], pitch: usize) {
        let ([n, d, h, w], count) = (self.ranges.clone(), channels.len());
        let block = source.slice(s![n, channels, d, h, w]);
        let [pictures, slices, rows, _] = self.room;
        for ((n, d, h), line) in indices((pictures, slices, rows)).into_iter().zip(pixels.chunks_exact_mut(self.room[3] * pitch)) {
            let inside = n < block.dim().0 && d < block.dim().2 && h < block.dim().3;
            let from = if inside { block.slice(s![n, .., d, h, ..]).reversed_axes() } else { ArrayView2::from(&[[]; 0]) };
            let filled = from.dim().0 * pitch;
            for (pixel, to) in from.outer_iter().zip(line.chunks_exact_mut(pitch)) {
                match pixel.to_slice() {
                    Some(pixel) => A::widen(pixel, &mut to[..count]),
                    None => to.iter_mut().zip(pixel).for_each(|(to, from)| *to = from.to_row()),
                }
                to[count..].fill(A::Row::default());
            }
            line[filled..].fill(A::Row::default());
        }
    }

    fn fill_channel<A: FloatElement>(&self, source: &ArrayView5<'_, A>, channel: usize, to: &mut [A::Row]) {
        let [n, d, h, w] = self.ranges.clone();
        let block = source.slice(s![n, channel, d, h, w]);
        let mut lines = to.chunks_exact_mut(self.room[3]);
        for n in 0..self.room[0] {
            for d in 0..self.room[1] {
                for h in 0..self.room[2] {
                    let Some(line) = lines.next() else { return };
                    let inside = n < block.dim().0 && d < block.dim().1 && h < block.dim().2;
                    let count = if inside { block.dim().3 } else { 0 };
                    line[count..].fill(A::Row::default());
                    if inside {
                        let from = block.index_axis(Axis(0), n).index_axis_move(Axis(0), d).index_axis_move(Axis(0), h);
                        match from.to_slice() {
                            Some(from) => A::widen(from, &mut line[..count]),
                            None => line.iter_mut().zip(&from).for_each(|(to, from)| *to = from.to_row()),
                        }
                    }
                }
            }
        }
    }
}
