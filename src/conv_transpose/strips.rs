//! Zero-padded copies of a piece of the input, small enough for the cache, that the inner loop reads without asking for borders.
//!
//! A *plane* of a strip holds what one tap, or all taps of one residue, read: at position `m` the source pixel
//! `source_stride·m + origin`, or 0 outside the input. Taps of the same plane differ by a shift, so they need no copies of their own.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayView5, Axis, s};

use super::phases::{AxisPhases, Phases, RowGroup};
use crate::element::FloatElement;
use crate::simd::{Backend, InstructionSet, Kernel, Positions, Transpose, prefetch, take_every};

/// Positions that a task computes at a time.
const POSITIONS: usize = 384;
/// Sums that a task keeps at a time, where the rows are many.
const SUMS: usize = 1 << 17;
/// The fewest positions, however many the rows.
const FEWEST_POSITIONS: usize = 48;

/// The planes of one axis.
#[derive(Debug, Clone)]
struct AxisPlanes {
    /// The source pixel of each plane at position 0.
    pub(crate) origins: Vec<isize>,
    /// How far the taps of a plane shift.
    pub(crate) halo: usize,
    source_stride: isize,
    /// Whether every origin has a plane of its own.
    separate: bool,
}

impl AxisPlanes {
    fn new(axis: &AxisPhases, separate: bool) -> Self {
        let source_stride = axis.source_stride.cast_signed();
        let mut origins: Vec<isize> = axis.phases.iter().flat_map(|phase| phase.taps.iter().map(|tap| tap.origin)).collect();
        let mut halo = 0;
        if !separate && let (Some(first), Some(last)) = (origins.iter().min(), origins.iter().max()) {
            let (first, last) = (first.div_euclid(source_stride), last.div_euclid(source_stride));
            halo = (last - first).cast_unsigned();
            origins = origins.iter().map(|origin| origin.rem_euclid(source_stride) + source_stride * first).collect();
        }
        origins.sort_unstable();
        origins.dedup();
        Self { origins, halo, source_stride, separate }
    }

    /// One plane a residue on every axis.
    fn shared(phases: &Phases) -> [Self; 3] {
        phases.axes.each_ref().map(|axis| Self::new(axis, false))
    }

    /// Every sensible choice of planes for the three axes: shared, which needs fewer pixels where taps are many and near, or separate.
    pub(crate) fn choices(phases: &Phases) -> impl Iterator<Item = [Self; 3]> {
        let (shared, apart) = (Self::shared(phases), phases.axes.each_ref().map(|axis| Self::new(axis, true)));
        (0..8_usize).filter_map(move |choice| {
            let separate = [choice & 4 != 0, choice & 2 != 0, choice & 1 != 0];
            // Where the taps of an axis do not shift, planes of their own would be the same planes.
            let sensible = (0..3).all(|axis| !separate[axis] || shared[axis].halo > 0);
            sensible.then(|| std::array::from_fn(|axis| if separate[axis] { apart[axis].clone() } else { shared[axis].clone() }))
        })
    }

    /// The plane that holds what is read from `origin` on, and how far along it.
    fn locate(&self, origin: isize) -> (usize, usize) {
        if self.separate {
            return (self.origins.partition_point(|&plane| plane < origin), 0);
        }
        let first = self.origins.first().map_or(0, |first| first.div_euclid(self.source_stride));
        let shift = origin.div_euclid(self.source_stride) - first;
        let plane = self.origins.partition_point(|&plane| plane < origin - self.source_stride * shift);
        (plane, shift.cast_unsigned())
    }
}

