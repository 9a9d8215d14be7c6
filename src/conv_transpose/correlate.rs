//! The weight gradient: `dw[a, b, t] = Σ coarse[n, a, i] · fine[n, b, s·i + d·t - p]`, over every picture and pixel.
//!
//! It is the matrix product of the input gradient's strips with the sum over positions. The lanes are fine channels, so strips are
//! filled with the channels of a pixel side by side; a tap is once more nothing but another place to begin. Positions are cut into a
//! number of parts that depends on the shapes alone, each with sums of its own, and the parts are added in order.

use std::ops::Range;

use ndarray::{ArrayView5, ArrayViewMut4, ArrayViewMut5, Axis, s};
use num_traits::Zero;

use super::phases::{Direction, Geometry, Phases, RowGroup};
use super::store::Slot;
use super::strips::{Strips, block_of};
use crate::element::FloatElement;
use crate::error::Error;
use crate::parallel;
use crate::simd::{Backend, Layout, Positions, StripProduct, lanes, panel_heights, with_scratch};

/// Positions of a block: a row of them, for 48 channels, stays in the nearest cache.
const POSITIONS: usize = 192;
/// Coarse channels of a tile: enough to make up for filling the strips of fine channels.
const COARSE: usize = 192;
/// Vectors of fine channels of a tile.
const VECTORS: usize = 6;
/// Sums of a tile, for all taps.
const SUMS: usize = 1 << 18;
/// Sums of all parts together: what splitting the positions may cost in memory.
const PARTIAL_SUMS: usize = 1 << 20;
/// How many pieces of work there should be before positions are left whole.
const PIECES: usize = 16;
/// The fewest blocks of positions of a part.
const FEWEST_BLOCKS: usize = 4;
/// Below so many products a call stays on its thread.
const SMALL_WORK: usize = 1 << 17;

/// One call.
pub(crate) struct Correlate<'a, A> {
    coarse: ArrayView5<'a, A>,
    fine: ArrayView5<'a, A>,
    backend: Backend,
    lanes: usize,
    strips: Strips,
    tap_offsets: Vec<usize>,
    kernel: [usize; 3],
    groups: Tiling,
    of_coarse: Tiling,
    of_fine: Tiling,
    parts: Tiling,
}

/// `count` things, cut into `pieces` pieces of `size`, the last of which may have fewer.
#[derive(Debug, Clone, Copy)]
struct Tiling {
    count: usize,
    size: usize,
    pieces: usize,
}

impl Tiling {
    /// Pieces of at most `most`, as even as can be, of multiples of `unit`.
    fn new(count: usize, most: usize, unit: usize) -> Self {
        let pieces = count.div_ceil(most.max(unit)).max(1);
        let size = count.div_ceil(pieces).next_multiple_of(unit).max(unit);
        Self { count, size, pieces: count.div_ceil(size) }
    }

    fn range(&self, piece: usize) -> Range<usize> {
        (piece * self.size).min(self.count)..((piece + 1) * self.size).min(self.count)
    }
}

impl<'a, A: FloatElement> Correlate<'a, A> {
    /// The shapes have been checked against the geometry and each other.
    pub(crate) fn new(geometry: &Geometry, coarse: ArrayView5<'a, A>, fine: ArrayView5<'a, A>, backend: Backend) -> Self {
        let phases = Phases::new(geometry, Direction::Contract, false);
        let lanes = lanes::<A::Row>(backend);
        let batch = coarse.dim().0;
        let block = block_of(&phases, batch, POSITIONS);
        let strips = Strips::with_fewest_pixels(&phases, batch, block);
        let tap_offsets: Vec<usize> = phases.groups.iter().flat_map(|group: &RowGroup| strips.tap_offsets(group)).collect();
        let (of_group_coarse, of_group_fine) = (coarse.dim().1 / geometry.groups, fine.dim().1 / geometry.groups);
        let of_fine = Tiling::new(of_group_fine, VECTORS * lanes, lanes);
        let most = SUMS / (tap_offsets.len().max(1) * of_fine.size);
        let of_coarse = Tiling::new(of_group_coarse, most.min(COARSE), 1);
        let groups = Tiling::new(geometry.groups, 1, 1);
        let blocks: usize = strips.blocks().iter().product();
        let pieces = groups.pieces * of_coarse.pieces * of_fine.pieces;
        let sums = (pieces * of_coarse.size * of_fine.size * tap_offsets.len()).max(1);
        let parts = PIECES.div_ceil(pieces.max(1)).min(blocks / FEWEST_BLOCKS).min(PARTIAL_SUMS / sums).max(1);
        let parts = Tiling::new(blocks, blocks.div_ceil(parts), 1);
        let kernel = geometry.axes.map(|axis| axis.kernel);
        Self { coarse, fine, backend, lanes, strips, tap_offsets, kernel, groups, of_coarse, of_fine, parts }
    }

