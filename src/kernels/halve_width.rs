//! Both passes of halving the width, row by row.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::group::{GroupSums, RowGroup};
use super::ring::RingRows;
use super::{Arithmetic, Backend, InstructionSet, Kernel, Table};

/// Neighbouring output rows, each pixel of two neighbours along the width and any few along the height: gradients of doubled pictures,
/// block averages. Without rows in between, which would take as long as the sums. The result is that of the two passes, to the last bit.
///
/// Writes all of them. Only where [`halves`] says so.
pub(crate) struct HalveWidth<'a, T: Arithmetic> {
    pub(crate) inputs: RingRows<'a, T>,
    pub(crate) height: &'a Table<T>,
    /// Rows of that table.
    pub(crate) outputs: Range<usize>,
    /// The weights of the two neighbours.
    pub(crate) pair: [T::Weight; 2],
    /// The rows one after the other.
    pub(crate) out: &'a mut [MaybeUninit<T>],
}

impl<T: Arithmetic> Kernel for HalveWidth<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(mut self) {
        if const { !T::Rows::<I>::PAIRS } {
            return; // never reached: `halves` is `None` without sums of pairs
        }
        match self.height.width {
            1 => self.rows::<I, 1>(),
            2 => self.rows::<I, 2>(),
            3 => self.rows::<I, 3>(),
            _ => self.rows::<I, MOST_TAPS>(),
        }
    }
}

/// Taps along the height that there is a loop for.
const MOST_TAPS: usize = 4;

/// The weights of the two neighbours, if [`HalveWidth`] can make rows of `len` elements by these tables.
pub(crate) fn halves<T: Arithmetic>(height: &Table<T>, width: &Table<T>, len: usize, backend: Backend) -> Option<[T::Weight; 2]> {
    let pair = width.pair?;
    let few = matches!(height.width, 1..=MOST_TAPS) && height.empty.is_empty();
    let lanes = backend.run(AskLanes::<T>(PhantomData))?;
    (few && height.exact.is_none() && width.exact.is_none() && len >= lanes).then_some(pair)
}

/// Asks for the elements of a group, if there are sums of pairs.
struct AskLanes<T>(PhantomData<T>);

impl<T: Arithmetic> Kernel for AskLanes<T> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<I: InstructionSet>(self) -> Option<usize> {
        T::Rows::<I>::PAIRS.then_some(T::Rows::<I>::LANES)
    }
}

impl<T: Arithmetic> HalveWidth<'_, T> {
    #[inline(always)]
    fn rows<I: InstructionSet, const TAPS: usize>(&mut self) {
        let (len, lanes) = (self.out.len() / self.outputs.len(), T::Rows::<I>::LANES);
        assert!(len >= lanes, "a row is a group at least");
        let pair = [T::Rows::<I>::weight(self.pair[0]), T::Rows::<I>::weight(self.pair[1])];
        for (o, out) in self.outputs.clone().zip(self.out.chunks_exact_mut(len)) {
            self.inputs.prefetch(self.height, o);
            let (index, weight) = self.height.row(o);
            let (mut rows, mut weights) = ([self.inputs.row(index[0]); TAPS], [T::Rows::<I>::weight(weight[0]); TAPS]);
            for t in 0..TAPS {
                rows[t] = &self.inputs.row(index[t])[..2 * len];
                weights[t] = T::Rows::<I>::weight(weight[t]);
            }
            // The last group is moved to end with the row.
            for first in (0..len - lanes).step_by(lanes).chain([len - lanes]) {
                let mut sums = [T::Rows::<I>::start(); 2];
                for (number, sums) in sums.iter_mut().enumerate() {
                    let at = 2 * first + number * lanes;
                    for t in 0..TAPS {
                        // SAFETY: `first + lanes` is at most `len`, and every row was cut to twice that.
                        let row = unsafe { rows[t].get_unchecked(at..at + lanes) };
                        *sums = sums.accumulate_row(row, weights[t]);
                    }
                }
                sums[0].of_pairs(sums[1], pair).finish(&mut out[first..first + lanes]);
            }
        }
    }
}
