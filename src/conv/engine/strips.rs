//! Zero-padded copies of a part of the input. They fit the cache, and the inner loop reads them without checking for borders.
//!
//! A *plane* of a strip holds what one tap, or all taps of one residue, read: at position `m` the source pixel
//! `source_stride·m + origin`, or 0 outside the input. Taps of the same plane differ by a shift, so they need no copies of their own.

use std::ops::Range;

use super::phases::{AxisPhases, Phases, RowGroup};
use crate::kernels::Positions;

/// Positions that a task computes at a time.
const POSITIONS: usize = 384;
/// Sums that a task keeps at a time, where the rows are many.
const SUMS: usize = 1 << 17;
/// The fewest positions, however many the rows.
const FEWEST_POSITIONS: usize = 48;

/// The planes of one axis.
#[derive(Debug, Clone)]
pub(crate) struct AxisPlanes {
    /// The source pixel of each plane at position 0.
    pub(crate) origins: Vec<isize>,
    /// How far the taps of a plane shift.
    pub(crate) halo: usize,
    source_stride: isize,
    /// Whether every origin has a plane of its own.
    separate: bool,
}

impl AxisPlanes {
    fn new(axis: &AxisPhases, separate: bool) -> Self {
        let source_stride = axis.source_stride.cast_signed();
        let mut origins = axis.origins();
        let mut halo = 0;
        if !separate && let (Some(first), Some(last)) = (origins.iter().min(), origins.iter().max()) {
            let (first, last) = (first.div_euclid(source_stride), last.div_euclid(source_stride));
            halo = (last - first).cast_unsigned();
            origins = origins.iter().map(|origin| origin.rem_euclid(source_stride) + source_stride * first).collect();
        }
        origins.sort_unstable();
        origins.dedup();
        Self { origins, halo, source_stride, separate }
    }

    /// One plane a residue on every axis.
    fn shared(phases: &Phases) -> [Self; 3] {
        phases.axes.each_ref().map(|axis| Self::new(axis, false))
    }

    /// The choices of planes for the three axes: shared, which needs fewer pixels where taps are many and near, or separate.
    pub(crate) fn choices(phases: &Phases) -> impl Iterator<Item = [Self; 3]> {
        let (shared, apart) = (Self::shared(phases), phases.axes.each_ref().map(|axis| Self::new(axis, true)));
        (0..8_usize).filter_map(move |choice| {
            let separate = [choice & 4 != 0, choice & 2 != 0, choice & 1 != 0];
            // Where the taps of an axis do not shift, planes of their own would be the same planes.
            let sensible = (0..3).all(|axis| !separate[axis] || shared[axis].halo > 0);
            sensible.then(|| std::array::from_fn(|axis| if separate[axis] { apart[axis].clone() } else { shared[axis].clone() }))
        })
    }

    /// The plane that holds what is read from `origin` on, and how far along it.
    fn locate(&self, origin: isize) -> (usize, usize) {
        if self.separate {
            return (self.origins.partition_point(|&plane| plane < origin), 0);
        }
        let first = self.origins.first().map_or(0, |first| first.div_euclid(self.source_stride));
        let shift = origin.div_euclid(self.source_stride) - first;
        let plane = self.origins.partition_point(|&plane| plane < origin - self.source_stride * shift);
        (plane, shift.cast_unsigned())
    }
}

/// How the positions of an operator are cut into blocks, and how the strip and the sums of a block are laid out.
#[derive(Debug, Clone)]
pub(crate) struct Strips {
    pub(crate) planes: [AxisPlanes; 3],
    pub(crate) source_strides: [usize; 3],
    /// Batch and positions of the whole output.
    pub(crate) positions: [usize; 4],
    /// Batch and positions of a block; the last ones may have fewer.
    pub(crate) block: [usize; 4],
    /// How many positions more than outputs a block computes on each axis.
    extension: [usize; 3],
    /// Pixels from one picture, slice, row, pixel of a plane to the next.
    pub(crate) strides: [usize; 4],
    /// Pixels of all planes of a channel.
    pub(crate) channel_len: usize,
    pub(crate) plane_len: usize,
    /// Up to which axis positions are computed as one run, the halo between rows and all.
    run_axis: usize,
    /// From one picture, slice, row, position of the sums to the next.
    pub(crate) sum_strides: [usize; 4],
    /// The length of a row of sums.
    pub(crate) sums_len: usize,
}

impl Strips {
    /// Cuts `batch` pictures for the given rows of sums and products at each position, so that little work is wasted.
    pub(crate) fn new(phases: &Phases, batch: usize, rows: usize, lanes: usize) -> Self {
        let block = Self::block_for(phases, batch, rows);
        let products = phases.tap_count().max(1) * rows / phases.count().max(1);
        // A vector of sums takes a cycle a product, a pixel copied about one too.
        let cost = |strips: &Self| (strips.sums_len / lanes).saturating_mul(products).saturating_add(strips.channel_len);
        let mut best: Option<Self> = None;
        for planes in AxisPlanes::choices(phases) {
            for run_axis in 0..4 {
                let strips = Self::with_layout(phases, batch, block, planes.clone(), run_axis, lanes);
                if best.as_ref().is_none_or(|best| cost(&strips) < cost(best)) {
                    best = Some(strips);
                }
            }
        }
        best.unwrap_or_else(|| Self::with_layout(phases, batch, block, AxisPlanes::shared(phases), 3, lanes))
    }

    /// The positions of a block for the given rows of sums.
    fn block_for(phases: &Phases, batch: usize, rows: usize) -> [usize; 4] {
        block_of(phases, batch, (SUMS / rows.max(1)).clamp(FEWEST_POSITIONS, POSITIONS))
    }

