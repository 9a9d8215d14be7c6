//! The pass across rows.

use std::mem::MaybeUninit;

use super::group::Group;
use super::{Arithmetic, InstructionSet, Kernel};

/// Output elements that are summed at a time over many rows: few enough for the sums to stay in registers.
const BLOCK: usize = 32;

/// Across rows: `out[i] = Σ_t weight[t] · row(t)[i]`. Writes all of `out`.
pub(crate) struct Combine<'a, T: Arithmetic, R> {
    /// The input row of tap `t`, at least as long as `out`.
    pub(crate) row: R,
    pub(crate) weight: &'a [T::Weight],
    pub(crate) out: &'a mut [MaybeUninit<T>],
}

impl<'r, T, R> Kernel for Combine<'_, T, R>
where
    T: Arithmetic,
    R: Fn(usize) -> &'r [T],
{
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        combine::<I, T>(self.row, self.weight, self.out);
    }
}

#[inline(always)]
pub(super) fn combine<'r, I: InstructionSet, T: Arithmetic>(
    row: impl Fn(usize) -> &'r [T],
    weight: &[T::Weight],
    out: &mut [MaybeUninit<T>],
) {
    match *weight {
        [w0, w1] => combine_few::<I, T, 2>([row(0), row(1)], [w0, w1], out),
        [w0, w1, w2] => combine_few::<I, T, 3>([row(0), row(1), row(2)], [w0, w1, w2], out),
        [w0, w1, w2, w3] => combine_few::<I, T, 4>([row(0), row(1), row(2), row(3)], [w0, w1, w2, w3], out),
        [a, b, c, d, e, f] => {
            combine_few::<I, T, 6>([row(0), row(1), row(2), row(3), row(4), row(5)], [a, b, c, d, e, f], out);
        }
        [a, b, c, d, e, f, g, h] => {
            let rows = [row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)];
            combine_few::<I, T, 8>(rows, [a, b, c, d, e, f, g, h], out);
        }
        _ => combine_many::<I, T>(row, weight, out),
    }
}

/// The number of taps known to the compiler: one pass, sums in registers.
#[inline(always)]
fn combine_few<I: InstructionSet, T: Arithmetic, const TAPS: usize>(
    rows: [&[T]; TAPS],
    weight: [T::Weight; TAPS],
    out: &mut [MaybeUninit<T>],
) {
    let rows = rows.map(|row| &row[..out.len()]);
    let (len, lanes) = (out.len(), T::Group::<I>::LANES);
    if len < lanes {
        for (i, slot) in out.iter_mut().enumerate() {
            let mut sum = T::START;
            for t in 0..TAPS {
                sum = T::accumulate::<I>(sum, weight[t], rows[t][i]);
            }
            slot.write(T::finish(sum));
        }
        return;
    }
    let mut weights = [T::Group::<I>::weight(weight[0]); TAPS];
    for t in 1..TAPS {
        weights[t] = T::Group::<I>::weight(weight[t]);
    }
    // Stores that cross from one cache line into the next are slow: the groups between the first and the last begin at a line of the
    // output. What two groups share is computed twice.
    let last = len - lanes;
    combine_group::<I, T, TAPS>(&rows, &weights, 0, out);
    let mut begin = match out.as_ptr().align_offset(lanes * size_of::<T>()) {
        0 => lanes,
        offset => offset.min(lanes),
    };
    while begin <= last {
        combine_group::<I, T, TAPS>(&rows, &weights, begin, out);
        begin += lanes;
    }
    combine_group::<I, T, TAPS>(&rows, &weights, last, out);
}

/// One group, which begins at element `begin`.
#[inline(always)]
fn combine_group<I: InstructionSet, T: Arithmetic, const TAPS: usize>(
    rows: &[&[T]; TAPS],
    weights: &[<T::Group<I> as Group<T>>::Weights; TAPS],
    begin: usize,
    out: &mut [MaybeUninit<T>],
) {
    let mut sums = T::Group::<I>::start();
    for t in 0..TAPS {
        sums = sums.accumulate_row(&rows[t][begin..], weights[t]);
    }
    sums.finish(&mut out[begin..]);
}

/// Any number of taps: block by block, so that the sums of a block stay in registers over all taps.
#[inline(always)]
fn combine_many<'r, I: InstructionSet, T: Arithmetic>(row: impl Fn(usize) -> &'r [T], weight: &[T::Weight], out: &mut [MaybeUninit<T>]) {
    let whole = out.len() / BLOCK * BLOCK;
    let (blocks, rest) = out.split_at_mut(whole);
    for (number, block) in blocks.chunks_exact_mut(BLOCK).enumerate() {
        let mut sums = [T::START; BLOCK];
        for (t, &weight) in weight.iter().enumerate() {
            let values = &row(t)[number * BLOCK..][..BLOCK];
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
            sum = T::accumulate::<I>(sum, weight, row(t)[whole + i]);
        }
        slot.write(T::finish(sum));
    }
}