    /// The sums of one tile of channels: taps × coarse × fine.
    fn tile_len(&self) -> usize {
        self.tap_offsets.len() * self.of_coarse.size * self.of_fine.size
    }

    /// Computes the whole gradient into `out` (coarse channels × fine channels of a group × kernel), whose shape has been checked.
    pub(crate) fn run<S: Slot<A>>(&self, out: ArrayViewMut5<'_, S>) -> Result<(), Error> {
        if out.is_empty() {
            return Ok(());
        }
        let parts = self.parts.pieces.max(1);
        let tiles = self.groups.pieces * self.of_coarse.pieces * self.of_fine.pieces;
        let (argument, len) = ("sums of the weight gradient", tiles * parts * self.tile_len());
        let mut sums: Vec<A::Row> = Vec::new();
        sums.try_reserve_exact(len).map_err(|_| Error::OutOfMemory { argument, bytes: len * size_of::<A::Row>() })?;
        sums.resize(len, A::Row::default());
        self.divide(&mut sums, 0..tiles * parts);
        self.store(out, &sums);
        Ok(())
    }

    /// Halves the pieces of work until one is left: a tile of channels, and a part of the positions.
    fn divide(&self, sums: &mut [A::Row], pieces: Range<usize>) {
        if pieces.len() <= 1 {
            let parts = self.parts.pieces.max(1);
            return self.piece(sums, pieces.start / parts, pieces.start % parts);
        }
        let middle = pieces.start + pieces.len() / 2;
        let (left, right) = sums.split_at_mut((middle - pieces.start) * self.tile_len());
        let products = self.coarse.len().saturating_mul(self.of_fine.count).saturating_mul(self.tap_offsets.len());
        if products >= SMALL_WORK {
            parallel::join(|| self.divide(left, pieces.start..middle), || self.divide(right, middle..pieces.end));
        } else {
            self.divide(left, pieces.start..middle);
            self.divide(right, middle..pieces.end);
        }
    }

    /// The channels of a tile: coarse and fine, counted from the first of all.
    fn channels(&self, tile: usize) -> (Range<usize>, Range<usize>) {
        let (rest, fine) = (tile / self.of_fine.pieces, tile % self.of_fine.pieces);
        let (group, coarse) = (rest / self.of_coarse.pieces, rest % self.of_coarse.pieces);
        let (coarse, fine) = (self.of_coarse.range(coarse), self.of_fine.range(fine));
        let (first_coarse, first_fine) = (group * self.of_coarse.count, group * self.of_fine.count);
        (first_coarse + coarse.start..first_coarse + coarse.end, first_fine + fine.start..first_fine + fine.end)
    }

    fn piece(&self, sums: &mut [A::Row], tile: usize, part: usize) {
        let (coarse, fine) = self.channels(tile);
        let block_positions: usize = self.strips.block.iter().product();
        let panels_len = coarse.len() * block_positions;
        let strip_len = self.strips.channel_len * self.of_fine.size;
        let rows_len = self.lanes * self.strips.channel_len;
        let [_, depths, heights, widths] = self.strips.blocks();
        with_scratch(panels_len + strip_len + rows_len, |scratch: &mut [A::Row]| {
            let (panels, rest) = scratch.split_at_mut(panels_len);
            let (strip, rows) = rest.split_at_mut(strip_len);
            for block in self.parts.range(part) {
                let index =
                    [block / (depths * heights * widths), block / (heights * widths) % depths, block / widths % heights, block % widths];
                let ranges: [_; 4] = std::array::from_fn(|axis| self.strips.block_range(axis, index[axis]));
                self.pack_coarse(coarse.clone(), &ranges, panels);
                self.pack_fine(fine.clone(), &ranges, strip, rows);
                self.multiply(coarse.len(), fine.len(), &ranges, panels, strip, sums);
            }
        });
    }

