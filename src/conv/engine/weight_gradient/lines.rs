//! The weight gradient by minimal filtering where few fine pixels meet a coarse one: tiles in the lanes, so that no pixel is moved.

use std::ops::Range;

use ndarray::{ArrayView3, Axis, s};

use super::{Factors, Tile};
use crate::conv::engine::channel_rows::copy_rows;
use crate::conv::engine::load::inside;
use crate::conv::engine::phases::Phases;
use crate::conv::engine::winograd::{AxisScheme, TILE, filters};
use crate::element::FloatElement;
use crate::kernels::{ELEMENTS, EvaluateFilterLine, EvaluateLine, LINE, ProductSums, Real, with_scratch};
use crate::memory::Need;

/// Coarse pixels of a tile along an axis, and taps.
const PIXELS: usize = 2;
const TAPS: usize = 3;
/// The most columns and rows of coarse pixels of a block: what is evaluated of them stays in the second-level cache.
const COLUMNS: usize = 128;
const ROWS: usize = 16;
/// Coarse channels that are evaluated together.
const CHANNELS: usize = 8;

/// How the positions are cut.
pub(crate) struct Lines {
    phases: Phases,
    pub(crate) axes: [AxisScheme; 2],
    /// Of each plane, the entries of the kernel.
    filters: Vec<Vec<usize>>,
    positions: [usize; 3],
    block: [usize; 2],
    /// Tiles of a row of a block: whole vectors.
    tiles: usize,
}

/// What a block has room for, and where it begins.
struct Block {
    n: usize,
    start: [usize; 2],
    /// Rows of tiles.
    lines: usize,
    tiles: usize,
    row_pitch: usize,
    /// From one row of tiles of a block to that of the next summand, and from one point to the next.
    summand: usize,
}

impl Block {
    fn pitch<T>(&self, summands: usize) -> usize {
        summands * self.summand + LINE / size_of::<T>()
    }
}

impl Lines {
    pub(crate) fn new(phases: Phases, axes: [AxisScheme; 2], batch: usize, lanes: usize) -> Self {
        let positions = [batch, phases.axes[1].positions(), phases.axes[2].positions()];
        let even = |positions: usize, most: usize| positions.div_ceil(positions.div_ceil(most).max(1)).next_multiple_of(PIXELS);
        let block = [even(positions[1], ROWS), even(positions[2], COLUMNS)];
        let tiles = (block[1] / PIXELS).next_multiple_of(lanes);
        let of_phase = filters(&axes, phases.axes[2].phases[0].taps.len()).into_iter().next().unwrap_or_default();
        let filters = of_phase.into_iter().map(|filter| filter.into_iter().flatten().collect()).collect();
        Self { phases, axes, filters, positions, block, tiles }
    }

    fn counts(&self) -> [usize; 3] {
        [self.positions[0], self.positions[1].div_ceil(self.block[0]), self.positions[2].div_ceil(self.block[1])]
    }

    pub(crate) fn blocks(&self) -> usize {
        self.counts().iter().product()
    }

    /// The rows of tiles of a block at most.
    fn room<T>(&self) -> Block {
        let lines = self.block[0] / PIXELS;
        let row_pitch = PIXELS * self.tiles + LINE / size_of::<T>();
        Block { n: 0, start: [0; 2], lines, tiles: self.tiles, row_pitch, summand: lines * self.tiles }
    }

    /// The points of a number of summands, those of some coarse channels, and the pixels that either are evaluated from.
    fn lens<T>(&self, summands: usize) -> [usize; 3] {
        let block = self.room::<T>();
        let pixels = (CHANNELS * PIXELS * block.lines).max(PIXELS * block.lines + TILE) * block.row_pitch;
        [ELEMENTS * block.pitch::<T>(summands), ELEMENTS * block.pitch::<T>(CHANNELS), pixels]
    }

