//! The weight gradient: `dw[a, b, t] = Σ coarse[n, a, i] · fine[n, b, s·i + d·t - p]`, over every picture and pixel.
//!
//! It is a matrix product with the sum over positions. The lanes are coarse channels, so that their pixels are copied with the channels
//! side by side; the rows are fine channels × taps, and a tap is nothing but another place to begin in the strip of its channel.
//! Positions are cut into a number of parts that depends on the shapes alone, each with sums of its own, and the parts are added in order.

use std::ops::Range;

use ndarray::{ArrayView5, ArrayViewMut5, Axis, Slice};

use self::direct::Direct;
use self::lines::Lines;
use self::reduced::Reduced;
use super::phases::{Direction, Geometry, Phases};
use super::store::Slot;
use super::winograd;
use crate::conv::options::Precision;
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{Backend, Real, Transpose, lanes, reserve, with_scratch};
use crate::memory::Need;
use crate::tasks;

mod direct;
mod evaluated;
mod lines;
mod pixels;
mod reduced;

/// Coarse channels of a tile: whole vectors that the inner loop takes by two and three.
const COARSE: usize = 256;
/// Sums of a tile.
const SUMS: usize = 1 << 20;
/// Sums of all parts of a tile together: what splitting the positions may cost in memory.
const PARTIAL_SUMS: usize = 1 << 20;
/// Coarse pixels at the points that are kept for all fine channels, at most, and the sums of a tile then.
const KEPT: usize = 2_500_000;
const SUMS_OF_KEPT: usize = 1 << 17;
/// Fine channels × planes of a piece of work for which they are read again.
const FEWEST_ROWS_OF_KEPT: usize = 24;
/// How many pieces of work there should be before positions are left whole.
const PIECES: usize = 8;
/// The fewest fine channels of a piece of work.
const FEWEST_FINE: usize = 64;
/// The fewest blocks of positions of a part.
const FEWEST_BLOCKS: usize = 4;
/// How many times fewer multiplications pay: tiny pictures, where tiles reach past the border, were measured to be faster without.
const FEWEST_SAVED: f64 = 1.7;
/// Taps of some fine channels that are stored together.
const STORED: usize = 128;
/// A call with fewer products stays on its thread.
const SMALL_WORK: usize = 1 << 17;

/// The two tensors of a call, whose shapes have been checked against the geometry and each other.
pub(crate) struct Factors<'a, A> {
    coarse: ArrayView5<'a, A>,
    fine: ArrayView5<'a, A>,
    backend: Backend,
}

/// How the sums of a tile of channels are computed.
enum Method {
    Direct(Direct),
    Reduced(Reduced),
    /// With the coarse pixels kept for all fine channels.
    Kept(Reduced),
    Lines(Lines),
}

/// One call.
pub(crate) struct WeightGradient<'a, A> {
    factors: Factors<'a, A>,
    method: Method,
    /// Entries of the kernel.
    taps: usize,
    groups: usize,
    of_coarse: Tiling,
    of_fine: Tiling,
    parts: Tiling,
    threads: bool,
}

