//! Direct (transposed) convolution: for every block of the output it loads a strip of input, multiplies, and stores interleaved.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView5, ArrayViewMut5, Axis, indices};

use super::packed_weights::{Panels, Unpacked};
use super::phases::Direction;
use super::store::{Block, Slot};
use super::strips::Strips;
use crate::element::FloatElement;
use crate::error::Error;
use crate::kernels::{Backend, Layout, Positions, Reserved, StripProduct, Transpose, lanes, prefetch, reserve_unless, with_scratch};
use crate::memory::{Need, grown_bytes};
use crate::tasks;

/// Bytes of strip that a task loads at a time; further source channels follow in the next strip.
const STRIP_BYTES: usize = 256 * 1024;
/// Bytes of unpacked weights that a task brings into the order of the inner loop at a time; they stay in the caches of a core.
const WEIGHT_BYTES: usize = 128 * 1024;
/// A call with fewer products stays on its thread.
const SMALL_WORK: usize = 1 << 17;

/// One call: the weights, and the tensors it reads.
pub(crate) struct DirectConvolution<'w, 'x, A: FloatElement> {
    packed: &'w Panels<A::Row>,
    /// The weights as they are, in place of packed ones.
    unpacked: Option<Unpacked<'w, A::Row>>,
    source: ArrayView5<'x, A>,
    bias: Vec<A::Row>,
    backend: Backend,
    lanes: usize,
    strips: Strips,
    /// Source channels that a strip holds.
    channels_at_once: usize,
    /// For each row group, where the factors of its sums begin in a strip.
    offsets: Vec<Vec<usize>>,
    threads: bool,
}

/// Blocks of batch, chunk of channels, depth, height, width.
type Blocks = [Range<usize>; 5];

impl<'w, 'x, A: FloatElement> DirectConvolution<'w, 'x, A> {
    /// The shapes have been checked: `source` has the packed weights' channels, `bias` those of the output.
    pub(crate) fn new(packed: &'w Panels<A::Row>, source: ArrayView5<'x, A>, bias: Option<ArrayView1<'_, A>>, backend: Backend) -> Self {
        let (phases, channels) = (&packed.phases, &packed.channels);
        let lanes = lanes::<A::Row>(backend);
        let batch = source.dim().0;
        let strips = Strips::new(phases, batch, channels.chunk * phases.count(), lanes);
        let at_once = (STRIP_BYTES / size_of::<A::Row>() / strips.channel_len.max(1)).clamp(1, channels.source.max(1));
        let turns = channels.source.div_ceil(at_once).max(1);
        let channels_at_once = channels.source.div_ceil(turns);
        let offsets = phases.groups.iter().map(|group| {
            let taps: Vec<usize> = strips.tap_offsets(group).collect();
            let products = indices((channels_at_once, taps.len())).into_iter();
            products.map(|(channel, tap)| channel * strips.channel_len + taps[tap]).collect()
        });
        let offsets = offsets.collect();
        let positions = strips.positions.iter().fold(1_usize, |product, &size| product.saturating_mul(size));
        let per_position = channels.groups * channels.out * channels.source * phases.tap_count();
        let threads = positions.saturating_mul(per_position) >= SMALL_WORK;
        let bias = bias.map_or_else(Vec::new, |bias| bias.iter().map(|value| value.to_row()).collect());
        Self { packed, unpacked: None, source, bias, backend, lanes, strips, channels_at_once, offsets, threads }
    }

    /// With weights as they are, if there are any; `packed` says where they would be.
    pub(crate) fn with_unpacked(self, unpacked: Option<Unpacked<'w, A::Row>>) -> Self {
        Self { unpacked, ..self }
    }

    /// Elements of the strip, of the sums and of the transposed weights of a block with this many output channels.
    fn scratch_lens(&self, channels: usize) -> [usize; 3] {
        // A vector may reach past the last pixel; what it computes there is not stored.
        let strip = self.channels_at_once * self.strips.channel_len + self.lanes;
        let line = self.strips.block[3] * channels; // of pixels with their channels side by side
        let transposed = self.unpacked.filter(|unpacked| unpacked.direction == Direction::Expand);
        let transposed = transposed.map_or(0, |unpacked| self.transposed_at_once(&unpacked) * unpacked.kernel_len() * channels);
        [strip.max(line), self.packed.phases.count() * channels * self.strips.sums_len, transposed]
    }

