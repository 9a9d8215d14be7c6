//! Where the engine's rows come from: the input as it is, expanded along its width, or combined over its depth.

use ndarray::{ArrayView4, Axis};

use crate::element::Element;
use crate::simd::{Arithmetic, Backend, Combine, Gather, Put, Table};

/// A value is kept as it is: the rows between two passes.
#[derive(Clone, Copy)]
pub(crate) struct Keep;

impl<T: Copy + Send + Sync> Put<T, T> for Keep {
    #[inline(always)]
    fn put(slot: &mut T, value: T) {
        *slot = value;
    }
}

/// The rows of one channel (or of one picture of interleaved channels), `[depth, height, width, interleaved channels]`.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, A> {
    view: ArrayView4<'a, A>,
    /// All of it, where it lies in memory without gaps: rows are then found without asking `ndarray`.
    flat: Option<&'a [A]>,
}

impl<'a, A: Element> Rows<'a, A> {
    pub(crate) fn new(view: ArrayView4<'a, A>) -> Self {
        Self { view, flat: view.to_slice() }
    }

    /// Elements of a row.
    pub(crate) fn len(&self) -> usize {
        self.view.len_of(Axis(2)) * self.inner()
    }

    /// Interleaved channels.
    pub(crate) fn inner(&self) -> usize {
        self.view.len_of(Axis(3))
    }

    /// Row `h` of slice `d`, where it lies in memory without gaps.
    #[inline]
    fn slice(&self, d: usize, h: usize) -> Option<&'a [A]> {
        match self.flat {
            Some(flat) => {
                let len = self.len();
                flat.get((d * self.view.len_of(Axis(1)) + h) * len..)?.get(..len)
            }
            None => self.view.index_axis_move(Axis(0), d).index_axis_move(Axis(0), h).to_slice(),
        }
    }

    /// Row `h` of slice `d`, where the engine can read it without a copy.
    #[inline]
    pub(crate) fn direct(&self, d: usize, h: usize) -> Option<&'a [A::Row]> {
        self.slice(d, h).and_then(A::as_row)
    }

    /// Whether every row can be read without a copy.
    pub(crate) fn all_direct(&self) -> bool {
        self.direct(0, 0).is_some()
    }

    /// Writes row `h` of slice `d` into `out`, widened to the type of the sums.
    fn load(&self, d: usize, h: usize, out: &mut [A::Row]) {
        if let Some(row) = self.slice(d, h) {
            for (slot, &value) in out.iter_mut().zip(row) {
                *slot = value.to_row();
            }
        } else {
            let row = self.view.index_axis_move(Axis(0), d).index_axis_move(Axis(0), h);
            for (slot, &value) in out.iter_mut().zip(row) {
                *slot = value.to_row();
            }
        }
    }

    /// Row `h` of slice `d`, copied into `spare` if need be.
    fn fetch<'s>(&self, d: usize, h: usize, spare: &'s mut [A::Row]) -> &'s [A::Row]
    where
        'a: 's,
    {
        match self.direct(d, h) {
            Some(row) => row,
            None => {
                self.load(d, h, spare);
                spare
            }
        }
    }
}

/// A source of the rows that are combined over the height.
pub(crate) trait Lines<T: Arithmetic> {
    /// Row `h`, if it is there already and need not be made.
    fn ready(&self, h: usize) -> Option<&[T]>;

    /// Makes row `h`.
    fn make<S, P: Put<S, T>>(&mut self, h: usize, out: &mut [S], put: P);
}

/// The input's own rows, at one depth.
pub(crate) struct Plain<'a, A> {
    pub(crate) rows: Rows<'a, A>,
    pub(crate) depth: usize,
}

impl<A: Element> Lines<A::Row> for Plain<'_, A> {
    #[inline]
    fn ready(&self, h: usize) -> Option<&[A::Row]> {
        self.rows.direct(self.depth, h)
    }

    fn make<S, P: Put<S, A::Row>>(&mut self, h: usize, out: &mut [S], _: P) {
        if let Some(row) = self.rows.slice(self.depth, h) {
            for (slot, value) in out.iter_mut().zip(row) {
                P::put(slot, value.to_row());
            }
        } else {
            let row = self.rows.view.index_axis_move(Axis(0), self.depth).index_axis_move(Axis(0), h);
            for (slot, value) in out.iter_mut().zip(row) {
                P::put(slot, value.to_row());
            }
        }
    }
}

/// The input's rows resized along their width, at one depth.
pub(crate) struct Widened<'a, 's, A: Element> {
    pub(crate) rows: Rows<'a, A>,
    pub(crate) depth: usize,
    pub(crate) table: &'s Table<A::Row>,
    /// Holds one input row.
    pub(crate) spare: &'s mut [A::Row],
    pub(crate) backend: Backend,
}

impl<A: Element> Lines<A::Row> for Widened<'_, '_, A> {
    #[inline]
    fn ready(&self, _: usize) -> Option<&[A::Row]> {
        None
    }

    fn make<S, P: Put<S, A::Row>>(&mut self, h: usize, out: &mut [S], put: P) {
        let row = self.rows.fetch(self.depth, h, self.spare);
        self.backend.run(Gather { row, table: self.table, inner: self.rows.inner(), out, put });
    }
}

/// The input's rows combined over the depth, for one output depth.
pub(crate) struct Deepened<'a, 's, A: Element> {
    pub(crate) rows: Rows<'a, A>,
    pub(crate) depth: usize,
    pub(crate) table: &'s Table<A::Row>,
    /// Holds an input row for each tap.
    pub(crate) spare: &'s mut [A::Row],
    pub(crate) backend: Backend,
}

impl<A: Element> Lines<A::Row> for Deepened<'_, '_, A> {
    #[inline]
    fn ready(&self, _: usize) -> Option<&[A::Row]> {
        None
    }

    fn make<S, P: Put<S, A::Row>>(&mut self, h: usize, out: &mut [S], put: P) {
        if self.table.is_empty_row(self.depth) {
            for slot in out {
                P::put(slot, A::Row::default());
            }
            return;
        }
        let (index, weight) = self.table.row(self.depth);
        let (rows, len) = (self.rows, self.rows.len());
        if rows.all_direct() {
            let row = |t: usize| rows.direct(index[t] as usize, h).unwrap_or_default();
            self.backend.run(Combine { row, weight, out, put });
        } else {
            for (&d, spare) in index.iter().zip(self.spare.chunks_exact_mut(len)) {
                rows.load(d as usize, h, spare);
            }
            let spare = &*self.spare;
            self.backend.run(Combine { row: |t| &spare[t * len..][..len], weight, out, put });
        }
    }
}
