//! Weights in the order in which the inner loop reads them.

use std::fmt;
use std::ops::Range;

use ndarray::{ArrayView5, s};

use super::accuracy::EvenWeights;
use super::depthwise::{self, Depthwise};
use super::phases::{AxisPhases, Direction, Geometry, Phases};
use super::winograd;
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{Backend, Real, panel_heights};
use crate::memory::{bytes_of, grown_bytes, reserve_weights};
use crate::output_size::element_count;
use crate::tasks;

/// Rows of sums (output channels × phases) that a task computes at a time: enough to make up for copying its strip of input.
const ROWS: usize = 256;
/// The same where a picture has at most so many positions: sums are few then, and long pieces of the weights are read at a time. As many
/// chunks are left for threads.
const ROWS_OF_FEW_POSITIONS: usize = 4096;
const FEW_POSITIONS: usize = 4;
const FEWEST_CHUNKS: usize = 8;
/// So many positions of a picture are one block.
const POSITIONS_OF_ONE_BLOCK: usize = 384;
/// With fewer output channels in a group, phases that read the same pixels become rows of one product.
const FEW_CHANNELS: usize = 12;
/// Source channels that are packed together.
const CHANNELS_AT_ONCE: usize = 16;
/// Fewer weights are packed on one thread.
const SMALL_PACKING: usize = 1 << 15;

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

    /// Bytes of the lists that a thread makes to pack the weights.
    pub(crate) fn packing_list_bytes(&self) -> usize {
        let products = self.phases.tap_count().saturating_mul(self.channels.chunk);
        grown_bytes::<Product>(products).saturating_add(products.saturating_mul(2 * size_of::<usize>()))
    }

    /// The weights packed.
    pub(crate) fn len(&self) -> Result<usize, Error> {
        let Channels { groups, out, source, .. } = self.channels;
        element_count::<T>("packed weights", &[groups, out, source, self.phases.tap_count()])
    }

    /// The panels of all row groups for the channels of a chunk, one row group after the other.
    pub(crate) fn of_channels(&self, group: usize, channels: &Range<usize>) -> &[T] {
        let per_channel = self.phases.tap_count() * self.channels.source;
        let first = group * self.channels.out;
        &self.weights[(first + channels.start) * per_channel..(first + channels.end) * per_channel]
    }
}

/// The weights as they are: coarse channels × fine channels of a group × kernel, contiguous.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unpacked<'w, T> {
    pub(crate) direction: Direction,
    pub(crate) weights: &'w [T],
    /// Fine channels of a group.
    fine: usize,
    kernel: [usize; 3],
}

impl<'w, T: Real> Unpacked<'w, T> {
    /// If there are any, they are contiguous and of the type of the sums. Those of a transposed convolution are transposed chunk by chunk, so that chunks of
    /// few channels would be slow.
    pub(crate) fn new<A: FloatElement<Row = T>>(direction: Direction, panels: &Panels<T>, weight: &ArrayView5<'w, A>) -> Option<Self> {
        if weight.is_empty() || (direction == Direction::Expand && panels.channels.chunk < FEW_CHANNELS) {
            return None;
        }
        let (_, fine, depth, height, width) = weight.dim();
        weight.to_slice().and_then(A::as_rows).map(|weights| Self { direction, weights, fine, kernel: [depth, height, width] })
    }

