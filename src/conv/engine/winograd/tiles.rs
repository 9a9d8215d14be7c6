//! How positions are cut into tiles and blocks of them, and the copies of pixels that tiles are evaluated from.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayView3, ArrayView5, Axis, indices, s};

use super::{AxisScheme, TILE};
use crate::conv::engine::load::{Span, copy_every, inside};
use crate::conv::engine::phases::Phases;
use crate::element::FloatElement;
use crate::kernels::{Backend, ELEMENTS, SQUARE, Transpose, prefetch};
use crate::memory::grown_bytes;

/// Shorter rows of tiles, and those of this length, are not read as rows.
const FEW_COLUMNS: usize = 5;
/// Pixels so far apart are taken out of a row one by one.
const FAR: usize = 5;

/// In which order the tiles of a block are, and what of neighbouring ones is side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Row by row: pixels that have the same place in their tiles.
    Rows,
    /// Row by row, but every element of a tile has a plane of its own: rows of so few tiles would fill but a part of a vector.
    Apart,
    /// Column by column, row by row, picture by picture: the same pixel of the tiles below each other, of all pictures.
    Columns,
}

/// The tiles of a block.
pub(crate) struct Tiles {
    /// Pictures, and rows and columns of tiles.
    pub(crate) counts: [usize; 3],
    /// Rows and columns of positions that the tiles cover.
    positions: [usize; 2],
    /// Outputs of a tile along height and width.
    pub(crate) sizes: [usize; 2],
    /// From the tiles at one place to those at the next: all tiles, with room for what a vector writes past the last.
    pub(crate) pitch: usize,
    lanes: usize,
    order: Order,
    /// Pixels of the picture from one to the next of a tile.
    strides: [usize; 2],
    /// The first pixel of the picture that position 0 reads.
    origins: [isize; 2],
    /// How many rows of pixels a tile reads, and how many pixels of a row all tiles do.
    reach: [usize; 2],
    /// Tiles of a summand that are side by side: as many as the inner loop takes at a time where no vector of evaluated pixels reaches into
    /// two such panels, else all.
    pub(crate) panel: usize,
}

impl Tiles {
    /// The numbers of tiles for these numbers of pictures, rows and columns of positions.
    pub(crate) fn new((phases, axes): (&Phases, &[AxisScheme; 2]), positions: [usize; 3], lanes: usize, panel: usize) -> Self {
        let counts = tile_counts((phases, axes), positions);
        let pitch = counts.iter().product::<usize>().next_multiple_of(lanes) + lanes;
        let sizes = axes.each_ref().map(AxisScheme::outputs);
        let strides = [phases.axes[1].source_stride, phases.axes[2].source_stride];
        let [pictures, rows, columns] = counts;
        let few = columns <= FEW_COLUMNS;
        let order = if 2 * pictures * rows >= lanes && (few || sizes[1] * strides[1] >= FAR && columns < 2 * lanes) {
            Order::Columns
        } else if few {
            Order::Apart
        } else {
            Order::Rows
        };
        let ends = axes.each_ref().map(|axis| (axis.planes.iter().min().copied(), axis.planes.iter().max().copied()));
        let origins = ends.map(|(first, _)| first.unwrap_or(0));
        let reach = std::array::from_fn(|axis| {
            let planes = (ends[axis].1.unwrap_or(0) - origins[axis]).cast_unsigned();
            let tiles = [1, columns][axis];
            planes + strides[axis] * (sizes[axis] * (tiles - 1) + TILE - 1) + 1
        });
        let positions = [positions[1], positions[2]];
        let together = if order == Order::Columns { pictures * rows } else { columns };
        let panel = if together % lanes == 0 { panel } else { pitch };
        Self { counts, positions, sizes, pitch, lanes, order, strides, origins, reach, panel }
    }

    pub(crate) fn all(&self) -> usize {
        self.counts.iter().product()
    }

