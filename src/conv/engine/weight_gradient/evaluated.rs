//! Coarse pixels at the points, evaluated once for all fine channels of a group.
//!
//! A tile then needs but few fine channels: its sums stay in the second-level cache, and what is multiplied at a time in the first, as many
//! coarse channels as the inner loop has in registers.

use std::ops::Range;

use ndarray::{ArrayViewMut5, Axis};

use super::reduced::{Product, Reduced};
use super::{PIECES, Tile, WeightGradient};
use crate::conv::engine::store::Slot;
use crate::element::FloatElement;
use crate::kernels::{Backend, lanes, tile_positions, with_scratch};
use crate::memory::Need;
use crate::tasks;

/// Coarse channels, cut into as many as the inner loop takes at a time.
#[derive(Debug, Clone, Copy)]
struct Panels {
    vectors: usize,
    lanes: usize,
    count: usize,
}

impl Panels {
    fn new<T>(pitch: usize, backend: Backend) -> Self {
        let lanes = lanes::<T>(backend);
        Self { vectors: pitch / lanes, lanes, count: pitch.div_ceil(tile_positions::<T>(backend)).max(1) }
    }

    /// The channels of a panel: as even as can be.
    fn range(&self, panel: usize) -> Range<usize> {
        let first = |panel: usize| panel * (self.vectors / self.count) + panel.min(self.vectors % self.count);
        first(panel) * self.lanes..first(panel + 1) * self.lanes
    }
}

impl Reduced {
    /// What a call takes, for tiles of this many fine and coarse channels, with their sums and what storing these takes.
    pub(super) fn need_kept<A: FloatElement>(
        &self,
        (fine, pitch): (usize, usize),
        (sums_len, store_len): (usize, usize),
        backend: Backend,
    ) -> Need {
        let (lanes, panel) = (lanes::<A::Row>(backend), Panels::new::<A::Row>(pitch, backend).range(0).len());
        let add = sums_len + self.fine_lens(fine, lanes).iter().sum::<usize>();
        self.need_of((fine, pitch), lanes, [self.kept_len(pitch), self.coarse_lens(panel)[1].max(add), store_len])
    }

    /// The numbers that are kept.
    pub(super) fn kept_len(&self, pitch: usize) -> usize {
        self.blocks() * self.coarse_lens(pitch)[0]
    }

    /// Where the numbers of a panel of a block begin among those that are kept.
    fn kept_at(&self, panels: &Panels, pitch: usize, unit: usize) -> usize {
        let (block, panel) = (unit / panels.count, unit % panels.count);
        self.coarse_lens(block * pitch + panels.range(panel).start)[0]
    }
}

impl<A: FloatElement> WeightGradient<'_, A> {
    /// Whether threads divide the work on what is kept: not where there is enough without. One that waits keeps what it has, and may take
    /// up more.
    pub(super) fn divides_kept(&self) -> bool {
        self.groups * self.of_coarse.pieces < PIECES
    }

    fn join_kept(&self, first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
        tasks::join_if(self.threads && self.divides_kept(), first, second);
    }

    /// All fine channels of a group, with a tile of coarse ones whose points are kept.
    pub(super) fn keep<S: Slot<A>>(&self, reduced: &Reduced, out: ArrayViewMut5<'_, S>, coarse: usize) {
        let tile = self.tile_of(coarse, 0);
        let panels = Panels::new::<A::Row>(tile.pitch, self.factors.backend);
        with_scratch(reduced.kept_len(tile.pitch), |kept: &mut [A::Row]| {
            self.evaluate_kept(reduced, &tile, &panels, 0..reduced.blocks() * panels.count, kept);
            self.divide_kept(reduced, kept, out, coarse, 0..self.of_fine.pieces);
        });
    }

    /// Evaluates some units: panels of blocks.
    fn evaluate_kept(&self, reduced: &Reduced, tile: &Tile, panels: &Panels, units: Range<usize>, kept: &mut [A::Row]) {
        if units.len() > 1 {
            let middle = units.start + units.len() / 2;
            let at = |unit: usize| reduced.kept_at(panels, tile.pitch, unit);
            let (left, right) = kept.split_at_mut(at(middle) - at(units.start));
            let (first, second) = (units.start..middle, middle..units.end);
            return self.join_kept(
                || self.evaluate_kept(reduced, tile, panels, first, left),
                || self.evaluate_kept(reduced, tile, panels, second, right),
            );
        }
        let lanes = lanes::<A::Row>(self.factors.backend);
        for unit in units {
            let (block, of_panel) = (reduced.block(unit / panels.count, lanes), panels.range(unit % panels.count));
            let channel = |lane: usize| (tile.coarse.start + lane).min(tile.coarse.end);
            let channels = (channel(of_panel.start)..channel(of_panel.end), of_panel.len());
            let [_, pixels_len] = reduced.coarse_lens(of_panel.len());
            with_scratch(pixels_len, |scratch: &mut [A::Row]| reduced.evaluate_coarse(&self.factors, channels, &block, scratch, kept));
        }
    }

    /// Halves the tiles of fine channels until one is left.
    fn divide_kept<S: Slot<A>>(&self, reduced: &Reduced, kept: &[A::Row], out: ArrayViewMut5<'_, S>, coarse: usize, fine: Range<usize>) {
        if fine.len() > 1 {
            let middle = fine.start + fine.len() / 2;
            let (left, right) = out.split_at(Axis(1), (middle - fine.start) * self.of_fine.size);
            return self.join_kept(
                || self.divide_kept(reduced, kept, left, coarse, fine.start..middle),
                || self.divide_kept(reduced, kept, right, coarse, middle..fine.end),
            );
        }
        let (tile, backend) = (self.tile_of(coarse, fine.start), self.factors.backend);
        let (lanes, panels) = (lanes::<A::Row>(backend), Panels::new::<A::Row>(tile.pitch, backend));
        let [fine_len, rest_len] = reduced.fine_lens(tile.fine.len(), lanes);
        let sums_len = self.sums_len(tile.fine.len(), tile.pitch);
        with_scratch(sums_len + fine_len + rest_len, |scratch: &mut [A::Row]| {
            let (sums, rest) = scratch.split_at_mut(sums_len);
            let (points, rest) = rest.split_at_mut(fine_len);
            if reduced.blocks() == 0 {
                sums.fill(A::Row::default());
            }
            for number in 0..reduced.blocks() {
                let block = reduced.block(number, lanes);
                reduced.evaluate_fine(&self.factors, &tile, &block, rest, points);
                for panel in 0..panels.count {
                    let kept = &kept[reduced.kept_at(&panels, tile.pitch, number * panels.count + panel)..];
                    let product = Product { tile: &tile, tiles: &block.tiles, lanes: panels.range(panel), accumulate: number > 0 };
                    reduced.multiply(&product, backend, kept, points, sums);
                }
            }
            self.store(out, &tile, sums);
        });
    }
}
