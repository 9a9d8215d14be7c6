//! Filters evaluated at the points, packed as the inner loop reads them.

use std::ops::Range;

use ndarray::{ArrayView3, ArrayView4, ArrayView5, Axis, indices, s};

use super::super::cost::{Uses, Work, reduced_pays};
use super::super::packed_weights::Channels;
use super::super::phases::{Direction, Geometry, Phases};
use super::{AxisScheme, TILE, planes_of, schemes, schemes_by_lines, tiles_of_picture};
use crate::conv::options::Precision;
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{Backend, ELEMENTS, EvaluateFilters, MOST_ROWS, Real, Transpose, panel_heights, prefetch, reserve, with_scratch};
use crate::memory::{Need, reserve_weights};
use crate::output_size::element_count;
use crate::tasks;

/// Rows of products (output channels × phases) that are transformed back together, at most and at least: between them, as many as have so
/// many numbers at the points.
const MOST_ROWS_OF_CHUNK: usize = 48;
const FEWEST_ROWS_OF_CHUNK: usize = 24;
const POINTS_OF_CHUNK: usize = 400_000;
/// How many times fewer multiplications pay.
const FEWEST_SAVED: f64 = 1.7;
/// Source channels whose filters are evaluated together, and are side by side in a panel.
pub(crate) const SOURCES: usize = 8;
/// The filters of a panel that are evaluated together: whole vectors of any instruction set.
const TOGETHER: usize = SOURCES * MOST_ROWS;
/// Numbers of evaluated filters from which on they are evaluated on several threads.
const SMALL_WORK: usize = 1 << 16;

