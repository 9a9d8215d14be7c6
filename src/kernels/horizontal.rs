//! The horizontal pass: along a row.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::group::{Group, GroupShape, GroupSums};
use super::ring::RingRows;
use super::streaming::Destination;
use super::table::{Lanes, Run};
use super::{Arithmetic, InstructionSet, Kernel, Table, VerticalRows};

/// Along rows of pixels of `inner` interleaved elements:
/// `out[o·inner + c] = Σ_t weight[o][t] · row[index[o][t]·inner + c]` for the output pixels `pixels`, for each row. Writes all of them.
pub struct Horizontal<'a, T: Arithmetic> {
    /// A few rows: the table is then fetched once for all of them.
    pub(crate) rows: &'a [&'a [T]],
    pub(crate) table: &'a Table<T>,
    pub(crate) inner: usize,
    /// Begins and ends at a multiple of [`PIXELS`](Self::PIXELS), or where the row does.
    pub(crate) pixels: Range<usize>,
    /// Holds the resized rows,
    pub(crate) out: &'a mut [MaybeUninit<T>],
    /// each from here on.
    pub(crate) starts: &'a [usize],
}

impl<T: Arithmetic> Horizontal<'_, T> {
    /// What parts of a row are cut at: whole groups of any instruction set.
    pub(crate) const PIXELS: usize = 64;
}

impl<T: Arithmetic> Kernel for Horizontal<'_, T> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Horizontal { rows, table, inner, pixels, out, starts } = self;
        let (first, len) = (pixels.start * inner, pixels.len() * inner);
        match table.lanes(inner, GroupShape::of::<T, I>()) {
            Some(lanes) if const { I::GROUPS } => horizontal_groups::<I, T>(rows, lanes, first, len, out, starts),
            _ => {
                let pass = Horizontal { rows, table, inner, pixels: pixels.clone(), out: &mut *out, starts };
                if let Some(Horizontal { out, .. }) = T::horizontal_pixels::<I>(pass) {
                    let fours = if T::HAS_INFINITY && matches!(inner, 3 | 4) { rows.len() / 4 * 4 } else { 0 };
                    if const { T::HAS_INFINITY } {
                        for (rows, starts) in rows[..fours].as_chunks::<4>().0.iter().zip(starts.as_chunks::<4>().0) {
                            I::call(HorizontalFour { rows, table, inner, first: pixels.start, len: pixels.len(), out, starts });
                        }
                    }
                    for (row, &start) in rows[fours..].iter().zip(&starts[fours..]) {
                        I::call(HorizontalEach { row, table, inner, first: pixels.start, out: &mut out[start..][..len] });
                    }
                }
            }
        }
        if let Some(exact) = &table.exact {
            let border = [pixels.start..exact.inside.start.min(pixels.end), exact.inside.end.max(pixels.start)..pixels.end];
            for part in border.into_iter().filter(|part| !part.is_empty()) {
                for (row, &start) in rows.iter().zip(starts) {
                    let out = &mut out[start + (part.start - pixels.start) * inner..][..part.len() * inner];
                    let (row, out) = (T::exact(row), T::exact_mut(out));
                    I::call(HorizontalEach { row, table: &exact.table, inner, first: part.start, out });
                }
            }
        }
        for &o in &table.empty {
            if pixels.contains(&(o as usize)) {
                for &start in starts {
                    out[start + (o as usize - pixels.start) * inner..][..inner].fill(MaybeUninit::new(T::default()));
                }
            }
        }
    }
}

/// A group at a time. Each row's output begins with element `first` and has `len` elements.
#[inline(always)]
fn horizontal_groups<I: InstructionSet, T: Arithmetic>(
    rows: &[&[T]],
    lanes: &Lanes<T>,
    first: usize,
    len: usize,
    out: &mut [MaybeUninit<T>],
    starts: &[usize],
) {
    let size = T::Group::<I>::LANES;
    let groups = first / size..(first + len).div_ceil(size);
    match lanes.steps {
        1 if const { has_loop::<I, T>(1) } => horizontal_steps::<I, T, 1>(rows, lanes, first, groups, out, starts),
        2 if const { has_loop::<I, T>(2) } => horizontal_steps::<I, T, 2>(rows, lanes, first, groups, out, starts),
        3 if const { has_loop::<I, T>(3) } => horizontal_steps::<I, T, 3>(rows, lanes, first, groups, out, starts),
        4 if const { has_loop::<I, T>(4) } => horizontal_steps::<I, T, 4>(rows, lanes, first, groups, out, starts),
        6 if const { has_loop::<I, T>(6) } => horizontal_steps::<I, T, 6>(rows, lanes, first, groups, out, starts),
        8 if const { has_loop::<I, T>(8) } => horizontal_steps::<I, T, 8>(rows, lanes, first, groups, out, starts),
        _ if lanes.wide => horizontal_each::<I, T, true>(rows, lanes, first, groups, out, starts),
        _ => horizontal_each::<I, T, false>(rows, lanes, first, groups, out, starts),
    }
}

