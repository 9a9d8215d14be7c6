//! Filters evaluated at the points, packed as the inner loop reads them.

use std::ops::Range;

use ndarray::{ArrayView3, ArrayView4, ArrayView5, Axis, s};

use super::super::panels::{Channels, reserve_weights};
use super::super::phases::{Direction, Geometry, Phases};
use super::{AxisScheme, TILE, schemes, schemes_by_lines};
use crate::element::FloatElement;
use crate::error::Error;
use crate::memory::Need;
use crate::output_size::element_count;
use crate::parallel;
use crate::simd::{Backend, ELEMENTS, EvaluateFilters, LINE, Real, Transpose, panel_heights, reserve, with_scratch};

/// Rows of products (output channels × phases) that are transformed back together.
const ROWS: usize = 48;
/// How many times fewer multiplications pay.
const FEWEST_SAVED: f64 = 1.7;
/// Source channels whose filters are evaluated together.
const SOURCES: usize = 8;
/// Numbers of evaluated filters from which on they are evaluated on several threads.
const SMALL_WORK: usize = 1 << 16;

/// Of each tap the entry of the kernel that it is; none is 0.
pub(crate) type Filter = Vec<Option<usize>>;

/// What is fixed before there are weights.
#[derive(Debug, Clone)]
pub(crate) struct Scheme {
    pub(crate) phases: Phases,
    pub(crate) axes: [AxisScheme; 2],
    /// Whether it is run by [`Lines`](super::Lines), not by [`Run`](super::Run).
    pub(crate) by_lines: bool,
    pub(crate) channels: Channels,
    /// Summands of a product: source channels × planes.
    pub(crate) depth: usize,
    direction: Direction,
    /// By phase, then plane.
    filters: Vec<Vec<Filter>>,
    /// By point: what is multiplied there.
    pub(crate) live: Vec<Live>,
}

/// What is multiplied at a point: the others are 0, whatever the weights.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) phases: Vec<bool>,
    /// Of each plane its place among those that are multiplied.
    pub(crate) planes: Vec<Option<usize>>,
    /// How many planes are.
    pub(crate) planes_count: usize,
}

impl Live {
    pub(crate) fn new(filters: &[Vec<Filter>], axes: &[AxisScheme; 2], point: usize) -> Self {
        let width = axes[1].taps;
        let is_live = |filter: &Filter| {
            let lines: Vec<Option<usize>> = filter.chunks(width).map(|line| line.iter().flatten().next().copied()).collect();
            let columns: Vec<Option<usize>> = (0..width).map(|at| filter[at..].iter().step_by(width).flatten().next().copied()).collect();
            AxisScheme::is_live(&lines, point / TILE) && AxisScheme::is_live(&columns, point % TILE)
        };
        let phases = filters.iter().map(|planes| planes.iter().any(is_live)).collect();
        let mut planes_count = 0;
        let planes = (0..filters.first().map_or(0, Vec::len)).map(|plane| {
            let place = filters.iter().any(|planes| is_live(&planes[plane])).then_some(planes_count);
            planes_count += usize::from(place.is_some());
            place
        });
        let planes = planes.collect();
        Self { phases, planes, planes_count }
    }

    /// Of a number for each plane, those of the planes that are multiplied.
    pub(crate) fn of<'a>(&'a self, numbers: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
        numbers.iter().zip(&self.planes).filter(|(_, place)| place.is_some()).map(|(&number, _)| number)
    }
}

impl Scheme {
    /// The scheme for a weight of coarse channels × fine channels of a group × kernel, if the method is for it.
    pub(crate) fn find<A: FloatElement>(geometry: &Geometry, direction: Direction, weight: &ArrayView5<'_, A>) -> Option<Self> {
        let (coarse, fine) = (weight.dim().0 / geometry.groups, weight.dim().1);
        let (out, source) = match direction {
            Direction::Expand => (fine, coarse),
            Direction::Contract => (coarse, fine),
        };
        let phases = Phases::new(geometry, direction, true);
        let by_tiles = schemes::<A>(geometry, &phases, (out, source), FEWEST_SAVED);
        let by_lines = by_tiles.is_none();
        let axes = by_tiles.or_else(|| schemes_by_lines::<A>(geometry, &phases, (out, source), FEWEST_SAVED))?;
        let channels = Channels::new(geometry.groups, out, source, phases.count(), ROWS);
        let depth = source * axes[0].planes.len() * axes[1].planes.len();
        let filters = filters(&axes, geometry.axes[2].kernel);
        let live = (0..ELEMENTS).map(|point| Live::new(&filters, &axes, point)).collect();
        Some(Self { phases, axes, by_lines, channels, depth, direction, filters, live })
    }

