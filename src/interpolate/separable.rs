//! The engine: runs any three tables (depth, height, width) over a batch in one pass over memory.
//!
//! Enlarging, a row is first resized along its width into a small ring of rows that stays in the cache; ring rows are then combined
//! over the height straight into the output, and for volumes the resulting slices over the depth. Shrinking, the order is turned
//! round (depth, height, width), so that the costlier pass along the width sees the fewest rows. Gradients are the transposed tables
//! run by the same code: sums are gathered, never scattered, so the result does not depend on the number of threads.

use ndarray::{ArrayView5, ArrayView6, ArrayViewMut3, ArrayViewMut5, ArrayViewMut6, Axis};

use crate::element::Element;
use crate::parallel;
use crate::simd::{Arithmetic, Backend, Combine, Gather, Put, Table, with_scratch, with_tags};

use super::lines::{Deepened, Keep, Lines, Plain, Rows, Widened};
use super::taps::AxisTaps;

/// Output elements that one task computes: enough to outweigh its start, few enough to spread over threads.
const TASK: usize = 1 << 17;

/// Elements of the slices that a ring over the depth may hold, so that it stays in the second-level cache.
const DEPTH_RING: usize = 1 << 16;

/// The tables of the three spatial axes.
#[derive(Debug)]
pub struct Separable {
    /// Depth, height, width; a missing axis is an identity of one pixel.
    pub(crate) axes: [AxisTaps; 3],
}

impl Separable {
    pub(crate) fn transposed(&self) -> Self {
        Self { axes: [self.axes[0].transposed(), self.axes[1].transposed(), self.axes[2].transposed()] }
    }

    /// Puts the resized `x` into `y`. Shapes have been checked: equal batch and channels, spatial sizes those of the tables.
    pub(crate) fn run<A, S, P>(&self, x: ArrayView5<'_, A>, y: ArrayViewMut5<'_, S>, put: P, backend: Backend)
    where
        A: Element,
        S: Send,
        P: Put<S, A::Row>,
    {
        if y.is_empty() {
            return;
        }
        let interleaved = is_interleaved(&y);
        let split = |axis_order: bool| if axis_order { [0, 5, 2, 3, 4, 1] } else { [0, 1, 2, 3, 4, 5] };
        let x = x.insert_axis(Axis(5)).permuted_axes(split(interleaved));
        let y = y.insert_axis(Axis(5)).permuted_axes(split(interleaved));
        let engine = Engine { passes: self, widen_first: self.widens_first::<A::Row>(), backend, put };
        engine.divide(x, y, [0, 0]);
    }

    /// Whether the width comes first. Bytes always do it this way, so that their rounding does not depend on the sizes.
    fn widens_first<T: Arithmetic>(&self) -> bool {
        if !T::HAS_INFINITY {
            return true;
        }
        let [depth, height, width] = &self.axes;
        // Multiplications of each order; one along the width costs about three across rows.
        let taps = |axis: &AxisTaps| if axis.identity { 0 } else { axis.taps.longest_row() };
        let (d, h, w) = (depth.taps.input, height.taps.input, width.taps.input);
        let (od, oh, ow) = (depth.taps.output(), height.taps.output(), width.taps.output());
        let first = d * h * ow * 3 * taps(width) + d * oh * ow * taps(height) + od * oh * ow * taps(depth);
        let last = od * h * w * taps(depth) + od * oh * w * taps(height) + od * oh * ow * 3 * taps(width);
        first <= last
    }
}

/// Whether the channels of an output pixel lie side by side and pixels follow without gaps.
fn is_interleaved<S>(y: &ArrayViewMut5<'_, S>) -> bool {
    let channels = y.len_of(Axis(1));
    channels > 1 && y.stride_of(Axis(1)) == 1 && (y.len_of(Axis(4)) == 1 || y.stride_of(Axis(4)) == channels as isize)
}

