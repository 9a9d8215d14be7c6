//! F(2, 3) where one side has few channels: a row of tiles at a time, straight from neighbouring pixels and straight to neighbouring
//! outputs.
//!
//! With few rows of products, or few summands, evaluating pixels and the way back cost as much as the products. So tiles are not gathered
//! first: registers hold neighbouring pixels, and those at even and at odd places are parted and joined there.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayView5, ArrayViewMut2, ArrayViewMut3, ArrayViewMut4, ArrayViewMut5, Axis, Slice, s};

use super::{Scheme, TILE};
use crate::conv::engine::channel_rows::copy_rows;
use crate::conv::engine::load::{are_last, inside};
use crate::conv::engine::phases::AxisPhases;
use crate::conv::engine::store::{Slot, put_pixels, put_rows};
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{
    Backend, ELEMENTS, EvaluateLine, InterpolateLine, LINE, Layout, Positions, Reserved, StripProduct, Transpose, lanes, prefetch,
    reserve_unless, with_scratch,
};
use crate::memory::{Need, grown_bytes};
use crate::tasks;

/// Outputs of a tile along an axis.
const OUTPUTS: usize = 2;
/// The most positions of a block along a row: what is evaluated of them stays in the second-level cache.
const COLUMNS: usize = 128;
/// Rows of positions of a block.
const ROWS: usize = 16;
/// A call with fewer products stays on its thread.
const SMALL_WORK: usize = 1 << 17;

/// One call.
pub(crate) struct Lines<'w, 'x, A: FloatElement> {
    scheme: &'w Scheme,
    weights: &'w [A::Row],
    source: ArrayView5<'x, A>,
    bias: Vec<A::Row>,
    backend: Backend,
    /// Pictures, rows and columns of positions, and those of a block.
    positions: [usize; 3],
    block: [usize; 3],
    /// Tiles of a row of a block: whole vectors.
    tiles: usize,
    threads: bool,
}

/// Blocks of batch, groups of channels, height, width.
type Blocks = [Range<usize>; 4];

impl<'w, 'x, A: FloatElement> Lines<'w, 'x, A> {
    /// The shapes have been checked, and the scheme is one [by lines](Scheme::by_lines).
    pub(crate) fn new(
        scheme: &'w Scheme,
        weights: &'w [A::Row],
        source: ArrayView5<'x, A>,
        bias: Option<ArrayView1<'_, A>>,
        backend: Backend,
    ) -> Self {
        let [_, height, width] = &scheme.phases.axes;
        let positions = [source.dim().0, height.positions(), width.positions()];
        let even = |positions: usize, most: usize| positions.div_ceil(positions.div_ceil(most).max(1)).next_multiple_of(OUTPUTS);
        let block = [1, even(positions[1], ROWS), even(positions[2], COLUMNS)];
        let tiles = (block[2] + width.extension()).div_ceil(OUTPUTS).next_multiple_of(lanes::<A::Row>(backend));
        let rows = scheme.channels.out * scheme.phases.count() * scheme.channels.groups;
        let threads = positions.iter().product::<usize>().saturating_mul(rows * scheme.depth * TILE) >= SMALL_WORK;
        let bias = bias.map_or_else(Vec::new, |bias| bias.iter().map(|value| value.to_row()).collect());
        Self { scheme, weights, source, bias, backend, positions, block, tiles, threads }
    }

    /// What a call takes besides the packed weights.
    pub(crate) fn need(&self) -> Need {
        let channels = &self.scheme.channels;
        let of_row = 2 * self.scheme.phases.axes[2].phases.len() * size_of::<&[A::Row]>();
        let list_bytes = 2 * grown_bytes::<usize>(self.scheme.depth) + self.tiles * size_of::<Positions>() + of_row;
        let need = Need { list_bytes, ..Need::of_buffers([self.scratch_lens().iter().sum(), 0, 0], self.threads) };
        need.with_shared(channels.out * channels.groups * size_of::<A::Row>())
    }

    /// Computes the whole output, whose shape has been checked; an [`Error`] where there is no memory for that, unless the caller has
    /// `reserved` it.
    pub(crate) fn run<S: Slot<A>>(&self, out: ArrayViewMut5<'_, S>, reserved: Option<&Reserved>) -> Result<(), Error> {
        if out.is_empty() {
            return Ok(());
        }
        let _own = reserve_unless::<A::Row>(reserved, || self.need())?;
        let [n, h, w] = std::array::from_fn(|axis| 0..self.positions[axis].div_ceil(self.block[axis]));
        self.divide(out.index_axis_move(Axis(2), 0), [n, 0..self.scheme.channels.groups, h, w]);
        Ok(())
    }

