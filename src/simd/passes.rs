//! The two passes of the separable engine: along a row, and across rows.

use std::mem::MaybeUninit;

use super::table::{Lanes, longest_window};
use super::{Arithmetic, InstructionSet, Kernel, LANES, Table};

/// What happens to a finished value: it is written, or added to what is there.
pub(crate) trait Put<S, T>: Copy + Send + Sync {
    /// Puts `value` into `slot`.
    fn put(slot: &mut S, value: T);
}

/// A value is kept as it is: the rows between two passes.
#[derive(Clone, Copy)]
pub(crate) struct Keep;

impl<T: Copy + Send + Sync> Put<T, T> for Keep {
    #[inline(always)]
    fn put(slot: &mut T, value: T) {
        *slot = value;
    }
}

/// Output elements that are summed at a time across rows: few enough for the sums to stay in registers.
const BLOCK: usize = 32;

/// Across rows: `out[i] = Σ_t weight[t] · row(t)[i]`.
pub(crate) struct Combine<'a, T: Arithmetic, S, P, R> {
    /// The input row of tap `t`, at least as long as `out`.
    pub(crate) row: R,
    pub(crate) weight: &'a [T::Weight],
    pub(crate) out: &'a mut [S],
    #[allow(dead_code)] // names the type `P` where the loop is made
    pub(crate) put: P,
}

impl<'r, T, S, P, R> Kernel for Combine<'_, T, S, P, R>
where
    T: Arithmetic,
    P: Put<S, T>,
    R: Fn(usize) -> &'r [T],
{
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        combine::<I, T, S, P>(self.row, self.weight, self.out);
    }
}

#[inline(always)]
fn combine<'r, I: InstructionSet, T: Arithmetic, S, P: Put<S, T>>(row: impl Fn(usize) -> &'r [T], weight: &[T::Weight], out: &mut [S]) {
    match *weight {
        [w0, w1] => combine_few::<I, T, S, P, 2>([row(0), row(1)], [w0, w1], out),
        [w0, w1, w2] => combine_few::<I, T, S, P, 3>([row(0), row(1), row(2)], [w0, w1, w2], out),
        [w0, w1, w2, w3] => combine_few::<I, T, S, P, 4>([row(0), row(1), row(2), row(3)], [w0, w1, w2, w3], out),
        [a, b, c, d, e, f] => {
            combine_few::<I, T, S, P, 6>([row(0), row(1), row(2), row(3), row(4), row(5)], [a, b, c, d, e, f], out);
        }
        [a, b, c, d, e, f, g, h] => {
            let rows = [row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)];
            combine_few::<I, T, S, P, 8>(rows, [a, b, c, d, e, f, g, h], out);
        }
        _ => combine_many::<I, T, S, P>(row, weight, out),
    }
}

/// The number of taps known to the compiler: one pass, sums in registers.
#[inline(always)]
fn combine_few<I: InstructionSet, T: Arithmetic, S, P: Put<S, T>, const TAPS: usize>(
    rows: [&[T]; TAPS],
    weight: [T::Weight; TAPS],
    out: &mut [S],
) {
    let rows = rows.map(|row| &row[..out.len()]);
    for (i, slot) in out.iter_mut().enumerate() {
        let mut sum = T::START;
        for t in 0..TAPS {
            sum = T::accumulate::<I>(sum, weight[t], rows[t][i]);
        }
        P::put(slot, T::finish(sum));
    }
}

/// Any number of taps: block by block, so that the sums of a block stay in registers over all taps.
#[inline(always)]
fn combine_many<'r, I: InstructionSet, T: Arithmetic, S, P: Put<S, T>>(
    row: impl Fn(usize) -> &'r [T],
    weight: &[T::Weight],
    out: &mut [S],
) {
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
            P::put(&mut block[i], T::finish(sums[i]));
        }
    }
    for (i, slot) in rest.iter_mut().enumerate() {
        let mut sum = T::START;
        for (t, &weight) in weight.iter().enumerate() {
            sum = T::accumulate::<I>(sum, weight, row(t)[whole + i]);
        }
        P::put(slot, T::finish(sum));
    }
}

