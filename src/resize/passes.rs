//! The engine: applies three weight tables (depth, height, width) to a batch and reads and writes memory once.
//!
//! To enlarge, the horizontal pass writes rows into a small ring that stays in the cache. The vertical pass combines ring rows straight into
//! the output; for volumes a third pass combines slices over the depth. To shrink, the order is reversed (depth, height, width), so that the
//! costlier horizontal pass sees the fewest rows. Where the width is halved from pairs of neighbours, one loop does both of the last passes.
//! Gradients use the transposed tables and the same code. Sums are gathered, never scattered, so the result does not depend on the number of
//! threads.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use ndarray::{ArrayView5, ArrayView6, ArrayViewMut5, ArrayViewMut6, Axis};

use crate::element::Convert;
use crate::error::Error;
use crate::kernels::{
    Arithmetic, AskGroupShape, Backend, Destination, FewBits, GroupShape, HalveWidth, Horizontal, HorizontalTransposed, How, ResizeRows,
    Ring, RingRows, TOGETHER, Table, Vertical, VerticalRows, as_maybe_uninit_mut, halves, prefetch, reserve, with_scratch, with_tags,
};
use crate::memory::Need;
use crate::tasks;

use super::rows::{
    BATCH, Deepened, Input, Lines, OverwriteSink, Places, Plain, Planes, Sink, Slice, Source, Sum, Widened, put_rows, put_stored_rows,
};
use super::taps::AxisTaps;

/// Output elements that one task computes: enough to outweigh its start, few enough to spread over threads.
pub(super) const TASK: usize = 1 << 17;

/// The fewest slices of a volume that are cut along the depth: with fewer, too many input slices would be resized twice.
const LEAST_SLICES: usize = 32;

/// Elements of the slices that a ring over the depth may hold, so that it stays in the second-level cache.
const DEPTH_RING: usize = 1 << 16;

/// Elements that are combined at a time where they are buffered on their way to the output.
const PIECE: usize = 1 << 12;

/// Bytes of the longest row of a task, where rows can be cut: a few such rows stay in the second-level cache. Shorter parts would stay in
/// the first level, but each part begins and ends inside a cache line of the output.
const ROW_BYTES: usize = 1 << 17;

/// Rows of fewer bytes are made several at a time.
const SHORT_ROW: usize = 1 << 12;

/// Buffers begin at multiples of this many elements: of whole cache lines, whatever the type.
const ALIGNMENT: usize = 64;

/// Rows that the horizontal pass takes at a time when it comes last.
const ROWS: usize = HorizontalTransposed::<'static, f32>::ROWS;

/// The tables of the three spatial axes.
#[derive(Debug)]
pub struct Separable {
    /// Depth, height, width; a missing axis is an identity of one pixel.
    pub(crate) axes: [AxisTaps; 3],
    pub(crate) integers: IntegerSums,
}

/// How whole numbers are summed and rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntegerSums {
    /// Bytes with weights of 22 fractional bits, rounded after each axis; others in floating point, rounded once, at the end.
    Fixed,
    /// Bytes as in `Fixed`, bit for bit as Pillow; 16 and 32 bits in `f64`, rounded after each axis.
    Pillow,
    /// All in floating point, bytes in `f64`, rounded once, at the end.
    RoundedOnce,
    /// All types in `f64`, rounded once, at the end: of weights with few bits the sums of 8 and 16 bits are exact.
    Double,
}

/// Sums of more taps, of all axes together, are kept in `f64`, because the error of a sum in `f32` grows with their number. Up to here a
/// picture of ones stays 1 within 7e-7.
const MANY_TAPS: usize = 64;

/// The most taps of an axis for the weights of bytes. Each weight is off by up to 2⁻²³, which adds up to a step of 255 at 2¹⁵ taps.
const MANY_BYTE_TAPS: usize = 1 << 11;

impl Separable {
    pub(crate) fn transposed(&self) -> Result<Self, Error> {
        let [depth, height, width] = &self.axes;
        Ok(Self { axes: [depth.transposed()?, height.transposed()?, width.transposed()?], integers: self.integers })
    }