    /// Entries of the kernel.
    pub(crate) fn kernel_len(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The number of an entry of the kernel.
    pub(crate) fn entry(&self, [d, h, w]: [usize; 3]) -> usize {
        (d * self.kernel[1] + h) * self.kernel[2] + w
    }

    /// Where the kernel of a coarse channel of all groups and a fine channel of its group begins.
    pub(crate) fn place(&self, coarse: usize, fine: usize) -> usize {
        (coarse * self.fine + fine) * self.kernel_len()
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
    let positions: usize = phases.axes.iter().map(AxisPhases::positions).fold(1, usize::saturating_mul);
    let rows = match positions {
        ..=FEW_POSITIONS => (out / FEWEST_CHUNKS * phases.count()).clamp(ROWS, ROWS_OF_FEW_POSITIONS),
        // One block and one chunk would be the work of one thread.
        _ if positions <= POSITIONS_OF_ONE_BLOCK && out * phases.count() <= ROWS => ROWS / 2,
        _ => ROWS,
    };
    let channels = Channels::new(geometry.groups, out, source, phases.count(), rows);
    Panels { phases, channels, weights: Vec::new() }
}

/// The weights as they are.
pub(crate) fn pack_panels<A: FloatElement>(
    geometry: &Geometry,
    direction: Direction,
    weight: ArrayView5<'_, A>,
) -> Result<Panels<A::Row>, Error> {
    let mut panels = plan_panels(geometry, direction, &weight);
    let count = panels.len()?;
    let mut weights = reserve_weights(count)?;
    weights.resize(count, A::Row::default());
    // Without weights there is nothing to pack, however many the groups.
    if count > 0 {
        let weight = match direction {
            Direction::Expand => weight.permuted_axes([1, 0, 2, 3, 4]),
            Direction::Contract => weight,
        };
        let packing = Packing { panels: &panels, direction, weight };
        packing.run(0..panels.channels.groups * panels.channels.chunks, &mut weights);
    }
    panels.weights = weights;
    Ok(panels)
}

/// Weights on their way into panels.
struct Packing<'a, A: FloatElement> {
    /// Where they will be.
    panels: &'a Panels<A::Row>,
    direction: Direction,
    /// Output × source channels × kernel; the channels of the coarse grid are those of all groups, the others those of one.
    weight: ArrayView5<'a, A>,
}

impl<A: FloatElement> Packing<'_, A> {
    /// Packs some chunks, counted from the first of the first group, into `to`, which has room for just these.
    fn run(&self, chunks: Range<usize>, to: &mut [A::Row]) {
        if chunks.len() <= 1 {
            return self.chunk(chunks.start, to);
        }
        let middle = chunks.start + chunks.len() / 2;
        let Panels { channels, phases, .. } = self.panels;
        let first = |chunk: usize| chunk / channels.chunks * channels.out + channels.chunk_range(chunk % channels.chunks).start;
        let len = (first(middle) - first(chunks.start)) * channels.source * phases.tap_count();
        let worth = to.len() >= SMALL_PACKING;
        let (left, right) = to.split_at_mut(len);
        tasks::join_if(worth, || self.run(chunks.start..middle, left), || self.run(middle..chunks.end, right));
    }

    /// Packs the panels of all row groups of a chunk: some source channels of all panels at a time, so that memory is read in order.
    fn chunk(&self, chunk: usize, to: &mut [A::Row]) {
        let channels = &self.panels.channels;
        let (group, range) = (chunk / channels.chunks, channels.chunk_range(chunk % channels.chunks));
        let weight = match self.direction {
            Direction::Expand => self.weight.slice(s![.., group * channels.source..(group + 1) * channels.source, .., .., ..]),
            Direction::Contract => self.weight.slice(s![group * channels.out..(group + 1) * channels.out, .., .., .., ..]),
        };
        let (panels, products) = self.products(&range);
        // Weights that are a part of memory without gaps, in whatever order, are read by their places in it.
        let strides = weight.strides().iter().map(|&stride| usize::try_from(stride).ok()).collect::<Option<Vec<usize>>>();
        let in_memory = weight.as_slice_memory_order().zip(strides);
        let mut places = Vec::new();
        if let Some((_, strides)) = &in_memory {
            places.extend(products.iter().map(|product| product.place(strides)));
        }
        for first in (0..channels.source).step_by(CHANNELS_AT_ONCE) {
            for panel in &panels {
                for source in first..channels.source.min(first + CHANNELS_AT_ONCE) {
                    let to = &mut to[panel.start * channels.source + source * panel.len()..][..panel.len()];
                    if let Some((all, strides)) = &in_memory {
                        let all = &all[source * strides[1]..];
                        to.iter_mut().zip(&places[panel.clone()]).for_each(|(to, &place)| *to = all[place].to_row());
                    } else {
                        to.iter_mut().zip(&products[panel.clone()]).for_each(|(to, product)| *to = weight[product.index(source)].to_row());
                    }
                }
            }
        }
    }

    /// The products of one source channel in the order of the panels, and which of them are in each panel.
    fn products(&self, channels: &Range<usize>) -> (Vec<Range<usize>>, Vec<Product>) {
        let (mut panels, mut products) = (Vec::new(), Vec::new());
        for group in &self.panels.phases.groups {
            let mut row = 0;
            for height in panel_heights(group.phases.len() * channels.len()) {
                let start = products.len();
                for &tap in &group.taps {
                    products.extend((row..row + height).map(|row| Product {
                        channel: channels.start + row % channels.len(),
                        kernel: self.panels.phases.kernel_index(group.phases[row / channels.len()], tap),
                    }));
                }
                panels.push(start..products.len());
                row += height;
            }
        }
        (panels, products)
    }
}

/// Which weight of a source channel a product has.
struct Product {
    /// The output channel, counted from the first of its group.
    channel: usize,
    /// The entry of the kernel.
    kernel: [usize; 3],
}

impl Product {
    fn index(&self, source: usize) -> [usize; 5] {
        let [d, h, w] = self.kernel;
        [self.channel, source, d, h, w]
    }

    /// Where the weight of source channel 0 is in memory.
    fn place(&self, strides: &[usize]) -> usize {
        self.index(0).iter().zip(strides).map(|(index, stride)| index * stride).sum()
    }
}