    pub(crate) fn panels(&self) -> usize {
        self.all().div_ceil(self.panel)
    }

    /// The numbers that a summand has at a point, in these tiles or in those of a smaller block, which may be of the other kind.
    pub(crate) fn most_of_summand(&self) -> usize {
        (self.panels() * self.panel).max(self.pitch)
    }

    /// Whether tiles below each other are side by side.
    pub(crate) fn is_by_column(&self) -> bool {
        self.order == Order::Columns
    }

    /// The tiles of a column, all pictures together.
    fn column(&self) -> usize {
        self.counts[0] * self.counts[1]
    }

    /// From one pixel of a column's tiles to the next.
    pub(crate) fn column_pitch(&self) -> usize {
        self.column().next_multiple_of(SQUARE)
    }

    /// The number of a tile.
    pub(crate) fn number(&self, [picture, row, column]: [usize; 3]) -> usize {
        let [pictures, rows, columns] = self.counts;
        match self.order {
            Order::Rows | Order::Apart => (picture * rows + row) * columns + column,
            Order::Columns => column * self.column() + row * pictures + picture,
        }
    }

    /// The rows (`axis` 0) or columns (1) of tiles whose products at a point of that axis are needed for the positions from `shift` on. At 0
    /// only the first output of a tile needs them, at ∞ only the last, which the tiles at the ends may not have.
    pub(crate) fn needed(&self, axis: usize, point: usize, shift: usize) -> Range<usize> {
        let size = self.sizes[axis];
        let (first, last) = [(0, 0), (0, size - 1), (0, size - 1), (size - 1, size - 1)][point];
        let end = (shift + self.positions[axis]).saturating_sub(first).div_ceil(size);
        shift.saturating_sub(last).div_ceil(size)..end.min(self.counts[axis + 1])
    }

    /// The numbers of these tiles of every picture, in order: those that follow each other together.
    pub(crate) fn runs(&self, rows: &Range<usize>, columns: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let pictures = self.counts[0];
        let (runs, len) = match self.order {
            Order::Rows | Order::Apart => (pictures * rows.len(), columns.len()),
            Order::Columns => (columns.len(), rows.len() * pictures),
        };
        let first = move |run: usize| match self.order {
            Order::Rows | Order::Apart => self.number([run / rows.len(), rows.start + run % rows.len(), columns.start]),
            Order::Columns => self.number([0, rows.start, columns.start + run]),
        };
        (0..runs).map(move |run| first(run)..first(run) + len)
    }

    /// Calls `work` with each place where a vector begins that has these tiles of every picture.
    pub(crate) fn each_vector(&self, rows: &Range<usize>, columns: &Range<usize>, mut work: impl FnMut(usize)) {
        let (lanes, mut behind) = (self.lanes, 0);
        for run in self.runs(rows, columns) {
            let start = (run.start / lanes * lanes).max(behind);
            behind = behind.max(run.end.next_multiple_of(lanes));
            (start..behind).step_by(lanes).for_each(&mut work);
        }
    }

    /// Picture, row and column of every tile, in order.
    pub(crate) fn in_order(&self) -> Vec<[usize; 3]> {
        let [pictures, rows, columns] = self.counts;
        let mut places = vec![[0; 3]; self.all()];
        for (n, row, column) in indices((pictures, rows, columns)) {
            places[self.number([n, row, column])] = [n, row, column];
        }
        places
    }

    /// Pixels that are side by side in neighbouring tiles.
    fn plane_len(&self) -> usize {
        match self.order {
            Order::Rows => self.counts[0] * (self.counts[1] + 1) * (self.counts[2] + 1),
            Order::Apart => self.all(),
            Order::Columns => self.reach[0] * self.reach[1] * self.column_pitch(),
        }
    }

    /// A row of each tile of a column, before they are side by side.
    fn lines_len(&self) -> usize {
        if self.is_by_column() { self.column_pitch() * self.reach[1] } else { 0 }
    }