    /// Whether bytes, `inner` of them interleaved, are weighted in 16 bits, with the same result. That needs weights that fit 16 bits, except
    /// at some border pixels, which the loops treat apart, and taps that can be picked faster than 32-bit products are computed.
    pub(crate) fn few_bits(&self, inner: usize, backend: Backend) -> bool {
        let all = |axis: &AxisTaps| axis.few_bits().len() == axis.taps.output();
        let most = |axis: &AxisTaps| 4 * axis.few_bits().len() >= 3 * axis.taps.output();
        let [depth, height, width] = &self.axes;
        let held = all(depth) && most(height) && (all(width) || (most(width) && self.widens_first::<FewBits>()));
        // A horizontal pass that comes last, on planes, has another loop unless it picks from windows.
        let by_column = inner == 1 && !self.widens_first::<FewBits>() && !self.fits_window::<u8>(inner, backend);
        let by_pixel = backend.has_byte_pixels() && inner <= 4 && !by_column;
        held && (width.identity || !by_pixel || self.fits_window::<FewBits>(inner, backend))
    }

    /// Whether the taps of a group of elements along the width lie close enough to be picked from a window. An estimate.
    fn fits_window<T: Arithmetic>(&self, inner: usize, backend: Backend) -> bool {
        let Some(GroupShape { lanes, window, fold }) = backend.run(AskGroupShape::<T>(PhantomData)) else { return false };
        let taps = &self.axes[2].taps;
        let apart = ((lanes.div_ceil(inner) - 1) as u128 * taps.input as u128).div_ceil(taps.output() as u128);
        (apart + fold as u128) * inner as u128 <= 2 * window as u128
    }