/// Along a row of pixels of `inner` interleaved elements:
/// `out[o·inner + c] = Σ_t weight[o][t] · row[index[o][t]·inner + c]`.
pub(crate) struct Gather<'a, T: Arithmetic, S, P> {
    pub(crate) row: &'a [T],
    pub(crate) table: &'a Table<T>,
    pub(crate) inner: usize,
    pub(crate) out: &'a mut [S],
    #[allow(dead_code)] // names the type `P` where the loop is made
    pub(crate) put: P,
}

impl<T: Arithmetic, S, P: Put<S, T>> Kernel for Gather<'_, T, S, P> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Gather { row, table, inner, out, .. } = self;
        let lanes = table.lanes(inner).filter(|lanes| lanes.reach <= longest_window::<T>(I::BACKEND));
        match (lanes, table.width) {
            (Some(lanes), 2) => gather_lanes::<I, T, S, P, 2>(row, lanes, out),
            (Some(lanes), 4) => gather_lanes::<I, T, S, P, 4>(row, lanes, out),
            (Some(lanes), width) => gather_lanes_of::<I, T, S, P>(row, lanes, width, out),
            (None, _) => gather_each::<I, T, S, P>(row, table, inner, out),
        }
        for &o in &table.empty {
            for slot in &mut out[o as usize * inner..][..inner] {
                P::put(slot, T::default());
            }
        }
    }
}

/// Eight elements at a time, the number of taps known to the compiler.
#[inline(always)]
fn gather_lanes<I: InstructionSet, T: Arithmetic, S, P: Put<S, T>, const TAPS: usize>(row: &[T], lanes: &Lanes<T>, out: &mut [S]) {
    match lanes.reach {
        8 => gather_windows::<I, T, S, P, 8>(row, lanes, TAPS, out),
        16 => gather_windows::<I, T, S, P, 16>(row, lanes, TAPS, out),
        _ => gather_windows::<I, T, S, P, 32>(row, lanes, TAPS, out),
    }
}

/// Eight elements at a time, any number of taps.
#[inline(always)]
fn gather_lanes_of<I: InstructionSet, T: Arithmetic, S, P: Put<S, T>>(row: &[T], lanes: &Lanes<T>, taps: usize, out: &mut [S]) {
    match lanes.reach {
        8 => gather_windows::<I, T, S, P, 8>(row, lanes, taps, out),
        16 => gather_windows::<I, T, S, P, 16>(row, lanes, taps, out),
        _ => gather_windows::<I, T, S, P, 32>(row, lanes, taps, out),
    }
}

#[inline(always)]
fn gather_windows<I: InstructionSet, T: Arithmetic, S, P: Put<S, T>, const REACH: usize>(
    row: &[T],
    lanes: &Lanes<T>,
    taps: usize,
    out: &mut [S],
) {
    let output = out.len();
    let groups = lanes.begin.chunks_exact(taps).zip(lanes.pick.chunks_exact(taps)).zip(lanes.weight.chunks_exact(taps));
    for (group, ((begin, pick), weight)) in groups.enumerate() {
        let mut sums = [T::START; LANES];
        for t in 0..taps {
            let Some(window) = row[begin[t] as usize..].first_chunk::<REACH>() else { return };
            let values = T::permute::<I, REACH>(window, pick[t]);
            for lane in 0..LANES {
                sums[lane] = T::accumulate::<I>(sums[lane], weight[t][lane], values[lane]);
            }
        }
        let slots = &mut out[Lanes::<T>::first(group, output)..][..LANES];
        for lane in 0..LANES {
            P::put(&mut slots[lane], T::finish(sums[lane]));
        }
    }
}

