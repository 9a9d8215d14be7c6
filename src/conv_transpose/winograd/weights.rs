//! Filters evaluated at the points, packed as the inner loop reads them.

use std::ops::Range;

use ndarray::{ArrayView5, s};
use num_traits::Float;

use super::super::panels::{Channels, reserve_weights};
use super::super::phases::{AxisPhases, Direction, Geometry, Phases};
use super::{AxisScheme, schemes};
use crate::element::FloatElement;
use crate::error::Error;
use crate::output_size::element_count;
use crate::simd::{ELEMENTS, MOST_ROWS, Real, panel_heights};

/// Rows of products (output channels × phases) that are transformed back together.
const ROWS: usize = 48;
/// Source channels whose kernels are copied together: what is near in memory is read together.
const CHANNELS_AT_ONCE: usize = 32;
/// How many times fewer multiplications pay.
const FEWEST_SAVED: f64 = 1.25;
/// The most taps that a filter has.
const TAPS: usize = 9;

/// What is fixed before there are weights.
#[derive(Debug, Clone)]
pub(crate) struct Scheme {
    pub(crate) phases: Phases,
    pub(crate) axes: [AxisScheme; 2],
    pub(crate) channels: Channels,
    /// Summands of a product: source channels × planes.
    pub(crate) depth: usize,
    direction: Direction,
    /// By phase, then plane: the entries of the kernel that are its filter.
    filters: Vec<Vec<Vec<usize>>>,
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
        let axes = schemes::<A>(geometry, &phases, (out, source), FEWEST_SAVED)?;
        let channels = Channels::new(geometry.groups, out, source, phases.count(), ROWS);
        let depth = source * axes[0].planes.len() * axes[1].planes.len();
        let filters = filters(&phases, &axes, geometry.axes[2].kernel);
        Some(Self { phases, axes, channels, depth, direction, filters })
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

    /// The kernels of so many output channels that are copied together.
    pub(crate) fn kernels_len<A>(weight: &ArrayView5<'_, A>, channels: usize) -> usize {
        CHANNELS_AT_ONCE * channels * weight.dim().2 * weight.dim().3 * weight.dim().4
    }

    /// Evaluates all of `weight`, once for many calls: by group, chunk of output channels, point, panel.
    pub(crate) fn pack<A: FloatElement>(&self, weight: &ArrayView5<'_, A>) -> Result<Vec<A::Row>, Error> {
        let channels = &self.channels;
        let count = self.packed_len::<A::Row>()?;
        let mut points = reserve_weights(count)?;
        points.resize(count, A::Row::default());
        let mut rest = points.as_mut_slice();
        for group in 0..channels.groups {
            for chunk in 0..channels.chunks {
                let (panels, behind) = rest.split_at_mut(self.chunk_len(channels.chunk_range(chunk).len()));
                self.pack_chunk(weight, group, chunk, panels);
                rest = behind;
            }
        }
        Ok(points)
    }

    /// Of all weights packed, those of a chunk.
    pub(crate) fn of_chunk<'p, T>(&self, points: &'p [T], group: usize, chunk: usize) -> &'p [T] {
        let (range, first) = (self.channels.chunk_range(chunk), group * self.channels.out);
        &points[self.chunk_len(first + range.start)..self.chunk_len(first + range.end)]
    }

    /// Evaluates the filters of a chunk of output channels: by point, panel of rows, summand, row.
    pub(crate) fn pack_chunk<A: FloatElement>(&self, weight: &ArrayView5<'_, A>, group: usize, chunk: usize, to: &mut [A::Row]) {
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
        let kernel_len = of_chunk.dim().2 * of_chunk.dim().3 * of_chunk.dim().4;
        let mut kernels = vec![A::Row::default(); Self::kernels_len(weight, range.len())];
        let planes = self.depth / self.channels.source;
        for first in (0..self.channels.source).step_by(CHANNELS_AT_ONCE) {
            let last = self.channels.source.min(first + CHANNELS_AT_ONCE);
            copy_kernels(&of_chunk.slice(s![.., first..last, .., .., ..]), &mut kernels);
            for (source, kernels) in (first..last).zip(kernels.chunks_exact(range.len() * kernel_len)) {
                for plane in 0..planes {
                    self.pack_summand(kernels, kernel_len, plane, source * planes + plane, to);
                }
            }
        }
    }

    /// Evaluates the filters of one summand for all rows of a chunk.
    fn pack_summand<T: Real>(&self, kernels: &[T], kernel_len: usize, plane: usize, summand: usize, to: &mut [T]) {
        let rows = self.phases.count() * (kernels.len() / kernel_len);
        let mut row = 0;
        for height in panel_heights(rows) {
            let points = evaluate(self.filters_of(kernels, kernel_len, plane, row..row + height), &self.axes);
            for (point, values) in points.iter().enumerate() {
                let at = (point * rows + row) * self.pitch() + summand * height;
                match to[at..].first_chunk_mut() {
                    Some(to) if height == MOST_ROWS => *to = *values, // no call to copy so little
                    _ => to[at..at + height].copy_from_slice(&values[..height]),
                }
            }
            row += height;
        }
    }

    /// The filters of some rows, a tap of all of them side by side. `kernels` are those of the chunk's channels, one after the other.
    #[inline(always)]
    fn filters_of<T: Float>(&self, kernels: &[T], kernel_len: usize, plane: usize, rows: Range<usize>) -> [[T; MOST_ROWS]; TAPS] {
        let channels = kernels.len() / kernel_len;
        let mut taps = [[T::zero(); MOST_ROWS]; TAPS];
        let (mut phase, mut channel) = (rows.start / channels, rows.start % channels);
        for lane in 0..rows.len() {
            let kernel = &kernels[channel * kernel_len..(channel + 1) * kernel_len];
            for (tap, &entry) in taps.iter_mut().zip(&self.filters[phase][plane]) {
                tap[lane] = kernel[entry];
            }
            channel += 1;
            if channel == channels {
                (phase, channel) = (phase + 1, 0);
            }
        }
        taps
    }
}

