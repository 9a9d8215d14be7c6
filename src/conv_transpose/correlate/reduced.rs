//! The weight gradient by minimal filtering: 4 × 4 fine pixels and 3 × 3 or 2 × 2 coarse ones make the sums of 2 × 2 or 3 × 3 taps.
//!
//! The coarse pixels of a tile are what the filter is to a convolution, the taps what its outputs are. Products at the points are summed
//! over all tiles, so the way back is taken once for a pair of channels.

use std::ops::Range;

use super::pixels::PixelBlock;
use super::{Factors, Tile};
use crate::conv_transpose::phases::Phases;
use crate::conv_transpose::winograd::{AxisScheme, Filter, Live, PlaneSource, TILE, Tiles, block_of, filters, planes_of, tile_counts};
use crate::element::FloatElement;
use crate::memory::{Need, grown_bytes};
use crate::simd::{
    Backend, ELEMENTS, EvaluateFilters, EvaluateTiles, InterpolateTiles, Layout, Positions, Real, StripProduct, lanes, with_scratch,
};

/// Numbers at the points that a task keeps at a time.
const POINTS: usize = 1 << 20;
const FEWEST_TILES: usize = 24;
const MOST_TILES: usize = 144;

/// How the positions are cut.
pub(crate) struct Reduced {
    phases: Phases,
    pub(crate) axes: [AxisScheme; 2],
    /// Of each plane, the entries of the kernel.
    filters: Vec<Filter>,
    /// By point: the planes whose taps need its products.
    live: Vec<Live>,
    positions: [usize; 3],
    block: [usize; 3],
}

impl Reduced {
    /// `channels` are the coarse and the fine ones of a tile.
    pub(crate) fn new(phases: Phases, axes: [AxisScheme; 2], batch: usize, channels: (usize, usize), lanes: usize) -> Self {
        let positions = [batch, phases.axes[1].positions(), phases.axes[2].positions()];
        let numbers = ELEMENTS * (channels.0 + channels.1 * planes_of(&axes));
        let all: usize = tile_counts((&phases, &axes), positions).iter().product();
        // Sums that are passed over but once need not stay in the cache.
        let room = if all <= MOST_TILES { MOST_TILES } else { (POINTS / numbers).clamp(FEWEST_TILES, MOST_TILES) };
        let block = block_of((&phases, &axes), positions, room, lanes);
        let filters = filters(&axes, phases.axes[2].phases[0].taps.len());
        let live = (0..ELEMENTS).map(|point| Live::new(&filters, &axes, point)).collect();
        let filters = filters.into_iter().next().unwrap_or_default();
        Self { phases, axes, filters, live, positions, block }
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
        let tiles = Tiles::new((&self.phases, &self.axes), self.block, lanes, lanes);
        let lists = fine * self.filters.len() * size_of::<usize>() + 2 * grown_bytes::<usize>(tiles.all());
        let sources = PlaneSource::list_bytes(planes_of(&self.axes), &tiles);
        let list_bytes = lists + sources + pitch / lanes * size_of::<Positions>();
        let need = Need { list_bytes, ..Need::of_buffers([self.lens(fine, pitch, lanes).iter().sum(), 0, 0], false) };
        need.with_shared(self.phases.list_bytes())
    }

    /// The outputs of one plane, on their way to the taps.
    pub(crate) fn outputs_len(pitch: usize) -> usize {
        TILE * TILE * pitch
    }

    /// Adds the products of some blocks to the sums: by point, plane, fine channel, coarse channel.
    pub(crate) fn add<A: FloatElement>(&self, factors: &Factors<'_, A>, tile: &Tile, blocks: Range<usize>, sums: &mut [A::Row]) {
        let lanes = lanes::<A::Row>(factors.backend);
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
                self.multiply(tile, &tiles, factors.backend, filters, points, sums);
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
        let first = tiles.in_order().into_iter().map(|[n, row, column]| (n * rows + row) * height * line + column * width);
        let (first, channels, backend) = (first.collect::<Vec<usize>>(), tile.pitch, factors.backend);
        let (pixels, tiles) = (&*pixels, first.as_slice());
        let taps: Vec<usize> = (0..height).flat_map(|row| (0..width).map(move |column| row * line + column)).collect();
        let taps = taps.as_slice();
        let points = std::array::from_fn(|point| Some(point * tiles.len() * channels));
        EvaluateFilters { pixels, pitch: channels, channels, taps, tiles, points, out }.run([height, width], backend);
    }

