//! Long rows times short patterns: what is left of a convolution where there are too few channels for a matrix product.

use super::{InstructionSet, Kernel, Real, Vector};

/// `out[i] = initial + Σ rows[row + i] · patterns[pattern + i mod period]` over the terms `(row, pattern)`.
pub(crate) struct SumRows<'a, T> {
    pub(crate) rows: &'a [T],
    pub(crate) patterns: &'a [T],
    pub(crate) terms: &'a [(usize, usize)],
    /// Whole vectors.
    pub(crate) period: usize,
    /// Without one, they are added to what `out` holds.
    pub(crate) initial: Option<T>,
    /// Whole periods.
    pub(crate) out: &'a mut [T],
}

impl<T: Real> Kernel for SumRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(mut self) {
        let (fours, rest) = self.terms.as_chunks::<4>();
        for (number, terms) in fours.iter().enumerate() {
            self.add::<I, 4>(terms, number == 0);
        }
        let first = fours.is_empty();
        match *rest {
            [] => {
                if let Some(initial) = self.initial.filter(|_| first) {
                    self.out.fill(initial);
                }
            }
            [a] => self.add::<I, 1>(&[a], first),
            [a, b] => self.add::<I, 2>(&[a, b], first),
            [a, b, c, ..] => self.add::<I, 3>(&[a, b, c], first),
        }
    }
}

impl<T: Real> SumRows<'_, T> {
    /// Some terms at a time, their patterns in registers.
    #[inline(always)]
    fn add<I: InstructionSet, const TERMS: usize>(&mut self, terms: &[(usize, usize); TERMS], first: bool) {
        assert!(self.period.is_multiple_of(T::Vector::<I>::LANES), "a period is whole vectors");
        let len = self.out.len() / self.period * self.period;
        let (fresh, initial) = (first && self.initial.is_some(), T::Vector::<I>::splat(self.initial.unwrap_or_else(T::zero)));
        let rows = rows_of(self.rows, terms, len);
        for start in (0..self.period).step_by(T::Vector::<I>::LANES) {
            let mut patterns = [T::Vector::<I>::splat(T::zero()); TERMS];
            for term in 0..TERMS {
                patterns[term] = T::Vector::<I>::load(&self.patterns[terms[term].1 + start..]);
            }
            for at in (start..len).step_by(self.period) {
                let out = &mut self.out[at..at + T::Vector::<I>::LANES];
                let mut sum = if fresh { initial } else { T::Vector::<I>::load(out) };
                for term in 0..TERMS {
                    // SAFETY: every row was cut to `len`, whole periods; that these are whole vectors was asked above.
                    let row = unsafe { rows[term].get_unchecked(at..at + T::Vector::<I>::LANES) };
                    sum = T::Vector::<I>::load(row).multiply_add(patterns[term], sum);
                }
                sum.store(out);
            }
        }
    }
}

/// The row of each term, cut to `len`.
#[inline(always)]
fn rows_of<'a, T, const TERMS: usize>(all: &'a [T], terms: &[(usize, usize); TERMS], len: usize) -> [&'a [T]; TERMS] {
    let mut rows: [&[T]; TERMS] = [&[]; TERMS];
    for term in 0..TERMS {
        rows[term] = &all[terms[term].0..][..len];
    }
    rows
}

/// `sums[sum + i mod period] += row[i] · others[other + i]` over the terms `(other, sum)`.
pub(crate) struct AddProducts<'a, T> {
    /// Whole periods.
    pub(crate) row: &'a [T],
    pub(crate) others: &'a [T],
    pub(crate) terms: &'a [(usize, usize)],
    /// Whole vectors.
    pub(crate) period: usize,
    pub(crate) sums: &'a mut [T],
}

impl<T: Real> Kernel for AddProducts<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(mut self) {
        let (fours, rest) = self.terms.as_chunks::<4>();
        fours.iter().for_each(|terms| self.add::<I, 4>(terms));
        match *rest {
            [] => {}
            [a] => self.add::<I, 1>(&[a]),
            [a, b] => self.add::<I, 2>(&[a, b]),
            [a, b, c, ..] => self.add::<I, 3>(&[a, b, c]),
        }
    }
}

impl<T: Real> AddProducts<'_, T> {
    /// Some terms at a time, their sums in registers.
    #[inline(always)]
    fn add<I: InstructionSet, const TERMS: usize>(&mut self, terms: &[(usize, usize); TERMS]) {
        assert!(self.period.is_multiple_of(T::Vector::<I>::LANES), "a period is whole vectors");
        let len = self.row.len() / self.period * self.period;
        let others = rows_of(self.others, terms, len);
        for start in (0..self.period).step_by(T::Vector::<I>::LANES) {
            let mut sums = [T::Vector::<I>::splat(T::zero()); TERMS];
            for term in 0..TERMS {
                sums[term] = T::Vector::<I>::load(&self.sums[terms[term].1 + start..]);
            }
            for at in (start..len).step_by(self.period) {
                let row = T::Vector::<I>::load(&self.row[at..]);
                for term in 0..TERMS {
                    // SAFETY: every other row was cut to `len`, whole periods; that these are whole vectors was asked above.
                    let other = unsafe { others[term].get_unchecked(at..at + T::Vector::<I>::LANES) };
                    sums[term] = row.multiply_add(T::Vector::<I>::load(other), sums[term]);
                }
            }
            for term in 0..TERMS {
                sums[term].store(&mut self.sums[terms[term].1 + start..]);
            }
        }
    }
}

/// `sums[i]` is the sum of `count` neighbours from `i · count` on.
pub(crate) struct SumNeighbours<'a, T> {
    /// They are changed.
    pub(crate) numbers: &'a mut [T],
    pub(crate) count: usize,
    pub(crate) sums: &'a mut [T],
}

impl<T: Real> Kernel for SumNeighbours<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: InstructionSet>(self) {
        let Self { numbers, mut count, sums } = self;
        let lanes = T::Vector::<I>::LANES;
        let mut len = count * sums.len();
        // Pairs are added while that is what is left to do, in place: what is written has been read.
        while count % 2 == 0 {
            len /= 2;
            let vectors = len / lanes * lanes;
            for start in (0..vectors).step_by(lanes) {
                let first = T::Vector::<I>::load(&numbers[2 * start..]);
                let (even, odd) = first.deinterleave(T::Vector::<I>::load(&numbers[2 * start + lanes..]));
                even.add(odd).store(&mut numbers[start..]);
            }
            for place in vectors..len {
                numbers[place] = numbers[2 * place] + numbers[2 * place + 1];
            }
            count /= 2;
        }
        for (sum, numbers) in sums.iter_mut().zip(numbers.chunks_exact(count)) {
            let mut total = numbers[0];
            for &number in &numbers[1..] {
                total = total + number;
            }
            *sum = total;
        }
    }
}
