//! How positions are cut into tiles and blocks of them, and the copies of pixels that tiles are evaluated from.

use ndarray::{ArrayView5, Axis, s};

use super::{AxisScheme, TILE};
use crate::conv_transpose::phases::Phases;
use crate::conv_transpose::strips::{copy_every, inside};
use crate::element::FloatElement;
use crate::simd::ELEMENTS;

/// The tiles of a block.
pub(crate) struct Tiles {
    /// Pictures, and rows and columns of tiles.
    pub(crate) counts: [usize; 3],
    /// Outputs of a tile along height and width.
    pub(crate) sizes: [usize; 2],
    /// From one row of tiles of a block to the next, with room for what a vector writes past the last.
    pub(crate) pitch: usize,
    lanes: usize,
    /// Tiles that the inner loop takes at a time.
    pub(crate) panel: usize,
}

impl Tiles {
    /// The tiles of so many pictures, rows and columns of positions.
    pub(crate) fn new((phases, axes): (&Phases, &[AxisScheme; 2]), positions: [usize; 3], lanes: usize, panel: usize) -> Self {
        let counts = tile_counts((phases, axes), positions);
        let pitch = counts.iter().product::<usize>().next_multiple_of(panel) + lanes;
        Self { counts, sizes: axes.each_ref().map(AxisScheme::outputs), pitch, lanes, panel }
    }

    pub(crate) fn all(&self) -> usize {
        self.counts.iter().product()
    }

    pub(crate) fn panels(&self) -> usize {
        self.all().div_ceil(self.panel)
    }

    /// Pixels that are side by side in neighbouring tiles.
    pub(crate) fn plane_len(&self) -> usize {
        self.counts[0] * (self.counts[1] + 1) * (self.counts[2] + 1)
    }

    /// All planes, and room for a vector behind the last.
    pub(crate) fn planes_len(&self) -> usize {
        self.sizes[0] * self.sizes[1] * self.plane_len() + self.lanes + TILE
    }

    /// The outputs of one phase.
    pub(crate) fn outputs_len(&self) -> usize {
        self.sizes[0] * self.sizes[1] * self.pitch
    }

    /// Where each row of tiles begins in a plane.
    pub(crate) fn rows(&self) -> Vec<usize> {
        let [pictures, height, width] = self.counts;
        (0..pictures).flat_map(|n| (0..height).map(move |row| (n * (height + 1) + row) * (width + 1))).collect()
    }

    /// Where each element of the first tile is in the planes.
    pub(crate) fn elements(&self) -> [usize; ELEMENTS] {
        let [height, width] = self.sizes;
        std::array::from_fn(|element| {
            let (row, column) = (element / TILE, element % TILE);
            let plane = row % height * width + column % width;
            plane * self.plane_len() + row / height * (self.counts[2] + 1) + column / width
        })
    }
}

/// Copies the pixels of one plane of a channel for a block that begins at `start`, those that neighbouring tiles have in the same place
/// side by side.
pub(crate) fn fill_planes<A: FloatElement>(
    source: &ArrayView5<'_, A>,
    channel: usize,
    phases: &Phases,
    origin: [isize; 2],
    tiles: &Tiles,
    start: [usize; 3],
    planes: &mut [A::Row],
) {
    let axes = &phases.axes;
    let first = |axis: usize| origin[axis] + (axes[axis + 1].source_stride * start[axis + 1]).cast_signed();
    let [height, width] = tiles.sizes;
    let (plane_len, pitch) = (tiles.plane_len(), tiles.counts[2] + 1);
    let [stride_h, stride_w] = [axes[1].source_stride, axes[2].source_stride];
    // Of each column of a tile, the pixels that are inside: the first tile, the first pixel, how many.
    let inside_of = |column: usize| {
        let (at, step) = (first(1) + (column * stride_w).cast_signed(), width * stride_w);
        let before = if at < 0 { at.unsigned_abs().div_ceil(step).min(pitch) } else { 0 };
        let pixel = (at + (before * step).cast_signed()).max(0).cast_unsigned();
        (before, pixel, source.len_of(Axis(4)).saturating_sub(pixel).div_ceil(step).min(pitch - before))
    };
    let columns: [(usize, usize, usize); TILE] = std::array::from_fn(inside_of);
    planes.fill(A::Row::default());
    for n in 0..tiles.counts[0] {
        let picture = source.slice(s![start[0] + n, channel, 0, .., ..]);
        for row in 0..height * tiles.counts[1] + TILE - height {
            let Some(line) = inside(first(0), row * stride_h, picture.len_of(Axis(0))) else { continue };
            let line = picture.index_axis(Axis(0), line);
            let to = (n * (tiles.counts[1] + 1) + row / height) * pitch;
            for (column, &(before, pixel, count)) in columns.iter().enumerate().take(width).filter(|(_, (_, _, count))| *count > 0) {
                let to = (row % height * width + column) * plane_len + to + before;
                let to = &mut planes[to..to + count];
                match line.to_slice() {
                    Some(line) => copy_every(&line[pixel..], width * stride_w, to),
                    None => to.iter_mut().zip(line.slice(s![pixel..;width * stride_w])).for_each(|(to, from)| *to = from.to_row()),
                }
            }
        }
    }
}

/// The tiles of so many pictures, rows and columns of positions.
pub(crate) fn tile_counts((phases, axes): (&Phases, &[AxisScheme; 2]), [pictures, height, width]: [usize; 3]) -> [usize; 3] {
    let [_, heights, widths] = &phases.axes;
    let [rows, columns] = axes;
    [pictures, rows.tiles(height + heights.extension()), columns.tiles(width + widths.extension())]
}

/// Whole rows of positions, then whole pictures, then several, while their tiles fit `room`.
pub(crate) fn block_of((phases, axes): (&Phases, &[AxisScheme; 2]), positions: [usize; 3], room: usize, lanes: usize) -> [usize; 3] {
    let mut room = room;
    let mut block = positions;
    for axis in [2, 1] {
        let (axis_scheme, axis_phases) = (&axes[axis - 1], &phases.axes[axis]);
        if axis_scheme.tiles(positions[axis] + axis_phases.extension()) > room {
            let most = (room * axis_scheme.outputs()).saturating_sub(axis_phases.extension()).max(1);
            let even = positions[axis].div_ceil(positions[axis].div_ceil(most));
            // Where the axis is cut, only whole tiles.
            block[axis] = axis_scheme.tiles(even + axis_phases.extension()) * axis_scheme.outputs() - axis_phases.extension();
        }
        room /= axis_scheme.tiles(block[axis] + axis_phases.extension()).max(1);
    }
    // As many pictures as leave the fewest lanes of the last vector idle.
    let [_, height, width] = tile_counts((phases, axes), block);
    let idle = |pictures: usize| (pictures * height * width).next_multiple_of(lanes) as f64 / pictures as f64;
    let pictures = (1..=room.clamp(1, positions[0].max(1))).rev().min_by(|&a, &b| idle(a).total_cmp(&idle(b)));
    block[0] = pictures.unwrap_or(1);
    block
}

/// The number of blocks.
pub(crate) fn blocks_of(positions: [usize; 3], block: [usize; 3]) -> usize {
    (0..3).map(|axis| positions[axis].div_ceil(block[axis].max(1))).product()
}