    /// All points of a chunk of output channels.
    pub(crate) fn chunk_len(&self, channels: usize) -> usize {
        ELEMENTS * self.phases.count() * channels * self.pitch()
    }

    /// Summands that a panel has room for. Panels and points are written side by side: were they a power of two apart, all of them would
    /// fall into the same lines of the cache.
    pub(crate) fn pitch(&self) -> usize {
        self.depth + 3
    }

    /// The numbers of all filters at the points.
    pub(crate) fn packed_len<T>(&self) -> Result<usize, Error> {
        let shape = [self.channels.groups, self.channels.out, self.phases.count(), self.pitch(), ELEMENTS];
        element_count::<T>("packed weights", &shape)
    }

    /// What evaluating the filters of so many output channels takes: taps and points of some source channels, and the kernels of one.
    pub(crate) fn chunk_lens<A: FloatElement>(weight: &ArrayView5<'_, A>, channels: usize) -> [usize; 3] {
        let (kernel_len, pitch) = (weight.dim().3 * weight.dim().4, channels.next_multiple_of(LINE / size_of::<A::Row>()));
        [SOURCES * (kernel_len + 1) * pitch, SOURCES * ELEMENTS * pitch, channels * kernel_len]
    }

    /// Evaluates all of `weight`, once for many calls: by group, chunk of output channels, point, phase, panel.
    pub(crate) fn pack<A: FloatElement>(&self, weight: &ArrayView5<'_, A>, backend: Backend) -> Result<Vec<A::Row>, Error> {
        let channels = &self.channels;
        let count = self.packed_len::<A::Row>()?;
        let mut points = reserve_weights(count)?;
        points.resize(count, A::Row::default());
        let packing = Self::chunk_lens(weight, channels.chunk).iter().sum();
        reserve::<A::Row>(&Need::of_buffers([packing, 0, 0], count >= SMALL_WORK))?;
        self.pack_chunks(weight, 0..channels.groups * channels.chunks, backend, &mut points);
        Ok(points)
    }

    /// Evaluates the filters of some chunks, counted through all groups.
    fn pack_chunks<A: FloatElement>(&self, weight: &ArrayView5<'_, A>, chunks: Range<usize>, backend: Backend, to: &mut [A::Row]) {
        let of_group = self.channels.chunks;
        if chunks.len() < 2 {
            return self.pack_chunk(weight, chunks.start / of_group, chunks.start % of_group, backend, to);
        }
        let middle = chunks.start + chunks.len() / 2;
        let first_channel = |chunk: usize| chunk / of_group * self.channels.out + self.channels.chunk_range(chunk % of_group).start;
        let large = to.len() >= SMALL_WORK;
        let (left, right) = to.split_at_mut(self.chunk_len(first_channel(middle) - first_channel(chunks.start)));
        let (first, second) = (chunks.start..middle, middle..chunks.end);
        if large {
            parallel::join(|| self.pack_chunks(weight, first, backend, left), || self.pack_chunks(weight, second, backend, right));
        } else {
            self.pack_chunks(weight, first, backend, left);
            self.pack_chunks(weight, second, backend, right);
        }
    }