/// Coarse and fine channels, counted from the first of all, and the numbers from one row of sums to the next.
struct Tile {
    coarse: Range<usize>,
    fine: Range<usize>,
    pitch: usize,
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

impl<'a, A: FloatElement> WeightGradient<'a, A> {
    pub(crate) fn new(geometry: &Geometry, coarse: ArrayView5<'a, A>, fine: ArrayView5<'a, A>, backend: Backend) -> Self {
        let phases = Phases::new(geometry, Direction::Contract, false);
        let lanes = lanes::<A::Row>(backend);
        let (batch, groups) = (coarse.dim().0, geometry.groups);
        let (of_group_coarse, of_group_fine) = (coarse.dim().1 / groups, fine.dim().1 / groups);
        let taps = phases.tap_count();
        let of_coarse = Tiling::new(of_group_coarse, COARSE, lanes);
        let channels = (of_group_coarse, of_group_fine);
        let by_tiles = winograd::schemes::<A>(geometry, &phases, channels, FEWEST_SAVED);
        let by_lines = by_tiles.is_none();
        let scheme = by_tiles.or_else(|| winograd::schemes_by_lines::<A>(geometry, &phases, channels, FEWEST_SAVED));
        let scheme = scheme.filter(|axes| geometry.precision == Precision::Reduced || winograd::gradient_pays(axes, &phases, batch));
        let sums_of = scheme.as_ref().map_or(taps, Reduced::sums_of_channel) * of_coarse.size;
        let by_tiles = scheme.as_ref().filter(|_| !by_lines);
        let kept = by_tiles.and_then(|axes| {
            let points = Reduced::coarse_points(&phases, axes, batch, of_coarse.size);
            let (rows, pieces) = (of_group_fine * winograd::planes_of(axes), PIECES.div_ceil((groups * of_coarse.pieces).max(1)));
            let pays = points <= KEPT && rows >= pieces * FEWEST_ROWS_OF_KEPT;
            pays.then(|| (SUMS_OF_KEPT / sums_of.max(1)).min(of_group_fine.div_ceil(pieces)))
        });
        let of_fine = Tiling::new(of_group_fine, kept.unwrap_or(SUMS / sums_of.max(1)), 1);
        let method = match scheme {
            Some(axes) if by_lines => Method::Lines(Lines::new(phases, axes, batch, lanes)),
            Some(axes) if kept.is_some() => Method::Kept(Reduced::new(phases, axes, batch, (of_coarse.size, of_fine.size), lanes)),
            Some(axes) => Method::Reduced(Reduced::new(phases, axes, batch, (of_coarse.size, of_fine.size), lanes)),
            None => Method::Direct(Direct::new(phases, batch)),
        };
        let (blocks, fewest) = match &method {
            Method::Direct(direct) => (direct.blocks(), FEWEST_BLOCKS),
            // Large blocks: at least two parts, if there are two.
            Method::Reduced(reduced) => (reduced.blocks(), FEWEST_BLOCKS.min(reduced.blocks().div_ceil(2)).max(1)),
            Method::Lines(lines) => (lines.blocks(), 1), // larger blocks, and few sums
            Method::Kept(_) => (1, 1),                   // enough pieces without
        };
        let pieces = groups * of_coarse.pieces * of_fine.pieces;
        let most = PARTIAL_SUMS / (sums_of * of_fine.size).max(1);
        let parts = PIECES.div_ceil(pieces.max(1)).min(blocks / fewest).min(most).max(1);
        // Positions that are not shared among threads leave the fine channels to be shared.
        let of_fine = if parts == 1 && matches!(method, Method::Direct(_)) {
            let pieces = PIECES.div_ceil((groups * of_coarse.pieces).max(1));
            Tiling::new(of_group_fine, of_fine.size.min(of_group_fine.div_ceil(pieces).max(FEWEST_FINE)), 1)
        } else {
            of_fine
        };
        let parts = Tiling::new(blocks, blocks.div_ceil(parts), 1);
        let threads = coarse.len().saturating_mul(of_group_fine).saturating_mul(taps) >= SMALL_WORK;
        Self { factors: Factors { coarse, fine, backend }, method, taps, groups, of_coarse, of_fine, parts, threads }
    }

    /// Whether fewer multiplications are made than the definition has.
    pub(crate) fn is_reduced(&self) -> bool {
        !matches!(self.method, Method::Direct(_))
    }

