//! The vertical pass: across rows.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::group::{GroupSums, RowGroup};
use super::ring::RingRows;
use super::streaming::{Carry, Destination, stream_on};
use super::{Arithmetic, InstructionSet, Kernel, LINE, Table, prefetch};

/// Output elements that are summed at a time over many rows: few enough for the sums to stay in registers.
const BLOCK: usize = 32;

/// Rows whose places are listed before many are summed; those of further taps are asked for block by block.
const LISTED: usize = 32;

/// Output elements that are summed before they are streamed, where that is not done from registers.
const STAGE: usize = 1024;

/// Across rows: `out[i] = Σ_t weight[t] · row(t)[i]` for `len` elements. Writes all of them.
pub(crate) struct Vertical<'a, T: Arithmetic> {
    /// The input row of tap `t`, at least `len` elements long; longer ones are better, for whole registers can then be read at the end.
    /// Type-erased: compiled once for any layout of the rows.
    pub(crate) row: &'a dyn Fn(usize) -> &'a [T],
    pub(crate) weight: &'a [T::Weight],
    pub(crate) len: usize,
    pub(crate) to: Destination<'a, T>,
}

impl<T: Arithmetic> Kernel for Vertical<'_, T> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { row, weight, len, to } = self;
        match weight.len() {
            2 => Few::<T, 2>::of(row, weight).run::<I>(len, to),
            4 => Few::<T, 4>::of(row, weight).run::<I>(len, to),
            _ => vertical_any::<I, T>(row, weight, len, to),
        }
    }
}

/// One output row: a loop that knows the number of taps where there is one.
#[inline(always)]
fn vertical<'r, I: InstructionSet, T: Arithmetic>(
    row: impl Fn(usize) -> &'r [T],
    weight: &[T::Weight],
    len: usize,
    to: Destination<'_, T>,
) {
    match weight.len() {
        2 => Few::<T, 2>::of(row, weight).run::<I>(len, to),
        3 => Few::<T, 3>::of(row, weight).run::<I>(len, to),
        4 => Few::<T, 4>::of(row, weight).run::<I>(len, to),
        6 => Few::<T, 6>::of(row, weight).run::<I>(len, to),
        8 => Few::<T, 8>::of(row, weight).run::<I>(len, to),
        _ => vertical_any::<I, T>(&|t| row(t), weight, len, to),
    }
}

/// Across rows, for neighbouring output rows. Writes all of them.
pub(crate) struct VerticalRows<'a, T: Arithmetic> {
    pub(crate) inputs: RingRows<'a, T>,
    pub(crate) table: &'a Table<T>,
    /// Rows of the table, all of whose taps are among the inputs.
    pub(crate) outputs: Range<usize>,
    /// Elements of an output row.
    pub(crate) len: usize,
    pub(crate) to: Destination<'a, T>,
}

/// Across slices, for neighbouring rows: each output row is the same sum of the rows at its place in the slices. Writes all of them.
pub(crate) struct VerticalSlices<'a, T: Arithmetic> {
    /// Whole slices, of rows that follow each other without gaps.
    pub(crate) slices: RingRows<'a, T>,
    /// The slice of each tap.
    pub(crate) index: &'a [u32],
    pub(crate) weight: &'a [T::Weight],
    /// The first row.
    pub(crate) first: usize,
    /// Elements of a row.
    pub(crate) len: usize,
    /// Holds the output rows,
    pub(crate) out: &'a mut [MaybeUninit<T>],
    /// each from here on.
    pub(crate) starts: &'a [usize],
}

impl<T: Arithmetic> Kernel for VerticalSlices<'_, T> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { slices, index, weight, first, len, out, starts } = self;
        for (h, &start) in (first..).zip(starts) {
            // The rows that the next call begins with: it is not foreseen where each slice goes on.
            let ahead = (h + starts.len()) * len;
            for &slice in index {
                prefetch(slices.row(slice).get(ahead..ahead + len).unwrap_or_default());
            }
            let (row, to) = (|t: usize| &slices.row(index[t])[h * len..], Destination::stored(&mut out[start..][..len]));
            // Inline for the taps of linear filters and of their gradients at a factor of 2: rows may be short here, too.
            match weight.len() {
                2 => Few::<T, 2>::of(row, weight).run::<I>(len, to),
                4 => Few::<T, 4>::of(row, weight).run::<I>(len, to),
                _ => I::call(Vertical { row: &row, weight, len, to }),
            }
        }
    }
}

