//! Rows that neighbouring output rows share: those of an input, or resized ones in a ring that stays in the cache.

use super::{Arithmetic, Table, prefetch};

/// Rows to read: row `h` is at `(h & mask) * stride`, and the elements between it and the next are of no meaning, but can be read.
/// All rows of an input have a mask of all ones.
#[derive(Clone, Copy)]
pub(crate) struct RingRows<'a, T> {
    pub(crate) rows: &'a [T],
    pub(crate) stride: usize,
    pub(crate) mask: usize,
}

impl<'a, T: Arithmetic> RingRows<'a, T> {
    /// The same in the arithmetic that has all weights.
    #[inline(always)]
    pub(super) fn exact(&self) -> RingRows<'a, T::Exact> {
        RingRows { rows: T::exact(self.rows), stride: self.stride, mask: self.mask }
    }
}

impl<'a, T> RingRows<'a, T> {
    #[inline(always)]
    pub(crate) fn row(&self, h: u32) -> &'a [T] {
        &self.rows[(h as usize & self.mask) * self.stride..][..self.stride]
    }

    /// Asks for the input rows that the output row after the next needs first; a ring's are near already.
    #[inline(always)]
    pub(super) fn prefetch<U: Arithmetic>(&self, table: &Table<U>, o: usize) {
        if self.mask != usize::MAX || (o + 3) * table.width > table.index.len() {
            return;
        }
        let (&[.., known], &[.., last]) = (table.row(o + 1).0, table.row(o + 2).0) else { return };
        for row in known + 1..=last {
            prefetch(self.row(row));
        }
    }
}

/// Rows made by the first passes, reused while output rows share them, and which row each place holds.
pub(crate) struct Ring<'a, T> {
    pub(crate) rows: &'a mut [T],
    /// From row to row.
    pub(crate) stride: usize,
    /// Elements of a row.
    pub(crate) len: usize,
    /// Rows that can be made ahead of the one that is wanted, that one counted.
    pub(crate) batch: usize,
    /// No row from here on is worth making ahead.
    pub(crate) end: usize,
    /// The row that each place holds; there is a power of two of them.
    pub(crate) tags: &'a mut [usize],
}

impl<T> Ring<'_, T> {
    /// The rows, to read.
    #[inline(always)]
    pub(crate) fn rows(&self) -> RingRows<'_, T> {
        RingRows { rows: self.rows, stride: self.stride, mask: self.tags.len() - 1 }
    }

    #[inline(always)]
    pub(crate) fn holds(&self, h: u32) -> bool {
        self.tags[h as usize & (self.tags.len() - 1)] == h as usize
    }

    #[inline(always)]
    pub(crate) fn holds_all(&self, index: &[u32]) -> bool {
        index.iter().all(|&h| self.holds(h))
    }

    /// Takes places for row `h`, which is to be made, and for some that will be wanted next, as many as there are `starts` for: where each
    /// begins. There is room for them beside the rows that the output row at hand needs.
    #[inline(always)]
    pub(crate) fn claim(&mut self, h: usize, starts: &mut [usize]) -> usize {
        let mask = self.tags.len() - 1;
        let most = self.batch.min(starts.len());
        let mut count = 0;
        while count < most && (count == 0 || h + count < self.end) && self.tags[(h + count) & mask] != h + count {
            let place = (h + count) & mask;
            self.tags[place] = h + count;
            starts[count] = place * self.stride;
            count += 1;
        }
        count
    }
}
