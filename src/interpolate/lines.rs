//! Where the engine's rows come from and go to: the element type ends here, the passes know only the type of the sums.

use std::mem::MaybeUninit;
use std::ops::Range;

use ndarray::{ArrayView4, ArrayViewMut4, Axis};

use crate::element::Convert;
use crate::simd::{Arithmetic, Backend, Combine, Gather, StreamRow, Table, as_maybe_uninit, as_maybe_uninit_mut};

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

    /// Elements of a row.
    fn len(&self) -> usize;

    /// Row `h` of slice `d`, where it can be written in place.
    fn direct(&mut self, d: usize, h: usize) -> Option<&mut [MaybeUninit<T>]>;

    /// Neighbouring rows of slice `d` as one, where they can be written in place and follow each other without gaps.
    fn direct_rows(&mut self, _: usize, _: Range<usize>) -> Option<&mut [MaybeUninit<T>]> {
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
    place: Layout<'a, A>,
    /// Depth, height, and elements of a row.
    size: [usize; 3],
    /// Rows are written past the caches.
    streams: bool,
    backend: Backend,
}

/// How an output lies in memory.
enum Layout<'a, A> {
    /// Without gaps: rows are found without asking `ndarray`.
    Flat(&'a mut [MaybeUninit<A>]),
    Strided(ArrayViewMut4<'a, MaybeUninit<A>>),
}

impl<'a, A> Fresh<'a, A> {
    pub(crate) fn new(view: ArrayViewMut4<'a, MaybeUninit<A>>, streams: bool, backend: Backend) -> Self {
        let (depth, height, width, inner) = view.dim();
        let place = if view.is_standard_layout() {
            // A view in standard layout is a slice.
            Layout::Flat(view.into_slice().unwrap_or_default())
        } else {
            Layout::Strided(view)
        };
        Self { place, size: [depth, height, width * inner], streams, backend }
    }

    /// Neighbouring rows of slice `d`, where they follow each other without gaps.
    #[inline]
    fn rows(&mut self, d: usize, rows: Range<usize>) -> Option<&mut [MaybeUninit<A>]> {
        let [_, height, len] = self.size;
        match &mut self.place {
            Layout::Flat(elements) => elements.get_mut((d * height + rows.start) * len..(d * height + rows.end) * len),
            Layout::Strided(view) => {
                let mut slice = view.view_mut().index_axis_move(Axis(0), d);
                slice.slice_axis_inplace(Axis(0), rows.into());
                slice.into_slice()
            }
        }
    }
}

impl<T: Arithmetic, A: Convert<T>> Sink<T> for Fresh<'_, A> {
    fn size(&self) -> [usize; 2] {
        [self.size[0], self.size[1]]
    }

    fn len(&self) -> usize {
        self.size[2]
    }

    #[inline]
    fn direct(&mut self, d: usize, h: usize) -> Option<&mut [MaybeUninit<T>]> {
        Sink::<T>::direct_rows(self, d, h..h + 1)
    }

    fn direct_rows(&mut self, d: usize, rows: Range<usize>) -> Option<&mut [MaybeUninit<T>]> {
        if self.streams {
            return None;
        }
        self.rows(d, rows).and_then(A::as_rows_mut)
    }

    fn store(&mut self, d: usize, h: usize, row: &[T]) {
        self.store_rows(d, h..h + 1, row);
    }

    fn store_rows(&mut self, d: usize, rows: Range<usize>, values: &[T]) {
        let (streams, backend) = (self.streams, self.backend);
        if let Some(y) = self.rows(d, rows.clone()) {
            match A::as_rows_mut(y) {
                Some(to) if streams => backend.run(StreamRow { from: as_maybe_uninit(values), to }),
                _ => A::narrow(values, y),
            }
        } else if let Layout::Strided(view) = &mut self.place {
            let mut y = view.view_mut().index_axis_move(Axis(0), d);
            y.slice_axis_inplace(Axis(0), rows.into());
            let len = values.len() / y.len_of(Axis(0));
            for (mut y, values) in y.outer_iter_mut().zip(values.chunks_exact(len)) {
                match y.as_slice_mut() {
                    Some(y) => match A::as_rows_mut(y) {
                        Some(to) if streams => backend.run(StreamRow { from: as_maybe_uninit(values), to }),
                        _ => A::narrow(values, y),
                    },
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

/// Where a run adds to what is there.
pub(crate) struct Sum<'a, A>(pub(crate) ArrayViewMut4<'a, A>);

impl<T: Arithmetic, A: Convert<T>> Sink<T> for Sum<'_, A> {
    fn size(&self) -> [usize; 2] {
        [self.0.len_of(Axis(0)), self.0.len_of(Axis(1))]
    }

    fn len(&self) -> usize {
        self.0.len_of(Axis(2)) * self.0.len_of(Axis(3))
    }

    fn direct(&mut self, _: usize, _: usize) -> Option<&mut [MaybeUninit<T>]> {
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

    fn len(&self) -> usize {
        self.len
    }

    fn direct(&mut self, _: usize, h: usize) -> Option<&mut [MaybeUninit<T>]> {
        Some(as_maybe_uninit_mut(&mut self.rows[h * self.len..][..self.len]))
    }

    fn store(&mut self, _: usize, h: usize, row: &[T]) {
        self.rows[h * self.len..][..self.len].copy_from_slice(row);
    }
}

/// A source of the rows that are combined over the height, all of one depth.
pub(crate) trait Lines<T: Arithmetic> {
    /// Row `h`, if it is there already and need not be made. The same for every row.
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

    fn make(&mut self, h: usize, places: Places<'_, T>) {
        let rows = fetch(self.source, self.depth, h, self.spare, places.starts.len());
        for (row, &start) in rows.iter().zip(places.starts) {
            places.out[start..][..places.len].copy_from_slice(&as_maybe_uninit(row)[..places.len]);
        }
    }
}

/// The input's rows resized along their width.
pub(crate) struct Widened<'a, X: ?Sized, T: Arithmetic> {
    pub(crate) source: &'a X,
    pub(crate) depth: usize,
    pub(crate) table: &'a Table<T>,
    /// The output pixels that are made.
    pub(crate) pixels: Range<usize>,
    /// Holds one input row.
    pub(crate) spare: &'a mut [T],
    pub(crate) backend: Backend,
}

impl<T: Arithmetic, X: Source<T> + ?Sized> Lines<T> for Widened<'_, X, T> {
    #[inline]
    fn ready(&self, _: usize) -> Option<&[T]> {
        None
    }

    fn make(&mut self, h: usize, places: Places<'_, T>) {
        let Places { out, starts, .. } = places;
        let rows = fetch(self.source, self.depth, h, self.spare, starts.len());
        let (rows, inner) = (&rows[..starts.len()], self.source.inner());
        self.backend.run(Gather { rows, table: self.table, inner, pixels: self.pixels.clone(), out, starts });
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

    fn make(&mut self, h: usize, places: Places<'_, T>) {
        let Places { out, starts, len } = places;
        for (h, &start) in (h..).zip(starts) {
            self.make_one(h, &mut out[start..][..len]);
        }
    }
}

impl<T: Arithmetic, X: Source<T> + ?Sized> Deepened<'_, X, T> {
    fn make_one(&mut self, h: usize, out: &mut [MaybeUninit<T>]) {
        if self.table.is_empty_row(self.depth) {
            return out.fill(MaybeUninit::new(T::default()));
        }
        let (index, weight) = self.table.row(self.depth);
        let (source, len) = (self.source, self.source.len());
        if source.direct(0, 0).is_some() {
            let row = |t: usize| source.direct(index[t] as usize, h).unwrap_or_default();
            self.backend.run(Combine { row, weight, out });
        } else {
            for (&d, spare) in index.iter().zip(self.spare.chunks_exact_mut(len)) {
                source.load(d as usize, h, spare);
            }
            let spare = &*self.spare;
            self.backend.run(Combine { row: |t| &spare[t * len..][..len], weight, out });
        }
    }
}

/// Rows `h` and following of slice `d`, `count` of them, copied into `spare` if need be.
fn fetch<'s, T: Arithmetic, X: Source<T> + ?Sized>(
    source: &'s X,
    d: usize,
    h: usize,
    spare: &'s mut [T],
    count: usize,
) -> [&'s [T]; BATCH] {
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

/// Writes neighbouring rows of slice `d` of `sink`, which are computed as one, in place or by way of `spare`.
pub(crate) fn put_rows<T: Arithmetic, Y: Sink<T> + ?Sized>(
    sink: &mut Y,
    d: usize,
    rows: Range<usize>,
    spare: &mut [T],
    compute: impl FnOnce(&mut [MaybeUninit<T>]),
) {
    if let Some(out) = sink.direct_rows(d, rows.clone()) {
        compute(out);
    } else {
        compute(as_maybe_uninit_mut(spare));
        sink.store_rows(d, rows, spare);
    }
}

/// Writes row `h` of slice `d` of `sink`, in place or by way of `spare`.
pub(crate) fn put_row<T: Arithmetic, Y: Sink<T> + ?Sized>(
    sink: &mut Y,
    d: usize,
    h: usize,
    spare: &mut [T],
    compute: impl FnOnce(&mut [MaybeUninit<T>]),
) {
    if let Some(out) = sink.direct(d, h) {
        compute(out);
    } else {
        compute(as_maybe_uninit_mut(spare));
        sink.store(d, h, spare);
    }
}