impl<T: Arithmetic> Kernel for VerticalRows<'_, T> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { inputs, table, outputs, len, to: Destination { out, mut begin, mut carry } } = self;
        for o in outputs {
            inputs.prefetch(table, o);
            let carry = carry.as_deref_mut();
            if let Some(table) = table.exact_row(o) {
                let (inputs, to) = (inputs.exact(), Destination { out: T::exact_mut(out), begin, carry });
                I::call(VerticalRows { inputs, table, outputs: o..o + 1, len, to });
            } else {
                let (index, weight) = table.row(o);
                // Inline: rows may be as short as the channels of a pixel, and a call for each was measured to cost a fifth of the time.
                vertical::<I, T>(|t| inputs.row(index[t]), weight, len, Destination { out, begin, carry });
            }
            begin += len;
        }
    }
}

/// A few rows and how much each counts.
struct Few<'a, T: Arithmetic, const TAPS: usize> {
    rows: [&'a [T]; TAPS],
    weight: [T::Weight; TAPS],
}

/// Groups of [`Few`] rows, one after the other: those from element `begin` on, into all of `out`.
struct FewGroups<'a, 'r, T: Arithmetic, const TAPS: usize> {
    few: &'a Few<'r, T, TAPS>,
    begin: usize,
    /// Whole groups.
    out: &'a mut [MaybeUninit<T>],
    /// Past the caches.
    stream: bool,
}

impl<T: Arithmetic, const TAPS: usize> Kernel for FewGroups<'_, '_, T, TAPS> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        self.few.groups::<I>(self.begin, self.out, self.stream);
    }
}

/// Elements of [`Few`] rows, fewer than a group has: those from `first` on, into all of `out`.
struct FewElements<'a, 'r, T: Arithmetic, const TAPS: usize> {
    few: &'a Few<'r, T, TAPS>,
    first: usize,
    out: &'a mut [MaybeUninit<T>],
}

impl<T: Arithmetic, const TAPS: usize> Kernel for FewElements<'_, '_, T, TAPS> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { few, first, out } = self;
        for (i, slot) in (first..).zip(out) {
            let mut sum = T::START;
            for t in 0..TAPS {
                sum = T::accumulate::<I>(sum, few.weight[t], few.rows[t][i]);
            }
            slot.write(T::finish(sum));
        }
    }
}

impl<'r, T: Arithmetic, const TAPS: usize> Few<'r, T, TAPS> {
    /// The rows of all taps, of which there are `TAPS`.
    #[inline(always)]
    fn of(row: impl Fn(usize) -> &'r [T], weight: &[T::Weight]) -> Self {
        let mut few = Self { rows: [row(0); TAPS], weight: [weight[0]; TAPS] };
        for t in 1..TAPS {
            few.rows[t] = row(t);
            few.weight[t] = weight[t];
        }
        few
    }

    /// The number of taps known to the compiler: one pass, sums in registers.
    #[inline(always)]
    fn run<I: InstructionSet>(&self, len: usize, to: Destination<'_, T>) {
        let Destination { out, begin, carry } = to;
        let Some(carry) = carry else { return self.store::<I>(0, &mut out[begin..][..len]) };
        if const { T::Rows::<I>::STREAMS } {
            return self.stream::<I>(len, out, begin, carry);
        }
        I::call(Staged { row: &|t| self.rows[t], weight: &self.weight, len, out, begin, carry });
    }

    /// The sums of the groups from element `begin` on, one after the other, into all of `out`: whole groups.
    #[inline(always)]
    fn groups<I: InstructionSet>(&self, begin: usize, out: &mut [MaybeUninit<T>], stream: bool) {
        let lanes = T::Rows::<I>::LANES;
        // Spread over registers here, not once for the whole row: there they would have to be kept in memory meanwhile.
        let mut weights = [T::Rows::<I>::weight(self.weight[0]); TAPS];
        for t in 1..TAPS {
            weights[t] = T::Rows::<I>::weight(self.weight[t]);
        }
        let groups = out.chunks_exact_mut(lanes);
        let mut rows = [self.rows[0]; TAPS];
        for t in 0..TAPS {
            rows[t] = &self.rows[t][begin..][..groups.len() * lanes];
        }
        for (number, group) in groups.enumerate() {
            let place = number * lanes..(number + 1) * lanes;
            let mut sums = T::Rows::<I>::start();
            for t in (0..TAPS).step_by(2) {
                // SAFETY: every row was cut to as many groups as there are of the output.
                let (first, second) = unsafe { (rows[t].get_unchecked(place.clone()), rows[(t + 1) % TAPS].get_unchecked(place.clone())) };
                sums = if t + 1 < TAPS {
                    sums.accumulate_pair([first, second], [weights[t], weights[t + 1]])
                } else {
                    sums.accumulate_row(first, weights[t])
                };
            }
            if stream {
                sums.stream(group);
            } else {
                sums.finish(group);
            }
        }
    }

