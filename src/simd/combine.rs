//! The pass across rows.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::group::Group;
use super::streaming::{Carry, Destination, stream_on};
use super::{Arithmetic, InstructionSet, Kernel, LINE, Table, prefetch};

/// Output elements that are summed at a time over many rows: few enough for the sums to stay in registers.
const BLOCK: usize = 32;

/// Output elements that are summed before they are streamed, where that is not done from registers.
const STAGE: usize = 1024;

/// Across rows: `out[i] = Σ_t weight[t] · row(t)[i]` for `len` elements. Writes all of them.
pub(crate) struct Combine<'a, T: Arithmetic, R> {
    /// The input row of tap `t`, at least `len` elements long; longer ones are better, for whole registers can then be read at the end.
    pub(crate) row: R,
    pub(crate) weight: &'a [T::Weight],
    pub(crate) len: usize,
    pub(crate) to: Destination<'a, T>,
}

impl<'r, T, R> Kernel for Combine<'_, T, R>
where
    T: Arithmetic,
    R: Fn(usize) -> &'r [T],
{
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        combine::<I, T>(self.row, self.weight, self.len, self.to);
    }
}

/// Across rows, for neighbouring output rows. Writes all of them.
pub(crate) struct CombineRows<'a, T: Arithmetic> {
    pub(crate) inputs: RingRows<'a, T>,
    pub(crate) table: &'a Table<T>,
    /// Rows of the table, all of whose taps are among the inputs.
    pub(crate) outputs: Range<usize>,
    /// Elements of an output row.
    pub(crate) len: usize,
    pub(crate) to: Destination<'a, T>,
}

/// Rows of a ring: row `h` is at `(h & mask) * stride`, and the elements between it and the next are of no meaning, but can be read.
/// Or all rows of an input, with a mask of all ones.
#[derive(Clone, Copy)]
pub(crate) struct RingRows<'a, T> {
    pub(crate) rows: &'a [T],
    pub(crate) stride: usize,
    pub(crate) mask: usize,
}

impl<'a, T> RingRows<'a, T> {
    #[inline(always)]
    pub(crate) fn row(&self, h: u32) -> &'a [T] {
        &self.rows[(h as usize & self.mask) * self.stride..][..self.stride]
    }

    /// Asks for the input rows that the output row after the next needs first; a ring's are near already.
    #[inline(always)]
    fn prefetch<U: Arithmetic>(&self, table: &Table<U>, o: usize) {
        if self.mask != usize::MAX || (o + 3) * table.width > table.index.len() {
            return;
        }
        let (&[.., known], &[.., last]) = (table.row(o + 1).0, table.row(o + 2).0) else { return };
        for row in known + 1..=last {
            prefetch(self.row(row));
        }
    }
}

impl<T: Arithmetic> Kernel for CombineRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { inputs, table, outputs, len, to: Destination { out, mut begin, mut carry } } = self;
        for o in outputs {
            let (index, weight) = table.row(o);
            inputs.prefetch(table, o);
            combine::<I, T>(|t| inputs.row(index[t]), weight, len, Destination { out, begin, carry: carry.as_deref_mut() });
            begin += len;
        }
    }
}

#[inline(always)]
pub(super) fn combine<'r, I: InstructionSet, T: Arithmetic>(
    row: impl Fn(usize) -> &'r [T],
    weight: &[T::Weight],
    len: usize,
    to: Destination<'_, T>,
) {
    match *weight {
        [w0, w1] => combine_few::<I, T, 2>([row(0), row(1)], [w0, w1], len, to),
        [w0, w1, w2] => combine_few::<I, T, 3>([row(0), row(1), row(2)], [w0, w1, w2], len, to),
        [w0, w1, w2, w3] => combine_few::<I, T, 4>([row(0), row(1), row(2), row(3)], [w0, w1, w2, w3], len, to),
        [a, b, c, d, e, f] => {
            combine_few::<I, T, 6>([row(0), row(1), row(2), row(3), row(4), row(5)], [a, b, c, d, e, f], len, to);
        }
        [a, b, c, d, e, f, g, h] => {
            let rows = [row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)];
            combine_few::<I, T, 8>(rows, [a, b, c, d, e, f, g, h], len, to);
        }
        _ => combine_any::<I, T>(row, weight, len, to),
    }
}

/// The number of taps known to the compiler: one pass, sums in registers.
#[inline(always)]
fn combine_few<I: InstructionSet, T: Arithmetic, const TAPS: usize>(
    rows: [&[T]; TAPS],
    weight: [T::Weight; TAPS],
    len: usize,
    to: Destination<'_, T>,
) {
    let mut weights = [T::Group::<I>::weight(weight[0]); TAPS];
    for t in 1..TAPS {
        weights[t] = T::Group::<I>::weight(weight[t]);
    }
    let few = Few::<I, T, TAPS> { rows, weight, weights };
    let Destination { out, begin, carry } = to;
    match carry {
        None => few.store(0, &mut out[begin..][..len]),
        Some(carry) if T::Group::<I>::STREAMS => few.stream(len, out, begin, carry),
        Some(carry) => {
            let mut stage = [MaybeUninit::uninit(); STAGE];
            for done in (0..len).step_by(STAGE) {
                let piece = &mut stage[..STAGE.min(len - done)];
                few.store(done, piece);
                stream_on::<I, T>(piece, out, begin + done, carry);
            }
        }
    }
}