    /// Halves the axis that has the most blocks until one is left. `out` is the piece of the output that the blocks cover.
    fn divide<S: Slot<A>>(&self, out: ArrayViewMut4<'_, S>, blocks: Blocks) {
        let longest = blocks.iter().enumerate().rev().max_by_key(|(_, range)| range.len());
        let Some((axis, range)) = longest.filter(|(_, range)| range.len() > 1) else {
            return self.block(out, blocks.map(|range| range.start));
        };
        let middle = range.start + range.len() / 2;
        let at = (middle - range.start)
            * match axis {
                0 => 1,
                1 => self.scheme.channels.out,
                _ => self.block[axis - 1] * self.scheme.phases.axes[axis - 1].out_stride,
            };
        let (mut left, mut right) = (blocks.clone(), blocks.clone());
        left[axis].end = middle;
        right[axis].start = middle;
        let (out_left, out_right) = out.split_at(Axis(axis), at);
        tasks::join_if(self.threads, || self.divide(out_left, left), || self.divide(out_right, right));
    }

    /// From one row of pixels of the ring to the next.
    fn row_pitch(&self) -> usize {
        OUTPUTS * self.tiles + LINE / size_of::<A::Row>()
    }

    /// From one point to the next, of the summands. Were they a power of two apart, all would fall into the same lines of the cache.
    fn points_pitch(&self) -> usize {
        self.scheme.depth * self.tiles + LINE / size_of::<A::Row>()
    }

    /// The same for the products of a number of rows.
    fn products_pitch(&self, rows: usize) -> usize {
        rows * self.tiles + LINE / size_of::<A::Row>()
    }

    /// The numbers of a block: the ring of pixels, summands at the points, products, two rows of outputs of each row of products, and what
    /// is transposed for channels that come last.
    fn scratch_lens(&self) -> [usize; 5] {
        let rows = self.scheme.channels.chunk * self.scheme.phases.count();
        let ring = self.scheme.depth * TILE * self.row_pitch();
        let outputs = OUTPUTS * OUTPUTS * self.tiles * rows;
        let transposed = OUTPUTS * self.tiles * self.scheme.channels.chunk;
        [ring, ELEMENTS * self.points_pitch(), ELEMENTS * self.products_pitch(rows), outputs, transposed]
    }

    fn block<S: Slot<A>>(&self, mut out: ArrayViewMut4<'_, S>, [n, group, h, w]: [usize; 4]) {
        let lens = self.scratch_lens();
        with_scratch(lens.iter().sum(), |scratch: &mut [A::Row]| {
            let (ring, rest) = scratch.split_at_mut(lens[0]);
            let (points, rest) = rest.split_at_mut(lens[1]);
            let (products, rest) = rest.split_at_mut(lens[2]);
            let (outputs, transposed) = rest.split_at_mut(lens[3]);
            let start = [h * self.block[1], w * self.block[2]];
            let block = Block { run: self, n, group, start };
            let computed = out.dim().2.div_ceil(self.scheme.phases.axes[1].out_stride) + self.scheme.phases.axes[1].extension();
            ring.fill(A::Row::default());
            let mut filled = 0;
            for line in 0..computed.div_ceil(OUTPUTS) {
                while filled < OUTPUTS * line + TILE {
                    block.fill_row(filled, ring);
                    filled += 1;
                }
                block.evaluate(line, ring, points);
                for chunk in 0..self.scheme.channels.chunks {
                    let range = self.scheme.channels.chunk_range(chunk);
                    block.expect(line, &out.slice(s![0, range.clone(), .., ..]));
                    block.multiply(chunk, range.len(), points, products);
                    let rows = range.len() * self.scheme.phases.count();
                    block.interpolate(rows, products, outputs);
                    block.store(line, range.start, outputs, transposed, out.slice_mut(s![0, range, .., ..]));
                }
            }
        });
    }
}

/// A block of the output, in one picture and one group of channels.
struct Block<'r, 'w, 'x, A: FloatElement> {
    run: &'r Lines<'w, 'x, A>,
    n: usize,
    group: usize,
    /// The first row and column of positions.
    start: [usize; 2],
}

