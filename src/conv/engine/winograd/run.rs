//! Runs a (transposed) convolution by minimal filtering: for every block of the output the pixels evaluated once, then for each chunk of
//! output channels sixteen matrix products, the way back, and an interleaving store.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView5, ArrayViewMut4, ArrayViewMut5, Axis, indices, s};

use super::tiles::{PlaneSource, Tiles, block_of, blocks_of, tile_counts};
use super::{SOURCES, Scheme, TILE, planes_of};
use crate::conv::engine::phases::{AxisPhase, AxisPhases};
use crate::conv::engine::store::{Slot, Turns, put_columns, put_picture};
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{
    Backend, ELEMENTS, EvaluateTiles, InterpolateTiles, LINE, Layout, Positions, Real, Reserved, StripProduct, lanes, reserve_unless,
    tile_positions, with_scratch,
};
use crate::memory::{Need, grown_bytes};
use crate::tasks;

/// Evaluated pixels that a task keeps at a time, where the summands are many.
const POINTS: usize = 2_500_000;
/// Tiles of a block.
const FEWEST_TILES: usize = 48;
const MOST_TILES: usize = 144;
/// How many pieces of work there should be before the output channels of a block are left together.
const PIECES: usize = 8;
/// With at most this many blocks, filters that have not been evaluated before are evaluated again for each block.
const FEW_BLOCKS: usize = 2;
/// Summands whose points are stored together.
const SEGMENT: usize = 256;
/// A call with fewer products stays on its thread.
const SMALL_WORK: usize = 1 << 17;