    /// The fine pixels at the points: by point, plane, channel, tile.
    fn evaluate_fine<A: FloatElement>(
        &self,
        factors: &Factors<'_, A>,
        tile: &Tile,
        tiles: &Tiles,
        start: [usize; 3],
        scratch: &mut [A::Row],
        points: &mut [A::Row],
    ) {
        let ((rows, width), elements) = (tiles.rows(), tiles.elements());
        let sources = PlaneSource::of_all(&self.axes, tiles, start, &factors.fine);
        let panel = tiles.panels() * tiles.panel;
        let pitch = tile.fine.len() * self.filters.len() * panel;
        let (planes, rest) = scratch.split_at_mut(tiles.planes_len());
        let in_order = &mut rest[..ELEMENTS * tiles.pitch];
        for (number, channel) in tile.fine.clone().enumerate() {
            let mut at = number * panel;
            for source in &sources {
                source.fill(&factors.fine, channel, factors.backend, planes);
                let (planes, rows, tiles, out) = (&planes[source.begin..], rows.as_slice(), &mut *in_order, &mut points[at..]);
                factors.backend.run(EvaluateTiles { planes, elements, rows, width, tiles, out, panel, panels: 1, pitch });
                at += tile.fine.len() * panel;
            }
        }
    }

    /// At every point, the product of fine and coarse pixels summed over the tiles.
    fn multiply<T: Real>(&self, tile: &Tile, tiles: &Tiles, backend: Backend, filters: &[T], points: &[T], sums: &mut [T]) {
        let (rows, pitch, of_row) = (tile.fine.len(), tile.pitch, tiles.panels() * tiles.panel);
        let row_offsets: Vec<usize> = (0..rows).map(|row| row * of_row).collect();
        let (mut products, mut offsets) = (Vec::with_capacity(tiles.all()), Vec::with_capacity(tiles.all()));
        let positions: Vec<Positions> = (0..pitch).step_by(lanes::<T>(backend)).map(|start| Positions { from: start, to: start }).collect();
        let (mut weights, mut sums) = (points.chunks_exact(rows * of_row), sums.chunks_exact_mut(rows * pitch));
        for (point, (strip, live)) in filters.chunks_exact(tiles.all() * pitch).zip(&self.live).enumerate() {
            // A tile without a last coarse pixel is 0 at ∞.
            let (heights, widths) = (tiles.needed(0, point / TILE, 0), tiles.needed(1, point % TILE, 0));
            products.clear();
            products.extend(tiles.numbers(&heights, &widths));
            offsets.clear();
            offsets.extend(products.iter().map(|tile| tile * pitch));
            for ((place, weights), sums) in live.planes.iter().zip(&mut weights).zip(&mut sums) {
                if place.is_some() {
                    let layout = Layout::Offsets { rows: &row_offsets, products: &products };
                    let (offsets, positions) = (offsets.as_slice(), positions.as_slice());
                    StripProduct { weights, layout, rows, offsets, strip, positions, sums, pitch, accumulate: true }.run(backend);
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
                let (products, tiles, out_pitch) = (&sums[(plane * tile.fine.len() + channel) * tile.pitch..], tile.pitch, tile.pitch);
                let out = &mut *outputs;
                match [self.axes[0].taps, self.axes[1].taps] {
                    [2, 2] => backend.run(InterpolateTiles::<T, 2, 2> { products, pitch, tiles, out, out_pitch }),
                    [2, 3] => backend.run(InterpolateTiles::<T, 2, 3> { products, pitch, tiles, out, out_pitch }),
                    [3, 2] => backend.run(InterpolateTiles::<T, 3, 2> { products, pitch, tiles, out, out_pitch }),
                    _ => backend.run(InterpolateTiles::<T, 3, 3> { products, pitch, tiles, out, out_pitch }),
                }
                for (entry, output) in entries.iter().zip(outputs.chunks_exact(tile.pitch)) {
                    let &Some(entry) = entry else { continue };
                    taps[entry * tile.pitch..][..tile.pitch].copy_from_slice(output);
                }
            }
        });
    }
}