    /// What adding takes, for tiles of this many fine channels.
    pub(crate) fn need<A: FloatElement>(&self, fine: usize) -> Need {
        let summands = fine * self.filters.len();
        let list_bytes = (summands + CHANNELS) * size_of::<usize>();
        let need = Need { list_bytes, ..Need::of_buffers([self.lens::<A::Row>(summands).iter().sum(), 0, 0], false) };
        need.with_shared(self.phases.list_bytes())
    }

    /// Adds the products of some blocks to the sums: by point, coarse channel, fine channel, plane.
    pub(crate) fn add<A: FloatElement>(&self, factors: &Factors<'_, A>, tile: &Tile, blocks: Range<usize>, sums: &mut [A::Row]) {
        let backend = factors.backend;
        let [_, heights, widths] = self.counts();
        let mut block = self.room::<A::Row>();
        let summands = tile.fine.len() * self.filters.len();
        let (of_fine, of_coarse) = (block.pitch::<A::Row>(summands), block.pitch::<A::Row>(CHANNELS));
        let lens = self.lens::<A::Row>(summands);
        let right_rows = rows_of(summands, block.summand);
        with_scratch(lens.iter().sum(), |scratch: &mut [A::Row]| {
            let (fine, rest) = scratch.split_at_mut(lens[0]);
            let (coarse, pixels) = rest.split_at_mut(lens[1]);
            pixels.fill(A::Row::default());
            for index in blocks {
                block.n = index / (heights * widths);
                block.start = [index / widths % heights * self.block[0], index % widths * self.block[1]];
                block.lines = (self.positions[1] - block.start[0]).min(self.block[0]).div_ceil(PIXELS);
                self.evaluate_fine(factors, tile, &block, of_fine, pixels, fine);
                for first in (tile.coarse.start..tile.coarse.end).step_by(CHANNELS) {
                    let channels = first..(first + CHANNELS).min(tile.coarse.end);
                    let left_rows = &rows_of(channels.len(), block.summand);
                    self.evaluate_coarse(factors, channels, &block, of_coarse, pixels, coarse);
                    for (point, (left, right)) in coarse.chunks_exact(of_coarse).zip(fine.chunks_exact(of_fine)).enumerate() {
                        let sums = &mut sums[(point * tile.coarse.len() + first - tile.coarse.start) * summands..];
                        let (len, right_rows) = (block.lines * block.tiles, right_rows.as_slice());
                        backend.run(ProductSums { left, left_rows, right, right_rows, len, sums, pitch: summands });
                    }
                }
            }
        });
    }

    /// The fine pixels at the points: by point, channel, plane, row of tiles, tile.
    fn evaluate_fine<A: FloatElement>(
        &self,
        factors: &Factors<'_, A>,
        tile: &Tile,
        block: &Block,
        pitch: usize,
        pixels: &mut [A::Row],
        out: &mut [A::Row],
    ) {
        let [_, heights, widths] = &self.phases.axes;
        let picture: ArrayView3<'_, A> = factors.fine.slice(s![block.n, .., 0, .., ..]);
        let first = |axis: usize, origin: isize| origin + (self.phases.axes[axis + 1].source_stride * block.start[axis]).cast_signed();
        let len = PIXELS * block.tiles + TILE - PIXELS;
        let mut place = 0;
        for channel in tile.fine.clone() {
            for &height in &self.axes[0].planes {
                for &width in &self.axes[1].planes {
                    let rows = PIXELS * block.lines + TILE - PIXELS;
                    for (row, to) in (0..rows).zip(pixels.chunks_exact_mut(block.row_pitch)) {
                        match inside(first(0, height), row * heights.source_stride, picture.dim().1) {
                            Some(row) => {
                                let steps = (first(1, width), widths.source_stride);
                                copy_rows(
                                    &picture.index_axis(Axis(1), row),
                                    channel..channel + 1,
                                    steps,
                                    len,
                                    factors.backend,
                                    to,
                                    block.row_pitch,
                                );
                            }
                            None => to[..len].fill(A::Row::default()),
                        }
                    }
                    for line in 0..block.lines {
                        let rows = std::array::from_fn(|row| (PIXELS * line + row) * block.row_pitch);
                        let out = &mut out[place + line * block.tiles..];
                        factors.backend.run(EvaluateLine { pixels, rows, tiles: block.tiles, out, pitch });
                    }
                    place += block.summand;
                }
            }
        }
    }

