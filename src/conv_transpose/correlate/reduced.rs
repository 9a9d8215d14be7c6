//! The weight gradient by minimal filtering: 4 × 4 fine pixels and 3 × 3 or 2 × 2 coarse ones make the sums of 2 × 2 or 3 × 3 taps.
//!
//! The coarse pixels of a tile are what the filter is to a convolution, the taps what its outputs are. Products at the points are summed
//! over all tiles, so the way back is taken once for a pair of channels.

use std::ops::Range;

use super::pixels::PixelBlock;
use super::{Factors, Tile};
use crate::conv_transpose::phases::Phases;
use crate::conv_transpose::winograd::{AxisScheme, TILE, Tiles, block_of, fill_planes, filters, tile_counts};
use crate::element::FloatElement;
use crate::memory::{Need, grown_bytes};
use crate::simd::{
    Backend, ELEMENTS, EvaluateFilters, EvaluateTiles, InterpolateTiles, Layout, Positions, Real, StripProduct, lanes, with_scratch,
};

/// Numbers at the points that a task keeps at a time.
const POINTS: usize = 1 << 19;
const FEWEST_TILES: usize = 24;
const MOST_TILES: usize = 144;

/// How the positions are cut.
pub(crate) struct Reduced {
    phases: Phases,
    pub(crate) axes: [AxisScheme; 2],
    /// Of each plane, the entries of the kernel.
    filters: Vec<Vec<usize>>,
    positions: [usize; 3],
    block: [usize; 3],
}

impl Reduced {
    /// `channels` are the coarse and the fine ones of a tile.
    pub(crate) fn new(phases: Phases, axes: [AxisScheme; 2], batch: usize, channels: (usize, usize), lanes: usize) -> Self {
        let positions = [batch, phases.axes[1].positions(), phases.axes[2].positions()];
        let numbers = ELEMENTS * (channels.0 + channels.1 * planes_of(&axes));
        let block = block_of((&phases, &axes), positions, (POINTS / numbers).clamp(FEWEST_TILES, MOST_TILES), lanes);
        let filters = filters(&phases, &axes, phases.axes[2].phases[0].taps.len()).into_iter().next().unwrap_or_default();
        Self { phases, axes, filters, positions, block }
    }

    /// The sums that a pair of channels has.
    pub(crate) fn sums_of_channel(axes: &[AxisScheme; 2]) -> usize {
        ELEMENTS * planes_of(axes)
    }

    fn counts(&self) -> [usize; 3] {
        std::array::from_fn(|axis| self.positions[axis].div_ceil(self.block[axis].max(1)))
    }

    pub(crate) fn blocks(&self) -> usize {
        self.counts().iter().product()
    }

    /// The filters and the points of a tile of so many fine and `pitch` coarse channels, and what they are evaluated from.
    fn lens(&self, fine: usize, pitch: usize, lanes: usize) -> [usize; 3] {
        let tiles = Tiles::new((&self.phases, &self.axes), self.block, lanes, lanes);
        let [_, height, width] = tile_counts((&self.phases, &self.axes), self.block);
        let pixels = self.block[0] * height * tiles.sizes[0] * width * tiles.sizes[1];
        let pixels_len = pixels * (pitch + crate::simd::SQUARE);
        let planes_len = tiles.planes_len() + ELEMENTS * tiles.pitch;
        let points_len = ELEMENTS * fine * self.filters.len() * tiles.panels() * lanes;
        [ELEMENTS * tiles.all() * pitch, points_len, pixels_len.max(planes_len)]
    }

    /// What adding takes, for tiles of so many fine and `pitch` coarse channels.
    pub(crate) fn need<A: FloatElement>(&self, fine: usize, pitch: usize, backend: Backend) -> Need {
        let lanes = lanes::<A::Row>(backend);
        let tiles = tile_counts((&self.phases, &self.axes), self.block).iter().product::<usize>();
        let list_bytes =
            fine * self.filters.len() * size_of::<usize>() + 2 * grown_bytes::<usize>(tiles) + pitch / lanes * size_of::<Positions>();
        Need { list_bytes, ..Need::of_buffers([self.lens(fine, pitch, lanes).iter().sum(), 0, 0], false) }
    }

    /// The outputs of one plane, on their way to the taps.
    pub(crate) fn outputs_len(pitch: usize) -> usize {
        TILE * TILE * pitch
    }

    /// Adds the products of some blocks to the sums: by point, fine channel, plane, coarse channel.
    pub(crate) fn add<A: FloatElement>(&self, factors: &Factors<'_, A>, tile: &Tile, blocks: Range<usize>, sums: &mut [A::Row]) {
        let lanes = lanes::<A::Row>(factors.backend);
        let rows = tile.fine.len() * self.filters.len();
        let [filters_len, points_len, rest_len] = self.lens(tile.fine.len(), tile.pitch, lanes);
        let [_, heights, widths] = self.counts();
        with_scratch(filters_len + points_len + rest_len, |scratch: &mut [A::Row]| {
            let (filters, rest) = scratch.split_at_mut(filters_len);
            let (points, rest) = rest.split_at_mut(points_len);
            for block in blocks {
                let index = [block / (heights * widths), block / widths % heights, block % widths];
                let ranges: [Range<usize>; 3] = std::array::from_fn(|axis| {
                    let start = index[axis] * self.block[axis];
                    start..(start + self.block[axis]).min(self.positions[axis])
                });
                let tiles = Tiles::new((&self.phases, &self.axes), ranges.each_ref().map(|range| range.len()), lanes, lanes);
                self.evaluate_coarse(factors, tile, &tiles, &ranges, rest, filters);
                self.evaluate_fine(factors, tile, &tiles, ranges.each_ref().map(|range| range.start), rest, points);
                multiply(rows, tile.pitch, &tiles, factors.backend, filters, points, sums);
            }
        });
    }

