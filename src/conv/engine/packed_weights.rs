//! Weights in the order in which the inner loop reads them.

use std::fmt;
use std::ops::Range;

use ndarray::{ArrayView5, s};

use super::accuracy::EvenWeights;
use super::depthwise::{self, Depthwise};
use super::phases::{Direction, Geometry, Phases, RowGroup};
use super::winograd;
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{Backend, Real, panel_heights};
use crate::memory::{bytes_of, reserve_weights};
use crate::output_size::element_count;

/// Rows of sums (output channels × phases) that a task computes at a time: enough to make up for copying its strip of input.
const ROWS: usize = 256;
/// With fewer output channels in a group, phases that read the same pixels become rows of one product.
const FEW_CHANNELS: usize = 12;
/// Source channels that are packed together, so that what is read and what is written both stay in the cache.
const CHANNELS_AT_ONCE: usize = 16;

/// The channels of one group, and how those of the output are cut into chunks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channels {
    pub(crate) groups: usize,
    /// Output channels of a group.
    pub(crate) out: usize,
    /// Source channels of a group.
    pub(crate) source: usize,
    /// Output channels of a chunk; the last one may have fewer.
    pub(crate) chunk: usize,
    /// Chunks of a group.
    pub(crate) chunks: usize,
}

impl Channels {
    /// Chunks of at most `rows` rows of sums (output channels × phases), if that is a channel.
    pub(super) fn new(groups: usize, out: usize, source: usize, phases: usize, rows: usize) -> Self {
        let most = (rows / phases.max(1)).max(1);
        let chunks = out.div_ceil(most).max(1);
        let chunk = out.div_ceil(chunks).max(1);
        Self { groups, out, source, chunk, chunks: out.div_ceil(chunk) }
    }

    /// The output channels of a chunk, counted from the first of its group.
    pub(crate) fn chunk_range(&self, chunk: usize) -> Range<usize> {
        chunk * self.chunk..((chunk + 1) * self.chunk).min(self.out)
    }
}

/// The weights of a (transposed) convolution, packed for the method that computes it.
#[derive(Clone)]
pub struct Packed<T>(pub(super) Method<T>);

/// How many bytes they are; the weights would fill pages.
impl<T> fmt::Debug for Packed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

/// How a (transposed) convolution is computed.
#[derive(Debug, Clone)]
pub(super) enum Method<T> {
    /// As it is defined.
    Direct(Panels<T>),
    /// Row by row, for groups of very few channels.
    Few(Depthwise<T>),
    /// With fewer multiplications; as it is defined where the data are not spread evenly.
    Winograd(Box<Reduced<T>>),
}

/// The weights for both ways of a call that may be computed with fewer multiplications.
#[derive(Debug, Clone)]
pub(super) struct Reduced<T> {
    pub(super) scheme: winograd::Scheme,
    pub(super) points: Vec<T>,
    pub(super) even: EvenWeights<T>,
    pub(super) direct: Panels<T>,
}

impl<T> Packed<T> {
    /// Bytes of the weights, and of the lists that say where they belong.
    pub(crate) fn bytes(&self) -> usize {
        match &self.0 {
            Method::Direct(panels) => panels.bytes(),
            Method::Few(few) => bytes_of(&few.weights),
            Method::Winograd(reduced) => {
                let Reduced { scheme, points, even, direct } = &**reduced;
                bytes_of(points) + scheme.phases.list_bytes() + bytes_of(&even.channels) + direct.bytes()
            }
        }
    }

    /// Output and source channels of all groups together.
    pub(crate) fn channels(&self) -> (usize, usize) {
        let of = |channels: &Channels| (channels.out * channels.groups, channels.source * channels.groups);
        match &self.0 {
            Method::Direct(panels) => of(&panels.channels),
            Method::Winograd(reduced) => of(&reduced.scheme.channels),
            Method::Few(few) => {
                let (coarse, fine) = (few.coarse * few.geometry.groups, few.fine * few.geometry.groups);
                if few.direction == Direction::Expand { (fine, coarse) } else { (coarse, fine) }
            }
        }
    }
}

/// The weights as they are, by group, chunk of output channels, row group, panel.
#[derive(Debug, Clone)]
pub(crate) struct Panels<T> {
    pub(crate) phases: Phases,
    pub(crate) channels: Channels,
    weights: Vec<T>,
}

impl<T> Panels<T> {
    /// Bytes of the weights, and of the lists that say where they belong.
    fn bytes(&self) -> usize {
        bytes_of(&self.weights) + self.phases.list_bytes()
    }

    /// The weights packed.
    pub(crate) fn len(&self) -> Result<usize, Error> {
        let Channels { groups, out, source, .. } = self.channels;
        element_count::<T>("packed weights", &[groups, out, source, self.phases.tap_count()])
    }

    /// The panels of all row groups for a chunk, one row group after the other.
    pub(crate) fn of_chunk(&self, group: usize, chunk: usize) -> &[T] {
        let per_channel = self.phases.tap_count() * self.channels.source;
        let range = self.channels.chunk_range(chunk);
        let first = group * self.channels.out;
        &self.weights[(first + range.start) * per_channel..(first + range.end) * per_channel]
    }
}