    /// Of all weights packed, those of a chunk.
    pub(crate) fn of_chunk<'p, T>(&self, points: &'p [T], group: usize, chunk: usize) -> &'p [T] {
        let (range, first) = (self.channels.chunk_range(chunk), group * self.channels.out);
        &points[self.chunk_len(first + range.start)..self.chunk_len(first + range.end)]
    }

    /// Evaluates the filters of a chunk of output channels: by point, phase, panel of channels, summand, channel.
    pub(crate) fn pack_chunk<A: FloatElement>(
        &self,
        weight: &ArrayView5<'_, A>,
        group: usize,
        chunk: usize,
        backend: Backend,
        to: &mut [A::Row],
    ) {
        let range = self.channels.chunk_range(chunk);
        let of_chunk = match self.direction {
            Direction::Expand => {
                let source = group * self.channels.source..(group + 1) * self.channels.source;
                weight.slice(s![source, range.clone(), .., .., ..]).permuted_axes([1, 0, 2, 3, 4])
            }
            Direction::Contract => {
                let first = group * self.channels.out;
                weight.slice(s![first + range.start..first + range.end, .., .., .., ..])
            }
        };
        let of_chunk = of_chunk.index_axis_move(Axis(2), 0); // the depth of kernels that have a scheme is 1
        if self.by_lines {
            return self.pack_lines(&of_chunk, to);
        }
        let kernel_len = of_chunk.dim().2 * of_chunk.dim().3;
        let pitch = range.len().next_multiple_of(LINE / size_of::<A::Row>());
        let (lens, taps_len) = (Self::chunk_lens(weight, range.len()), (kernel_len + 1) * pitch);
        with_scratch(lens.iter().sum(), |scratch: &mut [A::Row]| {
            let (taps, rest) = scratch.split_at_mut(lens[0]);
            let (points, kernels) = rest.split_at_mut(lens[1]);
            taps.fill(A::Row::default()); // the last of each channel are of the taps that there are not
            let (channels, panels) = (range.len(), panel_heights(range.len()).collect());
            let mut packed = PackedChunk { scheme: self, channels, panels, pitch, kernel_len, points, to };
            for first in (0..self.channels.source).step_by(SOURCES) {
                let sources = first..self.channels.source.min(first + SOURCES);
                for (source, to) in sources.clone().zip(taps.chunks_exact_mut(taps_len)) {
                    copy_kernels(of_chunk.index_axis(Axis(1), source), kernels);
                    let (rows, columns) = (channels, kernel_len);
                    backend.run(Transpose { from: kernels, from_pitch: kernel_len, rows, columns, to, to_pitch: pitch });
                }
                packed.add(taps, sources, backend);
            }
        });
    }
}

impl Scheme {
    /// The filters of a chunk as [`Lines`](super::Lines) reads them, the channels of all phases together: by point, panel of rows, summand, row.
    fn pack_lines<A: FloatElement>(&self, weight: &ArrayView4<'_, A>, to: &mut [A::Row]) {
        let (channels, sources, _, width) = weight.dim();
        let (rows, planes) = (channels * self.phases.count(), self.depth / sources.max(1));
        let mut first = 0;
        for height in panel_heights(rows) {
            for lane in 0..height {
                let (phase, channel) = ((first + lane) / channels, (first + lane) % channels);
                for source in 0..sources {
                    let kernel = weight.slice(s![channel, source, .., ..]);
                    for (plane, filter) in self.filters[phase].iter().enumerate() {
                        let tap =
                            |entry: &Option<usize>| entry.map_or_else(A::Row::default, |at| kernel[[at / width, at % width]].to_row());
                        let mut taps = [A::Row::default(); 9];
                        taps.iter_mut().zip(filter).for_each(|(to, entry)| *to = tap(entry));
                        for (point, value) in evaluate(taps).into_iter().enumerate() {
                            to[(point * rows + first) * self.pitch() + (source * planes + plane) * height + lane] = value;
                        }
                    }
                }
            }
            first += height;
        }
    }
}

/// `G g Gᵀ`: a filter of 3 × 3 taps at the points 0, 1, -1 and ∞.
fn evaluate<T: Real>(taps: [T; 9]) -> [T; ELEMENTS] {
    let half = T::one() / (T::one() + T::one());
    let at_points = |[a, b, c]: [T; 3]| [a, (a + c + b) * half, (a + c - b) * half, c];
    let lines: [[T; 4]; 3] = std::array::from_fn(|line| at_points([taps[3 * line], taps[3 * line + 1], taps[3 * line + 2]]));
    let columns: [[T; 4]; 4] = std::array::from_fn(|column| at_points([lines[0][column], lines[1][column], lines[2][column]]));
    std::array::from_fn(|point| columns[point % 4][point / 4])
}

/// The filters of a chunk of output channels, as they are packed.
struct PackedChunk<'a, T> {
    scheme: &'a Scheme,
    channels: usize,
    /// The heights of the panels that the channels of a phase are cut into.
    panels: Vec<usize>,
    /// The channels, and those that fill the last vector.
    pitch: usize,
    kernel_len: usize,
    /// One filter of some source channels: by point, source channel, channel.
    points: &'a mut [T],
    to: &'a mut [T],
}