/// How the positions of an operator are cut into blocks, and how the strip and the sums of a block are laid out.
#[derive(Debug, Clone)]
pub(crate) struct Strips {
    planes: [AxisPlanes; 3],
    source_strides: [usize; 3],
    /// Batch and positions of the whole output.
    pub(crate) positions: [usize; 4],
    /// Batch and positions of a block; the last ones may have fewer.
    pub(crate) block: [usize; 4],
    /// How many positions more than outputs a block computes on each axis.
    extension: [usize; 3],
    /// Pixels from one picture, slice, row, pixel of a plane to the next.
    pub(crate) strides: [usize; 4],
    /// Pixels of all planes of a channel.
    pub(crate) channel_len: usize,
    plane_len: usize,
    /// Up to which axis positions are computed as one run, the halo between rows and all.
    run_axis: usize,
    /// From one picture, slice, row, position of the sums to the next.
    pub(crate) sum_strides: [usize; 4],
    /// The length of a row of sums.
    pub(crate) sums_len: usize,
}

impl Strips {
    /// Cuts `batch` pictures for the given rows of sums and products at each position, so that little is computed in vain.
    pub(crate) fn new(phases: &Phases, batch: usize, rows: usize, lanes: usize) -> Self {
        let block = block_of(phases, batch, (SUMS / rows.max(1)).clamp(FEWEST_POSITIONS, POSITIONS));
        let products = phases.tap_count().max(1) * rows / phases.count().max(1);
        let layouts = AxisPlanes::choices(phases)
            .flat_map(|planes| (0..4).map(move |run_axis| Self::with_layout(phases, batch, block, planes.clone(), run_axis, lanes)));
        // A vector of sums takes a cycle a product, a pixel copied about one too.
        let cost = |strips: &Self| (strips.sums_len / lanes).saturating_mul(products).saturating_add(strips.channel_len);
        let best = layouts.min_by_key(cost);
        best.unwrap_or_else(|| Self::with_layout(phases, batch, block, AxisPlanes::shared(phases), 3, lanes))
    }

    /// The layout that copies the fewest pixels, for sums that are not over taps.
    pub(crate) fn with_fewest_pixels(phases: &Phases, batch: usize, block: [usize; 4]) -> Self {
        let layouts = AxisPlanes::choices(phases).map(|planes| Self::with_layout(phases, batch, block, planes, 3, 1));
        let best = layouts.min_by_key(|strips| strips.channel_len);
        best.unwrap_or_else(|| Self::with_layout(phases, batch, block, AxisPlanes::shared(phases), 3, 1))
    }

    /// A layout whose planes are as given and whose runs span the axes from `run_axis` on.
    fn with_layout(phases: &Phases, batch: usize, block: [usize; 4], planes: [AxisPlanes; 3], run_axis: usize, lanes: usize) -> Self {
        let extension: [usize; 3] = std::array::from_fn(|axis| phases.axes[axis].extension());
        let computed = [block[0], block[1] + extension[0], block[2] + extension[1], block[3] + extension[2]];
        // Taps can be so far apart that shared planes would not fit any memory; then the product saturates, and another layout is better.
        let product = |sizes: &[usize]| sizes.iter().fold(1_usize, |product, &size| product.saturating_mul(size));
        let held: [usize; 3] = std::array::from_fn(|axis| computed[axis + 1].saturating_add(planes[axis].halo));
        let strides = [product(&held), product(&held[1..]), held[2], 1];
        let plane_len = product(&[computed[0], strides[0]]);
        let channel_len = product(&planes.each_ref().map(|axis| axis.origins.len())).saturating_mul(plane_len);
        let pitch = run_len(computed, strides, run_axis).checked_next_multiple_of(lanes).unwrap_or(usize::MAX);
        let mut sum_strides = strides;
        let mut sums_len = pitch;
        for axis in (0..run_axis).rev() {
            sum_strides[axis] = sums_len;
            sums_len = sums_len.saturating_mul(computed[axis]);
        }
        let source_strides = std::array::from_fn(|axis| phases.axes[axis].source_stride);
        let [depth, height, width] = &phases.axes;
        let positions = [batch, depth.positions(), height.positions(), width.positions()];
        Self { planes, source_strides, positions, block, extension, strides, channel_len, plane_len, run_axis, sum_strides, sums_len }
    }

    /// The number of blocks on each axis.
    pub(crate) fn blocks(&self) -> [usize; 4] {
        std::array::from_fn(|axis| self.positions[axis].div_ceil(self.block[axis]))
    }