/// Packs `weight` (coarse channels × fine channels of a group × kernel), whose shape has been checked.
pub(crate) fn pack<A: FloatElement>(
    geometry: &Geometry,
    direction: Direction,
    weight: ArrayView5<'_, A>,
    backend: Backend,
) -> Result<Packed<A::Row>, Error> {
    if let Some(few) = depthwise(geometry, direction, &weight) {
        return Ok(Packed(Method::Few(few.with_weights(&weight)?)));
    }
    if const { !A::Row::REDUCES } {
        return Ok(Packed(Method::Direct(pack_panels(geometry, direction, weight)?)));
    }
    let Some(scheme) = winograd::Scheme::find(geometry, direction, &weight) else {
        return Ok(Packed(Method::Direct(pack_panels(geometry, direction, weight)?)));
    };
    let Some(even) = EvenWeights::find(direction, geometry.groups, &scheme, &weight, backend)? else {
        return Ok(Packed(Method::Direct(pack_panels(geometry, direction, weight)?)));
    };
    let (points, direct) = (scheme.pack(&weight, backend)?, pack_panels(geometry, direction, weight)?);
    Ok(Packed(Method::Winograd(Box::new(Reduced { scheme, points, even, direct }))))
}

/// Row by row, if that suits the weights, which are not there yet.
pub(crate) fn depthwise<A: FloatElement>(
    geometry: &Geometry,
    direction: Direction,
    weight: &ArrayView5<'_, A>,
) -> Option<Depthwise<A::Row>> {
    let (coarse, fine) = (weight.dim().0 / geometry.groups, weight.dim().1);
    let few = depthwise::suits(geometry, coarse, fine);
    few.then(|| Depthwise { geometry: *geometry, direction, coarse, fine, weights: Vec::new() })
}

/// Where weights of this shape will be, which are not there yet.
pub(crate) fn plan_panels<A: FloatElement>(geometry: &Geometry, direction: Direction, weight: &ArrayView5<'_, A>) -> Panels<A::Row> {
    let (coarse, fine) = (weight.dim().0 / geometry.groups, weight.dim().1);
    let (out, source) = match direction {
        Direction::Expand => (fine, coarse),
        Direction::Contract => (coarse, fine),
    };
    let phases = Phases::new(geometry, direction, out < FEW_CHANNELS);
    let channels = Channels::new(geometry.groups, out, source, phases.count(), ROWS);
    Panels { phases, channels, weights: Vec::new() }
}

/// The weights as they are.
pub(crate) fn pack_panels<A: FloatElement>(
    geometry: &Geometry,
    direction: Direction,
    weight: ArrayView5<'_, A>,
) -> Result<Panels<A::Row>, Error> {
    let planned = plan_panels(geometry, direction, &weight);
    let count = planned.len()?;
    let Panels { phases, channels, .. } = planned;
    let (coarse, source) = (weight.dim().0 / geometry.groups, channels.source);
    let mut weights = reserve_weights(count)?;
    weights.resize(count, A::Row::default());
    let mut rest = weights.as_mut_slice();
    // Without weights there is nothing to pack, however many the groups.
    for group in 0..if count == 0 { 0 } else { channels.groups } {
        let of_group = weight.slice(s![group * coarse..(group + 1) * coarse, .., .., .., ..]);
        let of_group = match direction {
            Direction::Expand => of_group.permuted_axes([1, 0, 2, 3, 4]),
            Direction::Contract => of_group,
        };
        for chunk in 0..channels.chunks {
            for row_group in &phases.groups {
                let range = channels.chunk_range(chunk);
                let len = row_group.phases.len() * range.len() * row_group.taps.len() * source;
                let (panels, behind) = rest.split_at_mut(len);
                pack_row_group(&phases, row_group, of_group, range, panels);
                rest = behind;
            }
        }
    }
    Ok(Panels { phases, channels, weights })
}

/// Packs the panels of one row group. `weight` is output channels × source channels × kernel.
fn pack_row_group<A: FloatElement>(
    phases: &Phases,
    group: &RowGroup,
    weight: ArrayView5<'_, A>,
    channels: Range<usize>,
    panels: &mut [A::Row],
) {
    let (taps, source) = (group.taps.len(), weight.dim().1);
    let depth = source * taps;
    if depth == 0 {
        return;
    }
    let kernel: Vec<[usize; 3]> =
        group.phases.iter().flat_map(|&phase| group.taps.iter().map(move |&tap| phases.kernel_index(phase, tap))).collect();
    // Weights that are a part of memory without gaps, in whatever order, are read by their places in it.
    let places = weight.strides().iter().map(|&stride| usize::try_from(stride).ok()).collect::<Option<Vec<usize>>>();
    let in_memory = weight.as_slice_memory_order().zip(places);
    let in_memory = in_memory.map(|(all, strides)| {
        let kernel: Vec<usize> = kernel.iter().map(|[d, h, w]| d * strides[2] + h * strides[3] + w * strides[4]).collect();
        (all, [strides[0], strides[1]], kernel)
    });
    for first in (0..source).step_by(CHANNELS_AT_ONCE) {
        let (mut start, mut row) = (0, 0);
        for height in panel_heights(group.phases.len() * channels.len()) {
            let panel = &mut panels[start..start + depth * height];
            for lane in 0..height {
                let (phase, channel) = ((row + lane) / channels.len(), channels.start + (row + lane) % channels.len());
                let sources = first..source.min(first + CHANNELS_AT_ONCE);
                let lane = panel[first * taps * height + lane..].iter_mut().step_by(height);
                if let Some((all, [of_channel, of_source], kernel)) = &in_memory {
                    let kernel = &kernel[phase * taps..][..taps];
                    let weights = sources.flat_map(|c| kernel.iter().map(move |tap| channel * of_channel + c * of_source + tap));
                    lane.zip(weights).for_each(|(to, place)| *to = all[place].to_row());
                } else {
                    let kernel = &kernel[phase * taps..][..taps];
                    let weights = sources.flat_map(|c| kernel.iter().map(move |&[d, h, w]| [channel, c, d, h, w]));
                    lane.zip(weights).for_each(|(to, place)| *to = weight[place].to_row());
                }
            }
            start += depth * height;
            row += height;
        }
    }
}
