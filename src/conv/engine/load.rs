//! Copying pixels of the input into strips.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayView5, Axis, indices, s};

use super::strips::Strips;
use crate::element::FloatElement;
use crate::kernels::{Backend, InstructionSet, Kernel, Real, StridedCopy, Transpose, prefetch, strided_copy};

impl Strips {
    /// Bytes of the lists that filling a block makes.
    pub(crate) fn fill_list_bytes(&self) -> usize {
        let spans = self.planes[2].origins.len();
        spans
            .saturating_mul(size_of::<Span>())
            .saturating_add(self.lines().saturating_mul(size_of::<RowCopy>() + size_of::<Range<usize>>()))
    }

    /// Rows of a channel's strip.
    fn lines(&self) -> usize {
        self.channel_len / self.strides[2].max(1)
    }

    /// Copies the pixels that a block reads, one channel after the other. The block has `size` positions from `start` on.
    pub(crate) fn fill<A: FloatElement>(
        &self,
        source: &ArrayView5<'_, A>,
        channels: Range<usize>,
        start: [usize; 4],
        size: [usize; 4],
        backend: Backend,
        strip: &mut [A::Row],
    ) {
        let (step, width) = (self.source_strides[2], source.dim().4);
        let (first, len) = (step * start[3], self.computed(size)[3] + self.planes[2].halo);
        let origins = self.planes[2].origins.iter();
        let spans: Vec<Span> = origins.map(|&w0| Span::new(w0 + first.cast_signed(), step, len, width)).collect();
        // Where the channels of a pixel are side by side, all together.
        if are_last(source.dim().1, source.strides()[1]) {
            return self.fill_channels::<A, true>(source, channels, (start, size), &spans, backend, strip);
        }
        if let Some(all) = source.to_slice().and_then(A::as_rows) {
            let copies = Copies::new(self, source.dim(), (start, size), &spans);
            return backend.run(CopyChannels { copies, all, channels, channel_len: self.channel_len, strip });
        }
        for (channel, of_channel) in channels.zip(strip.chunks_exact_mut(self.channel_len.max(1))) {
            self.fill_channels::<A, false>(source, channel..channel + 1, (start, size), &spans, backend, of_channel);
        }
    }
}

/// The copies of a channel of a contiguous source, listed once for all channels: finding a short row takes longer than copying it.
struct Copies {
    rows: Vec<RowCopy>,
    /// Distance between the pixels of a row.
    step: usize,
    /// Ranges of the strip that are outside the input and become 0; the whole strip where rows begin or end outside.
    zeros: Vec<Range<usize>>,
    /// Pixels of a source channel.
    channel: usize,
}

/// Neighbouring pixels of a row, or of several rows that are contiguous in the source and in the strip.
struct RowCopy {
    /// The first one, in channel 0 of the source.
    from: usize,
    /// Its place in the channel's strip.
    to: usize,
    count: usize,
}

impl Copies {
    fn new(
        strips: &Strips,
        (_, channels, depth, height, width): (usize, usize, usize, usize, usize),
        (start, size): ([usize; 4], [usize; 4]),
        spans: &[Span],
    ) -> Self {
        let len: [usize; 3] = std::array::from_fn(|axis| strips.computed(size)[axis + 1] + strips.planes[axis].halo);
        let [depths, heights, _] = strips.planes.each_ref().map(|axis| axis.origins.as_slice());
        let first = |axis: usize, origin: isize| origin + (strips.source_strides[axis] * start[axis + 1]).cast_signed();
        let (channel, step) = (depth * height * width, strips.source_strides[2]);
        let zeroed = spans.iter().any(|span| span.count < len[2]);
        let lines = strips.lines();
        let mut rows: Vec<RowCopy> = Vec::with_capacity(lines);
        let mut zeros: Vec<Range<usize>> = Vec::with_capacity(if zeroed { 1 } else { lines });
        if zeroed {
            zeros.push(0..strips.channel_len);
        }
        for (plane, (d0, h0, span)) in indices((depths.len(), heights.len(), spans.len())).into_iter().enumerate() {
            let (plane, d0, h0, span) = (plane * strips.plane_len, depths[d0], heights[h0], &spans[span]);
            for (n, d, h) in indices((size[0], len[0], len[1])) {
                let to = plane + n * strips.strides[0] + d * strips.strides[1] + h * strips.strides[2];
                let d = inside(first(0, d0), d * strips.source_strides[0], depth);
                let h = inside(first(1, h0), h * strips.source_strides[1], height);
                let Some((d, h)) = d.zip(h) else {
                    if !zeroed {
                        zeros.push(to..to + len[2]);
                    }
                    continue;
                };
                let from = (start[0] + n) * channels * channel + (d * height + h) * width + span.start;
                let (to, count) = (to + span.before, span.count);
                match rows.last_mut() {
                    Some(last) if step == 1 && (last.from + last.count, last.to + last.count) == (from, to) => last.count += count,
                    _ if count == 0 => {}
                    _ => rows.push(RowCopy { from, to, count }),
                }
            }
        }
        Self { rows, step, zeros, channel }
    }
}

