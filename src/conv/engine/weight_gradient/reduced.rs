//! The weight gradient by minimal filtering: 4 × 4 fine pixels and 3 × 3 or 2 × 2 coarse ones make the sums of 2 × 2 or 3 × 3 taps.
//!
//! The coarse pixels of a tile are what the filter is to a convolution, the taps what its outputs are. Products at the points are summed
//! over all tiles, so the way back is taken once for a pair of channels.
//!
//! The coarse pixels at the points are kept for all fine channels where they are few enough ([`kept`](super::kept)). In large pictures they
//! are evaluated block by block, and again for each tile of channels.

use std::ops::Range;

use ndarray::indices;

use super::pixels::PixelBlock;
use super::{Factors, Tile};
use crate::conv::engine::phases::Phases;
use crate::conv::engine::winograd::{AxisScheme, Filter, Live, PlaneSource, TILE, Tiles, block_of, filters, planes_of, tile_counts};
use crate::element::FloatElement;
use crate::kernels::{
    Backend, ELEMENTS, EvaluateFilters, EvaluateTiles, InterpolateTiles, Layout, Positions, Real, StripProduct, lanes, with_scratch,
};
use crate::memory::{Need, grown_bytes};

/// Numbers at the points that a task keeps at a time.
const POINTS: usize = 1 << 20;
const FEWEST_TILES: usize = 24;
const MOST_TILES: usize = 144;

/// A product of the pixels of a block.
pub(super) struct Product<'a> {
    pub(super) tile: &'a Tile,
    pub(super) tiles: &'a Tiles,
    /// The coarse channels of the tile that are multiplied: they alone are there.
    pub(super) lanes: Range<usize>,
    /// Whether to add to the sums, or to start from 0.
    pub(super) accumulate: bool,
}

/// How the positions are cut.
pub(crate) struct Reduced {
    phases: Phases,
    pub(crate) axes: [AxisScheme; 2],
    /// Of each plane, the entries of the kernel.
    filters: Vec<Filter>,
    /// By point: the planes whose taps need its products.
    live: Vec<Live>,
    pub(super) positions: [usize; 3],
    pub(super) block: [usize; 3],
}

/// Where a block is, and its tiles.
pub(super) struct Block {
    pub(super) ranges: [Range<usize>; 3],
    pub(super) tiles: Tiles,
}

impl Block {
    fn start(&self) -> [usize; 3] {
        self.ranges.each_ref().map(|range| range.start)
    }
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