    /// All planes, room for a vector behind the last, and rows of pixels.
    pub(crate) fn planes_len(&self) -> usize {
        // A smaller block at the end may be of the kind whose tiles are apart.
        let apart = ELEMENTS * self.counts[0] * self.counts[1] * self.counts[2].min(FEW_COLUMNS);
        let planes = match self.order {
            Order::Rows => self.sizes[0] * self.sizes[1],
            Order::Apart => ELEMENTS,
            Order::Columns => 1,
        };
        apart.max(planes * self.plane_len()) + self.lanes + TILE + self.lines_len()
    }

    /// Asks for what the tiles of a block read of a channel, where that is in an order that the processor does not foresee.
    pub(crate) fn prefetch<A>(&self, start: [usize; 3], source: &ArrayView5<'_, A>, channel: usize) {
        if !self.is_by_column() {
            return;
        }
        let pixels = |axis: usize| {
            let first = self.origins[axis] + (self.strides[axis] * start[axis + 1]).cast_signed();
            let further = [self.counts[1] - 1, 0][axis]; // the reach is that of one row of tiles, but of all columns
            let reach = self.reach[axis] + self.strides[axis] * self.sizes[axis] * further;
            let [first, end] = [first, first + reach.cast_signed()].map(|pixel| pixel.max(0).cast_unsigned());
            first.min(source.len_of(Axis(axis + 3)))..end.min(source.len_of(Axis(axis + 3)))
        };
        let pictures = source.slice(s![start[0]..start[0] + self.counts[0], channel, 0, pixels(0), pixels(1)]);
        pictures.rows().into_iter().filter_map(|row| row.to_slice()).for_each(prefetch);
    }

    /// The outputs of one phase.
    pub(crate) fn outputs_len(&self) -> usize {
        self.sizes[0] * self.sizes[1] * self.pitch
    }

    /// Where each row of tiles begins in a plane, and how many tiles it has.
    pub(crate) fn rows(&self) -> (Vec<usize>, usize) {
        let [pictures, rows, columns] = self.counts;
        match self.order {
            Order::Rows => {
                let begin = |(n, row)| (n * (rows + 1) + row) * (columns + 1);
                (indices((pictures, rows)).into_iter().map(begin).collect(), columns)
            }
            Order::Apart => (vec![0], self.all()),
            Order::Columns => ((0..columns).map(|column| self.pixel(0, column * self.sizes[1])).collect(), self.column()),
        }
    }

    /// Where tiles below each other are side by side, a pixel of a plane.
    fn pixel(&self, row: usize, column: usize) -> usize {
        (row * self.strides[0] * self.reach[1] + column * self.strides[1]) * self.column_pitch()
    }

    /// Where each element of the first tile is in the planes.
    pub(crate) fn elements(&self) -> [usize; ELEMENTS] {
        let [height, width] = self.sizes;
        std::array::from_fn(|element| {
            let (row, column) = (element / TILE, element % TILE);
            match self.order {
                Order::Rows => {
                    let plane = row % height * width + column % width;
                    plane * self.plane_len() + row / height * (self.counts[2] + 1) + column / width
                }
                Order::Apart => element * self.plane_len(),
                Order::Columns => self.pixel(row, column),
            }
        })
    }
}

/// Where a block finds the pixels of one plane of a channel.
pub(crate) struct PlaneSource<'t> {
    tiles: &'t Tiles,
    first_picture: usize,
    /// The pixel of the picture that the first tile begins with.
    first: [isize; 2],
    /// Of each column of a tile, the pixels that are inside: the first tile, the first pixel, how many.
    columns: [(usize, usize, usize); TILE],
    /// Where the plane begins in the copies.
    pub(crate) begin: usize,
    /// Whether the plane has copies of its own, or those that the others share.
    fills: bool,
    /// Where tiles are apart, by element and tile: the pixel of the picture, past its end if outside.
    pixels: Vec<usize>,
}

