//! Filters evaluated at the points, packed as the inner loop reads them.

use std::ops::Range;

use ndarray::{ArrayView5, s};
use num_traits::Float;

use super::super::panels::Channels;
use super::super::params::Precision;
use super::super::phases::{AxisPhases, Direction, Geometry, Phases};
use super::{AxisScheme, schemes};
use crate::element::FloatElement;
use crate::error::Error;
use crate::output_size::element_count;
use crate::simd::{ELEMENTS, panel_heights};

/// Rows of products (output channels × phases) that are transformed back together.
const ROWS: usize = 48;

/// The weights of a (transposed) convolution by group, chunk of output channels, point, panel.
#[derive(Debug, Clone)]
pub(crate) struct Weights<T> {
    pub(crate) phases: Phases,
    pub(crate) schemes: [AxisScheme; 2],
    pub(crate) channels: Channels,
    /// Summands of a product: source channels × planes.
    pub(crate) depth: usize,
    points: Vec<T>,
}

impl<T> Weights<T> {
    /// The panels of all points for a chunk, one point after the other.
    pub(crate) fn of_chunk(&self, group: usize, chunk: usize) -> &[T] {
        let per_channel = ELEMENTS * self.phases.count() * self.depth;
        let (range, first) = (self.channels.chunk_range(chunk), group * self.channels.out);
        &self.points[(first + range.start) * per_channel..(first + range.end) * per_channel]
    }
}

/// Evaluates and packs `weight` (coarse channels × fine channels of a group × kernel), if the method is for it.
pub(crate) fn pack<A: FloatElement>(
    geometry: &Geometry,
    direction: Direction,
    weight: ArrayView5<'_, A>,
) -> Result<Option<Weights<A::Row>>, Error> {
    let (coarse, fine) = (weight.dim().0 / geometry.groups, weight.dim().1);
    let (out, source) = match direction {
        Direction::Expand => (fine, coarse),
        Direction::Contract => (coarse, fine),
    };
    if geometry.precision == Precision::Strict || size_of::<A::Row>() != size_of::<f32>() {
        return Ok(None);
    }
    let phases = Phases::new(geometry, direction, true);
    let Some(schemes) = schemes(geometry, &phases, out, source) else { return Ok(None) };
    let channels = Channels::new(geometry.groups, out, source, phases.count(), ROWS);
    let planes = schemes[0].planes.len() * schemes[1].planes.len();
    let depth = source * planes;
    let count = element_count::<A::Row>("packed weights", &[geometry.groups, out, phases.count(), depth, ELEMENTS])?;
    let mut points = Vec::new();
    let bytes = count * size_of::<A::Row>();
    points.try_reserve_exact(count).map_err(|_| Error::OutOfMemory { argument: "packed weights", bytes })?;
    points.resize(count, A::Row::default());
    let filters = Filters::new(&phases, &schemes);
    let mut rest = points.as_mut_slice();
    for group in 0..channels.groups {
        let of_group = weight.slice(s![group * coarse..(group + 1) * coarse, .., .., .., ..]);
        let of_group = match direction {
            Direction::Expand => of_group.permuted_axes([1, 0, 2, 3, 4]),
            Direction::Contract => of_group,
        };
        for chunk in 0..channels.chunks {
            let range = channels.chunk_range(chunk);
            let (panels, behind) = rest.split_at_mut(ELEMENTS * phases.count() * range.len() * depth);
            filters.pack_chunk(of_group, range, depth, panels);
            rest = behind;
        }
    }
    Ok(Some(Weights { phases, schemes, channels, depth, points }))
}

/// Which entries of the kernel are the filter of each phase and plane.
struct Filters {
    /// By phase, then plane: rows and columns of the kernel.
    entries: Vec<Vec<[Vec<usize>; 2]>>,
}

impl Filters {
    fn new(phases: &Phases, schemes: &[AxisScheme; 2]) -> Self {
        let [_, height, width] = &phases.axes;
        let (rows, columns) = (kernel_entries(height, &schemes[0]), kernel_entries(width, &schemes[1]));
        let of_phase = |rows: &Vec<Vec<usize>>, columns: &Vec<Vec<usize>>| {
            rows.iter().flat_map(|row| columns.iter().map(move |column| [row.clone(), column.clone()])).collect()
        };
        Self { entries: rows.iter().flat_map(|rows| columns.iter().map(move |columns| of_phase(rows, columns))).collect() }
    }

    /// Packs all points of the output channels of `range`. `weight` is output channels × source channels × kernel.
    fn pack_chunk<A: FloatElement>(&self, weight: ArrayView5<'_, A>, range: Range<usize>, depth: usize, panels: &mut [A::Row]) {
        let rows = self.entries.len() * range.len();
        let planes = self.entries[0].len();
        let (mut start, mut row) = (0, 0);
        for height in panel_heights(rows) {
            for lane in 0..height {
                let (phase, channel) = ((row + lane) / range.len(), (row + lane) % range.len());
                for (source, kernel) in weight.index_axis(ndarray::Axis(0), range.start + channel).outer_iter().enumerate() {
                    for (plane, [rows_of, columns_of]) in self.entries[phase].iter().enumerate() {
                        let lines: [[A::Row; 3]; 3] = std::array::from_fn(|i| {
                            std::array::from_fn(|j| match (rows_of.get(i), columns_of.get(j)) {
                                (Some(&h), Some(&w)) => kernel[[0, h, w]].to_row(),
                                _ => A::Row::default(),
                            })
                        });
                        let at = start + (source * planes + plane) * height + lane;
                        for (point, value) in evaluate(lines, rows_of.len(), columns_of.len()).into_iter().enumerate() {
                            panels[point * rows * depth + at] = value;
                        }
                    }
                }
            }
            start += depth * height;
            row += height;
        }
    }
}

/// By phase and plane, the entries of the kernel along an axis in the order of the pixels they meet.
fn kernel_entries(axis: &AxisPhases, scheme: &AxisScheme) -> Vec<Vec<Vec<usize>>> {
    let of_plane = |phase: usize, first: isize| {
        let pixels = (0..scheme.taps).map(|tap| first + (axis.source_stride * tap).cast_signed());
        pixels.filter_map(|pixel| axis.phases[phase].taps.iter().find(|tap| tap.origin == pixel).map(|tap| tap.kernel)).collect()
    };
    (0..axis.phases.len()).map(|phase| scheme.planes.iter().map(|&first| of_plane(phase, first)).collect()).collect()
}

/// `G g Gᵀ`: a filter of `height` × `width` taps at the points.
fn evaluate<T: Float>(lines: [[T; 3]; 3], height: usize, width: usize) -> [T; ELEMENTS] {
    let rows = lines.map(|line| at_points(line, width));
    let columns: [[T; 4]; 4] = std::array::from_fn(|column| at_points(std::array::from_fn(|row| rows[row][column]), height));
    std::array::from_fn(|point| columns[point % 4][point / 4])
}

/// `G g`: 2 or 3 taps at 0, 1, -1 and ∞.
#[inline(always)]
fn at_points<T: Float>([a, b, c]: [T; 3], taps: usize) -> [T; 4] {
    let half = T::one() / (T::one() + T::one());
    match taps {
        2 => [a, (a + b) * half, (a - b) * half, b],
        _ => [a, (a + c + b) * half, (a + c - b) * half, c],
    }
}