/// Whether there is a loop for this number of steps that keeps their picks and weights in registers. There is one where it was measured to
/// pay.
const fn has_loop<I: InstructionSet, T: Arithmetic>(steps: usize) -> bool {
    match steps {
        2 | 4 => true,
        1 | 3 => T::Group::<I>::IN_REGISTERS,
        _ => T::Group::<I>::FOLD == 1 && I::REGISTERS >= 32,
    }
}

/// Groups of a known number of steps.
#[inline(always)]
fn horizontal_steps<I: InstructionSet, T: Arithmetic, const STEPS: usize>(
    rows: &[&[T]],
    lanes: &Lanes<T>,
    first: usize,
    groups: Range<usize>,
    out: &mut [MaybeUninit<T>],
    starts: &[usize],
) {
    match (lanes.wide, lanes.joint) {
        (true, _) => horizontal_runs::<I, T, STEPS, true, false>(rows, lanes, first, groups, out, starts),
        // One step is joint in itself.
        (false, joint) if STEPS == 1 || joint => horizontal_runs::<I, T, STEPS, false, true>(rows, lanes, first, groups, out, starts),
        _ => horizontal_runs::<I, T, STEPS, false, false>(rows, lanes, first, groups, out, starts),
    }
}

/// Every group by itself: picks and weights are read for each, once for four rows where the registers hold the sums of four.
#[inline(always)]
fn horizontal_each<I: InstructionSet, T: Arithmetic, const WIDE: bool>(
    rows: &[&[T]],
    lanes: &Lanes<T>,
    first: usize,
    groups: Range<usize>,
    out: &mut [MaybeUninit<T>],
    starts: &[usize],
) {
    let fours = if const { I::REGISTERS >= 32 && T::Group::<I>::IN_REGISTERS } { rows.len() / 4 * 4 } else { 0 };
    let (of_fours, _) = rows.as_chunks::<4>();
    for group in groups {
        let (place, entries) = (lanes.first(group) - first, lanes.entries(group));
        if const { I::REGISTERS >= 32 && T::Group::<I>::IN_REGISTERS } {
            for (rows, starts) in of_fours.iter().zip(starts.as_chunks::<4>().0) {
                horizontal_four::<I, T, WIDE>(rows, entries, out, starts.map(|start| start + place));
            }
        }
        for row in fours..rows.len() {
            group_sums::<I, T, WIDE>(rows[row], entries).finish(&mut out[starts[row] + place..]);
        }
    }
}

/// Groups run by run: those of a run have the same picks and weights, which stay in registers. No closures here: what is called from one
/// would not be compiled for the instruction set.
#[inline(always)]
fn horizontal_runs<I: InstructionSet, T: Arithmetic, const STEPS: usize, const WIDE: bool, const JOINT: bool>(
    rows: &[&[T]],
    lanes: &Lanes<T>,
    first: usize,
    groups: Range<usize>,
    out: &mut [MaybeUninit<T>],
    starts: &[usize],
) {
    let (size, entry) = const { (T::Group::<I>::LANES, T::Group::<I>::LANES * T::Group::<I>::FOLD) };
    let window = if WIDE { 2 * T::Group::<I>::WINDOW } else { T::Group::<I>::WINDOW };
    let (step, stride) = (lanes.step, lanes.cycle * size);
    let mut runs = lanes.runs(groups);
    while let Some(Run { group, count, first: begin_of_run }) = runs.next() {
        let (begin, pick, weight) = lanes.entries(group);
        let mut picks = [T::Group::<I>::pick(pick); STEPS];
        let mut weights = [T::Group::<I>::weights(weight); STEPS];
        for t in 1..STEPS {
            picks[t] = T::Group::<I>::pick(&pick[t * entry..]);
            weights[t] = T::Group::<I>::weights(&weight[t * entry..]);
        }
        for (row, &start) in rows.iter().zip(starts) {
            let mut windows = [*row; STEPS];
            for t in 0..STEPS {
                windows[t] = &row[begin[if JOINT { 0 } else { t }] as usize..][..(count - 1) * step + window];
            }
            let out = &mut out[start + begin_of_run - first..][..(count - 1) * stride + size];
            for number in 0..count {
                let (from, to) = (number * step, number * stride);
                let mut sums = T::Group::<I>::start();
                for t in 0..STEPS {
                    // SAFETY: the windows of a tap were cut to end with that of the run's last group.
                    let window = unsafe { windows[t].get_unchecked(from..from + window) };
                    sums = sums.accumulate::<WIDE>(window, picks[t], weights[t]);
                }
                // SAFETY: the output was cut to end with the run's last group.
                sums.finish(unsafe { out.get_unchecked_mut(to..to + size) });
            }
        }
    }
}