    /// Source channels whose weights are transposed together.
    fn transposed_at_once(&self, unpacked: &Unpacked<'_, A::Row>) -> usize {
        let of_source = unpacked.kernel_len() * self.packed.channels.chunk * size_of::<A::Row>();
        (WEIGHT_BYTES / of_source.max(1)).clamp(1, self.channels_at_once.max(1))
    }

    /// What a call takes besides the packed weights.
    pub(crate) fn need(&self) -> Need {
        let buffer = self.scratch_lens(self.packed.channels.chunk).iter().sum();
        let outputs = self.packed.channels.out * self.packed.channels.groups;
        let shared = self.offsets.iter().map(|offsets| grown_bytes::<usize>(offsets.len())).sum::<usize>() + outputs * size_of::<A::Row>();
        let of_unpacked = self.unpacked.map_or(0, |unpacked| {
            let (rows, products) = (self.packed.phases.count() * self.packed.channels.chunk, self.channels_at_once * unpacked.kernel_len());
            grown_bytes::<usize>(rows).saturating_add(grown_bytes::<usize>(products))
        });
        let list_bytes = grown_bytes::<Positions>(self.strips.sums_len / self.lanes).saturating_add(self.strips.fill_list_bytes());
        let list_bytes = list_bytes.saturating_add(of_unpacked);
        Need { list_bytes, ..Need::of_buffers([buffer, 0, 0], self.threads) }.with_shared(shared)
    }

    /// Computes the whole output, whose shape has been checked; an [`Error`] where there is no memory for that, unless the caller has
    /// `reserved` it.
    pub(crate) fn run<S: Slot<A>>(&self, out: ArrayViewMut5<'_, S>, reserved: Option<&Reserved>) -> Result<(), Error> {
        if out.is_empty() {
            return Ok(());
        }
        let _own = reserve_unless::<A::Row>(reserved, || self.need())?;
        let [n, d, h, w] = self.strips.blocks();
        let chunks = self.packed.channels.groups * self.packed.channels.chunks;
        self.divide(out, [0..n, 0..chunks, 0..d, 0..h, 0..w]);
        Ok(())
    }

    /// Halves the axis that has the most blocks until one is left. `out` is the piece of the output that the blocks cover.
    fn divide<S: Slot<A>>(&self, out: ArrayViewMut5<'_, S>, blocks: Blocks) {
        let Some((axis, range)) = blocks.iter().enumerate().rev().max_by_key(|(_, range)| range.len()).filter(|(_, range)| range.len() > 1)
        else {
            return self.block(out, blocks.map(|range| range.start));
        };
        let middle = range.start + range.len() / 2;
        let at = self.first_output(axis, middle) - self.first_output(axis, range.start);
        let (mut left, mut right) = (blocks.clone(), blocks.clone());
        left[axis].end = middle;
        right[axis].start = middle;
        let (out_left, out_right) = out.split_at(Axis(axis), at);
        let (first, second) = (|| self.divide(out_left, left), || self.divide(out_right, right));
        tasks::join_if(self.threads, first, second);
    }

    /// The first output of a block on an axis.
    fn first_output(&self, axis: usize, block: usize) -> usize {
        match axis {
            0 => self.strips.block_range(0, block).start,
            1 => {
                let channels = &self.packed.channels;
                block / channels.chunks * channels.out + channels.chunk_range(block % channels.chunks).start
            }
            _ => self.strips.block_range(axis - 1, block).start * self.packed.phases.axes[axis - 2].out_stride,
        }
    }