impl<A: FloatElement> Block<'_, '_, '_, A> {
    /// Copies row `row` of all summands into the ring: by summand, row of the ring.
    fn fill_row(&self, row: usize, ring: &mut [A::Row]) {
        let (run, pitch) = (self.run, self.run.row_pitch());
        let [_, heights, widths] = &run.scheme.phases.axes;
        let [planes_h, planes_w] = run.scheme.axes.each_ref().map(|axis| axis.planes.as_slice());
        let first = |axis: &AxisPhases, origin: isize, start: usize| origin + (axis.source_stride * start).cast_signed();
        let (channels, len) = (run.scheme.channels.source, OUTPUTS * run.tiles + OUTPUTS);
        let picture: ArrayView3<'_, A> = run.source.slice(s![self.n, .., 0, .., ..]);
        let of_group = self.group * channels..(self.group + 1) * channels;
        let summand_pitch = planes_h.len() * planes_w.len() * TILE * pitch;
        for (number_h, &origin_h) in planes_h.iter().enumerate() {
            let first_row = first(heights, origin_h, self.start[0]);
            let row_at =
                |row: usize| inside(first_row, row * heights.source_stride, picture.dim().1).map(|row| picture.index_axis(Axis(1), row));
            for (number_w, &origin_w) in planes_w.iter().enumerate() {
                let to = &mut ring[((number_h * planes_w.len() + number_w) * TILE + row % TILE) * pitch..];
                match row_at(row) {
                    Some(from) => {
                        let steps = (first(widths, origin_w, self.start[1]), widths.source_stride);
                        copy_rows(&from, of_group.clone(), steps, len, run.backend, to, summand_pitch);
                    }
                    None => to.chunks_mut(summand_pitch).for_each(|to| to[..len].fill(A::Row::default())),
                }
            }
            // The rows after next are read after the products of the next.
            if let Some(after_next) = row_at(row + OUTPUTS) {
                prefetch_rows(after_next.slice(s![of_group.clone(), ..]));
            }
        }
    }

    /// The summands of a row of tiles at the points: by point, summand, tile.
    fn evaluate(&self, line: usize, ring: &[A::Row], points: &mut [A::Row]) {
        let (run, tiles, pitch) = (self.run, self.run.tiles, self.run.points_pitch());
        let rows: [usize; TILE] = std::array::from_fn(|row| (OUTPUTS * line + row) % TILE * run.row_pitch());
        for summand in 0..run.scheme.depth {
            let pixels = &ring[summand * TILE * run.row_pitch()..];
            run.backend.run(EvaluateLine { pixels, rows, tiles, out: &mut points[summand * tiles..], pitch });
        }
    }

    /// The products of a chunk of output channels: by point, row, tile.
    fn multiply(&self, chunk: usize, channels: usize, points: &[A::Row], products: &mut [A::Row]) {
        let (run, scheme, tiles) = (self.run, self.run.scheme, self.run.tiles);
        let rows = channels * scheme.phases.count();
        let weights = scheme.of_chunk(run.weights, self.group, chunk);
        let offsets: Vec<usize> = (0..scheme.depth).map(|summand| summand * tiles).collect();
        let vectors = (0..tiles).step_by(lanes::<A::Row>(run.backend));
        let positions: Vec<Positions> = vectors.map(|start| Positions { from: start, to: start }).collect();
        let of_point = weights.chunks_exact(rows * scheme.pitch()).zip(points.chunks_exact(run.points_pitch()));
        for ((weights, strip), sums) in of_point.zip(products.chunks_exact_mut(run.products_pitch(rows))) {
            let layout = Layout::Panels { depth: scheme.pitch(), first: 0 };
            let (offsets, positions) = (offsets.as_slice(), positions.as_slice());
            StripProduct { weights, layout, rows, offsets, strip, positions, sums, pitch: tiles, accumulate: false }.run(run.backend);
        }
    }

    /// Asks for the rows of the output that a row of tiles makes.
    fn expect<S>(&self, line: usize, out: &ArrayView3<'_, S>) {
        let stride = self.run.scheme.phases.axes[1].out_stride;
        let rows = (OUTPUTS * line * stride).min(out.dim().1)..(OUTPUTS * (line + 1) * stride).min(out.dim().1);
        rows.for_each(|row| prefetch_rows(out.index_axis(Axis(1), row)));
    }

    /// The way back: of each row of products, two rows of outputs.
    fn interpolate(&self, rows: usize, products: &[A::Row], outputs: &mut [A::Row]) {
        let (tiles, pitch, len) = (self.run.tiles, self.run.products_pitch(rows), OUTPUTS * self.run.tiles);
        for (row, outputs) in (0..rows).zip(outputs.chunks_exact_mut(OUTPUTS * len)) {
            let (first, second) = outputs.split_at_mut(len);
            self.run.backend.run(InterpolateLine { products: &products[row * tiles..], pitch, tiles, out: [first, second] });
        }
    }

    /// The outputs of a row of tiles into the channels' piece of the output.
    fn store<S: Slot<A>>(&self, line: usize, first: usize, outputs: &[A::Row], scratch: &mut [A::Row], mut out: ArrayViewMut3<'_, S>) {
        let heights = &self.run.scheme.phases.axes[1];
        let of_all = self.group * self.run.scheme.channels.out + first;
        let bias = self.run.bias.get(of_all..of_all + out.dim().0).unwrap_or_default();
        for (number_h, phase_h) in heights.phases.iter().enumerate() {
            for number in 0..OUTPUTS {
                let Some(position) = (OUTPUTS * line + number).checked_sub(phase_h.shift) else { continue };
                let h = position * heights.out_stride + phase_h.residue;
                if h < out.dim().1 {
                    let row = out.index_axis_mut(Axis(1), h);
                    if are_last(row.dim().0, row.strides()[0]) {
                        self.store_pixels([number_h, number], outputs, scratch, row, bias);
                    } else {
                        self.store_rows([number_h, number], outputs, row, bias);
                    }
                }
            }
        }
    }

    /// From the outputs of a channel to those of the next.
    fn outputs_pitch(&self) -> usize {
        OUTPUTS * OUTPUTS * self.run.tiles
    }

    /// Where the outputs of a phase of one row begin, in the first channel.
    fn outputs_at(&self, [number_h, number]: [usize; 2], number_w: usize, channels: usize) -> usize {
        let phase = self.run.scheme.phases.index([0, number_h, number_w]);
        let shift = self.run.scheme.phases.axes[2].phases[number_w].shift;
        phase * channels * self.outputs_pitch() + number * OUTPUTS * self.run.tiles + shift
    }

    /// A row of every channel: the phases take turns.
    fn store_rows<S: Slot<A>>(&self, place: [usize; 2], outputs: &[A::Row], rows: ArrayViewMut2<'_, S>, bias: &[A::Row]) {
        let at = (0..self.run.scheme.phases.axes[2].phases.len()).map(|phase| self.outputs_at(place, phase, rows.dim().0));
        let sums: Vec<&[A::Row]> = at.map(|at| &outputs[at..]).collect();
        put_rows::<A, S>(rows, &sums, self.outputs_pitch(), bias, self.run.backend);
    }

    /// The same where the channels of a pixel are side by side.
    fn store_pixels<S: Slot<A>>(
        &self,
        place: [usize; 2],
        outputs: &[A::Row],
        scratch: &mut [A::Row],
        mut row: ArrayViewMut2<'_, S>,
        bias: &[A::Row],
    ) {
        let (widths, (channels, width)) = (&self.run.scheme.phases.axes[2], row.dim());
        for (number_w, phase_w) in widths.phases.iter().enumerate().filter(|(_, phase)| phase.residue < width) {
            let every = row.slice_axis_mut(Axis(1), Slice::new(phase_w.residue.cast_signed(), None, widths.out_stride.cast_signed()));
            let (columns, from_pitch) = (every.dim().1, self.outputs_pitch());
            let from = &outputs[self.outputs_at(place, number_w, channels)..];
            let (rows, to, to_pitch) = (channels, &mut scratch[..columns * channels], channels);
            self.run.backend.run(Transpose { from, from_pitch, rows, columns, to: &mut *to, to_pitch });
            put_pixels(every, to, bias);
        }
    }
}

/// Asks for the rows of some channels.
fn prefetch_rows<A>(rows: ArrayView2<'_, A>) {
    rows.outer_iter().for_each(|row| prefetch(row.to_slice().unwrap_or_default()));
}