    /// The coarse pixels as panels: position × channels of the panel.
    fn pack_coarse(&self, channels: Range<usize>, [n, d, h, w]: &[Range<usize>; 4], panels: &mut [A::Row]) {
        let positions = n.len() * d.len() * h.len() * w.len();
        let (mut start, mut channel) = (0, channels.start);
        for height in panel_heights(channels.len()) {
            let panel = &mut panels[start..start + positions * height];
            for lane in 0..height {
                let pixels = self.coarse.slice(s![n.clone(), channel + lane, d.clone(), h.clone(), w.clone()]);
                let mut to = panel[lane..].iter_mut().step_by(height);
                for row in pixels.rows() {
                    row.iter().zip(to.by_ref()).for_each(|(from, to)| *to = from.to_row());
                }
            }
            start += positions * height;
            channel += height;
        }
    }

    /// The fine pixels that the block reads, the channels of a pixel side by side.
    fn pack_fine(&self, channels: Range<usize>, ranges: &[Range<usize>; 4], strip: &mut [A::Row], rows: &mut [A::Row]) {
        let (len, pitch) = (self.strips.channel_len, self.of_fine.size);
        let (start, size) = (ranges.each_ref().map(|range| range.start), ranges.each_ref().map(|range| range.len()));
        for first in channels.clone().step_by(self.lanes) {
            let count = self.lanes.min(channels.end - first);
            self.strips.fill(&self.fine, first..first + count, start, size, rows);
            for (pixel, to) in strip.chunks_exact_mut(pitch).enumerate().take(len) {
                let to = &mut to[first - channels.start..][..count];
                to.iter_mut().enumerate().for_each(|(channel, to)| *to = rows[channel * len + pixel]);
            }
        }
    }

    fn multiply(&self, rows: usize, fine: usize, ranges: &[Range<usize>; 4], panels: &[A::Row], strip: &[A::Row], sums: &mut [A::Row]) {
        let (strides, pitch) = (self.strips.strides, self.of_fine.size);
        let [n, d, h, w] = ranges.each_ref().map(|range| range.len());
        let mut offsets = Vec::with_capacity(n * d * h * w);
        for n in 0..n {
            for d in 0..d {
                for h in 0..h {
                    let row = n * strides[0] + d * strides[1] + h * strides[2];
                    offsets.extend((0..w).map(|w| (row + w) * pitch));
                }
            }
        }
        for (tap, sums) in self.tap_offsets.iter().zip(sums.chunks_exact_mut(self.of_coarse.size * pitch)) {
            let starts = (0..fine).step_by(self.lanes);
            let positions: Vec<Positions> = starts.map(|start| Positions { from: tap * pitch + start, to: start }).collect();
            let (weights, layout) = (panels, Layout::Panels { depth: offsets.len(), first: 0 });
            let (offsets, positions) = (offsets.as_slice(), positions.as_slice());
            let product = StripProduct { weights, layout, rows, offsets, strip, positions, sums, pitch, accumulate: true };
            product.run(self.backend);
        }
    }

    /// Adds the parts up and puts the taps last.
    fn store<S: Slot<A>>(&self, mut out: ArrayViewMut5<'_, S>, sums: &[A::Row]) {
        let parts = self.parts.pieces.max(1);
        let per_group = self.of_coarse.count;
        for (tile, parts) in sums.chunks_exact(self.tile_len() * parts).enumerate() {
            let (coarse, fine) = self.channels(tile);
            let first_fine = coarse.start / per_group * self.of_fine.count;
            for (row, channel) in coarse.enumerate() {
                let of_channel = out.index_axis_mut(Axis(0), channel);
                self.store_channel(of_channel, row, fine.start - first_fine..fine.end - first_fine, parts);
            }
        }
    }

    fn store_channel<S: Slot<A>>(&self, mut out: ArrayViewMut4<'_, S>, row: usize, fine: Range<usize>, parts: &[A::Row]) {
        let (pitch, rows) = (self.of_fine.size, self.of_coarse.size);
        let [_, height, width] = self.kernel;
        for (lane, channel) in fine.enumerate() {
            for ((d, h, w), slot) in out.index_axis_mut(Axis(0), channel).indexed_iter_mut() {
                let at = (((d * height + h) * width + w) * rows + row) * pitch + lane;
                let sum = parts.chunks_exact(self.tile_len()).fold(A::Row::zero(), |sum, part| sum + part[at]);
                slot.put(sum);
            }
        }
    }
}