/// Copies the strips of some channels, one after the other.
struct CopyChannels<'a, T> {
    copies: Copies,
    /// The whole source.
    all: &'a [T],
    channels: Range<usize>,
    channel_len: usize,
    strip: &'a mut [T],
}

impl<T: Real> Kernel for CopyChannels<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { copies: Copies { rows, step, zeros, channel }, all, channels, channel_len, strip } = self;
        for (number, to) in channels.zip(strip.chunks_exact_mut(channel_len.max(1))) {
            for zeros in &zeros {
                to[zeros.clone()].fill(T::zero());
            }
            let (of_channel, next) = (&all[number * channel..], all.get((number + 1) * channel..).unwrap_or_default());
            for &RowCopy { from, to: at, count } in &rows {
                let extent = (count - 1) * step + 1;
                prefetch(next.get(from..from + extent).unwrap_or_default());
                let (from, to) = (&of_channel[from..from + extent], &mut to[at..at + count]);
                if step == 1 { copy_short(from, to) } else { strided_copy(from, step, to) }
            }
        }
    }
}

/// Copies a row. Most are a few registers long, for which a call of `memcpy` would take longer than the copy.
#[inline(always)]
fn copy_short<T: Copy>(from: &[T], to: &mut [T]) {
    const GROUP: usize = 8;
    /// Longer rows are copied by `memcpy`.
    const SHORT: usize = 16 * GROUP;
    let len = to.len();
    match len {
        ..GROUP => to.iter_mut().zip(from).for_each(|(to, &from)| *to = from),
        GROUP..=SHORT => {
            let (groups, _) = from.as_chunks::<GROUP>();
            let (to_groups, _) = to.as_chunks_mut::<GROUP>();
            for (to, from) in to_groups.iter_mut().zip(groups) {
                *to = *from;
            }
            // The last group is moved to end with the row.
            to[len - GROUP..].copy_from_slice(&from[len - GROUP..]);
        }
        _ => to.copy_from_slice(from),
    }
}