    fn block<S: Slot<A>>(&self, out: ArrayViewMut5<'_, S>, [n, chunk, d, h, w]: [usize; 5]) {
        let (phases, channels, strips) = (&self.packed.phases, &self.packed.channels, &self.strips);
        let ranges: [_; 4] = std::array::from_fn(|axis| strips.block_range(axis, [n, d, h, w][axis]));
        let start = ranges.each_ref().map(|range| range.start);
        let size = ranges.each_ref().map(|range| range.len());
        let (group, chunk) = (chunk / channels.chunks, chunk % channels.chunks);
        let range = channels.chunk_range(chunk);
        let positions = strips.vectors(size, self.lanes);
        let [strip_len, sums_len, transposed_len] = self.scratch_lens(range.len());
        with_scratch(strip_len + sums_len + transposed_len, |scratch: &mut [A::Row]| {
            let (strip, rest) = scratch.split_at_mut(strip_len);
            let (sums, transposed) = rest.split_at_mut(sums_len);
            for first in (0..channels.source.max(1)).step_by(self.channels_at_once.max(1)) {
                let last = channels.source.min(first + self.channels_at_once);
                let of_source = group * channels.source;
                strips.fill(&self.source, of_source + first..of_source + last, start, size, self.backend, strip);
                let source = first..last;
                let block = StripBlock { group, channels: range.clone(), source, strip, positions: &positions };
                self.multiply(&block, sums, transposed);
            }
            let first = group * channels.out;
            let bias = self.bias.get(first + range.start..first + range.end).unwrap_or_default();
            Block { phases, strips, sums, channels: range.len(), bias, backend: self.backend }.store(out, strip);
        });
    }

    /// Adds the products of some source channels to the sums of all rows.
    fn multiply(&self, block: &StripBlock<'_, A::Row>, sums: &mut [A::Row], transposed: &mut [A::Row]) {
        match &self.unpacked {
            None => self.multiply_packed(block, sums),
            Some(unpacked) if unpacked.direction == Direction::Expand => self.multiply_transposed(unpacked, block, sums, transposed),
            Some(unpacked) => self.multiply_unpacked(unpacked, block, sums),
        }
    }

    fn multiply_packed(&self, block: &StripBlock<'_, A::Row>, mut sums: &mut [A::Row]) {
        let mut weights = self.packed.of_channels(block.group, &block.channels);
        for (group, offsets) in self.packed.phases.groups.iter().zip(&self.offsets) {
            let (rows, taps) = (group.phases.len() * block.channels.len(), group.taps.len());
            let depth = taps * self.packed.channels.source;
            let (panels, weights_behind) = weights.split_at(rows * depth);
            let (of_group, sums_behind) = sums.split_at_mut(rows * self.strips.sums_len);
            let layout = Layout::Panels { depth, first: block.source.start * taps };
            let offsets = &offsets[..block.source.len() * taps];
            self.product(panels, layout, (rows, offsets), block, of_group, block.source.start > 0);
            (weights, sums) = (weights_behind, sums_behind);
        }
    }

    /// With the weights of a convolution where they are: there is one phase, and the products of a row are neighbours.
    fn multiply_unpacked(&self, unpacked: &Unpacked<'_, A::Row>, block: &StripBlock<'_, A::Row>, sums: &mut [A::Row]) {
        let first = block.group * self.packed.channels.out + block.channels.start;
        let rows: Vec<usize> = (first..first + block.channels.len()).map(|out| unpacked.place(out, block.source.start)).collect();
        let products: Vec<usize> = (0..block.source.len() * unpacked.kernel_len()).collect();
        let layout = Layout::Offsets { rows: &rows, products: &products };
        self.product(unpacked.weights, layout, (rows.len(), &self.offsets[0][..products.len()]), block, sums, block.source.start > 0);
    }