/// Where the windows of a group's steps begin, what is picked from them, and the weights.
type Entries<'a, T> = (&'a [u32], &'a [u8], &'a [<T as Arithmetic>::Weight]);

/// The sums of one group, all from the table.
#[inline(always)]
fn group_sums<I: InstructionSet, T: Arithmetic, const WIDE: bool>(row: &[T], (begin, pick, weight): Entries<'_, T>) -> T::Group<I> {
    let entry = const { T::Group::<I>::LANES * T::Group::<I>::FOLD };
    let mut sums = T::Group::<I>::start();
    for t in 0..begin.len() {
        let (pick, weights) = (T::Group::<I>::pick(&pick[t * entry..]), T::Group::<I>::weights(&weight[t * entry..]));
        sums = sums.accumulate::<WIDE>(&row[begin[t] as usize..], pick, weights);
    }
    sums
}

/// The same group of four rows, for which the table is read once.
#[inline(always)]
fn horizontal_four<I: InstructionSet, T: Arithmetic, const WIDE: bool>(
    rows: &[&[T]; 4],
    (begin, pick, weight): Entries<'_, T>,
    out: &mut [MaybeUninit<T>],
    starts: [usize; 4],
) {
    let entry = const { T::Group::<I>::LANES * T::Group::<I>::FOLD };
    let mut sums = [T::Group::<I>::start(); 4];
    for t in 0..begin.len() {
        let (pick, weights) = (T::Group::<I>::pick(&pick[t * entry..]), T::Group::<I>::weights(&weight[t * entry..]));
        for row in 0..4 {
            sums[row] = sums[row].accumulate::<WIDE>(&rows[row][begin[t] as usize..], pick, weights);
        }
    }
    for row in 0..4 {
        sums[row].finish(&mut out[starts[row]..]);
    }
}

/// Element by element, from output pixel `first` on.
struct HorizontalEach<'a, T: Arithmetic> {
    row: &'a [T],
    table: &'a Table<T>,
    inner: usize,
    first: usize,
    out: &'a mut [MaybeUninit<T>],
}

impl<T: Arithmetic> Kernel for HorizontalEach<'_, T> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { row, table, inner, first, out } = self;
        match (inner, table.width) {
            (1, 1) => horizontal_planes::<I, T, 1>(row, table, first, out),
            (1, 2) => horizontal_planes::<I, T, 2>(row, table, first, out),
            (1, 4) => horizontal_planes::<I, T, 4>(row, table, first, out),
            (1, 8) => horizontal_planes::<I, T, 8>(row, table, first, out),
            (2, _) => horizontal_pixels::<I, T, 2>(row, table, first, out),
            (3, _) => horizontal_pixels::<I, T, 3>(row, table, first, out),
            (4, _) => horizontal_pixels::<I, T, 4>(row, table, first, out),
            (1, _) => horizontal_pixels::<I, T, 1>(row, table, first, out),
            // Many elements a pixel: the channels of a pixel are a row that is combined with those of its neighbours.
            _ => {
                let inputs = RingRows { rows: row, stride: inner, mask: usize::MAX };
                let outputs = first..first + out.len() / inner;
                I::call(VerticalRows { inputs, table, outputs, len: inner, to: Destination::stored(out) });
            }
        }
    }
}

/// Four rows of pixels of 3 or 4 elements at once: the sums of one row alone would wait for each other.
struct HorizontalFour<'a, T: Arithmetic> {
    rows: &'a [&'a [T]; 4],
    table: &'a Table<T>,
    inner: usize,
    /// The first output pixel, and how many there are.
    first: usize,
    len: usize,
    out: &'a mut [MaybeUninit<T>],
    /// Where the output of each row begins.
    starts: &'a [usize; 4],
}