    /// What a call takes.
    pub(crate) fn need(&self) -> Need {
        let (pitch, fine, backend) = (self.of_coarse.size, self.of_fine.size, self.factors.backend);
        let (parts, store_len) = (self.parts.pieces.max(1), self.store_len(pitch));
        let sums_len = self.sums_len(fine, pitch) * parts;
        let add = match &self.method {
            Method::Direct(direct) => direct.need::<A>(fine, pitch, backend),
            _ if const { !A::Row::REDUCES } => Need::default(),
            Method::Reduced(reduced) => reduced.need::<A>(fine, pitch, backend),
            Method::Lines(lines) => lines.need::<A>(fine),
            Method::Kept(reduced) => {
                let need = reduced.need_kept::<A>((fine, pitch), (sums_len, store_len), backend);
                let held = if self.divides_kept() { self.groups * self.of_coarse.pieces } else { 1 };
                return Need { held, threads: self.threads, ..need };
            }
        };
        let buffers = [sums_len, add.buffers[0].max(store_len), 0];
        // A thread that waits for the sums of other parts holds its own.
        let held = if parts > 1 { self.groups * self.of_coarse.pieces * self.of_fine.pieces } else { 1 };
        Need { buffers, held, threads: self.threads, ..add }
    }

    /// The sums of a tile.
    fn sums_len(&self, fine: usize, pitch: usize) -> usize {
        let of_channel = match &self.method {
            Method::Direct(_) => self.taps,
            Method::Reduced(reduced) | Method::Kept(reduced) => Reduced::sums_of_channel(&reduced.axes),
            Method::Lines(lines) => Reduced::sums_of_channel(&lines.axes),
        };
        of_channel * fine * pitch
    }

    /// The taps of some fine channels, the same by coarse channel, and the outputs of a plane, on their way to the gradient.
    fn store_len(&self, pitch: usize) -> usize {
        2 * self.stored_at_once() * self.taps * pitch + Reduced::outputs_len(pitch)
    }

    /// Computes the whole gradient into `out` (coarse channels × fine channels of a group × kernel), whose shape has been checked; an
    /// [`Error`] where there is no memory for that.
    pub(crate) fn run<S: Slot<A>>(&self, out: ArrayViewMut5<'_, S>) -> Result<(), Error> {
        if !out.is_empty() {
            let _reserved = reserve::<A::Row>(&self.need())?;
            self.divide(out, 0..self.groups * self.of_coarse.pieces, 0..self.of_fine.pieces);
        }
        Ok(())
    }

    fn join(&self, first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
        tasks::join_if(self.threads, first, second);
    }

    /// Halves the tiles of channels until one is left. `out` is what they cover.
    fn divide<S: Slot<A>>(&self, out: ArrayViewMut5<'_, S>, coarse: Range<usize>, fine: Range<usize>) {
        let middle_of = |range: &Range<usize>| range.start + range.len() / 2;
        if coarse.len() > 1 {
            let middle = middle_of(&coarse);
            let (left, right) = out.split_at(Axis(0), self.first_coarse(middle) - self.first_coarse(coarse.start));
            let second = fine.clone();
            self.join(|| self.divide(left, coarse.start..middle, fine), || self.divide(right, middle..coarse.end, second));
        } else if const { A::Row::REDUCES }
            && let Method::Kept(reduced) = &self.method
        {
            self.keep(reduced, out, coarse.start);
        } else if fine.len() > 1 {
            let middle = middle_of(&fine);
            let (left, right) = out.split_at(Axis(1), (middle - fine.start) * self.of_fine.size);
            let second = coarse.clone();
            self.join(|| self.divide(left, coarse, fine.start..middle), || self.divide(right, second, middle..fine.end));
        } else {
            self.tile(out, coarse.start, fine.start);
        }
    }

    /// The first channel of a tile of coarse channels.
    fn first_coarse(&self, tile: usize) -> usize {
        tile / self.of_coarse.pieces * self.of_coarse.count + self.of_coarse.range(tile % self.of_coarse.pieces).start
    }

    /// The channels of a tile, by its numbers among coarse and fine ones.
    fn tile_of(&self, coarse: usize, fine: usize) -> Tile {
        let first_fine = coarse / self.of_coarse.pieces * self.of_fine.count;
        let (first_coarse, fine) = (self.first_coarse(coarse), self.of_fine.range(fine));
        Tile {
            coarse: first_coarse..first_coarse + self.of_coarse.range(coarse % self.of_coarse.pieces).len(),
            fine: first_fine + fine.start..first_fine + fine.end,
            pitch: self.of_coarse.size,
        }
    }

