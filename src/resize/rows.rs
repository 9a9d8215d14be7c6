//! Sources and sinks of rows. They convert elements; the passes know only the type of the sums.

use std::mem::MaybeUninit;
use std::ops::Range;

use ndarray::{ArrayView4, ArrayViewMut6, Axis};

use crate::element::Convert;
use crate::kernels::{
    Arithmetic, Backend, Carry, Destination, Horizontal, RingRows, Table, Vertical, VerticalSlices, Widening, WriteRows, as_maybe_uninit,
    as_maybe_uninit_mut, finish_streaming,
};

/// Rows to read: one channel, or one picture of interleaved channels.
pub(crate) trait Source<T> {
    /// Elements of a row.
    fn len(&self) -> usize;

    /// Interleaved channels.
    fn inner(&self) -> usize;

    /// All slices, if they and their rows are contiguous and can be read without a copy.
    fn flat(&self) -> Option<RingRows<'_, T>>;

    /// Row `h` of slice `d`, if it can be read without a copy. Either all rows can or none.
    fn direct(&self, d: usize, h: usize) -> Option<&[T]>;

    /// Writes row `h` of slice `d` into `out`.
    fn load(&self, d: usize, h: usize, out: &mut [T]);
}

/// Rows to write.
pub(crate) trait Sink<T> {
    /// Depth and height of what is to be written.
    fn size(&self) -> [usize; 2];

    /// Elements of a row.
    fn len(&self) -> usize;

    /// The destination of neighbouring rows of slice `d`, if they are contiguous and can be written in place.
    fn place(&mut self, d: usize, rows: Range<usize>) -> Option<Destination<'_, T>>;

    /// Stores finished rows as neighbouring rows of slice `d`.
    fn store(&mut self, d: usize, rows: Range<usize>, values: &[T]);
}

/// A sink for all channels of a task, one after the other.
pub(crate) trait Planes<T>: Sink<T> {
    /// Begins channel `channel` of picture `batch`.
    fn turn_to(&mut self, batch: usize, channel: usize);
}

/// `[depth, height, width, interleaved channels]` of any element type and layout.
pub(crate) struct Input<'a, A> {
    view: ArrayView4<'a, A>,
    /// All of it, if it is contiguous: rows are then found without `ndarray`.
    flat: Option<&'a [A]>,
}

impl<'a, A> Input<'a, A> {
    pub(crate) fn new(view: ArrayView4<'a, A>) -> Self {
        Self { view, flat: view.to_slice() }
    }

    /// Row `h` of slice `d`, if it is contiguous.
    #[inline]
    fn slice(&self, d: usize, h: usize) -> Option<&[A]> {
        match self.flat {
            Some(flat) => {
                let len = self.view.len_of(Axis(2)) * self.view.len_of(Axis(3));
                flat.get((d * self.view.len_of(Axis(1)) + h) * len..)?.get(..len)
            }
            None => self.view.index_axis_move(Axis(0), d).index_axis_move(Axis(0), h).to_slice(),
        }
    }
}

impl<T: Arithmetic, A: Convert<T>> Source<T> for Input<'_, A> {
    fn len(&self) -> usize {
        self.view.len_of(Axis(2)) * self.view.len_of(Axis(3))
    }

    fn inner(&self) -> usize {
        self.view.len_of(Axis(3))
    }

    fn flat(&self) -> Option<RingRows<'_, T>> {
        let stride = self.view.len_of(Axis(1)) * self.view.len_of(Axis(2)) * self.view.len_of(Axis(3));
        Some(RingRows { rows: self.flat.and_then(A::as_rows)?, stride, mask: usize::MAX })
    }

    #[inline]
    fn direct(&self, d: usize, h: usize) -> Option<&[T]> {
        self.slice(d, h).and_then(A::as_rows)
    }

    fn load(&self, d: usize, h: usize, out: &mut [T]) {
        if let Some(row) = self.slice(d, h) {
            A::widen(row, out);
        } else {
            let row = self.view.index_axis_move(Axis(0), d).index_axis_move(Axis(0), h);
            for (slot, &value) in out.iter_mut().zip(row) {
                *slot = value.to_row();
            }
        }
    }
}

/// A sink that overwrites the output.
pub(crate) struct OverwriteSink<'a, A> {
    layout: Layout<'a, A>,
    channels: usize,
    /// Depth, height, and elements of a row.
    size: [usize; 3],
    /// The picture and channel at hand.
    plane: [usize; 2],
    /// Present if rows are written past the caches.
    carry: Option<Carry>,
    backend: Backend,
}