/// The filters of a call: evaluated for many calls, or as they are.
pub(crate) enum Filters<'w, A: FloatElement> {
    Packed(&'w [A::Row]),
    Raw(ArrayView5<'w, A>),
}

/// One call.
pub(crate) struct Run<'w, 'x, A: FloatElement> {
    scheme: &'w Scheme,
    filters: Filters<'w, A>,
    source: ArrayView5<'x, A>,
    bias: Vec<A::Row>,
    backend: Backend,
    lanes: usize,
    /// Pictures, rows and columns of positions.
    positions: [usize; 3],
    /// Those of a block; the last ones may have fewer.
    block: [usize; 3],
    /// Chunks of output channels that a piece of work computes at most.
    part: usize,
    threads: bool,
}

/// Blocks of batch, groups of channels, height, width.
type Blocks = [Range<usize>; 4];

impl<'w, 'x, A: FloatElement> Run<'w, 'x, A> {
    /// The shapes have been checked: `source` has the scheme's channels, `bias` those of the output.
    pub(crate) fn new(
        scheme: &'w Scheme,
        filters: Filters<'w, A>,
        source: ArrayView5<'x, A>,
        bias: Option<ArrayView1<'_, A>>,
        backend: Backend,
    ) -> Self {
        let lanes = lanes::<A::Row>(backend);
        let [_, height, width] = &scheme.phases.axes;
        let positions = [source.dim().0, height.positions(), width.positions()];
        let room = (POINTS / ELEMENTS / scheme.depth.max(1)).clamp(FEWEST_TILES, MOST_TILES);
        let block = block_of((&scheme.phases, &scheme.axes), positions, room, lanes);
        let channels = &scheme.channels;
        let blocks = blocks_of(positions, block) * channels.groups;
        let part = channels.chunks.div_ceil(PIECES.div_ceil(blocks.max(1))).max(1);
        let products = channels.out * scheme.phases.count() * channels.groups * scheme.depth * ELEMENTS;
        let tiles: usize = tile_counts((&scheme.phases, &scheme.axes), positions).iter().product();
        let threads = products.saturating_mul(tiles) >= SMALL_WORK;
        let bias = bias.map_or_else(Vec::new, |bias| bias.iter().map(|value| value.to_row()).collect());
        Self { scheme, filters, source, bias, backend, lanes, positions, block, part, threads }
    }

    /// Whether evaluating the filters anew for every block is less work than writing all of them to memory.
    pub(crate) fn prefers_raw(&self) -> bool {
        blocks_of(self.positions, self.block) <= FEW_BLOCKS
    }

    /// What a call takes besides packed weights.
    pub(crate) fn need(&self) -> Need {
        match &self.filters {
            Filters::Packed(_) => self.need_of(0, 0),
            Filters::Raw(weight) => self.need_raw(Scheme::packing_lens(weight).iter().sum()),
        }
    }

    /// What a call with filters as they are takes, whose evaluation takes so much for a chunk.
    pub(crate) fn need_raw(&self, packing: usize) -> Need {
        self.need_of(packing, self.scheme.chunk_len(self.scheme.channels.chunk))
    }

    fn need_of(&self, packing: usize, filters: usize) -> Need {
        let channels = &self.scheme.channels;
        let sizes = std::array::from_fn(|axis| self.block[axis].min(self.positions[axis]));
        let block = Block { run: self, group: 0, tiles: self.tiles(sizes), start: [0; 3] };
        let inside = block.tiles.planes_len().max(block.product_lens(channels.chunk).iter().sum::<usize>() + filters);
        let lists = 2 * grown_bytes::<usize>(self.scheme.depth) + block.tiles.all() * (size_of::<usize>() + size_of::<Positions>());
        let lists = lists + PlaneSource::list_bytes(planes_of(&self.scheme.axes), &block.tiles);
        let held = if channels.chunks > self.part { blocks_of(self.positions, self.block) * channels.groups } else { 1 };
        let need = Need { list_bytes: lists, held, ..Need::of_buffers([block.most_points_len(), inside, packing], self.threads) };
        need.with_shared(channels.out * channels.groups * size_of::<A::Row>())
    }

    fn tiles(&self, sizes: [usize; 3]) -> Tiles {
        Tiles::new((&self.scheme.phases, &self.scheme.axes), sizes, self.lanes, tile_positions::<A::Row>(self.backend))
    }

    /// Computes the whole output, whose shape has been checked; an [`Error`] where there is no memory for that, unless the caller has
    /// `reserved` it.
    pub(crate) fn run<S: Slot<A>>(&self, out: ArrayViewMut5<'_, S>, reserved: Option<&Reserved>) -> Result<(), Error> {
        if out.is_empty() {
            return Ok(());
        }
        let _own = reserve_unless::<A::Row>(reserved, || self.need())?;
        let [n, h, w] = std::array::from_fn(|axis| 0..self.positions[axis].div_ceil(self.block[axis]));
        self.divide(out, [n, 0..self.scheme.channels.groups, h, w]);
        Ok(())
    }

    fn join(&self, first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
        tasks::join_if(self.threads, first, second);
    }

    /// Halves the axis that has the most blocks until one is left. `out` is the piece of the output that the blocks cover.
    fn divide<S: Slot<A>>(&self, out: ArrayViewMut5<'_, S>, blocks: Blocks) {
        let longest = blocks.iter().enumerate().rev().max_by_key(|(_, range)| range.len());
        let Some((axis, range)) = longest.filter(|(_, range)| range.len() > 1) else {
            return self.block(out.index_axis_move(Axis(2), 0), blocks.map(|range| range.start));
        };
        let middle = range.start + range.len() / 2;
        let at = self.first_output(axis, middle) - self.first_output(axis, range.start);
        let (mut left, mut right) = (blocks.clone(), blocks.clone());
        left[axis].end = middle;
        right[axis].start = middle;
        let (out_left, out_right) = out.split_at(Axis([0, 1, 3, 4][axis]), at);
        self.join(|| self.divide(out_left, left), || self.divide(out_right, right));
    }

    /// The first output of a block on an axis.
    fn first_output(&self, axis: usize, block: usize) -> usize {
        match axis {
            0 => block * self.block[0],
            1 => block * self.scheme.channels.out,
            _ => block * self.block[axis - 1] * self.scheme.phases.axes[axis - 1].out_stride,
        }
    }

    fn block<S: Slot<A>>(&self, out: ArrayViewMut4<'_, S>, [n, group, h, w]: [usize; 4]) {
        let channels = &self.scheme.channels;
        let ranges: [Range<usize>; 3] = std::array::from_fn(|axis| {
            let start = [n, h, w][axis] * self.block[axis];
            start..(start + self.block[axis]).min(self.positions[axis])
        });
        let tiles = self.tiles(ranges.each_ref().map(|range| range.len()));
        let block = Block { run: self, group, tiles, start: ranges.each_ref().map(|range| range.start) };
        with_scratch(block.points_len(), |points: &mut [A::Row]| {
            block.evaluate(0..block.segments(), channels.chunks > self.part, points);
            block.chunks(0..channels.chunks, points, out);
        });
    }
}

/// A block of the output, in one group of channels.
struct Block<'r, 'w, 'x, A: FloatElement> {
    run: &'r Run<'w, 'x, A>,
    group: usize,
    tiles: Tiles,
    /// The first picture, row and column of positions.
    start: [usize; 3],
}

