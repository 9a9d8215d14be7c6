//! A row of pixels of several channels, zero-padded, a row for each channel, whichever of the two is contiguous in memory.

use std::ops::Range;

use ndarray::{ArrayView2, s};

use super::load::copy_row;
use crate::element::FloatElement;
use crate::kernels::{Backend, Transpose};

/// Copies the pixels `first`, `first + step`, … of some channels (`from` is all channels × pixels), `len` of them, and writes 0 for those
/// outside. The rows of the channels are `pitch` apart.
pub(super) fn copy_rows<A: FloatElement>(
    from: &ArrayView2<'_, A>,
    channels: Range<usize>,
    (first, step): (isize, usize),
    len: usize,
    backend: Backend,
    to: &mut [A::Row],
    pitch: usize,
) {
    if step != 1 || !are_last(from) {
        let rows = from.slice(s![channels, ..]);
        for (from, to) in rows.outer_iter().zip(to.chunks_mut(pitch)) {
            copy_row(from, first, step, backend, &mut to[..len]);
        }
        return;
    }
    let (before, start) = (first.min(0).unsigned_abs().min(len), first.max(0).cast_unsigned().min(from.dim().1));
    let count = (from.dim().1 - start).min(len - before);
    for row in to.chunks_mut(pitch).take(channels.len()) {
        row[..before].fill(A::Row::default());
        row[before + count..len].fill(A::Row::default());
    }
    if count > 0 {
        copy_pixels(&from.slice(s![.., start..start + count]), channels, backend, &mut to[before..], pitch);
    }
}

/// Whether the channels of a pixel are neighbours in memory.
pub(super) fn are_last<A>(row: &ArrayView2<'_, A>) -> bool {
    row.strides()[0] == 1 && row.dim().0 > 1
}

/// Pixels whose channels come last: columns become rows.
fn copy_pixels<A: FloatElement>(from: &ArrayView2<'_, A>, channels: Range<usize>, backend: Backend, to: &mut [A::Row], to_pitch: usize) {
    let ((from_pitch, rows), columns) = (from.dim(), channels.len());
    let pixels = from.view().reversed_axes();
    match pixels.to_slice().and_then(A::as_rows) {
        Some(all) => backend.run(Transpose { from: &all[channels.start..], from_pitch, rows, columns, to, to_pitch }),
        None => {
            for (place, pixel) in pixels.slice(s![.., channels]).outer_iter().enumerate() {
                pixel.iter().enumerate().for_each(|(channel, value)| to[channel * to_pitch + place] = value.to_row());
            }
        }
    }
}
