//! Where the engine's rows come from and go to: the element type ends here, the passes know only the type of the sums.

use std::mem::MaybeUninit;
use std::ops::Range;

use ndarray::{ArrayView4, ArrayViewMut4, Axis};

use crate::element::Convert;
use crate::simd::{Arithmetic, Backend, Combine, Gather, Keep, Put, StreamRow, Table, as_maybe_uninit};

/// Rows to read: one channel, or one picture of interleaved channels.
pub(crate) trait Source<T> {
    /// Elements of a row.
    fn len(&self) -> usize;

    /// Interleaved channels.
    fn inner(&self) -> usize;

    /// Row `h` of slice `d`, where it can be read without a copy. The same for every row.
    fn direct(&self, d: usize, h: usize) -> Option<&[T]>;

    /// Writes row `h` of slice `d` into `out`.
    fn load(&self, d: usize, h: usize, out: &mut [T]);
}

/// Rows to write.
pub(crate) trait Sink<T> {
    /// Depth and height of what is to be written.
    fn size(&self) -> [usize; 2];

    /// Row `h` of slice `d`, where it can be written in place.
    fn direct(&mut self, d: usize, h: usize) -> Option<Place<'_, T>>;

    /// Neighbouring rows of slice `d` as one, where they can be written in place and follow each other without gaps.
    fn direct_rows(&mut self, _: usize, _: Range<usize>) -> Option<Place<'_, T>> {
        None
    }

    /// Puts a finished row into row `h` of slice `d`.
    fn store(&mut self, d: usize, h: usize, row: &[T]);

    /// Puts finished rows into neighbouring rows of slice `d`.
    fn store_rows(&mut self, d: usize, rows: Range<usize>, values: &[T]) {
        let len = values.len() / rows.len();
        for (h, row) in rows.zip(values.chunks_exact(len)) {
            self.store(d, h, row);
        }
    }
}

/// A row that can be written in place.
pub(crate) enum Place<'a, T> {
    /// Memory that may not be initialised.
    Fresh(&'a mut [MaybeUninit<T>]),
    /// Memory of the engine's own.
    Own(&'a mut [T]),
}

/// `[depth, height, width, interleaved channels]` of any element type and layout.
pub(crate) struct Input<'a, A> {
    view: ArrayView4<'a, A>,
    /// All of it, where it lies in memory without gaps: rows are then found without asking `ndarray`.
    flat: Option<&'a [A]>,
}

impl<'a, A> Input<'a, A> {
    pub(crate) fn new(view: ArrayView4<'a, A>) -> Self {
        Self { view, flat: view.to_slice() }
    }

    /// Row `h` of slice `d`, where it lies in memory without gaps.
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

/// Where a run writes, `[depth, height, width, interleaved channels]`: to fresh or overwritten memory.
pub(crate) struct Fresh<'a, A> {
    pub(crate) view: ArrayViewMut4<'a, MaybeUninit<A>>,
    /// Rows are written past the caches.
    pub(crate) streams: bool,
    pub(crate) backend: Backend,
}

impl<T: Arithmetic, A: Convert<T>> Sink<T> for Fresh<'_, A> {
    fn size(&self) -> [usize; 2] {
        [self.view.len_of(Axis(0)), self.view.len_of(Axis(1))]
    }

    #[inline]
    fn direct(&mut self, d: usize, h: usize) -> Option<Place<'_, T>> {
        if self.streams {
            return None;
        }
        let row = self.view.view_mut().index_axis_move(Axis(0), d).index_axis_move(Axis(0), h);
        row.into_slice().and_then(A::as_rows_mut).map(Place::Fresh)
    }

    fn direct_rows(&mut self, d: usize, rows: Range<usize>) -> Option<Place<'_, T>> {
        if self.streams {
            return None;
        }
        let mut slice = self.view.view_mut().index_axis_move(Axis(0), d);
        slice.slice_axis_inplace(Axis(0), rows.into());
        slice.into_slice().and_then(A::as_rows_mut).map(Place::Fresh)
    }

    fn store(&mut self, d: usize, h: usize, row: &[T]) {
        self.store_rows(d, h..h + 1, row);
    }

    fn store_rows(&mut self, d: usize, rows: Range<usize>, values: &[T]) {
        let mut y = self.view.view_mut().index_axis_move(Axis(0), d);
        y.slice_axis_inplace(Axis(0), rows.into());
        let Some(y) = y.as_slice_mut() else {
            for (slot, &value) in y.iter_mut().zip(values) {
                slot.write(A::from_row(value));
            }
            return;
        };
        if self.streams
            && let Some(to) = A::as_rows_mut(y)
        {
            self.backend.run(StreamRow { from: as_maybe_uninit(values), to });
        } else {
            A::narrow(values, y);
        }
    }
}