/// The fewest tiles of all pictures together that pay where there are few channels.
const FEWEST_TILES_BY_LINES: usize = 96;

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
    /// Entries of the kernel.
    kernel_len: usize,
    /// Whether it is used where it is slower, too.
    always: bool,
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
        let depth = source * planes_of(&axes);
        let rows = (POINTS_OF_CHUNK / ELEMENTS / depth.max(1)).clamp(FEWEST_ROWS_OF_CHUNK, MOST_ROWS_OF_CHUNK);
        let channels = Channels::new(geometry.groups, out, source, phases.count(), rows);
        let filters = filters(&axes, geometry.axes[2].kernel);
        let live = (0..ELEMENTS).map(|point| Live::new(&filters, &axes, point)).collect();
        let always = geometry.precision == Precision::Reduced;
        let kernel_len = geometry.axes.iter().map(|axis| axis.kernel).product();
        Some(Self { phases, axes, by_lines, channels, depth, kernel_len, always, direction, filters, live })
    }

    /// Whether it is faster than the definition for `batch` pictures. Only shapes count.
    pub(crate) fn pays(&self, batch: usize, uses: Uses) -> bool {
        let of_picture = tiles_of_picture(&self.axes, &self.phases);
        if self.always {
            return true;
        }
        if self.by_lines {
            return of_picture.saturating_mul(batch) >= FEWEST_TILES_BY_LINES;
        }
        let Channels { groups, out, source, .. } = self.channels;
        let (pairs, tiles) = ((out * source * groups) as f64, of_picture as f64 * batch as f64);
        let (mut direct, mut live) = (pairs * batch as f64, 1.0);
        for (scheme, axis) in self.axes.iter().zip(&self.phases.axes[1..]) {
            direct *= (axis.positions() * axis.phases.iter().map(|phase| phase.taps.len()).sum::<usize>()) as f64;
            // A tile at the end that lacks an output, of each phase where they are shifted onto each other, lacks one of four products.
            let tiles = scheme.tiles(axis.positions() + axis.extension());
            let whole = axis.extension() == 0 && tiles * scheme.outputs() == axis.positions();
            live *= if whole { 1.0 } else { 1.0 - 1.0 / (TILE * tiles) as f64 };
        }
        let of_point = |live: &Live| live.phases.iter().filter(|&&phase| phase).count() * live.planes_count;
        let points = pairs * self.live.iter().map(of_point).sum::<usize>() as f64;
        let transformed = (groups * (out * self.phases.count() + self.depth) * ELEMENTS) as f64;
        let weights = pairs * self.kernel_len as f64;
        reduced_pays(&Work { direct, reduced: points * tiles * live, transformed: transformed * tiles, weights, points }, uses)
    }

    /// Products that an output adds.
    pub(crate) fn products(&self) -> usize {
        self.depth * self.axes[0].taps * self.axes[1].taps
    }

    /// All points of a chunk of output channels.
    pub(crate) fn chunk_len(&self, channels: usize) -> usize {
        ELEMENTS * self.phases.count() * channels * self.pitch()
    }

    /// Summands that a panel has room for: so many more that a vector may be written past the last. Were panels and points, which are
    /// written side by side, a power of two apart, all of them would fall into the same lines of the cache.
    pub(crate) fn pitch(&self) -> usize {
        self.depth + 19
    }

    /// The number of a summand: those of a plane and of neighbouring source channels are side by side.
    pub(crate) fn summand(&self, source: usize, plane: usize) -> usize {
        let (first, place) = (source / SOURCES * SOURCES, source % SOURCES);
        let planes = planes_of(&self.axes);
        first * planes + plane * SOURCES.min(self.channels.source - first) + place
    }

    /// Calls `work` with each summand that is multiplied at a point.
    pub(crate) fn each_summand(&self, live: &Live, mut work: impl FnMut(usize)) {
        for first in (0..self.channels.source).step_by(SOURCES) {
            for (plane, _) in live.planes.iter().enumerate().filter(|(_, place)| place.is_some()) {
                (first..self.channels.source.min(first + SOURCES)).for_each(|source| work(self.summand(source, plane)));
            }
        }
    }

    /// The numbers of all filters at the points.
    pub(crate) fn packed_len<T>(&self) -> Result<usize, Error> {
        let shape = [self.channels.groups, self.channels.out, self.phases.count(), self.pitch(), ELEMENTS];
        element_count::<T>("packed weights", &shape)
    }

    /// What evaluating the filters takes: some kernels one after the other, and their taps side by side.
    pub(crate) fn packing_lens<A>(weight: &ArrayView5<'_, A>) -> [usize; 2] {
        let kernel_len = weight.dim().3 * weight.dim().4;
        [TOGETHER * kernel_len, TOGETHER * (kernel_len + 1)]
    }

    /// Evaluates all of `weight`, once for many calls: by group, chunk of output channels, point, phase, panel.
    pub(crate) fn pack<A: FloatElement>(&self, weight: &ArrayView5<'_, A>, backend: Backend) -> Result<Vec<A::Row>, Error> {
        let channels = &self.channels;
        let count = self.packed_len::<A::Row>()?;
        let mut points = reserve_weights(count)?;
        points.resize(count, A::Row::default());
        let packing = Self::packing_lens(weight).iter().sum();
        let _reserved = reserve::<A::Row>(&Need::of_buffers([packing, 0, 0], count >= SMALL_WORK))?;
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
        tasks::join_if(large, || self.pack_chunks(weight, first, backend, left), || self.pack_chunks(weight, second, backend, right));
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
        let lens = Self::packing_lens(weight);
        with_scratch(lens.iter().sum(), |scratch: &mut [A::Row]| {
            let (kernels, taps) = scratch.split_at_mut(lens[0]);
            taps.fill(A::Row::default()); // the last of them are of the taps that there are not
            let kernel_len = of_chunk.dim().2 * of_chunk.dim().3;
            let mut panels = Panels { scheme: self, channels: range.len(), kernel_len, backend, to };
            for first in (0..self.channels.source).step_by(SOURCES) {
                let sources = first..self.channels.source.min(first + SOURCES);
                let mut row = 0;
                for height in panel_heights(range.len()) {
                    let of_panel = of_chunk.slice(s![row..row + height, sources.clone(), .., ..]);
                    copy_kernels(&of_panel, kernels);
                    // The processor does not foresee the jump to the next source channels.
                    let next = sources.end..self.channels.source.min(sources.end + SOURCES);
                    of_chunk.slice(s![row..row + height, next, .., ..]).outer_iter().for_each(prefetch_kernels);
                    let (rows, columns, to_pitch) = (height * sources.len(), kernel_len, TOGETHER);
                    backend.run(Transpose { from: kernels, from_pitch: kernel_len, rows, columns, to: &mut *taps, to_pitch });
                    panels.add(taps, sources.clone(), row..row + height);
                    row += height;
                }
            }
        });
    }
}