/// How an output `[batch, channel, depth, height, width, interleaved channels]` lies in memory.
enum Layout<'a, A> {
    /// Contiguous: rows are found without `ndarray`.
    Flat(&'a mut [MaybeUninit<A>]),
    Strided(ArrayViewMut6<'a, MaybeUninit<A>>),
}

impl<'a, A: Copy> OverwriteSink<'a, A> {
    pub(crate) fn new(view: ArrayViewMut6<'a, MaybeUninit<A>>, streams: bool, backend: Backend) -> Self {
        let (_, channels, depth, height, width, inner) = view.dim();
        let size = [depth, height, width * inner];
        let layout = if view.is_standard_layout() {
            // A view in standard layout is a slice.
            Layout::Flat(view.into_slice().unwrap_or_default())
        } else {
            Layout::Strided(view)
        };
        // Rows with gaps between them begin and end inside a cache line each.
        let streams = streams && matches!(layout, Layout::Flat(_));
        Self { layout, channels, size, plane: [0; 2], carry: streams.then(Carry::new), backend }
    }

    /// Neighbouring rows of slice `d`, if they are contiguous.
    #[inline]
    fn rows(&mut self, d: usize, rows: Range<usize>) -> Option<Destination<'_, A>> {
        let [depth, height, len] = self.size;
        let [batch, channel] = self.plane;
        match &mut self.layout {
            Layout::Flat(out) => {
                let begin = (((batch * self.channels + channel) * depth + d) * height + rows.start) * len;
                Some(Destination { out, begin, carry: self.carry.as_mut() })
            }
            Layout::Strided(view) => {
                let mut slice =
                    view.view_mut().index_axis_move(Axis(0), batch).index_axis_move(Axis(0), channel).index_axis_move(Axis(0), d);
                slice.slice_axis_inplace(Axis(0), rows.into());
                slice.into_slice().map(Destination::stored)
            }
        }
    }

    /// Everything has been stored.
    pub(crate) fn finish(self) {
        if let (Some(mut carry), Layout::Flat(out)) = (self.carry, self.layout) {
            carry.finish(out);
            finish_streaming();
        }
    }
}

impl<T: Arithmetic, A: Convert<T>> Planes<T> for OverwriteSink<'_, A> {
    fn turn_to(&mut self, batch: usize, channel: usize) {
        self.plane = [batch, channel];
    }
}

impl<T: Arithmetic, A: Convert<T>> Sink<T> for OverwriteSink<'_, A> {
    fn size(&self) -> [usize; 2] {
        [self.size[0], self.size[1]]
    }

    fn len(&self) -> usize {
        self.size[2]
    }

    #[inline]
    fn place(&mut self, d: usize, rows: Range<usize>) -> Option<Destination<'_, T>> {
        let Destination { out, begin, carry } = self.rows(d, rows)?;
        Some(Destination { out: A::as_rows_mut(out)?, begin, carry })
    }

    fn store(&mut self, d: usize, rows: Range<usize>, values: &[T]) {
        let backend = self.backend;
        if let Some(Destination { out, begin, carry }) = self.rows(d, rows.clone()) {
            let size = values.len();
            match A::as_rows_mut(out) {
                Some(out) => backend.run(WriteRows { from: as_maybe_uninit(values), to: Destination { out, begin, carry } }),
                None => A::narrow(values, &mut out[begin..][..size]),
            }
        } else if let Layout::Strided(view) = &mut self.layout {
            let [batch, channel] = self.plane;
            let mut y = view.view_mut().index_axis_move(Axis(0), batch).index_axis_move(Axis(0), channel).index_axis_move(Axis(0), d);
            y.slice_axis_inplace(Axis(0), rows.into());
            let len = values.len() / y.len_of(Axis(0));
            for (mut y, values) in y.outer_iter_mut().zip(values.chunks_exact(len)) {
                match y.as_slice_mut() {
                    Some(y) => A::narrow(values, y),
                    None => {
                        for (slot, &value) in y.iter_mut().zip(values) {
                            slot.write(A::from_row(value));
                        }
                    }
                }
            }
        }
    }
}

/// A sink that adds to the output.
pub(crate) struct Sum<'a, A> {
    /// `[batch, channel, depth, height, width, interleaved channels]`.
    view: ArrayViewMut6<'a, A>,
    plane: [usize; 2],
}

impl<'a, A> Sum<'a, A> {
    pub(crate) fn new(view: ArrayViewMut6<'a, A>) -> Self {
        Self { view, plane: [0; 2] }
    }
}

impl<T: Arithmetic, A: Convert<T>> Planes<T> for Sum<'_, A> {
    fn turn_to(&mut self, batch: usize, channel: usize) {
        self.plane = [batch, channel];
    }
}