/// A few rows and how much each counts.
struct Few<'a, I: InstructionSet, T: Arithmetic, const TAPS: usize> {
    rows: [&'a [T]; TAPS],
    weight: [T::Weight; TAPS],
    weights: [<T::Group<I> as Group<T>>::Weights; TAPS],
}

impl<I: InstructionSet, T: Arithmetic, const TAPS: usize> Few<'_, I, T, TAPS> {
    const LANES: usize = T::Group::<I>::LANES;

    /// The sums of the group that begins at element `begin`.
    #[inline(always)]
    fn group(&self, begin: usize) -> T::Group<I> {
        let mut sums = T::Group::<I>::start();
        for t in 0..TAPS {
            sums = sums.accumulate_row(&self.rows[t][begin..], self.weights[t]);
        }
        sums
    }

    #[inline(always)]
    fn element(&self, i: usize) -> T {
        let mut sum = T::START;
        for t in 0..TAPS {
            sum = T::accumulate::<I>(sum, self.weight[t], self.rows[t][i]);
        }
        T::finish(sum)
    }

    /// All of `out`, the elements from `first` on.
    #[inline(always)]
    fn store(&self, first: usize, out: &mut [MaybeUninit<T>]) {
        let len = out.len();
        if len < Self::LANES {
            for (i, slot) in out.iter_mut().enumerate() {
                slot.write(self.element(first + i));
            }
            return;
        }
        // Stores that cross from one cache line into the next are slow: the groups between the first and the last begin at a line of the
        // output. What two groups share is computed twice.
        let last = len - Self::LANES;
        self.group(first).finish(out);
        let mut begin = match out.as_ptr().align_offset(Self::LANES * size_of::<T>()) {
            0 => Self::LANES,
            offset => offset.min(Self::LANES),
        };
        while begin <= last {
            self.group(first + begin).finish(&mut out[begin..]);
            begin += Self::LANES;
        }
        self.group(first + last).finish(&mut out[last..]);
    }

    /// Writes `len` elements from `begin` of `out` on, past the caches: whole lines from the registers, the rest by way of `carry`.
    #[inline(always)]
    fn stream(&self, len: usize, out: &mut [MaybeUninit<T>], begin: usize, carry: &mut Carry) {
        let line = LINE / size_of::<T>();
        let mut done = carry.resume(out, begin).min(len);
        if done > 0 {
            self.part(0..done, carry.room());
            carry.advance::<I, T>(done, out);
        }
        let lines = (len - done) / line * line;
        for group in out[begin + done..][..lines].chunks_exact_mut(Self::LANES) {
            self.group(done).stream(group);
            done += Self::LANES;
        }
        carry.pass::<T>(lines);
        if done < len {
            self.part(done..len, carry.room());
            carry.advance::<I, T>(len - done, out);
        }
    }

    /// Some elements to the front of `to`, which may be written beyond them.
    #[inline(always)]
    fn part(&self, elements: Range<usize>, to: &mut [MaybeUninit<T>]) {
        let whole = elements.start + elements.len().next_multiple_of(Self::LANES);
        let mut shortest = usize::MAX;
        for t in 0..TAPS {
            shortest = shortest.min(self.rows[t].len());
        }
        if whole <= shortest {
            for (number, begin) in elements.step_by(Self::LANES).enumerate() {
                self.group(begin).finish(&mut to[number * Self::LANES..]);
            }
        } else {
            for (slot, i) in to.iter_mut().zip(elements) {
                slot.write(self.element(i));
            }
        }
    }
}

/// Any number of taps.
#[inline(always)]
fn combine_any<'r, I: InstructionSet, T: Arithmetic>(
    row: impl Fn(usize) -> &'r [T],
    weight: &[T::Weight],
    len: usize,
    to: Destination<'_, T>,
) {
    let Destination { out, begin, carry } = to;
    match carry {
        None => combine_many::<I, T>(row, weight, 0, &mut out[begin..][..len]),
        Some(carry) => {
            let mut stage = [MaybeUninit::uninit(); STAGE];
            for done in (0..len).step_by(STAGE) {
                let piece = &mut stage[..STAGE.min(len - done)];
                combine_many::<I, T>(&row, weight, done, piece);
                stream_on::<I, T>(piece, out, begin + done, carry);
            }
        }
    }
}

/// The elements from `first` on, block by block, so that the sums of a block stay in registers over all taps.
#[inline(always)]
fn combine_many<'r, I: InstructionSet, T: Arithmetic>(
    row: impl Fn(usize) -> &'r [T],
    weight: &[T::Weight],
    first: usize,
    out: &mut [MaybeUninit<T>],
) {
    let whole = out.len() / BLOCK * BLOCK;
    let (blocks, rest) = out.split_at_mut(whole);
    for (number, block) in blocks.chunks_exact_mut(BLOCK).enumerate() {
        let mut sums = [T::START; BLOCK];
        for (t, &weight) in weight.iter().enumerate() {
            let values = &row(t)[first + number * BLOCK..][..BLOCK];
            for i in 0..BLOCK {
                sums[i] = T::accumulate::<I>(sums[i], weight, values[i]);
            }
        }
        for i in 0..BLOCK {
            block[i].write(T::finish(sums[i]));
        }
    }
    for (i, slot) in rest.iter_mut().enumerate() {
        let mut sum = T::START;
        for (t, &weight) in weight.iter().enumerate() {
            sum = T::accumulate::<I>(sum, weight, row(t)[first + whole + i]);
        }
        slot.write(T::finish(sum));
    }
}