/// Element by element.
#[inline(always)]
fn gather_each<I: InstructionSet, T: Arithmetic, S, P: Put<S, T>>(row: &[T], table: &Table<T>, inner: usize, out: &mut [S]) {
    match (inner, table.width) {
        (1, 1) => gather_planes::<I, T, S, P, 1>(row, table, out),
        (1, 2) => gather_planes::<I, T, S, P, 2>(row, table, out),
        (1, 4) => gather_planes::<I, T, S, P, 4>(row, table, out),
        (1, 8) => gather_planes::<I, T, S, P, 8>(row, table, out),
        (2, _) => gather_pixels::<I, T, S, P, 2>(row, table, out),
        (3, _) => gather_pixels::<I, T, S, P, 3>(row, table, out),
        (4, _) => gather_pixels::<I, T, S, P, 4>(row, table, out),
        (1, _) => gather_pixels::<I, T, S, P, 1>(row, table, out),
        _ => gather_channels::<I, T, S, P>(row, table, inner, out),
    }
}

/// One element a pixel, the number of taps known to the compiler.
#[inline(always)]
fn gather_planes<I: InstructionSet, T: Arithmetic, S, P: Put<S, T>, const TAPS: usize>(row: &[T], table: &Table<T>, out: &mut [S]) {
    let (indices, _) = table.index.as_chunks::<TAPS>();
    let (weights, _) = table.weight.as_chunks::<TAPS>();
    for ((slot, index), weight) in out.iter_mut().zip(indices).zip(weights) {
        let mut sum = T::START;
        for t in 0..TAPS {
            sum = T::accumulate::<I>(sum, weight[t], row[index[t] as usize]);
        }
        P::put(slot, T::finish(sum));
    }
}

/// A few elements a pixel, their number known to the compiler.
#[inline(always)]
fn gather_pixels<I: InstructionSet, T: Arithmetic, S, P: Put<S, T>, const INNER: usize>(row: &[T], table: &Table<T>, out: &mut [S]) {
    let (pixels, _) = row.as_chunks::<INNER>();
    let (slots, _) = out.as_chunks_mut::<INNER>();
    for (o, pixel) in slots.iter_mut().enumerate() {
        let (index, weight) = table.row(o);
        let mut sums = [T::START; INNER];
        for (&index, &weight) in index.iter().zip(weight) {
            let value = &pixels[index as usize];
            for c in 0..INNER {
                sums[c] = T::accumulate::<I>(sums[c], weight, value[c]);
            }
        }
        for c in 0..INNER {
            P::put(&mut pixel[c], T::finish(sums[c]));
        }
    }
}

/// Many elements a pixel: the channels of a pixel are a row that is combined with those of its neighbours.
#[inline(always)]
fn gather_channels<I: InstructionSet, T: Arithmetic, S, P: Put<S, T>>(row: &[T], table: &Table<T>, inner: usize, out: &mut [S]) {
    for (o, pixel) in out.chunks_exact_mut(inner).enumerate() {
        let (index, weight) = table.row(o);
        combine::<I, T, S, P>(|t| &row[index[t] as usize * inner..][..inner], weight, pixel);
    }
}

/// Along many rows of single elements at once: the rows become the lanes of a register, so that any pattern of taps is read in whole
/// registers, without gathering. Used where the pass along the width shrinks.
pub(crate) struct GatherRows<'a, T: Arithmetic> {
    /// Up to [`ROWS`](Self::ROWS) rows of `input` elements.
    pub(crate) rows: &'a [T],
    pub(crate) input: usize,
    pub(crate) table: &'a Table<T>,
    /// As many rows, each as long as the table.
    pub(crate) out: &'a mut [T],
    /// Room for [`ROWS`](Self::ROWS) input rows.
    pub(crate) columns: &'a mut [T],
}

impl<T: Arithmetic> GatherRows<'_, T> {
    /// Rows at a time.
    pub(crate) const ROWS: usize = 16;
}