    /// The number of blocks that [`new`](Self::new) cuts `batch` pictures into, without laying them out.
    pub(crate) fn count_blocks(phases: &Phases, batch: usize, rows: usize) -> usize {
        let positions = [batch, phases.axes[0].positions(), phases.axes[1].positions(), phases.axes[2].positions()];
        positions.iter().zip(Self::block_for(phases, batch, rows)).map(|(positions, block)| positions.div_ceil(block)).product()
    }

    /// The layout that copies the fewest pixels, for sums that are not over taps.
    pub(crate) fn with_fewest_pixels(phases: &Phases, batch: usize, block: [usize; 4]) -> Self {
        let layouts = AxisPlanes::choices(phases).map(|planes| Self::with_layout(phases, batch, block, planes, 3, 1));
        let best = layouts.min_by_key(|strips| strips.channel_len);
        best.unwrap_or_else(|| Self::with_layout(phases, batch, block, AxisPlanes::shared(phases), 3, 1))
    }

    /// A layout whose planes are as given and whose runs span the axes from `run_axis` on.
    fn with_layout(phases: &Phases, batch: usize, block: [usize; 4], planes: [AxisPlanes; 3], run_axis: usize, lanes: usize) -> Self {
        let extension: [usize; 3] = std::array::from_fn(|axis| phases.axes[axis].extension());
        let computed = [block[0], block[1] + extension[0], block[2] + extension[1], block[3] + extension[2]];
        // Taps can be so far apart that shared planes would not fit any memory; then the product saturates, and another layout is better.
        let product = |sizes: &[usize]| sizes.iter().fold(1_usize, |product, &size| product.saturating_mul(size));
        let held: [usize; 3] = std::array::from_fn(|axis| computed[axis + 1].saturating_add(planes[axis].halo));
        let strides = [product(&held), product(&held[1..]), held[2], 1];
        let plane_len = product(&[computed[0], strides[0]]);
        let channel_len = product(&planes.each_ref().map(|axis| axis.origins.len())).saturating_mul(plane_len);
        let pitch = run_len(computed, strides, run_axis).checked_next_multiple_of(lanes).unwrap_or(usize::MAX);
        let mut sum_strides = strides;
        let mut sums_len = pitch;
        for axis in (0..run_axis).rev() {
            sum_strides[axis] = sums_len;
            sums_len = sums_len.saturating_mul(computed[axis]);
        }
        let source_strides = std::array::from_fn(|axis| phases.axes[axis].source_stride);
        let [depth, height, width] = &phases.axes;
        let positions = [batch, depth.positions(), height.positions(), width.positions()];
        Self { planes, source_strides, positions, block, extension, strides, channel_len, plane_len, run_axis, sum_strides, sums_len }
    }

    /// The number of blocks on each axis.
    pub(crate) fn blocks(&self) -> [usize; 4] {
        std::array::from_fn(|axis| self.positions[axis].div_ceil(self.block[axis]))
    }

    /// The positions of block `index` on an axis.
    pub(crate) fn block_range(&self, axis: usize, index: usize) -> Range<usize> {
        let start = index * self.block[axis];
        start..(start + self.block[axis]).min(self.positions[axis])
    }

    /// Where what each tap of a row group reads begins in the planes of a channel.
    pub(crate) fn tap_offsets<'a>(&'a self, group: &'a RowGroup) -> impl Iterator<Item = usize> + 'a {
        group.origins.iter().map(|origin| {
            let [(d, d_shift), (h, h_shift), (w, w_shift)] = std::array::from_fn(|axis| self.planes[axis].locate(origin[axis]));
            let plane = (d * self.planes[1].origins.len() + h) * self.planes[2].origins.len() + w;
            plane * self.plane_len + d_shift * self.strides[1] + h_shift * self.strides[2] + w_shift
        })
    }

    /// The positions of a block of `size`, as vectors.
    pub(crate) fn vectors(&self, size: [usize; 4], lanes: usize) -> Vec<Positions> {
        let computed = self.computed(size);
        let len = run_len(computed, self.strides, self.run_axis);
        let outer: [usize; 3] = std::array::from_fn(|axis| if axis < self.run_axis { computed[axis] } else { 1 });
        let mut vectors = Vec::new();
        for n in 0..outer[0] {
            for d in 0..outer[1] {
                for h in 0..outer[2] {
                    let at = |strides: [usize; 4]| n * strides[0] + d * strides[1] + h * strides[2];
                    let (from, to) = (at(self.strides), at(self.sum_strides));
                    vectors.extend((0..len).step_by(lanes).map(|start| Positions { from: from + start, to: to + start }));
                }
            }
        }
        vectors
    }

    /// The positions to compute for a block of `size` outputs.
    pub(crate) fn computed(&self, size: [usize; 4]) -> [usize; 4] {
        let [d, h, w] = self.extension;
        [size[0], size[1] + d, size[2] + h, size[3] + w]
    }
}

/// How far a run over the axes from `axis` on extends.
fn run_len(computed: [usize; 4], strides: [usize; 4], axis: usize) -> usize {
    (axis..4).fold(1, |len: usize, axis| len.saturating_add((computed[axis] - 1).saturating_mul(strides[axis])))
}

/// Whole rows, then whole slices, then whole pictures, while they fit `positions`; blocks of an axis are as even as can be.
pub(crate) fn block_of(phases: &Phases, batch: usize, positions: usize) -> [usize; 4] {
    let mut room = positions;
    let mut block = [batch, phases.axes[0].positions(), phases.axes[1].positions(), phases.axes[2].positions()];
    for size in block.iter_mut().rev() {
        let whole = (*size).max(1);
        *size = whole.div_ceil(whole.div_ceil(room.max(1)));
        room /= *size;
    }
    block
}