/// A run: the tables with what does not change from task to task.
#[derive(Clone, Copy)]
struct Engine<'a, P> {
    passes: &'a Separable,
    widen_first: bool,
    backend: Backend,
    put: P,
}

/// The buffers of a task, cut from the thread's scratch memory.
struct Buffers<'a, T> {
    /// Rows made by the first passes, reused while output rows share them.
    ring: &'a mut [T],
    /// Which row a place in the ring holds.
    tags: &'a mut [usize],
    /// Input rows that had to be copied.
    spare: &'a mut [T],
    /// A row between the passes over height and width.
    middle: &'a mut [T],
    /// A row on its way to an output with gaps.
    last: &'a mut [T],
}

impl<P> Engine<'_, P> {
    /// Cuts the work in halves, by shape alone, down to tasks. `[batch, channel, depth, height, width, interleaved]`.
    fn divide<A, S>(self, x: ArrayView6<'_, A>, y: ArrayViewMut6<'_, S>, origin: [usize; 2])
    where
        A: Element,
        S: Send,
        P: Put<S, A::Row>,
    {
        if y.len() > TASK {
            let candidates = if y.len_of(Axis(2)) > y.len_of(Axis(3)) { [0, 1, 2, 3] } else { [0, 1, 3, 2] };
            if let Some(axis) = candidates.into_iter().find(|&axis| y.len_of(Axis(axis)) > 1) {
                let half = y.len_of(Axis(axis)) / 2;
                let (left, right) = y.split_at(Axis(axis), half);
                let (x_left, x_right) = if axis < 2 { x.split_at(Axis(axis), half) } else { (x, x) };
                let mut origin_right = origin;
                if axis >= 2 {
                    origin_right[axis - 2] += half;
                }
                return parallel::join(|| self.divide(x_left, left, origin), || self.divide(x_right, right, origin_right));
            }
        }
        let mut y = y;
        for (x, mut y) in x.into_outer_iter().zip(y.outer_iter_mut()) {
            for (x, y) in x.into_outer_iter().zip(y.outer_iter_mut()) {
                self.task::<A, S>(Rows::new(x), y, origin);
            }
        }
    }

    /// One channel, or one picture of interleaved channels: the output depths and heights that begin at `origin`.
    fn task<A, S>(self, rows: Rows<'_, A>, mut y: ndarray::ArrayViewMut4<'_, S>, origin: [usize; 2])
    where
        A: Element,
        P: Put<S, A::Row>,
    {
        let [depth, height, width] = &self.passes.axes;
        let (height_table, depth_table) = (height.table::<A::Row>(), depth.table::<A::Row>());
        let (input, output) = (rows.len(), width.taps.output() * rows.inner());
        let line = if self.widen_first { output } else { input };
        // Volumes that widen first: slices over a band of rows, as many as the depth needs at a time.
        let slices = if self.widen_first && !depth.identity { depth_table.span } else { 0 };
        let band = if slices == 0 { y.len_of(Axis(1)) } else { (DEPTH_RING / (slices * output)).clamp(1, y.len_of(Axis(1))) };
        let sizes = [height_table.span * line, input * depth_table.width, input, output, slices * band * output];
        with_tags(height_table.span + slices, |tags| {
            with_scratch(sizes.iter().sum(), |scratch| {
                let (tags, slice_tags) = tags.split_at_mut(height_table.span);
                let (ring, scratch) = scratch.split_at_mut(sizes[0]);
                let (spare, scratch) = scratch.split_at_mut(sizes[1]);
                let (middle, scratch) = scratch.split_at_mut(sizes[2]);
                let (last, slice_ring) = scratch.split_at_mut(sizes[3]);
                let mut buffers = Buffers { ring, tags, spare, middle, last };
                let mut first_row = 0;
                while first_row < y.len_of(Axis(1)) {
                    let count = band.min(y.len_of(Axis(1)) - first_row);
                    slice_tags.fill(usize::MAX);
                    for d in 0..y.len_of(Axis(0)) {
                        let mut y = y.index_axis_mut(Axis(0), d);
                        let y = y.slice_axis_mut(Axis(0), (first_row..first_row + count).into());
                        let at = [origin[0] + d, origin[1] + first_row];
                        if slices == 0 {
                            self.slice(rows, at, y, self.put, &mut buffers);
                        } else {
                            self.deep_slice(rows, at, y, &mut buffers, slice_ring, slice_tags);
                        }
                    }
                    first_row += count;
                }
            });
        });
    }

    /// One output slice, its rows from `at[1]` on, where the depth is an identity or comes first.
    fn slice<A, S, Q>(self, rows: Rows<'_, A>, at: [usize; 2], y: ArrayViewMut3<'_, S>, put: Q, buffers: &mut Buffers<'_, A::Row>)
    where
        A: Element,
        Q: Put<S, A::Row>,
    {
        let [depth, _, width] = &self.passes.axes;
        let engine = Engine { passes: self.passes, widen_first: self.widen_first, backend: self.backend, put };
        let Buffers { ring, tags, spare, middle, last } = buffers;
        tags.fill(usize::MAX);
        let rest = Rest { ring, tags, middle, last, inner: rows.inner() };
        if self.widen_first && !width.identity {
            let lines = Widened { rows, depth: at[0], table: width.table(), spare, backend: self.backend };
            engine.combine_height(lines, at[1], y, rest, None);
        } else {
            let gather = (!width.identity).then(|| width.table());
            if depth.identity || self.widen_first {
                engine.combine_height(Plain { rows, depth: at[0] }, at[1], y, rest, gather);
            } else {
                let lines = Deepened { rows, depth: at[0], table: depth.table(), spare, backend: self.backend };
                engine.combine_height(lines, at[1], y, rest, gather);
            }
        }
    }

    /// One output slice of a volume, where the depth comes last: input slices are resized into a ring, then combined.
    fn deep_slice<A, S>(
        self,
        rows: Rows<'_, A>,
        at: [usize; 2],
        mut y: ArrayViewMut3<'_, S>,
        buffers: &mut Buffers<'_, A::Row>,
        slice_ring: &mut [A::Row],
        slice_tags: &mut [usize],
    ) where
        A: Element,
        P: Put<S, A::Row>,
    {
        let table = self.passes.axes[0].table::<A::Row>();
        let (count, size) = (y.len_of(Axis(0)), y.len());
        let row = size / count;
        if table.is_empty_row(at[0]) {
            y.iter_mut().for_each(|slot| P::put(slot, A::Row::default()));
            return;
        }
        let (index, weight) = table.row(at[0]);
        for &d in index {
            let place = d as usize % table.span;
            if slice_tags[place] != d as usize {
                slice_tags[place] = d as usize;
                let slice = &mut slice_ring[place * size..][..size];
                if let Ok(slice) = ArrayViewMut3::from_shape(y.raw_dim(), slice) {
                    self.slice(rows, [d as usize, at[1]], slice, Keep, buffers);
                }
            }
        }
        for (h, y) in y.outer_iter_mut().enumerate() {
            let line = |t: usize| &slice_ring[index[t] as usize % table.span * size + h * row..][..row];
            put_row(y, buffers.last, &CombineRow { row: line, weight, backend: self.backend }, self.put);
        }
    }

    /// Combines lines over the height into `y`, the first of whose rows is output row `first`; then along the width, if it comes last.
    fn combine_height<T, S, L>(self, mut lines: L, first: usize, mut y: ArrayViewMut3<'_, S>, rest: Rest<'_, T>, gather: Option<&Table<T>>)
    where
        T: Arithmetic,
        P: Put<S, T>,
        L: Lines<T>,
    {
        let Rest { ring, tags, middle, last, inner } = rest;
        let axis = &self.passes.axes[1];
        let table = axis.table::<T>();
        let len = ring.len() / table.span;
        let direct = lines.ready(0).is_some();
        for (h, y) in y.outer_iter_mut().enumerate() {
            let h = first + h;
            if axis.identity {
                match gather {
                    None => put_row(y, last, &mut LineRow { lines: &mut lines, h }, self.put),
                    Some(table) => {
                        if !direct {
                            lines.make(h, middle, Keep);
                        }
                        let row = lines.ready(h).unwrap_or(middle);
                        put_row(y, last, &GatherRow { row, table, inner, backend: self.backend }, self.put);
                    }
                }
                continue;
            }
            if table.is_empty_row(h) {
                put_row(y, last, &Zero, self.put);
                continue;
            }
            let (index, weight) = table.row(h);
            if !direct {
                for &h in index {
                    let place = h as usize % table.span;
                    if tags[place] != h as usize {
                        tags[place] = h as usize;
                        lines.make(h as usize, &mut ring[place * len..][..len], Keep);
                    }
                }
            }
            let (ring, lines) = (&*ring, &lines);
            let line = |t: usize| {
                let h = index[t] as usize;
                if direct { lines.ready(h).unwrap_or_default() } else { &ring[h % table.span * len..][..len] }
            };
            let combined = CombineRow { row: line, weight, backend: self.backend };
            match gather {
                None => put_row(y, last, &combined, self.put),
                Some(table) => {
                    (&combined).compute(&mut middle[..len], Keep);
                    put_row(y, last, &GatherRow { row: &middle[..len], table, inner, backend: self.backend }, self.put);
                }
            }
        }
    }
}