impl Scheme {
    /// The filters of a chunk as [`Lines`](super::Lines) reads them, the channels of all phases together: by point, panel of rows, summand,
    /// row.
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

/// The filters of a chunk of output channels, as they are packed: by point, phase, panel, block of source channels, plane, source channel,
/// row of the panel.
struct Panels<'a, T> {
    scheme: &'a Scheme,
    channels: usize,
    kernel_len: usize,
    backend: Backend,
    to: &'a mut [T],
}

impl<T: Real> Panels<'_, T> {
    /// Evaluates the filters of a block of source channels and the rows of a panel. `taps` has them side by side, by entry of the kernel,
    /// and zeros behind the last entry.
    fn add(&mut self, taps: &[T], sources: Range<usize>, rows: Range<usize>) {
        let (scheme, phases) = (self.scheme, self.scheme.phases.count());
        let len = sources.len() * rows.len();
        for (phase, planes) in scheme.filters.iter().enumerate() {
            for (plane, filter) in planes.iter().enumerate() {
                let places: Vec<usize> = filter.iter().map(|entry| entry.unwrap_or(self.kernel_len)).collect();
                let points = std::array::from_fn(|point| {
                    let live = &scheme.live[point];
                    let place = live.planes[plane].filter(|_| live.phases[phase])?;
                    let panel = ((point * phases + phase) * self.channels + rows.start) * scheme.pitch();
                    Some(panel + sources.start * live.planes_count * rows.len() + place * len)
                });
                let filters = EvaluateFilters {
                    pixels: taps,
                    pitch: TOGETHER,
                    channels: len,
                    taps: &places,
                    tiles: &[0],
                    points,
                    out: &mut *self.to,
                };
                filters.run(scheme.axes.each_ref().map(|axis| axis.taps), self.backend);
            }
        }
    }
}

/// Asks for some kernels that will be read.
fn prefetch_kernels<T>(kernels: ArrayView3<'_, T>) {
    match kernels.to_slice() {
        Some(kernels) => prefetch(kernels),
        None => kernels.outer_iter().filter_map(|kernel| kernel.to_slice()).for_each(prefetch),
    }
}

/// Copies the kernels of a panel one after the other: by source channel, output channel.
fn copy_kernels<A: FloatElement>(weight: &ArrayView4<'_, A>, to: &mut [A::Row]) {
    let (rows, _, height, width) = weight.dim();
    for (row, of_row) in weight.outer_iter().enumerate() {
        for (source, kernel) in of_row.outer_iter().enumerate() {
            let to = &mut to[(source * rows + row) * height * width..][..height * width];
            match kernel.to_slice() {
                Some(kernel) => A::widen(kernel, to),
                None => kernel.iter().zip(to).for_each(|(from, to)| *to = from.to_row()),
            }
        }
    }
}

/// By phase and plane, the entries of the kernel that are the filter, in the order of the pixels they meet.
pub(crate) fn filters([height, width]: &[AxisScheme; 2], kernel_width: usize) -> Vec<Vec<Filter>> {
    let of_plane = |rows: &[Option<usize>], columns: &[Option<usize>]| {
        let entry = |row: Option<usize>, column: Option<usize>| Some(row? * kernel_width + column?);
        indices((rows.len(), columns.len())).into_iter().map(|(row, column)| entry(rows[row], columns[column])).collect::<Filter>()
    };
    let of_phase = |rows: &[Filter], columns: &[Filter]| {
        indices((rows.len(), columns.len())).into_iter().map(|(row, column)| of_plane(&rows[row], &columns[column])).collect::<Vec<_>>()
    };
    let phases = indices((height.entries.len(), width.entries.len())).into_iter();
    phases.map(|(row, column)| of_phase(&height.entries[row], &width.entries[column])).collect()
}