    /// The positions of block `index` on an axis.
    pub(crate) fn block_range(&self, axis: usize, index: usize) -> Range<usize> {
        let start = index * self.block[axis];
        start..(start + self.block[axis]).min(self.positions[axis])
    }

    /// Where what each tap of a row group reads begins in the planes of a channel.
    pub(crate) fn tap_offsets<'a>(&'a self, group: &'a RowGroup) -> impl Iterator<Item = usize> + 'a {
        group.origins.iter().map(|origin| {
            let [(d, d_shift), (h, h_shift), (w, w_shift)] = std::array::from_fn(|axis| self.planes[axis].locate(origin[axis]));
            let plane = (d * self.planes[1].origins.len() + h) * self.planes[2].origins.len() + w;
            plane * self.plane_len + d_shift * self.strides[1] + h_shift * self.strides[2] + w_shift
        })
    }

    /// The positions of a block of `size`, as vectors.
    pub(crate) fn vectors(&self, size: [usize; 4], lanes: usize) -> Vec<Positions> {
        let computed = self.computed(size);
        let len = run_len(computed, self.strides, self.run_axis);
        let outer: [usize; 3] = std::array::from_fn(|axis| if axis < self.run_axis { computed[axis] } else { 1 });
        let mut vectors = Vec::new();
        for n in 0..outer[0] {
            for d in 0..outer[1] {
                for h in 0..outer[2] {
                    let at = |strides: [usize; 4]| n * strides[0] + d * strides[1] + h * strides[2];
                    let (from, to) = (at(self.strides), at(self.sum_strides));
                    vectors.extend((0..len).step_by(lanes).map(|start| Positions { from: from + start, to: to + start }));
                }
            }
        }
        vectors
    }

    /// The positions to compute for a block of `size` outputs.
    fn computed(&self, size: [usize; 4]) -> [usize; 4] {
        let [d, h, w] = self.extension;
        [size[0], size[1] + d, size[2] + h, size[3] + w]
    }

    /// Copies what the block of `size` positions from `start` on reads of `channels`, one channel after the other.
    pub(crate) fn fill<A: FloatElement>(
        &self,
        source: &ArrayView5<'_, A>,
        channels: Range<usize>,
        start: [usize; 4],
        size: [usize; 4],
        backend: Backend,
        strip: &mut [A::Row],
    ) {
        backend.run(Fill { strips: self, source, channels, start, size, strip });
    }
}

/// The copies of some channels for a block.
struct Fill<'a, 'x, A: FloatElement> {
    strips: &'a Strips,
    source: &'a ArrayView5<'x, A>,
    channels: Range<usize>,
    start: [usize; 4],
    size: [usize; 4],
    strip: &'a mut [A::Row],
}

impl<A: FloatElement> Kernel for Fill<'_, '_, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { strips, source, channels, start, size, strip } = self;
        let (step, width) = (strips.source_strides[2], source.dim().4);
        let (first, len) = (step * start[3], strips.computed(size)[3] + strips.planes[2].halo);
        let origins = strips.planes[2].origins.iter();
        let spans: Vec<Span> = origins.map(|&w0| Span::new(w0 + first.cast_signed(), step, len, width)).collect();
        // Where the channels of a pixel are side by side, all together.
        if are_last(source.dim().1, source.strides()[1]) {
            return strips.fill_channels::<A, I, true>(source, channels, (start, size), &spans, strip);
        }
        for (channel, of_channel) in channels.zip(strip.chunks_exact_mut(strips.channel_len.max(1))) {
            strips.fill_channels::<A, I, false>(source, channel..channel + 1, (start, size), &spans, of_channel);
        }
    }
}