    /// Writes the resized `x` to all of `y`, summing in `T`. Shapes have been checked: equal batch and channels, spatial sizes those of
    /// the tables. If there is no memory for tables or scratch, `y` is untouched.
    pub(crate) fn run<T, A>(&self, x: ArrayView5<'_, A>, y: ArrayViewMut5<'_, MaybeUninit<A>>, how: How) -> Result<(), Error>
    where
        T: Arithmetic,
        A: Convert<T>,
    {
        let streams = how.streaming.streams(y.len() * size_of::<A>());
        let backend = how.backend;
        self.start::<T, _, _, _>(x, y, backend, |engine: Engine<'_>, x, y, origin| {
            let mut sink = OverwriteSink::new(y, streams, backend);
            engine.task::<T, A, _>(x, &mut sink, origin);
            sink.finish();
        })
    }

    /// Adds the resized `x` to `y`, which is untouched if there is no memory for tables or scratch.
    pub(crate) fn add<T, A>(&self, x: ArrayView5<'_, A>, y: ArrayViewMut5<'_, A>, how: How) -> Result<(), Error>
    where
        T: Arithmetic,
        A: Convert<T>,
    {
        self.start::<T, _, _, _>(x, y, how.backend, |engine: Engine<'_>, x, y, origin| {
            engine.task::<T, A, _>(x, &mut Sum::new(y), origin);
        })
    }

    fn start<T, A, S, F>(&self, x: ArrayView5<'_, A>, y: ArrayViewMut5<'_, S>, backend: Backend, task: F) -> Result<(), Error>
    where
        T: Arithmetic,
        A: Convert<T>,
        S: Send,
        F: Fn(Engine<'_>, ArrayView6<'_, A>, ArrayViewMut6<'_, S>, [usize; 3]) + Copy + Sync + Send,
    {
        if y.is_empty() {
            return Ok(());
        }
        let inner = interleaved(&y);
        self.ready::<T>(inner, backend)?;
        let engine = self.engine::<T>(backend);
        let threads = y.len() > TASK || y.len_of(Axis(4)) * inner > engine.longest_row::<T>();
        let _reserved = reserve::<T>(&self.need::<T>(inner, backend, threads))?;
        let order = if is_interleaved(&y) { [0, 5, 2, 3, 4, 1] } else { [0, 1, 2, 3, 4, 5] };
        let x = x.insert_axis(Axis(5)).permuted_axes(order);
        let y = y.insert_axis(Axis(5)).permuted_axes(order);
        let (longest_row, fewest_rows) = (engine.longest_row::<T>(), engine.fewest_rows());
        let cut = Cut { longest_row, fewest_rows, width_splits_input: self.axes[2].identity };
        divide(x, y, [0; 3], cut, move |x, y, origin| task(engine, x, y, origin));
        Ok(())
    }

    pub(super) fn engine<T: Arithmetic>(&self, backend: Backend) -> Engine<'_> {
        Engine { passes: self, widen_first: self.widens_first::<T>(), backend }
    }

    /// Makes the tables that a run in `T` over pixels of `inner` interleaved elements uses, if they have not been made.
    pub(crate) fn ready<T: Arithmetic>(&self, inner: usize, backend: Backend) -> Result<(), Error> {
        for axis in &self.axes {
            axis.ready::<T>()?;
        }
        let width = &self.axes[2];
        if width.identity { Ok(()) } else { width.table::<T>().ready_lanes(inner, backend) }
    }

    /// The scratch of a run. The tables have been made.
    pub(crate) fn need<T: Arithmetic>(&self, inner: usize, backend: Backend, threads: bool) -> Need {
        let engine = self.engine::<T>(backend);
        let [_, height, width] = &self.axes;
        let unit = if inner > 4 { 1 } else { Horizontal::<f32>::PIXELS };
        // Rows are cut as `divide` cuts them; of its parts the shortest and the longest are looked at.
        let part = |choose: fn(usize, usize) -> usize| {
            let mut pixels = width.taps.output();
            while pixels * inner > engine.longest_row::<T>() && pixels >= 2 * unit {
                let half = (pixels / 2).next_multiple_of(unit);
                pixels = choose(half, pixels - half);
            }
            let input = if width.identity { pixels } else { width.taps.input };
            let sizes = engine.sizes::<T>(input * inner, pixels * inner, inner, height.taps.output());
            (sizes.total(), sizes.ring_rows + sizes.slices)
        };
        let (longest, shortest) = (part(usize::max), part(usize::min));
        let tags = longest.1.max(shortest.1);
        Need { tags, ..Need::of_buffers([longest.0.max(shortest.0), 0, 0], threads) }
    }

    /// Bytes of the tables that runs in `T` use. They have been made.
    pub(crate) fn table_bytes<T: Arithmetic>(&self) -> usize {
        self.axes.iter().map(|axis| axis.taps.bytes() + axis.table::<T>().bytes()).sum()
    }

    /// Whether sums are kept in `f64` for every type: because there are many taps, or because the options ask for it.
    pub(crate) fn sums_in_double(&self) -> bool {
        self.integers == IntegerSums::Double
            || self.axes.iter().filter(|axis| !axis.identity).map(|axis| axis.longest_row).sum::<usize>() > MANY_TAPS
    }

    /// Whether the output is the input.
    pub(crate) fn is_identity(&self) -> bool {
        self.axes.iter().all(|axis| axis.identity)
    }

    /// Whether an axis has too many taps for the weights of bytes.
    pub(crate) fn has_many_byte_taps(&self) -> bool {
        self.axes.iter().any(|axis| axis.longest_row > MANY_BYTE_TAPS)
    }

    /// Whether Pillow's first pass is horizontal. Observed with Pillow 13: it begins with the height where the height loses more than twice as
    /// many pixels as the width.
    pub(crate) fn pillow_widens_first(&self) -> bool {
        let lost = |axis: &AxisTaps| axis.taps.input as i128 - axis.taps.output() as i128;
        let [_, height, width] = &self.axes;
        lost(height) <= 0 || lost(height) <= 2 * lost(width)
    }

    /// Whether the horizontal pass comes first. Bytes follow Pillow's order, since they are rounded after each pass.
    #[allow(clippy::cast_precision_loss)] // costs are estimates
    fn widens_first<T: Arithmetic>(&self) -> bool {
        let [depth, height, width] = &self.axes;
        let (d, h, w) = (depth.taps.input, height.taps.input, width.taps.input);
        let (od, oh, ow) = (depth.taps.output(), height.taps.output(), width.taps.output());
        if !T::HAS_INFINITY {
            return self.pillow_widens_first();
        }
        // Multiplications of each order, in floating point so that nothing overflows. A horizontal one costs about three vertical ones.
        let taps = |axis: &AxisTaps| if axis.identity { 0.0 } else { axis.longest_row as f64 };
        let [d, h, w, od, oh, ow] = [d, h, w, od, oh, ow].map(|size| size as f64);
        let first = d * h * ow * 3.0 * taps(width) + d * oh * ow * taps(height) + od * oh * ow * taps(depth);
        let last = od * h * w * taps(depth) + od * oh * w * taps(height) + od * oh * ow * 3.0 * taps(width);
        first <= last
    }
}

/// Interleaved elements of a pixel in the loops.
pub(crate) fn interleaved<S>(y: &ArrayViewMut5<'_, S>) -> usize {
    if is_interleaved(y) { y.len_of(Axis(1)) } else { 1 }
}

/// Whether the channels of an output pixel lie side by side and pixels are contiguous. For a single pixel the stride of the axis decides, as in
/// `is_channels_last` of tensors; the memory that plans report relies on it.
fn is_interleaved<S>(y: &ArrayViewMut5<'_, S>) -> bool {
    let (channels, of_pixel) = (y.len_of(Axis(1)), y.stride_of(Axis(4)));
    let without_gaps = of_pixel == channels as isize || (y.len_of(Axis(4)) == 1 && of_pixel != 1);
    channels > 1 && y.stride_of(Axis(1)) == 1 && without_gaps
}