impl<A: FloatElement> Block<'_, '_, '_, A> {
    /// Planes of a source channel.
    fn planes(&self) -> usize {
        planes_of(&self.run.scheme.axes)
    }

    /// Source channels whose points are stored together: by point, panel of tiles, summand, tile.
    fn segment_channels(&self) -> usize {
        (SEGMENT / self.planes() / SOURCES).max(1) * SOURCES
    }

    fn segments(&self) -> usize {
        self.run.scheme.channels.source.div_ceil(self.segment_channels())
    }

    /// From one point of a segment to the next. Were they a power of two apart, all would fall into the same lines of the cache.
    fn point_len(&self) -> usize {
        self.tiles.panels() * self.panel_len() + LINE / size_of::<A::Row>()
    }

    /// From one panel to the next.
    fn panel_len(&self) -> usize {
        self.segment_channels() * self.planes() * self.tiles.panel
    }

    fn segment_len(&self) -> usize {
        ELEMENTS * self.point_len()
    }

    /// All pixels of the block at the points.
    fn points_len(&self) -> usize {
        self.segments() * self.segment_len()
    }

    /// The same of this block or a smaller one.
    fn most_points_len(&self) -> usize {
        let of_point = self.segment_channels() * self.planes() * self.tiles.most_of_summand() + LINE / size_of::<A::Row>();
        self.segments() * ELEMENTS * of_point
    }

    /// The products of a number of output channels, and the outputs of one.
    fn product_lens(&self, channels: usize) -> [usize; 2] {
        let phases = self.run.scheme.phases.count();
        [ELEMENTS * phases * channels * self.tiles.pitch, phases * self.tiles.outputs_len() + self.together_len()]
    }

    /// Rows of outputs by pixel and by tile, where tiles below each other are stored together.
    fn together_len(&self) -> usize {
        let width = self.run.block[2] * self.run.scheme.phases.axes[2].out_stride;
        if self.tiles.is_by_column() { 2 * width * self.tiles.column_pitch() + self.run.lanes } else { 0 }
    }

    /// The pixels of the source channels at the points.
    fn evaluate(&self, segments: Range<usize>, threads: bool, points: &mut [A::Row]) {
        if segments.len() > 1 {
            let middle = segments.start + segments.len() / 2;
            let (left, right) = points.split_at_mut((middle - segments.start) * self.segment_len());
            let (first, second) = (segments.start..middle, middle..segments.end);
            if threads {
                self.run.join(|| self.evaluate(first, threads, left), || self.evaluate(second, threads, right));
            } else {
                self.evaluate(first, threads, left);
                self.evaluate(second, threads, right);
            }
            return;
        }
        let channels = segments.start * self.segment_channels()..segments.end * self.segment_channels();
        self.evaluate_segment(channels.start..channels.end.min(self.run.scheme.channels.source), points);
    }

    fn evaluate_segment(&self, channels: Range<usize>, points: &mut [A::Row]) {
        let (scheme, tiles) = (self.run.scheme, &self.tiles);
        let ((rows, width), elements) = (tiles.rows(), tiles.elements());
        let sources = PlaneSource::of_all(&scheme.axes, tiles, self.start, &self.run.source);
        with_scratch(tiles.planes_len(), |planes: &mut [A::Row]| {
            let first = scheme.summand(channels.start, 0);
            for channel in channels {
                let of_all = self.group * scheme.channels.source + channel;
                if channel + 1 < scheme.channels.source {
                    tiles.prefetch(self.start, &self.run.source, of_all + 1);
                }
                for (plane, source) in sources.iter().enumerate() {
                    source.fill(&self.run.source, of_all, self.run.backend, planes);
                    let start = (scheme.summand(channel, plane) - first) * tiles.panel;
                    let (planes, out, rows) = (&planes[source.begin..], &mut points[start..], rows.as_slice());
                    let (panel, pitch, panel_pitch) = (tiles.panel, self.point_len(), self.panel_len());
                    self.run.backend.run(EvaluateTiles { planes, elements, rows, width, out, panel, pitch, panel_pitch });
                }
            }
        });
    }

    /// Some chunks of output channels, halved until a piece of work has few enough.
    fn chunks<S: Slot<A>>(&self, chunks: Range<usize>, points: &[A::Row], mut out: ArrayViewMut4<'_, S>) {
        let channels = &self.run.scheme.channels;
        if chunks.len() > self.run.part {
            let middle = chunks.start + chunks.len() / 2;
            let (left, right) = out.split_at(Axis(1), (middle - chunks.start) * channels.chunk);
            return self.run.join(|| self.chunks(chunks.start..middle, points, left), || self.chunks(middle..chunks.end, points, right));
        }
        let first = channels.chunk_range(chunks.start).start;
        for chunk in chunks {
            let range = channels.chunk_range(chunk);
            self.chunk(chunk, points, out.slice_mut(s![.., range.start - first..range.end - first, .., ..]));
        }
    }

    /// One chunk of output channels.
    fn chunk<S: Slot<A>>(&self, chunk: usize, points: &[A::Row], out: ArrayViewMut4<'_, S>) {
        let (scheme, tiles) = (self.run.scheme, &self.tiles);
        let range = scheme.channels.chunk_range(chunk);
        let [products_len, outputs_len] = self.product_lens(range.len());
        let raw_len = if matches!(self.run.filters, Filters::Raw(_)) { scheme.chunk_len(range.len()) } else { 0 };
        with_scratch(products_len + outputs_len + raw_len, |scratch: &mut [A::Row]| {
            let (products, rest) = scratch.split_at_mut(products_len);
            let (outputs, raw) = rest.split_at_mut(outputs_len);
            let weights = match &self.run.filters {
                Filters::Packed(points) => scheme.of_chunk(points, self.group, chunk),
                Filters::Raw(weight) => {
                    scheme.pack_chunk(weight, self.group, chunk, self.run.backend, raw);
                    raw
                }
            };
            self.multiply(weights, range.len(), points, products);
            let channel = self.group * scheme.channels.out + range.start;
            let bias = self.run.bias.get(channel..channel + range.len()).unwrap_or_default();
            Finish { scheme, tiles, backend: self.run.backend, products, bias }.store(out, outputs);
        });
    }

    /// The rows and columns of tiles whose products at a point a phase needs.
    fn needed(&self, point: usize, phase: usize) -> [Range<usize>; 2] {
        let [_, heights, widths] = &self.run.scheme.phases.axes;
        let (row, column) = (phase / widths.phases.len(), phase % widths.phases.len());
        let rows = self.tiles.needed(0, point / TILE, heights.phases[row].shift);
        [rows, self.tiles.needed(1, point % TILE, widths.phases[column].shift)]
    }

    /// The products of some rows at every point.
    fn multiply(&self, weights: &[A::Row], channels: usize, points: &[A::Row], products: &mut [A::Row]) {
        let (scheme, tiles) = (self.run.scheme, &self.tiles);
        let pitch = tiles.pitch;
        let of_segment = self.segment_channels() * self.planes();
        let offset = |summand: usize| summand / of_segment * self.segment_len() + summand % of_segment * tiles.panel;
        let mut offsets = Vec::with_capacity(scheme.depth);
        let mut live_planes: Option<&[Option<usize>]> = None;
        let from = |start: usize| start / tiles.panel * self.panel_len() + start % tiles.panel;
        let mut positions = Vec::with_capacity(tiles.all().div_ceil(self.run.lanes));
        let of_phase = weights.chunks_exact(channels * scheme.pitch()).zip(products.chunks_exact_mut(channels * pitch));
        for (number, (weights, sums)) in of_phase.enumerate() {
            let (point, phase) = (number / scheme.phases.count(), number % scheme.phases.count());
            let live = &scheme.live[point];
            if !live.phases[phase] {
                sums.fill(A::Row::default());
                continue;
            }
            if live_planes.is_none_or(|planes| planes != live.planes) {
                live_planes = Some(&live.planes);
                offsets.clear();
                scheme.each_summand(live, |summand| offsets.push(offset(summand)));
            }
            let [rows, columns] = self.needed(point, phase);
            positions.clear();
            tiles.each_vector(&rows, &columns, |start| positions.push(Positions { from: from(start), to: start }));
            let layout = Layout::Panels { depth: scheme.pitch(), first: 0 };
            let (rows, offsets, positions, strip) =
                (channels, offsets.as_slice(), positions.as_slice(), &points[point * self.point_len()..]);
            StripProduct { weights, layout, rows, offsets, strip, positions, sums, pitch, accumulate: false }.run(self.run.backend);
        }
    }
}