impl<T: Arithmetic> Kernel for HorizontalFour<'_, T> {
    type Output = ();
    const BYTES: bool = T::BYTES;

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        match self.inner {
            3 => self.pixels::<I, 3, 4>(),
            _ => self.pixels::<I, 4, 4>(),
        }
    }
}

impl<T: Arithmetic> HorizontalFour<'_, T> {
    /// Pixels of `INNER` elements, summed in `LANES` lanes.
    #[inline(always)]
    fn pixels<I: InstructionSet, const INNER: usize, const LANES: usize>(self) {
        let Self { rows, table, first, len, out, starts, .. } = self;
        let rows = [rows[0].as_chunks::<INNER>().0, rows[1].as_chunks().0, rows[2].as_chunks().0, rows[3].as_chunks().0];
        for o in 0..len {
            let (index, weight) = table.row(first + o);
            let mut sums = [[T::START; LANES]; 4];
            for (&index, &weight) in index.iter().zip(weight) {
                for row in 0..4 {
                    let mut value = [T::default(); LANES];
                    value[..INNER].copy_from_slice(&rows[row][index as usize]);
                    for lane in 0..LANES {
                        sums[row][lane] = T::accumulate::<I>(sums[row][lane], weight, value[lane]);
                    }
                }
            }
            for row in 0..4 {
                let out = &mut out[starts[row] + o * INNER..][..INNER];
                for (slot, &sum) in out.iter_mut().zip(&sums[row]) {
                    slot.write(T::finish(sum));
                }
            }
        }
    }
}

/// One element a pixel, the number of taps known to the compiler.
#[inline(always)]
fn horizontal_planes<I: InstructionSet, T: Arithmetic, const TAPS: usize>(
    row: &[T],
    table: &Table<T>,
    first: usize,
    out: &mut [MaybeUninit<T>],
) {
    let (indices, _) = table.index[first * TAPS..].as_chunks::<TAPS>();
    let (weights, _) = table.weight[first * TAPS..].as_chunks::<TAPS>();
    for ((slot, index), weight) in out.iter_mut().zip(indices).zip(weights) {
        let mut sum = T::START;
        for t in 0..TAPS {
            sum = T::accumulate::<I>(sum, weight[t], row[index[t] as usize]);
        }
        slot.write(T::finish(sum));
    }
}

/// A few elements a pixel, their number known to the compiler.
#[inline(always)]
pub(super) fn horizontal_pixels<I: InstructionSet, T: Arithmetic, const INNER: usize>(
    row: &[T],
    table: &Table<T>,
    first: usize,
    out: &mut [MaybeUninit<T>],
) {
    let (pixels, _) = row.as_chunks::<INNER>();
    let (slots, _) = out.as_chunks_mut::<INNER>();
    for (o, pixel) in slots.iter_mut().enumerate() {
        let (index, weight) = table.row(first + o);
        let mut sums = [T::START; INNER];
        for (&index, &weight) in index.iter().zip(weight) {
            let value = &pixels[index as usize];
            for c in 0..INNER {
                sums[c] = T::accumulate::<I>(sums[c], weight, value[c]);
            }
        }
        for c in 0..INNER {
            pixel[c].write(T::finish(sums[c]));
        }
    }
}

/// Along many rows of single elements at once: the rows become the lanes of a register, so that any pattern of taps is read in whole
/// registers, without gathering. Used where the pass along the width shrinks.
pub(crate) struct HorizontalTransposed<'a, T: Arithmetic> {
    /// Up to [`ROWS`](Self::ROWS) rows of `input` elements.
    pub(crate) rows: &'a [T],
    pub(crate) input: usize,
    pub(crate) table: &'a Table<T>,
    /// As many rows, each as long as the table.
    pub(crate) out: &'a mut [T],
    /// Room for [`ROWS`](Self::ROWS) input rows.
    pub(crate) columns: &'a mut [T],
}

impl<T: Arithmetic> HorizontalTransposed<'_, T> {
    /// Rows at a time.
    pub(crate) const ROWS: usize = 16;
}

impl<T: Arithmetic> Kernel for HorizontalTransposed<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        const ROWS: usize = 16;
        let HorizontalTransposed { rows, input, table, out, columns } = self;
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