impl Strips {
    fn fill_channels<'a, A: FloatElement, const TOGETHER: bool>(
        &self,
        source: &'a ArrayView5<'_, A>,
        channels: Range<usize>,
        (start, size): ([usize; 4], [usize; 4]),
        spans: &[Span],
        backend: Backend,
        strip: &mut [A::Row],
    ) {
        let computed = self.computed(size);
        let len: [usize; 3] = std::array::from_fn(|axis| computed[axis + 1] + self.planes[axis].halo);
        let [depths, heights, _] = self.planes.each_ref().map(|axis| axis.origins.as_slice());
        let strip = &mut strip[..channels.len() * self.channel_len];
        let zeroed = TOGETHER || spans.iter().any(|span| span.count < len[2]);
        if zeroed {
            strip.fill(A::Row::default());
        }
        let first = |axis: usize, origin: isize| origin + (self.source_strides[axis] * start[axis + 1]).cast_signed();
        for (line, (d0, h0)) in indices((depths.len(), heights.len())).into_iter().enumerate() {
            let (first_plane, d0, h0) = (line * self.plane_len * spans.len(), depths[d0], heights[h0]);
            for n in 0..size[0] {
                let picture = source.index_axis(Axis(0), start[0] + n);
                let volume = picture.index_axis_move(Axis(0), channels.start);
                let next = (channels.end < picture.dim().0).then(|| picture.index_axis_move(Axis(0), channels.end));
                for d in 0..len[0] {
                    let depth = inside(first(0, d0), d * self.source_strides[0], volume.dim().0);
                    for h in 0..len[1] {
                        let line = depth.zip(inside(first(1, h0), h * self.source_strides[1], volume.dim().1));
                        let row_of =
                            |volume: ArrayView3<'a, A>| line.map(|(d, h)| volume.index_axis_move(Axis(0), d).index_axis_move(Axis(0), h));
                        if let Some(next) = next.and_then(row_of) {
                            prefetch(next.to_slice().unwrap_or_default());
                        }
                        // A row is read for all of its planes while it is near.
                        let (from, at) = (row_of(volume), n * self.strides[0] + d * self.strides[1] + h * self.strides[2]);
                        for (number, span) in spans.iter().enumerate() {
                            let to = &mut strip[first_plane + number * self.plane_len + at..];
                            match (from, line) {
                                (Some(from), _) if !TOGETHER => span.copy(from, backend, &mut to[span.before..][..span.count]),
                                (_, Some((d, h))) => {
                                    let pixels = picture.index_axis_move(Axis(1), d).index_axis_move(Axis(1), h);
                                    span.copy_pixels(pixels, channels.clone(), backend, &mut to[span.before..], self.channel_len);
                                }
                                _ if zeroed => {}
                                _ => to[..len[2]].fill(A::Row::default()),
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The pixel `first + steps`, if it is in `0..len`.
pub(super) fn inside(first: isize, steps: usize, len: usize) -> Option<usize> {
    usize::try_from(first + steps.cast_signed()).ok().filter(|&index| index < len)
}

/// The pixels among `first`, `first + step`, … that are inside a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// How many are outside before them.
    pub(super) before: usize,
    start: usize,
    pub(super) count: usize,
    step: usize,
}

impl Span {
    /// Of `len` pixels, in a row of `width`.
    pub(super) fn new(first: isize, step: usize, len: usize, width: usize) -> Self {
        let before = if first < 0 { first.unsigned_abs().div_ceil(step).min(len) } else { 0 };
        let start = (first + (before * step).cast_signed()).max(0).cast_unsigned();
        let count = width.saturating_sub(start).div_ceil(step).min(len - before);
        Self { before, start, count, step }
    }

    /// Copies them to the front of `to`.
    pub(super) fn copy<A: FloatElement>(self, from: ArrayView1<'_, A>, backend: Backend, to: &mut [A::Row]) {
        let Self { start, count, step, .. } = self;
        let to = &mut to[..count];
        match from.to_slice() {
            _ if count == 0 => {}
            Some(from) => copy_every(&from[start..], step, backend, to),
            None => to.iter_mut().zip(from.slice(s![start..;step])).for_each(|(to, from)| *to = from.to_row()),
        }
    }
}

impl Span {
    /// Copies the pixels of some channels to rows that are `pitch` apart. `from` is channels × pixels, channels last in memory.
    fn copy_pixels<A: FloatElement>(
        self,
        from: ArrayView2<'_, A>,
        channels: Range<usize>,
        backend: Backend,
        to: &mut [A::Row],
        pitch: usize,
    ) {
        let Self { start, count, step, .. } = self;
        match from.reversed_axes().to_slice().and_then(A::as_rows).filter(|_| count > 0) {
            Some(all) => {
                let (from, from_pitch) = (&all[start * from.dim().0 + channels.start..], step * from.dim().0);
                backend.run(Transpose { from, from_pitch, rows: count, columns: channels.len(), to, to_pitch: pitch });
            }
            None => {
                for (row, channel) in channels.enumerate() {
                    self.copy(from.index_axis_move(Axis(0), channel), backend, &mut to[row * pitch..]);
                }
            }
        }
    }
}

/// Whether the channels of a pixel are neighbours in memory.
pub(super) fn are_last(channels: usize, stride: isize) -> bool {
    channels > 1 && stride == 1
}

/// Copies the pixels `first`, `first + step`, … and writes 0 for those outside.
pub(super) fn copy_row<A: FloatElement>(from: ArrayView1<'_, A>, first: isize, step: usize, backend: Backend, row: &mut [A::Row]) {
    let span = Span::new(first, step, row.len(), from.len());
    row[..span.before].fill(A::Row::default());
    span.copy(from, backend, &mut row[span.before..]);
    row[span.before + span.count..].fill(A::Row::default());
}

/// Copies the first pixel of every `step`, as many as `to` has room for.
pub(super) fn copy_every<A: FloatElement>(from: &[A], step: usize, backend: Backend, to: &mut [A::Row]) {
    match A::as_rows(from) {
        _ if step == 1 => A::widen(&from[..to.len()], to),
        Some(from) => backend.run(StridedCopy { from, step, to }),
        None => to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, from)| *to = from.to_row()),
    }
}