impl<T: Arithmetic, A: Convert<T>> Sink<T> for Sum<'_, A> {
    fn size(&self) -> [usize; 2] {
        [self.view.len_of(Axis(2)), self.view.len_of(Axis(3))]
    }

    fn len(&self) -> usize {
        self.view.len_of(Axis(4)) * self.view.len_of(Axis(5))
    }

    fn place(&mut self, _: usize, _: Range<usize>) -> Option<Destination<'_, T>> {
        None
    }

    fn store(&mut self, d: usize, rows: Range<usize>, values: &[T]) {
        let [batch, channel] = self.plane;
        let mut y = self.view.view_mut().index_axis_move(Axis(0), batch).index_axis_move(Axis(0), channel).index_axis_move(Axis(0), d);
        y.slice_axis_inplace(Axis(0), rows.into());
        for (slot, &value) in y.iter_mut().zip(values) {
            *slot = A::from_row(slot.to_row().add(value));
        }
    }
}

/// The slices of a ring over the depth: `[height][row]`.
pub(crate) struct Slice<'a, T> {
    pub(crate) rows: &'a mut [T],
    pub(crate) len: usize,
}

impl<T: Arithmetic> Sink<T> for Slice<'_, T> {
    fn size(&self) -> [usize; 2] {
        [1, self.rows.len() / self.len]
    }

    fn len(&self) -> usize {
        self.len
    }

    fn place(&mut self, _: usize, rows: Range<usize>) -> Option<Destination<'_, T>> {
        Some(Destination { begin: rows.start * self.len, ..Destination::stored(as_maybe_uninit_mut(self.rows)) })
    }

    fn store(&mut self, _: usize, rows: Range<usize>, values: &[T]) {
        self.rows[rows.start * self.len..][..values.len()].copy_from_slice(values);
    }
}

/// A source of the rows that are combined over the height, all of one depth.
pub(crate) trait Lines<T: Arithmetic> {
    /// All rows, if they are there already and follow each other without gaps.
    fn all(&self) -> Option<RingRows<'_, T>> {
        None
    }

    /// The input rows and the horizontal pass that makes them, where that pass is all there is to do.
    fn widening(&self) -> Option<Widening<'_, T>> {
        None
    }

    /// Row `h` if it is already there. Either all rows are there or none is.
    fn ready(&self, h: usize) -> Option<&[T]>;

    /// Makes as many rows as there are places, `h` the first of them.
    fn make(&mut self, h: usize, places: Places<'_, T>);
}

/// Rows that are made at a time, at most.
pub(crate) const BATCH: usize = 8;

/// Where rows are to be made: each from one of the starts on.
pub(crate) struct Places<'a, T> {
    pub(crate) out: &'a mut [MaybeUninit<T>],
    /// At most [`BATCH`].
    pub(crate) starts: &'a [usize],
    /// Elements of a row.
    pub(crate) len: usize,
}

impl<'a, T> Places<'a, T> {
    /// One row.
    pub(crate) fn one(out: &'a mut [MaybeUninit<T>]) -> Self {
        let len = out.len();
        Self { out, starts: &[0], len }
    }
}

/// The input's own rows.
pub(crate) struct Plain<'a, T> {
    pub(crate) source: &'a dyn Source<T>,
    pub(crate) depth: usize,
    /// Holds one input row.
    pub(crate) spare: &'a mut [T],
}

impl<T: Arithmetic> Lines<T> for Plain<'_, T> {
    fn all(&self) -> Option<RingRows<'_, T>> {
        flat_rows(self.source, self.depth)
    }

    #[inline]
    fn ready(&self, h: usize) -> Option<&[T]> {
        self.source.direct(self.depth, h)
    }

    fn make(&mut self, h: usize, places: Places<'_, T>) {
        let rows = fetch(self.source, self.depth, h, self.spare, places.starts.len());
        for (row, &start) in rows.iter().zip(places.starts) {
            places.out[start..][..places.len].copy_from_slice(&as_maybe_uninit(row)[..places.len]);
        }
    }
}

/// The input's rows resized along their width.
pub(crate) struct Widened<'a, T: Arithmetic> {
    pub(crate) source: &'a dyn Source<T>,
    pub(crate) depth: usize,
    pub(crate) table: &'a Table<T>,
    /// The output pixels that are made.
    pub(crate) pixels: Range<usize>,
    /// Holds one input row.
    pub(crate) spare: &'a mut [T],
    pub(crate) backend: Backend,
}

impl<T: Arithmetic> Lines<T> for Widened<'_, T> {
    fn widening(&self) -> Option<Widening<'_, T>> {
        let inputs = flat_rows(self.source, self.depth)?;
        Some(Widening { inputs, table: self.table, inner: self.source.inner(), pixels: self.pixels.clone() })
    }

    #[inline]
    fn ready(&self, _: usize) -> Option<&[T]> {
        None
    }

    fn make(&mut self, h: usize, places: Places<'_, T>) {
        let Places { out, starts, .. } = places;
        let rows = fetch(self.source, self.depth, h, self.spare, starts.len());
        let (rows, inner) = (&rows[..starts.len()], self.source.inner());
        self.backend.run(Horizontal { rows, table: self.table, inner, pixels: self.pixels.clone(), out, starts });
    }
}