    /// The coarse pixels of some channels at the points: by point, channel, row of tiles, tile.
    fn evaluate_coarse<A: FloatElement>(
        &self,
        factors: &Factors<'_, A>,
        channels: Range<usize>,
        block: &Block,
        pitch: usize,
        pixels: &mut [A::Row],
        out: &mut [A::Row],
    ) {
        let picture: ArrayView3<'_, A> = factors.coarse.slice(s![block.n, .., 0, .., ..]);
        let last = (block.start[1] + self.block[1]).min(self.positions[2]);
        let picture = picture.slice(s![.., .., ..last]);
        let (rows, len) = (PIXELS * block.lines, PIXELS * block.tiles);
        let channel_pitch = rows * block.row_pitch;
        for row in 0..rows {
            let to = &mut pixels[row * block.row_pitch..];
            match inside(0, block.start[0] + row, picture.dim().1) {
                Some(row) => {
                    let (from, steps) = (picture.index_axis(Axis(1), row), (block.start[1].cast_signed(), 1));
                    copy_rows(&from, channels.clone(), steps, len, factors.backend, to, channel_pitch);
                }
                None => to.chunks_mut(channel_pitch).take(channels.len()).for_each(|to| to[..len].fill(A::Row::default())),
            }
        }
        for channel in 0..channels.len() {
            for line in 0..block.lines {
                let rows = std::array::from_fn(|row| channel * channel_pitch + (PIXELS * line + row) * block.row_pitch);
                let out = &mut out[channel * block.summand + line * block.tiles..];
                factors.backend.run(EvaluateFilterLine { pixels, rows, tiles: block.tiles, out, pitch });
            }
        }
    }

    /// The taps of one fine channel of a tile: by tap, coarse channel, `tile.pitch` of them.
    pub(crate) fn taps_of<T: Real>(&self, channel: usize, tile: &Tile, sums: &[T], taps: &mut [T]) {
        let (planes, of_all) = (self.filters.len(), tile.fine.len() * self.filters.len());
        for (plane, entries) in self.filters.iter().enumerate() {
            for lane in 0..tile.coarse.len() {
                let at = lane * of_all + channel * planes + plane;
                let points: [T; ELEMENTS] = std::array::from_fn(|point| sums[point * tile.coarse.len() * of_all + at]);
                for (&entry, tap) in entries.iter().zip(taps_at(points)) {
                    taps[entry * tile.pitch + lane] = tap;
                }
            }
        }
    }
}

/// Where the rows of each summand begin.
fn rows_of(summands: usize, pitch: usize) -> Vec<usize> {
    (0..summands).map(|summand| summand * pitch).collect()
}

/// Sums of products at the points to 3 × 3 taps.
fn taps_at<T: Real>(points: [T; ELEMENTS]) -> [T; TAPS * TAPS] {
    let half = T::one() / (T::one() + T::one());
    let back = |[a, b, c, d]: [T; 4]| {
        let (b, c) = (b * half, c * half);
        [a + b + c, b - c, b + c - d]
    };
    let columns: [[T; TAPS]; 4] = std::array::from_fn(|column| back(std::array::from_fn(|line| points[line * 4 + column])));
    let rows: [[T; TAPS]; TAPS] = std::array::from_fn(|row| back(std::array::from_fn(|column| columns[column][row])));
    std::array::from_fn(|tap| rows[tap / TAPS][tap % TAPS])
}