/// Where the work is cut.
#[derive(Clone, Copy)]
struct Cut {
    /// Longer rows are cut, so that the ring stays in the first-level cache.
    longest_row: usize,
    /// Tasks of fewer rows would resize too many input rows twice.
    fewest_rows: usize,
    /// The width is an identity: the input is cut with the output.
    width_splits_input: bool,
}

impl Cut {
    /// The axis along which work of a shape is halved, and where; `None` if it is small enough for a task.
    fn of(self, shape: &[usize]) -> Option<(usize, usize)> {
        let &[_, _, depth, height, width, inner] = shape else { return None };
        // Cuts are at whole groups of elements; pixels of many channels are groups by themselves.
        let unit = if inner > 4 { 1 } else { Horizontal::<f32>::PIXELS };
        let long = width * inner > self.longest_row && width >= 2 * unit;
        let most = if depth > 1 { 2 * TASK } else { TASK };
        if !long && shape.iter().product::<usize>() <= most {
            return None;
        }
        // Slices follow each other in memory; the halves of all of them would not.
        let spatial = if depth >= LEAST_SLICES { [2, 3] } else { [3, 2] };
        let may_cut = |axis: usize| match axis {
            3 => height > 1 && height >= 2 * self.fewest_rows,
            4 => long,
            _ => shape[axis] > 1,
        };
        let axis = [0, 1, 4, spatial[0], spatial[1]].into_iter().find(|&axis| may_cut(axis))?;
        let half = shape[axis] / 2;
        Some((axis, if axis == 4 { half.next_multiple_of(unit) } else { half }))
    }
}

/// Cuts the work in halves, by shape alone, down to tasks: some channels, or pictures of interleaved channels, and of each the output
/// depths, heights and pixels that begin at `origin`. Axes are `[batch, channel, depth, height, width, interleaved]`.
fn divide<A, S, F>(x: ArrayView6<'_, A>, y: ArrayViewMut6<'_, S>, origin: [usize; 3], cut: Cut, task: F)
where
    A: Copy + Send + Sync,
    S: Send,
    F: Fn(ArrayView6<'_, A>, ArrayViewMut6<'_, S>, [usize; 3]) + Copy + Sync + Send,
{
    if let Some((axis, half)) = cut.of(y.shape()) {
        let (left, right) = y.split_at(Axis(axis), half);
        let splits_input = axis < 2 || (axis == 4 && cut.width_splits_input);
        let (x_left, x_right) = if splits_input { x.split_at(Axis(axis), half) } else { (x, x) };
        let mut origin_right = origin;
        if !splits_input {
            origin_right[axis - 2] += half;
        }
        return tasks::join(|| divide(x_left, left, origin, cut, task), || divide(x_right, right, origin_right, cut, task));
    }
    task(x, y, origin);
}

/// The tables, and what is the same for all tasks of a run.
#[derive(Clone, Copy)]
pub(super) struct Engine<'a> {
    passes: &'a Separable,
    widen_first: bool,
    backend: Backend,
}

/// How large the buffers of a task are.
struct Sizes {
    /// Elements of the ring, spare, middle and last rows, columns, and the ring of slices.
    buffers: [usize; 6],
    /// Rows of the ring over the height, and how many of them are made at a time.
    ring_rows: usize,
    batch: usize,
    /// Slices of the ring over the depth.
    slices: usize,
    /// Rows of such a slice.
    band: usize,
    /// Elements of a row of the ring, and from one to the next.
    line: usize,
    stride: usize,
}

impl Sizes {
    /// Elements of all buffers. Rows of a broadcast input can be longer than any memory.
    fn total(&self) -> usize {
        self.buffers.into_iter().fold(0, usize::saturating_add)
    }
}

/// The buffers of a task, cut from the thread's scratch memory.
struct Buffers<'a, T> {
    ring: Ring<'a, T>,
    /// Input rows that had to be copied.
    spare: &'a mut [T],
    /// Rows between the passes over height and width.
    middle: &'a mut [T],
    /// Rows on their way to an output that cannot take them as they are.
    last: &'a mut [T],
    /// The rows of `middle` turned into columns.
    columns: &'a mut [T],
}