impl<'t> PlaneSource<'t> {
    /// Of the plane that begins at `origin`, for a block that begins at `start`, in pictures of `size`.
    fn new((number, origin): (usize, [isize; 2]), tiles: &'t Tiles, start: [usize; 3], size: [usize; 2]) -> Self {
        let (strides, shared) = (tiles.strides, tiles.is_by_column());
        let copied = if shared { tiles.origins } else { origin };
        let first: [isize; 2] = std::array::from_fn(|axis| copied[axis] + (strides[axis] * start[axis + 1]).cast_signed());
        let ([_, rows, columns], [height, width]) = (tiles.counts, tiles.sizes);
        let inside_of = |column: usize| {
            let (at, step) = (first[1] + (column * strides[1]).cast_signed(), width * strides[1]);
            let before = if at < 0 { at.unsigned_abs().div_ceil(step).min(columns + 1) } else { 0 };
            let pixel = (at + (before * step).cast_signed()).max(0).cast_unsigned();
            (before, pixel, size[1].saturating_sub(pixel).div_ceil(step).min(columns + 1 - before))
        };
        let pixel_of = |element: usize, tile: usize| {
            let line = (tile / columns * height + element / TILE) * strides[0];
            let pixel = (tile % columns * width + element % TILE) * strides[1];
            let inside = inside(first[0], line, size[0]).zip(inside(first[1], pixel, size[1]));
            inside.map_or(usize::MAX, |(line, pixel)| line * size[1] + pixel)
        };
        let pixels = if tiles.order == Order::Apart { ELEMENTS } else { 0 };
        let pixels = indices((pixels, rows * columns)).into_iter().map(|(element, tile)| pixel_of(element, tile)).collect();
        let [row, column] = std::array::from_fn(|axis| (origin[axis] - copied[axis]).cast_unsigned());
        let begin = (row * tiles.reach[1] + column) * tiles.column_pitch();
        let columns = std::array::from_fn(inside_of);
        Self { tiles, first_picture: start[0], first, columns, begin, fills: !shared || number == 0, pixels }
    }

    /// Bytes of the lists of all planes, for blocks of at most these tiles.
    pub(crate) fn list_bytes(planes: usize, tiles: &Tiles) -> usize {
        let [_, rows, columns] = tiles.counts;
        // Tiles are apart where they are few; a smaller block at the end may be of that kind.
        let apart = ELEMENTS * rows.min(tiles.lanes / 2) * columns.min(FEW_COLUMNS);
        planes * (size_of::<Self>() + grown_bytes::<usize>(apart))
    }

    /// Of every plane.
    pub(crate) fn of_all<A>(
        [height, width]: &[AxisScheme; 2],
        tiles: &'t Tiles,
        start: [usize; 3],
        source: &ArrayView5<'_, A>,
    ) -> Vec<Self> {
        let size = [source.len_of(Axis(3)), source.len_of(Axis(4))];
        let origins = indices((height.planes.len(), width.planes.len())).into_iter();
        let origins = origins.map(|(row, column)| [height.planes[row], width.planes[column]]);
        origins.enumerate().map(|plane| Self::new(plane, tiles, start, size)).collect()
    }

    /// Copies the pixels, those that neighbouring tiles have in the same place side by side.
    pub(crate) fn fill<A: FloatElement>(&self, source: &ArrayView5<'_, A>, channel: usize, backend: Backend, planes: &mut [A::Row]) {
        if !self.fills {
            return;
        }
        let tiles = self.tiles;
        let pictures = self.first_picture..self.first_picture + tiles.counts[0];
        let pictures = source.slice(s![pictures, channel, 0, .., ..]);
        let (planes, lines) = planes.split_at_mut(planes.len() - tiles.lines_len());
        if tiles.is_by_column() {
            return self.fill_columns(pictures, backend, planes, lines);
        }
        if tiles.order == Order::Rows {
            planes.fill(A::Row::default());
        }
        for (n, picture) in pictures.outer_iter().enumerate() {
            if tiles.order == Order::Rows {
                self.fill_rows(picture, n, backend, planes);
            } else {
                self.fill_apart(picture, n, planes);
            }
        }
    }