    fn tile<S: Slot<A>>(&self, out: ArrayViewMut5<'_, S>, coarse: usize, fine: usize) {
        let tile = self.tile_of(coarse, fine);
        let (len, parts) = (self.sums_len(tile.fine.len(), tile.pitch), self.parts.pieces.max(1));
        with_scratch(len * parts, |sums: &mut [A::Row]| {
            self.run_parts(&tile, sums, 0..parts);
            let (sums, others) = sums.split_at_mut(len);
            for other in others.chunks_exact(len) {
                sums.iter_mut().zip(other).for_each(|(sum, &other)| *sum = *sum + other);
            }
            self.store(out, &tile, sums);
        });
    }

    /// The parts of the positions, each with its sums.
    fn run_parts(&self, tile: &Tile, sums: &mut [A::Row], parts: Range<usize>) {
        if parts.len() > 1 {
            let middle = parts.start + parts.len() / 2;
            let (left, right) = sums.split_at_mut(sums.len() / parts.len() * (middle - parts.start));
            return self.join(|| self.run_parts(tile, left, parts.start..middle), || self.run_parts(tile, right, middle..parts.end));
        }
        let blocks = self.parts.range(parts.start);
        if blocks.is_empty() || self.is_reduced() {
            sums.fill(A::Row::default());
        }
        match &self.method {
            Method::Direct(direct) => direct.sum(&self.factors, tile, blocks, sums),
            _ if const { !A::Row::REDUCES } => {}
            // `divide` sends what is kept to `keep`: it does not come here.
            Method::Reduced(reduced) | Method::Kept(reduced) => reduced.add(&self.factors, tile, blocks, sums),
            Method::Lines(lines) => lines.add(&self.factors, tile, blocks, sums),
        }
    }

    /// Writes the piece of the gradient that a tile covers.
    fn store<S: Slot<A>>(&self, mut out: ArrayViewMut5<'_, S>, tile: &Tile, sums: &[A::Row]) {
        let backend = self.factors.backend;
        with_scratch(self.store_len(tile.pitch), |scratch: &mut [A::Row]| {
            let of_channel = self.taps * tile.pitch;
            let (taps, rest) = scratch.split_at_mut(self.stored_at_once() * of_channel);
            let (kernels, outputs) = rest.split_at_mut(self.stored_at_once() * of_channel);
            for first in (0..tile.fine.len()).step_by(self.stored_at_once()) {
                let channels = first..tile.fine.len().min(first + self.stored_at_once());
                for (channel, taps) in channels.clone().zip(taps.chunks_exact_mut(of_channel.max(1))) {
                    match &self.method {
                        Method::Direct(_) => {}
                        _ if const { !A::Row::REDUCES } => {}
                        Method::Reduced(reduced) | Method::Kept(reduced) => {
                            reduced.taps_of(channel, tile, sums, backend, (taps, &mut *outputs));
                        }
                        Method::Lines(lines) => lines.taps_of(channel, tile, sums, taps),
                    }
                }
                let from = if self.is_reduced() { &*taps } else { &sums[first * of_channel..] };
                let (rows, columns) = (channels.len() * self.taps, tile.coarse.len());
                backend.run(Transpose { from, from_pitch: tile.pitch, rows, columns, to: &mut *kernels, to_pitch: rows });
                let of_coarse = out.slice_axis_mut(Axis(1), Slice::from(channels));
                for (mut kernels, sums) in of_coarse.into_outer_iter_mut().zip(kernels.chunks_exact(rows)) {
                    match kernels.as_slice_mut() {
                        Some(kernels) => kernels.iter_mut().zip(sums).for_each(|(slot, &sum)| slot.put(sum)),
                        None => kernels.iter_mut().zip(sums).for_each(|(slot, &sum)| slot.put(sum)),
                    }
                }
            }
        });
    }

    /// Fine channels whose taps are stored together: neighbours in memory, whose lines of the cache are far from those of the next coarse
    /// channel.
    fn stored_at_once(&self) -> usize {
        (STORED / self.taps.max(1)).clamp(1, self.of_fine.size.max(1))
    }
}
