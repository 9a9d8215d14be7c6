//! The weights of one axis in the form that the loops read: rows of one width, in the arithmetic's own type.

use std::sync::OnceLock;

use super::Arithmetic;

/// For each output pixel `width` taps: which input pixels, and how much each counts.
#[derive(Debug)]
pub struct Table<T: Arithmetic> {
    /// Taps of every output pixel. A row that needs fewer repeats its last tap.
    pub(crate) width: usize,
    /// `[output][width]`: the input pixel of each tap, always inside the input.
    pub(crate) index: Vec<u32>,
    /// `[output][width]`.
    pub(crate) weight: Vec<T::Weight>,
    /// The output pixels that no input pixel reaches; they are 0.
    pub(crate) empty: Vec<u32>,
    /// One more than the largest distance between two taps of an output pixel: how many input rows a ring has to hold.
    pub(crate) span: usize,
}

impl<T: Arithmetic> Table<T> {
    /// The taps of output pixel `o`.
    #[inline(always)]
    pub(crate) fn row(&self, o: usize) -> (&[u32], &[T::Weight]) {
        let range = o * self.width..(o + 1) * self.width;
        (&self.index[range.clone()], &self.weight[range])
    }

    /// Whether nothing reaches output pixel `o`.
    pub(crate) fn is_empty_row(&self, o: usize) -> bool {
        !self.empty.is_empty() && self.empty.binary_search(&(o as u32)).is_ok()
    }
}

/// One table in each arithmetic, made when it is first asked for.
#[derive(Debug, Default)]
pub struct Tables {
    pub(crate) single: OnceLock<Table<f32>>,
    pub(crate) double: OnceLock<Table<f64>>,
    pub(crate) fixed: OnceLock<Table<u8>>,
}