/// Where a run adds to what is there.
pub(crate) struct Sum<'a, A>(pub(crate) ArrayViewMut4<'a, A>);

impl<T: Arithmetic, A: Convert<T>> Sink<T> for Sum<'_, A> {
    fn size(&self) -> [usize; 2] {
        [self.0.len_of(Axis(0)), self.0.len_of(Axis(1))]
    }

    fn direct(&mut self, _: usize, _: usize) -> Option<Place<'_, T>> {
        None
    }

    fn store(&mut self, d: usize, h: usize, row: &[T]) {
        let mut y = self.0.view_mut().index_axis_move(Axis(0), d).index_axis_move(Axis(0), h);
        for (slot, &value) in y.iter_mut().zip(row) {
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

    fn direct(&mut self, _: usize, h: usize) -> Option<Place<'_, T>> {
        Some(Place::Own(&mut self.rows[h * self.len..][..self.len]))
    }

    fn store(&mut self, _: usize, h: usize, row: &[T]) {
        self.rows[h * self.len..][..self.len].copy_from_slice(row);
    }
}

/// A source of the rows that are combined over the height, all of one depth.
pub(crate) trait Lines<T: Arithmetic> {
    /// Row `h`, if it is there already and need not be made. The same for every row.
    fn ready(&self, h: usize) -> Option<&[T]>;

    /// Makes row `h`.
    fn make<S, P: Put<S, T>>(&mut self, h: usize, out: &mut [S], put: P);
}

/// The input's own rows.
pub(crate) struct Plain<'a, X: ?Sized, T> {
    pub(crate) source: &'a X,
    pub(crate) depth: usize,
    /// Holds one input row.
    pub(crate) spare: &'a mut [T],
}

impl<T: Arithmetic, X: Source<T> + ?Sized> Lines<T> for Plain<'_, X, T> {
    #[inline]
    fn ready(&self, h: usize) -> Option<&[T]> {
        self.source.direct(self.depth, h)
    }

    fn make<S, P: Put<S, T>>(&mut self, h: usize, out: &mut [S], _: P) {
        let row = fetch(self.source, self.depth, h, self.spare);
        for (slot, &value) in out.iter_mut().zip(row) {
            P::put(slot, value);
        }
    }
}

/// The input's rows resized along their width.
pub(crate) struct Widened<'a, X: ?Sized, T: Arithmetic> {
    pub(crate) source: &'a X,
    pub(crate) depth: usize,
    pub(crate) table: &'a Table<T>,
    /// Holds one input row.
    pub(crate) spare: &'a mut [T],
    pub(crate) backend: Backend,
}

impl<T: Arithmetic, X: Source<T> + ?Sized> Lines<T> for Widened<'_, X, T> {
    #[inline]
    fn ready(&self, _: usize) -> Option<&[T]> {
        None
    }

    fn make<S, P: Put<S, T>>(&mut self, h: usize, out: &mut [S], put: P) {
        let row = fetch(self.source, self.depth, h, self.spare);
        self.backend.run(Gather { row, table: self.table, inner: self.source.inner(), out, put });
    }
}