    /// The coarse pixels at the points: by point, tile, channel.
    fn evaluate_coarse<A: FloatElement>(
        &self,
        factors: &Factors<'_, A>,
        tile: &Tile,
        tiles: &Tiles,
        [n, h, w]: &[Range<usize>; 3],
        scratch: &mut [A::Row],
        out: &mut [A::Row],
    ) {
        let ([pictures, rows, columns], [height, width]) = (tiles.counts, tiles.sizes);
        let line = columns * width;
        let block = PixelBlock { ranges: [n.clone(), 0..1, h.clone(), w.clone()], room: [pictures, 1, rows * height, line] };
        let (lines, pixels) = scratch.split_at_mut(block.rows_len());
        block.fill(&factors.coarse, tile.coarse.clone(), factors.backend, lines, pixels, tile.pitch);
        let rows = (0..pictures * rows).flat_map(|row| (0..columns).map(move |column| row * height * line + column * width));
        let (first, channels, backend) = (rows.collect::<Vec<usize>>(), tile.pitch, factors.backend);
        let (pixels, tiles) = (&*pixels, first.as_slice());
        match [height, width] {
            [2, 2] => backend.run(EvaluateFilters::<_, 2, 2> { pixels, channels, line, tiles, out }),
            [2, 3] => backend.run(EvaluateFilters::<_, 2, 3> { pixels, channels, line, tiles, out }),
            [3, 2] => backend.run(EvaluateFilters::<_, 3, 2> { pixels, channels, line, tiles, out }),
            _ => backend.run(EvaluateFilters::<_, 3, 3> { pixels, channels, line, tiles, out }),
        }
    }

    /// The fine pixels at the points: by point, channel, plane, tile.
    fn evaluate_fine<A: FloatElement>(
        &self,
        factors: &Factors<'_, A>,
        tile: &Tile,
        tiles: &Tiles,
        start: [usize; 3],
        scratch: &mut [A::Row],
        points: &mut [A::Row],
    ) {
        let (rows, elements, width) = (tiles.rows(), tiles.elements(), tiles.counts[2]);
        let panel = tiles.panels() * tiles.panel;
        let pitch = tile.fine.len() * self.filters.len() * panel;
        let (planes, rest) = scratch.split_at_mut(tiles.planes_len());
        let in_order = &mut rest[..ELEMENTS * tiles.pitch];
        let mut at = 0;
        for channel in tile.fine.clone() {
            for &row in &self.axes[0].planes {
                for &column in &self.axes[1].planes {
                    fill_planes(&factors.fine, channel, &self.phases, [row, column], tiles, start, planes);
                    let (planes, rows, tiles, out) = (&*planes, rows.as_slice(), &mut *in_order, &mut points[at..]);
                    factors.backend.run(EvaluateTiles { planes, elements, rows, width, tiles, out, panel, panels: 1, pitch });
                    at += panel;
                }
            }
        }
    }

    /// The taps of one fine channel of a tile: by tap, coarse channel.
    pub(crate) fn taps_of<T: Real>(&self, channel: usize, tile: &Tile, sums: &[T], backend: Backend, taps: &mut [T]) {
        let planes = self.filters.len();
        let pitch = tile.fine.len() * planes * tile.pitch;
        with_scratch(Self::outputs_len(tile.pitch), |outputs: &mut [T]| {
            for (plane, entries) in self.filters.iter().enumerate() {
                let (products, tiles, out_pitch) = (&sums[(channel * planes + plane) * tile.pitch..], tile.pitch, tile.pitch);
                let out = &mut *outputs;
                match [self.axes[0].taps, self.axes[1].taps] {
                    [2, 2] => backend.run(InterpolateTiles::<T, 2, 2> { products, pitch, tiles, out, out_pitch }),
                    [2, 3] => backend.run(InterpolateTiles::<T, 2, 3> { products, pitch, tiles, out, out_pitch }),
                    [3, 2] => backend.run(InterpolateTiles::<T, 3, 2> { products, pitch, tiles, out, out_pitch }),
                    _ => backend.run(InterpolateTiles::<T, 3, 3> { products, pitch, tiles, out, out_pitch }),
                }
                for (&entry, output) in entries.iter().zip(outputs.chunks_exact(tile.pitch)) {
                    taps[entry * tile.pitch..][..tile.pitch].copy_from_slice(output);
                }
            }
        });
    }
}

fn planes_of(axes: &[AxisScheme; 2]) -> usize {
    axes[0].planes.len() * axes[1].planes.len()
}

/// At every point, the product of fine and coarse pixels summed over the tiles.
fn multiply<T: Real>(rows: usize, pitch: usize, tiles: &Tiles, backend: Backend, filters: &[T], points: &[T], sums: &mut [T]) {
    let of_row = tiles.panels() * tiles.panel;
    let row_offsets: Vec<usize> = (0..rows).map(|row| row * of_row).collect();
    let products: Vec<usize> = (0..tiles.all()).collect();
    let offsets: Vec<usize> = products.iter().map(|tile| tile * pitch).collect();
    let positions: Vec<Positions> = (0..pitch).step_by(lanes::<T>(backend)).map(|start| Positions { from: start, to: start }).collect();
    let of_point = points.chunks_exact(rows * of_row).zip(filters.chunks_exact(tiles.all() * pitch));
    for ((weights, strip), sums) in of_point.zip(sums.chunks_exact_mut(rows * pitch)) {
        let layout = Layout::Offsets { rows: &row_offsets, products: &products };
        let (offsets, positions) = (offsets.as_slice(), positions.as_slice());
        StripProduct { weights, layout, rows, offsets, strip, positions, sums, pitch, accumulate: true }.run(backend);
    }
}
