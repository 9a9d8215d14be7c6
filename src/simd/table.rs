//! The weights of one axis in the form that the loops read: rows of one width, in the arithmetic's own type.

use std::sync::OnceLock;

use super::{Arithmetic, Backend};

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
    /// How many input rows a ring has to hold: a power of two above the largest distance between two taps of an output pixel.
    pub(crate) span: usize,
    /// Input pixels.
    pub(crate) input: usize,
    /// The same for eight output elements at a time, for pixels of 1 to 4 interleaved elements; made when first asked for.
    pub(crate) lanes: [OnceLock<Option<Lanes<T>>>; 4],
}

/// The longest window that is permuted at once.
pub(crate) fn longest_window<T: Arithmetic>(backend: Backend) -> usize {
    if backend == Backend::Avx512 && size_of::<T>() == 4 { 32 } else { 16 }
}

/// Output elements that are computed at a time along a row.
pub(crate) const LANES: usize = 8;

/// A table turned round for registers: for eight neighbouring output elements the same tap of each. Their input elements lie close
/// together, so they are loaded as one window and permuted into place, which is several times as fast as gathering them one by one.
#[derive(Debug)]
pub(crate) struct Lanes<T: Arithmetic> {
    /// Elements of a window: 8, 16 or 32.
    pub(crate) reach: usize,
    /// `[group][tap]`: where the window begins in the row.
    pub(crate) begin: Vec<u32>,
    /// `[group][tap]`: which element of the window each lane takes.
    pub(crate) pick: Vec<[u8; LANES]>,
    /// `[group][tap]`.
    pub(crate) weight: Vec<[T::Weight; LANES]>,
}

impl<T: Arithmetic> Lanes<T> {
    /// The first output element of each group; the last group ends where the row does.
    pub(crate) fn first(group: usize, output: usize) -> usize {
        (group * LANES).min(output - LANES)
    }
}

impl<T: Arithmetic> Table<T> {
    /// The taps of output pixel `o`.
    #[inline(always)]
    pub(crate) fn row(&self, o: usize) -> (&[u32], &[T::Weight]) {
        let range = o * self.width..(o + 1) * self.width;
        (&self.index[range.clone()], &self.weight[range])
    }

    /// The table for eight elements at a time of rows of `inner` interleaved elements; `None` where the elements that a group needs do not
    /// fit into a window, or the rows are shorter than one.
    pub(crate) fn lanes(&self, inner: usize) -> Option<&Lanes<T>> {
        self.lanes.get(inner.wrapping_sub(1))?.get_or_init(|| self.make_lanes(inner)).as_ref()
    }

    /// Whether rows of `inner` interleaved elements are computed eight at a time under `backend`.
    pub(crate) fn has_lanes(&self, inner: usize, backend: Backend) -> bool {
        self.lanes(inner).is_some_and(|lanes| lanes.reach <= longest_window::<T>(backend))
    }

    fn make_lanes(&self, inner: usize) -> Option<Lanes<T>> {
        let (input, output) = (self.input * inner, self.index.len() / self.width * inner);
        if output < LANES {
            return None;
        }
        let groups = output.div_ceil(LANES);
        // Input element and weight of tap `t` of output element `e`.
        let tap = |e: usize, t: usize| {
            let (index, weight) = self.row(e / inner);
            (index[t] as usize * inner + e % inner, weight[t])
        };
        let group_taps = (0..groups).flat_map(|group| (0..self.width).map(move |t| (Lanes::<T>::first(group, output), t)));
        let extent = |(first, t): (usize, usize)| {
            let elements = (first..first + LANES).map(|e| tap(e, t).0);
            elements.fold((usize::MAX, 0), |(low, high), element| (low.min(element), high.max(element)))
        };
        let widest = group_taps.clone().map(|at| extent(at).1 - extent(at).0 + 1).max()?;
        let reach = [8, 16, 32].into_iter().find(|&reach| widest <= reach).filter(|&reach| reach <= input)?;
        let mut lanes = Lanes { reach, begin: Vec::new(), pick: Vec::new(), weight: Vec::new() };
        for (first, t) in group_taps {
            let begin = extent((first, t)).0.min(input - reach);
            lanes.begin.push(begin as u32);
            lanes.pick.push(std::array::from_fn(|lane| (tap(first + lane, t).0 - begin) as u8));
            lanes.weight.push(std::array::from_fn(|lane| tap(first + lane, t).1));
        }
        Some(lanes)
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