    /// How many numbers a count of coarse channels has at the points.
    pub(crate) fn coarse_points(phases: &Phases, axes: &[AxisScheme; 2], batch: usize, channels: usize) -> usize {
        let positions = [batch, phases.axes[1].positions(), phases.axes[2].positions()];
        tile_counts((phases, axes), positions).iter().fold(ELEMENTS * channels, |points, &tiles| points.saturating_mul(tiles))
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

    /// A block, by its number.
    pub(super) fn block(&self, number: usize, lanes: usize) -> Block {
        let [_, heights, widths] = self.counts();
        let index = [number / (heights * widths), number / widths % heights, number % widths];
        let ranges: [Range<usize>; 3] = std::array::from_fn(|axis| {
            let start = index[axis] * self.block[axis];
            start..(start + self.block[axis]).min(self.positions[axis])
        });
        let sizes = ranges.each_ref().map(|range| range.len());
        Block { ranges, tiles: self.tiles(sizes, lanes) }
    }

    fn tiles(&self, sizes: [usize; 3], lanes: usize) -> Tiles {
        Tiles::new((&self.phases, &self.axes), sizes, lanes, usize::MAX)
    }

    /// The tiles of a block at most.
    pub(super) fn most_tiles(&self) -> usize {
        tile_counts((&self.phases, &self.axes), self.block).iter().product()
    }

    /// The coarse pixels of a block at the points, and what they are evaluated from: `pitch` channels.
    pub(super) fn coarse_lens(&self, pitch: usize) -> [usize; 2] {
        let outputs: usize = self.axes.iter().map(AxisScheme::outputs).product();
        [ELEMENTS * self.most_tiles() * pitch, self.most_tiles() * outputs * (pitch + crate::kernels::SQUARE)]
    }

    /// The same for fine channels.
    pub(super) fn fine_lens(&self, fine: usize, lanes: usize) -> [usize; 2] {
        let tiles = self.tiles(self.block, lanes);
        [ELEMENTS * fine * self.planes() * tiles.pitch, tiles.planes_len()]
    }

    pub(super) fn planes(&self) -> usize {
        self.filters.len()
    }

    /// Coarse and fine pixels of a block at the points, and what either are evaluated from.
    fn lens(&self, fine: usize, pitch: usize, lanes: usize) -> [usize; 3] {
        let ([coarse_len, pixels_len], [fine_len, planes_len]) = (self.coarse_lens(pitch), self.fine_lens(fine, lanes));
        [coarse_len, fine_len, pixels_len.max(planes_len)]
    }

    /// What adding takes, for tiles of this many fine and `pitch` coarse channels.
    pub(crate) fn need<A: FloatElement>(&self, fine: usize, pitch: usize, backend: Backend) -> Need {
        let lanes = lanes::<A::Row>(backend);
        self.need_of((fine, pitch), lanes, [self.lens(fine, pitch, lanes).iter().sum(), 0, 0])
    }

    /// These buffers, and the lists of a block.
    pub(super) fn need_of(&self, (fine, pitch): (usize, usize), lanes: usize, buffers: [usize; 3]) -> Need {
        let tiles = self.tiles(self.block, lanes);
        let lists = fine * self.planes() * size_of::<usize>() + 2 * grown_bytes::<usize>(tiles.all());
        let sources = PlaneSource::list_bytes(planes_of(&self.axes), &tiles);
        let list_bytes = lists + sources + pitch / lanes * size_of::<Positions>();
        Need { list_bytes, ..Need::of_buffers(buffers, false) }.with_shared(self.phases.list_bytes())
    }

    /// The outputs of one plane, on their way to the taps.
    pub(crate) fn outputs_len(pitch: usize) -> usize {
        TILE * TILE * pitch
    }

    /// Adds the products of some blocks to the sums: by point, plane, fine channel, coarse channel.
    pub(crate) fn add<A: FloatElement>(&self, factors: &Factors<'_, A>, tile: &Tile, blocks: Range<usize>, sums: &mut [A::Row]) {
        let lanes = lanes::<A::Row>(factors.backend);
        let [coarse_len, fine_len, rest_len] = self.lens(tile.fine.len(), tile.pitch, lanes);
        with_scratch(coarse_len + fine_len + rest_len, |scratch: &mut [A::Row]| {
            let (coarse, rest) = scratch.split_at_mut(coarse_len);
            let (fine, rest) = rest.split_at_mut(fine_len);
            for number in blocks {
                let block = self.block(number, lanes);
                self.evaluate_coarse(factors, (tile.coarse.clone(), tile.pitch), &block, rest, coarse);
                self.evaluate_fine(factors, tile, &block, rest, fine);
                let product = Product { tile, tiles: &block.tiles, lanes: 0..tile.pitch, accumulate: true };
                self.multiply(&product, factors.backend, coarse, fine, sums);
            }
        });
    }

    /// The coarse pixels of some channels at the points: by point, tile, channel, `pitch` of them.
    pub(super) fn evaluate_coarse<A: FloatElement>(
        &self,
        factors: &Factors<'_, A>,
        (channels, pitch): (Range<usize>, usize),
        Block { ranges: [n, h, w], tiles }: &Block,
        scratch: &mut [A::Row],
        out: &mut [A::Row],
    ) {
        let ([pictures, rows, columns], [height, width]) = (tiles.counts, tiles.sizes);
        let line = columns * width;
        let block = PixelBlock { ranges: [n.clone(), 0..1, h.clone(), w.clone()], room: [pictures, 1, rows * height, line] };
        let (lines, pixels) = scratch.split_at_mut(block.rows_len());
        block.fill(&factors.coarse, channels, factors.backend, lines, pixels, pitch);
        let first = tiles.in_order().into_iter().map(|[n, row, column]| (n * rows + row) * height * line + column * width);
        let first: Vec<usize> = first.collect();
        let (pixels, tiles) = (&*pixels, first.as_slice());
        let taps: Vec<usize> = indices((height, width)).into_iter().map(|(row, column)| row * line + column).collect();
        let points = std::array::from_fn(|point| Some(point * tiles.len() * pitch));
        let filters = EvaluateFilters { pixels, pitch, channels: pitch, taps: &taps, tiles, points, out };
        filters.run([height, width], factors.backend);
    }

    /// The fine pixels at the points: by point, plane, channel, tile.
    pub(super) fn evaluate_fine<A: FloatElement>(
        &self,
        factors: &Factors<'_, A>,
        tile: &Tile,
        block: &Block,
        scratch: &mut [A::Row],
        points: &mut [A::Row],
    ) {
        let tiles = &block.tiles;
        let planes = &mut scratch[..tiles.planes_len()];
        let ((rows, width), elements) = (tiles.rows(), tiles.elements());
        let sources = PlaneSource::of_all(&self.axes, tiles, block.start(), &factors.fine);
        let pitch = tile.fine.len() * self.planes() * tiles.pitch;
        for (number, channel) in tile.fine.clone().enumerate() {
            if channel + 1 < factors.fine.dim().1 {
                tiles.prefetch(block.start(), &factors.fine, channel + 1);
            }
            for (plane, source) in sources.iter().enumerate() {
                source.fill(&factors.fine, channel, factors.backend, planes);
                let out = &mut points[(plane * tile.fine.len() + number) * tiles.pitch..];
                let (planes, rows) = (&planes[source.begin..], rows.as_slice());
                factors.backend.run(EvaluateTiles { planes, elements, rows, width, out, panel: tiles.pitch, pitch, panel_pitch: 0 });
            }
        }
    }

    /// At every point, the product of fine and coarse pixels summed over the tiles.
    pub(super) fn multiply<T: Real>(&self, product: &Product<'_>, backend: Backend, coarse: &[T], fine: &[T], sums: &mut [T]) {
        let &Product { tile, tiles, ref lanes, accumulate } = product;
        let (channels, of_row) = (tile.fine.len(), tiles.pitch);
        let row_offsets: Vec<usize> = (0..self.planes() * channels).map(|row| row * of_row).collect();
        let (mut products, mut offsets) = (Vec::with_capacity(tiles.all()), Vec::with_capacity(tiles.all()));
        let vectors = (0..lanes.len()).step_by(crate::kernels::lanes::<T>(backend));
        let positions: Vec<Positions> = vectors.map(|from| Positions { from, to: lanes.start + from }).collect();
        let of_point = coarse.chunks_exact(tiles.all() * lanes.len()).zip(&self.live);
        let (weights, sums) = (fine.chunks_exact(row_offsets.len() * of_row), sums.chunks_exact_mut(row_offsets.len() * tile.pitch));
        for (point, (((strip, live), mut weights), mut sums)) in of_point.zip(weights).zip(sums).enumerate() {
            // A tile without a last coarse pixel is 0 at ∞.
            let (heights, widths) = (tiles.needed(0, point / TILE, 0), tiles.needed(1, point % TILE, 0));
            products.clear();
            for run in tiles.runs(&heights, &widths) {
                products.extend(run);
            }
            offsets.clear();
            offsets.extend(products.iter().map(|tile| tile * lanes.len()));
            // Planes that follow each other and are multiplied are rows of one product.
            for planes in live.planes.chunk_by(|one, other| one.is_some() == other.is_some()) {
                let rows = planes.len() * channels;
                let (of_planes, other_weights) = weights.split_at(rows * of_row);
                let (sums_of_planes, other_sums) = sums.split_at_mut(rows * tile.pitch);
                (weights, sums) = (other_weights, other_sums);
                if planes[0].is_some() {
                    let layout = Layout::Offsets { rows: &row_offsets[..rows], products: &products };
                    let (weights, offsets, positions, sums, pitch) =
                        (of_planes, offsets.as_slice(), positions.as_slice(), sums_of_planes, tile.pitch);
                    StripProduct { weights, layout, rows, offsets, strip, positions, sums, pitch, accumulate }.run(backend);
                } else if !accumulate {
                    sums_of_planes.fill(T::zero());
                }
            }
        }
    }

    /// The taps of one fine channel of a tile: by tap, coarse channel.
    pub(crate) fn taps_of<T: Real>(
        &self,
        channel: usize,
        tile: &Tile,
        sums: &[T],
        backend: Backend,
        (taps, outputs): (&mut [T], &mut [T]),
    ) {
        let pitch = tile.fine.len() * self.planes() * tile.pitch;
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
    }
}
