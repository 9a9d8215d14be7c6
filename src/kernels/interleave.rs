//! Rows that take turns in one row: taken out of it, and joined again.

use std::mem::MaybeUninit;

use super::{InstructionSet, Kernel, Real};

/// `to[i] = from[step · i]`.
pub(crate) struct StridedCopy<'a, T> {
    pub(crate) from: &'a [T],
    pub(crate) step: usize,
    pub(crate) to: &'a mut [T],
}

impl<T: Real> Kernel for StridedCopy<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        strided_copy(self.from, self.step, self.to);
    }
}

/// `to[rows.len() · i + row] = rows[row][i] + bias`.
pub(crate) struct InterleaveRows<'a, T> {
    pub(crate) rows: &'a [&'a [T]],
    pub(crate) bias: T,
    pub(crate) to: &'a mut [MaybeUninit<T>],
}

impl<T: Real> Kernel for InterleaveRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        interleave_rows(self.rows, self.bias, self.to);
    }
}

/// `to[i] = from[step · i]`. Called from a kernel, it is compiled for the kernel's instruction set.
#[inline(always)]
pub(crate) fn strided_copy<T: Real>(from: &[T], step: usize, to: &mut [T]) {
    match step {
        2 => strided_copy_of::<T, 2>(from, to),
        3 => strided_copy_of::<T, 3>(from, to),
        4 => strided_copy_of::<T, 4>(from, to),
        6 => strided_copy_of::<T, 6>(from, to),
        _ => to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, &from)| *to = from),
    }
}

/// Numbers that are moved together.
const BLOCK: usize = 16;

/// Steps that the compiler knows become shuffles, in blocks whose length it knows.
#[inline(always)]
fn strided_copy_of<T: Real, const STEP: usize>(from: &[T], to: &mut [T]) {
    let (steps, rest) = from.as_chunks::<STEP>();
    let whole = steps.len().min(to.len());
    let (turns, last) = to.split_at_mut(whole);
    let (from_blocks, from_rest) = steps[..whole].as_chunks::<BLOCK>();
    let (to_blocks, to_rest) = turns.as_chunks_mut::<BLOCK>();
    for (to, from) in to_blocks.iter_mut().zip(from_blocks) {
        let from: [[T; STEP]; BLOCK] = *from;
        for i in 0..BLOCK {
            to[i] = from[i][0];
        }
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = from[0];
    }
    if let (Some(to), Some(&from)) = (last.first_mut(), rest.first()) {
        *to = from;
    }
}

#[inline(always)]
fn interleave_rows<T: Real>(rows: &[&[T]], bias: T, to: &mut [MaybeUninit<T>]) {
    match *rows {
        [a] => join([a], bias, to),
        [a, b] => join([a, b], bias, to),
        [a, b, c] => join([a, b, c], bias, to),
        [a, b, c, d] => join([a, b, c, d], bias, to),
        [a, b, c, d, e, f] => join([a, b, c, d, e, f], bias, to),
        _ => {
            for (row, from) in rows.iter().enumerate() {
                let every = to.get_mut(row..).unwrap_or_default().iter_mut().step_by(rows.len());
                every.zip(*from).for_each(|(to, &sum)| *to = MaybeUninit::new(sum + bias));
            }
        }
    }
}

/// As many rows as the compiler knows become shuffles, in blocks whose length it knows.
#[inline(always)]
fn join<T: Real, const ROWS: usize>(rows: [&[T]; ROWS], bias: T, to: &mut [MaybeUninit<T>]) {
    let (turns, last) = to.as_chunks_mut::<ROWS>();
    let whole = turns.len();
    let (blocks, rest) = turns.as_chunks_mut::<BLOCK>();
    let in_blocks = blocks.len() * BLOCK;
    for (number, block) in blocks.iter_mut().enumerate() {
        let mut from = [[T::default(); BLOCK]; ROWS];
        for row in 0..ROWS {
            from[row].copy_from_slice(&rows[row][number * BLOCK..][..BLOCK]);
        }
        for i in 0..BLOCK {
            for row in 0..ROWS {
                block[i][row] = MaybeUninit::new(from[row][i] + bias);
            }
        }
    }
    for (i, turn) in rest.iter_mut().enumerate() {
        for row in 0..ROWS {
            turn[row] = MaybeUninit::new(rows[row][in_blocks + i] + bias);
        }
    }
    for (row, to) in last.iter_mut().enumerate() {
        *to = MaybeUninit::new(rows[row][whole] + bias);
    }
}