    /// All of `out`, the elements from `first` on.
    #[inline(always)]
    fn store<I: InstructionSet>(&self, first: usize, out: &mut [MaybeUninit<T>]) {
        let (len, lanes) = (out.len(), T::Rows::<I>::LANES);
        if len < lanes {
            return I::call(FewElements { few: self, first, out });
        }
        // Loads are many, so they are the ones that begin at a line of their rows; stores that cross into the next line were measured to
        // cost
        // less. The last group is moved to end with the row: what it shares with the one before is computed twice.
        let whole = len / lanes * lanes;
        self.groups::<I>(first, &mut out[..whole], false);
        if whole < len {
            self.groups::<I>(first + len - lanes, &mut out[len - lanes..], false);
        }
    }

    /// Writes `len` elements from `begin` of `out` on, past the caches: whole lines from the registers, the rest through `carry`.
    #[inline(always)]
    fn stream<I: InstructionSet>(&self, len: usize, out: &mut [MaybeUninit<T>], begin: usize, carry: &mut Carry) {
        let line = LINE / size_of::<T>();
        let mut done = carry.resume(out, begin).min(len);
        if done > 0 {
            self.part::<I>(0..done, carry.room());
            carry.advance::<I, T>(done, out);
        }
        let lines = (len - done) / line * line;
        I::call(FewGroups { few: self, begin: done, out: &mut out[begin + done..][..lines], stream: true });
        done += lines;
        carry.pass::<T>(lines);
        if done < len {
            self.part::<I>(done..len, carry.room());
            carry.advance::<I, T>(len - done, out);
        }
    }

    /// Some elements to the front of `to`, which may be written beyond them.
    #[inline(always)]
    fn part<I: InstructionSet>(&self, elements: Range<usize>, to: &mut [MaybeUninit<T>]) {
        let whole = elements.start + elements.len().next_multiple_of(T::Rows::<I>::LANES);
        let mut shortest = usize::MAX;
        for t in 0..TAPS {
            shortest = shortest.min(self.rows[t].len());
        }
        if whole <= shortest {
            I::call(FewGroups { few: self, begin: elements.start, out: &mut to[..whole - elements.start], stream: false });
        } else {
            I::call(FewElements { few: self, first: elements.start, out: &mut to[..elements.len()] });
        }
    }
}

/// Sums that are buffered before they go past the caches.
struct Staged<'a, T: Arithmetic> {
    row: &'a dyn Fn(usize) -> &'a [T],
    weight: &'a [T::Weight],
    len: usize,
    out: &'a mut [MaybeUninit<T>],
    begin: usize,
    carry: &'a mut Carry,
}

impl<T: Arithmetic> Kernel for Staged<'_, T> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { row, weight, len, out, begin, carry } = self;
        let mut stage = [MaybeUninit::uninit(); STAGE];
        for done in (0..len).step_by(STAGE) {
            let piece = &mut stage[..STAGE.min(len - done)];
            let to = Destination::stored(&mut *piece);
            I::call(Vertical { row: &|t| &row(t)[done..], weight, len: to.out.len(), to });
            stream_on::<I, T>(piece, out, begin + done, carry);
        }
    }
}

/// Any number of taps.
#[inline(always)]
fn vertical_any<'r, I: InstructionSet, T: Arithmetic>(
    row: &'r dyn Fn(usize) -> &'r [T],
    weight: &'r [T::Weight],
    len: usize,
    to: Destination<'r, T>,
) {
    match to {
        Destination { out, begin, carry: None } => vertical_many::<I, T>(row, weight, &mut out[begin..][..len]),
        Destination { out, begin, carry: Some(carry) } => I::call(Staged { row, weight, len, out, begin, carry }),
    }
}