impl Strips {
    #[inline(always)]
    fn fill_channels<'a, A: FloatElement, I: InstructionSet, const TOGETHER: bool>(
        &self,
        source: &'a ArrayView5<'_, A>,
        channels: Range<usize>,
        (start, size): ([usize; 4], [usize; 4]),
        spans: &[Span],
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
        let lines = depths.iter().flat_map(|&d0| heights.iter().map(move |&h0| [d0, h0]));
        let first = |axis: usize, origin: isize| origin + (self.source_strides[axis] * start[axis + 1]).cast_signed();
        for ([d0, h0], first_plane) in lines.zip((0..).step_by((self.plane_len * spans.len()).max(1))) {
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
                                (Some(from), _) if !TOGETHER => span.copy(from, &mut to[span.before..][..span.count]),
                                (_, Some((d, h))) => {
                                    let pixels = picture.index_axis_move(Axis(1), d).index_axis_move(Axis(1), h);
                                    span.copy_pixels::<A, I>(pixels, channels.clone(), &mut to[span.before..], self.channel_len);
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

/// Of the pixels `first`, `first + step`, … those that are inside a row.
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
    #[inline(always)]
    pub(super) fn copy<A: FloatElement>(self, from: ArrayView1<'_, A>, to: &mut [A::Row]) {
        let Self { start, count, step, .. } = self;
        let to = &mut to[..count];
        match from.to_slice() {
            _ if count == 0 => {}
            Some(from) => copy_every(&from[start..], step, to),
            None => to.iter_mut().zip(from.slice(s![start..;step])).for_each(|(to, from)| *to = from.to_row()),
        }
    }
}

impl Span {
    /// Copies those of some channels, `from` being all channels × pixels with the channels of a pixel side by side, to rows `pitch` apart.
    #[inline(always)]
    fn copy_pixels<A: FloatElement, I: InstructionSet>(
        self,
        from: ArrayView2<'_, A>,
        channels: Range<usize>,
        to: &mut [A::Row],
        pitch: usize,
    ) {
        let Self { start, count, step, .. } = self;
        match from.reversed_axes().to_slice().and_then(A::as_rows).filter(|_| count > 0) {
            Some(all) => {
                let (from, from_pitch) = (&all[start * from.dim().0 + channels.start..], step * from.dim().0);
                Transpose { from, from_pitch, rows: count, columns: channels.len(), to, to_pitch: pitch }.run::<I>();
            }
            None => {
                for (row, channel) in channels.enumerate() {
                    self.copy(from.index_axis_move(Axis(0), channel), &mut to[row * pitch..]);
                }
            }
        }
    }
}

/// Whether so many channels of a pixel are neighbours in memory.
pub(super) fn are_last(channels: usize, stride: isize) -> bool {
    channels > 1 && stride == 1
}

/// Copies the pixels `first`, `first + step`, … and writes 0 for those outside.
#[inline(always)]
pub(super) fn copy_row<A: FloatElement>(from: ArrayView1<'_, A>, first: isize, step: usize, row: &mut [A::Row]) {
    let span = Span::new(first, step, row.len(), from.len());
    row[..span.before].fill(A::Row::default());
    span.copy(from, &mut row[span.before..]);
    row[span.before + span.count..].fill(A::Row::default());
}

/// Copies the first pixel of every `step`, as many as `to` has room for.
#[inline(always)]
pub(super) fn copy_every<A: FloatElement>(from: &[A], step: usize, to: &mut [A::Row]) {
    match A::as_rows(from) {
        _ if step == 1 => A::widen(&from[..to.len()], to),
        Some(from) => take_every(from, step, to),
        None => to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, from)| *to = from.to_row()),
    }
}

/// How far a run over the axes from `axis` on extends.
fn run_len(computed: [usize; 4], strides: [usize; 4], axis: usize) -> usize {
    (axis..4).fold(1, |len: usize, axis| len.saturating_add((computed[axis] - 1).saturating_mul(strides[axis])))
}

/// Whole rows, then whole slices, then whole pictures, while they fit `positions`; blocks of an axis are as even as can be.
pub(crate) fn block_of(phases: &Phases, batch: usize, positions: usize) -> [usize; 4] {
    let mut room = positions;
    let mut block = [batch, phases.axes[0].positions(), phases.axes[1].positions(), phases.axes[2].positions()];
    for size in block.iter_mut().rev() {
        let whole = (*size).max(1);
        *size = whole.div_ceil(whole.div_ceil(room.max(1)));
        room /= *size;
    }
    block
}