/// The way back, for the products of some output channels.
struct Finish<'a, T> {
    scheme: &'a Scheme,
    tiles: &'a Tiles,
    backend: Backend,
    products: &'a [T],
    bias: &'a [T],
}

impl<T: Real> Finish<'_, T> {
    /// Writes the channels' piece of the output.
    fn store<A: FloatElement<Row = T>, S: Slot<A>>(&self, mut out: ArrayViewMut4<'_, S>, outputs: &mut [T]) {
        let channels = out.dim().1;
        let (outputs, together) = outputs.split_at_mut(self.scheme.phases.count() * self.tiles.outputs_len());
        for channel in 0..channels {
            let bias = self.bias.get(channel).copied().unwrap_or_else(T::neg_zero); // which changes no sum
            for (phase, outputs) in (0..self.scheme.phases.count()).zip(outputs.chunks_exact_mut(self.tiles.outputs_len())) {
                self.interpolate(phase * channels + channel, self.scheme.phases.count() * channels, outputs);
            }
            let mut pictures = out.index_axis_mut(Axis(1), channel);
            if self.tiles.is_by_column() {
                let (turns, column) = (self.turns(outputs, 0), self.tiles.column_pitch());
                put_columns::<A, S>(&turns, pictures, column, bias, together, self.backend);
                continue;
            }
            for (n, picture) in pictures.outer_iter_mut().enumerate() {
                let turns = self.turns(outputs, n);
                put_picture::<A, S>(&turns, picture, bias, self.backend);
            }
        }
    }

    /// The outputs of a picture, or of the first column of tiles of all.
    fn turns<'o>(&self, outputs: &'o [T], n: usize) -> Turns<'o, T> {
        let [_, heights, widths] = &self.scheme.phases.axes;
        let [height, width] = self.tiles.sizes;
        let of_line = widths.out_stride * width;
        let mut sums = vec![None; heights.out_stride * height * of_line];
        for (phase_h, row) in indices((heights.phases.len(), height)) {
            let (line, skipped_rows) = first_output(heights, phase_h, row, height);
            for (phase_w, column) in indices((widths.phases.len(), width)) {
                let (pixel, skipped) = first_output(widths, phase_w, column, width);
                let outputs = &outputs[self.scheme.phases.index([0, phase_h, phase_w]) * self.tiles.outputs_len()..];
                let tile = self.tiles.number([n, skipped_rows, skipped]);
                sums[line * of_line + pixel] = Some(&outputs[(row * width + column) * self.tiles.pitch + tile..]);
            }
        }
        let next = if self.tiles.is_by_column() { [0, 0, 1] } else { [0, 1, 0] };
        Turns { sums, of_line, pitch: self.tiles.number(next) }
    }

    /// One of `rows` rows of products back to outputs.
    fn interpolate(&self, row: usize, rows: usize, out: &mut [T]) {
        let (out_pitch, tiles, pitch) = (self.tiles.pitch, self.tiles.all(), rows * self.tiles.pitch);
        let products = &self.products[row * out_pitch..];
        match self.tiles.sizes {
            [2, 2] => self.backend.run(InterpolateTiles::<T, 2, 2> { products, pitch, tiles, out, out_pitch }),
            [2, 3] => self.backend.run(InterpolateTiles::<T, 2, 3> { products, pitch, tiles, out, out_pitch }),
            [3, 2] => self.backend.run(InterpolateTiles::<T, 3, 2> { products, pitch, tiles, out, out_pitch }),
            _ => self.backend.run(InterpolateTiles::<T, 3, 3> { products, pitch, tiles, out, out_pitch }),
        }
    }
}

/// The first output that is at place `at` of a tile, and how many tiles before its own have none: positions before the shift are no
/// outputs.
fn first_output(axis: &AxisPhases, phase: usize, at: usize, outputs: usize) -> (usize, usize) {
    let AxisPhase { residue, shift, .. } = axis.phases[phase];
    let skipped = usize::from(at < shift);
    (axis.out_stride * (at + skipped * outputs - shift) + residue, skipped)
}