impl Engine<'_> {
    /// All channels of a task.
    fn task<T: Arithmetic, A: Convert<T>, Y: Planes<T>>(self, x: ArrayView6<'_, A>, y: &mut Y, origin: [usize; 3]) {
        for (batch, x) in x.into_outer_iter().enumerate() {
            for (channel, x) in x.into_outer_iter().enumerate() {
                y.turn_to(batch, channel);
                self.bands(&Input::new(x) as &dyn Source<T>, y, origin);
            }
        }
    }

    /// How large the buffers of a task are, whose rows have `input` and `output` elements, `inner` of them interleaved.
    fn sizes<T: Arithmetic>(self, input: usize, output: usize, inner: usize, heights: usize) -> Sizes {
        let [depth, height, width] = &self.passes.axes;
        let (height_table, depth_table) = (height.table::<T>(), depth.table::<T>());
        let line = if self.widen_first { output } else { input };
        let slices = if self.widen_first && !depth.identity { depth_table.span } else { 0 };
        let band = if slices == 0 { heights } else { (DEPTH_RING / (slices * output)).clamp(1, heights) };
        let together = self.rows_together(output).min(heights);
        let columns = if self.widen_first || inner > 1 { 0 } else { ROWS.saturating_mul(input) };
        let stride = line.next_multiple_of(ALIGNMENT);
        // Short rows are made several at a time: a call for each would cost as much as its work. So are rows whose groups of pixels have
        // different weights, which are then loaded once for all rows.
        let ahead = match line.saturating_mul(size_of::<T>()) {
            _ if !self.widen_first && depth.identity => 0,
            ..=SHORT_ROW => BATCH - 1,
            _ if self.widen_first && !width.identity && width.table::<T>().shares_weights(inner, self.backend) => TOGETHER - 1,
            _ => 0,
        };
        let ring_rows = (height_table.span + ahead).next_power_of_two();
        let batch = (ring_rows - height_table.span + 1).min(ahead + 1);
        let spare = input.saturating_mul(depth_table.width.max(batch));
        // Where the horizontal pass comes first, the ring alone is between the passes.
        let (middle, last) = (if self.widen_first { 0 } else { together.saturating_mul(input) }, together * output);
        let slice_ring = slices.saturating_mul(band * output);
        let buffers = [ring_rows.saturating_mul(stride), spare, middle, last, columns, slice_ring];
        let whole = |size: usize| size.checked_next_multiple_of(ALIGNMENT).unwrap_or(usize::MAX);
        Sizes { buffers: buffers.map(whole), ring_rows, batch, slices, band, line, stride }
    }

    /// All rows of `y`. Volumes whose horizontal pass comes first are made in bands of rows, so that the slices that the depth needs stay in the
    /// cache.
    pub(super) fn bands<T: Arithmetic>(self, x: &dyn Source<T>, y: &mut dyn Sink<T>, origin: [usize; 3]) {
        let (input, output) = (x.len(), y.len());
        let pixels = origin[2]..origin[2] + output / x.inner();
        let [depths, heights] = y.size();
        let Sizes { buffers: sizes, ring_rows, batch, slices, band, line, stride } = self.sizes::<T>(input, output, x.inner(), heights);
        with_tags(ring_rows + slices, |tags| {
            with_scratch(sizes.iter().sum(), |scratch| {
                let (tags, slice_tags) = tags.split_at_mut(ring_rows);
                let (ring, scratch) = scratch.split_at_mut(sizes[0]);
                let (spare, scratch) = scratch.split_at_mut(sizes[1]);
                let (middle, scratch) = scratch.split_at_mut(sizes[2]);
                let (last, scratch) = scratch.split_at_mut(sizes[3]);
                let (columns, slice_ring) = scratch.split_at_mut(sizes[4]);
                let ring = Ring { rows: ring, stride, len: line, tags, batch, end: 0 };
                let mut buffers = Buffers { ring, spare, middle, last, columns };
                for first in (0..heights).step_by(band) {
                    let rows = first..heights.min(first + band);
                    slice_tags.fill(usize::MAX);
                    for d in 0..depths {
                        let place =
                            Place { depth: origin[0] + d, sink_depth: d, height: origin[1], rows: rows.clone(), pixels: pixels.clone() };
                        if slices == 0 {
                            self.slice(x, y, place, &mut buffers);
                        } else {
                            self.deep_slice(x, y, place, &mut buffers, slice_ring, slice_tags);
                        }
                    }
                }
            });
        });
    }

    /// One output slice, where the depth is an identity, comes first or is still to come.
    fn slice<T: Arithmetic>(self, source: &dyn Source<T>, y: &mut dyn Sink<T>, place: Place, buffers: &mut Buffers<'_, T>) {
        let [depth, _, width] = &self.passes.axes;
        let output = place.pixels.len() * source.inner();
        let Buffers { ring, spare, middle, last, columns } = buffers;
        ring.tags.fill(usize::MAX);
        ring.end = self.last_row::<T>(&place);
        let rest = Rest { ring, middle, last, columns, inner: source.inner(), input: source.len(), output };
        let backend = self.backend;
        let width_table = (!width.identity && !self.widen_first).then(|| width.table());
        if self.widen_first && !width.identity {
            let mut lines = Widened { source, depth: place.depth, table: width.table(), pixels: place.pixels.clone(), spare, backend };
            self.vertical_pass(&mut lines, y, place, rest, None);
        } else if depth.identity || self.widen_first {
            self.vertical_pass(&mut Plain { source, depth: place.depth, spare }, y, place, rest, width_table);
        } else {
            let mut lines = Deepened { source, depth: place.depth, table: depth.table(), spare, backend };
            self.vertical_pass(&mut lines, y, place, rest, width_table);
        }
    }

    /// One output slice of a volume, where the depth comes last: input slices are resized into a ring, then combined.
    fn deep_slice<T: Arithmetic>(
        self,
        source: &dyn Source<T>,
        y: &mut dyn Sink<T>,
        place: Place,
        buffers: &mut Buffers<'_, T>,
        slice_ring: &mut [T],
        slice_tags: &mut [usize],
    ) {
        let table = self.passes.axes[0].table::<T>();
        let len = place.pixels.len() * source.inner();
        let size = place.rows.len() * len;
        if table.is_empty_row(place.depth) {
            for h in place.rows {
                put_stored_rows(y, place.sink_depth, h..h + 1, buffers.last, &mut |out| out.fill(MaybeUninit::new(T::default())));
            }
            return;
        }
        let (index, weight) = table.row(place.depth);
        for &d in index {
            let (d, ring) = (d as usize, d as usize & (table.span - 1));
            if slice_tags[ring] != d {
                slice_tags[ring] = d;
                let mut slice = Slice { rows: &mut slice_ring[ring * size..][..size], len };
                let height = place.height + place.rows.start;
                self.slice(
                    source,
                    &mut slice,
                    Place { depth: d, sink_depth: 0, height, rows: 0..place.rows.len(), pixels: place.pixels.clone() },
                    buffers,
                );
            }
        }
        let first = place.rows.start;
        put_rows(y, place.sink_depth, place.rows, buffers.last, &mut |rows, to| {
            // Rows of a slice follow each other: they are combined as one.
            let row = |t: usize| &slice_ring[(index[t] as usize & (table.span - 1)) * size + (rows.start - first) * len..];
            self.backend.run(Vertical { row: &row, weight, len: rows.len() * len, to });
        });
    }

    /// Elements of the longest row of a task.
    fn longest_row<T: Arithmetic>(self) -> usize {
        if self.widen_first { (ROW_BYTES / size_of::<T>()).max(Horizontal::<T>::PIXELS) } else { usize::MAX }
    }

    /// The fewest output rows of a task. Where the horizontal pass comes first, a task resizes again the input rows that its first output rows
    /// share with the task before. That may cost at most an eighth of its work in taps; a horizontal tap counts as three.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an estimate, and `as` saturates
    pub(super) fn fewest_rows(self) -> usize {
        let [_, height, width] = &self.passes.axes;
        if !self.widen_first || height.identity || width.identity {
            return 1;
        }
        let row = 3.0 * width.longest_row as f64;
        let shared = height.longest_row.saturating_sub(1) as f64;
        let of_output_row = height.longest_row as f64 + row * height.taps.input as f64 / height.taps.output() as f64;
        (8.0 * shared * row / of_output_row).ceil().max(1.0) as usize
    }

    /// Rows on their way to the output at a time, where it cannot take them as they are.
    fn rows_together(self, output: usize) -> usize {
        if self.widen_first { (PIECE / output).max(1) } else { ROWS }
    }

    /// Combines lines over the height into rows of `y`; then along the width, if that comes last.
    fn vertical_pass<T: Arithmetic>(
        self,
        lines: &mut dyn Lines<T>,
        y: &mut dyn Sink<T>,
        place: Place,
        rest: Rest<'_, '_, T>,
        width_table: Option<&Table<T>>,
    ) {
        let Rest { ring, middle, last, columns, inner, input, output } = rest;
        let Some(table) = width_table else {
            return self.vertical_into(lines, y, place, ring, last);
        };
        let height = &self.passes.axes[1];
        if let (false, 1, Some(inputs)) = (height.identity, inner, lines.all())
            && let Some(pair) = halves(height.table(), table, output, self.backend)
        {
            let height = height.table();
            for first in place.rows.clone().step_by(ROWS) {
                let group = first..place.rows.end.min(first + ROWS);
                let outputs = place.height + group.start..place.height + group.end;
                let mut halve = |out: &mut [MaybeUninit<T>]| {
                    self.backend.run(HalveWidth { inputs, height, outputs: outputs.clone(), pair, out });
                };
                put_stored_rows(y, place.sink_depth, group, last, &mut halve);
            }
            return;
        }
        if inner > 1 || place.rows.len() <= ROWS / 4 || table.has_lanes(inner, self.backend) {
            for first in place.rows.clone().step_by(BATCH) {
                let group = first..place.rows.end.min(first + BATCH);
                let (outputs, out) = (place.height + group.start..place.height + group.end, &mut middle[..group.len() * input]);
                self.vertical_rows(lines, ring, outputs, as_maybe_uninit_mut(out));
                let mut rows: [&[T]; BATCH] = [&[]; BATCH];
                rows.iter_mut().zip(middle.chunks_exact(input)).for_each(|(row, middle)| *row = middle);
                let mut starts = [0; BATCH];
                starts.iter_mut().enumerate().for_each(|(k, start)| *start = k * output);
                let (rows, starts) = (&rows[..group.len()], &starts[..group.len()]);
                let mut horizontal = |out: &mut [MaybeUninit<T>]| {
                    self.backend.run(Horizontal { rows, table, inner, pixels: place.pixels.clone(), out, starts });
                };
                put_stored_rows(y, place.sink_depth, group, last, &mut horizontal);
            }
            return;
        }
        for first in place.rows.clone().step_by(ROWS) {
            let group = first..place.rows.end.min(first + ROWS);
            let (middle, last) = (&mut middle[..group.len() * input], &mut last[..group.len() * output]);
            let outputs = place.height + group.start..place.height + group.end;
            self.vertical_rows(lines, ring, outputs, as_maybe_uninit_mut(middle));
            self.backend.run(HorizontalTransposed { rows: middle, input, table, out: last, columns });
            y.store(place.sink_depth, group, last);
        }
    }

    /// Combines lines over the height into rows of `y`.
    fn vertical_into<T: Arithmetic>(
        self,
        lines: &mut dyn Lines<T>,
        y: &mut dyn Sink<T>,
        place: Place,
        ring: &mut Ring<'_, T>,
        last: &mut [T],
    ) {
        let Place { sink_depth, height, mut rows, .. } = place;
        let axis = &self.passes.axes[1];
        let table = axis.table::<T>();
        if let Some(widening) = lines.widening().filter(|_| table.empty.is_empty() && !axis.identity) {
            return put_rows(y, sink_depth, rows, last, &mut |rows, to| {
                let (outputs, widening) = (height + rows.start..height + rows.end, widening.clone());
                self.backend.run(ResizeRows { widening, ring: &mut *ring, height: table, outputs, to });
            });
        }
        while !rows.is_empty() {
            let first = rows.start;
            if let Some((inputs, count)) = self.ready_rows(lines, ring, height + first..height + rows.end) {
                let len = y.len();
                put_rows(y, sink_depth, first..first + count, last, &mut |rows, to| {
                    self.backend.run(VerticalRows { inputs, table, outputs: height + rows.start..height + rows.end, len, to });
                });
                rows.start += count;
            } else {
                put_stored_rows(y, sink_depth, first..first + 1, last, &mut |out| self.single_row(lines, ring, height + first, out));
                rows.start += 1;
            }
        }
    }

    /// Combines lines over the height into `out`: rows `outputs` of the output's height, one after the other.
    fn vertical_rows<T: Arithmetic>(
        self,
        lines: &mut dyn Lines<T>,
        ring: &mut Ring<'_, T>,
        mut outputs: Range<usize>,
        mut out: &mut [MaybeUninit<T>],
    ) {
        let len = out.len() / outputs.len();
        while !outputs.is_empty() {
            let first = outputs.start;
            let ready = self.ready_rows(lines, ring, outputs.clone());
            let count = ready.map_or(1, |(_, count)| count);
            let to = out.split_off_mut(..count * len).unwrap_or_default();
            if let Some((inputs, count)) = ready {
                let (table, to) = (self.passes.axes[1].table::<T>(), Destination::stored(to));
                self.backend.run(VerticalRows { inputs, table, outputs: first..first + count, len, to });
            } else {
                self.single_row(lines, ring, first, to);
            }
            outputs.start += count;
        }
    }

    /// Makes the lines that the first output needs. Returns them and the number of outputs that need no others; `None` where the first output
    /// is not combined from neighbouring lines.
    #[inline]
    fn ready_rows<'r, T: Arithmetic>(
        self,
        lines: &'r mut dyn Lines<T>,
        ring: &'r mut Ring<'_, T>,
        outputs: Range<usize>,
    ) -> Option<(RingRows<'r, T>, usize)> {
        let axis = &self.passes.axes[1];
        if axis.identity {
            return None;
        }
        let table = axis.table::<T>();
        let full = |&o: &usize| !table.is_empty_row(o);
        if lines.ready(0).is_some() {
            return Some((lines.all()?, outputs.take_while(full).count())).filter(|&(_, count)| count > 0);
        }
        if !full(&outputs.start) {
            return None;
        }
        fill(ring, lines, table.row(outputs.start).0);
        let rest = outputs.start + 1..outputs.end;
        let count = 1 + rest.take_while(|o| full(o) && ring.holds_all(table.row(*o).0)).count();
        Some((ring.rows(), count))
    }

    /// The end of the input rows that the place's output rows need, if the rows of the table ascend.
    fn last_row<T: Arithmetic>(self, place: &Place) -> usize {
        let table = self.passes.axes[1].table::<T>();
        let rows = [place.rows.start, place.rows.end - 1].map(|h| table.row(place.height + h).0.iter().max());
        rows.into_iter().flatten().max().map_or(0, |&last| last as usize + 1)
    }

    /// Prefetches the first input rows of the output row after the next.
    #[inline]
    fn prefetch_rows<T: Arithmetic>(self, lines: &dyn Lines<T>, h: usize) {
        let axis = &self.passes.axes[1];
        let table = axis.table::<T>();
        if h + 2 < axis.taps.output() {
            let (&[.., known], &[.., last]) = (table.row(h + 1).0, table.row(h + 2).0) else { return };
            for row in known + 1..=last {
                prefetch(lines.ready(row as usize).unwrap_or_default());
            }
        }
    }

    /// Computes row `h` of the output's height, where that is not combined from neighbouring lines.
    fn single_row<T: Arithmetic>(self, lines: &mut dyn Lines<T>, ring: &mut Ring<'_, T>, h: usize, out: &mut [MaybeUninit<T>]) {
        let axis = &self.passes.axes[1];
        if axis.identity {
            return lines.make(h, Places::one(out));
        }
        let table = axis.table::<T>();
        if table.is_empty_row(h) {
            return out.fill(MaybeUninit::new(T::default()));
        }
        match table.exact_row(h) {
            Some(table) => self.weigh_row(lines, ring, table, h, T::exact, T::exact_mut(out)),
            None => self.weigh_row(lines, ring, table, h, |row| row, out),
        }
    }

    /// Combines row `h` by the weights of `table`, in its arithmetic.
    fn weigh_row<T: Arithmetic, U: Arithmetic>(
        self,
        lines: &mut dyn Lines<T>,
        ring: &mut Ring<'_, T>,
        table: &Table<U>,
        h: usize,
        view: impl Fn(&[T]) -> &[U],
        out: &mut [MaybeUninit<U>],
    ) {
        let (index, weight) = table.row(h);
        let (len, to) = (out.len(), Destination::stored(out));
        if lines.ready(0).is_some() {
            self.prefetch_rows(lines, h);
            let row = |t: usize| view(lines.ready(index[t] as usize).unwrap_or_default());
            return self.backend.run(Vertical { row: &row, weight, len, to });
        }
        fill(ring, lines, index);
        let rows = ring.rows();
        self.backend.run(Vertical { row: &|t| view(rows.row(index[t])), weight, len, to });
    }
}

/// Which output rows are computed, and where they go.
#[derive(Clone)]
struct Place {
    /// The output depth (or input depth, for a slice of a ring).
    depth: usize,
    /// Where that lies in the sink.
    sink_depth: usize,
    /// The output height of the sink's row 0.
    height: usize,
    /// Rows of the sink.
    rows: Range<usize>,
    /// The output pixels of a row.
    pixels: Range<usize>,
}

/// Makes the rows `index` of a ring that are not there.
#[inline]
fn fill<T: Arithmetic>(ring: &mut Ring<'_, T>, lines: &mut dyn Lines<T>, index: &[u32]) {
    for &h in index {
        if !ring.holds(h) {
            let mut starts = [0; BATCH];
            let count = ring.claim(h as usize, &mut starts);
            lines.make(h as usize, Places { out: as_maybe_uninit_mut(ring.rows), starts: &starts[..count], len: ring.len });
        }
    }
}

/// Buffers used by the last passes.
struct Rest<'a, 'ring, T> {
    ring: &'a mut Ring<'ring, T>,
    middle: &'a mut [T],
    last: &'a mut [T],
    columns: &'a mut [T],
    inner: usize,
    /// Elements of an input row.
    input: usize,
    /// Elements of an output row.
    output: usize,
}