/// Copies the kernels of some output and source channels: by source channel, output channel.
fn copy_kernels<A: FloatElement>(weight: &ArrayView5<'_, A>, to: &mut [A::Row]) {
    let (channels, kernel_len) = (weight.dim().0, weight.dim().2 * weight.dim().3 * weight.dim().4);
    for (channel, of_channel) in weight.outer_iter().enumerate() {
        for (source, kernel) in of_channel.outer_iter().enumerate() {
            let to = &mut to[(source * channels + channel) * kernel_len..][..kernel_len];
            match kernel.as_slice() {
                Some(kernel) => A::widen(kernel, to),
                None => kernel.iter().zip(to).for_each(|(from, to)| *to = from.to_row()),
            }
        }
    }
}

/// By phase and plane, the entries of the kernel that are the filter, in the order of the pixels they meet.
pub(crate) fn filters(phases: &Phases, axes: &[AxisScheme; 2], width: usize) -> Vec<Vec<Vec<usize>>> {
    let (rows, columns) = (kernel_entries(&phases.axes[1], &axes[0]), kernel_entries(&phases.axes[2], &axes[1]));
    let of_plane = |rows: &[usize], columns: &[usize]| {
        rows.iter().flat_map(|row| columns.iter().map(move |column| row * width + column)).collect::<Vec<usize>>()
    };
    let of_phase = |rows: &[Vec<usize>], columns: &[Vec<usize>]| {
        rows.iter().flat_map(|row| columns.iter().map(|column| of_plane(row, column))).collect::<Vec<_>>()
    };
    rows.iter().flat_map(|rows| columns.iter().map(|columns| of_phase(rows, columns))).collect()
}

/// By phase and plane, the entries of the kernel along an axis in the order of the pixels they meet.
fn kernel_entries(axis: &AxisPhases, scheme: &AxisScheme) -> Vec<Vec<Vec<usize>>> {
    let of_plane = |phase: usize, first: isize| {
        let pixels = (0..scheme.taps).map(|tap| first + (axis.source_stride * tap).cast_signed());
        pixels.filter_map(|pixel| axis.phases[phase].taps.iter().find(|tap| tap.origin == pixel).map(|tap| tap.kernel)).collect()
    };
    (0..axis.phases.len()).map(|phase| scheme.planes.iter().map(|&first| of_plane(phase, first)).collect()).collect()
}

/// `G g Gᵀ`: filters at the points, those of several rows side by side.
#[inline(always)]
fn evaluate<T: Float>(taps: [[T; MOST_ROWS]; TAPS], [height, width]: &[AxisScheme; 2]) -> [[T; MOST_ROWS]; ELEMENTS] {
    let zero = [T::zero(); MOST_ROWS];
    let mut lines = [[zero; 4]; 3];
    for (line, taps) in lines.iter_mut().zip(taps.chunks_exact(width.taps)).take(height.taps) {
        *line = at_points([taps[0], taps[1], *taps.get(2).unwrap_or(&zero)], width.taps);
    }
    let mut points = [zero; ELEMENTS];
    for column in 0..4 {
        let column_points = at_points([lines[0][column], lines[1][column], lines[2][column]], height.taps);
        for line in 0..4 {
            points[line * 4 + column] = column_points[line];
        }
    }
    points
}

/// `G g`: 2 or 3 taps at 0, 1, -1 and ∞.
#[inline(always)]
fn at_points<T: Float>([a, b, c]: [[T; MOST_ROWS]; 3], taps: usize) -> [[T; MOST_ROWS]; 4] {
    let half = T::one() / (T::one() + T::one());
    let (mut at_one, mut at_minus_one) = (a, a);
    for lane in 0..MOST_ROWS {
        let even = if taps == 2 { a[lane] } else { a[lane] + c[lane] };
        at_one[lane] = (even + b[lane]) * half;
        at_minus_one[lane] = (even - b[lane]) * half;
    }
    [a, at_one, at_minus_one, if taps == 2 { b } else { c }]
}