impl<T: Real> PackedChunk<'_, T> {
    /// Evaluates the filters of some source channels. `taps` has them by source channel, entry of the kernel, channel, and zeros behind the
    /// last entry.
    fn add(&mut self, taps: &[T], sources: Range<usize>, backend: Backend) {
        let mut tiles = [0; SOURCES];
        for (source, tile) in tiles.iter_mut().enumerate() {
            *tile = source * (self.kernel_len + 1);
        }
        for (phase, planes) in self.scheme.filters.iter().enumerate() {
            for (plane, filter) in planes.iter().enumerate() {
                let places: Vec<usize> = filter.iter().map(|entry| entry.unwrap_or(self.kernel_len)).collect();
                let (pixels, channels, taps, tiles) = (taps, self.pitch, places.as_slice(), &tiles[..sources.len()]);
                let out = &mut *self.points;
                match self.scheme.axes.each_ref().map(|axis| axis.taps) {
                    [2, 2] => backend.run(EvaluateFilters::<_, 2, 2> { pixels, channels, taps, tiles, out }),
                    [2, 3] => backend.run(EvaluateFilters::<_, 2, 3> { pixels, channels, taps, tiles, out }),
                    [3, 2] => backend.run(EvaluateFilters::<_, 3, 2> { pixels, channels, taps, tiles, out }),
                    _ => backend.run(EvaluateFilters::<_, 3, 3> { pixels, channels, taps, tiles, out }),
                }
                self.store(phase, plane, sources.clone());
            }
        }
    }

    /// Copies evaluated filters to their places in the panels of every point where they are multiplied.
    fn store(&mut self, phase: usize, plane: usize, sources: Range<usize>) {
        let (phases, pitch) = (self.scheme.phases.count(), self.scheme.pitch());
        for (point, live) in self.scheme.live.iter().enumerate() {
            let (true, Some(place)) = (live.phases[phase], live.planes[plane]) else { continue };
            let first_row = (point * phases + phase) * self.channels;
            let mut row = 0;
            for &height in &self.panels {
                let from = &self.points[point * sources.len() * self.pitch + row..];
                let to = &mut self.to[(first_row + row) * pitch + (sources.start * live.planes_count + place) * height..];
                let to_pitch = live.planes_count * height;
                match height {
                    6 => copy_rows::<T, 6>(from, self.pitch, to, to_pitch, sources.len()),
                    5 => copy_rows::<T, 5>(from, self.pitch, to, to_pitch, sources.len()),
                    4 => copy_rows::<T, 4>(from, self.pitch, to, to_pitch, sources.len()),
                    3 => copy_rows::<T, 3>(from, self.pitch, to, to_pitch, sources.len()),
                    2 => copy_rows::<T, 2>(from, self.pitch, to, to_pitch, sources.len()),
                    _ => copy_rows::<T, 1>(from, self.pitch, to, to_pitch, sources.len()),
                }
                row += height;
            }
        }
    }
}

/// Copies so few numbers at a time that a call would take longer.
#[inline(always)]
fn copy_rows<T: Copy, const LEN: usize>(from: &[T], from_pitch: usize, to: &mut [T], to_pitch: usize, count: usize) {
    for row in 0..count {
        if let (Some(from), Some(to)) = (from[row * from_pitch..].first_chunk::<LEN>(), to[row * to_pitch..].first_chunk_mut()) {
            *to = *from;
        }
    }
}

/// Copies the kernels of all output channels, one after the other.
fn copy_kernels<A: FloatElement>(weight: ArrayView3<'_, A>, to: &mut [A::Row]) {
    if let Some(weight) = weight.to_slice() {
        return A::widen(weight, to);
    }
    let kernel_len = weight.dim().1 * weight.dim().2;
    for (kernel, to) in weight.outer_iter().zip(to.chunks_exact_mut(kernel_len)) {
        match kernel.to_slice() {
            Some(kernel) => A::widen(kernel, to),
            None => kernel.iter().zip(to).for_each(|(from, to)| *to = from.to_row()),
        }
    }
}

/// By phase and plane, the entries of the kernel that are the filter, in the order of the pixels they meet.
pub(crate) fn filters([height, width]: &[AxisScheme; 2], kernel_width: usize) -> Vec<Vec<Filter>> {
    let of_plane = |rows: &[Option<usize>], columns: &[Option<usize>]| {
        let entry = |row: Option<usize>, column: Option<usize>| Some(row? * kernel_width + column?);
        rows.iter().flat_map(|&row| columns.iter().map(move |&column| entry(row, column))).collect::<Filter>()
    };
    let of_phase = |rows: &[Filter], columns: &[Filter]| {
        rows.iter().flat_map(|row| columns.iter().map(|column| of_plane(row, column))).collect::<Vec<_>>()
    };
    height.entries.iter().flat_map(|rows| width.entries.iter().map(|columns| of_phase(rows, columns))).collect()
}
