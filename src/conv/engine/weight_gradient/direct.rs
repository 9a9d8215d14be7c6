//! The weight gradient as it is defined.

use std::ops::Range;

use super::pixels::PixelBlock;
use super::{Factors, Tile};
use crate::conv::engine::phases::Phases;
use crate::conv::engine::strips::{Strips, block_of};
use crate::element::FloatElement;
use crate::kernels::{Backend, Layout, Positions, StripProduct, lanes, with_scratch};
use crate::memory::{Need, bytes_of, grown_bytes};

/// Positions of a block.
const POSITIONS: usize = 192;

/// How the positions are cut, and where the taps begin in a strip.
pub(crate) struct Direct {
    strips: Strips,
    tap_offsets: Vec<usize>,
}

impl Direct {
    pub(crate) fn new(phases: Phases, batch: usize) -> Self {
        let strips = Strips::with_fewest_pixels(&phases, batch, block_of(&phases, batch, POSITIONS));
        let mut tap_offsets = Vec::new();
        for group in &phases.groups {
            tap_offsets.extend(strips.tap_offsets(group));
        }
        Self { strips, tap_offsets }
    }

    pub(crate) fn blocks(&self) -> usize {
        self.strips.blocks().iter().product()
    }

    /// The strip of a number of fine channels, the pixels of `pitch` coarse ones, and their rows before they are side by side.
    fn lens(&self, fine: usize, pitch: usize) -> [usize; 3] {
        let positions: usize = self.strips.block.iter().product();
        [fine * self.strips.channel_len, positions * pitch, crate::kernels::SQUARE * positions]
    }

    /// What adding takes, for tiles of this many fine and `pitch` coarse channels.
    pub(crate) fn need<A: FloatElement>(&self, fine: usize, pitch: usize, backend: Backend) -> Need {
        let positions: usize = self.strips.block.iter().product();
        let rows = grown_bytes::<usize>(fine * self.tap_offsets.len());
        let list_bytes = rows + 3 * positions * size_of::<usize>() + pitch / lanes::<A::Row>(backend) * size_of::<Positions>();
        let list_bytes = list_bytes.saturating_add(self.strips.fill_list_bytes());
        let need = Need { list_bytes, ..Need::of_buffers([self.lens(fine, pitch).iter().sum(), 0, 0], false) };
        need.with_shared(2 * bytes_of(&self.tap_offsets))
    }

    /// The sums of the products of some blocks: by fine channel, tap, coarse channel.
    pub(crate) fn sum<A: FloatElement>(&self, factors: &Factors<'_, A>, tile: &Tile, blocks: Range<usize>, sums: &mut [A::Row]) {
        let [_, depths, heights, widths] = self.strips.blocks();
        let [strip_len, pixels_len, rows_len] = self.lens(tile.fine.len(), tile.pitch);
        let mut rows = Vec::with_capacity(tile.fine.len() * self.tap_offsets.len());
        for channel in 0..tile.fine.len() {
            rows.extend(self.tap_offsets.iter().map(|tap| channel * self.strips.channel_len + tap));
        }
        let lanes = lanes::<A::Row>(factors.backend);
        let vectors: Vec<Positions> = (0..tile.pitch).step_by(lanes).map(|start| Positions { from: start, to: start }).collect();
        with_scratch(strip_len + pixels_len + rows_len, |scratch: &mut [A::Row]| {
            let (strip, rest) = scratch.split_at_mut(strip_len);
            let (pixels, lines) = rest.split_at_mut(pixels_len);
            for number in blocks.clone() {
                let of_volume = heights * widths;
                let index = [number / (depths * of_volume), number / of_volume % depths, number / widths % heights, number % widths];
                let ranges: [_; 4] = std::array::from_fn(|axis| self.strips.block_range(axis, index[axis]));
                let (start, size) = (ranges.each_ref().map(|range| range.start), ranges.each_ref().map(|range| range.len()));
                self.strips.fill(&factors.fine, tile.fine.clone(), start, size, factors.backend, strip);
                let block = PixelBlock { ranges, room: size };
                block.fill(&factors.coarse, tile.coarse.clone(), factors.backend, lines, pixels, tile.pitch);
                let products = self.pixel_offsets(size);
                let offsets: Vec<usize> = (0..products.len()).map(|pixel| pixel * tile.pitch).collect();
                let product = StripProduct {
                    weights: strip,
                    layout: Layout::Offsets { rows: &rows, products: &products },
                    rows: rows.len(),
                    offsets: &offsets,
                    strip: pixels,
                    positions: &vectors,
                    sums: &mut *sums,
                    pitch: tile.pitch,
                    accumulate: number > blocks.start,
                };
                product.run(factors.backend);
            }
        });
    }

    /// Where each position of a block is in a plane of the strip.
    fn pixel_offsets(&self, [n, d, h, w]: [usize; 4]) -> Vec<usize> {
        let strides = self.strips.strides;
        let mut offsets = Vec::with_capacity(n * d * h * w);
        for n in 0..n {
            for d in 0..d {
                for h in 0..h {
                    let row = n * strides[0] + d * strides[1] + h * strides[2];
                    offsets.extend(row..row + w);
                }
            }
        }
        offsets
    }
}