impl<T: Arithmetic> Kernel for GatherRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        const ROWS: usize = 16;
        let GatherRows { rows, input, table, out, columns } = self;
        let output = table.index.len() / table.width;
        let count = rows.len() / input;
        let (columns, _) = columns[..input * ROWS].as_chunks_mut::<ROWS>();
        for (r, row) in rows.chunks_exact(input).enumerate() {
            for (column, &value) in columns.iter_mut().zip(row) {
                column[r] = value;
            }
        }
        for o in 0..output {
            let (index, weight) = table.row(o);
            let mut sums = [T::START; ROWS];
            for (&index, &weight) in index.iter().zip(weight) {
                let column = &columns[index as usize];
                for r in 0..ROWS {
                    sums[r] = T::accumulate::<I>(sums[r], weight, column[r]);
                }
            }
            for r in 0..count {
                out[r * output + o] = T::finish(sums[r]);
            }
        }
        for &o in &table.empty {
            for r in 0..count {
                out[r * output + o as usize] = T::default();
            }
        }
    }
}

/// Nearest along a row: pixel `o` of `out` is pixel `index[o]` of `row`, each of `inner` elements.
pub(crate) struct CopyPixels<'a, A> {
    pub(crate) row: &'a [A],
    pub(crate) index: &'a [u32],
    /// How often each input pixel comes, where that is the same for all; otherwise 0.
    pub(crate) repeats: usize,
    pub(crate) inner: usize,
    pub(crate) out: &'a mut [MaybeUninit<A>],
}

impl<A: Copy> Kernel for CopyPixels<'_, A> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let CopyPixels { row, index, repeats, inner, out } = self;
        match (inner, repeats) {
            (_, 1) => {
                for (slot, &value) in out.iter_mut().zip(row) {
                    slot.write(value);
                }
            }
            (1, 2) => repeat_each::<A, 2>(row, out),
            (1, 3) => repeat_each::<A, 3>(row, out),
            (1, 4) => repeat_each::<A, 4>(row, out),
            (3, 2) => repeat_pixels::<A, 3, 2>(row, out),
            (3, 4) => repeat_pixels::<A, 3, 4>(row, out),
            (4, 2) => repeat_pixels::<A, 4, 2>(row, out),
            (4, 4) => repeat_pixels::<A, 4, 4>(row, out),
            (1, _) => copy_pixels::<A, 1>(row, index, out),
            (2, _) => copy_pixels::<A, 2>(row, index, out),
            (3, _) => copy_pixels::<A, 3>(row, index, out),
            (4, _) => copy_pixels::<A, 4>(row, index, out),
            _ => {
                for (pixel, &i) in out.chunks_exact_mut(inner).zip(index) {
                    for (slot, &value) in pixel.iter_mut().zip(&row[i as usize * inner..][..inner]) {
                        slot.write(value);
                    }
                }
            }
        }
    }
}

/// Every pixel of `INNER` elements `TIMES` times.
#[inline(always)]
fn repeat_pixels<A: Copy, const INNER: usize, const TIMES: usize>(row: &[A], out: &mut [MaybeUninit<A>]) {
    let (pixels, _) = row.as_chunks::<INNER>();
    let (slots, _) = out.as_chunks_mut::<INNER>();
    let (groups, _) = slots.as_chunks_mut::<TIMES>();
    for (group, pixel) in groups.iter_mut().zip(pixels) {
        *group = [pixel.map(MaybeUninit::new); TIMES];
    }
}

#[inline(always)]
fn repeat_each<A: Copy, const TIMES: usize>(row: &[A], out: &mut [MaybeUninit<A>]) {
    let (groups, _) = out.as_chunks_mut::<TIMES>();
    for (group, &value) in groups.iter_mut().zip(row) {
        *group = [MaybeUninit::new(value); TIMES];
    }
}

#[inline(always)]
fn copy_pixels<A: Copy, const INNER: usize>(row: &[A], index: &[u32], out: &mut [MaybeUninit<A>]) {
    let (pixels, _) = row.as_chunks::<INNER>();
    let (slots, _) = out.as_chunks_mut::<INNER>();
    for (slot, &i) in slots.iter_mut().zip(index) {
        *slot = pixels[i as usize].map(MaybeUninit::new);
    }
}