    /// Row by row.
    fn fill_rows<A: FloatElement>(&self, picture: ArrayView2<'_, A>, n: usize, backend: Backend, planes: &mut [A::Row]) {
        let ([_, rows, columns], [height, width], strides) = (self.tiles.counts, self.tiles.sizes, self.tiles.strides);
        for row in 0..height * rows + TILE - height {
            let Some(line) = inside(self.first[0], row * strides[0], picture.len_of(Axis(0))) else { continue };
            let line = picture.index_axis(Axis(0), line);
            let to = (n * (rows + 1) + row / height) * (columns + 1);
            for (column, &(before, pixel, count)) in self.columns.iter().enumerate().take(width).filter(|(_, (_, _, count))| *count > 0) {
                let to = (row % height * width + column) * self.tiles.plane_len() + to + before;
                let (to, step) = (&mut planes[to..to + count], width * strides[1]);
                match line.to_slice() {
                    Some(line) => copy_every(&line[pixel..], step, backend, to),
                    None => to.iter_mut().zip(line.slice(s![pixel..;step])).for_each(|(to, from)| *to = from.to_row()),
                }
            }
        }
    }

    /// Pixel by pixel.
    fn fill_apart<A: FloatElement>(&self, picture: ArrayView2<'_, A>, n: usize, planes: &mut [A::Row]) {
        let of_picture = self.tiles.counts[1] * self.tiles.counts[2];
        for (pixels, plane) in self.pixels.chunks_exact(of_picture).zip(planes.chunks_exact_mut(self.tiles.plane_len())) {
            let to = plane[n * of_picture..].iter_mut().zip(pixels);
            match picture.to_slice() {
                Some(picture) => to.for_each(|(to, &pixel)| *to = picture.get(pixel).map_or(A::Row::default(), |pixel| pixel.to_row())),
                None => to.for_each(|(to, &pixel)| {
                    let [line, pixel] = [pixel / picture.dim().1, pixel % picture.dim().1];
                    *to = picture.get([line, pixel]).map_or(A::Row::default(), |pixel| pixel.to_row());
                }),
            }
        }
    }

    /// Tiles below each other side by side: rows of pixels become columns.
    fn fill_columns<A: FloatElement>(&self, from: ArrayView3<'_, A>, backend: Backend, planes: &mut [A::Row], lines: &mut [A::Row]) {
        let (tiles, (_, height, width)) = (self.tiles, from.dim());
        let ([rows, columns], [first_row, first], pitch) = (tiles.reach, self.first, tiles.column_pitch());
        let span = Span::new(first, 1, columns, width);
        let (before, count) = (span.before, span.count);
        for (row, to) in planes.chunks_exact_mut(columns * pitch).enumerate().take(rows) {
            let mut lines_of = lines.chunks_exact_mut(count.max(1));
            for tile in 0..tiles.counts[1] {
                for (picture, line) in from.outer_iter().zip(&mut lines_of) {
                    let line = &mut line[..count];
                    match inside(first_row, row + tile * tiles.sizes[0] * tiles.strides[0], height) {
                        Some(row) => span.copy(picture.index_axis(Axis(0), row), backend, line),
                        None => line.fill(A::Row::default()),
                    }
                }
            }
            to[..before * pitch].fill(A::Row::default());
            to[(before + count) * pitch..].fill(A::Row::default());
            let to = &mut to[before * pitch..];
            backend.run(Transpose { from: lines, from_pitch: count, rows: pitch, columns: count, to, to_pitch: pitch });
        }
    }
}

/// The numbers of tiles for these numbers of pictures, rows and columns of positions.
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