/// What of the buffers the last passes use.
struct Rest<'a, T> {
    ring: &'a mut [T],
    tags: &'a mut [usize],
    middle: &'a mut [T],
    last: &'a mut [T],
    inner: usize,
}

/// A way to compute one row.
trait ComputeRow<T> {
    fn compute<S, P: Put<S, T>>(self, out: &mut [S], put: P);
}

/// Computes a row into `y`, by way of `spare` where the row has gaps in memory.
fn put_row<T: Arithmetic, S, P: Put<S, T>>(y: ndarray::ArrayViewMut2<'_, S>, spare: &mut [T], row: impl ComputeRow<T>, put: P) {
    let mut y = y;
    if let Some(out) = y.as_slice_mut() {
        row.compute(out, put);
    } else {
        let spare = &mut spare[..y.len()];
        row.compute(spare, Keep);
        for (slot, &value) in y.iter_mut().zip(&*spare) {
            P::put(slot, value);
        }
    }
}

struct CombineRow<'a, T: Arithmetic, R> {
    row: R,
    weight: &'a [T::Weight],
    backend: Backend,
}

impl<'r, T: Arithmetic, R: Fn(usize) -> &'r [T]> ComputeRow<T> for &CombineRow<'_, T, R> {
    fn compute<S, P: Put<S, T>>(self, out: &mut [S], put: P) {
        self.backend.run(Combine { row: &self.row, weight: self.weight, out, put });
    }
}

struct GatherRow<'a, T: Arithmetic> {
    row: &'a [T],
    table: &'a Table<T>,
    inner: usize,
    backend: Backend,
}

impl<T: Arithmetic> ComputeRow<T> for &GatherRow<'_, T> {
    fn compute<S, P: Put<S, T>>(self, out: &mut [S], put: P) {
        self.backend.run(Gather { row: self.row, table: self.table, inner: self.inner, out, put });
    }
}

struct LineRow<'a, L> {
    lines: &'a mut L,
    h: usize,
}

impl<T: Arithmetic, L: Lines<T>> ComputeRow<T> for &mut LineRow<'_, L> {
    fn compute<S, P: Put<S, T>>(self, out: &mut [S], put: P) {
        self.lines.make(self.h, out, put);
    }
}

struct Zero;

impl<T: Arithmetic> ComputeRow<T> for &Zero {
    fn compute<S, P: Put<S, T>>(self, out: &mut [S], _: P) {
        for slot in out {
            P::put(slot, T::default());
        }
    }
}