#[inline(always)]
fn vertical_many<'r, I: InstructionSet, T: Arithmetic>(row: &dyn Fn(usize) -> &'r [T], weight: &[T::Weight], out: &mut [MaybeUninit<T>]) {
    if weight.len() > LISTED {
        return vertical_unlisted::<I, T>(row, weight, out);
    }
    let mut rows: [&[T]; LISTED] = [&[]; LISTED];
    for t in 0..weight.len() {
        rows[t] = row(t);
    }
    I::call(VerticalListed { rows: &rows[..weight.len()], weight, out });
}

/// Listed rows, of each as many elements as all of `out`.
struct VerticalListed<'a, T: Arithmetic> {
    rows: &'a [&'a [T]],
    weight: &'a [T::Weight],
    out: &'a mut [MaybeUninit<T>],
}

impl<T: Arithmetic> Kernel for VerticalListed<'_, T> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { rows, weight, out } = self;
        if const { T::Rows::<I>::TAKES_PAIRS } && out.len() >= T::Rows::<I>::LANES {
            vertical_by_two::<I, T>(rows, weight, out);
        } else {
            vertical_blocks::<I, T>(rows, weight, out);
        }
    }
}

/// Block by block, so that the sums of a block stay in registers over all taps.
#[inline(always)]
fn vertical_blocks<I: InstructionSet, T: Arithmetic>(rows: &[&[T]], weight: &[T::Weight], out: &mut [MaybeUninit<T>]) {
    let whole = out.len() / BLOCK * BLOCK;
    let (blocks, rest) = out.split_at_mut(whole);
    for (number, block) in blocks.chunks_exact_mut(BLOCK).enumerate() {
        let mut sums = [T::START; BLOCK];
        for (row, &weight) in rows.iter().zip(weight) {
            add_block::<I, T>(&mut sums, weight, &row[number * BLOCK..]);
        }
        for i in 0..BLOCK {
            block[i].write(T::finish(sums[i]));
        }
    }
    for (i, slot) in (whole..).zip(rest) {
        let mut sum = T::START;
        for (row, &weight) in rows.iter().zip(weight) {
            sum = T::accumulate::<I>(sum, weight, row[i]);
        }
        slot.write(T::finish(sum));
    }
}

/// The same of more rows than are listed: each block asks for them.
#[inline(always)]
fn vertical_unlisted<'r, I: InstructionSet, T: Arithmetic>(
    row: &dyn Fn(usize) -> &'r [T],
    weight: &[T::Weight],
    out: &mut [MaybeUninit<T>],
) {
    for (number, block) in out.chunks_mut(BLOCK).enumerate() {
        let mut sums = [T::START; BLOCK];
        for (t, &weight) in weight.iter().enumerate() {
            let values = &row(t)[number * BLOCK..];
            if block.len() == BLOCK {
                add_block::<I, T>(&mut sums, weight, values);
            } else {
                for i in 0..block.len() {
                    sums[i] = T::accumulate::<I>(sums[i], weight, values[i]);
                }
            }
        }
        for i in 0..block.len() {
            block[i].write(T::finish(sums[i]));
        }
    }
}

/// Whole groups, the last of which is moved to end with the row, two rows at a time.
#[inline(always)]
fn vertical_by_two<I: InstructionSet, T: Arithmetic>(rows: &[&[T]], weight: &[T::Weight], out: &mut [MaybeUninit<T>]) {
    let lanes = T::Rows::<I>::LANES;
    for group in 0..out.len().div_ceil(lanes) {
        let place = (group * lanes).min(out.len() - lanes);
        let mut sums = T::Rows::<I>::start();
        for (rows, weights) in rows.chunks(2).zip(weight.chunks(2)) {
            let weights = [weights[0], weights.get(1).copied().unwrap_or_default()].map(T::Rows::<I>::weight);
            sums = sums.accumulate_pair([&rows[0][place..], &rows[rows.len() - 1][place..]], weights);
        }
        sums.finish(&mut out[place..]);
    }
}

#[inline(always)]
fn add_block<I: InstructionSet, T: Arithmetic>(sums: &mut [T::Sum; BLOCK], weight: T::Weight, values: &[T]) {
    let values = &values[..BLOCK];
    for i in 0..BLOCK {
        sums[i] = T::accumulate::<I>(sums[i], weight, values[i]);
    }
}