/// The input's rows combined over the depth.
pub(crate) struct Deepened<'a, T: Arithmetic> {
    pub(crate) source: &'a dyn Source<T>,
    /// The output depth.
    pub(crate) depth: usize,
    pub(crate) table: &'a Table<T>,
    /// Holds an input row for each tap.
    pub(crate) spare: &'a mut [T],
    pub(crate) backend: Backend,
}

impl<T: Arithmetic> Lines<T> for Deepened<'_, T> {
    #[inline]
    fn ready(&self, _: usize) -> Option<&[T]> {
        None
    }

    fn make(&mut self, h: usize, places: Places<'_, T>) {
        let Places { out, starts, len } = places;
        if self.table.is_empty_row(self.depth) {
            return starts.iter().for_each(|&start| out[start..][..len].fill(MaybeUninit::new(T::default())));
        }
        let (index, weight) = self.table.row(self.depth);
        if let Some(slices) = self.source.flat() {
            return self.backend.run(VerticalSlices { slices, index, weight, first: h, len, out, starts });
        }
        for (h, &start) in (h..).zip(starts) {
            self.make_one(h, &mut out[start..][..len]);
        }
    }
}

impl<T: Arithmetic> Deepened<'_, T> {
    /// A row whose taps are not in contiguous slices.
    fn make_one(&mut self, h: usize, out: &mut [MaybeUninit<T>]) {
        let (index, weight) = self.table.row(self.depth);
        let (source, len) = (self.source, self.source.len());
        if source.direct(0, 0).is_some() {
            let row = |t: usize| source.direct(index[t] as usize, h).unwrap_or_default();
            return self.backend.run(Vertical { row: &row, weight, len, to: Destination::stored(out) });
        }
        for (&d, spare) in index.iter().zip(self.spare.chunks_exact_mut(len)) {
            source.load(d as usize, h, spare);
        }
        let spare = &*self.spare;
        self.backend.run(Vertical { row: &|t| &spare[t * len..], weight, len, to: Destination::stored(out) });
    }
}

/// All rows of slice `d`, if they are contiguous.
fn flat_rows<T>(source: &dyn Source<T>, d: usize) -> Option<RingRows<'_, T>> {
    let slices = source.flat()?;
    Some(RingRows { rows: slices.row(d as u32), stride: source.len(), mask: usize::MAX })
}

/// Rows `h` and following of slice `d`, `count` of them, copied into `spare` if they cannot be read in place.
fn fetch<'s, T: Arithmetic>(source: &'s dyn Source<T>, d: usize, h: usize, spare: &'s mut [T], count: usize) -> [&'s [T]; BATCH] {
    let mut rows: [&[T]; BATCH] = [&[]; BATCH];
    if source.direct(d, h).is_some() {
        for (k, row) in rows[..count].iter_mut().enumerate() {
            *row = source.direct(d, h + k).unwrap_or_default();
        }
    } else {
        for ((k, row), spare) in rows[..count].iter_mut().enumerate().zip(spare.chunks_exact_mut(source.len())) {
            source.load(d, h + k, spare);
            *row = spare;
        }
    }
    rows
}

/// Lets `write` write neighbouring rows of slice `d` of `sink` in place, or into `spare`, which holds some rows and is stored from.
pub(crate) fn put_rows<T: Arithmetic>(
    sink: &mut dyn Sink<T>,
    d: usize,
    rows: Range<usize>,
    spare: &mut [T],
    write: &mut dyn FnMut(Range<usize>, Destination<'_, T>),
) {
    if let Some(to) = sink.place(d, rows.clone()) {
        return write(rows, to);
    }
    let (len, first, last) = (sink.len(), rows.start, rows.end);
    let together = (spare.len() / len).max(1);
    for first in (first..last).step_by(together) {
        let rows = first..last.min(first + together);
        let spare = &mut spare[..rows.len() * len];
        write(rows.clone(), Destination::stored(as_maybe_uninit_mut(spare)));
        sink.store(d, rows, spare);
    }
}

/// [`put_rows`] for a loop with ordinary stores only: rows that go past the caches are buffered in `spare`, too.
pub(crate) fn put_stored_rows<T: Arithmetic>(
    sink: &mut dyn Sink<T>,
    d: usize,
    rows: Range<usize>,
    spare: &mut [T],
    compute: &mut dyn FnMut(&mut [MaybeUninit<T>]),
) {
    let size = rows.len() * sink.len();
    match sink.place(d, rows.clone()) {
        Some(Destination { out, begin, carry: None }) => compute(&mut out[begin..][..size]),
        _ => {
            let spare = &mut spare[..size];
            compute(as_maybe_uninit_mut(spare));
            sink.store(d, rows, spare);
        }
    }
}