    /// With the weights of a transposed convolution, which are transposed here: source channel, entry of the kernel, output channel.
    fn multiply_transposed(
        &self,
        unpacked: &Unpacked<'_, A::Row>,
        block: &StripBlock<'_, A::Row>,
        sums: &mut [A::Row],
        transposed: &mut [A::Row],
    ) {
        let of_source = unpacked.kernel_len() * block.channels.len();
        let phases = self.phase_rows(unpacked, block.channels.len());
        let mut products = Vec::new();
        let at_once = self.transposed_at_once(unpacked);
        for first in block.source.clone().step_by(at_once) {
            let source = first..block.source.end.min(first + at_once);
            let strip = &block.strip[(first - block.source.start) * self.strips.channel_len..];
            let block = StripBlock { strip, channels: block.channels.clone(), source: source.clone(), ..*block };
            self.transpose(unpacked, &block, transposed);
            let mut sums = &mut *sums;
            for PhaseRows { rows, entries, offsets } in &phases {
                let (of_rows, behind) = sums.split_at_mut(rows.len() * self.strips.sums_len);
                products.clear();
                for channel in 0..source.len() {
                    products.extend(entries.iter().map(|entry| channel * of_source + entry));
                }
                let layout = Layout::Offsets { rows, products: &products };
                self.product(transposed, layout, (rows.len(), &offsets[..products.len()]), &block, of_rows, first > 0);
                sums = behind;
            }
        }
    }

    /// Transposes the weights of a block's channels: by source channel, entry of the kernel, output channel.
    fn transpose(&self, unpacked: &Unpacked<'_, A::Row>, block: &StripBlock<'_, A::Row>, transposed: &mut [A::Row]) {
        let (columns, to_pitch) = (unpacked.kernel_len(), block.channels.len());
        for (channel, to) in block.source.clone().zip(transposed.chunks_exact_mut(columns * to_pitch)) {
            let coarse = block.group * self.packed.channels.source + channel;
            let from = &unpacked.weights[unpacked.place(coarse, block.channels.start)..];
            // The next ones are far away in memory.
            let next = unpacked.weights.get(unpacked.place(coarse + 1, block.channels.start)..).unwrap_or_default();
            prefetch(&next[..next.len().min(to.len())]);
            self.backend.run(Transpose { from, from_pitch: columns, rows: to_pitch, columns, to, to_pitch });
        }
    }

    /// The rows of transposed weights that are multiplied together: of all phases of a row group, where the entries of their taps are as far
    /// apart in each, else of one phase.
    fn phase_rows(&self, unpacked: &Unpacked<'_, A::Row>, channels: usize) -> Vec<PhaseRows<'_>> {
        let phases = &self.packed.phases;
        let mut found = Vec::new();
        for (group, offsets) in phases.groups.iter().zip(&self.offsets) {
            let first_rows = found.len();
            for &phase in &group.phases {
                let entries = || group.taps.iter().map(|&tap| unpacked.entry(phases.kernel_index(phase, tap)) * channels);
                let first = entries().next().unwrap_or(0);
                let (rows, entries) = (first..first + channels, entries().map(|entry| entry - first));
                match found.get_mut(first_rows..).and_then(<[PhaseRows<'_>]>::last_mut) {
                    Some(last) if entries.clone().eq(last.entries.iter().copied()) => last.rows.extend(rows),
                    _ => found.push(PhaseRows { rows: rows.collect(), entries: entries.collect(), offsets }),
                }
            }
        }
        found
    }

    /// Adds the products of the weights at `layout` with the pixels at `offsets` of the strip.
    fn product(
        &self,
        weights: &[A::Row],
        layout: Layout<'_>,
        (rows, offsets): (usize, &[usize]),
        block: &StripBlock<'_, A::Row>,
        sums: &mut [A::Row],
        accumulate: bool,
    ) {
        let (strip, positions, pitch) = (block.strip, block.positions, self.strips.sums_len);
        StripProduct { weights, layout, rows, offsets, strip, positions, sums, pitch, accumulate }.run(self.backend);
    }
}

/// Rows of transposed weights.
struct PhaseRows<'a> {
    /// Where the first weight of each row is.
    rows: Vec<usize>,
    /// From there to the weight of each tap.
    entries: Vec<usize>,
    /// Where each product begins in a strip.
    offsets: &'a [usize],
}

/// The pixels of some source channels at the positions of a block, and the output channels that they are multiplied for.
struct StripBlock<'a, T> {
    group: usize,
    /// Counted from the first of the group.
    channels: Range<usize>,
    /// The source channels, counted from the first of the group.
    source: Range<usize>,
    strip: &'a [T],
    positions: &'a [Positions],
}