/// The input's rows combined over the depth.
pub(crate) struct Deepened<'a, X: ?Sized, T: Arithmetic> {
    pub(crate) source: &'a X,
    /// The output depth.
    pub(crate) depth: usize,
    pub(crate) table: &'a Table<T>,
    /// Holds an input row for each tap.
    pub(crate) spare: &'a mut [T],
    pub(crate) backend: Backend,
}

impl<T: Arithmetic, X: Source<T> + ?Sized> Lines<T> for Deepened<'_, X, T> {
    #[inline]
    fn ready(&self, _: usize) -> Option<&[T]> {
        None
    }

    fn make<S, P: Put<S, T>>(&mut self, h: usize, out: &mut [S], put: P) {
        if self.table.is_empty_row(self.depth) {
            for slot in out {
                P::put(slot, T::default());
            }
            return;
        }
        let (index, weight) = self.table.row(self.depth);
        let (source, len) = (self.source, self.source.len());
        if source.direct(0, 0).is_some() {
            let row = |t: usize| source.direct(index[t] as usize, h).unwrap_or_default();
            self.backend.run(Combine { row, weight, out, put });
        } else {
            for (&d, spare) in index.iter().zip(self.spare.chunks_exact_mut(len)) {
                source.load(d as usize, h, spare);
            }
            let spare = &*self.spare;
            self.backend.run(Combine { row: |t| &spare[t * len..][..len], weight, out, put });
        }
    }
}

/// Row `h` of slice `d`, copied into `spare` if need be.
fn fetch<'s, T: Arithmetic, X: Source<T> + ?Sized>(source: &'s X, d: usize, h: usize, spare: &'s mut [T]) -> &'s [T] {
    match source.direct(d, h) {
        Some(row) => row,
        None => {
            let spare = &mut spare[..source.len()];
            source.load(d, h, spare);
            spare
        }
    }
}

/// Writes neighbouring rows of slice `d` of `sink`, which are computed as one, in place or by way of `spare`.
pub(crate) fn put_rows<T: Arithmetic, Y: Sink<T> + ?Sized>(
    sink: &mut Y,
    d: usize,
    rows: Range<usize>,
    spare: &mut [T],
    mut row: impl ComputeRow<T>,
) {
    match sink.direct_rows(d, rows.clone()) {
        Some(Place::Fresh(out)) => row.compute(out, Write),
        Some(Place::Own(out)) => row.compute(out, Keep),
        None => {
            row.compute(spare, Keep);
            sink.store_rows(d, rows, spare);
        }
    }
}

/// Writes row `h` of slice `d` of `sink`, in place or by way of `spare`.
pub(crate) fn put_row<T: Arithmetic, Y: Sink<T> + ?Sized>(sink: &mut Y, d: usize, h: usize, spare: &mut [T], mut row: impl ComputeRow<T>) {
    match sink.direct(d, h) {
        Some(Place::Fresh(out)) => row.compute(out, Write),
        Some(Place::Own(out)) => row.compute(out, Keep),
        None => {
            row.compute(spare, Keep);
            sink.store(d, h, spare);
        }
    }
}

/// A way to compute one row.
pub(crate) trait ComputeRow<T> {
    fn compute<S, P: Put<S, T>>(&mut self, out: &mut [S], put: P);
}

/// Writes into memory that may not be initialised.
#[derive(Clone, Copy)]
struct Write;

impl<T: Copy + Send + Sync> Put<MaybeUninit<T>, T> for Write {
    #[inline(always)]
    fn put(slot: &mut MaybeUninit<T>, value: T) {
        slot.write(value);
    }
}

/// A combination of rows.
pub(crate) struct CombineRow<'a, T: Arithmetic, R> {
    pub(crate) row: R,
    pub(crate) weight: &'a [T::Weight],
    pub(crate) backend: Backend,
}

impl<'r, T: Arithmetic, R: Fn(usize) -> &'r [T]> ComputeRow<T> for CombineRow<'_, T, R> {
    fn compute<S, P: Put<S, T>>(&mut self, out: &mut [S], put: P) {
        self.backend.run(Combine { row: &self.row, weight: self.weight, out, put });
    }
}
